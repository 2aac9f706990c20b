//! The mesh as a picture: clusters and gateways, grouped by trust domain, and the calls between them, with the weights
//! and the order of policies. Many arrows become few: callers with the same calls become one box.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::mesh::{Mesh, MeshCluster};

mod edges;
mod render;

use edges::Edge;

/// Clusters named in a box of several callers; others are counted.
const NAMED_MAX: usize = 3;

/// A picture: boxes, arrows between them, and what the signs on them mean.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Graph {
    /// Name of the mesh.
    pub name: String,
    /// The boxes: clusters with their gateways, then groups of callers.
    pub boxes: Vec<GraphBox>,
    /// The arrows.
    pub arrows: Vec<GraphArrow>,
    /// What the lines, numbers and boxes of this picture mean, a line each.
    pub legend: Vec<String>,
}

/// A box of a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphBox {
    /// What it stands for.
    pub kind: BoxKind,
    /// Its text, by lines.
    pub lines: Vec<String>,
    /// The cluster and its trust domain; `None` for several callers.
    pub cluster: Option<(String, String)>,
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BoxKind {
    /// A cluster.
    Cluster,
    /// The gateway of a cluster.
    Gateway,
    /// Several clusters with the same calls.
    Callers,
}

/// An arrow of a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphArrow {
    /// Index of the caller's box.
    pub from: usize,
    /// Index of the box that is called: a gateway, or a cluster if no gateway is on the way.
    pub to: usize,
    /// How calls get there.
    pub way: Way,
    /// The services and their shares, by lines.
    pub lines: Vec<String>,
}

/// How calls get to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// To the pods of the caller's own cluster.
    Own,
    /// Through the gateway, by the SNI that the caller sends.
    Sni,
    /// Through the gateway, which rewrites the name.
    Rewrite,
    /// Through the gateway; the caller's istiod knows the pods behind it from remote secrets.
    Registry,
    /// To the pods themselves, which the caller's istiod knows from remote secrets.
    Direct,
}

impl Graph {
    /// The calls of the services with these keys (`default/reviews`) and the clusters that take part in them; without
    /// keys, all.
    #[must_use]
    pub fn new(mesh: &Mesh, services: &BTreeSet<String>) -> Self {
        let edges = edges::edges(mesh, services);
        let mut places = Places { mesh, boxes: Vec::new(), index: BTreeMap::new() };
        for cluster in mesh.clusters() {
            let index = cluster.index;
            let called = edges.iter().any(|edge| edge.to == index && edge.way.uses_gateway());
            let is_part = edges.iter().any(|edge| edge.to == index || edge.is_from(index));
            if services.is_empty() || is_part {
                places.cluster(cluster);
            }
            if called || services.is_empty() {
                places.gateway(cluster);
            }
        }
        let arrows: Vec<GraphArrow> = edges.iter().map(|edge| places.arrow(edge)).collect();
        let legend = legend(&edges);
        Self { name: mesh.name.clone(), boxes: places.boxes, arrows, legend }
    }
}

impl Way {
    /// Whether calls pass the gateway of the other cluster.
    #[must_use]
    pub const fn uses_gateway(self) -> bool {
        matches!(self, Self::Sni | Self::Rewrite | Self::Registry)
    }
}

/// The boxes, and where to find them.
struct Places<'m> {
    mesh: &'m Mesh,
    boxes: Vec<GraphBox>,
    index: BTreeMap<(BoxKind, Vec<String>), usize>,
}

