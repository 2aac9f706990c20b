//! Names as OpenSSL prints them (`crypto/asn1/a_strex.c: X509_NAME_print_ex`).

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::form::{NameForm, flag};
use super::{Name, attribute_parts, to_utf8, value_parts};
use crate::der::shape::bit_string;
use crate::der::{self, DerError, Reader, Tag, Tlv};
use crate::oid::{self, Edition};

impl fmt::Display for Name {
    /// `C = GB, O = "Acme, Inc.", CN = Zo\C3\AB`: as `openssl verify` 3.0 prints a subject.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // This form is ASCII.
        f.write_str(&String::from_utf8_lossy(&self.printed(NameForm::ONELINE)))
    }
}

impl Name {
    /// The name as OpenSSL prints it in a form. Not every form gives UTF-8: without `utf8` and `esc_msb`, characters
    /// up to U+00FF are single bytes.
    ///
    /// ```
    /// use meshpki::{Name, NameForm};
    /// let name: Name = r"C=GB, O=Zoë, CN=a\+b".parse()?;
    /// let form = NameForm::RFC2253.with_options("-dn_rev, lname").expect("known options");
    /// assert_eq!(name.printed(form), br"countryName=GB,organizationName=Zo\C3\AB,commonName=a\+b");
    /// # Ok::<(), meshpki::NameError>(())
    /// ```
    #[must_use]
    pub fn printed(&self, form: NameForm) -> Vec<u8> {
        // A name that was read once reads again.
        let entries = entries(&self.der).unwrap_or_default();
        if form.flags == 0 { compat(&entries, form.edition) } else { print_ex(&entries, form) }
    }
}

/// `X509_NAME_ENTRY`.
struct Entry<'a> {
    /// The RDN it is in.
    set: usize,
    oid: &'a [u8],
    tag: Tag,
    /// What OpenSSL keeps of the value: of a SEQUENCE the whole encoding, of a BIT STRING the bits.
    data: Cow<'a, [u8]>,
    /// Of a BIT STRING.
    unused_bits: u8,
}

fn entries(name: &[u8]) -> Result<Vec<Entry<'_>>, DerError> {
    let mut sets = Reader::new(name).any()?.reader();
    let mut entries = Vec::new();
    let mut number = 0;
    while let Some(set) = sets.next()? {
        let mut attributes = set.reader();
        while let Some(attribute) = attributes.next()? {
            entries.push(entry(number, &attribute)?);
        }
        number += 1;
    }
    Ok(entries)
}

fn entry<'a>(set: usize, attribute: &Tlv<'a>) -> Result<Entry<'a>, DerError> {
    let (oid, value) = attribute_parts(attribute)?;
    let (tag, data) = value_parts(&value)?;
    let (data, unused_bits) = match tag {
        der::SEQUENCE => (Cow::Borrowed(value.raw), 0),
        der::BIT_STRING => {
            let (bits, unused) = bit_string(&value)?;
            let unused = if bits.is_empty() { 0 } else { unused };
            (Cow::Owned(bits), unused)
        }
        _ => (data, 0),
    };
    Ok(Entry { set, oid: oid.content, tag, data, unused_bits })
}

impl Entry<'_> {
    fn to_der(&self) -> Vec<u8> {
        match self.tag {
            der::SEQUENCE => self.data.to_vec(),
            der::BIT_STRING => der::tlv(self.tag, &[&[self.unused_bits], &*self.data].concat()),
            tag => der::tlv(tag, &self.data),
        }
    }
}

/// `crypto/asn1/a_strex.c: do_name_ex`, without an indent.
fn print_ex(entries: &[Entry<'_>], form: NameForm) -> Vec<u8> {
    let flags = form.flags;
    let (between, within) = match flags & flag::SEP_MASK {
        flag::SEP_MULTILINE => ("\n", " + "),
        flag::SEP_COMMA_PLUS => (",", "+"),
        flag::SEP_SPLUS_SPC => ("; ", " + "),
        _ => (", ", " + "),
    };
    let equals = if flags & flag::SPC_EQ != 0 { " = " } else { "=" };
    let mut out = Vec::new();
    let mut last = None;
    let mut print = |entry: &Entry<'_>| {
        if let Some(last) = last {
            let separator = if last == entry.set { within } else { between };
            out.extend_from_slice(separator.as_bytes());
        }
        last = Some(entry.set);
        if let Some(name) = field_name(entry.oid, form) {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(equals.as_bytes());
        }
        let unknown = oid::names_in(form.edition, entry.oid).is_none();
        let dump = unknown && flags & flag::DUMP_UNKNOWN_FIELDS != 0;
        push_value(&mut out, entry, if dump { flags | flag::DUMP_ALL } else { flags });
    };
    if flags & flag::DN_REV != 0 {
        entries.iter().rev().for_each(&mut print);
    } else {
        entries.iter().for_each(&mut print);
    }
    out
}

