//! deploy/: the chart, the kustomization, the action and the template are what the rest of the repository says, and work.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tests::cli::Shell;
use tests::judges::{self, run};
use tests::mesh::Mesh;
use tests::rig::Istio;
use tests::scratch::Scratch;

use crate::MESHCTL;

const CHART: &str = "../deploy/chart";
const ACTION: &str = include_str!("../../deploy/action/action.yaml");
const GITLAB: &str = include_str!("../../deploy/gitlab/meshctl.yaml");
const RELEASE: &str = include_str!("../../.github/workflows/release.yaml");

fn documents(text: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    all.into_iter().filter(|one| !one.is_null()).collect()
}

/// A file of deploy/ is this text; `MESH_UPDATE=1` writes it.
#[track_caller]
fn is(path: &str, text: &str) {
    if std::env::var_os("MESH_UPDATE").is_some() {
        fs::write(path, text).expect("a file");
    }
    assert_eq!(
        fs::read_to_string(path).unwrap_or_default(),
        text,
        "{path}: MESH_UPDATE=1 writes it"
    );
}

/// `helm template` of the chart; `None` without the rig, which builds helm.
fn render(options: &str) -> Option<String> {
    let helm = tests::rig::rig()?.path("helm");
    let home = Scratch::new();
    let mut command = Command::new(helm);
    command.env("HOME", home.path()).args([
        "template",
        "meshctl",
        CHART,
        "--namespace",
        "istio-system",
    ]);
    let answer = run(command.args(options.split_whitespace()));
    assert!(answer.good, "helm template {options}: {}", answer.err);
    Some(answer.out)
}

#[test]
fn permissions_are_those_that_meshctl_prints() {
    for (file, command) in [
        ("rbac.yaml", "push ca --print-rbac"),
        ("rbac-no-restart.yaml", "push ca --print-rbac --restart never"),
        ("rbac-exporter.yaml", "exporter --print-rbac"),
    ] {
        is(&format!("{CHART}/files/{file}"), &Shell::new().good(command));
    }
    // The chart has nothing else that grants something, in whatever namespace.
    let granted = |text: &str| -> BTreeSet<String> {
        let rbac = |one: &&Value| one["kind"].as_str().is_some_and(|kind| kind.contains("Role"));
        documents(text).iter().filter(rbac).map(Value::to_string).collect()
    };
    let all = "--set cluster=east,rotate.enabled=true,rotate.restart=auto";
    let Some(rendered) = render(all) else { return };
    let printed = |command: &str| Shell::new().good(command);
    let expect =
        granted(&(printed("push ca --print-rbac") + "---\n" + &printed("exporter --print-rbac")));
    assert_eq!(granted(&rendered), expect);
    let elsewhere = render(&format!("{all} --namespace mesh")).expect("helm");
    assert!(!elsewhere.contains("istio-system"), "{elsewhere}");
    let none = render(&format!("{all} --set rbac.create=false")).expect("helm");
    assert_eq!(granted(&none), BTreeSet::new());
}

/// The kustomization is what the chart makes, without what is Helm's own.
#[test]
fn the_kustomization_is_the_chart() {
    let ours = |text: String| -> String {
        let theirs = ["# Source:", "    app.kubernetes.io/managed-by:"];
        let keep = |line: &&str| !theirs.iter().any(|start| line.starts_with(start));
        text.lines().filter(keep).map(|line| format!("{line}\n")).collect()
    };
    let Some(exporter) = render("--set cluster=east") else { return };
    is("../deploy/kustomize/meshctl.yaml", &ours(exporter));
    let only = "--show-only templates/rotate.yaml --show-only templates/rotate-rbac.yaml";
    let rotate = render(&format!("--set cluster=east,rotate.enabled=true {only}")).expect("helm");
    is("../deploy/kustomize/rotate/rotate.yaml", &ours(rotate));
}

