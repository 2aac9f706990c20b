//! The trust store of the system: a file, hashed directories, a directory read as a store.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use meshpki::internals::digest;
use meshpki::verify::{Anchor, Arrival, Lookups, Release};
use meshpki::{Cert, Name};

use super::load::{self, Found};
use super::open::{file_uri, without_scheme};
use super::release;

/// The trust store of a run: what was loaded, and where more may be found by name.
pub(super) struct Store {
    release: Release,
    /// Certificates and CRLs loaded so far.
    pub(super) found: Found,
    /// Directories whose entries are named after the hash of a subject
    /// (`crypto/x509/by_dir.c`).
    hashed: Vec<String>,
    /// A directory opened as `OSSL_STORE` (`crypto/x509/by_store.c`).
    listed: Option<PathBuf>,
    /// A file opened as such, until it has been read.
    file: Option<PathBuf>,
    /// Names whose certificates were looked for, and names whose CRLs were.
    asked: [BTreeSet<Vec<u8>>; 2],
    /// Subjects of the certificates loaded, and issuers of the CRLs.
    known: [BTreeSet<Vec<u8>>; 2],
    /// What a look-up of CRLs reads and only the next verification can find, by the name's canonical form.
    pending: BTreeMap<Vec<u8>, Found>,
    /// What was loaded, byte for byte.
    loaded: HashSet<Vec<u8>>,
}

/// Between folders in a list (`include/internal/e_os.h: LIST_SEPARATOR_CHAR`).
const LIST_SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

/// The default folder of the system's OpenSSL.
fn default_dir() -> String {
    format!("{}/certs", release::folder())
}

impl Store {
    /// An empty one, which reads as a release does.
    pub(super) fn new(release: Release) -> Self {
        Self {
            release,
            found: Found::default(),
            hashed: Vec::new(),
            listed: None,
            file: None,
            asked: Default::default(),
            known: Default::default(),
            pending: BTreeMap::new(),
            loaded: HashSet::new(),
        }
    }

    /// The default file; one that cannot be read counts as empty (`apps/lib/apps.c: setup_verify`).
    pub(super) fn add_default_file(&mut self, env: &dyn Fn(&str) -> Option<String>) {
        let file =
            env("SSL_CERT_FILE").unwrap_or_else(|| format!("{}/cert.pem", release::folder()));
        if let Some(found) =
            fs::read(file).ok().and_then(|bytes| load::strict(&bytes, self.release))
        {
            self.add(found);
        }
    }

    /// The default directories, to be asked by name.
    pub(super) fn ask_default_dirs(&mut self, env: &dyn Fn(&str) -> Option<String>) {
        let dirs = env("SSL_CERT_DIR").unwrap_or_else(default_dir);
        self.ask_dirs(&dirs);
    }

    /// `-CApath`: folders between colons, on Windows between semicolons (`crypto/x509/by_dir.c: add_cert_dir`); whether
    /// there is a list.
    pub(super) fn ask_dirs(&mut self, dirs: &str) -> bool {
        for dir in dirs.split(LIST_SEPARATOR).filter(|dir| !dir.is_empty()) {
            if !self.hashed.iter().any(|known| known == dir) {
                self.hashed.push(dir.to_owned());
            }
        }
        !dirs.is_empty()
    }

    /// The default store: the same variable, taken for one place.
    pub(super) fn ask_default_store(&mut self, env: &dyn Fn(&str) -> Option<String>) {
        // `crypto/x509/by_store.c: by_store_ctrl_ex` of 3.5 has no default.
        if self.release.since(3, 5) {
            return;
        }
        let dir = env("SSL_CERT_DIR").unwrap_or_else(default_dir);
        self.ask_store(&dir);
    }

    /// `-CAstore`: a folder or a file, by path or by URI; whether it can be opened.
    pub(super) fn ask_store(&mut self, uri: &str) -> bool {
        let Some(path) = store_path(uri, self.release) else { return false };
        if path.is_dir() {
            let readable = fs::read_dir(&path).is_ok();
            self.listed = Some(path);
            return readable;
        }
        let readable = fs::File::open(&path).is_ok();
        self.file = Some(path);
        readable
    }

    /// Adds what is not there yet (`crypto/x509/x509_lu.c: x509_store_add`).
    pub(super) fn add(&mut self, found: Found) {
        for anchor in found.certs {
            if self.loaded.insert(anchor.cert.as_der().to_vec()) {
                self.known[0].insert(anchor.cert.subject().canonical().to_vec());
                self.found.certs.push(anchor);
            }
        }
        for crl in found.crls {
            if self.loaded.insert(crl.as_der().to_vec()) {
                self.known[1].insert(crl.issuer().canonical().to_vec());
                self.found.crls.push(crl);
            }
        }
    }

