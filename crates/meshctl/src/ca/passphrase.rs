//! Where the passphrase of a root key comes from: a file, the environment, or a question on a terminal.

use std::path::Path;

use meshpki::{Error, SoftKey};
use zeroize::Zeroizing;

use crate::args::{Init, Passphrase};
use crate::report::{Failure, warn};
use crate::terminal::secret;
use crate::{Exit, Io, files, show};

/// The passphrase the options name, if they name one.
pub(crate) fn given(
    options: &Passphrase,
    io: &mut Io<'_>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    let text = if let Some(path) = &options.passphrase_file {
        let bytes = files::read(path, io.stdin)?;
        if files::is_shared(path) {
            let message = "others than the owner may read the passphrase";
            let warning = Failure::new("ctl/passphrase-permissions", message)
                .in_file(path)
                .hint(format!("`chmod 600 {}`; in a pod, `defaultMode: 0400`", show::word(path)));
            warn(io.err, &warning);
        }
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|error| {
            Failure::new("ctl/io", "the passphrase is not UTF-8")
                .in_file(path)
                .because(error.to_string())
        })?;
        Zeroizing::new(line.trim_end_matches('\r').to_owned())
    } else if let Some(variable) = &options.passphrase_env {
        let value = (io.env)(variable);
        Zeroizing::new(value.ok_or_else(|| {
            Failure::new("ctl/usage", format!("the environment variable `{variable}` is not set"))
                .exit(Exit::Usage)
        })?)
    } else {
        return Ok(None);
    };
    if text.is_empty() {
        return Err(Failure::new("ctl/usage", "the passphrase is empty"));
    }
    Ok(Some(text))
}

/// How often a passphrase is asked for before the command gives up.
const ATTEMPTS: usize = 3;

/// The passphrase for a new root key: given, asked for twice, or none.
///
/// # Errors
/// `ctl/no-passphrase` where none is given, none can be asked for, and `--plain-root-key` is missing.
pub(super) fn for_new_key(
    args: &Init,
    io: &mut Io<'_>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    if args.plain_root_key {
        return Ok(None);
    }
    if let Some(text) = given(&args.passphrase, io)? {
        warn_weak(&text, args, io);
        return Ok(Some(text));
    }
    if !io.can_ask {
        return Err(Failure::new("ctl/no-passphrase", "a new root key needs a passphrase, and there is no terminal to ask for one")
            .because("standard input or standard error is not a terminal")
            .hint("`--passphrase-file FILE` or `--passphrase-env VARIABLE` encrypts the key; `--plain-root-key` leaves it unencrypted")
            .exit(Exit::Usage));
    }
    for attempt in 1..=ATTEMPTS {
        let text = secret("Passphrase for the new root key (empty: not encrypted): ")?;
        if text.is_empty() {
            let warning = Failure::new("ctl/root-key-plain", "the root key is written without encryption")
                .because("who reads it can sign for every cluster")
                .hint("a passphrase encrypts it; `--plain-root-key` leaves it unencrypted without this warning");
            warn(io.err, &warning);
            return Ok(None);
        }
        warn_weak(&text, args, io);
        if *secret("The same passphrase again: ")? == *text {
            return Ok(Some(text));
        }
        if attempt < ATTEMPTS {
            // A standard error that is gone cannot be told anything.
            let _ = writeln!(io.err, "the two passphrases differ; try again");
        }
    }
    Err(Failure::new("ctl/usage", "the two passphrases differ")
        .hint("run this command again; nothing was written"))
}

/// Warns of a passphrase that is guessed before the root ends, were its file stolen.
///
/// The measure is zxcvbn's (Wheeler, "zxcvbn: Low-Budget Password Strength Estimation", USENIX Security 2016): below
/// its highest score, ten thousand million guesses find it.
fn warn_weak(passphrase: &str, args: &Init, io: &mut Io<'_>) {
    let folder = args.dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut known = vec!["mesh", "meshctl", "istio", "root", "passphrase"];
    known.extend(args.cluster.iter().map(String::as_str));
    known.extend(folder.as_deref());
    let estimate = zxcvbn::zxcvbn(passphrase, &known);
    if estimate.score() >= zxcvbn::Score::Four {
        return;
    }
    let guesses = format!("about 10^{:.0} guesses find it", estimate.guesses_log10());
    let reason = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    let mut warning = Failure::new("ctl/passphrase-weak", "the passphrase of the root key is weak")
        .because(guesses);
    if let Some(reason) = reason {
        warning = warning.because(reason.to_string());
    }
    let warning =
        warning.hint("six words drawn at random are strong, and so is `openssl rand -base64 18`");
    warn(io.err, &warning);
}

/// Reads a private key file, with the passphrase where it needs one.
pub(super) fn read_key(
    path: &Path,
    options: &Passphrase,
    io: &mut Io<'_>,
) -> Result<SoftKey, Failure> {
    let bytes = files::read(path, io.stdin)?;
    let passphrase = given(options, io)?;
    let read = |passphrase: Option<&Zeroizing<String>>| {
        SoftKey::from_pem(&bytes, passphrase.map(|text| text.as_bytes()))
    };
    let mut key = read(passphrase.as_ref());
    let asks = passphrase.is_none() && io.can_ask && SoftKey::is_encrypted_pem(&bytes);
    for attempt in 1..=if asks { ATTEMPTS } else { 0 } {
        let typed = secret(&format!("Passphrase of {}: ", show::word(path)))?;
        key = read(Some(&typed));
        if !matches!(&key, Err(error) if error.code() == "pki/key-passphrase") {
            break;
        }
        if attempt < ATTEMPTS {
            // A standard error that is gone cannot be told anything.
            let _ = writeln!(io.err, "that passphrase does not open it; try again");
        }
    }
    key.map_err(|error: Error| Failure::from(error).in_file(path))
}

/// Warns of a private key others may read.
pub(super) fn warn_shared_key(path: &Path, io: &mut Io<'_>) {
    if files::is_shared(path) {
        let message = "others than the owner may read a private key";
        let warning = Failure::new("ctl/key-permissions", message)
            .in_file(path)
            .hint(format!("`chmod 600 {}`", show::word(path)));
        warn(io.err, &warning);
    }
}
