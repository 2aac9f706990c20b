//! The proxy of a pod: the real `pilot-agent` with a real Envoy, in the pod's network, with calls redirected by
//! iptables.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::network::{Door, Namespace};
use super::process::{Plan, Process, read_log};
use super::services::{ISTIOD, Services};
use super::{Cluster, app, rig, wait};

/// Envoy's own port, on loopback.
const ADMIN: u16 = 15000;
/// The port that says whether the proxy is ready.
const STATUS: u16 = 15021;
/// The roots in a pod's folder.
const ROOTS: &str = "var/run/secrets/istio/root-cert.pem";
/// Group of the proxy: what it sends is not taken.
const GROUP: &str = "1337";

/// What of istiod's and of the proxies' has to be otherwise, for a stock Envoy has no filter of Istio's: no metadata
/// exchange between proxies, no ALPN of Istio's own for HTTP, no Istio metrics. What we render has to do with none.
pub const STOCK: [(&str, &str); 2] =
    [("PILOT_ENABLE_METADATA_EXCHANGE", "false"), ("PILOT_ENABLE_ALPN_FILTER", "false")];
/// The same as a line of `MeshConfig`.
pub const STOCK_MESH: &str = "defaultProviders: {metrics: []}\n";

/// A pod with its proxy; dropped, it ends.
pub struct Sidecar {
    /// Name of the pod.
    pub pod: String,
    /// Address of the pod.
    pub address: String,
    /// Network of the pod.
    pub network: Arc<Namespace>,
    plan: Plan,
    agent: Option<Process>,
}

