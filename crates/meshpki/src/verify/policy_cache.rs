//! What a certificate says of policies (`crypto/x509/pcy_cache.c`, `pcy_map.c`, `pcy_data.c`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::cert::Cert;
use crate::der::shape::{check_integer, check_oid, list, sequence, small_integer};
use crate::der::{self, DerError, Reader, Tlv};
use crate::oid::{self, Edition};

/// One policy of a certificate, or of a node of the tree.
#[derive(Clone, Debug)]
pub(super) struct Data {
    pub(super) policy: Vec<u8>,
    pub(super) critical: bool,
    pub(super) qualifiers: Option<Vec<Qualifier>>,
    /// The policies it is mapped to.
    pub(super) expected: Vec<Vec<u8>>,
    pub(super) mapped: bool,
    /// It came from anyPolicy, to be mapped.
    pub(super) mapped_any: bool,
}

impl Data {
    pub(super) fn new(policy: &[u8], critical: bool) -> Self {
        Self {
            policy: policy.to_vec(),
            critical,
            qualifiers: None,
            expected: Vec::new(),
            mapped: false,
            mapped_any: false,
        }
    }

    /// `crypto/x509/pcy_node.c: ossl_policy_node_match`.
    pub(super) fn matches(&self, inhibit_map: bool, policy: &[u8]) -> bool {
        if inhibit_map || !(self.mapped || self.mapped_any) {
            return self.policy == policy;
        }
        self.expected.iter().any(|expected| expected == policy)
    }
}

/// What a certificate says of policies.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// Policies other than anyPolicy.
    pub(super) data: Vec<Data>,
    pub(super) any: Option<Data>,
    /// certificatePolicies is there and in order.
    pub(super) has_policies: bool,
    pub(super) explicit_skip: Option<i64>,
    pub(super) map_skip: Option<i64>,
    pub(super) any_skip: Option<i64>,
    /// `EXFLAG_INVALID_POLICY`.
    pub(super) invalid: bool,
}

impl Cache {
    /// `policy_cache_new`.
    pub(super) fn of(cert: &Cert) -> Self {
        let mut this = Self::default();
        this.invalid = this.read(cert).is_none();
        this
    }

    /// `None` for anything malformed.
    fn read(&mut self, cert: &Cert) -> Option<()> {
        if let Some((value, _)) = extension(cert, oid::POLICY_CONSTRAINTS)? {
            self.read_constraints(value)?;
        }
        let Some((value, critical)) = extension(cert, oid::CERTIFICATE_POLICIES)? else {
            return Some(());
        };
        let list = policies(value, critical).ok()?;
        // An empty list ends it here, without being called malformed.
        if list.is_empty() {
            return Some(());
        }
        for data in list {
            if data.policy != oid::ANY_POLICY {
                if self.find(&data.policy).is_some() {
                    self.data.clear();
                    return None;
                }
                self.data.push(data);
            } else if self.any.replace(data).is_some() {
                self.data.clear();
                return None;
            }
        }
        self.has_policies = true;
        if let Some((value, _)) = extension(cert, oid::POLICY_MAPPINGS)? {
            self.read_mappings(value)?;
        }
        if let Some((value, _)) = extension(cert, oid::INHIBIT_ANY_POLICY)? {
            let number = Reader::new(value).expect(der::INTEGER, "expected an INTEGER").ok()?;
            self.any_skip = skip(&number)?;
        }
        Some(())
    }

    /// PolicyConstraints (RFC 5280 section 4.2.1.11); one of the two must be there.
    fn read_constraints(&mut self, value: &[u8]) -> Option<()> {
        let mut parts = sequence(&Reader::new(value).any().ok()?).ok()?;
        let explicit = parts.optional(der::context(0)).ok()?;
        let map = parts.optional(der::context(1)).ok()?;
        parts.end("extra element in policyConstraints").ok()?;
        if explicit.is_none() && map.is_none() {
            return None;
        }
        if let Some(number) = explicit {
            self.explicit_skip = skip(&number)?;
        }
        if let Some(number) = map {
            self.map_skip = skip(&number)?;
        }
        Some(())
    }

