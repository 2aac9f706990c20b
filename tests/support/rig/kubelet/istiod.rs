//! The real container: istiod as a process, with the volumes and the environment of its pod.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Container, EnvVar, Pod, ServiceAccount};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::status::{Exit, State, View};
use super::volume::{self, Mount};
use super::{Running, Setup, Shared, lock};
use crate::rig::process::{Plan, Process};
use crate::rig::{kubeconfig, ports};

/// The port istiod answers probes on.
const HTTP: u16 = 8080;
/// Flags that say where istiod listens, and the ports its pod declares.
const LISTENERS: [(&str, u16); 5] = [
    ("--httpAddr", HTTP),
    ("--grpcAddr", 15010),
    ("--secureGRPCAddr", 15012),
    ("--httpsAddr", 15017),
    ("--monitoringAddr", 15014),
];
/// Waiting before the first restart; it doubles. A real kubelet starts with 10 s and ends with 300 s.
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(8);

/// A pod's istiod.
pub(super) struct Istiod {
    pod: String,
    namespace: String,
    /// Volumes and credentials; gone with the pod.
    folder: PathBuf,
    plan: Plan,
    mounts: Vec<Mount>,
    synced: Instant,
    ports: BTreeMap<u16, u16>,
    process: Option<Process>,
    since: String,
    /// Bytes of the log before this start.
    logged: usize,
    probe: Probe,
    restarts: u32,
    backoff: Duration,
    start_at: Instant,
    last_exit: Option<Exit>,
}

#[derive(Default)]
struct Probe {
    ready: bool,
    failures: u32,
    asked: Option<Instant>,
}

impl Istiod {
    /// Mounts the volumes and makes the credentials; the process starts with the first step.
    pub(super) async fn new(
        setup: &Setup,
        client: &Client,
        pod: &Pod,
        container: &Container,
    ) -> Result<Self, String> {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let name = pod.metadata.name.clone().unwrap_or_default();
        let namespace = pod.metadata.namespace.clone().unwrap_or_default();
        let folder = setup.folder.join("pods").join(uid);
        let root = folder.join("root");
        fs::create_dir_all(&root).map_err(|error| error.to_string())?;
        let mounts = volume::mounts(pod, container, &root);
        for mount in &mounts {
            mount.sync(client, &namespace).await?;
        }
        let kubeconfig = folder.join("kubeconfig");
        credentials(setup, client, pod, &kubeconfig).await?;
        let args = container.args.clone().unwrap_or_else(|| vec!["discovery".to_owned()]);
        let plan = Plan {
            program: setup.pilot.clone(),
            args: [args, vec![format!("--kubeconfig={}", kubeconfig.display())]].concat(),
            env: environment(pod, container, &root),
            folder: root,
            log: setup.folder.join(format!("{namespace}.{name}.log")),
        };
        Ok(Self {
            pod: name,
            namespace,
            folder,
            plan,
            mounts,
            synced: Instant::now(),
            ports: BTreeMap::new(),
            process: None,
            since: String::new(),
            logged: 0,
            probe: Probe::default(),
            restarts: 0,
            backoff: BACKOFF,
            start_at: Instant::now(),
            last_exit: None,
        })
    }

    /// Restarts, probes and syncs where it is time to.
    pub(super) async fn step(&mut self, client: &Client, sync_period: Duration) -> View {
        if self.synced.elapsed() >= sync_period {
            self.synced = Instant::now();
            for mount in &self.mounts {
                // A volume keeps what it has while its source cannot be read.
                let _ = mount.sync(client, &self.namespace).await;
            }
        }
        self.reap();
        if self.process.is_none() && Instant::now() >= self.start_at {
            self.start();
        }
        if self.process.is_some() {
            self.probe.look(self.ports[&HTTP]).await;
        }
        self.view()
    }

    /// Tells the kubelet's server where the container is.
    pub(super) fn publish(&self, shared: &Shared, namespace: &str, name: &str) {
        let running = Running { ports: self.ports.clone(), log: self.plan.log.clone() };
        lock(&shared.running).insert((namespace.to_owned(), name.to_owned()), running);
        let mut logs = lock(&shared.logs);
        if !logs.contains(&self.plan.log) {
            logs.push(self.plan.log.clone());
        }
        let mut processes = lock(&shared.processes);
        match &self.process {
            Some(process) => processes.insert(name.to_owned(), process.id()),
            None => processes.remove(name),
        };
    }

    /// Asks the process to end, or ends it; whether it is gone.
    pub(super) fn end(&mut self, now: bool) -> bool {
        let Some(process) = &mut self.process else { return true };
        process.terminate();
        if now {
            process.kill();
        }
        process.ended().is_some()
    }

