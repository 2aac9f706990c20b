use alloc::string::ToString;
use alloc::vec;

use super::*;

fn one(tag: Tag, value: &[u8]) -> Name {
    Name::new(&[Attribute::with_tag(Oid::COMMON_NAME, tag, value)])
}

#[test]
fn names_are_compared_in_canonical_form() {
    let same = |a: Name, b: Name| assert_eq!(a, b, "{a} / {b}");
    let differ = |a: Name, b: Name| assert_ne!(a, b, "{a} / {b}");
    let utf8 = |text: &str| one(der::UTF8_STRING, text.as_bytes());
    let printable = |text: &str| one(der::PRINTABLE_STRING, text.as_bytes());
    same(utf8("Mesh CA"), printable("MESH  ca"));
    same(utf8(" \t\u{b}Mesh\r\nCA "), printable("mesh ca"));
    same(one(der::BMP_STRING, &[0, 0x41, 0, 0xe9]), one(der::T61_STRING, &[0x61, 0xe9]));
    same(one(der::UNIVERSAL_STRING, &[0, 0, 0, 0x41]), one(der::IA5_STRING, b"a"));
    same(utf8("   "), utf8(""));
    differ(utf8("É"), utf8("é"));
    differ(utf8("e\u{301}"), utf8("é"));
    differ(utf8("a\u{a0}b"), utf8("a b"));
    differ(one(der::NUMERIC_STRING, b"1"), printable("1"));
    differ(utf8("a\0"), utf8("a"));
    differ(utf8("a\u{1c}b"), utf8("a b"));
}

#[test]
fn rdns_keep_their_order_and_sort_inside() {
    let a = Attribute::new(Oid::ORGANIZATION, "a");
    let b = Attribute::new(Oid::ORGANIZATION, "b");
    let multi = |x: &Attribute, y: &Attribute| Name::from_rdns([&[x.clone(), y.clone()][..]]);
    assert_eq!(multi(&a, &b), multi(&b, &a));
    assert_ne!(Name::new(&[a.clone(), b.clone()]), Name::new(&[b.clone(), a.clone()]));
    assert_ne!(Name::new(&[a.clone(), b.clone()]), multi(&a, &b));
    assert_eq!(multi(&a, &b).rdns(), vec![vec![a, b]]);
}

#[test]
fn one_line_as_openssl_prints_it() {
    let check = |text: &str, expect: &str| {
        assert_eq!(
            one(der::UTF8_STRING, text.as_bytes()).to_string(),
            alloc::format!("CN = {expect}")
        );
    };
    check("Acme, Inc.", "\"Acme, Inc.\"");
    check("a+b", "\"a+b\"");
    check(" lead", "\" lead\"");
    check("Zoë", "Zo\\C3\\AB");
    check("a\"b\\c<d>e;f=g#h", "\"a\\\"b\\\\c<d>e;f=g#h\"");
    check("#", "#");
    check("##", "\"##\"");
    check("\t", "\\09");
    assert_eq!(one(der::BIT_STRING, &[4, 0xaa, 0xf0]).to_string(), "CN = #030304AAF0");
    assert_eq!(one(der::T61_STRING, &[0xeb]).to_string(), "CN = \\C3\\AB");
}

#[test]
fn values_openssl_does_not_read_are_refused() {
    let refused = |tag, value: &[u8]| {
        let attribute = Attribute::with_tag(Oid::COMMON_NAME, tag, value);
        let der = der::sequence(&[&rdn_der(&[attribute])]);
        assert!(Name::from_der(&der).is_err(), "{tag:x} {value:x?}");
    };
    for tag in [1, 2, 4, 5, 6, 10, 23, 24, 25, 26, 27, 0x80, 0xa0, 0x31] {
        refused(tag, b"a");
    }
    refused(der::UTF8_STRING, &[0xc0, 0x80]);
    refused(der::UTF8_STRING, &[0xed, 0xa0, 0x80]);
    refused(der::BMP_STRING, &[0]);
    refused(der::BMP_STRING, &[0xd8, 0]);
    assert!(Name::from_der(&[0x30, 0x02, 0x31, 0x00]).unwrap().is_empty());
}

