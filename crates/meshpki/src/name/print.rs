//! OpenSSL's one-line form of a name (`crypto/asn1/a_strex.c: do_name_ex`, flags `XN_FLAG_ONELINE`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{Attribute, Name, to_utf8};
use crate::der;
use crate::oid;

impl fmt::Display for Name {
    /// `C = GB, O = "Acme, Inc.", CN = Zo\C3\AB`: as `openssl verify` prints a subject.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, rdn) in self.rdns().iter().filter(|rdn| !rdn.is_empty()).enumerate() {
            for (j, attribute) in rdn.iter().enumerate() {
                f.write_str(match (i, j) {
                    (0, 0) => "",
                    (_, 0) => ", ",
                    _ => " + ",
                })?;
                match attribute.oid.short_name() {
                    Some(short) => f.write_str(short)?,
                    None => f.write_str(&unknown_type(attribute.oid.as_bytes()))?,
                }
                write!(f, " = {}", value(attribute))?;
            }
        }
        Ok(())
    }
}

fn value(attribute: &Attribute) -> String {
    let mut utf8 = Vec::new();
    let bytes = match attribute.tag {
        der::UTF8_STRING => &attribute.value,
        tag => match to_utf8(tag, &attribute.value, &mut utf8) {
            Some(()) => &utf8,
            None => return hex(attribute),
        },
    };
    let quoted = needs_quotes(bytes);
    let mut out = String::from(if quoted { "\"" } else { "" });
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'"' => out.push_str("\\\""),
            0x20..0x7f => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\{byte:02X}")),
        }
    }
    out + if quoted { "\"" } else { "" }
}

fn needs_quotes(bytes: &[u8]) -> bool {
    bytes.iter().any(|b| b",+;<>".contains(b))
        || bytes.first() == Some(&b' ')
        || bytes.last() == Some(&b' ')
        || (bytes.len() > 1 && bytes[0] == b'#')
}

/// Values that are not text: `#` and the whole DER value.
fn hex(attribute: &Attribute) -> String {
    let der = der::tlv(attribute.tag, &attribute.value);
    der.iter().fold(String::from("#"), |text, byte| text + &format!("{byte:02X}"))
}
/// A type without a name: its dotted form as far as a buffer of eighty bytes holds it, nothing for one that is
/// not written out (`crypto/asn1/a_strex.c: do_name_ex`).
fn unknown_type(oid: &[u8]) -> String {
    if oid.len() > oid::LONGEST_PRINTED {
        return String::new();
    }
    let mut text = oid::dotted(oid);
    text.truncate(79);
    text
}
