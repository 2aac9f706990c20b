//! Files that arguments name, and what openssl says if one of them is not usable (`apps/lib/apps.c:
//! load_key_certs_crls`).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};

use meshpki::verify::Release;

/// What a file is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Target,
    Trusted,
    Untrusted,
    Crls,
}

impl What {
    const fn text(self) -> &'static str {
        match self {
            Self::Target => "certificate file",
            Self::Trusted => "trusted certificates",
            Self::Untrusted => "untrusted certificates",
            Self::Crls => "other CRLs",
        }
    }

    /// The line about a file that has nothing of the kind.
    pub(super) fn missing(self, name: &str, release: Release) -> String {
        let text = self.text();
        // `apps/lib/apps.c` of 3.2
        if release.since(3, 2) {
            return format!("Could not find {text} from {name}");
        }
        let any = if self == Self::Target { "" } else { "any " };
        format!("Could not read {any}{text} from {name}")
    }

    /// The line about a file that cannot be opened.
    fn closed(self, name: &str, why: &io::Error, release: Release) -> String {
        let text = self.text();
        let line =
            |text: &str| format!("Could not open file or uri for loading {text} from {name}");
        // `apps/lib/apps.c` of 3.2
        if release.since(3, 2) {
            return line(text) + &reason(name, why, release);
        }
        match self {
            Self::Trusted | Self::Untrusted => line(&format!("certs of {text}")),
            Self::Target | Self::Crls => line(text),
        }
    }
}

/// A file's bytes; a folder counts as a file without anything in it, as it does for openssl.
pub(super) fn open(file: &OsStr, what: What, release: Release) -> Result<Vec<u8>, String> {
    let name = file.to_string_lossy();
    let opened = File::open(file).or_else(|error| match file_uri(&name) {
        Some(path) => File::open(path),
        None => Err(error),
    });
    let mut bytes = Vec::new();
    match opened.map(|mut opened| opened.read_to_end(&mut bytes)) {
        Ok(Ok(_)) => Ok(bytes),
        Ok(Err(_)) => Ok(Vec::new()),
        Err(error) => Err(what.closed(&name, &error, release)),
    }
}

/// The path of `file:/path`, `file:///path`, `file://localhost/path`
/// (`providers/implementations/storemgmt/file_store.c: file_open`).
pub(super) fn file_uri(name: &str) -> Option<&str> {
    let path = without_scheme(name)?;
    let local = path.strip_prefix("//").map(|rest| rest.strip_prefix("localhost").unwrap_or(rest));
    local.or(Some(path)).filter(|path| path.starts_with('/'))
}

pub(super) fn without_scheme(name: &str) -> Option<&str> {
    name.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("file:"))?;
    name.get(5..)
}

/// The system's words, if its error is the last one: it is not after one about a scheme, a path that must be absolute
/// (`crypto/store/store_lib.c: OSSL_STORE_open_ex`), or a file that is there.
fn reason(name: &str, why: &io::Error, release: Release) -> String {
    let is_last = match without_scheme(name) {
        // `providers/implementations/storemgmt/file_store.c: file_open` of 3.6
        Some(path) => {
            file_uri(name).is_some_and(|path| fs::metadata(path).is_err())
                || (release.since(3, 6) && !path.starts_with("//"))
        }
        None => !name.contains(':') && fs::metadata(name).is_err(),
    };
    let text = why.to_string();
    let words = text.split(" (os error ").next().unwrap_or_default();
    if is_last { format!(": {words}") } else { String::new() }
}