    /// Loads from the directories what a verification of `target` can ask them for.
    ///
    /// OpenSSL asks a directory for a name only while the store holds no certificate of it, and every
    /// name it asks for is the issuer of a certificate that can be in the chain, or the target's own.
    pub(super) fn load_for(&mut self, target: &Cert, untrusted: &[Cert], want: &Want) {
        self.load_file();
        if self.hashed.is_empty() && self.listed.is_none() {
            return;
        }
        let mut names = vec![target.issuer().clone()];
        if want.own_name {
            names.push(target.subject().clone());
        }
        if want.crl_issuers {
            names.extend(untrusted.iter().map(|cert| cert.issuer().clone()));
        }
        let mut seen = BTreeSet::new();
        let mut issuers: BTreeMap<Vec<u8>, Vec<Name>> = BTreeMap::new();
        let mut index = |cert: &Cert| {
            let named = issuers.entry(cert.subject().canonical().to_vec()).or_default();
            named.push(cert.issuer().clone());
        };
        untrusted.iter().for_each(&mut index);
        self.found.certs.iter().for_each(|anchor| index(&anchor.cert));
        while let Some(name) = names.pop() {
            if !seen.insert(name.canonical().to_vec()) {
                continue;
            }
            let before = self.found.certs.len();
            self.load_certs(&name);
            if want.crls {
                self.load_crls(&name);
            }
            if self.found.certs.len() > before {
                let named = self.found.certs.iter().filter(|a| *a.cert.subject() == name);
                let all = issuers.entry(name.canonical().to_vec()).or_default();
                all.extend(named.map(|anchor| anchor.cert.issuer().clone()));
            }
            names.extend(issuers.remove(name.canonical()).unwrap_or_default());
        }
    }

    /// The file is read at once, and its certificates come with the first look-up that needs it.
    fn load_file(&mut self) {
        let Some(bytes) = self.file.take().and_then(|file| fs::read(file).ok()) else { return };
        let (mut found, complete) = load::stored(&bytes, self.release);
        // Of their names, folders are asked first: they are not known yet.
        found.certs.retain(|anchor| !self.loaded.contains(anchor.cert.as_der()));
        for mut anchor in std::mem::take(&mut found.certs) {
            anchor.arrival = Arrival::Miss { complete };
            self.found.certs.push(anchor);
        }
        self.add(found);
    }

    /// Adds certificates from a hashed folder. What is in a file that is read later comes after them.
    fn add_from_folder(&mut self, certs: Vec<Anchor>) {
        let is_late = |anchor: &Anchor| matches!(anchor.arrival, Arrival::Miss { .. });
        let place = self.found.certs.iter().position(is_late).unwrap_or(self.found.certs.len());
        let late = self.found.certs.split_off(place);
        self.add(Found { certs, crls: Vec::new() });
        for anchor in &mut self.found.certs[place..] {
            if late.iter().any(|other| other.cert.subject() == anchor.cert.subject()) {
                anchor.arrival = Arrival::Folder;
            }
        }
        self.found.certs.extend(late);
    }

    fn load_certs(&mut self, name: &Name) {
        let known = |store: &Self| store.known[0].contains(name.canonical());
        if known(self) || !self.asked[0].insert(name.canonical().to_vec()) {
            return;
        }
        for dir in self.hashed.clone() {
            for bytes in numbered(&dir, name, "") {
                self.add_from_folder(load::strict_certs(&bytes, self.release));
            }
            if known(self) {
                return;
            }
        }
        let (mut found, complete) = self.listed(name);
        for anchor in &mut found.certs {
            anchor.arrival = if complete { Arrival::Start } else { Arrival::SecondLookup };
        }
        self.add(found);
    }

    /// What a verification has looked for is there for the next one, whether the look-up went through or not.
    pub(super) fn keep(&mut self, lookups: &Lookups) {
        for name in &lookups.crls {
            if let Some(found) = self.pending.remove(name.canonical()) {
                self.here(|cert| found.certs.iter().any(|anchor| anchor.cert == *cert));
                self.add(found);
            }
        }
        self.here(|cert| lookups.certs.contains(cert.subject()));
        for anchor in &mut self.found.certs {
            let has_come = match anchor.arrival {
                Arrival::Miss { .. } => lookups.missed,
                Arrival::Folder => lookups.from_folders.contains(anchor.cert.subject()),
                Arrival::Start | Arrival::SecondLookup => false,
            };
            if has_come {
                anchor.arrival = Arrival::Start;
            }
        }
    }

