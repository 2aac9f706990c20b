//! `meshctl mesh apply --print-rbac`: with exactly the printed rights `discover`, `diff` and `apply` work; without any
//! one of them, the error names what is missing.

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use serde_json::{Value, json};
use tests::cli::{Ran, ended};
use tests::mesh::Mesh;
use tests::rbac::rules;
use tests::rig::istio::namespace;

/// A cluster that calls and is called, whose CoreDNS has the names; with a Deployment that says istiod's release
/// and a revision, which has a configuration of its own and no other.
const SPEC: &str = "
apiVersion: meshctl/v1
kind: Mesh
name: bookinfo
clusters:
- name: cluster1
  istioVersion: 1.30.3
  gateway: {addresses: [172.18.0.229]}
  dns: {way: hosts}
- name: cluster2
  istioVersion: 1.30.3
  gateway: {addresses: [172.18.0.230]}
services:
- name: reviews
  namespace: default
  cluster: cluster1
  ports: [{name: http, number: 9080, protocol: HTTP}]
  importedBy: [cluster2]
- name: ratings
  namespace: default
  cluster: cluster2
  ports: [{name: http, number: 9080, protocol: HTTP}]
  importedBy: [cluster1]
policies:
- {name: ratings, service: default/ratings, clients: [cluster1], timeout: 5s}
";

const ISTIOD: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: istiod-canary, namespace: istio-system, labels: {app: istiod, istio.io/rev: canary}}
spec:
  replicas: 0
  selector: {matchLabels: {app: istiod}}
  template:
    metadata: {labels: {app: istiod}}
    spec: {containers: [{name: discovery, image: 'docker.io/istio/pilot:1.30.3'}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio-canary, namespace: istio-system}
data: {mesh: 'trustDomain: canary.example'}
";

/// One of each kind that is ours and not wanted any more.
const STALE: [(&str, &str); 4] = [
    ("DestinationRule", "{host: old.example}"),
    (
        "Gateway",
        "{selector: {istio: old}, servers: [{hosts: [old.example], port: {name: tcp, number: 1, protocol: TCP}}]}",
    ),
    (
        "ServiceEntry",
        "{hosts: [old.example], ports: [{name: tcp, number: 1, protocol: TCP}], resolution: DNS}",
    ),
    ("VirtualService", "{hosts: [old.example]}"),
];

fn mesh() -> Option<Mesh> {
    let mesh = Mesh::start(&["cluster1"])?;
    let cluster = &mesh.clusters[0];
    cluster.install_istio_crds();
    cluster.apply_object(&namespace("istio-system"));
    cluster.apply(ISTIOD);
    cluster.apply_object(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"Corefile": ".:53 {\n    reload\n}\n"},
        "metadata": {"name": "coredns", "namespace": "kube-system"},
    }));
    for (kind, spec) in STALE {
        cluster.apply(&format!(
            "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: old, namespace: default, labels: \
             {{app.kubernetes.io/managed-by: meshctl, app.kubernetes.io/part-of: bookinfo}}}}\nspec: {spec}\n"
        ));
    }
    mesh.shell.scratch.write("mesh.yaml", SPEC);
    mesh.write_kubeconfig("ci", &[cluster.kubeconfig_for("ci", &[])]);
    Some(mesh)
}

/// What needs every right there is, and changes nothing.
fn run(mesh: &Mesh) -> Ran {
    let discover = mesh.run_as("ci", "mesh discover --context cluster1 --namespace default");
    if discover.status != 0 {
        return discover;
    }
    mesh.run_as("ci", "mesh apply -f @/mesh.yaml --context cluster1 --dry-run server")
}

