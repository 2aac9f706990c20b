//! istiod's own generators (`tests/rig/xds`): clusters, endpoints and filter chains, without a cluster.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::rig::rig;

/// The prefix of an answer.
const RESULT: &str = "RESULT ";

/// A running program that answers questions.
#[derive(Debug)]
pub struct Xds {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

/// Starts the program; `None` if the rig is missing, which is reported as for every judge.
///
/// # Panics
/// When it is required and missing, or cannot be started.
#[must_use]
pub fn xds() -> Option<Xds> {
    let program = rig()?.path("xds");
    let mut child = Command::new(program)
        .args(["-test.run", "^TestAnswer$", "-test.timeout", "0"])
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a program that starts");
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    Some(Xds { child, stdin, stdout: BufReader::new(stdout.expect("a pipe")) })
}

impl Xds {
    /// What istiod makes of the clusters of a question.
    ///
    /// # Panics
    /// When the program ends, with what it said.
    pub fn ask(&mut self, question: &Value) -> Value {
        let stdin = self.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{question}").expect("a question that is taken");
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).expect("a line");
            assert!(read > 0, "istiod's generators ended:\n{said}\n{question}");
            if let Some(result) = line.strip_prefix(RESULT) {
                return serde_json::from_str(result).expect("JSON");
            }
            said += &line;
        }
    }
}

impl Drop for Xds {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
