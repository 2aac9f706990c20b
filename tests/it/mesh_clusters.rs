//! `meshctl mesh discover`, `diff` and `apply` on two real clusters, and what their real istiods make of it: the
//! Bookinfo example, in which productpage on one cluster calls reviews on both.

use std::collections::BTreeMap;
use std::process::Command;

use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::discovery::ApiResource;
use serde_json::{Value, json};
use tests::cli::{Shell, ended};
use tests::mesh::Mesh;
use tests::rig::proxy::{Node, Proxy};
use tests::rig::{Cluster, Istio, rig};
use tests::schema;

const ADDRESSES: [&str; 2] = ["172.18.0.229", "172.18.0.230"];

/// What a user adds to what was discovered: how calls go.
const POLICY: &str = "policies:
- name: reviews
  service: default/reviews
  clients: [cluster1]
  route:
  - {cluster: cluster2, subset: version-v3, weight: 75}
  - {cluster: cluster1, subset: version-v1, weight: 15}
  - {cluster: cluster1, subset: version-v2, weight: 10}
";

/// istiod's name for the subset on the other cluster.
const REMOTE: &str = "outbound|9080|version-v3|reviews.default.svc.cluster2.global";

/// Two clusters with Istio and its CRDs, and a part of bookinfo on each.
fn bookinfo() -> Option<Mesh> {
    let mesh = Mesh::start(&["cluster1", "cluster2"])?;
    std::thread::scope(|scope| {
        for (cluster, address) in mesh.clusters.iter().zip(ADDRESSES) {
            scope.spawn(move || install(cluster, address));
        }
    });
    Some(mesh)
}

fn install(cluster: &Cluster, address: &str) {
    // istiod watches what is there when it starts.
    cluster.install_istio_crds();
    let mesh = format!("trustDomain: {}\n", cluster.name());
    cluster.install_istio(&Istio { mesh, ..Istio::default() });
    cluster.apply(&workloads_of(cluster));
    cluster.give_address("istio-system", "istio-ingressgateway", address);
}

/// The Services and Deployments of a cluster.
fn workloads_of(cluster: &Cluster) -> String {
    let service = |name: &str| {
        format!(
            "---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: bookinfo-{name}, namespace: default}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default, labels: {{meshctl/export: 'true'}}}}
spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 9080}}]}}
"
        )
    };
    let deployment = |name: &str, version: &str| {
        format!(
            "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}-{version}, namespace: default}}
spec:
  selector: {{matchLabels: {{app: {name}, version: {version}}}}}
  template:
    metadata: {{labels: {{app: {name}, version: {version}}}}}
    spec:
      serviceAccountName: bookinfo-{name}
      containers: [{{name: {name}, image: 'docker.io/istio/examples-bookinfo-{name}-{version}:1.20.3'}}]
"
        )
    };
    if cluster.name() == "cluster1" {
        return service("reviews") + &deployment("reviews", "v1") + &deployment("reviews", "v2");
    }
    service("reviews")
        + &deployment("reviews", "v3")
        + &service("ratings")
        + &deployment("ratings", "v1")
}

