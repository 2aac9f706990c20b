//! On a terminal `ca init` asks for a passphrase, and leaves the terminal as it was; in a pipe it never asks.

use std::io::{Read, Write};
use std::process::{Child, Command};
use std::time::Duration;

use meshpki::KeyType;
use serde_json::json;
use tests::Scratch;
use tests::api::{Api, kubeconfig, url};
use tests::authority::Authority;
use tests::judges::{openssl, spawn};

use crate::MESHCTL;

/// `script` of util-linux, which gives a command a terminal of its own.
pub(super) fn on_a_terminal(scratch: &Scratch, command: &str) -> Option<Child> {
    on_a_terminal_with(scratch, command, &[("NO_COLOR", "1")])
}

/// The same with these variables.
fn on_a_terminal_with(
    scratch: &Scratch,
    command: &str,
    env: &[(&'static str, &'static str)],
) -> Option<Child> {
    let mut script = Command::new("script");
    script
        .args(["-q", "-e", "-E", "never", "-c", &command.replace("meshctl", MESHCTL), "/dev/null"])
        .current_dir(scratch.path())
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(env.iter().copied());
    spawn("script (util-linux)", &mut script)
}

/// Answers each question when it is asked; returns the exit status and all that stood on the terminal.
pub(super) fn answer(mut child: Child, answers: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut out = child.stdout.take().unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    let mut seen = String::new();
    for (question, text) in answers {
        let from = seen.len();
        while !seen[from..].contains(question) {
            let mut byte = [0; 1];
            let count = out.read(&mut byte).unwrap();
            assert!(count > 0, "`{question}` was not asked:\n{seen}");
            seen.push(char::from(byte[0]));
        }
        // A key such as Ctrl-C acts by itself.
        let end = if text.starts_with(char::is_control) { "" } else { "\n" };
        keyboard.write_all(format!("{text}{end}").as_bytes()).unwrap();
    }
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    seen += &String::from_utf8_lossy(&rest);
    drop(keyboard);
    (child.wait().unwrap().code(), seen)
}

/// A rollout draws a line per cluster that says for how long it has been true; a pipe gets plain lines, `--quiet` none, and
/// `--verbose` lines that no drawing tears.
#[test]
fn progress_of_a_rollout() {
    let check = |more: &str, is_drawn: bool, is_listed: bool| {
        let api = Api::start(|asked| {
            if asked.method == "POST" && asked.path.ends_with("/secrets") {
                std::thread::sleep(Duration::from_millis(3500));
            }
            None
        });
        let scratch = Scratch::new();
        scratch.write("kubeconfig", kubeconfig(&[("east", url(&api))]));
        let push = "meshctl push ca --kubeconfig kubeconfig --context east --before-install --yes";
        let command = format!(
            "meshctl ca init ca --cluster east --plain-root-key -q >/dev/null; {push} {more} >out.txt"
        );
        let Some(child) = on_a_terminal(&scratch, &command) else { return };
        let (status, shown) = answer(child, &[]);
        let said = shown + &std::fs::read_to_string(scratch.join("err.txt")).unwrap_or_default();
        assert_eq!(status, Some(0), "{said}");
        assert!(scratch.read("out.txt").contains("written; not verified"), "the result is there");
        let drawn = said.contains("\x1b[1A\r\x1b[2Keast  write the secret, for ");
        assert_eq!(drawn, is_drawn, "{more}: {}", said.escape_debug());
        assert_eq!(said.contains("\x1b["), is_drawn, "{more}: {}", said.escape_debug());
        assert_eq!(
            said.contains("east  wrote the secret"),
            is_drawn || is_listed,
            "{more}: {said}"
        );
        assert_eq!(said.contains("east: POST /api/v1/"), more == "-v", "{more}: {said}");
    };
    check("", true, false);
    check("--quiet", false, false);
    check("-v", false, true);
    check("2>err.txt", false, true);
}

