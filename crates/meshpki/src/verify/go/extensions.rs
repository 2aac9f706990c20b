//! Extensions as Go reads them (`crypto/x509/parser.go: processExtensions`). Bytes after what is read are ignored.

use alloc::string::String;
use alloc::vec::Vec;

use super::bytes::{Bytes, ascii};
use super::mailbox::{is_domain, mailbox};
use super::url;
use crate::cert::KeyUsage;
use crate::der;
use crate::oid;

/// An extension: type, criticality, value.
#[derive(Clone, Debug)]
pub(super) struct Extension<'a> {
    pub(super) oid: &'a [u8],
    pub(super) critical: bool,
    pub(super) value: &'a [u8],
}

/// What the extensions say.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions {
    /// cA and pathLenConstraint.
    pub(super) basic_constraints: Option<(bool, Option<i64>)>,
    /// Zero stands for a usage that allows nothing, which Go takes for none.
    pub(super) key_usage: u16,
    pub(super) ext_key_usage: Vec<Vec<u8>>,
    pub(super) subject_key_id: Vec<u8>,
    pub(super) authority_key_id: Vec<u8>,
    /// The value of subjectAltName.
    pub(super) subject_alt_name: Option<Vec<u8>>,
    pub(super) names: Names,
    /// Whether there are name constraints, of whatever kind.
    pub(super) is_constrained: bool,
    pub(super) permitted: Names,
    pub(super) excluded: Names,
    pub(super) policies: Vec<Vec<u8>>,
    pub(super) policy_mappings: Vec<(Vec<u8>, Vec<u8>)>,
    /// requireExplicitPolicy, inhibitPolicyMapping, inhibitAnyPolicy.
    pub(super) skips: [Option<i64>; 3],
    /// The first critical extension that Go does not handle.
    pub(super) unhandled: Option<Vec<u8>>,
}

/// Names of a certificate, or the bases of subtrees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) dns: Vec<String>,
    pub(super) emails: Vec<String>,
    /// URIs; of subtrees, the hosts.
    pub(super) uris: Vec<String>,
    /// Addresses; of subtrees, with the mask behind.
    pub(super) addresses: Vec<Vec<u8>>,
}