/// Runs it until it ends as it should: the authorizer learns of roles a moment later.
#[track_caller]
fn until(mesh: &Mesh, what: &str, good: impl Fn(&Ran) -> bool) -> Ran {
    let mut ran = run(mesh);
    for _ in 0..50 {
        if good(&ran) {
            return ran;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        ran = run(mesh);
    }
    panic!("{what}: {} {}{}", ran.status, ran.out, ran.err);
}

/// A role, and every role that is it with one verb on one resource less, with that verb and resource.
fn one_less(role: &Value) -> Vec<(Value, String, String)> {
    let strings = |value: &Value| -> Vec<String> {
        let all = value.as_array().into_iter().flatten();
        all.filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let mut all = Vec::new();
    for (at, rule) in role["rules"].as_array().into_iter().flatten().enumerate() {
        for resource in strings(&rule["resources"]) {
            for verb in strings(&rule["verbs"]) {
                let mut less = role.clone();
                let rules = less["rules"].as_array_mut().expect("rules");
                let mut others = rule.clone();
                let kept = strings(&rule["resources"]).into_iter().filter(|one| *one != resource);
                others["resources"] = kept.collect();
                let mut this = rule.clone();
                this["resources"] = json!([resource]);
                this["verbs"] =
                    strings(&rule["verbs"]).into_iter().filter(|one| *one != verb).collect();
                let not_empty = |rule: &Value| {
                    ["resources", "verbs"].iter().all(|key| !strings(&rule[*key]).is_empty())
                };
                rules.splice(at..=at, [others, this].into_iter().filter(not_empty));
                all.push((less, verb, resource.clone()));
            }
        }
    }
    all
}

#[test]
fn exactly_the_printed_rights() {
    let Some(mesh) = mesh() else { return };
    let cluster = &mesh.clusters[0];
    let print = "mesh apply -f @/mesh.yaml --context cluster1 --print-rbac --rbac-user ci";
    let rights = mesh.run(print).out;
    println!("{rights}");
    assert!(
        rules(&rights).contains(&"istio-system/configmaps[istio istio-canary]: get".to_owned())
    );
    assert!(!rights.contains('*') && !rights.contains("ServiceAccount"), "{rights}");
    cluster.apply(&rights);
    let good = |ran: &Ran| ran.status == 0;
    let ran = until(&mesh, "with all rights", good);
    assert!(ran.out.contains("create 4") || ran.out.contains("prune 4"), "{}", ran.out);
    assert!(ran.err.contains("every API server accepts the plan"), "{}", ran.err);

    let documents: Vec<Value> = serde_saphyr::from_multiple(&rights).expect("YAML");
    let roles = documents.iter().filter(|document| document["rules"].is_array());
    let mut count = 0;
    for role in roles {
        // It is one the API knows.
        let _: Vec<PolicyRule> = match role["kind"].as_str() {
            Some("Role") => serde_json::from_value::<Role>(role.clone()).expect("a Role").rules,
            _ => serde_json::from_value::<ClusterRole>(role.clone()).expect("one").rules,
        }
        .expect("rules");
        for (less, verb, resource) in one_less(role) {
            cluster.apply_object(&less);
            let what = format!("without {verb} on {resource}");
            let ran = until(&mesh, &what, |ran| {
                ran.status == 1
                    && ran.err.contains(&format!("cannot {verb} resource \"{resource}\""))
            });
            for part in ["error[apply/forbidden]", "--print-rbac", "cluster cluster1"] {
                assert!(ran.err.contains(part), "{what}: `{part}` is not in\n{}", ran.err);
            }
            cluster.apply_object(role);
            count += 1;
        }
    }
    println!("{count} rights, each of them needed");
    until(&mesh, "with all rights again", good);
    let ran = mesh.run_as("ci", "mesh apply -f @/mesh.yaml --context cluster1 --yes");
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    let ran = mesh.run_as("ci", "mesh diff -f @/mesh.yaml --context cluster1");
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);

    // A way that edits nothing does not need to look, and says that it did not.
    mesh.shell.scratch.write("mesh.yaml", SPEC.replace("way: hosts", "way: proxy"));
    mesh.write_kubeconfig("other", &[cluster.kubeconfig_for("other", &[])]);
    let less = mesh.run(&print.replace("--rbac-user ci", "--rbac-user other")).out;
    assert!(
        rules(&less).contains(&"kube-system/configmaps[coredns kube-dns]: get".to_owned()),
        "{less}"
    );
    let kept: Vec<Value> = serde_saphyr::from_multiple::<Value>(&less).expect("YAML");
    let kept = kept.iter().filter(|one| one["metadata"]["namespace"] != "kube-system");
    kept.for_each(|one| cluster.apply_object(one));
    let ran = mesh.run_as("other", "mesh diff -f @/mesh.yaml --context cluster1");
    let told =
        ["warning[apply/forbidden]", "get configmap kube-system/coredns", "may be left over"];
    for part in told {
        assert!(ran.err.contains(part), "`{part}` is not in\n{}", ran.err);
    }
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn rights_that_differ() {
    let shell = tests::cli::Shell::new();
    shell.scratch.write("mesh.yaml", SPEC);
    shell.check(
        "mesh apply -f @/mesh.yaml --print-rbac",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: clusters cluster1 and cluster2 need different permissions

        hint: `--context cluster1` prints those of one cluster
    "#,
    );
    // Without a spec they are for the names Istio gives; an older release is served by one kind more.
    let rights = shell.good("mesh apply --print-rbac --istio 1.6.4");
    let early = shell.run("mesh apply --context east --print-rbac --istio 1.6.4");
    ended(&early, 0, &["note: there is no mesh.yaml yet, so no cluster is read"]);
    assert_eq!(early.out, rights);
    let mistyped = shell.run("mesh apply -f @/none.yaml --print-rbac");
    assert_eq!(mistyped.status, 1, "{}", mistyped.out);
    let account = "kind: ServiceAccount\nmetadata:\n  name: meshctl\n  namespace: istio-system\n";
    assert!(rights.contains(account), "{rights}");
    let all = rules(&rights);
    for rule in [
        "/destinationrules gateways serviceentries virtualservices envoyfilters[]: create patch delete",
        "kube-system/configmaps[coredns kube-dns]: get",
    ] {
        assert!(all.contains(&rule.to_owned()), "{rule}: {all:?}");
    }
    // It says which service accounts their holder can act as.
    assert!(
        rights
            .starts_with("# The permissions that `meshctl mesh discover`, `diff` and `apply` need"),
        "{rights}"
    );
    assert!(
        rights.contains("# - can write Istio's traffic resources in every namespace"),
        "{rights}"
    );
}
