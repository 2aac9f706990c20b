use alloc::format;

use serde_json::json;

use super::*;

const MESH: &str = "m";

fn resource(kind: &str, name: &str, spec: Value) -> Resource {
    Resource::new("networking.istio.io/v1", kind, name, "n", MESH, spec)
}

/// A resource of others; the API version in which the server lists it means nothing.
fn foreign(kind: &str, name: &str, spec: Value) -> Value {
    let mut value = resource(kind, name, spec).value;
    value["metadata"]["labels"] = json!({});
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
    let version = Version::new(1, 30, 3);
    let found = preflight(MESH, &[PreflightCluster { name: "a", version, live, wanted }]);
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
    let both = [theirs, rule("r", "v1").value];
    check(&both, &[], &[removed]);
    check(&both, &[rule("r", "v2")], &[removed]);
    // A resource of the mesh and one of others conflict: the mesh's is named, and a warning refuses nothing.
    let twice = "ours lint/host-twice DestinationRule n/a";
    let other = foreign("DestinationRule", "z", json!({"host": "h"}));
    check(&[other], &[rule("a", "v1")], &[twice]);
    let gateway = |name: &str| {
        let server = json!({"hosts": ["*.h"], "port": {"number": 15443}, "tls": {"mode": "AUTO_PASSTHROUGH"}});
        resource("Gateway", name, json!({"servers": [server]}))
    };
    let mut open = gateway("open").value;
    open["metadata"]["labels"] = json!({});
    let overlap = "ours lint/gateway-overlap Gateway n/ours refuses";
    let both = [open, gateway("ours").value];
    check(&both[..1], &[gateway("ours")], &[overlap]);
    check(&both, &[gateway("ours")], &[overlap]);
    // A problem of the mesh alone is for `lint`.
    check(&[], &[resource("VirtualService", "v", calls("v1"))], &[]);
}
