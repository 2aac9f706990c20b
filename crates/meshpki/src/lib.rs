//! CA certificates for service meshes: make them, put chains together, verify them as `openssl verify` does.
//!
//! # Two clusters, from nothing to the files istiod reads
//!
//! A root, an intermediate per cluster, a workload under each, and the proof that east accepts west:
//!
//! ```
//! # #[cfg(feature = "soft-keys")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use meshpki::cacerts::Layout;
//! use meshpki::verify::{Policy, verify_chain};
//! use meshpki::*;
//!
//! let now: Time = "2026-11-21T07:00:00Z".parse()?;
//! let stamp = || Stamp::made_at(now, Serial::generate());
//!
//! let root_key = SoftKey::generate(KeyType::EcdsaP256)?;
//! let profile = Profile::root("O=Example, CN=Example Mesh Root CA".parse()?);
//! let root = self_signed(&profile, &root_key, stamp())?;
//!
//! let mut clusters = Vec::new();
//! for name in ["east", "west"] {
//!     let key = SoftKey::generate(KeyType::EcdsaP256)?;
//!     let profile = Profile::cluster(format!("O=Example, CN=Mesh CA {name}").parse()?);
//!     let issuer = Issuer { cert: &root, signer: &root_key };
//!     let ca = issue(&profile, key.public_key(), issuer, stamp())?;
//!     // A `CaCerts` exists only if its files agree as istiod wants them to.
//!     clusters.push(CaCerts::new(ca, key, vec![], vec![root.clone()], now)?);
//! }
//! let files = clusters[0].files(Layout::Istio);
//! assert_eq!(files.keys().copied().collect::<Vec<_>>(), ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"]);
//!
//! // What istiod of west does for a workload, and what Envoy in east does with it.
//! let (east, west) = (&clusters[0], &clusters[1]);
//! let id = "cluster.local".parse::<TrustDomain>()?.workload("default", "reviews")?;
//! let key = SoftKey::generate(KeyType::EcdsaP256)?;
//! let issuer = Issuer { cert: west.ca(), signer: west.signer() };
//! let leaf = issue(&Profile::workload(&id), key.public_key(), issuer, stamp())?;
//! let verdict = verify_chain(&leaf, west.chain(), east.roots(), &Policy::like_openssl(now));
//! assert!(verdict.is_ok());
//! assert_eq!(verdict.chain.len(), 3);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "soft-keys"))]
//! # fn main() {}
//! ```
//!
//! # Where things are
//!
//! | job | start at |
//! |---|---|
//! | issue certificates, sign CSRs | [`Profile`], [`issue()`], [`self_signed`], [`Csr`] |
//! | revoke certificates: CRLs | [`RevocationList`], [`issue_crl`], [`Crl`] |
//! | keys in memory, in a token, in a cloud | `SoftKey`, [`Signer`] |
//! | what is inside a certificate | [`Cert`], [`x509`] |
//! | the files of Istio's `cacerts` secret | `CaCerts`, `cacerts` |
//! | what an istiod does with such a secret, by its version | `istiod::starts`, `istiod::changes`, `istiod::check` |
//! | certificates in any order into a chain | [`chain::assemble`] |
//! | which clusters accept which trust domains | `federation::trust_settings` |
//! | from one root to another, without an outage | `rotation::RotationPlanner` |
//! | bundles of trust domains, X.509-SVIDs | [`spiffe::Bundle`], [`spiffe::svid`] |
//! | is this certificate good | [`verify::verify`], [`verify::verify_chain`] |
//! | cfssl's JSON files | [`cfssl`] |
//!
//! # Rules of this crate
//!
//! It is `no_std`: values in, values out. No function reads a clock, a file, a socket or the environment;
//! time, serial numbers and signers are arguments. The only things taken from the operating system are random
//! bytes, by the functions whose names say `generate`, and the salt of an encrypted key. A certificate that does
//! not verify is data ([`verify::Verdict`]), work that cannot be done is an [`Error`] with a code.
//!
//! Structs and enums that may grow are `#[non_exhaustive]`: begin with a constructor and set fields, or chain the
//! methods whose names begin with `with_`. Every conversion from text is a [`FromStr`](core::str::FromStr) with an
//! error type of its own.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `ring` | yes | signatures checked with ring: RSA, ECDSA on P-256 and P-384, Ed25519 |
//! | `soft-keys` | yes | private keys in memory, `CaCerts`, which holds one, `istiod`, which reads one, `federation` and `rotation`; needs `ring` |
//! | `aws-lc` | yes | RSA key generation, P-521, ECDSA with SHA-512, a faster P-384 |
//! | `cfssl` | yes | cfssl's JSON files |
//! | `spiffe` | yes | SPIFFE bundles and bundle maps read from JSON |
//! | `legacy-algorithms` | no | in pure Rust, everything else `openssl verify` decides: other curves, RSA sizes, salts and digests, DSA, Ed448 |
//! | `pki-types` | no | conversions to and from the types of `rustls-pki-types` |
//! | `rustls` | no | `tls`: verifiers for clients and servers of a mesh; needs `pki-types` |
//! | `webpki` | no | [`verify::webpki`]: ztunnel as a verifier, by the crate `rustls-webpki` and the algorithms of `aws-lc` or `ring` |
//! | `rcgen` | no | `SoftKey` is an `rcgen::SigningKey`, and `CaCerts` gives an `rcgen::Issuer`; needs `soft-keys` |
//!
//! Only with `legacy-algorithms` does `verify` decide every signature that `openssl verify` decides; what it cannot decide
//! is [`SignatureCheck::Undecided`], never a bad signature.
//!
//! # Without an operating system
//!
//! With no features but `legacy-algorithms` and `spiffe`, the crate needs `alloc` and nothing else, and no C compiler: it
//! reads certificates, CSRs, CRLs and SPIFFE bundles, issues with any [`Signer`], assembles chains and verifies. Ed25519
//! signatures are then undecided. CI builds it for `thumbv7em-none-eabi`. Without any feature no signature at all is decided.