/// What was read can be written again without a panic, whatever its string type: see [`Name::from_rdns`].
/// A tag in more octets than it needs is that tag; what OpenSSL says of each was tried with its `req`.
#[test]
fn tags_in_long_form() {
    let name = |tag: &[u8]| {
        let value = [tag, &[1, b'a']].concat();
        let attribute = der::sequence(&[&[der::OID, 3, 0x55, 4, 3], &value]);
        Name::from_der(&der::sequence(&[&der::constructed(der::SET, &[&attribute])]))
    };
    for (tag, same) in [
        (&[0x1f, 0x0c][..], der::UTF8_STRING),
        (&[0x1f, 0x80, 0x80, 0x0c], der::UTF8_STRING),
        (&[0x1f, 0x13], der::PRINTABLE_STRING),
    ] {
        let read = name(tag).unwrap();
        assert_eq!(read, one(same, b"a"), "{tag:x?}");
        let rdns = read.rdns();
        assert_eq!(Name::from_rdns(rdns.iter().map(Vec::as_slice)), read, "{tag:x?}");
    }
    for tag in [
        &[0x1f, 0][..],
        &[0x1f, 1],
        &[0x1f, 0x1f],
        &[0x1f, 0x81, 0],
        &[0x3f, 0x80, 0],
        &[0x5f, 0x0c],
    ] {
        assert!(name(tag).is_err(), "{tag:x?}");
    }
}

#[test]
fn names_that_are_read_can_be_built_again() {
    let nested: &[u8] = &[0x04, 1, 0, 0x24, 0x80, 0x04, 1, b'a', 0, 0];
    let values: [&[u8]; 7] =
        [b"", b"a", b"ab", &[0, 0x41], &[0, 0, 0, 0x41], &[0xc0, 0x80, 0, 0xd8], nested];
    let mut read = 0;
    for (tag, value) in (0..=0xff).flat_map(|tag| values.map(|value| (tag, value))) {
        let attribute = Attribute::with_tag(Oid::ORGANIZATION, tag, value);
        let common_name = Attribute::new(Oid::COMMON_NAME, "b");
        let der = der::sequence(&[&rdn_der(&[common_name, attribute])]);
        let Ok(name) = Name::from_der(&der) else { continue };
        read += 1;
        let rdns = name.rdns();
        assert_eq!(Name::from_rdns(rdns.iter().map(Vec::as_slice)), name, "{tag:x} {value:x?}");
    }
    assert!(read > 50, "{read}");
}

#[test]
fn typed_names() {
    let check = |text: &str, expect: &str| {
        assert_eq!(text.parse::<Name>().unwrap().to_string(), expect, "{text}")
    };
    check("CN=a", "CN = a");
    check(
        "C=GB,ST=England,L=London,O=Acme\\, Inc.,OU=x+CN=y",
        "C = GB, ST = England, L = London, O = \"Acme, Inc.\", CN = y + OU = x",
    );
    check("/O=a/CN=b=c", "O = a, CN = b=c");
    check("1.2.3=x", "1.2.3 = x");
    check("", "");
    let fails = |text: &str, expect: &str| {
        assert_eq!(text.parse::<Name>().unwrap_err().to_string(), expect)
    };
    fails("CN", "`CN` is not of the form TYPE=VALUE");
    fails("C=GBR", "country `GBR` is not a two-letter code");
    fails("CN=", "CN= has no value");
    fails(&("CN=".to_string() + &"x".repeat(65)), "CN has 65 characters, expected at most 64");
    assert!(matches!("XX=1".parse::<Name>(), Err(NameError::UnknownType { .. })));
}

#[test]
fn string_types_of_new_attributes() {
    let tag = |oid, text| Attribute::new(oid, text).tag;
    assert_eq!(tag(Oid::COMMON_NAME, "Mesh Root CA"), der::PRINTABLE_STRING);
    assert_eq!(tag(Oid::COMMON_NAME, "a_b"), der::UTF8_STRING);
    assert_eq!(tag(Oid::of(oid::EMAIL_ADDRESS), "a@b"), der::IA5_STRING);
}
