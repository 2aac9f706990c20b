//! `meshctl push` and `rollback` on real clusters with a real istiod.

use std::time::Duration;

use serde_json::Value;
use tests::mesh::{Mesh, SOON};
use tests::rbac::rules;
use tests::rig::{Cluster, Gateway, Hold, Istio, Kind};
use tests::rotation::World;

const PUSH: &str = "push @/ca --context east --yes --timeout 60s --reload-timeout 20s";

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}

#[test]
fn first_install_renewal_without_restart_and_back() {
    let Some(mut mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let before = mesh.written(0);
    let ran = mesh.run("rollback --context east --yes");
    assert_eq!(ran.status, 2, "{}", ran.err);
    contains(&ran.err, &["error[ctl/no-previous]: the cluster has no previous secret"]);
    (mesh.shell.can_ask, mesh.shell.stdin) = (true, b"n\n".to_vec());
    let ran = mesh.run("push @/ca --context east");
    assert_eq!(ran.status, 2, "{}", ran.err);
    contains(&ran.err, &["Write to this cluster? [y/N]", "error[ctl/declined]: cancelled"]);
    mesh.shell.can_ask = false;
    let east = &mesh.clusters[0];
    // What istiod does not read stays at home, above all other keys.
    mesh.shell.scratch.write_key("ca/east/intermediate_ca-key.pem", "another key");
    // Shown, checked by the API server, and nothing written.
    let shown = mesh.good("push @/ca --context east --dry-run server --diff");
    contains(
        &shown,
        &[
            "secret: new",
            "restarts, in order: istio-system/deployment/istiod, istio-system/deployment/istio-ingressgateway",
        ],
    );
    let refused = mesh.run("push @/ca --context east");
    assert_eq!(refused.status, 64, "{}", refused.err);
    assert_eq!(mesh.written(0), before);
    // istiod signs with a CA of its own making: it and the gateway restart.
    let said = mesh.good(PUSH);
    contains(
        &said,
        &[
            "restarted istio-system/deployment/istiod",
            "verified in 1 pod of istiod and 2 namespaces",
        ],
    );
    assert_eq!(mesh.generation(east, "istio-ingressgateway"), 2);
    let files = east.secret("istio-system", "cacerts").expect("a secret").data.expect("files");
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"]);
    contains(&said, &["left out because istiod does not read it: intermediate_ca-key.pem"]);
    let installed = mesh.written(0);
    contains(&mesh.good(PUSH), &["secret: unchanged", "done: nothing to write"]);
    assert_eq!(mesh.written(0), installed, "a push of what is there writes nothing");
    // A new intermediate under the same root is taken without a restart.
    mesh.shell.good("ca renew @/ca --cluster east");
    let said = mesh.good(PUSH);
    contains(&said, &["loads it without a restart", "restarts: none", "verified"]);
    assert_eq!(
        (mesh.generation(east, "istiod"), mesh.generation(east, "istio-ingressgateway")),
        (2, 2)
    );
    assert!(east.istiod_log().contains("Istiod has detected the newly added intermediate CA"));
    let renewed = east.secret("istio-system", "cacerts").expect("a secret").data;
    // And back.
    let said = mesh.good("rollback --context east --yes --timeout 60s");
    contains(&said, &["secret: changed", "verified"]);
    let back = east.secret("istio-system", "cacerts").expect("a secret").data;
    assert_ne!(back, renewed);
    // What is kept is not given up for it: a rollback that is interrupted can be run again.
    let kept = east.secret("istio-system", "meshctl-cacerts-previous").expect("a secret").data;
    assert_eq!(kept, back);
    contains(&mesh.good("rollback --context east --yes --timeout 60s"), &["secret: unchanged"]);
}

/// Only what a rollback can use is kept, it is said since when, and it goes when nothing needs it any more.
#[test]
fn what_is_kept_and_forgotten() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let east = &mesh.clusters[0];
    mesh.good(PUSH);
    // As created with `kubectl apply`: with a root's key, and a copy of everything in an annotation.
    let mut kept = east.secret("istio-system", "cacerts").expect("a secret");
    let files = kept.data.as_mut().expect("files");
    files.insert("root-key.pem".to_owned(), k8s_openapi::ByteString(b"a root's key".to_vec()));
    let copy = serde_json::json!({"data": files});
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    east.apply_object(&serde_json::json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": "cacerts", "namespace": "istio-system",
            "annotations": {annotation: copy.to_string()},
        },
        "data": {"root-key.pem": files["root-key.pem"]},
    }));
    mesh.shell.good("ca renew @/ca --cluster east");
    let adopted = mesh.good(&format!("{PUSH} --adopt"));
    contains(&adopted, &["kept the old secret", "wrote the secret", "verified"]);
    let names = |name: &str| {
        let files = east.secret("istio-system", name).expect("a secret").data.expect("files");
        files.into_keys().collect::<Vec<_>>()
    };
    let read = ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"];
    for name in ["cacerts", "meshctl-cacerts-previous"] {
        assert_eq!(names(name), read, "{name}");
        let annotations = east.secret("istio-system", name).expect("a secret").metadata.annotations;
        assert!(!annotations.unwrap_or_default().contains_key(annotation), "{name}");
    }
    let status = "status --context east";
    contains(
        &mesh.good(status),
        &["kept     the previous secret, for `meshctl rollback`: `Mesh CA east`"],
    );
    // A copy that comes later goes with the next push, which has nothing else to write.
    east.apply_object(&serde_json::json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": "cacerts", "namespace": "istio-system", "annotations": {annotation: "{}"},
        },
    }));
    contains(&mesh.good(PUSH), &["secret: unchanged; the annotation", "removed kubectl's copy"]);
    let annotations =
        east.secret("istio-system", "cacerts").expect("a secret").metadata.annotations;
    assert!(!annotations.unwrap_or_default().contains_key(annotation));

    // A root's key that was kept by an earlier version.
    east.apply_object(&serde_json::json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "meshctl-cacerts-previous", "namespace": "istio-system"},
        "data": {"root-key.pem": "YQ=="},
    }));
    let told = mesh.good(status);
    contains(
        &told,
        &[
            "warning[ctl/kept-key]: east: the kept secret contains root-key.pem, which no rollback uses",
            "next: meshctl forget --context east",
        ],
    );
    // Not while istiod does not come up.
    let idle = |replicas: u32| east.install_istio(&Istio { replicas, ..Istio::default() });
    idle(0);
    let refused = mesh.run("forget --context east --yes");
    assert_eq!(refused.status, 2, "{}", refused.err);
    contains(&refused.err, &["error[apply/no-replicas]", "nothing was removed"]);
    idle(1);
    let young = mesh.good("forget --context east --older-than 7d --yes");
    contains(&young, &["nothing was kept for longer than 7 days"]);
    // With exactly the printed rights.
    east.apply(&mesh.good("push @/ca --context east --print-rbac --rbac-user ci"));
    mesh.write_kubeconfig("ci", &[east.kubeconfig_for("ci", &[])]);
    let ran = mesh.run_as("ci", "forget @/ca --context east --yes");
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    contains(&ran.out, &["ca-key.pem (a private key)", "east: emptied", "/ca/previous/east-"]);
    let kept = east.secret("istio-system", "meshctl-cacerts-previous").expect("a secret").data;
    assert!(kept.unwrap_or_default().is_empty());
    assert!(!mesh.shell.scratch.join("ca/previous").exists());
    assert!(!mesh.good(status).contains("  kept"));
}

