//! What a passphrase opens: encrypted PEM blocks and PKCS#12 containers among certificates
//! (`crypto/store/store_result.c: try_pkcs12`, `crypto/pem/pem_lib.c: PEM_do_header`).

use std::io::{BufRead, Read};

use meshpki::internals::{Budget, Pkcs12, decrypt_block};
use meshpki::verify::Release;
use meshpki::{Cert, Signer, SoftKey};
use zeroize::Zeroizing;

use super::keys;
use super::pem::Block;
use crate::authority::passphrase::PASSPHRASE;
use crate::io::Io;
use crate::terminal::secret;

/// Longest passphrase (`PEM_BUFSIZE` less its NUL).
const LONGEST: u64 = 1023;
/// Encryptions that OpenSSL 3 leaves to its legacy provider, which is not loaded: PBE with RC2 of PKCS#12.
const LEGACY: [[u8; 12]; 2] = [
    [6, 10, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 5],
    [6, 10, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 6],
];
/// id-PBMAC1, 1.2.840.113549.1.5.14.
const PBMAC1: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 14];

type Passphrase = Zeroizing<Vec<u8>>;

/// Who is asked for the passphrases of a file.
pub(super) trait Ask {
    /// The passphrase for what a question is about.
    fn ask(&mut self, about: &str) -> Option<Passphrase>;
}

/// No one: what needs a passphrase is not read.
pub(super) struct NoOne;

impl Ask for NoOne {
    fn ask(&mut self, _: &str) -> Option<Passphrase> {
        None
    }
}

/// The terminal, otherwise standard input (`crypto/ui/ui_openssl.c: open_console`).
impl Ask for Io<'_> {
    fn ask(&mut self, about: &str) -> Option<Passphrase> {
        let question = format!("Enter pass phrase{about}:");
        if (self.has_terminal)() {
            return secret(PASSPHRASE, &question)
                .ok()
                .map(|text| Zeroizing::new(text.as_bytes().to_vec()));
        }
        // A reader that has gone away is not a failure.
        let _ = self.err.write_all(question.as_bytes());
        let line = line(self.stdin);
        let _ = self.err.write_all(b"\n");
        line
    }
}

/// A line that ends as one, and is not too long.
fn line(input: &mut dyn BufRead) -> Option<Passphrase> {
    // In one piece: what a growing buffer frees is not zeroized.
    let mut line = Zeroizing::new(Vec::with_capacity(usize::try_from(LONGEST).ok()? + 1));
    input.take(LONGEST + 1).read_until(b'\n', &mut line).ok()?;
    (line.pop()? == b'\n').then_some(line)
}

/// The block as it was before it was encrypted.
pub(super) fn unlock(block: &Block, name: &str, ask: &mut dyn Ask) -> Option<Zeroizing<Vec<u8>>> {
    if !keys::names_cipher(&block.header) {
        return None;
    }
    let about = if name == super::STDIN { String::new() } else { format!(" for {name}") };
    let passphrase = ask.ask(&about)?;
    decrypt_block(&block.header, &block.der, &passphrase)
}

/// The certificates of a PKCS#12 container, the one with the container's key first; `None` for anything else, and for one
/// that cannot be opened.
pub(super) fn pkcs12(
    der: &[u8],
    release: Release,
    ask: &mut dyn Ask,
    budget: &mut Budget,
) -> Option<Contained> {
    let has = |oid: &[u8]| der.windows(oid.len()).any(|window| window == oid);
    if !Pkcs12::is(der) {
        return None;
    }
    // `crypto/pkcs12/p12_mutl.c: PKCS12_verify_mac` of 3.4
    let is_unknown = has(&PBMAC1) && !release.since(3, 4);
    let mut open = |passphrase: Option<&[u8]>| {
        let opened = Pkcs12::open(der, passphrase, budget);
        opened.ok().filter(|_| !is_unknown)
    };
    let opened = match open(None) {
        None if Pkcs12::has_mac(der) => open(Some(&ask.ask(" for PKCS12 import pass phrase")?))?,
        opened => opened?,
    };
    if LEGACY.iter().any(|oid| has(oid)) {
        return None;
    }
    let key = opened.keys.first().and_then(|der| SoftKey::from_pkcs8(der).ok());
    let mut certs: Vec<Cert> = opened
        .certs
        .iter()
        .filter_map(|der| Cert::from_der(der).ok().filter(|cert| release.reads_cert(cert)))
        .collect();
    let of_key =
        |cert: &Cert| key.as_ref().is_some_and(|key| key.public_key() == cert.public_key());
    if let Some(at) = certs.iter().position(of_key) {
        let first = certs.remove(at);
        certs.insert(0, first);
    }
    Some(Contained { certs, has_key: !opened.keys.is_empty() })
}

/// What a container has.
pub(super) struct Contained {
    pub(super) certs: Vec<Cert>,
    pub(super) has_key: bool,
}
