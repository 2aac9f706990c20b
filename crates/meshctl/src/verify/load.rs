//! What files hold, read with the two tolerances of `openssl verify`.

use meshpki::Cert;
use meshpki::crl::Crl;
use meshpki::der::{self, Reader};
use meshpki::verify::{Anchor, TrustAux};

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
            found.certs.push(Anchor { cert, aux: None });
            true
        }
        b"TRUSTED CERTIFICATE" => {
            found.certs.push(with_aux(&block.der)?);
            true
        }
        b"X509 CRL" => {
            found.crls.push(Crl::from_der(&block.der).ok()?);
            true
        }
        b"RSA PRIVATE KEY" | b"DSA PRIVATE KEY" | b"EC PRIVATE KEY" | b"PRIVATE KEY"
            if !encrypted_key =>
        {
            looks_like_key(&block.der)?;
            true
        }
        _ => false,
    };
    // Headers that name no cipher spoil a block that is looked at (`PEM_get_EVP_CIPHER_INFO`).
    (!known || block.header.is_empty()).then_some(())
}

/// Certificates of a file in a hashed directory: up to the first bad block
/// (`crypto/x509/by_file.c: X509_load_cert_file_ex`).
pub(super) fn strict_certs(bytes: &[u8]) -> Vec<Anchor> {
    let is_cert = |label: &[u8]| label.ends_with(b"CERTIFICATE");
    blocks(bytes, is_cert).map_while(|block| with_aux(&block.der)).collect()
}

/// CRLs of a file in a hashed directory, in the same way (`X509_load_crl_file`).
pub(super) fn strict_crls(bytes: &[u8]) -> Vec<Crl> {
    blocks(bytes, |label| label == b"X509 CRL")
        .map_while(|block| Crl::from_der(&block.der).ok())
        .collect()
}

fn blocks(bytes: &[u8], wanted: fn(&[u8]) -> bool) -> impl Iterator<Item = Block> {
    let mut pem = Pem::new(bytes, 0);
    std::iter::from_fn(move || match pem.next() {
        Next::Block(block) => Some(block),
        Next::Bad | Next::End => None,
    })
    .filter(move |block| wanted(&block.label))
}

/// Every private key OpenSSL reads is a SEQUENCE that starts with its version.
fn looks_like_key(der: &[u8]) -> Option<()> {
    let key = Reader::new(der).expect(der::SEQUENCE, "a key is a SEQUENCE").ok()?;
    key.reader().expect(der::INTEGER, "a key has a version").ok().map(drop)
}

/// The reader of every other file: PEM or DER, what cannot be read is passed over
/// (`apps/lib/apps.c: load_key_certs_crls` over `OSSL_STORE`).
pub(super) fn lenient(bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let mut at = 0;
    while at < bytes.len() {
        let mut pem = Pem::new(bytes, at);
        at = match pem.next() {
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

/// Takes a block; whether OpenSSL could make something of it.
fn lenient_block(block: &Block, found: &mut Found) -> bool {
    if block.header.len() > 10 {
        return false;
    }
    match block.label.as_slice() {
        b"CERTIFICATE" | b"X509 CERTIFICATE" | b"TRUSTED CERTIFICATE" => {
            let anchor = with_aux(&block.der)
                .or_else(|| Cert::from_der(&block.der).ok().map(|cert| Anchor { cert, aux: None }));
            let taken = anchor.is_some();
            found.certs.extend(anchor);
            taken
        }
        b"X509 CRL" => match Crl::from_der(&block.der) {
            Ok(crl) => {
                found.crls.push(crl);
                true
            }
            Err(_) => false,
        },
        label => label.ends_with(b"PRIVATE KEY") && looks_like_key(&block.der).is_some(),
    }
}

fn lenient_der(object: &[u8], found: &mut Found) {
    match Cert::from_der(object) {
        Ok(cert) => found.certs.push(Anchor { cert, aux: None }),
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

/// A certificate and the trust attributes behind it, if any (`crypto/x509/x_x509.c: d2i_X509_AUX`).
fn with_aux(bytes: &[u8]) -> Option<Anchor> {
    let cert = Cert::from_der(bytes).ok()?;
    let rest = &bytes[cert.as_der().len()..];
    let aux = if rest.is_empty() { None } else { Some(aux(rest)?) };
    Some(Anchor { cert, aux })
}

/// `X509_CERT_AUX`: trusted and rejected uses, an alias, a key id, others.
fn aux(bytes: &[u8]) -> Option<TrustAux> {
    let mut parts = Reader::new(bytes).expect(der::SEQUENCE, "attributes").ok()?.reader();
    let mut aux = TrustAux::default();
    if let Some(list) = parts.optional(der::SEQUENCE).ok()? {
        aux.trust = oids(&list)?;
    }
    if let Some(list) = parts.optional(0xa0).ok()? {
        aux.reject = oids(&list)?;
    }
    parts.optional_string(der::UTF8_STRING).ok()?;
    parts.optional_string(der::OCTET_STRING).ok()?;
    parts.optional(0xa1).ok()?;
    parts.end("extra element").ok()?;
    Some(aux)
}

fn oids(list: &der::Tlv<'_>) -> Option<Vec<Vec<u8>>> {
    let mut items = list.reader();
    let mut oids = Vec::new();
    while let Some(item) = items.next().ok()? {
        if item.tag != der::OID {
            return None;
        }
        oids.push(item.content.to_vec());
    }
    Some(oids)
}
