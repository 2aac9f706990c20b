//! How PKCS#12 makes a key of a passphrase (RFC 7292 appendix B.2).

use alloc::vec::Vec;

use sha2::Digest;
use sha2::digest::block_api::BlockSizeUser;
use zeroize::Zeroizing;

/// What the key is for (RFC 7292 appendix B.3).
#[derive(Clone, Copy)]
pub(super) enum Use {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// `length` octets of a passphrase and a salt.
///
/// The passphrase is UTF-8; one that is not counts as Latin-1 (`crypto/pkcs12/p12_utl.c: OPENSSL_utf82uni`).
pub(super) fn derive<D: Digest + BlockSizeUser>(
    passphrase: &[u8],
    salt: &[u8],
    purpose: Use,
    rounds: u64,
    length: usize,
) -> Zeroizing<Vec<u8>> {
    let block = <D as BlockSizeUser>::block_size();
    let passphrase = bmp(passphrase);
    let mut input = repeated(salt, block);
    input.extend_from_slice(&repeated(&passphrase, block));
    let head = alloc::vec![purpose as u8; block];
    let mut key = Zeroizing::new(Vec::with_capacity(length + <D as Digest>::output_size()));
    loop {
        let first = D::new().chain_update(&head).chain_update(&*input).finalize();
        let mut digest = Zeroizing::new(first.to_vec());
        for _ in 1..rounds {
            let next = D::digest(&*digest);
            digest.copy_from_slice(&next);
        }
        key.extend_from_slice(&digest);
        if key.len() >= length {
            key.truncate(length);
            return key;
        }
        let addend =
            Zeroizing::new(digest.iter().copied().cycle().take(block).collect::<Vec<u8>>());
        input.chunks_exact_mut(block).for_each(|part| add_with_one(part, &addend));
    }
}

/// `part + addend + 1`, big endian, without what does not fit.
fn add_with_one(part: &mut [u8], addend: &[u8]) {
    let mut carry = 1;
    for (digit, other) in part.iter_mut().zip(addend).rev() {
        let sum = u16::from(*digit) + u16::from(*other) + carry;
        *digit = sum.to_be_bytes()[1];
        carry = sum >> 8;
    }
}

/// The text again and again, up to a whole number of blocks; nothing of nothing.
fn repeated(text: &[u8], block: usize) -> Zeroizing<Vec<u8>> {
    let length = text.len().div_ceil(block) * block;
    Zeroizing::new(text.iter().copied().cycle().take(length).collect())
}

/// A passphrase in UTF-16 with a final zero. For [`NO_PASSPHRASE`] there is not even that zero: some programs write so without one.
fn bmp(passphrase: &[u8]) -> Zeroizing<Vec<u8>> {
    if passphrase == NO_PASSPHRASE {
        return Zeroizing::default();
    }
    let mut out = Zeroizing::new(Vec::with_capacity(2 * passphrase.len() + 2));
    match core::str::from_utf8(passphrase) {
        Ok(text) => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
        Err(_) => out.extend(passphrase.iter().flat_map(|byte| [0, *byte])),
    }
    out.extend([0, 0]);
    out
}

/// The passphrase of other derivations, in which none is the empty one.
pub(super) fn or_empty(passphrase: &[u8]) -> &[u8] {
    if passphrase == NO_PASSPHRASE { &[] } else { passphrase }
}

/// No passphrase at all: not one that can be typed.
pub(super) const NO_PASSPHRASE: &[u8] = b"\xff\0no passphrase";