    /// The policy with that OID. As in OpenSSL a look-up sorts the list, and what is added later is at the
    /// end until the next one; so only the last may be out of order.
    fn find(&mut self, policy: &[u8]) -> Option<&mut Data> {
        fn key(policy: &[u8]) -> (usize, &[u8]) {
            (policy.len(), policy)
        }
        if let Some(last) = self.data.pop() {
            let at = self.data.partition_point(|data| key(&data.policy) <= key(&last.policy));
            self.data.insert(at, last);
        }
        let at = self.data.binary_search_by(|data| key(&data.policy).cmp(&key(policy))).ok()?;
        self.data.get_mut(at)
    }

    /// `ossl_policy_cache_set_mapping`; nothing may be mapped to or from anyPolicy.
    fn read_mappings(&mut self, value: &[u8]) -> Option<()> {
        let list = mappings(value).ok().filter(|list| !list.is_empty())?;
        for [issuer, subject] in list {
            if issuer == oid::ANY_POLICY || subject == oid::ANY_POLICY {
                return None;
            }
            if let Some(data) = self.find(issuer) {
                data.mapped = true;
                data.expected.push(subject.to_vec());
            } else if let Some(any) = &self.any {
                self.data.push(Data {
                    qualifiers: any.qualifiers.clone(),
                    expected: alloc::vec![subject.to_vec()],
                    mapped_any: true,
                    ..Data::new(issuer, any.critical)
                });
            }
        }
        Some(())
    }
}

/// Value and criticality of an extension; the outer `None` when it is there twice.
fn extension<'a>(cert: &'a Cert, oid: &[u8]) -> Option<Option<(&'a [u8], bool)>> {
    let mut found = cert.raw_extensions().iter().filter(|e| e.oid == oid);
    let Some(first) = found.next() else { return Some(None) };
    found.next().is_none().then_some(Some((first.value.as_slice(), first.critical)))
}

/// `policy_cache_set_int`: the outer `None` for a negative or malformed number, the inner for one beyond a C
/// long.
fn skip(number: &Tlv<'_>) -> Option<Option<i64>> {
    check_integer(number).ok()?;
    if number.content[0] & 0x80 != 0 {
        None
    } else {
        Some(small_integer(number.content).filter(|n| *n >= 0))
    }
}

/// PolicyMappings (RFC 5280 section 4.2.1.5).
fn mappings(value: &[u8]) -> Result<Vec<[&[u8]; 2]>, DerError> {
    let mut found = Vec::new();
    let mut items = list(&Reader::new(value).any()?)?;
    while let Some(item) = items.next()? {
        let mut parts = sequence(&item)?;
        let issuer = parts.expect(der::OID, "a policy is not an OID")?;
        let subject = parts.expect(der::OID, "a policy is not an OID")?;
        parts.end("extra element in a policy mapping")?;
        check_oid(&issuer)?;
        check_oid(&subject)?;
        found.push([issuer.content, subject.content]);
    }
    Ok(found)
}

/// CertificatePolicies (RFC 5280 section 4.2.1.4).
fn policies(value: &[u8], critical: bool) -> Result<Vec<Data>, DerError> {
    let mut found = Vec::new();
    let mut items = list(&Reader::new(value).any()?)?;
    while let Some(item) = items.next()? {
        let mut parts = sequence(&item)?;
        let policy = parts.expect(der::OID, "a policy is not an OID")?;
        check_oid(&policy)?;
        let mut data = Data::new(policy.content, critical);
        if let Some(qualifiers) = parts.optional_list(der::SEQUENCE)? {
            let mut read = Vec::new();
            let mut items = qualifiers.reader();
            while let Some(item) = items.next()? {
                read.push(Qualifier::read(&item)?);
            }
            data.qualifiers = Some(read);
        }
        parts.end("extra element in a policy")?;
        found.push(data);
    }
    Ok(found)
}

/// PolicyQualifierInfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Qualifier {
    /// Where the practice statement is.
    Cps(Vec<u8>),
    /// A text to be shown.
    Notice { reference: Option<(Vec<u8>, Vec<Vec<u8>>)>, text: Option<Vec<u8>> },
    /// Another one, by the content octets of its OID.
    Other(Vec<u8>),
}

