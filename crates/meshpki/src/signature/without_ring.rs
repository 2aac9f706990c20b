//! Without ring, nothing is decided here.

use super::SignatureInput;
use crate::algorithm::Digest;

pub(super) const fn plain(_: &[u8], _: &SignatureInput<'_>) -> Option<bool> {
    None
}

pub(super) const fn ecdsa(_: &[u8], _: &[u8], _: &SignatureInput<'_>) -> Option<bool> {
    None
}

pub(super) const fn ed25519(_: &SignatureInput<'_>) -> Option<bool> {
    None
}

pub(super) const fn pss(_: Digest, _: i64, _: &SignatureInput<'_>) -> Option<bool> {
    None
}
