//! `meshctl status` and `meshctl check --context`: clusters that cannot be reached, and real ones with a real istiod.

use serde_json::Value;
use tests::cli::{Ran, Shell, ended};
use tests::mesh::{Mesh, SOON};
use tests::rig::{Cluster, Hold, Istio, Kind};
use tests::schema;

/// A kubeconfig whose server does not exist.
const NOBODY: &str = r#"{"apiVersion": "v1", "kind": "Config",
"clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:9"}}],
"users": [{"name": "none", "user": {}}],
"contexts": [{"name": "away", "context": {"cluster": "none", "user": "none"}}]}"#;

fn shell() -> Shell {
    let shell = Shell::new();
    std::fs::write(shell.scratch.join("kubeconfig"), NOBODY).expect("a kubeconfig");
    shell
}

#[test]
fn nothing_to_ask() {
    let shell = shell();
    shell.check(
        "check",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: nothing to check

        hint: name a folder, as in `meshctl check ca`, a cluster with `--context east=CONTEXT`, or both
    "#,
    );
    shell.check(
        "status",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: no cluster given

        hint: use `--context CLUSTER=CONTEXT`; `kubectl config get-contexts` lists the contexts
    "#,
    );
    shell.check(
        "status --kubeconfig @/kubeconfig --context east=away,west=away",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: cluster east (context away) and cluster west (context away) share a name or a context
    "#,
    );
    shell.check(
        "status --kubeconfig @/kubeconfig --context absent",
        r#"
        exit 1
        --- stderr
        error[apply/kubeconfig]: kubeconfig @/kubeconfig has no context `absent`

        hint: `kubectl config get-contexts --kubeconfig @/kubeconfig` lists the contexts; `--kubeconfig FILE` names another file
    "#,
    );
    shell.check(
        "status @/nowhere --kubeconfig @/kubeconfig --context away",
        r#"
        exit 1
        --- stderr
        error[ctl/io]: cannot read `@/nowhere`
          because: No such file or directory (os error 2)
    "#,
    );
}

