//! The picture as SVG: callers on the left, gateways on the right, trust domains around them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::{Edge, edges, gateway, groups, title, xml};
use crate::dialect::Dialect;
use crate::mesh::{Mesh, MeshCluster};

/// Pixels.
const BOX_WIDTH: usize = 190;
const BOX_HEIGHT: usize = 54;
const GAP: usize = 16;
const GROUP_TOP: usize = 28;
const LEFT: usize = 30;
/// Space between the columns, for arrows and their labels.
const BETWEEN: usize = 380;
const RIGHT: usize = LEFT + BOX_WIDTH + BETWEEN;

/// The picture as one SVG document without scripts, fonts or links.
#[must_use]
pub fn svg(mesh: &Mesh) -> String {
    let edges = edges(mesh);
    let calls = |cluster: &MeshCluster| edges.iter().any(|edge| edge.from.index == cluster.index);
    let serves = |cluster: &MeshCluster| edges.iter().any(|edge| edge.to.index == cluster.index);
    let mut body = String::new();
    let (callers, left_end) =
        column(mesh, LEFT, &mut body, |cluster| calls(cluster) || !serves(cluster), false);
    let (servers, right_end) = column(mesh, RIGHT, &mut body, serves, true);
    arrows(&edges, &callers, &servers, &mut body);
    let (width, height) = (RIGHT + BOX_WIDTH + LEFT, left_end.max(right_end) + GAP);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>{} mesh: calls between clusters</title>\n\
         <defs><marker id=\"to\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
         <path d=\"M0 0 8 4 0 8z\" fill=\"#334\"/></marker></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n{body}</svg>\n",
        xml(&mesh.name)
    )
}

/// Draws one column; returns the middle of each cluster's box, and the end of the column.
fn column(
    mesh: &Mesh,
    x: usize,
    body: &mut String,
    shown: impl Fn(&MeshCluster) -> bool,
    gateways: bool,
) -> (BTreeMap<usize, usize>, usize) {
    let (mut middles, mut y) = (BTreeMap::new(), GAP);
    for (domain, clusters) in groups(mesh) {
        let clusters: Vec<&MeshCluster> =
            clusters.into_iter().filter(|cluster| shown(cluster)).collect();
        if clusters.is_empty() {
            continue;
        }
        let height = GROUP_TOP + clusters.len() * (BOX_HEIGHT + GAP);
        let _ = writeln!(
            body,
            "<rect x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{height}\" rx=\"8\" fill=\"#eef3fa\" stroke=\"#9ab\"/>\n\
             <text x=\"{x}\" y=\"{}\" fill=\"#456\">trust domain {}</text>",
            x - GAP,
            BOX_WIDTH + 2 * GAP,
            y + 19,
            xml(domain)
        );
        y += GROUP_TOP;
        for cluster in clusters {
            let lines = words(cluster, gateways);
            let _ = writeln!(
                body,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"4\" fill=\"#fff\" stroke=\"#334\"/>\n\
                 <text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>\n<text x=\"{}\" y=\"{}\" fill=\"#456\">{}</text>",
                x + 10,
                y + 22,
                xml(&lines[0]),
                x + 10,
                y + 42,
                xml(&lines[1])
            );
            middles.insert(cluster.index, y + BOX_HEIGHT / 2);
            y += BOX_HEIGHT + GAP;
        }
        y += GAP;
    }
    (middles, y)
}

/// Name and release of a caller; name and gateway of a cluster that is called.
fn words(cluster: &MeshCluster, gateways: bool) -> [String; 2] {
    match gateway(cluster).filter(|_| gateways) {
        Some(gateway) => [cluster.name.clone(), gateway],
        None => title(cluster),
    }
}

fn arrows(
    edges: &[Edge<'_>],
    callers: &BTreeMap<usize, usize>,
    servers: &BTreeMap<usize, usize>,
    body: &mut String,
) {
    let start = LEFT + BOX_WIDTH;
    for edge in edges {
        let (Some(from), Some(to)) = (callers.get(&edge.from.index), servers.get(&edge.to.index))
        else {
            continue;
        };
        let dash = if edge.dialect == Dialect::Registry { " stroke-dasharray=\"6 4\"" } else { "" };
        let how = if edge.is_rewritten() { " (rewritten)" } else { "" };
        // Labels are near the arrow's start, where arrows to one gateway are furthest apart.
        let (x, y) = (start + BETWEEN / 4, from + (to.abs_diff(*from)) / 4);
        let y = if to < from { from - (from - to) / 4 } else { y };
        let _ = writeln!(
            body,
            "<path d=\"M{start} {from} L{RIGHT} {to}\" fill=\"none\" stroke=\"#334\"{dash} marker-end=\"url(#to)\"/>\n\
             <text x=\"{x}\" y=\"{}\" fill=\"#123\" stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\">{}{how}</text>",
            y.saturating_sub(4),
            xml(&edge.label())
        );
    }
}
