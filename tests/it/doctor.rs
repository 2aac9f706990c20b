//! `meshctl doctor`: contexts that cannot be read are named, each problem leads to a command, and nothing is written.

use std::net::TcpListener;
use std::time::Instant;

use serde_json::{Value, json};
use tests::api::{Answer, Api, Asked, kubeconfig, url};
use tests::cli::{Shell, ended};
use tests::mesh::Mesh;
use tests::rig::Istio;
use tests::schema;

fn shell(servers: &[(&str, String)]) -> Shell {
    let shell = Shell { now: meshctl::io::system_time(), ..Shell::new() };
    shell.scratch.write("kubeconfig", kubeconfig(servers));
    shell
}

/// Answers whether a right is there.
fn review(asked: &Asked, may: impl Fn(&Value) -> bool) -> Option<Answer> {
    if !asked.path.ends_with("/selfsubjectaccessreviews") {
        return None;
    }
    let mut review = asked.body.clone();
    review["status"] = json!({"allowed": may(&asked.body["spec"]["resourceAttributes"])});
    Some(Answer::json(201, &review))
}

/// An API server without Istio, whose user may do anything; its cluster has this UID.
fn empty(uid: &'static str) -> Api {
    let api = Api::start(|asked| review(asked, |_| true));
    api.put(
        "/api/v1/namespaces/kube-system",
        json!({"kind": "Namespace", "metadata": {"name": "kube-system", "uid": uid}}),
    );
    api
}

/// The report as JSON, which fits its schema.
fn document(shell: &Shell, options: &str) -> Value {
    let ran = shell.run(&format!("doctor --kubeconfig @/kubeconfig {options} -o json"));
    schema::check("doctor", &ran.out);
    serde_json::from_str(&ran.out).expect("JSON")
}

fn commands(document: &Value) -> Vec<&str> {
    let steps = document["steps"].as_array().expect("steps").iter();
    steps.map(|step| step["command"].as_str().expect("a command")).collect()
}

fn states(document: &Value) -> Vec<&str> {
    let contexts = document["contexts"].as_array().expect("contexts").iter();
    contexts.map(|one| one["state"].as_str().expect("a state")).collect()
}

#[test]
fn no_context() {
    let shell = Shell::new();
    ended(&shell.run("doctor"), 1, &["error[apply/kubeconfig]", "neither KUBECONFIG nor HOME"]);
    shell.scratch.write("kubeconfig", kubeconfig(&[]));
    ended(
        &shell.run("doctor --kubeconfig @/kubeconfig"),
        1,
        &[
            "error[apply/kubeconfig]: the kubeconfig has no contexts",
            "meshctl ca init ca --cluster",
        ],
    );
}

