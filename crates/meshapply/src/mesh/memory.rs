//! A cluster in memory, for tests of code that applies a mesh.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{MeshClient, WriteRequest};
use crate::error::Error;

/// A cluster in memory with the rules of an API server that an apply depends on: resource versions and uids as
/// preconditions, dry runs, top-level fields of `spec` that stay because others set them.
///
/// It serves every kind. [`MemoryCluster::put`] and [`MemoryCluster::remove`] are writes of others.
#[derive(Default)]
pub struct MemoryCluster {
    state: RefCell<State>,
    hook: RefCell<Option<Hook>>,
}

type Hook = Box<dyn FnMut(&MemoryCluster, WriteRequest<'_>, bool) -> Result<(), Error>>;

#[derive(Default)]
struct State {
    /// Kind, namespace and name -> object.
    objects: BTreeMap<[String; 3], Object>,
    /// The newest resource version; uids are counted with it.
    version: u64,
}

#[derive(Clone)]
struct Object {
    value: Value,
    /// Fields of `spec` that were applied.
    ours: BTreeSet<String>,
}

impl MemoryCluster {
    /// An empty cluster.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes an object as another client, over an existing one.
    pub fn put(&self, value: Value) {
        let state = &mut *self.state.borrow_mut();
        let key = key(&value);
        let old = state.objects.get(&key).map(|object| object.value.clone());
        let ours = state.objects.get(&key).map(|object| object.ours.clone()).unwrap_or_default();
        state.store(key, value, old.as_ref(), ours);
    }

    /// Removes an object as another client.
    pub fn remove(&self, kind: &str, namespace: &str, name: &str) {
        self.state.borrow_mut().objects.remove(&[kind, namespace, name].map(str::to_owned));
    }

    /// An object.
    #[must_use]
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = [kind, namespace, name].map(str::to_owned);
        self.state.borrow().objects.get(&key).map(|object| object.value.clone())
    }

    /// Every object, sorted: `ServiceEntry istio-system/reviews`.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let id = |[kind, namespace, name]: &[String; 3]| format!("{kind} {namespace}/{name}");
        self.state.borrow().objects.keys().map(id).collect()
    }

    /// Calls `hook` before every write and dry run; an error of it is the answer to the write.
    ///
    /// The hook may change the cluster, as a faster client does.
    pub fn before_write(
        &self,
        hook: impl FnMut(&Self, WriteRequest<'_>, bool) -> Result<(), Error> + 'static,
    ) {
        *self.hook.borrow_mut() = Some(Box::new(hook));
    }

    fn values(&self, is_meant: impl Fn(&Value) -> bool) -> Vec<Value> {
        let state = self.state.borrow();
        state
            .objects
            .values()
            .map(|object| &object.value)
            .filter(|v| is_meant(v))
            .cloned()
            .collect()
    }

    fn call_hook(&self, request: WriteRequest<'_>, dry_run: bool) -> Result<(), Error> {
        // Removed during the call, so that the hook may write too.
        let Some(mut hook) = self.hook.borrow_mut().take() else { return Ok(()) };
        let answer = hook(self, request, dry_run);
        self.hook.borrow_mut().get_or_insert(hook);
        answer
    }
}

impl MeshClient for MemoryCluster {
    async fn resources(&self, _: &BTreeSet<(String, String)>) -> Result<Vec<Value>, Error> {
        Ok(self.values(|value| {
            let api = value["apiVersion"].as_str().unwrap_or_default();
            api.starts_with("networking.istio.io/") && value["kind"] != "Sidecar"
        }))
    }

    async fn deciding(&self) -> Result<Vec<Value>, Error> {
        const KINDS: [&str; 3] = ["PeerAuthentication", "Service", "Sidecar"];
        Ok(self.values(|value| value["kind"].as_str().is_some_and(|kind| KINDS.contains(&kind))))
    }

    async fn resource(&self, like: &Value) -> Result<Option<Value>, Error> {
        let [kind, namespace, name] = key(like);
        Ok(self.get(&kind, &namespace, &name))
    }

    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<Value>, Error> {
        Ok(self.get("ConfigMap", namespace, name))
    }

