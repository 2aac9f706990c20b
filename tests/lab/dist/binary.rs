//! The program: static, with the list of its crates inside, and the same bytes from the same source in any folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::Scratch;

use super::{Job, Release, at, at_once, output, read, sha256, tools};

/// A machine that a release is for.
pub(super) struct Target {
    pub(super) triple: &'static str,
    /// Its system and its processor, as Go, OCI and krew name them.
    pub(super) os: &'static str,
    pub(super) arch: &'static str,
    /// What builds its program here; `None` if `--program` has it from a machine of its own.
    build: Option<Build>,
}

/// The command that builds the program of a machine from the source in one folder into another, and where the program is
/// then.
type Build = fn(&Target, &Path, &Path) -> Result<(Command, PathBuf), String>;

const fn target(
    triple: &'static str,
    os: &'static str,
    arch: &'static str,
    build: Option<Build>,
) -> Target {
    Target { triple, os, arch, build }
}

/// Every machine, the default first.
pub(super) const TARGETS: &[Target] = &[
    target("x86_64-unknown-linux-gnu", "linux", "amd64", Some(linux)),
    target("aarch64-unknown-linux-gnu", "linux", "arm64", Some(linux)),
    target("aarch64-apple-darwin", "darwin", "arm64", None),
    target("x86_64-apple-darwin", "darwin", "amd64", None),
    target("x86_64-pc-windows-gnu", "windows", "amd64", Some(windows)),
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

    /// A tool of the compiler's package for this machine.
    pub(super) fn tool(&self, name: &str) -> String {
        let kind = if self.os == "windows" { "w64-mingw32" } else { "linux-gnu" };
        format!("{}-{kind}-{name}", self.processor())
    }

    /// The compiler for C, which also links. Debian has two for Windows, whose libraries for threads differ.
    pub(super) fn compiler(&self) -> String {
        self.tool(if self.os == "windows" { "gcc-win32" } else { "gcc" })
    }

    /// The program's file.
    pub(super) fn program(&self) -> &'static str {
        if self.os == "windows" { "meshctl.exe" } else { "meshctl" }
    }

    /// The ending of its archive's name.
    pub(super) fn archive(&self) -> &'static str {
        if self.os == "windows" { ".zip" } else { ".tar.gz" }
    }

    /// Whether a release has this part for the machine.
    pub(super) fn has(&self, part: &str) -> bool {
        self.os == "linux" || !["deb", "rpm", "image"].contains(&part)
    }
}

/// Builds the program of each machine; the cache has what did not change since the last time.
pub(super) fn build(releases: &[Release]) -> Result<Vec<PathBuf>, String> {
    let root = releases.first().map_or(Path::new("."), |release| &release.root);
    build_in(releases, root, &tools::cache()?.join("built"))
}

/// Builds them once more, from a copy of the source in another folder and from nothing, and compares. A program that
/// differs stays next to the first one, so that the two can be looked at.
pub(super) fn twice(releases: &[Release]) -> Result<(), String> {
    let first = build(releases)?;
    let scratch = Scratch::new();
    let source = scratch.path().join("another/place");
    copy(&releases[0].root, &source)?;
    let second = build_in(releases, &source, &scratch.path().join("built"))?;
    let mut differ = Vec::new();
    for ((release, first), second) in releases.iter().zip(&first).zip(&second) {
        let (one, other) = (sha256(&read(first)?), sha256(&read(second)?));
        println!("  {one}  {}\n  {other}  {}", first.display(), second.display());
        if one != other {
            let kept = first.with_extension("second");
            fs::copy(second, &kept).map_err(|error| at(&kept, &error))?;
            println!("  kept as {}", kept.display());
            differ.push(release.target.triple);
        }
    }
    if differ.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the programs differ for {}: a path, a time or an order is in one",
        differ.join(", ")
    ))
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

