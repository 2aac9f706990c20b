//! URLs that are endpoints, and where redirects lead.

use super::*;

fn url(text: &str) -> EndpointUrl {
    text.parse().expect("the URL of an endpoint")
}

#[test]
fn urls() {
    let check = |text: &str, expect: Result<&str, UrlProblem>| {
        let found = text.parse::<EndpointUrl>().map(|url| url.to_string());
        assert_eq!(found.as_deref().map_err(|why| *why), expect, "{text}");
    };
    use UrlProblem::{Host, Port, Scheme, Syntax, UserInfo};
    check("https://a.example", Ok("https://a.example/"));
    check("HTTPS://A.example:443/x?y=1", Ok("https://a.example/x?y=1"));
    check("https://a.example:8443", Ok("https://a.example:8443/"));
    check("https://127.0.0.1:1/", Ok("https://127.0.0.1:1/"));
    check("https://[::1]:8443/b", Ok("https://[::1]:8443/b"));
    check("https://a.example?x", Ok("https://a.example/?x"));
    check("https://a.example/x@y", Ok("https://a.example/x@y"));
    check("https://a.example/#part", Ok("https://a.example/"));
    for text in ["", "http://a.example", "a.example", "ftp://a", "/x", "https:/a", "https:a"] {
        check(text, Err(Scheme));
    }
    for text in
        ["https://me@a.example", "https://me:secret@a.example/", "https://@a", "https://a@b@c"]
    {
        check(text, Err(UserInfo));
    }
    for text in ["https://", "https:///x", "https://:443", "https://?x"] {
        check(text, Err(Host));
    }
    for text in ["https://a:0", "https://a:65536", "https://a:x", "https://a:"] {
        let found = text.parse::<EndpointUrl>();
        assert!(matches!(found, Err(Port | Syntax)), "{text}: {found:?}");
    }
    for text in ["https://a b", "https://a/\u{e4}", "https://[::1", "https://a/ b"] {
        check(text, Err(Syntax));
    }
}

#[test]
fn redirects() {
    let from = url("https://a.example:8443/x/y?z");
    let check = |location: &str, expect: Result<&str, UrlProblem>| {
        let found = from.join(location).map(|url| url.to_string());
        assert_eq!(found.as_deref().map_err(|why| *why), expect, "{location}");
    };
    check("https://b.example/c", Ok("https://b.example/c"));
    check("//b.example/c", Ok("https://b.example/c"));
    check("/c", Ok("https://a.example:8443/c"));
    check("c", Ok("https://a.example:8443/x/c"));
    check("../../../c/./d/..", Ok("https://a.example:8443/c/"));
    check("?q", Ok("https://a.example:8443/x/y?q"));
    check("", Ok("https://a.example:8443/x/y?z"));
    check("#part", Ok("https://a.example:8443/x/y?z"));
    check("/c?to=https://b", Ok("https://a.example:8443/c?to=https://b"));
    check("http://a.example:8443/x", Err(UrlProblem::Scheme));
    check("javascript:alert(1)", Err(UrlProblem::Scheme));
    check("file:///etc/passwd", Err(UrlProblem::Scheme));
    check("https://me:secret@b.example", Err(UrlProblem::UserInfo));
    check("//me@b.example", Err(UrlProblem::UserInfo));
}

#[test]
fn steps() {
    let from = url("https://a.example/");
    let check = |status, location, left, expect: &Step| {
        assert_eq!(&next_step(status, location, &from, left), expect, "{status} {location:?}");
    };
    check(200, Some("/x"), 5, &Step::Read);
    for status in [301, 302, 303, 307, 308] {
        check(status, Some("/x"), 1, &Step::Follow(url("https://a.example/x")));
        check(status, Some("/x"), 0, &Step::Stray("there are more than 5 redirects".into()));
        let no_place = "the response has no valid header `Location`";
        check(status, None, 1, &Step::Stray(no_place.into()));
        let plain = "about the URL it points to: it does not begin with `https://`";
        check(status, Some("http://a.example"), 1, &Step::Stray(plain.into()));
    }
    for status in [100, 201, 204, 206, 300, 304, 305, 404, 500] {
        check(status, Some("/x"), 5, &Step::Refuse);
    }
}
