//! What OpenSSL knows of a public key once it has decoded it (`crypto/x509/x_pubkey.c: X509_get0_pubkey`).

use core::sync::atomic::{AtomicU32, Ordering};

use super::post_quantum::{ParameterSet, SETS};
use super::{PublicKey, ec};
use crate::algorithm::PssParameters;
use crate::der::shape::{bit_length, bit_string, check_integer, sequence, small_integer};
use crate::der::{self, DerError, Reader, Tlv};
use crate::oid;

/// A public key OpenSSL can decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Its type.
    pub(crate) kind: Kind,
    /// Its strength (`EVP_PKEY_get_security_bits`), exact at the bounds of the levels.
    pub(crate) security_bits: u32,
    /// An elliptic curve given by its parameters instead of its name.
    pub(crate) explicit_curve: bool,
}

/// The type of a key (`EVP_PKEY_get_base_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsa,
    RsaPss,
    Ec,
    Sm2,
    Dsa,
    Dh,
    Ed25519,
    Ed448,
    X25519,
    X448,
    /// ML-DSA or SLH-DSA.
    PostQuantum(&'static ParameterSet),
    /// A type some signature OID asks for and no key here has.
    Foreign,
}

impl Kind {
    /// All but [`Kind::PostQuantum`], whose numbers come after these.
    const ALL: [Self; 11] = [
        Self::Rsa,
        Self::RsaPss,
        Self::Ec,
        Self::Sm2,
        Self::Dsa,
        Self::Dh,
        Self::Ed25519,
        Self::Ed448,
        Self::X25519,
        Self::X448,
        Self::Foreign,
    ];

    fn number(self) -> usize {
        let set = match self {
            Self::PostQuantum(set) => SETS.iter().position(|known| known == set),
            _ => None,
        };
        let plain = || Self::ALL.iter().position(|kind| *kind == self).unwrap_or(0);
        set.map_or_else(plain, |set| Self::ALL.len() + set)
    }

    fn of_number(number: usize) -> Self {
        match number.checked_sub(Self::ALL.len()) {
            Some(set) => Self::PostQuantum(&SETS[set]),
            None => Self::ALL[number],
        }
    }
}

/// The answer of [`decode`] for one key, worked out when it is first asked for.
#[derive(Debug, Default)]
pub(crate) struct Lazy(AtomicU32);

impl Lazy {
    const KNOWN: u32 = 1 << 31;
    const DECODED: u32 = 1 << 30;
    const EXPLICIT: u32 = 1 << 29;

    /// The answer for `key`, which must be the same key every time.
    pub(crate) fn get(&self, key: &PublicKey) -> Option<Decoded> {
        let packed = self.0.load(Ordering::Relaxed);
        if packed & Self::KNOWN != 0 {
            return Self::unpack(packed);
        }
        let answer = decode(key);
        self.0.store(Self::pack(answer), Ordering::Relaxed);
        answer
    }

    fn pack(answer: Option<Decoded>) -> u32 {
        let Some(decoded) = answer else { return Self::KNOWN };
        let explicit = if decoded.explicit_curve { Self::EXPLICIT } else { 0 };
        let kind = u32::try_from(decoded.kind.number()).unwrap_or(0);
        Self::KNOWN | Self::DECODED | explicit | kind << 16 | decoded.security_bits.min(0xffff)
    }

    fn unpack(packed: u32) -> Option<Decoded> {
        let kind = usize::try_from(packed >> 16 & 0xff).ok()?;
        (packed & Self::DECODED != 0).then(|| Decoded {
            kind: Kind::of_number(kind),
            security_bits: packed & 0xffff,
            explicit_curve: packed & Self::EXPLICIT != 0,
        })
    }
}

