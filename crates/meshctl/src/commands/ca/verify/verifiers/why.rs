//! `--explain` with `--as`: one line on a refusal, if there is more to say than the verifier says.

use meshpki::internals::der::Reader;
use meshpki::internals::{algorithm_name, oid};
use meshpki::verify::{Reason, go};
use meshpki::x509::{GeneralName, RawTime};
use meshpki::{Cert, KeyAlgorithm};

use super::ask::Question;
use super::{Panel, Refusal, Verifier};

/// Why that verifier refuses it.
pub(super) fn why(verifier: Verifier, refusal: &Refusal, panel: &Panel<'_>) -> Option<String> {
    let question = &panel.question;
    match refusal.reason? {
        Reason::Expired | Reason::NotYetValid => dates(verifier, refusal.cert.as_ref()?, panel),
        Reason::BadSignature => namesakes(verifier, refusal.cert.as_ref()?, panel),
        Reason::UnknownIssuer => unknown_issuer(verifier, refusal.cert.as_ref()?, panel),
        Reason::Algorithm => Some(algorithm(refusal.cert.as_ref()?, question)),
        Reason::CriticalExtension => critical(refusal.cert.as_ref()?),
        Reason::NameConstraints => constraints(verifier, panel),
        Reason::CaAsPeer | Reason::ExtKeyUsage if question.target.is_ca() => Some(
            "it is a CA, not a workload: verify a certificate that the CA has signed".to_owned(),
        ),
        Reason::NoCrl => Some(
            "with any CRL, Envoy needs one for every certificate of the chain, the root included"
                .to_owned(),
        ),
        Reason::CrlExpired => crl_expired(question),
        _ => None,
    }
}

/// The dates, and one of the same name that would do.
fn dates(verifier: Verifier, cert: &Cert, panel: &Panel<'_>) -> Option<String> {
    let question = &panel.question;
    let (begin, end) = (cert.not_before().time()?, cert.not_after().time()?);
    let dates = format!("it is valid from {begin} to {end}, and the time is {}", question.at);
    let others = question.roots.iter().chain(&question.settings.untrusted);
    let twin =
        others.filter(|other| *other != cert && other.subject() == cert.subject()).find(|other| {
            is_before(other.not_before(), question) && !is_before(other.not_after(), question)
        });
    let Some(twin) = twin.filter(|_| verifier == Verifier::Envoy) else { return Some(dates) };
    Some(format!(
        "{dates}; {} has the same name and is valid, but Envoy takes one certificate of a name without looking at its dates",
        panel.named(twin)
    ))
}

fn is_before(time: &RawTime, question: &Question<'_>) -> bool {
    time.time().is_some_and(|time| time < question.at)
}

/// Several issuers of one name.
fn namesakes(verifier: Verifier, cert: &Cert, panel: &Panel<'_>) -> Option<String> {
    let issuers = issuers(cert, &panel.question);
    let names: Vec<String> = issuers.iter().map(|issuer| panel.named(issuer)).collect();
    match (names.as_slice(), verifier) {
        ([], _) => None,
        ([one], _) => Some(format!("{one} has the issuer's name, but its key did not sign this")),
        (_, Verifier::Envoy) => Some(format!(
            "{} have the issuer's name, and Envoy tries only one of them",
            names.join(" and ")
        )),
        _ => Some(format!(
            "{} have the issuer's name, but none of their keys signed this",
            names.join(" and ")
        )),
    }
}

fn unknown_issuer(verifier: Verifier, cert: &Cert, panel: &Panel<'_>) -> Option<String> {
    let issuers = issuers(cert, &panel.question);
    let Some(issuer) = issuers.first() else {
        let name = cert.issuer().label();
        return Some(format!("no given certificate has the name of its issuer, `{name}`"));
    };
    if verifier != Verifier::Go {
        return None;
    }
    Some(match go::Certificate::try_from(*issuer) {
        Ok(read) if read.has_unknown_key() => {
            format!(
                "{} has a key of type {}, which Go does not use",
                panel.named(issuer),
                key(issuer)
            )
        }
        Ok(_) => return None,
        Err(unread) => {
            format!("Go cannot read its issuer, {}: {}", panel.named(issuer), unread.text)
        }
    })
}

/// What the files have under the name of its issuer, roots first.
fn issuers<'q>(cert: &Cert, question: &'q Question<'_>) -> Vec<&'q Cert> {
    let all = question.roots.iter().chain(&question.settings.untrusted);
    all.filter(|issuer| issuer.subject() == cert.issuer() && *issuer != cert).collect()
}

/// The key, the signature, and the key that made it.
fn algorithm(cert: &Cert, question: &Question<'_>) -> String {
    let parts = Reader::new(cert.signature_algorithm()).any();
    let signed = parts.and_then(|parts| parts.reader().any());
    let signed = signed
        .map_or_else(|_| "an unreadable algorithm".to_owned(), |oid| algorithm_name(oid.content));
    let by = match issuers(cert, question).first() {
        Some(issuer) => format!(" by a key of type {}", key(issuer)),
        None => String::new(),
    };
    format!("it has a key of type {} and is signed with {signed}{by}", key(cert))
}

fn key(cert: &Cert) -> String {
    match cert.public_key().algorithm() {
        KeyAlgorithm::Other { oid } => algorithm_name(oid.as_bytes()),
        known => known.to_string(),
    }
}

fn critical(cert: &Cert) -> Option<String> {
    let names: Vec<String> = cert
        .raw_extensions()
        .iter()
        .filter(|extension| extension.critical)
        .map(|extension| oid::long_name_or_dotted(extension.oid.as_bytes()))
        .collect();
    (!names.is_empty()).then(|| format!("its critical extensions are {}", names.join(", ")))
}

/// Who constrains names, and the URIs among them.
fn constraints(verifier: Verifier, panel: &Panel<'_>) -> Option<String> {
    let question = &panel.question;
    let mut all = question.settings.untrusted.iter().chain(&question.roots);
    let found = |cert: &&Cert| cert.extensions().name_constraints.is_some();
    let cert = all.find(found)?;
    let names = cert.extensions().name_constraints.as_ref()?;
    let subtrees = names.permitted.iter().chain(&names.excluded);
    let uris: Vec<String> = subtrees
        .filter_map(|subtree| match &subtree.base {
            GeneralName::Uri(uri) => Some(format!("`{}`", String::from_utf8_lossy(uri))),
            _ => None,
        })
        .collect();
    let cert = panel.named(cert);
    if uris.is_empty() {
        return Some(format!("{cert} has name constraints"));
    }
    let rule = match verifier {
        Verifier::Ztunnel => {
            "ztunnel supports no URI constraints and rejects every certificate with a URI below one"
        }
        _ => {
            "a URI constraint is a host without scheme and path, and SPIFFE IDs are matched by their trust domain"
        }
    };
    Some(format!("{cert} constrains URIs to {}: {rule}", uris.join(", ")))
}

fn crl_expired(question: &Question<'_>) -> Option<String> {
    let mut ends = question.crls.iter().filter_map(|crl| Some((crl, crl.next_update()?.time()?)));
    let (crl, end) = ends.find(|(_, end)| *end < question.at)?;
    Some(format!("the CRL of `{}` ended {end}", crl.issuer().label()))
}
