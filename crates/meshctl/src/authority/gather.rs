//! Files, folders and exported secrets: every certificate and key in it, each with where it is.

use std::path::{Path, PathBuf};

use meshapply::export;
use meshpki::cacerts::{Layout, Secret};
use meshpki::internals::contents::{Contents, Object};
use meshpki::internals::pem::{self, Form};
use meshpki::{Cert, Error, KeyProblem, PublicKey, Signer, SoftKey};

use super::foreign::Foreign;
use super::reader::{Opener, named};
use crate::failure::Failure;
use crate::files;
use crate::io::Io;

/// A certificate and its place.
pub(crate) struct Placed {
    pub(crate) cert: Cert,
    pub(crate) place: String,
    /// The secret or the folder that it is in.
    pub(crate) set: String,
    /// What the file is to such a set.
    pub(crate) part: Part,
}

/// What a file is to a `cacerts` secret or folder, by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its roots: what a mesh trusts whose CA is in the same set.
    Roots,
    /// Its CA, its key or its chain.
    Ca,
    /// A file that istiod does not read.
    None,
}

impl Part {
    fn of(name: &str) -> Self {
        if Layout::ALL.iter().any(|layout| layout.roots_file() == name) {
            Self::Roots
        } else if Secret::is_read(name) {
            Self::Ca
        } else {
            Self::None
        }
    }
}

/// What was gathered.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) certs: Vec<Placed>,
    /// Private keys, each with its place.
    pub(crate) keys: Vec<(SoftKey, String)>,
    /// Places of keys that were not opened.
    pub(crate) locked: Vec<String>,
    /// What was fixed in which file.
    pub(crate) mended: Vec<(String, Form)>,
    /// Files and objects that are neither, and what they are.
    pub(crate) others: Vec<(String, String)>,
}

/// Gathers from files in any form, folders, and what kubectl printed; `-` is standard input.
///
/// # Errors
/// For anything on the command line that cannot be read; `ctl/io`, `pki/...`.
pub(crate) fn gather(
    paths: &[PathBuf],
    opener: &mut Opener<'_>,
    io: &mut Io<'_>,
) -> Result<Gathered, Failure> {
    let mut gathered = Gathered::default();
    for path in paths {
        if path.is_dir() {
            for (name, bytes) in files::read_all(path)? {
                gathered.add_file(&path.join(name), &bytes, true, opener, io)?;
            }
        } else {
            let bytes = files::read(path, io.stdin)?;
            gathered.add_file(path, &bytes, false, opener, io)?;
        }
    }
    Ok(gathered)
}

impl Gathered {
    /// Adds a file; `in_folder` means that it was not named, so that it may be something else.
    fn add_file(
        &mut self,
        path: &Path,
        bytes: &[u8],
        in_folder: bool,
        opener: &mut Opener<'_>,
        io: &mut Io<'_>,
    ) -> Result<(), Failure> {
        let file = path.display().to_string();
        if let Some(documents) = export::files(bytes) {
            let parts = documents
                .map_err(|error| Failure::new("ctl/unreadable", error.to_string()).in_file(path))?;
            for part in &parts {
                // A secret may have other files, which istiod does not read.
                let is_wanted = !part.is_kubernetes || Secret::is_read(&part.name);
                if is_wanted {
                    let place = format!("{file}, {}", part.place);
                    let set = place.strip_suffix(&part.name).unwrap_or(&place).to_owned();
                    let source = Source { path, place, set, name: &part.name };
                    self.add(&source, &part.content, opener, io)?;
                }
            }
            if !parts.is_empty() {
                return Ok(());
            }
        }
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let folder = path.parent().unwrap_or(path).join("");
        let set = folder.display().to_string();
        let source = Source { path, place: file.clone(), set, name: &name };
        if self.add(&source, bytes, opener, io)? > 0 {
            return Ok(());
        }
        let foreign = Foreign::of(path, bytes);
        if in_folder {
            let what = foreign.map_or_else(
                || "neither a certificate nor a key".to_owned(),
                |foreign| foreign.what,
            );
            self.others.push((file, what));
            return Ok(());
        }
        let none = Failure::from(Error::NoCertificate { what: file });
        Err(Foreign::explain(path, bytes, none))
    }

    /// Adds what is in one text or container; how many objects that were.
    fn add(
        &mut self,
        source: &Source<'_>,
        bytes: &[u8],
        opener: &mut Opener<'_>,
        io: &mut Io<'_>,
    ) -> Result<usize, Failure> {
        let Contents { found, mended } = opener.open(source.path, bytes, io)?;
        let count = found.len();
        self.mended.extend(mended.into_iter().map(|form| (source.place.clone(), form)));
        let part = Part::of(source.name);
        for found in found {
            let at = found.place.to_string();
            let place = if at.is_empty() || count == 1 {
                source.place.clone()
            } else {
                format!("{}, {at}", source.place)
            };
            match found.object {
                Object::Cert(cert) => {
                    let set = source.set.clone();
                    self.certs.push(Placed { cert: *cert, place, set, part });
                }
                Object::Key(key) => self.keys.push((*key, place)),
                Object::LockedKey => self.locked.push(place),
                Object::Unreadable(error) => return Err(named(*error, source.path, found.place)),
                Object::Request(_) => self.others.push((place, "a signing request".to_owned())),
                Object::Crl(_) => self.others.push((place, "a revocation list".to_owned())),
                Object::PublicKey(_) => self.others.push((place, "a public key".to_owned())),
                Object::Other(label) if label == "EC PARAMETERS" => {}
                Object::Other(label) => self.others.push((place, label)),
            }
        }
        Ok(count)
    }

    /// Adds a private key that was made here before, if it is there; its public key.
    ///
    /// # Errors
    /// `ctl/io`, `pki/key...`.
    pub(crate) fn add_key(&mut self, path: &Path) -> Result<Option<PublicKey>, Failure> {
        let Some(bytes) = files::read_optional(path)? else { return Ok(None) };
        let key = SoftKey::from_pem(&pem::mended(&bytes).0, None);
        let key = key.map_err(|error| Failure::from(error).in_file(path))?;
        let public = key.public_key().clone();
        self.keys.push((key, path.display().to_string()));
        Ok(Some(public))
    }

    /// Refuses a key that a passphrase would open.
    ///
    /// # Errors
    /// `pki/key-encrypted`.
    pub(crate) fn check_locked(&self) -> Result<(), Failure> {
        let Some(place) = self.locked.first() else { return Ok(()) };
        Err(Failure::from(Error::from(KeyProblem::PassphraseNeeded)).within(place.clone()))
    }
}

/// Where a text is from.
struct Source<'a> {
    path: &'a Path,
    /// Its place as it is shown.
    place: String,
    /// The secret or the folder that it is in.
    set: String,
    /// The name of the file.
    name: &'a str,
}
