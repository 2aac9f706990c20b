use alloc::collections::BTreeSet;

use alloc::format;

use super::*;
use crate::mesh::Mesh;
use crate::spec::Spec;

/// Resources in short form: `KIND NAME SPEC`, one per line, in the oldest API version.
fn resources(text: &str) -> Vec<Value> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let mut words = line.trim().splitn(3, ' ');
            let (kind, name, spec) =
                (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let api = if name == "new" { "v1" } else { "v1alpha3" };
            serde_json::json!({
                "apiVersion": format!("networking.istio.io/{api}"),
                "kind": kind,
                "metadata": {"name": name, "namespace": "n"},
                "spec": serde_saphyr::from_str::<Value>(spec).unwrap(),
            })
        })
        .collect()
}

fn found(version: &str, text: &str) -> Vec<String> {
    let resources = resources(text);
    let cluster = LintCluster {
        name: "a",
        version: version.parse::<Version>().unwrap(),
        resources: resources.iter().collect(),
    };
    lint(&[cluster])
        .iter()
        .map(|p| format!("{} {}", p.code.trim_start_matches("lint/"), p.resource))
        .collect()
}

#[track_caller]
fn check(version: &str, text: &str, wanted: &[&str]) {
    assert_eq!(found(version, text), wanted, "{version}{text}");
}

const ENTRY: &str = "ServiceEntry e {hosts: [s.n.svc.b.global], addresses: [240.0.0.2], location: MESH_INTERNAL, ports: [{name: http, number: 80, protocol: HTTP}], endpoints: [{address: 1.2.3.4, ports: {http: 15443}, labels: {cluster: b}}], subjectAltNames: [x]}";

#[test]
fn a_rule_for_a_remote_host_has_tls() {
    let rule = |policy: &str| {
        format!("{ENTRY}\nDestinationRule r {{host: s.n.svc.b.global, trafficPolicy: {policy}}}")
    };
    check("1.30.3", &rule("{tls: {mode: ISTIO_MUTUAL}}"), &[]);
    check(
        "1.30.3",
        &rule("{outlierDetection: {interval: 1s}}"),
        &["plain-text DestinationRule n/r"],
    );
    check(
        "1.30.3",
        &rule("{tls: {mode: ISTIO_MUTUAL}, portLevelSettings: [{port: {number: 80}}]}"),
        &["plain-text DestinationRule n/r"],
    );
    check(
        "1.30.3",
        &rule(
            "{tls: {mode: ISTIO_MUTUAL}, loadBalancer: {localityLbSetting: {failoverPriority: [a]}}}",
        ),
        &["failover-without-outlier DestinationRule n/r"],
    );
    let failover = |outlier: &str| {
        rule(&format!(
            "{{tls: {{mode: ISTIO_MUTUAL}}, outlierDetection: {{{outlier}}}, loadBalancer: {{localityLbSetting: {{failoverPriority: [a]}}}}}}"
        ))
    };
    for few in ["interval: 1s", "maxEjectionPercent: 99"] {
        check("1.30.3", &failover(few), &["failover-ejection DestinationRule n/r"]);
    }
    check("1.30.3", &failover("maxEjectionPercent: 100"), &[]);
}

#[test]
fn filters_that_do_nothing() {
    let filter = |name: &str, form: &str, pattern: &str| {
        format!(
            "EnvoyFilter {name} {{configPatches: [{{match: {{listener: {{portNumber: 15443}}}}, patch: {{value: {{name: envoy.filters.network.tcp_cluster_rewrite, {form}: {{cluster_pattern: '{pattern}'}}}}}}}}]}}"
        )
    };
    let ours = |form: &str| filter("f", form, r"\.b\.global$");
    let inert = &["inert-filter EnvoyFilter n/f"][..];
    for (version, form, wanted) in [
        ("1.6.4", "config", &[][..]),
        ("1.6.4", "typed_config", inert),
        ("1.7.0", "config", inert),
        ("1.7.0", "typed_config", &[]),
        ("1.8.5", "typed_config", &[]),
        ("1.8.6", "typed_config", inert),
        ("1.9.4", "typed_config", &[]),
        ("1.9.5", "typed_config", inert),
        ("1.13.4", "typed_config", inert),
        ("1.30.3", "typed_config", inert),
    ] {
        check(version, &ours(form), wanted);
    }
    let both = format!("{}\n{}", ours("config"), filter("stock", "config", r"\.global$"));
    check("1.6.4", &both, &["stock-filter EnvoyFilter n/stock"]);
}

