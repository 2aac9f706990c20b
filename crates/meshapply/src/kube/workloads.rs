//! Deployments, StatefulSets and DaemonSets: found, read, restarted.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Pod as KubePod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};
use serde_json::json;

use super::ask::Bound;
use super::{Kube, ask, istiod, write};
use crate::error::Error;
use crate::names::RESTARTED_FOR;
use crate::workload::{Id, Kind, Pod, Rollout, Workload};

/// The label of pods with a sidecar.
pub(super) const INJECTED: &str = "security.istio.io/tlsMode=istio";

/// A workload with what says which pods are its own.
pub(super) struct Found {
    pub(super) workload: Workload,
    selector: LabelSelector,
    template: PodTemplateSpec,
}

/// istiod, every revision, with its pods.
pub(super) async fn istiod(kube: &Kube) -> Result<Vec<Workload>, Error> {
    istiod_of(kube, istiod::deployments(kube).await?).await
}

/// The same of Deployments that were listed.
pub(super) async fn istiod_of(
    kube: &Kube,
    deployments: Vec<Deployment>,
) -> Result<Vec<Workload>, Error> {
    let known = kube.options.istio_version;
    let with_release = |found: Deployment| {
        let release = istiod::release(&found, known);
        let mut found = deployment(found);
        found.workload.release = release;
        found
    };
    with_pods(kube, deployments.into_iter().map(with_release).collect(), true).await
}

/// The gateways: those named, or else everything that looks like one, in every namespace.
pub(super) async fn gateways(kube: &Kube) -> Result<Vec<Workload>, Error> {
    let found = find_gateways(kube).await?;
    with_pods(kube, found, false).await
}

/// The pods of every gateway.
pub(super) async fn gateway_pods(kube: &Kube) -> Result<Vec<(Id, KubePod)>, Error> {
    let mut all = Vec::new();
    for found in find_gateways(kube).await? {
        let pods = list_pods(kube, &found).await?;
        all.extend(pods.into_iter().map(|pod| (found.workload.id.clone(), pod)));
    }
    Ok(all)
}

async fn find_gateways(kube: &Kube) -> Result<Vec<Found>, Error> {
    if kube.options.gateways.is_empty() {
        let mut found = every(kube).await?;
        found.retain(|found| is_gateway(&found.template));
        return Ok(found);
    }
    let mut found = Vec::new();
    for (namespace, name) in &kube.options.gateways {
        found.push(named(kube, namespace, name).await?);
    }
    Ok(found)
}

/// The workloads whose pods have a sidecar, without those that are `taken`.
pub(super) async fn injected(kube: &Kube, taken: &[&Id]) -> Result<Vec<Workload>, Error> {
    let api: Api<KubePod> = Api::all(kube.client.clone());
    let sidecars = ListParams::default().labels(INJECTED);
    let what = || "list the pods with a sidecar".to_owned();
    let pods = ask(what, || api.list(&sidecars)).await?;
    let owners: BTreeSet<Id> = pods.items.iter().filter_map(owner).collect();
    let mut found = every(kube).await?;
    found.retain(|found| {
        owners.contains(&found.workload.id) && !taken.contains(&&found.workload.id)
    });
    with_pods(kube, found, false).await
}

/// Puts the mark into the pod template, which makes new pods, unless it is there.
pub(super) async fn restart(
    kube: &Kube,
    id: &Id,
    mark: &str,
    params: &PatchParams,
) -> Result<(), Error> {
    let patch = json!({ "spec": { "template": { "metadata": { "annotations": { RESTARTED_FOR: mark } } } } });
    let what = || format!("restart {id} in {}", id.namespace);
    let patch = Patch::Merge(&patch);
    let client = kube.client.clone();
    match id.kind {
        Kind::Deployment => {
            let api: Api<Deployment> = Api::namespaced(client, &id.namespace);
            write(Bound::Nothing, what, || api.patch(&id.name, params, &patch)).await?;
        }
        Kind::StatefulSet => {
            let api: Api<StatefulSet> = Api::namespaced(client, &id.namespace);
            write(Bound::Nothing, what, || api.patch(&id.name, params, &patch)).await?;
        }
        Kind::DaemonSet => {
            let api: Api<DaemonSet> = Api::namespaced(client, &id.namespace);
            write(Bound::Nothing, what, || api.patch(&id.name, params, &patch)).await?;
        }
    }
    Ok(())
}

