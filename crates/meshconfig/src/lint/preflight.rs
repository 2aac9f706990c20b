//! Lints what clusters will have once the resources of a mesh are applied, and tells problems of the mesh from those
//! that other resources already have among themselves.

use alloc::string::String;
use alloc::vec::Vec;

use meshpki::istiod::Version;
use serde_json::Value;

use super::{LintCluster, LintProblem, LintSeverity, lint};
use crate::resource::Resource;

/// A cluster before it is written to.
#[derive(Clone, Debug)]
pub struct PreflightCluster<'a> {
    /// Its name.
    pub name: &'a str,
    /// Release of Istio.
    pub version: Version,
    /// Its resources of networking.istio.io, whoever owns them.
    pub live: &'a [Value],
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
pub fn preflight(mesh: &str, clusters: &[PreflightCluster<'_>]) -> Vec<PreflightProblem> {
    let kept: Vec<Vec<Value>> = clusters.iter().map(|cluster| of(mesh, cluster, false)).collect();
    let live: Vec<Vec<Value>> = clusters.iter().map(|cluster| of(mesh, cluster, true)).collect();
    let wanted = |i: usize| clusters[i].wanted.iter().map(|resource| &resource.value);
    let alone = look(clusters, |i| wanted(i).collect());
    let theirs = look(clusters, |i| kept[i].iter().collect());
    let now = look(clusters, |i| live[i].iter().collect());
    let then = look(clusters, |i| kept[i].iter().chain(wanted(i)).collect());
    let mut found: Vec<PreflightProblem> = then
        .into_iter()
        .filter(|problem| !alone.contains(problem))
        .map(|problem| PreflightProblem {
            ours: !(theirs.contains(&problem) && now.contains(&problem)),
            problem,
        })
        .collect();
    found.sort_by_key(|preflight| !preflight.ours);
    found
}

/// The problems of these resources of each cluster, by its index.
fn look<'v>(
    clusters: &[PreflightCluster<'v>],
    resources: impl Fn(usize) -> Vec<&'v Value>,
) -> Vec<LintProblem> {
    let one = |(i, cluster): (usize, &PreflightCluster<'v>)| LintCluster {
        name: cluster.name,
        version: cluster.version,
        resources: resources(i),
    };
    lint(&clusters.iter().enumerate().map(one).collect::<Vec<_>>())
}

/// The resources of others in a cluster, followed by those of the mesh if `with_ours`.
fn of(mesh: &str, cluster: &PreflightCluster<'_>, with_ours: bool) -> Vec<Value> {
    let is_ours =
        |value: &&Value| Resource { value: (*value).clone(), service: None }.is_ours(mesh);
    let (ours, theirs): (Vec<&Value>, Vec<&Value>) = cluster.live.iter().partition(is_ours);
    let shown = theirs.into_iter().chain(ours.into_iter().filter(|_| with_ours));
    shown.map(any_version).collect()
}

/// A live resource is served in every version; the one it was read in means nothing.
fn any_version(live: &Value) -> Value {
    let mut value = live.clone();
    value["apiVersion"] = String::from("networking.istio.io/v1alpha3").into();
    value
}

#[cfg(test)]
mod tests;
