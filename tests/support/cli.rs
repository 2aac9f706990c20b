//! Runs `meshctl` in this process, and compares its whole output with the text in the test.
//!
//! `MESH_UPDATE=1 cargo test -p tests` writes the current output into the tests.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::panic::Location;
use std::sync::Mutex;

use meshctl::Io;
use meshpki::Time;

use crate::{NOW, Scratch};

/// A scratch folder in which commands run; `@` in a command is replaced with its path.
pub struct Shell {
    /// The folder.
    pub scratch: Scratch,
    /// The environment.
    pub env: Vec<(&'static str, &'static str)>,
    /// Standard input of every command.
    pub stdin: Vec<u8>,
    /// The time.
    pub now: Time,
    /// Whether standard input and standard error are a terminal, so that questions are asked.
    pub can_ask: bool,
}

/// The result of a command.
#[derive(Debug)]
pub struct Ran {
    /// Exit status.
    pub status: u8,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Checks the exit status of a command, and that its output contains these parts.
///
/// # Panics
/// With the whole output, if it differs.
#[track_caller]
pub fn ended(ran: &Ran, status: u8, parts: &[&str]) {
    let all = format!("{}{}", ran.out, ran.err);
    assert_eq!(ran.status, status, "{all}");
    for part in parts {
        assert!(all.contains(part), "`{part}` is not in\n{all}");
    }
}

impl Ran {
    /// The printed command of a hint that begins so.
    ///
    /// # Panics
    /// With the messages, if there is none.
    #[track_caller]
    #[must_use]
    pub fn hinted(&self, begins: &str) -> &str {
        let hints = self.err.lines().filter(|line| line.starts_with("hint: "));
        let mut commands = hints.flat_map(|line| line.split('`').skip(1).step_by(2));
        let found = commands.find(|command| command.starts_with(begins));
        found.unwrap_or_else(|| panic!("no hint has `{begins}`:\n{}", self.err))
    }
}

impl Shell {
    /// A new folder, no environment, nothing on standard input, [`NOW`].
    #[allow(clippy::new_without_default, reason = "it has an effect")]
    pub fn new() -> Self {
        Self { scratch: Scratch::new(), env: vec![], stdin: vec![], now: NOW, can_ask: false }
    }

    /// Runs one command line.
    ///
    /// A program that another test is starting holds our lock of the folder between its fork and its exec, so a busy
    /// folder is tried again for a while.
    pub fn run(&self, command: &str) -> Ran {
        self.run_at(command, self.now)
    }

