//! CA certificates for service meshes: make them, put chains together, verify them as `openssl verify` does.
//!
//! # Two clusters, from nothing to the files istiod reads
//!
//! A root, an intermediate per cluster, a workload under each, and the proof that east accepts west:
//!
//! ```
//! use meshpki::cacerts::Layout;
//! use meshpki::verify::{Anchor, Inputs, Policy, verify};
//! use meshpki::*;
//!
//! # fn main() -> Result<(), Error> {
//! let now = "2026-11-21T07:00:00Z".parse::<Time>().expect("a time");
//! let mut random = 0u8; // in real use: 20 bytes of the operating system's randomness, `soft::fill_random`
//! let mut stamp = || { random += 1; Stamp::made_at(now, Serial::from_random([random; 20])) };
//!
//! let root_key = SoftKey::generate(KeyType::EcdsaP256)?;
//! let subject = "O=Example, CN=Example Mesh Root CA".parse::<Name>().map_err(Error::Subject)?;
//! let root = self_signed(&Profile::root(subject), &root_key, stamp())?;
//!
//! let mut clusters = Vec::new();
//! for name in ["east", "west"] {
//!     let key = SoftKey::generate(KeyType::EcdsaP256)?;
//!     let subject = format!("O=Example, CN=Mesh CA {name}").parse::<Name>().map_err(Error::Subject)?;
//!     let issuer = Issuer { cert: &root, signer: &root_key };
//!     let ca = issue(&Profile::cluster(subject), key.public_key(), issuer, stamp())?;
//!     // A `CaCerts` exists only if its files agree as istiod wants them to.
//!     clusters.push(CaCerts::new(ca, key, vec![], vec![root.clone()], now)?);
//! }
//! let files = clusters[0].files(Layout::Istio);
//! assert_eq!(files.keys().copied().collect::<Vec<_>>(), ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"]);
//!
//! // What istiod of west does for a workload, and what Envoy in east does with it.
//! let west = &clusters[1];
//! let id = "cluster.local".parse::<TrustDomain>()?.workload("default", "reviews");
//! let key = SoftKey::generate(KeyType::EcdsaP256)?;
//! let issuer = Issuer { cert: west.ca(), signer: west.signer() };
//! let leaf = issue(&Profile::workload(&id), key.public_key(), issuer, stamp())?;
//! let east_trusts = [Anchor::new(clusters[0].roots()[0].clone())];
//! let inputs = Inputs { target: &leaf, untrusted: west.chain(), trusted: &east_trusts, crls: &[], store_crls: &[] };
//! let verdict = verify(&inputs, &Policy::like_openssl(now));
//! assert!(verdict.is_ok());
//! assert_eq!(verdict.chain.len(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! # Where things are
//!
//! | job | start at |
//! |---|---|
//! | issue certificates, sign CSRs | [`Profile`], [`issue()`], [`self_signed`], [`Csr`] |
//! | keys in memory, in a token, in a cloud | [`SoftKey`], [`Signer`] |
//! | the files of Istio's `cacerts` secret | [`CaCerts`] |
//! | what an istiod does with such a secret, by its version | [`istiod::starts`], [`istiod::changes`], [`istiod::check()`] |
//! | certificates in any order into a chain | [`chain::assemble`] |
//! | which clusters accept which trust domains | [`federation::trust_settings`] |
//! | is this certificate good | [`verify::verify`] |
//! | cfssl's JSON files | [`cfssl`] |
//!
//! # Rules of this crate
//!
//! It is `no_std`: values in, values out. No function reads a clock, a file, a socket or the environment;
//! time, serial numbers and signers are arguments. A certificate that does not verify is data
//! ([`verify::Verdict`]), work that cannot be done is an [`Error`] with a code.
//!
//! # Features
//!
//! - `soft-keys` (default): private keys in memory, [`CaCerts`], which holds one, [`istiod`], which reads one, and [`federation`].
//! - `aws-lc` (default): RSA key generation, P-521, ECDSA with SHA-512, a faster P-384. Without it ring does the rest.

#![no_std]

extern crate alloc;

mod algorithm;
#[cfg(feature = "soft-keys")]
pub mod cacerts;
mod cert;
pub mod cfssl;
pub mod chain;
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
mod profile;
mod signature;
#[cfg(feature = "soft-keys")]
mod soft;
mod spiffe;
mod time;
pub mod verify;
#[cfg(feature = "soft-keys")]
mod version;
pub mod x509;

#[cfg(feature = "soft-keys")]
pub use cacerts::CaCerts;
pub use cert::Cert;
pub use crl::Crl;
pub use csr::Csr;
pub use der::DerError;
pub use error::{Error, KeyProblem};
pub use issue::{Issuer, Serial, Stamp, issue, self_signed};
pub use key::{KeyAlgorithm, KeyFlaw, PublicKey, SignError, Signer};
pub use name::{Name, NameError};
pub use oid::{Oid, OidError};
pub use pem::{PemError, PemProblem};
pub use profile::{Profile, Role};
pub use signature::SignatureCheck;
#[cfg(feature = "soft-keys")]
pub use soft::{KeyType, KeyTypeError, SoftKey};
pub use spiffe::{SpiffeId, SpiffeIdError, TrustDomain, TrustDomainError};
pub use time::{Time, TimeError};
