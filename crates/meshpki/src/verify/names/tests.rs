use super::*;
use crate::oid::Oid;
use crate::verify::tests::{ca, extension, leaf, names};

/// A permitted (`0xa0`) or excluded (`0xa1`) list of subtrees given as tag and text.
fn constraints(tag: u8, list: &[(u8, &str)]) -> Vec<u8> {
    let list: Vec<Vec<u8>> = list
        .iter()
        .map(|(tag, text)| der::sequence(&[&der::tlv(der::context(*tag), text.as_bytes())]))
        .collect();
    let list: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
    let value = der::sequence(&[&der::constructed(tag, &list)]);
    extension(oid::NAME_CONSTRAINTS, true, &value)
}

/// One name against one subtree: 0 passes.
fn check(list: u8, base: (u8, &str), name: (u8, &str), expect: u8) {
    let issuer = ca("root", 1, "root", 1).with(constraints(list, &[base])).sign();
    let cert = leaf(3, "root", 1).with(names(&[name])).sign();
    let got = check_name_constraints(&cert, &issuer).map_or_else(|code| code.0, |()| 0);
    assert_eq!(got, expect, "{base:?} {name:?}");
}

#[test]
fn hosts() {
    let permitted = |base, name, expect| check(0xa0, (2, base), (2, name), expect);
    permitted("example.com", "example.com", 0);
    permitted("example.com", "A.EXAMPLE.com", 0);
    permitted("example.com", "notexample.com", 47);
    permitted(".example.com", "example.com", 47);
    permitted(".example.com", "a.example.com", 0);
    permitted("", "a", 0);
    permitted("example.com", "*.example.com", 0);
    check(0xa1, (2, "a.example.com"), (2, "*.example.com"), 0);
    check(0xa1, (2, "example.com"), (2, "a.example.com"), 48);
    check(0xa1, (2, "example.com"), (6, "spiffe://example.com/x"), 0);
}

#[test]
fn uris() {
    let permitted = |base, name, expect| check(0xa0, (6, base), (6, name), expect);
    permitted("cluster.local", "spiffe://cluster.local/ns/x", 0);
    permitted("cluster.local", "spiffe://CLUSTER.local", 0);
    permitted("cluster.local", "spiffe://cluster.local/ns:x/y", 47);
    permitted("cluster.local", "spiffe://west.cluster.local/x", 47);
    permitted(".local", "spiffe://cluster.local/x", 0);
    permitted("", "spiffe://cluster.local/x", 47);
    permitted("a", "spiffe:a", 53);
    // An empty host for OpenSSL 3.5, none for 3.0.
    permitted("a", "spiffe:///a", 53);
}

#[test]
fn addresses() {
    let permitted = |base, name, expect| check(0xa0, (1, base), (1, name), expect);
    permitted("example.com", "a@example.com", 0);
    permitted("@example.com", "a@EXAMPLE.com", 0);
    permitted("example.com", "a@b.example.com", 47);
    permitted(".example.com", "a@b.example.com", 0);
    permitted("a@example.com", "A@example.com", 47);
    permitted("example.com", "example.com", 53);
    let ip = |base: &'static str, name, expect| check(0xa0, (7, base), (7, name), expect);
    ip("\u{a}\0\0\0\u{7f}\0\0\0", "\u{a}\u{1}\u{2}\u{3}", 0);
    ip("\u{a}\0\0\0\u{7f}\0\0\0", "\u{b}\u{1}\u{2}\u{3}", 47);
    ip("\u{a}\0\0\0", "\u{b}\u{1}\u{2}\u{3}", 53);
}

#[test]
fn common_names_that_look_like_hosts() {
    let cn = |text: &str| {
        let attribute = Attribute::new(Oid::COMMON_NAME, text);
        common_name_as_host(&attribute).map(|host| host.is_some())
    };
    assert_eq!(cn("a.example"), Ok(true));
    assert_eq!(cn("1.2.3.4"), Ok(true));
    assert_eq!(cn("a_b.c\0"), Ok(true));
    for text in ["a", "*.a.b", "a b.c", "a.-b", "a-.b", ".a.b", "a..b", "a.b."] {
        assert_eq!(cn(text), Ok(false), "{text}");
    }
    assert_eq!(cn("a\0b.c"), Err(Refused::Code(53)));
}

#[test]
fn work_is_bounded() {
    let many = alloc::vec![(2, "a"); 1025];
    let issuer = ca("root", 1, "root", 1).with(constraints(0xa0, &many)).sign();
    let cert = leaf(3, "root", 1).with(names(&many)).sign();
    assert_eq!(check_name_constraints(&cert, &issuer), Err(Code(1)));
}
