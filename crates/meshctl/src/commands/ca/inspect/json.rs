//! The same facts for programs: docs/schemas/inspection.json says what each key means.

use meshpki::x509::{AuthorityKeyId, GeneralName, NameConstraints, RawExtension, RawTime};
use meshpki::{Cert, Csr, PublicKey, SignatureCheck, Time};
use serde_json::{Map, Value, json};

use super::crl::Crl;
use super::{Item, Object, issued_previous, names, owners};
use crate::authority::is_self_signed;
use crate::text;

/// The whole document.
pub(super) fn write(items: &[Item], at: Time) -> Value {
    let items: Vec<Value> = (0..items.len()).map(|i| item(items, i, at)).collect();
    json!({ "apiVersion": "meshctl/v1", "kind": "Inspection", "items": items })
}

fn item(items: &[Item], i: usize, at: Time) -> Value {
    let item = &items[i];
    let (kind, facts) = match &item.object {
        Object::Certificate(cert) => {
            let issued = issued_previous(items, i).map(|(_, yes)| yes);
            ("certificate", certificate(cert, issued, at))
        }
        Object::Request(csr) => ("certificateRequest", request(csr)),
        Object::Crl(crl) => ("certificateRevocationList", revocation_list(crl, at)),
        Object::PublicKey(public) => ("publicKey", json!({ "key": key(public) })),
        Object::PrivateKey(public) => ("privateKey", private_key(items, public.as_ref())),
        Object::Other(label) => ("other", json!({ "label": label })),
        Object::Problem(problem) => ("problem", json!({ "problem": problem })),
    };
    let mut all = Map::new();
    all.insert("file".into(), json!(item.file));
    all.insert("line".into(), json!(item.line));
    let container = item.member.map(|(kind, number)| json!({ "kind": kind, "number": number }));
    all.insert("container".into(), json!(container));
    all.insert("type".into(), json!(kind));
    if let Value::Object(facts) = facts {
        all.extend(facts);
    }
    Value::Object(all)
}

fn certificate(cert: &Cert, issued_previous: Option<bool>, at: Time) -> Value {
    let extensions = cert.extensions();
    let usages = extensions.ext_key_usage.as_ref();
    json!({
        "version": cert.version().saturating_add(1),
        "subject": cert.subject().to_string(),
        "issuer": cert.issuer().to_string(),
        "selfSigned": is_self_signed(cert),
        "serial": text::serial(cert.serial()),
        "notBefore": time(cert.not_before()),
        "notAfter": time(cert.not_after()),
        "state": state(cert.not_before(), Some(cert.not_after()), at),
        "secondsLeft": seconds_left(cert.not_after(), at),
        "key": key(cert.public_key()),
        "fingerprint": cert.fingerprint(),
        "ca": cert.is_ca(),
        "pathLength": extensions.basic_constraints.and_then(|c| c.path_len),
        "keyUsage": extensions.key_usage.map(|usage| usage.names().collect::<Vec<_>>()),
        "extendedKeyUsage": usages.map(|u| u.iter().map(names::name).collect::<Vec<_>>()),
        "subjectAltNames": texts(extensions.subject_alt_name.iter().flatten()),
        "subjectKeyId": extensions.subject_key_id.as_ref().map(|id| text::key_id(id)),
        "authorityKeyId": extensions.authority_key_id.as_ref().map(authority_key_id),
        "nameConstraints": extensions.name_constraints.as_ref().map(name_constraints),
        "extensions": extension_list(cert.raw_extensions()),
        "extensionsInvalid": extensions.invalid,
        "signatureAlgorithm": names::signature(cert.signature_algorithm()),
        "issuedPrevious": issued_previous,
    })
}

fn request(csr: &Csr) -> Value {
    let signature = match csr.check_signature() {
        SignatureCheck::Good => "good",
        SignatureCheck::Bad => "bad",
        SignatureCheck::Undecided => "undecided",
    };
    json!({
        "subject": csr.subject().to_string(),
        "key": key(csr.public_key()),
        "subjectAltNames": texts(csr.subject_alt_names().iter()),
        "extensions": extension_list(csr.raw_extensions()),
        "signatureAlgorithm": names::signature(csr.signature_algorithm()),
        "signature": signature,
    })
}

fn revocation_list(crl: &Crl, at: Time) -> Value {
    let revoked: Vec<Value> = crl
        .revoked
        .iter()
        .map(|entry| {
            json!({
                "serial": text::serial(&entry.serial),
                "at": time(&entry.at),
                "reason": entry.reason,
            })
        })
        .collect();
    let next = crl.next_update.as_ref();
    json!({
        "issuer": crl.issuer.to_string(),
        "number": crl.number(),
        "thisUpdate": time(&crl.this_update),
        "nextUpdate": next.and_then(time),
        "state": state(&crl.this_update, next, at),
        "secondsLeft": next.and_then(|time| seconds_left(time, at)),
        "fingerprint": crl.fingerprint,
        "revoked": revoked,
        "authorityKeyId": crl.authority_key_id(),
        "extensions": extension_list(&crl.extensions),
        "signatureAlgorithm": names::signature(&crl.algorithm),
    })
}

fn private_key(items: &[Item], public: Option<&PublicKey>) -> Value {
    let owners = public.map(|key| owners(items, key)).unwrap_or_default();
    let places = owners.iter().map(|item| json!({ "file": item.file, "line": item.line }));
    json!({
        "encrypted": public.is_none(),
        "key": public.map(key),
        "belongsTo": places.collect::<Vec<_>>(),
    })
}

fn key(key: &PublicKey) -> Value {
    json!({
        "algorithm": names::key(key.algorithm()),
        "sha256": key.fingerprint(),
        "flaw": key.flaw().map(|flaw| flaw.to_string()),
    })
}

fn time(raw: &RawTime) -> Option<String> {
    raw.time().map(|time| time.to_string())
}

fn seconds_left(end: &RawTime, at: Time) -> Option<i64> {
    end.time().map(|time| time.0.saturating_sub(at.0))
}

/// The second it ends counts as expired, as OpenSSL has it. What says no end does not expire.
fn state(begin: &RawTime, end: Option<&RawTime>, at: Time) -> &'static str {
    match (begin.time(), end.map(RawTime::time)) {
        (None, _) | (_, Some(None)) => "unreadable",
        (_, Some(Some(end))) if end <= at => "expired",
        (Some(begin), _) if begin > at => "notYetValid",
        _ => "valid",
    }
}

fn texts<'a>(names: impl Iterator<Item = &'a GeneralName>) -> Vec<String> {
    names.map(ToString::to_string).collect()
}

fn authority_key_id(id: &AuthorityKeyId) -> Value {
    json!({
        "keyId": id.key_id.as_ref().map(|id| text::key_id(id)),
        "issuer": texts(id.issuer.iter().flatten()),
        "serial": id.serial.as_ref().map(|serial| text::serial(serial)),
    })
}

fn name_constraints(constraints: &NameConstraints) -> Value {
    json!({
        "permitted": texts(constraints.permitted.iter().map(|tree| &tree.base)),
        "excluded": texts(constraints.excluded.iter().map(|tree| &tree.base)),
    })
}

fn extension_list(extensions: &[RawExtension]) -> Vec<Value> {
    let one = |extension: &RawExtension| {
        json!({
            "name": names::name(&extension.oid),
            "oid": extension.oid.to_string(),
            "critical": extension.critical,
        })
    };
    extensions.iter().map(one).collect()
}
