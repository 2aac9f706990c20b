//! Internet resources (RFC 3779): addresses and autonomous systems a certificate speaks for.

use alloc::vec::Vec;

use num_bigint::BigInt;

use crate::der::shape::{bit_string, check_integer, list, sequence};
use crate::der::{self, DerError, Tlv};

/// Resources of one kind: those of the issuer, or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice<T> {
    Inherit,
    List(Vec<Range<T>>),
}

/// A single resource, or everything between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Range<T> {
    One(T),
    Between(T, T),
}

/// The front of an address: bytes, and bits of the last one that are not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    pub(crate) bytes: Vec<u8>,
    pub(crate) unused: u8,
}

/// IPAddressFamily.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    /// AFI and SAFI as encoded.
    pub(crate) id: Vec<u8>,
    pub(crate) addresses: Choice<Bits>,
}

/// ASIdentifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Systems {
    pub(crate) numbers: Option<Choice<BigInt>>,
    pub(crate) routing: Option<Choice<BigInt>>,
}

/// IPAddrBlocks (RFC 3779 section 2.2.3).
pub(super) fn addresses(value: &Tlv<'_>) -> Result<Vec<Family>, DerError> {
    let mut families = Vec::new();
    let mut items = list(value)?;
    while let Some(family) = items.next()? {
        let mut parts = sequence(&family)?;
        let id = parts.expect_string(der::OCTET_STRING, "addressFamily is not an OCTET STRING")?;
        let id = id.string()?.into_owned();
        let addresses = choice(&parts.any()?, address)?;
        parts.end("extra element in IPAddressFamily")?;
        families.push(Family { id, addresses });
    }
    Ok(families)
}

/// ASIdentifiers (RFC 3779 section 3.2.3).
pub(super) fn systems(value: &Tlv<'_>) -> Result<Systems, DerError> {
    let mut parts = sequence(value)?;
    let mut next = |tag| -> Result<Option<Choice<BigInt>>, DerError> {
        let Some(explicit) = parts.optional(tag)? else { return Ok(None) };
        let mut inner = explicit.reader();
        let found = choice(&inner.any()?, number)?;
        inner.end("extra element in ASIdentifierChoice")?;
        Ok(Some(found))
    };
    let systems = Systems { numbers: next(0xa0)?, routing: next(0xa1)? };
    parts.end("extra element in ASIdentifiers")?;
    Ok(systems)
}

fn address(item: &Tlv<'_>) -> Result<Bits, DerError> {
    if item.tag & !der::CONSTRUCTED != der::BIT_STRING {
        return Err(item.error("an address is not a BIT STRING"));
    }
    let (bytes, unused) = bit_string(item)?;
    Ok(Bits { bytes, unused })
}

fn number(item: &Tlv<'_>) -> Result<BigInt, DerError> {
    if item.tag != der::INTEGER {
        return Err(item.error("an autonomous system is not an INTEGER"));
    }
    check_integer(item)?;
    Ok(BigInt::from_signed_bytes_be(item.content))
}

/// `NULL` for inherit, or a list of single resources and ranges of two.
fn choice<T>(
    choice: &Tlv<'_>,
    one: impl Fn(&Tlv<'_>) -> Result<T, DerError>,
) -> Result<Choice<T>, DerError> {
    if choice.tag == der::NULL {
        return if choice.content.is_empty() {
            Ok(Choice::Inherit)
        } else {
            Err(choice.error("NULL has content"))
        };
    }
    let mut items = list(choice)?;
    let mut found = Vec::new();
    while let Some(item) = items.next()? {
        found.push(if item.tag == der::SEQUENCE {
            let mut range = item.reader();
            let (min, max) = (one(&range.any()?)?, one(&range.any()?)?);
            range.end("extra element in a range")?;
            Range::Between(min, max)
        } else {
            Range::One(one(&item)?)
        });
    }
    Ok(Choice::List(found))
}
