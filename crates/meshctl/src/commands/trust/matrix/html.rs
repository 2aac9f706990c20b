//! The report as a page: one file, no scripts, nothing from elsewhere.

use std::fmt::Write as _;

use meshpki::federation::{TrustAnswer, TrustCell};
use meshpki::istiod::Verifier;

use super::Report;
use crate::text::escaped;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Which clusters accept which</title>\n<style>\n\
body{font:15px/1.4 sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse;margin:1em 0}\n\
th,td{border:1px solid #bbb;padding:.3em .6em;text-align:left;font-weight:normal}th{background:#eee}\n\
.yes{background:#dfd}.no{background:#fbb}.spared{background:#f4f4f4}.unknown{background:#ffd}dt{margin-top:.8em}\n\
</style></head><body>\n";

pub(super) fn write(report: &Report<'_>) -> String {
    let mut out = String::from(HEAD);
    let _ = write!(
        out,
        "<h1>Whose workloads are accepted where</h1>\n<p>At {}. Rows verify, columns show a certificate; the date is the end of the first certificate above it.</p>\n",
        report.at
    );
    for verifier in [Verifier::Envoy, Verifier::Ztunnel] {
        if report.cells.iter().any(|cell| cell.verifier == verifier) {
            table(report, verifier, &mut out);
        }
    }
    refusals(report, &mut out);
    wider(report, &mut out);
    leaked(report, &mut out);
    out.push_str("</body></html>\n");
    out
}

fn table(report: &Report<'_>, verifier: Verifier, out: &mut String) {
    let title = if verifier == Verifier::Envoy { "Sidecars and gateways" } else { "ztunnel" };
    let _ = write!(out, "<h2>{title}</h2>\n<table><tr><th></th>");
    for cluster in report.clusters {
        let _ = write!(out, "<th>{}</th>", escaped(&cluster.name));
    }
    out.push_str("</tr>\n");
    for (truster, cluster) in report.clusters.iter().enumerate() {
        let cells = report.cells.iter().filter(|c| c.truster == truster && c.verifier == verifier);
        let cells: Vec<&TrustCell> = cells.collect();
        if cells.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            "<tr><th title=\"{}, Istio {}\">{}</th>",
            escaped(cluster.trust_domain.as_str()),
            cluster.version,
            escaped(&cluster.name)
        );
        cells.iter().for_each(|cell| field(report, cell, out));
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

fn field(report: &Report<'_>, cell: &TrustCell, out: &mut String) {
    let (class, title, text) = match &cell.answer {
        TrustAnswer::Accepted(end) => (
            "yes",
            end.as_ref().map_or(String::new(), |end| end.what.clone()),
            end.as_ref().map_or_else(|| "yes".to_owned(), |end| end.at.date()),
        ),
        TrustAnswer::Refused(refusal) if report.is_spared(cell) => {
            ("spared", refusal.why.clone(), "not needed".to_owned())
        }
        TrustAnswer::Refused(refusal) => ("no", refusal.why.clone(), "no".to_owned()),
        TrustAnswer::Unknown => {
            ("unknown", "no CA with its private key".to_owned(), "?".to_owned())
        }
    };
    let _ = write!(out, "<td class=\"{class}\" title=\"{}\">{text}</td>", escaped(&title));
}

fn refusals(report: &Report<'_>, out: &mut String) {
    let refused = report.cells.iter().filter(|cell| !report.is_spared(cell));
    let mut lines = refused
        .filter_map(|cell| match &cell.answer {
            TrustAnswer::Refused(refusal) => Some((cell, refusal)),
            _ => None,
        })
        .peekable();
    if lines.peek().is_none() {
        return;
    }
    out.push_str("<h2>Not accepted</h2>\n<dl>\n");
    for (cell, refusal) in lines {
        let who = if cell.verifier == Verifier::Ztunnel { "ztunnel of " } else { "" };
        let _ = writeln!(
            out,
            "<dt>{who}{} does not accept {}: {}</dt><dd>Change: {}</dd>",
            escaped(report.name(cell.truster)),
            escaped(report.name(cell.signer)),
            escaped(&refusal.why),
            escaped(&refusal.change)
        );
    }
    out.push_str("</dl>\n");
}

fn wider(report: &Report<'_>, out: &mut String) {
    if report.wider.is_empty() {
        return;
    }
    out.push_str("<h2>Believed beyond the spec</h2>\n<ul>\n");
    for one in &report.wider {
        let _ = writeln!(
            out,
            "<li>{} believes {} for {}, expected only {}</li>",
            escaped(report.name(one.impersonation.truster)),
            escaped(report.name(one.signer)),
            escaped(one.impersonation.trust_domain.as_str()),
            escaped(report.clusters[one.signer].trust_domain.as_str())
        );
    }
    out.push_str("</ul>\n");
}

fn leaked(report: &Report<'_>, out: &mut String) {
    let Some((place, found)) = &report.leaked else { return };
    let name = escaped(report.name(*place));
    let _ = write!(out, "<h2>With the key of the CA of {name}</h2>\n<ul>\n");
    for one in found {
        let who = if one.verifier == Verifier::Ztunnel { "ztunnel" } else { "sidecars" };
        let _ = writeln!(
            out,
            "<li>any identity of {} to {who} of {}</li>",
            escaped(one.trust_domain.as_str()),
            escaped(report.name(one.truster))
        );
    }
    out.push_str("</ul>\n");
}
