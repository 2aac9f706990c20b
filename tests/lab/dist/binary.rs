//! The program: static, with the list of its crates inside, and the same bytes from the same source in any folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::Scratch;

use super::{Release, at, output, read, sha256, tools};

/// A machine that a release is for.
pub(super) struct Target {
    pub(super) triple: &'static str,
    /// Its system and its processor, as Go, OCI and krew name them.
    pub(super) os: &'static str,
    pub(super) arch: &'static str,
}

const fn target(triple: &'static str, os: &'static str, arch: &'static str) -> Target {
    Target { triple, os, arch }
}

/// Every machine, the default first. Those of Linux are built here; `--program` has what was built elsewhere.
pub(super) const TARGETS: &[Target] = &[
    target("x86_64-unknown-linux-gnu", "linux", "amd64"),
    target("aarch64-unknown-linux-gnu", "linux", "arm64"),
    target("aarch64-apple-darwin", "darwin", "arm64"),
    target("x86_64-apple-darwin", "darwin", "amd64"),
];

impl Target {
    pub(super) fn named(triple: &str) -> Result<&'static Self, String> {
        TARGETS.iter().find(|target| target.triple == triple).ok_or_else(|| {
            let known: Vec<&str> = TARGETS.iter().map(|target| target.triple).collect();
            format!("a release is not for `{triple}`; expected {}", known.join(", "))
        })
    }

    /// The processor as Rust and RPM name it.
    pub(super) fn processor(&self) -> &'static str {
        self.triple.split('-').next().unwrap_or_default()
    }

    /// The features of the program: a static program cannot load PKCS#11 modules.
    pub(super) fn features(&self) -> &'static [&'static str] {
        if self.os == "linux" { &["--no-default-features"] } else { &[] }
    }

    /// A tool of the compiler's package for this processor.
    pub(super) fn tool(&self, name: &str) -> String {
        format!("{}-linux-gnu-{name}", self.processor())
    }
}

/// Builds it; the cache has what did not change since the last time.
pub(super) fn build(release: &Release) -> Result<PathBuf, String> {
    build_in(release, &release.root, &tools::cache()?.join("target"))
}

/// Builds it once more, from a copy of the source in another folder and from nothing, and compares.
pub(super) fn twice(release: &Release) -> Result<(), String> {
    let first = build(release)?;
    let scratch = Scratch::new();
    let source = scratch.path().join("another/place");
    copy(&release.root, &source)?;
    let second = build_in(release, &source, &scratch.path().join("built"))?;
    let digest = |program: &Path| Ok::<_, String>(sha256(&read(program)?));
    let (one, other) = (digest(&first)?, digest(&second)?);
    println!("  {one}  {}\n  {other}  {}", first.display(), second.display());
    if one == other {
        return Ok(());
    }
    Err("the two programs differ: a path, a time or an order is in one".to_owned())
}

/// Copies the files that are in Git, as they are now.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let names = output(Command::new("git").current_dir(from).args(["ls-files", "-z"]))?;
    for name in names.split_terminator('\0') {
        let (source, place) = (from.join(name), to.join(name));
        let made = fs::create_dir_all(place.parent().unwrap_or(to));
        made.and_then(|()| fs::copy(&source, &place)).map_err(|error| at(&place, &error))?;
    }
    Ok(())
}

fn build_in(release: &Release, source: &Path, folder: &Path) -> Result<PathBuf, String> {
    let target = release.target;
    if target.os != "linux" {
        return Err(format!(
            "{} is built on a machine of its own; add --program FILE",
            target.triple
        ));
    }
    // It links, too.
    let compiler = target.tool("gcc");
    fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    let code = source.join("tests/lab/dist/files_and_dns.c");
    // Cargo links again if its arguments change, not if the object does: its name changes with its source.
    let digest = &sha256(&read(&code)?)[..16];
    let resolver = folder.join(format!("files_and_dns-{}-{digest}.o", target.triple));
    output(Command::new(&compiler).args(["-O2", "-c", "-o"]).arg(&resolver).arg(&code))?;
    // The folders of the crates must exist, so that their paths can be replaced.
    output(Command::new("cargo").current_dir(source).args(["fetch", "--locked", "--quiet"]))?;
    let paths = paths(folder)?;
    let mut flags = vec![
        "-Ctarget-feature=+crt-static".to_owned(),
        "-Clink-arg=-Wl,--wrap=__libc_dlopen_mode".to_owned(),
        format!("-Clink-arg={}", resolver.display()),
    ];
    flags.extend(paths.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}")));
    let maps: Vec<String> =
        paths.iter().map(|(from, to)| format!("-ffile-prefix-map={from}={to}")).collect();
    let variable = target.triple.replace('-', "_");
    println!("building meshctl for {}", target.triple);
    let mut build = tools::cargo("auditable", source)?;
    build
        .args(["build", "--quiet", "--locked", "--profile", "dist", "-p", "meshctl"])
        .args(target.features())
        .args(["--target", target.triple, "--target-dir"])
        .arg(folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env(format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()), &compiler)
        .env(format!("CC_{variable}"), &compiler)
        .env(format!("CFLAGS_{variable}"), maps.join(" "))
        // The program has no time in it. That of the commit would have ring and AWS-LC built again after each.
        .env("SOURCE_DATE_EPOCH", "0");
    output(&mut build)?;
    Ok(folder.join(target.triple).join("dist/meshctl"))
}

/// Folders whose paths would be in the program, and what is there instead. The source itself is compiled with relative
/// paths.
fn paths(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let registries = home.ok_or("neither CARGO_HOME nor HOME is set")?.join("registry/src");
    let mut paths = vec![(folder.display().to_string(), "/built".to_owned())];
    let entries = fs::read_dir(&registries).map_err(|error| at(&registries, &error))?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort();
    paths.extend(found.iter().map(|path| (path.display().to_string(), "/crates".to_owned())));
    Ok(paths)
}
