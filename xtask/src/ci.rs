//! `cargo xtask ci`: what CI runs, fast steps first; it stops at the first failure.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A step: what it is for, and its command line. Steps that compile the whole workspace select the same packages,
/// features and profile, so that each dependency is compiled once to check and once to run.
const STEPS: &[(&str, &str)] = &[
    ("formatting", "cargo fmt --all -- --check"),
    ("tidy", "cargo xtask tidy"),
    ("lints", "cargo clippy --workspace --all-targets --all-features --locked -- -D warnings"),
    (
        "meshpki without aws-lc",
        "cargo clippy -p meshpki --all-targets --no-default-features --features soft-keys --locked -- -D warnings",
    ),
    (
        "meshpki without keys",
        "cargo clippy -p meshpki --no-default-features --locked -- -D warnings",
    ),
    (
        "meshpki without an operating system",
        "cargo build -p meshpki --no-default-features --features legacy-algorithms,spiffe --target thumbv7em-none-eabi --locked",
    ),
    (
        "the oldest compiler",
        "cargo +1.88.0 check -p meshpki --no-default-features --features cfssl,legacy-algorithms,rcgen,rustls,spiffe,webpki --locked --target-dir target/oldest",
    ),
    // No C is compiled, for nothing is linked: on macOS that needs Apple's headers.
    (
        "meshctl for macOS and Windows",
        "env CC_aarch64_apple_darwin=true AR_aarch64_apple_darwin=true CC_x86_64_pc_windows_gnu=true AR_x86_64_pc_windows_gnu=true cargo clippy -p meshctl --target aarch64-apple-darwin --target x86_64-pc-windows-gnu --locked -- -D warnings",
    ),
    (
        "crates",
        "cargo package --workspace --exclude tests --exclude xtask --no-verify --allow-dirty --locked",
    ),
    (
        "the public API",
        "cargo run --quiet --manifest-path xtask/public-api/Cargo.toml --target-dir target/public-api --locked",
    ),
    ("documentation", "cargo doc --workspace --no-deps --all-features --locked"),
    ("build", "cargo test --workspace --all-features --locked --no-run"),
    ("examples", "cargo xtask examples"),
    ("the site", "cargo xtask site"),
    ("the reference openssl and BoringSSL", "cargo xtask judge"),
    ("fixtures against openssl", "cargo xtask fixtures --check"),
    (
        "tests without aws-lc",
        "cargo test -p meshpki --no-default-features --features soft-keys --lib --locked",
    ),
    ("benchmarks, each once", "cargo test -p tests --bench * --locked -- --test"),
    RIG,
    DIST,
    // Four tests on clusters, which wait more than they compute, and two that compute.
    ("tests", "cargo test --workspace --all-features --locked -- --test-threads 6"),
];

/// The real components that the tests build clusters from.
const RIG: (&str, &str) = ("the rig", "cargo xtask rig");
/// What a release has for the machines that it is built for here; some of its judges are built with the rig.
const DIST: (&str, &str) = (
    "packages",
    "cargo xtask dist --check --target x86_64-unknown-linux-gnu --target aarch64-unknown-linux-gnu --target x86_64-pc-windows-gnu --url https://example.org/releases/download/v0",
);
/// The environment variable with which tests on real clusters do not run (`WITHOUT_RIG`).
const WITHOUT_RIG: &str = "MESH_WITHOUT_RIG";

/// What rustup must have besides the pinned toolchain: the arguments that install it.
const TOOLCHAIN: &[&[&str]] = &[
    &["toolchain", "install", "1.88.0", "--profile", "minimal", "--no-self-update"],
    &["target", "add", "thumbv7em-none-eabi"],
    &["target", "add", "aarch64-apple-darwin"],
    &["target", "add", "aarch64-unknown-linux-gnu"],
    &["target", "add", "x86_64-pc-windows-gnu"],
];

