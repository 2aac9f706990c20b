//! [`Oid`]: an object identifier as a value.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::{LONGEST_PRINTED, dotted, entry, parse_dotted, short_name};
use crate::der::shape::check_oid;
use crate::der::{self, DerError, Reader};

/// An object identifier (X.660).
///
/// Its order is that of the content octets of its encoding, which is not that of its numbers.
///
/// ```
/// use meshpki::Oid;
/// let oid: Oid = "2.5.29.19".parse()?;
/// assert_eq!(oid, Oid::BASIC_CONSTRAINTS);
/// assert_eq!(oid.as_bytes(), [0x55, 0x1d, 0x13]);
/// assert_eq!(oid.to_string(), "2.5.29.19");
/// assert_eq!(oid.short_name(), Some("basicConstraints"));
/// # Ok::<(), meshpki::OidError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Cow<'static, [u8]>);

/// A text that is not an OID in dotted form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not a valid OID: expected numbers below 2^64 joined by dots, such as 1.3.6.1"
)]
pub struct OidError {
    found: String,
}

macro_rules! known {
    ($($(#[$doc:meta])* $name:ident = $bytes:ident;)*) => {
        impl Oid {
            $($(#[$doc])* pub const $name: Self = Self::of_static(super::$bytes);)*
        }
    };
}

known! {
    /// The extension basicConstraints, 2.5.29.19.
    BASIC_CONSTRAINTS = BASIC_CONSTRAINTS;
    /// The extension keyUsage, 2.5.29.15.
    KEY_USAGE = KEY_USAGE;
    /// The extension extKeyUsage, 2.5.29.37.
    EXT_KEY_USAGE = EXT_KEY_USAGE;
    /// The extension subjectKeyIdentifier, 2.5.29.14.
    SUBJECT_KEY_ID = SUBJECT_KEY_ID;
    /// The extension authorityKeyIdentifier, 2.5.29.35.
    AUTHORITY_KEY_ID = AUTHORITY_KEY_ID;
    /// The extension subjectAltName, 2.5.29.17.
    SUBJECT_ALT_NAME = SUBJECT_ALT_NAME;
    /// The extension nameConstraints, 2.5.29.30.
    NAME_CONSTRAINTS = NAME_CONSTRAINTS;
    /// The extension cRLDistributionPoints, 2.5.29.31.
    CRL_DISTRIBUTION_POINTS = CRL_DISTRIBUTION_POINTS;
    /// The extension certificatePolicies, 2.5.29.32.
    CERTIFICATE_POLICIES = CERTIFICATE_POLICIES;
    /// The extension cRLNumber of a CRL, 2.5.29.20.
    CRL_NUMBER = CRL_NUMBER;
    /// The policy anyPolicy, 2.5.29.32.0.
    ANY_POLICY = ANY_POLICY;
    /// The extended key usage serverAuth, 1.3.6.1.5.5.7.3.1.
    SERVER_AUTH = EKU_SERVER_AUTH;
    /// The extended key usage clientAuth, 1.3.6.1.5.5.7.3.2.
    CLIENT_AUTH = EKU_CLIENT_AUTH;
    /// The extended key usage anyExtendedKeyUsage, 2.5.29.37.0.
    ANY_EXT_KEY_USAGE = EKU_ANY;
    /// The attribute commonName, 2.5.4.3.
    COMMON_NAME = COMMON_NAME;
    /// The attribute countryName, 2.5.4.6.
    COUNTRY = COUNTRY;
    /// The attribute organizationName, 2.5.4.10.
    ORGANIZATION = ORGANIZATION;
    /// The attribute organizationalUnitName, 2.5.4.11.
    ORGANIZATIONAL_UNIT = ORGANIZATIONAL_UNIT;
}

impl Oid {
    /// The OID with these content octets: what follows tag and length in its encoding.
    ///
    /// # Errors
    /// When OpenSSL refuses the octets (`crypto/asn1/a_object.c: ossl_c2i_ASN1_OBJECT`).
    pub fn from_bytes(content: &[u8]) -> Result<Self, DerError> {
        let whole = der::tlv(der::OID, content);
        check_oid(&Reader::new(&whole).any()?)?;
        Ok(Self::of(content))
    }

    /// The content octets of its encoding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// OpenSSL's short name, `CN`; `None` for an OID it does not know.
    #[must_use]
    pub fn short_name(&self) -> Option<&'static str> {
        short_name(&self.0)
    }

    /// OpenSSL's long name, `commonName`; `None` for an OID it does not know.
    #[must_use]
    pub fn long_name(&self) -> Option<&'static str> {
        entry(&self.0).map(|(_, _, long)| *long)
    }

    /// The OID with these content octets, which have been checked.
    pub(crate) fn of(content: impl Into<Vec<u8>>) -> Self {
        Self(Cow::Owned(content.into()))
    }

    /// The OID with these content octets, of a table.
    pub(crate) const fn of_static(content: &'static [u8]) -> Self {
        Self(Cow::Borrowed(content))
    }
}

impl FromStr for Oid {
    type Err = OidError;

    /// Reads the dotted form, `2.5.29.19`, of at most 586 octets, as many as are written out.
    fn from_str(text: &str) -> Result<Self, OidError> {
        let content = parse_dotted(text).filter(|content| content.len() <= LONGEST_PRINTED);
        content.map(Self::of).ok_or_else(|| OidError { found: text.to_string() })
    }
}

impl fmt::Display for Oid {
    /// The dotted form, arcs of any size. `<INVALID>` for an OID of more than 586 octets, which OpenSSL does not write out
    /// either.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&dotted(&self.0))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

impl PartialEq<[u8]> for Oid {
    /// Whether these are its content octets.
    fn eq(&self, content: &[u8]) -> bool {
        *self.0 == *content
    }
}

impl PartialEq<&[u8]> for Oid {
    /// Whether these are its content octets.
    fn eq(&self, content: &&[u8]) -> bool {
        *self.0 == **content
    }
}
