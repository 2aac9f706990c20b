//! Calls that real proxies carry over what `meshctl mesh apply` has written: the Bookinfo example, in which productpage
//! on cluster1 calls reviews on both clusters.

mod beside;
mod bookinfo;
mod both_ways;
mod federation;
mod policies;
mod protocols;
mod renewal;
mod rotation;

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::time::Duration;

use tests::bookinfo::PORT;
use tests::dns;
use tests::rig::network::alone;

use bookinfo::{Bookinfo, Form, install, until};
use both_ways::both_ways;

/// The spec in the documentation.
const SPEC: &str = include_str!("../../fixtures/mesh/bookinfo-current/mesh.yaml");
/// The same for clusters with remote secrets.
const SECRETS: &str = include_str!("../../fixtures/mesh/bookinfo-multi-primary/mesh.yaml");
const CALLS: usize = 400;
const REMOTE: &str = "reviews.default.svc.cluster2.global";
/// Questions are taken on their way to whatever name server.
const NAMESERVER: &str = "10.96.0.10";

/// Resources of a user who tries to call a service that is not exported.
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

#[test]
fn calls_are_carried_across_clusters() {
    alone("mesh_calls::calls_are_carried_across_clusters", || {
        let Some(mut bookinfo) = Bookinfo::start(Form::Apart) else { return };
        bookinfo.apply(SPEC);
        another_trust_domain(&bookinfo);
        weights(&bookinfo, ["cluster1", "cluster2"], "version-v3");
        remote_name(&bookinfo);
        not_exported(&bookinfo);
        other_identity(&bookinfo);
        protocols::each(&bookinfo);
        policies::settings(&bookinfo);
        policies::failover(&mut bookinfo, SPEC, "reviews.default.svc.global");
        bookinfo.apply_unnoticed(SPEC);
        bookinfo.until_answered_by("v3");
        renewal::intermediates(&mut bookinfo);
    });
}

/// The same with remote secrets: istiods know each other's endpoints, and lead calls through the gateway by themselves.
#[test]
fn calls_are_carried_with_remote_secrets() {
    alone("mesh_calls::calls_are_carried_with_remote_secrets", || {
        let Some(mut bookinfo) = Bookinfo::start(Form::RemoteSecrets) else { return };
        bookinfo.apply(SECRETS);
        bookinfo.until_answered_by("v3");
        weights(&bookinfo, ["cluster.local"; 2], "v3-cluster2");
        policies::failover(&mut bookinfo, SECRETS, "reviews.default.svc.cluster.local");
        bookinfo.apply_unnoticed(SECRETS);
        bookinfo.until_answered_by("v3");
        renewal::root(&mut bookinfo);
    });
}

/// Two meshes with a root each, federated by each trust model in turn.
#[test]
fn calls_are_carried_between_roots() {
    alone("mesh_calls::calls_are_carried_between_roots", || {
        let Some(mut bookinfo) = Bookinfo::start(Form::Roots) else { return };
        federation::each_model(&mut bookinfo, SPEC);
    });
}

/// Two meshes whose istiods made roots of their own trust each other, come to one root, and from it to another.
#[test]
fn calls_go_on_while_roots_are_replaced() {
    alone("mesh_calls::calls_go_on_while_roots_are_replaced", || {
        both_ways(Some("60s"), rotation::without_restarts);
    });
}

/// The same for workloads whose certificates live for a day, and which restart.
#[test]
fn calls_go_on_while_workloads_restart() {
    alone("mesh_calls::calls_go_on_while_workloads_restart", || {
        both_ways(None, rotation::with_restarts);
    });
}

/// A multi-primary mesh of others loses no call while ours is applied next to it and removed.
#[test]
fn calls_of_others_go_on() {
    alone("mesh_calls::calls_of_others_go_on", || {
        let Some(bookinfo) = Bookinfo::start(Form::RemoteSecrets) else { return };
        beside::install(&bookinfo);
        beside::come_and_go(&bookinfo);
    });
}

/// The serving side rejects the caller's trust domain, as `check` says, until it is configured to accept it.
fn another_trust_domain(bookinfo: &Bookinfo) {
    let said = bookinfo.mesh.good("check --context cluster1,cluster2");
    assert!(
        said.contains("effect: calls from cluster1 to cluster2 fail in the handshake"),
        "{said}"
    );
    until("cluster2 refuses the caller", || {
        assert_ne!(bookinfo.call().name(), "v3");
        let v3 = &bookinfo.reviews["v3"].proxy;
        (v3.stat("listener.0.0.0.0_15006.ssl.fail_verify_san") > 0).then_some(())
    });
    install(&bookinfo.mesh.clusters[1], Form::Apart, "trustDomainAliases: [cluster1]\n");
    let said = bookinfo.mesh.good("check --context cluster1,cluster2");
    assert!(!said.contains("calls from cluster1 to cluster2"), "{said}");
    bookinfo.until_answered_by("v3");
    // Each worker of a proxy takes the new listener in its own time.
    bookinfo.until_only(&["v1", "v2", "v3"], 50);
}

/// Every version answers as often as the policy says, within six standard deviations. The server sees the caller's
/// identity in the cluster's trust domain. On the other cluster, the gateway learns from the SNI which subset is meant.
fn weights(bookinfo: &Bookinfo, domains: [&str; 2], subset: &str) {
    let mut counts = BTreeMap::<String, usize>::new();
    for _ in 0..CALLS {
        let answer = bookinfo.call();
        assert_eq!(answer.status, 200, "{answer:?}");
        let certificate = answer.header("x-forwarded-client-cert");
        let by = domains[usize::from(answer.name() == "v3")];
        for part in [
            format!("By=spiffe://{by}/ns/default/sa/bookinfo-reviews;"),
            format!("URI=spiffe://{}/ns/default/sa/bookinfo-productpage", domains[0]),
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
    let sni = format!("outbound_.9080_.{subset}_.reviews.default.svc.cluster.local");
    let passed = format!("tcp.{sni}.downstream_cx_total");
    assert!(bookinfo.gateway.stat(&passed) > 0, "{}", bookinfo.gateway.admin("/stats?filter=tcp"));
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
    bookinfo.until_answered_by("v3");
}
