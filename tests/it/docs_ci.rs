//! The jobs of docs/ci and the CronJob of the kustomization: they run as written, have no unnecessary rights, and retry
//! only what may be retried.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use k8s_openapi::api::batch::v1::CronJob;
use serde_json::Value;
use tests::scratch::Scratch;

use crate::MESHCTL;

const GITHUB: &str = include_str!("../../docs/ci/github.yaml");
const GITLAB: &str = include_str!("../../docs/ci/gitlab.yaml");
/// What the chart makes; `deploy.rs` compares them.
const CRONJOB: &str = include_str!("../../deploy/kustomize/rotate/rotate.yaml");
const CONTAINERFILE: &str = include_str!("../../docs/ci/Containerfile");

/// A context for each cluster of the jobs, that leads nowhere.
const KUBECONFIG: &str = r#"{"apiVersion": "v1", "kind": "Config",
"clusters": [{"name": "gone", "cluster": {"server": "https://127.0.0.1:9"}}],
"users": [{"name": "ci", "user": {}}],
"contexts": [
    {"name": "prod-east", "context": {"cluster": "gone", "user": "ci"}},
    {"name": "prod-west", "context": {"cluster": "gone", "user": "ci"}},
    {"name": "east", "context": {"cluster": "gone", "user": "ci"}}
]}"#;

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}"))
}

/// Every value below a key of this name, at any depth.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key));
            fields.values().for_each(|below| all(below, key, found));
        }
        Value::Array(items) => items.iter().for_each(|below| all(below, key, found)),
        _ => {}
    }
}

fn every<'a>(value: &'a Value, key: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    all(value, key, &mut found);
    found
}

/// Names of images, wherever they are.
fn images(document: &Value) -> Vec<String> {
    let name = |image: &Value| text(image.get("name").unwrap_or(image)).to_owned();
    every(document, "image").into_iter().map(name).collect()
}

/// `NAME@sha256:` and 64 digits, or the placeholder that docs/ci/Containerfile explains.
fn is_pinned_image(name: &str) -> bool {
    name.split_once("@sha256:").is_some_and(|(_, digest)| {
        digest == "DIGEST" || (digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()))
    })
}

