//! The files of `trust serve`: read, checked one by one, and checked together.

use std::path::{Path, PathBuf};

use meshapply::endpoint::ServerIdentity;
use meshpki::cacerts::{self, check_trust};
use meshpki::internals::digest;
use meshpki::spiffe::{Bundle, svid};
use meshpki::{Cert, Error, Signer, SoftKey, SpiffeId, Time};
use zeroize::Zeroizing;

use super::super::accept::{check_roots, check_update, empty};
use crate::args::trust::{Profile, Serve as Args};
use crate::authority::passphrase::warn_shared_key;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text::{safe, word};

/// What the content of files is known by: a digest.
pub(super) type Id = [u8; 32];

/// A bundle as it is served.
pub(super) struct Document {
    /// The file as it is.
    pub(super) bytes: Vec<u8>,
    /// What it says.
    pub(super) bundle: Bundle,
    /// The digest of the file.
    pub(super) id: Id,
}

/// The certificate of the server with its chain and key.
pub(super) struct Pair {
    /// Its own certificate first.
    pub(super) chain: Vec<Cert>,
    /// What TLS uses.
    pub(super) identity: ServerIdentity,
    /// Its SPIFFE ID, if it is an X509-SVID for `https_spiffe`.
    id: Option<SpiffeId>,
    /// Its SPIFFE ID or its subject.
    pub(super) name: String,
    /// The digest of both files.
    pub(super) files: Id,
}

/// What is served.
pub(super) struct Served {
    /// The bundle.
    pub(super) document: Document,
    /// The certificate.
    pub(super) pair: Pair,
}

/// Both files, for the first time.
///
/// # Errors
/// `ctl/io`, `ctl/bundle-empty`, `endpoint/key`, `pki/...`.
pub(super) fn first(args: &Args, now: Time, io: &mut Io<'_>) -> Result<Served, Failure> {
    let files = Files::read(&Paths::of(args));
    let document = document(args, files.bundle?.to_vec(), None, io)?;
    warn_shared_key(&args.tls_key, io);
    let pair = pair(args, &files.pair?)?;
    check_together(args, &document, &pair, now)?;
    if args.profile == Profile::Spiffe && !is_own(args, &pair) {
        io.say(format_args!(
            "note: the server is {}, of another trust domain, whose roots clients need",
            safe(&pair.name)
        ));
    }
    Ok(Served { document, pair })
}

/// Where the files are.
pub(super) struct Paths {
    bundle: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

impl Paths {
    /// Those that were typed.
    pub(super) fn of(args: &Args) -> Self {
        Self { bundle: args.file.clone(), cert: args.tls_cert.clone(), key: args.tls_key.clone() }
    }
}

/// The content of the files, or why they cannot be read.
pub(super) struct Files {
    /// The bundle.
    pub(super) bundle: Result<Zeroizing<Vec<u8>>, Failure>,
    /// The certificate and the key.
    pub(super) pair: Result<PairFiles, Failure>,
}

/// The certificate and the key, as they are in their files.
pub(super) struct PairFiles {
    cert: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    /// The digest of both.
    id: Id,
}

impl Files {
    /// Reads them.
    pub(super) fn read(paths: &Paths) -> Self {
        let pair = file(&paths.cert).and_then(|cert| {
            let key = file(&paths.key)?;
            let digests = [digest::sha256(&cert), digest::sha256(&key)].concat();
            Ok(PairFiles { cert, key, id: digest::sha256(&digests) })
        });
        Self { bundle: file(&paths.bundle), pair }
    }

    /// The digests of the bundle and of the pair; a failure to read is content, too.
    pub(super) fn ids(&self) -> [Id; 2] {
        let failure = |failure: &Failure| digest::sha256(failure.text().as_bytes());
        [
            self.bundle.as_ref().map_or_else(failure, |bytes| digest::sha256(bytes)),
            self.pair.as_ref().map_or_else(failure, |files| files.id),
        ]
    }
}

/// A file that can be read again: neither a pipe nor a device.
fn file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    files::read_optional(path)?.ok_or_else(|| {
        let message = format!("cannot read `{}`", path.display());
        Failure::new("ctl/io", message).because("there is no such file")
    })
}

