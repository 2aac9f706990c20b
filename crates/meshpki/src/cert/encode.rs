//! Extensions as they are written (RFC 5280 section 4.2), in DER.

use alloc::string::String;
use alloc::vec::Vec;

use super::KeyUsage;
use crate::der;

pub(crate) fn sequence_of(items: &[Vec<u8>]) -> Vec<u8> {
    let parts: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
    der::sequence(&parts)
}

pub(crate) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[der::BOOLEAN, 1, 0xff] } else { &[] };
    der::sequence(&[&der::tlv(der::OID, oid), flag, &der::tlv(der::OCTET_STRING, value)])
}

/// RFC 5280 section 4.2.1.3; trailing zero bits are cut (X.690 section 11.2.2).
pub(crate) fn key_usage(usage: KeyUsage) -> Vec<u8> {
    let [first, second] = usage.0.to_be_bytes();
    let unused = |byte: u8| u8::try_from(byte.trailing_zeros()).unwrap_or(0);
    match second {
        0 => der::tlv(der::BIT_STRING, &[unused(first), first]),
        _ => der::tlv(der::BIT_STRING, &[unused(second), first, second]),
    }
}

/// RFC 5280 section 4.2.1.10: permitted subtrees of kind URI.
pub(crate) fn name_constraints(hosts: &[String]) -> Vec<u8> {
    let subtrees: Vec<Vec<u8>> = hosts
        .iter()
        .map(|host| der::sequence(&[&der::tlv(der::context(6), host.as_bytes())]))
        .collect();
    let parts: Vec<&[u8]> = subtrees.iter().map(Vec::as_slice).collect();
    der::sequence(&[&der::constructed(0xa0, &parts)])
}
