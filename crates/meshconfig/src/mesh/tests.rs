use alloc::string::String;
use alloc::{format, vec};

use super::*;

/// Two clusters, `a` with a gateway.
const CLUSTERS: &str = "apiVersion: meshctl/v1
kind: Mesh
clusters:
- {name: b, istioVersion: 1.30.3}
- {name: a, istioVersion: 1.30.3, gateway: {addresses: [192.0.2.1]}}
";
/// A service on each cluster; `b` imports that of `a`.
const SERVICES: &str = "services:
- {name: s, namespace: n, cluster: b, ports: [{name: http, number: 80, protocol: HTTP}], subsets: [{name: v1, labels: {v: '1'}}]}
- {name: s, namespace: n, cluster: a, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: [b]}
";

fn errors(text: &str) -> Vec<String> {
    let told = |error: Error| {
        let error = error.located(text);
        format!("{} {}: {error}", error.code(), error.place().unwrap_or_default())
    };
    match Spec::read(text) {
        Err(error) => vec![told(error)],
        Ok(spec) => Mesh::new(&spec).err().unwrap_or_default().into_iter().map(told).collect(),
    }
}

#[track_caller]
fn check(rest: &str, wanted: &[&str]) {
    assert_eq!(errors(&format!("{CLUSTERS}{rest}")), wanted, "{rest}");
}