/// No drawn line is longer than a row of the terminal; if it has fewer rows than there are clusters, lines are added
/// instead.
#[test]
fn progress_fits_the_terminal() {
    const COLUMNS: usize = 60;
    let context = format!("a-{}-b", "long".repeat(8));
    let check = |rows: usize, is_drawn: bool| {
        let slow = || {
            Api::start(|asked| {
                if asked.method == "POST" && asked.path.ends_with("/secrets") {
                    std::thread::sleep(Duration::from_millis(3500));
                }
                None
            })
        };
        let apis: Vec<(String, Api)> =
            (0..3).map(|number| (format!("{context}{number}"), slow())).collect();
        let scratch = Scratch::new();
        let servers: Vec<(&str, String)> =
            apis.iter().map(|(name, api)| (name.as_str(), url(api))).collect();
        scratch.write("kubeconfig", kubeconfig(&servers));
        for (name, api) in &apis {
            let uid = json!({"metadata": {"name": "kube-system", "uid": name}});
            api.put("/api/v1/namespaces/kube-system", uid);
        }
        let names: Vec<&str> = servers.iter().map(|(name, _)| *name).collect();
        let names = names.join(",");
        let command = format!(
            "stty rows {rows} columns {COLUMNS}; meshctl ca init ca --cluster {names} --plain-root-key -q >/dev/null; \
             meshctl push ca --kubeconfig kubeconfig --context {names} --before-install --yes >out.txt"
        );
        let Some(child) = on_a_terminal(&scratch, &command) else { return };
        let (status, shown) = answer(child, &[]);
        assert_eq!(status, Some(0), "{shown}");
        assert_eq!(shown.contains("\x1b[3A\r\x1b[2Ka-long"), is_drawn, "{}", shown.escape_debug());
        let drawn = shown.split('\n').filter_map(|line| line.split("\x1b[2K").nth(1));
        let drawn: Vec<&str> = drawn.map(|line| line.trim_end_matches('\r')).collect();
        assert_eq!(!drawn.is_empty(), is_drawn, "{}", shown.escape_debug());
        let too_long: Vec<_> =
            drawn.iter().filter(|line| line.chars().count() >= COLUMNS).collect();
        assert!(too_long.is_empty(), "{too_long:?}");
        let has_time = drawn.iter().any(|line| line.contains(".., for ") && line.ends_with(" s"));
        assert_eq!(has_time, is_drawn, "{drawn:?}");
        assert!(shown.contains("wrote the secret"), "{}", shown.escape_debug());
    };
    check(24, true);
    check(3, false);
}

const FIRST: &str = "Passphrase for the new root key (empty for no encryption): ";
const AGAIN: &str = "Repeat the passphrase: ";

#[test]
fn a_terminal_is_asked() {
    let check = |name: &str, answers: &[(&str, &str)], status: i32, word: &str, head: &str| {
        let scratch = Scratch::new();
        let Some(child) = on_a_terminal(&scratch, "meshctl ca init ca --cluster east") else {
            return;
        };
        let (found, text) = answer(child, answers);
        assert_eq!(found, Some(status), "{name}\n{text}");
        assert!(text.contains(word), "{name}\n{text}");
        assert!(!text.contains("hunter2"), "{name}: the passphrase is not shown\n{text}");
        let key = std::fs::read_to_string(scratch.join("ca/root-key.pem")).unwrap_or_default();
        assert!(key.starts_with(head) && key.is_empty() == head.is_empty(), "{name}\n{key}");
        assert_eq!(scratch.join("ca").exists(), status == 0, "{name}");
    };
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    check(
        "twice the same",
        &[(FIRST, "hunter2"), (AGAIN, "hunter2")],
        0,
        "encrypted; keep it",
        encrypted,
    );
    let differ = [(FIRST, "hunter2"), (AGAIN, "hunter3")];
    check(
        "two that differ, then the same",
        &[&differ[..], &[(FIRST, "hunter2"), (AGAIN, "hunter2")]].concat(),
        0,
        "differ; try again",
        encrypted,
    );
    check("three times two that differ", &differ.repeat(3), 1, "passphrases differ", "");
    check(
        "a weak one",
        &[(FIRST, "hunter2"), (AGAIN, "hunter2")],
        0,
        "warning[ctl/passphrase-weak]",
        encrypted,
    );
    let plain = "-----BEGIN PRIVATE KEY-----";
    check("empty", &[(FIRST, "")], 0, "warning[ctl/root-key-plain]: the root key", plain);
}

#[test]
fn a_terminal_is_asked_for_the_passphrase_of_a_key_that_is_there() {
    let scratch = Scratch::new();
    let ca = meshpki::SoftKey::generate(meshpki::KeyType::EcdsaP256).unwrap();
    scratch.write_key("ca/root-key.pem", ca.to_encrypted_pem(b"hunter2").unwrap());
    let Some(child) = on_a_terminal(&scratch, "meshctl ca init ca --cluster east") else { return };
    let (status, text) = answer(child, &[("Passphrase of ca/root-key.pem: ", "hunter2")]);
    assert_eq!(status, Some(0), "{text}");
    assert!(scratch.join("ca/east/ca-key.pem").exists());
}