impl Names {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What Go says of an extension it cannot read.
type Malformed = String;

/// The last octet of an OID of 2.5.29.
fn standard(kind: &[u8]) -> Option<u8> {
    match kind {
        [0x55, 0x1d, last] if last & 0x80 == 0 => Some(*last),
        _ => None,
    }
}

impl Extensions {
    /// `processExtensions`.
    pub(super) fn read(list: &[Extension<'_>]) -> Result<Self, Malformed> {
        let mut all = Self::default();
        for extension in list {
            let is_handled = all.add(extension)?;
            if extension.critical && !is_handled && all.unhandled.is_none() {
                all.unhandled = Some(extension.oid.to_vec());
            }
        }
        Ok(all)
    }

    /// Whether Go handles it.
    fn add(&mut self, extension: &Extension<'_>) -> Result<bool, Malformed> {
        let value = Bytes(extension.value);
        match standard(extension.oid) {
            Some(15) => self.key_usage = key_usage(value)?,
            Some(19) => self.basic_constraints = Some(basic_constraints(value)?),
            Some(17) => {
                self.subject_alt_name = Some(extension.value.to_vec());
                self.names = subject_alt_name(value)?;
                return Ok(!self.names.is_empty());
            }
            Some(30) => {
                let handled;
                self.is_constrained = true;
                (self.permitted, self.excluded, handled) = name_constraints(value)?;
                return Ok(handled);
            }
            Some(31) => distribution_points(value)?,
            Some(35) if extension.critical => {
                return Err("x509: authority key identifier incorrectly marked critical".into());
            }
            Some(35) => self.authority_key_id = authority_key_id(value)?,
            Some(36) => self.policy_constraints(value)?,
            Some(37) => self.ext_key_usage = ext_key_usage(value)?,
            Some(14) if extension.critical => {
                return Err("x509: subject key identifier incorrectly marked critical".into());
            }
            Some(14) => {
                let id = { value }.read(der::OCTET_STRING);
                let id = id.ok_or("x509: invalid subject key identifier")?;
                self.subject_key_id = id.0.to_vec();
            }
            Some(32) => self.policies = policies(value)?,
            Some(33) => self.policy_mappings = policy_mappings(value)?,
            Some(54) => {
                let skip = { value }.small_integer(der::INTEGER);
                let skip = skip.ok_or("x509: invalid inhibit any policy extension")?;
                self.skips[2] = Some(skip);
            }
            _ if extension.oid == oid::AUTHORITY_INFO_ACCESS => {
                if extension.critical {
                    return Err("x509: authority info access incorrectly marked critical".into());
                }
                authority_info_access(value)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn policy_constraints(&mut self, value: Bytes<'_>) -> Result<(), Malformed> {
        const WHY: &str = "x509: invalid policy constraints extension";
        let mut list = { value }.read(der::SEQUENCE).ok_or(WHY)?;
        for (skip, tag) in self.skips.iter_mut().zip([0x80, 0x81]) {
            if list.has(tag) {
                *skip = Some(list.small_integer(tag).ok_or(WHY)?);
            }
        }
        Ok(())
    }
}

/// The first nine bits.
fn key_usage(mut value: Bytes<'_>) -> Result<u16, Malformed> {
    let (_, bits) = value.bit_string().ok_or("x509: invalid key usage")?;
    let octet = |at: usize| bits.get(at).copied().unwrap_or_default();
    Ok(u16::from_be_bytes([octet(0), octet(1) & 0x80]))
}

impl Extensions {
    /// Whether keyUsage leaves room for what is asked; Go ignores one without a bit.
    pub(super) fn allows(&self, usage: KeyUsage) -> bool {
        self.key_usage == 0 || KeyUsage(self.key_usage).contains(usage)
    }
}

fn basic_constraints(mut value: Bytes<'_>) -> Result<(bool, Option<i64>), Malformed> {
    const WHY: &str = "x509: invalid basic constraints";
    let mut list = value.read(der::SEQUENCE).ok_or(WHY)?;
    let is_ca = if list.has(der::BOOLEAN) { list.boolean().ok_or(WHY)? } else { false };
    if !list.has(der::INTEGER) {
        return Ok((is_ca, None));
    }
    let length = list.integer(der::INTEGER).ok_or(WHY)?;
    let significant = length.strip_prefix(&[0]).unwrap_or(length);
    // Not negative, and within an int.
    if length[0] & 0x80 != 0 || significant.len() > 8 {
        return Err(WHY.into());
    }
    let length = significant.iter().fold(0_u64, |all, octet| all << 8 | u64::from(*octet));
    Ok((is_ca, Some(i64::try_from(length).map_err(|_too_large| WHY)?)))
}

/// `parseSANExtension`.
fn subject_alt_name(mut value: Bytes<'_>) -> Result<Names, Malformed> {
    let mut list = value.read(der::SEQUENCE).ok_or("x509: invalid subject alternative names")?;
    let mut names = Names::default();
    while !list.is_empty() {
        let name = list.any().ok_or("x509: invalid subject alternative name")?;
        let text = ascii(name.content);
        match name.tag {
            0x81 => names.emails.push(text.ok_or("x509: SAN rfc822Name is malformed")?),
            0x82 => names.dns.push(text.ok_or("x509: SAN dNSName is malformed")?),
            0x86 => {
                let uri = text.ok_or("x509: SAN uniformResourceIdentifier is malformed")?;
                let host = url::host(&uri)
                    .map_err(|_malformed| alloc::format!("x509: cannot parse URI {uri:?}"))?;
                if !host.is_empty() && !is_domain(&host, false) {
                    return Err(alloc::format!("x509: cannot parse URI {uri:?}: invalid domain"));
                }
                names.uris.push(uri);
            }
            0x87 if matches!(name.content.len(), 4 | 16) => {
                names.addresses.push(name.content.to_vec());
            }
            0x87 => {
                let length = name.content.len();
                return Err(alloc::format!("x509: cannot parse IP address of length {length}"));
            }
            _ => {}
        }
    }
    Ok(names)
}

/// `parseNameConstraintsExtension`: permitted, excluded, and whether every subtree is of a kind that is handled.
fn name_constraints(mut value: Bytes<'_>) -> Result<(Names, Names, bool), Malformed> {
    const WHY: &str = "x509: invalid NameConstraints extension";
    let mut list = value.read(der::SEQUENCE).ok_or(WHY)?;
    let permitted = list.optional(0xa0).ok_or(WHY)?;
    let excluded = list.optional(0xa1).ok_or(WHY)?;
    if !value.is_empty() || !list.is_empty() {
        return Err(WHY.into());
    }
    let (permitted, excluded) = (permitted.unwrap_or(Bytes(&[])), excluded.unwrap_or(Bytes(&[])));
    if permitted.is_empty() && excluded.is_empty() {
        return Err("x509: empty name constraints extension".into());
    }
    let mut handled = true;
    let permitted = subtrees(permitted, &mut handled)?;
    let excluded = subtrees(excluded, &mut handled)?;
    Ok((permitted, excluded, handled))
}

fn subtrees(mut list: Bytes<'_>, handled: &mut bool) -> Result<Names, Malformed> {
    const WHY: &str = "x509: invalid NameConstraints extension";
    let mut names = Names::default();
    while !list.is_empty() {
        let base = list.read(der::SEQUENCE).ok_or(WHY)?.any().ok_or(WHY)?;
        let text = || ascii(base.content).ok_or("x509: invalid constraint value");
        match base.tag {
            0x82 => {
                let domain = text()?;
                if !is_domain(&domain, true) {
                    return Err(alloc::format!(
                        "x509: failed to parse dnsName constraint {domain:?}"
                    ));
                }
                names.dns.push(domain);
            }
            0x87 => names.addresses.push(network(base.content)?),
            0x81 => {
                let address = text()?;
                let is_sound = if address.contains('@') {
                    mailbox(&address).is_some()
                } else {
                    is_domain(&address, true)
                };
                if !is_sound {
                    return Err(alloc::format!(
                        "x509: failed to parse rfc822Name constraint {address:?}"
                    ));
                }
                names.emails.push(address);
            }
            0x86 => {
                let host = text()?;
                let is_address =
                    host.parse::<core::net::IpAddr>().is_ok() || !is_domain(&host, true);
                if is_address {
                    return Err(alloc::format!("x509: failed to parse URI constraint {host:?}"));
                }
                names.uris.push(host);
            }
            _ => *handled = false,
        }
    }
    Ok(names)
}

/// An address and a mask of ones, then zeros.
fn network(value: &[u8]) -> Result<Vec<u8>, Malformed> {
    if !matches!(value.len(), 8 | 32) {
        let length = value.len();
        return Err(alloc::format!("x509: IP constraint contained value of length {length}"));
    }
    let mask = &value[value.len() / 2..];
    let ones = mask.iter().take_while(|octet| **octet == 0xff).count();
    let is_valid = match &mask[ones..] {
        [] => true,
        [edge, rest @ ..] => {
            edge.leading_ones() + edge.trailing_zeros() == 8 && rest.iter().all(|octet| *octet == 0)
        }
    };
    if !is_valid {
        return Err("x509: IP constraint contained invalid mask".into());
    }
    Ok(value.to_vec())
}

fn distribution_points(mut value: Bytes<'_>) -> Result<(), Malformed> {
    const WHY: &str = "x509: invalid CRL distribution point";
    let mut list = value.read(der::SEQUENCE).ok_or("x509: invalid CRL distribution points")?;
    while !list.is_empty() {
        let mut point = list.read(der::SEQUENCE).ok_or(WHY)?;
        let Some(mut name) = point.optional(0xa0).ok_or(WHY)? else { continue };
        let mut full = name.read(0xa0).ok_or(WHY)?;
        while full.has(0x86) {
            full.read(0x86).ok_or(WHY)?;
        }
    }
    Ok(())
}

fn authority_key_id(mut value: Bytes<'_>) -> Result<Vec<u8>, Malformed> {
    const WHY: &str = "x509: invalid authority key identifier";
    let mut list = value.read(der::SEQUENCE).ok_or(WHY)?;
    if !list.has(0x80) {
        return Ok(Vec::new());
    }
    Ok(list.read(0x80).ok_or(WHY)?.0.to_vec())
}

fn ext_key_usage(mut value: Bytes<'_>) -> Result<Vec<Vec<u8>>, Malformed> {
    const WHY: &str = "x509: invalid extended key usages";
    let mut list = value.read(der::SEQUENCE).ok_or(WHY)?;
    let mut usages = Vec::new();
    while !list.is_empty() {
        usages.push(list.oid().ok_or(WHY)?.to_vec());
    }
    Ok(usages)
}

/// `parseCertificatePoliciesExtension`; arcs of any size (`crypto/x509/oid.go: newOIDFromDER`).
fn policies(mut value: Bytes<'_>) -> Result<Vec<Vec<u8>>, Malformed> {
    const WHY: &str = "x509: invalid certificate policies";
    let mut list = value.read(der::SEQUENCE).ok_or(WHY)?;
    let mut policies: Vec<Vec<u8>> = Vec::new();
    while !list.is_empty() {
        let policy = list.read(der::SEQUENCE).and_then(|mut info| info.read(der::OID));
        let policy = policy.ok_or(WHY)?.0;
        let begins_well = |i: usize| policy[i] != 0x80 || (i > 0 && policy[i - 1] & 0x80 != 0);
        let is_sound = policy.last().is_some_and(|last| last & 0x80 == 0)
            && (0..policy.len()).all(begins_well);
        if !is_sound || policies.iter().any(|other| other == policy) {
            return Err(WHY.into());
        }
        policies.push(policy.to_vec());
    }
    Ok(policies)
}

/// A policy of the issuer, and the equivalent one of the subject.
type Mappings = Vec<(Vec<u8>, Vec<u8>)>;

fn policy_mappings(mut value: Bytes<'_>) -> Result<Mappings, Malformed> {
    const WHY: &str = "x509: invalid policy mappings extension";
    let mut list = value.read(der::SEQUENCE).ok_or(WHY)?;
    let mut mappings = Vec::new();
    while !list.is_empty() {
        let mut pair = list.read(der::SEQUENCE).ok_or(WHY)?;
        let mut policy = || pair.read(der::OID).map(|oid| oid.0.to_vec()).ok_or(WHY);
        mappings.push((policy()?, policy()?));
    }
    Ok(mappings)
}

fn authority_info_access(mut value: Bytes<'_>) -> Result<(), Malformed> {
    const WHY: &str = "x509: invalid authority info access";
    let mut list = value.read(der::SEQUENCE).ok_or(WHY)?;
    while !list.is_empty() {
        let mut description = list.read(der::SEQUENCE).ok_or(WHY)?;
        description.oid().ok_or(WHY)?;
        if description.has(0x86) {
            description.read(0x86).ok_or(WHY)?;
        }
    }
    Ok(())
}
