//! What files hold, read with the two tolerances of `openssl verify`.

use meshpki::internals::Budget;
use meshpki::verify::{Anchor, Release};
use meshpki::{Cert, Crl};

use super::locked::{self, Ask, NoOne};
use super::pem::{Block, Next, Reader as Pem};
use super::{STDIN, binary, keys};

/// A block with a longer header is an encrypted one (`providers/implementations/encode_decode/decode_pem2der.c`).
const LONGEST_HEADER: usize = 10;

/// Certificates and CRLs of one file, in its order.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) certs: Vec<Anchor>,
    pub(super) crls: Vec<Crl>,
}

/// The `-CAfile` reader.
pub(super) fn ca_file(bytes: &[u8], release: Release) -> Option<Found> {
    let found = strict(bytes, release);
    // `apps/lib/apps.c: setup_verify` of 3.2
    if found.is_some() || !release.since(3, 2) {
        return found;
    }
    let (object, _) = binary::object(bytes);
    let only = Anchor::new(cert(object?, release)?);
    Some(Found { certs: vec![only], crls: Vec::new() })
}

/// The reader of the trust store's file: PEM only, one bad block spoils the file, and so does a file without any
/// certificate or CRL (`crypto/x509/by_file.c: X509_load_cert_crl_file_ex`, `crypto/pem/pem_info.c`).
pub(super) fn strict(bytes: &[u8], release: Release) -> Option<Found> {
    let mut found = Found::default();
    let mut pem = Pem::once(bytes);
    loop {
        match pem.next() {
            Next::End => break,
            Next::Bad => return None,
            Next::Block(block) => strict_block(&block, &mut found, release)?,
        }
    }
    (!found.certs.is_empty() || !found.crls.is_empty()).then_some(found)
}

fn strict_block(block: &Block, found: &mut Found, release: Release) -> Option<()> {
    let encrypted_key = block.label.ends_with(b"PRIVATE KEY") && block.header.len() > 10;
    let known = match block.label.as_slice() {
        b"CERTIFICATE" | b"X509 CERTIFICATE" => {
            found.certs.push(Anchor::new(cert(&block.der, release)?));
            true
        }
        b"TRUSTED CERTIFICATE" => {
            found.certs.push(anchor(&block.der, release)?);
            true
        }
        b"X509 CRL" => {
            found.crls.push(crl(&block.der, release)?);
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
    // Headers without a cipher make a block unreadable (`PEM_get_EVP_CIPHER_INFO`).
    (!known || block.header.is_empty()).then_some(())
}

/// Certificates of a file in a hashed directory, up to the first bad block (`crypto/x509/by_file.c:
/// X509_load_cert_file_ex`).
pub(super) fn strict_certs(bytes: &[u8], release: Release) -> Vec<Anchor> {
    strict_blocks(bytes, |block| {
        let wanted = block.label.ends_with(b"CERTIFICATE");
        wanted.then(|| anchor(&block.der, release))
    })
}

/// CRLs of a file in a hashed directory, in the same way (`X509_load_crl_file`).
pub(super) fn strict_crls(bytes: &[u8], release: Release) -> Vec<Crl> {
    strict_blocks(bytes, |block| (block.label == b"X509 CRL").then(|| crl(&block.der, release)))
}

/// Reads blocks until `read`, which passes over other kinds, cannot make something of one.
fn strict_blocks<T>(bytes: &[u8], read: impl Fn(&Block) -> Option<Option<T>>) -> Vec<T> {
    let mut pem = Pem::once(bytes);
    let mut found = Vec::new();
    while let Next::Block(block) = pem.next() {
        match read(&block) {
            None => {}
            Some(Some(item)) => found.push(item),
            Some(None) => break,
        }
    }
    found
}

/// A file's bytes, its name in questions, who answers them, and how much work opening what is locked may take.
pub(super) struct Source<'a> {
    bytes: &'a [u8],
    name: &'a str,
    ask: &'a mut dyn Ask,
    budget: Budget,
}

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8], name: &'a str, ask: &'a mut dyn Ask) -> Self {
        Self { bytes, name, ask, budget: Budget::new(Budget::ROUNDS) }
    }
}

/// The reader of every other file: PEM, DER or PKCS#12, what cannot be read is passed over
/// (`apps/lib/apps.c: load_key_certs_crls` over `OSSL_STORE`).
pub(super) fn lenient(source: &mut Source<'_>, release: Release) -> Found {
    read_until(source, release, |_| false)
}

/// The first certificate of a file, which is not read any further.
pub(super) fn first(source: &mut Source<'_>, release: Release) -> Option<Cert> {
    let found = read_until(source, release, |found| !found.certs.is_empty());
    found.certs.into_iter().next().map(|anchor| anchor.cert)
}

