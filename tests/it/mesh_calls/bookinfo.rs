//! Bookinfo on two clusters, with a real proxy for every pod.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::{Duration, Instant};

use k8s_openapi::ByteString;
use serde_json::json;
use tests::bookinfo::{EAST_WEST, EAST_WEST_LABEL, GATEWAY, NETWORK, PORT, istio, workload};
use tests::mesh::Mesh;
use tests::rig::Cluster;
use tests::rig::app::{Answer, App, call};
use tests::rig::follow::End;
use tests::rig::istio::namespace;
use tests::rig::services::Services;
use tests::rig::sidecar::Sidecar;
use tests::rig::wait;

const CLIENT: &str = "app=productpage";

/// Everything that runs, dropped in this order.
pub(super) struct Bookinfo {
    /// Who calls, on cluster1.
    pub(super) productpage: Sidecar,
    /// The east-west gateway of cluster2.
    pub(super) gateway: Sidecar,
    /// v1 and v2 on cluster1, v3 on cluster2.
    pub(super) reviews: BTreeMap<&'static str, Version>,
    _services: [Services; 2],
    pub(super) mesh: Mesh,
}

/// A version of reviews.
pub(super) struct Version {
    pub(super) proxy: Sidecar,
    pub(super) app: Arc<App>,
}

/// How the clusters know each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Each its own trust domain, and nothing else of each other.
    Apart,
    /// Each its own trust domain and its own root, whose CA is in `@/NAME-ca`.
    Roots,
    /// Remote secrets, networks of their own, one trust domain.
    RemoteSecrets,
}

impl Bookinfo {
    pub(super) fn start(form: Form) -> Option<Self> {
        let mesh = Mesh::start(&["cluster1", "cluster2"])?;
        let [one, two] = &mesh.clusters[..] else { panic!("two clusters") };
        for (cluster, other) in [(one, two), (two, one)] {
            prepare(cluster, other, form);
        }
        if form == Form::Roots {
            for name in ["cluster1", "cluster2"] {
                mesh.shell.good(&format!(
                    "ca init @/{name}-ca --cluster {name} --plain-root-key --root-subject 'CN={name} Root'"
                ));
                mesh.good(&format!("push @/{name}-ca --context {name} --before-install --yes"));
            }
        } else {
            mesh.good("push @/ca --context cluster1,cluster2 --before-install --yes");
        }
        let (one, two) = scope(|scope| {
            let one = scope.spawn(|| {
                install(one, form, "");
                let productpage = workload("productpage", &["v1"]);
                one.apply(&(productpage + &workload("reviews", &["v1", "v2"])));
                let services = serve(one, form);
                let caller = proxy(one, &services, "default", CLIENT, &[]);
                (caller, reviews(one, &services, &["v1", "v2"]), services)
            });
            let two = scope.spawn(|| {
                install(two, form, "");
                two.apply(&workload("reviews", &["v3"]));
                let services = serve(two, form);
                let labels = EAST_WEST_LABEL;
                let gateway = proxy(two, &services, "istio-system", labels, &[GATEWAY]);
                (gateway, reviews(two, &services, &["v3"]), services)
            });
            (one.join().expect("cluster1"), two.join().expect("cluster2"))
        });
        Some(Self {
            productpage: one.0,
            gateway: two.0,
            reviews: one.1.into_iter().chain(two.1).collect(),
            _services: [one.2, two.2],
            mesh,
        })
    }

    pub(super) fn apply(&self, spec: &str) {
        self.mesh.shell.scratch.write("mesh.yaml", spec);
        println!("{}", self.mesh.good("mesh apply -f @/mesh.yaml --yes"));
    }

    /// Restarts proxies with the roots that are there now.
    pub(super) fn restart_proxies(&mut self, names: &[&str]) {
        let [one, two] = &self.mesh.clusters[..] else { panic!("two clusters") };
        let reviews = self.reviews.iter_mut().map(|(name, version)| {
            let cluster = if *name == "v3" { two } else { one };
            (*name, "default", cluster, &mut version.proxy)
        });
        let others = [
            ("productpage", "default", one, &mut self.productpage),
            ("gateway", "istio-system", two, &mut self.gateway),
        ];
        scope(|scope| {
            for (name, namespace, cluster, proxy) in reviews.chain(others) {
                if names.contains(&name) {
                    scope.spawn(|| {
                        cluster.sync_roots(namespace, proxy);
                        proxy.start();
                    });
                }
            }
        });
    }

    /// Applies a spec while calls are made without a pause, none of which may fail.
    pub(super) fn apply_unnoticed(&self, spec: &str) {
        self.while_calling(|| self.apply(spec));
    }

    /// Does something while calls are made without a pause, and for a moment after; none may fail.
    pub(super) fn while_calling<T>(&self, act: impl FnOnce() -> T) -> T {
        self.while_calling_at(&self.reviews_address(), "reviews:9080", act)
    }

    /// The same for another host at its address.
    pub(super) fn while_calling_at<T>(&self, at: &str, host: &str, act: impl FnOnce() -> T) -> T {
        let call = |_| {
            let answer = self.call_at(at, host);
            if answer.status == 200 { Ok(answer.name()) } else { Err(format!("{answer:?}")) }
        };
        calling(call, act).0
    }