    /// The same at another time.
    pub fn run_at(&self, command: &str, now: Time) -> Ran {
        for _ in 0..100 {
            let ran = self.run_once(command, now);
            if !ran.err.contains("error[ctl/busy]") {
                return ran;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        self.run_once(command, now)
    }

    fn run_once(&self, command: &str, now: Time) -> Ran {
        let root = self.scratch.path().display().to_string();
        let args: Vec<OsString> =
            words(command).into_iter().map(|word| word.replace('@', &root).into()).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        // Not this machine's release of OpenSSL: the answers would depend on it.
        let own = [("MESHCTL_OPENSSL", "3.5")];
        let env = |name: &str| {
            let mut all = self.env.iter().chain(&own);
            all.find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        };
        let status = meshctl::run(
            &args,
            &mut Io {
                now,
                stdin: &mut self.stdin.as_slice(),
                out: &mut out,
                err: &mut err,
                can_ask: self.can_ask,
                has_terminal: || false,
                progress: false,
                color: meshctl::io::Color::default(),
                voice: meshctl::io::Voice::Normal,
                env: &env,
            },
        );
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Ran { status, out: text(out), err: text(err) }
    }

    /// Runs a command that must succeed; returns its standard output.
    ///
    /// # Panics
    /// With its output, if it fails.
    #[track_caller]
    pub fn good(&self, command: &str) -> String {
        let ran = self.run(command);
        assert_eq!(ran.status, 0, "meshctl {command}\n{}{}", ran.out, ran.err);
        ran.out
    }

    /// Runs a command and compares exit status, standard output and standard error with `expect`.
    ///
    /// # Panics
    /// When they differ.
    #[track_caller]
    pub fn check(&self, command: &str, expect: &str) {
        let ran = self.run(command);
        let mut all = format!("exit {}\n{}", ran.status, ran.out);
        if !ran.err.is_empty() {
            let _ = write!(all, "--- stderr\n{}", ran.err);
        }
        compare(&format!("meshctl {command}"), &self.mask(&all), expect);
    }

    /// `text` without the parts that differ in every run: `@` for the folder, `[sha256]`, `[20 bytes]`, `[id]` ...
    pub fn mask(&self, text: &str) -> String {
        let root = self.scratch.path().display().to_string();
        let mut out = String::new();
        let mut shift = 0;
        for line in text.split_inclusive('\n') {
            // The fingerprint `ca sign` sets under the state of the file of the line above.
            let indent = line.len() - line.trim_start_matches(' ').len();
            let cut = if line[indent..].starts_with("sha256 ") { shift.min(indent) } else { 0 };
            shift = if line.contains(&root) { root.len() - 1 } else { 0 };
            out += &mask_hex(&line[cut..].replace(&root, "@"));
        }
        out
    }
}

/// Words of a command line, separated by white space; `'..'` quotes it.
pub fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in command.split('\'').enumerate() {
        if i % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Compares a text with the one expected, whose indentation is that of its first line.
///
/// # Panics
/// When they differ.
#[track_caller]
pub fn compare(what: &str, found: &str, expect: &str) {
    let wanted = dedent(expect);
    if found.trim_end() == wanted.trim_end() {
        return;
    }
    if std::env::var_os("MESH_UPDATE").is_some() {
        return update(Location::caller(), found.trim_end());
    }
    panic!(
        "{what}\n--- expected\n{}\n--- found\n{}\n(MESH_UPDATE=1 takes it over)",
        wanted.trim_end(),
        found.trim_end()
    );
}

fn dedent(text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let indent = text.len() - text.trim_start_matches(' ').len();
    let cut = |line: &str| {
        let white = line.len() - line.trim_start_matches(' ').len();
        line[white.min(indent)..].to_owned()
    };
    text.lines().map(|line| cut(line) + "\n").collect()
}

/// Replaces the raw string after `place` with `found`. Lines that were added earlier are known by file and line.
fn update(place: &'static Location<'static>, found: &str) {
    static MOVED: Mutex<Vec<(&str, u32, i64)>> = Mutex::new(Vec::new());
    let mut moved = MOVED.lock().expect("no update panicked");
    let before =
        |(file, line, _): &&(&str, u32, i64)| *file == place.file() && *line < place.line();
    let shift: i64 = moved.iter().filter(before).map(|(_, _, by)| by).sum();
    let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder");
    let path = workspace.join(place.file());
    let text = std::fs::read_to_string(&path).expect("the test's source");
    let line = usize::try_from(i64::from(place.line()) + shift - 1).expect("a line");
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let spaces = text[start..].len() - text[start..].trim_start_matches(' ').len() + 4;
    let begin = start + text[start..].find("r#\"").expect("a raw string behind the check") + 3;
    let end = begin + text[begin..].find("\"#").expect("the end of the raw string");
    let indent = " ".repeat(spaces);
    let body: String = found
        .lines()
        .map(|line| if line.is_empty() { "\n".into() } else { format!("{indent}{line}\n") })
        .collect();
    let new = format!("\n{body}{}", " ".repeat(spaces - 4));
    let lines = |text: &str| i64::try_from(text.matches('\n').count()).unwrap_or(0);
    moved.push((place.file(), place.line(), lines(&new) - lines(&text[begin..end])));
    std::fs::write(&path, [&text[..begin], &new, &text[end..]].concat())
        .expect("the test's source");
}

/// Hex digits in a row of a known length, and pairs of them joined by colons.
fn mask_hex(line: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(is_part) {
        out += &rest[..at];
        let end = rest[at..].find(|c| !is_part(c)).map_or(rest.len(), |n| at + n);
        out += mask_word(&rest[at..end]);
        rest = &rest[end..];
    }
    out + rest
}

fn mask_word(word: &str) -> &str {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let pairs = |text: &str| {
        text.split(':').all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    match word.len() {
        64 if hex(word) => "[sha256]",
        16 if hex(word) => "[key]",
        8 if hex(&word.to_ascii_lowercase()) => "[id]",
        59 if pairs(word) => "[20 bytes]",
        95 if pairs(word) => "[sha256]",
        _ => word,
    }
}
