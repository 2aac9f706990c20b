//! What a server publishes: the document and the certificate of the moment, each replaced without a pause.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use hyper::body::Bytes;
use meshpki::spiffe::Bundle;
use meshpki::{Cert, SoftKey, Time};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use zeroize::Zeroize;

use super::error::Error;
use super::metrics::Counters;

/// A certificate with its chain and key, as TLS uses them. It has no `Debug`.
#[derive(Clone)]
pub struct ServerIdentity {
    key: Arc<CertifiedKey>,
    /// When the server's own certificate expires; `None` if its date cannot be read.
    until: Option<Time>,
}

impl ServerIdentity {
    /// The identity of a server: its certificate first, then those above it. Whether the key belongs to the certificate
    /// is for the caller to check.
    ///
    /// # Errors
    /// `endpoint/key` if there is no certificate, or TLS cannot sign with such a key.
    pub fn new(chain: &[Cert], key: &SoftKey) -> Result<Self, Error> {
        let Some(leaf) = chain.first() else {
            return Err(Error::Key { why: "there is no certificate".to_owned() });
        };
        let mut der = PrivateKeyDer::from(key);
        let signing = any_supported_type(&der);
        der.zeroize();
        let signing = signing.map_err(|error| Error::Key { why: error.to_string() })?;
        let chain = chain.iter().map(CertificateDer::from).collect();
        let key = Arc::new(CertifiedKey::new(chain, signing));
        Ok(Self { key, until: leaf.not_after().time() })
    }
}

/// What a server publishes when it starts.
#[derive(Clone)]
#[non_exhaustive]
pub struct Content {
    /// The document, sent as it is.
    pub document: Vec<u8>,
    /// The bundle that the document is.
    pub bundle: Bundle,
    /// What the server shows of itself.
    pub identity: ServerIdentity,
    /// The only path that is served; `None` for all.
    pub path: Option<String>,
}

impl Content {
    /// A document, the bundle that it is, and the identity of the server; on every path.
    #[must_use]
    pub const fn new(document: Vec<u8>, bundle: Bundle, identity: ServerIdentity) -> Self {
        Self { document, bundle, identity, path: None }
    }

    /// The same on one path only.
    #[must_use]
    pub fn with_path(self, path: Option<String>) -> Self {
        Self { path, ..self }
    }
}

/// A file that is looked at again while a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReloadedFile {
    /// The bundle.
    Bundle,
    /// The certificate, or its key.
    Certificate,
}

/// What a running server publishes at the moment.
pub struct Published {
    document: RwLock<(Bytes, Bundle)>,
    identity: RwLock<ServerIdentity>,
    pub(super) path: Option<String>,
    pub(super) counters: Counters,
}

impl Published {
    /// The content of a server that starts at `now`.
    pub(super) fn new(content: Content, now: Time) -> Self {
        Self {
            document: RwLock::new((Bytes::from(content.document), content.bundle)),
            identity: RwLock::new(content.identity),
            path: content.path,
            counters: Counters::new(now),
        }
    }

    /// Publishes another document from now on.
    pub fn replace_bundle(&self, document: Vec<u8>, bundle: Bundle, now: Time) {
        *write(&self.document) = (Bytes::from(document), bundle);
        self.counters.reloaded(ReloadedFile::Bundle, now);
    }

    /// Shows another certificate in every handshake from now on; connections that are open stay open.
    pub fn replace_identity(&self, identity: ServerIdentity, now: Time) {
        *write(&self.identity) = identity;
        self.counters.reloaded(ReloadedFile::Certificate, now);
    }

    /// Counts new content of a file that was not taken over.
    pub fn reload_failed(&self, file: ReloadedFile) {
        self.counters.reload_failed(file);
    }

    /// Records that a file has the content again that is published.
    pub fn reload_recovered(&self, file: ReloadedFile) {
        self.counters.reload_recovered(file);
    }

    /// The document.
    pub(super) fn document(&self) -> Bytes {
        read(&self.document).0.clone()
    }

    /// What is published, as metrics.
    pub(super) fn metrics(&self) -> String {
        let bundle = read(&self.document).1.clone();
        let until = read(&self.identity).until;
        self.counters.text(&bundle, until)
    }
}

impl fmt::Debug for Published {
    /// Its name, and nothing of its key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Published {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&read(&self.identity).key))
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
