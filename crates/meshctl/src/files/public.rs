//! Public files written by name: only over a file of the same kind, in one step, leaving no temporary file.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use meshpki::internals::der::Reader;
use meshpki::internals::pem;
use meshpki::{Cert, SoftKey};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{random_name, read, rename_new, sync_folder};
use crate::failure::Failure;
use crate::system::{self, Access};

/// What a file that is there already must be to be overwritten.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind<'a> {
    /// Certificates, PEM or DER, and nothing else; or nothing at all.
    Certificates,
    /// What this command has read and understood; `None` where there was no file.
    AsRead(Option<&'a [u8]>),
    /// What begins so: an earlier output of the same command.
    Begins(&'a [u8]),
    /// A JSON document of this kind: the same.
    Document(&'a str),
}

/// Writes a public file next to `path` and moves it into place. An existing file is replaced only if it is a regular
/// file of the same kind: a key, a link, a device or anything not recognized stays as it is.
///
/// # Errors
/// `ctl/exists` for what is not replaced, `ctl/io`.
pub(crate) fn write_public(path: &Path, content: &[u8], kind: Kind<'_>) -> Result<(), Failure> {
    let there = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(Failure::io("write", path, &error)),
        Ok(meta) if !meta.is_file() => return Err(not_a_file(path, &meta)),
        Ok(meta) => {
            kind.check(path, &read(path, &mut std::io::empty())?)?;
            Some(meta)
        }
    };
    clear_stale(path);
    write_beside(path, content, there.as_ref())
}

impl Kind<'_> {
    fn check(self, path: &Path, there: &[u8]) -> Result<(), Failure> {
        let refuse = |what: &str, hint: &str| {
            let message = format!("`{}` {what} and is not overwritten", path.display());
            Err(Failure::new("ctl/exists", message).hint(hint))
        };
        match self {
            Self::AsRead(Some(before)) if before == there => Ok(()),
            Self::AsRead(Some(_)) => {
                refuse("has changed since it was read", "run this command again")
            }
            Self::Begins(with) if there.starts_with(with) && !holds_private_key(there) => Ok(()),
            Self::Document(kind) if is_document(there, kind) && !holds_private_key(there) => Ok(()),
            Self::Certificates if holds_only_certificates(there) => Ok(()),
            _ if holds_private_key(there) => {
                refuse("contains a private key", "choose another file")
            }
            Self::AsRead(None) => refuse("already exists", "run this command again"),
            Self::Begins(_) | Self::Document(_) => refuse(
                "was not written by this command",
                "choose another file, or move that one away first",
            ),
            Self::Certificates => refuse(
                "contains more than certificates",
                "choose another file, or move that one away first",
            ),
        }
    }
}

/// Anything but a regular file is never replaced or written to.
fn not_a_file(path: &Path, meta: &Metadata) -> Failure {
    let (what, hint) = if meta.is_symlink() {
        ("is a link", "name the file that it points to; `--out -` writes to standard output")
    } else if meta.is_dir() {
        ("is a folder", "name a file in it")
    } else {
        ("is a device, a pipe or a socket", "name a file; `--out -` writes to standard output")
    };
    let message = format!("`{}` {what} and is not written to", path.display());
    Failure::new("ctl/exists", message).hint(hint)
}

/// Nothing but certificates: one of DER, or PEM blocks with no more than empty lines, comments and the lines
/// `openssl s_client -showcerts` puts between them.
fn holds_only_certificates(bytes: &[u8]) -> bool {
    if bytes.first() == Some(&0x30) {
        return is_one_certificate(bytes);
    }
    let is_certificate = |block: &Result<pem::Block, _>| {
        block.as_ref().is_ok_and(|block| block.is_certificate() && is_one_certificate(&block.der))
    };
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut inside = false;
    let is_around = |line: &str| {
        let line = line.trim();
        let begins = line.starts_with("-----BEGIN ");
        let ends = line.starts_with("-----END ");
        let was_inside = inside;
        inside = begins || (inside && !ends);
        begins
            || was_inside
            || line.is_empty()
            || ["#", "subject", "issuer", "s:", "i:"].iter().any(|word| line.starts_with(word))
    };
    text.lines().all(is_around) && pem::decode(bytes).iter().all(is_certificate)
}

/// A certificate, and no byte after it, where a key could be.
fn is_one_certificate(der: &[u8]) -> bool {
    let is_alone = Reader::new(der).any().is_ok_and(|outer| outer.raw.len() == der.len());
    is_alone && Cert::from_der(der).is_ok()
}

/// Whether it is a JSON document of ours.
fn is_document(bytes: &[u8], kind: &str) -> bool {
    let value: Option<Value> = serde_json::from_slice(bytes).ok();
    value.is_some_and(|value| value["apiVersion"] == "meshctl/v1" && value["kind"] == kind)
}

/// Whether it is a private key as far as we know one: for the message, not for the decision.
fn holds_private_key(bytes: &[u8]) -> bool {
    const MARKER: &[u8] = b"PRIVATE KEY-----";
    bytes.windows(MARKER.len()).any(|window| window == MARKER) || SoftKey::from_pkcs8(bytes).is_ok()
}

/// Writes a file next to its place, and moves it there: over this file, or where no file exists.
fn write_beside(path: &Path, content: &[u8], over: Option<&Metadata>) -> Result<(), Failure> {
    let fail = |error: std::io::Error| Failure::io("write", path, &error);
    let (mut file, beside) = temporary(path, over).map_err(fail)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).map_err(fail);
    let placed = written.and_then(|()| match over {
        Some(_) => fs::rename(&beside, path).map_err(fail),
        None => rename_new(&beside, path),
    });
    if placed.is_err() {
        // Nothing half-written stays; the failure that counts is the first one.
        let _ = fs::remove_file(&beside);
    }
    placed?;
    sync_folder(path.parent().unwrap_or(Path::new("")))
}

/// The beginning of the names of files that are not finished.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    format!(".{name}.meshctl-")
}

/// A new file next to `path` with a random name, locked, so that another run can see that this one is alive.
fn temporary(path: &Path, over: Option<&Metadata>) -> std::io::Result<(File, PathBuf)> {
    loop {
        let beside = path.with_file_name(stem(path) + &random_name());
        let opened = match over {
            Some(other) => system::create_file_like(&beside, other),
            None => system::create_file(&beside, Access::All),
        };
        let file = match opened {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            opened => opened?,
        };
        // Another run that clears up may have been faster, and has removed it then. A file system without locks
        // has none that clears up.
        let is_taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        if !is_taken && beside.exists() {
            return Ok((file, beside));
        }
    }
}

/// Removes what killed runs left next to `path`: files with such names that no process has locked.
fn clear_stale(path: &Path) {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Ok(entries) = fs::read_dir(parent.unwrap_or(Path::new("."))) else { return };
    let stem = stem(path);
    let is_ours = |name: &str| {
        name.strip_prefix(&stem)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    for entry in entries.flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !is_ours(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let Ok(file) = File::open(entry.path()) else { continue };
        if file.try_lock().is_ok() {
            // What cannot be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a file is YAML as `meshctl mesh render` writes it, and may be replaced or removed by it.
///
/// # Errors
/// `ctl/io`.
pub(crate) fn is_rendered(path: &Path) -> Result<bool, Failure> {
    if path.symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
        return Ok(false);
    }
    let bytes: Zeroizing<Vec<u8>> = read(path, &mut std::io::empty())?;
    let begins = bytes.starts_with(b"---\napiVersion: ");
    Ok(begins && std::str::from_utf8(&bytes).is_ok() && !holds_private_key(&bytes))
}