#[test]
fn a_stuck_istiod_leaves_the_gateways_alone_and_can_be_rolled_back() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let east = &mesh.clusters[0];
    mesh.good(PUSH);
    // Another root, and new istiods that never get ready.
    mesh.shell.good("ca init @/other --plain-root-key --cluster east");
    east.hold("istio-system/istiod", Hold::Never);
    let ran =
        mesh.run("push @/other --context east --yes --timeout 8s --force istiod/root-replaced");
    assert_eq!(ran.status, 2, "{}{}", ran.out, ran.err);
    contains(
        &ran.err,
        &["error[apply/patience]", "deployment/istiod", "meshctl rollback --context east"],
    );
    assert_eq!(mesh.generation(east, "istio-ingressgateway"), 2, "the gateways are untouched");
    east.hold("istio-system/istiod", Hold::Release);
    let said =
        mesh.good("rollback --context east --yes --timeout 60s --force istiod/root-replaced");
    contains(&said, &["verified"]);
    contains(&mesh.good(PUSH), &["secret: unchanged"]);
}

#[test]
fn what_stands_in_the_way_is_said_before_anything_is_written() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let east = &mesh.clusters[0];
    let refused = |kubeconfig: &str, status: u8, parts: &[&str]| {
        let before = mesh.written(0);
        let ran = mesh.run_as(kubeconfig, PUSH);
        assert_eq!(ran.status, status, "{}{}", ran.out, ran.err);
        contains(&ran.err, parts);
        assert_eq!(mesh.written(0), before, "nothing is written");
        ran
    };
    // A user without rights.
    mesh.write_kubeconfig("nobody", &[east.kubeconfig_for("nobody", &[])]);
    refused("nobody", 1, &["error[apply/forbidden]", "nobody", "--print-rbac"]);
    // A paused istiod.
    mesh.typed("kubectl -n istio-system rollout pause deployment/istiod");
    let parts =
        ["error[apply/obstacle]", "deployment/istiod would not restart: its rollout is paused"];
    let ran = refused("admin", 2, &parts);
    mesh.follow(ran.hinted("kubectl --context east -n istio-system rollout resume "));
    // Someone else's secret.
    east.apply_cacerts(&mesh.shell.scratch.join("ca/east"));
    mesh.shell.good("ca renew @/ca --cluster east");
    refused("admin", 2, &["error[apply/foreign]", "`rig` owns fields of its data", "--adopt"]);
    let said = mesh.good(&format!("{PUSH} --adopt"));
    contains(&said, &["verified"]);
    contains(&mesh.good(PUSH), &["secret: unchanged"]);
    // It is ours from then on.
    mesh.shell.good("ca renew @/ca --cluster east");
    contains(&mesh.good(PUSH), &["wrote the secret", "verified"]);
}