#[test]
fn gateways() {
    let gateway = |name: &str, host: &str| {
        format!(
            "Gateway {name} {{selector: {{istio: g}}, servers: [{{port: {{number: 15443}}, tls: {{mode: AUTO_PASSTHROUGH}}, hosts: ['{host}']}}]}}"
        )
    };
    check("1.30.3", &gateway("g", "s.n.svc.cluster.local"), &[]);
    check("1.30.3", &gateway("g.h", "s.n.svc.cluster.local"), &["gateway-name Gateway n/g.h"]);
    check("1.30.3", &gateway("g", "*.local"), &["gateway-open Gateway n/g"]);
    check("1.9.4", &gateway("g", "*.global"), &["gateway-vulnerable Gateway n/g"]);
    let two = |a: &str, b: &str| format!("{}\n{}", gateway("g", a), gateway("h", b));
    check("1.30.3", &two("s.n.svc.cluster.local", "t.n.svc.cluster.local"), &[]);
    check(
        "1.30.3",
        &two("s.n.svc.cluster.local", "*.n.svc.cluster.local"),
        &["gateway-overlap Gateway n/h"],
    );
}

#[test]
fn entries_and_routes() {
    check("1.30.3", ENTRY, &[]);
    check(
        "1.6.4",
        &ENTRY.replace("addresses: [240.0.0.2], ", ""),
        &["no-address ServiceEntry n/e"],
    );
    check(
        "1.20.0",
        &ENTRY.replace("addresses: [240.0.0.2], ", "").replace("HTTP", "TCP"),
        &["http-as-tcp ServiceEntry n/e", "no-address ServiceEntry n/e"],
    );
    check(
        "1.30.3",
        &ENTRY.replace(", subjectAltNames: [x]", ""),
        &["no-identity ServiceEntry n/e"],
    );
    let other = ENTRY
        .replace("s.n.svc.b.global", "t.n.svc.b.global")
        .replace("ServiceEntry e", "ServiceEntry f");
    check("1.30.3", &format!("{ENTRY}\n{other}"), &["address-shared ServiceEntry n/f"]);
    let service = |weights: [u32; 2]| {
        format!(
            "VirtualService v {{hosts: [s], http: [{{route: [{{destination: {{host: s}}, weight: {}}}, {{destination: {{host: t}}, weight: {}}}]}}]}}",
            weights[0], weights[1]
        )
    };
    check("1.6.4", &service([50, 40]), &["weights VirtualService n/v"]);
    check("1.30.3", &service([50, 40]), &[]);
    check("1.30.3", &service([0, 0]), &["weights VirtualService n/v"]);
    check("1.20.0", "VirtualService new {hosts: [s]}", &["api-version VirtualService n/new"]);
    check(
        "1.30.3",
        "VirtualService v {hosts: [s]}\nVirtualService w {hosts: [s]}",
        &["host-twice VirtualService n/w"],
    );
    // A VirtualService without the rule it needs on cluster 1.
    check(
        "1.30.3",
        "VirtualService v {hosts: [s], http: [{route: [{destination: {host: s, subset: v1}}]}]}",
        &["subset-undefined VirtualService n/v"],
    );
    check(
        "1.30.3",
        "VirtualService v {hosts: [s], http: [{route: [{destination: {host: s, subset: v1}}]}]}\nDestinationRule d {host: s, subsets: [{name: v1}]}",
        &[],
    );
}

#[test]
fn both_sides_know_a_subset() {
    let ours = |sni: &str| {
        resources(&format!(
            "{ENTRY}\nDestinationRule r {{host: s.n.svc.b.global, trafficPolicy: {{tls: {{mode: ISTIO_MUTUAL}}}}, subsets: [{{name: v1{sni}}}]}}"
        ))
    };
    let theirs = |name: &str| {
        resources(&format!(
            "DestinationRule d {{host: s.n.svc.cluster.local, subsets: [{{name: {name}}}]}}"
        ))
    };
    let check = |sni: &str, name: &str, wanted: &[&str]| {
        let (a, b) = (ours(sni), theirs(name));
        let version = Version::new(1, 30, 3);
        let problems = lint(&[
            LintCluster { name: "a", version, resources: a.iter().collect() },
            LintCluster { name: "b", version, resources: b.iter().collect() },
        ]);
        assert_eq!(problems.iter().map(|p| p.code).collect::<Vec<_>>(), wanted, "{sni} {name}");
    };
    let sni = ", trafficPolicy: {tls: {mode: ISTIO_MUTUAL, sni: outbound_.80_.v2_.s.n.svc.cluster.local}}";
    check("", "v1", &[]);
    check("", "v2", &["lint/sni-unknown"]);
    check(sni, "v2", &[]);
    check(sni, "v1", &["lint/sni-unknown"]);
}

