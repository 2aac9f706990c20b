//! Root keys that are not files: programs, tokens and services sign, and what they may do wrong is said.

mod exec;
mod moto;
mod openbao;
mod token;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use meshpki::cacerts::certs;
use serde_json::Value;
use tests::Shell;
use tests::cli::{Ran, words};
use tests::judges::openssl;
use tests::schema;
use tests::scratch::Entry;

use crate::MESHCTL;

/// The programs that are documented.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/signers");

/// Writes a script that can be run.
fn script(shell: &Shell, name: &str, text: &str) {
    shell.scratch.write(name, format!("#!/usr/bin/env bash\n{text}\n"));
    fs::set_permissions(shell.scratch.join(name), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs the real binary with variables in its environment, and `@` for the folder.
fn meshctl(shell: &Shell, command: &str, env: &[(String, String)]) -> Ran {
    let root = shell.scratch.path().display().to_string();
    let args = words(command).into_iter().map(|word| word.replace('@', &root));
    let mut meshctl = Command::new(MESHCTL);
    meshctl.args(args).envs(env.iter().cloned()).stdin(Stdio::null());
    let output = meshctl.output().expect("meshctl runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let status = output.status.code().and_then(|code| u8::try_from(code).ok());
    Ran { status: status.expect("a status"), out: text(output.stdout), err: text(output.stderr) }
}

/// Everything that a mesh needs of its root, with a signer: the job of the first seed, and what comes after it. Returns
/// all that was printed.
fn whole_job(shell: &Shell, signer: &str, env: &[(String, String)]) -> String {
    let mut printed = String::new();
    let mut good = |command: &str| {
        let ran = meshctl(shell, command, env);
        printed += &format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.status, 0, "{command}\n{}{}", ran.out, ran.err);
    };
    let signer = format!("{signer} --transcript @/ceremony.jsonl");
    good(&format!("ca init @/ca --cluster east --cluster west {signer}"));
    good(&format!("ca init @/ca --cluster north {signer}"));
    good("ca csr @/side --cluster south");
    good(&format!("ca sign @/side/south/ca.csr --ca @/ca --out @/side/south --yes {signer}"));
    good(&format!("ca renew @/ca --cluster east {signer}"));
    good("ca init @/other --cluster far --plain-root-key");
    good(&format!(
        "ca cross-sign --ca @/ca --root @/other/root-cert.pem --out @/bridge.pem --yes {signer}"
    ));
    good(&format!("ca crl @/ca {signer}"));
    good("check @/ca");
    let issued = ["ca/east", "ca/west", "ca/north", "side/south"];
    if let Some(openssl) = openssl() {
        for folder in issued {
            for trusted in ["root-cert.pem", "cert-chain.pem"] {
                let args = format!("verify -CAfile {folder}/{trusted} {folder}/ca-cert.pem");
                openssl.good(&shell.scratch, &args);
            }
        }
    }
    assert!(!shell.scratch.join("ca/root-key.pem").exists());
    let lines = transcript(shell);
    assert_eq!(lines.len(), 8, "root, three clusters, a CSR, a renewal, a bridge, a CRL");
    let recorded: Vec<&str> =
        lines.iter().filter_map(|line| line["signed"]["sha256"].as_str()).collect();
    let files = issued.iter().map(|folder| format!("{folder}/ca-cert.pem"));
    for file in files.chain(["ca/root-cert.pem".to_owned(), "bridge.pem".to_owned()]) {
        let certs = certs(&file, shell.scratch.read(&file).as_bytes()).expect("a certificate");
        let print = certs[0].fingerprint();
        assert!(recorded.contains(&print.as_str()), "{file}: {print} is not in {recorded:?}");
    }
    printed
}

/// Removes what [`whole_job`] made.
fn clear(shell: &Shell) {
    for folder in ["ca", "side", "other"] {
        fs::remove_dir_all(shell.scratch.join(folder)).unwrap();
    }
    for file in ["ceremony.jsonl", "bridge.pem"] {
        fs::remove_file(shell.scratch.join(file)).unwrap();
    }
}

/// The lines of the transcript, each as its schema has it.
fn transcript(shell: &Shell) -> Vec<Value> {
    let text = shell.scratch.read("ceremony.jsonl");
    text.lines().for_each(|line| schema::check("transcript", line));
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// No file below the folder, and nothing that was printed, has the secret.
#[track_caller]
fn is_nowhere(shell: &Shell, secret: &str, printed: &str, but: &[&str]) {
    assert!(!printed.contains(secret), "{printed}");
    for (name, entry) in shell.scratch.entries("") {
        if but.iter().any(|known| name.starts_with(known)) {
            continue;
        }
        let content = entry.content.unwrap_or_default();
        let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{name} has the secret");
    }
}

/// Nothing is written, whatever a signer does.
#[track_caller]
fn refuses(shell: &Shell, command: &str, expect: &str) {
    let before = shell.scratch.entries("");
    shell.check(command, expect);
    assert_eq!(shell.scratch.entries(""), before, "nothing is written");
}

/// The same with the real binary; `but` is the folder in which others write.
#[track_caller]
fn refuses_outside(shell: &Shell, but: &str, command: &str, env: &[(String, String)]) -> Ran {
    let entries = || -> BTreeMap<String, Entry> {
        let all = shell.scratch.entries("").into_iter();
        all.filter(|(name, _)| !name.starts_with(but)).collect()
    };
    let before = entries();
    let ran = meshctl(shell, command, env);
    assert_eq!(entries(), before, "nothing is written");
    ran
}