/// Whether pods of this template are a gateway, or ztunnel, which holds certificates of its own as one does:
/// the labels of Istio's charts, the template the gateway chart injects, and gateways of the Gateway API.
fn is_gateway(template: &PodTemplateSpec) -> bool {
    let metadata = template.metadata.clone().unwrap_or_default();
    let labels = metadata.labels.unwrap_or_default();
    let annotations = metadata.annotations.unwrap_or_default();
    let label = |name: &str| labels.get(name).map(String::as_str).unwrap_or_default();
    label("istio").ends_with("gateway")
        || label("operator.istio.io/component").ends_with("Gateways")
        || labels.contains_key("istio.io/gateway-name")
        || labels.contains_key("gateway.networking.k8s.io/gateway-name")
        || annotations
            .get("inject.istio.io/templates")
            .is_some_and(|t| t.split(',').any(|t| t == "gateway"))
        || label("app") == "ztunnel"
}

/// Every workload of the cluster.
async fn every(kube: &Kube) -> Result<Vec<Found>, Error> {
    let (mut found, stateful, daemons) = tokio::try_join!(
        list(&kube.client, "deployments", deployment),
        list(&kube.client, "statefulsets", stateful_set),
        list(&kube.client, "daemonsets", daemon_set),
    )?;
    found.extend(stateful);
    found.extend(daemons);
    Ok(found)
}

async fn list<K>(client: &Client, what: &str, read: fn(K) -> Found) -> Result<Vec<Found>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::all(client.clone());
    let told = || format!("list {what} in all namespaces");
    let params = ListParams::default();
    Ok(ask(told, || api.list(&params)).await?.items.into_iter().map(read).collect())
}

/// A workload by its name, of whichever kind. A user without rights to one kind may have them to another.
async fn named(kube: &Kube, namespace: &str, name: &str) -> Result<Found, Error> {
    let first = match one(kube, Kind::Deployment, namespace, name, deployment).await {
        Ok(found) => return Ok(found),
        Err(error) => error,
    };
    if let Ok(found) = one(kube, Kind::DaemonSet, namespace, name, daemon_set).await {
        return Ok(found);
    }
    if let Ok(found) = one(kube, Kind::StatefulSet, namespace, name, stateful_set).await {
        return Ok(found);
    }
    Err(first)
}

async fn one<K>(
    kube: &Kube,
    kind: Kind,
    namespace: &str,
    name: &str,
    read: fn(K) -> Found,
) -> Result<Found, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(kube.client.clone(), namespace);
    ask(|| format!("read {}/{name} in {namespace}", kind.word()), || api.get(name)).await.map(read)
}

/// Adds the pods: of all, or of those whose rollout is under way, where they say why.
async fn with_pods(kube: &Kube, found: Vec<Found>, all: bool) -> Result<Vec<Workload>, Error> {
    let mut workloads = Vec::new();
    for mut found in found {
        if all || found.workload.rollout() != Rollout::Complete {
            let pods = list_pods(kube, &found).await?;
            found.workload.pods = pods.iter().map(pod).collect();
            found.workload.pods.sort_by(|a, b| a.name.cmp(&b.name));
        }
        workloads.push(found.workload);
    }
    workloads.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(workloads)
}

/// The pods its selector matches.
async fn list_pods(kube: &Kube, found: &Found) -> Result<Vec<KubePod>, Error> {
    let namespace = &found.workload.id.namespace;
    let labels = found.selector.match_labels.clone().unwrap_or_default();
    let selector: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let what = || format!("list the pods of {} in {namespace}", found.workload.id);
    let params = ListParams::default().labels(&selector.join(","));
    let api = kube.pods(namespace);
    Ok(ask(what, || api.list(&params)).await?.items)
}

fn deployment(found: Deployment) -> Found {
    let spec = found.spec.unwrap_or_default();
    let status = found.status.unwrap_or_default();
    let exceeded = status.conditions.unwrap_or_default().into_iter().find(|condition| {
        condition.type_ == "Progressing"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("ProgressDeadlineExceeded")
    });
    let workload = Workload {
        observed_generation: status.observed_generation.unwrap_or(0),
        wanted: spec.replicas.unwrap_or(1),
        total: status.replicas.unwrap_or(0),
        updated: status.updated_replicas.unwrap_or(0),
        available: status.available_replicas.unwrap_or(0),
        paused: spec.paused.unwrap_or(false),
        deadline: exceeded.map(|condition| condition.message.unwrap_or_default()),
        ..start(Kind::Deployment, &found.metadata, &spec.template)
    };
    Found { workload, selector: spec.selector, template: spec.template }
}

