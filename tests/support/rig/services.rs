//! What connects pods to Services: our own kube-proxy, and names from a real CoreDNS.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use tokio::net::{TcpListener as Listener, TcpStream};

use super::process::{Plan, Process};
use super::{Cluster, network, rig};

/// istiod's TLS port.
pub(super) const ISTIOD: u16 = 15012;

/// Services of a cluster as its pods reach them; dropped, their names are gone.
pub struct Services {
    /// Address of istiod.
    pub istiod: String,
    /// Address of the name server.
    pub names: String,
    /// Network of the pods, where there are several.
    pub network: Option<String>,
    /// Life of the certificates that proxies ask for (`SECRET_TTL`); `None`: a day.
    pub secret_ttl: Option<String>,
    _coredns: Process,
}

impl Cluster {
    /// Serves istiod, names and the given Services of namespace `default` to the network of [`network::alone`].
    ///
    /// # Panics
    /// When an address is taken.
    #[must_use]
    pub fn serve(&self, services: &[(&str, u16)]) -> Services {
        for (name, port) in services {
            self.serve_one(name, *port);
        }
        let (istiod, names) = (network::address(), network::address());
        let (listener, find) = (listen(&istiod, ISTIOD), self.istiod_finder(ISTIOD));
        self.block_on(async {
            let listener = Listener::from_std(listener).expect("a listener");
            tokio::spawn(relay(listener, find));
        });
        let coredns = self.coredns(&names);
        Services { istiod, names, network: None, secret_ttl: None, _coredns: coredns }
    }

    /// Serves a Service of namespace `default` as kube-proxy does, so that a proxy that does not know it yet does not call
    /// into the void: the kernel would remember such a call, and let a later one from the same port past the proxy.
    ///
    /// # Panics
    /// When its address is taken.
    pub fn serve_one(&self, name: &str, port: u16) {
        self.serve_at(&self.service_address("default", name), "default", name, port);
    }

    /// Serves a Service at an address of the network, as a load balancer does.
    ///
    /// # Panics
    /// When the address is taken.
    pub fn serve_at(&self, address: &str, namespace: &str, name: &str, port: u16) {
        network::more(address);
        let (listener, client) = (listen(address, port), self.client());
        let slices = Api::<EndpointSlice>::namespaced(client, namespace);
        let name = name.to_owned();
        self.block_on(async {
            let listener = Listener::from_std(listener).expect("a listener");
            tokio::spawn(balance(listener, slices, name));
        });
    }

    fn coredns(&self, address: &str) -> Process {
        let kubeconfig = self.kubeconfig().display().to_string();
        let context = self.name();
        let corefile = format!(
            ".:53 {{\n bind {address}\n kubernetes cluster.local {{\n  kubeconfig {kubeconfig} {context}\n }}\n errors\n}}\n"
        );
        std::fs::write(self.folder().join("Corefile"), corefile).expect("a file");
        let plan = Plan::new(rig().expect("a cluster runs").path("coredns"), self.folder());
        plan.arg("-conf").arg("Corefile").start()
    }
}

fn listen(address: &str, port: u16) -> TcpListener {
    let listener = TcpListener::bind((address, port)).expect("an address to listen at");
    listener.set_nonblocking(true).expect("a listener");
    listener
}

/// Hands connections to whichever istiod takes them: they listen on loopback, at ports of their own.
async fn relay(listener: Listener, find: impl Fn() -> Vec<u16> + Send + 'static) {
    loop {
        let Ok((here, _)) = listener.accept().await else { continue };
        let ports = find();
        tokio::spawn(async move {
            for port in ports {
                if let Ok(there) = TcpStream::connect(("127.0.0.1", port)).await {
                    return join(here, there).await;
                }
            }
        });
    }
}

/// Hands connections to the endpoints of a Service, in turn; to the next one where an endpoint does not take them.
async fn balance(listener: Listener, slices: Api<EndpointSlice>, name: String) {
    let mut turn = 0;
    loop {
        let Ok((here, _)) = listener.accept().await else { continue };
        turn += 1;
        let (slices, name) = (slices.clone(), name.clone());
        tokio::spawn(async move {
            let mut endpoints = endpoints(slices, &name).await.unwrap_or_default();
            let first = turn % endpoints.len().max(1);
            endpoints.rotate_left(first);
            for endpoint in endpoints {
                let connect = TcpStream::connect(endpoint);
                // An endpoint whose pod is gone does not even refuse.
                if let Ok(Ok(there)) = tokio::time::timeout(Duration::from_secs(1), connect).await {
                    return join(here, there).await;
                }
            }
        });
    }
}

async fn join(mut here: TcpStream, mut there: TcpStream) {
    // Either side may end it.
    let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
}

async fn endpoints(slices: Api<EndpointSlice>, name: &str) -> Option<Vec<SocketAddr>> {
    let params = ListParams::default().labels(&format!("kubernetes.io/service-name={name}"));
    let mut found = Vec::new();
    for slice in slices.list(&params).await.ok()? {
        let port = u16::try_from(slice.ports?.first()?.port?).ok()?;
        let ready = slice.endpoints.into_iter().filter(|endpoint| {
            endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) != Some(false)
        });
        let addresses = ready.flat_map(|endpoint| endpoint.addresses);
        found.extend(addresses.filter_map(|ip| Some(SocketAddr::new(ip.parse().ok()?, port))));
    }
    Some(found)
}
