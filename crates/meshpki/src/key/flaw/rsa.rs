//! RSA: numbers that anyone can sign with, or factor.

use alloc::vec;
use alloc::vec::Vec;

use num_bigint::BigUint;

use super::KeyFlaw;
use crate::key::decode::rsa_numbers;

/// Primes below this are tried as factors.
const SMALL: usize = 1 << 16;
/// Steps of Fermat's method, as many as Let's Encrypt takes (`boulder/goodkey/good_key.go`).
const FERMAT_STEPS: u32 = 110;
/// Bits of the largest modulus anything verifies with (`include/openssl/rsa.h: OPENSSL_RSA_MAX_MODULUS_BITS`).
const LARGEST: u64 = 16_384;
/// Bits of the largest modulus a mesh takes; with larger ones no powers are computed.
const LARGEST_USED: u64 = 8_192;

/// Something that makes a modulus useless.
type Check = fn(&BigUint) -> bool;

/// What is wrong with an RSAPublicKey.
pub(super) fn flaw(bits: &[u8]) -> Option<KeyFlaw> {
    let Ok((modulus, exponent)) = rsa_numbers(bits) else { return Some(KeyFlaw::MalformedRsa) };
    let is_negative = |number: &[u8]| number.first().is_none_or(|byte| byte & 0x80 != 0);
    if is_negative(modulus) || is_negative(exponent) {
        return Some(KeyFlaw::MalformedRsa);
    }
    let (n, e) = (BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent));
    if n.bits() > LARGEST || e >= n {
        return Some(KeyFlaw::MalformedRsa);
    }
    if e == BigUint::from(1u8) {
        return Some(KeyFlaw::ExponentOne);
    }
    if !e.bit(0) {
        return Some(KeyFlaw::ExponentEven);
    }
    if let Some(prime) = small_factor(&n) {
        return Some(KeyFlaw::SmallFactor(prime));
    }
    let checks: [(Check, KeyFlaw); 5] = [
        (is_pattern, KeyFlaw::Pattern),
        (is_roca, KeyFlaw::Roca),
        (is_power, KeyFlaw::Power),
        (has_close_factors, KeyFlaw::ClosePrimes),
        (is_prime, KeyFlaw::Prime),
    ];
    let quick = if n.bits() > LARGEST_USED { 2 } else { checks.len() };
    checks.into_iter().take(quick).find(|(check, _)| check(&n)).map(|(_, flaw)| flaw)
}

/// The least prime below [`SMALL`] that divides the number; a number that small is its own factor.
fn small_factor(n: &BigUint) -> Option<u32> {
    let primes = primes();
    // Four primes at once: their product fits 64 bits.
    primes.chunks(4).find_map(|some| {
        let product: u64 = some.iter().map(|prime| u64::from(*prime)).product();
        let rest = u64::try_from(n % product).unwrap_or(0);
        some.iter().copied().find(|prime| rest.is_multiple_of(u64::from(*prime)))
    })
}

/// The primes below [`SMALL`].
fn primes() -> Vec<u32> {
    let mut is_composite = vec![false; SMALL];
    let mut primes = Vec::new();
    for n in 2..SMALL {
        if is_composite[n] {
            continue;
        }
        primes.extend(u32::try_from(n).ok());
        (n * n..SMALL).step_by(n).for_each(|multiple| is_composite[multiple] = true);
    }
    primes
}

/// A modulus made of one short piece, or whose bytes are mostly the same: of 128 random bytes or more, half are
/// never one value.
fn is_pattern(n: &BigUint) -> bool {
    let bytes = n.to_bytes_be();
    let mut counts = [0usize; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    // The ends are often set by hand, so that the number is odd and long.
    let inner = bytes.get(8..bytes.len().saturating_sub(8)).unwrap_or_default();
    let repeats = |period: usize| {
        inner.len() > 2 * period && inner.iter().zip(&inner[period..]).all(|(a, b)| a == b)
    };
    counts.iter().any(|count| 2 * count > bytes.len()) || (1..=inner.len() / 3).any(repeats)
}

/// Whether the modulus is a power of 65537 modulo every small prime, as those of Infineon's RSALib are and one in some
/// 2^27 others (Nemec et al., The Return of Coppersmith's Attack, section 3; the primes are those of their detector).
fn is_roca(n: &BigUint) -> bool {
    let primes = (3..=167u64).filter(|n| (2..*n).all(|d| !n.is_multiple_of(d)));
    primes.into_iter().all(|prime| {
        let rest = u64::try_from(n % prime).unwrap_or(0);
        let mut power = 1;
        (0..prime).any(|_| {
            power = power * 65_537 % prime;
            power == rest
        })
    })
}

/// Whether the modulus is a power; without small factors its root is large, so the exponent is small.
fn is_power(n: &BigUint) -> bool {
    let largest = u32::try_from(n.bits() / 16).unwrap_or(1);
    (2..=largest)
        .filter(|k| (2..*k).all(|d| !k.is_multiple_of(d)))
        .any(|k| n.nth_root(k).pow(k) == *n)
}

/// Fermat's method: n = a^2 - b^2 for an a close to the root of n.
fn has_close_factors(n: &BigUint) -> bool {
    let mut a = n.sqrt();
    if &a * &a < *n {
        a += 1u8;
    }
    (0..FERMAT_STEPS).any(|_| {
        let square = &a * &a - n;
        a += 1u8;
        is_square(&square)
    })
}

fn is_square(n: &BigUint) -> bool {
    // Of the residues modulo 256, 44 are squares, and modulo 4095 = 5 * 7 * 9 * 13 one in some ten.
    let residue = |modulus: u32| u32::try_from(n % modulus).unwrap_or(0);
    let is_residue = |modulus: u32, rest: u32| (0..modulus).any(|r| r * r % modulus == rest);
    [256, 9, 5, 7, 13].into_iter().all(|modulus| is_residue(modulus, residue(modulus))) && {
        let root = n.sqrt();
        &root * &root == *n
    }
}

/// Whether 2^(n-1) = 1 modulo n, which holds for every prime, and for composites only where an exponent can be
/// inverted modulo n-1 anyway.
fn is_prime(n: &BigUint) -> bool {
    BigUint::from(2u8).modpow(&(n - 1u8), n) == BigUint::from(1u8)
}
