//! Signatures by SM2 over SM3 (GM/T 0003.2, RFC 8998 section 3.2.1).

use alloc::vec::Vec;

use num_bigint::BigUint;
use sm3::{Digest as _, Sm3};

use super::weierstrass::Group;
use super::{SignatureInput, two_numbers};
use crate::key::ec::{self, number};
use crate::oid;

/// Octets of a coordinate.
const SIZE: usize = 32;
/// The longest distinguishing id: its bits are counted in two octets (`crypto/sm2/sm2_sign.c:
/// ossl_sm2_compute_z_digest`).
const MAX_ID: usize = 0xffff / 8;

/// Whether the signature is one of the message by the key, for the signer's distinguishing id.
pub(in crate::signature) fn check(signed: &SignatureInput<'_>, id: &[u8]) -> bool {
    is_good(signed, id).unwrap_or(false)
}

fn is_good(signed: &SignatureInput<'_>, id: &[u8]) -> Option<bool> {
    let group = Group::new(ec::named(oid::SM2)?)?;
    let point = ec::uncompressed(oid::SM2, signed.key.bits())?;
    let coordinates = point.get(1..).filter(|point| point.len() == 2 * SIZE)?;
    let (r, s) = two_numbers(signed.signature)?;
    let about = digest_of_signer(coordinates, id)?;
    let e = Sm3::new().chain_update(about).chain_update(signed.message).finalize();
    group.verify_sm2(coordinates, &BigUint::from_bytes_be(&e), &r, &s)
}

/// The digest of who signs: the id, the curve and the key.
fn digest_of_signer(coordinates: &[u8], id: &[u8]) -> Option<Vec<u8>> {
    let bits = u16::try_from(8 * id.len()).ok().filter(|_| id.len() < MAX_ID)?;
    let curve = ec::named(oid::SM2)?;
    let mut digest = Sm3::new().chain_update(bits.to_be_bytes()).chain_update(id);
    for hex in [curve.a, curve.b, curve.x, curve.y] {
        let octets = number(hex)?.to_bytes_be();
        digest.update(&[0; SIZE][..SIZE - octets.len()]);
        digest.update(octets);
    }
    Some(digest.chain_update(coordinates).finalize().to_vec())
}
