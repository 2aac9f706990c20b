//! The report as a page: one file, no scripts, nothing from elsewhere.

use meshpki::federation::{TrustAnswer, TrustCell};
use meshpki::istiod::Verifier;

use super::Report;
use crate::text::Html;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Which clusters accept which</title>\n<style>\n\
body{font:15px/1.4 sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse;margin:1em 0}\n\
th,td{border:1px solid #bbb;padding:.3em .6em;text-align:left;font-weight:normal}th{background:#eee}\n\
.yes{background:#dfd}.no{background:#fbb}.spared{background:#f4f4f4}.unknown{background:#ffd}dt{margin-top:.8em}\n\
</style></head><body>\n";

pub(super) fn write(report: &Report<'_>) -> String {
    let mut html = Html::new(HEAD);
    html.leaf("h1", &[], "Whose workloads are accepted where");
    html.line();
    html.leaf("p", &[], &format!(
        "At {}. Rows verify, columns show a certificate; the date is the end of the first certificate above it.",
        report.at
    ));
    html.line();
    for verifier in [Verifier::Envoy, Verifier::Ztunnel] {
        if report.cells.iter().any(|cell| cell.verifier == verifier) {
            table(report, verifier, &mut html);
        }
    }
    refusals(report, &mut html);
    wider(report, &mut html);
    leaked(report, &mut html);
    html.ours("</body></html>\n");
    html.done()
}

fn table(report: &Report<'_>, verifier: Verifier, html: &mut Html) {
    let title = if verifier == Verifier::Envoy { "Sidecars and gateways" } else { "ztunnel" };
    heading(html, title);
    html.element("table", &[], |html| {
        html.element("tr", &[], |html| {
            html.leaf("th", &[], "");
            report.clusters.iter().for_each(|cluster| html.leaf("th", &[], &cluster.name));
        });
        html.line();
        for (truster, cluster) in report.clusters.iter().enumerate() {
            let is_here = |cell: &&TrustCell| cell.truster == truster && cell.verifier == verifier;
            let mut cells = report.cells.iter().filter(is_here).peekable();
            if cells.peek().is_none() {
                continue;
            }
            let about = format!("{}, Istio {}", cluster.trust_domain.as_str(), cluster.version);
            html.element("tr", &[], |html| {
                html.leaf("th", &[("title", &about)], &cluster.name);
                cells.for_each(|cell| field(report, cell, html));
            });
            html.line();
        }
    });
    html.line();
}

fn field(report: &Report<'_>, cell: &TrustCell, html: &mut Html) {
    let (class, title, text) = match &cell.answer {
        TrustAnswer::Accepted(Some(end)) => ("yes", end.what.as_str(), &*end.at.date()),
        TrustAnswer::Accepted(None) => ("yes", "", "yes"),
        TrustAnswer::Refused(refusal) if report.is_spared(cell) => {
            ("spared", refusal.why.as_str(), "not needed")
        }
        TrustAnswer::Refused(refusal) => ("no", refusal.why.as_str(), "no"),
        TrustAnswer::Unknown => ("unknown", "no CA with its private key", "?"),
    };
    html.leaf("td", &[("class", class), ("title", title)], text);
}

fn refusals(report: &Report<'_>, html: &mut Html) {
    let needed = report.cells.iter().filter(|cell| !report.is_spared(cell));
    let refused = needed.filter_map(|cell| match &cell.answer {
        TrustAnswer::Refused(refusal) => Some((cell, refusal)),
        _ => None,
    });
    let mut refused = refused.peekable();
    if refused.peek().is_none() {
        return;
    }
    heading(html, "Not accepted");
    html.element("dl", &[], |html| {
        for (cell, refusal) in refused {
            let who = if cell.verifier == Verifier::Ztunnel { "ztunnel of " } else { "" };
            let (truster, signer) = (report.name(cell.truster), report.name(cell.signer));
            let why = format!("{who}{truster} does not accept {signer}: {}", refusal.why);
            html.leaf("dt", &[], &why);
            html.leaf("dd", &[], &format!("Change: {}", refusal.change));
            html.line();
        }
    });
    html.line();
}

fn wider(report: &Report<'_>, html: &mut Html) {
    let lines = report.wider.iter().map(|one| {
        format!(
            "{} believes {} for {}, expected only {}",
            report.name(one.impersonation.truster),
            report.name(one.signer),
            one.impersonation.trust_domain.as_str(),
            report.clusters[one.signer].trust_domain.as_str()
        )
    });
    if !report.wider.is_empty() {
        heading(html, "Believed beyond the spec");
        list(html, lines);
    }
}

fn leaked(report: &Report<'_>, html: &mut Html) {
    let Some((place, found)) = &report.leaked else { return };
    let lines = found.iter().map(|one| {
        let who = if one.verifier == Verifier::Ztunnel { "ztunnel" } else { "sidecars" };
        let domain = one.trust_domain.as_str();
        format!("any identity of {domain} to {who} of {}", report.name(one.truster))
    });
    heading(html, &format!("With the key of the CA of {}", report.name(*place)));
    list(html, lines);
}

fn heading(html: &mut Html, text: &str) {
    html.leaf("h2", &[], text);
    html.line();
}

fn list(html: &mut Html, lines: impl Iterator<Item = String>) {
    html.element("ul", &[], |html| {
        html.line();
        for line in lines {
            html.leaf("li", &[], &line);
            html.line();
        }
    });
    html.line();
}
