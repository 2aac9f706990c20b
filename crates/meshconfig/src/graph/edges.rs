//! The calls between clusters, and fewer arrows for them if there are too many to be read.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Way;
use crate::dialect::Dialect;
use crate::mesh::{Mesh, Policy, PolicyTarget};
use crate::route::{Route, Unit, plan};

/// Arrows that can be told apart in one picture.
const EDGES_MAX: usize = 24;
/// Services named on an arrow; more are counted.
const NAMED_MAX: usize = 4;

/// Calls from clusters to another.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// The callers, by index.
    pub(super) from: BTreeSet<usize>,
    /// The cluster that is called, by index.
    pub(super) to: usize,
    pub(super) way: Way,
    /// Not every caller makes all of these calls.
    pub(super) is_partial: bool,
    calls: Vec<Called>,
}

/// A service, and what a policy says of its calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Called {
    service: String,
    shares: Vec<Share>,
}

/// A part of a policy that concerns one cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Share {
    /// Percent, and the subset.
    Weight(u32, Option<String>),
    /// The place in the order of failover, from 1.
    Order(usize),
    /// Percent.
    Copies(u32),
}

/// The calls from each cluster to each other, by cluster that is called.
type Pairs = BTreeMap<(usize, Way, usize), Vec<Called>>;

/// The edges of the picture, as few as are needed to read it.
pub(super) fn edges(mesh: &Mesh, services: &BTreeSet<String>) -> Vec<Edge> {
    let pairs = pairs(mesh, services);
    if pairs.len() <= EDGES_MAX {
        return each(pairs);
    }
    let alike = alike(&pairs);
    if alike.len() <= EDGES_MAX { alike } else { by_target(&pairs) }
}

fn pairs(mesh: &Mesh, services: &BTreeSet<String>) -> Pairs {
    let mut pairs = Pairs::new();
    for cluster in mesh.clusters() {
        for unit in plan(mesh, cluster).units {
            let service = unit.key();
            if !services.is_empty() && !services.contains(&service) {
                continue;
            }
            for (to, way, shares) in targets(&unit, cluster.index) {
                let called = Called { service: service.clone(), shares };
                pairs.entry((to, way, cluster.index)).or_default().push(called);
            }
        }
    }
    pairs
}

/// Where a cluster's calls of a service go.
fn targets(unit: &Unit<'_>, from: usize) -> Vec<(usize, Way, Vec<Share>)> {
    let of = |to| unit.policy.map(|policy| shares(policy, to)).unwrap_or_default();
    let remote = unit.imports.iter().map(|route| (route.to.index, way(route), of(route.to.index)));
    let own = unit.own.map(|_| (from, Way::Own, of(from))).filter(|(.., own)| !own.is_empty());
    remote.chain(own).collect()
}

fn way(route: &Route<'_>) -> Way {
    match Dialect::of(route) {
        _ if route.is_direct() => Way::Direct,
        Dialect::Registry => Way::Registry,
        Dialect::Rewrite => Way::Rewrite,
        Dialect::Sni => Way::Sni,
    }
}

/// What a policy sends to a cluster.
fn shares(policy: &Policy, to: usize) -> Vec<Share> {
    let mut shares = match &policy.target {
        PolicyTarget::Unchanged => Vec::new(),
        PolicyTarget::Split(parts) => {
            let there = parts.iter().filter(|(destination, _)| destination.cluster == to);
            there.map(|(there, weight)| Share::Weight(*weight, there.subset.clone())).collect()
        }
        PolicyTarget::Failover(order) => {
            let place = order.iter().position(|cluster| *cluster == to);
            place.map(|place| Share::Order(place + 1)).into_iter().collect()
        }
    };
    let copies = policy.mirror.as_ref().filter(|(there, _)| there.cluster == to);
    shares.extend(copies.map(|(_, percent)| Share::Copies(*percent)));
    shares
}

/// An edge for each caller.
fn each(pairs: Pairs) -> Vec<Edge> {
    let edge =
        |((to, way, from), calls)| Edge { from: [from].into(), to, way, is_partial: false, calls };
    pairs.into_iter().map(edge).collect()
}

/// An edge for the callers whose calls are the same.
fn alike(pairs: &Pairs) -> Vec<Edge> {
    let mut groups: BTreeMap<(usize, Way, &[Called]), BTreeSet<usize>> = BTreeMap::new();
    for ((to, way, from), calls) in pairs {
        groups.entry((*to, *way, calls.as_slice())).or_default().insert(*from);
    }
    let edge = |((to, way, calls), from): ((usize, Way, &[Called]), BTreeSet<usize>)| Edge {
        from,
        to,
        way,
        is_partial: false,
        calls: calls.to_vec(),
    };
    groups.into_iter().map(edge).collect()
}

