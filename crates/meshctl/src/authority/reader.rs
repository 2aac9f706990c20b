//! The one reader of what people have: files in any form, opened with a passphrase where they need one.

use std::path::Path;

use meshpki::cacerts;
use meshpki::internals::Budget;
use meshpki::internals::contents::{Contents, Object, Place};
use meshpki::internals::pem::{self, Form};
use meshpki::{Cert, Error};
use zeroize::Zeroizing;

use super::foreign::Foreign;
use super::passphrase::{self, ATTEMPTS, PASSPHRASE, PassphraseSource};
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::terminal::secret;
use crate::text;

/// Opens files with one passphrase, which is read when the first file needs it.
pub(crate) struct Opener<'a> {
    source: &'a PassphraseSource,
    given: Option<Option<Zeroizing<String>>>,
    keys: Keys,
}

/// What private keys are to whoever reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// They stay locked.
    Unwanted,
    /// They are opened with a passphrase that was given.
    Shown,
    /// They are opened, with a passphrase that is asked for if none was given.
    Wanted,
}

impl<'a> Opener<'a> {
    /// Opens containers for their certificates.
    pub(crate) const fn of_certs(source: &'a PassphraseSource) -> Self {
        Self { source, given: None, keys: Keys::Unwanted }
    }

    /// Opens containers, and private keys if a passphrase was given.
    pub(crate) const fn of_containers(source: &'a PassphraseSource) -> Self {
        Self { source, given: None, keys: Keys::Shown }
    }

    /// Opens containers and private keys.
    pub(crate) const fn of_keys(source: &'a PassphraseSource) -> Self {
        Self { source, given: None, keys: Keys::Wanted }
    }

    /// Everything in a file.
    ///
    /// # Errors
    /// Those of the passphrase; what cannot be read is among it.
    pub(crate) fn open(
        &mut self,
        path: &Path,
        bytes: &[u8],
        io: &mut Io<'_>,
    ) -> Result<Contents, Failure> {
        let read = |passphrase: Option<&Zeroizing<String>>| {
            let passphrase = passphrase.map(|text| text.as_bytes());
            Contents::read(bytes, passphrase, &mut Budget::new(Budget::ROUNDS))
        };
        let mut pile = read(None);
        let (container, key) = pile.needs_passphrase();
        if !(container || key && self.keys != Keys::Unwanted) {
            return Ok(pile);
        }
        if self.given.is_none() {
            self.given = Some(passphrase::given(self.source, PASSPHRASE, io)?);
        }
        if let Some(Some(text)) = &self.given {
            return Ok(read(Some(text)));
        }
        let asks = io.can_ask && (container || self.keys == Keys::Wanted);
        for attempt in 1..=if asks { ATTEMPTS } else { 0 } {
            let question = format!("Passphrase of {}: ", text::word(path));
            pile = read(Some(&secret(PASSPHRASE, &question)?));
            if !pile.has_wrong_passphrase() {
                break;
            }
            if attempt < ATTEMPTS {
                io.say("wrong passphrase; try again");
            }
        }
        Ok(pile)
    }
}

/// Every certificate of a file; anything that cannot be read is a failure.
///
/// # Errors
/// `pki/...`, naming the file and what it is.
pub(super) fn certs(path: &Path, bytes: &[u8], pile: Contents) -> Result<Vec<Cert>, Failure> {
    let is_plain = pile.found.iter().all(|found| found.place.member.is_none());
    let is_unopened = pile.needs_passphrase().0;
    // Text may begin with `0` as well, which is how DER begins.
    let is_text = pile.found.iter().any(|found| found.place.line.is_some());
    if (is_text || bytes.first() != Some(&0x30)) && is_plain && !is_unopened {
        return plain(path, bytes);
    }
    mended_certs(path, bytes, pile)
}

/// Every certificate of a file, however much was fixed in it; anything else that cannot be read is a failure, except keys.
///
/// # Errors
/// `pki/...`, naming the file and what it is.
pub(crate) fn mended_certs(
    path: &Path,
    bytes: &[u8],
    pile: Contents,
) -> Result<Vec<Cert>, Failure> {
    let mut certs = Vec::new();
    for found in pile.found {
        match found.object {
            Object::Cert(cert) => certs.push(*cert),
            Object::Unreadable(error) if matches!(*error, Error::Key { .. }) => {}
            Object::Unreadable(error) => {
                return Err(named(*error, path, found.place));
            }
            _ => {}
        }
    }
    if certs.is_empty() {
        let name = path.display().to_string();
        let mut none = Failure::from(Error::NoCertificate { what: name });
        if let Some(Err(error)) = (bytes.first() == Some(&0x30)).then(|| Cert::from_der(bytes)) {
            none = none.because(format!("it begins as DER, but {error}"));
        }
        return Err(Foreign::explain(path, bytes, none));
    }
    Ok(certs)
}

/// The failure, with the file and the place in it.
pub(super) fn named(error: Error, path: &Path, place: Place) -> Failure {
    let name = path.display();
    match error {
        Error::Pem { source, .. } => Error::Pem { what: name.to_string(), source }.into(),
        Error::Der { what, source } => {
            let place = place.to_string();
            let at = if place.is_empty() { String::new() } else { format!(" at {place}") };
            Error::Der { what: format!("{what}{at} of {name}"), source }.into()
        }
        other => Failure::from(other).in_file(path),
    }
}

/// The certificates of PEM text, fixed except for END and BEGIN on one line.
fn plain(path: &Path, bytes: &[u8]) -> Result<Vec<Cert>, Failure> {
    let (mended, forms) = pem::mended(bytes);
    let is_glued = forms.iter().any(|form| matches!(form, Form::Glued { .. }));
    let text = if is_glued { bytes } else { &mended };
    cacerts::certs(&path.display().to_string(), text).map_err(|error| {
        let is_missing = matches!(error, Error::NoCertificate { .. });
        let failure = Failure::from(error);
        if is_glued {
            failure.hint(format!(
                "`meshctl ca chain {}` prints it with the missing newlines",
                text::word(path)
            ))
        } else if is_missing {
            Foreign::explain(path, bytes, failure)
        } else {
            failure
        }
    })
}

/// Reads every certificate of a file in any form; `-` is standard input.
pub(crate) fn read_certs(path: &Path, io: &mut Io<'_>) -> Result<Vec<Cert>, Failure> {
    let source = PassphraseSource::default();
    read_certs_with(path, &mut Opener::of_certs(&source), io)
}

/// The same, with a passphrase for containers.
pub(crate) fn read_certs_with(
    path: &Path,
    opener: &mut Opener<'_>,
    io: &mut Io<'_>,
) -> Result<Vec<Cert>, Failure> {
    let bytes = files::read(path, io.stdin)?;
    let pile = opener.open(path, &bytes, io)?;
    certs(path, &bytes, pile)
}

/// The same for a file on disk, without a passphrase.
pub(crate) fn certs_of_file(path: &Path) -> Result<Vec<Cert>, Failure> {
    let bytes = files::read(path, &mut std::io::empty())?;
    let pile = Contents::read(&bytes, None, &mut Budget::new(Budget::ROUNDS));
    certs(path, &bytes, pile)
}
