//! On a terminal `ca init` asks for a passphrase; in a pipe it never does.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use tests::Scratch;
use tests::judges::missing;

use crate::MESHCTL;

/// `script` of util-linux, which gives a command a terminal of its own.
fn on_a_terminal(scratch: &Scratch, command: &str) -> Option<Child> {
    let child = Command::new("script")
        .args(["-q", "-e", "-E", "never", "-c", &command.replace("meshctl", MESHCTL), "/dev/null"])
        .current_dir(scratch.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    match child {
        Ok(child) => Some(child),
        Err(error) => {
            missing("script (util-linux)", &error.to_string());
            None
        }
    }
}

/// Answers each question when it is asked; returns the exit status and all that stood on the terminal.
fn answer(mut child: Child, answers: &[(&str, &str)]) -> (Option<i32>, String) {
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
        keyboard.write_all(format!("{text}\n").as_bytes()).unwrap();
    }
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    seen += &String::from_utf8_lossy(&rest);
    drop(keyboard);
    (child.wait().unwrap().code(), seen)
}

const FIRST: &str = "Passphrase for the new root key (empty: not encrypted): ";
const AGAIN: &str = "The same passphrase again: ";

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
    };
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    check(
        "twice the same",
        &[(FIRST, "hunter2"), (AGAIN, "hunter2")],
        0,
        "encrypted; keep it",
        encrypted,
    );
    check(
        "two that differ",
        &[(FIRST, "hunter2"), (AGAIN, "hunter3")],
        1,
        "passphrases differ",
        "",
    );
    let plain = "-----BEGIN PRIVATE KEY-----";
    check("empty", &[(FIRST, "")], 0, "warning[ctl/root-key-plain]", plain);
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

/// The terminal is there and could be asked, but standard input is not it.
#[test]
fn a_pipe_is_never_asked() {
    for redirection in ["</dev/null", "2>err.txt"] {
        let scratch = Scratch::new();
        let command = format!("meshctl ca init ca --cluster east {redirection}");
        let Some(child) = on_a_terminal(&scratch, &command) else { return };
        let (status, text) = answer(child, &[]);
        assert_eq!(status, Some(0), "{text}");
        assert!(!text.contains("Passphrase"), "{text}");
        let said = text + &std::fs::read_to_string(scratch.join("err.txt")).unwrap_or_default();
        assert_eq!(said.matches("warning[ctl/root-key-plain]").count(), 1, "{said}");
    }
}
