//! The public half of a key on a token, as a SubjectPublicKeyInfo.

use cryptoki::error::Error;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use meshpki::PublicKey;
use meshpki::internals::{der, oid};

use super::{broken, key_name, place};
use crate::failure::Failure;

/// What a public key is made of, and whatever has it.
const PARTS: [AttributeType; 6] = [
    AttributeType::KeyType,
    AttributeType::EcParams,
    AttributeType::EcPoint,
    AttributeType::Modulus,
    AttributeType::PublicExponent,
    AttributeType::PublicKeyInfo,
];

/// The public half of a private key: what is in the private key itself, else in the public key with its identifier.
///
/// # Errors
/// `ctl/signer-key`, `ctl/signer-token`.
pub(super) fn of(
    session: &Session,
    private: ObjectHandle,
    token: &str,
) -> Result<PublicKey, Failure> {
    let failed = |error: Error| broken(token, &error);
    let mut found = session.get_attributes(private, &PARTS).map_err(failed)?;
    let key_type = found.iter().find_map(|part| match part {
        Attribute::KeyType(kind) => Some(*kind),
        _ => None,
    });
    for public in counterparts(session, private).map_err(failed)? {
        found.extend(session.get_attributes(public, &PARTS).map_err(failed)?);
    }
    let spki = spki(key_type, &found);
    let refuse = |why: String| {
        Failure::new("ctl/signer-key", format!("the public key of `{}` cannot be read", key_name(session, private)))
            .within(place(token))
            .because(why)
            .hint("store the public key on the token too, with the same id, or use an ECDSA key on P-256 or P-384, or RSA")
    };
    let spki = spki.ok_or_else(|| match key_type {
        Some(kind @ (KeyType::EC | KeyType::RSA | KeyType::EC_EDWARDS)) => {
            refuse(format!("the token shows no complete public key of type {kind}"))
        }
        Some(kind) => refuse(format!("the key is of type {kind}")),
        None => refuse("the key has no type".to_owned()),
    })?;
    PublicKey::from_der(&spki).map_err(|error| refuse(error.to_string()))
}

/// The public keys with the identifier of a private key: those with its label, too, or else all.
fn counterparts(session: &Session, private: ObjectHandle) -> Result<Vec<ObjectHandle>, Error> {
    let (mut id, mut label) = (None, None);
    for name in session.get_attributes(private, &[AttributeType::Id, AttributeType::Label])? {
        match &name {
            Attribute::Id(bytes) if !bytes.is_empty() => id = Some(name),
            Attribute::Label(_) => label = Some(name),
            _ => {}
        }
    }
    let Some(id) = id else { return Ok(Vec::new()) };
    let with_id = [Attribute::Class(ObjectClass::PUBLIC_KEY), id];
    let with_both: Vec<Attribute> = with_id.iter().cloned().chain(label).collect();
    match session.find_objects(&with_both)? {
        none if none.is_empty() => session.find_objects(&with_id),
        found => Ok(found),
    }
}

/// SubjectPublicKeyInfo from the attributes of both objects.
fn spki(key_type: Option<KeyType>, parts: &[Attribute]) -> Option<Vec<u8>> {
    let whole = parts.iter().find_map(|part| match part {
        Attribute::PublicKeyInfo(whole) if !whole.is_empty() => Some(whole.clone()),
        _ => None,
    });
    let part = |pick: fn(&Attribute) -> Option<&Vec<u8>>| {
        parts.iter().filter_map(pick).find(|bytes| !bytes.is_empty())
    };
    let made = match key_type? {
        KeyType::EC => {
            let curve = part(|p| if let Attribute::EcParams(v) = p { Some(v) } else { None })?;
            let point = part(|p| if let Attribute::EcPoint(v) = p { Some(v) } else { None })?;
            let algorithm = der::sequence(&[&der::tlv(der::OID, oid::EC_PUBLIC_KEY), curve]);
            Some(der::sequence(&[&algorithm, &der::bit_string(unwrapped(point))]))
        }
        KeyType::EC_EDWARDS => {
            let point = part(|p| if let Attribute::EcPoint(v) = p { Some(v) } else { None })?;
            let point = unwrapped(point);
            let algorithm = der::sequence(&[&der::tlv(der::OID, oid::ED25519)]);
            (point.len() == 32).then(|| der::sequence(&[&algorithm, &der::bit_string(point)]))
        }
        KeyType::RSA => {
            let modulus = part(|p| if let Attribute::Modulus(v) = p { Some(v) } else { None })?;
            let exponent =
                part(|p| if let Attribute::PublicExponent(v) = p { Some(v) } else { None })?;
            let algorithm = der::sequence(&[
                &der::tlv(der::OID, oid::RSA_ENCRYPTION),
                &der::tlv(der::NULL, &[]),
            ]);
            let numbers = der::sequence(&[&der::integer(modulus), &der::integer(exponent)]);
            Some(der::sequence(&[&algorithm, &der::bit_string(&numbers)]))
        }
        _ => None,
    };
    made.or(whole)
}

/// A point without its OCTET STRING, which some tokens leave out. By its length first: an X coordinate may begin with
/// what would be the length of an OCTET STRING.
fn unwrapped(point: &[u8]) -> &[u8] {
    match point {
        point if RAW.contains(&point.len()) => point,
        [der::OCTET_STRING, length, inner @ ..] if usize::from(*length) == inner.len() => inner,
        // Two octets of length, as P-521 needs.
        [der::OCTET_STRING, 0x81, length, inner @ ..] if usize::from(*length) == inner.len() => {
            inner
        }
        point => point,
    }
}

/// Bytes of a point on Ed25519, P-256, P-384 and P-521, uncompressed.
const RAW: [usize; 4] = [32, 65, 97, 133];

#[cfg(test)]
mod tests;
