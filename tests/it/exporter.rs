//! `meshctl exporter` and `status -o prometheus`: what clusters serve as metrics, with the files of docs/monitoring.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use meshapply::endpoint::MonitorServer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tests::Scratch;
use tests::api::{Answer, Api, kubeconfig, url};
use tests::cli::{Shell, ended, words};
use tests::endpoint::plain;
use tests::judges::{missing, run, spawn};
use tests::mesh::Mesh;
use tests::rig::Istio;
use tests::rotation::World;

use crate::MESHCTL;

/// A running exporter, ended when dropped.
struct Exporter {
    child: Child,
    address: SocketAddr,
}

impl Exporter {
    fn start(scratch: &Scratch, options: &str) -> Self {
        let command = format!("exporter --listen 0 --interval 1s {options}");
        let command = command.replace('@', &scratch.path().display().to_string());
        let mut child = Command::new(MESHCTL)
            .args(words(&command))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(scratch.join("exporter.err")).expect("a file"))
            .spawn()
            .expect("meshctl runs");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        out.read_line(&mut line).expect("text");
        let address =
            line.strip_prefix("metrics at http://").and_then(|rest| rest.split('/').next());
        let address = address.unwrap_or_else(|| panic!("{line}{}", scratch.read("exporter.err")));
        Self { child, address: address.parse().expect("an address") }
    }

    /// The metrics, as soon as they have this line.
    fn metrics_with(&self, line: &str) -> String {
        let start = Instant::now();
        loop {
            let text = plain(self.address, "/metrics");
            let (_, text) = text.split_once("\r\n\r\n").expect("a response");
            if text.lines().any(|found| found == line) {
                return text.to_owned();
            }
            assert!(start.elapsed().as_secs() < 60, "`{line}` is not in\n{text}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Asks a process to end, and waits for it.
fn terminate(child: &mut Child) -> ExitStatus {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("an id");
    kill_process(pid, Signal::TERM).expect("a signal");
    child.wait().expect("a process that ends")
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The names of the metrics of a text, by its `# HELP` lines.
fn names(text: &str) -> BTreeSet<String> {
    let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
    helps.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// `promtool` finds nothing to improve.
fn check_text(text: &str) {
    let Some(mut child) = promtool(&["check", "metrics"]) else { return };
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), text.as_bytes())
        .expect("a pipe");
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}

fn promtool(args: &[&str]) -> Option<Child> {
    spawn("promtool", Command::new("promtool").args(args))
}

/// One cluster without Istio but with a CRL for workloads, and one that is away.
fn half_away() -> (Api, Shell) {
    let api = Api::start(|asked| {
        let is_secret = asked.path.contains("/secrets");
        is_secret.then(|| Answer::refusal(403, "Forbidden", "no secret is for this user"))
    });
    let crl = std::fs::read_to_string("../fixtures/inspect/crl.pem").expect("a fixture");
    api.put(
        "/api/v1/configmaps/istio-ca-crl",
        json!({"metadata": {"name": "istio-ca-crl", "namespace": "default"}, "data": {"ca-crl.pem": crl}}),
    );
    let shell = Shell { now: meshctl::io::system_time(), ..Shell::new() };
    let away = "http://127.0.0.1:9".to_owned();
    shell.scratch.write("kubeconfig", kubeconfig(&[("east", url(&api)), ("away", away)]));
    (api, shell)
}

#[test]
fn what_does_not_answer_is_a_metric_too() {
    let (api, shell) = half_away();
    let mut exporter = Exporter::start(
        &shell.scratch,
        "--kubeconfig @/kubeconfig --context east,away --timeout 5s",
    );
    let text = exporter.metrics_with("meshctl_cluster_up{cluster=\"east\"} 1");
    let has =
        |line: &str| assert!(text.lines().any(|found| found.starts_with(line)), "{line}: {text}");
    has("meshctl_cluster_up{cluster=\"away\"} 0");
    has("meshctl_cluster_last_success_timestamp_seconds{cluster=\"east\"} 1");
    has("meshctl_served_crl_next_update_timestamp_seconds{cluster=\"east\",issuer=\"");
    has("meshctl_samples_left_out 0");
    assert!(!text.contains("meshctl_trust_accepted{"), "what is not known has no sample: {text}");
    assert!(!text.contains("last_success_timestamp_seconds{cluster=\"away\"}"), "{text}");
    check_text(&text);
    assert!(plain(exporter.address, "/healthz").ends_with("\r\n\r\nok\n"));
    assert!(plain(exporter.address, "/").starts_with("HTTP/1.1 404 "));
    assert!(terminate(&mut exporter.child).success(), "SIGTERM ends it in order");
    let asked = api.asked();
    assert!(
        asked.iter().all(|one| one.method == "GET" && !one.path.contains("/secrets")),
        "{asked:?}"
    );
    let said = shell.scratch.read("exporter.err");
    assert_eq!(said.matches("error[").count() + said.matches("warning[").count(), 1, "{said}");
    assert!(
        said.contains("warning[apply/unreachable]") && !said.contains("secret-token"),
        "{said}"
    );
    files_know(&names(&text));
}

/// Runs openssl in a folder; returns its answer.
fn openssl(folder: &Scratch, args: &str) {
    let answer = run(Command::new("openssl").current_dir(folder.path()).args(words(args)));
    assert!(answer.good, "openssl {args}: {answer:?}");
}

/// A CA of this name, with a CRL for each of these numbers of days.
fn ca_with_crls(
    folder: &Scratch,
    (file, name): (&str, &str),
    days: &[u32],
) -> (String, Vec<String>) {
    folder
        .write("ca.cnf", "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\ndefault_md = sha256\n");
    folder.write("index.txt", "");
    openssl(
        folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {file}.key -out {file}.pem -subj /CN={name} -days 90"
        ),
    );
    let crl = |days: &u32| {
        openssl(
            folder,
            &format!(
                "ca -gencrl -config ca.cnf -keyfile {file}.key -cert {file}.pem -crldays {days} -out crl.pem"
            ),
        );
        folder.read("crl.pem")
    };
    (folder.read(&format!("{file}.pem")), days.iter().map(crl).collect())
}

/// ConfigMaps of one name in namespaces.
fn maps(name: &str, key: &str, texts: &[(&str, &str)]) -> Answer {
    let one = |(namespace, text): &(&str, &str)| json!({"metadata": {"name": name, "namespace": namespace}, "data": {key: text}});
    let items: Vec<Value> = texts.iter().map(one).collect();
    Answer::json(
        200,
        &json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {}, "items": items}),
    )
}

