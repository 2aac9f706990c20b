//! `meshctl mesh apply` when something goes wrong: missing rights, a server that refuses halfway, someone else's
//! edits. API servers with Istio's CRDs and no istiod.

use kube::api::{Api, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::{Value, json};
use tests::cli::ended;
use tests::mesh::{Mesh, SOON};
use tests::rig::istio::namespace;

/// Who may look, and who may do what docs/mesh.md says is needed.
const RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: look}
rules:
- {apiGroups: [networking.istio.io], resources: [destinationrules, envoyfilters, gateways, serviceentries, sidecars, virtualservices], verbs: [list]}
- {apiGroups: [security.istio.io], resources: [peerauthentications], verbs: [list]}
- {apiGroups: [''], resources: [services], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: write}
rules:
- {apiGroups: [networking.istio.io], resources: [destinationrules, envoyfilters, gateways, serviceentries, virtualservices], verbs: [create, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: look}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: look}
subjects: [{kind: User, name: reader}, {kind: User, name: writer}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: write}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: write}
subjects: [{kind: User, name: writer}]
";

/// Refuses VirtualServices, and lets every dry run pass.
const REFUSAL: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-calls}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [networking.istio.io], apiVersions: ['*'], operations: [CREATE, UPDATE], resources: [virtualservices]}
  validations:
  - {expression: request.dryRun == true, message: not today}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-calls}
spec: {policyName: no-calls, validationActions: [Deny]}
";

fn mesh() -> Option<Mesh> {
    let mesh = Mesh::start(&["cluster1", "cluster2"])?;
    for cluster in &mesh.clusters {
        cluster.install_istio_crds();
        cluster.apply_object(&namespace("istio-system"));
        cluster.apply(RIGHTS);
    }
    for user in ["reader", "writer"] {
        let paths = mesh.clusters.iter().map(|cluster| cluster.kubeconfig_for(user, &[]));
        mesh.write_kubeconfig(user, &paths.collect::<Vec<_>>());
    }
    let fixture = include_str!("../../fixtures/mesh/bookinfo-current/mesh.yaml");
    mesh.shell.scratch.write("mesh.yaml", fixture);
    Some(mesh)
}

/// Our VirtualService.
const OURS: &str = "reviews.bookinfo";

fn calls(mesh: &Mesh) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("networking.istio.io", "v1", "VirtualService");
    let resource = ApiResource::from_gvk(&kind);
    Api::namespaced_with(mesh.clusters[0].client(), "default", &resource)
}

/// Changes our VirtualService as another user.
fn edit(mesh: &Mesh, patch: &Value) {
    let params =
        PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
    let (api, patch) = (calls(mesh), Patch::Merge(patch));
    mesh.clusters[0].block_on(api.patch(OURS, &params, &patch)).expect("an edit");
}

/// Waits until VirtualServices are refused, or are not any more.
fn refused(mesh: &Mesh, wanted: bool) {
    let api = calls(mesh);
    let mut probe = DynamicObject::new(
        "probe",
        &ApiResource::from_gvk(&GroupVersionKind::gvk(
            "networking.istio.io",
            "v1",
            "VirtualService",
        )),
    );
    probe.metadata = ObjectMeta { name: Some("probe".to_owned()), ..ObjectMeta::default() };
    probe.data = json!({"spec": {"hosts": ["probe.example"]}});
    mesh.clusters[0].wait("the policy counts", SOON, async || {
        let made = api.create(&PostParams::default(), &probe).await.is_ok();
        if made {
            api.delete("probe", &Default::default()).await.expect("deleted");
        }
        (made != wanted).then_some(())
    });
}

