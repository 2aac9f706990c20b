//! The keys and signature algorithms that a release of OpenSSL has.

use super::Release;
use crate::algorithm::algorithm_parts;
use crate::cert::Cert;
use crate::key::KeyAlgorithm;
use crate::key::decode::{Decoded, Kind};
use crate::signature::Scheme;

impl Release {
    /// The key of a certificate as it was decoded (`crypto/x509/x_pubkey.c: X509_get0_pubkey`); `None` if it cannot be.
    pub(super) fn key(self, cert: &Cert) -> Option<Decoded> {
        cert.decoded_key().filter(|key| self.has(key.kind) && !self.is_no_key(key.kind, cert))
    }

    /// The names of DSA signatures name no DSA keys since providers have signatures of these names
    /// (`providers/implementations/include/prov/names.h: PROV_NAMES_DSA_SHA1` of 3.5; `1.3.14.3.2.13` and
    /// `1.3.14.3.2.27` as the binary shows).
    fn is_no_key(self, kind: Kind, cert: &Cert) -> bool {
        let KeyAlgorithm::Other { oid } = cert.public_key().algorithm() else { return false };
        kind == Kind::Dsa && self.since(3, 5) && Scheme::of(oid.as_bytes()).is_some()
    }

    /// What an AlgorithmIdentifier names (`crypto/objects/obj_xref.c: OBJ_find_sigid_algs`); `None` if it does not know.
    pub(super) fn scheme(self, algorithm: &[u8]) -> Option<Scheme> {
        let (oid, _) = algorithm_parts(algorithm).ok()?;
        // `crypto/objects/obj_xref.txt` has ECDSA with SHA-3 in 3.5, and has not in 3.0.
        let is_new = |scheme: &Scheme| scheme.is_ecdsa_with_sha3() && !self.since(3, 5);
        Scheme::of(oid).filter(|scheme| self.has(scheme.kind) && !is_new(scheme))
    }

    /// Whether only later releases know an AlgorithmIdentifier.
    pub(super) fn lacks(self, algorithm: &[u8]) -> bool {
        self.scheme(algorithm).is_none() && Self::V3_5.scheme(algorithm).is_some()
    }

    /// ML-DSA (`crypto/ml_dsa`) and SLH-DSA (`crypto/slh_dsa`) are new in 3.5.
    const fn has(self, kind: Kind) -> bool {
        self.since(3, 5) || !matches!(kind, Kind::PostQuantum(_))
    }
}