fn read_until(
    source: &mut Source<'_>,
    release: Release,
    is_enough: impl Fn(&Found) -> bool,
) -> Found {
    let bytes = source.bytes;
    let mut found = Found::default();
    let mut pem = Pem::new(bytes);
    let mut at = 0;
    while at < bytes.len() && !is_enough(&found) {
        pem.at = at;
        if let Next::Block(mut block) = pem.next() {
            if unlocked(&mut block, source) && lenient_block(&block, &mut found, release) {
                at = pem.at;
                continue;
            }
            if source.name == STDIN && keys::names_cipher(&block.header) {
                // The question has read what was left of standard input.
                break;
            }
            pem.refuse(&block);
        }
        // The decoder for bare DER comes after the one for PEM; in text it takes `--` for a tag and a length. Reading
        // continues after what it read.
        let (object, read) = binary::object(&bytes[at..]);
        if let Some(object) = object {
            lenient_der(object, &mut found, release, source);
        }
        at += read;
    }
    found
}

/// Decrypts a block with a longer header; whether it can be read then.
fn unlocked(block: &mut Block, source: &mut Source<'_>) -> bool {
    if block.header.len() <= LONGEST_HEADER {
        return true;
    }
    match locked::unlock(block, source.name, source.ask) {
        Some(plain) => {
            block.der = plain;
            true
        }
        None => false,
    }
}

/// The reader of a store that is asked by name: certificates and CRLs up to what is neither, and whether it went through
/// (`crypto/x509/by_store.c: cache_objects`). A file without any fails it, and so does a private key. No passphrase is
/// asked for.
pub(super) fn stored(bytes: &[u8], release: Release) -> (Found, bool) {
    let mut found = Found::default();
    let mut no_one = NoOne;
    let mut source = Source::new(bytes, "", &mut no_one);
    let mut pem = Pem::new(bytes);
    let (mut at, mut complete) = (0, false);
    while at < bytes.len() {
        let before = found.certs.len() + found.crls.len();
        pem.at = at;
        match pem.next() {
            Next::Block(block) if block.header.len() <= LONGEST_HEADER => {
                if block.label.ends_with(b"PRIVATE KEY") {
                    return (found, complete && !keys::reads(&block));
                }
                if !lenient_block(&block, &mut found, release) {
                    break;
                }
                at = pem.at;
            }
            other => {
                if let Next::Block(block) = &other {
                    pem.refuse(block);
                }
                let (object, read) = binary::object(&bytes[at..]);
                let certs = found.certs.len();
                if lenient_der(object.unwrap_or_default(), &mut found, release, &mut source) {
                    found.certs.truncate(certs);
                    return (found, false);
                }
                at += read;
            }
        }
        if found.certs.len() + found.crls.len() == before {
            break;
        }
        complete = true;
    }
    (found, complete)
}

/// Takes a block; whether reading continues after it. A certificate or CRL that cannot be decoded is lost with its block, a key
/// OpenSSL can make nothing of is not.
fn lenient_block(block: &Block, found: &mut Found, release: Release) -> bool {
    match block.label.as_slice() {
        b"CERTIFICATE" | b"X509 CERTIFICATE" | b"TRUSTED CERTIFICATE" => {
            let plain = || cert(&block.der, release).map(Anchor::new);
            found.certs.extend(anchor(&block.der, release).or_else(plain));
            true
        }
        b"X509 CRL" => {
            found.crls.extend(crl(&block.der, release));
            true
        }
        label => label.ends_with(b"PRIVATE KEY") && keys::reads(block),
    }
}

/// Takes bare DER; whether a private key came before its certificates.
fn lenient_der(
    object: &[u8],
    found: &mut Found,
    release: Release,
    source: &mut Source<'_>,
) -> bool {
    if let Some(cert) = cert(object, release) {
        found.certs.push(Anchor::new(cert));
        return false;
    }
    if let Some(crl) = crl(object, release) {
        found.crls.push(crl);
        return false;
    }
    let contained = locked::pkcs12(object, release, source.ask, &mut source.budget);
    let Some(contained) = contained else { return false };
    found.certs.extend(contained.certs.into_iter().map(Anchor::new));
    contained.has_key
}

fn cert(der: &[u8], release: Release) -> Option<Cert> {
    Cert::from_der(der).ok().filter(|cert| release.reads_cert(cert))
}

fn anchor(der: &[u8], release: Release) -> Option<Anchor> {
    Anchor::from_trusted_der(der).ok().filter(|anchor| release.reads_cert(&anchor.cert))
}

fn crl(der: &[u8], release: Release) -> Option<Crl> {
    Crl::from_der(der).ok().filter(|crl| release.reads_crl(crl))
}
