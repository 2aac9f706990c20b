//! Ed25519: points by the arithmetic of RFC 8032 section 5.1.4.

use num_bigint::BigUint;

use super::{COUNTED, KeyFlaw};

/// `-x^2 + y^2 = 1 + d x^2 y^2` over the field of `p` elements.
struct Curve {
    p: BigUint,
    d: BigUint,
    /// Order of the base point.
    order: BigUint,
}

/// Extended homogeneous coordinates: x = X/Z, y = Y/Z, T = XY/Z.
#[derive(Clone)]
struct Point {
    x: BigUint,
    y: BigUint,
    z: BigUint,
    t: BigUint,
}

/// What is wrong with an Ed25519 key.
pub(super) fn flaw(bits: &[u8]) -> Option<KeyFlaw> {
    let Ok(bytes) = <[u8; 32]>::try_from(bits) else { return Some(KeyFlaw::OffCurve) };
    let curve = Curve::new();
    let Some((point, is_canonical)) = curve.decode(bytes) else { return Some(KeyFlaw::OffCurve) };
    let eight = curve.times(&point, &BigUint::from(8u8));
    if curve.is_neutral(&eight) {
        return Some(KeyFlaw::SmallOrder);
    }
    if !is_canonical {
        return Some(KeyFlaw::NotCanonical);
    }
    if let Some(n) = curve.multiple(&point) {
        return Some(KeyFlaw::Counted(n));
    }
    let is_pure = curve.is_neutral(&curve.times(&point, &curve.order));
    (!is_pure).then_some(KeyFlaw::MixedOrder)
}

impl Curve {
    fn new() -> Self {
        let one = BigUint::from(1u8);
        let p = (&one << 255u32) - BigUint::from(19u8);
        let inverse = BigUint::from(121_666u32).modpow(&(&p - 2u8), &p);
        let d = (&p - BigUint::from(121_665u32)) * inverse % &p;
        let tail = BigUint::from(27_742_317_777_372_353_535_851_937_790_883_648_493_u128);
        Self { d, order: (one << 252u32) + tail, p }
    }

    fn neutral(&self) -> Point {
        let (zero, one) = (BigUint::ZERO, BigUint::from(1u8));
        Point { x: zero.clone(), y: one.clone(), z: one, t: zero }
    }

    fn is_neutral(&self, point: &Point) -> bool {
        point.x == BigUint::ZERO && point.y == point.z
    }

    fn minus(&self, a: &BigUint, b: &BigUint) -> BigUint {
        (a + &self.p - b) % &self.p
    }

    fn affine(&self, x: BigUint, y: BigUint) -> Point {
        let t = &x * &y % &self.p;
        Point { x, y, z: BigUint::from(1u8), t }
    }

    /// The point, taken as verifiers that are not strict take it, and whether RFC 8032 section 5.1.3 takes it too.
    fn decode(&self, mut bytes: [u8; 32]) -> Option<(Point, bool)> {
        let is_odd = bytes[31] & 0x80 != 0;
        bytes[31] &= 0x7f;
        let y = BigUint::from_bytes_le(&bytes);
        let mut is_canonical = y < self.p;
        let y = y % &self.p;
        let (p, one) = (&self.p, BigUint::from(1u8));
        let square = &y * &y % p;
        let (u, v) = (self.minus(&square, &one), (&self.d * &square + &one) % p);
        // x^2 = u/v; the root is that of RFC 8032 section 5.1.3.
        let quotient = u * v.modpow(&(p - 2u8), p) % p;
        let mut x = quotient.modpow(&((p + 3u8) >> 3u8), p);
        if &x * &x % p != quotient {
            x = x * BigUint::from(2u8).modpow(&((p - 1u8) >> 2u8), p) % p;
        }
        if &x * &x % p != quotient {
            return None;
        }
        if x == BigUint::ZERO {
            is_canonical &= !is_odd;
        } else if x.bit(0) != is_odd {
            x = p - x;
        }
        Some((self.affine(x, y), is_canonical))
    }

    /// RFC 8032 section 5.1.4; complete, so that it doubles as well.
    fn add(&self, one: &Point, other: &Point) -> Point {
        let p = &self.p;
        let a = self.minus(&one.y, &one.x) * self.minus(&other.y, &other.x) % p;
        let b = (&one.y + &one.x) * (&other.y + &other.x) % p;
        let c = &one.t * &other.t % p * &self.d % p * 2u8 % p;
        let d = &one.z * &other.z % p * 2u8 % p;
        let (e, f) = (self.minus(&b, &a), self.minus(&d, &c));
        let (g, h) = ((d + c) % p, (b + a) % p);
        Point { x: &e * &f % p, y: &g * &h % p, t: e * h % p, z: f * g % p }
    }

    fn times(&self, point: &Point, scalar: &BigUint) -> Point {
        let mut sum = self.neutral();
        for i in (0..scalar.bits()).rev() {
            sum = self.add(&sum, &sum);
            if scalar.bit(i) {
                sum = self.add(&sum, point);
            }
        }
        sum
    }

    /// Which small multiple of the base point has this y-coordinate; that of its negative is the same.
    fn multiple(&self, point: &Point) -> Option<u32> {
        let mut base = [0x66; 32];
        base[0] = 0x58;
        let (base, _) = self.decode(base)?;
        let mut sum = base.clone();
        for n in 1..=COUNTED {
            if &sum.y * &point.z % &self.p == &point.y * &sum.z % &self.p {
                return Some(n);
            }
            sum = self.add(&sum, &base);
        }
        None
    }
}
