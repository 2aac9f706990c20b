//! Public keys and signature algorithms BoringSSL knows (`crypto/evp`, `crypto/x509/algorithm.cc`,
//! `crypto/x509/rsa_pss.cc`).

use super::Release;
use super::cbs::Cbs;
use super::grammar::integer;
use crate::der;
use crate::der::shape::bit_length;
use crate::key::post_quantum::ParameterSet;
use crate::key::{PublicKey, ec};
use crate::oid;
use crate::signature::{SignatureCheck, SignatureInput, check};

/// The type of a key that can be decoded (`EVP_PKEY_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    Ec,
    Ed25519,
    /// A parameter set of ML-DSA.
    MlDsa(&'static ParameterSet),
    /// It can be decoded; no signature is by it.
    Silent,
}

/// What a signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Good,
    Bad,
    /// BoringSSL does not know the algorithm, or not with such a key.
    Unsupported,
    /// BoringSSL can check it, this build cannot.
    Undecided,
}

/// secp224r1, 1.3.132.0.33.
const P224: &[u8] = &[0x2b, 0x81, 4, 0, 33];

/// Decodes a key; `None` if BoringSSL cannot (`crypto/evp/evp_asn1.cc: EVP_PKEY_from_subject_public_key_info`,
/// `crypto/evp/internal.h: GetDefaultEVPAlgorithms`).
pub(super) fn decode(key: &PublicKey, release: Release) -> Option<Kind> {
    let mut spki = Cbs::new(key.as_der()).only(der::SEQUENCE)?;
    let mut algorithm = spki.get(der::SEQUENCE)?;
    let kind = algorithm.get(der::OID)?.rest();
    let (&unused, bits) = spki.get(der::BIT_STRING)?.rest().split_first()?;
    if unused != 0 {
        return None;
    }
    match kind {
        oid::RSA_ENCRYPTION => {
            algorithm.get(der::NULL)?.end()?;
            algorithm.end()?;
            rsa(bits)
        }
        oid::EC_PUBLIC_KEY => {
            let curve = algorithm.get(der::OID)?.rest();
            algorithm.end()?;
            point(curve, bits)
        }
        oid::ED25519 | oid::X25519 => {
            algorithm.end()?;
            let kind = if kind == oid::ED25519 { Kind::Ed25519 } else { Kind::Silent };
            (bits.len() == 32).then_some(kind)
        }
        oid::DSA => dsa(algorithm, bits),
        _ => {
            let set = ml_dsa(kind)?;
            algorithm.end()?;
            (release.knows_ml_dsa() && bits.len() == set.key).then_some(Kind::MlDsa(set))
        }
    }
}

/// `crypto/rsa/rsa_asn1.cc: RSA_parse_public_key`, `crypto/fipsmodule/rsa/rsa_impl.cc.inc: rsa_check_public_key`.
fn rsa(bits: &[u8]) -> Option<Kind> {
    let mut parts = Cbs::new(bits).only(der::SEQUENCE)?;
    let (modulus, exponent) = (unsigned(&mut parts)?, unsigned(&mut parts)?);
    parts.end()?;
    ((512..=16384).contains(&bit_length(modulus))
        && (2..=33).contains(&bit_length(exponent))
        && is_odd(modulus)
        && is_odd(exponent))
    .then_some(Kind::Rsa)
}

/// `BN_parse_asn1_unsigned`.
fn unsigned<'a>(parts: &mut Cbs<'a>) -> Option<&'a [u8]> {
    let number = parts.get(der::INTEGER)?.rest();
    integer(number)?;
    (number[0] & 0x80 == 0).then_some(number)
}

/// `crypto/evp/p_ec.cc: eckey_pub_decode`, `crypto/fipsmodule/ec/oct.cc.inc: ec_GFp_simple_oct2point`: four named curves,
/// a point that is uncompressed or compressed.
fn point(curve: &[u8], bits: &[u8]) -> Option<Kind> {
    let is_known = matches!(curve, oid::P256 | oid::P384 | oid::P521) || curve == P224;
    let has_form = matches!(bits.first(), Some(2..=4));
    (is_known && has_form && ec::uncompressed(curve, bits).is_some()).then_some(Kind::Ec)
}

/// `crypto/evp/p_dsa.cc: dsa_pub_decode`.
fn dsa(mut algorithm: Cbs<'_>, bits: &[u8]) -> Option<Kind> {
    let mut parameters = algorithm.get(der::SEQUENCE)?;
    algorithm.end()?;
    let (p, q) = (unsigned(&mut parameters)?, unsigned(&mut parameters)?);
    let g = unsigned(&mut parameters)?;
    parameters.end()?;
    let mut key = Cbs::new(bits);
    unsigned(&mut key)?;
    key.end()?;
    // `crypto/dsa/dsa_asn1.cc: dsa_check_key`, without the key, which is read after it.
    let sound = is_odd(p) && is_odd(q) && is_less(q, p) && bit_length(g) > 0 && is_less(g, p);
    (sound && matches!(bit_length(q), 160 | 224 | 256) && bit_length(p) <= 10000)
        .then_some(Kind::Silent)
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte & 1 == 1)
}

