//! A bundle from JSON.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Bundle, Ignored, WhyIgnored, check_count};
use crate::cert::Cert;
use crate::error::Error;
use crate::spiffe::id::TrustDomain;
use crate::spiffe::json::{self, Json, Members, fail, take};
use crate::spiffe::jwk;
use crate::spiffe::problem::BundleProblem;

/// Characters of a text of the document that are repeated.
const SHOWN: usize = 40;

impl Bundle {
    /// Reads the bundle of a trust domain, whose name is not in it, and says what in it does not count.
    ///
    /// # Errors
    /// `pki/bundle` for a document that is not a bundle, naming the place in it; `pki/too-many` for more than 1 MiB or 100
    /// keys.
    pub fn from_json(
        trust_domain: TrustDomain,
        text: &[u8],
    ) -> Result<(Self, Vec<Ignored>), Error> {
        let mut ignored = Vec::new();
        let mut members = json::object(text)?;
        let hint = take(&mut members, "spiffe_refresh_hint");
        let bundle = read(trust_domain, members, "", &mut ignored)?;
        let bundle = match hint {
            Some(hint) => bundle.with_refresh_hint(hint.number("spiffe_refresh_hint")?),
            None => bundle,
        };
        Ok((bundle, ignored))
    }
}

/// Reads a bundle without its refresh hint, from an object at `place`, which ends with a dot or is empty.
pub(in crate::spiffe) fn read(
    trust_domain: TrustDomain,
    mut members: Members,
    place: &str,
    ignored: &mut Vec<Ignored>,
) -> Result<Bundle, Error> {
    let within = |name: &str| format!("{place}{name}");
    let keys = take(&mut members, "keys").ok_or_else(|| {
        fail(&within("keys"), BundleProblem::Missing { expected: "a list of keys" })
    })?;
    let keys = keys.list(&within("keys"))?;
    check_count(keys.len(), &within("keys"))?;
    let mut bundle = Bundle::new(trust_domain, []);
    for (i, key) in keys.into_iter().enumerate() {
        let place = within(&format!("keys[{i}]"));
        let mut ignore = |why| ignored.push(Ignored { place: place.clone(), why });
        match root(key.object(&place)?, &place)? {
            Ok((root, more)) => {
                if more > 0 {
                    ignore(WhyIgnored::MoreCertificates(more));
                }
                if !bundle.add(root) {
                    ignore(WhyIgnored::Duplicate);
                }
            }
            Err(why) => ignore(why),
        }
    }
    match take(&mut members, "spiffe_sequence") {
        Some(sequence) => Ok(bundle.with_sequence(sequence.number(&within("spiffe_sequence"))?)),
        None => Ok(bundle),
    }
}

/// The root of a key and how many certificates follow it, or why the key does not count.
fn root(mut key: Members, place: &str) -> Result<Result<(Cert, usize), WhyIgnored>, Error> {
    let within = |name: &str| format!("{place}.{name}");
    let mut text =
        |name: &str| take(&mut key, name).map(|value| value.text(&within(name))).transpose();
    let (usage, kind) = (text("use")?, text("kty")?);
    match usage.as_deref() {
        Some("x509-svid") => {}
        Some("jwt-svid") => return Ok(Err(WhyIgnored::OtherSvid("jwt-svid"))),
        Some("wit-svid") => return Ok(Err(WhyIgnored::OtherSvid("wit-svid"))),
        Some(other) => return Ok(Err(WhyIgnored::UnknownUse(shown(other)))),
        None => return Ok(Err(WhyIgnored::NoUse)),
    }
    let Some(kind) = kind else { return Ok(Err(WhyIgnored::NoKeyType)) };
    if !["EC", "RSA", "OKP"].contains(&kind.as_str()) {
        return Ok(Err(WhyIgnored::UnknownKeyType(shown(&kind))));
    }
    let certificates = match take(&mut key, "x5c") {
        Some(list) => list.list(&within("x5c"))?,
        None => Vec::new(),
    };
    let more = certificates.len().saturating_sub(1);
    let Some(first) = certificates.into_iter().next() else {
        return Ok(Err(WhyIgnored::NoCertificate));
    };
    let root = certificate(first, &within("x5c[0]"))?;
    check_key(&root, &kind, &mut key, place)?;
    Ok(Ok((root, more)))
}

/// The certificate in a text of base64.
fn certificate(text: Json, place: &str) -> Result<Cert, Error> {
    let text = text.text(place)?;
    let der = STANDARD.decode(&text).ok().ok_or_else(|| fail(place, BundleProblem::Base64))?;
    let cert = Cert::from_der(&der).map_err(|why| fail(place, BundleProblem::Certificate(why)))?;
    match der.len() - cert.as_der().len() {
        0 => Ok(cert),
        more => Err(fail(place, BundleProblem::Trailing(more))),
    }
}

/// What else the key says of itself is what the certificate says (RFC 7517 section 4.7).
fn check_key(root: &Cert, kind: &str, key: &mut Members, place: &str) -> Result<(), Error> {
    for (name, expected) in jwk::members(root.public_key()).unwrap_or_default() {
        let place = format!("{place}.{name}");
        let found = match name {
            "kty" => Some(kind.to_string()),
            _ => take(key, name).map(|value| value.text(&place)).transpose()?,
        };
        if let Some(found) = found.filter(|found| *found != expected) {
            let found = shown(&found);
            return Err(fail(&place, BundleProblem::KeyMismatch { found, expected }));
        }
    }
    Ok(())
}

/// The beginning of a text of the document, for messages.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}
