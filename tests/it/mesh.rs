//! `meshctl mesh`: whole answers, and every `config/...` code as it is told.

use std::collections::BTreeSet;
use std::fs;

use meshconfig::{Fault, Spec};
use tests::Shell;
use tests::shared::root;

/// A folder with a fixture's spec as `mesh.yaml`.
fn shell(case: &str) -> Shell {
    let shell = Shell::new();
    let spec = root().join("fixtures/mesh").join(case).join("mesh.yaml");
    fs::copy(spec, shell.scratch.path().join("mesh.yaml")).unwrap();
    shell
}

fn write(shell: &Shell, name: &str, text: &str) {
    fs::write(shell.scratch.path().join(name), text).unwrap();
}

/// A spec of two clusters with `rest` behind them.
fn spec(rest: &str) -> String {
    format!(
        "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n- {{name: b, istioVersion: 1.30.3}}\n\
         - {{name: a, istioVersion: 1.30.3, gateway: {{addresses: [192.0.2.1]}}}}\n{rest}"
    )
}

const SERVICES: &str = "services:
- {name: s, namespace: n, cluster: b, ports: [{name: http, number: 80, protocol: HTTP}]}
- {name: s, namespace: n, cluster: a, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: [b]}
";

#[test]
fn render_one_cluster() {
    let shell = shell("seed2-current");
    shell.check(
        "mesh render -f @/mesh.yaml --cluster cluster2",
        r#"
        "#,
    );
    shell.check(
        "mesh addresses -f @/mesh.yaml --locked",
        r#"
        "#,
    );
    assert_eq!(
        fs::read_to_string(shell.scratch.path().join("mesh.lock")).unwrap().lines().last(),
        Some("reviews.default.svc.cluster2.global 240.0.193.178")
    );
}

#[test]
fn render_for_another_release() {
    let shell = shell("seed2-current");
    let text = shell.good("mesh render -f @/mesh.yaml --istio 1.6.4");
    assert!(text.contains("kind: EnvoyFilter") && text.contains("v1alpha3") && !text.contains("sni:"), "{text}");
    let text = shell.good("mesh render -f @/mesh.yaml");
    assert!(!text.contains("kind: EnvoyFilter"), "{text}");
    assert_eq!(text, shell.good("mesh render -f @/mesh.yaml"), "the same again");
}

#[test]
fn render_to_folders() {
    let shell = shell("seed2-current");
    let dir = shell.scratch.path();
    shell.check(
        "mesh render -f @/mesh.yaml -o @/out",
        r#"
        "#,
    );
    shell.check(
        "mesh render -f @/mesh.yaml -o @/out",
        r#"
        "#,
    );
    // A file of somebody else's stays; what is not needed any more goes.
    write(&shell, "out/cluster1/mine.yaml", "mine");
    let text = fs::read_to_string(dir.join("mesh.yaml")).unwrap();
    let (head, _) = text.split_once("services:").unwrap();
    write(&shell, "mesh.yaml", head);
    shell.check(
        "mesh render -f @/mesh.yaml -o @/out",
        r#"
        "#,
    );
    assert!(dir.join("out/cluster1/mine.yaml").exists());
    assert!(!dir.join("out/cluster1/default.reviews.yaml").exists());
    assert!(!dir.join("out/cluster2").exists(), "an empty folder goes too");
    // One that stands where a file would go is not overwritten.
    write(&shell, "out/cluster1/default.reviews.yaml", "mine");
    write(&shell, "mesh.yaml", &text);
    shell.check(
        "mesh render -f @/mesh.yaml -o @/out",
        r#"
        "#,
    );
}

#[test]
fn explain_graph_and_lint() {
    let shell = shell("seed2-1.6");
    shell.check(
        "mesh explain reviews -f @/mesh.yaml --from cluster1",
        r#"
        "#,
    );
    shell.check(
        "mesh graph -f @/mesh.yaml",
        r#"
        "#,
    );
    shell.check(
        "mesh lint -f @/mesh.yaml",
        r#"
        "#,
    );
    write(
        &shell,
        "live.yaml",
        "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: istio-multicluster-ingressgateway, namespace: istio-system}\n\
         spec: {configPatches: [{match: {listener: {portNumber: 15443}}, patch: {value: {name: envoy.filters.network.tcp_cluster_rewrite, config: {cluster_pattern: '\\.global$'}}}}]}\n",
    );
    shell.check(
        "mesh lint -f @/mesh.yaml --with cluster2=@/live.yaml",
        r#"
        "#,
    );
    let json: serde_json::Value =
        serde_json::from_str(&shell.run("mesh lint -f @/mesh.yaml --with cluster2=@/live.yaml -o json").out).unwrap();
    assert_eq!(json["problems"][0]["code"], "lint/stock-filter");
    let json: serde_json::Value =
        serde_json::from_str(&shell.good("mesh explain reviews -f @/mesh.yaml -o json")).unwrap();
    assert_eq!(json["calls"][0]["hops"].as_array().map(Vec::len), Some(12));
}

#[test]
fn explain_failover() {
    let shell = shell("five-clusters");
    shell.check(
        "mesh explain shop/cart -f @/mesh.yaml --from edge",
        r#"
        "#,
    );
    shell.check(
        "mesh explain nothing -f @/mesh.yaml",
        r#"
        "#,
    );
}