/// The attribute's type in front of the sign; `None` for none at all.
fn field_name(oid: &[u8], form: NameForm) -> Option<String> {
    let names = oid::names_in(form.edition, oid);
    let (name, width) = match (form.flags & flag::FN_MASK, names) {
        (flag::FN_NONE, _) => return None,
        (flag::FN_OID, _) | (_, None) => (unknown_type(oid), 0),
        (flag::FN_LN, Some((_, long))) => (String::from(long), 25),
        (_, Some((short, _))) => (String::from(short), 10),
    };
    let width = if form.flags & flag::FN_ALIGN != 0 { width } else { 0 };
    Some(format!("{name:width$}"))
}

/// A type without a name: its dotted form as far as a buffer of eighty bytes holds it, nothing for one that is
/// not written out (`crypto/objects/obj_dat.c: OBJ_obj2txt`).
fn unknown_type(oid: &[u8]) -> String {
    if oid.len() > oid::LONGEST_PRINTED {
        return String::new();
    }
    let mut text = oid::dotted(oid);
    text.truncate(79);
    text
}

/// How the octets of a value become characters (`crypto/asn1/a_strex.c: tag2nbyte`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chars {
    /// One character each.
    Bytes,
    /// They are characters of that string type.
    Text(Tag),
    /// They are not characters.
    Dump,
}

/// `crypto/asn1/a_strex.c: do_print_ex`.
fn push_value(out: &mut Vec<u8>, entry: &Entry<'_>, flags: u32) {
    if flags & flag::SHOW_TYPE != 0 {
        out.extend_from_slice(type_name(entry.tag).as_bytes());
        out.push(b':');
    }
    let chars = match entry.tag {
        _ if flags & flag::DUMP_ALL != 0 => Chars::Dump,
        _ if flags & flag::IGNORE_TYPE != 0 => Chars::Bytes,
        der::NUMERIC_STRING | der::PRINTABLE_STRING | der::T61_STRING | der::IA5_STRING => {
            Chars::Bytes
        }
        tag @ (der::UTF8_STRING | der::UNIVERSAL_STRING | der::BMP_STRING) => Chars::Text(tag),
        _ if flags & flag::DUMP_UNKNOWN != 0 => Chars::Dump,
        _ => Chars::Bytes,
    };
    let convert = flags & flag::UTF8_CONVERT != 0;
    let chars: Vec<u32> = match chars {
        Chars::Dump => return push_dump(out, entry, flags),
        // UTF-8 is converted already.
        Chars::Text(der::UTF8_STRING) if convert => octets(&entry.data).collect(),
        Chars::Bytes if convert => octets(latin1(&entry.data).as_bytes()).collect(),
        Chars::Bytes => octets(&entry.data).collect(),
        Chars::Text(tag) => {
            let mut utf8 = Vec::new();
            // A name whose values cannot be converted was not read.
            let _ = to_utf8(tag, &entry.data, &mut utf8);
            if convert {
                octets(&utf8).collect()
            } else {
                String::from_utf8_lossy(&utf8).chars().map(u32::from).collect()
            }
        }
    };
    push_chars(out, &chars, flags);
}

