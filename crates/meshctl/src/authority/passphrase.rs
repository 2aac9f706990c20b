//! Where the passphrase of a root key comes from: a file, the environment, or a question on a terminal.

use std::path::{Path, PathBuf};

use meshpki::internals::contents::Object;
use meshpki::{Error, KeyProblem, SoftKey};
use zeroize::Zeroizing;

use super::foreign::Foreign;
use super::reader::Opener;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::system;
use crate::terminal::secret;
use crate::text;

/// What messages call a passphrase.
pub(crate) const PASSPHRASE: &str = "passphrase";

/// Where a passphrase comes from: a file, an environment variable, or nothing that was named.
#[derive(Clone, Debug, Default)]
pub(crate) struct PassphraseSource {
    /// The file whose first line it is.
    pub(crate) file: Option<PathBuf>,
    /// The variable whose value it is.
    pub(crate) env: Option<String>,
}

/// The passphrase a source names, if it names one; `what` it is, such as `passphrase`.
///
/// # Errors
/// `ctl/usage` for a variable that is not set and for an empty passphrase, `ctl/io`.
pub(crate) fn given(
    source: &PassphraseSource,
    what: &str,
    io: &mut Io<'_>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    let text = if let Some(path) = &source.file {
        let bytes = files::read(path, io.stdin)?;
        if system::is_shared(path) {
            let message = format!("the {what} file is readable by users other than its owner");
            let warning =
                Failure::new("ctl/passphrase-permissions", message).in_file(path).hint(format!(
                    "`{}`; in a pod, `defaultMode: 0400`",
                    system::keep_file_private_command(&text::word(path))
                ));
            io.warn(&warning);
        }
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|error| {
            Failure::new("ctl/io", format!("the {what} is not valid UTF-8"))
                .in_file(path)
                .because(error.to_string())
        })?;
        Zeroizing::new(line.trim_end_matches('\r').to_owned())
    } else if let Some(variable) = &source.env {
        let value = (io.env)(variable);
        Zeroizing::new(value.ok_or_else(|| {
            Failure::new("ctl/usage", format!("the environment variable `{variable}` is not set"))
                .exit(Exit::Usage)
        })?)
    } else {
        return Ok(None);
    };
    if text.is_empty() {
        let failure = Failure::new("ctl/usage", format!("the {what} is empty"));
        return Err(match (&source.file, &source.env) {
            (Some(path), _) => failure.in_file(path),
            (None, Some(variable)) => {
                failure.because(format!("the environment variable `{variable}` is empty"))
            }
            (None, None) => failure,
        });
    }
    Ok(Some(text))
}

/// How often a passphrase is asked for before the command gives up.
pub(super) const ATTEMPTS: usize = 3;

/// The passphrase for a new root key: given, asked for twice, or none.
///
/// # Errors
/// `ctl/no-passphrase` if none is given and there is no terminal to ask on.
///
/// `known`: words an attacker would try first, such as the clusters' names.
pub(crate) fn for_new_key(
    source: &PassphraseSource,
    known: &[&str],
    io: &mut Io<'_>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    if let Some(text) = given(source, PASSPHRASE, io)? {
        warn_weak(&text, known, io);
        return Ok(Some(text));
    }
    if !io.can_ask {
        return Err(Failure::new("ctl/no-passphrase", "a new root key needs a passphrase, but there is no terminal to ask for one")
            .because("standard input or standard error is not a terminal")
            .hint("`--passphrase-file FILE` or `--passphrase-env VARIABLE` encrypts the key; `--plain-root-key` leaves it unencrypted")
            .exit(Exit::Usage));
    }
    for attempt in 1..=ATTEMPTS {
        let text =
            secret(PASSPHRASE, "Passphrase for the new root key (empty for no encryption): ")?;
        if !text.is_empty() {
            warn_weak(&text, known, io);
        }
        // A console's Ctrl-Break ends a line as Enter does, so an empty one is asked for twice there.
        let is_meant = text.is_empty() && !cfg!(windows);
        if is_meant || *secret(PASSPHRASE, "Repeat the passphrase: ")? == *text {
            return Ok(if text.is_empty() { plain(io) } else { Some(text) });
        }
        if attempt < ATTEMPTS {
            io.say(format_args!("the two passphrases differ; try again"));
        }
    }
    Err(Failure::new("ctl/usage", "the two passphrases differ")
        .hint("run this command again; nothing was written"))
}

/// No passphrase, with a warning.
fn plain(io: &mut Io<'_>) -> Option<Zeroizing<String>> {
    let warning = Failure::new("ctl/root-key-plain", "the root key is not encrypted")
        .because("anyone who can read it can sign for every cluster")
        .hint("a passphrase encrypts it; `--plain-root-key` leaves it unencrypted without this warning");
    io.warn(&warning);
    None
}

/// Warns of a passphrase that could be guessed within the root's lifetime if its file were stolen.
///
/// The measure is zxcvbn's (Wheeler, "zxcvbn: Low-Budget Password Strength Estimation", USENIX Security 2016): below
/// its highest score, ten thousand million guesses find it.
fn warn_weak(passphrase: &str, known: &[&str], io: &mut Io<'_>) {
    let known = [&["mesh", "meshctl", "istio", "root", "passphrase"], known].concat();
    let estimate = zxcvbn::zxcvbn(passphrase, &known);
    if estimate.score() >= zxcvbn::Score::Four {
        return;
    }
    let guesses = format!("about 10^{:.0} guesses are enough to find it", estimate.guesses_log10());
    let reason = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    let mut warning = Failure::new("ctl/passphrase-weak", "the passphrase of the root key is weak")
        .because(guesses);
    if let Some(reason) = reason {
        warning = warning.because(reason.to_string());
    }
    let warning = warning.hint("use six random words, or the output of `openssl rand -base64 18`");
    io.warn(&warning);
}

/// Reads a private key file in any form, with the passphrase where it needs one.
///
/// # Errors
/// `pki/key...`, naming the file and what it is.
pub(crate) fn read_key(
    path: &Path,
    source: &PassphraseSource,
    io: &mut Io<'_>,
) -> Result<SoftKey, Failure> {
    let bytes = files::read(path, io.stdin)?;
    let pile = Opener::of_keys(source).open(path, &bytes, io)?;
    for found in pile.found {
        match found.object {
            Object::Key(key) => return Ok(*key),
            Object::LockedKey => {
                return Err(Failure::from(Error::from(KeyProblem::PassphraseNeeded)).in_file(path));
            }
            Object::Unreadable(error) => {
                let failure = Failure::from(unpacked(*error)).in_file(path);
                return Err(Foreign::explain_key(path, &bytes, failure));
            }
            _ => {}
        }
    }
    let none = Failure::from(Error::from(KeyProblem::None)).in_file(path);
    Err(Foreign::explain(path, &bytes, none))
}

/// Where a key is looked for, a block that cannot be read is a key that cannot be read.
fn unpacked(error: Error) -> Error {
    match error {
        Error::Pem { source, .. } => KeyProblem::Pem(source).into(),
        other => other,
    }
}

/// Warns of a private key others may read.
pub(crate) fn warn_shared_key(path: &Path, io: &mut Io<'_>) {
    if system::is_shared(path) {
        let message = "a private key is readable by users other than its owner";
        let warning = Failure::new("ctl/key-permissions", message)
            .in_file(path)
            .hint(format!("`{}`", system::keep_file_private_command(&text::word(path))));
        io.warn(&warning);
    }
}
