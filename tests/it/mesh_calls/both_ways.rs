//! Two meshes whose istiods made roots of their own and that call each other in both directions. Every pod has a real
//! proxy, and its successor too, if it restarts.

use std::sync::atomic::AtomicBool;
use std::thread::scope;

use tests::bookinfo::{EAST_WEST, EAST_WEST_LABEL, EAST_WEST_PORT, GATEWAY, PORT, workload};
use tests::mesh::Mesh;
use tests::rig::app::call;
use tests::rig::follow::{End, Follow};
use tests::rig::services::Services;
use tests::rig::{Cluster, Kind};

use super::bookinfo::{Form, calling, install, prepare, until};

/// The gateways of both clusters, as the other one reaches them.
const GATEWAYS: [&str; 2] = ["172.18.0.231", GATEWAY];
/// Productpage, reviews and a gateway on each cluster.
const PODS: usize = 6;
/// What is called, and the versions of it: one on each cluster.
const REVIEWS: [&str; 2] = ["v1", "v3"];

/// Each cluster calls both versions of reviews. A call is repeated if the connection ends before the answer begins: the
/// end of a gateway ends the connections that it passes on.
const SPEC: &str = "
apiVersion: meshctl/v1
kind: Mesh
name: bookinfo
clusters:
- name: cluster1
  trustDomain: cluster1
  istioVersion: 1.30.3
  gateway: {addresses: [172.18.0.231]}
- name: cluster2
  trustDomain: cluster2
  istioVersion: 1.30.3
  gateway: {addresses: [172.18.0.230]}
trust: {model: merged-roots}
services:
- name: reviews
  namespace: default
  cluster: cluster1
  ports: [{name: http, number: 9080, protocol: HTTP}]
  subsets: [{name: version-v1, labels: {version: v1}}]
  importedBy: [cluster2]
- name: reviews
  namespace: default
  cluster: cluster2
  ports: [{name: http, number: 9080, protocol: HTTP}]
  subsets: [{name: version-v3, labels: {version: v3}}]
  importedBy: [cluster1]
policies:
- name: reviews
  service: default/reviews
  clients: [cluster1, cluster2]
  retries: {attempts: 3, retryOn: 'connect-failure,refused-stream,reset,503'}
  route:
  - {cluster: cluster1, subset: version-v1, weight: 50}
  - {cluster: cluster2, subset: version-v3, weight: 50}
";

/// Both clusters, and who calls on each.
pub(super) struct BothWays<'c> {
    pub(super) mesh: &'c Mesh,
    callers: [Follow<'c>; 2],
    /// Of reviews, in each cluster.
    addresses: [String; 2],
}

