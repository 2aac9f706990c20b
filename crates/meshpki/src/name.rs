//! Distinguished names: reading, the canonical form names are compared in, and OpenSSL's one-line form.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use crate::der::shape::{bit_string, check_oid};
use crate::der::{self, DerError, Reader, Tag, Tlv};
use crate::oid::{self, Oid};

mod form;
mod print;
mod text;

pub use form::NameForm;
pub use text::{NameError, is_invisible};

/// A distinguished name: the DER bytes as given, and their canonical form.
///
/// Equality and order are those of the canonical form, as OpenSSL compares names: letter case of ASCII,
/// runs of white space and the string type do not matter (`crypto/x509/x_name.c: x509_name_canon`).
///
/// ```
/// use meshpki::Name;
/// let a: Name = "C=GB, O=Example, CN=Mesh Root CA".parse()?;
/// let b: Name = "/C=GB/O=EXAMPLE/CN=mesh  root ca".parse()?;
/// assert_eq!(a, b);
/// assert_eq!(a.to_string(), "C = GB, O = Example, CN = Mesh Root CA");
/// # Ok::<(), meshpki::NameError>(())
/// ```
#[derive(Clone)]
pub struct Name {
    der: Vec<u8>,
    canonical: Vec<u8>,
}

/// One attribute of a name: type, string type, and the content octets of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute {
    /// Attribute type.
    pub oid: Oid,
    /// Identifier octet of the value: 0x0c for UTF8String, 0x13 for PrintableString, 0x16 for IA5String, ...
    pub tag: u8,
    /// Content octets of the value, in the encoding `tag` asks for.
    pub value: Vec<u8>,
}

impl Attribute {
    /// An attribute with the string type the field uses: IA5String for emailAddress and
    /// domainComponent, else PrintableString where its alphabet suffices and UTF8String otherwise
    /// (RFC 5280 section 4.1.2.4; Go's `crypto/x509/pkix`, and therefore cfssl, does the same).
    #[must_use]
    pub fn new(oid: Oid, text: &str) -> Self {
        let tag = match oid.as_bytes() {
            oid::EMAIL_ADDRESS | oid::DOMAIN_COMPONENT if text.is_ascii() => der::IA5_STRING,
            _ if text.bytes().all(is_printable) => der::PRINTABLE_STRING,
            _ => der::UTF8_STRING,
        };
        Self { oid, tag, value: text.as_bytes().to_vec() }
    }

    /// An attribute whose value has a string type of the caller's choice.
    ///
    /// `tag` is the identifier octet of the value, such as 0x0c for UTF8String, and `value` its content octets.
    #[must_use]
    pub fn with_tag(oid: Oid, tag: u8, value: impl Into<Vec<u8>>) -> Self {
        Self { oid, tag, value: value.into() }
    }

    /// The value as text if it is one of the string types a name may hold.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let mut utf8 = Vec::new();
        to_utf8(self.tag, &self.value, &mut utf8)?;
        String::from_utf8(utf8).ok()
    }

    /// The value in UTF-8, where OpenSSL can convert it (`crypto/asn1/a_strex.c: ASN1_STRING_to_UTF8`).
    pub(crate) fn utf8(&self) -> Option<Vec<u8>> {
        let mut utf8 = Vec::new();
        to_utf8(self.tag, &self.value, &mut utf8)?;
        Some(utf8)
    }

    fn to_der(&self) -> Vec<u8> {
        der::sequence(&[&der::tlv(der::OID, self.oid.as_bytes()), &der::tlv(self.tag, &self.value)])
    }
}

impl Name {
    /// The name with no attribute at all.
    #[must_use]
    pub fn empty() -> Self {
        Self { der: der::sequence(&[]), canonical: Vec::new() }
    }

    /// A name of one attribute per RDN, in the order given.
    ///
    /// # Panics
    /// When [`Name::from_der`] refuses a value of that string type.
    #[must_use]
    pub fn new(attributes: &[Attribute]) -> Self {
        Self::from_rdns(attributes.chunks(1))
    }