#![no_std]

extern crate alloc;

mod algorithm;
#[cfg(feature = "soft-keys")]
pub mod cacerts;
mod cert;
#[cfg(feature = "cfssl")]
pub mod cfssl;
pub mod chain;
#[cfg(feature = "soft-keys")]
mod contents;
mod crl;
mod csr;
mod der;
mod digest;
mod error;
#[cfg(feature = "soft-keys")]
pub mod federation;
pub mod internals;
mod issue;
#[cfg(feature = "soft-keys")]
pub mod istiod;
mod key;
mod name;
mod oid;
mod pem;
mod pkcs7;
mod profile;
mod revocation;
#[cfg(feature = "soft-keys")]
pub mod rotation;
mod signature;
#[cfg(feature = "soft-keys")]
mod soft;
pub mod spiffe;
mod time;
#[cfg(feature = "rustls")]
pub mod tls;
pub mod verify;
#[cfg(feature = "soft-keys")]
mod version;
#[cfg(feature = "pki-types")]
mod with_pki_types;
#[cfg(feature = "rcgen")]
mod with_rcgen;
pub mod x509;

#[cfg(feature = "soft-keys")]
pub use cacerts::CaCerts;
pub use cert::Cert;
pub use crl::Crl;
pub use csr::Csr;
pub use der::DerError;
pub use error::{Error, KeyProblem};
pub use issue::{CrlStamp, Issuer, Serial, Stamp, issue, issue_crl, self_signed};
pub use key::{KeyAlgorithm, KeyFlaw, PublicKey, SignError, Signer};
pub use name::{Name, NameError, NameForm};
pub use oid::{Oid, OidError};
pub use pem::{PemError, PemProblem};
pub use profile::{Profile, Role};
pub use revocation::{
    Revocation, RevocationList, RevocationListError, RevocationListProblem, RevocationReason,
    RevocationReasonError,
};
pub use signature::SignatureCheck;
#[cfg(feature = "soft-keys")]
pub use soft::{KeyType, KeyTypeError, SoftKey};
pub use spiffe::id::{SpiffeId, SpiffeIdError, TrustDomain, TrustDomainError};
pub use time::{Time, TimeError};
