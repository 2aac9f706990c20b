//! Calls that real proxies carry over what `meshctl mesh apply` has written: seed 2's example, productpage on cluster1
//! calling reviews on both clusters.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use tests::dns;
use tests::mesh::Mesh;
use tests::rig::app::{Answer, App, call};
use tests::rig::network::alone;
use tests::rig::sidecar::{STOCK, STOCK_MESH, Sidecar};
use tests::rig::{Cluster, Gateway, Istio};

/// The spec, as it stands in the documentation.
const SPEC: &str = include_str!("../../fixtures/mesh/seed2-current/mesh.yaml");
/// Address of cluster2's gateway in it.
const GATEWAY: &str = "172.18.0.230";
const PORT: u16 = 9080;
const CALLS: usize = 400;
const REMOTE: &str = "reviews.default.svc.cluster2.global";
/// Questions are taken on their way to whatever name server.
const NAMESERVER: &str = "10.96.0.10";

/// What somebody writes who wants a service that is not offered.
const RATINGS: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ratings, namespace: default}
spec:
  hosts: [ratings.default.svc.cluster2.global]
  addresses: [240.0.0.99]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{name: http, number: 9080, protocol: HTTP}]
  endpoints: [{address: 172.18.0.230, ports: {http: 15443}, labels: {security.istio.io/tlsMode: istio}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ratings, namespace: default}
spec:
  host: ratings.default.svc.cluster2.global
  trafficPolicy: {tls: {mode: ISTIO_MUTUAL, sni: outbound_.9080_._.ratings.default.svc.cluster.local}}
";

/// A Service and Deployments of some versions, in YAML.
fn workload(name: &str, versions: &[&str]) -> String {
    let mut text = format!(
        "---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: bookinfo-{name}, namespace: default}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: {PORT}}}]}}
"
    );
    for version in versions {
        text += &format!(
            "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}-{version}, namespace: default}}
spec:
  selector: {{matchLabels: {{app: {name}, version: {version}}}}}
  template:
    metadata: {{labels: {{app: {name}, version: {version}, security.istio.io/tlsMode: istio}}}}
    spec:
      serviceAccountName: bookinfo-{name}
      containers: [{{name: {name}, image: 'docker.io/istio/examples-bookinfo-{name}-{version}:1.20.3'}}]
"
        );
    }
    text
}

/// Two clusters with CAs under one root, bookinfo, and a proxy for every pod.
struct Bookinfo {
    // Dropped in this order.
    productpage: Sidecar,
    gateway: Sidecar,
    reviews: BTreeMap<String, (Sidecar, Arc<App>)>,
    mesh: Mesh,
}

impl Bookinfo {
    fn start() -> Option<Self> {
        let mesh = Mesh::start(&["cluster1", "cluster2"])?;
        let [one, two] = &mesh.clusters[..] else { panic!("two clusters") };
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                install(&mesh, one, "");
                one.apply(
                    &(workload("productpage", &["v1"]) + &workload("reviews", &["v1", "v2"])),
                );
                let istiod = one.serve_istiod();
                let caller = start(one, &istiod, "default", "app=productpage", &[]);
                (caller, reviews(one, &istiod, &["v1", "v2"]))
            });
            let second = scope.spawn(|| {
                install(&mesh, two, "");
                two.apply(&workload("reviews", &["v3"]));
                let istiod = two.serve_istiod();
                let labels = "istio=eastwestgateway";
                let gateway = start(two, &istiod, "istio-system", labels, &[GATEWAY]);
                (gateway, reviews(two, &istiod, &["v3"]))
            });
            (first.join().expect("cluster1"), second.join().expect("cluster2"))
        });
        let reviews = first.1.into_iter().chain(second.1).collect();
        Some(Self { productpage: first.0, gateway: second.0, reviews, mesh })
    }

    fn apply(&self, spec: &str) {
        self.mesh.shell.scratch.write("mesh.yaml", spec);
        println!("{}", self.mesh.good("mesh apply -f @/mesh.yaml --yes"));
    }

    /// A call of productpage's by the name the Service has in its own cluster.
    fn call(&self) -> Answer {
        let at = self.mesh.clusters[0].service_address("default", "reviews");
        self.call_at(&at, "reviews:9080")
    }

    fn call_at(&self, at: &str, host: &str) -> Answer {
        call(&self.productpage.network, (at, PORT), host).expect("an answer")
    }

    /// The proxy of a version of reviews.
    fn proxy(&self, version: &str) -> &Sidecar {
        &self.reviews[version].0
    }
}

/// Asks until there is an answer: configuration takes a moment to reach the proxies.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what}: not in time");
}

/// Istio with the CA of the mesh, and proxies that are a stock Envoy.
fn install(mesh: &Mesh, cluster: &Cluster, more: &str) {
    cluster.install_istio_crds();
    cluster.apply_cacerts(&mesh.shell.scratch.join(format!("ca/{}", cluster.name())));
    let env = STOCK.map(|(name, value)| (name.to_owned(), value.to_owned()));
    cluster.install_istio(&Istio {
        mesh: format!("trustDomain: {}\n{STOCK_MESH}{more}", cluster.name()),
        env: env.into(),
        gateways: vec![Gateway::named("istio-eastwestgateway")],
        ..Istio::default()
    });
}

/// The proxy of the one pod with these labels.
fn start(cluster: &Cluster, istiod: &str, namespace: &str, labels: &str, more: &[&str]) -> Sidecar {
    let pod = cluster.running_pod(namespace, labels);
    cluster.start_proxy(istiod, &pod, more)
}

