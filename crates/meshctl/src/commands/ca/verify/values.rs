//! Option values that are neither files nor numbers: policies and addresses.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr};

use meshpki::Oid;
use meshpki::internals::oid::{by_name, edition};
use meshpki::verify::{Policy, Purpose, Release};

/// A policy: a name of OpenSSL's table, or dotted
/// (`crypto/objects/obj_dat.c: OBJ_txt2obj`, `crypto/asn1/a_object.c: a2d_ASN1_OBJECT`).
///
/// As there, a space parts arcs as a dot does, and an arc without digits is 0.
pub(super) fn policy(text: &str, release: Release) -> Option<Oid> {
    if let Some(known) = by_name(edition(release), text) {
        return Some(known);
    }
    let (first, rest) = text.split_once(['.', ' '])?;
    let first: u128 = first.parse().ok().filter(|n| *n <= 2 && first.len() == 1)?;
    let mut arcs = rest.split(['.', ' ']).peekable();
    let second = arc(arcs.next()?)?;
    if rest.is_empty() || (first < 2 && second > 39) {
        return None;
    }
    let mut out = Vec::new();
    push_arc(&mut out, first * 40 + second);
    while let Some(text) = arcs.next() {
        if text.is_empty() && arcs.peek().is_none() {
            break;
        }
        push_arc(&mut out, arc(text)?);
    }
    Oid::from_bytes(&out).ok()
}

/// What a name of `-verify_name` sets (`crypto/x509/x509_vpm.c: default_table`); `None` for an unknown one.
pub(super) fn named_policy(name: &str, policy: &mut Policy) -> Option<()> {
    let purpose = match name {
        "default" => {
            policy.max_depth = 100;
            return Some(());
        }
        "pkcs7" | "smime_sign" => Purpose::SmimeSign,
        // `crypto/x509/x509_vpm.c: default_table` of 3.2
        "code_sign" if policy.release.since(3, 2) => Purpose::CodeSign,
        "ssl_client" => Purpose::SslClient,
        "ssl_server" => Purpose::SslServer,
        _ => return None,
    };
    policy.purpose = Some(purpose);
    policy.trusted_for = Some(purpose);
    Some(())
}

/// The distinguishing id that `-vfyopt` sets, empty if it has none or its digits are not hexadecimal; `None` for an
/// option that sets something else (`apps/lib/app_x509.c: x509_ctrl_string`).
pub(super) fn distinguishing_id(option: &OsStr) -> Option<Vec<u8>> {
    let mut parts = option.as_encoded_bytes().splitn(2, |byte| *byte == b':');
    let (name, value) = (parts.next()?, parts.next().unwrap_or_default());
    match name {
        b"distid" => Some(value.to_vec()),
        b"hexdistid" => Some(from_hex(value).unwrap_or_default()),
        _ => None,
    }
}

/// Pairs of digits, with colons between them or without (`crypto/o_str.c: hexstr2buf_sep`).
fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut left = text.iter();
    let value =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    while let Some(first) = left.next() {
        if *first != b':' {
            octets.push(value(*first)? << 4 | value(*left.next()?)?);
        }
    }
    Some(octets)
}

fn arc(text: &str) -> Option<u128> {
    if text.is_empty() {
        return Some(0);
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|n| *n < u128::MAX - 80)
}

fn push_arc(out: &mut Vec<u8>, arc: u128) {
    let groups = (128 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group > 0 { 0x80 } else { 0 };
        out.push((arc >> (group * 7)).to_le_bytes()[0] & 0x7f | more);
    }
}

/// An IPv4 or IPv6 address as `crypto/x509/v3_utl.c: ossl_a2i_ipadd` reads one.
pub(super) fn ip(text: &str, release: Release) -> Option<IpAddr> {
    // `crypto/x509/v3_utl.c: get_ipv4_component` of 3.4
    let ipv4 = if release.since(3, 4) { strict_ipv4 } else { loose_ipv4 };
    if !text.contains(':') {
        return ipv4(text).map(IpAddr::from);
    }
    let octets: [u8; 16] = ipv6(text, ipv4)?.try_into().ok()?;
    Some(IpAddr::from(octets))
}

/// Four decimal numbers without leading zeros.
fn strict_ipv4(text: &str) -> Option<[u8; 4]> {
    text.parse::<Ipv4Addr>().ok().map(|address| address.octets())
}