impl Cluster {
    /// Starts the proxy of a pod and waits until it is ready; `more` are further addresses of it.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start_proxy(&self, services: &Services, pod: &Pod, more: &[&str]) -> Sidecar {
        self.start_proxy_before(services, pod, more, |_| {})
    }

    /// The same, with something to do before the kubelet learns of the proxy.
    pub(super) fn start_proxy_before(
        &self,
        services: &Services,
        pod: &Pod,
        more: &[&str],
        act: impl FnOnce(&Sidecar),
    ) -> Sidecar {
        let me = Me::of(pod);
        let folder = self.folder().join("proxies").join(&me.name);
        fs::create_dir_all(&folder).expect("a folder");
        let addresses: Vec<&str> = [me.address.as_str()].iter().chain(more).copied().collect();
        let network = Arc::new(Namespace::new(&addresses, &folder));
        if me.kind == "sidecar" {
            network.good(&take_calls().iter().map(String::as_str).collect::<Vec<_>>());
        }
        self.write_files(services, &me, &folder);
        let plan = self.agent(services, &me, &network, &folder);
        let (pod, address) = (me.name.clone(), me.address.clone());
        let mut sidecar = Sidecar { pod, address, network, plan, agent: None };
        sidecar.start();
        act(&sidecar);
        self.forward_admin(&me, &sidecar.network, &folder);
        sidecar
    }

    /// Leads the kubelet's port forwarding to Envoy's own port.
    fn forward_admin(&self, me: &Me, network: &Namespace, folder: &Path) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let ports = BTreeMap::from([(ADMIN, port)]);
        self.kubelet().publish(&me.namespace, &me.name, ports, folder.join("proxy.log"));
        let door = Arc::new(network.door());
        listener.set_nonblocking(true).expect("a listener");
        self.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(relay(stream, Arc::clone(&door)));
                }
            });
        });
    }

    /// Brings a pod the roots its namespace has now, as the kubelet does a while after they changed.
    ///
    /// # Panics
    /// When they cannot be written.
    pub fn sync_roots(&self, namespace: &str, proxy: &Sidecar) {
        let roots = self.config_map_key(namespace, "istio-ca-root-cert", "root-cert.pem");
        let path = proxy.plan.folder.join(ROOTS);
        if fs::read_to_string(&path).is_ok_and(|there| there == roots) {
            return;
        }
        // At once, as the kubelet does: the agent reads the file in the moment in which it changes.
        let new = path.with_extension("new");
        fs::write(&new, roots).and_then(|()| fs::rename(&new, &path)).expect("a file");
    }

    /// What a pod has mounted: the mesh's roots, a token for istiod, its labels.
    fn write_files(&self, services: &Services, me: &Me, folder: &Path) {
        let roots = self.config_map_key(&me.namespace, "istio-ca-root-cert", "root-cert.pem");
        let labels = me.labels.iter().map(|(key, value)| format!("{key}={value:?}\n"));
        for (path, text) in [
            (ROOTS, roots),
            (
                "var/run/secrets/tokens/istio-token",
                self.token(&me.namespace, &me.account, "istio-ca"),
            ),
            ("etc/istio/pod/labels", labels.collect()),
            ("etc/istio/pod/annotations", String::new()),
            ("resolv.conf", format!("nameserver {}\n", services.names)),
        ] {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
    }

    /// The container `istio-proxy` as it is injected. In a namespace of process ids nothing of it outlives it.
    fn agent(&self, services: &Services, me: &Me, network: &Namespace, folder: &Path) -> Plan {
        let rig = rig().expect("a cluster runs");
        let path = |name: &str| rig.path(name).display().to_string();
        let (agent, template) = (path("pilot-agent"), path("bootstrap.json"));
        let domain = format!("{}.svc.cluster.local", me.namespace);
        // A change of the group cancels the signal that the kernel sends when the parent ends: it comes first.
        let words = format!(
            "setpriv --regid {GROUP} --clear-groups --pdeathsig KILL -- unshare --pid --fork --kill-child -- \
             {agent} proxy {} --domain {domain} --templateFile {template}",
            me.kind
        );
        let script = format!("mount --bind resolv.conf /etc/resolv.conf; exec {words}");
        let command = network.command(&["unshare", "--mount", "--", "sh", "-ec", &script]);
        let proxy = json!({
            "binaryPath": path("envoy"),
            "configPath": "./etc/istio/proxy",
            "discoveryAddress": format!("{}:{ISTIOD}", services.istiod),
            "concurrency": 1,
            "statusPort": 15020,
            "proxyStatsMatcher": {"inclusionRegexps": [".*"]},
        });
        let env = [
            ("PROXY_CONFIG", proxy.to_string()),
            ("ISTIOD_SAN", "istiod.istio-system.svc".to_owned()),
            ("PILOT_CERT_PROVIDER", "istiod".to_owned()),
            ("POD_NAME", me.name.clone()),
            ("POD_NAMESPACE", me.namespace.clone()),
            ("INSTANCE_IP", me.address.clone()),
            ("HOST_IP", "127.0.0.1".to_owned()),
            ("SERVICE_ACCOUNT", me.account.clone()),
            ("TRUST_DOMAIN", self.name().to_owned()),
            ("ISTIO_META_CLUSTER_ID", self.name().to_owned()),
            ("ISTIO_META_INTERCEPTION_MODE", "REDIRECT".to_owned()),
            ("ISTIO_META_DNS_CAPTURE", "true".to_owned()),
            // Else it asks the metadata servers of three clouds first.
            ("CLOUD_PLATFORM", "none".to_owned()),
            ("HOME", folder.display().to_string()),
        ];
        let mut plan = Plan::new(Path::new(&command[0]), folder);
        plan.args = command[1..].to_vec();
        let network = services.network.clone();
        // A gateway leads to the pods of its own network only, as Istio's chart has it (`networkGateway`).
        let view = network.clone().filter(|_| me.kind == "router");
        let of_network = [
            network.map(|network| ("ISTIO_META_NETWORK", network)),
            view.map(|network| ("ISTIO_META_REQUESTED_NETWORK_VIEW", network)),
            services.secret_ttl.clone().map(|ttl| ("SECRET_TTL", ttl)),
        ];
        let env = env.into_iter().chain(of_network.into_iter().flatten());
        plan.env = env.map(|(name, value)| (name.to_owned(), value)).collect();
        plan.log = folder.join("proxy.log");
        plan
    }
}