#[test]
fn the_chart_has_the_version_and_the_files_of_docs() {
    let chart: Value =
        serde_saphyr::from_str(include_str!("../../deploy/chart/Chart.yaml")).expect("YAML");
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], env!("CARGO_PKG_VERSION"), "{key}");
    }
    let Some(text) = render("--set cluster=east,prometheusOperator=true,dashboard.enabled=true")
    else {
        return;
    };
    let all = documents(&text);
    let find = |kind: &str, name: &str| {
        let found = all.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("{kind} {name}"))
    };
    let alerts: Value =
        serde_saphyr::from_str(include_str!("../../docs/monitoring/alerts.yaml")).expect("YAML");
    assert_eq!(find("PrometheusRule", "meshctl")["spec"], alerts);
    let dashboard = find("ConfigMap", "meshctl-dashboard")["data"]["meshctl.json"].as_str();
    let dashboard: Value = serde_json::from_str(dashboard.expect("a text")).expect("JSON");
    let expect: Value =
        serde_json::from_str(include_str!("../../docs/monitoring/dashboard.json")).expect("JSON");
    assert_eq!(dashboard, expect);
}

/// Values that cannot work are refused, with the key.
#[test]
fn wrong_values_are_refused() {
    let Some(rig) = tests::rig::rig() else { return };
    let home = Scratch::new();
    for (set, says) in [
        ("cluster=", "cluster is required: the name of this cluster"),
        ("cluster=a b", "/cluster"),
        ("cluster=-east", "/cluster"),
        ("cluster=east,image.digest=sha256:12", "/image/digest"),
        ("cluster=east,rotate.restart=maybe", "/rotate/restart"),
        ("cluster=east,exporter.port=80", "/exporter/port"),
        ("cluster=east,exporter.interval=1h30", "/exporter/interval"),
        ("cluster=east,rotate.within=4 weeks", "/rotate/within"),
        ("cluster=east,rotat.enabled=true", "rotat"),
    ] {
        let mut helm = Command::new(rig.path("helm"));
        helm.env("HOME", home.path()).args(["template", "meshctl", CHART, "--set", set]);
        let answer = run(&mut helm);
        assert!(!answer.good && answer.err.contains(says), "{set}: {}", answer.err);
    }
}

/// Values that `meshctl` takes are not refused, and a name that YAML would read as something else stays a name.
#[test]
fn values_are_those_of_meshctl() {
    let set = "--set-string cluster=true --set rotate.enabled=true";
    let Some(text) = render(&format!("{set} --set exporter.interval=1h30m,rotate.within=4w"))
    else {
        return;
    };
    let all = documents(&text);
    let find = |kind: &str| all.iter().find(|one| one["kind"] == kind).expect(kind);
    let config = find("ConfigMap")["data"]["config"].as_str().expect("a text");
    let config: Value = serde_saphyr::from_str(config).expect("YAML");
    assert_eq!(config["current-context"], "true");
    assert_eq!(config["contexts"][0]["name"], "true");
    assert!(text.contains("--interval=1h30m\n") && text.contains("--within=4w\n"), "{text}");
}

/// A real API server takes all of it, and the CronJob's command renews the CA with the rights that the chart grants.
#[test]
fn the_chart_renews_the_ca_of_a_real_cluster() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let text =
        render("--set cluster=east,rotate.enabled=true,rotate.within=400d,dashboard.enabled=true")
            .expect("helm");
    mesh.shell.scratch.write("chart.yaml", &text);
    mesh.good("push @/ca --context east --yes");
    mesh.typed("kubectl -n istio-system create secret generic meshctl-cacerts-previous");
    mesh.typed("kubectl apply --dry-run=server -f chart.yaml");
    mesh.typed("kubectl apply -f chart.yaml");
    let all = documents(&text);
    let job = all.iter().find(|one| one["kind"] == "CronJob").expect("a CronJob");
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let account = format!(
        "system:serviceaccount:istio-system:{}",
        pod["serviceAccountName"].as_str().expect("a name")
    );
    let kubeconfig = mesh.clusters[0].kubeconfig_for(&account, &["system:serviceaccounts"]);
    mesh.write_kubeconfig("job", &[kubeconfig]);
    let scratch = &mesh.shell.scratch;
    scratch.write_key("job/ca/root-key.pem", scratch.read("ca/root-key.pem"));
    scratch.write("job/ca/root-cert.pem", scratch.read("ca/root-cert.pem"));
    scratch.write_key("passphrase", "unused: the key is not encrypted\n");
    let args = pod["containers"][0]["args"].as_array().expect("arguments").iter();
    let line: Vec<&str> =
        args.filter_map(Value::as_str).filter(|arg| !arg.starts_with("--kubeconfig=")).collect();
    let line = line.join(" ").replace("/work/ca", "@/job/ca").replace("=/passphrase/", "=@/");
    let before = mesh.clusters[0].secret_resource_version("istio-system", "cacerts");
    let ran = mesh.run_as("job", &line);
    assert_eq!(ran.status, 0, "{line}\n{}{}", ran.out, ran.err);
    assert_ne!(mesh.clusters[0].secret_resource_version("istio-system", "cacerts"), before);
}

