//! The next commands that `meshctl check` prints, run in a copy of what was checked: each runs, loses no certificate and
//! no key, and solves its problem, or says that a person has to decide.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use meshpki::internals::pem::{self, Form};
use meshpki::{Cert, Signer, SoftKey};
use serde_json::Value;

use crate::Scratch;

/// Commands that only show something.
const SHOWING: [&str; 5] =
    ["meshctl ca inspect", "meshctl ca expiry", "meshctl ca verify", "ls ", "grep -l"];
/// What a fix says if the next command does not solve the problem by itself.
const DECISIONS: [&str; 2] = ["its owner has to issue", "nothing uses the new CA until"];

/// Follows every next command of `meshctl check ARGS` in `dir`; returns how many there were.
///
/// # Panics
/// When a command fails, loses something, or leaves its problem.
pub fn follow(meshctl: &Path, dir: &Path, args: &[&str]) -> usize {
    let problems = problems(meshctl, dir, args);
    let mut followed = 0;
    for problem in &problems {
        let next = text(problem, "next");
        // A cluster is not there.
        if next.is_empty() || next.starts_with("kubectl") {
            continue;
        }
        followed += 1;
        let copy = Scratch::new();
        copy_all(dir, &copy.join("place"));
        let place = copy.join("place");
        let before = objects(&place);
        let (status, said) = shell(meshctl, &place, &next);
        let is_showing = SHOWING.iter().any(|prefix| next.starts_with(prefix));
        // What is shown may be unreadable or expired: that is the problem.
        let has_shown = (0..=2).contains(&status) && !said.contains("No such file");
        let has_run = status == 0 || (is_showing && has_shown);
        assert!(has_run, "`{next}` ended with {status}: {said}\n{problem:#}");
        let lost: Vec<_> = before.difference(&objects(&place)).cloned().collect();
        assert!(lost.is_empty(), "`{next}` lost {lost:?}\n{problem:#}");
        let is_decided = DECISIONS.iter().any(|words| text(problem, "fix").contains(words));
        if !is_showing && !is_decided {
            let is_left = self::problems(meshctl, &place, args).iter().any(|other| {
                ["code", "file", "clusters"].iter().all(|key| other[key] == problem[key])
            });
            assert!(!is_left, "`{next}` leaves the problem\n{problem:#}");
        }
    }
    followed
}

fn text(problem: &Value, key: &str) -> String {
    problem[key].as_str().unwrap_or_default().to_owned()
}

/// The problems that a check in `dir` finds.
fn problems(meshctl: &Path, dir: &Path, args: &[&str]) -> Vec<Value> {
    let output = Command::new(meshctl)
        .arg("check")
        .args(args)
        .args(["-o", "json"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("meshctl starts");
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    document["problems"].as_array().expect("problems").clone()
}

/// Runs a command as a user would, with `meshctl` in the path.
fn shell(meshctl: &Path, dir: &Path, command: &str) -> (i32, String) {
    let tools = Scratch::new();
    symlink(meshctl, tools.join("meshctl")).expect("a link");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(dir)
        .env("PATH", format!("{}:{path}", tools.path().display()))
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Every certificate and every key below a folder, by fingerprint; keys by their public half.
fn objects(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::from(dir)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                found.extend(in_file(&fs::read(entry.path()).expect("a file")));
            }
        }
    }
    found
}

/// More generous than any reader of the product: what a person would find in the file.
fn in_file(bytes: &[u8]) -> Vec<String> {
    if let Ok(cert) = Cert::from_der(bytes) {
        return vec![cert.fingerprint()];
    }
    let text = match Form::of(bytes).as_slice() {
        [Form::Utf16] => {
            let units: Vec<u16> = bytes[2..]
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(bytes).replace('\u{feff}', ""),
    };
    let text = text.replace("\\n", "\n").replace("----------BEGIN", "-----\n-----BEGIN");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let blocks = pem::decode(lines.join("\n").as_bytes()).into_iter().flatten();
    blocks
        .map(|block| {
            if let Ok(cert) = Cert::from_der(&block.der) {
                return cert.fingerprint();
            }
            let key = SoftKey::from_pem(pem::encode(&block.label, &block.der).as_bytes(), None);
            match key {
                Ok(key) => key.public_key().fingerprint(),
                Err(_) => format!("{} of {} bytes", block.label, block.der.len()),
            }
        })
        .collect()
}
