//! The secret: read, kept aside, written over exactly the version that was looked at.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret as KubeSecret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Patch, PatchParams, PostParams};
use meshpki::istiod::Secret;
use serde_json::json;

use super::{Kube, ask, ask_optional};
use crate::error::Error;
use crate::names::{CACERTS, FIELD_MANAGER, FINGERPRINT, PREVIOUS, RESTART};
use crate::state::{Desired, Live, Who, fingerprint, restart_text, same};

/// Reads a secret of the namespace of istiod; `None` when there is none.
pub(super) async fn read(kube: &Kube, name: &str) -> Result<Option<Live>, Error> {
    let what = || format!("read secret {}/{name}", kube.namespace());
    let found = ask_optional(what, kube.secrets().get(name)).await?;
    Ok(found.map(live))
}

fn live(secret: KubeSecret) -> Live {
    let annotations = secret.metadata.annotations.unwrap_or_default();
    let managers = secret.metadata.managed_fields.unwrap_or_default();
    let files = secret.data.unwrap_or_default();
    Live {
        files: files.into_iter().map(|(name, content)| (name, content.0)).collect(),
        resource_version: secret.metadata.resource_version.unwrap_or_default(),
        foreign: foreign(&managers),
        restart: annotations.get(RESTART).map(|text| Who::parse_all(text)).unwrap_or_default(),
        immutable: secret.immutable.unwrap_or(false),
    }
}

/// Who beside us owns fields of the data, each once.
fn foreign(entries: &[ManagedFieldsEntry]) -> Vec<String> {
    let owns_data = |entry: &&ManagedFieldsEntry| {
        entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:data").is_some())
    };
    let managers = entries.iter().filter(owns_data).filter_map(|entry| entry.manager.clone());
    managers.filter(|name| name != FIELD_MANAGER).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Copies the secret to [`PREVIOUS`].
pub(super) async fn keep_previous(kube: &Kube, params: PatchParams) -> Result<(), Error> {
    let Some(old) = read(kube, CACERTS).await? else { return Ok(()) };
    let object = object(PREVIOUS, &old.files, &BTreeSet::new(), None);
    // It is ours alone, whoever wrote what is in it.
    let params = PatchParams { force: true, ..params };
    let what = || format!("keep the secret as {}/{PREVIOUS}", kube.namespace());
    ask(what, kube.secrets().patch(PREVIOUS, &params, &Patch::Apply(&object))).await?;
    Ok(())
}

/// Writes the secret: made where there was none, else applied over that resource version and no other.
pub(super) async fn write(
    kube: &Kube,
    desired: &Desired,
    over: Option<&str>,
    params: PatchParams,
) -> Result<(), Error> {
    let what = || format!("write secret {}/{CACERTS}", kube.namespace());
    let object = object(CACERTS, &desired.secret, &desired.restart, over);
    if over.is_none() {
        // Server-side apply would write over what somebody else made in the meantime; this says 409.
        let params = PostParams { dry_run: params.dry_run, field_manager: params.field_manager };
        ask(what, kube.secrets().create(&params, &object)).await?;
        return Ok(());
    }
    // Whose the fields are has been decided by `next`, and the resource version holds it to that.
    let params = PatchParams { force: true, ..params };
    ask(what, kube.secrets().patch(CACERTS, &params, &Patch::Apply(&object))).await?;
    if params.dry_run { Ok(()) } else { drop_strays(kube, desired).await }
}

/// Files the secret has beside ours, such as those of another manager, whose fields apply leaves alone.
/// istiod would read them.
async fn drop_strays(kube: &Kube, desired: &Desired) -> Result<(), Error> {
    let Some(live) = read(kube, CACERTS).await? else { return Ok(()) };
    if same(&live.files, &desired.secret) {
        return Ok(());
    }
    let strays = live.files.names().filter(|name| desired.secret.get(name).is_none());
    let nothing: serde_json::Map<_, _> =
        strays.map(|name| (name.to_owned(), json!(null))).collect();
    let patch = json!({
        "metadata": { "resourceVersion": live.resource_version },
        "data": nothing,
    });
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let what = || format!("drop files of secret {}/{CACERTS}", kube.namespace());
    ask(what, kube.secrets().patch(CACERTS, &params, &Patch::Merge(&patch))).await?;
    Ok(())
}

fn object(name: &str, files: &Secret, restart: &BTreeSet<Who>, over: Option<&str>) -> KubeSecret {
    let data = files.names().map(|file| {
        let content = files.get(file).unwrap_or_default().to_vec();
        (file.to_owned(), k8s_openapi::ByteString(content))
    });
    let mut secret = KubeSecret { data: Some(data.collect()), ..KubeSecret::default() };
    secret.metadata.name = Some(name.to_owned());
    secret.metadata.resource_version = over.map(str::to_owned);
    secret.type_ = Some("Opaque".to_owned());
    let annotations = [
        (FINGERPRINT.to_owned(), fingerprint(files).to_string()),
        (RESTART.to_owned(), restart_text(restart)),
    ];
    secret.metadata.annotations = Some(annotations.into());
    secret.metadata.labels =
        Some([("app.kubernetes.io/managed-by".to_owned(), FIELD_MANAGER.to_owned())].into());
    secret
}
