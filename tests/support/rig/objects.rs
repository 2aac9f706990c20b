//! Shortcuts to the objects that tests use most.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount};
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::{Api, ResourceExt};
use serde_json::{Value, json, to_value};

use super::kubelet::volume::Files;
use super::{Cluster, Kind, wait};

impl Cluster {
    /// Waits until a workload is rolled out: its controller has seen it, and all pods are new and available.
    ///
    /// # Panics
    /// When it is not, in time.
    pub fn rolled_out(&self, kind: Kind, namespace: &str, name: &str) {
        self.wait(&format!("{namespace}/{name} is rolled out"), wait::LONG, async || {
            kind.is_rolled_out(&self.read_workload(kind, namespace, name).await?).then_some(())
        });
    }

    /// A workload as JSON.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn workload(&self, kind: Kind, namespace: &str, name: &str) -> Value {
        self.block_on(self.read_workload(kind, namespace, name)).expect("a workload")
    }

    async fn read_workload(&self, kind: Kind, namespace: &str, name: &str) -> Option<Value> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", kind.name()));
        let api = Api::<DynamicObject>::namespaced_with(self.client(), namespace, &kind);
        to_value(api.get(name).await.ok()?).ok()
    }

    /// Restarts a workload as `kubectl rollout restart` does, with a mark of the caller's.
    ///
    /// # Panics
    /// When it is refused.
    pub fn restart(&self, kind: Kind, namespace: &str, name: &str, mark: &str) {
        let annotation = json!({"kubectl.kubernetes.io/restartedAt": mark});
        let patch = json!({"spec": {"template": {"metadata": {"annotations": annotation}}}});
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", kind.name()));
        let api = Api::<DynamicObject>::namespaced_with(self.client(), namespace, &kind);
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        self.block_on(api.patch(name, &params, &patch)).expect("a patch");
    }

    /// Writes the Secret `cacerts` of `istio-system` with the files of a folder (not of folders in it).
    ///
    /// # Panics
    /// When the folder cannot be read or the Secret is refused.
    pub fn apply_cacerts(&self, folder: &Path) {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        let files = entries.filter(|entry| entry.path().is_file()).map(|entry| {
            let content = fs::read(entry.path()).expect("a file");
            (entry.file_name().to_string_lossy().into_owned(), content)
        });
        self.apply_object(&super::istio::namespace("istio-system"));
        self.apply_secret("istio-system", "cacerts", &files.collect());
    }

    /// Writes a Secret: these keys and no other.
    ///
    /// # Panics
    /// When it is refused.
    pub fn apply_secret(&self, namespace: &str, name: &str, files: &Files) {
        let data = files.iter().map(|(key, value)| (key, ByteString(value.clone())));
        self.apply_object(&json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": namespace},
            "data": data.collect::<BTreeMap<_, _>>(),
        }));
    }

    /// Deletes a Secret that is there.
    ///
    /// # Panics
    /// When that is refused.
    pub fn delete_secret(&self, namespace: &str, name: &str) {
        let secrets = Api::<Secret>::namespaced(self.client(), namespace);
        self.block_on(secrets.delete(name, &DeleteParams::default())).expect("a deleted Secret");
    }

    /// A Secret where it is there.
    ///
    /// # Panics
    /// When the apiserver does not answer.
    #[must_use]
    pub fn secret(&self, namespace: &str, name: &str) -> Option<Secret> {
        let secrets = Api::<Secret>::namespaced(self.client(), namespace);
        self.block_on(secrets.get_opt(name)).expect("an answer")
    }

    /// `metadata.resourceVersion` of a Secret: it changes with every write that changes anything.
    ///
    /// # Panics
    /// When the apiserver does not answer.
    #[must_use]
    pub fn secret_resource_version(&self, namespace: &str, name: &str) -> Option<String> {
        self.secret(namespace, name)?.resource_version()
    }

    /// One key of a ConfigMap, as soon as it is there.
    ///
    /// # Panics
    /// When it is not, in time.
    #[must_use]
    pub fn config_map_key(&self, namespace: &str, name: &str, key: &str) -> String {
        let maps = Api::<ConfigMap>::namespaced(self.client(), namespace);
        self.wait(&format!("{namespace}/{name} has {key}"), Duration::from_secs(30), async || {
            maps.get_opt(name).await.ok()??.data?.remove(key)
        })
    }

    /// The pods a label selector matches, by name.
    ///
    /// # Panics
    /// When the apiserver does not answer.
    #[must_use]
    pub fn pods(&self, namespace: &str, selector: &str) -> Vec<Pod> {
        let pods = Api::<Pod>::namespaced(self.client(), namespace);
        let listing = self.block_on(pods.list(&ListParams::default().labels(selector)));
        let mut pods = listing.expect("an answer").items;
        pods.sort_by_key(ResourceExt::name_any);
        pods
    }

    /// The first pod a label selector matches, as soon as it has an address.
    ///
    /// # Panics
    /// When there is none in time.
    #[must_use]
    pub fn running_pod(&self, namespace: &str, selector: &str) -> Pod {
        let pods = Api::<Pod>::namespaced(self.client(), namespace);
        self.wait(&format!("a pod with {selector} runs"), wait::LONG, async || {
            let listing = pods.list(&ListParams::default().labels(selector)).await.ok()?;
            let mut there = listing.items.into_iter();
            there.find(|pod| pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some()))
        })
    }

    /// The address of a Service in its cluster.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn service_address(&self, namespace: &str, name: &str) -> String {
        let services = Api::<Service>::namespaced(self.client(), namespace);
        let service = self.block_on(services.get(name)).expect("a Service");
        service.spec.and_then(|spec| spec.cluster_ip).expect("an address")
    }

    /// Gives a Service an address of a load balancer.
    ///
    /// # Panics
    /// When it is not there.
    pub fn give_address(&self, namespace: &str, name: &str, address: &str) {
        let services = Api::<Service>::namespaced(self.client(), namespace);
        let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
        let (params, patch) = (PatchParams::default(), Patch::Merge(&status));
        self.block_on(services.patch_status(name, &params, &patch)).expect("a Service");
    }

    /// A token of a ServiceAccount for an audience (istiod's is `istio-ca`), good for ten minutes.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    pub fn token(&self, namespace: &str, account: &str, audience: &str) -> String {
        let accounts = Api::<ServiceAccount>::namespaced(self.client(), namespace);
        let spec = TokenRequestSpec {
            audiences: vec![audience.to_owned()],
            expiration_seconds: Some(600),
            ..TokenRequestSpec::default()
        };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let params = PostParams::default();
        let made = accounts.create_token_request(account, &params, &request);
        self.block_on(made).expect("a token").status.expect("a status").token
    }
}
