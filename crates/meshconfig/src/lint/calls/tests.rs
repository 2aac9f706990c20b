//! Faults in an otherwise correct mesh, each with what is found; the same rules are judged by istiod's own generators on
//! random meshes (`cargo xtask calls`).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use crate::address::Taken;
use crate::lint::{LintCluster, LintSeverity, calls};
use crate::mesh::Mesh;
use crate::spec::Spec;
use crate::{Lock, Resource, render};

/// Cluster `a` calls `n/s` on `b`.
const SPEC: &str = "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
    - {name: a, istioVersion: 1.30.3}\n\
    - {name: b, istioVersion: 1.30.3, gateway: {addresses: [192.0.2.2]}}\n\
    services:\n\
    - {name: s, namespace: n, cluster: b, serviceAccounts: [s], ports: [{name: http, number: 80, protocol: HTTP}], subsets: [{name: v1, labels: {version: v1}}], importedBy: [a]}\n";

/// The same with remote secrets; both clusters have the service.
const REGISTRY: &str = "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
    - {name: a, istioVersion: 1.30.3, remoteSecrets: true, gateway: {addresses: [192.0.2.1]}}\n\
    - {name: b, istioVersion: 1.30.3, remoteSecrets: true, gateway: {addresses: [192.0.2.2]}}\n\
    services:\n\
    - {name: s, namespace: n, cluster: a, ports: [{name: http, number: 80, protocol: HTTP}]}\n\
    - {name: s, namespace: n, cluster: b, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: [a]}\n";

