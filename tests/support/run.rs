//! `meshctl ca verify` in this process: a made-up [`Io`], real files.

use std::ffi::OsString;
use std::path::Path;

use meshctl::Io;
use meshpki::Time;
use meshpki::verify::Release;

/// What a command printed, and its exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Exit status.
    pub exit: i64,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Printed {
    /// Without the lines of OpenSSL's error queue: they hold thread ids and source lines, and cannot be
    /// reproduced. They match `^[0-9A-F]{8,}:error:`; recorded runs have `<tid>` instead of the number.
    #[must_use]
    pub fn without_queue(mut self) -> Self {
        let is_queue = |line: &str| {
            let id = line.split(':').next().unwrap_or_default();
            let is_id = id == "<tid>" || (id.len() >= 8 && id.bytes().all(is_upper_hex));
            is_id && line[id.len()..].starts_with(":error:")
        };
        self.stderr = self.stderr.split_inclusive('\n').filter(|line| !is_queue(line)).collect();
        self
    }
}

const fn is_upper_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'F')
}

/// Runs `meshctl ca verify` as a release of openssl, with arguments that name files of `dir` by their bare names.
///
/// The process cannot change its folder while other tests run, so the names are made absolute on the
/// way in and bare again on the way out.
#[must_use]
pub fn verify(
    release: Release,
    dir: &Path,
    args: &[String],
    env: &[(String, String)],
    stdin: &[u8],
) -> Printed {
    let prefix = format!("{}/", dir.display());
    let locate = |text: &str| {
        let (option, value) = match text.split_once('=') {
            Some((option, value)) if text.starts_with('-') => (format!("{option}="), value),
            _ => (String::new(), text),
        };
        // A file that is taken for a folder is there too.
        let first = value.split('/').next().unwrap_or_default();
        let here = !first.is_empty() && dir.join(first).exists();
        OsString::from(if here { format!("{option}{prefix}{value}") } else { text.to_owned() })
    };
    let args: Vec<OsString> = ["ca".into(), "verify".into()]
        .into_iter()
        .chain(args.iter().map(|arg| locate(arg)))
        .collect();
    let env = |name: &str| {
        if name == "MESHCTL_OPENSSL" {
            return Some(release.to_string());
        }
        let value = &env.iter().find(|(key, _)| key == name)?.1;
        locate(value).into_string().ok()
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = meshctl::run(
        &args,
        &mut Io {
            now: now(),
            stdin: &mut &*stdin,
            out: &mut out,
            err: &mut err,
            can_ask: false,
            has_terminal: || false,
            progress: false,
            color: meshctl::io::Color::default(),
            voice: meshctl::io::Voice::Normal,
            env: &env,
        },
    );
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace(&prefix, "");
    Printed { exit: exit.into(), stdout: text(out), stderr: text(err) }
}

fn now() -> Time {
    meshctl::io::system_time()
}
