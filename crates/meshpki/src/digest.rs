//! Digests used as identifiers, and how they are printed.

use alloc::string::String;

use sha2::Digest as _;

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

/// SHA-1, for key identifiers only (RFC 5280 section 4.2.1.2, method 1).
#[must_use]
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    sha1::Sha1::digest(bytes).into()
}

/// Lower-case hex without separators.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    hex_joined(bytes, "")
}

/// Lower-case hex pairs joined by colons.
#[must_use]
pub fn hex_colons(bytes: &[u8]) -> String {
    hex_joined(bytes, ":")
}

fn hex_joined(bytes: &[u8], separator: &str) -> String {
    let digit = |n: u8| char::from(b"0123456789abcdef"[usize::from(n)]);
    let mut text = String::with_capacity(bytes.len() * 3);
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 {
            text.push_str(separator);
        }
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xf));
    }
    text
}
