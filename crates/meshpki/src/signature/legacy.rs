//! What ring and aws-lc-rs do not decide: RSA of any size, salt and digest, DSA, ECDSA on every prime curve,
//! Ed448, SM2, SLH-DSA. Only public numbers are worked with, so nothing here takes care of timing.

use alloc::vec::Vec;

use num_bigint::BigUint;
use sha2::Digest as _;

use super::{SignatureCheck, SignatureInput, answer};
use crate::algorithm::{Digest, PssParameters, algorithm_parts};
use crate::der::shape::{bit_length, check_integer};
use crate::der::{self, Reader};
use crate::key::decode::rsa_numbers;
use crate::key::ec;

mod ed448;
mod slh_dsa;
mod sm2;
mod weierstrass;

pub(super) use ed448::check as ed448;
pub(super) use slh_dsa::check as slh_dsa;
pub(super) use sm2::check as sm2;

/// The digest of `message`; `None` for one that OpenSSL's default provider does not have, or that is not implemented here.
fn digest(digest: Digest, message: &[u8]) -> Option<Vec<u8>> {
    Some(match digest {
        Digest::Md5 => md5::Md5::digest(message).to_vec(),
        Digest::Ripemd160 => ripemd::Ripemd160::digest(message).to_vec(),
        Digest::Sha1 => crate::digest::sha1(message).to_vec(),
        Digest::Sha224 => sha2::Sha224::digest(message).to_vec(),
        Digest::Sha256 => crate::digest::sha256(message).to_vec(),
        Digest::Sha384 => sha2::Sha384::digest(message).to_vec(),
        Digest::Sha512 => sha2::Sha512::digest(message).to_vec(),
        Digest::Sha512_224 => sha2::Sha512_224::digest(message).to_vec(),
        Digest::Sha512_256 => sha2::Sha512_256::digest(message).to_vec(),
        Digest::Sha3_224 => sha3::Sha3_224::digest(message).to_vec(),
        Digest::Sha3_256 => sha3::Sha3_256::digest(message).to_vec(),
        Digest::Sha3_384 => sha3::Sha3_384::digest(message).to_vec(),
        Digest::Sha3_512 => sha3::Sha3_512::digest(message).to_vec(),
        Digest::Sm3 => sm3::Sm3::digest(message).to_vec(),
        Digest::Md2 | Digest::Md4 | Digest::Mdc2 | Digest::Sha0 | Digest::Other => return None,
    })
}

/// The signature raised to the public exponent, as wide as the modulus; `None` for keys and signatures
/// OpenSSL refuses (`crypto/rsa/rsa_ossl.c: rsa_ossl_public_decrypt`).
fn rsa_open(signed: &SignatureInput<'_>) -> Option<Vec<u8>> {
    let (modulus, exponent) = rsa_numbers(signed.key.bits()).ok()?;
    let bits = bit_length(modulus);
    let too_large = bits > 16384 || (bits > 3072 && bit_length(exponent) > 64);
    let width = bits.div_ceil(8);
    let (n, e) = (BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent));
    let signature = BigUint::from_bytes_be(signed.signature);
    if too_large || n <= e || signed.signature.len() != width || signature >= n {
        return None;
    }
    let opened = signature.modpow(&e, &n).to_bytes_be();
    let mut out = alloc::vec![0; width - opened.len().min(width)];
    out.extend_from_slice(&opened);
    Some(out)
}

/// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2): the one encoding of the digest must come out.
pub(super) fn rsa_pkcs1(algorithm: Digest, signed: &SignatureInput<'_>) -> SignatureCheck {
    let Some(digest) = digest(algorithm, signed.message) else {
        return if algorithm.is_available() {
            SignatureCheck::Undecided
        } else {
            SignatureCheck::Bad
        };
    };
    let good = rsa_open(signed).is_some_and(|opened| {
        algorithm
            .oid()
            .is_some_and(|oid| pkcs1_encoding(oid, &digest, opened.len()) == Some(opened))
    });
    answer(good)
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2).
fn pkcs1_encoding(oid: &[u8], digest: &[u8], width: usize) -> Option<Vec<u8>> {
    let identifier = der::sequence(&[&der::tlv(der::OID, oid), &der::tlv(der::NULL, &[])]);
    let info = der::sequence(&[&identifier, &der::tlv(der::OCTET_STRING, digest)]);
    let padding = width.checked_sub(info.len() + 3).filter(|padding| *padding >= 8)?;
    Some([&[0, 1], alloc::vec![0xff; padding].as_slice(), &[0], &info].concat())
}

/// RSASSA-PSS (RFC 8017 section 8.1.2).
pub(super) fn rsa_pss(parameters: PssParameters, signed: &SignatureInput<'_>) -> SignatureCheck {
    let Some(digest) = digest(parameters.digest, signed.message) else {
        return SignatureCheck::Undecided;
    };
    if parameters.mask_digest == Digest::Other {
        return SignatureCheck::Undecided;
    }
    let good = rsa_open(signed).is_some_and(|opened| {
        let bits = rsa_numbers(signed.key.bits()).map_or(0, |(n, _)| bit_length(n));
        pss_encoding_is_good(parameters, &digest, &opened, bits).is_some()
    });
    answer(good)
}

/// EMSA-PSS-VERIFY (RFC 8017 section 9.1.2), for a modulus of `bits` bits.
fn pss_encoding_is_good(
    parameters: PssParameters,
    digest_of_message: &[u8],
    opened: &[u8],
    bits: usize,
) -> Option<()> {
    let salt_length = usize::try_from(parameters.salt).ok()?;
    let unused = u32::try_from((8 - (bits.checked_sub(1)?) % 8) % 8).ok()?;
    // With a multiple of eight bits to encode, the first byte of the number is zero and not part of it.
    let encoded = match opened.split_first()? {
        (0, rest) if unused == 0 => rest,
        (_, _) if unused == 0 => return None,
        _ => opened,
    };
    let (body, trailer) = encoded.split_at(encoded.len().checked_sub(1)?);
    let (masked, hash) = body.split_at(body.len().checked_sub(digest_of_message.len())?);
    if trailer != [0xbc] || masked.first()? & !(0xff >> unused) != 0 {
        return None;
    }
    let mask = mgf1(parameters.mask_digest, hash, masked.len())?;
    let mut block: Vec<u8> = masked.iter().zip(mask).map(|(a, b)| a ^ b).collect();
    *block.first_mut()? &= 0xff >> unused;
    let (padding, salt) = block.split_at(block.len().checked_sub(salt_length)?);
    let (one, zeros) = padding.split_last()?;
    if *one != 1 || zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    let again = digest(parameters.digest, &[&[0; 8], digest_of_message, salt].concat())?;
    (again == hash).then_some(())
}

/// MGF1 (RFC 8017 appendix B.2.1).
fn mgf1(algorithm: Digest, seed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut mask = Vec::with_capacity(length + 64);
    for counter in 0u32.. {
        if mask.len() >= length {
            break;
        }
        mask.extend(digest(algorithm, &[seed, &counter.to_be_bytes()].concat())?);
    }
    mask.truncate(length);
    Some(mask)
}

/// Two numbers in strict DER, as DSA and ECDSA signatures hold them
/// (`crypto/asn1_dsa.c: ossl_decode_der_dsa_sig`, and the comparison with the encoding again).
fn two_numbers(signature: &[u8]) -> Option<(BigUint, BigUint)> {
    let mut outer = Reader::new(signature);
    let sequence = outer.expect(der::SEQUENCE, "the signature is not a SEQUENCE").ok()?;
    outer.end("bytes after the signature").ok()?;
    let mut parts = sequence.reader();
    let mut next = || {
        let number =
            parts.expect(der::INTEGER, "the signature does not consist of INTEGERs").ok()?;
        check_integer(&number).ok()?;
        (number.content[0] & 0x80 == 0).then_some(number.content)
    };
    let (r, s) = (next()?, next()?);
    let again = der::sequence(&[&der::tlv(der::INTEGER, r), &der::tlv(der::INTEGER, s)]);
    (again == signature).then(|| (BigUint::from_bytes_be(r), BigUint::from_bytes_be(s)))
}

