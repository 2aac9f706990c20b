//! Busy servers, conflicts, and objects written by earlier versions.

use std::collections::BTreeSet;
use std::time::Duration;

use meshapply::Cluster;
use meshapply::kube::{Context, Kube, Kubeconfig, Options, Surroundings};
use meshapply::state::Desired;
use meshpki::cacerts::Secret;
use serde_json::{Value, json};
use tests::Shell;
use tests::api::{Answer, Api, Asked};
use tests::cli::ended;
use tests::rig::background::Background;

use super::{PUSH, SECRET, STATUS, at, url};

fn shell(api: &Api) -> Shell {
    let shell = at(&url(api), &json!({"token": "abc"}));
    shell.good("ca init @/ca --plain-root-key --cluster cluster1");
    shell
}

fn count(api: &Api, method: &str, path: &str) -> usize {
    api.asked().iter().filter(|one| one.method == method && one.path == path).count()
}

fn busy(asked: &Asked, times: usize, status: u16, after: Option<u32>) -> Option<Answer> {
    let body = "<html>later</html>".to_owned();
    (asked.before < times).then_some(Answer { status, retry_after: after, body })
}

#[test]
fn reads_are_asked_again() {
    for status in [429, 503, 504] {
        let api = Api::start(move |asked| {
            (asked.path == SECRET).then(|| busy(asked, 2, status, Some(0))).flatten()
        });
        let ran = shell(&api).run(STATUS);
        assert_eq!(ran.err, "", "{status}");
        assert_eq!(count(&api, "GET", SECRET), 3);
    }
    // A server that wants an hour is not waited for.
    let api = Api::start(|asked| {
        (asked.path == SECRET).then(|| busy(asked, 9, 429, Some(3600))).flatten()
    });
    ended(
        &shell(&api).run(STATUS),
        1,
        &[
            "error[apply/api]: ",
            "HTTP status 429 Too Many Requests, without an API server's message (retry in 3600 s)",
        ],
    );
    assert_eq!(count(&api, "GET", SECRET), 1);
    // Other errors are answers.
    for status in [400, 401, 403, 500, 502] {
        let api = Api::start(move |asked| {
            (asked.path == SECRET).then(|| busy(asked, 9, status, None)).flatten()
        });
        let ran = shell(&api).run(STATUS);
        assert!(ran.status != 0 && !ran.err.contains("later"), "{}", ran.err);
        assert_eq!(count(&api, "GET", SECRET), 1);
    }
}

#[test]
fn writes_are_sent_again_where_that_does_no_harm() {
    let list = SECRET.trim_end_matches("/cacerts");
    for (status, reason) in [(429, ""), (503, ""), (409, "Conflict")] {
        let api = Api::start(move |asked| {
            let is_first = asked.method == "POST" && asked.path == list && asked.before == 0;
            is_first.then(|| Answer {
                retry_after: Some(0),
                ..Answer::refusal(status, reason, "quota")
            })
        });
        shell(&api).good(PUSH);
        assert_eq!(count(&api, "POST", list), 2, "{status}");
        let asked = api.asked();
        let write = asked.iter().find(|one| one.method == "POST").expect("a write");
        assert!(write.query.contains("fieldManager=meshpki.dev%2Fmeshctl"), "{}", write.query);
        let secret = api.object(SECRET).expect("a secret");
        assert_eq!(secret["metadata"]["labels"]["app.kubernetes.io/managed-by"], "meshctl");
    }
    // A write to one version is not repeated if another client was faster: the object is read again first.
    let api = Api::start(move |asked| {
        let is_first = asked.method == "PATCH" && asked.path == SECRET && asked.before == 0;
        is_first.then(|| Answer::refusal(409, "Conflict", "the object has been modified"))
    });
    let shell = shell(&api);
    shell.good(PUSH);
    shell.good("ca renew @/ca --cluster cluster1");
    owned_by(&api, "meshpki.dev/meshctl");
    let said = shell.good(PUSH);
    assert!(said.contains(r#""event":"away""#), "{said}");
    assert_eq!(count(&api, "PATCH", SECRET), 2);
    let asked = api.asked();
    let patches: Vec<usize> = (0..asked.len())
        .filter(|i| asked[*i].method == "PATCH" && asked[*i].path == SECRET)
        .collect();
    let looked =
        asked[patches[0]..patches[1]].iter().any(|a| a.method == "GET" && a.path == SECRET);
    assert!(looked, "{asked:?}");
}

/// A proof needs the Deployments of istiod for its pods, for the roots and for the CRLs: they are listed once.
#[test]
fn a_proof_lists_istiod_once() {
    const ISTIOD: &str = "/apis/apps/v1/namespaces/istio-system/deployments";
    const BUNDLE: &str =
        "/apis/certificates.k8s.io/v1/clustertrustbundles/istio.io:istiod-ca:root-cert";
    let api = Api::start(|asked| {
        let is_token = asked.method == "POST" && asked.path.ends_with("/token");
        let token = json!({
            "spec": {"audiences": ["istio-ca"]},
            "status": {"token": "a.b.c", "expirationTimestamp": "2036-01-01T00:00:00Z"},
        });
        is_token.then(|| Answer::json(201, &token))
    });
    // Its mesh's configuration has the name of the revision, its roots are in a ClusterTrustBundle.
    api.put(
        &format!("{ISTIOD}/istiod-canary"),
        json!({
            "metadata": {
                "name": "istiod-canary", "namespace": "istio-system",
                "labels": {"app": "istiod", "istio.io/rev": "canary"},
            },
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "istiod"}},
                "template": {"spec": {"containers": [{
                    "name": "discovery", "image": "docker.io/istio/pilot:1.30.4",
                    "env": [{"name": "ENABLE_CLUSTER_TRUST_BUNDLE_API", "value": "true"}],
                }]}},
            },
        }),
    );
    api.put(
        "/api/v1/namespaces/istio-system/configmaps/istio-canary",
        json!({
            "metadata": {"name": "istio-canary", "namespace": "istio-system"},
            "data": {"mesh": "discoverySelectors:\n- matchLabels: {mesh: 'on'}\n"},
        }),
    );
    for (name, labels) in [("shop", json!({"mesh": "on"})), ("other", json!({}))] {
        let object = json!({"metadata": {"name": name, "labels": labels}});
        api.put(&format!("/api/v1/namespaces/{name}"), object);
    }
    let shell = shell(&api);
    let root = shell.scratch.read("ca/root-cert.pem");
    api.put(BUNDLE, json!({"spec": {"trustBundle": root}}));
    let kubeconfig = shell.scratch.join("kubeconfig");
    let wanted = Desired {
        secret: Secret::default(),
        basis: None,
        adopt: false,
        restart: BTreeSet::new(),
        workloads: false,
        batch: 1,
        reload_seconds: 0,
        before_install: false,
    };
    let runtime = Background::start("proof");
    let proof = runtime.block_on(async {
        let all = Kubeconfig::read(Some(&kubeconfig), &|_| None)?;
        let around = Surroundings {
            env: &|_| None,
            hidden: &[],
            can_ask: false,
            patience: Duration::from_secs(10),
            watcher: None,
        };
        let options = Options {
            istio_namespace: "istio-system".to_owned(),
            istio_version: None,
            gateways: Vec::new(),
            workloads: false,
            service_account: "default".to_owned(),
        };
        let kube = Kube::connect(Context::read(&all, "cluster1", &around)?, options).await?;
        kube.prove(&wanted).await
    });
    let proof = proof.expect("a proof");
    let roots: Vec<_> = proof
        .namespaces
        .iter()
        .map(|one| (&*one.namespace, one.roots.as_ref().map(Vec::len)))
        .collect();
    assert_eq!(roots, [("shop", Some(1))]);
    assert_eq!(count(&api, "GET", ISTIOD), 1);
}

