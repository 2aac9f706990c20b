//! A multi-primary mesh as Istio's documentation makes it, with a service that the spec does not know: its calls continue
//! while the resources of a mesh come and go.

use std::collections::BTreeSet;

use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams};
use tests::bookinfo::PORT;
use tests::rig::{Cluster, network};

use super::SECRETS;
use super::bookinfo::{Bookinfo, until};

/// Istio's `samples/multicluster/expose-services.yaml`.
const EXPOSE: &str = "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: cross-network-gateway, namespace: istio-system}
spec:
  selector: {istio: eastwestgateway}
  servers:
  - port: {number: 15443, name: tls, protocol: TLS}
    tls: {mode: AUTO_PASSTHROUGH}
    hosts: ['*.local']
";
/// A service of others on both clusters, with a rule of theirs, and a rule of theirs for a service of the spec.
const OTHERS: &str = "
apiVersion: v1
kind: Service
metadata: {name: others, namespace: default}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec:
  host: reviews.default.svc.cluster.local
  subsets: [{name: canary, labels: {version: v3}}]
";
const CANARY_ADDRESS: &str = "240.0.0.77";
/// Calls of the service of others, by a subset that only their rule defines.
const CANARY: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: others, namespace: default}
spec:
  hosts: [canary.example.com]
  http: [{route: [{destination: {host: reviews.default.svc.cluster.local, subset: canary}}]}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: canary, namespace: default}
spec:
  hosts: [canary.example.com]
  addresses: [240.0.0.77]
  ports: [{name: http, number: 9080, protocol: HTTP}]
  resolution: NONE
";

/// A mesh of others only: ours is removed, and their calls reach both clusters.
pub(super) fn install(bookinfo: &Bookinfo) {
    bookinfo.apply(&without_services());
    let [one, two] = &bookinfo.mesh.clusters[..] else { panic!("two clusters") };
    two.apply(EXPOSE);
    one.apply(OTHERS);
    two.apply(OTHERS);
    one.serve_one("others", PORT);
    network::more(CANARY_ADDRESS);
    one.apply(CANARY);
    let mut seen = BTreeSet::new();
    until("calls of others reach both clusters", || {
        let new = seen.insert(others(bookinfo));
        if new {
            println!("answers so far: {seen:?}");
        }
        seen.contains("v3").then_some(())
    });
    until("their own subset answers", || (canary(bookinfo) == "v3").then_some(()));
}

/// Applies the mesh, and a mesh without its services, while the others are called: no call fails.
pub(super) fn come_and_go(bookinfo: &Bookinfo) {
    let mut seen = BTreeSet::new();
    bookinfo.while_calling_at(&address(bookinfo), "others:9080", || {
        bookinfo.apply(SECRETS);
        bookinfo.until_answered_by("v3");
        assert_eq!(canary(bookinfo), "v3");
        bookinfo.apply(&without_services());
        assert_eq!(names_of_gateways(&bookinfo.mesh.clusters[1]), ["cross-network-gateway"]);
        assert_eq!(canary(bookinfo), "v3");
        for _ in 0..40 {
            seen.insert(others(bookinfo));
        }
    });
    assert!(seen.contains("v3"), "{seen:?}");
    delete_stock_gateway(bookinfo);
}

/// The spec without what it exports, which removes every resource.
fn without_services() -> String {
    let (clusters, _) = SECRETS.split_once("services:").expect("services");
    format!("{clusters}services: []\n")
}

fn gateways(cluster: &Cluster) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("networking.istio.io", "v1", "Gateway");
    Api::namespaced_with(cluster.client(), "istio-system", &ApiResource::from_gvk(&kind))
}

fn names_of_gateways(cluster: &Cluster) -> Vec<String> {
    let list = cluster.block_on(async { gateways(cluster).list(&ListParams::default()).await });
    list.expect("gateways").items.into_iter().filter_map(|one| one.metadata.name).collect()
}

/// The stock Gateway goes, once the mesh has its own again.
fn delete_stock_gateway(bookinfo: &Bookinfo) {
    bookinfo.while_calling_at(&address(bookinfo), "others:9080", || {
        bookinfo.apply(SECRETS);
        let two = &bookinfo.mesh.clusters[1];
        let delete =
            async { gateways(two).delete("cross-network-gateway", &DeleteParams::default()).await };
        assert!(two.block_on(delete).is_ok());
        assert_eq!(names_of_gateways(two), ["cross-network-gateway-bookinfo"]);
        bookinfo.until_answered_by("v3");
    });
}

fn address(bookinfo: &Bookinfo) -> String {
    bookinfo.mesh.clusters[0].service_address("default", "others")
}

/// Who answers a call of the service of others.
fn others(bookinfo: &Bookinfo) -> String {
    let answer = bookinfo.call_at(&address(bookinfo), "others:9080");
    if answer.status == 200 { answer.name() } else { format!("status {}", answer.status) }
}

/// Who answers a call of their subset.
fn canary(bookinfo: &Bookinfo) -> String {
    let answer = bookinfo.call_at(CANARY_ADDRESS, &format!("canary.example.com:{PORT}"));
    if answer.status == 200 { answer.name() } else { format!("status {}", answer.status) }
}