/// An edge for all callers of a cluster. What stays in a cluster is left out.
fn by_target(pairs: &Pairs) -> Vec<Edge> {
    let mut edges: BTreeMap<(usize, Way), Edge> = BTreeMap::new();
    for ((to, way, from), calls) in pairs.iter().filter(|((_, way, _), _)| *way != Way::Own) {
        let first = || Edge {
            from: BTreeSet::new(),
            to: *to,
            way: *way,
            is_partial: false,
            calls: calls.clone(),
        };
        let edge = edges.entry((*to, *way)).or_insert_with(first);
        edge.from.insert(*from);
        if edge.calls != *calls {
            edge.is_partial = true;
            edge.calls = union(&edge.calls, calls);
        }
    }
    edges.into_values().collect()
}

/// The calls of both, by service; shares that differ are all there.
fn union(a: &[Called], b: &[Called]) -> Vec<Called> {
    let mut all: BTreeMap<&str, BTreeSet<&Share>> = BTreeMap::new();
    for called in a.iter().chain(b) {
        all.entry(&called.service).or_default().extend(&called.shares);
    }
    let called = |(service, shares): (&str, BTreeSet<&Share>)| Called {
        service: service.into(),
        shares: shares.into_iter().cloned().collect(),
    };
    all.into_iter().map(called).collect()
}

impl Edge {
    /// Whether a cluster, as a box of its own, is the caller.
    pub(super) fn is_from(&self, cluster: usize) -> bool {
        self.from.len() == 1 && self.from.contains(&cluster)
    }

    /// The text on the arrow.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = if self.calls.len() <= NAMED_MAX && !self.is_partial {
            self.calls.iter().map(Called::line).collect()
        } else {
            self.counted()
        };
        if self.way == Way::Rewrite {
            lines.push("rewritten".into());
        }
        lines
    }

    /// `100 services`, and how many of them a policy concerns.
    fn counted(&self) -> Vec<String> {
        let some = if self.is_partial { "some of " } else { "" };
        let services = match self.calls.len() {
            1 => "1 service".to_string(),
            n => format!("{n} services"),
        };
        let count = |is: fn(&Share) -> bool| {
            self.calls.iter().filter(|called| called.shares.iter().any(is)).count()
        };
        let kinds = [
            (count(Share::is_weight), "by weight"),
            (count(Share::is_order), "in order of failover"),
            (count(Share::is_copies), "with copies"),
        ];
        let kinds = kinds.into_iter().filter(|(n, _)| *n > 0);
        let kinds = kinds.map(|(n, what)| format!("{n} {what}"));
        core::iter::once(format!("{some}{services}")).chain(kinds).collect()
    }

    fn has(&self, is: fn(&Share) -> bool) -> bool {
        let is_named = self.calls.len() <= NAMED_MAX && !self.is_partial;
        is_named && self.calls.iter().flat_map(|called| &called.shares).any(is)
    }

    /// Whether there are weights on the arrow.
    pub(super) fn has_weights(&self) -> bool {
        self.has(Share::is_weight)
    }

    /// Whether there are places in an order on the arrow.
    pub(super) fn has_order(&self) -> bool {
        self.has(Share::is_order)
    }

    /// Whether there are shares of copies on the arrow.
    pub(super) fn has_copies(&self) -> bool {
        self.has(Share::is_copies)
    }
}

impl Called {
    /// `default/reviews 15 % v1, 10 % v2`.
    fn line(&self) -> String {
        let shares = self.shares.iter().map(Share::text).collect::<Vec<_>>().join(", ");
        if shares.is_empty() { self.service.clone() } else { format!("{} {shares}", self.service) }
    }
}

impl Share {
    const fn is_weight(&self) -> bool {
        matches!(self, Self::Weight(..))
    }

    const fn is_order(&self) -> bool {
        matches!(self, Self::Order(_))
    }

    const fn is_copies(&self) -> bool {
        matches!(self, Self::Copies(_))
    }

    fn text(&self) -> String {
        match self {
            Self::Weight(percent, None) => format!("{percent} %"),
            Self::Weight(percent, Some(subset)) => format!("{percent} % {subset}"),
            Self::Order(place) => ordinal(*place),
            Self::Copies(percent) => format!("copies of {percent} %"),
        }
    }
}

/// `1st`, `2nd`, `11th`.
fn ordinal(place: usize) -> String {
    let end = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{place}{end}")
}