#[test]
fn import_seed_2() {
    let shell = Shell::new();
    let policy = "apiVersion: networking.smh.solo.io/v1alpha2
kind: TrafficPolicy
metadata: {namespace: service-mesh-hub, name: simple}
spec:
  destinationSelector:
  - kubeServiceRefs: {services: [{clusterName: cluster1, name: reviews, namespace: default}]}
  trafficShift:
    destinations:
    - {kubeService: {clusterName: cluster2, name: reviews, namespace: default, subset: {version: v3}}, weight: 75}
    - {kubeService: {clusterName: cluster1, name: reviews, namespace: default, subset: {version: v1}}, weight: 15}
    - {kubeService: {clusterName: cluster1, name: reviews, namespace: default, subset: {version: v2}}, weight: 10}
  corsPolicy: {maxAge: 1s}
";
    write(&shell, "policy.yaml", policy);
    shell.check(
        "mesh import @/policy.yaml --istio 1.7.3",
        r#"
        "#,
    );
}

#[test]
fn dns_edits() {
    let shell = shell("seed2-1.6");
    write(&shell, "Corefile", ".:53 {\n    errors\n    forward . /etc/resolv.conf\n}\n");
    shell.check(
        "mesh dns -f @/mesh.yaml --cluster cluster1 @/Corefile",
        r#"
        "#,
    );
    let text = fs::read_to_string(shell.scratch.path().join("mesh.yaml")).unwrap();
    write(&shell, "mesh.yaml", &text.replacen("istioVersion: 1.6.4", "istioVersion: 1.6.4\n  dns: {way: hosts}", 1));
    shell.check(
        "mesh dns -f @/mesh.yaml --cluster cluster1 @/Corefile",
        r#"
        "#,
    );
}

/// Every code, as a user sees it.
#[test]
fn every_code() {
    let shell = Shell::new();
    let mut told = BTreeSet::new();
    let mut tell = |shell: &Shell| {
        let ran = shell.run("mesh render -f @/mesh.yaml --cluster a");
        assert_ne!(ran.status, 0, "{}", ran.out);
        for part in ran.err.split("error[").skip(1) {
            told.extend(part.split(']').next().map(str::to_owned));
        }
    };
    write(&shell, "mesh.yaml", &spec("colour: 1\n"));
    shell.check("mesh render -f @/mesh.yaml", r#"
        "#);
    tell(&shell);
    // All that is wrong is told at once.
    let many = "dns: {suffix: local}\naddresses: {pool: 127.0.0.0/8}\n- {name: b, istioVersion: 1.5.0}\n";
    let many = spec("").replace("kind: Mesh\n", "kind: Mesh\ndns: {suffix: local}\naddresses: {pool: 127.0.0.0/8}\n")
        + &many[many.find("- ").unwrap()..]
        + "- {name: c, istioVersion: 1.5.0}\n- {name: D, istioVersion: 1.30.3}\n- {name: e, istioVersion: 1.30.3, trustDomain: a_b}\n- {name: f, istioVersion: x}\n"
        + "services:\n- {name: s, namespace: n, cluster: b, ports: [], importedBy: [a]}\n- {name: s, namespace: n, cluster: a, ports: [{name: h, number: 1, protocol: TCP}], importedBy: [a]}\n"
        + "policies:\n- {name: p, service: n/s, clients: [a], route: [{cluster: a, weight: 1}]}\n- {name: q, service: n/t, clients: [a], timeout: 1s}\n- {name: r, service: n/s, clients: [b], route: [{cluster: a, weight: 100}]}\n";
    write(&shell, "mesh.yaml", &many);
    shell.check("mesh render -f @/mesh.yaml", r#"
        "#);
    tell(&shell);
    let policy = |text: &str| spec(&format!("{SERVICES}policies:\n{text}\n"));
    for text in [
        policy("- {name: p, service: n/s, clients: [b], timeout: 1s}\n- {name: q, service: n/s, clients: ['*'], timeout: 1s}"),
        policy("- {name: p, service: n/s, clients: [b], route: [{cluster: a, weight: 50}, {cluster: b, weight: 50}]}").replacen("number: 80", "number: 81", 1),
        policy("- {name: p, service: n/s, clients: [b], failover: [b, a], outlierDetection: {interval: 1s}}").replacen("1.30.3", "1.10.0", 1),
        "clusters: [".into(),
    ] {
        write(&shell, "mesh.yaml", &text);
        tell(&shell);
    }
    shell.check("mesh render -f @/mesh.yaml", r#"
        "#);
    write(&shell, "mesh.yaml", &spec(SERVICES));
    write(&shell, "mesh.lock", "s.n.svc.a.global 240.0.0.1\n<<<<<<< ours\n");
    shell.check("mesh render -f @/mesh.yaml", r#"
        "#);
    tell(&shell);
    write(&shell, "mesh.lock", "s.n.svc.a.global 240.0.0.1\nt.n.svc.a.global 240.0.0.1\n");
    shell.check("mesh render -f @/mesh.yaml", r#"
        "#);
    tell(&shell);
    write(&shell, "mesh.lock", "t.n.svc.a.global 10.0.0.1\nu.n.svc.a.global 10.0.0.2\nv.n.svc.a.global 10.0.0.3\n");
    write(&shell, "mesh.yaml", &spec(&format!("addresses: {{pool: 10.0.0.0/30}}\n{SERVICES}")));
    shell.check("mesh render -f @/mesh.yaml", r#"
        "#);
    tell(&shell);
    write(&shell, "mesh.lock", "");
    shell.check("mesh render -f @/mesh.yaml --locked", r#"
        "#);
    let codes: BTreeSet<String> = Fault::CODES.iter().map(ToString::to_string).collect();
    told.retain(|code| code.starts_with("config/"));
    assert_eq!(told, codes);
}

/// `docs/schemas/mesh.json` is the schema of the spec as it is; `MESH_UPDATE=1` writes it.
#[test]
fn the_schema_is_published() {
    let path = root().join("docs/schemas/mesh.json");
    let text = format!("{:#}\n", Spec::schema());
    if std::env::var_os("MESH_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap_or_default(), text, "MESH_UPDATE=1 writes it");
}
