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
        remote_secrets: false,
        resources: resources.iter().collect(),
    };
    rules(&[cluster])
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
fn failover_that_does_not_happen() {
    let failover = |outlier: &str| {
        format!(
            "DestinationRule r {{host: s.n.svc.b.global, trafficPolicy: {{{outlier}loadBalancer: {{localityLbSetting: {{failoverPriority: [a]}}}}}}}}"
        )
    };
    check("1.30.3", &failover(""), &["failover-without-outlier DestinationRule n/r"]);
    for few in ["interval: 1s", "maxEjectionPercent: 99"] {
        let outlier = format!("outlierDetection: {{{few}}}, ");
        check("1.30.3", &failover(&outlier), &["failover-ejection DestinationRule n/r"]);
    }
    check("1.30.3", &failover("outlierDetection: {maxEjectionPercent: 100}, "), &[]);
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
    let (s, t, wide) = ("s.n.svc.cluster.local", "t.n.svc.cluster.local", "*.n.svc.cluster.local");
    let overlap = &["gateway-overlap Gateway n/h"][..];
    for (first, second, wanted) in [
        (s, t, &[][..]),
        // istiod drops one of them.
        (s, s, &[]),
        (&format!("{s}', '{t}"), s, &[]),
        (s, &format!("{s}', '{t}"), overlap),
        // Envoy rejects the listener.
        (s, wide, overlap),
        (wide, s, overlap),
    ] {
        check("1.30.3", &two(first, second), wanted);
    }
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

/// `would-replace`: what a resource of others with a rendered name would lose.
#[test]
fn what_kubectl_apply_would_replace() {
    let resource = |spec: &str| {
        let spec = serde_saphyr::from_str::<Value>(spec).unwrap();
        crate::Resource::new("networking.istio.io/v1", "DestinationRule", "r", "n", "m", spec)
    };
    let wanted = [resource("{host: h, subsets: [{name: v1, labels: {version: v1}}]}")];
    let told = |spec: &str, label: &str| -> Vec<String> {
        let mut live = resource(spec).into_value();
        live["metadata"]["labels"]["app.kubernetes.io/part-of"] = label.into();
        replaced("m", "a", &wanted, &[live]).into_iter().map(|p| p.message).collect()
    };
    let message = "applying what is rendered would replace this resource, which is not of mesh `m`";
    let other = "{host: h, subsets: [{name: canary}, {name: v1, labels: {track: x}}], trafficPolicy: {tls: {mode: DISABLE}}}";
    assert_eq!(told(other, "m"), Vec::<String>::new());
    assert_eq!(told("{host: h}", "other"), [message]);
    assert_eq!(
        told(other, "other"),
        [format!("{message}, and lose subsets[canary], subsets[v1].labels.track, trafficPolicy")]
    );
}

#[test]
fn notes_about_installations() {
    let text = "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
        - {name: a, istioVersion: 1.30.3, trustDomain: a, remoteSecrets: true, network: n, gateway: {addresses: [192.0.2.1]}}\n\
        - {name: b, istioVersion: 1.9.5, trustDomain: b, gateway: {addresses: [192.0.2.2]}}\n\
        - {name: c, istioVersion: 1.30.3, trustDomain: a, remoteSecrets: true, network: n}\n\
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

#[test]
fn clusters_that_a_failover_does_not_name() {
    check(true, &["lint/visible a"]);
    // Its istiod does not know the pods of c.
    check(false, &[]);

    #[track_caller]
    fn check(shared: bool, expect: &[&str]) {
        let text = format!(
            "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
             - {{name: a, istioVersion: 1.30.3, remoteSecrets: true, gateway: {{addresses: [192.0.2.1]}}}}\n\
             - {{name: b, istioVersion: 1.30.3, remoteSecrets: true, gateway: {{addresses: [192.0.2.2]}}}}\n\
             - {{name: c, istioVersion: 1.30.3, remoteSecrets: {shared}, gateway: {{addresses: [192.0.2.3]}}}}\n\
             services:\n\
             - {{name: s, namespace: n, cluster: a, ports: [{{name: t, number: 80, protocol: HTTP}}], importedBy: ['*']}}\n\
             - {{name: s, namespace: n, cluster: b, ports: [{{name: t, number: 80, protocol: HTTP}}], importedBy: ['*']}}\n\
             - {{name: s, namespace: n, cluster: c, ports: [{{name: t, number: 80, protocol: HTTP}}], importedBy: ['*']}}\n\
             policies:\n- {{name: p, service: n/s, clients: [a], failover: [a, b], outlierDetection: {{consecutive5xxErrors: 3}}}}\n"
        );
        let mesh = Mesh::new(&Spec::read(&text).unwrap()).unwrap();
        let visible = notes(&mesh).into_iter().filter(|p| p.code == "lint/visible");
        let found: Vec<String> = visible.map(|p| format!("{} {}", p.code, p.cluster)).collect();
        assert_eq!(found, expect);
    }
}

/// A route for a TLS port depends on the SNI of the client; settings alone do not need one.
#[test]
fn tls_ports() {
    let check = |policy: &str, wanted: &[&str], kinds: &[&str]| {
        let text = format!(
            "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
             - {{name: a, istioVersion: 1.30.3, dns: {{way: none}}}}\n\
             - {{name: b, istioVersion: 1.30.3, gateway: {{addresses: [192.0.2.2]}}}}\n\
             services:\n\
             - {{name: s, namespace: n, cluster: a, ports: [{{name: t, number: 443, protocol: TLS}}]}}\n\
             - {{name: s, namespace: n, cluster: b, ports: [{{name: t, number: 443, protocol: TLS}}], importedBy: [a]}}\n\
             policies:\n- {{name: p, service: n/s, clients: [a], {policy}}}\n"
        );
        let mesh = Mesh::new(&Spec::read(&text).unwrap()).unwrap();
        assert_eq!(notes(&mesh).iter().map(|p| p.code).collect::<Vec<_>>(), wanted, "{policy}");
        let addresses = crate::Lock::default()
            .assign(&mesh, &crate::address::Taken::new(), meshpki::Time(0))
            .unwrap();
        let resources = crate::render(&mesh, mesh.cluster("a").unwrap(), &addresses);
        assert_eq!(resources.iter().map(crate::Resource::kind).collect::<Vec<_>>(), kinds);
    };
    let remote = ["ServiceEntry", "DestinationRule"];
    let routed = ["ServiceEntry", "DestinationRule", "VirtualService"];
    check("route: [{cluster: b, weight: 100}]", &["lint/tls-sni"], &routed);
    check("timeout: 5s", &["lint/setting-ignored"], &remote);
}

#[test]
fn one_note_for_several_clusters() {
    let mut text = String::from(
        "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
         - {name: home, istioVersion: 1.30.3, trustDomain: x, gateway: {addresses: [192.0.2.2]}}\n",
    );
    for name in ["a", "b", "c", "d", "e"] {
        text += &format!("- {{name: {name}, istioVersion: 1.30.3, trustDomain: {name}}}\n");
    }
    text += "services:\n- {name: s, namespace: n, cluster: home, ports: [{name: h, number: 80, protocol: HTTP}], importedBy: ['*']}\n";
    let mesh = Mesh::new(&Spec::read(&text).unwrap()).unwrap();
    let notes = notes(&mesh);
    let [dns, trust] = &notes[..] else { panic!("{notes:#?}") };
    assert_eq!((dns.code, dns.cluster.as_str()), ("lint/dns", "a"));
    assert!(dns.message.ends_with(" (the same in b, c, d and 1 more)"), "{}", dns.message);
    let callers = "it is called from `a` in trust domain a, `b` in trust domain b, `c` in trust domain c and 2 more, but its own is x";
    assert_eq!((trust.code, trust.message.as_str()), ("lint/trust-domain", callers));
    let trust_domains = ["a", "b", "c", "d", "e"].map(String::from).into();
    assert_eq!(trust.remedy, LintRemedy::AddTrustDomains { trust_domains });
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
    // The chart's Gateway is used where it lets the calls in; otherwise there is one of ours.
    check("", "", &["EnvoyFilter"]);
    check("", ", selector: {istio: mine}", &["Gateway", "EnvoyFilter"]);
    check("", ", targetPort: 443", &["Gateway", "EnvoyFilter"]);
    check("dns: {suffix: mesh}\n", "", &["Gateway", "EnvoyFilter"]);

    #[track_caller]
    fn check(dns: &str, gateway: &str, expect: &[&str]) {
        let text = format!(
            "apiVersion: meshctl/v1\nkind: Mesh\n{dns}clusters:\n\
            - {{name: a, istioVersion: 1.6.4, dns: {{way: none}}}}\n\
            - {{name: b, istioVersion: 1.6.4, stockMultiCluster: true, gateway: {{addresses: [192.0.2.2]{gateway}}}}}\n\
            services:\n\
            - {{name: s, namespace: n, cluster: b, ports: [{{name: http, number: 80, protocol: HTTP}}], importedBy: [a]}}\n"
        );
        let mesh = Mesh::new(&Spec::read(&text).unwrap()).unwrap();
        assert_eq!(notes(&mesh).iter().map(|p| p.code).collect::<Vec<_>>(), ["lint/stock-filter"]);
        let addresses = crate::Lock::default()
            .assign(&mesh, &crate::address::Taken::new(), meshpki::Time(0))
            .unwrap();
        let resources = crate::render(&mesh, mesh.cluster("b").unwrap(), &addresses);
        let kinds: Vec<&str> = resources.iter().map(crate::Resource::kind).collect();
        assert_eq!(kinds, expect);
        let rendered: Vec<_> =
            mesh.clusters().iter().map(|c| (c, crate::render(&mesh, c, &addresses))).collect();
        let clusters: Vec<LintCluster<'_>> = rendered
            .iter()
            .map(|(c, resources)| {
                LintCluster::new(c, resources.iter().map(|r| &*r.value).collect())
            })
            .collect();
        let problems = lint(&mesh, &clusters);
        let errors: Vec<_> =
            problems.iter().filter(|p| p.severity == LintSeverity::Error).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn codes_are_sorted_and_each_has_a_test() {
    let mut sorted = LintProblem::CODES.to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, LintProblem::CODES);
    let tests = [include_str!("tests.rs"), include_str!("calls/tests.rs")].concat();
    let missing: BTreeSet<&str> = LintProblem::CODES
        .iter()
        .copied()
        .filter(|code| !tests.contains(code.trim_start_matches("lint/")))
        .collect();
    assert_eq!(missing, BTreeSet::new());
}