/// Says that a manager applied every file of the secret.
fn owned_by(api: &Api, manager: &str) {
    let mut secret = api.object(SECRET).expect("a secret");
    let files = secret["data"].as_object().expect("files");
    let fields: Value = files.keys().map(|name| (format!("f:{name}"), json!({}))).collect();
    secret["metadata"]["managedFields"] = json!([{
        "manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": fields},
    }]);
    api.put(SECRET, secret);
}

#[test]
fn secrets_pushed_under_our_old_name_are_ours() {
    let api = Api::start(|_| None);
    let shell = shell(&api);
    shell.good(PUSH);
    shell.good("ca renew @/ca --cluster cluster1");
    owned_by(&api, "meshctl");
    shell.good(PUSH);
    let asked = api.asked();
    let patches: Vec<&Asked> =
        asked.iter().filter(|one| one.method == "PATCH" && one.path == SECRET).collect();
    // Ours first, then the old name lets go.
    assert_eq!(patches.len(), 2);
    assert!(
        patches[0].query.contains("fieldManager=meshpki.dev%2Fmeshctl"),
        "{}",
        patches[0].query
    );
    assert!(patches[1].query.contains("fieldManager=meshctl"), "{}", patches[1].query);
    assert_eq!(patches[1].body["data"], Value::Null);
    // Without our mark it is the command line of Gloo, which has that name.
    shell.good("ca renew @/ca --cluster cluster1");
    owned_by(&api, "meshctl");
    let mut secret = api.object(SECRET).expect("a secret");
    secret["metadata"]["annotations"] = json!({});
    api.put(SECRET, secret);
    ended(
        &shell.run(PUSH),
        2,
        &[
            "error[apply/foreign]: secret cacerts is managed by another tool: `meshctl` owns fields of its data",
        ],
    );
}

#[test]
fn a_secret_keeps_its_type() {
    let api = Api::start(|_| None);
    let shell = shell(&api);
    shell.good("ca init @/tls --plain-root-key --cluster cluster1 --layout tls");
    let tls = PUSH.replace("@/ca", "@/tls");
    let there = |type_: &str| {
        let files = json!({"tls.crt": "YQ==", "tls.key": "YQ=="});
        let secret = json!({"metadata": {"name": "cacerts", "resourceVersion": "7"}, "type": type_, "data": files});
        api.put(SECRET, secret);
    };
    there("kubernetes.io/tls");
    let ran = shell.run(&format!("{PUSH} --adopt"));
    ended(
        &ran,
        2,
        &[
            "error[apply/secret-type]: secret cacerts is of type `kubernetes.io/tls`, which cannot hold the files of the folder",
            "hint: create the files with `--layout tls`",
        ],
    );
    assert_eq!(count(&api, "PATCH", SECRET), 0);
    shell.good(&format!("{tls} --adopt"));
    assert_eq!(api.object(SECRET).expect("a secret")["type"], "kubernetes.io/tls");
    // A custom type can hold anything, and is kept.
    there("example.com/ca");
    shell.good(&format!("{PUSH} --adopt"));
    assert_eq!(api.object(SECRET).expect("a secret")["type"], "example.com/ca");
}