impl Sidecar {
    /// Kills the proxy without notice, as a crash does.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Some(agent) = self.agent.take() {
            agent.wait();
        }
    }

    /// Asks the proxy to end, as the kubelet does when the pod is deleted: it drains first.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Whether the proxy has ended.
    pub fn has_ended(&mut self) -> bool {
        self.agent.as_mut().is_none_or(|agent| agent.ended().is_some())
    }

    fn signal(&self, signal: Signal) {
        let Some(agent) = &self.agent else { return };
        // The first process of a namespace is gone when all are, and `unshare` waits for it.
        let children = format!("/proc/{0}/task/{0}/children", agent.id());
        for child in fs::read_to_string(children).unwrap_or_default().split_whitespace() {
            if let Some(id) = child.parse().ok().and_then(Pid::from_raw) {
                // It may end in this very moment.
                let _ = kill_process(id, signal);
            }
        }
    }

    /// Starts the proxy, again where it runs, and waits until it is ready; its certificate is a new one.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(&mut self) {
        self.kill();
        let mut agent = self.plan.start();
        let start = Instant::now();
        while !self.is_ready() {
            let ended = agent.ended();
            assert!(ended.is_none(), "{}: {ended:?}\n{}", self.pod, agent.tail());
            assert!(start.elapsed() < wait::LONG, "{}\n{}", self.pod, self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        self.agent = Some(agent);
    }

    fn is_ready(&self) -> bool {
        let answer = app::get(&self.network, (&self.address, STATUS), "rig", "/healthz/ready");
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// What Envoy answers on its own port.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn admin(&self, path: &str) -> String {
        let answer = app::get(&self.network, ("127.0.0.1", ADMIN), "rig", path);
        answer.unwrap_or_else(|why| panic!("{}: {why}\n{}", self.pod, self.log())).body
    }

    /// A counter of Envoy's, 0 where it has none of that name.
    #[must_use]
    pub fn stat(&self, name: &str) -> u64 {
        let all = self.admin("/stats");
        let value = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// What agent and Envoy printed.
    #[must_use]
    pub fn log(&self) -> String {
        read_log(&self.plan.log)
    }
}

/// Moves bytes between a connection and Envoy's own port; a proxy that does not run has none.
async fn relay(mut stream: tokio::net::TcpStream, door: Arc<Door>) {
    let connect = move || door.enter(|| TcpStream::connect(("127.0.0.1", ADMIN)));
    let Ok(Ok(there)) = tokio::task::spawn_blocking(connect).await else { return };
    if there.set_nonblocking(true).is_ok()
        && let Ok(mut there) = tokio::net::TcpStream::from_std(there)
    {
        // Either side may end it.
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
    }
}

/// Who a pod is.
struct Me {
    kind: &'static str,
    name: String,
    namespace: String,
    address: String,
    account: String,
    labels: BTreeMap<String, String>,
}

impl Me {
    fn of(pod: &Pod) -> Self {
        let (meta, spec) = (pod.metadata.clone(), pod.spec.clone().expect("a spec"));
        let is_gateway = spec.containers.iter().any(|container| container.name == "istio-proxy");
        Self {
            kind: if is_gateway { "router" } else { "sidecar" },
            name: meta.name.expect("a name"),
            namespace: meta.namespace.expect("a namespace"),
            address: pod.status.as_ref().and_then(|s| s.pod_ip.clone()).expect("an address"),
            account: spec.service_account_name.unwrap_or_else(|| "default".to_owned()),
            labels: meta.labels.unwrap_or_default(),
        }
    }
}

/// What the container `istio-init` does.
fn take_calls() -> Vec<String> {
    let agent = rig().expect("a cluster runs").path("pilot-agent").display().to_string();
    let words = "istio-iptables -p 15001 -z 15006 -u 1337 -g 1337 -m REDIRECT -i * -b * -d 15090,15021,15020 \
                 --redirect-dns --capture-all-dns --force-iptables-binary nft";
    [agent].into_iter().chain(words.split(' ').map(str::to_owned)).collect()
}
