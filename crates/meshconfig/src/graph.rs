//! The mesh as a picture: clusters and gateways, grouped by trust domain, and the calls between them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::dialect::Dialect;
use crate::mesh::{Mesh, MeshCluster};
use crate::route::routes;

mod svg;

pub use svg::svg;

/// Services named on an arrow; others are counted.
const NAMED_MAX: usize = 3;

/// All calls from one cluster to another.
struct Edge<'m> {
    from: &'m MeshCluster,
    to: &'m MeshCluster,
    dialect: Dialect,
    services: Vec<String>,
}

/// The edges by caller and callee.
fn edges(mesh: &Mesh) -> Vec<Edge<'_>> {
    let mut edges: BTreeMap<(usize, usize), Edge<'_>> = BTreeMap::new();
    for route in routes(mesh) {
        let edge = edges.entry((route.from.index, route.to.index)).or_insert_with(|| Edge {
            from: route.from,
            to: route.to,
            dialect: Dialect::of(&route),
            services: Vec::new(),
        });
        edge.services.push(route.service.key());
    }
    edges.into_values().collect()
}

impl Edge<'_> {
    /// `default/reviews, default/ratings, 7 more`.
    fn label(&self) -> String {
        let named = self.services.len().min(NAMED_MAX);
        let mut label = self.services[..named].join(", ");
        if self.services.len() > named {
            let _ = write!(label, ", {} more", self.services.len() - named);
        }
        label
    }

    /// Whether an EnvoyFilter at the gateway rewrites the name to a local one.
    fn is_rewritten(&self) -> bool {
        self.dialect == Dialect::Rewrite
    }
}

/// Clusters by trust domain.
fn groups(mesh: &Mesh) -> BTreeMap<&str, Vec<&MeshCluster>> {
    let mut groups: BTreeMap<&str, Vec<&MeshCluster>> = BTreeMap::new();
    for cluster in mesh.clusters() {
        groups.entry(cluster.trust_domain.as_str()).or_default().push(cluster);
    }
    groups
}

/// The lines of a cluster's box: name, release.
fn title(cluster: &MeshCluster) -> [String; 2] {
    [cluster.name.clone(), format!("Istio {}", cluster.version)]
}

/// The line of its gateway's box: the first address, and how many more there are.
fn gateway(cluster: &MeshCluster) -> Option<String> {
    let gateway = cluster.gateway.as_ref()?;
    let first = gateway.addresses.first()?;
    let host = if first.contains(':') { format!("[{first}]") } else { first.clone() };
    let more = gateway.addresses.len() - 1;
    let more = if more > 0 { format!(" +{more}") } else { String::new() };
    Some(format!("{host}:{}{more}", gateway.port))
}

/// An identifier that is valid in both languages.
fn node(cluster: &MeshCluster, kind: &str) -> String {
    format!("{kind}{}", cluster.index)
}

/// The picture for Mermaid, which GitHub and GitLab render.
#[must_use]
pub fn mermaid(mesh: &Mesh) -> String {
    let mut out = String::from("flowchart LR\n");
    for (n, (domain, clusters)) in groups(mesh).iter().enumerate() {
        let _ = writeln!(out, "  subgraph t{n}[\"trust domain {domain}\"]");
        for cluster in clusters {
            let _ =
                writeln!(out, "    {}[\"{}\"]", node(cluster, "c"), title(cluster).join("<br/>"));
            if let Some(gateway) = gateway(cluster) {
                let _ = writeln!(
                    out,
                    "    {}{{{{\"gateway {gateway}\"}}}} --> {}",
                    node(cluster, "g"),
                    node(cluster, "c")
                );
            }
        }
        out.push_str("  end\n");
    }
    for edge in edges(mesh) {
        let target = if gateway(edge.to).is_some() { "g" } else { "c" };
        let arrow = if edge.dialect == Dialect::Registry { "-.->" } else { "-->" };
        let _ = writeln!(
            out,
            "  {} {arrow}|\"{}\"| {}",
            node(edge.from, "c"),
            edge.label(),
            node(edge.to, target)
        );
    }
    out
}

/// The picture for Graphviz.
#[must_use]
pub fn dot(mesh: &Mesh) -> String {
    let mut out = String::from(
        "digraph mesh {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n",
    );
    for (n, (domain, clusters)) in groups(mesh).iter().enumerate() {
        let _ = writeln!(out, "  subgraph cluster_{n} {{\n    label=\"trust domain {domain}\";");
        for cluster in clusters {
            let _ = writeln!(
                out,
                "    {} [label=\"{}\"];",
                node(cluster, "c"),
                title(cluster).join("\\n")
            );
            if let Some(gateway) = gateway(cluster) {
                let _ = writeln!(
                    out,
                    "    {} [label=\"gateway\\n{gateway}\", shape=hexagon];",
                    node(cluster, "g")
                );
                let _ = writeln!(out, "    {} -> {};", node(cluster, "g"), node(cluster, "c"));
            }
        }
        out.push_str("  }\n");
    }
    for edge in edges(mesh) {
        let target = if gateway(edge.to).is_some() { "g" } else { "c" };
        let style = if edge.dialect == Dialect::Registry { ", style=dashed" } else { "" };
        let _ = writeln!(
            out,
            "  {} -> {} [label=\"{}\"{style}];",
            node(edge.from, "c"),
            node(edge.to, target),
            edge.label()
        );
    }
    out + "}\n"
}

/// Text escaped for XML.
fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests;
