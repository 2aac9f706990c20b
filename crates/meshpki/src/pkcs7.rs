//! The certificates and CRLs of a PKCS#7 container (RFC 2315, RFC 5652), which a `.p7b` file is; nothing is verified.

use alloc::vec::Vec;

use crate::der::{self, DerError, Reader};

/// OID of signedData, 1.2.840.113549.1.7.2.
pub(crate) const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];

/// What is in a container: encodings, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pkcs7<'a> {
    /// Certificates.
    pub certs: Vec<&'a [u8]>,
    /// Certificate revocation lists.
    pub crls: Vec<&'a [u8]>,
}

impl<'a> Pkcs7<'a> {
    /// Whether `bytes` begin as a container that holds certificates.
    #[must_use]
    pub fn is(bytes: &[u8]) -> bool {
        let mut reader = Reader::new(bytes);
        let Ok(outer) = reader.expect(der::SEQUENCE, "") else { return false };
        outer.reader().expect(der::OID, "").is_ok_and(|kind| kind.content == SIGNED_DATA)
    }

    /// Reads a container, also one in BER, as Windows and Java write it: lengths may be indefinite.
    ///
    /// # Errors
    /// When the structure is not that of signedData.
    pub fn read(bytes: &'a [u8]) -> Result<Self, DerError> {
        let mut whole = Reader::new(bytes);
        let mut outer = whole.expect(der::SEQUENCE, "the container is not a SEQUENCE")?.reader();
        let kind = outer.expect(der::OID, "the container does not name its type")?;
        if kind.content != SIGNED_DATA {
            return Err(kind.error("the container is not signedData"));
        }
        let mut content = outer.expect(0xa0, "the container has no content")?.reader();
        let mut parts = content.expect(der::SEQUENCE, "signedData is not a SEQUENCE")?.reader();
        parts.expect(der::INTEGER, "signedData does not begin with its version")?;
        parts.expect_list(der::SET, "signedData has no list of digests")?;
        parts.expect(der::SEQUENCE, "signedData has no content")?;
        let mut found = Self::default();
        if let Some(list) = parts.optional_list(0xa0)? {
            // Other kinds, such as attribute certificates, have tags of their own.
            found.certs = sequences(list.reader())?;
        }
        if let Some(list) = parts.optional_list(0xa1)? {
            found.crls = sequences(list.reader())?;
        }
        Ok(found)
    }
}

fn sequences(mut reader: Reader<'_>) -> Result<Vec<&[u8]>, DerError> {
    let mut found = Vec::new();
    while let Some(element) = reader.next()? {
        if element.tag == der::SEQUENCE {
            found.push(element.raw);
        }
    }
    Ok(found)
}