/// What is in a PKCS#12 file is read with what is typed, which is not shown.
#[test]
fn a_terminal_is_asked_for_the_passphrase_of_a_container() {
    let Some(openssl) = openssl() else { return };
    let scratch = Scratch::new();
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    let east = root.below(KeyType::EcdsaP256, "CN=Mesh CA east", |_| {});
    scratch.write("root.pem", root.cert.to_pem());
    scratch.write("east.pem", east.cert.to_pem());
    scratch.write_key("east.key", east.key.to_pem());
    openssl.good(
        &scratch,
        "pkcs12 -export -inkey east.key -in east.pem -certfile root.pem -passout pass:hunter2 -out east.pfx",
    );
    let adopt = "meshctl ca adopt ca --cluster east east.pfx --yes";
    let question = "Passphrase of east.pfx: ";
    for (typed, status) in [(["hunter3", "", "hunter4"], 1), (["hunter3", "", "hunter2"], 0)] {
        let Some(child) = on_a_terminal(&scratch, adopt) else { return };
        let (found, text) = answer(child, &typed.map(|text| (question, text)));
        assert_eq!(found, Some(status), "{typed:?}\n{text}");
        assert!(!text.contains("hunter"), "what is typed is not shown\n{text}");
        assert_eq!(text.matches("wrong passphrase; try again").count(), 2, "{text}");
        assert_eq!(scratch.join("ca").exists(), status == 0, "{text}");
    }
    assert_eq!(scratch.read("ca/east/ca-key.pem"), *east.key.to_pem());
}

/// Three times in all.
#[test]
fn a_wrong_passphrase_may_be_typed_again() {
    let question = "Passphrase of ca/root-key.pem: ";
    let check = |typed: &[&str], status: i32, words: &[&str]| {
        let scratch = Scratch::new();
        let ca = meshpki::SoftKey::generate(meshpki::KeyType::EcdsaP256).unwrap();
        scratch.write_key("ca/root-key.pem", ca.to_encrypted_pem(b"hunter2").unwrap());
        let Some(child) = on_a_terminal(&scratch, "meshctl ca init ca --cluster east") else {
            return;
        };
        let answers: Vec<(&str, &str)> = typed.iter().map(|text| (question, *text)).collect();
        let (found, text) = answer(child, &answers);
        assert_eq!(found, Some(status), "{typed:?}\n{text}");
        assert_eq!(text.matches(question).count(), typed.len(), "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{words:?}\n{text}");
        assert_eq!(scratch.join("ca/east/ca-key.pem").exists(), status == 0);
    };
    check(&["hunter3", "hunter2"], 0, &["wrong passphrase; try again"]);
    check(&["hunter3", "", "hunter2"], 0, &["wrong passphrase; try again"]);
    check(&["hunter3", "hunter4", "hunter5"], 1, &["error[pki/key-passphrase]"]);
}

/// What `stty -a` says of the echo, and how the command ended, after it.
const THEN: &str = "; echo ended $?; stty -a";

/// Ctrl-C, the other keys, the end of input, and signals from elsewhere: the terminal shows again what is typed, and no
/// folder is left.
#[test]
fn the_terminal_is_put_right() {
    let check = |name: &str, command: &str, act: &dyn Fn(&Scratch) -> &'static str, ended: &str| {
        let scratch = Scratch::new();
        // The shell survives the key, to tell.
        let command = format!("stty echo; trap : INT QUIT; {command}{THEN}");
        let Some(child) = on_a_terminal(&scratch, &command) else { return };
        let (_, text) = act_when_asked(child, || act(&scratch));
        assert!(text.contains(&format!("ended {ended}")), "{name}\n{text}");
        assert!(text.contains(" echo ") && !text.contains("-echo "), "{name}\n{text}");
        assert!(!scratch.join("new").exists(), "{name}: {:?}", scratch.entries(""));
    };
    let init = "meshctl ca init new/ca --cluster east";
    check("Ctrl-C", init, &|_| "\x03", "130");
    check("Ctrl-backslash", init, &|_| "\x1c", "131");
    check("Ctrl-D", init, &|_| "\x04", "1");
    let with_id = "sh -c 'echo $$ >id; exec meshctl ca init new/ca --cluster east'";
    for (signal, status) in [("TERM", "143"), ("INT", "130"), ("HUP", "129")] {
        let send = |scratch: &Scratch| {
            let id = scratch.read("id");
            let sent = Command::new("kill").args(["-s", signal, id.trim()]).status();
            assert!(sent.unwrap().success());
            ""
        };
        check(signal, with_id, &send, status);
    }
    // A key that is there, and a folder that was there: nothing is taken away.
    let scratch = Scratch::new();
    let ca = meshpki::SoftKey::generate(meshpki::KeyType::EcdsaP256).unwrap();
    scratch.write_key("ca/root-key.pem", ca.to_encrypted_pem(b"hunter2").unwrap());
    let before = scratch.entries("ca");
    let command = format!("stty echo; trap : INT; meshctl ca init ca --cluster east{THEN}");
    let Some(child) = on_a_terminal(&scratch, &command) else { return };
    let (_, text) = act_when_asked(child, || "\x03");
    assert!(text.contains("ended 130") && text.contains(" echo "), "{text}");
    assert_eq!(scratch.entries("ca"), before);
}

