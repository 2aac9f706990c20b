//! The pods of a workload, each with a real proxy: it is ready before the pod is, drains when the pod is deleted, and the
//! pod is gone when it has ended.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::app::App;
use super::network::Namespace;
use super::services::Services;
use super::sidecar::Sidecar;
use super::{Cluster, Hold};

/// How often changed roots reach the pods.
const SYNC: Duration = Duration::from_secs(2);

/// A workload whose pods have proxies.
pub struct Follow<'c> {
    cluster: &'c Cluster,
    services: &'c Services,
    namespace: &'static str,
    /// A selector of its pods.
    labels: String,
    /// Name and port of the application behind each proxy.
    app: Option<(String, u16)>,
    /// The network of the newest pod that is ready.
    newest: Mutex<Option<Arc<Namespace>>>,
}

/// Sets a flag that ends threads, whatever happens before.
pub struct End<'a>(pub &'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A pod that has a proxy.
struct Followed {
    proxy: Sidecar,
    ending: bool,
}

impl Cluster {
    /// Follows a Deployment, once [`Follow::run`] runs.
    #[must_use]
    pub fn follow<'c>(
        &'c self,
        services: &'c Services,
        (namespace, workload): (&'static str, &str),
        labels: &str,
        app: Option<(&str, u16)>,
    ) -> Follow<'c> {
        self.hold(&format!("{namespace}/{workload}"), Hold::Proxy);
        Follow {
            cluster: self,
            services,
            namespace,
            labels: labels.to_owned(),
            app: app.map(|(name, port)| (name.to_owned(), port)),
            newest: Mutex::default(),
        }
    }
}

impl Follow<'_> {
    /// Gives pods their proxies until `stop` is set.
    ///
    /// # Panics
    /// When a proxy does not come up.
    pub fn run(&self, stop: &AtomicBool) {
        let mut pods: BTreeMap<String, Followed> = BTreeMap::new();
        let mut synced = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let listed = self.cluster.pods(self.namespace, &self.labels);
            for pod in &listed {
                self.step(pod, &mut pods);
            }
            if synced.elapsed() > SYNC {
                synced = Instant::now();
                pods.values().for_each(|pod| self.cluster.sync_roots(self.namespace, &pod.proxy));
            }
            let is_over = |name: &str, pod: &mut Followed| {
                let is_gone = listed.iter().all(|listed| listed.name_any() != name);
                is_gone || pod.ending && pod.proxy.has_ended()
            };
            pods.retain(|name, pod| {
                let over = is_over(name, pod);
                if over {
                    self.cluster.kubelet().withdraw(self.namespace, name);
                }
                !over
            });
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The network of the newest pod that is ready, as soon as there is one.
    #[must_use]
    pub fn network(&self) -> Arc<Namespace> {
        let newest = || self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let what = format!("a proxy for {}", self.labels);
        self.cluster.wait(&what, super::wait::LONG, async || newest())
    }

    fn step(&self, pod: &Pod, pods: &mut BTreeMap<String, Followed>) {
        let is_deleted = pod.metadata.deletion_timestamp.is_some();
        let has_address = pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some());
        match pods.get_mut(&pod.name_any()) {
            Some(known) if is_deleted && !known.ending => {
                known.proxy.terminate();
                known.ending = true;
            }
            None if !is_deleted && has_address => {
                let app = |proxy: &Sidecar| {
                    let Some((name, port)) = &self.app else { return };
                    let at = (proxy.address.as_str(), *port);
                    // It lives as long as the cluster.
                    let _ = App::start(self.cluster, &proxy.network, at, name);
                };
                let proxy = self.cluster.start_proxy_before(self.services, pod, &[], app);
                let network = Arc::clone(&proxy.network);
                *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(network);
                pods.insert(pod.name_any(), Followed { proxy, ending: false });
            }
            _ => {}
        }
    }
}