/// A CRL that ends soon in one namespace is not hidden by a newer one in another, nor made by someone else; and the roots
/// that most namespaces have are the cluster's.
#[test]
fn what_differs_between_namespaces() {
    let folder = Scratch::new();
    let (root, crls) = ca_with_crls(&folder, ("a", "A"), &[5, 30, 60]);
    let (_, forged) = ca_with_crls(&folder, ("b", "A"), &[1]);
    let (other, _) = ca_with_crls(&folder, ("c", "C"), &[]);
    let both = format!("{}{}", crls[0], crls[1]);
    let newest =
        format!("{}{}-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", crls[2], forged[0]);
    let api = Api::start(move |asked| {
        if asked.path != "/api/v1/configmaps" {
            return None;
        }
        if asked.query.contains("istio-ca-crl") {
            return Some(maps("istio-ca-crl", "ca-crl.pem", &[("x", &newest), ("y", &both)]));
        }
        let roots = [("x", other.as_str()), ("y", &root), ("z", &root)];
        Some(maps("istio-ca-root-cert", "root-cert.pem", &roots))
    });
    for name in ["x", "y", "z"] {
        api.put(&format!("/api/v1/namespaces/{name}"), json!({"metadata": {"name": name}}));
    }
    let shell = one_cluster(&api);
    let exporter = Exporter::start(&shell.scratch, "--kubeconfig @/kubeconfig --context east");
    let text = exporter.metrics_with("meshctl_cluster_up{cluster=\"east\"} 1");
    let values = |name: &str| -> Vec<i64> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once("} "));
        lines.map(|(_, value)| value.parse().expect("a number")).collect()
    };
    let ends = values("meshctl_served_crl_next_update_timestamp_seconds{");
    let days: Vec<i64> = ends.iter().map(|end| (end - shell.now.0 + 43_200) / 86_400).collect();
    assert_eq!(days, [30], "{text}");
    assert_eq!(values("meshctl_served_crls_unreadable{"), [1], "{text}");
    assert_eq!(values("meshctl_namespaces_with_other_roots{"), [1], "{text}");
    check_text(&text);
}

