//! A case: files, a command line, and why it is there. On disk, cases on one topic share a folder.
//!
//! `fixtures/verify/<topic>/cases.jsonl` has one case per line; the files its `args` name are next to it,
//! so that a case can be repeated by hand: `cd` there and give `args` to `openssl verify`. A line has what OpenSSL 3.0
//! printed; under the number of a later release is what differs from the one before.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use meshpki::verify::Release;
use serde_json::{Map, Value, json};

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
    /// What `openssl verify` of each release printed, without the error queue, in the order of [`Release::ALL`].
    pub printed: [Printed; Release::ALL.len()],
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

    /// Our answer as a release over the files in `dir`.
    #[must_use]
    pub fn ours(&self, release: Release, dir: &Path) -> Printed {
        run::verify(release, dir, &self.args, &self.env, &self.input(dir))
    }

    /// A judge's answer over the files in `dir`.
    #[must_use]
    pub fn theirs(&self, release: Release, dir: &Path) -> Printed {
        judges::openssl::verify(release, dir, &self.args, &self.env, &self.input(dir))
    }

    /// The answer of every judge over the files in `dir`.
    ///
    /// # Panics
    /// When a judge cannot be asked.
    #[must_use]
    pub fn recorded(&self, dir: &Path) -> [Printed; Release::ALL.len()] {
        self.asked(&Release::ALL, dir).map(|answer| answer.expect("every release was asked"))
    }

    /// The answers of the judges of these releases, which are asked at the same time; `None` for the others.
    ///
    /// # Panics
    /// When a judge cannot be asked.
    #[must_use]
    pub fn asked(&self, releases: &[Release], dir: &Path) -> [Option<Printed>; Release::ALL.len()] {
        thread::scope(|scope| {
            let ask = |release| scope.spawn(move || self.theirs(release, dir));
            Release::ALL
                .map(|release| releases.contains(&release).then(|| ask(release)))
                .map(|asked| asked.map(|answer| answer.join().expect("a judge that answers")))
        })
    }

    fn input(&self, dir: &Path) -> Vec<u8> {
        self.stdin
            .as_ref()
            .map_or_else(Vec::new, |file| fs::read(dir.join(file)).unwrap_or_default())
    }

    fn line(&self, printed: &[Printed]) -> String {
        let mut line = json!({ "case": self.name, "args": self.args });
        if !self.why.is_empty() {
            line["why"] = json!(self.why);
        }
        // The oldest release's answer, then what each later one prints otherwise.
        let mut before = Map::new();
        for (release, printed) in Release::ALL.iter().zip(printed) {
            let mut changed = fields(printed);
            changed.retain(|name, value| before.get(name) != Some(value));
            before = fields(printed);
            match release {
                Release::V3_0 => line.as_object_mut().expect("an object").extend(changed),
                _ if changed.is_empty() => {}
                later => line[later.to_string()] = changed.into(),
            }
        }
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

fn fields(printed: &Printed) -> Map<String, Value> {
    let Printed { exit, stdout, stderr } = printed;
    let fields = json!({ "exit": exit, "stdout": stdout, "stderr": stderr });
    fields.as_object().cloned().expect("an object")
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
    parse(&fs::read_to_string(topic.join("cases.jsonl")).expect("cases.jsonl"))
}

/// The cases of a file.
///
/// # Panics
/// When it is not what [`lines`] returns.
#[must_use]
pub fn parse(text: &str) -> Vec<Recorded> {
    let recorded = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("a line of JSON");
        let text = |field: &str| value[field].as_str().expect("text").to_owned();
        let args = value["args"].as_array().expect("args").iter();
        let env = value["env"].as_object().into_iter().flatten();
        Recorded {
            case: Case {
                name: text("case"),
                why: value["why"].as_str().unwrap_or_default().to_owned(),
                args: args.map(|arg| arg.as_str().expect("text").to_owned()).collect(),
                env: env
                    .map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned()))
                    .collect(),
                stdin: value["stdin"].as_str().map(str::to_owned),
                known: value["known"].as_str().map(str::to_owned),
                files: Vec::new(),
            },
            printed: answers(&value),
        }
    };
    text.lines().map(recorded).collect()
}

/// The answer of each release: what it does not print otherwise it prints as the one before.
fn answers(line: &Value) -> [Printed; Release::ALL.len()] {
    let mut fields = line.clone();
    Release::ALL.map(|release| {
        let changed = line[release.to_string()].as_object().cloned().unwrap_or_default();
        fields.as_object_mut().expect("an object").extend(changed);
        let text = |field: &str| fields[field].as_str().expect("text").to_owned();
        Printed {
            exit: fields["exit"].as_i64().expect("a number"),
            stdout: text("stdout"),
            stderr: text("stderr"),
        }
    })
}

/// Writes the cases of a folder; their files are there already or are written by [`Case::write`].
///
/// # Errors
/// When a file cannot be written.
pub fn save(topic: &Path, cases: &[Recorded]) -> io::Result<()> {
    fs::create_dir_all(topic)?;
    fs::write(topic.join("cases.jsonl"), lines(cases))
}

/// A line for each case.
#[must_use]
pub fn lines(cases: &[Recorded]) -> String {
    cases.iter().map(|r| r.case.line(&r.printed)).collect()
}
