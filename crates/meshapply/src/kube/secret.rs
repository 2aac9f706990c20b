//! The secret: read, kept aside, and written only over the version that was read.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret as KubeSecret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Patch, PatchParams, PostParams};
use meshpki::Time;
use meshpki::istiod::Secret;
use serde_json::json;

use super::ask::{Bound, write as write_to};
use super::resources::{is_of_old_manager, old, release};
use super::{Kube, ask, ask_optional};
use crate::error::Error;
use crate::names::{
    CACERTS, FIELD_MANAGER, LAST_APPLIED, MANAGED_BY, MARK, OLD_FIELD_MANAGER, PREVIOUS, RESTART,
};
use crate::state::{Desired, Live, RestartTarget, Vacant, mark, restart_text};

/// Tells a secret with files from one without.
pub(super) fn vacant(found: Option<Live>) -> (Option<Live>, Option<Vacant>) {
    let Some(live) = found else { return (None, None) };
    if live.files.names().next().is_some() {
        return (Some(live), None);
    }
    let Live { resource_version, immutable, .. } = live;
    (None, Some(Vacant { resource_version, immutable }))
}

/// Reads a secret of the namespace of istiod; `None` when there is none.
pub(super) async fn read(kube: &Kube, name: &str) -> Result<Option<Live>, Error> {
    let what = || format!("read secret {}/{name}", kube.namespace());
    let api = kube.secrets();
    let found = ask_optional(what, || api.get(name)).await?;
    Ok(found.map(live))
}

fn live(secret: KubeSecret) -> Live {
    let annotations = secret.metadata.annotations.unwrap_or_default();
    let managers = secret.metadata.managed_fields.unwrap_or_default();
    let made = secret.metadata.creation_timestamp.map(|time| Time(time.0.as_second()));
    let files: Secret = secret
        .data
        .unwrap_or_default()
        .into_iter()
        .map(|(name, content)| (name, content.0))
        .collect();
    // An edit by another program leaves our annotations on a content that is not ours.
    let content = files.fingerprint().to_string();
    let is_ours = |mark: &&String| mark.split('.').next() == Some(content.as_str());
    let mark = annotations.get(MARK).filter(is_ours).cloned();
    let restart = annotations.get(RESTART).filter(|_| mark.is_some());
    Live {
        foreign: foreign(&managers, &files, annotations.contains_key(MARK)),
        type_: secret.type_.unwrap_or_default(),
        resource_version: secret.metadata.resource_version.unwrap_or_default(),
        restart: restart.map(|text| RestartTarget::parse_all(text)).unwrap_or_default(),
        immutable: secret.immutable.unwrap_or(false),
        has_copy: annotations.contains_key(LAST_APPLIED),
        written: written(&managers).or(made),
        mark,
        claim: annotations.get(MARK).cloned(),
        files,
    }
}

/// When a file of the data was written last, as far as that is recorded.
pub(super) fn written(entries: &[ManagedFieldsEntry]) -> Option<Time> {
    let of_data = entries.iter().filter(|entry| {
        entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:data").is_some())
    });
    of_data.filter_map(|entry| Some(Time(entry.time.as_ref()?.0.as_second()))).max()
}

/// The owners of files of the data that we do not own, each once. A forced apply leaves those who agree with us as
/// owners next to us, which is harmless. Where our mark is, our old name is us: elsewhere it may be Gloo's `meshctl`.
fn foreign(entries: &[ManagedFieldsEntry], files: &Secret, is_marked: bool) -> Vec<String> {
    let owns = |entry: &ManagedFieldsEntry, file: &str| {
        let fields = entry.fields_v1.as_ref().and_then(|fields| fields.0.get("f:data"));
        fields.is_some_and(|data| data.get(format!("f:{file}")).is_some())
    };
    let is_us = |entry: &ManagedFieldsEntry| match entry.manager.as_deref() {
        Some(FIELD_MANAGER) => true,
        Some(OLD_FIELD_MANAGER) => is_marked,
        _ => false,
    };
    let mut managers = BTreeSet::new();
    for file in files.names() {
        if entries.iter().any(|entry| is_us(entry) && owns(entry, file)) {
            continue;
        }
        let owners = entries.iter().filter(|entry| owns(entry, file));
        let names: Vec<_> = owners.filter_map(|entry| entry.manager.clone()).collect();
        // Without a record it is unknown; our own writes leave one.
        managers.extend(if names.is_empty() { vec!["unknown".to_owned()] } else { names });
    }
    managers.into_iter().collect()
}

