//! istiod's own rules, in Go (`tests/judges/istiod`).

use std::path::PathBuf;
use std::process::Command;

use super::run;
use crate::NOW;

/// istiod's own rules, in Go (`tests/judges/istiod`).
pub struct Istiod(PathBuf);

/// Builds the program with `go`, once.
pub fn istiod() -> Option<Istiod> {
    super::go::program("istiod-judge", "judges/istiod").map(Istiod)
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