/// Pairs above the limit are counted, not verified.
#[test]
fn many_clusters() {
    let names: Vec<String> = (0..101).map(|number| format!("c{number}")).collect();
    let away = |name| (name, "http://127.0.0.1:9".to_owned());
    let servers: Vec<_> = names.iter().map(String::as_str).map(away).collect();
    let shell = Shell::new();
    shell.scratch.write("kubeconfig", kubeconfig(&servers));
    let contexts = names.join(",");
    let exporter =
        Exporter::start(&shell.scratch, &format!("--kubeconfig @/kubeconfig --context {contexts}"));
    exporter.metrics_with(&format!("meshctl_samples_left_out {}", 101 * 101 - 10_000));
}

/// Requests are answered between the last question to a cluster and the page with every pair; and a second look finds the
/// same.
#[test]
fn it_answers_while_it_verifies() {
    let names: Vec<&'static str> = (0..24).map(|number| &*format!("c{number}").leak()).collect();
    let world = World::new(&names);
    let contexts = names.join(",");
    let exporter = Exporter::start(
        &world.shell.scratch,
        &format!("--kubeconfig @/kubeconfig --context {contexts}"),
    );
    let asked = || world.sites.iter().map(|(_, site)| site.api.asked().len()).sum::<usize>();
    let pairs = |text: &str| text.matches("\nmeshctl_trust_accepted{").count();
    // How much had been asked before each request.
    let mut requests = Vec::new();
    let start = Instant::now();
    let text = loop {
        let before = asked();
        let text = plain(exporter.address, "/metrics");
        assert!(plain(exporter.address, "/healthz").starts_with("HTTP/1.1 "));
        if pairs(&text) > 0 {
            break text;
        }
        requests.push(before);
        assert!(start.elapsed() < Duration::from_secs(120), "{text}");
    };
    // The next look begins a second after the page: all was asked before the last question of this one was verified.
    let all = asked();
    let meanwhile = requests.iter().filter(|before| **before == all).count();
    assert_eq!(pairs(&text), names.len() * names.len(), "every pair at once");
    assert!(text.contains("truster=\"c1\",signer=\"c0\",needed=\"true\"} 1\n"), "{text}");
    assert!(meanwhile > 3, "{meanwhile} requests were answered meanwhile");
    let looked = |text: &str| {
        let line = "meshctl_cluster_last_success_timestamp_seconds{cluster=\"c0\"} ";
        text.split(line).nth(1).and_then(|rest| rest.lines().next()).map(str::to_owned)
    };
    let again = loop {
        let again = plain(exporter.address, "/metrics");
        if looked(&again) != looked(&text) {
            break again;
        }
        assert!(start.elapsed() < Duration::from_secs(240), "{again}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(pairs(&again), pairs(&text));
}

/// A kubeconfig with context `east` for a server.
fn one_cluster(api: &Api) -> Shell {
    let shell = Shell { now: meshctl::io::system_time(), ..Shell::new() };
    shell.scratch.write("kubeconfig", kubeconfig(&[("east", url(api))]));
    shell
}

/// A signal ends it in order while it waits for a cluster at the start, too.
#[test]
fn a_signal_at_the_start() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = format!("http://{}", listener.local_addr().expect("an address"));
    let shell = Shell::new();
    shell.scratch.write("kubeconfig", kubeconfig(&[("east", server.clone()), ("west", server)]));
    let file = shell.scratch.join("kubeconfig");
    let mut child = Command::new(MESHCTL)
        .args(["exporter", "--listen", "0", "--context", "east,west", "--kubeconfig"])
        .arg(file)
        .stdin(Stdio::null())
        .spawn()
        .expect("meshctl runs");
    // It asks which cluster this is, and gets no answer.
    let _asked = listener.accept().expect("a connection");
    let start = Instant::now();
    assert!(terminate(&mut child).success(), "SIGTERM ends it in order");
    assert!(start.elapsed() < Duration::from_secs(5), "and at once");
}

/// What the alerts and the dashboard ask for exists.
fn files_know(names: &BTreeSet<String>) {
    for file in ["alerts.yaml", "dashboard.json", "../monitoring.md"] {
        let path = format!("../docs/monitoring/{file}");
        let text = std::fs::read_to_string(&path).expect("a file");
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("meshctl_"));
        let used: BTreeSet<&str> = words.collect();
        assert!(used.len() > 5, "{file}");
        let of_files = "meshctl_certificate_not_after_timestamp_seconds";
        for name in used {
            assert!(names.contains(name) || name == of_files, "{file}: {name}");
        }
    }
    let page = std::fs::read_to_string("../docs/monitoring.md").expect("a file");
    for name in names {
        assert!(page.contains(&format!("| `{name}` |")), "docs/monitoring.md does not have {name}");
    }
}

