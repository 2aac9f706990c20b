//! go-spiffe and SPIRE's own code (`tests/judges/spiffe`): what they read, write and refuse.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The built program.
pub struct Spiffe(PathBuf);

/// Builds the program with `go`, once.
pub fn spiffe() -> Option<Spiffe> {
    super::go::program("spiffe-judge", "judges/spiffe").map(Spiffe)
}

impl Spiffe {
    /// The answer to each question, by one process.
    ///
    /// # Panics
    /// If there is not an answer for each.
    pub fn ask(&self, subcommand: &str, questions: &[Value]) -> Vec<Value> {
        let mut child = Command::new(&self.0)
            .arg(subcommand)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program that starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(lines.as_bytes()).expect("questions are taken"));
            child.wait_with_output().expect("a program that ends")
        });
        let text = String::from_utf8(output.stdout).expect("answers are UTF-8");
        let answers: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(answers.len(), questions.len(), "{:?}", output.status);
        answers
    }
}
