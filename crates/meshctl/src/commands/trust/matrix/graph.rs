//! Which clusters accept which, as a graph: an arrow leads from a workload's cluster to the one that accepts it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use meshpki::federation::TrustAnswer;
use meshpki::istiod::Verifier;

use super::Report;

/// The graph for Mermaid.
pub(super) fn mermaid(report: &Report<'_>) -> String {
    let mut out = String::from("flowchart LR\n");
    for (index, cluster) in report.clusters.iter().enumerate() {
        let _ = writeln!(
            out,
            "  c{index}[\"{}<br/>{}\"]",
            quoted(&cluster.name),
            quoted(cluster.trust_domain.as_str())
        );
    }
    for ((from, to), (is_good, label)) in arrows(report) {
        let line = if is_good { "-->" } else { "-.-x" };
        let _ = writeln!(out, "  c{from} {line}|\"{}\"| c{to}", quoted(&label));
    }
    out
}

/// The graph for Graphviz.
pub(super) fn dot(report: &Report<'_>) -> String {
    let mut out = String::from("digraph trust {\n  rankdir=LR;\n  node [shape=box];\n");
    for (index, cluster) in report.clusters.iter().enumerate() {
        let _ = writeln!(
            out,
            "  c{index} [label=\"{}\\n{}\"];",
            quoted(&cluster.name),
            quoted(cluster.trust_domain.as_str())
        );
    }
    for ((from, to), (is_good, label)) in arrows(report) {
        let style = if is_good { "" } else { ", style=dashed, arrowhead=tee" };
        let _ = writeln!(out, "  c{from} -> c{to} [label=\"{}\"{style}];", quoted(&label));
    }
    out.push_str("}\n");
    out
}

/// Every pair of different clusters that need each other: whether all proxies accept, and until when, or who does not.
fn arrows(report: &Report<'_>) -> BTreeMap<(usize, usize), (bool, String)> {
    let mut arrows: BTreeMap<(usize, usize), (bool, String)> = BTreeMap::new();
    let others = report.cells.iter().filter(|cell| cell.truster != cell.signer);
    for cell in others.filter(|cell| !report.is_spared(cell)) {
        let (is_good, label) = match &cell.answer {
            TrustAnswer::Accepted(end) => {
                (true, end.as_ref().map_or_else(String::new, |end| end.at.date()))
            }
            TrustAnswer::Refused(_) if cell.verifier == Verifier::Ztunnel => {
                (false, "not by ztunnel".to_owned())
            }
            TrustAnswer::Refused(_) => (false, "not accepted".to_owned()),
            TrustAnswer::Unknown => (false, "not known".to_owned()),
        };
        let arrow = arrows.entry((cell.signer, cell.truster)).or_insert((true, String::new()));
        if arrow.0 {
            *arrow = (is_good, label);
        }
    }
    arrows
}

/// Text between quotes, without what ends them.
fn quoted(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '"' | '\\' | '<' | '>') && !c.is_control()).collect()
}
