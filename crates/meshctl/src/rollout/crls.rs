//! What stops CRLs, or a CA that other clusters have no CRL of yet, before they are written.

use meshpki::cacerts::Secret;
use meshpki::internals::{crl_signature, pem};
use meshpki::{Cert, Crl, SignatureCheck, Time};

use super::Options;
use super::plan::Plan;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Seen, Target, place as place_of};

/// istiod's name of the file.
const FILE: &str = "ca-crl.pem";

/// A cluster, what was seen of it, and what it gets.
type Aim<'a> = (&'a Target, &'a Seen, &'a Plan);

/// Refuses CRLs that istiod does not read, that have expired, or that are older than those in the cluster; and a new CA
/// while proxies have CRLs and none of that CA. Each can be forced by its code.
///
/// # Errors
/// `istiod/crl-ignored`, `ctl/stale-crl`, `ctl/crl-first`.
pub(super) fn refuse(
    targets: &[Target],
    seen: &[Seen],
    plans: &[Plan],
    options: &Options,
    now: Time,
) -> Result<(), Failure> {
    let aims: Vec<Aim<'_>> = targets
        .iter()
        .zip(seen)
        .zip(plans)
        .map(|((target, seen), plan)| (target, seen, plan))
        .collect();
    let found = aims.iter().filter(|(_, _, plan)| plan.changes).find_map(|aim| {
        let all = [ignored(aim), expired(aim, now), older(aim), without(aim, &aims)];
        let is_forced = |failure: &Failure| options.force.iter().any(|code| code == failure.code());
        all.into_iter().flatten().find(|failure| !is_forced(failure))
    });
    found.map_or(Ok(()), |failure| Err(failure.exit(Exit::No)))
}

/// A release, a layout or a setting with which istiod does not read them.
fn ignored((target, seen, plan): &Aim<'_>) -> Option<Failure> {
    let secret = &plan.desired.secret;
    secret.get(FILE).filter(|text| !text.is_empty())?;
    let why = if secret.crl(seen.release()).is_none() {
        format!(
            "istiod {} reads {FILE} from 1.27 on, and not together with tls.crt",
            seen.release()
        )
    } else {
        let off = seen.istiods.iter().find(|istiod| !istiod.settings.crl)?;
        format!("{} has PILOT_ENABLE_CA_CRL=false", off.id.name)
    };
    Some(
        Failure::new("istiod/crl-ignored", format!("istiod does not read {FILE}"))
            .within(place_of(target))
            .because(why)
            .because("nothing would be revoked")
            .hint(format!("nothing was written; remove {FILE} from the cluster's folder, or install it anyway with `--force istiod/crl-ignored`")),
    )
}

fn expired((target, _, plan): &Aim<'_>, now: Time) -> Option<Failure> {
    let crls = crls(&plan.desired.secret);
    let end = |crl: &Crl| crl.next_update().and_then(meshpki::x509::RawTime::time);
    let old = crls.iter().find(|crl| end(crl).is_some_and(|end| end <= now))?;
    Some(
        Failure::new("ctl/stale-crl", format!("the CRL of `{}` has expired", old.issuer().label()))
            .within(place_of(target))
            .because(format!("its nextUpdate was {}", end(old)?))
            .because("Envoy would reject every certificate below that CA")
            .hint("nothing was written; `meshctl ca crl DIR` makes new CRLs"),
    )
}

/// A list with a lower number than the one that is there: another checkout has made one since.
fn older((target, seen, plan): &Aim<'_>) -> Option<Failure> {
    let live = crls(&seen.observed.secret.as_ref()?.files);
    let new = crls(&plan.desired.secret);
    let number = |crl: &Crl| crl.number_value();
    let (old, newer) = new.iter().find_map(|crl| {
        let is_newer = |other: &&Crl| {
            other.issuer() == crl.issuer()
                && other.authority_key_id() == crl.authority_key_id()
                && number(other) > number(crl)
        };
        Some((crl, live.iter().find(is_newer)?))
    })?;
    let said = |crl: &Crl| number(crl).map_or_else(|| "none".to_owned(), |n| n.to_string());
    Some(
        Failure::new(
            "ctl/stale-crl",
            format!("the CRL of `{}` is older than the cluster's", old.issuer().label()),
        )
        .within(place_of(target))
        .because(format!("the folder has number {}", said(old)))
        .because(format!("the cluster has number {}", said(newer)))
        .hint("nothing was written; update the folder from its origin, or make new CRLs with `meshctl ca crl DIR`; `--force ctl/stale-crl` installs the older ones"),
    )
}

/// A cluster whose proxies have CRLs and none of the new CA: they would reject what it signs.
fn without((target, seen, plan): &Aim<'_>, aims: &[Aim<'_>]) -> Option<Failure> {
    let ca = plan.desired.secret.ca(seen.release())?;
    let live = seen.observed.secret.as_ref().and_then(|live| live.files.ca(seen.release()));
    if live.as_ref() == Some(&ca) {
        return None;
    }
    let lacks = |(other, seen, _): &&Aim<'_>| {
        let has =
            seen.observed.secret.as_ref().filter(|live| live.files.crl(seen.release()).is_some());
        let has = has.map(|live| crls(&live.files)).unwrap_or_default();
        !other.apart.contains(&target.name)
            && !has.is_empty()
            && !has.iter().any(|crl| signed(&ca, crl))
    };
    let (other, ..) = aims.iter().find(lacks)?;
    Some(
        Failure::new(
            "ctl/crl-first",
            format!("proxies of {} have CRLs, and none of the new CA of {}", other.name, target.name),
        )
        .within(place_of(target))
        .because(format!("the new CA is {}", ca.label()))
        .because("they would reject what it signs until they have its CRL")
        .hint("nothing was written; `meshctl rotate crl DIR` with every cluster installs the CRLs first, then run this again a few minutes later"),
    )
}

fn signed(ca: &Cert, crl: &Crl) -> bool {
    crl_signature(crl, ca) == SignatureCheck::Good
}

/// The CRLs of a secret that can be read.
fn crls(secret: &Secret) -> Vec<Crl> {
    let blocks = pem::decode(secret.get(FILE).unwrap_or_default()).into_iter();
    blocks.filter_map(|block| Crl::from_der(&block.ok()?.der).ok()).collect()
}