    /// A name from its RDNs, each a set of one attribute or more.
    ///
    /// # Panics
    /// When [`Name::from_der`] refuses a value of that string type.
    #[must_use]
    pub fn from_rdns<'a>(rdns: impl IntoIterator<Item = &'a [Attribute]>) -> Self {
        let sets: Vec<Vec<u8>> =
            rdns.into_iter().filter(|rdn| !rdn.is_empty()).map(rdn_der).collect();
        let parts: Vec<&[u8]> = sets.iter().map(Vec::as_slice).collect();
        Self::from_der(&der::sequence(&parts)).expect("what the writer wrote can be read")
    }

    /// Reads a DER name; bytes after it are an error.
    ///
    /// # Errors
    /// When `bytes` is not a Name as OpenSSL's `d2i_X509_NAME` accepts it.
    pub fn from_der(bytes: &[u8]) -> Result<Self, DerError> {
        let mut reader = Reader::new(bytes);
        let tlv = reader.expect_list(der::SEQUENCE, "the name is not a SEQUENCE")?;
        reader.end("bytes after the name")?;
        Self::from_tlv(&tlv)
    }

    /// Reads a name that is part of a larger encoding.
    ///
    /// # Errors
    /// As [`Name::from_der`].
    pub(crate) fn from_tlv(tlv: &Tlv<'_>) -> Result<Self, DerError> {
        Ok(Self { der: tlv.raw.to_vec(), canonical: canonical(tlv)? })
    }

    /// The bytes as given.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The canonical form: what [`PartialEq`] compares, and a key for maps.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// Whether the name has no attribute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.canonical.is_empty()
    }

    /// The RDNs, each with its attributes, in the order of the encoding.
    #[must_use]
    pub fn rdns(&self) -> Vec<Vec<Attribute>> {
        read_rdns(&self.der).unwrap_or_default()
    }

    /// How many attributes the name has.
    pub(crate) fn attribute_count(&self) -> usize {
        let mut count = 0;
        // A name that was read once reads again.
        let _ = self.each_attribute(|_, _, _| count += 1);
        count
    }

    /// Calls `see` with type, string type and value of every attribute in the order of the encoding.
    pub(crate) fn each_attribute(
        &self,
        mut see: impl FnMut(&[u8], Tag, &[u8]),
    ) -> Result<(), DerError> {
        let mut sets = Reader::new(&self.der).any()?.reader();
        while let Some(set) = sets.next()? {
            let mut attributes = set.reader();
            while let Some(attribute) = attributes.next()? {
                let (oid, value) = attribute_parts(&attribute)?;
                let (tag, value) = value_parts(&value)?;
                see(oid.content, tag, &value);
            }
        }
        Ok(())
    }

    /// Every attribute of type `oid`.
    pub(crate) fn attributes(&self, oid: &[u8]) -> Vec<Attribute> {
        let mut found = Vec::new();
        // A name that was read once reads again.
        let _ = self.each_attribute(|o, tag, value| {
            if o == oid {
                found.push(Attribute { oid: Oid::of(o), tag, value: value.to_vec() });
            }
        });
        found
    }

    /// The text of the last attribute of type `oid`, if there is one.
    #[must_use]
    pub fn last(&self, oid: &Oid) -> Option<String> {
        self.rdns().concat().into_iter().rev().find(|a| a.oid == *oid)?.text()
    }

    /// What people call this name: its common name, else the whole line, else `(empty name)`.
    #[must_use]
    pub fn label(&self) -> String {
        self.last(&Oid::COMMON_NAME).unwrap_or_else(|| {
            if self.is_empty() { String::from("(empty name)") } else { alloc::format!("{self}") }
        })
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Name {}

impl Hash for Name {
    /// Of the canonical form.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical.hash(state);
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    /// By length of the canonical form, then by its bytes (`crypto/x509/x509_cmp.c: X509_NAME_cmp`).
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.canonical.len(), &self.canonical).cmp(&(other.canonical.len(), &other.canonical))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// DER SET OF: elements in ascending order of their encodings (X.690 section 11.6).
fn rdn_der(rdn: &[Attribute]) -> Vec<u8> {
    let mut attributes: Vec<Vec<u8>> = rdn.iter().map(Attribute::to_der).collect();
    attributes.sort();
    let parts: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
    der::constructed(der::SET, &parts)
}

fn read_rdns(bytes: &[u8]) -> Result<Vec<Vec<Attribute>>, DerError> {
    let mut rdns = Vec::new();
    let mut sets = Reader::new(bytes).any()?.reader();
    while let Some(set) = sets.next()? {
        let mut rdn = Vec::new();
        let mut attributes = set.reader();
        while let Some(attribute) = attributes.next()? {
            let (oid, value) = attribute_parts(&attribute)?;
            let (tag, value) = value_parts(&value)?;
            rdn.push(Attribute { oid: Oid::of(oid.content), tag, value: value.into_owned() });
        }
        rdns.push(rdn);
    }
    Ok(rdns)
}

/// AttributeTypeAndValue, and whether OpenSSL would read it
/// (`crypto/x509/x_name.c`, the DN string types of `crypto/asn1/tasn_dec.c`).
fn attribute_parts<'a>(attribute: &Tlv<'a>) -> Result<(Tlv<'a>, Tlv<'a>), DerError> {
    if attribute.tag != der::SEQUENCE {
        return Err(attribute.error("an attribute is not a SEQUENCE"));
    }
    let mut parts = attribute.reader();
    let oid = parts.expect(der::OID, "attribute type is not an OID")?;
    check_oid(&oid)?;
    let value = parts.any()?;
    parts.end("extra element in an attribute")?;
    Ok((oid, value))
}

