//! `cargo xtask dist`: everything that a release has, in `dist/`. `--check` opens each artifact with its judge.

mod archive;
mod binary;
mod chart;
mod check;
mod image;
mod manifests;
mod packages;
mod sbom;
mod stage;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::process::geteuid;

use binary::{TARGETS, Target};

const USAGE: &str = "\
usage: cargo xtask dist [--only PART]... [--target TRIPLE]... [--program FILE] [--url URL] [--check]
       cargo xtask dist --twice [--target TRIPLE]...";
/// The parts.
const PARTS: &[&str] = &["archive", "deb", "rpm", "sbom", "image", "chart", MANIFESTS];
/// The part that names where the archives are.
const MANIFESTS: &str = "manifests";
/// Parts that are made from the archives in `dist/`.
const OF_ARCHIVES: &[&str] = &["image", "chart", MANIFESTS];

/// What is made, for which machine.
#[derive(Clone)]
pub(crate) struct Release {
    /// The repository.
    root: PathBuf,
    /// `dist/`.
    dist: PathBuf,
    version: &'static str,
    /// The time of every file: `SOURCE_DATE_EPOCH`, otherwise that of the last commit.
    time: u64,
    target: &'static Target,
}

/// The command line.
struct Options {
    only: Vec<String>,
    /// The machines, without repetition; if none is named, the default.
    targets: Vec<&'static Target>,
    program: Option<PathBuf>,
    url: Option<String>,
    check: bool,
    twice: bool,
}

/// Makes what is asked for, then the checksums of everything in `dist/`.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let options = Options::read(args)?;
    let release = Release::new(options.targets[0])?;
    let machines = options.targets.iter().map(|target| Release { target, ..release.clone() });
    let releases: Vec<Release> = machines.collect();
    if options.twice {
        return binary::twice(&releases);
    }
    if options.only.is_empty() {
        // A file of an earlier run would be taken for one of this release.
        let _ = fs::remove_dir_all(&release.dist);
    }
    fs::create_dir_all(&release.dist).map_err(|error| at(&release.dist, &error))?;
    if PARTS.iter().any(|part| !OF_ARCHIVES.contains(part) && options.wants(part)) {
        let programs = match &options.program {
            Some(program) => vec![program.clone()],
            None => binary::build(&releases)?,
        };
        for (release, program) in releases.iter().zip(&programs) {
            release.of_machine(&options, program)?;
        }
    }
    release.of_archives(&options)?;
    release.sums()?;
    if options.check { check::run(&releases, &options) } else { Ok(()) }
}

impl Options {
    fn read(args: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            only: Vec::new(),
            targets: Vec::new(),
            program: None,
            url: None,
            check: false,
            twice: false,
        };
        let mut rest = args.iter().copied();
        while let Some(arg) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{arg} needs a value\n{USAGE}"));
            match arg {
                "--only" => options.only.push(part(value()?)?),
                "--target" => options.add(Target::named(value()?)?),
                "--program" => options.program = Some(PathBuf::from(value()?)),
                "--url" => options.url = Some(value()?.trim_end_matches('/').to_owned()),
                "--check" => options.check = true,
                "--twice" => options.twice = true,
                _ => return Err(format!("unknown option `{arg}`\n{USAGE}")),
            }
        }
        if options.targets.is_empty() {
            options.targets.push(&TARGETS[0]);
        }
        match options.objection() {
            Some(why) => Err(format!("{why}\n{USAGE}")),
            None => Ok(options),
        }
    }

    fn add(&mut self, target: &'static Target) {
        if self.targets.iter().all(|known| known.triple != target.triple) {
            self.targets.push(target);
        }
    }

    /// What would otherwise be ignored, or fail after everything has been built.
    fn objection(&self) -> Option<&'static str> {
        let is_for_a_release = self.check || self.program.is_some() || self.url.is_some();
        if self.twice && (is_for_a_release || !self.only.is_empty()) {
            return Some("--twice only compares two builds; leave out every option but --target");
        }
        if self.program.is_some() && self.targets.len() > 1 {
            return Some("--program has the program of one machine; name that one with --target");
        }
        let is_named = self.only.iter().any(|part| part == MANIFESTS);
        if self.url.is_none() && (is_named || self.check && self.wants(MANIFESTS)) {
            return Some("manifests name where the archives are; add --url URL");
        }
        if self.check && !geteuid().is_root() {
            return Some("--check needs root: it runs programs in a chroot");
        }
        None
    }

    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

