//! istiod's own rules, in Go (`tests/judges/istiod`).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{missing, run};
use crate::NOW;

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
