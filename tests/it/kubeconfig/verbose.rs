//! `--verbose`: every request is named, with its answer; no token, no key and no Secret's data is.

use std::process::{Command, Stdio};

use serde_json::json;
use tests::Shell;
use tests::api::{Answer, Api};

use super::{SECRET, STATUS, at, url};
use crate::MESHCTL;

const TOKEN: &str = "canary-of-a-token";

/// Runs the real program, whose requests go past the streams that tests read; returns standard error.
fn said(shell: &Shell, command: &str) -> String {
    let command = command.replace('@', &shell.scratch.path().display().to_string());
    let output = Command::new(MESHCTL)
        .args(tests::cli::words(&command))
        .stdin(Stdio::null())
        .output()
        .expect("meshctl runs");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn every_request_and_no_secret() {
    let api = Api::start(|asked| match asked.path.as_str() {
        // Servers and proxies show what they were sent.
        "/api/v1/configmaps" => Some(Answer::refusal(403, "Forbidden", &format!("no, {TOKEN}"))),
        path if path.ends_with("/services") => {
            Some(Answer { status: 500, retry_after: None, body: format!("<b>{TOKEN}</b>") })
        }
        _ => None,
    });
    let key = "Y2FuYXJ5LW9mLWEta2V5";
    api.put(SECRET, json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "cacerts", "namespace": "istio-system", "resourceVersion": "1"}, "data": {"ca-key.pem": key}}));
    let shell = at(&url(&api), &json!({"token": TOKEN}));
    let verbose = said(&shell, &format!("{STATUS} -v"));
    let asked = api.asked();
    assert!(!asked.is_empty());
    for one in &asked {
        let line = format!("cluster1: {} {}", one.method, one.path);
        let line = verbose.lines().find(|found| found.starts_with(&line));
        assert!(line.is_some_and(|line| line.ends_with(" ms")), "{one:?} is not in\n{verbose}");
    }
    assert!(verbose.contains(&format!("cluster1: GET {SECRET}: 200, ")), "{verbose}");
    assert!(verbose.contains("/api/v1/configmaps?") && verbose.contains(": 403, "), "{verbose}");
    for secret in [TOKEN, key, "canary"] {
        assert!(!verbose.contains(secret), "{secret}: {verbose}");
    }
    // What is said otherwise is the same.
    let normal = said(&shell, STATUS);
    let rest: String = verbose
        .lines()
        .filter(|line| !line.starts_with("cluster1: "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(rest, normal);
}

#[test]
fn what_gets_no_answer() {
    let shell = at("http://127.0.0.1:9", &json!({"token": TOKEN}));
    let verbose = said(&shell, &format!("--verbose {STATUS}"));
    // The first answer decides; the other requests are given up.
    let has = |why: &str| {
        let lines = verbose.lines().filter(|line| line.starts_with("cluster1: GET /"));
        lines.into_iter().any(|line| line.contains(why) && line.ends_with(" ms"))
    };
    assert!(has(": Connection refused (os error 111), ") && has(": given up, "), "{verbose}");
    assert!(!verbose.contains(TOKEN), "{verbose}");
    let both = shell.run(&format!("{STATUS} -v --quiet"));
    assert_eq!(both.status, 64, "{}", both.err);
}
