//! Ed448 (RFC 8032 section 5.2).

use num_bigint::BigUint;
use shake::digest::{ExtendableOutput, Update, XofReader};

use super::SignatureInput;

/// The order of the base point (RFC 8032 section 5.2).
const ORDER: &str = "3fffffffffffffffffffffffffffffffffffffffffffffffffffffff7cca23e9c44edb49aed63690216cc2728dc58f552378c292ab5844f3";
/// The base point.
const BASE_X: &str = "4f1970c66bed0ded221d15a622bf36da9e146570470f1767ea6de324a3d3a46412ae1af72ab66511433b80e18b00938e2626a82bc70cc05e";
const BASE_Y: &str = "693f46716eb6bc248876203756c9c7624bea73736ca3984087789c1e05a0c2d73ad3ff1ce67c39c4fdbd132c4ed7c8ad9808795bf230fa14";

/// A point `(x / z, y / z)` of `x^2 + y^2 = 1 - 39081 x^2 y^2`.
struct Point {
    x: BigUint,
    y: BigUint,
    z: BigUint,
}

/// Arithmetic modulo `2^448 - 2^224 - 1`.
struct Field {
    p: BigUint,
    /// `-d`, 39081.
    minus_d: BigUint,
}

/// Whether the signature is one of the message by the key.
pub(in crate::signature) fn check(signed: &SignatureInput<'_>) -> bool {
    is_good(signed).unwrap_or(false)
}

/// RFC 8032 section 5.2.7, without the cofactor.
fn is_good(signed: &SignatureInput<'_>) -> Option<bool> {
    let key: &[u8; 57] = signed.key.bits().try_into().ok()?;
    let signature: &[u8; 114] = signed.signature.try_into().ok()?;
    let (r, s) = signature.split_at(57);
    let field = Field::new();
    let order = BigUint::parse_bytes(ORDER.as_bytes(), 16)?;
    let s = BigUint::from_bytes_le(s);
    if s >= order {
        return Some(false);
    }
    let number = |hex: &str| BigUint::parse_bytes(hex.as_bytes(), 16);
    let one = BigUint::from(1u8);
    let base = Point { x: number(BASE_X)?, y: number(BASE_Y)?, z: one };
    let key_point = field.decode(key)?;
    let r_point = field.decode(r.try_into().ok()?)?;
    let mut hash = [0; 114];
    let mut shake = shake::Shake256::default();
    for part in [b"SigEd448\0\0".as_slice(), r, key, signed.message] {
        shake.update(part);
    }
    shake.finalize_xof().read(&mut hash);
    let k = BigUint::from_bytes_le(&hash) % &order;
    let left = field.multiply(&s, &base);
    let right = field.add(&r_point, &field.multiply(&k, &key_point));
    Some(field.equal(&left, &right))
}

impl Field {
    fn new() -> Self {
        let one = BigUint::from(1u8);
        let p = (&one << 448u32) - (&one << 224u32) - &one;
        Self { p, minus_d: BigUint::from(39081u32) }
    }

    /// RFC 8032 section 5.2.3.
    fn decode(&self, encoded: &[u8; 57]) -> Option<Point> {
        let odd = encoded[56] & 0x80 != 0;
        if encoded[56] & 0x7f != 0 {
            return None;
        }
        let y = BigUint::from_bytes_le(&encoded[..56]);
        if y >= self.p {
            return None;
        }
        // x^2 = (y^2 - 1) / (d y^2 - 1) = (1 - y^2) / (39081 y^2 + 1)
        let one = BigUint::from(1u8);
        let yy = &y * &y % &self.p;
        let u = (&self.p + &one - &yy) % &self.p;
        let v = (&yy * &self.minus_d + &one) % &self.p;
        let square = u * v.modinv(&self.p)? % &self.p;
        let x = square.modpow(&((&self.p + &one) >> 2u32), &self.p);
        if &x * &x % &self.p != square || (x == BigUint::ZERO && odd) {
            return None;
        }
        let x = if x.bit(0) == odd { x } else { &self.p - x };
        Some(Point { x, y, z: one })
    }

    /// RFC 8032 section 5.2.4.
    fn add(&self, one: &Point, two: &Point) -> Point {
        let p = &self.p;
        let a = &one.z * &two.z % p;
        let b = &a * &a % p;
        let c = &one.x * &two.x % p;
        let d = &one.y * &two.y % p;
        // -E of the RFC, whose d is negative.
        let e = &self.minus_d * &c % p * &d % p;
        let f = (&b + &e) % p;
        let g = (&b + p - &e) % p;
        let h = (&one.x + &one.y) * (&two.x + &two.y) % p;
        let x = &a * &f % p * ((h + p + p - &c - &d) % p) % p;
        let y = &a * &g % p * ((d + p - c) % p) % p;
        Point { x, y, z: f * g % p }
    }

    fn multiply(&self, scalar: &BigUint, point: &Point) -> Point {
        let one = BigUint::from(1u8);
        let mut sum = Point { x: BigUint::ZERO, y: one.clone(), z: one };
        for bit in (0..scalar.bits()).rev() {
            sum = self.add(&sum, &sum);
            if scalar.bit(bit) {
                sum = self.add(&sum, point);
            }
        }
        sum
    }

    fn equal(&self, a: &Point, b: &Point) -> bool {
        &a.x * &b.z % &self.p == &b.x * &a.z % &self.p
            && &a.y * &b.z % &self.p == &b.y * &a.z % &self.p
    }
}
