//! Which release of OpenSSL answers.

use core::fmt;
use core::str::FromStr;

use crate::algorithm::algorithm_parts;
use crate::cert::{Cert, RawTime};
use crate::crl::Crl;
use crate::der;

/// A series of OpenSSL, with the patch release whose answers are reproduced. Later ones are greater.
///
/// Where the series differ, the code asks [`Release::since`] and names the source of the release that changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Release {
    /// 3.0.22, which Debian 12 has.
    V3_0,
    /// 3.5.9, which Debian 13 has.
    V3_5,
    /// 3.6.5, which Debian 14 has before its release.
    V3_6,
}

impl Release {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::V3_0, Self::V3_5, Self::V3_6];

    /// Major and minor number.
    #[must_use]
    pub const fn number(self) -> (u8, u8) {
        match self {
            Self::V3_0 => (3, 0),
            Self::V3_5 => (3, 5),
            Self::V3_6 => (3, 6),
        }
    }

    /// The name, such as `OpenSSL 3.5`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V3_0 => "OpenSSL 3.0",
            Self::V3_5 => "OpenSSL 3.5",
            Self::V3_6 => "OpenSSL 3.6",
        }
    }

    /// The patch release that answers are compared with, such as `3.5.9`.
    #[must_use]
    pub const fn patch(self) -> &'static str {
        match self {
            Self::V3_0 => "3.0.22",
            Self::V3_5 => "3.5.9",
            Self::V3_6 => "3.6.5",
        }
    }

    /// Whether it can read a certificate at all; [`Cert::from_der`] reads what one of the releases reads.
    #[must_use]
    pub fn reads_cert(self, cert: &Cert) -> bool {
        self.reads_short_times()
            || !(cert.not_before().is_short()
                || cert.not_after().is_short()
                || has_short_time(cert.tbs_signature_algorithm())
                || has_short_time(cert.signature_algorithm()))
    }

    /// Whether it can read a CRL at all.
    #[must_use]
    pub fn reads_crl(self, crl: &Crl) -> bool {
        self.reads_short_times()
            || !(crl.has_short_time()
                || has_short_time(crl.tbs_signature_algorithm())
                || has_short_time(crl.signature_algorithm()))
    }

    /// `crypto/asn1/tasn_dec.c: asn1_ex_c2i` of 3.5 refuses them.
    const fn reads_short_times(self) -> bool {
        !self.since(3, 5)
    }

    /// Whether it has what release `major.minor` brought.
    #[must_use]
    pub const fn since(self, major: u8, minor: u8) -> bool {
        let (own_major, own_minor) = self.number();
        own_major > major || (own_major == major && own_minor >= minor)
    }
}

/// Whether the parameters of an AlgorithmIdentifier are a time that is [`RawTime::is_short`].
fn has_short_time(algorithm: &[u8]) -> bool {
    let Ok((_, Some(value))) = algorithm_parts(algorithm) else { return false };
    let generalized = match value.tag & !der::CONSTRUCTED {
        der::UTC_TIME => false,
        der::GENERALIZED_TIME => true,
        _ => return false,
    };
    value.string().is_ok_and(|content| RawTime::new(generalized, content).is_short())
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.number();
        write!(f, "{major}.{minor}")
    }
}

/// The text is not a known release, such as `3.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseError;

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a known release of OpenSSL")
    }
}

impl core::error::Error for ReleaseError {}

impl FromStr for Release {
    type Err = ReleaseError;

    fn from_str(text: &str) -> Result<Self, ReleaseError> {
        match text {
            "3.0" => Ok(Self::V3_0),
            "3.5" => Ok(Self::V3_5),
            "3.6" => Ok(Self::V3_6),
            _ => Err(ReleaseError),
        }
    }
}