#[test]
fn the_printed_rights_are_enough() {
    // Gateways of every kind, one of the Gateway API in a namespace of its own, and two revisions of istiod.
    let labels = [("gateway.networking.k8s.io/gateway-name".to_owned(), "public".to_owned())];
    let gateways = vec![
        Gateway::named("istio-ingressgateway"),
        Gateway { kind: Kind::DaemonSet, ..Gateway::named("istio-eastwestgateway") },
        Gateway {
            namespace: "edge".to_owned(),
            kind: Kind::StatefulSet,
            labels: labels.into(),
            ..Gateway::named("public")
        },
    ];
    let revisions = vec!["default".to_owned(), "canary".to_owned()];
    let istio = Istio { gateways, revisions, ..Istio::default() };
    let Some(mesh) = Mesh::with_istio(&["east"], &istio) else { return };
    let east = &mesh.clusters[0];
    // And two workloads with a sidecar, as its injector marks their pods.
    for name in ["cart", "web"] {
        let labels = serde_json::json!({"app": name, "security.istio.io/tlsMode": "istio"});
        let template = serde_json::json!({
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "app", "image": "app"}]},
        });
        east.apply_object(&serde_json::json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
        }));
        east.rolled_out(Kind::Deployment, "default", name);
    }
    let rights = mesh.run("push @/ca --context east --workloads --print-rbac --rbac-user ci").out;
    assert!(!rights.contains('*'), "{rights}");
    // The two secrets come with them, empty, so that none has to be created.
    assert_eq!(rights.matches("kind: Secret\n").count(), 2, "{rights}");
    let of_secrets = |rule: &String| rule.starts_with("istio-system/secrets[");
    let secrets: Vec<String> = rules(&rights).into_iter().filter(of_secrets).collect();
    assert_eq!(secrets, ["istio-system/secrets[cacerts meshctl-cacerts-previous]: get patch"]);
    east.apply(&rights);
    let ci = east.kubeconfig_for("ci", &[]);
    mesh.write_kubeconfig("ci", std::slice::from_ref(&ci));
    contains(&mesh.good("push @/ca --context east --dry-run client"), &["secret: new"]);
    contains(&mesh.run("rollback --context east --yes").err, &["error[ctl/no-previous]"]);
    let push = |command: &str| {
        let ran = mesh.run_as("ci", command);
        assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    };
    push(&format!("{PUSH} --workloads --batch 1"));
    let generation = |kind, namespace, name| {
        east.workload(kind, namespace, name)["metadata"]["generation"].as_i64()
    };
    assert_eq!(generation(Kind::Deployment, "istio-system", "istiod-canary"), Some(2));
    assert_eq!(generation(Kind::DaemonSet, "istio-system", "istio-eastwestgateway"), Some(2));
    assert_eq!(generation(Kind::StatefulSet, "edge", "public"), Some(2));
    assert_eq!(generation(Kind::Deployment, "default", "cart"), Some(2));
    assert_eq!(generation(Kind::Deployment, "default", "web"), Some(2));
    // The same root: workloads restart only for the new CA.
    mesh.shell.good("ca renew @/ca --cluster east");
    push(&format!("{PUSH} --workloads"));
    assert_eq!(generation(Kind::Deployment, "istio-system", "istiod-canary"), Some(2));
    assert_eq!(generation(Kind::StatefulSet, "edge", "public"), Some(3));
    assert_eq!(generation(Kind::Deployment, "default", "cart"), Some(3));
    mesh.shell.good("ca renew @/ca --cluster east");
    push(&format!("{PUSH} --restart always"));
    push("rollback --context east --yes --timeout 60s");
    no_token_of_others(east, &ci);
    // Both exist now: no manifest may create them.
    let rights = mesh.run("push @/ca --context east --print-rbac --rbac-user ci").out;
    assert!(!rights.contains("kind: Secret\n"), "{rights}");
    // A renewal under the same root restarts nothing, and does without the right to.
    let rights =
        mesh.run("push @/ca --context east --print-rbac --rbac-user less --restart never").out;
    let restarts = |rule: &&String| rule.contains("deployments") && rule.contains("patch");
    assert_eq!(rules(&rights).iter().find(restarts), None);
    let less = east.kubeconfig_for("less", &[]);
    east.apply(&rights.replace("name: meshctl", "name: less"));
    mesh.write_kubeconfig("less", &[less]);
    mesh.shell.good("ca renew @/ca --cluster east");
    let ran = mesh.run_as("less", PUSH);
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    contains(&ran.out, &["restarts: none", "verified"]);
}

