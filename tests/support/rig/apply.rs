//! Server-side apply of whatever a document holds.

use std::time::Duration;

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiResource, Scope, pinned_kind};
use kube::{Api, Client};
use serde_json::Value;

use super::wait;

/// The rig's field manager.
pub const MANAGER: &str = "rig";

/// Applies every document of a YAML stream, in its order.
///
/// # Panics
/// When one is refused.
pub async fn apply(client: &Client, text: &str) {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML or JSON");
    for document in documents.iter().filter(|document| !document.is_null()) {
        apply_one(client, document).await;
    }
}

/// Applies one object.
///
/// # Panics
/// When it is refused.
pub async fn apply_one(client: &Client, object: &Value) {
    let (api, name) = place(client, object).await;
    let params = PatchParams::apply(MANAGER).force();
    let applied = api.patch(&name, &params, &Patch::Apply(object)).await;
    applied.unwrap_or_else(|error| panic!("{} {name}: {error}", object["kind"]));
}

/// Deletes one object that is there.
///
/// # Panics
/// When that is refused.
pub async fn delete_one(client: &Client, object: &Value) {
    let (api, name) = place(client, object).await;
    let deleted = api.delete(&name, &DeleteParams::default()).await;
    assert!(deleted.is_ok(), "{} {name}: {deleted:?}", object["kind"]);
}

/// The API of an object, and its name.
async fn place(client: &Client, object: &Value) -> (Api<DynamicObject>, String) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let name = text("/metadata/name").expect("a name");
    let (kind, scope) = kind(client, object).await;
    let api = match scope {
        Scope::Cluster => Api::all_with(client.clone(), &kind),
        Scope::Namespaced => {
            let namespace = text("/metadata/namespace").unwrap_or("default");
            Api::namespaced_with(client.clone(), namespace, &kind)
        }
    };
    (api, name.to_owned())
}

/// The resource of an object; its kind may have been defined a moment ago.
async fn kind(client: &Client, object: &Value) -> (ApiResource, Scope) {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let (group, version) = text("apiVersion").rsplit_once('/').unwrap_or(("", text("apiVersion")));
    let kind = GroupVersionKind::gvk(group, version, text("kind"));
    let what = format!("{kind:?} is served");
    wait::until(&what, Duration::from_secs(20), async || {
        let (resource, capabilities) = pinned_kind(client, &kind).await.ok()?;
        Some((resource, capabilities.scope))
    })
    .await
}
