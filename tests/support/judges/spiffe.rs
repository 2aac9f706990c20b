//! go-spiffe and SPIRE's own code (`tests/judges/spiffe`): what they read, write, refuse, serve and fetch.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The built program.
pub struct Spiffe(PathBuf);

/// Builds the program with `go`, once.
pub fn spiffe() -> Option<Spiffe> {
    super::go::program("spiffe-judge", "judges/spiffe").map(Spiffe)
}

/// The same with SPIRE 1.13.3 and its go-spiffe 2.6.0.
pub fn older_spiffe() -> Option<Spiffe> {
    let versions = "spire-1.13.3.mod";
    super::go::program_of("spiffe-judge-1.13.3", "judges/spiffe", versions).map(Spiffe)
}

impl Spiffe {
    /// The answer to each question, by one process.
    ///
    /// # Panics
    /// If there is not an answer for each.
    pub fn ask(&self, subcommand: &str, questions: &[Value]) -> Vec<Value> {
        self.ask_with(subcommand, questions, &[])
    }

    /// The same, with variables of the environment that name files.
    ///
    /// # Panics
    /// If there is not an answer for each.
    pub fn ask_with(
        &self,
        subcommand: &str,
        questions: &[Value],
        files: &[(&str, PathBuf)],
    ) -> Vec<Value> {
        let mut child = Command::new(&self.0)
            .arg(subcommand)
            .envs(files.iter().map(|(name, path)| (name, path)))
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

    /// The answer to one question, and the process, which runs until it is dropped.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn start(&self, subcommand: &str, question: &Value) -> (Value, Running) {
        let mut child = Command::new(&self.0)
            .arg(subcommand)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program that starts");
        let stdin = child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{question}").expect("a question that is taken");
        let mut line = String::new();
        let mut answers = BufReader::new(child.stdout.take().expect("a pipe"));
        answers.read_line(&mut line).expect("an answer");
        (serde_json::from_str(&line).expect("JSON"), Running(child))
    }
}

/// A process that ends with its standard input, when this is dropped.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // What it answered has been looked at before.
        let _ = self.0.wait();
    }
}
