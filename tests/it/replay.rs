//! Recorded runs of the real `openssl verify` 3.0.19, compared byte for byte.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tests::run::{self, Printed};
use tests::shared;

/// x509-limbo: 208 testcases with three command lines each.
#[test]
fn limbo() {
    let Some(runs) = shared::file("limbo/openssl-3.0.19.jsonl") else { return };
    let Some(suite) = shared::file("limbo/limbo.json") else { return };
    let suite: Value = serde_json::from_slice(&fs::read(suite).unwrap()).unwrap();
    let mut tally = Tally::default();
    let runs = fs::read_to_string(runs).unwrap();
    for (case, line) in suite["testcases"].as_array().unwrap().iter().zip(runs.lines()) {
        let recorded: Value = serde_json::from_str(line).unwrap();
        assert_eq!(recorded["id"], case["id"]);
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "trusted.pem", &joined(&case["trusted_certs"]));
        write(dir.path(), "untrusted.pem", &joined(&case["untrusted_intermediates"]));
        write(dir.path(), "peer.pem", case["peer_certificate"].as_str().unwrap());
        write(dir.path(), "crls.pem", &joined(&case["crls"]));
        tally.replay(dir.path(), &recorded);
    }
    tally.finish(624);
}

/// BetterTLS: path building and name constraints.
#[test]
fn bettertls() {
    let Some(runs) = shared::file("bettertls/openssl-3.0.19.jsonl") else { return };
    let Some(suite) = shared::file("bettertls/bettertls.json.gz") else { return };
    let unpacked = Command::new("gzip").arg("-dc").arg(suite).output().expect("gzip starts");
    let suite: Value = serde_json::from_slice(&unpacked.stdout).unwrap();
    let root = suite["trustRoot"].as_str().unwrap();
    let mut tally = Tally::default();
    for line in fs::read_to_string(runs).unwrap().lines() {
        let recorded: Value = serde_json::from_str(line).unwrap();
        let (name, number) = recorded["id"].as_str().unwrap().split_once("::tc").unwrap();
        let cases = suite["suites"][name]["testCases"].as_array().unwrap();
        let number: u64 = number.parse().unwrap();
        let case = cases.iter().find(|case| case["id"] == number).unwrap();
        let certs: Vec<&str> =
            case["certificates"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
        let untrusted: String =
            certs[1..].iter().filter(|cert| **cert != root).map(|cert| pem(cert)).collect();
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "root.pem", &pem(root));
        write(dir.path(), "untrusted.pem", &untrusted);
        write(dir.path(), "leaf.pem", &pem(certs[0]));
        tally.replay(dir.path(), &recorded);
    }
    tally.finish(2356);
}

/// How many runs were compared, and the first differences.
#[derive(Default)]
struct Tally {
    runs: usize,
    different: Vec<String>,
}

impl Tally {
    /// Repeats the main command line of a record, and those under `extra`.
    fn replay(&mut self, dir: &Path, recorded: &Value) {
        let extra = recorded["extra"].as_object().into_iter().flatten();
        let main = [("main", recorded)];
        for (name, run) in main.into_iter().chain(extra.map(|(name, run)| (name.as_str(), run))) {
            let argv = run["argv"].as_array().unwrap();
            let args: Vec<String> =
                argv[2..].iter().map(|arg| arg.as_str().unwrap().to_owned()).collect();
            let ours = run::verify(dir, &args, &[], b"");
            let theirs = printed(run);
            self.runs += 1;
            if ours != theirs {
                let id = &recorded["id"];
                self.different.push(format!(
                    "{id} {name}: {args:?}\n  ours:   {ours:?}\n  theirs: {theirs:?}"
                ));
            }
        }
    }

    fn finish(&self, expected: usize) {
        assert_eq!(self.runs, expected, "recorded runs");
        let shown = self.different.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
        assert!(
            self.different.is_empty(),
            "{} of {} runs differ; the first:\n{shown}",
            self.different.len(),
            self.runs
        );
    }
}

fn printed(run: &Value) -> Printed {
    let text = |field: &str| run[field].as_str().unwrap().to_owned();
    Printed { exit: run["exit"].as_i64().unwrap(), stdout: text("stdout"), stderr: text("stderr") }
        .without_queue()
}

fn write(dir: &Path, name: &str, text: &str) {
    if !text.is_empty() {
        fs::write(dir.join(name), text).unwrap();
    }
}

fn joined(list: &Value) -> String {
    let items = list.as_array().into_iter().flatten();
    items.map(|pem| pem.as_str().unwrap().trim_end().to_owned() + "\n").collect()
}

/// A block around base64 that is one line.
fn pem(base64: &str) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
}