/// The printed rights do not yield the token of another service account: neither as a new secret, nor in one of the two
/// that they may write.
fn no_token_of_others(east: &Cluster, kubeconfig: &std::path::Path) {
    use kube::api::{Api, Patch, PatchParams, PostParams};
    use kube::config::{KubeConfigOptions, Kubeconfig};
    let secret = |name: &str| -> k8s_openapi::api::core::v1::Secret {
        let token = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": "istiod"}},
        });
        serde_json::from_value(token).expect("a secret")
    };
    east.block_on(async {
        let read = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(read, &options).await.expect("one");
        let client = kube::Client::try_from(config).expect("a client");
        let secrets: Api<k8s_openapi::api::core::v1::Secret> =
            Api::namespaced(client, "istio-system");
        let refused = |result: Result<_, kube::Error>, status: u16| match result {
            Err(kube::Error::Api(why)) => assert_eq!(why.code, status, "{}", why.message),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("a token"),
        };
        for name in ["token", "meshctl-cacerts-previous"] {
            refused(secrets.create(&PostParams::default(), &secret(name)).await, 403);
        }
        // A secret's type does not change, so that the controller of tokens does not fill it.
        let params = PatchParams::apply("attacker").force();
        let patch = secret("meshctl-cacerts-previous");
        refused(
            secrets.patch("meshctl-cacerts-previous", &params, &Patch::Apply(&patch)).await,
            422,
        );
    });
}

