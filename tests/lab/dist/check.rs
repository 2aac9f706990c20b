//! Each artifact, opened by the program that its users open it with.

mod chart;
mod files;
mod image;
mod manifests;
mod packages;
mod page;
mod program;
mod sbom;
mod windows;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tests::Scratch;
use tests::rig::tools::Binaries;

use super::{MANIFESTS, Options, Release, at, output, stage};

/// What a judge needs.
struct Bench<'a> {
    release: &'a Release,
    /// A folder of its own.
    scratch: Scratch,
    /// Judges that are built, not installed.
    built: &'a Binaries,
    /// The archive, unpacked.
    unpacked: PathBuf,
}

/// A judge: the part that it opens, with which programs. `None`: it needs a whole release.
type Judge = (Option<&'static str>, &'static str, fn(&Bench<'_>) -> Result<(), String>);

/// Those of what each machine with Linux has of its own.
const OF_LINUX: &[Judge] = &[
    (Some("archive"), "archive: tar, man, bash, zsh, fish", files::archive),
    (Some("archive"), "program: file, ldd, a chroot with strace", program::check),
    (Some("deb"), "deb: dpkg", packages::deb),
    (Some("rpm"), "rpm: rpm", packages::rpm),
    (Some("image"), "image: skopeo, umoci, crane, a chroot", image::check),
    (Some("sbom"), "sbom: cargo tree, the list in the program, Cargo.lock", sbom::check),
    (None, "sbom: syft", sbom::syft),
];

/// Those of what Windows has of its own.
const OF_WINDOWS: &[Judge] = &[
    (Some("archive"), "program: objdump, Wine with OpenSSL and a real cluster", windows::check),
    (Some("sbom"), "sbom: cargo tree, the list in the program, Cargo.lock", sbom::check),
];

/// Those of what all machines have together.
const OF_RELEASE: &[Judge] = &[
    (Some("archive"), "checksums: sha256sum", files::sums),
    (Some(MANIFESTS), "manifests: validate-krew-manifest with krew, ruby", manifests::check),
    (Some(MANIFESTS), "the manifest for Scoop: bsdtar", manifests::scoop),
    (Some("chart"), "chart: helm, kubeconform, kubectl", chart::check),
    (None, "workflows: actionlint", chart::workflows),
    (None, "docs/install.md: its commands", page::check),
];

/// Asks every judge of what was made; the first that objects ends it.
pub(super) fn run(releases: &[Release], options: &Options) -> Result<(), String> {
    let built = Binaries::find()?;
    let benches: Result<Vec<_>, _> =
        releases.iter().map(|release| Bench::new(release, &built)).collect();
    let benches = benches?;
    for bench in &benches {
        let target = bench.release.target;
        let judges = if target.os == "windows" { OF_WINDOWS } else { OF_LINUX };
        bench.ask(target.triple, judges, options)?;
    }
    benches.first().map_or(Ok(()), |bench| bench.ask("all of it", OF_RELEASE, options))
}

impl<'a> Bench<'a> {
    fn new(release: &'a Release, built: &'a Binaries) -> Result<Self, String> {
        let scratch = Scratch::new();
        let archive = stage::archive_of(release, release.target)
            .ok_or("dist/ has no archive to check; run without --only")?;
        // Which is also the `tar` of Windows, where it unpacks zip archives.
        let tar = if release.target.os == "windows" { "bsdtar" } else { "tar" };
        output(Command::new(tar).arg("-xf").arg(&archive).arg("-C").arg(scratch.path()))?;
        let unpacked = scratch.path().join(stage::archive_folder(release, release.target));
        Ok(Self { release, scratch, built, unpacked })
    }

    /// `what`: what these judges open.
    fn ask(&self, what: &str, judges: &[Judge], options: &Options) -> Result<(), String> {
        println!("{what}");
        let is_whole = options.only.is_empty();
        let is_asked = |part: &Option<&str>| part.map_or(is_whole, |part| options.wants(part));
        for (_, name, judge) in judges.iter().filter(|(part, ..)| is_asked(part)) {
            let start = Instant::now();
            judge(self).map_err(|why| format!("{what}: {name}: {why}"))?;
            println!("  good: {name} ({:.1} s)", start.elapsed().as_secs_f32());
        }
        Ok(())
    }

    /// A new folder for a judge.
    fn folder(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.scratch.path().join(name);
        fs::create_dir_all(&folder).map_err(|error| at(&folder, &error))?;
        Ok(folder)
    }

    /// The only artifact with this ending.
    fn artifact(&self, ending: &str) -> Result<PathBuf, String> {
        let names = self.release.artifacts()?;
        let found: Vec<&String> = names.iter().filter(|name| name.ends_with(ending)).collect();
        match found.as_slice() {
            [name] => Ok(self.release.dist.join(name)),
            _ => Err(format!("expected one artifact that ends in {ending}, found {found:?}")),
        }
    }
}

/// Fails with this reason if something is not so.
fn expect(is: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if is { Ok(()) } else { Err(why()) }
}

/// What runs programs of another processor, within a chroot too: it is static. Debian has it in qemu-user-static.
const EMULATOR: &str = "/usr/bin/qemu-aarch64-static";

/// What comes before the program in a chroot: an emulator, copied there, if the program is for another processor.
fn emulated(root: &Path, release: &Release) -> Result<Option<&'static str>, String> {
    if release.target.processor() == std::env::consts::ARCH {
        return Ok(None);
    }
    fs::copy(EMULATOR, root.join("emulator")).map_err(|error| at(Path::new(EMULATOR), &error))?;
    Ok(Some("/emulator"))
}

/// Runs the program of a root folder in a chroot, as a user without rights, and expects its version.
fn runs_in(root: &Path, release: &Release) -> Result<(), String> {
    let mut run = Command::new("chroot");
    run.args(["--userspec=65532:65532"]).arg(root);
    run.args(emulated(root, release)?).args(["/usr/bin/meshctl", "--version"]);
    let said = output(&mut run)?;
    expect(said.trim() == format!("meshctl {}", release.version), || {
        format!("it says `{}`, expected `meshctl {}`", said.trim(), release.version)
    })
}