#[test]
fn what_comes_between() {
    let Some(mesh) = mesh() else { return };
    let lock = mesh.shell.scratch.join("mesh.lock");
    ended(&mesh.run_as("reader", "mesh diff -f @/mesh.yaml"), 2, &["create 6, update 0"]);
    // What is not allowed is known before the first write.
    let ran = mesh.run_as("reader", "mesh apply -f @/mesh.yaml --yes");
    ended(&ran, 1, &["error[apply/forbidden]", "nothing was written", "--print-rbac"]);
    assert!(!ran.err.contains(": applied "), "{}", ran.err);
    assert!(!lock.exists());
    ended(&mesh.run_as("writer", "mesh apply -f @/mesh.yaml"), 64, &["--yes"]);
    assert!(!lock.exists());
    // What could not be known stops it, and what was and was not done is named.
    mesh.clusters[0].apply(REFUSAL);
    refused(&mesh, true);
    let ran = mesh.run_as("writer", "mesh apply -f @/mesh.yaml --yes");
    println!("{}{}", ran.out, ran.err);
    let parts = [
        "cluster2: applied Gateway istio-system/cross-network-gateway",
        "cluster1: applied ServiceEntry default/reviews.default.cluster2",
        "error[apply/api]",
        "not today",
        "5 of 6 writes are done",
        "not done: cluster1 VirtualService default/reviews",
        "run the same command again",
    ];
    ended(&ran, 2, &parts);
    ended(&mesh.run("mesh diff -f @/mesh.yaml"), 2, &["create 1, update 0, prune 0, unchanged 5"]);
    let kind = GroupVersionKind::gvk(
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicyBinding",
    );
    let kind = ApiResource {
        plural: "validatingadmissionpolicybindings".to_owned(),
        ..ApiResource::from_gvk(&kind)
    };
    let bindings = Api::<DynamicObject>::all_with(mesh.clusters[0].client(), &kind);
    mesh.clusters[0].block_on(bindings.delete("no-calls", &Default::default())).expect("deleted");
    refused(&mesh, false);
    let ran = mesh.run_as("writer", "mesh apply -f @/mesh.yaml --yes");
    ended(&ran, 0, &["create 1, update 0", "done: 1 writes"]);
}

#[test]
fn what_others_do_to_ours() {
    let Some(mesh) = mesh() else { return };
    let same = || ended(&mesh.run("mesh diff -f @/mesh.yaml"), 0, &["unchanged 6"]);
    ended(&mesh.run("mesh apply -f @/mesh.yaml --yes"), 0, &["done: 6 writes"]);
    same();
    // Labels and annotations of others are theirs.
    edit(&mesh, &json!({"metadata": {"labels": {"team": "x"}, "annotations": {"note": "y"}}}));
    same();
    // A changed content is shown, and is ours again after an apply.
    edit(&mesh, &json!({"spec": {"hosts": ["elsewhere.example"]}}));
    let shown = ["~ cluster1: update VirtualService default/reviews", "-  - elsewhere.example"];
    ended(&mesh.run("mesh diff -f @/mesh.yaml"), 2, &shown);
    ended(&mesh.run("mesh apply -f @/mesh.yaml --yes"), 0, &["done: 1 writes"]);
    same();
    let live = mesh.clusters[0].block_on(calls(&mesh).get(OURS)).expect("ours");
    assert_eq!(live.metadata.labels.expect("labels")["team"], "x");
    // A field that we do not write belongs to whoever wrote it; that is reported, not ignored.
    edit(&mesh, &json!({"spec": {"gateways": ["mesh"]}}));
    let ran = mesh.run("mesh apply -f @/mesh.yaml --yes");
    ended(
        &ran,
        2,
        &["error[apply/foreign]", "fields of another field manager remain in the resource"],
    );
    edit(&mesh, &json!({"spec": {"gateways": null}}));
    same();
    // One cluster of two; one there is not.
    ended(&mesh.run("mesh diff -f @/mesh.yaml --context cluster2"), 0, &["unchanged 2"]);
    let ran = mesh.run("mesh diff -f @/mesh.yaml --context cluster3");
    ended(&ran, 1, &["error[config/unknown-name]", "cluster1, cluster2"]);
    // Changed weights are one write; a dry run writes nothing.
    let spec = mesh.shell.scratch.read("mesh.yaml");
    let spec = spec.replace("weight: 75", "weight: 70").replace("weight: 10", "weight: 15");
    mesh.shell.scratch.write("mesh.yaml", spec);
    let ran = mesh.run("mesh apply -f @/mesh.yaml --dry-run server --diff");
    ended(
        &ran,
        0,
        &["-      weight: 75", "+      weight: 70", "every API server accepts the plan; writes: 1"],
    );
    ended(&mesh.run("mesh apply -f @/mesh.yaml --yes --locked"), 0, &["done: 1 writes"]);
    same();
}

