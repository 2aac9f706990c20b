//! `hosts`: which kind of name each is.

use alloc::string::String;
use core::net::{IpAddr, Ipv6Addr};

use crate::cert::GeneralName;

/// A host as cfssl 1.6 sorts it: an IP address, else an email address, else a URI, else a DNS name
/// (`csr/csr.go: GenerateDER`).
///
/// # Errors
/// Why the name would be useless or harmful.
pub(super) fn name(host: &str) -> Result<GeneralName, &'static str> {
    if let Ok(address) = host.parse() {
        return Ok(GeneralName::Ip(ip(address)));
    }
    if let Some(address) = email(host) {
        return Ok(GeneralName::Email(address.as_bytes().to_vec()));
    }
    if let Some(uri) = uri(host)? {
        return Ok(GeneralName::Uri(uri.into_bytes()));
    }
    let usual = |b: u8| b.is_ascii_alphanumeric() || b".-_*".contains(&b);
    if host.is_empty() || !host.bytes().all(usual) {
        return Err("cfssl writes it as a DNS name, but no host can have such a name");
    }
    Ok(GeneralName::Dns(host.as_bytes().to_vec()))
}

/// Go's order of the kinds in a subjectAltName (`crypto/x509/x509.go: marshalSANs`); `None` for kinds Go
/// leaves out.
pub(super) const fn rank(name: &GeneralName) -> Option<u8> {
    match name {
        GeneralName::Dns(_) => Some(0),
        GeneralName::Email(_) => Some(1),
        GeneralName::Ip(_) => Some(2),
        GeneralName::Uri(_) => Some(3),
        _ => None,
    }
}

/// Four bytes if an IPv4 address follows `::ffff:` (Go `net.IP.To4`).
fn ip(address: IpAddr) -> alloc::vec::Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6
            .to_ipv4_mapped()
            .map_or_else(|| Ipv6Addr::octets(&v6).to_vec(), |v4| v4.octets().to_vec()),
    }
}

/// The address of `a@b` or `Name <a@b>`; neither quotes nor punctuation is taken, on which versions of Go differ
/// (RFC 5322 section 3.4).
fn email(host: &str) -> Option<&str> {
    let special = |b: u8| b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    let atom = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || special(b))
    };
    let host = host.trim_matches([' ', '\t']);
    let address = match host.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, address)) if name.split(' ').all(|word| word.is_empty() || atom(word)) => {
            address
        }
        Some(_) => return None,
        None => host,
    };
    let (local, domain) = address.split_once('@')?;
    (local.split('.').all(atom) && domain.split('.').all(atom)).then_some(address)
}

/// `scheme://rest`, the scheme in small letters (Go `net/url/url.go: ParseRequestURI`).
fn uri(host: &str) -> Result<Option<String>, &'static str> {
    if host.starts_with('/') {
        return Err("cfssl writes it as a URI without a scheme");
    }
    let Some((scheme, rest)) = host.split_once(':') else { return Ok(None) };
    let letters = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(letters) {
        return Ok(None);
    }
    if !rest.starts_with('/') {
        return Err("a host cannot have a port here, and a URI begins with `scheme://`");
    }
    if !rest.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("a URI cannot contain spaces or non-ASCII characters");
    }
    Ok(Some(scheme.to_ascii_lowercase() + ":" + rest))
}