/// Builds all of them at once: each crate of this repository needs the one before it, so a build alone leaves processors
/// idle. Each has a folder of its own. In one folder, Cargo would compile the build scripts and the macros again whenever
/// the linker of the build changes, and everything that depends on them.
fn build_in(releases: &[Release], source: &Path, folder: &Path) -> Result<Vec<PathBuf>, String> {
    // The folders of the crates must exist, so that their paths can be replaced.
    output(Command::new("cargo").current_dir(source).args(["fetch", "--locked", "--quiet"]))?;
    let mut builds: Vec<Job<'_, PathBuf>> = Vec::new();
    for target in releases.iter().map(|release| release.target) {
        let build = target.build.ok_or_else(|| {
            format!("{} is built on a machine of its own; add --program FILE", target.triple)
        })?;
        let folder = folder.join(target.triple);
        fs::create_dir_all(&folder).map_err(|error| at(&folder, &error))?;
        let (mut command, program) = build(target, source, &folder)?;
        println!("building meshctl for {}", target.triple);
        builds.push(Box::new(move || output(&mut command).map(|_| program)));
    }
    at_once(builds)
}

/// A static program.
fn linux(target: &Target, source: &Path, folder: &Path) -> Result<(Command, PathBuf), String> {
    let code = source.join("tests/lab/dist/files_and_dns.c");
    // Cargo links again if its arguments change, not if the object does: its name changes with its source.
    let digest = &sha256(&read(&code)?)[..16];
    let resolver = folder.join(format!("files_and_dns-{digest}.o"));
    let mut compile = Command::new(target.compiler());
    output(compile.args(["-O2", "-c", "-o"]).arg(&resolver).arg(&code))?;
    let flags = vec![
        "-Ctarget-feature=+crt-static".to_owned(),
        "-Clink-arg=-Wl,--wrap=__libc_dlopen_mode".to_owned(),
        format!("-Clink-arg={}", resolver.display()),
    ];
    cargo(target, source, folder, flags)
}

/// A program that needs libraries of Windows alone.
///
/// MinGW's linker puts imports in the order of the paths of the files that they come from. All of these paths must begin
/// with the folder, or the order depends on where that is: MinGW's own libraries are reached through a link in the folder,
/// and those that winapi has in its package are not used.
fn windows(target: &Target, source: &Path, folder: &Path) -> Result<(Command, PathBuf), String> {
    let kernel = output(Command::new(target.compiler()).arg("-print-file-name=libkernel32.a"))?;
    let libraries =
        fs::canonicalize(kernel.trim()).map_err(|error| format!("{kernel}: {error}"))?;
    let link = folder.join("mingw");
    replace_link(libraries.parent().unwrap_or(&libraries), &link).map_err(|e| at(&link, &e))?;
    let flags = vec![
        "-Ctarget-feature=+crt-static".to_owned(),
        "-Clink-arg=-Wl,--no-insert-timestamp".to_owned(),
        format!("-Lnative={}", link.display()),
    ];
    let (mut build, program) = cargo(target, source, folder, flags)?;
    build.env("WINAPI_NO_BUNDLED_LIBRARIES", "1");
    Ok((build, program))
}

/// Has a symbolic link name this file or folder, whatever it named before.
fn replace_link(to: &Path, link: &Path) -> std::io::Result<()> {
    match fs::remove_file(link) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::os::unix::fs::symlink(to, link)
}

/// Cargo with these flags for rustc, and the compiler for C of Debian's package for the machine. It links, too.
fn cargo(
    target: &Target,
    source: &Path,
    folder: &Path,
    mut flags: Vec<String>,
) -> Result<(Command, PathBuf), String> {
    let compiler = target.compiler();
    let paths = paths(folder)?;
    flags.extend(paths.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}")));
    let maps: Vec<String> =
        paths.iter().map(|(from, to)| format!("-ffile-prefix-map={from}={to}")).collect();
    let variable = target.triple.replace('-', "_");
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
    Ok((build, folder.join(target.triple).join("dist").join(target.program())))
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