/// Runs a script with `meshctl` in the path, as a runner does.
fn bash(scratch: &Scratch, script: &str, env: &[(&str, &str)]) -> Output {
    Command::new("bash")
        .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script])
        .current_dir(scratch.path())
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", scratch.join("bin").display()))
        .env("HOME", scratch.path())
        .env("TMPDIR", scratch.path())
        .envs(env.iter().copied())
        .output()
        .expect("bash")
}

/// A `meshctl` that notes its arguments and ends with `$STATUS`.
fn fake(scratch: &Scratch) {
    let calls = scratch.join("calls");
    scratch.write(
        "bin/meshctl",
        format!("#!/bin/sh\necho \"$@\" >> '{}'\nexit \"$STATUS\"\n", calls.display()),
    );
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(scratch.join("bin/meshctl"), mode).expect("a program");
}

fn steps() -> Vec<Value> {
    let action: Value = serde_saphyr::from_str(ACTION).expect("YAML");
    action["runs"]["steps"].as_array().expect("steps").clone()
}

#[test]
fn the_action_runs_what_it_says() {
    let script = steps()[1]["run"].as_str().expect("a script").to_owned();
    let check = |command: &str, status: &str, exit: i32, calls: &[&str]| {
        let scratch = Scratch::new();
        fake(&scratch);
        let env = [
            ("COMMAND", command),
            ("STATUS", status),
            ("DIRECTORY", "mesh ca"),
            ("CONTEXT", "east=prod-east"),
            ("CONFIG", "kube"),
            ("WITHIN", "44d"),
            ("PASSPHRASE_FILE", "pass"),
            ("PAUSE", "0"),
        ];
        let ran = bash(&scratch, &script, &env);
        assert_eq!(ran.status.code(), Some(exit), "{command} {status}: {ran:?}");
        let found = fs::read_to_string(scratch.join("calls")).unwrap_or_default();
        assert_eq!(found.lines().collect::<Vec<_>>(), calls, "{command} {status}");
    };
    let rotate = "rotate intermediate --context=east=prod-east --kubeconfig=kube --within=44d --yes --output=json --passphrase-file=pass -- mesh ca";
    check("check", "2", 2, &["check --context=east=prod-east --kubeconfig=kube -- mesh ca"]);
    check("expiry", "0", 0, &["ca expiry --within=44d --output=github -- mesh ca"]);
    check("rotate", "0", 0, &[rotate]);
    check("rotate", "1", 1, &[rotate; 3]);
    check("rotate", "2", 2, &[rotate]);
    check("rotate", "64", 64, &[rotate]);
    check("push", "0", 64, &[]);
    // No input is part of a script.
    for step in steps() {
        assert!(!step["run"].as_str().expect("a script").contains("${{"), "{step}");
    }
}