/// Diffie-Hellman keys, PKCS#3.
const DH: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 3, 1];
/// Diffie-Hellman keys, X9.42.
const DHX: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3e, 2, 1];
/// rsa of X.500, 2.5.8.1.1.
const X500_RSA: &[u8] = &[0x55, 8, 1, 1];
/// Names of signatures that OpenSSL takes for DSA keys too (`crypto/dsa/dsa_ameth.c: ossl_dsa_asn1_meths`).
const OLD_DSA: [&[u8]; 4] = [
    &[0x2b, 14, 3, 2, 12],
    &[0x2b, 14, 3, 2, 13],
    &[0x2b, 14, 3, 2, 27],
    &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3],
];

/// Decodes a key; `None` when OpenSSL cannot.
pub(crate) fn decode(key: &PublicKey) -> Option<Decoded> {
    let mut parts = Reader::new(key.as_der()).any().ok()?.reader();
    let mut identifier = parts.any().ok()?.reader();
    let algorithm = identifier.any().ok()?;
    let parameters = identifier.next().ok()?;
    let bits = key.bits();
    let plain = |kind, security_bits| Some(Decoded { kind, security_bits, explicit_curve: false });
    let curve25519 = |kind, size, security_bits| {
        if parameters.is_none() && bits.len() == size { plain(kind, security_bits) } else { None }
    };
    match algorithm.content {
        oid::RSA_ENCRYPTION | X500_RSA => plain(Kind::Rsa, rsa_security(bits)?),
        oid::RSA_PSS => {
            if let Some(parameters) = parameters {
                PssParameters::read(&parameters).ok()?;
            }
            plain(Kind::RsaPss, rsa_security(bits)?)
        }
        oid::EC_PUBLIC_KEY => ec_key(&parameters?, bits),
        other if other == oid::DSA || OLD_DSA.contains(&other) => {
            dsa_key(parameters.as_ref(), bits)
        }
        oid::ED25519 => curve25519(Kind::Ed25519, 32, 128),
        oid::ED448 => curve25519(Kind::Ed448, 57, 224),
        oid::X25519 => curve25519(Kind::X25519, 32, 128),
        oid::X448 => curve25519(Kind::X448, 56, 224),
        DH => dh_key(&parameters?, bits, false),
        DHX => dh_key(&parameters?, bits, true),
        other => {
            let set = ParameterSet::of(other)?;
            let decodes = set.decodes(key.as_der(), bits);
            if decodes { plain(Kind::PostQuantum(set), set.security_bits) } else { None }
        }
    }
}

/// Modulus and public exponent of an RSAPublicKey (RFC 8017 appendix A.1.1), as OpenSSL reads them: their
/// content octets are numbers without sign.
pub(crate) fn rsa_numbers(bits: &[u8]) -> Result<(&[u8], &[u8]), DerError> {
    let mut parts =
        Reader::new(bits).expect(der::SEQUENCE, "the RSA key is not a SEQUENCE")?.reader();
    let modulus = parts.expect(der::INTEGER, "an RSA modulus is not an INTEGER")?;
    let exponent = parts.expect(der::INTEGER, "an RSA exponent is not an INTEGER")?;
    parts.end("extra element in an RSA key")?;
    Ok((modulus.content, exponent.content))
}

/// `crypto/rsa/rsa_lib.c: ossl_ifc_ffc_compute_security_bits` at the bounds of the levels, measured with
/// `RSA_security_bits` of 3.0.19.
fn rsa_security(bits: &[u8]) -> Option<u32> {
    let (modulus, _) = rsa_numbers(bits).ok()?;
    Some(match bit_length(modulus) {
        13914.. => 256,
        6947.. => 192,
        2671.. => 128,
        1963.. => 112,
        920.. => 80,
        _ => 0,
    })
}