/// Starts both; `life` is that of the certificates that proxies ask for. Nothing is federated.
pub(super) fn both_ways(life: Option<&str>, test: impl FnOnce(&BothWays<'_>)) {
    let Some(mesh) = Mesh::start(&["cluster1", "cluster2"]) else { return };
    let [one, two] = &mesh.clusters[..] else { panic!("two clusters") };
    let services = scope(|scope| {
        let first = scope.spawn(|| start(one, two, 0, life));
        let second = scope.spawn(|| start(two, one, 1, life));
        [first.join().expect("cluster1"), second.join().expect("cluster2")]
    });
    let at = |index: usize| (&mesh.clusters[index], &services[index]);
    let caller = |index| {
        let (cluster, services) = at(index);
        cluster.follow(services, ("default", "productpage-v1"), "app=productpage", None)
    };
    let addresses = [one, two].map(|cluster| cluster.service_address("default", "reviews"));
    let both = BothWays { mesh: &mesh, callers: [caller(0), caller(1)], addresses };
    let called = [0, 1].map(|index| {
        let ((cluster, services), version) = (at(index), REVIEWS[index]);
        let name = format!("reviews-{version}");
        cluster.follow(services, ("default", &name), "app=reviews", Some((version, PORT)))
    });
    let gateways = [0, 1].map(|index| {
        let (cluster, services) = at(index);
        let workload = ("istio-system", EAST_WEST);
        cluster.follow(services, workload, EAST_WEST_LABEL, None)
    });
    let stop = AtomicBool::new(false);
    scope(|scope| {
        for one in both.callers.iter().chain(&called).chain(&gateways) {
            scope.spawn(|| one.run(&stop));
        }
        let _end = End(&stop);
        called.iter().chain(&gateways).for_each(|one| drop(one.network()));
        test(&both);
    });
}

/// Istio with a root of its own, and the workloads.
fn start(cluster: &Cluster, other: &Cluster, index: usize, life: Option<&str>) -> Services {
    prepare(cluster, other, Form::Apart);
    install(cluster, Form::Apart, &format!("trustDomainAliases: [{}]\n", other.name()));
    cluster.give_address("istio-system", EAST_WEST, GATEWAYS[index]);
    cluster.serve_at(GATEWAYS[index], "istio-system", EAST_WEST, EAST_WEST_PORT);
    cluster.apply(&(workload("productpage", &["v1"]) + &workload("reviews", &[REVIEWS[index]])));
    let mut services = cluster.serve(&[("reviews", PORT)]);
    services.secret_ttl = life.map(str::to_owned);
    services
}

impl BothWays<'_> {
    pub(super) fn apply_spec(&self) {
        self.mesh.shell.scratch.write("mesh.yaml", SPEC);
        println!("{}", self.mesh.good("mesh apply -f @/mesh.yaml --yes"));
    }

    /// A call of a cluster's productpage; the version that answers, or what went wrong.
    pub(super) fn call(&self, from: usize) -> Result<String, String> {
        // Nothing between the two: a pod that is replaced makes no further calls, and its proxy ends soon after.
        let network = self.callers[from].network();
        let answer = call(&network, (&self.addresses[from], PORT), "reviews:9080")?;
        match answer.status {
            200 => Ok(answer.name()),
            _ => Err(format!("{answer:?}")),
        }
    }

    /// Calls until each cluster is answered by the other.
    pub(super) fn until_answered(&self) {
        for (from, version) in [(0, "v3"), (1, "v1")] {
            until("an answer of the other cluster", || {
                (self.call(from).as_deref() == Ok(version)).then_some(())
            });
        }
    }

    /// Does something while both clusters call without a pause, and for a moment after; no call may fail, and each
    /// cluster is answered by both.
    pub(super) fn while_calling<T>(&self, act: impl FnOnce() -> T) -> T {
        let (acted, all) = calling(|from| self.call(from), act);
        for answers in all {
            assert!(REVIEWS.iter().all(|version| answers.contains_key(*version)), "{answers:?}");
        }
        acted
    }

    /// Restarts every workload.
    pub(super) fn restart(&self) {
        for (cluster, version) in self.mesh.clusters.iter().zip(REVIEWS) {
            let reviews = format!("reviews-{version}");
            let gateway = ("istio-system", EAST_WEST);
            let all = [("default", "productpage-v1"), ("default", reviews.as_str()), gateway];
            all.iter()
                .for_each(|(space, name)| cluster.restart(Kind::Deployment, space, name, "now"));
            all.iter().for_each(|(space, name)| cluster.rolled_out(Kind::Deployment, space, name));
        }
    }

    /// The same, once those that are being deleted are gone: they still have what they had.
    pub(super) fn settled_pods(&self) -> Vec<String> {
        until("no pod is being deleted", || Some(self.pods()).filter(|pods| pods.len() == PODS))
    }

    /// The pods of both clusters that have a proxy.
    pub(super) fn pods(&self) -> Vec<String> {
        let all = self.mesh.clusters.iter().flat_map(|cluster| {
            let gateways = cluster.pods("istio-system", EAST_WEST_LABEL);
            cluster.pods("default", "security.istio.io/tlsMode=istio").into_iter().chain(gateways)
        });
        all.filter_map(|pod| pod.metadata.uid).collect()
    }
}