    fn start(&mut self) {
        let mut plan = self.plan.clone();
        self.ports.clear();
        for (flag, port) in LISTENERS {
            let real = ports::free();
            self.ports.insert(port, real);
            plan = plan.arg(format!("{flag}=127.0.0.1:{real}"));
        }
        plan = plan.arg(format!("--ctrlz_port={}", ports::free()));
        self.logged = fs::metadata(&plan.log).map_or(0, |meta| meta.len() as usize);
        self.process = Some(plan.start());
        self.probe = Probe::default();
        self.since = Timestamp::now().to_string();
        if self.last_exit.is_some() {
            self.restarts += 1;
        }
    }

    /// Notes the end of the process, and when to start it again.
    fn reap(&mut self) {
        let Some(process) = &mut self.process else { return };
        let Some(status) = process.ended() else { return };
        let log = process.log();
        let said = log.get(self.logged..).unwrap_or_default();
        self.process = None;
        self.probe = Probe::default();
        if said.contains("address already in use") {
            // Another process took a port: that is not istiod's fault, and does not happen in a cluster.
            return;
        }
        let code = status.code().unwrap_or(137);
        self.last_exit = Some(Exit { code, at: Timestamp::now().to_string() });
        self.start_at = Instant::now() + self.backoff;
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
    }

    fn view(&self) -> View {
        let state = match self.process {
            Some(_) => State::Running { since: self.since.clone() },
            None => State::Waiting {
                reason: "CrashLoopBackOff",
                message: format!(
                    "back-off restarting failed container=discovery pod={}_{}",
                    self.pod, self.namespace
                ),
            },
        };
        View {
            state,
            ready: self.process.is_some() && self.probe.ready,
            restarts: self.restarts,
            last_exit: self.last_exit.clone(),
        }
    }
}

impl Drop for Istiod {
    fn drop(&mut self) {
        // First the process, which reads the files. What cannot be removed goes with the cluster.
        self.process = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Probe {
    /// Asks as often as a pod's readiness probe with a period of 1 s, and faster until it is ready; three
    /// failures in a row count.
    async fn look(&mut self, port: u16) {
        let often = Duration::from_secs(1);
        if self.ready && self.asked.is_some_and(|asked| asked.elapsed() < often) {
            return;
        }
        self.asked = Some(Instant::now());
        if answers(port).await {
            (self.ready, self.failures) = (true, 0);
        } else {
            self.failures += 1;
            self.ready &= self.failures < 3;
        }
    }
}

/// Whether `GET /ready` is answered with 200.
async fn answers(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let request = b"GET /ready HTTP/1.1\r\nHost: rig\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.ok()?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.ok()?;
        Some(answer.ends_with(b" 200"))
    };
    tokio::time::timeout(Duration::from_secs(1), ask).await.ok().flatten().unwrap_or(false)
}

/// A kubeconfig with a token of the pod's ServiceAccount.
async fn credentials(setup: &Setup, client: &Client, pod: &Pod, path: &Path) -> Result<(), String> {
    let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref());
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    let day = Some(24 * 60 * 60);
    let spec = TokenRequestSpec { expiration_seconds: day, ..TokenRequestSpec::default() };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let account = account.unwrap_or("default");
    let token = accounts.create_token_request(account, &PostParams::default(), &request).await;
    let token = token.map_err(|error| error.to_string())?.status.map(|status| status.token);
    let user = json!({"token": token.unwrap_or_default()});
    kubeconfig::write(path, &setup.name, setup.apiserver, &setup.ca_pem, &user);
    Ok(())
}

/// What the container's environment says; paths of the image lie below `root`.
fn environment(pod: &Pod, container: &Container, root: &Path) -> Vec<(String, String)> {
    let variables = container.env.iter().flatten();
    let mut env: Vec<(String, String)> = variables
        .filter(|variable| variable.name != "KUBECONFIG")
        .filter_map(|variable| Some((variable.name.clone(), value(pod, variable)?)))
        .collect();
    for (_, value) in env.iter_mut().filter(|(name, _)| name == "ROOT_CA_DIR") {
        let below: PathBuf = root.join(value.trim_start_matches("./").trim_start_matches('/'));
        *value = below.display().to_string();
    }
    env.push(("HOME".to_owned(), root.display().to_string()));
    env
}

fn value(pod: &Pod, variable: &EnvVar) -> Option<String> {
    let Some(from) = &variable.value_from else {
        return Some(variable.value.clone().unwrap_or_default());
    };
    if from.resource_field_ref.is_some() {
        return Some("2".to_owned());
    }
    let spec = pod.spec.as_ref();
    match from.field_ref.as_ref()?.field_path.as_str() {
        "metadata.name" => pod.metadata.name.clone(),
        "metadata.namespace" => pod.metadata.namespace.clone(),
        "metadata.uid" => pod.metadata.uid.clone(),
        "spec.nodeName" => spec?.node_name.clone(),
        "spec.serviceAccountName" => spec?.service_account_name.clone(),
        "status.podIP" | "status.hostIP" => Some("127.0.0.1".to_owned()),
        _ => None,
    }
}
