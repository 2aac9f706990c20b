//! Extension values as BoringSSL decodes them (`crypto/x509/v3_lib.cc: X509V3_get_d2i`, and the templates of
//! `crypto/x509/v3_*.cc`): strict DER with nothing after it.

use alloc::vec::Vec;

use super::cbs::Cbs;
use super::grammar::{
    any, bit_string, boolean, integer, name, name_entry, oid as check_oid, optional,
};
use crate::cert::distribution::DpName;
use crate::cert::{Cert, GeneralName, RawExtension};
use crate::der::{self, Reader, Tag};
use crate::name::{Attribute, Name};
use crate::oid::{self, Oid};

/// The value of an extension: `Ok(None)` if it is not there.
///
/// # Errors
/// When it is there twice.
pub(super) fn single<'a>(
    extensions: &'a [RawExtension],
    oid: &[u8],
) -> Result<Option<&'a [u8]>, ()> {
    let mut found = extensions.iter().filter(|extension| extension.oid == oid);
    let first = found.next();
    if found.next().is_some() { Err(()) } else { Ok(first.map(|e| e.value.as_slice())) }
}

/// Whether the value of an extension that is decoded when a certificate is first used can be.
pub(super) fn decodes(oid: &[u8], value: Cbs<'_>) -> bool {
    let decoded = match oid {
        oid::BASIC_CONSTRAINTS => basic_constraints(value).map(drop),
        oid::KEY_USAGE => value.only(der::BIT_STRING).and_then(|v| bit_string(v.rest())),
        oid::EXT_KEY_USAGE => list(value, |usages| check_oid(usages.get(der::OID)?.rest())),
        oid::SUBJECT_KEY_ID => value.only(der::OCTET_STRING).map(drop),
        oid::AUTHORITY_KEY_ID => authority_key_id(value).map(drop),
        _ => Some(()),
    };
    decoded.is_some()
}

/// A SEQUENCE OF what `item` reads.
fn list(value: Cbs<'_>, item: impl Fn(&mut Cbs<'_>) -> Option<()>) -> Option<()> {
    items(value.only_list(der::SEQUENCE)?, item)
}

fn items<'a>(mut all: Cbs<'a>, item: impl Fn(&mut Cbs<'a>) -> Option<()>) -> Option<()> {
    while !all.is_empty() {
        item(&mut all)?;
    }
    Some(())
}

/// basicConstraints (`crypto/x509/v3_bcons.cc`): whether it says CA, and whether the path length, if there is one, is
/// negative.
pub(super) fn basic_constraints(value: Cbs<'_>) -> Option<(bool, Option<bool>)> {
    let mut parts = value.only(der::SEQUENCE)?;
    let ca = boolean(&mut parts, der::BOOLEAN)?;
    let length = parts.optional(der::INTEGER)?;
    parts.end()?;
    let Some(length) = length else { return Some((ca, None)) };
    integer(length.rest())?;
    Some((ca, Some(length.rest()[0] & 0x80 != 0)))
}

/// GeneralNames, if they are there; answers whether.
fn optional_names(parts: &mut Cbs<'_>, tag: Tag) -> Option<bool> {
    let Some(names) = parts.optional_list(tag)? else { return Some(false) };
    items(names, general_name)?;
    Some(true)
}

/// authorityKeyIdentifier.
#[derive(Clone, Debug)]
pub(super) struct KeyId {
    key_id: Option<Vec<u8>>,
    serial: Option<Vec<u8>>,
    /// The first directoryName; an attribute may have a type that no certificate of ours has in its name, then the inner
    /// one is `None`.
    issuer: Option<Option<Name>>,
}

impl KeyId {
    /// Whether it can be that of `issuer` (`crypto/x509/v3_purp.cc: X509_check_akid`).
    pub(super) fn fits(&self, issuer: &Cert) -> bool {
        if let (Some(wanted), Some(there)) = (&self.key_id, &issuer.extensions().subject_key_id)
            && wanted != there
        {
            return false;
        }
        self.serial.as_deref().is_none_or(|serial| serial == issuer.serial())
            && self.issuer.as_ref().is_none_or(|name| name.as_ref() == Some(issuer.issuer()))
    }
}

