//! What the search and the readers decide in corners.

use super::mailbox::{is_domain, mailbox};
use super::url;

#[test]
fn hosts() {
    let check = |uri: &str, host: Option<&str>| {
        assert_eq!(url::host(uri).ok().as_deref(), host, "{uri}");
    };
    check("spiffe://cluster.local/ns/a/sa/b", Some("cluster.local"));
    check("spiffe://user@td.example:8080/x", Some("td.example:8080"));
    check("urn:x", Some(""));
    check("a:b c://", Some(""));
    check("http://[::1]:80/", Some("[::1]:80"));
    check("http://[fe80::1%25en0]/", Some("[fe80::1%en0]"));
    check("spiffe://a:b:80", Some("a:b:80"));
    for bad in [
        "http://a:b:80",
        "://x",
        "http://a b/",
        "http://[::1",
        "http://[1.2.3.4]/",
        "%zz",
        "spiffe://a%41/",
    ] {
        check(bad, None);
    }
}

#[test]
fn ports() {
    assert_eq!(url::without_port("a:80"), Some("a"));
    assert_eq!(url::without_port("[::1]:80"), Some("::1"));
    assert_eq!(url::without_port("a:b:80"), None);
    assert!(url::is_address("10.0.0.1") && url::is_address("fe80::1%en0"));
    assert!(!url::is_address("10.0.0.1%en0") && !url::is_address("a"));
}

#[test]
fn mailboxes() {
    let check = |text: &str, good| assert_eq!(mailbox(text).is_some(), good, "{text}");
    for good in ["a@b", "\"a b\"@b", "a\\@b@c", "a.b@c.d", "a@"] {
        check(good, true);
    }
    for bad in ["", "a", "@b", ".a@b", "a..b@c", "a@b.", "a@.b", "\"a@b", "a b@c"] {
        check(bad, false);
    }
}

#[test]
fn domains() {
    assert!(is_domain("", false) && is_domain(".a", true) && is_domain("a-b_c", false));
    assert!(!is_domain(".a", false) && !is_domain("a.", true) && !is_domain("a..b", true));
}