fn reviews(
    cluster: &Cluster,
    istiod: &str,
    versions: &[&str],
) -> BTreeMap<String, (Sidecar, Arc<App>)> {
    let one = |version: &&str| {
        let labels = format!("app=reviews,version={version}");
        let sidecar = start(cluster, istiod, "default", &labels, &[]);
        let app = App::start(cluster, &sidecar.network, (&sidecar.address, PORT), version);
        ((*version).to_owned(), (sidecar, app))
    };
    versions.iter().map(one).collect()
}

#[test]
fn calls_are_carried_across_clusters() {
    alone("mesh_calls::calls_are_carried_across_clusters", || {
        let Some(bookinfo) = Bookinfo::start() else { return };
        bookinfo.apply(SPEC);
        another_trust_domain(&bookinfo);
        weights(&bookinfo);
        remote_name(&bookinfo);
        not_exported(&bookinfo);
        other_identity(&bookinfo);
    });
}

/// The serving side refuses the trust domain of the caller, as `check` says, until it is told to accept it.
fn another_trust_domain(bookinfo: &Bookinfo) {
    let said = bookinfo.mesh.good("check --context cluster1,cluster2");
    assert!(
        said.contains("effect: calls from cluster1 to cluster2 fail in the handshake"),
        "{said}"
    );
    let refused = until("a call to cluster2", || Some(bookinfo.call()).filter(|a| a.status == 503));
    println!("{}", refused.body);
    let refusals = || bookinfo.proxy("v3").stat("listener.0.0.0.0_15006.ssl.fail_verify_san");
    assert!(refusals() > 0, "{}", bookinfo.proxy("v3").admin("/stats?filter=ssl"));
    install(&bookinfo.mesh, &bookinfo.mesh.clusters[1], "trustDomainAliases: [cluster1]\n");
    let said = bookinfo.mesh.good("check --context cluster1,cluster2");
    assert!(!said.contains("calls from cluster1 to cluster2"), "{said}");
    until("cluster2 answers", || Some(bookinfo.call()).filter(|answer| answer.name() == "v3"));
}

/// Every version answers, as often as the policy says, within six standard deviations; who answers on the other cluster
/// knows who called.
fn weights(bookinfo: &Bookinfo) {
    let mut counts = BTreeMap::<String, usize>::new();
    for _ in 0..CALLS {
        let answer = bookinfo.call();
        assert_eq!(answer.status, 200, "{answer:?}");
        let certificate = answer.header("x-forwarded-client-cert");
        let by = if answer.name() == "v3" { "cluster2" } else { "cluster1" };
        for part in [
            format!("By=spiffe://{by}/ns/default/sa/bookinfo-reviews;"),
            "URI=spiffe://cluster1/ns/default/sa/bookinfo-productpage".to_owned(),
        ] {
            assert!(certificate.contains(&part), "{part} is not in {certificate}");
        }
        *counts.entry(answer.name()).or_default() += 1;
    }
    println!("of {CALLS} calls: {counts:?}");
    for (version, share) in [("v1", 0.15), ("v2", 0.10), ("v3", 0.75)] {
        let expect = CALLS as f64 * share;
        let deviation = (expect * (1.0 - share)).sqrt();
        let count = counts.get(version).copied().unwrap_or_default() as f64;
        assert!((count - expect).abs() < 6.0 * deviation, "{version}: {counts:?}");
    }
    let passed =
        "tcp.outbound_.9080_.version-v3_.reviews.default.svc.cluster.local.downstream_cx_total";
    assert!(bookinfo.gateway.stat(passed) > 0, "{}", bookinfo.gateway.admin("/stats?filter=tcp"));
}

/// Istio's DNS proxy knows the remote name, and its address leads there.
fn remote_name(bookinfo: &Bookinfo) {
    let lock = bookinfo.mesh.shell.scratch.read("mesh.lock");
    let line = lock.lines().find_map(|line| line.strip_prefix(REMOTE)).expect("a line");
    let network = &bookinfo.productpage.network;
    let found = network.enter(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time");
        dns::ask(&socket, (NAMESERVER, 53), REMOTE)
    });
    assert_eq!(found.expect("an answer"), [line.trim()]);
    let answer = bookinfo.call_at(line.trim(), &format!("{REMOTE}:{PORT}"));
    assert_eq!((answer.status, answer.name().as_str()), (200, "v3"), "{answer:?}");
}

/// The gateway has nothing for a service that is not exported, whoever asks.
fn not_exported(bookinfo: &Bookinfo) {
    bookinfo.mesh.clusters[0].apply(RATINGS);
    let refusals = || bookinfo.gateway.stat("listener.0.0.0.0_15443.no_filter_chain_match");
    assert_eq!(refusals(), 0);
    until("the call is refused", || {
        let answer = bookinfo.call_at("240.0.0.99", "ratings.default.svc.cluster2.global:9080");
        assert_ne!(answer.status, 200, "{answer:?}");
        (refusals() > 0).then_some(())
    });
}

/// Who is not one of the accounts the spec names is not who was meant.
fn other_identity(bookinfo: &Bookinfo) {
    bookinfo.apply(&SPEC.replace("[bookinfo-reviews]", "[bookinfo-ratings]"));
    let cluster = format!("cluster.outbound|9080|version-v3|{REMOTE};.ssl.fail_verify_san");
    until("another identity is refused", || {
        let answer = bookinfo.call();
        (answer.status == 503 && bookinfo.productpage.stat(&cluster) > 0).then_some(())
    });
    bookinfo.apply(SPEC);
    until("the identity is right again", || {
        Some(bookinfo.call()).filter(|answer| answer.name() == "v3")
    });
}