/// What docs/ci.md warns of: an istiod that keeps its own CA in `cacerts` takes an empty secret for one.
#[test]
fn an_empty_secret_and_an_istiod_that_would_fill_it() {
    let Some(mesh) = Mesh::start(&["east"]) else { return };
    let east = &mesh.clusters[0];
    east.apply_object(&tests::rig::istio::namespace("istio-system"));
    east.apply_object(&serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "cacerts", "namespace": "istio-system"},
    }));
    let env = [("USE_CACERTS_FOR_SELF_SIGNED_CA".to_owned(), "true".to_owned())];
    let gateways = Vec::new();
    east.install_istio(&Istio { env: env.into(), gateways, wait: false, ..Istio::default() });
    // It reads the secret again and again, and never gets ready.
    let line = "Load signing key and cert from existing secret istio-system/cacerts";
    let tries = || east.istiod_log().matches(line).count();
    east.wait("istiod reads the secret again", SOON, async || (tries() >= 4).then_some(()));
    let istiod = east.workload(Kind::Deployment, "istio-system", "istiod");
    assert_eq!(istiod["status"]["availableReplicas"].as_i64().unwrap_or(0), 0, "{istiod}");
}

/// istiod of the tested release starts with an empty secret, keeps its own CA, and loads what a push writes.
#[test]
fn an_empty_secret_made_beforehand() {
    let Some(mesh) = Mesh::start(&["east"]) else { return };
    let east = &mesh.clusters[0];
    east.apply_object(&tests::rig::istio::namespace("istio-system"));
    for name in ["cacerts", "meshctl-cacerts-previous"] {
        east.apply_object(&serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": "istio-system"},
        }));
    }
    east.install_istio(&Istio::default());
    assert!(east.istiod_log().contains("Use self-signed certificate as the CA certificate"));
    let said = mesh.good(PUSH);
    contains(&said, &["secret: new", "wrote the secret", "verified"]);
    assert!(!said.contains("kept the old secret"), "there was nothing to keep: {said}");
    contains(&mesh.good(PUSH), &["secret: unchanged"]);
    mesh.shell.good("ca renew @/ca --cluster east");
    contains(&mesh.good(PUSH), &["kept the old secret", "verified"]);
    // Where one is missing, and there is no right to create it, the command that makes it is said before anything is written.
    east.block_on(async {
        use kube::api::{Api, DeleteParams};
        let secrets: Api<k8s_openapi::api::core::v1::Secret> =
            Api::namespaced(east.client(), "istio-system");
        secrets.delete("meshctl-cacerts-previous", &DeleteParams::default()).await.expect("gone");
    });
    east.apply(&mesh.shell.good("push @/ca --print-rbac --rbac-user ci"));
    mesh.write_kubeconfig("ci", &[east.kubeconfig_for("ci", &[])]);
    mesh.shell.good("ca renew @/ca --cluster east");
    let before = mesh.written(0);
    let ran = mesh.run_as("ci", PUSH);
    assert_eq!(ran.status, 1, "{}{}", ran.out, ran.err);
    contains(&ran.err, &["error[apply/forbidden]"]);
    assert_eq!(mesh.written(0), before);
    // Whoever may create it has a kubeconfig of their own.
    let make = "kubectl --context east -n istio-system create secret generic meshctl-cacerts-";
    assert!(!ran.hinted(make).contains("--kubeconfig"), "{}", ran.err);
    mesh.typed(ran.hinted(make));
    contains(&mesh.run_as("ci", PUSH).out, &["verified"]);
}