fn stateful_set(found: StatefulSet) -> Found {
    let spec = found.spec.unwrap_or_default();
    let status = found.status.unwrap_or_default();
    let strategy = spec.update_strategy.unwrap_or_default();
    let partition = strategy.rolling_update.and_then(|rolling| rolling.partition).unwrap_or(0);
    let manual = match strategy.type_.as_deref() {
        Some("OnDelete") => Some("its update strategy is OnDelete".to_owned()),
        _ if partition > 0 => Some(format!("its update strategy has a partition, {partition}")),
        _ => None,
    };
    let workload = Workload {
        observed_generation: status.observed_generation.unwrap_or(0),
        wanted: spec.replicas.unwrap_or(1),
        total: status.replicas,
        updated: status.updated_replicas.unwrap_or(0),
        available: status.available_replicas.unwrap_or(0),
        manual,
        ..start(Kind::StatefulSet, &found.metadata, &spec.template)
    };
    Found { workload, selector: spec.selector, template: spec.template }
}

fn daemon_set(found: DaemonSet) -> Found {
    let spec = found.spec.unwrap_or_default();
    let status = found.status.unwrap_or_default();
    let on_delete = spec.update_strategy.and_then(|s| s.type_).as_deref() == Some("OnDelete");
    let workload = Workload {
        observed_generation: status.observed_generation.unwrap_or(0),
        wanted: status.desired_number_scheduled,
        total: status.current_number_scheduled,
        updated: status.updated_number_scheduled.unwrap_or(0),
        available: status.number_available.unwrap_or(0),
        manual: on_delete.then(|| "its update strategy is OnDelete".to_owned()),
        ..start(Kind::DaemonSet, &found.metadata, &spec.template)
    };
    Found { workload, selector: spec.selector, template: spec.template }
}

/// What the three kinds have in common.
fn start(kind: Kind, metadata: &ObjectMeta, template: &PodTemplateSpec) -> Workload {
    let annotations = template.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
    Workload {
        id: Id {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            kind,
            name: metadata.name.clone().unwrap_or_default(),
        },
        generation: metadata.generation.unwrap_or(0),
        observed_generation: 0,
        wanted: 0,
        total: 0,
        updated: 0,
        available: 0,
        paused: false,
        manual: None,
        deadline: None,
        restarted_for: annotations.and_then(|all| all.get(RESTARTED_FOR).cloned()),
        release: None,
        pods: Vec::new(),
    }
}

fn pod(found: &KubePod) -> Pod {
    let status = found.status.clone().unwrap_or_default();
    let terminating = found.metadata.deletion_timestamp.is_some();
    let ready = status
        .conditions
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let containers = status.container_statuses.unwrap_or_default();
    let waiting = containers.iter().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        Some(waiting.reason.clone().unwrap_or_else(|| "a container waits".to_owned()))
    });
    Pod {
        name: found.metadata.name.clone().unwrap_or_default(),
        ready: ready && !terminating,
        terminating,
        waiting,
        restarts: containers.iter().map(|container| container.restart_count).max().unwrap_or(0),
    }
}

/// The workload a pod belongs to: its controller, and the Deployment above a ReplicaSet.
fn owner(pod: &KubePod) -> Option<Id> {
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    let controller = owners.iter().find(|owner| owner.controller == Some(true))?;
    let labels: BTreeMap<_, _> = pod.metadata.labels.clone().unwrap_or_default();
    let (kind, name) = match controller.kind.as_str() {
        "ReplicaSet" => {
            let hash = labels.get("pod-template-hash")?;
            (Kind::Deployment, controller.name.strip_suffix(hash)?.trim_end_matches('-'))
        }
        "StatefulSet" => (Kind::StatefulSet, controller.name.as_str()),
        "DaemonSet" => (Kind::DaemonSet, controller.name.as_str()),
        _ => return None,
    };
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    Some(Id { namespace, kind, name: name.to_owned() })
}
