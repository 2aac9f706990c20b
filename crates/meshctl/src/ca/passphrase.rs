//! Where the passphrase of a root key comes from: a file, the environment, or a question on a terminal.

use std::path::Path;

use meshpki::{Error, SoftKey};
use zeroize::Zeroizing;

use crate::args::Passphrase;
use crate::report::{Failure, warn};
use crate::{Exit, Io, files, show};

/// The passphrase the options name, if they name one.
pub(crate) fn given(
    options: &Passphrase,
    io: &mut Io<'_>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    let text = if let Some(path) = &options.passphrase_file {
        let bytes = files::read(path, io.stdin)?;
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

/// The passphrase for a new root key: given, asked for twice, or none.
pub(super) fn for_new_key(
    options: &Passphrase,
    plain: bool,
    io: &mut Io<'_>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    if plain {
        return Ok(None);
    }
    if let Some(text) = given(options, io)? {
        return Ok(Some(text));
    }
    if io.can_ask {
        let text = ask("Passphrase for the new root key (empty: not encrypted): ")?;
        if !text.is_empty() {
            if *ask("The same passphrase again: ")? != *text {
                return Err(Failure::new("ctl/usage", "the two passphrases differ")
                    .hint("run this command again; nothing was written"));
            }
            return Ok(Some(text));
        }
    }
    let warning = Failure::new("ctl/root-key-plain", "the root key is written without encryption")
        .because("who reads it can sign for every cluster")
        .hint("`--passphrase-file FILE` or `--passphrase-env VARIABLE` encrypts it, `--plain-root-key` silences this");
    warn(io.err, &warning);
    Ok(None)
}

/// Reads a private key file, with the passphrase where it needs one.
pub(super) fn read_key(
    path: &Path,
    options: &Passphrase,
    io: &mut Io<'_>,
) -> Result<SoftKey, Failure> {
    let bytes = files::read(path, io.stdin)?;
    if files::is_shared(path) {
        let warning =
            Failure::new("ctl/key-permissions", "others than the owner may read a private key")
                .in_file(path)
                .hint(format!("`chmod 600 {}`", show::word(path)));
        warn(io.err, &warning);
    }
    let mut passphrase = given(options, io)?;
    if passphrase.is_none() && io.can_ask && SoftKey::is_encrypted_pem(&bytes) {
        passphrase = Some(ask(&format!("Passphrase of {}: ", show::word(path)))?);
    }
    let key = SoftKey::from_pem(&bytes, passphrase.as_ref().map(|text| text.as_bytes()));
    key.map_err(|error: Error| Failure::from(error).in_file(path))
}

fn ask(question: &str) -> Result<Zeroizing<String>, Failure> {
    let answer = rpassword::prompt_password(question);
    answer.map(Zeroizing::new).map_err(|error| {
        Failure::new("ctl/io", "the passphrase could not be read from the terminal")
            .because(error.to_string())
    })
}
