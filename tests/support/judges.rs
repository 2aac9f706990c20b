//! The reference programs. A missing one is reported loudly, and is a failure if judges are required:
//! `MESH_REQUIRE_JUDGES=1`, or `CI=true`.

use std::process::{Child, Command, Stdio};

pub mod boringssl;
pub mod browser;
pub mod cfssl;
pub mod go;
pub mod istiod;
pub mod kryoptic;
pub mod openssl;
pub mod spiffe;
pub mod xds;

pub use cfssl::{Cfssl, cfssl};
pub use istiod::{Istiod, istiod};
pub use openssl::{Openssl, openssl};
pub use spiffe::{Spiffe, older_spiffe, spiffe};
pub use xds::{Xds, xds};

/// The result of a program.
#[derive(Debug)]
pub struct Answer {
    /// Exit status 0.
    pub good: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Prints a line past the test harness, which hides the output of tests that pass.
pub fn say(line: &str) {
    use std::io::Write;
    // Standard error may be closed; nothing useful to do.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A reference program that is missing: a failure if it is required, otherwise a line that says so.
pub fn missing(judge: &str, why: &str) {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|text| text == value);
    assert!(!is("CI", "true") && !is("MESH_REQUIRE_JUDGES", "1"), "{judge} is required: {why}");
    say(&format!("NOT RUN: what {judge} judges: {why}"));
}

/// Starts a reference program with pipes; `None` if it is missing, which [`missing`] reports.
pub fn spawn(judge: &str, command: &mut Command) -> Option<Child> {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    pipes.spawn().map_err(|error| missing(judge, &error.to_string())).ok()
}

/// Runs a program until it exits.
///
/// # Panics
/// When it cannot be started.
pub fn run(command: &mut Command) -> Answer {
    let output = command.stdin(Stdio::null()).output().expect("a program that starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Answer { good: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}
