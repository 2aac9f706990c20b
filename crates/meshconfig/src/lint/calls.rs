//! Every call arrives: each SNI that a caller sends has a filter chain at the gateway it is sent to and an endpoint behind
//! it, and callers see what they call. What proxies and gateways do is computed by `reach`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::{LintCluster, LintProblem, LintSeverity, id};
use crate::mesh::{Mesh, MeshCluster};
use crate::reach::{self, ANY_NAMESPACE, Found, Sent, View};
use crate::route::{Route, routes};

mod entry;
mod problem;
mod registry;
mod sight;

use problem::{Cause, Part};

/// The calls of the mesh that do not arrive, and those of other ServiceEntries that lead to its gateways.
#[must_use]
pub fn calls(mesh: &Mesh, clusters: &[LintCluster<'_>]) -> Vec<LintProblem> {
    let resources = |cluster: &MeshCluster| {
        let own = clusters.iter().find(|own| own.name == cluster.name);
        own.map_or(&[][..], |own| own.resources.as_slice())
    };
    let views: Vec<View<'_>> = mesh
        .clusters()
        .iter()
        .map(|cluster| View::new(mesh, cluster, resources(cluster)))
        .collect();
    let routes = routes(mesh);
    let mut calls = Calls {
        mesh,
        views: &views,
        gateways: reach::gateways(mesh),
        meant: routes.iter().map(|route| meant(mesh, route)).collect(),
        failed: BTreeMap::new(),
        problems: Vec::new(),
    };
    for view in &views {
        for entry in view.of("ServiceEntry") {
            calls.entry(view, entry);
        }
    }
    for route in &routes {
        calls.route(route);
    }
    calls.sight(&routes);
    calls.into_problems()
}

/// The calls that are judged.
struct Calls<'a> {
    mesh: &'a Mesh,
    /// By index of the cluster.
    views: &'a [View<'a>],
    /// Address of a gateway -> its clusters.
    gateways: BTreeMap<&'a str, BTreeSet<usize>>,
    /// Host that callers use -> the service that the spec means by it, behind the gateway.
    meant: BTreeMap<String, String>,
    /// What failed, each cause once, with the ports and subsets it concerns.
    failed: BTreeMap<Place, (Cause<'a>, Vec<Part>)>,
    problems: Vec<LintProblem>,
}

/// Where a cause is reported.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The caller's cluster.
    cluster: String,
    host: String,
    /// The cluster of the gateway.
    to: String,
    /// The resource that decides.
    resource: String,
    /// The cause, so that each has its own place.
    kind: String,
}

/// A call: its host, subset and port; the namespace of the caller if only its own rules make the difference.
#[derive(Clone, Copy)]
struct Call<'c> {
    host: &'c str,
    subset: &'c str,
    port: u16,
    client: &'c str,
}

impl<'a> Calls<'a> {
    /// Judges what callers send to the gateways of clusters; it must arrive at one of them.
    fn at_gateways(
        &mut self,
        view: &View<'a>,
        call: Call<'_>,
        sent: &Sent,
        (by, to): (Option<&'a Value>, &[(usize, Option<u16>)]),
    ) {
        let mut first = None;
        for (index, port) in to {
            match self.at_gateway(call, sent, *index, *port) {
                None => return,
                Some(cause) => {
                    first.get_or_insert((*index, cause));
                }
            }
        }
        if let Some((index, cause)) = first {
            self.fail(view, call, by, index, cause);
        }
    }

    /// Why what is sent does not arrive at the gateway of a cluster.
    fn at_gateway(
        &self,
        call: Call<'_>,
        sent: &Sent,
        to: usize,
        port: Option<u16>,
    ) -> Option<Cause<'a>> {
        let view = &self.views[to];
        let sni = match sent {
            Sent::Plain => return Some(Cause::Plain),
            Sent::Other(mode) => return Some(Cause::Mode(mode.clone())),
            Sent::Mutual { sni } => sni,
        };
        let (host, subset, number) = match reach::chain(view, port, sni) {
            Ok(target) => target,
            Err(why) => {
                let wanted = problem::wanted_sni(view, call, &why);
                return Some(Cause::Sni { sni: sni.clone(), why, wanted });
            }
        };
        let meant = self.meant.get(call.host).filter(|meant| {
            (meant.as_str(), call.subset, call.port) != (host.as_str(), subset.as_str(), number)
        });
        if let Some(meant) = meant {
            let wanted = crate::dialect::sni(call.port, call.subset, meant);
            return Some(Cause::Misled { sni: sni.clone(), wanted });
        }
        reach::behind(view, (&host, &subset, number)).map(|(lack, doubt)| Cause::Behind {
            host,
            lack,
            doubt,
        })
    }

    /// Records a failed call.
    fn fail(
        &mut self,
        view: &View<'a>,
        call: Call<'_>,
        by: Option<&'a Value>,
        to: usize,
        cause: Cause<'a>,
    ) {
        let place = Place {
            cluster: view.cluster.name.clone(),
            host: call.host.into(),
            to: self.views[to].cluster.name.clone(),
            resource: by.map_or_else(String::new, id),
            kind: cause.kind(),
        };
        let part = Part::new(call, &cause);
        let (_, parts) = self.failed.entry(place).or_insert_with(|| (cause, Vec::new()));
        if !parts.contains(&part) {
            parts.push(part);
        }
    }

    /// Whether calls to a host on a cluster fail already.
    fn has_failed(&self, view: &View<'_>, host: &str, to: usize) -> bool {
        let (cluster, to) = (view.cluster.name.clone(), self.views[to].cluster.name.clone());
        let first =
            Place { cluster, host: host.into(), to, resource: String::new(), kind: String::new() };
        let is_same = |place: &Place| {
            (&place.cluster, &place.host, &place.to) == (&first.cluster, &first.host, &first.to)
        };
        let same = self.failed.range(&first..).take_while(|(place, _)| is_same(place));
        same.into_iter().any(|(_, (cause, _))| cause.severity() == LintSeverity::Error)
    }

    fn into_problems(self) -> Vec<LintProblem> {
        let mut problems = self.problems;
        for (place, (cause, parts)) in self.failed {
            problems.push(problem::problem(place, &cause, &parts));
        }
        problems.sort_by(LintProblem::order);
        problems.dedup();
        problems
    }
}

/// The host by which callers know a service, and by which its own cluster does.
fn meant(mesh: &Mesh, route: &Route<'_>) -> (String, String) {
    let local = route.service.local_host(route.to);
    if route.by_registry() {
        return (route.service.local_host(route.from), local);
    }
    (mesh.remote_host(route.service), local)
}

/// The namespaces from which calls to a host may differ: any, and those with rules of their own.
fn clients<'a>(view: &View<'a>, host: &str) -> Vec<&'a str> {
    core::iter::once(ANY_NAMESPACE).chain(view.rules.namespaces(host)).collect()
}

/// The whole service, then each subset.
fn subsets<'a>(rules: &Found<'a>) -> Vec<(&'a str, Option<&'a Value>)> {
    let named =
        rules.subsets().into_iter().map(|(subset, _)| (super::text(&subset["name"]), Some(subset)));
    core::iter::once(("", None)).chain(named).collect()
}

#[cfg(test)]
mod tests;