/// The commands that are printed after a failure reach the cluster as this one did.
#[test]
fn what_is_to_be_typed_has_the_kubeconfig() {
    const ISTIOD: &str = "/apis/apps/v1/namespaces/istio-system/deployments/istiod";
    const SECRET: &str = "/api/v1/namespaces/istio-system/secrets/cacerts";
    let check = |path: &str, change: &dyn Fn(&mut Value), command: &str, expect: &str| {
        let mut world = World::new(&["east"]);
        let api = &world.site("east").api;
        let mut object = api.object(path).expect("an object");
        change(&mut object);
        api.put(path, object);
        let config = world.shell.scratch.join("kubeconfig").display().to_string();
        world.shell.env.clear();
        let ran = world.run(&format!("{command} --kubeconfig @/kubeconfig"));
        assert_ne!(ran.status, 0, "{}{}", ran.out, ran.err);
        let hint = ran.hinted(expect);
        assert!(hint.ends_with(&format!(" --kubeconfig {config}")), "{hint}");
        assert_eq!(world.site("east").writes(), 0);
    };
    let push = "push @/new --context east --force istiod/root-replaced --yes";
    let in_istio = "kubectl --context east -n istio-system";
    let spec = |path: &'static str, value: Value| {
        move |object: &mut Value| *object.pointer_mut(path).expect("a place") = value.clone()
    };
    let paused = |object: &mut Value| object["spec"]["paused"] = true.into();
    check(ISTIOD, &paused, push, &format!("{in_istio} rollout resume deployment/istiod "));
    let none = spec("/spec/replicas", 0.into());
    check(ISTIOD, &none, push, &format!("{in_istio} scale deployment/istiod --replicas 1 "));
    let kind = spec("/type", "kubernetes.io/tls".into());
    check(SECRET, &kind, push, &format!("{in_istio} delete secret cacerts "));
}

#[test]
fn an_api_server_that_dies_in_the_middle_and_comes_back() {
    let Some(mut mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let mut east = mesh.clusters.pop().expect("a cluster");
    east.hold("istio-system/istiod", Hold::After(Duration::from_secs(4)));
    std::thread::scope(|scope| {
        let push = scope.spawn(|| mesh.run(PUSH));
        std::thread::sleep(Duration::from_secs(2));
        east.kill_apiserver();
        std::thread::sleep(Duration::from_secs(3));
        east.start_apiserver();
        let ran = push.join().expect("a push");
        assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
        contains(&(ran.out + &ran.err), &["retrying", "verified"]);
    });
}

#[test]
fn two_contributors_at_once() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    // With the same set, both succeed.
    let both = |one: &str, other: &str| {
        std::thread::scope(|scope| {
            let first = scope.spawn(|| mesh.run(one));
            let second = mesh.run(other);
            (first.join().expect("a push"), second)
        })
    };
    let (first, second) = both(PUSH, PUSH);
    let told = format!("{}{}\n{}{}", first.out, first.err, second.out, second.err);
    assert_eq!((first.status, second.status), (0, 0), "{told}");
    // With two sets, one is installed, the other run reports it, and neither writes a second time.
    mesh.shell.good("ca renew @/ca --cluster east");
    std::fs::create_dir(mesh.shell.scratch.join("mine")).expect("a folder");
    let old = std::fs::read_dir(mesh.shell.scratch.join("ca/previous")).expect("the old set");
    let old = old.flatten().next().expect("the old set").path();
    std::fs::rename(old, mesh.shell.scratch.join("mine/east")).expect("the old set");
    mesh.shell.good("ca renew @/ca --cluster east");
    let mine = PUSH.replace("@/ca", "@/mine") + " --restart always";
    let (first, second) = both(PUSH, &mine);
    let told = format!("{}{}\n{}{}", first.out, first.err, second.out, second.err);
    let ends = [first.status, second.status];
    assert!(ends == [0, 2] || ends == [2, 0] || ends == [0, 0], "{ends:?} {told}");
    if ends != [0, 0] {
        contains(&told, &["error[apply/moved]"]);
    }
}

