//! The same on two real clusters with real istiods.

use serde_json::json;
use tests::cli::ended;
use tests::mesh::Mesh;
use tests::remote::READER;
use tests::rig::tools::Binaries;
use tests::rig::{Cluster, Istio};

const CREATE: &str =
    "mesh remote-secret create --context east,west --yes --settle 5s --timeout 60s";
const ROTATE: &str =
    "mesh remote-secret rotate --context east,west --yes --settle 5s --timeout 60s";
const CHECK: &str = "mesh remote-secret check --context east,west";

/// A Service with endpoints that nothing else changes.
fn serve(cluster: &Cluster) {
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "reviews", "namespace": "default"},
        "spec": {"ports": [{"name": "http", "port": 9080}]},
    });
    let endpoint =
        |n: u8| json!({"addresses": [format!("10.0.0.{n}")], "conditions": {"ready": true}});
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "name": "reviews-1", "namespace": "default",
            "labels": {"kubernetes.io/service-name": "reviews"},
        },
        "ports": [{"name": "http", "port": 9080}],
        "endpoints": (1..=5).map(endpoint).collect::<Vec<_>>(),
    });
    for object in [service, slice] {
        cluster.apply_object(&object);
    }
}

fn mesh() -> Option<Mesh> {
    let mesh = Mesh::with_istio(&["east", "west"], &Istio::default())?;
    for cluster in &mesh.clusters {
        cluster.apply(READER);
        serve(cluster);
    }
    Some(mesh)
}

/// The kubeconfig in east for west.
fn content(mesh: &Mesh) -> Vec<u8> {
    let secret = mesh.clusters[0].secret("istio-system", "istio-remote-secret-west");
    secret.expect("the secret").data.expect("data")["west"].0.clone()
}

#[test]
fn istiod_reads_the_other_cluster_and_keeps_it_over_a_rotation() {
    let Some(mesh) = mesh() else { return };
    ended(
        &mesh.run(&CREATE.replace("--yes", "--dry-run server")),
        0,
        &["every API server accepts the plan; writes: 2"],
    );
    let ran = mesh.run(CREATE);
    println!("{}{}", ran.out, ran.err);
    ended(&ran, 0, &["east: verified: west synced", "done: 2 secrets written and verified"]);
    let ran = mesh.run(CHECK);
    println!("{}", ran.out);
    ended(
        &ran,
        0,
        &["accepts the token, which may read what istiod reads", "synced, endpoints ", "errors 0"],
    );
    let before = content(&mesh);
    let ran = mesh.run(&format!("{ROTATE} --within 100y"));
    println!("{}{}", ran.out, ran.err);
    ended(
        &ran,
        0,
        &["write 2", "east: verified: west synced", "done: 2 secrets written and verified"],
    );
    assert_ne!(content(&mesh), before);
    ended(&mesh.run(CHECK), 0, &["errors 0"]);
    // istiod has really taken it.
    let updates = || mesh.clusters[0].istiod_log().matches("Update cluster").count();
    assert_eq!(updates(), 1, "{}", mesh.clusters[0].istiod_log());
    // What it cannot use is put back.
    let before = content(&mesh);
    let ran = mesh.run(&format!("{CREATE} --server west=https://127.0.0.1:1").replace("60s", "8s"));
    println!("{}{}", ran.out, ran.err);
    let told = [
        "warning[remote/unreachable]",
        "error[remote/not-synced]: istiod of east has not synced west within 8 s",
        "the old secret is back, and istiod uses it",
    ];
    ended(&ran, 2, &told);
    assert_eq!(content(&mesh), before);
    assert_eq!(updates(), 3);
    ended(&mesh.run(CHECK), 0, &["errors 0"]);
    // A token that may not read what istiod reads is not written.
    let role = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: istio-reader}
rules: []
";
    mesh.clusters[1].apply(role);
    let ran = mesh.run(&format!("{ROTATE} --within 100y"));
    ended(&ran, 2, &["error[remote/rights]: ", "the secret was not written"]);
    assert_eq!(content(&mesh), before);
}

/// With exactly the printed rights it works.
#[test]
fn the_printed_rights_are_enough() {
    let Some(mesh) = mesh() else { return };
    let paths: Vec<_> = mesh.clusters.iter().map(|one| one.kubeconfig_for("ci", &[])).collect();
    mesh.write_kubeconfig("ci", &paths);
    let rights =
        mesh.good("mesh remote-secret create --context east,west --print-rbac --rbac-user ci");
    mesh.clusters.iter().for_each(|cluster| cluster.apply(&rights));
    let mut ran = mesh.run_as("ci", CREATE);
    for _ in 0..50 {
        // The authorizer learns of roles a moment later.
        if ran.status == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        ran = mesh.run_as("ci", CREATE);
    }
    ended(&ran, 0, &["done: 2 secrets written and verified"]);
    ended(&mesh.run_as("ci", &format!("{ROTATE} --within 100y")), 0, &["done: 2 secrets written"]);
    ended(&mesh.run_as("ci", CHECK), 0, &["warning[apply/forbidden]", "errors 0"]);
}

/// What istioctl created is found, replaced, and its token revoked with the printed command; the other printed commands
/// of kubectl run too.
#[test]
fn secrets_of_istioctl() {
    let Some(mesh) = mesh() else { return };
    let istioctl = Binaries::find().expect("the rig").path("istioctl").display().to_string();
    mesh.typed(&format!(
        "{istioctl} create-remote-secret --context west --name west | kubectl --context east apply -f -"
    ));
    ended(&mesh.run(CREATE), 0, &["unchanged\n", "done: 1 secret written and verified"]);
    let ran = mesh.run(CHECK);
    ended(&ran, 0, &["warning[remote/no-end]: the token has no end", "token has no end"]);
    let ran = mesh.run(ROTATE);
    println!("{}{}", ran.out, ran.err);
    let told = [
        "replace: its token has no end",
        "warning[remote/no-end]: the old token for west has no end",
    ];
    ended(&ran, 0, &told);
    let secret = mesh.clusters[0].secret("istio-system", "istio-remote-secret-west");
    let annotations = secret.expect("the secret").metadata.annotations.expect("annotations");
    let names: Vec<&str> = annotations.keys().map(String::as_str).collect();
    assert_eq!(names, ["networking.istio.io/cluster"]);
    ended(
        &mesh.run(CHECK),
        0,
        &["a token of istio-reader-service-account without an end is still valid in west"],
    );
    let next = ran.err.lines().find_map(|line| line.strip_prefix("hint: run `"));
    let next = next.expect("a command").trim_end_matches('`');
    assert!(next.starts_with("kubectl --context west -n istio-system delete secret "), "{next}");
    mesh.follow(next);
    let ran = mesh.run(CHECK);
    ended(&ran, 0, &["errors 0, warnings 0"]);
    let config = mesh.shell.scratch.join("admin.kubeconfig").display().to_string();
    for command in [
        "east -n istio-system get secret istio-remote-secret-west --show-managed-fields -o jsonpath={.metadata}",
        "east -n istio-system logs -l app=istiod --tail=50",
        "west -n istio-system auth can-i --list --as system:serviceaccount:istio-system:istio-reader-service-account",
        "west -n istio-system get serviceaccounts",
        "east -n istio-system rollout restart deployment -l app=istiod",
    ] {
        mesh.follow(&format!("kubectl --context {command} --kubeconfig {config}"));
    }
}