/// Tools that the tests call or compare with, and the Debian package that has each.
const JUDGES: &[(&str, &[&str], &str)] = &[
    ("openssl", &["version"], "openssl"),
    ("cfssl", &["version"], "golang-cfssl"),
    ("cfssljson", &["--help"], "golang-cfssl"),
    ("go", &["version"], "golang-go"),
    // BoringSSL and kryoptic are built.
    ("cmake", &["--version"], "cmake"),
    ("make", &["--version"], "make"),
    ("c++", &["--version"], "g++"),
    // With libclang, which reads C's headers.
    ("clang", &["--version"], "clang"),
    ("ip", &["-V"], "iproute2"),
    ("iptables-nft", &["--version"], "iptables"),
    ("strace", &["-V"], "strace"),
    // Completions and manual pages are loaded.
    ("zsh", &["--version"], "zsh"),
    ("fish", &["--version"], "fish"),
    ("elvish", &["-version"], "elvish"),
    ("man", &["--version"], "man-db"),
    ("groff", &["--version"], "groff"),
    // Root keys on tokens, and behind programs.
    ("softhsm2-util", &["--version"], "softhsm2"),
    ("pkcs11-tool", &["--help"], "opensc"),
    ("jq", &["--version"], "jq"),
    // promtool is in the package of the server.
    ("promtool", &["--version"], "prometheus"),
    // Pages are looked at.
    ("chromium", &["--version"], "chromium"),
    // Packages are opened, and one is downloaded.
    ("curl", &["--version"], "curl"),
    ("file", &["--version"], "file"),
    ("objcopy", &["--version"], "binutils"),
    // It brings the compiler for C and the C library, too.
    ("aarch64-linux-gnu-g++", &["--version"], "g++-aarch64-linux-gnu"),
    ("qemu-aarch64-static", &["--version"], "qemu-user-static"),
    ("rpm", &["--version"], "rpm"),
    ("ruby", &["--version"], "ruby"),
    ("skopeo", &["--version"], "skopeo"),
    ("umoci", &["--version"], "umoci"),
    // The program for Windows is built, unpacked and run.
    ("x86_64-w64-mingw32-gcc-win32", &["--version"], "gcc-mingw-w64-x86-64-win32"),
    ("nasm", &["--version"], "nasm"),
    ("bsdtar", &["--version"], "libarchive-tools"),
    ("/usr/lib/wine/wine64", &["--version"], "wine64"),
    ("pgrep", &["--version"], "procps"),
];

/// Files that the judges are built with, and the Debian package that has each.
const HEADERS: &[(&str, &str)] =
    &[("/usr/include/openssl/evp.h", "libssl-dev"), ("/usr/include/sqlite3.h", "libsqlite3-dev")];

/// Installs what is missing, then runs every step; `with_rig` includes those on real clusters.
pub fn run(with_rig: bool) -> Result<(), String> {
    for (program, args, package) in JUDGES {
        provide(program, || runs(program, args), package)?;
    }
    for (file, package) in HEADERS {
        provide(file, || Path::new(file).exists(), package)?;
    }
    TOOLCHAIN.iter().try_for_each(|args| rustup(args))?;
    let start = Instant::now();
    let steps: Vec<_> =
        STEPS.iter().filter(|step| with_rig || ![RIG, DIST].contains(step)).collect();
    for (i, (what, line)) in steps.iter().enumerate() {
        let passed = start.elapsed().as_secs();
        println!(
            "\n== {} of {}, after {} min {} s: {what}\n$ {line}",
            i + 1,
            steps.len(),
            passed / 60,
            passed % 60
        );
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        // Here a missing tool is a failure, not a test that reports that it did not run.
        command
            .args(words)
            .env("CI", "true")
            .env("MESH_REQUIRE_JUDGES", "1")
            .env("RUSTDOCFLAGS", "-D warnings");
        if !with_rig {
            command.env(WITHOUT_RIG, "1");
        }
        let status = command.status().map_err(|error| format!("{line}: {error}"))?;
        if !status.success() {
            return Err(format!("step `{what}` failed: {line}"));
        }
    }
    let seconds = start.elapsed().as_secs();
    println!("\nall {} steps passed in {} min {} s", steps.len(), seconds / 60, seconds % 60);
    if !with_rig {
        println!(
            "NOT RUN: `{}`, `{}`, and every test on real clusters (--without-rig)",
            RIG.1, DIST.1
        );
    }
    Ok(())
}

/// Installs a part of the toolchain, if it is missing.
fn rustup(args: &[&str]) -> Result<(), String> {
    let line = format!("rustup {}", args.join(" "));
    println!("$ {line}");
    let output = Command::new("rustup").args(args).output();
    let output = output.map_err(|error| format!("{line}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// Runs every example that the build step has built. Each ends with an assertion.
pub fn examples() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folders =
        ["meshpki", "meshapply"].map(|name| root.join("crates").join(name).join("examples"));
    for folder in folders {
        let files =
            std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut names: Vec<_> =
            files.flatten().filter_map(|file| Some(file.path().file_stem()?.to_owned())).collect();
        names.sort();
        for name in names {
            let program = built.join("debug/examples").join(&name);
            println!("$ {}", program.display());
            let status = Command::new(&program).status();
            let status = status.map_err(|error| {
                format!(
                    "{}: {error}; `cargo test --workspace --all-features --no-run` builds it",
                    program.display()
                )
            })?;
            if !status.success() {
                return Err(format!("example {} failed", name.display()));
            }
        }
    }
    Ok(())
}

/// Whether a program runs at all, whatever its exit status.
fn runs(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok()
}

/// Installs the package that has a program or file, if it is missing.
fn provide(what: &str, is_there: impl Fn() -> bool, package: &str) -> Result<(), String> {
    if is_there() {
        return Ok(());
    }
    println!("`{what}` is missing; installing it: apt-get install {package}");
    let apt = |args: &[&str]| {
        Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()
            .is_ok_and(|s| s.success())
    };
    let installed = apt(&["update", "-qq"])
        && apt(&["install", "-y", "-qq", "--no-install-recommends", "--no-upgrade", package])
        && is_there();
    if installed {
        Ok(())
    } else {
        Err(format!("`{what}` is missing; install it: apt-get install {package}"))
    }
}
