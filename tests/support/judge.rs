//! The judge: the `openssl` binary of the version whose answers are ours.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::Printed;

/// Versions whose verification code is the same as that of 3.0.19.
const VERSIONS: [&str; 4] = ["3.0.17", "3.0.18", "3.0.19", "3.0.20"];

/// Whether the judge is at hand.
///
/// # Errors
/// The line to print where it is not and need not be.
///
/// # Panics
/// Where it is not and has to be: `CI=true` or `MESH_REQUIRE_OPENSSL=1`.
pub fn available() -> Result<(), String> {
    let version = Command::new("openssl").arg("version").output();
    let version = version.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    let found = match &version {
        Ok(text) if VERSIONS.iter().any(|v| text.split(' ').nth(1) == Some(v)) => return Ok(()),
        Ok(text) => text.trim().to_owned(),
        Err(error) => error.to_string(),
    };
    let line = format!("NOT RUN: openssl 3.0.17 to 3.0.20 is needed as a judge, found: {found}");
    let is = |name, value| std::env::var(name).is_ok_and(|v| v == value);
    assert!(!is("CI", "true") && !is("MESH_REQUIRE_OPENSSL", "1"), "{line}");
    Err(line)
}

/// Runs `openssl verify` in `dir`; lines of the error queue are left out.
///
/// # Panics
/// When the binary cannot be started.
#[must_use]
pub fn verify(dir: &Path, args: &[String], env: &[(String, String)], stdin: &[u8]) -> Printed {
    let mut child = Command::new("openssl")
        .arg("verify")
        .args(args)
        .current_dir(dir)
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .env("LC_ALL", "C")
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl starts");
    // openssl need not read its input: a closed pipe is fine.
    let _ = child.stdin.take().expect("a pipe").write_all(stdin);
    let output = child.wait_with_output().expect("openssl ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let exit = output.status.code().map_or(-1, i64::from);
    Printed { exit, stdout: text(&output.stdout), stderr: text(&output.stderr) }.without_queue()
}
