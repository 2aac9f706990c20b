//! The table as a picture: rows verify, columns show a certificate. One file, nothing from elsewhere.

use std::fmt::Write as _;

use meshpki::federation::{TrustAnswer, TrustCell};
use meshpki::istiod::Verifier;

use super::Report;
use crate::text::escaped;

/// Side of a field.
const SIDE: usize = 24;
/// Width of a character, with room to spare.
const LETTER: usize = 8;
const GAP: usize = 10;
const STYLE: &str =
    "text{font:13px sans-serif}.yes{fill:#7c7}.no{fill:#d55}.spared{fill:#ddd}.unknown{fill:#ec5}";

/// The picture: a table for each kind of proxy, one below the other.
pub(super) fn write(report: &Report<'_>) -> String {
    let verifiers = [Verifier::Envoy, Verifier::Ztunnel];
    let shown: Vec<Verifier> = verifiers
        .into_iter()
        .filter(|verifier| report.cells.iter().any(|cell| cell.verifier == *verifier))
        .collect();
    let longest = report.clusters.iter().map(|cluster| cluster.name.chars().count()).max();
    let margin = longest.unwrap_or(0) * LETTER + GAP;
    let side = report.clusters.len() * SIDE;
    let height = margin + side + 3 * GAP;
    let (width, full) = (margin + side + 2 * GAP, height * shown.len() + GAP);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {full}\" width=\"{width}\" height=\"{full}\">\n\
         <title>Whose workloads are accepted where, at {}</title>\n<style>{STYLE}</style>\n",
        report.at
    );
    for (place, verifier) in shown.into_iter().enumerate() {
        let _ = writeln!(out, "<g transform=\"translate({GAP},{})\">", place * height + GAP);
        table(report, verifier, margin, &mut out);
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    out
}

fn table(report: &Report<'_>, verifier: Verifier, margin: usize, out: &mut String) {
    let title = if verifier == Verifier::Envoy { "sidecars" } else { "ztunnel" };
    let _ = writeln!(out, "<text x=\"0\" y=\"{LETTER}\">{title}</text>");
    for (index, cluster) in report.clusters.iter().enumerate() {
        let (name, middle) = (escaped(&cluster.name), margin + index * SIDE + SIDE * 2 / 3);
        let _ = writeln!(
            out,
            "<text transform=\"translate({middle},{}) rotate(-90)\">{name}</text>\n\
             <text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>",
            margin - GAP / 2,
            margin - GAP / 2
        );
    }
    for cell in report.cells.iter().filter(|cell| cell.verifier == verifier) {
        field(report, cell, margin, out);
    }
}

/// A field, and what it says when one points at it.
fn field(report: &Report<'_>, cell: &TrustCell, margin: usize, out: &mut String) {
    let (class, said) = match &cell.answer {
        TrustAnswer::Accepted(Some(end)) => ("yes", format!("accepted until {}", end.at.date())),
        TrustAnswer::Accepted(None) => ("yes", "accepted".to_owned()),
        TrustAnswer::Refused(refusal) if report.is_spared(cell) => {
            ("spared", format!("not needed: {}", refusal.why))
        }
        TrustAnswer::Refused(refusal) => ("no", refusal.why.clone()),
        TrustAnswer::Unknown => ("unknown", "not known".to_owned()),
    };
    let side = SIDE - 2;
    let _ = writeln!(
        out,
        "<rect x=\"{}\" y=\"{}\" width=\"{side}\" height=\"{side}\" class=\"{class}\"><title>{} accepts {}: {}</title></rect>",
        margin + cell.signer * SIDE,
        margin + cell.truster * SIDE,
        escaped(report.name(cell.truster)),
        escaped(report.name(cell.signer)),
        escaped(&said)
    );
}
