//! The picture as text for Mermaid and for Graphviz.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::{BoxKind, Graph, GraphBox, Way};

impl Graph {
    /// The picture for Mermaid, which GitHub and GitLab render.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut out = String::from("flowchart LR\n");
        for (n, (domain, boxes)) in self.by_domain().iter().enumerate() {
            let _ = writeln!(out, "  subgraph t{n}[\"trust domain {domain}\"]");
            for index in boxes {
                let _ = writeln!(out, "    {}", self.mermaid_box(*index));
            }
            out.push_str("  end\n");
        }
        for (index, _) in self.groups() {
            let _ = writeln!(out, "  {}", self.mermaid_box(index));
        }
        for arrow in &self.arrows {
            let line = match arrow.way {
                Way::Own | Way::Sni | Way::Rewrite => "-->",
                Way::Registry => "-.->",
                Way::Direct => "==>",
            };
            let (from, to) = (self.id(arrow.from), self.id(arrow.to));
            let _ = writeln!(out, "  {from} {line}|\"{}\"| {to}", arrow.lines.join("<br/>"));
        }
        if !self.legend.is_empty() {
            let _ = writeln!(out, "  legend[\"{}\"]", self.legend.join("<br/>"));
            out.push_str("  style legend fill:none,stroke-dasharray:4 4,text-align:left\n");
        }
        out
    }

    /// A box, and for a gateway the arrow to its cluster.
    fn mermaid_box(&self, index: usize) -> String {
        let (id, text) = (self.id(index), self.boxes[index].lines.join("<br/>"));
        match (self.boxes[index].kind, self.behind(index)) {
            (BoxKind::Gateway, Some(behind)) => {
                format!("{id}{{{{\"{text}\"}}}} --> {}", self.id(behind))
            }
            (BoxKind::Callers, _) => format!("{id}([\"{text}\"])"),
            _ => format!("{id}[\"{text}\"]"),
        }
    }

    /// The picture for Graphviz.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut out = String::from(
            "digraph mesh {\n  rankdir=LR;\n  ranksep=1;\n  graph [fontname=\"sans-serif\"];\n  \
             node [shape=box, fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=11];\n",
        );
        for (n, (domain, boxes)) in self.by_domain().iter().enumerate() {
            let _ =
                writeln!(out, "  subgraph cluster_{n} {{\n    label=\"trust domain {domain}\";");
            for index in boxes {
                let _ = writeln!(out, "    {}", self.dot_box(*index));
            }
            out.push_str("  }\n");
        }
        for (index, _) in self.groups() {
            let _ = writeln!(out, "  {}", self.dot_box(index));
        }
        for arrow in &self.arrows {
            let style = match arrow.way {
                Way::Own | Way::Sni | Way::Rewrite => "",
                Way::Registry => ", style=dashed",
                Way::Direct => ", style=bold",
            };
            let (from, to) = (self.id(arrow.from), self.id(arrow.to));
            let text = arrow.lines.join("\\n");
            let _ = writeln!(out, "  {from} -> {to} [label=\"{text}\"{style}];");
        }
        if !self.legend.is_empty() {
            let lines: String = self.legend.iter().map(|line| format!("{line}\\l")).collect();
            let _ = writeln!(out, "  label=\"{lines}\";\n  labelloc=b;\n  labeljust=l;");
        }
        out + "}\n"
    }

    /// A box, and for a gateway the arrow to its cluster.
    fn dot_box(&self, index: usize) -> String {
        let (id, text) = (self.id(index), self.boxes[index].lines.join("\\n"));
        match (self.boxes[index].kind, self.behind(index)) {
            (BoxKind::Gateway, Some(behind)) => {
                format!("{id} [label=\"{text}\", shape=hexagon]; {id} -> {};", self.id(behind))
            }
            (BoxKind::Callers, _) => format!("{id} [label=\"{text}\", style=rounded];"),
            _ => format!("{id} [label=\"{text}\"];"),
        }
    }

    /// The box of the cluster that a gateway belongs to.
    #[must_use]
    pub fn behind(&self, gateway: usize) -> Option<usize> {
        let cluster = &self.boxes[gateway].cluster;
        let is_its = |one: &GraphBox| one.kind == BoxKind::Cluster && one.cluster == *cluster;
        self.boxes.iter().position(is_its)
    }

    /// An identifier that is valid in both languages.
    fn id(&self, index: usize) -> String {
        let kind = match self.boxes[index].kind {
            BoxKind::Cluster => 'c',
            BoxKind::Gateway => 'g',
            BoxKind::Callers => 'o',
        };
        format!("{kind}{index}")
    }

    /// The boxes of clusters and gateways by trust domain.
    fn by_domain(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut domains: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, one) in self.boxes.iter().enumerate() {
            if let Some((_, domain)) = &one.cluster {
                domains.entry(domain).or_default().push(index);
            }
        }
        domains
    }

    /// The boxes of several callers.
    fn groups(&self) -> impl Iterator<Item = (usize, &GraphBox)> {
        self.boxes.iter().enumerate().filter(|(_, one)| one.kind == BoxKind::Callers)
    }
}