/// Waits for the first question, does something, and types what it returns.
fn act_when_asked(child: Child, act: impl FnOnce() -> &'static str) -> (Option<i32>, String) {
    let mut child = child;
    let mut out = child.stdout.take().unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("Passphrase ") {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    keyboard.write_all(act().as_bytes()).unwrap();
    out.read_to_end(&mut seen).unwrap();
    drop(keyboard);
    (child.wait().unwrap().code(), String::from_utf8_lossy(&seen).into_owned())
}

/// There is a terminal, but standard input is something else: a new root key needs an option that says how to protect it.
#[test]
fn a_pipe_is_never_asked() {
    for redirection in ["</dev/null", "2>err.txt"] {
        let check = |options: &str, status: i32, code: &str| {
            let scratch = Scratch::new();
            let command = format!("meshctl ca init ca --cluster east {options} {redirection}");
            let Some(child) = on_a_terminal(&scratch, &command) else { return };
            let (found, text) = answer(child, &[]);
            let said = text + &std::fs::read_to_string(scratch.join("err.txt")).unwrap_or_default();
            assert_eq!(found, Some(status), "{said}");
            assert!(!said.contains("Passphrase"), "{said}");
            assert!(said.contains(code), "{said}");
            assert_eq!(scratch.join("ca").exists(), status == 0, "{said}");
        };
        check("", 64, "error[ctl/no-passphrase]");
        check("--plain-root-key", 0, "not encrypted");
        check("--passphrase-env HOME", 0, "encrypted; keep it offline");
    }
}

/// Colors where a person looks, and nowhere else.
#[test]
fn colors() {
    let scratch = Scratch::new();
    let (due, error) = ("\x1b[33mDUE\x1b[0m", "\x1b[1;31merror[ctl/no-root]\x1b[0m");
    let check = |options: &str, env: &[(&'static str, &'static str)], in_color: [bool; 2]| {
        // A pipe is not a terminal; what comes out of it is shown on one.
        let commands = format!(
            "meshctl ca init ca --cluster east --plain-root-key >/dev/null 2>&1; \
             meshctl ca expiry --within 9000d ca {options}; meshctl ca renew none --cluster x {options} 2>&1 | cat"
        );
        let Some(child) = on_a_terminal_with(&scratch, &commands, env) else { return };
        let (_, text) = answer(child, &[]);
        assert_eq!(
            [text.contains(due), text.contains(error)],
            in_color,
            "{options} {env:?}: {}",
            text.escape_debug()
        );
        assert_eq!(text.contains('\x1b'), in_color != [false; 2], "{}", text.escape_debug());
        assert!(text.contains("DUE") && text.contains("error[ctl/no-root]"), "{text}");
    };
    check("", &[], [true, false]);
    check("--color auto", &[], [true, false]);
    check("--color never", &[], [false, false]);
    check("--color always", &[], [true, true]);
    check("", &[("NO_COLOR", "1")], [false, false]);
    check("", &[("NO_COLOR", "")], [true, false]);
    check("", &[("TERM", "dumb")], [false, false]);
    check("--color always", &[("NO_COLOR", "1")], [true, true]);
}

/// Long work is counted on a terminal; nothing of it is in a pipe, with `--quiet`, or left on the terminal.
#[test]
fn progress() {
    let check = |more: &str, is_shown: bool| {
        let scratch = Scratch::new();
        let command = format!(
            "meshctl ca init ca --cluster a,b,c --plain-root-key --cluster-key-type rsa-2048 {more}"
        );
        let Some(child) = on_a_terminal(&scratch, &command) else { return };
        let (status, text) = answer(child, &[]);
        assert_eq!(status, Some(0), "{text}");
        assert_eq!(text.contains("of 3 keys generated"), is_shown, "{}", text.escape_debug());
        let is_noted = text.contains("next: meshctl push");
        assert_eq!(is_noted, more.is_empty(), "{}", text.escape_debug());
        if is_shown {
            let (_, after) = text.rsplit_once("keys generated").expect("shown");
            assert!(after.contains("\x1b[2K"), "the line is taken away: {}", text.escape_debug());
        }
    };
    check("", true);
    check("--quiet", false);
    check("2>err.txt", false);
}
