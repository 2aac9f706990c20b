//! Public reports, rebuilt as small inputs (`fixtures/cases`): what meshctl says of each, and its next commands, run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::Scratch;
use tests::next_steps;

const MESHCTL: &str = env!("CARGO_BIN_EXE_meshctl-under-test");

/// The folder of each report about `cert` or `mesh`.
fn cases(about: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cases").join(about);
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).expect("fixtures").flatten().map(|entry| entry.path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

/// A copy of a case in which keys are their owner's alone.
fn copy(case: &Path) -> Scratch {
    let scratch = Scratch::new();
    let from = format!("{}/.", case.display());
    let place = scratch.join("case");
    let script = r#"cp -R "$1" "$2" && find "$2" -name '*key*' -type f -exec chmod 600 {} +"#;
    let copied = Command::new("sh").args(["-c", script, "sh", &from]).arg(&place).status();
    assert!(copied.expect("a shell").success());
    scratch
}

#[test]
fn certificates() {
    check("cert");
}

#[test]
fn meshes() {
    check("mesh");
}

/// `cmd` of a case prints `printed`, which `MESH_UPDATE=1` writes.
#[track_caller]
fn check(about: &str) {
    let mut differences = Vec::new();
    for case in cases(about) {
        let scratch = copy(&case);
        let spare = scratch.join("spare");
        fs::create_dir(&spare).expect("a folder");
        let command = fs::read_to_string(case.join("cmd")).expect("cmd");
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{command}")])
            .current_dir(scratch.join("case"))
            .env("MESHCTL", MESHCTL)
            .env("T", &spare)
            .env("MESHCTL_OPENSSL", "3.5")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let said =
            String::from_utf8_lossy(&output.stdout).replace(spare.to_str().expect("UTF-8"), "$T");
        let exit = output.status.code().unwrap_or(-1);
        let found = format!("{}exit {exit}\n", stable(&said));
        let path = case.join("printed");
        if std::env::var_os("MESH_UPDATE").is_some() {
            fs::write(&path, &found).expect("a file");
        }
        if fs::read_to_string(&path).unwrap_or_default() != found {
            differences.push(format!("{}:\n{found}", case.display()));
        }
    }
    assert!(differences.is_empty(), "{} (MESH_UPDATE=1 takes it over)", differences.join("\n"));
}

/// Without what changes from run to run: digests of keys made on the spot, and the dates of today.
fn stable(said: &str) -> String {
    let is_new = |line: &&str| {
        ["sha256", "lifetime", "until 20", "Valid ", "Serial", "ey id", "next: where"]
            .iter()
            .any(|mark| line.contains(mark))
    };
    let has_keys = said.contains("created");
    let kept = said.lines().filter(|line| !has_keys || !is_new(line));
    kept.map(|line| format!("{line}\n")).collect()
}

/// Whoever follows a next command of `check` in a case loses nothing, and is done or learns that a person decides.
#[test]
fn next_commands() {
    let mut followed = 0;
    for case in cases("cert") {
        let scratch = copy(&case);
        let command = fs::read_to_string(case.join("cmd")).expect("cmd");
        for check in command.split("$MESHCTL check ").skip(1) {
            let args = check.split([';', '&', '\n']).next().unwrap_or_default();
            // Folders of the case alone, not those that the command makes.
            let args: Vec<&str> = args.split_whitespace().collect();
            if args.iter().any(|arg| arg.contains('$')) {
                continue;
            }
            followed += next_steps::follow(Path::new(MESHCTL), &scratch.join("case"), &args);
        }
    }
    assert!(followed > 10, "{followed}");
}