/// The identifier octet of an attribute value. OpenSSL reads one that takes more octets than it needs, too, and writes
/// it short (`crypto/asn1/asn1_lib.c: ASN1_get_object`).
fn short_tag(value: &Tlv<'_>) -> Result<Tag, DerError> {
    const LONG: Tag = 0x1f;
    if value.tag & LONG != LONG {
        return Ok(value.tag);
    }
    let octets = value.raw.iter().skip(1);
    let number = octets.take_while(|octet| **octet & 0x80 != 0).count();
    match value.raw.get(1 + number) {
        // Only zeros before the last octet.
        Some(last) if *last < LONG && value.raw[1..=number].iter().all(|octet| *octet == 0x80) => {
            Ok(value.tag & !LONG | *last)
        }
        _ => Err(value.error("attribute value of a type that is not allowed in names")),
    }
}

/// Identifier octet (primitive form) and bytes of an attribute value.
fn value_parts<'a>(value: &Tlv<'a>) -> Result<(Tag, alloc::borrow::Cow<'a, [u8]>), DerError> {
    let tag = short_tag(value)?;
    let primitive = tag & !der::CONSTRUCTED;
    match tag {
        der::SEQUENCE => Ok((tag, alloc::borrow::Cow::Borrowed(value.content))),
        der::SET => Err(value.error("attribute value of a type that is not allowed in names")),
        _ => match primitive {
            0
            | der::BOOLEAN
            | der::INTEGER
            | der::NULL
            | der::OID
            | der::ENUMERATED
            | der::OCTET_STRING
            | der::UTC_TIME
            | der::GENERALIZED_TIME
            | der::VISIBLE_STRING
            | 16
            | 17
            | 21
            | 25
            | 27 => Err(value.error("attribute value of a type that is not allowed in names")),
            0x40.. => Err(value.error("attribute value with a tag that is not universal")),
            der::BIT_STRING => {
                bit_string(value)?;
                Ok((primitive, value.string()?))
            }
            der::UTF8_STRING => {
                let bytes = value.string()?;
                match core::str::from_utf8(&bytes) {
                    Ok(_) => Ok((primitive, bytes)),
                    Err(_) => Err(value.error("invalid UTF-8 in an attribute value")),
                }
            }
            der::BMP_STRING | der::UNIVERSAL_STRING => {
                let bytes = value.string()?;
                match to_utf8(primitive, &bytes, &mut Vec::new()) {
                    Some(()) => Ok((primitive, bytes)),
                    None => Err(value.error("invalid characters in an attribute value")),
                }
            }
            _ => Ok((primitive, value.string()?)),
        },
    }
}

/// `crypto/x509/x_name.c: x509_name_canon`: the RDNs one after the other, without the outer SEQUENCE.
fn canonical(name: &Tlv<'_>) -> Result<Vec<u8>, DerError> {
    let mut out = Vec::with_capacity(name.content.len());
    let mut sets = name.reader();
    while let Some(set) = sets.next()? {
        if set.tag | der::CONSTRUCTED != der::SET {
            return Err(set.error("an RDN is not a SET"));
        }
        push_canonical_rdn(&set, &mut out)?;
    }
    Ok(out)
}

