//! Certificates OpenSSL takes and Go does not, so that istiod would not start with them.

use alloc::string::String;

use crate::cert::Cert;
use crate::der::{self, Reader};
use crate::error::Error;
use crate::key::go;
use crate::name::{Attribute, Name};
use crate::oid;

/// Go verifies signatures with these algorithms alone (`crypto/x509/x509.go: signatureAlgorithmDetails`;
/// SHA-1 is refused since Go 1.18). A root's own signature is not checked.
pub(super) fn check_signatures(chain: &[Cert]) -> Result<(), Error> {
    let known = [
        oid::RSA_SHA256,
        oid::RSA_SHA384,
        oid::RSA_SHA512,
        oid::RSA_PSS,
        oid::ECDSA_SHA256,
        oid::ECDSA_SHA384,
        oid::ECDSA_SHA512,
        oid::ED25519,
    ];
    for cert in chain.iter().filter(|cert| !cert.is_self_issued()) {
        let algorithm = Reader::new(cert.signature_algorithm())
            .any()
            .and_then(|algorithm| algorithm.reader().any())
            .map(|oid| oid.content)
            .unwrap_or_default();
        if !known.contains(&algorithm) {
            return Err(Error::WeakSignature {
                subject: cert.subject().label(),
                algorithm: oid::dotted(algorithm),
            });
        }
    }
    Ok(())
}

/// Go refuses while reading (`crypto/x509/parser.go: parseCertificate`) what OpenSSL lets pass.
pub(super) fn check_readable(chain: &[Cert]) -> Result<(), Error> {
    match chain.iter().find_map(|cert| unreadable(cert).map(|why| (cert, why))) {
        Some((cert, why)) => Err(Error::IstiodUnreadable { subject: cert.subject().label(), why }),
        None => Ok(()),
    }
}

/// Why Go does not read a certificate OpenSSL reads.
pub(crate) fn unreadable(cert: &Cert) -> Option<&'static str> {
    if cert.serial().first().is_some_and(|byte| byte & 0x80 != 0) {
        return Some("its serial number is negative");
    }
    let extensions = cert.raw_extensions();
    if (1..extensions.len()).any(|i| extensions[..i].iter().any(|e| e.oid == extensions[i].oid)) {
        return Some("it has the same extension twice");
    }
    let names = [cert.issuer(), cert.subject()];
    names.into_iter().find_map(unreadable_name).or_else(|| go::unreadable(cert.public_key()))
}

/// Go reads six string types, and checks what is in them (`crypto/x509/parser.go: parseASN1String`).
fn unreadable_name(name: &Name) -> Option<&'static str> {
    name.rdns().iter().flatten().find_map(unreadable_string)
}

fn unreadable_string(attribute: &Attribute) -> Option<&'static str> {
    let value = attribute.value.as_slice();
    let (readable, why) = match attribute.tag {
        der::T61_STRING => (true, ""),
        der::PRINTABLE_STRING => (
            value.iter().all(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(b)),
            "a name has a PrintableString with characters that are not allowed in it",
        ),
        der::UTF8_STRING => {
            (core::str::from_utf8(value).is_ok(), "a name has a UTF8String that is not UTF-8")
        }
        der::BMP_STRING => (is_bmp(value), "a name has a BMPString that is not UCS-2"),
        der::IA5_STRING => (value.is_ascii(), "a name has an IA5String that is not ASCII"),
        der::NUMERIC_STRING => (
            value.iter().all(|b| b.is_ascii_digit() || *b == b' '),
            "a name has a NumericString with characters other than digits",
        ),
        _ => (
            false,
            "a name has a string type other than Printable, UTF8, T61, BMP, IA5 and NumericString",
        ),
    };
    (!readable).then_some(why)
}

/// Pairs of bytes, none of them a surrogate.
fn is_bmp(value: &[u8]) -> bool {
    let units = value.chunks(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0xd800,
    });
    char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .is_ok_and(|text| text.chars().all(|c| u32::from(c) <= 0xffff))
}