#[test]
fn a_good_mesh() {
    check("", &[]);
    check(SERVICES, &[]);
    let spec = Spec::read(&format!("{CLUSTERS}{SERVICES}")).unwrap();
    let mesh = Mesh::new(&spec).unwrap();
    let names: Vec<&str> = mesh.clusters().iter().map(|cluster| cluster.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(mesh.services_named("n", "s").len(), 2);
    assert!(mesh.services_named("n", "t").is_empty());
    assert_eq!(mesh.remote_host(&mesh.services()[0]), "s.n.svc.a.global");
    // The spec, written and read again, is the same.
    assert_eq!(Spec::read(&spec.yaml()).unwrap(), spec);
}

/// With remote secrets a service is looked for under the domain of the cluster that calls it.
#[test]
fn one_domain_for_remote_secrets() {
    let found = |secrets: bool, domain: &str| {
        errors(&format!(
            "apiVersion: meshctl/v1
kind: Mesh
clusters:
- {{name: b, istioVersion: 1.30.3, remoteSecrets: {secrets}, clusterDomain: {domain}}}
- {{name: a, istioVersion: 1.30.3, remoteSecrets: true, gateway: {{addresses: [192.0.2.1]}}}}
services:
- {{name: s, namespace: n, cluster: a, ports: [{{name: h, number: 80, protocol: HTTP}}], importedBy: [b]}}
"
        ))
    };
    assert_eq!(found(true, "cluster.local"), [""; 0]);
    assert_eq!(found(false, "k8s.example"), [""; 0]);
    assert_eq!(
        found(true, "k8s.example"),
        [
            "config/name clusters[0].clusterDomain, line 4: invalid cluster domain `k8s.example`: clusters that import from each other with `remoteSecrets` need the same one"
        ]
    );
}

#[test]
fn the_form_of_the_file() {
    check("colour: 1\n", &["config/unknown-field colour, line 6: unknown field `colour`"]);
    check(
        "service: []\n",
        &[
            "config/unknown-field service, line 6: unknown field `service`; did you mean `services`?",
        ],
    );
    let wrong = "services:\n- {name: s, namespace: n, cluster: a, ports: [{name: x, number: 1, protocol: HTP}]}\n";
    let place = "services[0].ports[0].protocol, line 7";
    let message = format!("config/unknown-name {place}: unknown value `HTP`; did you mean `HTTP`?");
    check(wrong, &[&message]);
    assert_eq!(
        errors("apiVersion: meshctl/v2\nkind: Mesh\nclusters: []\n"),
        [
            "config/unknown-name apiVersion, line 1: unknown value `meshctl/v2`; did you mean `meshctl/v1`?"
        ]
    );
    assert!(errors("clusters: [").first().is_some_and(|error| error.starts_with("config/syntax")));
    assert!(
        errors("apiVersion: meshctl/v1\nkind: Mesh\n")
            .first()
            .is_some_and(|e| e.contains("clusters"))
    );
}

#[test]
fn clusters_and_names() {
    let one = |cluster: &str| {
        errors(&format!(
            "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n- {{name: a, istioVersion: 1.30.3{cluster}}}\n"
        ))
    };
    let check = |cluster: &str, wanted: &str| assert_eq!(one(cluster), [wanted], "{cluster}");
    check(
        "}\n- {name: a, istioVersion: 1.30.3",
        "config/duplicate clusters[1].name, line 5: duplicate cluster `a`: already defined as clusters[0]",
    );
    check(
        "}\n- {name: B, istioVersion: 1.30.3",
        "config/name clusters[1].name, line 5: invalid cluster name `B`: a DNS label has only a-z, 0-9 and `-`",
    );
    check(
        "}\n- {name: b, istioVersion: 1.5.9",
        "config/version clusters[1].istioVersion, line 5: Istio 1.5.9 is not supported: 1.6.0 is the oldest release",
    );
    check(
        "}\n- {name: b, istioVersion: new",
        "config/value clusters[1].istioVersion, line 5: invalid Istio version `new`: expected a release of Istio, such as 1.30.3",
    );
    check(
        ", trustDomain: a_b",
        "config/trust-domain clusters[0].trustDomain, line 4: invalid trust domain `a_b`: only a-z, 0-9, `-` and `.` are allowed",
    );
    check(
        ", gateway: {addresses: [1.2.3.400]}",
        "config/value clusters[0].gateway.addresses[0], line 4: invalid gateway address `1.2.3.400`: expected an IP address or a DNS name",
    );
    for place in ["coredns", "a/b/c", "kube-system/", "K/coredns"] {
        check(
            &format!(", dns: {{way: hosts, configMap: {place}}}"),
            &format!(
                "config/value clusters[0].dns.configMap, line 4: invalid ConfigMap `{place}`: expected NAMESPACE/NAME, such as kube-system/coredns"
            ),
        );
    }
    check(
        ", gateway: {addresses: [], port: 0}",
        "config/value clusters[0].gateway.port, line 4: invalid port `0`: expected 1 to 65535",
    );
    assert_eq!(
        errors("apiVersion: meshctl/v1\nkind: Mesh\nclusters: []\n"),
        ["config/needs clusters, line 3: the mesh needs a cluster"]
    );
}

/// The trust models of pairs, and those that the proxies of a pair do not support.
#[test]
fn trust_models() {
    let told = |trust: &str| {
        errors(&format!(
            "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
             - {{name: a, istioVersion: 1.30.3}}\n\
             - {{name: b, istioVersion: 1.30.3, trustDomain: b.example}}\n\
             - {{name: c, istioVersion: 1.30.3, ambient: true}}\n\
             trust: {trust}\n"
        ))
    };
    let pairs = |pairs: &str| told(&format!("{{pairs: [{pairs}]}}"));
    let check = |found: Vec<String>, expect: &[&str]| assert_eq!(found, expect);
    check(
        pairs("{clusters: [b, a], model: scoped-bridge}, {clusters: [a, c], model: bridge}"),
        &[],
    );
    check(told("{}"), &["config/needs trust, line 7: `trust` needs `model` or `pairs`"]);
    check(
        told("{model: bridge}"),
        &[
            "config/trust-model trust.model, line 7: `b` and `c` cannot use trust model `bridge`: ztunnel in c accepts only its own trust domain, cluster.local, not b.example",
        ],
    );
    check(
        told("{model: scoped-bridge}"),
        &[
            "config/trust-model trust.model, line 7: `a` and `c` (and 1 more pair) cannot use trust model `scoped-bridge`: ztunnel in c rejects every chain with a URI name constraint",
        ],
    );
    check(
        pairs("{clusters: [c, a], model: scoped-bridge}"),
        &[
            "config/trust-model trust.pairs[0].model, line 7: `a` and `c` cannot use trust model `scoped-bridge`: ztunnel in c rejects every chain with a URI name constraint",
        ],
    );
    check(
        pairs("{clusters: [a], model: bridge}, {clusters: [a, a], model: bridge}"),
        &[
            "config/value trust.pairs[0].clusters, line 7: invalid pair `a`: expected two different clusters",
            "config/value trust.pairs[1].clusters, line 7: invalid pair `a, a`: expected two different clusters",
        ],
    );
    check(
        pairs("{clusters: [a, b], model: bridge}, {clusters: [b, a], model: merged-roots}"),
        &[
            "config/duplicate trust.pairs[1], line 7: duplicate pair `b` and `a`: already defined as trust.pairs[0]",
        ],
    );
    check(
        pairs("{clusters: [a, d], model: bridge}"),
        &[
            "config/unknown-name trust.pairs[0].clusters[1], line 7: unknown cluster `d`; did you mean `a`?",
        ],
    );
    check(
        told("{model: bridges}"),
        &[
            "config/unknown-name trust.model, line 7: unknown value `bridges`; did you mean `bridge`?",
        ],
    );
}

/// A service is called from a cluster with which its own has no trust model.
#[test]
fn calls_without_a_trust_model() {
    let found = errors(
        "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
             - {name: a, istioVersion: 1.30.3, gateway: {addresses: [192.0.2.1]}}\n\
             - {name: b, istioVersion: 1.30.3}\n\
             - {name: c, istioVersion: 1.30.3}\n\
             trust: {pairs: [{clusters: [a, b], model: bridge}]}\n\
             services:\n\
             - {name: s, namespace: n, cluster: a, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: ['*']}\n",
    );
    let expect = "config/not-federated trust, line 7: cluster `c` imports `n/s` from `a`, but `trust` has no model for the two";
    assert_eq!(found, [expect]);
}

#[test]
fn suffix_and_pool() {
    check(
        "dns: {suffix: local}\n",
        &[
            "config/dns-suffix dns.suffix, line 6: cannot use `local` as the DNS suffix of remote services: it hides the names of a cluster's own services",
        ],
    );
    check(
        "addresses: {pool: here}\n",
        &[
            "config/value addresses.pool, line 6: invalid address pool `here`: expected a network, such as 240.0.0.0/16 or fd00:240::/112",
        ],
    );
    let pool = |pool: &str, why: &str| {
        let rest = format!("addresses: {{pool: '{pool}'}}\n");
        check(
            &rest,
            &[&format!(
                "config/address-pool addresses.pool, line 6: cannot use {pool} as the address pool: {why}"
            )],
        );
    };
    pool("240.0.0.0/4", "Istio's own allocator uses the same network");
    pool("2001:2::/64", "Istio's own allocator uses the same network");
    pool("127.0.0.0/8", "its addresses are loopback addresses");
    pool("ff00::/8", "its addresses are multicast addresses");
    pool("10.0.0.0/31", "it has fewer than four addresses");
}

#[test]
fn services() {
    let port = "ports: [{name: http, number: 80, protocol: HTTP}]";
    let one = |service: &str, wanted: &str| {
        check(&format!("services:\n- {{name: s, namespace: n, {service}}}\n"), &[wanted]);
    };
    one(
        "cluster: aa, ports: [{name: h, number: 80, protocol: TCP}]",
        "config/unknown-name services[0].cluster, line 7: unknown cluster `aa`; did you mean `a`?",
    );
    one(
        "cluster: a, ports: []",
        "config/needs services[0].ports, line 7: service n/s needs a port",
    );
    one(
        &format!("cluster: a, {port}, importedBy: [a]"),
        "config/imports-own services[0].importedBy[0], line 7: cluster `a` cannot import its own `n/s`",
    );
    one(
        &format!("cluster: b, {port}, importedBy: [a]"),
        "config/gateway-missing clusters[0].gateway, line 4: cluster `b` exports `n/s` to `a`, but has no gateway address",
    );
    one(
        &format!("cluster: a, {port}, subsets: [{{name: v, labels: {{}}}}]"),
        "config/needs services[0].subsets[0].labels, line 7: subset `v` needs labels",
    );
    one(
        &format!(
            "cluster: a, {port}, subsets: [{{name: v, labels: {{a: b}}}}, {{name: v, labels: {{a: c}}}}]"
        ),
        "config/duplicate services[0].subsets[1].name, line 7: duplicate subset `v`: already defined as services[0].subsets[0]",
    );
    one(
        "cluster: a, ports: [{name: h, number: 80, protocol: TCP}, {name: g, number: 80, protocol: TCP}]",
        "config/duplicate services[0].ports[1].number, line 7: duplicate port `80`: already defined as services[0].ports[0]",
    );
    check(&format!("{SERVICES}- {{name: s, namespace: n, cluster: a, {port}}}\n"), &["config/duplicate services[2], line 9: duplicate service `n/s on a`: already defined as services[0]".replace("services[0]", "services[1]").as_str()]);
}

#[test]
fn policies() {
    let one = |policy: &str, wanted: &[&str]| {
        check(&format!("{SERVICES}policies:\n- {{name: p, service: n/s, {policy}}}\n"), wanted);
    };
    one(
        "clients: [b], route: [{cluster: a, weight: 60}, {cluster: b, subset: v1, weight: 40}]",
        &[],
    );
    one(
        "clients: [b], route: [{cluster: a, weight: 60}]",
        &[
            "config/weights policies[0].route, line 10: the weights of policy `p` (60) add up to 60, expected 100",
        ],
    );
    one(
        "clients: [b], route: [{cluster: b, subset: v2, weight: 100}]",
        &[
            "config/unknown-name policies[0].route[0].subset, line 10: unknown subset `v2 of n/s on b`; did you mean `v1`?",
        ],
    );
    one(
        "clients: [a], route: [{cluster: b, weight: 100}]",
        &[
            "config/not-imported policies[0].route[0], line 10: policy `p` sends calls from `a` to `n/s` on `b`, which `a` does not import",
        ],
    );
    one(
        "clients: [c], timeout: 1s",
        &[
            "config/unknown-name policies[0].clients[0], line 10: unknown cluster `c`; did you mean `a`?",
        ],
    );
    one(
        "clients: [b], timeout: 1.5s",
        &[
            "config/value policies[0].timeout, line 10: invalid duration `1.5s`: expected whole numbers with units, such as 5s, 500ms or 1m30s",
        ],
    );
    one(
        "clients: [b], failover: [b, a]",
        &[
            "config/needs policies[0].outlierDetection, line 10: the failover of policy `p` needs outlierDetection: without it, Istio never considers an endpoint unhealthy",
        ],
    );
    one(
        "clients: [b], timeout: 1s}\n- {name: q, service: n/s, clients: ['*'], timeout: 1s",
        &[
            "config/policy-overlap policies[1], line 11: policies `p` and `q` both apply to calls from `b` to `n/s`",
        ],
    );
    one(
        "clients: [b], timeout: 1s}\n- {name: q, service: n/t, clients: ['*'], timeout: 1s",
        &[
            "config/unknown-name policies[1].service, line 11: unknown service `n/t`; did you mean `n/s`?",
        ],
    );
    let other = SERVICES.replacen("number: 80", "number: 81", 1);
    let rest = format!(
        "{other}policies:\n- {{name: p, service: n/s, clients: [b], route: [{{cluster: a, weight: 50}}, {{cluster: b, weight: 50}}]}}\n"
    );
    check(
        &rest,
        &[
            "config/ports-differ policies[0], line 10: `n/s` has ports 80 HTTP on `a` but 81 HTTP on `b`; a policy for both needs the same ports",
        ],
    );
}

#[test]
fn failover_needs_releases_that_can() {
    let text = format!(
        "{CLUSTERS}{SERVICES}policies:\n- {{name: p, service: n/s, clients: [b], failover: [b, a], outlierDetection: {{interval: 1s}}}}\n"
    );
    assert_eq!(errors(&text), [] as [&str; 0]);
    assert_eq!(
        errors(&text.replacen("1.30.3", "1.17.0", 1)),
        [
            "config/failover policies[0].failover, line 10: cluster `b` cannot fail over `n/s`: it runs Istio 1.17.0, and failover by label needs 1.18"
        ]
    );
    let old = text.replace("name: a, istioVersion: 1.30.3", "name: a, istioVersion: 1.7.0");
    assert!(errors(&old)[0].contains("accepts only `.global` names"), "{:?}", errors(&old));
}

/// With remote secrets, pods of one network call each other, and others need the gateway of the serving cluster.
#[test]
fn gateways_between_networks() {
    let check = |home: &str, importer: &str, is_lacking: bool| {
        let spec = format!(
            "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
             - {{name: a, istioVersion: 1.30.3, {importer}}}\n\
             - {{name: b, istioVersion: 1.30.3, {home}}}\n\
             services:\n\
             - {{name: s, namespace: n, cluster: b, importedBy: [a], ports: [{{name: h, number: 80, protocol: TCP}}]}}\n"
        );
        let lacks = |error: &Error| error.code() == "config/gateway-missing";
        let spec = Spec::read(&spec).unwrap();
        let found = Mesh::new(&spec).err().is_some_and(|errors| errors.iter().any(lacks));
        assert_eq!(found, is_lacking, "{home}; {importer}");
    };
    let (secrets, address) = ("remoteSecrets: true", "gateway: {addresses: [192.0.2.1]}");
    check(secrets, secrets, true);
    check(&format!("{secrets}, {address}"), secrets, false);
    check(&format!("{secrets}, network: n"), &format!("{secrets}, network: n"), false);
    check(&format!("{secrets}, network: n"), &format!("{secrets}, network: m"), true);
    check(&format!("{secrets}, network: n"), "remoteSecrets: false, network: n", true);
    check(&format!("{secrets}, {address}"), "remoteSecrets: false", false);
}
