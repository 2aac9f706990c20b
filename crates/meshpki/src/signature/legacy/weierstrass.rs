//! Arithmetic on short Weierstrass curves in Jacobian coordinates (SEC 1 section 2.2; formulas for any `a`).

use num_bigint::BigUint;

use crate::key::curves::Curve;
use crate::key::ec::{Explicit, number};

/// A curve's group.
pub(super) struct Group {
    p: BigUint,
    a: BigUint,
    base: Point,
    order: BigUint,
}

/// Which numbers a group is made of may be the signer's choice, so inverses are powers, as in OpenSSL: what it rejects for
/// a modulus that is not prime is rejected here too (`crypto/ec/ec_lib.c: ec_field_inverse_mod_ord`,
/// `crypto/ec/ecp_mont.c: ossl_ec_GFp_mont_field_inv`).
fn inverse(number: &BigUint, modulus: &BigUint) -> Option<BigUint> {
    let two = BigUint::from(2u8);
    let has_one = modulus.bit(0) && *modulus > two && *number != BigUint::ZERO;
    has_one.then(|| number.modpow(&(modulus - two), modulus))
}

/// `(x / z^2, y / z^3)`; the point at infinity has `z = 0`.
#[derive(Clone)]
struct Point {
    x: BigUint,
    y: BigUint,
    z: BigUint,
}

impl Point {
    /// Both coordinates, one after the other; none stand for infinity.
    fn read(coordinates: &[u8]) -> Self {
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        let z = BigUint::from(u8::from(!coordinates.is_empty()));
        Self { x: BigUint::from_bytes_be(x), y: BigUint::from_bytes_be(y), z }
    }
}

impl Group {
    /// `None` for a curve over a binary field.
    pub(super) fn new(curve: &Curve) -> Option<Self> {
        let base = Point { x: number(curve.x)?, y: number(curve.y)?, z: BigUint::from(1u8) };
        Some(Self { p: number(curve.p)?, a: number(curve.a)?, base, order: number(curve.order)? })
    }

    /// The group of explicit parameters; `None` if the base point is infinity.
    pub(super) fn explicit(curve: &Explicit) -> Option<Self> {
        let (p, a) = curve.equation.field();
        let base = Point::read(curve.base.get(1..).filter(|base| !base.is_empty())?);
        Some(Self { p: p.clone(), a: a.clone(), base, order: curve.order.clone() })
    }

    pub(super) const fn order(&self) -> &BigUint {
        &self.order
    }

    pub(super) fn field_bytes(&self) -> usize {
        usize::try_from(self.p.bits().div_ceil(8)).unwrap_or(0)
    }

    /// Whether `(r, s)` is a signature of `z` by the point with those coordinates; none stand for infinity.
    pub(super) fn verify(
        &self,
        coordinates: &[u8],
        z: &BigUint,
        r: &BigUint,
        s: &BigUint,
    ) -> Option<bool> {
        if !self.is_scalar(r) || !self.is_scalar(s) {
            return Some(false);
        }
        let w = inverse(s, &self.order)?;
        let (u1, u2) = (z * &w % &self.order, r * w % &self.order);
        let x = self.x_of_sum(&u1, &u2, &Point::read(coordinates))?;
        Some(x % &self.order == *r)
    }

    /// The same for SM2 (GM/T 0003.2 section 7.1), where `e` is the digest.
    pub(super) fn verify_sm2(
        &self,
        coordinates: &[u8],
        e: &BigUint,
        r: &BigUint,
        s: &BigUint,
    ) -> Option<bool> {
        let t = (r + s) % &self.order;
        if !self.is_scalar(r) || !self.is_scalar(s) || t == BigUint::ZERO {
            return Some(false);
        }
        let x = self.x_of_sum(s, &t, &Point::read(coordinates))?;
        Some((e + x) % &self.order == *r)
    }

    /// Whether a number is from 1 to the order less 1.
    fn is_scalar(&self, number: &BigUint) -> bool {
        *number != BigUint::ZERO && *number < self.order
    }

    /// The first coordinate of `u1` times the base point plus `u2` times `key`; `None` at infinity.
    fn x_of_sum(&self, u1: &BigUint, u2: &BigUint, key: &Point) -> Option<BigUint> {
        let sum = self.two_products(u1, u2, key);
        let inverse = inverse(&sum.z, &self.p)?;
        Some(sum.x * (&inverse * &inverse % &self.p) % &self.p)
    }

    /// `u1` times the base point plus `u2` times `key`, in one pass over the bits.
    fn two_products(&self, u1: &BigUint, u2: &BigUint, key: &Point) -> Point {
        let both = self.add(&self.base, key);
        let mut sum = Point { x: BigUint::from(1u8), y: BigUint::from(1u8), z: BigUint::ZERO };
        for bit in (0..u1.bits().max(u2.bits())).rev() {
            sum = self.double(&sum);
            match (u1.bit(bit), u2.bit(bit)) {
                (true, true) => sum = self.add(&sum, &both),
                (true, false) => sum = self.add(&sum, &self.base),
                (false, true) => sum = self.add(&sum, key),
                (false, false) => {}
            }
        }
        sum
    }

    fn times(&self, a: &BigUint, b: &BigUint) -> BigUint {
        a * b % &self.p
    }

    fn minus(&self, a: &BigUint, b: &BigUint) -> BigUint {
        if a >= b { a - b } else { &self.p - b + a }
    }

    fn double(&self, point: &Point) -> Point {
        let yy = self.times(&point.y, &point.y);
        let s = self.times(&(&point.x * 4u8), &yy);
        let zz = self.times(&point.z, &point.z);
        let m = (&point.x * &point.x * 3u8 + &self.a * self.times(&zz, &zz)) % &self.p;
        let x = self.minus(&self.times(&m, &m), &(&s * 2u8 % &self.p));
        let y = self.times(&m, &self.minus(&s, &x));
        let y = self.minus(&y, &(self.times(&yy, &yy) * 8u8 % &self.p));
        Point { x, y, z: &point.y * &point.z * 2u8 % &self.p }
    }

    fn add(&self, a: &Point, b: &Point) -> Point {
        let zero = BigUint::ZERO;
        if a.z == zero {
            return b.clone();
        }
        if b.z == zero {
            return a.clone();
        }
        let (azz, bzz) = (self.times(&a.z, &a.z), self.times(&b.z, &b.z));
        let (u1, u2) = (self.times(&a.x, &bzz), self.times(&b.x, &azz));
        let s1 = self.times(&a.y, &self.times(&bzz, &b.z));
        let s2 = self.times(&b.y, &self.times(&azz, &a.z));
        let (h, r) = (self.minus(&u2, &u1), self.minus(&s2, &s1));
        if h == zero {
            let infinity = Point { x: a.x.clone(), y: a.y.clone(), z: zero.clone() };
            return if r == zero { self.double(a) } else { infinity };
        }
        let hh = self.times(&h, &h);
        let (hhh, v) = (self.times(&hh, &h), self.times(&u1, &hh));
        let x = self.minus(&self.times(&r, &r), &((&hhh + &v * 2u8) % &self.p));
        let y = self.times(&r, &self.minus(&v, &x));
        let y = self.minus(&y, &self.times(&s1, &hhh));
        Point { x, y, z: self.times(&self.times(&a.z, &b.z), &h) }
    }
}
