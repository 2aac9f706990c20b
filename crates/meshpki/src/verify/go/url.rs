//! The part of Go's URL parser that decides whether a name is read, and which host it has (`net/url/url.go: Parse`).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

/// A host that Go does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Where percent escapes are (`net/url/url.go: encoding`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Host,
    Zone,
    Other,
}

/// The host of a URI, with its port; empty if it has none.
pub(super) fn host(uri: &str) -> Result<String, Malformed> {
    let (uri, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    if uri.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err(Malformed);
    }
    unescape(fragment, Mode::Other)?;
    if uri == "*" {
        return Ok(String::new());
    }
    let (scheme, rest) = scheme(uri)?;
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    if !rest.starts_with('/') {
        let segment = rest.split('/').next().unwrap_or_default();
        // Opaque with a scheme, otherwise a relative path, whose first segment must not have a colon.
        if scheme.is_empty() && segment.contains(':') {
            return Err(Malformed);
        }
        if !scheme.is_empty() {
            return Ok(String::new());
        }
    }
    let has_authority = !scheme.is_empty() || !rest.starts_with("///");
    let Some(authority) = rest.strip_prefix("//").filter(|_| has_authority) else {
        unescape(rest, Mode::Other)?;
        return Ok(String::new());
    };
    let end = authority.find('/').unwrap_or(authority.len());
    let (authority, path) = authority.split_at(end);
    let host = in_authority(&scheme.to_ascii_lowercase(), authority)?;
    unescape(path, Mode::Other)?;
    Ok(host)
}

/// `getScheme`.
fn scheme(uri: &str) -> Result<(&str, &str), Malformed> {
    for (i, byte) in uri.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err(Malformed),
            b':' => return Ok((&uri[..i], &uri[i + 1..])),
            _ => break,
        }
    }
    Ok(("", uri))
}

/// `parseAuthority`.
fn in_authority(scheme: &str, authority: &str) -> Result<String, Malformed> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return in_host(scheme, authority);
    };
    let host = in_host(scheme, host)?;
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
    if !user.bytes().all(is_valid) {
        return Err(Malformed);
    }
    unescape(user, Mode::Other)?;
    Ok(host)
}

/// `parseHost`.
fn in_host(scheme: &str, host: &str) -> Result<String, Malformed> {
    match host.rfind('[') {
        Some(0) => return literal(host),
        Some(_) => return Err(Malformed),
        None => {}
    }
    if let Some(first) = host.find(':') {
        // Of http alone are more colons than the port's refused.
        let strict = matches!(scheme, "http" | "https");
        let at = if strict { first } else { host.rfind(':').unwrap_or(first) };
        valid_port(&host[at..])?;
    }
    unescape(host, Mode::Host)
}

/// An IPv6 address in brackets.
fn literal(host: &str) -> Result<String, Malformed> {
    let end = host.rfind(']').ok_or(Malformed)?;
    let port = &host[end + 1..];
    valid_port(port)?;
    let name = &host[1..end];
    let name = match name.find("%25") {
        Some(zone) => unescape(&name[..zone], Mode::Host)? + &unescape(&name[zone..], Mode::Zone)?,
        None => unescape(name, Mode::Host)?,
    };
    let (address, zone) = name.split_once('%').map_or((name.as_str(), None), |(a, z)| (a, Some(z)));
    if address.parse::<Ipv6Addr>().is_err() || zone == Some("") {
        return Err(Malformed);
    }
    Ok(alloc::format!("[{name}]{port}"))
}

fn valid_port(port: &str) -> Result<(), Malformed> {
    let is_valid = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    if is_valid { Ok(()) } else { Err(Malformed) }
}

/// `unescape`.
fn unescape(text: &str, mode: Mode) -> Result<String, Malformed> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(byte) = bytes.get(i) {
        if *byte == b'%' {
            let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
            let pair = digit(i + 1).zip(digit(i + 2)).ok_or(Malformed)?;
            let value = u8::try_from(pair.0 * 16 + pair.1).unwrap_or_default();
            let is_percent = value == b'%';
            match mode {
                Mode::Host if value < 0x80 && !is_percent => return Err(Malformed),
                Mode::Zone if !is_percent && value != b' ' && !in_hosts(value) => {
                    return Err(Malformed);
                }
                _ => {}
            }
            out.push(value);
            i += 3;
        } else {
            if mode != Mode::Other && byte.is_ascii() && !in_hosts(*byte) {
                return Err(Malformed);
            }
            out.push(*byte);
            i += 1;
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// What a host contains without an escape (`net/url/encoding_table.go: encodeHost`).
fn in_hosts(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!\"$&'()*+,-.:;<=>[]_~".contains(&byte)
}

/// `net.SplitHostPort`, without the port.
pub(super) fn without_port(host: &str) -> Option<&str> {
    if let Some(inner) = host.strip_prefix('[') {
        let (name, rest) = inner.split_once(']')?;
        let port = rest.strip_prefix(':')?;
        return (!port.contains([':', '[', ']']) && !name.contains('[')).then_some(name);
    }
    let (name, port) = host.rsplit_once(':')?;
    (!name.contains(':') && !host.contains(['[', ']']) && !port.contains(':')).then_some(name)
}

/// `netip.ParseAddr`, or brackets.
pub(super) fn is_address(host: &str) -> bool {
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain = host.split_once('%').map_or(Cow::Borrowed(host), |(address, zone)| {
        // A zone needs a name, and an IPv6 address.
        if zone.is_empty() || !address.contains(':') { "".into() } else { address.into() }
    });
    bracketed || plain.parse::<Ipv4Addr>().is_ok() || plain.parse::<Ipv6Addr>().is_ok()
}