/// authorityKeyIdentifier (`crypto/x509/v3_akeya.cc`).
pub(super) fn authority_key_id(value: Cbs<'_>) -> Option<KeyId> {
    let mut parts = value.only(der::SEQUENCE)?;
    let key_id = parts.optional(der::context(0))?.map(|id| id.rest().to_vec());
    let mut issuer = None;
    if let Some(mut names) = parts.optional_list(0xa1)? {
        while !names.is_empty() {
            let from = names.rest();
            general_name(&mut names)?;
            if from[0] == 0xa4 && issuer.is_none() {
                issuer = Some(directory_name(from));
            }
        }
    }
    let serial = parts.optional(der::context(2))?.map(Cbs::rest);
    serial.map_or(Some(()), integer)?;
    parts.end()?;
    Some(KeyId { key_id, serial: serial.map(<[u8]>::to_vec), issuer })
}

fn directory_name(general: &[u8]) -> Option<Name> {
    match GeneralName::from_tlv(&Reader::new(general).any().ok()?).ok()? {
        GeneralName::Directory(name) => Some(name),
        _ => None,
    }
}

/// The next name of a list, which [`general_name`] must accept. Our reader, which is OpenSSL's, takes fewer: where it
/// takes none, the answer is a name that equals no other.
fn next_name(names: &mut Cbs<'_>) -> Option<GeneralName> {
    let from = names.rest();
    general_name(names)?;
    let element = Cbs::new(from).any()?;
    let read = Reader::new(from).any().and_then(|tlv| GeneralName::from_tlv(&tlv));
    Some(read.unwrap_or_else(|_| match element.tag {
        0xa4 => GeneralName::Directory(Name::new(&[Attribute::new(
            Oid::of(UNREAD),
            &crate::digest::hex(element.content),
        )])),
        0xa5 => GeneralName::EdiParty(element.content.to_vec()),
        _ => GeneralName::Other { type_id: Oid::of(UNREAD), value: element.content.to_vec() },
    }))
}

/// An attribute type that no certificate has, 2.999.
const UNREAD: &[u8] = &[0x88, 0x37];

/// subjectAltName (`crypto/x509/v3_alt.cc`).
pub(super) fn alternative_names(value: Cbs<'_>) -> Option<Vec<GeneralName>> {
    names(value.only_list(der::SEQUENCE)?)
}

fn names(mut list: Cbs<'_>) -> Option<Vec<GeneralName>> {
    let mut names = Vec::new();
    while !list.is_empty() {
        names.push(next_name(&mut list)?);
    }
    Some(names)
}

/// GeneralName (`crypto/x509/v3_genn.cc`).
fn general_name(cbs: &mut Cbs<'_>) -> Option<()> {
    let choice = cbs.any()?;
    let mut inner = cbs.with(choice.content);
    match choice.tag {
        0xa0 => {
            check_oid(inner.get(der::OID)?.rest())?;
            let mut value = inner.get(0xa0)?;
            any(&mut value)?;
            value.end()?;
            inner.end()
        }
        0x81 | 0x82 | 0xa3 | 0x86 | 0x87 => Some(()),
        0xa4 => {
            name(&mut inner)?;
            inner.end()
        }
        0xa5 => {
            optional(&mut inner, 0xa0, directory_string)?;
            directory_string(inner.get(0xa1)?.rest())?;
            inner.end()
        }
        0x88 => check_oid(choice.content),
        _ => None,
    }
}

fn directory_string(content: &[u8]) -> Option<()> {
    let mut inner = Cbs::new(content);
    let tag = inner.peek()?;
    let is_string = matches!(
        tag,
        der::T61_STRING
            | der::PRINTABLE_STRING
            | der::BMP_STRING
            | der::UNIVERSAL_STRING
            | der::UTF8_STRING
    );
    any(&mut inner).filter(|()| is_string)?;
    inner.end()
}

/// One subtree of a name constraint.
#[derive(Clone, Debug)]
pub(super) struct Subtree {
    pub(super) base: GeneralName,
    /// It has a minimum or a maximum, even one of 0.
    pub(super) bounded: bool,
}

/// nameConstraints.
#[derive(Clone, Debug)]
pub(super) struct Constraints {
    pub(super) permitted: Vec<Subtree>,
    pub(super) excluded: Vec<Subtree>,
}

