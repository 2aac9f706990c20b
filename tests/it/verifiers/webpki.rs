//! ztunnel's verifier next to the ones of rustls that ztunnel builds, over random PKIs.

use std::collections::BTreeSet;
use std::sync::Arc;

use meshpki::verify::Rejection;
use meshpki::verify::webpki::{self, Peer, Policy, Release, TrustStore};
use meshpki::{Cert, Crl, Time};
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tests::world;

/// ECDSA on P-521, which ring does not have: id-ecPublicKey and secp521r1.
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];

type Ids = BTreeSet<(Vec<u8>, Vec<u8>)>;

fn ids(all: &[&dyn SignatureVerificationAlgorithm]) -> Ids {
    let id = |one: &&dyn SignatureVerificationAlgorithm| {
        (one.public_key_alg_id().as_ref().to_vec(), one.signature_alg_id().as_ref().to_vec())
    };
    all.iter().map(id).collect()
}

#[test]
fn the_algorithms_of_rings_provider_are_in_every_release() {
    let rings = ids(ring::default_provider().signature_verification_algorithms.all);
    let mut ours = ids(&webpki::algorithms(Release::V1_28));
    ours.retain(|(key, _)| !key.ends_with(P521));
    assert_eq!(ours, rings);
    let older = ids(&webpki::algorithms(Release::V1_24));
    assert!(older.is_subset(&rings));
    assert_eq!((older.len(), ids(&webpki::algorithms(Release::V1_31)).len()), (11, 19));
}

/// A PKI as both are asked.
struct Question {
    leaf: Cert,
    sent: Vec<Cert>,
    roots: Vec<Cert>,
    crls: Vec<Crl>,
    at: Time,
}

impl Question {
    fn ours(&self, peer: Peer, release: Release) -> Result<(), Rejection> {
        let policy = Policy::new(self.at).with_peer(peer).with_release(release);
        let store = TrustStore::new(&self.roots, &self.crls);
        store.verify(&self.leaf, &self.sent, &policy).map(drop)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.roots.iter().map(CertificateDer::from));
        roots
    }

    fn sent(&self) -> Vec<CertificateDer<'static>> {
        self.sent.iter().map(CertificateDer::from).collect()
    }

    fn time(&self) -> UnixTime {
        let seconds = u64::try_from(self.at.0).expect("a time after 1970");
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    }

    /// `src/tls/certificate.rs: server_config`, and `src/tls/crl.rs: parse_crl_file` before it.
    fn client(&self, provider: &Arc<CryptoProvider>) -> Result<(), String> {
        let build = |crls: &[Crl]| {
            let roots = Arc::new(self.roots());
            let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
            let builder = match crls {
                [] => builder,
                crls => {
                    builder.with_crls(crls.iter().map(Into::into)).allow_unknown_revocation_status()
                }
            };
            builder.build()
        };
        let verifier = build(&self.crls).or_else(|_| build(&[])).map_err(|e| format!("{e:?}"))?;
        let leaf = CertificateDer::from(&self.leaf);
        let answer = verifier.verify_client_cert(&leaf, &self.sent(), self.time());
        answer.map(drop).map_err(|error| format!("{error:?}"))
    }

    /// `src/tls/workload.rs: IdentityVerifier::verify_server_cert` until 1.30.
    fn server(&self, provider: &CryptoProvider) -> Result<(), String> {
        let leaf = CertificateDer::from(&self.leaf);
        let answer = ParsedCertificate::try_from(&leaf).and_then(|leaf| {
            rustls::client::verify_server_cert_signed_by_trust_anchor(
                &leaf,
                &self.roots(),
                &self.sent(),
                self.time(),
                provider.signature_verification_algorithms.all,
            )
        });
        answer.map_err(|error| format!("{error:?}"))
    }
}

/// rustls' name of an error of webpki's (`rustls/src/webpki/mod.rs: pki_error`).
fn rustls_name(name: &str) -> &str {
    match name {
        "BadDer" | "BadDerTime" | "TrailingData" => "BadEncoding",
        "CertExpired" => "ExpiredContext",
        "CertNotValidYet" => "NotValidYetContext",
        "InvalidCertValidity" => "Expired",
        "CertRevoked" => "Revoked",
        "InvalidSignatureForPublicKey" | "InvalidCrlSignatureForPublicKey" => "BadSignature",
        "RequiredEkuNotFound" => "InvalidPurpose",
        "IssuerNotCrlSigner" => "IssuerInvalidForCrl",
        "UnsupportedCrlSignatureAlgorithm" => "UnsupportedSignatureAlgorithm",
        name => name,
    }
}

#[track_caller]
fn compare(name: &str, ours: Result<(), Rejection>, theirs: Result<(), String>) -> bool {
    match (ours, theirs) {
        (Ok(()), Ok(())) => true,
        (Err(ours), Err(theirs))
            if theirs.contains(rustls_name(&ours.text)) || theirs == "NoRootAnchors" =>
        {
            false
        }
        (ours, theirs) => panic!("{name}: ours {ours:?}, rustls {theirs:?}"),
    }
}

fn provider(release: Release) -> Arc<CryptoProvider> {
    let all = Vec::leak(webpki::algorithms(release));
    let signature_verification_algorithms = WebPkiSupportedAlgorithms { all, mapping: &[] };
    Arc::new(CryptoProvider { signature_verification_algorithms, ..ring::default_provider() })
}

#[test]
fn random_pkis_are_answered_as_rustls_answers() {
    let (newest, older) = (provider(Release::V1_31), provider(Release::V1_29));
    let (mut accepted, mut runs) = (0, 0);
    for seed in 0..300 {
        let pki = world::pki(seed);
        let Ok((leaf, sent, roots, crls)) = pki.read() else { continue };
        let question = Question { leaf, sent, roots, crls, at: pki.at };
        let ours = question.ours(Peer::Client, Release::V1_31);
        accepted += u32::from(compare(&pki.name, ours, question.client(&newest)));
        let ours = question.ours(Peer::Server, Release::V1_29);
        accepted += u32::from(compare(&pki.name, ours, question.server(&older)));
        runs += 2;
    }
    assert!(runs >= 500 && accepted >= 50, "{accepted} of {runs} were accepted");
}