#[test]
fn a_context_that_is_away() {
    let shell = shell(&[("away", "https://127.0.0.1:9".to_owned())]);
    let ran = shell.run("doctor --kubeconfig @/kubeconfig --at 2026-11-21T07:00:00Z");
    tests::cli::compare(
        "doctor",
        &shell.mask(&format!("exit {}\n{}{}", ran.status, ran.out, ran.err)),
        r#"
        exit 1
        1 context at 2026-11-21T07:00:00Z

        [?]    away (https://127.0.0.1:9)
          error    cannot reach the API server: Connection refused (os error 111)

        what to do, in order
          1. find out why away does not answer, or leave it out
             kubectl --context away get --raw /readyz --kubeconfig @/kubeconfig
    "#,
    );
}

/// Whatever is wrong with one context, it is named, and the others are shown.
#[test]
fn none_is_passed_over() {
    let (api, twin) = (empty("1"), empty("2"));
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("http://{}", listener.local_addr().expect("an address"))
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let hangs = format!("http://{}", listener.local_addr().expect("an address"));
    let shell = shell(&[
        ("good", url(&api)),
        ("again", url(&api)),
        ("arn:aws:eks:eu:1:cluster/prod", url(&twin)),
        ("closed", closed),
        ("hangs", hangs),
        ("plain", "http://192.0.2.1".to_owned()),
        ("broken", "not a url".to_owned()),
    ]);
    let start = Instant::now();
    let found = document(&shell, "--timeout 2s");
    assert!(start.elapsed().as_secs() < 15, "the time for a context is bounded");
    assert_eq!(states(&found), ["ok", "ok", "ok", "unknown", "unknown", "unknown", "unknown"]);
    assert_eq!(found["contexts"][1]["sameAs"], "good");
    let codes: Vec<&str> = found["contexts"].as_array().expect("contexts")[3..]
        .iter()
        .map(|one| one["error"]["code"].as_str().expect("a code"))
        .collect();
    assert_eq!(
        codes,
        ["apply/unreachable", "apply/unreachable", "ctl/insecure-server", "apply/kubeconfig"]
    );
    let said = |at: usize| found["contexts"][at]["error"]["message"].as_str().expect("a message");
    assert!(said(3).contains("Connection refused"), "{}", said(3));
    assert!(said(4).contains("no complete answer within 2 s"), "{}", said(4));
    let file = shell.scratch.join("kubeconfig").display().to_string();
    let typed = |command: &str| format!("{command} --kubeconfig {file}");
    assert_eq!(
        commands(&found),
        [
            "meshctl ca init ca --cluster good,prod".to_owned(),
            typed(
                "meshctl push ca --context good,prod=arn:aws:eks:eu:1:cluster/prod --before-install"
            ),
            typed("kubectl --context closed get --raw /readyz"),
            typed("kubectl --context hangs get --raw /readyz"),
            typed("kubectl config get-contexts plain"),
            typed("kubectl config get-contexts"),
        ]
    );
    let ran = shell.run("doctor --kubeconfig @/kubeconfig --timeout 2s");
    ended(
        &ran,
        1,
        &[
            "7 contexts at ",
            "[=]    again",
            "context good: both reach one cluster",
            "no complete answer within 2 s",
            "1 more context could not be read; this lists all contexts",
            "correct plain in the kubeconfig",
        ],
    );
    assert!(!ran.out.contains("secret-token"), "{}", ran.out);
    for asked in api.asked() {
        let is_question = asked.path.ends_with("/selfsubjectaccessreviews");
        assert!(asked.method == "GET" || is_question, "{asked:?}");
    }
    let chosen = document(&shell, "--context one=good");
    assert_eq!(chosen["contexts"][0]["cluster"], "one");
    assert_eq!(states(&chosen), ["ok"]);
}

#[test]
fn rights() {
    let reads = |right: &Value| {
        let verb = right["verb"].as_str().expect("a verb");
        let is_of_push = verb == "patch" || right["subresource"] == "token";
        !is_of_push
    };
    let api = Api::start(move |asked| review(asked, reads));
    let shell = shell(&[("east", url(&api))]);
    let ran = shell.run("doctor --kubeconfig @/kubeconfig");
    let push = "enough to read; a push also needs: patch secrets cacerts in istio-system, patch secrets \
                meshctl-cacerts-previous in istio-system, patch deployments.apps istiod in \
                istio-system, create serviceaccounts/token default in istio-system";
    ended(&ran, 0, &["[warn] east", push, "meshctl push --print-rbac"]);
    let api = Api::start(move |asked| {
        review(asked, |right| reads(right) && right["resource"] != "secrets")
    });
    let shell = self::shell(&[("east", url(&api))]);
    let found = document(&shell, "");
    assert_eq!(states(&found), ["fail"]);
    assert_eq!(found["contexts"][0]["missingToRead"].as_array().map(Vec::len), Some(2));
    let first = commands(&found)[0].to_owned();
    assert!(
        first.starts_with("kubectl --context east auth can-i --list -n istio-system "),
        "{first}"
    );
    ended(
        &shell.run("doctor --kubeconfig @/kubeconfig"),
        2,
        &["[fail] east", "get secrets cacerts"],
    );
}

#[test]
fn a_clock_that_is_wrong() {
    let check = |ahead: i64, status: u8, expect: &[&str]| {
        let api = empty("1");
        api.set_clock_ahead(ahead);
        let mut shell = shell(&[("east", url(&api))]);
        // When the command started does not matter: it may have waited for other contexts since.
        shell.now = meshpki::Time(shell.now.0 - 3600);
        ended(&shell.run("doctor --kubeconfig @/kubeconfig"), status, expect);
    };
    let step = "  1. correct the wrong clock";
    check(3600, 2, &["[fail] east", "seconds ahead of this machine's", step, "date -u"]);
    check(-3600, 2, &["[fail] east", "seconds behind this machine's", step, "date -u"]);
    check(0, 0, &["[ok]   east"]);
}

/// An API server with a Deployment of istiod of this name and with this variable, and one pod if it is ready; nothing
/// listens in the pod.
fn with_istiod(
    (name, revision): (&str, &str),
    variable: Option<&str>,
    is_ready: bool,
    may: impl Fn(&Value) -> bool + Send + Sync + 'static,
) -> Api {
    let api = Api::start(move |asked| review(asked, &may));
    let system = "/api/v1/namespaces/kube-system";
    api.put(system, json!({"metadata": {"name": "kube-system", "uid": "1"}}));
    api.put("/api/v1/namespaces/default", json!({"metadata": {"name": "default"}}));
    let root = std::fs::read_to_string("../fixtures/inspect/chain.pem").expect("a fixture");
    let map = json!({"metadata": {"name": "istio-ca-root-cert", "namespace": "default"}, "data": {"root-cert.pem": root}});
    api.put("/api/v1/configmaps/istio-ca-root-cert", map);
    let labels = json!({"app": "istiod", "istio.io/rev": revision});
    let env: Vec<Value> =
        variable.iter().map(|name| json!({"name": name, "value": "true"})).collect();
    let count = u8::from(is_ready);
    api.put(
        &format!("/apis/apps/v1/namespaces/istio-system/deployments/{name}"),
        json!({
            "metadata": {"name": name, "namespace": "istio-system", "labels": labels, "generation": 1},
            "spec": {
                "replicas": count,
                "selector": {"matchLabels": {"app": "istiod"}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "discovery", "image": "istio/pilot:1.30.3", "env": env}]},
                },
            },
            "status": {"observedGeneration": 1, "replicas": count, "updatedReplicas": count, "availableReplicas": count, "readyReplicas": count},
        }),
    );
    if is_ready {
        api.put(
            "/api/v1/namespaces/istio-system/pods/istiod-1",
            json!({
                "metadata": {"name": "istiod-1", "namespace": "istio-system", "labels": labels},
                "spec": {"containers": [{"name": "discovery"}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            }),
        );
    }
    api
}

#[test]
fn an_istiod_that_does_not_answer() {
    let api = with_istiod(("istiod", "default"), None, false, |_| true);
    let shell = shell(&[("east", url(&api))]);
    let said = ["[fail] east", "[apply/no-replicas]", "meshctl status --context east"];
    ended(&shell.run("doctor --kubeconfig @/kubeconfig"), 2, &said);
    let api = with_istiod(("istiod", "default"), None, true, |_| true);
    let shell = self::shell(&[("east", url(&api))]);
    let found = document(&shell, "");
    assert_eq!(states(&found), ["unknown"], "{found}");
    let error = &found["contexts"][0]["error"];
    assert_eq!(error["code"], "apply/unreachable");
    let steps = commands(&found);
    let status = "meshctl status --context east --kubeconfig ";
    assert!(steps.iter().any(|step| step.starts_with(status)), "{steps:?}");
    let said = ["[?]    east", "cannot read which CA pod istiod-1 serves: "];
    ended(&shell.run("doctor --kubeconfig @/kubeconfig"), 1, &said);
}

/// A user who has the rights that are printed for a cluster, and no others, may read it.
#[test]
fn rights_follow_what_is_there() {
    let bundle =
        |right: &Value| right["resource"] != "configmaps" || right["name"] != "istio-ca-root-cert";
    let api =
        with_istiod(("istiod", "default"), Some("ENABLE_CLUSTER_TRUST_BUNDLE_API"), true, bundle);
    let shell = shell(&[("east", url(&api))]);
    let found = document(&shell, "");
    assert_eq!(found["contexts"][0]["missingToRead"], json!([]));
    let named = |right: &Value| right["verb"] != "patch" || right["name"] != "istiod";
    let api = with_istiod(("istiod-1-24", "1-24"), None, true, named);
    let shell = self::shell(&[("east", url(&api))]);
    let found = document(&shell, "");
    assert_eq!(found["contexts"][0]["missingToPush"], json!([]));
}

/// Of two contexts for one cluster, the one that may read it stands for both.
#[test]
fn the_better_of_two_contexts() {
    let blind = Api::start(|asked| review(asked, |right| right["resource"] != "secrets"));
    blind.put(
        "/api/v1/namespaces/kube-system",
        json!({"metadata": {"name": "kube-system", "uid": "1"}}),
    );
    let good = empty("1");
    let shell = shell(&[("blind", url(&blind)), ("also-blind", url(&blind)), ("good", url(&good))]);
    let found = document(&shell, "");
    let same = |at: usize| found["contexts"][at]["sameAs"].clone();
    assert_eq!([same(0), same(1), same(2)], [json!("good"), json!("good"), Value::Null]);
    let said =
        ["[=]    blind", "context good: both reach one cluster", "[ok]   good", "--cluster good"];
    ended(&shell.run("doctor --kubeconfig @/kubeconfig"), 0, &said);
}

/// `=` parts a cluster's name from its context on the command line only.
#[test]
fn a_context_with_an_equals_sign() {
    let api = empty("1");
    let shell = shell(&[("user=me:prod", url(&api))]);
    let found = document(&shell, "");
    assert_eq!(found["contexts"][0]["context"], "user=me:prod");
    assert_eq!(found["contexts"][0]["cluster"], "prod");
    let steps = commands(&found);
    assert!(steps[1].starts_with("meshctl push ca --context prod=user=me:prod "), "{steps:?}");
    assert_eq!(states(&document(&shell, "--context prod=user=me:prod")), ["ok"]);
}

/// One cluster with a CA of istiod's own and one with a secret: the steps lead to one root for both.
#[test]
fn its_steps_run() {
    let Some(mesh) = Mesh::start(&["east", "west"]) else { return };
    let run = |options: &str| mesh.run(&format!("doctor {options}"));
    let json = || -> Value {
        let ran = run("-o json");
        schema::check("doctor", &ran.out);
        serde_json::from_str(&ran.out).expect("JSON")
    };
    ended(
        &run(""),
        0,
        &["none: no istiod in namespace istio-system", "ca init ca --cluster east,west"],
    );
    std::thread::scope(|scope| {
        for cluster in &mesh.clusters {
            scope.spawn(|| cluster.install_istio(&Istio::default()));
        }
    });
    let written = (mesh.written(0), mesh.written(1));
    let found = json();
    assert_eq!(states(&found), ["warn", "warn"], "{found}");
    // As a reader who has this folder.
    let follow = |command: &str| {
        let command = command.strip_prefix("meshctl ").unwrap_or_else(|| panic!("{command}"));
        let command = command.replace(" ca ", " @/ca ").replace(" DIR", " @/ca");
        let command = command.split(" --kubeconfig ").next().unwrap_or_default().to_owned();
        println!("$ meshctl {command}");
        mesh.run(&command)
    };
    let steps = commands(&found);
    assert!(steps[0].starts_with("meshctl ca init ca --cluster east,west"), "{steps:?}");
    assert!(steps[1].starts_with("meshctl rotate root plan ca --context east,west"), "{steps:?}");
    ended(&follow(steps[1]), 0, &["east", "west"]);
    assert_eq!((mesh.written(0), mesh.written(1)), written, "nothing is written");
    mesh.good("push @/ca --context east,west --yes --force istiod/root-replaced --timeout 90s");
    let found = json();
    assert_eq!(states(&found), ["ok", "ok"], "{found}");
    assert_eq!(found["contexts"][0]["live"]["source"], "secret");
    let steps = commands(&found);
    assert!(steps[0].starts_with("meshctl status --context east,west"), "{steps:?}");
    ended(&follow(steps[0]), 0, &["0 errors, 0 warnings"]);
    ended(&run(""), 0, &["[ok]   east", "`Mesh CA east` (sha256 ", "from secret cacerts"]);
    let soon = run("--within 400d");
    ended(
        &soon,
        2,
        &[
            "[fail] east",
            "meshctl rotate intermediate DIR --context east,west --within 400d --dry-run client",
        ],
    );
    let renew =
        "meshctl rotate intermediate DIR --context east,west --within 400d --dry-run client";
    let listed = follow(renew);
    ended(&listed, 0, &[]);
    for cluster in ["east", "west"] {
        let is_due =
            |line: &str| line.starts_with(&format!("{cluster}: ")) && line.contains(": due (");
        assert!(listed.out.lines().any(is_due), "{cluster}: {}", listed.out);
    }
    // The root ends too: what is signed under it does not outlive it.
    let root = run("--within 9999d");
    ended(&root, 2, &["rotate root plan DIR --context east,west"]);
}
