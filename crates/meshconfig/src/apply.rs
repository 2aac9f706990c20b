//! From what a cluster has to what it should have: which resources change, and in which order over all clusters,
//! so that no call is ever sent to what is not there yet or not there any more. Pure; `meshapply` carries it out.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use crate::resource::{Resource, rank_of_kind};

/// What has to happen with one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is not there.
    Create(Resource),
    /// It is there and ours, with another content.
    Update {
        /// What it is to be.
        to: Resource,
        /// What it is.
        from: Resource,
    },
    /// It is ours and not wanted any more.
    Prune(Resource),
    /// It is wanted, but one of that name is there that is not ours.
    Foreign(Resource),
}

/// One write to one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Steps of one wave may be taken at the same time; a wave begins when the one before it is done everywhere.
    pub wave: usize,
    /// The cluster.
    pub cluster: String,
    /// What is written or removed.
    pub write: Write,
}

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Server-side apply of this content.
    Apply(Resource),
    /// Delete, if it still carries our labels.
    Delete(Resource),
}

/// Waves: first what is pointed to grows, then pointers move, then what nobody points to shrinks and goes.
const WAVES: usize = 10;

/// What changes on one cluster. Only what carries the labels of this mesh is ever pruned.
#[must_use]
pub fn changes(mesh: &str, wanted: &[Resource], live: &[Value]) -> Vec<Change> {
    let mut there: BTreeMap<(String, String, String), Resource> = live
        .iter()
        .map(|value| Resource { value: value.clone(), service: None })
        .map(|resource| (key(&resource), resource))
        .collect();
    let mut changes = Vec::new();
    for resource in wanted {
        match there.remove(&key(resource)) {
            None => changes.push(Change::Create(resource.clone())),
            Some(live) if !live.is_ours(mesh) => changes.push(Change::Foreign(live)),
            Some(live) if same(&live.value, &resource.value) => {}
            Some(from) => changes.push(Change::Update { to: resource.clone(), from }),
        }
    }
    changes
        .extend(there.into_values().filter(|resource| resource.is_ours(mesh)).map(Change::Prune));
    changes
}

fn key(resource: &Resource) -> (String, String, String) {
    (resource.kind().to_string(), resource.namespace().to_string(), resource.name().to_string())
}

/// Whether the parts we write are the same; labels and annotations of others are theirs.
fn same(live: &Value, wanted: &Value) -> bool {
    let labels = wanted["metadata"]["labels"].as_object().into_iter().flatten();
    live["spec"] == wanted["spec"]
        && labels.into_iter().all(|(key, value)| live["metadata"]["labels"][key] == *value)
}

/// The writes of all clusters in order: by wave, cluster, then the order of resources.
#[must_use]
pub fn steps(changes: &BTreeMap<String, Vec<Change>>) -> Vec<Step> {
    let mut steps = Vec::new();
    for (cluster, changes) in changes {
        let step = |wave, write| Step { wave, cluster: cluster.clone(), write };
        for change in changes {
            match change {
                Change::Create(resource) => {
                    steps.push(step(growing(resource), Write::Apply(resource.clone())))
                }
                Change::Update { to, from } => {
                    let (grown, shrinks) = grown(to, from);
                    steps.push(step(growing(to), Write::Apply(grown)));
                    if shrinks {
                        steps.push(step(WAVES - 1 - growing(to), Write::Apply(to.clone())));
                    }
                }
                Change::Prune(resource) => {
                    steps
                        .push(step(WAVES - 1 - growing(resource), Write::Delete(resource.clone())));
                }
                Change::Foreign(_) => {}
            }
        }
    }
    steps.sort_by(|a, b| {
        let resource = |step: &Step| match &step.write {
            Write::Apply(resource) | Write::Delete(resource) => resource.clone(),
        };
        (a.wave, &a.cluster)
            .cmp(&(b.wave, &b.cluster))
            .then_with(|| resource(a).order(&resource(b)))
    });
    steps
}

/// The wave in which a kind grows: gateways and their filters, entries, rules, then who points to them. Rules of the
/// serving cluster are there before a caller's, since all rules come before all pointers.
fn growing(resource: &Resource) -> usize {
    rank_of_kind(resource.kind()).min(WAVES / 2 - 1)
}

/// The new content with what the old one had besides: subsets of a rule, hosts of a gateway; and whether that is more.
fn grown(to: &Resource, from: &Resource) -> (Resource, bool) {
    let mut grown = to.clone();
    let (list, key) = match to.kind() {
        "DestinationRule" => ("/spec/subsets", "name"),
        "Gateway" => ("/spec/servers/0/hosts", ""),
        _ => return (grown, false),
    };
    let old = from.value.pointer(list).cloned().unwrap_or_default();
    if grown.value.pointer(list).is_none() && list == "/spec/subsets" {
        grown.value["spec"]["subsets"] = Value::Array(Vec::new());
    }
    let shrinks = grown.value.pointer_mut(list).is_some_and(|new| union(new, &old, key));
    (if shrinks { grown } else { to.clone() }, shrinks)
}

/// Adds the items of `old` that `new` has not, by `key` or as a whole; whether there were any.
fn union(new: &mut Value, old: &Value, key: &str) -> bool {
    let name = |item: &Value| if key.is_empty() { item.clone() } else { item[key].clone() };
    let known: Vec<Value> = new.as_array().into_iter().flatten().map(name).collect();
    let missing: Vec<Value> = old
        .as_array()
        .into_iter()
        .flatten()
        .filter(|item| !known.contains(&name(item)))
        .cloned()
        .collect();
    let shrinks = !missing.is_empty();
    if shrinks {
        let mut all = new.as_array().cloned().unwrap_or_default();
        all.extend(missing);
        *new = Value::Array(all);
    }
    shrinks
}

#[cfg(test)]
mod tests;