/// Copies what istiod reads of the secret to [`PREVIOUS`]; no other file stays there.
pub(super) async fn keep_previous(kube: &Kube, params: PatchParams) -> Result<(), Error> {
    let Some(old) = read(kube, CACERTS).await? else { return Ok(()) };
    let files = old.files.for_istiod();
    let object = object(PREVIOUS, &files, None, None);
    let kept = read(kube, PREVIOUS).await?;
    let api = kube.secrets();
    let what = || format!("keep the secret as {}/{PREVIOUS}", kube.namespace());
    if let Some(strays) = kept.map(|kept| strays(&kept, &files)).filter(|all| !all.is_empty()) {
        // An apply leaves the files another manager has put there.
        let patch = json!({ "metadata": metadata(&object), "data": data(object, strays) });
        let patch = Patch::Merge(&patch);
        write_to(Bound::Nothing, what, || api.patch(PREVIOUS, &params, &patch)).await?;
        return Ok(());
    }
    // It is ours alone, whoever wrote what is in it.
    let params = PatchParams { force: true, ..params };
    let patch = Patch::Apply(&object);
    write_to(Bound::Nothing, what, || api.patch(PREVIOUS, &params, &patch)).await?;
    Ok(())
}

/// Empties [`PREVIOUS`], if it is still the one of that resource version. The secret itself stays: the user may not be
/// allowed to create one.
pub(super) async fn forget(kube: &Kube, over: &str, params: &PatchParams) -> Result<(), Error> {
    let patch = json!({
        "metadata": { "resourceVersion": over, "annotations": { LAST_APPLIED: null } },
        "data": null,
    });
    let what = || format!("empty secret {}/{PREVIOUS}", kube.namespace());
    let (api, patch) = (kube.secrets(), Patch::Merge(&patch));
    ask(what, || api.patch(PREVIOUS, params, &patch)).await?;
    Ok(())
}

/// Removes kubectl's copy of the files from the secret of that resource version.
pub(super) async fn clean(kube: &Kube, over: &str, params: &PatchParams) -> Result<(), Error> {
    let patch = json!({ "metadata": {
        "resourceVersion": over,
        "annotations": { LAST_APPLIED: null },
    }});
    let what = || format!("remove kubectl's copy of the files from {}/{CACERTS}", kube.namespace());
    let (api, patch) = (kube.secrets(), Patch::Merge(&patch));
    ask(what, || api.patch(CACERTS, params, &patch)).await?;
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
    let mut object = object(CACERTS, &desired.secret, Some((&desired.restart, over)), over);
    let api = kube.secrets();
    if over.is_none() {
        // Server-side apply would overwrite a secret created in the meantime; this says 409.
        let params = PostParams { dry_run: params.dry_run, field_manager: params.field_manager };
        write_to(Bound::Nothing, what, || api.create(&params, &object)).await?;
        return Ok(());
    }
    let live = read(kube, CACERTS).await?;
    // A secret's type cannot change; `next` has seen that the content fits it.
    object.type_ =
        live.as_ref().map(|live| live.type_.clone()).filter(|t| !t.is_empty()).or(object.type_);
    let strays = live.map(|live| strays(&live, &desired.secret)).unwrap_or_default();
    if strays.is_empty() {
        // Whose the fields are has been decided by `next`, and the resource version holds it to that.
        let params = PatchParams { force: true, ..params };
        let patch = Patch::Apply(&object);
        let written = ask(&what, || api.patch(CACERTS, &params, &patch)).await?;
        if params.dry_run || !is_of_old_manager(&written.metadata) {
            return Ok(());
        }
        // All it owned is ours by now, so that nothing is lost; our old name as another owner would do no harm.
        let (release, params) = (release(&json!("v1"), &json!("Secret"), CACERTS), old());
        let patch = Patch::Apply(&release);
        let _ = write_to(Bound::Nothing, what, || api.patch(CACERTS, &params, &patch)).await;
        return Ok(());
    }
    // Apply would leave files of another manager next to ours, where istiod would read both: all in one write.
    let patch = json!({ "metadata": metadata(&object), "data": data(object, strays) });
    let patch = Patch::Merge(&patch);
    ask(what, || api.patch(CACERTS, &params, &patch)).await?;
    Ok(())
}

