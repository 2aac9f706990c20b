//! What clusters will have once the resources of a mesh are applied, looked at beforehand: which errors are ours to answer
//! for, and which others have among themselves.

use alloc::string::String;
use alloc::vec::Vec;

use meshpki::istiod::Version;
use serde_json::Value;

use super::{Cluster, Problem, Severity, lint};
use crate::resource::Resource;

/// A cluster before it is written to.
#[derive(Clone, Debug)]
pub struct Before<'a> {
    /// Its name.
    pub name: &'a str,
    /// Release of Istio.
    pub version: Version,
    /// What it has of networking.istio.io, whosever it is.
    pub live: &'a [Value],
    /// What it is to have of ours.
    pub wanted: &'a [Resource],
}

/// A problem clusters will have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// The problem.
    pub problem: Problem,
    /// It is about a resource of ours, or comes with what we write or remove; else others have it now and among themselves.
    pub ours: bool,
}

impl Ahead {
    /// Whether it is a reason not to write.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.ours && self.problem.severity == Severity::Error
    }
}

/// What will be wrong with these clusters that has to do with what they have already; what is wrong with the wanted
/// resources alone is for [`lint`]. Ours first, errors first. A cluster nobody looked at is left out.
#[must_use]
pub fn ahead(mesh: &str, clusters: &[Before<'_>]) -> Vec<Ahead> {
    let kept: Vec<Vec<Value>> = clusters.iter().map(|cluster| of(mesh, cluster, false)).collect();
    let live: Vec<Vec<Value>> = clusters.iter().map(|cluster| of(mesh, cluster, true)).collect();
    let wanted = |i: usize| clusters[i].wanted.iter().map(|resource| &resource.value);
    let alone = look(clusters, |i| wanted(i).collect());
    let theirs = look(clusters, |i| kept[i].iter().collect());
    let now = look(clusters, |i| live[i].iter().collect());
    let then = look(clusters, |i| kept[i].iter().chain(wanted(i)).collect());
    let mut found: Vec<Ahead> = then
        .into_iter()
        .filter(|problem| !alone.contains(problem))
        .map(|problem| Ahead {
            ours: !(theirs.contains(&problem) && now.contains(&problem)),
            problem,
        })
        .collect();
    found.sort_by_key(|ahead| !ahead.ours);
    found
}

/// The problems of these resources of each cluster, by its place.
fn look<'v>(clusters: &[Before<'v>], resources: impl Fn(usize) -> Vec<&'v Value>) -> Vec<Problem> {
    let one = |(i, cluster): (usize, &Before<'v>)| Cluster {
        name: cluster.name,
        version: cluster.version,
        resources: resources(i),
    };
    lint(&clusters.iter().enumerate().map(one).collect::<Vec<_>>())
}

/// What a cluster has of others, and behind it, where that is asked for, what it has of ours.
fn of(mesh: &str, cluster: &Before<'_>, with_ours: bool) -> Vec<Value> {
    let is_ours =
        |value: &&Value| Resource { value: (*value).clone(), service: None }.is_ours(mesh);
    let (ours, theirs): (Vec<&Value>, Vec<&Value>) = cluster.live.iter().partition(is_ours);
    let shown = theirs.into_iter().chain(ours.into_iter().filter(|_| with_ours));
    shown.map(any_version).collect()
}

/// A live resource is served in every version; in which it was asked for says nothing.
fn any_version(live: &Value) -> Value {
    let mut value = live.clone();
    value["apiVersion"] = String::from("networking.istio.io/v1alpha3").into();
    value
}

#[cfg(test)]
mod tests;
