//! A case: files, a command line, and why it is there. On disk, cases on one topic share a folder.
//!
//! `fixtures/verify/<topic>/cases.jsonl` has one case per line; the files its `args` name are next to it,
//! so that a case can be repeated by hand: `cd` there and give `args` to `openssl verify`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::run::{self, Printed};
use crate::{judges, shared};

/// Files and a command line.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// A name that is unique in its folder.
    pub name: String,
    /// What the case shows, one sentence.
    pub why: String,
    /// Arguments behind `verify`.
    pub args: Vec<String>,
    /// Environment variables; a value that names a file of the case stands for its path.
    pub env: Vec<(String, String)>,
    /// File given as standard input.
    pub stdin: Option<String>,
    /// Why our answer is known to differ; the tests fail when it does not differ any more.
    pub known: Option<String>,
    /// Files by name; a file is the sum of its chunks.
    pub files: Vec<(String, Vec<Vec<u8>>)>,
}

/// A case of a folder, with what the real binary printed.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The case; its files lie in the folder.
    pub case: Case,
    /// What `openssl verify` 3.0.22 printed, without the error queue.
    pub printed: Printed,
}

impl Case {
    /// Writes the files into `dir`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        for (name, chunks) in &self.files {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap_or(dir))?;
            fs::write(path, chunks.concat())?;
        }
        Ok(())
    }

    /// Our answer over the files in `dir`.
    #[must_use]
    pub fn ours(&self, dir: &Path) -> Printed {
        run::verify(dir, &self.args, &self.env, &self.input(dir))
    }

    /// The judge's answer over the files in `dir`.
    #[must_use]
    pub fn theirs(&self, dir: &Path) -> Printed {
        judges::openssl::verify(dir, &self.args, &self.env, &self.input(dir))
    }

    fn input(&self, dir: &Path) -> Vec<u8> {
        self.stdin
            .as_ref()
            .map_or_else(Vec::new, |file| fs::read(dir.join(file)).unwrap_or_default())
    }

    fn line(&self, printed: &Printed) -> String {
        let mut line = json!({
            "case": self.name,
            "why": self.why,
            "args": self.args,
            "exit": printed.exit,
            "stdout": printed.stdout,
            "stderr": printed.stderr,
        });
        if !self.env.is_empty() {
            line["env"] = self.env.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        }
        if let Some(stdin) = &self.stdin {
            line["stdin"] = json!(stdin);
        }
        if let Some(known) = &self.known {
            line["known"] = json!(known);
        }
        line.to_string() + "\n"
    }
}

/// The folders of `fixtures/verify`, sorted.
#[must_use]
pub fn topics() -> Vec<PathBuf> {
    let entries = fs::read_dir(shared::root().join("fixtures/verify"));
    let mut topics: Vec<PathBuf> =
        entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    topics.retain(|path| path.join("cases.jsonl").exists());
    topics.sort();
    topics
}

/// The cases of a folder.
///
/// # Panics
/// When `cases.jsonl` is not what [`save`] writes.
#[must_use]
pub fn load(topic: &Path) -> Vec<Recorded> {
    let text = fs::read_to_string(topic.join("cases.jsonl")).expect("cases.jsonl");
    let recorded = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("a line of JSON");
        let text = |field: &str| value[field].as_str().expect("text").to_owned();
        let args = value["args"].as_array().expect("args").iter();
        let env = value["env"].as_object().into_iter().flatten();
        Recorded {
            case: Case {
                name: text("case"),
                why: text("why"),
                args: args.map(|arg| arg.as_str().expect("text").to_owned()).collect(),
                env: env
                    .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
                    .collect(),
                stdin: value["stdin"].as_str().map(str::to_owned),
                known: value["known"].as_str().map(str::to_owned),
                files: Vec::new(),
            },
            printed: Printed {
                exit: value["exit"].as_i64().expect("a number"),
                stdout: text("stdout"),
                stderr: text("stderr"),
            },
        }
    };
    text.lines().map(recorded).collect()
}

/// Writes the cases of a folder; their files are there already or are written by [`Case::write`].
///
/// # Errors
/// When a file cannot be written.
pub fn save(topic: &Path, cases: &[Recorded]) -> io::Result<()> {
    fs::create_dir_all(topic)?;
    let lines: String = cases.iter().map(|r| r.case.line(&r.printed)).collect();
    fs::write(topic.join("cases.jsonl"), lines)
}