/// The leftmost bits of a digest, as many as the order has (FIPS 186-4 section 6.4).
fn truncated(digest: &[u8], order_bits: u64) -> BigUint {
    let bits = u64::try_from(digest.len()).unwrap_or(u64::MAX) * 8;
    BigUint::from_bytes_be(digest) >> bits.saturating_sub(order_bits)
}

/// DSA (FIPS 186-4 section 4.7; `crypto/dsa/dsa_ossl.c: dsa_do_verify`).
pub(super) fn dsa(algorithm: Digest, signed: &SignatureInput<'_>) -> SignatureCheck {
    let Some(digest) = digest(algorithm, signed.message) else { return SignatureCheck::Bad };
    answer(dsa_is_good(&digest, signed).unwrap_or(false))
}

fn dsa_is_good(digest: &[u8], signed: &SignatureInput<'_>) -> Option<bool> {
    let identifier = Reader::new(signed.key.as_der()).any().ok()?.reader().any().ok()?;
    let (_, parameters) = algorithm_parts(identifier.raw).ok()?;
    let mut parts = parameters?.reader();
    let mut next = || parts.any().ok().map(|number| BigUint::from_bytes_be(number.content));
    let (p, q, g) = (next()?, next()?, next()?);
    let y = BigUint::from_bytes_be(Reader::new(signed.key.bits()).any().ok()?.content);
    if !matches!(q.bits(), 160 | 224 | 256) || p.bits() > 10000 {
        return Some(false);
    }
    let (r, s) = two_numbers(signed.signature)?;
    let zero = BigUint::ZERO;
    if r == zero || s == zero || r >= q || s >= q {
        return Some(false);
    }
    let w = s.modinv(&q)?;
    let (u1, u2) = (truncated(digest, q.bits()) * &w % &q, &r * w % &q);
    let v = g.modpow(&u1, &p) * y.modpow(&u2, &p) % p % q;
    Some(v == r)
}

/// ECDSA (FIPS 186-4 section 6.4) on a named curve, with an uncompressed point.
pub(super) fn ecdsa(
    curve: &[u8],
    point: &[u8],
    algorithm: Digest,
    signed: &SignatureInput<'_>,
) -> SignatureCheck {
    match ec::named(curve).and_then(weierstrass::Group::new) {
        Some(group) => ecdsa_in(&group, point, algorithm, signed),
        None => SignatureCheck::Undecided,
    }
}

/// The same on the curve that the key itself has; `Undecided` for one over a binary field.
pub(super) fn ecdsa_explicit(algorithm: Digest, signed: &SignatureInput<'_>) -> SignatureCheck {
    let Some(curve) = ec::explicit(signed.key.as_der()) else { return SignatureCheck::Undecided };
    let point = curve.equation.uncompressed(signed.key.bits());
    match weierstrass::Group::explicit(&curve).zip(point) {
        Some((group, point)) => ecdsa_in(&group, &point, algorithm, signed),
        None => SignatureCheck::Bad,
    }
}

fn ecdsa_in(
    group: &weierstrass::Group,
    point: &[u8],
    algorithm: Digest,
    signed: &SignatureInput<'_>,
) -> SignatureCheck {
    if point != [0] && point.len() != 1 + 2 * group.field_bytes() {
        return SignatureCheck::Undecided;
    }
    let Some(digest) = digest(algorithm, signed.message) else { return SignatureCheck::Bad };
    let Some((r, s)) = two_numbers(signed.signature) else { return SignatureCheck::Bad };
    let z = truncated(&digest, group.order().bits());
    answer(group.verify(&point[1..], &z, &r, &s).unwrap_or(false))
}
