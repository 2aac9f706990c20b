//! Public keys that protect nothing: anyone can sign with them, or compute the private key.
//!
//! A CA with such a key vouches for whatever anyone writes, and every verifier accepts it: the signatures are
//! valid. [`crate::verify()`] therefore says nothing of them, as openssl does not; nothing here issues to them,
//! signs with them or takes them for a CA.

use alloc::boxed::Box;

use num_bigint::BigUint;

use super::{KeyAlgorithm, PublicKey, ec};
use crate::der::{self, Reader};
use crate::oid;

mod edwards;
mod published;
mod rsa;
pub(crate) mod samples;

/// Multiples of the base point that are looked for: private keys of this size are found by counting.
const COUNTED: u32 = 64;

/// Why a public key protects nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFlaw {
    /// A point that is not on the curve, or bytes that are not a point: nothing is known of such keys.
    #[error("it is not a point of its curve")]
    OffCurve,
    /// The neutral element of a curve (SEC 1 section 3.2.2.1 forbids it).
    #[error(
        "it is the point at infinity, for which anyone can create signatures without a private key"
    )]
    Infinity,
    /// An Ed25519 point whose order divides 8, in any encoding (RFC 8032 section 8.9 and the cofactor).
    #[error("its point has small order, so anyone can create signatures without a private key")]
    SmallOrder,
    /// An Ed25519 point encoded another way than RFC 8032 section 5.1.2 does.
    #[error("its point is not encoded canonically, so verifiers disagree about it")]
    NotCanonical,
    /// An Ed25519 point with a part of small order, which no key generation makes.
    #[error("its point lies outside the prime-order subgroup, so verifiers disagree about it")]
    MixedOrder,
    /// A small multiple of the curve's base point.
    #[error("its private key is {0}, which anyone can find by counting")]
    Counted(
        /// The private key, up to its sign.
        u32,
    ),
    /// Numbers that are not an RSA key in DER.
    #[error("it is not encoded as RFC 8017 requires")]
    MalformedRsa,
    /// A public exponent of 1: each message is its own signature.
    #[error("its public exponent is 1, so every message is its own signature")]
    ExponentOne,
    /// A public exponent that is even, or 0: it has no private counterpart.
    #[error("its public exponent is even, which is never valid")]
    ExponentEven,
    /// A modulus divisible by 2 or another small prime.
    #[error("its modulus is divisible by {0}")]
    SmallFactor(
        /// The prime.
        u32,
    ),
    /// A modulus that is prime: the private exponent follows from the public one.
    #[error("its modulus is prime, so anyone can compute the private exponent from the public one")]
    Prime,
    /// A modulus that is a power of one number.
    #[error("its modulus is a power of a single number, so anyone can factor it")]
    Power,
    /// A modulus whose factors are close to each other: Fermat's method finds them (CVE-2022-26320).
    #[error("the factors of its modulus are close to each other, so anyone can find them")]
    ClosePrimes,
    /// A modulus made by Infineon's RSALib (CVE-2017-15361, ROCA).
    #[error("its modulus has the ROCA weakness (CVE-2017-15361), so it can be factored")]
    Roca,
    /// A modulus that repeats itself, or lacks randomness in most of its bytes.
    #[error("its modulus follows a pattern instead of being random")]
    Pattern,
    /// A key whose private half is published.
    #[error("its private key is published: {0}")]
    Published(
        /// Where.
        Box<str>,
    ),
}

impl PublicKey {
    /// Why this key protects nothing; `None` for keys that are sound as far as can be seen from outside.
    ///
    /// Looked at are keys a mesh can use: RSA, Ed25519, and ECDSA on any named curve. For RSA these are the checks of
    /// Let's Encrypt (`boulder/goodkey/good_key.go`: small primes, ROCA, Fermat), primes up to 65,536, and whether the
    /// modulus is itself prime. Debian's keys of 2008 (CVE-2008-0166) are not recognised: the lists of them take
    /// megabytes.
    #[must_use]
    pub fn flaw(&self) -> Option<KeyFlaw> {
        let found = match &self.algorithm {
            KeyAlgorithm::Ed25519 => edwards::flaw(&self.bits),
            KeyAlgorithm::Rsa { .. } => rsa::flaw(&self.bits),
            _ => point_flaw(self),
        };
        found.or_else(|| published::place(self).map(|place| KeyFlaw::Published(place.into())))
    }
}

/// What is wrong with the point of an EC key on a named curve over a prime field.
fn point_flaw(key: &PublicKey) -> Option<KeyFlaw> {
    let mut identifier = Reader::new(key.as_der()).any().ok()?.reader().any().ok()?.reader();
    if identifier.any().ok()?.content != oid::EC_PUBLIC_KEY {
        return None;
    }
    if *key.bits() == [0] {
        return Some(KeyFlaw::Infinity);
    }
    let name = identifier.next().ok()?.filter(|name| name.tag == der::OID)?;
    let curve = ec::named(name.content)?;
    let equation = curve.equation()?;
    let Some(point) = equation.uncompressed(key.bits()) else { return Some(KeyFlaw::OffCurve) };
    let (x, _) = point.get(1..)?.split_at(point.len() / 2);
    multiple(curve, &BigUint::from_bytes_be(x)).map(KeyFlaw::Counted)
}

/// Which small multiple of the base point has this x-coordinate; that of its negative is the same.
fn multiple(curve: &super::curves::Curve, x: &BigUint) -> Option<u32> {
    let number = |hex| ec::number(hex).unwrap_or_default();
    let (p, base_x, base_y) = (&number(curve.p), &number(curve.x), &number(curve.y));
    let times = |a: &BigUint, b: &BigUint| a * b % p;
    let minus = |a: &BigUint, b: &BigUint| (a + p - b) % p;
    if base_x == x {
        return Some(1);
    }
    // Jacobian coordinates: x = X/Z^2, y = Y/Z^3; first the double of the base point, where Z is 2y.
    let slope = (base_x * base_x * 3u8 + number(curve.a)) % p;
    let (double, square) = (base_y * 2u8 % p, base_y * base_y % p);
    let s = base_x * &square * 4u8 % p;
    let (mut x1, mut z1) = (minus(&times(&slope, &slope), &(&s * 2u8 % p)), double);
    let mut y1 = minus(&times(&slope, &minus(&s, &x1)), &(&square * &square * 8u8 % p));
    for n in 2..=COUNTED {
        let z_square = times(&z1, &z1);
        if times(x, &z_square) == x1 {
            return Some(n);
        }
        let h = minus(&times(base_x, &z_square), &x1);
        let r = minus(&times(base_y, &times(&z1, &z_square)), &y1);
        let (h2, h3) = (times(&h, &h), times(&h, &times(&h, &h)));
        let v = times(&x1, &h2);
        x1 = minus(&minus(&times(&r, &r), &h3), &(&v * 2u8 % p));
        y1 = minus(&times(&r, &minus(&v, &x1)), &times(&y1, &h3));
        z1 = times(&z1, &h);
    }
    None
}

#[cfg(test)]
mod tests;