/// `crypto/ec/ec_ameth.c: eckey_pub_decode`.
fn ec_key(parameters: &Tlv<'_>, point: &[u8]) -> Option<Decoded> {
    let (equation, order_bits, sm2) = match parameters.tag {
        der::OID => {
            let curve = ec::named(parameters.content)?;
            (curve.equation(), curve.order_bits, parameters.content == oid::SM2)
        }
        der::SEQUENCE => {
            let explicit = ec::Equation::explicit(parameters).ok()??;
            let bits = u32::try_from(explicit.order_bits()).ok()?;
            (Some(explicit.equation), bits, false)
        }
        _ => return None,
    };
    match equation {
        Some(equation) => drop(equation.uncompressed(point)?),
        None if ec::fits_binary_field(parameters.content, point) => {}
        None => return None,
    }
    // crypto/ec/ec_key.c: EC_KEY, ecdh and ecdsa security bits by the order.
    let security_bits = match order_bits {
        512.. => 256,
        384.. => 192,
        256.. => 128,
        224.. => 112,
        160.. => 80,
        bits => bits / 2,
    };
    Some(Decoded {
        kind: if sm2 { Kind::Sm2 } else { Kind::Ec },
        security_bits,
        explicit_curve: parameters.tag == der::SEQUENCE,
    })
}

/// `crypto/dsa/dsa_ameth.c: dsa_pub_decode`; strength as `crypto/bn/bn_lib.c: BN_security_bits`.
fn dsa_key(parameters: Option<&Tlv<'_>>, bits: &[u8]) -> Option<Decoded> {
    let number = Reader::new(bits).expect(der::INTEGER, "the DSA key is not an INTEGER").ok()?;
    check_integer(&number).ok()?;
    let mut parts = parameters.filter(|p| p.tag == der::SEQUENCE)?.reader();
    let mut next = || parts.expect(der::INTEGER, "a DSA parameter is not an INTEGER").ok();
    let (p, q) = (bit_length(next()?.content), bit_length(next()?.content));
    next()?;
    parts.end("extra element in DSA parameters").ok()?;
    Some(Decoded { kind: Kind::Dsa, security_bits: finite(p, q), explicit_curve: false })
}

/// Strength of a finite field and a subgroup, by their bits (`crypto/bn/bn_lib.c: BN_security_bits`).
fn finite(p: usize, q: usize) -> u32 {
    let by_p = match p {
        15360.. => 256,
        7680.. => 192,
        3072.. => 128,
        2048.. => 112,
        1024.. => 80,
        _ => 0,
    };
    let by_q = u32::try_from(q / 2).unwrap_or(u32::MAX);
    if by_q < 80 { 0 } else { by_q.min(by_p) }
}

/// `crypto/dh/dh_ameth.c: dh_pub_decode`: DHParameter of PKCS#3, or DomainParameters of X9.42 (RFC 2631).
fn dh_key(parameters: &Tlv<'_>, bits: &[u8], x942: bool) -> Option<Decoded> {
    let number = Reader::new(bits).expect(der::INTEGER, "the DH key is not an INTEGER").ok()?;
    check_integer(&number).ok()?;
    let mut parts = sequence(parameters).ok()?;
    let mut next = || {
        let number = parts.optional(der::INTEGER).ok()?;
        number.is_none_or(|n| check_integer(&n).is_ok()).then_some(number)
    };
    let p = bit_length(next()??.content);
    next()??;
    let third = next()?;
    let q = if x942 {
        let q = bit_length(third?.content);
        next()?;
        if let Some(validation) = parts.optional(der::SEQUENCE).ok()? {
            let mut validation = validation.reader();
            let seed =
                validation.expect_string(der::BIT_STRING, "a seed is not a BIT STRING").ok()?;
            bit_string(&seed).ok()?;
            let counter = validation.expect(der::INTEGER, "a counter is not an INTEGER").ok()?;
            check_integer(&counter).ok()?;
            validation.end("extra element in validation parameters").ok()?;
        }
        q
    } else {
        let length = third.map_or(Some(0), |n| small_integer(n.content))?;
        match usize::try_from(i32::try_from(length).ok()?).unwrap_or(0) {
            0 => usize::MAX,
            length => length,
        }
    };
    parts.end("extra element in DH parameters").ok()?;
    Some(Decoded { kind: Kind::Dh, security_bits: finite(p, q), explicit_curve: false })
}
