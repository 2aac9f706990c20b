//! A Kubernetes resource: a JSON value, its order, its YAML text.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::error::{self, Error};

/// Label and value of every rendered resource (`app.kubernetes.io/managed-by`).
pub const OWNER_LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "meshctl");
/// Label with the name of a resource's mesh.
pub const MESH_LABEL: &str = "app.kubernetes.io/part-of";

/// A resource for one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The whole resource; those that are alike in several clusters may share it ([`crate::Renderer`]).
    pub value: Arc<Value>,
    /// `NAMESPACE/NAME` of the service it was rendered for; `None` if all services share it.
    pub service: Option<String>,
}

impl Resource {
    /// A resource with the labels of a mesh.
    pub(crate) fn new(
        api_version: &str,
        kind: &str,
        name: &str,
        namespace: &str,
        mesh: &str,
        spec: Value,
    ) -> Self {
        let labels = json!({OWNER_LABEL.0: OWNER_LABEL.1, MESH_LABEL: mesh});
        let value = json!({
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": spec,
        });
        Self { value: Arc::new(value), service: None }
    }

    /// The whole resource, out of its share.
    #[must_use]
    pub fn into_value(self) -> Value {
        Arc::unwrap_or_clone(self.value)
    }

    /// Its kind: `ServiceEntry`; empty if it is missing.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// Its name; empty if it is missing.
    #[must_use]
    pub fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Its namespace; empty if it is missing.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.value["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    /// Kind, namespace and name: `ServiceEntry istio-system/reviews-default-cluster2`.
    #[must_use]
    pub fn id(&self) -> String {
        alloc::format!("{} {}/{}", self.kind(), self.namespace(), self.name())
    }

    /// Whether it has the labels of this mesh: only such a resource may be changed or pruned.
    #[must_use]
    pub fn is_ours(&self, mesh: &str) -> bool {
        is_ours(&self.value, mesh)
    }

    /// The order of output: by kind as they are applied, then namespace, then name.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        let key = |r: &Self| {
            (rank_of_kind(r.kind()), String::from(r.namespace()), String::from(r.name()))
        };
        key(self).cmp(&key(other))
    }

    /// The resource as one YAML document, without `---`.
    #[must_use]
    pub fn yaml(&self) -> String {
        yaml(&self.value)
    }
}

/// Whether a resource has the labels of a mesh.
pub(crate) fn is_ours(resource: &Value, mesh: &str) -> bool {
    let labels = &resource["metadata"]["labels"];
    labels[OWNER_LABEL.0] == OWNER_LABEL.1 && labels[MESH_LABEL] == mesh
}

/// The text of a value; empty if it has none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of a value; none if it is not a list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The order of kinds: what is referred to comes first, so that no traffic is sent to something that does not exist
/// yet.
#[must_use]
pub(crate) fn rank_of_kind(kind: &str) -> usize {
    const KINDS: [&str; 5] =
        ["Gateway", "EnvoyFilter", "ServiceEntry", "DestinationRule", "VirtualService"];
    KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len())
}

/// The resources of YAML documents; lists are split into their items, empty documents are skipped.
///
/// # Errors
/// `config/syntax`, with its line.
pub fn documents(text: &str) -> Result<Vec<Value>, Error> {
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, reader(true))
        .map_err(|error| error::from_yaml("", &error))?;
    let mut resources = Vec::new();
    for mut document in documents {
        let is_list = document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
        match document.get_mut("items").map(Value::take).unwrap_or_default() {
            Value::Array(items) if is_list => resources.extend(items),
            _ if document.is_null() => {}
            _ => resources.push(document),
        }
    }
    Ok(resources)
}

/// How YAML is read: large files are fine, but not text that expands into much more.
///
/// With `strict` only `true` and `false` are booleans, since a namespace may be called `n` or `no`.
pub(crate) fn reader(strict: bool) -> serde_saphyr::Options {
    let budget = serde_saphyr::budget! {
        max_events: 50_000_000,
        max_nodes: 20_000_000,
        max_documents: 1_000_000,
    };
    serde_saphyr::options! { budget: budget, strict_booleans: strict }
}

/// A value as YAML, keys in the order people write them.
#[must_use]
pub fn yaml(value: &Value) -> String {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    // Serializing a JSON value into memory does not fail.
    serde_saphyr::to_string_with_options(&Ordered(value), options).unwrap_or_default()
}

/// Keys that people write first, in this order; the others follow alphabetically.
const FIRST: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "spec",
    "name",
    "namespace",
    "hosts",
    "host",
    "selector",
    "address",
    "addresses",
    "port",
    "number",
    "match",
    "destination",
    "mode",
];

/// A value whose keys are written in that order.
struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            Value::Object(map) => {
                let rank =
                    |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
                let mut keys: Vec<(usize, &String, &Value)> =
                    map.iter().map(|(key, value)| (rank(key), key, value)).collect();
                keys.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
                let mut out = serializer.serialize_map(Some(keys.len()))?;
                for (_, key, value) in keys {
                    out.serialize_entry(key, &Ordered(value))?;
                }
                out.end()
            }
            other => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests;
