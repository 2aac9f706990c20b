use alloc::string::String;

use super::*;

fn decoded(text: &str) -> Option<String> {
    to_unicode(text.as_bytes(), 255).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn labels() {
    let check = |text: &str, expect: &str| assert_eq!(decoded(text).as_deref(), Some(expect));
    check("", "");
    check("a.example.", "a.example.");
    check("xn--bcher-kva.example", "bücher.example");
    check(".xn--bcher-kva", ".bücher");
    check("XN--bcher-kva", "XN--bcher-kva");
    check("xn--.example", ".example");
    check("xn--a-.example", "a.example");
    // U+10FFFF, the last code point there is.
    check("xn--dn32g", "\u{10ffff}");
    for bad in ["xn--!", "xn---", "xn---kva", "xn--b\u{e9}cher-kva", "xn--a-\u{e9}", "xn--zzzzzzzz"]
    {
        assert_eq!(decoded(bad), None, "{bad}");
    }
}

/// A code point that no text may have is still encoded; one above the last is refused.
#[test]
fn code_points() {
    assert_eq!(to_unicode(b"xn--ib9b", 255), Some(alloc::vec![0xed, 0xa0, 0x80]));
    assert_eq!(decoded("xn--en32g"), None);
}

/// The answer and a NUL fit the room; a label has at most 512 code points, and is not decoded any further.
#[test]
fn limits() {
    let plain = |n| "a".repeat(n);
    assert_eq!(decoded(&plain(254)), Some(plain(254)));
    assert_eq!(decoded(&plain(255)), None);
    assert_eq!(decoded(&alloc::format!("{}.{}", plain(200), plain(54))), None);
    let room = |text: &str| to_unicode(text.as_bytes(), 10_000).map(|bytes| bytes.len());
    assert_eq!(room(&alloc::format!("xn--{}-", plain(512))), Some(512));
    assert_eq!(room(&alloc::format!("xn--{}-", plain(513))), None);
    assert_eq!(room(&alloc::format!("xn--{}-joa", plain(511))), Some(513));
    assert_eq!(room(&alloc::format!("xn--{}-joa", plain(512))), None);
    assert_eq!(room(&alloc::format!("xn--{}", plain(513))), None);
}
