use alloc::format;

use serde_json::json;

use super::*;
use crate::spec::Spec;

const MESH: &str = "m";

fn resource(kind: &str, name: &str, spec: Value) -> Resource {
    Resource::new("networking.istio.io/v1", kind, name, "n", MESH, spec)
}

/// A resource of others; the API version in which the server lists it means nothing.
fn foreign(kind: &str, name: &str, spec: Value) -> Value {
    let mut value = resource(kind, name, spec).into_value();
    value["metadata"]["labels"] = json!({});
    value["metadata"]["uid"] = json!("5b3e");
    value["apiVersion"] = json!("networking.istio.io/v9");
    value
}

fn rule(name: &str, subset: &str) -> Resource {
    resource("DestinationRule", name, json!({"host": "h", "subsets": [{"name": subset}]}))
}

fn calls(subset: &str) -> Value {
    json!({"hosts": ["x"], "http": [{"route": [{"destination": {"host": "h", "subset": subset}}]}]})
}

#[track_caller]
fn check(live: &[Value], wanted: &[Resource], expect: &[&str]) {
    let version = meshpki::istiod::Version::new(1, 30, 3);
    let text = format!(
        "apiVersion: meshctl/v1\nkind: Mesh\nname: {MESH}\nclusters: [{{name: a, istioVersion: {version}}}]\n"
    );
    let mesh = Mesh::new(&Spec::read(&text).unwrap()).unwrap();
    let found = preflight(&mesh, &[PreflightCluster { name: "a", live, deciding: &[], wanted }]);
    let told = |preflight: &PreflightProblem| {
        let whose = if preflight.ours { "ours" } else { "theirs" };
        let refuses = if preflight.refuses() { " refuses" } else { "" };
        format!("{whose} {} {}{refuses}", preflight.problem.code, preflight.problem.resource)
    };
    assert_eq!(found.iter().map(told).collect::<Vec<_>>(), expect);
}

#[test]
fn whose_a_problem_is() {
    let theirs = [foreign("VirtualService", "theirs", calls("v1"))];
    // A problem among others, without the mesh.
    let undefined = "theirs lint/subset-undefined VirtualService n/theirs";
    check(&theirs, &[], &[undefined]);
    check(&theirs, &[rule("r", "v2")], &[undefined]);
    // The mesh fixes it, and removing the mesh's resource would break it again.
    check(&theirs, &[rule("r", "v1")], &[]);
    let removed = "ours lint/subset-undefined VirtualService n/theirs refuses";
    let [theirs] = theirs;
    let both = [theirs, rule("r", "v1").into_value()];
    check(&both, &[], &[removed]);
    check(&both, &[rule("r", "v2")], &[removed]);
    // A resource of the mesh and one of others conflict: the mesh's is named, and a warning refuses nothing.
    let twice = "ours lint/host-twice DestinationRule n/a";
    let other = |subset: &str| {
        let subsets = json!([{"name": subset, "labels": {"version": "other"}}]);
        foreign("DestinationRule", "z", json!({"host": "h", "subsets": subsets}))
    };
    check(&[other("v1")], &[rule("a", "v1")], &[twice]);
    // istiod merges them.
    check(&[other("canary")], &[rule("a", "v1")], &[]);
    let gateway = |name: &str, host: &str| {
        let server = json!({"hosts": [host], "port": {"number": 15443}, "tls": {"mode": "AUTO_PASSTHROUGH"}});
        resource("Gateway", name, json!({"servers": [server]}))
    };
    let mut open = gateway("open", "*.h").into_value();
    open["metadata"]["labels"] = json!({});
    let overlap = "ours lint/gateway-overlap Gateway n/ours refuses";
    let both = [open, gateway("ours", "a.h").into_value()];
    check(&both[..1], &[gateway("ours", "a.h")], &[overlap]);
    check(&both, &[gateway("ours", "a.h")], &[overlap]);
    // A problem of the mesh alone is for `lint`.
    check(&[], &[resource("VirtualService", "v", calls("v1"))], &[]);
}
