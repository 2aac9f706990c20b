//! The report for people.

use std::fmt::Write as _;

use meshpki::federation::TrustAnswer;
use meshpki::istiod::Verifier;

use super::Report;
use crate::text::safe;

/// Number of clusters up to which the table has a date in each field; above, it has a character.
const WIDE_MAX: usize = 8;

pub(super) fn write(report: &Report<'_>) -> String {
    let after = match report.after {
        None => String::new(),
        Some(1) => ", after 1 push".to_owned(),
        Some(count) => format!(", after {count} pushes"),
    };
    let mut out = format!("who accepts whose workloads, at {}{after}\n", report.at);
    for verifier in [Verifier::Envoy, Verifier::Ztunnel] {
        if report.cells.iter().any(|cell| cell.verifier == verifier) {
            let title =
                if verifier == Verifier::Envoy { "sidecars and gateways" } else { "ztunnel" };
            let _ = write!(out, "\n{title} of / accept workloads of\n{}", table(report, verifier));
        }
    }
    if report.clusters.len() > WIDE_MAX {
        out.push_str("\n+ accepted  - not accepted  . not needed  ? not known\n");
    }
    first_end(report, &mut out);
    refusals(report, &mut out);
    wider(report, &mut out);
    leaked(report, &mut out);
    out
}

/// Rows verify, columns are shown.
fn table(report: &Report<'_>, verifier: Verifier) -> String {
    let names: Vec<String> = report.clusters.iter().map(|cluster| safe(&cluster.name)).collect();
    let is_wide = names.len() <= WIDE_MAX;
    let first = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let width = |name: &String| name.chars().count().max(10);
    let mut out = String::new();
    if is_wide {
        let _ = write!(out, "{:first$}", "");
        for name in &names {
            let _ = write!(out, "  {name:<width$}", width = width(name));
        }
        out = out.trim_end().to_owned() + "\n";
    }
    for (truster, name) in names.iter().enumerate() {
        let mut line = format!("{name:<first$}");
        let cells = report.cells.iter().filter(|c| c.truster == truster && c.verifier == verifier);
        for cell in cells {
            let word = field(&cell.answer, report.is_spared(cell), is_wide);
            if is_wide {
                let width = width(&names[cell.signer]);
                let _ = write!(line, "  {word:<width$}");
            } else {
                let space = if cell.signer == 0 { "  " } else { "" };
                let _ = write!(line, "{space}{word}");
            }
        }
        if line.chars().count() > first {
            out += line.trim_end();
            out.push('\n');
        }
    }
    out
}

/// A date, or a word.
fn field(answer: &TrustAnswer, is_spared: bool, is_wide: bool) -> String {
    let (word, character) = match answer {
        TrustAnswer::Accepted(Some(end)) => (end.at.date(), '+'),
        TrustAnswer::Accepted(None) => ("yes".to_owned(), '+'),
        TrustAnswer::Refused(_) if is_spared => ("-".to_owned(), '.'),
        TrustAnswer::Refused(_) => ("NO".to_owned(), '-'),
        TrustAnswer::Unknown => ("?".to_owned(), '?'),
    };
    if is_wide { word } else { character.to_string() }
}

/// What ends first of everything that is accepted.
fn first_end(report: &Report<'_>, out: &mut String) {
    let ends = report.cells.iter().filter_map(|cell| match &cell.answer {
        TrustAnswer::Accepted(Some(end)) => Some((end, cell)),
        _ => None,
    });
    let Some((end, cell)) = ends.min_by(|a, b| a.0.cmp(b.0)) else { return };
    let _ = write!(
        out,
        "\nfirst to end: {}, {}: {} under the roots of {}\n",
        end.at.date(),
        safe(&end.what),
        safe(report.name(cell.signer)),
        safe(report.name(cell.truster))
    );
}

/// Refusals, those for one reason together.
fn refusals(report: &Report<'_>, out: &mut String) {
    let mut groups: Vec<(usize, Verifier, &str, &str, Vec<&str>)> = Vec::new();
    for cell in report.cells.iter().filter(|cell| !report.is_spared(cell)) {
        let TrustAnswer::Refused(refusal) = &cell.answer else { continue };
        let (why, change) = (refusal.why.as_str(), refusal.change.as_str());
        let name = report.name(cell.signer);
        let same = |g: &&mut (usize, Verifier, &str, &str, Vec<&str>)| {
            (g.0, g.1, g.2, g.3) == (cell.truster, cell.verifier, why, change)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.4.push(name),
            None => groups.push((cell.truster, cell.verifier, why, change, vec![name])),
        }
    }
    for (truster, verifier, why, change, names) in groups {
        let who = if verifier == Verifier::Ztunnel { "ztunnel of " } else { "" };
        let _ = write!(
            out,
            "\n{who}{} does not accept {}: {}\n  change: {}\n",
            safe(report.name(truster)),
            safe(&names.join(", ")),
            safe(why),
            safe(change)
        );
    }
    let unknown: Vec<String> =
        super::unknown(report).into_iter().map(|index| safe(report.name(index))).collect();
    if !unknown.is_empty() {
        let _ = write!(
            out,
            "\nnot known of {}: the files have no CA with its private key\n",
            unknown.join(", ")
        );
    }
}

/// Where trust goes beyond the spec.
fn wider(report: &Report<'_>, out: &mut String) {
    for one in &report.wider {
        let (who, signer) = (report.name(one.impersonation.truster), report.name(one.signer));
        let _ = write!(
            out,
            "\n{} believes {} for {}, expected only {} (scoped-bridge)\n  change: remove what goes beyond the model, which `meshctl trust plan` names with the same folders and spec\n",
            safe(who),
            safe(signer),
            one.impersonation.trust_domain,
            report.clusters[one.signer].trust_domain,
        );
    }
}

/// What a stolen key is worth.
fn leaked(report: &Report<'_>, out: &mut String) {
    let Some((place, found)) = &report.leaked else { return };
    let name = safe(report.name(*place));
    let _ = write!(out, "\nwith the key of the CA of {name} one can be\n");
    let mut domains: Vec<_> = found.iter().map(|one| &one.trust_domain).collect();
    domains.dedup();
    for domain in domains {
        let believe = |verifier| -> Vec<String> {
            let of =
                found.iter().filter(|one| one.trust_domain == *domain && one.verifier == verifier);
            of.map(|one| safe(report.name(one.truster))).collect()
        };
        let _ = writeln!(
            out,
            "  any identity of {domain} to sidecars of {}",
            believe(Verifier::Envoy).join(", ")
        );
        let ztunnel = believe(Verifier::Ztunnel);
        if !ztunnel.is_empty() {
            let _ = writeln!(out, "  and to ztunnel of {}", ztunnel.join(", "));
        }
    }
    if found.is_empty() {
        out.push_str("  no one\n");
    }
}