#[test]
fn notes_about_installations() {
    let text = "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
        - {name: a, istioVersion: 1.30.3, trustDomain: a, remoteSecrets: true, gateway: {addresses: [192.0.2.1]}}\n\
        - {name: b, istioVersion: 1.9.5, trustDomain: b, gateway: {addresses: [192.0.2.2]}}\n\
        - {name: c, istioVersion: 1.30.3, trustDomain: a, remoteSecrets: true}\n\
        services:\n\
        - {name: s, namespace: n, cluster: b, ports: [{name: t, number: 80, protocol: TCP}], importedBy: [a]}\n\
        - {name: s, namespace: n, cluster: c, ports: [{name: t, number: 80, protocol: TCP}], importedBy: [a]}\n\
        - {name: s, namespace: n, cluster: a, ports: [{name: t, number: 80, protocol: TCP}]}\n\
        policies:\n- {name: p, service: n/s, clients: [a], timeout: 1s}\n";
    let mesh = Mesh::new(&Spec::read(text).unwrap()).unwrap();
    let codes: Vec<String> =
        notes(&mesh).iter().map(|p| format!("{} {}", p.code, p.cluster)).collect();
    assert_eq!(
        codes,
        [
            "lint/setting-ignored a",
            "lint/dns a",
            "lint/not-restricted b",
            "lint/router-mode b",
            "lint/trust-domain b",
            "lint/visible c"
        ]
    );
}

/// Clusters without an entry that can call a service: those whose certificates its server accepts.
#[test]
fn callers_without_an_entry() {
    let check = |clusters: &str, imported_by: &str, wanted: &[&str]| {
        let text = format!(
            "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n{clusters}\nservices:\n\
             - {{name: db, namespace: n, cluster: home, ports: [{{name: t, number: 80, protocol: TCP}}], importedBy: {imported_by}}}\n"
        );
        let mesh = Mesh::new(&Spec::read(&text).unwrap()).unwrap();
        let notes = notes(&mesh);
        let found = notes.iter().filter(|p| p.code == "lint/not-restricted").map(|p| {
            let (before, after) =
                (" get an entry: any workload with a certificate of the mesh, of ", " too, can");
            p.message.split_once(before).unwrap().1.split_once(after).unwrap().0
        });
        assert_eq!(found.collect::<Vec<_>>(), wanted, "{text}");
    };
    let cluster = |name: &str, domain: &str| {
        format!(
            "- {{name: {name}, istioVersion: 1.30.3, trustDomain: {domain}, gateway: {{addresses: [192.0.2.1]}}}}\n"
        )
    };
    let all = |domains: [&str; 4]| {
        let names = ["home", "ops", "staging", "test"];
        names.iter().zip(domains).map(|(name, domain)| cluster(name, domain)).collect::<String>()
    };
    check(&all(["x", "x", "x", "x"]), "[ops]", &["staging, test"]);
    check(&all(["x", "x", "x", "x"]), "['*']", &[]);
    check(&all(["x", "x", "x", "x"]), "[]", &[]);
    // Their trust domain must be that of the server or of a cluster that it is called from.
    check(&all(["x", "y", "y", "z"]), "[ops]", &["staging"]);
    check(&all(["x", "y", "z", "x"]), "[ops]", &["test"]);
    check(&all(["x", "y", "z", "w"]), "[ops]", &[]);
}

#[test]
fn a_stock_install_of_1_6() {
    let text = "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
        - {name: a, istioVersion: 1.6.4, dns: {way: none}}\n\
        - {name: b, istioVersion: 1.6.4, stockMultiCluster: true, gateway: {addresses: [192.0.2.2]}}\n\
        services:\n\
        - {name: s, namespace: n, cluster: b, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: [a]}\n";
    let mesh = Mesh::new(&Spec::read(text).unwrap()).unwrap();
    assert_eq!(notes(&mesh).iter().map(|p| p.code).collect::<Vec<_>>(), ["lint/stock-filter"]);
    let addresses = crate::Lock::default()
        .assign(&mesh, &crate::address::Taken::new(), meshpki::Time(0))
        .unwrap();
    let resources = crate::render(&mesh, mesh.cluster("b").unwrap(), &addresses);
    assert_eq!(resources.iter().map(crate::Resource::kind).collect::<Vec<_>>(), ["EnvoyFilter"]);
}

#[test]
fn codes_are_sorted_and_each_has_a_test() {
    let mut sorted = LintProblem::CODES.to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, LintProblem::CODES);
    let tests = include_str!("tests.rs");
    let missing: BTreeSet<&str> = LintProblem::CODES
        .iter()
        .copied()
        .filter(|code| !tests.contains(code.trim_start_matches("lint/")))
        .collect();
    assert_eq!(missing, BTreeSet::new());
}
