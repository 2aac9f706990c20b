//! Certificate revocation lists.

use alloc::vec::Vec;

use crate::der::{self, DerError, Reader};

/// A certificate revocation list (RFC 5280 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    der: Vec<u8>,
}

impl Crl {
    /// Reads one CRL; bytes behind it are ignored.
    ///
    /// # Errors
    /// [`DerError`] with the offset, when `d2i_X509_CRL` would refuse the bytes.
    pub fn from_der(bytes: &[u8]) -> Result<Self, DerError> {
        let outer = Reader::new(bytes).expect(der::SEQUENCE, "a CRL is a SEQUENCE")?;
        Ok(Self { der: outer.raw.to_vec() })
    }

    /// The CRL's bytes.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }
}