/// A page that is not replaced in time is not healthy.
#[test]
fn health_needs_a_look_in_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let listen = "127.0.0.1:0".parse().expect("an address");
    let server = runtime.block_on(MonitorServer::bind(listen, Duration::ZERO)).expect("a server");
    let (page, address) = (server.page(), server.address().expect("an address"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        runtime.block_on(server.run(async { drop(stopped.await) }));
    });
    assert!(plain(address, "/healthz").starts_with("HTTP/1.1 503 "));
    page.publish("a 1\n".to_owned(), Duration::from_secs(3600));
    assert!(plain(address, "/healthz").starts_with("HTTP/1.1 200 "));
    assert!(plain(address, "/metrics").ends_with("\r\n\r\na 1\n"));
    page.publish(String::new(), Duration::ZERO);
    assert!(plain(address, "/healthz").starts_with("HTTP/1.1 503 "));
    drop(stop);
    thread.join().expect("it ends");
}

#[test]
fn it_does_not_start_on_what_cannot_work() {
    let (api, shell) = half_away();
    ended(
        &shell.run("exporter --kubeconfig @/kubeconfig"),
        64,
        &["error[ctl/usage]: no cluster given"],
    );
    let taken = format!("exporter --kubeconfig @/kubeconfig --context east --listen {}", api.port);
    ended(&shell.run(&taken), 1, &["error[endpoint/listen]"]);
    ended(
        &shell.run("exporter --kubeconfig @/kubeconfig --context nowhere"),
        1,
        &["error[apply/kubeconfig]"],
    );
}

/// The rules fire when they should, and only then.
#[test]
fn alerts() {
    for args in [
        &["check", "rules", "../docs/monitoring/alerts.yaml"][..],
        &["test", "rules", "../docs/monitoring/alerts-test.yaml"],
    ] {
        if Command::new("promtool").arg("--version").output().is_err() {
            return missing("promtool", "it is not installed");
        }
        let answer = run(Command::new("promtool").args(args));
        assert!(answer.good, "{args:?}: {answer:?}");
    }
    // Every rule has a test in which it fires.
    let text =
        |name| std::fs::read_to_string(format!("../docs/monitoring/{name}")).expect("a file");
    let (rules, tested) = (text("alerts.yaml"), text("alerts-test.yaml"));
    for name in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let fires = format!("        alertname: {name}\n        exp_alerts:\n");
        assert!(tested.contains(&fires), "{name} is not tested");
    }
}

/// Panels with a place of their own, and queries for the data source that the reader chooses.
#[test]
fn dashboard() {
    let text = std::fs::read_to_string("../docs/monitoring/dashboard.json").expect("a file");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut cells = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_i64().expect("an id")), "{panel}");
        let grid = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        assert!(grid("x") + grid("w") <= 24, "{panel}");
        for x in grid("x")..grid("x") + grid("w") {
            for y in grid("y")..grid("y") + grid("h") {
                assert!(cells.insert((x, y)), "two panels at {x}, {y}: {}", panel["title"]);
            }
        }
        for target in panel["targets"].as_array().expect("targets") {
            assert_eq!(target["datasource"]["uid"], "${datasource}");
            let expr = target["expr"].as_str().expect("a query");
            let expr = expr.replace("$cluster", ".*");
            if Command::new("promtool").arg("--version").output().is_err() {
                missing("promtool", "it is not installed");
                continue;
            }
            // A rule with this query is one that Prometheus can read.
            let shell = Shell::new();
            let rule = json!({"groups": [{"name": "g", "rules": [{"record": "r", "expr": expr}]}]});
            shell.scratch.write("rule.yaml", rule.to_string());
            let file = shell.scratch.join("rule.yaml");
            let answer = run(Command::new("promtool").args(["check", "rules"]).arg(file));
            assert!(answer.good, "{expr}: {answer:?}");
        }
    }
    assert!(panels.len() > 5);
}