/// The same lines with the real program: it knows every option.
#[test]
fn the_actions_commands_run() {
    let script = steps()[1]["run"].as_str().expect("a script").to_owned();
    for (command, exit) in [("check", 0), ("expiry", 0), ("rotate", 1)] {
        let scratch = Scratch::new();
        fs::create_dir_all(scratch.join("bin")).expect("a folder");
        std::os::unix::fs::symlink(MESHCTL, scratch.join("bin/meshctl")).expect("a link");
        let config = json!({"apiVersion": "v1", "kind": "Config",
            "clusters": [{"name": "gone", "cluster": {"server": "https://127.0.0.1:9"}}],
            "users": [{"name": "ci", "user": {}}],
            "contexts": [{"name": "east", "context": {"cluster": "gone", "user": "ci"}}]});
        scratch.write_key("kube", config.to_string());
        scratch.write_key("pass", "correct horse battery\n");
        let made = bash(&scratch, "meshctl ca init ca --cluster east --passphrase-file pass", &[]);
        assert!(made.status.success(), "{made:?}");
        let context = if command == "rotate" { "east" } else { "" };
        let env = [
            ("COMMAND", command),
            ("DIRECTORY", "ca"),
            ("CONTEXT", context),
            ("CONFIG", "kube"),
            ("WITHIN", "30d"),
            ("PASSPHRASE_FILE", "pass"),
            ("PAUSE", "0"),
        ];
        let ran = bash(&scratch, &script, &env);
        assert_eq!(ran.status.code(), Some(exit), "{command}: {ran:?}");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(
            said.matches("error[apply/unreachable]").count(),
            if exit == 1 { 3 } else { 0 },
            "{said}"
        );
    }
}

/// The action takes a program only with the digest that it was given.
#[test]
fn the_action_verifies_what_it_downloads() {
    if Command::new("curl").arg("--version").output().is_err() {
        return judges::missing("curl", "apt-get install curl");
    }
    let script = steps()[0]["run"].as_str().expect("a script").to_owned();
    let scratch = Scratch::new();
    let name = "meshctl-9.9.9-x86_64-unknown-linux-gnu";
    let folder = scratch.join("site/releases/download/v9.9.9");
    fs::create_dir_all(folder.join(name)).expect("a folder");
    fs::write(folder.join(name).join("meshctl"), "#!/bin/sh\n").expect("a file");
    let pack = format!("tar -czf {name}.tar.gz {name} && sha256sum {name}.tar.gz | cut -d' ' -f1");
    let digest =
        Command::new("sh").args(["-c", &pack]).current_dir(&folder).output().expect("sh").stdout;
    let digest = String::from_utf8(digest).expect("hex");
    let site = format!("file://{}", scratch.join("site").display());
    let (temp, path) =
        (scratch.path().display().to_string(), scratch.join("path").display().to_string());
    let install = |digest: &str| {
        let env = [
            ("VERSION", "9.9.9"),
            ("SHA256", digest),
            ("REPOSITORY", site.as_str()),
            ("RUNNER_TEMP", temp.as_str()),
            ("GITHUB_PATH", path.as_str()),
        ];
        bash(&scratch, &script, &env).status.success()
    };
    assert!(!install(&"0".repeat(64)) && !install(""), "another digest, and none");
    assert!(!Path::new(&path).exists(), "nothing is in the path");
    assert!(install(digest.trim()));
    let added = fs::read_to_string(&path).expect("a path");
    assert!(Path::new(added.trim()).join("meshctl").is_file(), "{added}");
}

