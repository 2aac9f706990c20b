//! The search for chains (`crypto/x509/verify.go: Certificate.buildChains`): every one is found, not only the first.

use alloc::vec::Vec;

use super::public_key::Key;
use super::{Certificate, Chain, Options, Pools, algorithm};
use crate::cert::KeyUsage;
use crate::time::Time;
use crate::verify::{Reason, Rejection};

/// Signatures checked before Go gives up (`maxChainSignatureChecks`).
const SIGNATURE_LIMIT: u32 = 100;

/// The place of a certificate in a chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Leaf,
    Intermediate,
    Root,
}

/// A search under way.
pub(super) struct Search<'a> {
    pub(super) pools: &'a Pools,
    pub(super) options: &'a Options,
    checks: u32,
}

impl<'a> Search<'a> {
    pub(super) const fn new(pools: &'a Pools, options: &'a Options) -> Self {
        Self { pools, options, checks: 0 }
    }

    /// `buildChains`: all that continue `chain`, or why none does.
    pub(super) fn above(&mut self, chain: &[Certificate]) -> Result<Vec<Chain>, Rejection> {
        let Some(cert) = chain.last() else { return Ok(Vec::new()) };
        let pools = self.pools;
        let mut found = Vec::new();
        let mut last = None;
        let mut hint: Option<(Rejection, &Certificate)> = None;
        let both = [(Place::Root, &pools.roots), (Place::Intermediate, &pools.intermediates)];
        let candidates = both
            .iter()
            .flat_map(|(place, pool)| parents(pool, cert).into_iter().map(|c| (*place, c)));
        for (place, candidate) in candidates {
            self.checks += 1;
            if self.checks > SIGNATURE_LIMIT {
                let text = "x509: signature check attempts limit reached while verifying certificate chain";
                last = Some(Rejection::new(Reason::Limit, text));
                break;
            }
            if *candidate.key() == Key::Unknown || already_in(candidate, chain) {
                continue;
            }
            if let Err(why) = signed_by(cert, candidate, self.options) {
                hint.get_or_insert((why, candidate));
                continue;
            }
            last = is_valid(place, candidate, chain, self.options.at).err();
            if let Some(why) = &last {
                hint.get_or_insert((why.clone(), candidate));
                continue;
            }
            let longer = [chain, core::slice::from_ref(candidate)].concat();
            if place == Place::Root {
                found.push(longer);
            } else {
                match self.above(&longer) {
                    Ok(chains) => found.extend(chains),
                    Err(why) => last = Some(why),
                }
            }
        }
        match last {
            _ if !found.is_empty() => Ok(found),
            Some(why) => Err(why),
            None => Err(unknown_authority(cert, hint)),
        }
    }
}

/// `UnknownAuthorityError.Error`. Its class is that of the best candidate's fault, if there is one.
fn unknown_authority(cert: &Certificate, hint: Option<(Rejection, &Certificate)>) -> Rejection {
    let text = "x509: certificate signed by unknown authority";
    let Some((why, candidate)) = hint else {
        return Rejection { cert: cert.cert(), ..Rejection::new(Reason::UnknownIssuer, text) };
    };
    let text = alloc::format!(
        "{text} (possibly because of {:?} while trying to verify candidate authority certificate {:?})",
        why.text,
        candidate.name()
    );
    Rejection { text, ..why }
}

/// The candidates with the issuer's name, likely ones first (`cert_pool.go: findPotentialParents`).
fn parents<'p>(pool: &'p [Certificate], cert: &Certificate) -> Vec<&'p Certificate> {
    let wanted = &cert.parsed().extensions.authority_key_id;
    let rank = |candidate: &&Certificate| {
        let have = &candidate.parsed().extensions.subject_key_id;
        if have == wanted {
            0
        } else if have.is_empty() != wanted.is_empty() {
            1
        } else {
            2
        }
    };
    let is_named = |c: &&Certificate| c.parsed().subject == cert.parsed().issuer;
    let mut found: Vec<&Certificate> = pool.iter().filter(is_named).collect();
    found.sort_by_key(rank);
    found
}

/// `alreadyInChain`: same subject, key and names. Of two that are alike but for the names, one without any ends the
/// search, whoever comes after.
fn already_in(candidate: &Certificate, chain: &[Certificate]) -> bool {
    let candidate = candidate.parsed();
    for cert in chain.iter().map(Certificate::parsed) {
        if candidate.subject != cert.subject || candidate.spki != cert.spki {
            continue;
        }
        match (&candidate.extensions.subject_alt_name, &cert.extensions.subject_alt_name) {
            (None, None) => return true,
            (None, _) | (_, None) => return false,
            (Some(a), Some(b)) if a == b => return true,
            _ => {}
        }
    }
    false
}

/// `isValid`: dates, CA and path length, which counts every certificate below.
pub(super) fn is_valid(
    place: Place,
    cert: &Certificate,
    chain: &[Certificate],
    at: Time,
) -> Result<(), Rejection> {
    let parsed = cert.parsed();
    let refuse =
        |reason, text: &str| Err(Rejection { cert: cert.cert(), ..Rejection::new(reason, text) });
    if parsed.extensions.unhandled.is_some() {
        return refuse(Reason::CriticalExtension, "x509: unhandled critical extension");
    }
    let dates = "x509: certificate has expired or is not yet valid: current time";
    if at < parsed.not_before {
        let text = alloc::format!("{dates} {at} is before {}", parsed.not_before);
        return refuse(Reason::NotYetValid, &text);
    }
    if at > parsed.not_after {
        let text = alloc::format!("{dates} {at} is after {}", parsed.not_after);
        return refuse(Reason::Expired, &text);
    }
    let constraints = parsed.extensions.basic_constraints;
    if place == Place::Intermediate && !constraints.is_some_and(|(is_ca, _)| is_ca) {
        let text = "x509: certificate is not authorized to sign other certificates";
        return refuse(Reason::NotCa, text);
    }
    let below = i64::try_from(chain.len()).unwrap_or(i64::MAX) - 1;
    if constraints.and_then(|(_, limit)| limit).is_some_and(|limit| below > limit) {
        let text = "x509: too many intermediates for path length constraint";
        return refuse(Reason::PathLength, text);
    }
    Ok(())
}

/// `x509.go: Certificate.CheckSignatureFrom`.
fn signed_by(cert: &Certificate, parent: &Certificate, options: &Options) -> Result<(), Rejection> {
    if !may_sign(parent, KeyUsage::KEY_CERT_SIGN) {
        let text =
            "x509: invalid signature: parent certificate cannot sign this kind of certificate";
        return Err(Rejection { cert: parent.cert(), ..Rejection::new(Reason::NotCa, text) });
    }
    let signed = cert.parsed();
    algorithm::check(
        signed.algorithm,
        &signed.tbs,
        &signed.signature,
        parent,
        options.release,
        false,
    )
    .map_err(|(reason, text)| Rejection { reason, text, cert: cert.cert() })
}

/// A version 3 certificate signs only with CA:TRUE, and a keyUsage must name what it signs.
pub(super) fn may_sign(parent: &Certificate, what: KeyUsage) -> bool {
    let parsed = parent.parsed();
    let is_ca = match parsed.extensions.basic_constraints {
        Some((is_ca, _)) => is_ca,
        None => parsed.version != 3,
    };
    is_ca && parsed.extensions.allows(what)
}
