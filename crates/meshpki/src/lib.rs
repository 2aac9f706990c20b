#![no_std]
#![doc = "placeholder"]

extern crate alloc;

#[cfg(feature = "soft-keys")]
pub mod cacerts;
pub mod cert;
pub mod cfssl;
pub mod chain;
pub mod crl;
pub mod csr;
pub mod der;
pub mod digest;
pub mod error;
pub mod issue;
pub mod key;
pub mod name;
pub mod oid;
pub mod pem;
pub mod profile;
pub mod signature;
#[cfg(feature = "soft-keys")]
pub mod soft;
pub mod spiffe;
pub mod time;
pub mod verify;

pub use cert::Cert;
pub use key::{KeyAlgorithm, PublicKey, SignError, Signer};
pub use name::{Name, NameError};
pub use time::Time;

#[cfg(feature = "soft-keys")]
pub use cacerts::CaCerts;
pub use csr::Csr;
pub use error::Error;
pub use issue::{Issuer, Serial, Stamp, issue, self_signed};
pub use profile::Profile;
#[cfg(feature = "soft-keys")]
pub use soft::{KeyType, SoftKey};
pub use spiffe::TrustDomain;