/// nameConstraints (`crypto/x509/v3_ncons.cc: NAME_CONSTRAINTS`).
pub(super) fn name_constraints(value: Cbs<'_>) -> Option<Constraints> {
    let mut parts = value.only(der::SEQUENCE)?;
    let permitted = subtrees(parts.optional_list(0xa0)?)?;
    let excluded = subtrees(parts.optional_list(0xa1)?)?;
    parts.end()?;
    Some(Constraints { permitted, excluded })
}

fn subtrees(list: Option<Cbs<'_>>) -> Option<Vec<Subtree>> {
    let mut list = list.unwrap_or(Cbs::new(&[]));
    let mut all = Vec::new();
    while !list.is_empty() {
        let mut parts = list.get(der::SEQUENCE)?;
        let base = next_name(&mut parts)?;
        let minimum = optional(&mut parts, der::context(0), integer)?;
        let maximum = optional(&mut parts, der::context(1), integer)?;
        parts.end()?;
        all.push(Subtree { base, bounded: minimum || maximum });
    }
    Some(all)
}

/// One CRL distribution point.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) name: Option<DpName>,
    /// It has reasons or a CRL issuer: BoringSSL skips it.
    pub(super) skipped: bool,
}

/// cRLDistributionPoints (`crypto/x509/v3_crld.cc: CRL_DIST_POINTS`), names relative to `issuer`
/// (`crypto/x509/v3_purp.cc: setup_crldp`).
pub(super) fn distribution_points(value: Cbs<'_>, issuer: &Name) -> Option<Vec<Point>> {
    let mut list = value.only_list(der::SEQUENCE)?;
    let mut points = Vec::new();
    while !list.is_empty() {
        let mut parts = list.get(der::SEQUENCE)?;
        let name = point_name(&mut parts)?;
        let reasons = optional(&mut parts, der::context(1), bit_string)?;
        let issuers = optional_names(&mut parts, 0xa2)?;
        parts.end()?;
        let name = name.map(|mut name| {
            // With a CRL issuer the name is relative to that one, but then the point is skipped.
            name.complete(issuer);
            name
        });
        points.push(Point { name, skipped: reasons || issuers });
    }
    Some(points)
}

/// DistributionPointName in `[0]`; the outer `None` is an error in it.
fn point_name(parts: &mut Cbs<'_>) -> Option<Option<DpName>> {
    let from = parts.rest();
    let Some(explicit) = parts.optional(0xa0)? else { return Some(None) };
    let mut inner = explicit;
    let name = if let Some(list) = inner.optional_list(0xa0)? {
        DpName::Full(names(list)?)
    } else {
        items(inner.get_list(0xa1)?, name_entry)?;
        let read = Reader::new(from).any().and_then(|tlv| DpName::read(&tlv));
        read.unwrap_or_else(|_| DpName::Relative { rdn: from.to_vec(), whole: from.to_vec() })
    };
    inner.end()?;
    Some(Some(name))
}

/// issuingDistributionPoint (`crypto/x509/v3_crld.cc: ISSUING_DIST_POINT`).
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) name: Option<DpName>,
    pub(super) only_user: bool,
    pub(super) only_ca: bool,
    pub(super) only_attribute: bool,
    pub(super) some_reasons: bool,
    pub(super) indirect: bool,
}

/// issuingDistributionPoint, names relative to `issuer` (`crypto/x509/x_crl.cc: setup_idp`).
pub(super) fn scope(value: Cbs<'_>, issuer: &Name) -> Option<Scope> {
    let mut parts = value.only(der::SEQUENCE)?;
    let mut name = point_name(&mut parts)?;
    if let Some(name) = &mut name {
        name.complete(issuer);
    }
    let only_user = boolean(&mut parts, der::context(1))?;
    let only_ca = boolean(&mut parts, der::context(2))?;
    let some_reasons = optional(&mut parts, der::context(3), bit_string)?;
    let indirect = boolean(&mut parts, der::context(4))?;
    let only_attribute = boolean(&mut parts, der::context(5))?;
    parts.end()?;
    Some(Scope { name, only_user, only_ca, only_attribute, some_reasons, indirect })
}
