//! Points on elliptic curves: which ones OpenSSL reads (`crypto/ec/ecp_oct.c: EC_POINT_oct2point`).

use alloc::vec::Vec;

use num_bigint::BigUint;

use super::curves::{CURVES, Curve};
use crate::der::shape::{bit_string, check_integer};
use crate::der::{self, DerError, Reader, Tlv};

/// The curve with that OID.
pub(crate) fn named(oid: &[u8]) -> Option<&'static Curve> {
    CURVES.iter().find(|curve| curve.oid == oid)
}

/// prime-field, 1.2.840.10045.1.1.
const PRIME_FIELD: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 1, 1];
/// `include/openssl/ec.h: OPENSSL_ECC_MAX_FIELD_BITS`.
const MAX_FIELD_BITS: u64 = 661;

/// A field and an equation in numbers.
pub(crate) struct Equation {
    p: BigUint,
    a: BigUint,
    b: BigUint,
}

impl Curve {
    /// `None` for a curve over a binary field.
    pub(super) fn equation(&self) -> Option<Equation> {
        Some(Equation { p: number(self.p)?, a: number(self.a)?, b: number(self.b)? })
    }
}

/// What explicit ECParameters say.
pub(crate) struct Explicit {
    pub(crate) equation: Equation,
    /// The base point in uncompressed form.
    pub(crate) base: Vec<u8>,
    pub(crate) order: BigUint,
}

impl Explicit {
    /// Bits of the order of the base point.
    pub(super) fn order_bits(&self) -> u64 {
        self.order.bits()
    }

    /// The built-in curve with these numbers (`crypto/ec/ec_curve.c: ossl_ec_curve_nid_from_params`).
    fn built_in(&self) -> Option<&'static Curve> {
        let Equation { p, a, b } = &self.equation;
        let (x, y) = self.base.get(1..)?.split_at(self.base.len() / 2);
        let (x, y) = (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y));
        CURVES.iter().find(|curve| {
            let is = |hex, value: &BigUint| number(hex).is_some_and(|number| number == *value);
            is(curve.order, &self.order)
                && is(curve.p, p)
                && is(curve.a, a)
                && is(curve.b, b)
                && is(curve.x, &x)
                && is(curve.y, &y)
        })
    }
}

/// A number in hex; `None` for no digits.
pub(crate) fn number(hex: &str) -> Option<BigUint> {
    BigUint::parse_bytes(hex.as_bytes(), 16)
}

impl Equation {
    /// Reads explicit ECParameters over a prime field (SEC 1 appendix C.2).
    pub(super) fn explicit(parameters: &Tlv<'_>) -> Result<Option<Explicit>, DerError> {
        let mut parts = parameters.reader();
        check_integer(&parts.expect(der::INTEGER, "ECParameters without a version")?)?;
        let mut field = parts.expect(der::SEQUENCE, "ECParameters without a field")?.reader();
        let kind = field.expect(der::OID, "field without a type")?;
        let p = field.any()?;
        field.end("extra element in a field")?;
        let mut curve = parts.expect(der::SEQUENCE, "ECParameters without a curve")?.reader();
        let a = curve.expect_string(der::OCTET_STRING, "curve without a")?;
        let b = curve.expect_string(der::OCTET_STRING, "curve without b")?;
        if let Some(seed) = curve.optional_string(der::BIT_STRING)? {
            bit_string(&seed)?;
        }
        curve.end("extra element in a curve")?;
        let base = parts.expect_string(der::OCTET_STRING, "ECParameters without a base")?;
        let order = parts.expect(der::INTEGER, "ECParameters without an order")?;
        check_integer(&order)?;
        let cofactor = parts.optional(der::INTEGER)?;
        cofactor.as_ref().map_or(Ok(()), check_integer)?;
        parts.end("extra element in ECParameters")?;
        if kind.content != PRIME_FIELD || p.tag != der::INTEGER {
            return Ok(None);
        }
        check_integer(&p)?;
        let is_negative = |number: &Tlv<'_>| number.content[0] & 0x80 != 0;
        if [Some(&p), Some(&order), cofactor.as_ref()].into_iter().flatten().any(is_negative) {
            return Ok(None);
        }
        let number = BigUint::from_bytes_be;
        let (a, b) = (number(&a.string()?), number(&b.string()?));
        let this = Self { p: number(p.content), a, b };
        let order = number(order.content);
        let sound = this.p.bit(0)
            && (3..=MAX_FIELD_BITS).contains(&this.p.bits())
            && (1..=this.p.bits() + 1).contains(&order.bits());
        let base = base.string()?;
        let base = if sound { this.uncompressed(&base) } else { None };
        Ok(base.map(|base| Explicit { equation: this, base, order }))
    }

    /// The field's prime, and `a`.
    #[cfg(feature = "legacy-algorithms")]
    pub(crate) const fn field(&self) -> (&BigUint, &BigUint) {
        (&self.p, &self.a)
    }

