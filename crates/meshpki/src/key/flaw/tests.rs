use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::der::{bit_string, integer, sequence, tlv};
use crate::soft::{KeyType, SoftKey};
use crate::{KeyAlgorithm, Signer};

fn key(identifier: &[&[u8]], bits: &[u8]) -> PublicKey {
    let spki = sequence(&[&sequence(identifier), &bit_string(bits)]);
    PublicKey::from_der(&spki).unwrap()
}

fn ed25519(bits: &[u8]) -> PublicKey {
    key(&[&tlv(der::OID, oid::ED25519)], bits)
}

fn ec(curve: &[u8], bits: &[u8]) -> PublicKey {
    key(&[&tlv(der::OID, oid::EC_PUBLIC_KEY), &tlv(der::OID, curve)], bits)
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> PublicKey {
    let numbers = sequence(&[&integer(modulus), &integer(exponent)]);
    key(&[&tlv(der::OID, oid::RSA_ENCRYPTION), &tlv(der::NULL, &[])], &numbers)
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

fn check(what: &str, key: &PublicKey, expect: Option<KeyFlaw>) {
    assert_eq!(key.flaw(), expect, "{what}");
}

#[test]
fn keys_made_here_are_sound() {
    let by_ring =
        |kind: &KeyType| matches!(kind, KeyType::EcdsaP256 | KeyType::EcdsaP384 | KeyType::Ed25519);
    let is_made =
        |kind: &KeyType| by_ring(kind) || (cfg!(feature = "aws-lc") && *kind != KeyType::Rsa8192);
    for kind in KeyType::ALL.into_iter().filter(is_made) {
        check(kind.name(), SoftKey::generate(kind).unwrap().public_key(), None);
    }
}

/// Each of the eight points of small order in every encoding a verifier may take: RFC 8032, and those above the field's
/// prime or with a sign zero has not.
#[test]
fn ed25519_points_of_small_order() {
    let order_8 = [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];
    let one = format!("01{}", "00".repeat(31));
    let zero = "00".repeat(32);
    let minus_one = format!("ec{}7f", "ff".repeat(30));
    let prime = format!("ed{}7f", "ff".repeat(30));
    let prime_and_one = format!("ee{}7f", "ff".repeat(30));
    let mut texts: Vec<String> = order_8.map(String::from).to_vec();
    texts.extend([one, zero, minus_one, prime, prime_and_one]);
    for text in texts {
        let mut bits = hex(&text);
        check(&text, &ed25519(&bits), Some(KeyFlaw::SmallOrder));
        bits[31] |= 0x80;
        check(&format!("{text} with sign"), &ed25519(&bits), Some(KeyFlaw::SmallOrder));
    }
}

#[test]
fn other_ed25519_keys_nobody_generates() {
    // y = p + 3 is 3, which is on the curve; y = 2 is not.
    let three = hex(&format!("f0{}7f", "ff".repeat(30)));
    check("y above the prime", &ed25519(&three), Some(KeyFlaw::NotCanonical));
    check("y = 2", &ed25519(&hex(&format!("02{}", "00".repeat(31)))), Some(KeyFlaw::OffCurve));
    for length in [0, 31, 33] {
        check("another length", &ed25519(&vec![1; length]), Some(KeyFlaw::OffCurve));
    }
    let base = hex(&format!("58{}", "66".repeat(31)));
    check("the base point", &ed25519(&base), Some(KeyFlaw::Counted(1)));
    let mut negative = base;
    negative[31] |= 0x80;
    check("minus the base point", &ed25519(&negative), Some(KeyFlaw::Counted(1)));
    let y_three = hex(&format!("03{}", "00".repeat(31)));
    check("a point of mixed order", &ed25519(&y_three), Some(KeyFlaw::MixedOrder));
}

#[test]
fn points_of_other_curves() {
    for curve in [oid::P256, oid::P384, oid::P521] {
        let numbers = ec::named(curve).unwrap();
        let base = hex(&format!("04{}{}", even(numbers.x), even(numbers.y)));
        check("infinity", &ec(curve, &[0]), Some(KeyFlaw::Infinity));
        check("nothing", &ec(curve, &[]), Some(KeyFlaw::OffCurve));
        check("zeros", &ec(curve, &vec![0; base.len()]), Some(KeyFlaw::OffCurve));
        let mut off = base.clone();
        *off.last_mut().unwrap() ^= 1;
        check("off the curve", &ec(curve, &off), Some(KeyFlaw::OffCurve));
        check("the base point", &ec(curve, &base), Some(KeyFlaw::Counted(1)));
        let mut compressed = base[..=base.len() / 2].to_vec();
        compressed[0] = 3;
        check("compressed", &ec(curve, &compressed), Some(KeyFlaw::Counted(1)));
    }
    // 2G and 64G of P-256.
    let multiples = [
        (2, "7cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978"),
        (64, "0a0643fb8fcc14def67a6a5eb1bf8e9125b35edc7338d816aa4110a6b90ee785"),
    ];
    for (n, x) in multiples {
        let compressed = [&[2], hex(x).as_slice()].concat();
        check(
            "a multiple of the base point",
            &ec(oid::P256, &compressed),
            Some(KeyFlaw::Counted(n)),
        );
    }
}

/// Hex digits of whole bytes, as wide as the curve's field.
fn even(number: &str) -> String {
    let width = if number.len() > 128 { 132 } else { number.len().next_multiple_of(2) };
    format!("{number:0>width$}")
}

#[test]
fn rsa_numbers_anybody_can_sign_with() {
    let mut seen = 0;
    for line in include_str!("../../../../../fixtures/hostile-rsa.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [flaw, exponent, modulus, what] = words[..] else { continue };
        if line.starts_with('#') {
            continue;
        }
        let number = |text: &str, radix| BigUint::parse_bytes(text.as_bytes(), radix).unwrap();
        let bytes = |n: BigUint| n.to_bytes_be();
        let key = rsa(&bytes(number(modulus, 16)), &bytes(number(exponent, 10)));
        assert!(matches!(key.algorithm(), KeyAlgorithm::Rsa { .. }));
        let found = key.flaw().map_or_else(|| "sound".into(), |flaw| format!("{flaw:?}"));
        assert_eq!(found, flaw, "{what}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn rsa_keys_that_are_none() {
    let modulus = [&[0x80], [0x55; 255].as_slice()].concat();
    let plain = |content: &[u8]| tlv(der::INTEGER, content);
    let whole = |numbers: &[&[u8]]| {
        let id = [tlv(der::OID, oid::RSA_ENCRYPTION), tlv(der::NULL, &[])];
        key(&[&id[0], &id[1]], &sequence(numbers))
    };
    let e = integer(&[1, 0, 1]);
    let negative = whole(&[&plain(&modulus), &e]);
    check("a negative modulus", &negative, Some(KeyFlaw::MalformedRsa));
    let negative = whole(&[&integer(&modulus), &plain(&[0xff])]);
    check("a negative exponent", &negative, Some(KeyFlaw::MalformedRsa));
    let third = whole(&[&integer(&modulus), &e, &e]);
    check("a third number", &third, Some(KeyFlaw::MalformedRsa));
    let huge = whole(&[&integer(&vec![0x7f; 1 << 20]), &e]);
    check("a modulus of eight million bits", &huge, Some(KeyFlaw::MalformedRsa));
}

#[test]
fn published_keys() {
    let zero = hex("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29");
    let test_1 = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let rfc_6979 = hex(concat!(
        "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
    ));
    let cases = [
        (ed25519(&zero), "its seed is 32 zero bytes"),
        (ed25519(&test_1), "RFC 8032 section 7.1"),
        (ec(oid::P256, &rfc_6979), "RFC 6979 appendix A.2.5"),
    ];
    for (key, place) in cases {
        check(place, &key, Some(KeyFlaw::Published(place.into())));
    }
}
