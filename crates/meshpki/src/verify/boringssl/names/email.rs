//! E-mail constraints (`crypto/x509/v3_ncons.cc: nc_email`).

use super::{Inside, has_suffix};
use crate::verify::boringssl::code::Code;

/// Both sides of the first `@`; no local part without one.
fn parts(address: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match address.iter().position(|byte| *byte == b'@') {
        Some(at) => (Some(&address[..at]), &address[at + 1..]),
        None => (None, address),
    }
}

/// `nc_email` up to Envoy 1.37: `.domain` for what is below it, `domain` or `@domain` for a host, `local@domain` for one
/// mailbox.
pub(super) fn matches_loosely(name: &[u8], base: &[u8]) -> Inside {
    let (Some(local), host) = parts(name) else { return Err(Code::UNSUPPORTED_NAME_SYNTAX) };
    match parts(base) {
        // The address from its `@` on.
        (None, base) if base.first() == Some(&b'.') => Ok(has_suffix(&name[local.len()..], base)),
        (None, base) => Ok(host.eq_ignore_ascii_case(base)),
        (Some(wanted), base) => {
            Ok((wanted.is_empty() || wanted == local) && host.eq_ignore_ascii_case(base))
        }
    }
}

/// `nc_email` since Envoy 1.38: both must be addresses without quotes.
pub(super) fn matches(name: &[u8], base: &[u8], ignore_case: bool) -> Inside {
    let (Some(local), host) = parts(name) else { return Err(Code::UNSUPPORTED_NAME_SYNTAX) };
    if !is_local(local) || !is_domain(host) {
        return Err(Code::UNSUPPORTED_NAME_SYNTAX);
    }
    let (wanted, base) = parts(base);
    if !wanted.is_none_or(is_local) || !is_domain(base) {
        return Err(Code::UNSUPPORTED_NAME_SYNTAX);
    }
    Ok(match wanted {
        Some(wanted) => {
            let same =
                if ignore_case { wanted.eq_ignore_ascii_case(local) } else { wanted == local };
            same && host.eq_ignore_ascii_case(base)
        }
        None if base.first() == Some(&b'.') => has_suffix(host, base),
        None => host.eq_ignore_ascii_case(base),
    })
}

/// `is_allowed_rfc822_local_part`.
fn is_local(text: &[u8]) -> bool {
    let is_allowed =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(byte);
    !text.is_empty() && text.iter().all(is_allowed)
}

/// `is_allowed_rfc822_domain`.
fn is_domain(text: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
    !text.is_empty() && text.iter().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: &str, name: &str, loosely: Inside, strictly: Inside) {
        let (base, name) = (base.as_bytes(), name.as_bytes());
        assert_eq!(matches_loosely(name, base), loosely);
        assert_eq!(matches(name, base, false), strictly);
    }

    #[test]
    fn addresses() {
        const NAME: Inside = Err(Code::UNSUPPORTED_NAME_SYNTAX);
        check("example.com", "a@example.com", Ok(true), Ok(true));
        check(".example.com", "a@b.example.com", Ok(true), Ok(true));
        check("a@example.com", "A@example.com", Ok(false), Ok(false));
        check("@example.com", "a@example.com", Ok(true), NAME);
        check("example.com", "example.com", NAME, NAME);
        check("", "a@example.com", Ok(false), NAME);
        check("b@c", "a@b@c", Ok(false), NAME);
        assert_eq!(matches(b"A@example.com", b"a@example.com", true), Ok(true));
    }
}