/// What is done to the resources of a cluster: `KIND PATH = VALUE` changes every rendered resource of the kind, an empty
/// value removes them or what is at the path; `+ KIND NAMESPACE/NAME SPEC` adds one.
fn faulty(rendered: Vec<Resource>, faults: &[&str]) -> Vec<Value> {
    let mut all: Vec<Value> = rendered.into_iter().map(Resource::into_value).collect();
    for fault in faults {
        if let Some(added) = fault.strip_prefix("+ ") {
            let mut words = added.splitn(3, ' ');
            let (kind, id, spec) =
                (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let (namespace, name) = id.split_once('/').unwrap();
            let api = match kind {
                "Service" => "v1",
                "PeerAuthentication" => "security.istio.io/v1",
                _ => "networking.istio.io/v1",
            };
            all.push(serde_json::json!({
                "apiVersion": api,
                "kind": kind,
                "metadata": {"namespace": namespace, "name": name},
                "spec": serde_saphyr::from_str::<Value>(spec).unwrap(),
            }));
            continue;
        }
        let (place, value) = fault.split_once(" = ").unwrap();
        let (kind, path) = place.split_once(' ').unwrap_or((place, ""));
        if path.is_empty() {
            all.retain(|resource| resource["kind"] != kind);
        }
        for resource in all.iter_mut().filter(|resource| resource["kind"] == kind) {
            let (parent, key) = path.rsplit_once('/').unwrap();
            let parent = resource.pointer_mut(parent).expect(fault);
            if value.is_empty() {
                parent.as_object_mut().unwrap().remove(key);
            } else {
                parent[key] = serde_saphyr::from_str(value).unwrap();
            }
        }
    }
    all
}

fn found(spec: &str, at_a: &[&str], at_b: &[&str]) -> Vec<(LintSeverity, String, String)> {
    let mesh = Mesh::new(&Spec::read(spec).unwrap()).unwrap();
    let addresses = Lock::default().assign(&mesh, &Taken::new(), meshpki::Time(0)).unwrap();
    let faults = BTreeMap::from([("a", at_a), ("b", at_b)]);
    let all: Vec<(&str, Vec<Value>)> = mesh
        .clusters()
        .iter()
        .map(|cluster| {
            let rendered = render(&mesh, cluster, &addresses);
            let faults = faults.get(cluster.name.as_str()).copied().unwrap_or(&[]);
            (cluster.name.as_str(), faulty(rendered, faults))
        })
        .collect();
    let clusters: Vec<LintCluster<'_>> = all
        .iter()
        .map(|(name, resources)| {
            LintCluster::new(mesh.cluster(name).unwrap(), resources.iter().collect())
        })
        .collect();
    calls(&mesh, &clusters)
        .into_iter()
        .map(|p| {
            (
                p.severity,
                format!("{} {}", p.code.trim_start_matches("lint/"), p.resource),
                p.message,
            )
        })
        .collect()
}

/// Faults at the caller `a` and at the server `b` give these codes and resources, and no others.
#[track_caller]
fn check(spec: &str, at_a: &[&str], at_b: &[&str], wanted: &[&str]) {
    let found = found(spec, at_a, at_b);
    let codes: Vec<&str> = found.iter().map(|(_, code, _)| code.as_str()).collect();
    assert_eq!(codes, wanted, "{at_a:?} {at_b:?}\n{found:#?}");
}

const RULE: &str = "DestinationRule istio-system/s.n.b.mesh";
const ENTRY: &str = "ServiceEntry istio-system/s.n.b.mesh";

#[test]
fn what_a_caller_sends() {
    check(SPEC, &[], &[], &[]);
    let sni = format!("sni-unknown {RULE}");
    let tls = "DestinationRule /spec/trafficPolicy/tls";
    // Without a rule the endpoint's label makes mutual TLS automatic, but the SNI is the caller's own.
    check(SPEC, &[&format!("{tls} = ")], &[], &[&sni]);
    check(SPEC, &["DestinationRule = "], &[], &[&format!("sni-unknown {ENTRY}")]);
    check(SPEC, &[&format!("{tls}/sni = ")], &[], &[&sni]);
    check(SPEC, &[&format!("{tls}/sni = example.com")], &[], &[&sni]);
    let other = format!("{tls}/sni = outbound_.80_.v1_.s.n.svc.cluster.local");
    check(SPEC, &[&other], &[], &[&format!("sni-misleads {RULE}")]);
    let no_label = "ServiceEntry /spec/endpoints/0/labels = {cluster: b}";
    check(SPEC, &["DestinationRule = ", no_label], &[], &[&format!("plain-text {ENTRY}")]);
    check(SPEC, &[&format!("{tls} = {{mode: DISABLE}}")], &[], &[&format!("plain-text {RULE}")]);
    check(SPEC, &[&format!("{tls} = {{mode: SIMPLE}}")], &[], &[&format!("tls-mode {RULE}")]);
    // Settings of a port replace the others.
    let port = "DestinationRule /spec/trafficPolicy = {portLevelSettings: [{port: {number: 80}}]}";
    check(SPEC, &[port, no_label], &[], &[&format!("plain-text {RULE}")]);
    let endpoint = "ServiceEntry /spec/endpoints/0/ports = {http: 15444}";
    check(SPEC, &[endpoint], &[], &[&format!("gateway-port {ENTRY}")]);
}

#[test]
fn what_a_gateway_takes() {
    let sni = format!("sni-unknown {RULE}");
    let hosts = "Gateway /spec/servers/0/hosts";
    check(SPEC, &[], &["Gateway = "], &[&sni]);
    check(SPEC, &[], &[&format!("{hosts} = [t.n.svc.cluster.local]")], &[&sni]);
    check(SPEC, &[], &[&format!("{hosts} = ['n/*.local']")], &[]);
    check(SPEC, &[], &["Gateway /spec/selector = {istio: other}"], &[&sni]);
    check(SPEC, &[], &["DestinationRule = "], &[&sni]);
    check(SPEC, &[], &["DestinationRule /spec/exportTo = ['.']"], &[&sni]);
    check(
        SPEC,
        &[],
        &["+ Service n/s {selector: {app: s}, ports: [{port: 81, name: http}]}"],
        &[&sni, &sni],
    );
}

#[test]
fn what_is_behind_a_gateway() {
    let service =
        "+ Service n/s {selector: {app: s}, ports: [{port: 80, targetPort: 8080, name: http}]}";
    let policy = |spec: &str| format!("+ PeerAuthentication n/p {spec}");
    let lost = ["no-endpoint DestinationRule istio-system/s.n.b.mesh"];
    for (spec, wanted) in [
        ("{mtls: {mode: DISABLE}}", &lost[..]),
        ("{mtls: {mode: STRICT}}", &[]),
        ("{selector: {matchLabels: {app: s}}, mtls: {mode: DISABLE}}", &lost),
        ("{selector: {matchLabels: {app: s}}, portLevelMtls: {'8080': {mode: DISABLE}}}", &lost),
        ("{selector: {matchLabels: {app: s}}, portLevelMtls: {'80': {mode: DISABLE}}}", &[]),
    ] {
        check(SPEC, &[], &[service, &policy(spec)], wanted);
    }
    // Not known: a warning.
    let maybe = policy("{selector: {matchLabels: {app: s}}, mtls: {mode: DISABLE}}");
    let found = found(SPEC, &[], &[&maybe]);
    let severities: Vec<LintSeverity> = found.iter().map(|(severity, ..)| *severity).collect();
    assert_eq!(severities, [LintSeverity::Warning], "{found:#?}");
    let mode = "+ DestinationRule n/a {host: s.n.svc.cluster.local, trafficPolicy: {tls: {mode: DISABLE}}}";
    check(SPEC, &[], &[mode], &lost);
}

#[test]
fn who_sees_what() {
    check(SPEC, &["ServiceEntry /spec/exportTo = ['.']"], &[], &[&format!("hidden {ENTRY}")]);
    check(SPEC, &["ServiceEntry = "], &[], &["no-entry "]);
    let sidecar = |home: &str, hosts: &str| {
        format!("+ Sidecar {home}/default {{egress: [{{hosts: {hosts}}}]}}")
    };
    for (home, hosts, wanted) in [
        ("shop", "['./*']", &["hidden Sidecar shop/default"][..]),
        ("shop", "['./*', 'istio-system/*']", &[]),
        ("shop", "['*/*.global']", &[]),
        ("istio-system", "['shop/*']", &["hidden Sidecar istio-system/default"]),
    ] {
        check(SPEC, &[&sidecar(home, hosts)], &[], wanted);
    }
    // Rules of a namespace of its own replace the others.
    let own =
        "+ DestinationRule shop/own {host: '*.global', trafficPolicy: {tls: {mode: DISABLE}}}";
    check(SPEC, &[own], &[], &["plain-text DestinationRule shop/own"]);
}

/// A caller without the service sees it as the first cluster has it, even if the spec sends its calls to another.
#[test]
fn the_first_registry_decides() {
    let spec = REGISTRY
        .replace("    services:", "")
        .replace("importedBy: [a]", "importedBy: [c]")
        .replace(
            "services:\n",
            "- {name: c, istioVersion: 1.30.3, remoteSecrets: true}\nservices:\n",
        );
    let service = "+ Service n/s {ports: [{name: http, port: 80}]}";
    // The gateway sees it.
    let hidden =
        "Service /metadata/annotations = {networking.istio.io/exportTo: 'client,istio-system'}";
    let found = ["hidden Service n/s"];
    check(&spec, &[service, hidden], &[], &found);
    check(&spec, &[service, hidden], &[service], &found);
    check(&spec, &[service], &[service, hidden], &[]);
    check(&spec, &[], &[service, hidden], &[]);
    let renumbered = "+ Service n/s {ports: [{name: http, port: 8080}]}";
    check(&spec, &[renumbered], &[service], &["port-differs "]);
}

#[test]
fn what_istiods_know_of_each_other() {
    check(REGISTRY, &[], &[], &[]);
    let names = REGISTRY.replacen("name: http", "name: http-web", 1);
    check(&names, &[], &[], &["port-differs "]);
    let numbers = REGISTRY.replacen("number: 80", "number: 8080", 1);
    check(&numbers, &[], &[], &["sni-unknown "]);
    let plain = "+ DestinationRule n/plain {host: s.n.svc.cluster.local, trafficPolicy: {tls: {mode: DISABLE}}}";
    check(REGISTRY, &[plain], &[], &["plain-text DestinationRule n/plain"]);
    check(REGISTRY, &[], &["Gateway = "], &["sni-unknown "]);
    // The caller's policies are for the pods of others, too.
    let service = "+ Service n/s {selector: {app: s}, ports: [{port: 80, name: http}]}";
    let policy =
        "+ PeerAuthentication n/p {selector: {matchLabels: {app: s}}, mtls: {mode: DISABLE}}";
    check(REGISTRY, &[service, policy], &[service], &["no-endpoint "]);
}