#[test]
fn five_clusters_of_which_one_is_out_of_reach() {
    let names = ["a", "b", "c", "d"];
    let Some(mesh) = Mesh::with_istio(&names, &Istio::default()) else { return };
    mesh.shell.good("ca init @/ca --plain-root-key --cluster e");
    // A context that leads nowhere.
    let path = mesh.shell.scratch.join("admin.kubeconfig");
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    let mut gone = config["clusters"][0].clone();
    gone["name"] = "e".into();
    gone["cluster"]["server"] = "https://127.0.0.1:9".into();
    config["clusters"].as_array_mut().expect("a list").push(gone);
    let context = serde_json::json!({"name": "e", "context": {"cluster": "e", "user": "a"}});
    config["contexts"].as_array_mut().expect("a list").push(context);
    std::fs::write(&path, config.to_string()).expect("a file");
    let before: Vec<String> = (0..4).map(|i| mesh.written(i)).collect();
    let ran = mesh.run("push @/ca --context a,b,c,d,e --yes --timeout 60s");
    assert_eq!(ran.status, 1, "{}{}", ran.out, ran.err);
    contains(&ran.err, &["error[apply/unreachable]", "cluster e (context e, https://127.0.0.1:9)"]);
    let after: Vec<String> = (0..4).map(|i| mesh.written(i)).collect();
    assert_eq!(after, before, "no cluster is touched when one cannot be seen");
    // Without it, all four; and each trusts what the others sign.
    let said = mesh.good("push @/ca --context a,b,c,d --yes --timeout 120s");
    for name in names {
        contains(&said, &[&format!("{name}: verified")]);
    }
    // Contexts that are mixed up.
    let ran = mesh.run("push @/ca --context a=b,b=a --yes");
    assert_eq!(ran.status, 2, "{}{}", ran.out, ran.err);
    contains(&ran.err, &["error[ctl/wrong-cluster]: the CA for a is already live in b"]);
    // One that gets stuck stops what has not begun, and everything is named.
    for name in names {
        mesh.shell.good(&format!("ca renew @/ca --cluster {name}"));
    }
    mesh.clusters[1].hold("istio-system/istiod", Hold::Never);
    let ran =
        mesh.run("push @/ca --context a,b,c,d --yes --timeout 8s --parallel 2 --restart always");
    assert_eq!(ran.status, 2, "{}{}", ran.out, ran.err);
    contains(&ran.err, &["done: a, c; failed: b; not touched: d"]);
}

#[test]
fn sixty_pushes_with_restarts_are_never_done_too_early() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let east = &mesh.clusters[0];
    for round in 0..60 {
        mesh.shell.good("ca renew @/ca --cluster east");
        let ran = mesh.run(&format!("{PUSH} --restart always"));
        assert_eq!(ran.status, 0, "round {round}\n{}{}", ran.out, ran.err);
        // Done is done: every pod is of the newest template, and none is left of the one before.
        for name in ["istiod", "istio-ingressgateway"] {
            let object = east.workload(Kind::Deployment, "istio-system", name);
            assert!(Kind::Deployment.is_rolled_out(&object), "round {round}: {name}: {object}");
        }
    }
}

