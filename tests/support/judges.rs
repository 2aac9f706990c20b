//! The reference programs: openssl, cfssl and istiod. A missing one is reported loudly, and is a failure in CI.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::{NOW, Scratch, judge};

/// The result of a program.
#[derive(Debug)]
pub struct Answer {
    /// Exit status 0.
    pub good: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// `openssl` 3.0.
#[derive(Clone)]
pub struct Openssl(PathBuf);

/// Prints a line past the test harness, which hides the output of tests that pass.
pub fn say(line: &str) {
    use std::io::Write;
    // Standard error may be closed; nothing useful to do.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A reference program that is missing: a failure if it is required, otherwise a line that says so.
pub fn missing(judge: &str, why: &str) {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|text| text == value);
    assert!(!is("CI", "true") && !is("MESH_REQUIRE_JUDGES", "1"), "{judge} is required: {why}");
    say(&format!("NOT RUN: what {judge} judges: {why}"));
}

/// Runs a program until it exits.
///
/// # Panics
/// When it cannot be started.
pub fn run(command: &mut Command) -> Answer {
    let output = command.stdin(Stdio::null()).output().expect("a program that starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Answer { good: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}

/// Finds openssl: the reference of `ca verify`, or any other 3.0 in `MESH_OPENSSL` or `PATH`.
pub fn openssl() -> Option<Openssl> {
    let other = PathBuf::from(std::env::var_os("MESH_OPENSSL").unwrap_or_else(|| "openssl".into()));
    match judge::program() {
        Ok(path) => Some(Openssl(path.to_owned())),
        Err(_) if judge::version(&other).is_ok_and(|v| v.starts_with("OpenSSL 3.0.")) => {
            Some(Openssl(other))
        }
        Err(why) => {
            missing("openssl 3.0", &why);
            None
        }
    }
}

impl Openssl {
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

/// istiod's own rules, in Go (`tests/judges/istiod`).
pub struct Istiod(PathBuf);

/// Builds the program with `go`, once.
pub fn istiod(target: &str) -> Option<Istiod> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let program = Path::new(target).join("istiod-judge");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/istiod");
        let go = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(source)
            .env("GOFLAGS", "-mod=readonly")
            .env("CGO_ENABLED", "0")
            .stdin(Stdio::null())
            .output();
        match go {
            Ok(output) if output.status.success() => Ok(program),
            Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => Err(error.to_string()),
        }
    });
    match built {
        Ok(program) => Some(Istiod(program.clone())),
        Err(why) => {
            missing("go", why);
            None
        }
    }
}

impl Istiod {
    /// istiod's answer for each folder: nothing, or why it refuses it.
    ///
    /// # Panics
    /// If there is not an answer for each.
    pub fn refusals(&self, folders: &[PathBuf]) -> Vec<Option<String>> {
        let answer = run(Command::new(&self.0).arg(NOW.to_string()).args(folders));
        assert!(answer.good, "{}", answer.err);
        let verdicts: Vec<Option<String>> = answer
            .out
            .lines()
            .map(|line| line.strip_prefix("refused: ").map(str::to_owned))
            .collect();
        assert_eq!(verdicts.len(), folders.len(), "{}", answer.out);
        verdicts
    }
}
