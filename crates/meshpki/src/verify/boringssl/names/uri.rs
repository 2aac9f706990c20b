//! URI constraints: two ways to find the host of a name (`crypto/x509/v3_ncons.cc: nc_uri`).

use super::{Inside, has_suffix};
use crate::verify::boringssl::code::Code;

/// `nc_uri` up to Envoy 1.39: the host is the text between `://` and the first `:` anywhere after it, else the first `/`,
/// else the end. The constraint is compared as it is written.
pub(super) fn matches_loosely(name: &[u8], base: &[u8]) -> Inside {
    let host = loose_host(name).ok_or(Code::UNSUPPORTED_NAME_SYNTAX)?;
    Ok(compare(host, base))
}

fn loose_host(uri: &[u8]) -> Option<&[u8]> {
    let rest = after_scheme(uri)?.1;
    let end = rest.iter().position(|b| *b == b':').or(rest.iter().position(|b| *b == b'/'));
    Some(&rest[..end.unwrap_or(rest.len())]).filter(|host| !host.is_empty())
}

/// Scheme and what follows `://`.
fn after_scheme(uri: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = uri.iter().position(|byte| *byte == b':')?;
    Some((&uri[..colon], uri[colon..].strip_prefix(b"://")?))
}

/// A constraint that starts with a dot is met by what ends so, any other by the same host.
fn compare(host: &[u8], base: &[u8]) -> bool {
    match base.first() {
        Some(b'.') => has_suffix(host, base),
        _ => host.eq_ignore_ascii_case(base),
    }
}

/// `nc_uri` since Envoy 1.40: name and constraint must have a host name, and an IP address does not count.
pub(super) fn matches(name: &[u8], base: &[u8]) -> Inside {
    let host = host(name).ok_or(Code::UNSUPPORTED_NAME_SYNTAX)?;
    let base = without_dot(base);
    if !is_host_name(base.strip_prefix(b".").unwrap_or(base)) {
        return Err(Code::UNSUPPORTED_CONSTRAINT_SYNTAX);
    }
    Ok(compare(host, base))
}

/// `nc_get_valid_uri_host`.
fn host(uri: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = after_scheme(uri)?;
    let (first, others) = scheme.split_first()?;
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    if !first.is_ascii_alphabetic() || !others.iter().all(is_scheme) {
        return None;
    }
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let host = without_dot(without_port(&rest[..end])?);
    is_host_name(host).then_some(host)
}

/// `nc_uri_remove_port`: what follows a colon must be digits.
fn without_port(authority: &[u8]) -> Option<&[u8]> {
    let Some(colon) = authority.iter().position(|byte| *byte == b':') else {
        return Some(authority);
    };
    let (host, port) = authority.split_at(colon);
    port[1..].iter().all(u8::is_ascii_digit).then_some(host)
}

/// `nc_uri_remove_trailing_dot`.
fn without_dot(host: &[u8]) -> &[u8] {
    host.strip_suffix(b".").unwrap_or(host)
}

/// `nc_uri_is_fqdn`: labels of RFC 1034, the last of which is not a number.
fn is_host_name(host: &[u8]) -> bool {
    let is_label = |label: &[u8]| {
        let ends = [label.first(), label.last()];
        (1..=63).contains(&label.len())
            && ends.into_iter().flatten().all(u8::is_ascii_alphanumeric)
            && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    let mut labels = host.split(|byte| *byte == b'.');
    let last = host.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    labels.all(is_label) && !is_number(last)
}

/// Decimal or octal digits, or `0x` and hexadecimal ones.
fn is_number(label: &[u8]) -> bool {
    match label {
        [b'0', b'x' | b'X', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Inside = Err(Code::UNSUPPORTED_NAME_SYNTAX);
    const CONSTRAINT: Inside = Err(Code::UNSUPPORTED_CONSTRAINT_SYNTAX);

    fn check(base: &str, name: &str, loosely: Inside, strictly: Inside) {
        let (base, name) = (base.as_bytes(), name.as_bytes());
        assert_eq!(matches_loosely(name, base), loosely);
        assert_eq!(matches(name, base), strictly);
    }

    #[test]
    fn hosts() {
        check("cluster.local", "spiffe://cluster.local/ns/x", Ok(true), Ok(true));
        check("CLUSTER.local", "spiffe://cluster.local", Ok(true), Ok(true));
        check(".local", "spiffe://cluster.local/ns/x", Ok(true), Ok(true));
        check("local", "spiffe://cluster.local/ns/x", Ok(false), Ok(false));
        check(".cluster.local", "spiffe://cluster.local/ns/x", Ok(false), Ok(false));
        check("cluster.local", "spiffe://cluster.local:80/ns/x", Ok(true), Ok(true));
        check("a.b", "x:y", NAME, NAME);
        check("a.b", "spiffe:///a", NAME, NAME);
    }

    #[test]
    fn what_only_one_of_them_finds() {
        // A colon in the path, a scheme in the constraint, a final dot, an address.
        check("cluster.local", "spiffe://cluster.local/ns/a:b", Ok(false), Ok(true));
        check("spiffe://cluster.local", "spiffe://cluster.local/ns/a", Ok(false), CONSTRAINT);
        check("cluster.local", "spiffe://cluster.local./ns/a", Ok(false), Ok(true));
        check("10.0.0.1", "spiffe://10.0.0.1/ns/a", Ok(true), NAME);
        check("", "spiffe://cluster.local/ns/a", Ok(false), CONSTRAINT);
        check("a", "spiffe://u@a/b", Ok(false), NAME);
        check("a", "1://a/b", Ok(true), NAME);
        check("0x7f.0xg", "x://0x7f.0xg", Ok(true), Ok(true));
    }
}