    /// The late anchors that fit are no longer late.
    fn here(&mut self, fits: impl Fn(&Cert) -> bool) {
        for anchor in &mut self.found.certs {
            if anchor.arrival == Arrival::SecondLookup && fits(&anchor.cert) {
                anchor.arrival = Arrival::Start;
            }
        }
    }

    /// `by_store.c: cache_objects`: every object of the name, CRLs too, and whether the look-up went through; one file
    /// without any fails it, and what was read before it is in the store for the next.
    fn listed(&self, name: &Name) -> (Found, bool) {
        let mut all = Found::default();
        for bytes in self.listed.iter().flat_map(|dir| listed(dir, name)) {
            let (found, complete) = load::stored(&bytes, self.release);
            all.certs.extend(found.certs);
            all.crls.extend(found.crls);
            if !complete {
                return (all, false);
            }
        }
        (all, true)
    }

    /// CRLs are asked for once the chain is built: certificates that come with them are too late for it, and a look-up
    /// that fails finds none, though some have been read.
    fn load_crls(&mut self, name: &Name) {
        if !self.asked[1].insert(name.canonical().to_vec()) {
            return;
        }
        for dir in self.hashed.clone() {
            for bytes in numbered(&dir, name, "r") {
                let crls = load::strict_crls(&bytes, self.release);
                self.add(Found { certs: Vec::new(), crls });
            }
        }
        if !self.known[1].contains(name.canonical()) {
            let (mut found, complete) = self.listed(name);
            if complete {
                let crls = std::mem::take(&mut found.crls);
                self.add(Found { certs: Vec::new(), crls });
            }
            self.pending.insert(name.canonical().to_vec(), found);
        }
    }
}

/// What a verification may ask the store for besides issuers.
pub(super) struct Want {
    /// The target itself (`-partial_chain`).
    pub(super) own_name: bool,
    /// CRLs.
    pub(super) crls: bool,
    /// The chains of CRL issuers, which are among the untrusted certificates.
    pub(super) crl_issuers: bool,
}

/// The path that a URI of a store names (`providers/implementations/storemgmt/file_store.c: file_open`,
/// `crypto/store/store_lib.c: OSSL_STORE_open_ex`); `None` for one that is not there, or for another scheme.
fn store_path(uri: &str, release: Release) -> Option<PathBuf> {
    let there = |path: &str| fs::metadata(path).is_ok().then(|| PathBuf::from(path));
    let Some(path) = without_scheme(uri) else {
        let (_, after) = uri.split_once(':').unwrap_or_default();
        return if after.starts_with("//") { None } else { there(uri) };
    };
    if path.starts_with("//") {
        return file_uri(uri).and_then(there);
    }
    // `providers/implementations/storemgmt/file_store.c: file_open` of 3.6 takes relative paths.
    let relative = release.since(3, 6).then_some(path);
    there(uri).or_else(|| file_uri(uri).or(relative).and_then(there))
}

/// `X509_NAME_hash`: the first four bytes of the canonical name's SHA-1, little end first.
fn hash(name: &Name) -> String {
    let digest = digest::sha1(name.canonical());
    digest.iter().take(4).rev().map(|byte| format!("{byte:02x}")).collect()
}

/// Contents of `<hash>.<kind>0`, `<hash>.<kind>1`, ... up to the first that is missing. One that cannot be read, a link
/// to nowhere for instance, is as good as empty (`crypto/x509/by_dir.c: get_cert_by_subject_ex`).
fn numbered<'a>(dir: &'a str, name: &Name, kind: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
    let hash = hash(name);
    let paths = (0u32..).map(move |n| Path::new(dir).join(format!("{hash}.{kind}{n}")));
    let there = paths.take_while(|path| fs::symlink_metadata(path).is_ok());
    there.map(|path| fs::read(path).unwrap_or_default())
}

/// Contents of every entry `<hash>.<digits>` or `<hash>.r<digits>`, in the directory's own order
/// (`providers/implementations/storemgmt/file_store.c: file_name_check`).
fn listed(dir: &Path, name: &Name) -> Vec<Vec<u8>> {
    let start = format!("{}.", hash(name));
    let wanted = |file: &str| {
        let matches = file.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(&start));
        let number = file.get(start.len()..).unwrap_or_default();
        let number = number.strip_prefix('r').unwrap_or(number);
        matches && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.file_name().to_str().is_some_and(wanted));
    files.filter_map(|entry| fs::read(entry.path()).ok()).collect()
}