#[test]
fn the_rotation_job() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let east = &mesh.clusters[0];
    // A set of two hours ago, and a copy of it: a checkout that will be old.
    let earlier = mesh.shell.now - std::time::Duration::from_secs(2 * 3600);
    let make = format!("--plain-root-key --cluster east --at {earlier}");
    std::fs::remove_dir_all(mesh.shell.scratch.join("ca")).expect("a folder");
    mesh.shell.good(&format!("ca init @/ca {make}"));
    for (name, entry) in mesh.shell.scratch.entries("ca/east") {
        mesh.shell.scratch.write_key(&format!("stale/east/{name}"), entry.content.expect("a file"));
    }
    mesh.good(PUSH);
    let job = "rotate intermediate @/ca --context east --yes --timeout 60s";
    let installed = mesh.written(0);
    let said = mesh.good(job);
    contains(&said, &["not due (within 30 days)", "secret: unchanged", "verified"]);
    assert_eq!(mesh.written(0), installed, "nothing is due, nothing is written");
    // Due: shown, then done, without a restart.
    contains(&mesh.good(&format!("{job} --within 400d --dry-run client")), &[": due (within "]);
    assert_eq!(mesh.written(0), installed);
    let said = mesh.good(&format!("{job} --within 400d"));
    contains(&said, &[": due (within ", "wrote the secret", "verified"]);
    assert_eq!(mesh.generation(east, "istiod"), 2, "no restart for a new intermediate");
    // A job that starts with no more than the root takes the set from the cluster.
    let before = mesh.shell.scratch.read("ca/east/ca-cert.pem");
    std::fs::remove_dir_all(mesh.shell.scratch.join("ca/east")).expect("a folder");
    contains(&mesh.good(job), &["not due", "verified"]);
    assert_eq!(mesh.shell.scratch.read("ca/east/ca-cert.pem"), before);
    let modes = mesh.shell.scratch.modes("ca/east");
    assert!(modes.contains("0600 ca-key.pem"), "{modes}");
    // Renewed, and interrupted before the push: the next run pushes what is there, though the clock was behind that of
    // the machine that renewed before.
    let behind = mesh.shell.now - std::time::Duration::from_secs(90);
    mesh.shell.good(&format!("ca renew @/ca --cluster east --at {behind}"));
    contains(&mesh.good(job), &["not due", "wrote the secret", "verified"]);
    // A checkout that is older than the cluster turns nothing back.
    let ran = mesh.run(&job.replace("@/ca", "@/stale"));
    assert_eq!(ran.status, 2, "{}{}", ran.out, ran.err);
    contains(&ran.err, &["error[ctl/stale-folder]: ", "the cluster has `Mesh CA east`"]);
}

/// Every way a command ends, with everything it prints searched for what is in the key files.
#[test]
fn no_key_is_ever_printed() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    mesh.shell.good("ca init @/other --plain-root-key --cluster east");
    let push = |dir: &str, more: &str| format!("push @/{dir} --context east --timeout 30s {more}");
    let mut keys = Vec::new();
    let mut learn = || {
        for dir in ["ca", "other"] {
            for file in ["east/ca-key.pem", "root-key.pem"] {
                let pem = mesh.shell.scratch.read(&format!("{dir}/{file}"));
                keys.extend(
                    pem.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned),
                );
            }
        }
    };
    learn();
    let mut told = String::new();
    let mut run = |command: &str| {
        let ran = mesh.run(command);
        if command.contains("-o json")
            && !command.starts_with("status")
            && !command.starts_with("check")
        {
            ran.out.lines().for_each(|line| tests::schema::check("rollout-event", line));
        }
        told += &format!("{command}\n{}{}", ran.out, ran.err);
    };
    run(&push("ca", "--dry-run client --diff"));
    run(&push("ca", "--dry-run server --diff -o json"));
    run(&push("ca", "--yes --diff -o json"));
    run(&push("other", "--yes --diff"));
    run(&push("other", "--yes --diff --force istiod/root-replaced"));
    run("status @/ca --context east");
    run("status @/ca --context east -o json");
    run("check @/ca --context east -o json");
    run("check --context east");
    run("rotate intermediate @/other --context east --within 400d --yes --timeout 30s -o json");
    run("rotate intermediate @/other --context east --within 400d --yes --timeout 30s");
    run("rollback --context east --yes --timeout 30s --diff");
    run("rollback --context east --yes --timeout 30s -o json");
    learn();
    told += &mesh.clusters[0].istiod_log();
    assert!(keys.len() > 8, "there are keys to look for");
    for key in keys {
        assert!(!told.contains(&key), "a line of a key is in what was printed");
        let twice = base64(key.as_bytes());
        assert!(
            !told.contains(&twice[..twice.len() - 4]),
            "a line of a key is in what was printed"
        );
    }
}

/// As the API has it: what a secret's content looks like in JSON, where the line begins a group of three bytes.
fn base64(bytes: &[u8]) -> String {
    use k8s_openapi::ByteString;
    let text = serde_json::to_string(&ByteString(bytes.to_vec())).expect("JSON");
    text.trim_matches('"').to_owned()
}
