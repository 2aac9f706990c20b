//! Runs meshctl inside the test, with a simulated environment.

use std::ffi::OsString;
use std::fmt;

use meshctl::Io;
use meshpki::Time;

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Exit status.
    pub exit: u8,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl fmt::Display for Answer {
    /// The whole output as one text to compare.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n--- stdout\n{}--- stderr\n{}", self.exit, self.out, self.err)
    }
}

/// Runs a command line at 2025-01-01, with nothing on standard input; the variable `PASSPHRASE` is `open`.
pub fn run(args: &[&str]) -> Answer {
    run_with(args, b"")
}

/// The same, with something on standard input.
pub fn run_with(args: &[&str], stdin: &[u8]) -> Answer {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let exit = meshctl::run(
        &args,
        &mut Io {
            now: Time(1_735_689_600),
            stdin: &mut &*stdin,
            out: &mut out,
            err: &mut err,
            can_ask: false,
            has_terminal: || false,
            progress: false,
            color: meshctl::io::Color::default(),
            voice: meshctl::io::Voice::Normal,
            env: &|name| (name == "PASSPHRASE").then(|| "open".to_owned()),
        },
    );
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Answer { exit, out: text(out), err: text(err) }
}