/// `sscanf("%d.%d.%d.%d")`: blanks and a plus sign before each number, a blank after the last.
fn loose_ipv4(text: &str) -> Option<[u8; 4]> {
    let blank = |c: char| c.is_ascii_whitespace() || c == '\x0b';
    let mut rest = text;
    let mut out = [0; 4];
    for (i, byte) in out.iter_mut().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix('.')?;
        }
        rest = rest.trim_start_matches(blank);
        rest = rest.strip_prefix('+').unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        *byte = rest[..end].parse::<u64>().ok().and_then(|n| u8::try_from(n).ok())?;
        rest = &rest[end..];
    }
    (rest.is_empty() || rest.starts_with(blank)).then_some(out)
}

/// `ipv6_from_asc`: groups between colons; `::` shows as one, two or three empty ones.
fn ipv6(text: &str, ipv4: fn(&str) -> Option<[u8; 4]>) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut gap = None;
    let mut empty = 0;
    let mut groups = text.split(':').peekable();
    while let Some(group) = groups.next() {
        match group.len() {
            _ if bytes.len() == 16 => return None,
            0 if gap.is_some_and(|gap| gap != bytes.len()) => return None,
            0 => {
                gap = Some(bytes.len());
                empty += 1;
            }
            1..=4 if group.bytes().all(|b| b.is_ascii_hexdigit()) => {
                bytes.extend(u16::from_str_radix(group, 16).ok()?.to_be_bytes());
            }
            5.. if bytes.len() <= 12 && groups.peek().is_none() => bytes.extend(ipv4(group)?),
            _ => return None,
        }
    }
    let Some(gap) = gap else { return (bytes.len() == 16).then_some(bytes) };
    let at_edge = gap == 0 || gap == bytes.len();
    let fits = match empty {
        1 => !at_edge,
        2 => at_edge,
        3 => bytes.is_empty(),
        _ => false,
    };
    if bytes.len() >= 16 || !fits {
        return None;
    }
    let zeros = std::iter::repeat_n(0, 16 - bytes.len());
    bytes.splice(gap..gap, zeros);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of these was shown to `openssl verify -verify_ip` of each release.
    #[test]
    fn addresses_as_openssl_takes_them() {
        for text in ["1.2.3.4", "0.0.0.0", "::1", "::", ":", "1::", "::1.2.3.4", "1:2:3:4:5:6:7:8"]
        {
            assert!(Release::ALL.into_iter().all(|release| ip(text, release).is_some()), "{text}");
        }
        for text in ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:1.2.3.4"] {
            assert!(Release::ALL.into_iter().all(|release| ip(text, release).is_some()), "{text}");
        }
        for text in
            ["01.2.3.4", " 1.2.3.4", "1.2.3.4 ", "1. 2.3.4", "1.2.3.0004", "+1.2.3.4", "::01.2.3.4"]
        {
            let found = Release::ALL.map(|release| ip(text, release).is_some());
            assert_eq!(found, [true, false, false], "{text}");
        }
        for text in [
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "1::2::3",
            "",
            "fe80::1%1",
            "12345::1",
            "::g",
            "1.2.3.4x",
            "1:2:3:4:5:6:7:8:9",
            ":1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8:",
            ":::",
            "1:2:3:4:5:6:7",
            "0x1.2.3.4",
            "::ffff:1.2.3.256",
            "1:2:3:4:5:6:7::8",
        ] {
            assert!(Release::ALL.into_iter().all(|release| ip(text, release).is_none()), "{text}");
        }
        assert_eq!(ip("1::2", Release::V3_5), "1::2".parse().ok());
    }

    /// Each of these was shown to `openssl verify -policy` 3.0.22.
    #[test]
    fn policies_as_openssl_takes_them() {
        for text in ["1.2.3", "1.2.3.", "2.999", "0.39.1", "1.2..3", "1 2 3", "2.40", "anyPolicy"] {
            assert!(policy(text, Release::V3_0).is_some(), "{text}");
        }
        for text in ["", "1", "1.", "1.40", "3.1", ".1.2", "1.2.x", " 1.2", "1.-2", "1.2,3", "cn"] {
            assert_eq!(policy(text, Release::V3_0), None, "{text}");
        }
        assert_eq!(policy("2.5.29.32.0", Release::V3_0), policy("anyPolicy", Release::V3_0));
        assert_eq!(policy("1.2.840.113549", Release::V3_0), "1.2.840.113549".parse().ok());
        assert_eq!(policy("2.999", Release::V3_0), "2.999".parse().ok());
    }
}