    async fn write(&self, request: WriteRequest<'_>, dry_run: bool) -> Result<Value, Error> {
        self.call_hook(request, dry_run)?;
        let mut state = self.state.borrow_mut();
        let kept = dry_run.then(|| state.objects.clone());
        let written = match request {
            WriteRequest::Apply { resource, over } => state.apply(resource, over),
            WriteRequest::Delete { live } => state.delete(live),
            WriteRequest::Edit(edit) => {
                state.patch(&["ConfigMap", &edit.namespace, &edit.name], &edit.patch())
            }
        };
        if let Some(kept) = kept {
            state.objects = kept;
        }
        written
    }
}

impl State {
    fn apply(&mut self, resource: &Value, over: Option<&str>) -> Result<Value, Error> {
        let key = key(resource);
        let old = self.objects.get(&key).cloned();
        let live = old.as_ref().map(|old| &old.value);
        let basis = live.and_then(|live| live["metadata"]["resourceVersion"].as_str());
        if basis != over {
            return Err(conflict("apply", &key));
        }
        let mut value = resource.clone();
        let ours = fields(&value["spec"]).into_iter().map(|(field, _)| field).collect();
        if let Some(old) = &old {
            for (field, theirs) in fields(&old.value["spec"]) {
                if !old.ours.contains(&field) && value["spec"][&field].is_null() {
                    value["spec"][&field] = theirs;
                }
            }
            for part in ["labels", "annotations"] {
                let mut merged = old.value["metadata"][part].clone();
                merge(&mut merged, &value["metadata"][part]);
                if !merged.is_null() {
                    value["metadata"][part] = merged;
                }
            }
        }
        Ok(self.store(key, value, live.cloned().as_ref(), ours))
    }

    fn delete(&mut self, live: &Value) -> Result<Value, Error> {
        let key = key(live);
        let Some(object) = self.objects.get(&key) else { return Ok(Value::Null) };
        let same = |field: &str| object.value["metadata"][field] == live["metadata"][field];
        if !same("uid") || !same("resourceVersion") {
            return Err(conflict("delete", &key));
        }
        self.objects.remove(&key);
        Ok(Value::Null)
    }

    fn patch(&mut self, key: &[&str; 3], patch: &Value) -> Result<Value, Error> {
        let key = key.map(str::to_owned);
        let Some(object) = self.objects.get(&key).cloned() else {
            let [kind, namespace, name] = key;
            let what = format!("patch {kind} {namespace}/{name}");
            return Err(Error::Api { what, message: "not found".to_owned(), status: 404 });
        };
        let version = &patch["metadata"]["resourceVersion"];
        if !version.is_null() && *version != object.value["metadata"]["resourceVersion"] {
            return Err(conflict("patch", &key));
        }
        let mut value = object.value.clone();
        merge(&mut value, patch);
        Ok(self.store(key, value, Some(&object.value), object.ours))
    }

    /// Stores an object under a new version; it keeps the uid of the one it replaces.
    fn store(
        &mut self,
        key: [String; 3],
        mut value: Value,
        old: Option<&Value>,
        ours: BTreeSet<String>,
    ) -> Value {
        self.version += 1;
        let version = self.version.to_string();
        let uid = old.map_or_else(|| json!(version), |old| old["metadata"]["uid"].clone());
        value["metadata"]["uid"] = uid;
        value["metadata"]["resourceVersion"] = json!(version);
        self.objects.insert(key, Object { value: value.clone(), ours });
        value
    }
}

fn key(value: &Value) -> [String; 3] {
    let meta = &value["metadata"];
    [&value["kind"], &meta["namespace"], &meta["name"]]
        .map(|part| part.as_str().unwrap_or_default().to_owned())
}

fn fields(spec: &Value) -> Map<String, Value> {
    spec.as_object().cloned().unwrap_or_default()
}

fn conflict(verb: &str, [kind, namespace, name]: &[String; 3]) -> Error {
    Error::Api {
        what: format!("{verb} {kind} {namespace}/{name}"),
        message: "the object has been modified".to_owned(),
        status: 409,
    }
}

/// A JSON merge patch (RFC 7396).
fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        if !patch.is_null() {
            *value = patch.clone();
        }
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    for (key, new) in patch {
        if new.is_null() {
            value.as_object_mut().map(|map| map.remove(key));
        } else {
            merge(&mut value[key], new);
        }
    }
}