/// Other people's resources: one is an error together with ours, one on its own.
const THEIRS: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: theirs, namespace: default}
spec:
  host: reviews.default.svc.cluster2.global
  exportTo: ['*']
  trafficPolicy: {outlierDetection: {interval: 1s}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: broken, namespace: default}
spec: {hosts: [other], http: [{route: [{destination: {host: other, subset: v9}}]}]}
";

#[test]
fn what_clusters_will_have_is_looked_at() {
    let Some(mesh) = mesh() else { return };
    mesh.clusters[0].apply(THEIRS);
    let notes = [
        "error[lint/sni-unknown]: cluster cluster1, DestinationRule default/theirs: calls to `reviews.default.svc.cluster2.global` (port 9080) have the SNI `outbound_.9080_._.reviews.default.svc.cluster2.global`, ",
        "warning[lint/host-twice]: cluster cluster1, ",
        "warning[lint/subset-undefined]: cluster cluster1, VirtualService default/broken, not of this mesh: ",
    ];
    ended(&mesh.run("mesh diff -f @/mesh.yaml"), 2, &notes);
    let apply = |more: &str| mesh.run(&format!("mesh apply -f @/mesh.yaml --yes {more}"));
    let ran = apply("");
    println!("{}{}", ran.out, ran.err);
    let refused = [
        "error[lint/sni-unknown]: calls to `reviews.default.svc.cluster2.global` (port 9080) have the SNI ",
        "  in: cluster cluster1, DestinationRule default/theirs\n",
        "nothing was written; set tls.sni in a DestinationRule of the host: outbound_.9080_._.reviews.default.svc.cluster.local, or proceed with `--force lint/sni-unknown`",
    ];
    ended(&ran, 2, &refused);
    assert!(!ran.err.contains("error[lint/subset-undefined]"), "{}", ran.err);
    ended(&apply("--force lint/weights"), 2, &refused);
    ended(&mesh.run("mesh diff -f @/mesh.yaml"), 2, &["create 6"]);
    ended(&apply("--force lint/sni-unknown"), 0, &[notes[0], "done: 6 writes"]);
    // There is nothing to refuse any more.
    ended(&apply(""), 0, &[notes[0], notes[2], "nothing to do"]);
}

/// What is never written and decides whether calls arrive: the server takes no mutual TLS, callers do not see the host,
/// and the gateway does not see the Service.
const DECIDING: [(usize, &str, &str); 3] = [
    (
        1,
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: plain, namespace: default}\nspec: {mtls: {mode: DISABLE}}\n",
        "error[lint/no-endpoint]: calls to `reviews.default.svc.cluster2.global`",
    ),
    (
        0,
        "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: default, namespace: default}\nspec: {egress: [{hosts: [istio-system/*]}]}\n",
        "warning[lint/hidden]: cluster cluster1, Sidecar default/default: ",
    ),
    (
        1,
        "apiVersion: v1\nkind: Service\nmetadata: {name: reviews, namespace: default, annotations: {networking.istio.io/exportTo: .}}\nspec: {ports: [{name: http, port: 9080}]}\n",
        "error[lint/sni-unknown]: calls to `reviews.default.svc.cluster2.global`",
    ),
];

