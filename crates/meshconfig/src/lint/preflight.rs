//! Lints what clusters will have once the resources of a mesh are applied, and tells problems of the mesh from those
//! that other resources already have among themselves.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde_json::Value;

use super::{LintCluster, LintProblem, LintSeverity, lint};
use crate::apply;
use crate::mesh::Mesh;
use crate::resource::{Resource, is_ours};

/// A cluster before it is written to.
#[derive(Clone, Debug)]
pub struct PreflightCluster<'a> {
    /// Its name in the mesh.
    pub name: &'a str,
    /// Its resources of networking.istio.io, whoever owns them.
    pub live: &'a [Value],
    /// Its Services, Sidecars and PeerAuthentications, which are only read here.
    pub deciding: &'a [Value],
    /// The resources it should have of this mesh.
    pub wanted: &'a [Resource],
}

/// A problem clusters will have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightProblem {
    /// The problem.
    pub problem: LintProblem,
    /// It concerns a resource of the mesh, or appears with what is written or removed. Else other resources have it
    /// already, among themselves.
    pub ours: bool,
}

impl PreflightProblem {
    /// Whether it is a reason to write nothing.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.ours && self.problem.severity == LintSeverity::Error
    }
}

/// The problems these clusters will have that involve resources they have already; [`lint`] finds those of the wanted
/// resources alone. Problems of the mesh come first, then errors.
#[must_use]
pub fn preflight(mesh: &Mesh, clusters: &[PreflightCluster<'_>]) -> Vec<PreflightProblem> {
    let name = &mesh.name;
    let kept: Vec<Vec<&Value>> = clusters.iter().map(|cluster| theirs(name, cluster)).collect();
    let all: Vec<Vec<Cow<'_, Value>>> = clusters.iter().map(aged).collect();
    let wanted = |i: usize| all[i].iter().map(AsRef::as_ref);
    let mut then = look(mesh, clusters, |i| kept[i].iter().copied().chain(wanted(i)).collect());
    if !then.is_empty() {
        let alone = look(mesh, clusters, |i| wanted(i).collect());
        let alone = known(&alone);
        then.retain(|problem| !alone.contains(&key(problem)));
    }
    // Whose a problem is takes as long again, and most meshes have none.
    if then.is_empty() {
        return Vec::new();
    }
    let others = look(mesh, clusters, |i| kept[i].clone());
    let now = look(mesh, clusters, |i| everything(&clusters[i]).collect());
    let (others, now) = (known(&others), known(&now));
    let mut found: Vec<PreflightProblem> = then
        .into_iter()
        .map(|problem| PreflightProblem {
            ours: !(others.contains(&key(&problem)) && now.contains(&key(&problem))),
            problem,
        })
        .collect();
    found.sort_by_key(|preflight| !preflight.ours);
    found
}

/// The wanted resources as they will be: those that exist keep their age, by which istiod decides between rules.
fn aged<'v>(cluster: &PreflightCluster<'v>) -> Vec<Cow<'v, Value>> {
    let live: BTreeMap<[&str; 3], &Value> =
        cluster.live.iter().map(|live| (apply::key(live), live)).collect();
    let aged = |resource: &'v Resource| match live.get(&apply::key(&resource.value)) {
        None => Cow::Borrowed(&*resource.value),
        Some(live) if apply::same(live, &resource.value) => Cow::Borrowed(*live),
        Some(live) => {
            let mut value = resource.clone().into_value();
            let created = &live["metadata"]["creationTimestamp"];
            value["metadata"]["creationTimestamp"] = created.clone();
            Cow::Owned(value)
        }
    };
    cluster.wanted.iter().map(aged).collect()
}

/// The problems of these resources of each cluster, by its index.
fn look<'v>(
    mesh: &'v Mesh,
    clusters: &[PreflightCluster<'v>],
    resources: impl Fn(usize) -> Vec<&'v Value>,
) -> Vec<LintProblem> {
    let one = |(i, cluster): (usize, &PreflightCluster<'v>)| {
        Some(LintCluster::new(mesh.cluster(cluster.name)?, resources(i)))
    };
    lint(mesh, &clusters.iter().enumerate().filter_map(one).collect::<Vec<_>>())
}

/// What tells problems apart: of those of calls the host, for how many ports it concerns, and why, depends on what others
/// have.
type Key<'p> = (&'p str, &'p str, &'static str, &'p str);

fn key(problem: &LintProblem) -> Key<'_> {
    let what = problem.host.as_ref().unwrap_or(&problem.message);
    (&problem.cluster, &problem.resource, problem.code, what)
}

fn known(problems: &[LintProblem]) -> BTreeSet<Key<'_>> {
    problems.iter().map(key).collect()
}

/// What a cluster has.
fn everything<'v>(cluster: &PreflightCluster<'v>) -> impl Iterator<Item = &'v Value> {
    cluster.live.iter().chain(cluster.deciding)
}

/// The resources of others in a cluster.
fn theirs<'v>(mesh: &str, cluster: &PreflightCluster<'v>) -> Vec<&'v Value> {
    let live = cluster.live.iter().filter(|value| !is_ours(value, mesh));
    live.chain(cluster.deciding).collect()
}

#[cfg(test)]
mod tests;
