//! `fixtures/corpora`: x509-limbo and BetterTLS, with what each release of openssl printed.
//!
//! `files-N.jsonl.gz` have the files of a testcase per line, `cases.jsonl.gz` its runs in the format of
//! [`crate::cases`], each named after its testcase and one of the command lines.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::cases::{self, Recorded};
use crate::shared;

/// A suite.
pub struct Corpus {
    folder: PathBuf,
    files: BTreeMap<String, Value>,
    /// Its runs; those of one testcase are next to each other.
    pub runs: Vec<Recorded>,
}

/// The suites.
pub const NAMES: [&str; 2] = ["limbo", "bettertls"];

/// Reads a suite.
///
/// # Panics
/// When it is not complete.
#[must_use]
pub fn load(name: &str) -> Corpus {
    let folder = shared::root().join("fixtures/corpora").join(name);
    let parts = (1..).map(|part| folder.join(format!("files-{part}.jsonl.gz")));
    let parts = parts.take_while(|part| part.exists());
    let mut files = BTreeMap::new();
    for line in
        parts.flat_map(|part| unpacked(&part).lines().map(str::to_owned).collect::<Vec<_>>())
    {
        let testcase: Value = serde_json::from_str(&line).expect("a line of JSON");
        files.insert(testcase["id"].as_str().expect("an id").to_owned(), testcase);
    }
    let runs = cases::parse(&unpacked(&folder.join("cases.jsonl.gz")));
    Corpus { folder, files, runs }
}

impl Corpus {
    /// Calls `visit` for every run, with the folder in which its files are.
    ///
    /// # Panics
    /// When the files cannot be written.
    pub fn each(&mut self, mut visit: impl FnMut(&mut Recorded, &Path)) {
        let mut now: Option<(String, TempDir)> = None;
        for run in &mut self.runs {
            let (id, _) = run.case.name.rsplit_once(' ').expect("a testcase and a command line");
            if now.as_ref().is_none_or(|(known, _)| known != id) {
                now = Some((id.to_owned(), written(&self.files[id])));
            }
            let (_, dir) = now.as_ref().expect("just written");
            visit(run, dir.path());
        }
    }

    /// Writes what the judges printed.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn save(&self) {
        let packed = gzip("-9n", cases::lines(&self.runs).as_bytes());
        fs::write(self.folder.join("cases.jsonl.gz"), packed).expect("a file that can be written");
    }
}

/// A folder with the files of a testcase.
fn written(testcase: &Value) -> TempDir {
    let dir = tempfile::tempdir().expect("a scratch folder");
    for (name, text) in testcase["files"].as_object().expect("files") {
        let text = text.as_str().expect("text");
        fs::write(dir.path().join(name), text).expect("a file that can be written");
    }
    dir
}

fn unpacked(file: &Path) -> String {
    let packed = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    String::from_utf8(gzip("-dc", &packed)).expect("UTF-8")
}

/// What the program `gzip` makes of some bytes.
fn gzip(option: &str, input: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile().expect("a scratch file");
    file.write_all(input).and_then(|()| file.rewind()).expect("a scratch file can be written");
    let mut child = Command::new("gzip")
        .arg(option)
        .stdin(file)
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip starts");
    let mut output = Vec::new();
    child.stdout.take().expect("a pipe").read_to_end(&mut output).expect("gzip writes");
    assert!(child.wait().expect("gzip ends").success(), "gzip {option}");
    output
}
