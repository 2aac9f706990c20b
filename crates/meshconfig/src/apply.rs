//! The changes from what clusters have to what they should have, ordered across all clusters so that no call is sent to
//! something that does not exist yet or no longer exists. Pure; `meshapply::mesh` carries it out.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde_json::Value;

use crate::dns::DnsEdit;
use crate::resource::{Resource, is_ours, rank_of_kind};
use crate::text::some;

/// A change of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The resource is missing.
    Create(Resource),
    /// The resource of this mesh has different content.
    Update {
        /// The wanted resource.
        to: Resource,
        /// The live resource.
        from: Resource,
    },
    /// The resource of this mesh is no longer wanted.
    Prune(Resource),
    /// A resource with the wanted name exists, but lacks the labels of this mesh.
    Foreign {
        /// The resource of others.
        live: Resource,
        /// The wanted resource.
        wanted: Resource,
    },
    /// The ConfigMap of the cluster's DNS, which others own, gets a block or loses it.
    Edit(DnsEdit),
}

impl Change {
    /// The resource: `ServiceEntry istio-system/reviews`, `ConfigMap kube-system/coredns`.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Create(resource) | Self::Prune(resource) => resource.id(),
            Self::Update { to, .. } => to.id(),
            Self::Foreign { live, .. } => live.id(),
            Self::Edit(edit) => edit.id(),
        }
    }
}

/// One write to one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Steps of one wave may be taken at the same time; a wave begins when the previous one is done in every cluster.
    pub wave: usize,
    /// The cluster.
    pub cluster: String,
    /// The write.
    pub write: Write,
}

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Server-side apply of this content.
    Apply(Resource),
    /// Delete, if it is still the resource that was read.
    Delete(Resource),
    /// Patch of one key of a ConfigMap.
    Edit(DnsEdit),
}

impl Write {
    /// The object that is written: `ServiceEntry istio-system/reviews`, `ConfigMap kube-system/coredns`.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Apply(resource) | Self::Delete(resource) => resource.id(),
            Self::Edit(edit) => edit.id(),
        }
    }
}

/// Waves: first what is referred to grows, then references move, then what nothing refers to shrinks and is deleted.
const WAVES: usize = 11;
/// In the middle wave, DNS answers change: both the old and the new targets of names exist.
const NAMES: usize = WAVES / 2;

/// The changes of one cluster. Only resources with the labels of this mesh are pruned.
#[must_use]
pub fn changes(mesh: &str, wanted: &[Resource], live: &[Value]) -> Vec<Change> {
    let mut there: BTreeMap<[&str; 3], &Value> =
        live.iter().map(|live| (key(live), live)).collect();
    let read = |live: &Value| Resource { value: Arc::new(live.clone()), service: None };
    let mut changes = Vec::new();
    for resource in wanted {
        match there.remove(&key(&resource.value)) {
            None => changes.push(Change::Create(resource.clone())),
            Some(live) if !is_ours(live, mesh) => {
                changes.push(Change::Foreign { live: read(live), wanted: resource.clone() });
            }
            Some(live) if same(live, &resource.value) => {}
            Some(live) => changes.push(Change::Update { to: resource.clone(), from: read(live) }),
        }
    }
    let pruned = there.into_values().filter(|live| is_ours(live, mesh));
    changes.extend(pruned.map(|live| Change::Prune(read(live))));
    changes
}

/// Kind, namespace and name.
pub(crate) fn key(resource: &Value) -> [&str; 3] {
    let meta = &resource["metadata"];
    [&resource["kind"], &meta["namespace"], &meta["name"]]
        .map(|part| part.as_str().unwrap_or_default())
}

/// Whether the rendered parts are the same; labels and annotations of others are ignored.
pub(crate) fn same(live: &Value, wanted: &Value) -> bool {
    let labels = wanted["metadata"]["labels"].as_object().into_iter().flatten();
    live["spec"] == wanted["spec"]
        && labels.into_iter().all(|(key, value)| live["metadata"]["labels"][key] == *value)
}

/// The parts of a resource's `spec` that another does not have: `subsets[canary]`, `servers[tls].hosts[*.local]`,
/// `trafficPolicy.connectionPool`.
#[must_use]
pub fn lost(live: &Resource, wanted: &Resource) -> Vec<String> {
    let mut parts = Vec::new();
    missing(&live.value["spec"], &wanted.value["spec"], "", &mut parts);
    parts
}

/// The first five parts, and how many more there are.
#[must_use]
pub fn summary(lost: &[String]) -> String {
    some(lost, 5)
}

