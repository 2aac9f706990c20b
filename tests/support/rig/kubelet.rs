//! A kubelet without containers: pods bound to its node become Running and Ready, terminating ones are deleted.
//!
//! Only a container named `discovery` is real: a `pilot-discovery` process with the pod's environment and volumes,
//! ready when it says so, restarted when it ends. Everything else is ready at once, unless it is held back.

mod istiod;
mod node;
mod pod;
mod server;
mod status;
pub mod volume;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, Config};

use super::pki::Identity;
use super::{process, wait};

/// The node's name.
pub const NODE: &str = "rig-0";

/// How the pods of a workload are held back; those already ready stay ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Running, and never ready.
    Never,
    /// Ready only this long after the kubelet has first seen the pod.
    After(Duration),
    /// The image cannot be pulled; nothing runs.
    ImagePullBackOff,
    /// Ready once a proxy runs in the pod ([`Cluster::follow`](super::Cluster::follow)), and deleted once it has ended.
    Proxy,
    /// Not held back any more.
    Release,
}

/// What a kubelet needs to know of its cluster.
pub struct Setup {
    /// The cluster's name, which istiod gets as its context.
    pub name: String,
    /// Folder for pods and logs.
    pub folder: PathBuf,
    /// istiod.
    pub pilot: PathBuf,
    /// Who the kubelet is to the apiserver.
    pub config: Config,
    /// Port of the apiserver.
    pub apiserver: u16,
    /// The cluster's CA certificate.
    pub ca_pem: String,
    /// The kubelet's own serving certificate.
    pub identity: Identity,
}

/// What the kubelet's thread, its server and the test share.
pub struct Shared {
    holds: Mutex<BTreeMap<String, Hold>>,
    running: Mutex<BTreeMap<(String, String), Running>>,
    logs: Mutex<Vec<PathBuf>>,
    processes: Mutex<BTreeMap<String, u32>>,
    sync_millis: AtomicU64,
    stop: AtomicBool,
}

/// A real container of a pod.
#[derive(Clone)]
struct Running {
    /// The port the container declares, and where its process really listens.
    ports: BTreeMap<u16, u16>,
    log: PathBuf,
}