/// The bundle in the content of its file, which may take the place of `before`.
///
/// # Errors
/// `pki/bundle`, `pki/too-many`, `pki/forgeable-key`, `ctl/bundle-empty`, `ctl/bundle-older`, `ctl/bundle-changed`.
pub(super) fn document(
    args: &Args,
    bytes: Vec<u8>,
    before: Option<&Bundle>,
    io: &mut Io<'_>,
) -> Result<Document, Failure> {
    let path = &args.file;
    let read = Bundle::from_json(args.trust_domain.clone(), &bytes);
    let (bundle, ignored) = read.map_err(|error| {
        Failure::from(error).in_file(path).hint(
            "`meshctl trust bundle export CA-DIR --trust-domain DOMAIN --out FILE` writes a bundle",
        )
    })?;
    if bundle.roots().is_empty() && !args.allow_empty {
        let failure = empty(&bundle, &ignored).in_file(path).exit(Exit::Failed);
        return Err(failure.hint(format!(
            "`meshctl trust bundle show {}` shows what is in it; `--allow-empty` serves it",
            word(path)
        )));
    }
    let from = path.display().to_string();
    check_roots(&bundle, &from, io)?;
    check_update(&bundle, before, false, &from, None).map_err(|failure| {
        failure.hint("write it with `meshctl trust bundle export`, which chooses the next number; or restart this command")
    })?;
    for ignored in &ignored {
        let ignored = safe(&ignored.to_string());
        io.say(format_args!("note: some clients refuse a bundle with this: {ignored}"));
    }
    let id = digest::sha256(&bytes);
    Ok(Document { bytes, bundle, id })
}

/// The certificate and the key, which belong together; for `https_spiffe` an X509-SVID.
///
/// # Errors
/// `pki/...`, `endpoint/key`.
pub(super) fn pair(args: &Args, files: &PairFiles) -> Result<Pair, Failure> {
    let at_cert = |error: Error| Failure::from(error).in_file(&args.tls_cert);
    let name = args.tls_cert.file_name().unwrap_or_default().to_string_lossy();
    let chain = cacerts::certs(&name, &files.cert).map_err(at_cert)?;
    let Some(leaf) = chain.first() else {
        return Err(at_cert(Error::NoCertificate { what: name.into_owned() }));
    };
    let key = SoftKey::from_pem(&files.key, None)
        .map_err(|error| Failure::from(error).in_file(&args.tls_key))?;
    if key.public_key() != leaf.public_key() {
        return Err(at_cert(Error::KeyMismatch {
            subject: leaf.subject().label(),
            certificate: leaf.public_key().fingerprint(),
            private: key.public_key().fingerprint(),
        })
        .in_file(&args.tls_key));
    }
    let id = match args.profile {
        Profile::Web => None,
        Profile::Spiffe => Some(svid::check_leaf(leaf).map_err(|problem| {
            let subject = leaf.subject().label();
            at_cert(Error::Svid { subject, problem })
                .hint("`--profile https_web` serves with a certificate for the host name")
        })?),
    };
    let name = id.as_ref().map_or_else(|| leaf.subject().label(), ToString::to_string);
    let identity = ServerIdentity::new(&chain, &key)
        .map_err(|error| Failure::from(error).in_file(&args.tls_key))?;
    Ok(Pair { chain, identity, id, name, files: files.id })
}

/// Whether the server is one of the trust domain whose bundle it serves.
fn is_own(args: &Args, pair: &Pair) -> bool {
    pair.id.as_ref().is_some_and(|id| *id.trust_domain() == args.trust_domain)
}

/// Refuses a certificate that clients could not verify with the bundle they get.
///
/// # Errors
/// `pki/untrusted`.
pub(super) fn check_together(
    args: &Args,
    document: &Document,
    pair: &Pair,
    now: Time,
) -> Result<(), Failure> {
    if !is_own(args, pair) {
        return Ok(());
    }
    let Some((leaf, above)) = pair.chain.split_first() else { return Ok(()) };
    check_trust(leaf, above, document.bundle.roots(), now).map_err(|error| {
        Failure::from(error).in_file(&args.tls_cert).in_file(&args.file).hint(format!(
            "`meshctl ca verify --explain -CAfile ROOTS.pem {}` shows why; `meshctl trust bundle import` writes ROOTS.pem",
            word(&args.tls_cert)
        ))
    })
}
