//! The proxy of a pod: the real `pilot-agent` with a real Envoy, in the pod's network, calls taken by iptables.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::network::{self, Namespace};
use super::process::{Plan, Process, read_log};
use super::{Cluster, app, rig, wait};

/// istiod's TLS port.
const TLS: u16 = 15012;
/// Envoy's own port, on loopback.
const ADMIN: u16 = 15000;
/// The port that says whether the proxy is ready.
const STATUS: u16 = 15021;
/// Group of the proxy: what it sends is not taken.
const GROUP: &str = "1337";

/// What of istiod's and of the proxies' has to be otherwise, for a stock Envoy has no filter of Istio's: no metadata
/// exchange between proxies, no ALPN of Istio's own for HTTP, no Istio metrics. What we render has to do with none.
pub const STOCK: [(&str, &str); 2] =
    [("PILOT_ENABLE_METADATA_EXCHANGE", "false"), ("PILOT_ENABLE_ALPN_FILTER", "false")];
/// The same as a line of `MeshConfig`.
pub const STOCK_MESH: &str = "defaultProviders: {metrics: []}\n";

/// A pod with its proxy; dropped, they end.
pub struct Sidecar {
    /// Name of the pod.
    pub pod: String,
    /// Address of the pod.
    pub address: String,
    /// Network of the pod.
    pub network: Namespace,
    agent: Process,
    log: PathBuf,
}

impl Cluster {
    /// Serves istiod at an address all pods reach, and returns it: what kube-proxy would do.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn serve_istiod(&self) -> String {
        let address = network::address();
        let listener = TcpListener::bind((address.as_str(), TLS)).expect("an address to listen at");
        listener.set_nonblocking(true).expect("a listener");
        let find = self.istiod_finder(TLS);
        self.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            tokio::spawn(relay(listener, find));
        });
        address
    }

    /// Starts the proxy of a pod and waits until it is ready; `more` are further addresses of it.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start_proxy(&self, istiod: &str, pod: &Pod, more: &[&str]) -> Sidecar {
        let me = Me::of(pod);
        let folder = self.folder().join("proxies").join(&me.name);
        fs::create_dir_all(&folder).expect("a folder");
        let addresses: Vec<&str> = [me.address.as_str()].iter().chain(more).copied().collect();
        let network = Namespace::new(&addresses, &folder);
        if me.kind == "sidecar" {
            network.good(&take_calls().iter().map(String::as_str).collect::<Vec<_>>());
        }
        self.write_files(&me, &folder);
        let plan = self.agent(istiod, &me, &network, &folder);
        let mut sidecar = Sidecar {
            pod: me.name.clone(),
            address: me.address,
            network,
            agent: plan.start(),
            log: plan.log,
        };
        let start = std::time::Instant::now();
        while !sidecar.is_ready() {
            let ended = sidecar.agent.ended();
            assert!(ended.is_none(), "{}: {ended:?}\n{}", me.name, sidecar.agent.tail());
            assert!(start.elapsed() < wait::LONG, "{}\n{}", me.name, sidecar.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        sidecar
    }

    /// What a pod has mounted: the mesh's roots, a token for istiod, its labels.
    fn write_files(&self, me: &Me, folder: &Path) {
        let roots = self.config_map_key(&me.namespace, "istio-ca-root-cert", "root-cert.pem");
        let labels = me.labels.iter().map(|(key, value)| format!("{key}={value:?}\n"));
        for (path, text) in [
            ("var/run/secrets/istio/root-cert.pem", roots),
            (
                "var/run/secrets/tokens/istio-token",
                self.token(&me.namespace, &me.account, "istio-ca"),
            ),
            ("etc/istio/pod/labels", labels.collect()),
            ("etc/istio/pod/annotations", String::new()),
        ] {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
    }

    /// The container `istio-proxy` as it is injected. In a namespace of process ids nothing of it outlives it.
    fn agent(&self, istiod: &str, me: &Me, network: &Namespace, folder: &Path) -> Plan {
        let rig = rig().expect("a cluster runs");
        let path = |name: &str| rig.path(name).display().to_string();
        let (agent, template) = (path("pilot-agent"), path("bootstrap.json"));
        let domain = format!("{}.svc.cluster.local", me.namespace);
        // A change of the group takes back what the kernel was told to do at the end of the parent: it comes first.
        let words = format!(
            "setpriv --regid {GROUP} --clear-groups --pdeathsig KILL -- unshare --pid --fork --kill-child -- \
             {agent} proxy {} --domain {domain} --templateFile {template}",
            me.kind
        );
        let command = network.command(&words.split(' ').collect::<Vec<_>>());
        let proxy = json!({
            "binaryPath": path("envoy"),
            "configPath": "./etc/istio/proxy",
            "discoveryAddress": format!("{istiod}:{TLS}"),
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
        plan.env = env.map(|(name, value)| (name.to_owned(), value)).into();
        plan.log = folder.join("proxy.log");
        plan
    }
}

impl Sidecar {
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
        read_log(&self.log)
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

/// Hands connections to whichever istiod takes them.
async fn relay(listener: tokio::net::TcpListener, find: impl Fn() -> Vec<u16> + Send + 'static) {
    loop {
        let Ok((mut here, _)) = listener.accept().await else { continue };
        let ports = find();
        tokio::spawn(async move {
            for port in ports {
                if let Ok(mut there) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
                    // Either side may end it.
                    let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
                    return;
                }
            }
        });
    }
}
