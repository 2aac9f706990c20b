//! The host of a URI, as name constraints compare it (`crypto/x509/v3_ncons.c: nc_uri`).

use super::Refused;
use crate::verify::Release;

/// The host, or that the syntax is not supported.
pub(in crate::verify) fn host(uri: &[u8], release: Release) -> Result<&[u8], Refused> {
    if !release.since(3, 5) {
        return between(uri).ok_or(Refused::Code(53));
    }
    // `crypto/x509/v3_ncons.c: nc_uri` of 3.5 asks the parser of `crypto/http/http_lib.c`.
    let (scheme, host) = parsed(uri).ok_or(Refused::Code(53))?;
    if scheme.is_empty() { Err(Refused::NoScheme) } else { Ok(host) }
}

/// The text between `://` and the first `:` anywhere after it, else the first `/`, else the end. So
/// `spiffe://cluster.local/ns:x` has the host `cluster.local/ns`.
fn between(uri: &[u8]) -> Option<&[u8]> {
    let colon = uri.iter().position(|b| *b == b':')?;
    let rest = uri[colon..].strip_prefix(b"://")?;
    let end = rest.iter().position(|b| *b == b':').or(rest.iter().position(|b| *b == b'/'));
    Some(&rest[..end.unwrap_or(rest.len())]).filter(|host| !host.is_empty())
}

/// `crypto/http/http_lib.c: OSSL_parse_url`: the scheme, which may be empty, and the host, which may be empty.
fn parsed(uri: &[u8]) -> Option<(&[u8], &[u8])> {
    let uri = uri.split(|b| *b == 0).next().unwrap_or_default();
    // RFC 3986 section 3.1; what is not a scheme belongs to the rest.
    let is_scheme = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
    let length = uri.iter().position(|b| !is_scheme(b)).unwrap_or(uri.len());
    let (scheme, rest) = match uri[length..].strip_prefix(b"://") {
        Some(rest) if uri.first().is_some_and(u8::is_ascii_alphabetic) => (&uri[..length], rest),
        _ => (&uri[..0], uri),
    };
    let until =
        |text: &[u8], ends: &[u8]| text.iter().position(|b| ends.contains(b)).unwrap_or(text.len());
    let authority = &rest[..until(rest, b"/?#")];
    let user = authority.iter().position(|b| *b == b'@').map_or(0, |at| at + 1);
    let rest = &rest[user..];
    let length = match rest.first() {
        Some(b'[') => rest.iter().position(|b| *b == b']')? + 1,
        _ => until(rest, b":/?#"),
    };
    let (host, rest) = rest.split_at(length);
    let path = match rest.strip_prefix(b":") {
        Some(port) => port.strip_prefix(port_number(port)?)?,
        None => rest,
    };
    matches!(path.first(), None | Some(b'/' | b'?' | b'#')).then_some((scheme, host))
}

/// The digits at the start, if they are a port: `sscanf("%u")` keeps the lowest 32 bits of 64.
fn port_number(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let digits = Some(&text[..length]).filter(|digits| !digits.is_empty())?;
    let number = digits.iter().fold(0u64, |number, digit| {
        number
            .checked_mul(10)
            .and_then(|n| n.checked_add((digit - b'0').into()))
            .unwrap_or(u64::MAX)
    });
    (number & 0xffff_ffff <= 0xffff).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let check = |uri: &str, old: Option<&str>, new: Option<&str>| {
            let found = |release| {
                host(uri.as_bytes(), release).ok().map(|h| core::str::from_utf8(h).unwrap())
            };
            assert_eq!((found(Release::V3_0), found(Release::V3_5)), (old, new), "{uri}");
        };
        let same = |uri: &str, host: Option<&str>| check(uri, host, host);
        same("spiffe://cluster.local/ns/x", Some("cluster.local"));
        same("spiffe://cluster.local", Some("cluster.local"));
        same("https://a.example:443/x", Some("a.example"));
        same("spiffe:a", None);
        same("a", None);
        check("spiffe://cluster.local/ns:x", Some("cluster.local/ns"), Some("cluster.local"));
        check("spiffe://cluster.local?x", Some("cluster.local?x"), Some("cluster.local"));
        check("spiffe:///a", None, Some(""));
        check("https://u:p@a.example/", Some("u"), Some("a.example"));
        check("https://[2001:db8::1]:443/", Some("[2001"), Some("[2001:db8::1]"));
        check("https://[2001/", Some("[2001"), None);
        check("https://a:/", Some("a"), None);
        check("https://a:65536/", Some("a"), None);
        check("https://a:4294967297/", Some("a"), Some("a"));
        check("https://a:1x", Some("a"), None);
        check("://a/", Some("a"), None);
        check("a:b://c/", None, None);
        check("1a://c/", Some("c"), None);
        assert_eq!(host(b"a.example/x", Release::V3_5), Err(Refused::NoScheme));
        assert_eq!(host(b"a?b://c/", Release::V3_5), Err(Refused::NoScheme));
        assert_eq!(host(b"", Release::V3_5), Err(Refused::NoScheme));
        assert_eq!(host(b"urn:x", Release::V3_5), Err(Refused::Code(53)));
        check("https://a\0b/", Some("a\0b"), Some("a"));
    }
}