fn missing(old: &Value, new: &Value, path: &str, parts: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                let path = match path {
                    "" => key.clone(),
                    _ => alloc::format!("{path}.{key}"),
                };
                match new.get(key) {
                    Some(same) => missing(value, same, &path, parts),
                    None => parts.push(path),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for item in old {
                let path = alloc::format!("{path}[{}]", item_name(item));
                match new.iter().find(|other| item_name(other) == item_name(item)) {
                    Some(same) => missing(item, same, &path, parts),
                    None => parts.push(path),
                }
            }
        }
        _ if old == new => {}
        _ => parts.push(path.into()),
    }
}

/// What tells an item of a list from the others: itself, its name, the name of its port or its host.
fn item_name(item: &Value) -> String {
    let names =
        [item, &item["name"], &item["port"]["name"], &item["port"]["number"], &item["host"]];
    let name = names.into_iter().find(|name| name.is_string() || name.is_number());
    name.map_or_else(String::new, |name| name.as_str().map_or(name.to_string(), String::from))
}

/// The writes of all clusters, ordered by wave, cluster and resource.
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
                    // What only loses items is written once.
                    if !shrinks || !same(&from.value, &grown.value) {
                        steps.push(step(growing(to), Write::Apply(grown)));
                    }
                    if shrinks {
                        steps.push(step(WAVES - 1 - growing(to), Write::Apply(to.clone())));
                    }
                }
                Change::Prune(resource) => {
                    steps
                        .push(step(WAVES - 1 - growing(resource), Write::Delete(resource.clone())));
                }
                Change::Edit(edit) => steps.push(step(NAMES, Write::Edit(edit.clone()))),
                Change::Foreign { .. } => {}
            }
        }
    }
    steps.sort_by(|a, b| {
        let by_resource = || match (&a.write, &b.write) {
            (Write::Apply(a) | Write::Delete(a), Write::Apply(b) | Write::Delete(b)) => a.order(b),
            _ => a.write.id().cmp(&b.write.id()),
        };
        (a.wave, &a.cluster).cmp(&(b.wave, &b.cluster)).then_with(by_resource)
    });
    steps
}

/// The wave in which a kind grows: gateways and their filters, entries, rules, then what refers to them. Rules of the
/// serving cluster exist before a caller refers to them, since all rules come before all references.
fn growing(resource: &Resource) -> usize {
    rank_of_kind(resource.kind()).min(NAMES - 1)
}

/// The new content together with what only the old one has: subsets of a rule, hosts of a gateway; and whether there is
/// any.
fn grown(to: &Resource, from: &Resource) -> (Resource, bool) {
    let (list, key) = match to.kind() {
        "DestinationRule" => ("subsets", "name"),
        "Gateway" => ("hosts", ""),
        _ => return (to.clone(), false),
    };
    let mut grown = to.clone();
    let old = from.value.pointer(&pointer(to, list)).cloned().unwrap_or_default();
    let new = to.value.pointer(&pointer(to, list)).cloned().unwrap_or_default();
    let all = union(&new, &old, key);
    let shrinks = all.len() > new.as_array().map_or(0, Vec::len);
    if !shrinks {
        return (grown, false);
    }
    let value = Arc::make_mut(&mut grown.value);
    match value.pointer_mut(&pointer(to, list)) {
        Some(place) => *place = Value::Array(all),
        None => value["spec"][list] = Value::Array(all),
    }
    (grown, true)
}

/// The path of a list in a resource; rendered gateways have one server.
fn pointer(resource: &Resource, list: &str) -> String {
    let server = if resource.kind() == "Gateway" { "/servers/0" } else { "" };
    alloc::format!("/spec{server}/{list}")
}

/// The items of both, identified by `key` or as a whole: old ones first in their order, with their new content, then
/// new ones.
fn union(new: &Value, old: &Value, key: &str) -> Vec<Value> {
    let name = |item: &Value| if key.is_empty() { item.clone() } else { item[key].clone() };
    let (old, new) = (old.as_array().into_iter().flatten(), new.as_array().into_iter().flatten());
    let find = |items: &[&Value], item: &Value| {
        items.iter().find(|other| name(other) == name(item)).map(|other| (*other).clone())
    };
    let (old, new): (Vec<&Value>, Vec<&Value>) = (old.collect(), new.collect());
    let kept = old.iter().map(|item| find(&new, item).unwrap_or_else(|| (*item).clone()));
    let added = new.iter().filter(|item| find(&old, item).is_none()).map(|item| (*item).clone());
    kept.chain(added).collect()
}

#[cfg(test)]
mod tests;
