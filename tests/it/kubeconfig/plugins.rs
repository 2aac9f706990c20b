//! Credential plugins: what they receive, how long they may take, and what is shown of their output.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};
use tests::Shell;
use tests::api::{Answer, Api};
use tests::cli::{ended, words};

use super::{STATUS, at, url};
use crate::MESHCTL;

pub(super) const V1: &str = "client.authentication.k8s.io/v1";

/// Writes the plugin `@/plugin`, a shell script.
pub(super) fn script(shell: &Shell, text: &str) {
    shell.scratch.write("plugin", format!("#!/bin/sh\n{text}\n"));
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(shell.scratch.join("plugin"), mode).expect("a mode");
}

pub(super) fn exec() -> Value {
    json!({"exec": {"command": "./plugin", "apiVersion": V1, "interactiveMode": "Never"}})
}

/// A script that answers with this status of a credential.
pub(super) fn answers(status: &Value) -> String {
    let credential = json!({"kind": "ExecCredential", "apiVersion": V1, "status": status});
    format!("cat <<'END'\n{credential}\nEND")
}

/// The real binary, with variables in its environment.
fn run(shell: &Shell, command: &str, env: &[(&str, &str)]) -> (Option<i32>, String) {
    let root = shell.scratch.path().display().to_string();
    let args = words(command).into_iter().map(|word| word.replace('@', &root));
    let ran = Command::new(MESHCTL).args(args).envs(env.iter().copied()).output().expect("meshctl");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.code(), text(&ran.stdout) + &text(&ran.stderr))
}

#[test]
fn a_plugin_never_sees_the_passphrase() {
    let shell = at("https://127.0.0.1:9", &exec());
    shell.scratch.write_key("passphrase", "open sesame");
    shell.good("ca init @/ca --cluster cluster1 --passphrase-file @/passphrase");
    script(&shell, "env > \"$(dirname \"$0\")/seen\"; exit 3");
    let rotate = "rotate intermediate @/ca --context cluster1 --kubeconfig @/kubeconfig --yes --passphrase-env ROOT_PASSPHRASE";
    let env = [("ROOT_PASSPHRASE", "open sesame"), ("OTHER", "stays")];
    let (code, said) = run(&shell, rotate, &env);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("credential plugin `plugin` exited with status 3\n"), "{said}");
    let seen = shell.scratch.read("seen");
    assert!(seen.contains("OTHER=stays\n") && seen.contains("KUBERNETES_EXEC_INFO="), "{seen}");
    assert!(!seen.contains("sesame") && !seen.contains("ROOT_PASSPHRASE"), "{seen}");
}

#[test]
fn a_plugin_that_hangs_is_ended_with_all_it_started() {
    let shell = at("https://127.0.0.1:9", &exec());
    shell.good("ca init @/ca --plain-root-key --cluster cluster1");
    let push = "push @/ca --context cluster1 --kubeconfig @/kubeconfig --yes --timeout 1s";
    let hanging = [
        "sleep 1000",
        // It waits for what it started; and what it started holds its output after it has ended.
        "sleep 1000 & echo $! > \"$(dirname \"$0\")/child\"; wait",
        "sleep 1000 & echo $! > \"$(dirname \"$0\")/child\"; exit 0",
        "trap '' TERM INT; while :; do sleep 1000; done",
    ];
    for text in hanging {
        script(&shell, &format!("echo $$ > \"$(dirname \"$0\")/pid\"\n{text}"));
        let ran = shell.run(push);
        ended(
            &ran,
            1,
            &[
                "error[apply/credentials]: no credentials for context `cluster1`: credential plugin `plugin` did not finish within 1 s",
            ],
        );
        for file in ["pid", "child"] {
            let Ok(pid) = fs::read_to_string(shell.scratch.join(file)) else { continue };
            assert!(is_over(pid.trim()), "{text}: {pid}");
        }
    }
}