/// A running kubelet; dropped, it stops and its processes with it.
pub struct Kubelet {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Kubelet {
    /// Starts it in a thread of its own.
    ///
    /// # Panics
    /// When there is no port or no thread for it.
    #[must_use]
    pub fn start(setup: Setup) -> Self {
        let shared = Arc::new(Shared {
            holds: Mutex::default(),
            running: Mutex::default(),
            logs: Mutex::default(),
            processes: Mutex::default(),
            sync_millis: AtomicU64::new(1000),
            stop: AtomicBool::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the kubelet");
        listener.set_nonblocking(true).expect("a listener");
        let name = format!("kubelet-{}", setup.name);
        let run = {
            let shared = Arc::clone(&shared);
            move || {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = runtime.enable_all().build().expect("a runtime");
                runtime.block_on(run(&setup, &shared, listener));
            }
        };
        let thread = std::thread::Builder::new().name(name).spawn(run).expect("a thread");
        Self { shared, thread: Some(thread) }
    }

    /// Holds back the pods of `NAMESPACE/WORKLOAD`, or releases them.
    pub fn hold(&self, workload: &str, how: Hold) {
        lock(&self.shared.holds).insert(workload.to_owned(), how);
    }

    /// How long a changed Secret or ConfigMap takes to reach a volume, at most; 1 s unless changed.
    pub fn sync_every(&self, period: Duration) {
        let millis = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
        self.shared.sync_millis.store(millis, Ordering::Relaxed);
    }

    /// What every real container printed, those of past pods too, in the order they were first started.
    #[must_use]
    pub fn log(&self) -> String {
        lock(&self.shared.logs).iter().map(|path| process::read_log(path)).collect()
    }

    /// What the real container of one pod printed, all its restarts.
    #[must_use]
    pub fn pod_log(&self, namespace: &str, pod: &str) -> Option<String> {
        let key = (namespace.to_owned(), pod.to_owned());
        let path = lock(&self.shared.running).get(&key).map(|running| running.log.clone())?;
        Some(process::read_log(&path))
    }

    /// Has a port of a pod forwarded to one on loopback, such as the admin port of its proxy.
    pub fn publish(&self, namespace: &str, pod: &str, ports: BTreeMap<u16, u16>, log: PathBuf) {
        let key = (namespace.to_owned(), pod.to_owned());
        lock(&self.shared.running).insert(key, Running { ports, log });
    }

    /// Takes back what [`Kubelet::publish`] said.
    pub fn withdraw(&self, namespace: &str, pod: &str) {
        lock(&self.shared.running).remove(&(namespace.to_owned(), pod.to_owned()));
    }

    /// Where on loopback the port a pod declares really is.
    #[must_use]
    pub fn port(&self, namespace: &str, pod: &str, port: u16) -> Option<u16> {
        let key = (namespace.to_owned(), pod.to_owned());
        lock(&self.shared.running).get(&key)?.ports.get(&port).copied()
    }

    /// Finds, whenever asked, where on loopback the real containers of a namespace have a port they declare.
    pub fn finder(&self, namespace: &'static str, port: u16) -> impl Fn() -> Vec<u16> + use<> {
        let shared = Arc::clone(&self.shared);
        move || {
            let running = lock(&shared.running);
            let there = running.iter().filter(|((of, _), _)| of == namespace);
            there.filter_map(|(_, running)| running.ports.get(&port).copied()).collect()
        }
    }

    /// The real processes that run now.
    #[must_use]
    pub fn ids(&self) -> Vec<u32> {
        lock(&self.shared.processes).values().copied().collect()
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the kubelet has been printed, and the test fails for what did not happen.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn hold(&self, workload: &str) -> Option<Hold> {
        lock(&self.holds).get(workload).copied().filter(|hold| *hold != Hold::Release)
    }

    fn has_proxy(&self, namespace: &str, pod: &str) -> bool {
        lock(&self.running).contains_key(&(namespace.to_owned(), pod.to_owned()))
    }

    fn sync_period(&self) -> Duration {
        Duration::from_millis(self.sync_millis.load(Ordering::Relaxed))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(setup: &Setup, shared: &Arc<Shared>, listener: TcpListener) {
    let port = listener.local_addr().expect("an address").port();
    let client = Client::try_from(setup.config.clone()).expect("a client");
    tokio::spawn(server::serve(listener, server::tls(&setup.identity), Arc::clone(shared)));
    let mut pods = BTreeMap::new();
    let mut beat: Option<Instant> = None;
    while !shared.stop.load(Ordering::Relaxed) {
        if beat.is_none_or(|last| last.elapsed() > Duration::from_secs(5))
            && node::beat(&client, port).await
        {
            beat = Some(Instant::now());
        }
        pass(setup, shared, &client, &mut pods).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Looks at every pod of the node once.
async fn pass(
    setup: &Setup,
    shared: &Shared,
    client: &Client,
    states: &mut BTreeMap<String, pod::State>,
) {
    let params = ListParams::default().fields(&format!("spec.nodeName={NODE}"));
    let pods = Api::<Pod>::all(client.clone());
    let listing = tokio::time::timeout(wait::LONG, pods.list(&params));
    // Without an apiserver, what runs keeps running.
    let Ok(Ok(listing)) = listing.await else { return };
    let uids: Vec<String> =
        listing.items.iter().filter_map(|pod| pod.metadata.uid.clone()).collect();
    states.retain(|uid, state| uids.contains(uid) || state.forget(shared));
    for (uid, pod) in uids.iter().zip(&listing.items) {
        let state = states.entry(uid.clone()).or_insert_with(|| pod::State::new(pod));
        state.step(setup, shared, client, pod).await;
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
    }
}