fn part(name: &str) -> Result<String, String> {
    if PARTS.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!("`{name}` is not a part of a release; the parts are {}", PARTS.join(", ")))
}

impl Release {
    fn new(target: &'static Target) -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let root = root.canonicalize().map_err(|error| at(&root, &error))?;
        let time = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(time) => time,
            Err(_) => {
                output(Command::new("git").current_dir(&root).args(["log", "-1", "--format=%ct"]))?
            }
        };
        let time = time.trim().parse().map_err(|_| format!("`{time}` is not a time"))?;
        let (dist, version) = (root.join("dist"), env!("CARGO_PKG_VERSION"));
        Ok(Self { root, dist, version, time, target })
    }

    /// What a machine has of its own.
    fn of_machine(&self, options: &Options, program: &Path) -> Result<(), String> {
        let stage = stage::Stage::new(self, program)?;
        let parts: [(&str, Job<'_, ()>); 4] = [
            ("deb", Box::new(|| packages::deb(self))),
            ("rpm", Box::new(|| packages::rpm(self))),
            ("archive", Box::new(move || stage.archive(self))),
            ("sbom", Box::new(|| sbom::write(self))),
        ];
        let wanted =
            parts.into_iter().filter(|(part, _)| options.wants(part) && self.target.has(part));
        at_once(wanted.map(|(_, job)| job).collect()).map(drop)
    }

    /// What all machines have together.
    fn of_archives(&self, options: &Options) -> Result<(), String> {
        if options.wants("image") {
            image::write(self)?;
        }
        if options.wants("chart") {
            chart::write(self)?;
        }
        match &options.url {
            Some(url) if options.wants(MANIFESTS) => manifests::write(self, url),
            _ => Ok(()),
        }
    }

    /// Writes an artifact.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.dist.join(name);
        fs::write(&path, bytes).map_err(|error| at(&path, &error))?;
        println!("  {name} ({} KiB)", bytes.len().div_ceil(1024));
        Ok(())
    }

    /// The files of `dist/`, sorted, without the checksums.
    fn artifacts(&self) -> Result<Vec<String>, String> {
        let entries = fs::read_dir(&self.dist).map_err(|error| at(&self.dist, &error))?;
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.path().is_file())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name != "SHA256SUMS")
            .collect();
        names.sort();
        Ok(names)
    }

    fn sums(&self) -> Result<(), String> {
        let mut text = String::new();
        for name in self.artifacts()? {
            text += &format!("{}  {name}\n", sha256(&read(&self.dist.join(&name))?));
        }
        self.put("SHA256SUMS", text.as_bytes())
    }
}

/// What can be done at the same time as others.
type Job<'a, T> = Box<dyn FnOnce() -> Result<T, String> + Send + 'a>;

/// Does all of them at the same time. If some fail, the error is that of the first in the list.
fn at_once<T: Send>(jobs: Vec<Job<'_, T>>) -> Result<Vec<T>, String> {
    thread::scope(|scope| {
        let running: Vec<_> = jobs.into_iter().map(|job| scope.spawn(job)).collect();
        let ended: Vec<_> = running.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ended.into_iter().map(|job| job.map_err(|_| "a thread panicked".to_owned())?).collect()
    })
}

/// The SHA-256 digest, in hex.
fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| at(path, &error))
}

/// Standard output of a command that must succeed; its errors are shown only if it fails.
fn output(command: &mut Command) -> Result<String, String> {
    let line = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{line}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{line}: {}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr)))
}