/// Whether a process has ended: gone, or dead and still to be collected by its parent.
fn is_over(pid: &str) -> bool {
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let is_dead = || state().is_none_or(|text| text.contains(") Z ") || text.contains(") X "));
    (0..200).any(|_| {
        let is_dead = is_dead();
        if !is_dead {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        is_dead
    })
}

#[test]
fn what_is_said_of_a_plugin() {
    let check = |text: &str, expect: &str| {
        let shell = at("https://127.0.0.1:9", &exec());
        script(&shell, text);
        let config = shell.scratch.join("kubeconfig").display().to_string();
        ended(
            &shell.run(STATUS),
            1,
            &[
                &format!(
                    "error[apply/credentials]: no credentials for context `cluster1`: credential plugin `plugin` {expect}\n"
                ),
                &format!(
                    "hint: `kubectl --context cluster1 get --raw /readyz --kubeconfig {config}` uses the same"
                ),
            ],
        );
    };
    check(
        "echo out; printf 'first\\033[31m line\\nsecond' >&2; exit 7",
        "exited with status 7: first[31m line",
    );
    check("exit 1", "exited with status 1");
    check("kill -9 $$", "was killed by signal 9");
    check("echo nonsense", "returned something that is not an ExecCredential");
    check("", "returned something that is not an ExecCredential");
    check(&answers(&Value::Null), "returned an ExecCredential without `status`");
    check(&answers(&json!({})), "returned neither a token nor a client certificate");
    check(&answers(&json!({"token": " \n"})), "returned neither a token nor a client certificate");
    check(
        &answers(&json!({"clientKeyData": "x"})),
        "returned a client certificate without its key, or a key without its certificate",
    );
    check(
        &answers(&json!({"token": "x"})).replace("/v1\"", "/v1beta1\""),
        &format!("returned an ExecCredential whose apiVersion is not `{V1}`, as in the kubeconfig"),
    );
    let missing = at(
        "https://127.0.0.1:9",
        &json!({"exec": {"command": "/no/such/tool --token=secret", "apiVersion": V1}}),
    );
    let ran = missing.run(STATUS);
    ended(&ran, 1, &["credential plugin `tool` was not found\n"]);
    let always =
        json!({"exec": {"command": "./plugin", "apiVersion": V1, "interactiveMode": "Always"}});
    ended(
        &at("https://127.0.0.1:9", &always).run(STATUS),
        1,
        &["this credential plugin needs a terminal (`interactiveMode: Always`), but there is none"],
    );
}

#[test]
fn tokens_of_a_plugin() {
    // A server that takes the second token only: the plugin is asked again, once for each request refused.
    let api = Api::start(|asked| {
        (asked.authorization != "Bearer token-2")
            .then(|| Answer::refusal(401, "Unauthorized", "Unauthorized"))
    });
    let shell = at(&url(&api), &exec());
    let count = "cd \"$(dirname \"$0\")\"; echo >> runs; n=$(wc -l < runs); [ $n -lt 2 ] || n=2";
    let credential =
        json!({"kind": "ExecCredential", "apiVersion": V1, "status": {"token": "token-N\n"}});
    script(&shell, &format!("{count}\nsed s/N/$n/ <<'END'\n{credential}\nEND"));
    let ran = shell.run(STATUS);
    assert_eq!(ran.err, "");
    // One that is over soon is asked for again before it is used.
    fs::remove_file(shell.scratch.join("runs")).expect("a file");
    let soon = json!({"kind": "ExecCredential", "apiVersion": V1,
        "status": {"token": "token-N", "expirationTimestamp": "2020-01-01T00:00:00Z"}});
    script(&shell, &format!("{count}\nsed s/N/$n/ <<'END'\n{soon}\nEND"));
    let before = api.asked().len();
    let ran = shell.run(STATUS);
    assert_eq!(ran.err, "");
    let asked = api.asked();
    assert!(asked[before..].iter().all(|one| one.authorization == "Bearer token-2"));
    // What it receives about the cluster, if the kubeconfig says so.
    let user = json!({"exec": {"command": "./plugin", "apiVersion": V1, "interactiveMode": "IfAvailable",
        "provideClusterInfo": true, "args": ["a b", "c"], "env": [{"name": "COLOR", "value": "red"}]}});
    super::write(&shell, &json!({"server": url(&api), "tls-server-name": "x"}), &user);
    script(
        &shell,
        "cd \"$(dirname \"$0\")\"; echo \"$KUBERNETES_EXEC_INFO\" > info; echo \"$COLOR,$1,$2\" > given; exit 1",
    );
    shell.run(STATUS);
    let info: Value = serde_json::from_str(&shell.scratch.read("info")).expect("JSON");
    let cluster = json!({"server": url(&api), "tls-server-name": "x"});
    assert_eq!(
        info,
        json!({"kind": "ExecCredential", "apiVersion": V1, "spec": {"interactive": false, "cluster": cluster}})
    );
    assert_eq!(shell.scratch.read("given"), "red,a b,c\n");
}