/// The canonical form of one RDN, whatever its tag.
pub(crate) fn canonical_rdn(set: &Tlv<'_>) -> Result<Vec<u8>, DerError> {
    let mut out = Vec::new();
    push_canonical_rdn(set, &mut out)?;
    Ok(out)
}

/// An RDN without attributes leaves nothing.
fn push_canonical_rdn(set: &Tlv<'_>, out: &mut Vec<u8>) -> Result<(), DerError> {
    let mut attributes = set.reader();
    let Some(first) = attributes.next()? else { return Ok(()) };
    let first = canonical_attribute(&first)?;
    if attributes.is_empty() {
        der::push_header(out, der::SET, first.len());
        out.extend_from_slice(&first);
        return Ok(());
    }
    let mut encoded = alloc::vec![first];
    while let Some(attribute) = attributes.next()? {
        encoded.push(canonical_attribute(&attribute)?);
    }
    encoded.sort();
    let parts: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    out.extend_from_slice(&der::constructed(der::SET, &parts));
    Ok(())
}

fn canonical_attribute(attribute: &Tlv<'_>) -> Result<Vec<u8>, DerError> {
    let (oid, value) = attribute_parts(attribute)?;
    let (tag, bytes) = value_parts(&value)?;
    let (tag, bytes) = match tag {
        der::UTF8_STRING
        | der::BMP_STRING
        | der::UNIVERSAL_STRING
        | der::PRINTABLE_STRING
        | der::T61_STRING
        | der::IA5_STRING
        | der::VISIBLE_STRING => (der::UTF8_STRING, canonical_text(tag, &bytes)),
        _ => (tag, bytes.into_owned()),
    };
    let content = der::header_length(oid.content.len())
        + oid.content.len()
        + der::header_length(bytes.len())
        + bytes.len();
    let mut out = Vec::with_capacity(der::header_length(content) + content);
    der::push_header(&mut out, der::SEQUENCE, content);
    der::push_header(&mut out, der::OID, oid.content.len());
    out.extend_from_slice(oid.content);
    der::push_header(&mut out, tag, bytes.len());
    out.extend_from_slice(&bytes);
    Ok(out)
}

/// `crypto/x509/x_name.c: asn1_string_canon`: UTF-8, trimmed, inner white space collapsed, A-Z lowered.
fn canonical_text(tag: Tag, bytes: &[u8]) -> Vec<u8> {
    let mut converted = Vec::new();
    let utf8 = if tag == der::UTF8_STRING || (bytes.is_ascii() && is_one_byte(tag)) {
        bytes
    } else {
        // An attribute that cannot be converted was refused by `value_parts`.
        let _ = to_utf8(tag, bytes, &mut converted);
        &converted
    };
    let is_space = |b: &u8| matches!(b, b' ' | b'\t'..=b'\r');
    let mut out = Vec::with_capacity(utf8.len());
    for word in utf8.split(is_space).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend(word.iter().map(u8::to_ascii_lowercase));
    }
    out
}

/// String types whose characters are one byte each.
const fn is_one_byte(tag: Tag) -> bool {
    matches!(tag, der::PRINTABLE_STRING | der::T61_STRING | der::IA5_STRING | der::VISIBLE_STRING)
}

/// Appends the UTF-8 form of a string value; `None` when it has none. Bytes of the one-byte types
/// are Latin-1 (`crypto/asn1/a_mbstr.c`, `crypto/asn1/a_strex.c`).
fn to_utf8(tag: Tag, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    match tag {
        der::UTF8_STRING => {
            core::str::from_utf8(bytes).ok()?;
            out.extend_from_slice(bytes);
        }
        der::BMP_STRING => {
            let (pairs, []) = bytes.as_chunks::<2>() else { return None };
            for pair in pairs {
                push(char::from_u32(u32::from(u16::from_be_bytes(*pair)))?);
            }
        }
        der::UNIVERSAL_STRING => {
            let (quads, []) = bytes.as_chunks::<4>() else { return None };
            for quad in quads {
                push(char::from_u32(u32::from_be_bytes(*quad))?);
            }
        }
        der::PRINTABLE_STRING
        | der::T61_STRING
        | der::IA5_STRING
        | der::VISIBLE_STRING
        | der::NUMERIC_STRING => {
            bytes.iter().for_each(|b| push(char::from(*b)));
        }
        _ => return None,
    }
    Some(())
}

/// The alphabet of PrintableString (X.680 section 41.4).
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

#[cfg(test)]
mod tests;