fn octets(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.iter().map(|byte| u32::from(*byte))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// `crypto/asn1/a_strex.c: do_dump`.
fn push_dump(out: &mut Vec<u8>, entry: &Entry<'_>, flags: u32) {
    let der;
    let bytes = if flags & flag::DUMP_DER == 0 {
        &*entry.data
    } else {
        der = entry.to_der();
        &der
    };
    out.push(b'#');
    bytes.iter().for_each(|byte| out.extend_from_slice(format!("{byte:02X}").as_bytes()));
}

/// `crypto/asn1/a_strex.c: do_buf`: in quotes, if a character asks for them.
fn push_chars(out: &mut Vec<u8>, chars: &[u32], flags: u32) {
    let start = out.len();
    let mut quoted = false;
    for (i, c) in chars.iter().enumerate() {
        let place = match i {
            _ if i + 1 == chars.len() => LAST,
            0 => FIRST,
            _ => 0,
        };
        quoted |= push_char(out, *c, flags, place);
    }
    if quoted {
        out.insert(start, b'"');
        out.push(b'"');
    }
}

/// A character that RFC 2253 escapes if it is the first, and the last (`CHARTYPE_FIRST_ESC_2253`,
/// `CHARTYPE_LAST_ESC_2253`).
const FIRST: u32 = 1;
const LAST: u32 = 2;

/// `crypto/asn1/a_strex.c: do_esc_char`; whether the value must be quoted.
fn push_char(out: &mut Vec<u8>, c: u32, flags: u32, place: u32) -> bool {
    let Ok(byte) = u8::try_from(c) else {
        let text = if c > 0xffff { format!("\\W{c:08X}") } else { format!("\\U{c:04X}") };
        out.extend_from_slice(text.as_bytes());
        return false;
    };
    let has = |flag: u32| flags & flag != 0;
    // What `crypto/asn1/charmap.h: char_type` says.
    let special = match byte {
        b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => true,
        b' ' => place != 0,
        b'#' => place == FIRST,
        _ => false,
    };
    if special && has(flag::ESC_2253) {
        let quotes = has(flag::ESC_QUOTE) && byte != b'"' && byte != b'\\';
        if !quotes {
            out.push(b'\\');
        }
        out.push(byte);
        return quotes;
    }
    let escaped = match byte {
        0 => has(flag::ESC_CTRL) || has(flag::ESC_2254),
        0x01..0x20 | 0x7f => has(flag::ESC_CTRL),
        b'(' | b')' | b'*' | b'\\' => has(flag::ESC_2254),
        0x80.. => has(flag::ESC_MSB),
        _ => false,
    };
    if escaped {
        out.extend_from_slice(format!("\\{byte:02X}").as_bytes());
        return false;
    }
    const ANY: u32 =
        flag::ESC_2253 | flag::ESC_2254 | flag::ESC_QUOTE | flag::ESC_CTRL | flag::ESC_MSB;
    if byte == b'\\' && has(ANY) {
        out.push(b'\\');
    }
    out.push(byte);
    false
}

/// `crypto/asn1/asn1_par.c: ASN1_tag2str`.
fn type_name(tag: Tag) -> &'static str {
    match tag {
        der::BIT_STRING => "BIT STRING",
        7 => "OBJECT DESCRIPTOR",
        8 => "EXTERNAL",
        9 => "REAL",
        11 => "<ASN1 11>",
        der::UTF8_STRING => "UTF8STRING",
        13 => "<ASN1 13>",
        14 => "<ASN1 14>",
        15 => "<ASN1 15>",
        der::SEQUENCE => "SEQUENCE",
        der::NUMERIC_STRING => "NUMERICSTRING",
        der::PRINTABLE_STRING => "PRINTABLESTRING",
        der::T61_STRING => "T61STRING",
        der::IA5_STRING => "IA5STRING",
        der::UNIVERSAL_STRING => "UNIVERSALSTRING",
        29 => "<ASN1 29>",
        der::BMP_STRING => "BMPSTRING",
        _ => "(unknown)",
    }
}

/// Longest line of `oneline` (`NAME_ONELINE_MAX`).
const ONELINE_MAX: usize = 1024 * 1024;

/// `crypto/x509/x_name.c: X509_NAME_print`: the line with commas for those slashes which look like the start of an
/// attribute with a short name. Nothing for a name that is too long.
fn compat(entries: &[Entry<'_>], edition: Edition) -> Vec<u8> {
    let line = oneline(entries, edition).unwrap_or_default();
    let Some((_, line)) = line.split_first() else { return line };
    let upper = |at: usize| line.get(at).is_some_and(u8::is_ascii_uppercase);
    let equals = |at: usize| line.get(at) == Some(&b'=');
    let mut out = Vec::new();
    for (i, byte) in line.iter().enumerate() {
        let starts = upper(i + 1) && (equals(i + 2) || (upper(i + 2) && equals(i + 3)));
        if *byte == b'/' && starts {
            out.extend_from_slice(b", ");
        } else {
            out.push(*byte);
        }
    }
    out
}

/// `crypto/x509/x509_obj.c: X509_NAME_oneline`.
fn oneline(entries: &[Entry<'_>], edition: Edition) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut last = None;
    for entry in entries {
        out.push(if last == Some(entry.set) { b'+' } else { b'/' });
        last = Some(entry.set);
        match oid::names_in(edition, entry.oid) {
            Some((short, _)) => out.extend_from_slice(short.as_bytes()),
            None => out.extend_from_slice(unknown_type(entry.oid).as_bytes()),
        }
        out.push(b'=');
        for byte in &*entry.data {
            match byte {
                b'/' | b'+' => out.extend_from_slice(&[b'\\', *byte]),
                b' '..=b'~' => out.push(*byte),
                _ => out.extend_from_slice(format!("\\x{byte:02X}").as_bytes()),
            }
        }
        if entry.data.len() > ONELINE_MAX || out.len() > ONELINE_MAX {
            return None;
        }
    }
    Some(out)
}