impl Qualifier {
    fn read(item: &Tlv<'_>) -> Result<Self, DerError> {
        let mut parts = sequence(item)?;
        let kind = parts.expect(der::OID, "a policy qualifier has no OID")?;
        check_oid(&kind)?;
        let this = match kind.content {
            oid::POLICY_CPS => {
                let uri = parts.expect_string(der::IA5_STRING, "a CPS is not an IA5String")?;
                Self::Cps(uri.string()?.into_owned())
            }
            oid::POLICY_USER_NOTICE => notice(&parts.any()?)?,
            _ => {
                parts.any()?;
                Self::Other(kind.content.to_vec())
            }
        };
        parts.end("extra element in a policy qualifier")?;
        Ok(this)
    }
}

fn notice(value: &Tlv<'_>) -> Result<Qualifier, DerError> {
    let mut parts = sequence(value)?;
    let reference = match parts.optional(der::SEQUENCE)? {
        Some(reference) => {
            let mut parts = reference.reader();
            let organization = display_text(&parts.any()?)?;
            let mut numbers = Vec::new();
            let numbers_list =
                parts.expect_list(der::SEQUENCE, "noticeNumbers is not a SEQUENCE")?;
            let mut items = numbers_list.reader();
            while let Some(number) = items.next()? {
                if number.tag != der::INTEGER {
                    return Err(number.error("a notice number is not an INTEGER"));
                }
                check_integer(&number)?;
                numbers.push(number.content.to_vec());
            }
            parts.end("extra element in a notice reference")?;
            Some((organization, numbers))
        }
        None => None,
    };
    let text = parts.next()?.map(|text| display_text(&text)).transpose()?;
    parts.end("extra element in a user notice")?;
    Ok(Qualifier::Notice { reference, text })
}

/// DisplayText: IA5String, VisibleString, BMPString or UTF8String.
fn display_text(text: &Tlv<'_>) -> Result<Vec<u8>, DerError> {
    match text.tag & !der::CONSTRUCTED {
        der::IA5_STRING | der::VISIBLE_STRING | der::BMP_STRING | der::UTF8_STRING => {
            Ok(text.string()?.into_owned())
        }
        _ => Err(text.error("a text of another type")),
    }
}

impl Qualifier {
    /// As `crypto/x509/v3_cpols.c: print_qualifiers` with an indent of four; `%.*s` ends a text at its first NUL.
    pub(super) fn print(&self, edition: Edition, out: &mut Vec<u8>) {
        let mut line = |start: &str, bytes: &[u8]| {
            let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
            out.extend_from_slice(&[start.as_bytes(), text, b"\n"].concat());
        };
        match self {
            Self::Cps(uri) => line("    CPS: ", uri),
            Self::Other(kind) => {
                line("      Unknown Qualifier: ", oid::long_name_in(edition, kind).as_bytes());
            }
            Self::Notice { reference, text } => {
                line("    User Notice:", b"");
                if let Some((organization, numbers)) = reference {
                    line("      Organization: ", organization);
                    let plural = if numbers.len() > 1 { "s" } else { "" };
                    let numbers: Vec<String> =
                        numbers.iter().map(|number| integer_text(number)).collect();
                    let numbers = numbers.join(", ");
                    line(&format!("      Number{plural}: "), numbers.as_bytes());
                }
                match text {
                    Some(text) => line("      Explicit Text: ", text),
                    // The line the notice would have ended.
                    None if reference.is_none() => line("", b""),
                    None => {}
                }
            }
        }
    }
}

/// `crypto/x509/v3_utl.c: i2s_ASN1_INTEGER`: decimal below 128 bits, else hex.
fn integer_text(content: &[u8]) -> String {
    use num_bigint::BigInt;
    let number = BigInt::from_signed_bytes_be(content);
    if number.bits() < 128 {
        return alloc::format!("{number}");
    }
    let sign = if number.sign() == num_bigint::Sign::Minus { "-" } else { "" };
    let digits = alloc::format!("{:X}", number.magnitude());
    let zero = if digits.len() % 2 == 1 { "0" } else { "" };
    alloc::format!("{sign}0x{zero}{digits}")
}