/// `OWNER/NAME@` and the 40 digits of a commit.
fn is_pinned_action(name: &str) -> bool {
    name.split_once('@').is_some_and(|(_, commit)| {
        commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[test]
fn everything_is_pinned() {
    for document in [GITHUB, GITLAB].into_iter().flat_map(documents) {
        let images = images(&document);
        assert!(matches!(&images[..], [image] if is_pinned_image(image)), "{images:?}");
        // GitHub's actions: a container holds all that is needed, so there are none; one that is added has its commit.
        every(&document, "uses")
            .iter()
            .for_each(|uses| assert!(is_pinned_action(text(uses)), "{uses}"));
    }
    assert!(is_pinned_action("actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683"));
    assert!(!is_pinned_action("actions/checkout@v4") && !is_pinned_image("meshctl:0.1.0"));
    // The image contains `meshctl`, does not run as root, and its base images can be pinned when it is built.
    for part in
        ["cargo build --release --locked -p meshctl", "\nUSER 65532:65532\n", "\nFROM ${BASE}\n"]
    {
        assert!(CONTAINERFILE.contains(part), "{part}");
    }
}

#[test]
fn nothing_secret_is_in_git_or_in_an_environment() {
    for job in [GITHUB, GITLAB, CRONJOB] {
        assert!(job.contains("--passphrase-file") && !job.contains("--passphrase-env"), "{job}");
    }
    let github = yaml(GITHUB);
    assert_eq!(github["permissions"], serde_json::json!({}), "the job's token may do nothing");
    let job = &github["jobs"]["rotate"];
    assert_eq!(job["permissions"], Value::Null);
    assert!(text(&job["container"]["options"]).contains("--tmpfs /run/mesh:mode=0700"));
    assert!(!GITHUB.contains("checkout@"), "nothing of the repository is needed");
    // The step that runs meshctl has no secret in its environment.
    let rotate = job["steps"].as_array().and_then(|steps| steps.last()).expect("steps");
    assert_eq!(rotate["env"], Value::Null);
    assert!(!job["env"].to_string().contains("secrets."), "{}", job["env"]);
    assert_eq!(yaml(GITLAB)["mesh-ca"]["variables"]["GIT_STRATEGY"], "none");
}

/// The overlay of docs/install.md pins the exporter and the CronJob.
#[test]
fn the_kustomization_is_pinned() {
    let Some(rig) = tests::rig::rig() else { return };
    let page = include_str!("../../docs/install.md");
    let overlay = page.split("```yaml\n# kustomization.yaml\n").nth(1).expect("a block");
    let overlay = overlay.split("```").next().expect("its end");
    let scratch = Scratch::new();
    let deploy = Path::new("../deploy/kustomize").canonicalize().expect("a folder");
    std::os::unix::fs::symlink(deploy, scratch.join("kustomize")).expect("a link");
    scratch.write("kustomization.yaml", overlay.replace("DIGEST", &"0".repeat(64)));
    let mut kubectl = Command::new(rig.path("kubectl"));
    let built = kubectl.arg("kustomize").arg(scratch.path()).output().expect("kubectl");
    assert!(built.status.success(), "{built:?}");
    let built = documents(&String::from_utf8(built.stdout).expect("UTF-8"));
    let images: Vec<String> = built.iter().flat_map(images).collect();
    assert_eq!(images.len(), 2, "of the exporter and the CronJob");
    for image in images {
        assert!(is_pinned_image(&image) && image.starts_with("REGISTRY/meshctl@"), "{image}");
    }
}

/// Runs a script with `meshctl` in the path.
fn bash(scratch: &Scratch, script: &str, env: &[(&str, &str)]) -> Output {
    let path = format!("{}:/usr/bin:/bin", scratch.path().join("bin").display());
    Command::new("bash")
        .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script])
        .env_clear()
        .env("PATH", path)
        .env("HOME", scratch.path())
        .env("TMPDIR", scratch.path())
        .envs(env.iter().copied())
        .output()
        .expect("bash")
}

/// A `meshctl` that notes how it was called and ends with `$STATUS`, or the real one.
fn install(scratch: &Scratch, real: bool) {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = scratch.path().join("bin/meshctl");
    std::fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
    if real {
        symlink(MESHCTL, &place).expect("a link");
        return;
    }
    let calls = scratch.path().join("calls");
    let script = format!("#!/bin/sh\necho \"$@\" >> '{}'\nexit \"$STATUS\"\n", calls.display());
    std::fs::write(&place, script).expect("a file");
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).expect("a program");
}

fn calls(scratch: &Scratch) -> usize {
    let text = std::fs::read_to_string(scratch.path().join("calls")).unwrap_or_default();
    text.lines().count()
}

/// Each status, and how often meshctl may be called when it ends with it.
const TRIES: [(&str, usize); 4] = [("0", 1), ("1", 3), ("2", 1), ("64", 1)];

/// The two scripts of GitHub's job, with the secrets as variables.
fn github(scratch: &Scratch, status: &str) -> Output {
    let job = yaml(GITHUB)["jobs"]["rotate"].clone();
    let steps: Vec<&str> =
        job["steps"].as_array().expect("steps").iter().map(|step| text(&step["run"])).collect();
    let mesh = scratch.path().join("run").display().to_string();
    let secrets = [
        ("MESH", mesh.as_str()),
        ("KUBECONFIG_TEXT", KUBECONFIG),
        ("ROOT_CERT", "certificate"),
        ("ROOT_KEY", "key"),
        ("ROOT_PASSPHRASE", "correct horse"),
    ];
    let prepared = bash(scratch, steps[0], &secrets);
    assert!(prepared.status.success(), "{prepared:?}");
    bash(scratch, steps[1], &[("MESH", &mesh), ("PAUSE", "0"), ("STATUS", status)])
}