    /// The point in uncompressed form, when `octets` is a point of the curve in any of the forms OpenSSL
    /// reads: compressed, uncompressed or hybrid. The point at infinity stays the one byte it is.
    pub(crate) fn uncompressed(&self, octets: &[u8]) -> Option<Vec<u8>> {
        let size = usize::try_from(self.p.bits().div_ceil(8)).ok()?;
        let (&form, rest) = octets.split_first()?;
        match form {
            0 if rest.is_empty() => Some(alloc::vec![0]),
            4 | 6 | 7 if rest.len() == 2 * size => {
                let (x, y) = rest.split_at(size);
                let odd = y.last().is_some_and(|byte| byte & 1 == 1);
                let (x, y) = (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y));
                let fits = x < self.p && y < self.p && (form == 4 || odd == (form == 7));
                let on_curve = fits && (&y * &y) % &self.p == self.right_side(&x);
                on_curve.then(|| [&[4], rest].concat())
            }
            2 | 3 if rest.len() == size => {
                let x = BigUint::from_bytes_be(rest);
                if x >= self.p {
                    return None;
                }
                self.lift(rest, &self.right_side(&x), form == 3, size)
            }
            _ => None,
        }
    }

    /// A square root in the field (`crypto/bn/bn_sqrt.c: BN_mod_sqrt`): Tonelli and Shanks, or one power where
    /// p = 3 mod 4.
    fn root(&self, square: &BigUint) -> Option<BigUint> {
        let (p, one) = (&self.p, BigUint::from(1u8));
        let twos = (p - &one).trailing_zeros()?;
        let odd = p >> twos;
        let mut root = square.modpow(&((&odd + &one) / 2u8), p);
        if twos > 1 {
            let mut left = square.modpow(&odd, p);
            let mut step = BigUint::ZERO;
            let mut order = twos;
            while left != one && left != BigUint::ZERO {
                if step == BigUint::ZERO {
                    step = self.non_square()?.modpow(&odd, p);
                }
                let (mut below, mut power) = (0, left.clone());
                while power != one && below < order {
                    power = &power * &power % p;
                    below += 1;
                }
                let times = order.checked_sub(below + 1)?;
                let factor = (0..times).fold(step, |f, _| &f * &f % p);
                root = root * &factor % p;
                step = &factor * &factor % p;
                left = left * &step % p;
                order = below;
            }
        }
        (&root * &root % p == *square).then_some(root)
    }

    /// The least number without a square root, which is small for every prime.
    fn non_square(&self) -> Option<BigUint> {
        let (one, half) = (BigUint::from(1u8), &self.p >> 1);
        let is_none = |n: &BigUint| n.modpow(&half, &self.p) == &self.p - &one;
        (2u8..=255).map(BigUint::from).find(is_none)
    }

    fn right_side(&self, x: &BigUint) -> BigUint {
        ((x * x + &self.a) % &self.p * x + &self.b) % &self.p
    }

    fn lift(&self, x: &[u8], square: &BigUint, odd: bool, size: usize) -> Option<Vec<u8>> {
        let mut out = [&[4], x].concat();
        let root = self.root(square)?;
        if root == BigUint::ZERO && odd {
            return None;
        }
        let y = if root.bit(0) == odd { root } else { &self.p - root };
        let y = y.to_bytes_be();
        out.resize(1 + 2 * size - y.len().min(size), 0);
        out.extend_from_slice(&y);
        Some(out)
    }
}

/// The uncompressed form of a point of the named curve.
pub(crate) fn uncompressed(oid: &[u8], octets: &[u8]) -> Option<Vec<u8>> {
    named(oid)?.equation()?.uncompressed(octets)
}

/// Whether `octets` has the form and length of a point of the named curve over a binary field
/// (`crypto/ec/ec2_oct.c: ossl_ec_GF2m_simple_oct2point`); whether it is on the curve is not checked.
pub(super) fn fits_binary_field(oid: &[u8], octets: &[u8]) -> bool {
    let Some(size) = binary_field_bits(oid).map(|bits| bits.div_ceil(8)) else { return false };
    match octets.split_first() {
        Some((0, rest)) => rest.is_empty(),
        Some((2 | 3, rest)) => rest.len() == size,
        Some((4 | 6 | 7, rest)) => rest.len() == 2 * size,
        _ => false,
    }
}

/// Bits of a binary field: nearly every such curve has them in its name.
fn binary_field_bits(oid: &[u8]) -> Option<usize> {
    let name = crate::oid::short_name(oid)?;
    Some(match name {
        "Oakley-EC2N-3" => 155,
        "Oakley-EC2N-4" => 185,
        "wap-wsg-idm-ecid-wtls1" | "wap-wsg-idm-ecid-wtls4" => 113,
        "wap-wsg-idm-ecid-wtls3" | "wap-wsg-idm-ecid-wtls5" => 163,
        "wap-wsg-idm-ecid-wtls10" | "wap-wsg-idm-ecid-wtls11" => 233,
        _ => {
            let digits = ["sect", "c2pnb", "c2tnb"].iter().find_map(|p| name.strip_prefix(p))?;
            digits.get(..3)?.parse().ok()?
        }
    })
}

/// The curve of an EC key, by its name or by the numbers of a built-in one; `None` for any other curve.
pub(crate) fn curve_oid(spki: &[u8]) -> Option<&[u8]> {
    let curve = parameters(spki)?;
    if curve.tag == der::SEQUENCE {
        return Some(Equation::explicit(&curve).ok()??.built_in()?.oid);
    }
    (curve.tag == der::OID).then_some(curve.content)
}

/// The numbers of an EC key that has its curve in them, over a prime field.
#[cfg(feature = "legacy-algorithms")]
pub(crate) fn explicit(spki: &[u8]) -> Option<Explicit> {
    let curve = parameters(spki).filter(|curve| curve.tag == der::SEQUENCE)?;
    Equation::explicit(&curve).ok()?
}

/// The parameters of a key's AlgorithmIdentifier.
fn parameters(spki: &[u8]) -> Option<Tlv<'_>> {
    let mut identifier = Reader::new(spki).any().ok()?.reader().any().ok()?.reader();
    identifier.any().ok()?;
    identifier.any().ok()
}