/// A kind of Istio's.
fn kind_of(kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: "networking.istio.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "networking.istio.io/v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

/// Every resource of Istio a cluster has, by kind and name, with its version.
fn resources(cluster: &Cluster) -> BTreeMap<String, Value> {
    let kinds = [
        ("DestinationRule", "destinationrules"),
        ("Gateway", "gateways"),
        ("ServiceEntry", "serviceentries"),
        ("VirtualService", "virtualservices"),
    ];
    let mut all = BTreeMap::new();
    for (kind, plural) in kinds {
        let api = Api::<DynamicObject>::all_with(cluster.client(), &kind_of(kind, plural));
        let list = cluster.block_on(api.list(&ListParams::default())).expect("a list");
        for object in list.items {
            let value = serde_json::to_value(&object).expect("JSON");
            let meta = |key: &str| value["metadata"][key].as_str().unwrap_or_default().to_owned();
            all.insert(format!("{kind} {}/{}", meta("namespace"), meta("name")), value);
        }
    }
    all
}

/// The `resourceVersion` of each.
fn versions(mesh: &Mesh) -> Vec<(String, String)> {
    let of = |cluster: &Cluster| {
        let all = resources(cluster).into_iter();
        all.map(|(name, value)| (name, value["metadata"]["resourceVersion"].to_string()))
            .collect::<Vec<_>>()
    };
    mesh.clusters.iter().flat_map(of).collect()
}

/// Other people's resources: one whose name we need later, one with an address, one of another mesh.
const THEIRS: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: theirs, namespace: default}
spec: {hosts: [theirs.example], addresses: [@ADDRESS@], location: MESH_EXTERNAL, resolution: NONE, ports: [{name: tcp, number: 1, protocol: TCP}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: another, namespace: default, labels: {app.kubernetes.io/managed-by: meshctl, app.kubernetes.io/part-of: another}}
spec: {host: another.example}
";

#[test]
fn from_discovery_to_applied_in_three_commands() {
    let Some(mesh) = bookinfo() else { return };
    let path = mesh.shell.scratch.join("mesh.yaml");
    // Another user's resources, at the address that reviews of cluster2 would get.
    mesh.clusters[0].apply(&THEIRS.replace("@ADDRESS@", &first_address(&mesh)));

    let ran = mesh.run("mesh discover -f @/mesh.yaml --context cluster1,cluster2");
    ended(&ran, 64, &["+- name: cluster1", "cannot ask for confirmation: not a terminal", "--yes"]);
    assert!(!path.exists(), "nothing is written before a yes");
    printed_rights_are_enough(&mesh);
    let ran = mesh.run("mesh discover -f @/mesh.yaml --context cluster1,cluster2 --yes");
    ended(
        &ran,
        0,
        &["new: cluster cluster2", "new: service default/ratings on cluster2", "wrote "],
    );
    println!("{}{}", ran.out, ran.err);
    let ran = mesh.run("mesh discover -f @/mesh.yaml");
    ended(&ran, 0, &["nothing new"]);
    let text = mesh.shell.scratch.read("mesh.yaml") + POLICY;
    mesh.shell.scratch.write("mesh.yaml", &text);

    let ran = mesh.run("mesh diff -f @/mesh.yaml");
    ended(&ran, 2, &["+ cluster1: create VirtualService default/reviews", "+      weight: 75"]);
    let ran = mesh.run("mesh diff -f @/mesh.yaml -o json");
    ended(&ran, 2, &[]);
    schema::check("mesh-diff", &ran.out);

    for dry in ["client", "server"] {
        ended(&mesh.run(&format!("mesh apply -f @/mesh.yaml --dry-run {dry}")), 0, &["create "]);
    }
    assert!(!mesh.shell.scratch.join("mesh.lock").exists(), "a dry run writes nothing");
    assert_eq!(versions(&mesh).len(), 2, "only what others made is there");
    let ran = mesh.run("mesh apply -f @/mesh.yaml --yes");
    ended(&ran, 0, &["applied VirtualService default/reviews", "done: "]);
    println!("{}{}", ran.out, ran.err);
    order(&ran.err);

    let before = versions(&mesh);
    ended(&mesh.run("mesh apply -f @/mesh.yaml --yes"), 0, &["nothing to do"]);
    ended(&mesh.run("mesh diff -f @/mesh.yaml"), 0, &["create 0, update 0, prune 0"]);
    assert_eq!(versions(&mesh), before, "a second run writes nothing");
    let theirs = first_address(&mesh);
    assert!(
        !mesh.shell.scratch.read("mesh.lock").contains(&format!(" {theirs}\n")),
        "not given away"
    );

    what_istiod_makes_of_it(&mesh);
    what_istioctl_says(&mesh);
    pruned(&mesh, &text);
    refused(&mesh);
}

fn printed_rights_are_enough(mesh: &Mesh) {
    let one = &mesh.clusters[0];
    mesh.write_kubeconfig("looker", &[one.kubeconfig_for("looker", &[])]);
    let discover = || mesh.run_as("looker", "mesh discover --context cluster1");
    ended(&discover(), 1, &["error[apply/forbidden]", "--print-rbac"]);
    // There is no spec yet.
    one.apply(&mesh.shell.good("mesh apply --print-rbac --rbac-user looker"));
    // The authorizer learns of them a moment later.
    let mut tries = 0;
    while discover().status != 0 && tries < 50 {
        tries += 1;
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    ended(&discover(), 0, &["trustDomain: cluster1", "new: service default/reviews on cluster1"]);
}

/// The address that reviews of cluster2 gets if it is free.
fn first_address(mesh: &Mesh) -> String {
    let shell = Shell { now: mesh.shell.now, ..Shell::new() };
    let fixture = include_str!("../../fixtures/mesh/bookinfo-current/mesh.yaml");
    shell.scratch.write("mesh.yaml", fixture);
    shell.good("mesh addresses -f @/mesh.yaml");
    let lock = shell.scratch.read("mesh.lock");
    let line = lock.lines().find(|line| line.starts_with("reviews.default.svc.cluster2"));
    line.and_then(|line| line.split(' ').nth(1)).expect("an address").to_owned()
}

/// Gateways, entries, rules; then who points to them.
fn order(said: &str) {
    let ranks = ["Gateway", "ServiceEntry", "DestinationRule", "VirtualService"];
    let rank = |line: &str| {
        let kind = line.split("applied ").nth(1)?.split(' ').next()?;
        ranks.iter().position(|rank| *rank == kind)
    };
    let found: Vec<usize> = said.lines().filter_map(rank).collect();
    assert!(found.is_sorted() && found.contains(&3), "{said}");
}

/// Removing a service removes what was created for it, and no one else's resources.
fn pruned(mesh: &Mesh, text: &str) {
    let before = resources(&mesh.clusters[0]);
    let (head, rest) = text.split_once("- name: ratings\n").expect("ratings");
    let rest = &rest[rest.find("\n- ").map_or(rest.len(), |at| at + 1)..];
    mesh.shell.scratch.write("mesh.yaml", format!("{head}{rest}"));
    let ran = mesh.run("mesh apply -f @/mesh.yaml --yes");
    ended(&ran, 0, &["deleted ServiceEntry istio-system/ratings", "done: "]);
    println!("{}{}", ran.out, ran.err);
    let after = resources(&mesh.clusters[0]);
    for (name, value) in &before {
        let is_ratings = name.contains("/ratings");
        assert_eq!(after.contains_key(name), !is_ratings, "{name}");
        if name.ends_with("/theirs") || name.ends_with("/another") {
            assert_eq!(after[name], *value, "{name}");
        }
    }
    ended(&mesh.run("mesh apply -f @/mesh.yaml --yes"), 0, &["nothing to do"]);
}

/// Obstacles are reported before anything is written.
fn refused(mesh: &Mesh) {
    // No longer ours: someone removed the labels.
    let (client, kind) = (mesh.clusters[0].client(), kind_of("VirtualService", "virtualservices"));
    let api = Api::<DynamicObject>::namespaced_with(client, "default", &kind);
    let labels = json!({"metadata": {"labels": null}});
    let (params, patch) = (PatchParams::default(), Patch::Merge(&labels));
    mesh.clusters[0].block_on(api.patch("reviews.mesh", &params, &patch)).expect("a patch");
    let before = versions(mesh);
    let ran = mesh.run("mesh apply -f @/mesh.yaml --yes");
    ended(&ran, 2, &["error[apply/foreign]", "cluster cluster1, VirtualService default/reviews"]);
    // A user without rights gets an error.
    let nobody = mesh.clusters.iter().map(|cluster| cluster.kubeconfig_for("nobody", &[]));
    mesh.write_kubeconfig("nobody", &nobody.collect::<Vec<_>>());
    let ran = mesh.run_as("nobody", "mesh apply -f @/mesh.yaml --yes");
    ended(&ran, 1, &["error[apply/forbidden]", "cluster cluster1"]);
    assert_eq!(versions(mesh), before, "nothing is written");
}

#[test]
fn without_istios_crds() {
    let Some(mesh) = Mesh::start(&["cluster1", "cluster2"]) else { return };
    let fixture = include_str!("../../fixtures/mesh/bookinfo-current/mesh.yaml");
    mesh.shell.scratch.write("mesh.yaml", fixture);
    let ran = mesh.run("mesh apply -f @/mesh.yaml --yes");
    ended(&ran, 1, &["error[apply/no-crd]", "networking.istio.io/v1"]);
    assert!(!mesh.shell.scratch.join("mesh.lock").exists(), "nothing is written");
    let ran = mesh.run("mesh discover --context cluster1");
    ended(&ran, 2, &["error[apply/no-istiod]"]);
}

/// `istioctl validate` and `analyze` on every rendered file.
///
/// `analyze` looks for the rule of a host outside of the cluster's domain in the namespace of who names it
/// (`pkg/config/analysis/analyzers/util/hosts.go: GetResourceNameFromHost`), istiod everywhere. So with entries in
/// Istio's own namespace, the default, it misses a rule that istiod has; next to the service it reports nothing.
/// And it takes a subset to be of pods, never of the endpoints of a ServiceEntry (`destinationrule/subset.go`).
fn what_istioctl_says(mesh: &Mesh) {
    let spec = mesh.shell.scratch.read("mesh.yaml");
    let beside = |spec: String, name: &str| {
        let line = format!("- name: {name}\n");
        spec.replacen(&line, &format!("{line}  importNamespace: default\n"), 1)
    };
    mesh.shell.scratch.write("near/mesh.yaml", beside(beside(spec, "cluster1"), "cluster2"));
    const MISSED: &str = "--suppress=IST0101=VirtualService default/reviews.mesh";
    const ENDPOINTS: &str = "--suppress=IST0173=DestinationRule istio-system/*.cluster*";
    for (from, more) in [("mesh.yaml", &[MISSED][..]), ("near/mesh.yaml", &[])] {
        mesh.shell.good(&format!("mesh render -f @/{from} -o @/out"));
        for cluster in &mesh.clusters {
            let folder = mesh.shell.scratch.join(format!("out/{}", cluster.name()));
            let files = std::fs::read_dir(&folder).expect("a folder").flatten();
            let files: Vec<String> = files.map(|file| file.path().display().to_string()).collect();
            assert!(files.len() >= 2, "{files:?}");
            istioctl(
                &["validate"],
                &files.iter().flat_map(|file| ["-f", file]).collect::<Vec<_>>(),
            );
            // Together with the Services and workloads they are about, in the cluster and then in a file.
            let workloads = mesh.shell.scratch.join("workloads.yaml");
            std::fs::write(&workloads, workloads_of(cluster)).expect("a file");
            let workloads = workloads.display().to_string();
            let kubeconfig = format!("--kubeconfig={}", cluster.kubeconfig().display());
            let mut files: Vec<&str> = files.iter().map(String::as_str).collect();
            files.extend(more);
            if from == "mesh.yaml" {
                istioctl(&["analyze", &kubeconfig, "--all-namespaces", ENDPOINTS], &files);
            }
            files.push(&workloads);
            istioctl(&["analyze", "--use-kube=false", "--output-threshold=Error"], &files);
        }
    }
}

/// Runs istioctl, which must be content.
fn istioctl(command: &[&str], more: &[&str]) {
    let program = rig().expect("a cluster runs").path("istioctl");
    let ran = Command::new(program).args(command).args(more).output().expect("istioctl");
    let out = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    println!("istioctl {command:?}: {out}");
    assert!(ran.status.success(), "istioctl {command:?}: {out}");
}

/// What istiod has for productpage on cluster1, and for the gateway of cluster2.
fn what_istiod_makes_of_it(mesh: &Mesh) {
    let [one, two] = &mesh.clusters[..] else { panic!("two clusters") };
    let sidecar = Node {
        kind: "sidecar",
        address: "10.0.0.1".to_owned(),
        pod: "productpage-1".to_owned(),
        namespace: "default".to_owned(),
        labels: vec![("app".to_owned(), "productpage".to_owned())],
        routes: vec!["9080".to_owned()],
        endpoints: vec![REMOTE.to_owned()],
    };
    let proxy = one.connect_proxy(&istiod(one), &sidecar);
    calls(&proxy);
    let pod = &two.pods("istio-system", "istio=ingressgateway")[0];
    let status = pod.status.as_ref().expect("a status");
    let gateway = Node {
        kind: "router",
        address: status.pod_ip.clone().expect("an address"),
        pod: pod.metadata.name.clone().expect("a name"),
        namespace: "istio-system".to_owned(),
        labels: pod.metadata.labels.clone().expect("labels").into_iter().collect(),
        routes: Vec::new(),
        endpoints: Vec::new(),
    };
    arrivals(&two.connect_proxy(&istiod(two), &gateway));
}

fn istiod(cluster: &Cluster) -> String {
    cluster.pods("istio-system", "app=istiod")[0].metadata.name.clone().expect("a name")
}

/// Everything in a dump that has this key, whatever it is in.
fn all<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key));
            map.values().for_each(|value| all(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|value| all(value, key, found)),
        _ => {}
    }
}