/// Files the secret has in addition to those it should have.
fn strays(live: &Live, wanted: &Secret) -> Vec<String> {
    let strays = live.files.names().filter(|name| wanted.get(name).is_none());
    strays.map(str::to_owned).collect()
}

/// The metadata of a merge that writes `object`; kubectl's copy of the files before goes.
fn metadata(object: &KubeSecret) -> serde_json::Value {
    let written = object.metadata.annotations.iter().flatten();
    let mut annotations: serde_json::Map<_, _> =
        written.map(|(name, value)| (name.clone(), json!(value))).collect();
    annotations.insert(LAST_APPLIED.to_owned(), json!(null));
    let mut metadata = json!({ "annotations": annotations, "labels": object.metadata.labels });
    if let Some(over) = &object.metadata.resource_version {
        metadata["resourceVersion"] = json!(over);
    }
    metadata
}

/// The data of a merge that writes `object` and removes the strays.
fn data(object: KubeSecret, strays: Vec<String>) -> serde_json::Map<String, serde_json::Value> {
    let files = object.data.unwrap_or_default().into_iter();
    let files = files.map(|(name, content)| (name, json!(content)));
    files.chain(strays.into_iter().map(|name| (name, json!(null)))).collect()
}

/// Writes the mark and the restarts it needs onto a secret that already has the desired content.
pub(super) async fn note(
    kube: &Kube,
    desired: &Desired,
    over: &str,
    params: &PatchParams,
) -> Result<(), Error> {
    let mut annotations = json!(annotations(&desired.secret, &desired.restart, Some(over)));
    annotations[LAST_APPLIED] = json!(null);
    let patch = json!({ "metadata": { "resourceVersion": over, "annotations": annotations } });
    let what = || format!("record on secret {}/{CACERTS} what must restart", kube.namespace());
    let (api, patch) = (kube.secrets(), Patch::Merge(&patch));
    ask(what, || api.patch(CACERTS, params, &patch)).await?;
    Ok(())
}

fn annotations(
    files: &Secret,
    restart: &BTreeSet<RestartTarget>,
    over: Option<&str>,
) -> BTreeMap<String, String> {
    [(MARK.to_owned(), mark(files, over)), (RESTART.to_owned(), restart_text(restart))].into()
}

/// A secret as it is sent. `write`: what restarts, and over which version, for what will be used.
fn object(
    name: &str,
    files: &Secret,
    write: Option<(&BTreeSet<RestartTarget>, Option<&str>)>,
    over: Option<&str>,
) -> KubeSecret {
    let data = files.names().map(|file| {
        let content = files.get(file).unwrap_or_default().to_vec();
        (file.to_owned(), k8s_openapi::ByteString(content))
    });
    let mut secret = KubeSecret { data: Some(data.collect()), ..KubeSecret::default() };
    secret.metadata.name = Some(name.to_owned());
    secret.metadata.resource_version = over.map(str::to_owned);
    secret.type_ = Some("Opaque".to_owned());
    secret.metadata.annotations = write.map(|(restart, over)| annotations(files, restart, over));
    let (label, value) = MANAGED_BY;
    secret.metadata.labels = Some([(label.to_owned(), value.to_owned())].into());
    secret
}