/// The Deployment of the kustomization runs the exporter as it exists, without rights that it does not need.
#[test]
fn deployment() {
    let text = include_str!("../../deploy/kustomize/meshctl.yaml");
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    let find = |kind| documents.iter().find(|one| one["kind"] == kind).expect("a document");
    let deployment: Deployment =
        serde_json::from_value(find("Deployment").clone()).expect("a Deployment");
    let pod = deployment.spec.expect("a spec").template.spec.expect("a pod");
    assert_eq!(pod.service_account_name.as_deref(), Some("meshctl-exporter"));
    let args = pod.containers[0].args.clone().expect("arguments");
    let shell = Shell::new();
    let config = find("ConfigMap")["data"]["config"].as_str().expect("a kubeconfig");
    shell.scratch.write("config", config);
    let command = args.join(" ").replace("/kube/config", "@/config");
    // The token of a pod is not here; everything before it is good.
    let ran = shell.run(&command.replace("0.0.0.0:9464", "0"));
    ended(&ran, 1, &["error[apply/kubeconfig]", "cannot read the file of `certificate-authority`"]);
    let rbac = shell.good("exporter --print-rbac");
    assert!(rbac.contains("name: meshctl-exporter\n") && !rbac.contains("- secrets\n"), "{rbac}");
    assert!(!rbac.contains("patch") && !rbac.contains("serviceaccounts/token"), "{rbac}");
}

/// Two real clusters, read with the printed rights: what is served ends when the folder says, and both accept each other.
#[test]
fn two_clusters() {
    let Some(mesh) = Mesh::start(&["east", "west"]) else { return };
    let scratch = &mesh.shell.scratch;
    for (cluster, name) in mesh.clusters.iter().zip(["east", "west"]) {
        cluster.apply_cacerts(&scratch.join(format!("ca/{name}")));
    }
    std::thread::scope(|scope| {
        for cluster in &mesh.clusters {
            scope.spawn(|| cluster.install_istio(&Istio::default()));
        }
    });
    let rights = mesh.good("exporter --print-rbac --rbac-user monitor --context east,west");
    let users: Vec<_> = mesh
        .clusters
        .iter()
        .map(|cluster| {
            cluster.apply(&rights);
            cluster.kubeconfig_for("monitor", &[])
        })
        .collect();
    mesh.write_kubeconfig("monitor", &users);
    let written = (mesh.written(0), mesh.written(1));
    let exporter =
        Exporter::start(scratch, "--kubeconfig @/monitor.kubeconfig --context east,west");
    let accepted = "meshctl_trust_accepted{truster=\"east\",signer=\"west\",needed=\"true\"} 1";
    let text = exporter.metrics_with(accepted);
    check_text(&text);
    let once = mesh.good("status --context east,west -o prometheus");
    check_text(&once);
    let known = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("last_success"));
        lines.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    assert_eq!(known(&once), known(&text), "status and exporter say the same");
    for name in ["east", "west"] {
        let expiry = mesh.shell.run(&format!("ca expiry @/ca/{name}/ca-cert.pem -o json")).out;
        let expiry: Value = serde_json::from_str(&expiry).expect("JSON");
        let until: meshpki::Time =
            expiry["items"][0]["notAfter"].as_str().expect("a time").parse().expect("a time");
        let fingerprint = expiry["items"][0]["fingerprint"].as_str().expect("a fingerprint");
        let line = format!(
            "meshctl_served_certificate_not_after_timestamp_seconds{{cluster=\"{name}\",kind=\"ca\",subject=\"O = Mesh, CN = Mesh CA {name}\",fingerprint=\"{fingerprint}\"}} {}",
            until.0
        );
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!((mesh.written(0), mesh.written(1)), written, "nothing is written");
}