    /// A call of productpage's by the name the Service has in its own cluster.
    pub(super) fn call(&self) -> Answer {
        self.call_at(&self.reviews_address(), "reviews:9080")
    }

    fn reviews_address(&self) -> String {
        self.mesh.clusters[0].service_address("default", "reviews")
    }

    pub(super) fn call_at(&self, at: &str, host: &str) -> Answer {
        call(&self.productpage.network, (at, PORT), host).expect("an answer")
    }

    /// Calls until a version answers.
    pub(super) fn until_answered_by(&self, version: &str) {
        let what = format!("an answer of {version}");
        until(&what, || (self.call().name() == version).then_some(()));
    }

    /// Calls until one after the other, as many as that, is answered by one of these versions.
    pub(super) fn until_only(&self, versions: &[&str], calls: usize) {
        let mut good = 0;
        until(&format!("{calls} answers of {versions:?} only"), || {
            let answer = self.call();
            let is_good = answer.status == 200 && versions.contains(&answer.name().as_str());
            good = if is_good { good + 1 } else { 0 };
            (good == calls).then_some(())
        });
    }
}

/// Calls on two threads without a pause while something is done, and for a moment after; none may fail. Returns who
/// answered each.
pub(super) fn calling<T>(
    call: impl Fn(usize) -> Result<String, String> + Sync,
    act: impl FnOnce() -> T,
) -> (T, [BTreeMap<String, usize>; 2]) {
    let (ended, start) = (AtomicBool::new(false), Instant::now());
    let calls = |thread: usize| {
        let (mut bad, mut answers) = (Vec::new(), BTreeMap::new());
        while !ended.load(Ordering::Relaxed) {
            let begun = start.elapsed();
            match call(thread) {
                Ok(name) => *answers.entry(name).or_default() += 1,
                Err(why) => {
                    let took = start.elapsed() - begun;
                    bad.push(format!("begun at {begun:.1?}, took {took:.1?}: {why}"));
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        (answers, bad)
    };
    scope(|scope| {
        let calls = &calls;
        let threads = [0, 1].map(|thread| scope.spawn(move || calls(thread)));
        let end = End(&ended);
        let acted = act();
        std::thread::sleep(Duration::from_secs(1));
        drop(end);
        let answers = threads.map(|thread| {
            let (answers, bad): (BTreeMap<String, usize>, Vec<String>) =
                thread.join().expect("calls");
            println!("answers meanwhile: {answers:?}");
            assert!(bad.is_empty(), "{} failed: {bad:?}, {answers:?}", bad.len());
            answers
        });
        (acted, answers)
    })
}

/// Asks until there is an answer: configuration takes a moment to reach the proxies.
pub(super) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < wait::LONG, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The namespace of Istio, and in it what it has to know of the other cluster.
pub(super) fn prepare(cluster: &Cluster, other: &Cluster, form: Form) {
    cluster.apply_object(&namespace("istio-system"));
    if form != Form::RemoteSecrets {
        return;
    }
    let kubeconfig = std::fs::read(other.kubeconfig()).expect("a kubeconfig");
    cluster.apply_object(&json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": format!("istio-remote-secret-{}", other.name()),
            "namespace": "istio-system",
            "labels": {"istio/multiCluster": "true"},
        },
        "data": {other.name(): ByteString(kubeconfig)},
    }));
}

/// Istio whose proxies are a stock Envoy.
pub(super) fn install(cluster: &Cluster, form: Form, more: &str) {
    let is_apart = form != Form::RemoteSecrets;
    let domain = if is_apart { cluster.name() } else { "cluster.local" };
    let network = (!is_apart).then(|| cluster.name());
    cluster.install_istio_crds();
    cluster.install_istio(&istio(&format!("trustDomain: {domain}\n{more}"), network));
    if form == Form::RemoteSecrets {
        let mut istio = namespace("istio-system");
        istio["metadata"]["labels"] = json!({NETWORK: cluster.name()});
        cluster.apply_object(&istio);
    }
    if cluster.name() == "cluster2" {
        cluster.give_address("istio-system", EAST_WEST, GATEWAY);
    }
}

fn serve(cluster: &Cluster, form: Form) -> Services {
    let network = (form == Form::RemoteSecrets).then(|| cluster.name().to_owned());
    let mine: &[_] = if cluster.name() == "cluster1" { &[("reviews", PORT)] } else { &[] };
    let mut services = cluster.serve(mine);
    services.network = network;
    services
}

/// The proxy of the one pod with these labels.
fn proxy(
    cluster: &Cluster,
    services: &Services,
    namespace: &str,
    labels: &str,
    more: &[&str],
) -> Sidecar {
    let pod = cluster.running_pod(namespace, labels);
    cluster.start_proxy(services, &pod, more)
}

fn reviews(
    cluster: &Cluster,
    services: &Services,
    versions: &[&'static str],
) -> BTreeMap<&'static str, Version> {
    let one = |version: &&'static str| {
        let labels = format!("app=reviews,version={version}");
        let proxy = proxy(cluster, services, "default", &labels, &[]);
        let app = App::start(cluster, &proxy.network, (&proxy.address, PORT), version);
        (*version, Version { proxy, app })
    };
    versions.iter().map(one).collect()
}
