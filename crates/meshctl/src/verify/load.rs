//! What files hold, read with the two tolerances of `openssl verify`.

use meshpki::Cert;
use meshpki::crl::Crl;
use meshpki::der::Reader;
use meshpki::verify::Anchor;

use super::keys;
use super::pem::{Block, Next, Reader as Pem};

/// Certificates and CRLs of one file, in its order.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) certs: Vec<Anchor>,
    pub(super) crls: Vec<Crl>,
}

/// The `-CAfile` reader: PEM only, one bad block spoils the file, and so does a file without any
/// certificate or CRL (`crypto/x509/by_file.c: X509_load_cert_crl_file_ex`, `crypto/pem/pem_info.c`).
pub(super) fn strict(bytes: &[u8]) -> Option<Found> {
    let mut found = Found::default();
    let mut pem = Pem::new(bytes, 0);
    loop {
        match pem.next() {
            Next::End => break,
            Next::Bad => return None,
            Next::Block(block) => strict_block(&block, &mut found)?,
        }
    }
    (!found.certs.is_empty() || !found.crls.is_empty()).then_some(found)
}

fn strict_block(block: &Block, found: &mut Found) -> Option<()> {
    let encrypted_key = block.label.ends_with(b"PRIVATE KEY") && block.header.len() > 10;
    let known = match block.label.as_slice() {
        b"CERTIFICATE" | b"X509 CERTIFICATE" => {
            let cert = Cert::from_der(&block.der).ok()?;
            found.certs.push(Anchor::new(cert));
            true
        }
        b"TRUSTED CERTIFICATE" => {
            found.certs.push(Anchor::from_trusted_der(&block.der).ok()?);
            true
        }
        b"X509 CRL" => {
            found.crls.push(Crl::from_der(&block.der).ok()?);
            true
        }
        b"RSA PRIVATE KEY" | b"DSA PRIVATE KEY" | b"EC PRIVATE KEY" | b"PRIVATE KEY" => {
            if encrypted_key {
                return keys::names_cipher(&block.header).then_some(());
            }
            keys::reads(block).then_some(true)?
        }
        _ => false,
    };
    // Headers that name no cipher spoil a block that is looked at (`PEM_get_EVP_CIPHER_INFO`).
    (!known || block.header.is_empty()).then_some(())
}

/// Certificates of a file in a hashed directory, up to the first bad block, and whether that was all of
/// them; a file without any is not (`crypto/x509/by_file.c: X509_load_cert_file_ex`).
pub(super) fn strict_certs(bytes: &[u8]) -> (Vec<Anchor>, bool) {
    strict_blocks(bytes, |block| {
        let wanted = block.label.ends_with(b"CERTIFICATE");
        wanted.then(|| Anchor::from_trusted_der(&block.der).ok())
    })
}

/// CRLs of a file in a hashed directory, in the same way (`X509_load_crl_file`).
pub(super) fn strict_crls(bytes: &[u8]) -> (Vec<Crl>, bool) {
    strict_blocks(bytes, |block| {
        (block.label == b"X509 CRL").then(|| Crl::from_der(&block.der).ok())
    })
}

/// Reads blocks until `read`, which passes over other kinds, cannot make something of one.
fn strict_blocks<T>(bytes: &[u8], read: impl Fn(&Block) -> Option<Option<T>>) -> (Vec<T>, bool) {
    let mut pem = Pem::new(bytes, 0);
    let mut found = Vec::new();
    loop {
        match pem.next() {
            Next::End => {
                let complete = !found.is_empty();
                return (found, complete);
            }
            Next::Bad => return (found, false),
            Next::Block(block) => match read(&block) {
                None => {}
                Some(Some(item)) => found.push(item),
                Some(None) => return (found, false),
            },
        }
    }
}

/// The reader of every other file: PEM or DER, what cannot be read is passed over
/// (`apps/lib/apps.c: load_key_certs_crls` over `OSSL_STORE`).
pub(super) fn lenient(bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let mut at = 0;
    let begin = b"-----BEGIN ";
    let last = bytes.windows(begin.len()).rposition(|window| window == begin);
    // No block has an END line any more: none is read, or a row of BEGIN lines would take its square.
    let mut unended = false;
    while at < bytes.len() {
        // Behind the last BEGIN line no block is looked for.
        let from = if last.is_some_and(|last| at <= last) { at } else { bytes.len() };
        let mut pem = Pem::new(bytes, from);
        let next = match unended {
            true => pem.begin().map_or(Next::End, |_| Next::Bad),
            false => pem.next(),
        };
        unended |= pem.unended;
        at = match next {
            Next::Block(block) => {
                if lenient_block(&block, &mut found) {
                    pem.at
                } else {
                    at + swallowed(&bytes[at..])
                }
            }
            Next::Bad => at + swallowed(&bytes[at..]),
            Next::End => {
                let Some((object, consumed)) = der_object(&bytes[at..]) else { break };
                lenient_der(object, &mut found);
                at + consumed
            }
        };
    }
    found
}

/// Takes a block; whether reading goes on behind it. A certificate or CRL that is none is lost with its block, a key
/// OpenSSL can make nothing of is not.
fn lenient_block(block: &Block, found: &mut Found) -> bool {
    if block.header.len() > 10 {
        return false;
    }
    match block.label.as_slice() {
        b"CERTIFICATE" | b"X509 CERTIFICATE" | b"TRUSTED CERTIFICATE" => {
            let anchor = Anchor::from_trusted_der(&block.der)
                .or_else(|_| Cert::from_der(&block.der).map(Anchor::new));
            found.certs.extend(anchor);
            true
        }
        b"X509 CRL" => {
            found.crls.extend(Crl::from_der(&block.der));
            true
        }
        label => label.ends_with(b"PRIVATE KEY") && keys::reads(block),
    }
}

fn lenient_der(object: &[u8], found: &mut Found) {
    match Cert::from_der(object) {
        Ok(cert) => found.certs.push(Anchor::new(cert)),
        Err(_) => found.crls.extend(Crl::from_der(object)),
    }
}

/// Bytes lost to a block nothing could be made of: the decoder for bare DER comes after the one for
/// PEM, takes `--` for a tag and a length, and reading goes on behind what it swallowed.
fn swallowed(bytes: &[u8]) -> usize {
    der_object(bytes).map_or(bytes.len(), |(_, consumed)| consumed)
}

/// One DER element at the front and the bytes read for it: eight at least, because
/// `crypto/asn1/a_d2i_fp.c: asn1_d2i_read_bio` reads that many to see the header.
fn der_object(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let element = Reader::new(bytes).any().ok()?;
    Some((element.raw, element.raw.len().max(8)))
}