impl Places<'_> {
    fn cluster(&mut self, cluster: &MeshCluster) {
        let lines = [cluster.name.clone(), format!("Istio {}", cluster.version)].into();
        self.add(BoxKind::Cluster, lines, Some(cluster));
    }

    fn gateway(&mut self, cluster: &MeshCluster) {
        if let Some(address) = gateway(cluster) {
            self.add(BoxKind::Gateway, [format!("gateway {address}")].into(), Some(cluster));
        }
    }

    fn add(&mut self, kind: BoxKind, lines: Vec<String>, cluster: Option<&MeshCluster>) -> usize {
        let key = cluster.map_or_else(|| lines.clone(), |cluster| [cluster.name.clone()].into());
        *self.index.entry((kind, key)).or_insert_with(|| {
            let cluster = cluster.map(|one| (one.name.clone(), one.trust_domain.to_string()));
            self.boxes.push(GraphBox { kind, lines, cluster });
            self.boxes.len() - 1
        })
    }

    fn arrow(&mut self, edge: &Edge) -> GraphArrow {
        let clusters = self.mesh.clusters();
        let from = match edge.from.iter().collect::<Vec<_>>()[..] {
            [one] => self.of(BoxKind::Cluster, &clusters[*one]),
            _ => self.add(BoxKind::Callers, callers(self.mesh, edge), None),
        };
        let kind = if edge.way.uses_gateway() { BoxKind::Gateway } else { BoxKind::Cluster };
        let to = self.of(kind, &clusters[edge.to]);
        GraphArrow { from, to, way: edge.way, lines: edge.lines() }
    }

    /// The box of a cluster or its gateway; the cluster's if it has no gateway.
    fn of(&self, kind: BoxKind, cluster: &MeshCluster) -> usize {
        let at = |kind| self.index.get(&(kind, [cluster.name.clone()].into())).copied();
        at(kind).or_else(|| at(BoxKind::Cluster)).unwrap_or_default()
    }
}

/// The address of a gateway: the first, and how many more there are.
fn gateway(cluster: &MeshCluster) -> Option<String> {
    let gateway = cluster.gateway.as_ref()?;
    let first = gateway.addresses.first()?;
    let host = if first.contains(':') { format!("[{first}]") } else { first.clone() };
    let more = gateway.addresses.len() - 1;
    let more = if more > 0 { format!(" +{more}") } else { String::new() };
    Some(format!("{host}:{}{more}", gateway.port))
}

/// The text of a box of several callers: those that are there, or those that are not if these are fewer.
fn callers(mesh: &Mesh, edge: &Edge) -> Vec<String> {
    let name = |index: &usize| mesh.clusters()[*index].name.as_str();
    let all = 0..mesh.clusters().len();
    let not: Vec<usize> = all.filter(|i| !edge.from.contains(i) && *i != edge.to).collect();
    if not.len() < edge.from.len() && not.len() <= NAMED_MAX {
        let mut lines = Vec::from(["every other cluster".to_string()]);
        if !not.is_empty() {
            let names = not.iter().map(name).collect::<Vec<_>>().join(", ");
            lines.push(format!("except {names}"));
        }
        return lines;
    }
    let names: Vec<&str> = edge.from.iter().map(name).collect();
    names.chunks(NAMED_MAX).map(|names| names.join(", ")).collect()
}

/// What the signs mean that are in the picture.
fn legend(edges: &[Edge]) -> Vec<String> {
    let way = |way: Way| edges.iter().any(|edge| edge.way == way);
    let any = |is: fn(&Edge) -> bool| edges.iter().any(is);
    let lines = [
        (way(Way::Sni) || way(Way::Rewrite), "solid: through the gateway of the other cluster"),
        (way(Way::Rewrite), "rewritten: an EnvoyFilter at the gateway rewrites the name"),
        (way(Way::Registry), "dashed: through the gateway, to pods known from remote secrets"),
        (way(Way::Direct), "thick: to the pods themselves, known from remote secrets"),
        (way(Way::Own), "to itself: what a policy leaves in the caller's own cluster"),
        (
            any(Edge::has_weights),
            "75 %: share of the caller's calls of the service, and the subset",
        ),
        (
            any(Edge::has_order),
            "1st, 2nd: order of failover; the first with healthy endpoints is called",
        ),
        (any(Edge::has_copies), "copies: share of the calls that is also sent there"),
        (any(|edge| edge.is_partial), "some of: not every caller in the box calls all of them"),
    ];
    lines.into_iter().filter(|(is_there, _)| *is_there).map(|(_, line)| line.into()).collect()
}

#[cfg(test)]
mod tests;