#[test]
fn a_cluster_that_is_away() {
    let shell = shell();
    shell.check(
        "status --kubeconfig @/kubeconfig --context east=away",
        r#"
        exit 1
        live clusters at 2026-11-21T07:00:00Z

        [?]    east (context away, https://127.0.0.1:9)
          unknown  cannot reach the API server: Connection refused (os error 111)

        1 cluster (1 could not be reached): 0 errors, 0 warnings
        next: kubectl --context away get --raw /readyz --kubeconfig @/kubeconfig
        --- stderr
        error[apply/unreachable]: cannot reach the API server: Connection refused (os error 111)
          in: cluster east (context away, https://127.0.0.1:9)

        hint: `kubectl --context away get --raw /readyz --kubeconfig @/kubeconfig` shows whether kubectl can reach it
    "#,
    );
    let ran = shell.run("status --kubeconfig @/kubeconfig --context east=away -o json");
    assert_eq!(ran.status, 1);
    schema::check("status", &ran.out);
    shell.check(
        "check --kubeconfig @/kubeconfig --context east=away",
        r#"
        exit 1
        --- stderr
        error[apply/unreachable]: cannot reach the API server: Connection refused (os error 111)
          in: cluster east (context away, https://127.0.0.1:9)

        hint: `kubectl --context away get --raw /readyz --kubeconfig @/kubeconfig` shows whether kubectl can reach it
    "#,
    );
    // What can be checked without it is checked.
    shell.good("ca init @/ca --cluster east --plain-root-key");
    shell.check(
        "check @/ca --kubeconfig @/kubeconfig --context east=away",
        r#"
        exit 1
        live clusters at 2026-11-21T07:00:00Z

        [ok]   east  not connected; with @/ca/east, istiod 1.30.3 starts and signs with `Mesh CA east`

        1 cluster: 0 errors, 0 warnings
        --- stderr
        error[apply/unreachable]: cannot reach the API server: Connection refused (os error 111)
          in: cluster east (context away, https://127.0.0.1:9)

        hint: `kubectl --context away get --raw /readyz --kubeconfig @/kubeconfig` shows whether kubectl can reach it
    "#,
    );
}

/// A mesh that is asked by people and by scripts at the same time.
struct Asked<'a>(&'a Mesh);

impl Asked<'_> {
    /// Runs a command for people and as JSON: one exit status, these parts in the text, and the document.
    #[track_caller]
    fn check(&self, command: &str, status: u8, parts: &[&str]) -> Value {
        let ran = self.0.run(command);
        let all = said(&ran);
        assert_eq!(ran.status, status, "{all}");
        for part in parts {
            assert!(all.contains(part), "`{part}` is not in\n{all}");
        }
        println!("$ meshctl {command}\n{all}");
        let json = self.0.run(&format!("{command} -o json"));
        assert_eq!(json.status, status, "{}", said(&json));
        let kind = command.split(' ').next().expect("a command");
        schema::check(kind, &json.out);
        let key = std::fs::read_to_string(self.0.shell.scratch.join("ca/east/ca-key.pem"));
        for line in key.expect("a key").lines().filter(|line| !line.starts_with("-----")) {
            assert!(!all.contains(line) && !json.out.contains(line), "a key is shown");
        }
        let document: Value = serde_json::from_str(&json.out).expect("JSON");
        for problem in document["problems"].as_array().into_iter().flatten() {
            self.0.try_out(problem["next"].as_str().unwrap_or_default());
        }
        document
    }
}

fn said(ran: &Ran) -> String {
    format!("{}{}", ran.out, ran.err)
}

/// The codes of a document, each once.
fn codes(document: &Value) -> Vec<&str> {
    let problems = document["problems"].as_array().expect("problems");
    let mut codes: Vec<&str> = problems.iter().filter_map(|p| p["code"].as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Whether `truster` accepts what `signer` signs, in every pair of the document.
fn trust(document: &Value) -> Vec<(String, Option<bool>)> {
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let pairs = document["trust"].as_array().expect("pairs").iter();
    let one = |pair: &Value| {
        (text(&pair["truster"]) + "<-" + &text(&pair["signer"]), pair["trusted"].as_bool())
    };
    pairs.map(one).collect()
}

/// Restarts istiod and waits until it has written its roots into a namespace.
fn restart_istiod(cluster: &Cluster, root: &str) {
    cluster.restart(Kind::Deployment, "istio-system", "istiod", root);
    istiod_is_restarted(cluster, root);
}

fn istiod_is_restarted(cluster: &Cluster, root: &str) {
    cluster.rolled_out(Kind::Deployment, "istio-system", "istiod");
    cluster.wait("the new roots are given", SOON, async || {
        let maps = kube::Api::<k8s_openapi::api::core::v1::ConfigMap>::all(cluster.client());
        let list = maps.list(&kube::api::ListParams::default()).await.ok()?;
        let mut texts = list.items.into_iter().filter_map(|map| map.data?.remove("root-cert.pem"));
        texts.all(|text| text == root).then_some(())
    });
}

#[test]
fn two_clusters() {
    let Some(mesh) = Mesh::start(&["east", "west"]) else { return };
    let path = |name: &str| mesh.shell.scratch.join(name);
    for (cluster, name) in mesh.clusters.iter().zip(["east", "west"]) {
        cluster.apply_cacerts(&path(&format!("ca/{name}")));
        cluster.install_istio(&Istio::default());
        cluster.wait("the roots are given", SOON, async || {
            let maps = kube::Api::<k8s_openapi::api::core::v1::ConfigMap>::namespaced(
                cluster.client(),
                "istio-system",
            );
            maps.get_opt("istio-ca-root-cert").await.ok()?.map(|_| ())
        });
    }
    let asked = Asked(&mesh);
    let good = asked.check(
        "status @/ca --context east,west",
        0,
        &[
            "matches the cluster",
            "this CA, from 1 pod of istiod",
            "west  yes   yes",
            "2 clusters: 0 errors, 0 warnings",
        ],
    );
    assert_eq!((&good["next"], &good["good"]), (&Value::Null, &Value::Bool(true)));
    let report = "report @/ca --context east,west";
    let page = ["<!DOCTYPE html>", "No problems found.", "this CA, from 1 pod of istiod"];
    assert_eq!(asked.check(report, 0, &page)["good"], true);
    asked.check("check --context east,west", 0, &["[ok]   east", "0 errors, 0 warnings"]);
    asked.check(
        "check @/ca --context east,west",
        0,
        &["with the new files in", "0 errors, 0 warnings"],
    );
    // West gets its own root, as if someone had followed the docs there.
    mesh.shell.good("ca init @/other --cluster west --plain-root-key");
    let planned =
        asked.check("check @/other --context east,west", 2, &["error[istiod/root-replaced]: west"]);
    assert_eq!(codes(&planned), ["istiod/different-roots", "istiod/root-replaced"]);
    let west = &mesh.clusters[1];
    let before = mesh.written(1);
    let refused = mesh.run("push @/other --context west --yes");
    assert_eq!(refused.status, 2, "{}", said(&refused));
    let parts =
        ["error[istiod/root-replaced]", "nothing was written", "--force istiod/root-replaced"];
    assert!(parts.iter().all(|part| refused.err.contains(part)), "{}", said(&refused));
    assert_eq!(mesh.written(1), before);
    west.apply_cacerts(&path("other/west"));
    restart_istiod(west, &mesh.shell.scratch.read("other/root-cert.pem"));
    let bad = asked.check(
        "status @/ca --context east,west",
        2,
        &[
            "west does not accept east: ",
            "east does not accept west: ",
            "error[istiod/different-roots]: east, west",
            "ca/west differs: the CA, the roots",
        ],
    );
    let expect =
        [("east<-east", true), ("east<-west", false), ("west<-east", false), ("west<-west", true)];
    assert_eq!(trust(&bad), expect.map(|(pair, trusted)| (pair.to_owned(), Some(trusted))));
    let reported = asked.check(report, 2, &["istiod/different-roots", "west does not accept east"]);
    for key in ["trust", "problems", "next", "good"] {
        assert_eq!(reported[key], bad[key], "{key}");
    }
    // A cluster that cannot be reached does not hide the others.
    mesh.write_kubeconfig(
        "half",
        &[mesh.clusters[0].kubeconfig(), west.kubeconfig_for("nobody", &[])],
    );
    let ran = mesh.run_as("half", "status --context east,west");
    assert_eq!(ran.status, 1, "{}", said(&ran));
    for part in ["[ok]   east", "[?]    west", "error[apply/forbidden]", "1 could not be reached"] {
        assert!(said(&ran).contains(part), "{part}: {}", said(&ran));
    }
}

/// A self-signed istiod; a secret created with kubectl, which it does not read; a restart.
#[test]
fn a_secret_istiod_does_not_know() {
    let Some(mut mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    // istiod's own CA is younger than the mesh.
    mesh.shell.now = meshctl::io::system_time();
    let (east, asked) = (&mesh.clusters[0], Asked(&mesh));
    let first = asked.check(
        "status --context east",
        2,
        &[
            "istiod's own, because there is no secret: `O = cluster.local`",
            "error[istiod/first-install]: east",
            "1 error, 0 warnings\nnext: meshctl push DIR --context east --workloads",
        ],
    );
    assert_eq!(codes(&first), ["istiod/first-install"]);
    asked.check("status --context east --before-install", 0, &["warning[istiod/first-install]"]);
    asked.check("check --context east", 2, &["error[istiod/first-install]"]);
    asked.check("check --context east --before-install", 0, &["warning[istiod/first-install]"]);
    let planned = asked.check("check @/ca --context east", 0, &["new: `Mesh CA east`"]);
    assert_eq!(codes(&planned), ["istiod/first-install"]);
    east.apply_cacerts(&mesh.shell.scratch.join("ca/east"));
    let forgotten = asked.check(
        "status @/ca --context east",
        2,
        &[
            "matches the cluster",
            "a different CA, from pod istiod-",
            "error[istiod/not-live]: east",
            "next: kubectl --context east -n istio-system rollout restart deployment -l app=istiod",
        ],
    );
    assert_eq!(codes(&forgotten), ["istiod/not-live", "istiod/roots-not-given"]);
    asked.check(
        "check --context east",
        2,
        &["error[istiod/not-live]", "error[istiod/roots-not-given]"],
    );
    mesh.follow(forgotten["next"].as_str().expect("a command"));
    istiod_is_restarted(east, &mesh.shell.scratch.read("ca/root-cert.pem"));
    // The gateway is from before.
    let half = asked.check(
        "status @/ca --context east",
        2,
        &[
            "this CA, from 1 pod of istiod",
            "started before the roots changed",
            "next: kubectl --context east -n istio-system rollout restart deployment/istio-ingressgateway",
        ],
    );
    assert_eq!(codes(&half), ["apply/unfinished"]);
    mesh.follow(half["next"].as_str().expect("a command"));
    east.rolled_out(Kind::Deployment, "istio-system", "istio-ingressgateway");
    let mended = asked.check("status @/ca --context east", 0, &["restarts none pending"]);
    assert_eq!(codes(&mended), [""; 0]);
    // It writes nothing, and needs no right to make a token.
    let rights = mesh.shell.good("push @/ca --print-rbac --rbac-user ci");
    assert!(rights.contains("serviceaccounts/token"), "{rights}");
    east.apply(&rights.replace("serviceaccounts/token", "serviceaccounts/nothing"));
    mesh.write_kubeconfig("ci", &[east.kubeconfig_for("ci", &[])]);
    let written = mesh.written(0);
    let ran = mesh.run_as("ci", "status @/ca --context east");
    assert_eq!(ran.status, 0, "{}", said(&ran));
    assert_eq!(mesh.written(0), written, "nothing is written");
}

/// One root, two trust domains, and which cluster accepts whose identities.
#[test]
fn trust_domains() {
    let Some(mesh) = Mesh::start(&["east", "west"]) else { return };
    let install = |cluster: &Cluster, mesh_config: &str, env: &[(&str, &str)]| {
        cluster.apply_cacerts(&mesh.shell.scratch.join(format!("ca/{}", cluster.name())));
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        cluster.install_istio(&Istio {
            mesh: mesh_config.to_owned(),
            env: env.collect(),
            gateways: Vec::new(),
            ..Istio::default()
        });
    };
    install(&mesh.clusters[0], "trustDomain: east.example", &[]);
    install(&mesh.clusters[1], "", &[("PILOT_SKIP_VALIDATE_TRUST_DOMAIN", "true")]);
    let asked = Asked(&mesh);
    // West skips the check, east does not know west's.
    let found = asked.check(
        "check --context east,west",
        0,
        &[
            "warning[istiod/trust-domain]: east, west: ",
            "evidence: east has east.example; trustDomainAliases: none; caCertificates.trustDomains: none",
            "effect: calls from west to east fail",
            "next: kubectl --context east -n istio-system edit configmap istio",
        ],
    );
    assert_eq!(codes(&found), ["istiod/trust-domain"]);
    install(
        &mesh.clusters[0],
        "trustDomain: east.example\ntrustDomainAliases: [cluster.local]",
        &[],
    );
    let found = asked.check("check --context east,west", 0, &["0 errors, 0 warnings"]);
    assert_eq!(codes(&found), [""; 0]);
    by_spec(&mesh, &asked);
}

/// The same clusters, named once in the mesh's spec: contexts, trust domains and releases are those of the file.
fn by_spec(mesh: &Mesh, asked: &Asked<'_>) {
    let write = |east: &str, release: &str| {
        let spec = format!(
            "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n- {{name: west, istioVersion: {release}}}\n\
             - {{name: east, trustDomain: {east}, istioVersion: 1.30.3}}\n"
        );
        std::fs::write(mesh.shell.scratch.join("mesh.yaml"), spec).expect("a spec");
    };
    write("east.example", "1.30.3");
    let pushed = mesh.good("push @/ca -f @/mesh.yaml --yes");
    let place = |name: &str| pushed.find(&format!("{name}  ")).expect("both clusters");
    assert!(place("west") < place("east"), "the order of the file: {pushed}");
    asked.check("status @/ca -f @/mesh.yaml", 0, &["2 clusters: 0 errors, 0 warnings"]);
    write("other.example", "1.29.0");
    let found = asked.check(
        "check -f @/mesh.yaml",
        2,
        &[
            "error[istiod/spec-differs]: east: the trust domain differs from the spec",
            "evidence: the spec says other.example",
            "evidence: east has east.example (meshConfig.trustDomain)",
            "warning[istiod/spec-differs]: west: the release of Istio differs from the spec",
        ],
    );
    assert_eq!(codes(&found), ["istiod/spec-differs"]);
    mesh.shell.good("ca renew @/ca --cluster east");
    let version = || mesh.clusters[0].secret_resource_version("istio-system", "cacerts");
    let before = version();
    let refused = mesh.run("push @/ca -f @/mesh.yaml --context east --yes");
    ended(&refused, 2, &["error[istiod/spec-differs]", "cluster east", "nothing was written"]);
    assert_eq!(version(), before);
    // Nothing is made from a cluster that is not the one meant.
    std::fs::rename(mesh.shell.scratch.join("ca/east"), mesh.shell.scratch.join("east"))
        .expect("a move");
    let rotated =
        mesh.run("rotate intermediate @/ca -f @/mesh.yaml --context east --within 9999h --yes");
    ended(&rotated, 2, &["error[istiod/spec-differs]"]);
    assert!(!mesh.shell.scratch.join("ca/east").exists());
    // A CA that was made for another trust domain does not go where the spec says this one.
    write("east.example", "1.30.3");
    mesh.shell.good("ca init @/ca --cluster east --trust-domain north.example");
    let wrong = mesh.run("push @/ca -f @/mesh.yaml --context east --yes");
    let told = [
        "error[ctl/wrong-cluster]",
        "spiffe://north.example",
        "the spec has spiffe://east.example",
    ];
    ended(&wrong, 2, &told);
    assert_eq!(version(), before);
}

/// A cluster without Istio, without a secret, without pods: what is not there is never good.
#[test]
fn nothing_there() {
    let Some(mesh) = Mesh::start(&["east"]) else { return };
    let (east, asked) = (&mesh.clusters[0], Asked(&mesh));
    let none = "error[apply/no-istiod]: east: no istiod in namespace istio-system";
    let found = asked.check(
        "status --context east",
        2,
        &[
            "none: there is neither an istiod nor a secret",
            none,
            ", and no secret cacerts",
            "1 error, 0 warnings\nnext: kubectl --context east create namespace istio-system",
        ],
    );
    assert_eq!((&found["good"], codes(&found)), (&Value::Bool(false), vec!["apply/no-istiod"]));
    asked.check("check --context east", 2, &[none]);
    asked.check("check @/ca --context east", 2, &[none]);
    let to_come = "warning[apply/no-istiod]: east";
    asked.check("status --context east --before-install", 0, &["[warn] east", to_come]);
    asked.check("check @/ca --context east --before-install", 0, &[to_come]);
    let entries = mesh.shell.scratch.entries("ca");
    let rotated = mesh.run("rotate intermediate @/ca --context east --within 9999d --yes");
    ended(&rotated, 2, &["error[apply/no-istiod]"]);
    assert_eq!(mesh.shell.scratch.entries("ca"), entries, "nothing is renewed for nobody");
    let before = mesh.run("push @/ca --context east --yes --before-install");
    mesh.follow(before.hinted("kubectl --context east create namespace istio-system"));
    east.apply_object(&tests::rig::istio::namespace("istio-system"));
    asked.check(
        "status --context east",
        2,
        &["next: meshctl push DIR --context east --before-install"],
    );
    mesh.good("push @/ca --context east --yes --before-install");
    let next = "next: kubectl --context east get deployments -A -l app=istiod";
    let secret = ["secret cacerts has `Mesh CA east`", "0 warnings\nnext: "];
    asked.check("check --context east", 2, &[none, secret[0], next]);
    asked.check("status @/ca --context east", 2, &["matches the cluster", none, secret[1], next]);
    asked.check("status @/ca --context east --before-install", 0, &[to_come]);
    // Unchanged, and there is still no istiod to use it: a dry run says what a run would.
    for dry in ["", " --dry-run client"] {
        let ran = mesh.run(&format!("push @/ca --context east --yes{dry}"));
        ended(&ran, 2, &["error[apply/no-istiod]"]);
    }
    // An istiod without pods, then one whose pods are there.
    east.install_istio(&Istio { replicas: 0, gateways: Vec::new(), ..Istio::default() });
    let idle = "error[apply/no-replicas]: east: deployment/istiod has no replicas";
    let scale = "next: kubectl --context east -n istio-system scale deployment/istiod --replicas 1";
    asked.check("status @/ca --context east", 2, &[idle, scale]);
    asked.check("status @/ca --context east --before-install", 2, &[idle, scale]);
    asked.check("check --context east", 2, &[idle]);
    let idle = mesh.run("rotate intermediate @/ca --context east --yes");
    ended(&idle, 2, &["error[apply/no-replicas]"]);
    mesh.follow(idle.hinted("kubectl --context east -n istio-system scale deployment/istiod"));
    east.install_istio(&Istio::default());
    mesh.good("push @/ca --context east --yes --timeout 60s");
    asked.check("status @/ca --context east", 0, &["[ok]   east", "0 errors, 0 warnings"]);
}

/// Unfinished restarts are reported as such, counted, and finished by the suggested command.
#[test]
fn a_push_that_was_interrupted() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let (east, asked) = (&mesh.clusters[0], Asked(&mesh));
    mesh.shell.good("ca renew @/ca --cluster east");
    east.hold("istio-system/istiod", Hold::Never);
    let ran = mesh.run("push @/ca --context east --yes --timeout 5s");
    ended(&ran, 2, &["error[apply/patience]"]);
    let found = asked.check(
        "status @/ca --context east",
        2,
        &[
            "[fail] east",
            "error[apply/unfinished]: east: deployment/istio-ingressgateway in istio-system has not restarted since the secret changed",
            "next: meshctl push @/ca --context east".replace('@', &mesh.shell.scratch.path().display().to_string()).as_str(),
        ],
    );
    assert!(codes(&found).contains(&"apply/unfinished"), "{found}");
    let ran = mesh.run("forget --context east --yes");
    ended(&ran, 0, &["nothing is kept"]);
    // Nor does a set on disk go while the way back may be needed.
    let ran = mesh.run("forget @/ca --context east --yes");
    ended(
        &ran,
        2,
        &["error[apply/unfinished]", "because: nothing was removed", "`, then run this again"],
    );
    assert!(mesh.shell.scratch.join("ca/previous").exists());
    east.hold("istio-system/istiod", Hold::Release);
    mesh.good("push @/ca --context east --yes --timeout 60s");
    let done = asked.check("status @/ca --context east", 0, &["restarts none pending"]);
    assert_eq!(done["next"], Value::Null);
}