#[test]
fn what_decides_whether_calls_arrive() {
    let Some(mesh) = mesh() else { return };
    let apply = || mesh.run_as("writer", "mesh apply -f @/mesh.yaml --yes");
    for (cluster, resource, problem) in DECIDING {
        let cluster = &mesh.clusters[cluster];
        cluster.apply(resource);
        let ran = mesh.run("mesh diff -f @/mesh.yaml");
        println!("{}", ran.err);
        ended(&ran, 2, &[problem.split(':').next().expect("a code")]);
        if problem.starts_with("error") {
            ended(&apply(), 2, &[problem, "nothing was written"]);
        } else {
            ended(&ran, 2, &[problem]);
        }
        cluster.delete(resource);
    }
    ended(&apply(), 0, &["done: 6 writes"]);
}

#[test]
fn a_cluster_that_is_away() {
    let shell = tests::cli::Shell::new();
    let fixture = include_str!("../../fixtures/mesh/bookinfo-current/mesh.yaml");
    shell.scratch.write("mesh.yaml", fixture);
    let contexts = ["cluster1", "cluster2"]
        .map(|name| json!({"name": name, "context": {"cluster": "none", "user": "none"}}));
    let nobody = json!({
        "apiVersion": "v1", "kind": "Config", "contexts": contexts,
        "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "none", "user": {}}],
    });
    shell.scratch.write("kubeconfig", nobody.to_string());
    shell.check(
        "mesh apply -f @/mesh.yaml --kubeconfig @/kubeconfig --yes",
        r#"
        exit 1
        --- stderr
        error[apply/unreachable]: cannot reach the API server: Connection refused (os error 111)
          in: cluster cluster1 (context cluster1, https://127.0.0.1:9)

        hint: try again, or leave the cluster out; nothing further was written to it
    "#,
    );
    shell.check(
        "mesh discover",
        r#"
    exit 64
    --- stderr
    error[ctl/usage]: no cluster given

    hint: use `--context CLUSTER=CONTEXT`; `kubectl config get-contexts` lists the contexts
"#,
    );
    shell.check(
        "mesh discover -f @/mesh.yaml --kubeconfig @/kubeconfig --context cluster1=a,cluster2=a",
        r#"
        exit 1
        --- stderr
        error[apply/kubeconfig]: kubeconfig @/kubeconfig has no context `a`

        hint: `kubectl config get-contexts --kubeconfig @/kubeconfig` lists the contexts; `--kubeconfig FILE` names another file
    "#,
    );
}

/// What the version before applied as `meshctl` stays ours, and what only that name owned goes with it.
#[test]
fn what_was_applied_under_our_old_name() {
    let Some(mesh) = mesh() else { return };
    let apply = || mesh.run_as("writer", "mesh apply -f @/mesh.yaml --yes");
    ended(&apply(), 0, &["done: 6 writes"]);
    let (api, cluster) = (calls(&mesh), &mesh.clusters[0]);
    let live = cluster.block_on(api.get(OURS)).expect("a VirtualService");
    let mut spec = live.data["spec"].clone();
    spec["gateways"] = json!(["mesh"]);
    let object = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "spec": spec,
        "metadata": {"name": OURS, "namespace": "default", "labels": live.metadata.labels},
    });
    cluster.block_on(api.delete(OURS, &Default::default())).expect("deleted");
    let old = PatchParams::apply("meshctl");
    cluster.block_on(api.patch(OURS, &old, &Patch::Apply(&object))).expect("applied");
    ended(&apply(), 0, &["applied VirtualService default/reviews", "done: 1 writes"]);
    let live = cluster.block_on(api.get(OURS)).expect("a VirtualService");
    assert_eq!(live.data["spec"]["gateways"], Value::Null);
    let managers = live.metadata.managed_fields.into_iter().flatten().filter_map(|f| f.manager);
    assert_eq!(managers.collect::<Vec<_>>(), ["meshpki.dev/meshctl"]);
    ended(&apply(), 0, &["nothing to do"]);
}
