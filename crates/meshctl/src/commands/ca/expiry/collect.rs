//! Which files are looked into, and the certificates and CRLs in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use meshpki::internals::contents::{self, Found as InContents};
use meshpki::internals::pem::{Form, PemProblem};
use meshpki::{Cert, Crl, Error};

use super::{Object, Place, Problem};
use crate::authority::foreign::Foreign;
use crate::authority::passphrase::PassphraseSource;
use crate::authority::reader::Opener;
use crate::files;
use crate::io::Io;

/// What files in a folder end in to be looked into.
const EXTENSIONS: [&str; 6] = ["pem", "crt", "cer", "der", "p7b", "p7c"];
/// The same if there is a passphrase.
const CONTAINERS: [&str; 2] = ["pfx", "p12"];

/// What was found in all files.
#[derive(Default)]
pub(super) struct Found {
    /// Each certificate and each CRL once, with every place it was found in.
    pub(super) objects: Vec<(Object, BTreeSet<Place>)>,
    pub(super) problems: Vec<Problem>,
}

/// Looks into every file named, and every certificate file in the folders named.
pub(super) fn collect(paths: &[PathBuf], source: &PassphraseSource, io: &mut Io<'_>) -> Found {
    let mut search = Search {
        objects: BTreeMap::new(),
        problems: Vec::new(),
        folders: BTreeMap::new(),
        opener: Opener::of_certs(source),
        containers: source.file.is_some() || source.env.is_some(),
    };
    for path in paths {
        let before = search.problems.len();
        let found = search.named(path, io);
        if !found && search.problems.len() == before {
            search.problem(path, None, "the file does not contain a certificate");
        }
    }
    Found { objects: search.objects.into_values().collect(), problems: search.problems }
}

struct Search<'a> {
    /// By their bytes.
    objects: BTreeMap<Vec<u8>, (Object, BTreeSet<Place>)>,
    problems: Vec<Problem>,
    /// Folders met, by their paths without links, and whether a certificate is in them: each is searched once,
    /// whatever links lead to it.
    folders: BTreeMap<PathBuf, bool>,
    opener: Opener<'a>,
    /// Whether containers in folders are looked into.
    containers: bool,
}

impl Search<'_> {
    /// A path from the command line: a folder, or any file. Tells whether a certificate is in it, as
    /// the other functions here do.
    fn named(&mut self, path: &Path, io: &mut Io<'_>) -> bool {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => self.folder(path, io),
            _ => self.file(path, io),
        }
    }

    /// Everything in a folder, by name; hidden files and folders, `previous/` and key files are left out.
    fn folder(&mut self, path: &Path, io: &mut Io<'_>) -> bool {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        if let Some(found) = self.folders.get(&real) {
            return *found;
        }
        self.folders.insert(real.clone(), false);
        let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                return self.problem(path, None, &format!("cannot read the folder: {error}"));
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut found = false;
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && name != files::PREVIOUS {
                found |= self.entry(&entry.path(), io);
            }
        }
        self.folders.insert(real, found);
        found
    }

    fn entry(&mut self, path: &Path, io: &mut Io<'_>) -> bool {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => self.folder(path, io),
            Ok(meta) if meta.is_file() && is_certificate_file(path, self.containers) => {
                self.file(path, io)
            }
            Err(error) if is_certificate_file(path, self.containers) => {
                self.problem(path, None, &format!("cannot read the file: {error}"))
            }
            _ => false,
        }
    }

    fn file(&mut self, path: &Path, io: &mut Io<'_>) -> bool {
        let bytes = match files::read(path, io.stdin) {
            Ok(bytes) => bytes,
            Err(failure) => return self.problem(path, None, &failure.sentence()),
        };
        let pile = match self.opener.open(path, &bytes, io) {
            Ok(pile) => pile,
            Err(failure) => return self.problem(path, None, &failure.sentence()),
        };
        if pile.found.is_empty() {
            return self.foreign(path, &bytes);
        }
        // istiod would not read what is read here.
        for form in &pile.mended {
            if let Form::Glued { line } = form {
                self.problem(path, Some(*line), &PemProblem::Glued.to_string());
            }
        }
        let mut found = false;
        for InContents { place, object } in pile.found {
            let line = place.line;
            found |= match object {
                contents::Object::Cert(cert) => self.object(path, line, Object::Cert(*cert)),
                contents::Object::Crl(der) => self.crl(path, line, &der),
                contents::Object::Unreadable(error) if is_about_a_key(&error) => false,
                contents::Object::Unreadable(error) => self.unreadable(path, line, *error),
                _ => false,
            };
        }
        found
    }

    /// A CRL; one without nextUpdate never ends.
    fn crl(&mut self, path: &Path, line: Option<usize>, der: &[u8]) -> bool {
        match Crl::from_der(der) {
            Ok(crl) if crl.next_update().is_none() => true,
            Ok(crl) => self.object(path, line, Object::Crl(crl)),
            Err(error) => self.problem(path, line, &format!("no CRL: {error}")),
        }
    }

    fn unreadable(&mut self, path: &Path, line: Option<usize>, error: Error) -> bool {
        let text = match error {
            Error::Pem { source, .. } => source.problem.to_string(),
            Error::Der { source, .. } => format!("no certificate: {source}"),
            other => other.to_string(),
        };
        self.problem(path, line, &text)
    }

    fn object(&mut self, path: &Path, line: Option<usize>, object: Object) -> bool {
        let place = Place { file: path.display().to_string(), line };
        let entry = self.objects.entry(object.as_der().to_vec());
        entry.or_insert_with(|| (object, BTreeSet::new())).1.insert(place);
        true
    }

    /// A file in which nothing was found: what it is, if that is known.
    fn foreign(&mut self, path: &Path, bytes: &[u8]) -> bool {
        match Foreign::of(path, bytes) {
            Some(foreign) => self.problem(path, None, &foreign.sentence()),
            None => match Cert::from_der(bytes) {
                Err(error) => {
                    self.problem(path, None, &format!("neither PEM nor a certificate: {error}"))
                }
                Ok(cert) => self.object(path, None, Object::Cert(cert)),
            },
        }
    }

    fn problem(&mut self, path: &Path, line: Option<usize>, text: &str) -> bool {
        let place = Place { file: path.display().to_string(), line };
        self.problems.push(Problem { place, text: text.to_owned() });
        false
    }
}

/// Keys do not expire: this command ignores one that cannot be read.
fn is_about_a_key(error: &Error) -> bool {
    matches!(error, Error::Key { .. })
}

/// Whether a file in a folder is looked into, by its name: `ca-key.pem`, `key.pem` and their like are not.
fn is_certificate_file(path: &Path, containers: bool) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    let is_key = ["key", "privkey"].contains(&stem)
        || ["-key", "_key", ".key"].iter().any(|end| stem.ends_with(end));
    let containers: &[&str] = if containers { &CONTAINERS } else { &[] };
    let mut known = EXTENSIONS.iter().chain(containers);
    known.any(|known| extension.eq_ignore_ascii_case(known)) && !is_key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_by_name() {
        let names = |names: &[&str]| {
            names.iter().map(|name| is_certificate_file(Path::new(name), false)).collect::<Vec<_>>()
        };
        assert_eq!(names(&["ca-cert.pem", "tls.crt", "A.CER", "monkey.pem", "b.p7b"]), [true; 5]);
        assert_eq!(
            names(&["ca-key.pem", "key.pem", "privkey.pem", "x_key.pem", "ca.csr", "pem", "c.pfx"]),
            [false; 7]
        );
    }
}
