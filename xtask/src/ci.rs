//! `cargo xtask ci`: what CI runs, fast steps first; it stops at the first failure.

use std::process::Command;

/// A step: what it is for, and its command line.
const STEPS: &[(&str, &str)] = &[
    ("formatting", "cargo fmt --all -- --check"),
    ("lints", "cargo clippy --workspace --all-targets --all-features --locked -- -D warnings"),
    (
        "meshpki without aws-lc",
        "cargo clippy -p meshpki --all-targets --no-default-features --features soft-keys --locked -- -D warnings",
    ),
    (
        "meshpki without keys",
        "cargo clippy -p meshpki --no-default-features --locked -- -D warnings",
    ),
    ("documentation", "cargo doc --workspace --no-deps --locked"),
    ("tidy", "cargo xtask tidy"),
    (
        "tests without aws-lc",
        "cargo test -p meshpki --no-default-features --features soft-keys --lib --locked",
    ),
    ("benchmarks, each once", "cargo bench -p tests --benches --locked -- --test"),
    ("fixtures against openssl", "cargo xtask fixtures --check"),
    RIG,
    ("tests", "cargo test --workspace --locked"),
];

/// The real components that the tests build clusters from.
const RIG: (&str, &str) = ("the rig", "cargo xtask rig");

/// Tools that the tests call or compare with, and the Debian package that has each.
const JUDGES: &[(&str, &[&str], &str)] = &[
    ("openssl", &["version"], "openssl"),
    ("cfssl", &["version"], "golang-cfssl"),
    ("cfssljson", &["--help"], "golang-cfssl"),
    ("go", &["version"], "golang-go"),
    ("ip", &["-V"], "iproute2"),
    ("iptables-nft", &["--version"], "iptables"),
    ("strace", &["-V"], "strace"),
];

/// Installs what is missing, then runs every step; `with_rig` includes those on real clusters.
pub fn run(with_rig: bool) -> Result<(), String> {
    for (program, args, package) in JUDGES {
        provide(program, args, package)?;
    }
    crate::judge::run()?;
    let steps: Vec<_> = STEPS.iter().filter(|step| with_rig || **step != RIG).collect();
    for (i, (what, line)) in steps.iter().enumerate() {
        println!("\n== {} of {}: {what}\n$ {line}", i + 1, steps.len());
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        // Here a missing tool is a failure, not a test that reports that it did not run.
        command
            .args(words)
            .env("CI", "true")
            .env("MESH_REQUIRE_JUDGES", "1")
            .env("RUSTDOCFLAGS", "-D warnings");
        if !with_rig {
            command.env(tests::rig::WITHOUT, "1");
        }
        let status = command.status().map_err(|error| format!("{line}: {error}"))?;
        if !status.success() {
            return Err(format!("step `{what}` failed: {line}"));
        }
    }
    println!("\nall {} steps passed", steps.len());
    if !with_rig {
        println!("NOT RUN: `{}`, and every test on real clusters (--without-rig)", RIG.1);
    }
    Ok(())
}

/// Whether a program runs at all, whatever its exit status.
fn runs(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok()
}

fn provide(program: &str, args: &[&str], package: &str) -> Result<(), String> {
    if runs(program, args) {
        return Ok(());
    }
    println!("`{program}` is missing; installing it: apt-get install {package}");
    let apt = |args: &[&str]| {
        Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()
            .is_ok_and(|s| s.success())
    };
    let installed = apt(&["update", "-qq"])
        && apt(&["install", "-y", "-qq", "--no-install-recommends", "--no-upgrade", package])
        && runs(program, args);
    if installed {
        Ok(())
    } else {
        Err(format!("`{program}` is missing; install it: apt-get install {package}"))
    }
}
