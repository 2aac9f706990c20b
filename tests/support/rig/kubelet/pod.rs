//! One pod of the node.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client};

use super::istiod::Istiod;
use super::status::{self, State as Containers, View};
use super::{Hold, Setup, Shared, lock};

/// How long a real process may take to end by itself; a real pod has 30 s.
const GRACE: Duration = Duration::from_secs(2);
/// How long a proxy may take to end by itself, as a real pod may.
const PROXY_GRACE: Duration = Duration::from_secs(30);

/// What the kubelet knows of a pod.
pub(super) struct State {
    namespace: String,
    name: String,
    seen: Instant,
    started: String,
    address: String,
    istiod: Option<Istiod>,
    said: Option<View>,
    /// When its readiness last changed.
    changed: String,
    ending: Option<Instant>,
}

impl State {
    pub(super) fn new(pod: &Pod) -> Self {
        let now = Timestamp::now().to_string();
        let random = RandomState::new().build_hasher().finish().to_be_bytes();
        Self {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            seen: Instant::now(),
            started: now.clone(),
            address: format!("10.244.{}.{}", random[0], random[1].clamp(1, 254)),
            istiod: None,
            said: None,
            changed: now,
            ending: None,
        }
    }

    /// Does for the pod what there is to do now.
    pub(super) async fn step(
        &mut self,
        setup: &Setup,
        shared: &Shared,
        client: &Client,
        pod: &Pod,
    ) {
        if pod.metadata.deletion_timestamp.is_some() {
            self.end(shared, client, pod).await;
            return;
        }
        let view = self.look(setup, shared, client, pod).await;
        if self.said.as_ref() == Some(&view) {
            return;
        }
        if self.said.as_ref().is_none_or(|said| said.ready != view.ready) {
            self.changed = Timestamp::now().to_string();
        }
        let patch = status::patch(pod, &view, &self.address, &self.started, &self.changed);
        let pods = Api::<Pod>::namespaced(client.clone(), &self.namespace);
        let patched =
            pods.patch_status(&self.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        // What could not be said is said the next time.
        if patched.is_ok() {
            self.said = Some(view);
        }
    }

    /// The pod is gone from the cluster; `false`, so that it is dropped.
    pub(super) fn forget(&mut self, shared: &Shared) -> bool {
        lock(&shared.running).remove(&(self.namespace.clone(), self.name.clone()));
        lock(&shared.processes).remove(&self.name);
        self.istiod = None;
        false
    }

    async fn look(&mut self, setup: &Setup, shared: &Shared, client: &Client, pod: &Pod) -> View {
        let was_ready = self.said.as_ref().is_some_and(|said| said.ready);
        let hold = if was_ready { None } else { shared.hold(&workload(pod)) };
        if hold == Some(Hold::ImagePullBackOff) && self.istiod.is_none() {
            let message = "Back-off pulling image".to_owned();
            let state = Containers::Waiting { reason: "ImagePullBackOff", message };
            return View { state, ready: false, restarts: 0, last_exit: None };
        }
        let mut view = self.containers(setup, shared, client, pod).await;
        let held = match hold {
            Some(Hold::Never) => true,
            Some(Hold::Proxy) => !shared.has_proxy(&self.namespace, &self.name),
            Some(Hold::After(delay)) => self.seen.elapsed() < delay,
            _ => false,
        };
        view.ready &= !held;
        view
    }

    async fn containers(
        &mut self,
        setup: &Setup,
        shared: &Shared,
        client: &Client,
        pod: &Pod,
    ) -> View {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let Some(discovery) = containers.into_iter().find(|c| c.name == "discovery") else {
            let state = Containers::Running { since: self.started.clone() };
            return View { state, ready: true, restarts: 0, last_exit: None };
        };
        if self.istiod.is_none() {
            match Istiod::new(setup, client, pod, discovery).await {
                Ok(istiod) => self.istiod = Some(istiod),
                Err(why) => {
                    let state = Containers::creating(why);
                    return View { state, ready: false, restarts: 0, last_exit: None };
                }
            }
        }
        let istiod = self.istiod.as_mut().expect("made above");
        let view = istiod.step(client, shared.sync_period()).await;
        istiod.publish(shared, &self.namespace, &self.name);
        view
    }

    /// Ends the process, then tells the apiserver that the pod is gone.
    async fn end(&mut self, shared: &Shared, client: &Client, pod: &Pod) {
        let since = *self.ending.get_or_insert_with(Instant::now);
        if let Some(istiod) = &mut self.istiod
            && !istiod.end(since.elapsed() > GRACE)
        {
            return;
        }
        if shared.hold(&workload(pod)) == Some(Hold::Proxy)
            && shared.has_proxy(&self.namespace, &self.name)
            && since.elapsed() < PROXY_GRACE
        {
            return;
        }
        self.forget(shared);
        let only_this = Preconditions { uid: pod.metadata.uid.clone(), resource_version: None };
        let params = DeleteParams { preconditions: Some(only_this), ..DeleteParams::default() };
        let pods = Api::<Pod>::namespaced(client.clone(), &self.namespace);
        // It is in the next listing where this did not work.
        let _ = pods.delete(&self.name, &params.grace_period(0)).await;
    }
}

/// `NAMESPACE/NAME` of what a pod belongs to; a ReplicaSet counts as its Deployment.
fn workload(pod: &Pod) -> String {
    let meta = &pod.metadata;
    let owner = meta.owner_references.iter().flatten().next();
    let name = owner.map_or(meta.name.as_deref().unwrap_or_default(), |owner| &owner.name);
    let hash = meta.labels.as_ref().and_then(|labels| labels.get("pod-template-hash"));
    let name = match hash {
        Some(hash) => name.strip_suffix(&format!("-{hash}")).unwrap_or(name),
        None => name,
    };
    format!("{}/{name}", meta.namespace.as_deref().unwrap_or_default())
}