fn of<'v>(value: &'v Value, key: &str) -> Vec<&'v Value> {
    let mut found = Vec::new();
    all(value, key, &mut found);
    found
}

/// The cluster of that name in a dump.
fn cluster<'v>(dump: &'v Value, name: &str) -> Option<&'v Value> {
    let clusters = of(dump, "cluster");
    clusters.into_iter().find(|cluster| cluster["name"] == name)
}

/// The weights, and a cluster with the SNI the gateway knows and the identity it has to have.
fn calls(proxy: &Proxy) {
    let dump = proxy.dump("the remote cluster", |dump| {
        cluster(dump, REMOTE).is_some()
            && !of(dump, "weightedClusters").is_empty()
            && of(dump, "endpointConfig").iter().any(|one| one["clusterName"] == REMOTE)
    });
    let found = cluster(&dump, REMOTE).expect("a cluster");
    let sni = "outbound_.9080_.version-v3_.reviews.default.svc.cluster.local";
    assert_eq!(of(found, "sni"), [sni], "{found}");
    let text = found.to_string();
    assert!(text.contains("spiffe://cluster2/ns/default/sa/bookinfo-reviews"), "{text}");
    let endpoints = of(&dump, "endpointConfig");
    let endpoint = endpoints.into_iter().find(|endpoint| endpoint["clusterName"] == REMOTE);
    let endpoint = endpoint.expect("endpoints of the remote cluster");
    assert_eq!(of(endpoint, "address").last(), Some(&&json!(ADDRESSES[1])), "{endpoint}");
    assert_eq!(of(endpoint, "portValue"), [15443], "{endpoint}");
    let weights = of(&dump, "weightedClusters");
    let split = |weighted: &Value| -> Vec<(String, u64)> {
        let clusters = weighted["clusters"].as_array().expect("clusters");
        let one = |one: &Value| {
            (
                one["name"].as_str().unwrap_or_default().to_owned(),
                one["weight"].as_u64().unwrap_or(0),
            )
        };
        clusters.iter().map(one).collect()
    };
    let local = |version: &str| {
        format!("outbound|9080|version-{version}|reviews.default.svc.cluster.local")
    };
    let expect = vec![(REMOTE.to_owned(), 75), (local("v1"), 15), (local("v2"), 10)];
    assert!(weights.iter().any(|weighted| split(weighted) == expect), "{weights:?}");
    println!("istiod: {expect:?}, sni {sni}");
}

/// A filter chain for the SNI of the subset and of the whole service, and none for what is not offered.
fn arrivals(proxy: &Proxy) {
    let sni = |subset: &str| format!("outbound_.9080_.{subset}_.reviews.default.svc.cluster.local");
    // Without a subset, nothing is before the underscore.
    let names = |dump: &Value| -> Vec<String> {
        let all = of(dump, "serverNames").into_iter();
        let all = all.flat_map(|names| names.as_array().cloned().unwrap_or_default());
        all.filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let dump =
        proxy.dump("the gateway's filter chains", |dump| names(dump).contains(&sni("version-v3")));
    let mut found = names(&dump);
    found.sort();
    found.dedup();
    println!("istiod: filter chains for {found:?}");
    let ratings = |subset: &str| sni(subset).replace("reviews", "ratings");
    let mut expect = vec![sni(""), sni("version-v3"), ratings(""), ratings("version-v1")];
    expect.sort();
    assert_eq!(found, expect);
    let ports: Vec<&Value> = of(&dump, "portValue");
    assert!(ports.contains(&&json!(15443)), "{ports:?}");
}