#[test]
fn github_retries_only_what_could_not_be_asked() {
    for (status, tries) in TRIES {
        let scratch = Scratch::new();
        install(&scratch, false);
        let ran = github(&scratch, status);
        assert_eq!(ran.status.code().map(|code| code.to_string()).as_deref(), Some(status));
        assert_eq!(calls(&scratch), tries, "status {status}");
        let mut modes = BTreeMap::new();
        for file in ["kubeconfig", "passphrase", "ca/root-key.pem", "ca/root-cert.pem"] {
            use std::os::unix::fs::PermissionsExt;
            let path = scratch.path().join("run").join(file);
            let mode = std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
            modes.insert(file, mode);
        }
        assert!(modes.values().all(|mode| *mode == 0o600), "{modes:?}");
    }
}

#[test]
fn gitlab_retries_only_what_could_not_be_asked() {
    let job = yaml(GITLAB)["mesh-ca"].clone();
    assert_eq!(job["retry"]["exit_codes"], serde_json::json!([1]));
    assert_eq!(job["retry"]["when"], Value::Null, "`when` would add reasons to the exit status");
    for (status, _) in TRIES {
        let scratch = Scratch::new();
        install(&scratch, false);
        let ran = gitlab(&scratch, status);
        assert_eq!(ran.status.code().map(|code| code.to_string()).as_deref(), Some(status));
        assert_eq!(calls(&scratch), 1, "GitLab is who tries again");
        let left = std::fs::read_dir(scratch.path()).expect("a folder").flatten();
        let left: Vec<_> =
            left.filter(|entry| entry.file_name().to_string_lossy().starts_with("tmp.")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn gitlab(scratch: &Scratch, status: &str) -> Output {
    let job = yaml(GITLAB)["mesh-ca"].clone();
    let lines: Vec<&str> = job["script"].as_array().expect("lines").iter().map(text).collect();
    let file = |name: &str, content: &str| {
        scratch.write_key(name, content);
        scratch.path().join(name).display().to_string()
    };
    let files = [
        ("MESH_KUBECONFIG", file("kubeconfig", KUBECONFIG)),
        ("MESH_ROOT_CERT", file("root-cert", "certificate")),
        ("MESH_ROOT_KEY", file("root-key", "key")),
        ("MESH_ROOT_PASSPHRASE", file("passphrase", "correct horse\n")),
    ];
    let mut env: Vec<(&str, &str)> =
        files.iter().map(|(name, path)| (*name, path.as_str())).collect();
    env.push(("STATUS", status));
    bash(scratch, &lines.join("\n"), &env)
}

fn cron_job() -> CronJob {
    let found = documents(CRONJOB).into_iter().find(|one| one["kind"] == "CronJob");
    serde_json::from_value(found.expect("a CronJob")).expect("a CronJob the API knows")
}

#[test]
fn the_cron_job_is_tight() {
    let job = cron_job().spec.expect("a spec").job_template.spec.expect("a spec");
    let rules = job.pod_failure_policy.expect("a policy").rules;
    let codes = rules
        .iter()
        .find(|rule| rule.action == "FailJob")
        .and_then(|rule| rule.on_exit_codes.as_ref());
    let codes = codes.expect("exit codes");
    assert_eq!((codes.operator.as_str(), codes.container_name.as_deref()), ("In", Some("rotate")));
    assert!(codes.values.contains(&2) && codes.values.contains(&64) && !codes.values.contains(&1));
    assert!(job.backoff_limit.is_some_and(|limit| (1..=3).contains(&limit)));
    assert!(job.active_deadline_seconds.is_some());
    let pod = job.template.spec.expect("a pod");
    assert_eq!(pod.restart_policy.as_deref(), Some("Never"), "a policy of failures takes it");
    assert_eq!(
        pod.security_context.as_ref().and_then(|context| context.run_as_non_root),
        Some(true)
    );
    assert_eq!((pod.init_containers.iter().flatten().count(), pod.containers.len()), (0, 1));
    for container in &pod.containers {
        let context = container.security_context.as_ref().expect("a context");
        assert_eq!(context.allow_privilege_escalation, Some(false));
        assert_eq!(context.read_only_root_filesystem, Some(true));
        let dropped = context.capabilities.as_ref().and_then(|all| all.drop.clone());
        assert_eq!(dropped, Some(vec!["ALL".to_owned()]));
        assert!(container.env.is_none(), "no secret in the environment");
        for mount in container.volume_mounts.iter().flatten().filter(|mount| mount.name != "work") {
            assert_eq!(mount.read_only, Some(true), "{}", mount.name);
        }
    }
    // What is written is in memory.
    let work = pod.volumes.iter().flatten().find(|volume| volume.name == "work").expect("a volume");
    let medium = work.empty_dir.as_ref().and_then(|dir| dir.medium.clone());
    assert_eq!(medium.as_deref(), Some("Memory"));
    // The passphrase is a file of a mounted secret.
    let args = pod.containers[0].args.clone().expect("arguments");
    let file = args.iter().find_map(|arg| arg.strip_prefix("--passphrase-file="));
    let file = Path::new(file.expect("a passphrase"));
    let mounts = pod.containers[0].volume_mounts.clone().expect("mounts");
    let mount = mounts.iter().find(|mount| file.starts_with(&mount.mount_path));
    let name = &mount.expect("a mount").name;
    let volume = pod.volumes.iter().flatten().find(|volume| volume.name == *name);
    assert!(volume.is_some_and(|volume| volume.secret.is_some()));
}

/// The command lines are ones that the real program takes: it gets as far as asking clusters that are not there.
#[test]
fn the_commands_run() {
    let unreachable = |ran: &Output| {
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(said.contains("error[apply/unreachable]"), "{said}");
    };
    for run in [github, gitlab] {
        let scratch = Scratch::new();
        install(&scratch, true);
        unreachable(&run(&scratch, ""));
    }
    let scratch = Scratch::new();
    scratch.write_key("kube/config", KUBECONFIG);
    scratch.write_key("passphrase/passphrase", "correct horse\n");
    std::fs::create_dir_all(scratch.path().join("work/ca")).expect("a folder");
    let job = cron_job().spec.expect("a spec").job_template.spec.expect("a spec");
    let args = job.template.spec.expect("a pod").containers[0].args.clone().expect("arguments");
    // Its files are here.
    let place = scratch.path().display();
    let here = |arg: &String| match arg.split_once('/') {
        Some((start, path)) if start.is_empty() || start.ends_with('=') => {
            format!("{start}{place}/{path}")
        }
        _ => arg.clone(),
    };
    let args = args.iter().map(here);
    let ran = Command::new(MESHCTL).args(args).env_clear().env("HOME", scratch.path()).output();
    unreachable(&ran.expect("meshctl"));
}

/// Every code that the pages about security name is one that exists.
#[test]
fn codes_of_the_security_pages() {
    let known = include_str!("../../docs/errors.md");
    let pages =
        [include_str!("../../SECURITY.md"), include_str!("../../docs/threat-model.md")].concat();
    let mut count = 0;
    for word in pages.split('`').skip(1).step_by(2) {
        let prefixes = ["ctl/", "apply/", "istiod/", "pki/"];
        for code in word.split(' ').filter(|word| prefixes.iter().any(|p| word.starts_with(p))) {
            assert!(known.contains(&format!("| `{code}` |")), "{code}");
            count += 1;
        }
    }
    assert!(count >= 8, "{count}");
    for who in ["CI runner", "cluster", "root", "administrator", "partner"] {
        let heading = |line: &&str| line.starts_with("## ") && line.contains(who);
        assert!(pages.lines().find(heading).is_some(), "{who}");
    }
}
