use alloc::vec;
use alloc::{format, string::ToString as _};

use serde_json::json;

use super::*;

fn resource(kind: &str, name: &str, spec: Value) -> Resource {
    Resource::new("networking.istio.io/v1", kind, name, "n", "m", spec)
}

fn told(changes: &BTreeMap<String, Vec<Change>>) -> Vec<String> {
    steps(changes)
        .iter()
        .map(|step| match &step.write {
            Write::Apply(r) => {
                format!("{} {} + {} {}", step.wave, step.cluster, r.id(), r.value["spec"])
            }
            Write::Delete(r) => format!("{} {} - {}", step.wave, step.cluster, r.id()),
        })
        .collect()
}

#[test]
fn what_changes() {
    let wanted = [
        resource("Gateway", "a", json!({"x": 1})),
        resource("Gateway", "b", json!({})),
        resource("Gateway", "c", json!({})),
    ];
    let mut foreign = resource("Gateway", "b", json!({})).value;
    foreign["metadata"]["labels"] = json!({});
    let mut same = wanted[2].value.clone();
    same["metadata"]["resourceVersion"] = json!("7");
    same["metadata"]["labels"]["theirs"] = json!("kept");
    let ours = resource("Gateway", "old", json!({})).value;
    let mut other = ours.clone();
    other["metadata"]["labels"]["app.kubernetes.io/part-of"] = json!("another mesh");
    other["metadata"]["name"] = json!("other");
    let live = [resource("Gateway", "a", json!({"x": 2})).value, foreign, same, ours, other];
    let found: Vec<String> = changes("m", &wanted, &live)
        .iter()
        .map(|change| match change {
            Change::Create(r) => format!("create {}", r.name()),
            Change::Update { to, .. } => format!("update {}", to.name()),
            Change::Prune(r) => format!("prune {}", r.name()),
            Change::Foreign(r) => format!("foreign {}", r.name()),
        })
        .collect();
    assert_eq!(found, ["update a", "foreign b", "prune old"]);
}

/// Calls move only when what they move to is there, and what they left goes last.
#[test]
fn pointers_move_in_between() {
    let rule = |subsets: &[&str]| {
        let subsets: Vec<Value> = subsets.iter().map(|name| json!({"name": name})).collect();
        resource("DestinationRule", "r", json!({"subsets": subsets}))
    };
    let service = |to: &str| resource("VirtualService", "v", json!({"to": to}));
    let gateway = |hosts: &[&str]| resource("Gateway", "g", json!({"servers": [{"hosts": hosts}]}));
    let changes = [
        (
            "a".to_string(),
            vec![
                Change::Update { to: rule(&["new"]), from: rule(&["old"]) },
                Change::Update { to: service("new"), from: service("old") },
                Change::Create(resource("ServiceEntry", "e", json!({}))),
                Change::Prune(resource("ServiceEntry", "gone", json!({}))),
            ],
        ),
        ("b".to_string(), vec![Change::Update { to: gateway(&["x"]), from: gateway(&["y"]) }]),
    ];
    assert_eq!(
        told(&changes.into()),
        [
            r#"0 b + Gateway n/g {"servers":[{"hosts":["x","y"]}]}"#,
            "2 a + ServiceEntry n/e {}",
            r#"3 a + DestinationRule n/r {"subsets":[{"name":"new"},{"name":"old"}]}"#,
            r#"4 a + VirtualService n/v {"to":"new"}"#,
            r#"6 a + DestinationRule n/r {"subsets":[{"name":"new"}]}"#,
            "7 a - ServiceEntry n/gone",
            r#"9 b + Gateway n/g {"servers":[{"hosts":["x"]}]}"#,
        ]
    );
}