#[test]
fn the_gitlab_jobs_run_what_they_say() {
    let (header, jobs) = GITLAB.split_once("\n---\n").expect("a header");
    let inputs = serde_saphyr::from_str::<Value>(header).expect("YAML")["spec"]["inputs"].clone();
    let mut jobs = jobs.to_owned();
    for name in inputs.as_object().expect("inputs").keys() {
        let used = format!("$[[ inputs.{name} ]]");
        assert!(jobs.contains(&used), "{used}");
        jobs = jobs.replace(&used, "x");
    }
    assert!(!jobs.contains("$[["), "an input without a declaration");
    let jobs: Value = serde_saphyr::from_str(&jobs).expect("YAML");
    assert_eq!(jobs[".meshctl"]["retry"]["exit_codes"], json!([1]));
    let check = |job: &str, calls: &[&str]| {
        let scratch = Scratch::new();
        fake(&scratch);
        for file in ["kube", "cert", "key", "pass"] {
            scratch.write_key(file, "");
        }
        let lines = jobs[job]["script"].as_array().expect("lines").iter().filter_map(Value::as_str);
        let env = [
            ("STATUS", "0"),
            ("CONTEXT", "east"),
            ("WITHIN", "30d"),
            ("MESH_KUBECONFIG", "kube"),
            ("MESH_ROOT_CERT", "cert"),
            ("MESH_ROOT_KEY", "key"),
            ("MESH_ROOT_PASSPHRASE", "pass"),
        ];
        let ran = bash(&scratch, &lines.collect::<Vec<_>>().join("\n"), &env);
        assert!(ran.status.success(), "{ran:?}");
        let found = scratch.read("calls");
        let found = found.lines().map(|line| match line.split_once("/tmp.") {
            // The folder of this run.
            Some((start, rest)) => {
                let from = start.rfind(' ').map_or("", |at| &start[..=at]);
                format!("{from}MESH{}", &rest[rest.find('/').unwrap_or(rest.len())..])
            }
            None => line.to_owned(),
        });
        assert_eq!(found.collect::<Vec<_>>(), calls, "{job}");
        let left = fs::read_dir(scratch.path()).expect("a folder").flatten();
        assert!(
            !left.map(|one| one.file_name()).any(|name| name.to_string_lossy().starts_with("tmp."))
        );
    };
    check("meshctl-check", &["check --kubeconfig kube --context east"]);
    check(
        "meshctl-expiry",
        &["ca expiry --within 30d cert", "status --kubeconfig kube --context east"],
    );
    check(
        "meshctl-rotate",
        &[
            "rotate intermediate MESH/ca --within 30d --yes --kubeconfig kube --passphrase-file pass --context east",
        ],
    );
}

/// Whoever changes a tag changes nothing here, and no job may do more than it needs.
#[test]
fn the_release_is_pinned_and_tight() {
    let release: Value = serde_saphyr::from_str(RELEASE).expect("YAML");
    assert_eq!(release["permissions"], json!({}));
    let mut uses = 0;
    for job in release["jobs"].as_object().expect("jobs").values() {
        assert!(job["permissions"].is_object() && job["timeout-minutes"].is_number());
        for step in job["steps"].as_array().expect("steps") {
            if let Some(action) = step["uses"].as_str() {
                let commit = action.split_once('@').expect("a commit").1;
                assert!(
                    commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
                    "{action}"
                );
                uses += 1;
            }
            assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step}");
        }
    }
    assert_eq!(uses, 5);
    // The compiler is the one that everything is tested with.
    let toolchain = include_str!("../../rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = "));
    let channel = channel.expect("a version").trim_matches('"');
    assert!(RELEASE.contains(&format!("rust:{channel}-bookworm")), "{channel}");
    assert!(RELEASE.contains(&format!("--toolchain {channel} ")), "{channel}");
    // The list of crates is written by the same release on every machine.
    let tools = include_str!("../lab/dist/tools.rs");
    let auditable = tools.split("(\"cargo-auditable\", \"").nth(1).expect("a version");
    let auditable = auditable.split('"').next().expect("a version");
    let install = format!("cargo install --locked --version {auditable} cargo-auditable\n");
    assert!(RELEASE.contains(&install), "{install}");
}

/// A command line that would fail or be ignored after everything has been built is refused at once.
#[test]
fn command_lines_of_a_release() {
    for (line, says) in [
        ("--check", "add --url URL"),
        ("--only manifests", "add --url URL"),
        ("--twice --check --url https://example.org", "--twice only compares"),
        ("--twice --only archive", "--twice only compares"),
        ("--twice --program meshctl", "--twice only compares"),
        (
            "--program meshctl --target aarch64-apple-darwin --target x86_64-apple-darwin",
            "--program has the program of one machine",
        ),
        ("--target sparc", "a release is not for `sparc`"),
        ("--url", "--url needs a value"),
        ("--chek", "unknown option `--chek`"),
        ("--only rpms", "`rpms` is not a part of a release"),
    ] {
        // Without a PATH it cannot build anything.
        let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"));
        let answer = run(lab.arg("dist").args(line.split(' ')).env("PATH", ""));
        assert!(!answer.good && answer.err.contains(says), "{line}: {}", answer.err);
    }
}
