//! What `meshconfig`, `meshapply`, `meshctl` and the tests of this repository share with this crate.
//!
//! Semantic versioning does not cover this module: anything in it may change in any release.
#![doc(hidden)]

pub use crate::cert::fingerprints;
pub use crate::issue::crl_signature;
#[cfg(feature = "soft-keys")]
pub use crate::istiod::{canary::BACKDATE as ISTIOD_BACKDATE, dataplane::crls};
pub use crate::key::post_quantum::{name as algorithm_name, parameter_set};
pub use crate::name::is_invisible;
pub use crate::pkcs7::Pkcs7;
#[cfg(feature = "soft-keys")]
pub use crate::soft::{
    encryption::{Budget, decrypt_block},
    fill_random,
    pkcs12::Pkcs12,
};
pub use crate::time::{DAY, go_duration, parse_duration, words};

/// DER: a tolerant reader and a strict writer.
pub mod der {
    pub use crate::der::*;
}

/// Digests used as identifiers.
pub mod digest {
    pub use crate::digest::*;
}

/// Object identifiers as content octets, and OpenSSL's names of them.
pub mod oid {
    pub use crate::oid::*;

    /// The edition of the names a release of OpenSSL has.
    #[must_use]
    pub const fn edition(release: crate::verify::Release) -> Edition {
        crate::verify::edition(release)
    }
}

/// PEM text.
pub mod pem {
    pub use crate::pem::*;
}

/// Everything in a file.
#[cfg(feature = "soft-keys")]
pub mod contents {
    pub use crate::contents::*;
}

/// Checks of single signatures.
pub mod signature {
    pub use crate::signature::{SignatureInput, check};
}
