use alloc::vec;

use super::*;

fn read(input: &[u8]) -> Result<(Tag, Vec<u8>), DerError> {
    Reader::new(input).any().map(|t| (t.tag, t.content.to_vec()))
}

#[test]
fn ber_lengths_are_read() {
    let check = |input: &[u8], content: &[u8]| {
        assert_eq!(read(input), Ok((input[0], content.to_vec())), "{input:x?}")
    };
    check(&[4, 1, 7], &[7]);
    check(&[4, 0x81, 1, 7], &[7]);
    check(&[4, 0x84, 0, 0, 0, 1, 7], &[7]);
    check(&[4, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7], &[7]);
    check(&[0x30, 0x80, 4, 1, 7, 0, 0], &[4, 1, 7]);
    check(&[0x30, 0x80, 0x30, 0x80, 0, 0, 0, 0, 9], &[0x30, 0x80, 0, 0]);
    check(&[0x1f, 0x81, 0x01, 1, 7], &[7]);
    // A long form without content may end the input, as from OpenSSL 3.0.21 on.
    check(&[4, 0x81, 0], &[]);
    check(&[0x30, 0x80, 4, 0x82, 0, 0, 0, 0], &[4, 0x82, 0, 0]);
}

#[test]
fn malformed_is_refused_with_its_place() {
    let check = |input: &[u8], at: usize, what: &str| {
        let got = read(input).unwrap_err();
        assert_eq!((got.at, got.what), (at, what), "{input:x?}");
    };
    check(&[], 0, "element missing");
    check(&[4], 0, "bad length");
    check(&[4, 2, 7], 0, "length past the end");
    check(&[4, 0x80, 0, 0], 0, "indefinite length of a primitive");
    check(&[0x30, 0x80, 4, 1, 7], 5, "end-of-contents missing");
    check(&[0x30, 0x80, 4, 0x80, 0, 0], 2, "bad length");
    check(&[4, 0x82, 0], 0, "bad length");
    check(&[0x1f, 0xff], 0, "bad tag");
    check(&[4, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0, "bad length");
}

#[test]
fn constructed_strings_are_joined() {
    let tlv = Reader::new(&[0x24, 8, 4, 1, 1, 0x24, 3, 4, 1, 2]).any().unwrap();
    assert_eq!(tlv.string().unwrap().as_ref(), &[1, 2]);
    let mut deep = vec![4, 0];
    for _ in 0..40 {
        deep = super::tlv(0x24, &deep);
    }
    assert!(Reader::new(&deep).any().unwrap().string().is_err());
}

#[test]
fn inner_offsets_count_from_the_outermost_byte() {
    let outer = Reader::new(&[0x30, 0x81, 3, 2, 1, 5]).any().unwrap();
    assert_eq!(outer.reader().any().unwrap().at, 3);
}

#[test]
fn writing_is_der() {
    assert_eq!(tlv(OCTET_STRING, &[0; 127])[..2], [4, 127]);
    assert_eq!(tlv(OCTET_STRING, &[0; 128])[..3], [4, 0x81, 128]);
    assert_eq!(tlv(OCTET_STRING, &[0; 300])[..4], [4, 0x82, 1, 44]);
    assert_eq!(integer(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
    assert_eq!(integer(&[]), [2, 1, 0]);
    assert_eq!(bit_string(&[1]), [3, 2, 0, 1]);
}
