//! The references: the `openssl` of each release whose answers we reproduce.

use std::ffi::OsStr;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use meshpki::verify::Release;

use super::{Answer, missing, run};
use crate::run::Printed;
use crate::{NOW, Scratch};

/// Whether the judges of all releases are available. If not, a line says so.
///
/// # Panics
/// If one is not available but required, as [`missing`].
#[must_use]
pub fn are_available() -> bool {
    Release::ALL
        .into_iter()
        .all(|release| program(release).map_err(|why| missing(release.name(), &why)).is_ok())
}

/// The judge of a release, searched for once per process.
///
/// # Errors
/// As [`find`].
pub fn program(release: Release) -> Result<&'static Path, String> {
    type Found = OnceLock<Result<PathBuf, String>>;
    static FOUND: [Found; Release::ALL.len()] = [const { OnceLock::new() }; Release::ALL.len()];
    let index = Release::ALL.iter().position(|known| *known == release).expect("a release");
    FOUND[index].get_or_init(|| find(release)).as_deref().map_err(Clone::clone)
}

/// Finds the judge of a release: `MESH_OPENSSL` or `openssl` in `PATH` if it is of that release (as on an updated
/// Debian 12), otherwise the copy that `cargo xtask judge` keeps in the cache.
///
/// # Errors
/// What was found instead, and how to get the judge.
pub fn find(release: Release) -> Result<PathBuf, String> {
    let asked = std::env::var_os("MESH_OPENSSL").map(PathBuf::from);
    let mut places = vec![asked.unwrap_or_else(|| PathBuf::from("openssl"))];
    places.push(place(release)?.join("openssl"));
    let mut found = Vec::new();
    for place in places {
        match version(&place) {
            Ok(text) if is_judge(release, &text) => return Ok(place),
            Ok(text) => found.push(format!("{} is `{text}`", place.display())),
            Err(error) => found.push(format!("{}: {error}", place.display())),
        }
    }
    Err(format!(
        "openssl {} or a later {release} is needed as a judge: {}; `cargo xtask judge` fetches one without installing it",
        release.patch(),
        found.join("; ")
    ))
}

/// The folder of the copy of a release.
///
/// # Errors
/// As [`cache`].
pub fn place(release: Release) -> Result<PathBuf, String> {
    Ok(cache()?.join(release.to_string()))
}

/// The folder of the copies: `MESH_JUDGE`, otherwise `meshpki-judge` in the user's cache folder. It is never inside the
/// clone.
///
/// # Errors
/// If the user has no home folder either.
pub fn cache() -> Result<PathBuf, String> {
    crate::cache::folder("MESH_JUDGE", "meshpki-judge")
}

/// The folder of what is built for another judge, next to it.
///
/// # Errors
/// As [`cache`].
pub fn cache_of(judge: &str) -> Result<PathBuf, String> {
    let cache = cache()?;
    let name = cache.file_name().unwrap_or_default().to_string_lossy();
    Ok(cache.with_file_name(format!("{name}-{judge}")))
}

