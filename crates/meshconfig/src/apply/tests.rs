use alloc::vec;
use alloc::{format, string::ToString as _};

use serde_json::json;

use super::*;

fn resource(kind: &str, name: &str, spec: Value) -> Resource {
    Resource::new("networking.istio.io/v1", kind, name, "n", "m", spec)
}

fn listed(changes: &BTreeMap<String, Vec<Change>>) -> Vec<String> {
    steps(changes)
        .iter()
        .map(|step| match &step.write {
            Write::Apply(r) => {
                format!("{} {} + {} {}", step.wave, step.cluster, r.id(), r.value["spec"])
            }
            Write::Delete(r) => format!("{} {} - {}", step.wave, step.cluster, r.id()),
            Write::Edit(edit) => format!("{} {} ~ {}", step.wave, step.cluster, edit.id()),
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
    let mut foreign = resource("Gateway", "b", json!({})).into_value();
    foreign["metadata"]["labels"] = json!({});
    let mut same = wanted[2].clone().into_value();
    same["metadata"]["resourceVersion"] = json!("7");
    same["metadata"]["labels"]["theirs"] = json!("kept");
    let ours = resource("Gateway", "old", json!({})).into_value();
    let mut other = ours.clone();
    other["metadata"]["labels"]["app.kubernetes.io/part-of"] = json!("another mesh");
    other["metadata"]["name"] = json!("other");
    let live = [resource("Gateway", "a", json!({"x": 2})).into_value(), foreign, same, ours, other];
    let found: Vec<String> = changes("m", &wanted, &live)
        .iter()
        .map(|change| match change {
            Change::Create(r) => format!("create {}", r.name()),
            Change::Update { to, .. } => format!("update {}", to.name()),
            Change::Prune(r) => format!("prune {}", r.name()),
            Change::Foreign { live, wanted } => {
                format!("foreign {}{}", live.name(), summary(&lost(live, wanted)))
            }
            Change::Edit(edit) => format!("edit {}", edit.name),
        })
        .collect();
    assert_eq!(found, ["update a", "foreign b", "prune old"]);
}

/// References move only once their new target exists, and the old target is removed last.
#[test]
fn pointers_move_in_between() {
    let rule = |subsets: &[&str]| {
        let subsets: Vec<Value> = subsets.iter().map(|name| json!({"name": name})).collect();
        resource("DestinationRule", "r", json!({"subsets": subsets}))
    };
    let service = |to: &str| resource("VirtualService", "v", json!({"to": to}));
    let gateway = |hosts: &[&str]| resource("Gateway", "g", json!({"servers": [{"hosts": hosts}]}));
    let names = |name: &str| Change::Edit(edit(name));
    let changes = [
        (
            "a".to_string(),
            vec![
                Change::Update { to: rule(&["new"]), from: rule(&["old"]) },
                Change::Update { to: service("new"), from: service("old") },
                Change::Create(resource("ServiceEntry", "e", json!({}))),
                Change::Prune(resource("ServiceEntry", "gone", json!({}))),
                names("coredns"),
            ],
        ),
        ("b".to_string(), vec![Change::Update { to: gateway(&["x"]), from: gateway(&["y"]) }]),
        // What only loses items is written once; their order does not matter.
        (
            "c".to_string(),
            vec![
                Change::Update { to: gateway(&["x", "z"]), from: gateway(&["z", "y", "x"]) },
                Change::Update { to: rule(&[]), from: rule(&["old"]) },
                Change::Prune(service("old")),
            ],
        ),
    ];
    assert_eq!(
        listed(&changes.into()),
        [
            r#"0 b + Gateway n/g {"servers":[{"hosts":["y","x"]}]}"#,
            "2 a + ServiceEntry n/e {}",
            r#"3 a + DestinationRule n/r {"subsets":[{"name":"old"},{"name":"new"}]}"#,
            r#"4 a + VirtualService n/v {"to":"new"}"#,
            "5 a ~ ConfigMap kube-system/coredns",
            "6 c - VirtualService n/v",
            r#"7 a + DestinationRule n/r {"subsets":[{"name":"new"}]}"#,
            r#"7 c + DestinationRule n/r {"subsets":[]}"#,
            "8 a - ServiceEntry n/gone",
            r#"10 b + Gateway n/g {"servers":[{"hosts":["x"]}]}"#,
            r#"10 c + Gateway n/g {"servers":[{"hosts":["x","z"]}]}"#,
        ]
    );
}

/// An edit of the ConfigMap with that name.
fn edit(name: &str) -> DnsEdit {
    let spec = "apiVersion: meshctl/v1\nkind: Mesh\nclusters: [{name: a, istioVersion: 1.30.3}]\n";
    let mesh = crate::Mesh::new(&crate::Spec::read(spec).unwrap()).unwrap();
    let corefile = "# meshctl: begin global\n# meshctl: end global\n";
    let live = json!({"metadata": {"name": name, "namespace": "kube-system"}, "data": {"Corefile": corefile}});
    crate::dns::edit(&mesh, &mesh.clusters()[0], &[], &live).unwrap().unwrap()
}
