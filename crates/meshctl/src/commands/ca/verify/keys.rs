//! Private keys among certificates: only whether OpenSSL could read them, nothing is kept
//! (`crypto/pem/pem_info.c: PEM_X509_INFO_read_bio_ex`, `crypto/asn1/d2i_pr.c`).

use meshpki::internals::der::{self, DerError, Reader, Tag};

use super::pem::Block;

/// Whether a block of that kind holds such a key; with an unknown label, any key at all.
pub(super) fn reads(block: &Block) -> bool {
    let der = &block.der;
    match block.label.as_slice() {
        b"RSA PRIVATE KEY" => rsa(der).is_ok(),
        b"DSA PRIVATE KEY" => dsa(der).is_ok(),
        b"EC PRIVATE KEY" => ec(der).is_ok(),
        _ => pkcs8(der).is_ok() || rsa(der).is_ok() || dsa(der).is_ok() || ec(der).is_ok(),
    }
}

fn sequence(der: &[u8]) -> Result<Reader<'_>, DerError> {
    Ok(Reader::new(der).expect(der::SEQUENCE, "the key is not a SEQUENCE")?.reader())
}

fn integers(parts: &mut Reader<'_>, count: usize) -> Result<(), DerError> {
    (0..count).try_for_each(|_| parts.expect(der::INTEGER, "expected a number").map(drop))
}

/// RSAPrivateKey (RFC 8017 appendix A.1.2), with further primes or without.
fn rsa(der: &[u8]) -> Result<(), DerError> {
    let mut parts = sequence(der)?;
    integers(&mut parts, 9)?;
    parts.optional(der::SEQUENCE)?;
    parts.end("extra element in an RSA key")
}

/// Version, p, q, g, public and private number.
fn dsa(der: &[u8]) -> Result<(), DerError> {
    let mut parts = sequence(der)?;
    integers(&mut parts, 6)?;
    parts.end("extra element in a DSA key")
}

/// ECPrivateKey (RFC 5915 section 3); without parameters the curve is unknown.
fn ec(der: &[u8]) -> Result<(), DerError> {
    let mut parts = sequence(der)?;
    integers(&mut parts, 1)?;
    parts.expect(der::OCTET_STRING, "expected a private number")?;
    parts.expect(0xa0, "expected a curve")?;
    parts.optional(0xa1)?;
    parts.end("extra element in an EC key")
}

/// PrivateKeyInfo (RFC 5208 section 5), with a key inside that could be one.
fn pkcs8(der: &[u8]) -> Result<(), DerError> {
    let mut parts = sequence(der)?;
    integers(&mut parts, 1)?;
    let mut algorithm = parts.expect(der::SEQUENCE, "expected an algorithm")?.reader();
    let oid = algorithm.expect(der::OID, "the algorithm has no OID")?;
    let key = parts.expect(der::OCTET_STRING, "expected a key")?.content;
    parts.optional(0xa0)?;
    parts.end("extra element in a private key")?;
    let one = |tag: Tag| Reader::new(key).expect(tag, "a key of another kind").map(drop);
    match oid.content {
        meshpki::internals::oid::RSA_ENCRYPTION | meshpki::internals::oid::RSA_PSS => rsa(key),
        meshpki::internals::oid::EC_PUBLIC_KEY => one(der::SEQUENCE),
        meshpki::internals::oid::DSA => one(der::INTEGER),
        _ => Ok(()),
    }
}

/// Whether the header of an encrypted block names a cipher and its start value
/// (`crypto/pem/pem_lib.c: PEM_get_EVP_CIPHER_INFO`).
pub(super) fn names_cipher(header: &[u8]) -> bool {
    let named = || {
        let text = std::str::from_utf8(header).ok()?;
        let blank = |c: char| " \t".contains(c);
        let rest = text.strip_prefix("Proc-Type:")?.trim_start_matches(blank);
        let rest = rest.strip_prefix("4,")?.trim_start_matches(blank).strip_prefix("ENCRYPTED")?;
        let rest = rest.trim_start_matches([' ', '\t', '\r']).strip_prefix('\n')?;
        let rest = rest.strip_prefix("DEK-Info:")?.trim_start_matches(blank);
        let end = rest.find([' ', '\t', ','])?;
        let (cipher, rest) = rest.split_at(end);
        let start = rest.trim_start_matches(blank).strip_prefix(',')?;
        let digits = start.bytes().take_while(u8::is_ascii_hexdigit).count();
        (digits >= 2 * block_size(cipher)?).then_some(())
    };
    named().is_some()
}

/// Bytes of the start value, for the ciphers keys are encrypted with.
fn block_size(cipher: &str) -> Option<usize> {
    match cipher.to_ascii_uppercase().as_str() {
        "DES-CBC" | "DES-EDE-CBC" | "DES-EDE3-CBC" | "IDEA-CBC" | "RC2-CBC" | "BF-CBC"
        | "CAST5-CBC" => Some(8),
        "AES-128-CBC" | "AES-192-CBC" | "AES-256-CBC" | "CAMELLIA-128-CBC" | "CAMELLIA-192-CBC"
        | "CAMELLIA-256-CBC" | "SEED-CBC" | "ARIA-128-CBC" | "ARIA-192-CBC" | "ARIA-256-CBC" => {
            Some(16)
        }
        _ => None,
    }
}
