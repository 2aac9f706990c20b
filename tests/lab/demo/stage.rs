//! Istio and Bookinfo on both clusters, with a real proxy for every pod.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::scope;

use tests::bookinfo::{EAST_WEST, EAST_WEST_LABEL, EAST_WEST_PORT, GATEWAY, PORT, istio, workload};
use tests::rig::Cluster;
use tests::rig::follow::{End, Follow};
use tests::rig::network::Namespace;
use tests::rig::services::Services;

/// The life of certificates of workloads: long enough for a proxy to renew it, short enough to watch.
const LIFE: &str = "60s";

/// Both clusters, and what runs there.
pub(super) struct Stage<'c> {
    clusters: &'c [Cluster],
    services: Vec<Services>,
}

/// A stage on which proxies run.
pub(super) struct Playing<'p> {
    caller: &'p Follow<'p>,
    /// Address of reviews in cluster1.
    pub(super) reviews: String,
}

impl<'c> Stage<'c> {
    pub(super) fn new(clusters: &'c [Cluster]) -> Result<Self, String> {
        let services = scope(|scope| {
            let all: Vec<_> = clusters.iter().map(|one| scope.spawn(|| install(one))).collect();
            all.into_iter().map(|one| one.join()).collect::<Result<Vec<_>, _>>()
        });
        Ok(Self { clusters, services: services.map_err(|_| "a cluster did not come up")? })
    }

    /// Gives every pod its proxy while `act` runs.
    pub(super) fn play(
        &self,
        act: impl FnOnce(&Playing<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let [one, two] = self.clusters else { return Err("two clusters".to_owned()) };
        let [first, second] = &self.services[..] else { return Err("two clusters".to_owned()) };
        let reviews = |cluster: &'c Cluster, services, version: &'static str| {
            let labels = format!("app=reviews,version={version}");
            let name = format!("reviews-{version}");
            cluster.follow(services, ("default", &name), &labels, Some((version, PORT)))
        };
        let caller = one.follow(first, ("default", "productpage-v1"), "app=productpage", None);
        let gateway = two.follow(second, ("istio-system", EAST_WEST), EAST_WEST_LABEL, None);
        let others = [
            gateway,
            reviews(one, first, "v1"),
            reviews(one, first, "v2"),
            reviews(two, second, "v3"),
        ];
        let stop = AtomicBool::new(false);
        scope(|scope| {
            for follow in others.iter().chain([&caller]) {
                scope.spawn(|| follow.run(&stop));
            }
            let _end = End(&stop);
            others.iter().for_each(|follow| drop(follow.network()));
            let reviews = one.service_address("default", "reviews");
            act(&Playing { caller: &caller, reviews })
        })
    }
}

impl Playing<'_> {
    /// The network of productpage.
    pub(super) fn caller(&self) -> Arc<Namespace> {
        self.caller.network()
    }
}

/// Istio with the trust domain of the spec, and the workloads.
fn install(cluster: &Cluster) -> Services {
    let other = if cluster.name() == "cluster1" { "cluster2" } else { "cluster1" };
    cluster.install_istio_crds();
    let mesh = format!("trustDomain: {}\ntrustDomainAliases: [{other}]\n", cluster.name());
    let mut istio = istio(&mesh, None);
    if cluster.name() == "cluster1" {
        // It calls and is not called.
        istio.gateways.clear();
    }
    cluster.install_istio(&istio);
    let workloads = if cluster.name() == "cluster1" {
        workload("productpage", &["v1"]) + &workload("reviews", &["v1", "v2"])
    } else {
        cluster.give_address("istio-system", EAST_WEST, GATEWAY);
        cluster.serve_at(GATEWAY, "istio-system", EAST_WEST, EAST_WEST_PORT);
        workload("reviews", &["v3"])
    };
    cluster.apply(&workloads);
    let mut services = cluster.serve(&[("reviews", PORT)]);
    services.secret_ttl = Some(LIFE.to_owned());
    services
}
