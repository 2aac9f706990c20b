//! Names typed by people: `O=Example, CN=Root CA` and `/O=Example/CN=Root CA`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::str::FromStr;

use super::{Attribute, Name};
use crate::oid::{self, Oid};

/// Why a typed name could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// A part without `=`.
    #[error("`{part}` is not of the form TYPE=VALUE")]
    NoEquals {
        /// The part as typed.
        part: String,
    },
    /// An unknown attribute type.
    #[error(
        "unknown attribute type `{0}`; expected CN, O, OU, C, ST, L, DC, UID, street, serialNumber, emailAddress or a dotted OID",
        found
    )]
    UnknownType {
        /// The type as typed.
        found: String,
    },
    /// A country that is not two letters (RFC 5280 appendix A.1).
    #[error("country `{found}` is not a two-letter code")]
    Country {
        /// The value as typed.
        found: String,
    },
    /// A character that steers a terminal, or makes one text look like another.
    #[error("{attribute} `{value}` contains the invisible character U+{code:04X}")]
    Invisible {
        /// Attribute type, its short name.
        attribute: &'static str,
        /// The value, the character escaped.
        value: String,
        /// The character's number.
        code: u32,
    },
    /// A value longer than RFC 5280 appendix A.1 allows.
    #[error("{attribute} has {length} characters, expected at most {limit}")]
    TooLong {
        /// Attribute type, its short name.
        attribute: &'static str,
        /// Characters of the value.
        length: usize,
        /// Characters allowed.
        limit: usize,
    },
    /// A value that is empty.
    #[error("{part} has no value")]
    EmptyValue {
        /// The part as typed.
        part: String,
    },
}

impl FromStr for Name {
    type Err = NameError;

    /// Reads `C=GB, O=Example, CN=Root CA`, or the same as `/C=GB/O=Example/CN=Root CA`.
    ///
    /// A backslash takes the next character literally; `+` joins attributes into one RDN.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let (separator, text) = match text.strip_prefix('/') {
            Some(rest) => ('/', rest),
            None => (',', text),
        };
        let mut rdns: Vec<Vec<Attribute>> = Vec::new();
        if text.is_empty() {
            return Ok(Self::empty());
        }
        for rdn in split(text, separator) {
            let attributes: Result<_, _> =
                split(&rdn, '+').iter().map(|part| attribute(part)).collect();
            rdns.push(attributes?);
        }
        Ok(Self::from_rdns(rdns.iter().map(Vec::as_slice)))
    }
}

impl Name {
    /// Checks what RFC 5280 appendix A.1 asks of attribute values: lengths, and two letters for a country; and that every
    /// character can be seen.
    ///
    /// # Errors
    /// [`NameError::TooLong`], [`NameError::Country`], [`NameError::Invisible`].
    pub(crate) fn check_bounds(&self) -> Result<(), NameError> {
        self.rdns().iter().flatten().try_for_each(check_bounds)
    }
}

/// Splits at `separator`, but not after a backslash. Backslashes stay.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = alloc::vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == separator && !escaped {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts
}

fn attribute(part: &str) -> Result<Attribute, NameError> {
    let (kind, value) = part
        .split_once('=')
        .ok_or_else(|| NameError::NoEquals { part: part.trim().to_string() })?;
    let kind = kind.trim();
    let oid =
        attribute_type(kind).ok_or_else(|| NameError::UnknownType { found: kind.to_string() })?;
    let value = unescape(value.trim());
    if value.is_empty() {
        return Err(NameError::EmptyValue { part: part.trim().to_string() });
    }
    let attribute = Attribute::new(oid, &value);
    check_bounds(&attribute)?;
    Ok(attribute)
}

fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

fn attribute_type(kind: &str) -> Option<Oid> {
    let known = match kind.to_ascii_lowercase().as_str() {
        "cn" | "commonname" => oid::COMMON_NAME,
        "o" | "organization" | "organizationname" => oid::ORGANIZATION,
        "ou" | "organizationalunit" | "organizationalunitname" => oid::ORGANIZATIONAL_UNIT,
        "c" | "country" | "countryname" => oid::COUNTRY,
        "st" | "s" | "state" | "stateorprovincename" => oid::STATE,
        "l" | "locality" | "localityname" => oid::LOCALITY,
        "street" | "streetaddress" => oid::STREET,
        "dc" | "domaincomponent" => oid::DOMAIN_COMPONENT,
        "uid" | "userid" => oid::USER_ID,
        "sn" | "surname" => oid::SURNAME,
        "serialnumber" => oid::SERIAL_NUMBER,
        "emailaddress" | "email" | "e" => oid::EMAIL_ADDRESS,
        _ => return kind.parse().ok(),
    };
    Some(Oid::of_static(known))
}

/// Whether a character steers a terminal, turns the direction of text or takes no room, so that one text looks like
/// another.
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}'
            | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

fn check_bounds(attribute: &Attribute) -> Result<(), NameError> {
    let Some(text) = attribute.text() else { return Ok(()) };
    let short_name = attribute.oid.short_name().unwrap_or("value");
    if let Some(c) = text.chars().find(|c| is_invisible(*c)) {
        let escape = |c: char| {
            if is_invisible(c) { c.escape_unicode().to_string() } else { c.to_string() }
        };
        return Err(NameError::Invisible {
            attribute: short_name,
            value: text.chars().map(escape).collect(),
            code: u32::from(c),
        });
    }
    if attribute.oid == oid::COUNTRY
        && (text.len() != 2 || !text.bytes().all(|b| b.is_ascii_alphabetic()))
    {
        return Err(NameError::Country { found: text });
    }
    let limit = match attribute.oid.as_bytes() {
        oid::COMMON_NAME | oid::ORGANIZATION | oid::ORGANIZATIONAL_UNIT | oid::SERIAL_NUMBER => 64,
        oid::LOCALITY | oid::STATE | oid::STREET => 128,
        oid::EMAIL_ADDRESS => 255,
        _ => return Ok(()),
    };
    let length = text.chars().count();
    if length > limit {
        return Err(NameError::TooLong { attribute: short_name, length, limit });
    }
    Ok(())
}
