//! What stops CRLs, or a CA that other clusters have no CRL of yet, before they are written.

use std::collections::BTreeSet;

use meshpki::cacerts::Secret;
use meshpki::internals::digest::hex;
use meshpki::internals::{self, crl_signature};
use meshpki::istiod::Version;
use meshpki::{Cert, Crl, SignatureCheck, Time};

use super::Options;
use super::plan::Plan;
use crate::authority::crls::{CLUSTER_CRL as FILE, is_of_same};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Seen, Target, place as place_of};

/// A cluster, what was seen of it, and what it gets.
type Aim<'a> = (&'a Target, &'a Seen, &'a Plan);

/// What comes after a folder whose CRLs revoke less.
const UPDATE: &str = "nothing was written; update revoked.txt from its origin, then run `meshctl rotate crl DIR`; `--force ctl/stale-crl` installs what `meshctl ca crl DIR --clear` made";
/// The same for a secret from before.
const GO_BACK: &str = "nothing was written; `--force ctl/stale-crl` goes back to the secret from before with its CRLs";

/// The same for the folder of the next root.
const ROTATE: &str = "nothing was written; copy ca-crl.pem from the folder of the CA that the cluster has, and keep its CRLs with `meshctl ca crl DIR --add ca-crl.pem`, where DIR is the folder of the new one; `--force ctl/stale-crl` continues without them";

/// Refuses CRLs that istiod does not read, that have expired, that are older than those in the cluster or revoke less; and
/// a new CA while proxies have CRLs and none of that CA. Each can be forced by its code.
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
    let aims = aims(targets, seen, plans);
    refuse_first(&aims, options, |aim| {
        [ignored(aim), expired(aim, now), older(aim), shorter(aim, UPDATE), without(aim, &aims)]
    })
}

/// Refuses to go back to CRLs that revoke less, unless that is forced.
///
/// # Errors
/// `ctl/stale-crl`.
pub(super) fn refuse_rollback(
    targets: &[Target],
    seen: &[Seen],
    plans: &[Plan],
    options: &Options,
) -> Result<(), Failure> {
    refuse_first(&aims(targets, seen, plans), options, |aim| [shorter(aim, GO_BACK)])
}

/// The same for a step of a rotation, as long as a root is trusted that is trusted now: without such a root, nothing that
/// was revoked is accepted.
///
/// # Errors
/// `ctl/stale-crl`.
pub(super) fn refuse_rotation(
    targets: &[Target],
    seen: &[Seen],
    plans: &[Plan],
    options: &Options,
) -> Result<(), Failure> {
    refuse_first(&aims(targets, seen, plans), options, |aim| {
        [keeps_a_root(aim).then(|| shorter(aim, ROTATE)).flatten()]
    })
}

fn aims<'a>(targets: &'a [Target], seen: &'a [Seen], plans: &'a [Plan]) -> Vec<Aim<'a>> {
    let both = targets.iter().zip(seen).zip(plans);
    both.map(|((target, seen), plan)| (target, seen, plan)).collect()
}

/// The first failure that is found in a cluster whose secret changes, unless it is forced by its code.
fn refuse_first<const N: usize>(
    aims: &[Aim<'_>],
    options: &Options,
    find: impl Fn(&Aim<'_>) -> [Option<Failure>; N],
) -> Result<(), Failure> {
    let is_forced = |failure: &Failure| options.force.iter().any(|code| code == failure.code());
    let found = aims
        .iter()
        .filter(|(_, _, plan)| plan.changes)
        .find_map(|aim| find(aim).into_iter().flatten().find(|failure| !is_forced(failure)));
    found.map_or(Ok(()), |failure| Err(failure.exit(Exit::No)))
}

/// Whether a cluster continues to trust one of its roots.
fn keeps_a_root((_, seen, plan): &Aim<'_>) -> bool {
    let new = plan.desired.secret.roots(seen.release());
    let live = seen.observed.secret.as_ref().map(|live| live.files.roots(seen.release()));
    live.is_some_and(|live| live.iter().any(|root| new.contains(root)))
}

/// Whether proxies of a cluster get the CRLs that a secret has.
fn are_read(secret: &Secret, seen: &Seen) -> bool {
    let is_on = seen.istiods.is_empty() || seen.istiods.iter().any(|istiod| istiod.settings.crl);
    is_on && secret.crl(seen.release()).is_some()
}

/// A release, a layout or a setting with which istiod does not read them.
fn ignored((target, seen, plan): &Aim<'_>) -> Option<Failure> {
    let secret = &plan.desired.secret;
    secret.get(FILE).filter(|text| !text.is_empty())?;
    let release = seen.release();
    let why = if secret.crl(release).is_some() {
        let off = seen.istiods.iter().find(|istiod| !istiod.settings.crl)?;
        format!("{} has PILOT_ENABLE_CA_CRL=false", off.id.name)
    } else if secret.crl(Version::NEWEST).is_some() {
        format!("the cluster has istiod {release}; istiod reads {FILE} from Istio 1.27 on")
    } else {
        format!("istiod does not read {FILE} together with tls.crt")
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
    let old = crls.iter().find(|crl| crl.end().is_some_and(|end| end <= now))?;
    Some(
        Failure::new("ctl/stale-crl", format!("the CRL of `{}` has expired", old.issuer().label()))
            .within(place_of(target))
            .because(format!("its nextUpdate was {}", old.end()?))
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
        let is_newer = |other: &&Crl| is_of_same(other, crl) && number(other) > number(crl);
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
        .hint("nothing was written; update the folder from its origin, then run `meshctl rotate crl DIR`; `--force ctl/stale-crl` installs the older ones"),
    )
}

/// A list that lacks what the cluster's revokes, or no list at all: the folder lacks the newest list of what was revoked.
fn shorter((target, seen, plan): &Aim<'_>, hint: &str) -> Option<Failure> {
    let live = &seen.observed.secret.as_ref().filter(|live| are_read(&live.files, seen))?.files;
    let new = crls(&plan.desired.secret);
    let (old, serial) = crls(live).into_iter().find_map(|old| {
        let own: Vec<&Crl> = new.iter().filter(|crl| is_of_same(crl, &old)).collect();
        if own.is_empty() && !new.is_empty() {
            // Proxies reject everything below a CA that has no CRL among others.
            return None;
        }
        let listed: BTreeSet<&[u8]> = own.iter().flat_map(|crl| crl.serials()).collect();
        let serial = old.serials().find(|serial| !listed.contains(serial)).map(hex)?;
        Some((old, serial))
    })?;
    let label = old.issuer().label();
    let what = match new.is_empty() {
        true => format!("{FILE} would go, with the CRL of `{label}`, which revokes a certificate"),
        false => format!(
            "the CRL of `{label}` no longer lists a certificate that the cluster's CRL revokes"
        ),
    };
    Some(
        Failure::new("ctl/stale-crl", what)
            .within(place_of(target))
            .because(format!("its serial number is {serial}"))
            .because("proxies would accept it again")
            .hint(hint),
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
        let has = seen.observed.secret.as_ref().filter(|live| are_read(&live.files, seen));
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
    internals::crls(secret.get(FILE).unwrap_or_default())
}