/// Whether one number without sign is less than another; both are minimal.
fn is_less(a: &[u8], b: &[u8]) -> bool {
    let digits = |number: &[u8]| match number {
        [0, rest @ ..] => rest.to_vec(),
        all => all.to_vec(),
    };
    (bit_length(a), digits(a)) < (bit_length(b), digits(b))
}

/// `crypto/x509/a_verify.cc: x509_verify_signature`, over algorithms that are the same inside and outside.
pub(super) fn verify(signed: &SignatureInput<'_>, key: Kind) -> Answer {
    let mut algorithm = Cbs::new(signed.algorithm);
    let parts = algorithm.get(der::SEQUENCE).and_then(|mut parts| {
        let oid = parts.get(der::OID)?.rest();
        Some((oid, parts))
    });
    let Some((oid, parameters)) = parts else { return Answer::Unsupported };
    let fits = match oid {
        oid::RSA_PSS => key == Kind::Rsa && pss_parameters(parameters).is_some(),
        oid::ED25519 => key == Kind::Ed25519 && parameters.is_empty(),
        _ => match ml_dsa(oid) {
            Some(set) => key == Kind::MlDsa(set) && parameters.is_empty(),
            None => wanted(oid) == Some(key) && matches!(parameters.rest(), [] | [der::NULL, 0]),
        },
    };
    if !fits {
        return Answer::Unsupported;
    }
    match check(signed) {
        SignatureCheck::Good => Answer::Good,
        SignatureCheck::Bad => Answer::Bad,
        SignatureCheck::Undecided => Answer::Undecided,
    }
}

/// ML-DSA-44, -65 or -87 by its OID; SLH-DSA is in no certificate that BoringSSL verifies.
fn ml_dsa(oid: &[u8]) -> Option<&'static ParameterSet> {
    ParameterSet::of(oid).filter(|set| set.name.starts_with("ML-DSA"))
}

/// The key an algorithm with a digest of its own takes (`crypto/obj/obj_xref.cc: kTriples`, without MD4 and MD5,
/// `crypto/x509/algorithm.cc: x509_digest_nid_ok`, and without DSA, which nothing verifies).
fn wanted(oid: &[u8]) -> Option<Kind> {
    match oid {
        // sha1, sha256, sha384, sha512 and sha224WithRSAEncryption.
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5 | 11..=14] => Some(Kind::Rsa),
        // ecdsa-with-SHA1, then SHA224 to SHA512.
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1] => Some(Kind::Ec),
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1..=4] => Some(Kind::Ec),
        _ => None,
    }
}

/// id-mgf1.
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];

/// `crypto/rsa/rsa_asn1.cc: rsa_parse_pss_params`: one digest of three for the message and the mask, a salt as long as
/// it, everything written out.
fn pss_parameters(mut cbs: Cbs<'_>) -> Option<()> {
    let mut parameters = cbs.get(der::SEQUENCE)?;
    cbs.end()?;
    let mut hash = parameters.get(0xa0)?;
    let mut mask = parameters.get(0xa1)?;
    let mut generator = mask.get(der::SEQUENCE)?;
    mask.end()?;
    if generator.get(der::OID)?.rest() != MGF1 {
        return None;
    }
    let mut wrapper = parameters.get(0xa2)?;
    let salt = unsigned(&mut wrapper)?;
    wrapper.end()?;
    if !parameters.is_empty() {
        // The default trailer is tolerated.
        let mut trailer = parameters.get(0xa3)?;
        if unsigned(&mut trailer)? != [1] {
            return None;
        }
        parameters.end()?;
    }
    let length = digest_length(&mut hash)?;
    hash.end()?;
    let mask_length = digest_length(&mut generator)?;
    generator.end()?;
    (length == mask_length && salt == [length]).then_some(())
}

/// Octets of the digest of an AlgorithmIdentifier (`crypto/digest/digest_extra.cc: EVP_parse_digest_algorithm_nid`).
fn digest_length(cbs: &mut Cbs<'_>) -> Option<u8> {
    let mut algorithm = cbs.get(der::SEQUENCE)?;
    let oid = algorithm.get(der::OID)?.rest();
    if !algorithm.is_empty() {
        algorithm.get(der::NULL)?.end()?;
        algorithm.end()?;
    }
    match oid {
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1] => Some(32),
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2] => Some(48),
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3] => Some(64),
        _ => None,
    }
}