/// The output of `openssl version`.
///
/// # Errors
/// When it cannot be started.
pub fn version(program: &Path) -> Result<String, String> {
    let output = Command::new(program).arg("version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a version is accepted as the judge of a release: the patch release whose answers are recorded, or a later
/// one, in case the distribution gets it. If its answers changed, they show as differences.
fn is_judge(release: Release, version: &str) -> bool {
    let series = format!("OpenSSL {release}.");
    let patch = version.strip_prefix(&series).and_then(|rest| rest.split(' ').next());
    let since = release.patch().rsplit('.').next().and_then(|patch| patch.parse().ok());
    let patch: Option<u32> = patch.and_then(|patch| patch.parse().ok());
    patch.is_some_and(|patch| since.is_some_and(|since: u32| patch >= since))
}

/// Runs a release's `openssl verify` in `dir`; lines of the error queue are left out.
///
/// # Panics
/// If there is no reference, or it cannot be started.
#[must_use]
pub fn verify(
    release: Release,
    dir: &Path,
    args: &[String],
    env: &[(String, String)],
    stdin: &[u8],
) -> Printed {
    let program = program(release).unwrap_or_else(|why| panic!("{why}"));
    // A file, not a pipe: openssl need not read it to its end.
    let mut input = tempfile::tempfile().expect("a scratch file");
    input.write_all(stdin).and_then(|()| input.rewind()).expect("a scratch file can be written");
    let child = without_terminal(program)
        .arg("verify")
        .args(args)
        .current_dir(dir)
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .env("LC_ALL", "C")
        .envs(env.iter().map(|(name, value)| (OsStr::new(name), value)))
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl starts");
    let output = child.wait_with_output().expect("openssl ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let exit = output.status.code().map_or(-1, i64::from);
    Printed { exit, stdout: text(&output.stdout), stderr: text(&output.stderr) }.without_queue()
}

/// A program that cannot ask the developer for passphrases: it would, on the terminal of the tests.
fn without_terminal(program: &Path) -> Command {
    static HAS_TERMINAL: OnceLock<bool> = OnceLock::new();
    if *HAS_TERMINAL.get_or_init(|| std::fs::File::open("/dev/tty").is_ok()) {
        let mut command = Command::new("setsid");
        command.arg("--wait").arg(program);
        return command;
    }
    Command::new(program)
}

/// An `openssl` of release 3.0, for what every one of them answers alike.
#[derive(Clone)]
pub struct Openssl(PathBuf);

/// Finds the reference, or any other openssl 3.0 in `MESH_OPENSSL` or `PATH`.
pub fn openssl() -> Option<Openssl> {
    let other = PathBuf::from(std::env::var_os("MESH_OPENSSL").unwrap_or_else(|| "openssl".into()));
    match program(Release::V3_0) {
        Ok(path) => Some(Openssl(path.to_owned())),
        Err(_) if version(&other).is_ok_and(|v| v.starts_with("OpenSSL 3.0.")) => {
            Some(Openssl(other))
        }
        Err(why) => {
            missing("openssl 3.0", &why);
            None
        }
    }
}

impl Openssl {
    /// The judge of a release. If it is not available, a line says so.
    ///
    /// # Panics
    /// If it is not available but required, as [`missing`].
    #[must_use]
    pub fn of(release: Release) -> Option<Self> {
        let found = program(release).map_err(|why| missing(release.name(), &why)).ok()?;
        Some(Self(found.to_owned()))
    }

    /// Runs `openssl ARGS` in the scratch folder; words are separated by spaces, `'..'` keeps them together.
    pub fn run(&self, scratch: &Scratch, args: &str) -> Answer {
        run(Command::new(&self.0).args(crate::cli::words(args)).current_dir(scratch.path()))
    }

    /// The same, and it must succeed; returns its standard output.
    ///
    /// # Panics
    /// With openssl's output, if it fails.
    #[track_caller]
    pub fn good(&self, scratch: &Scratch, args: &str) -> String {
        let answer = self.run(scratch, args);
        assert!(answer.good, "openssl {args}\n{}{}", answer.out, answer.err);
        answer.out
    }

    /// `openssl verify` must say OK at the tests' time.
    ///
    /// # Panics
    /// With openssl's output, if it fails.
    #[track_caller]
    pub fn verifies(&self, scratch: &Scratch, args: &str) {
        let out = self.good(scratch, &format!("verify -attime {} {args}", NOW.0));
        assert!(out.ends_with(": OK\n"), "openssl verify {args}\n{out}");
    }
}

#[cfg(test)]
mod tests {
    use super::{Release, is_judge};

    #[test]
    fn versions() {
        let check = |text: &str, expect: Option<Release>| {
            let accepted = Release::ALL.into_iter().find(|release| is_judge(*release, text));
            assert_eq!(accepted, expect, "{text}");
        };
        let judge = "OpenSSL 3.0.22 25 Aug 2026 (Library: OpenSSL 3.0.22 25 Aug 2026)";
        check(judge, Some(Release::V3_0));
        check("OpenSSL 3.0.23 1 Jan 2027", Some(Release::V3_0));
        check("OpenSSL 3.5.9 29 Sep 2026", Some(Release::V3_5));
        check("OpenSSL 3.5.10 1 Jan 2027", Some(Release::V3_5));
        check("OpenSSL 3.6.5 29 Sep 2026", Some(Release::V3_6));
        for no in ["OpenSSL 3.0.19 27 Jan 2026", "OpenSSL 3.5.8 1 Sep 2026", "LibreSSL 3.3.6", ""] {
            check(no, None);
        }
    }
}
