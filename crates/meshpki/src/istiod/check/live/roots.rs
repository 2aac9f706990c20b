//! Roots: those that are about to be replaced, those namespaces are not given, those of clusters without a secret.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Set, Trusted, View, labels, refuses, some};
use crate::cert::fingerprints;
use crate::istiod::check::{Remedy, SecretProblem, Severity};
use crate::istiod::{Reload, changes};

/// Before it happens: istiod runs on a CA of its own, which the secret replaces. Where no secret is
/// about to be written that is an error: no other cluster trusts what istiod signs, and nothing will change that.
pub(super) fn first_install(view: &View<'_>) -> Option<SecretProblem> {
    if view.live.istiods.is_empty() {
        return None;
    }
    let own = view.own_ca()?;
    // A good secret is reported as not live instead, unless another is about to replace it.
    if view.used().is_some() && !view.is_change() {
        return None;
    }
    let mut problem = view
        .problem(
            "istiod/first-install",
            if view.live.wanted.is_some() { Severity::Warning } else { Severity::Error },
            "istiod signs with its own CA, which no other cluster trusts",
        )
        .evidence(own);
    for trusted in view.trusted() {
        problem =
            problem.evidence(alloc::format!("{} trusts {}", trusted.whose, labels(trusted.roots)));
    }
    if let Some(ca) = view.wanted.as_ref().and_then(|set| set.ca.as_ref()) {
        problem = problem.evidence(alloc::format!("new: {}", ca.label()));
    }
    Some(
        problem
            .effect("istiod reads its first secret only when it restarts; until the gateways and all workloads have restarted too, those with old certificates and those with new ones reject each other")
            .fix(
                "restart istiod, the gateways and all workloads together, or distribute both roots first: add the old one to root-cert.pem",
                Remedy::Install,
            ),
    )
}

/// Workloads that have restarted and those that have not yet reject each other.
///
/// What is about to be shown has to be accepted by what is trusted now, and what is shown now by what is about to
/// be trusted, in this cluster and in every other that has accepted it so far. That is the overlap of A, A+B, B: trust
/// first, sign second, drop third.
pub(super) fn replaced(view: &View<'_>, all: &[View<'_>]) -> Option<SecretProblem> {
    let wanted = view.wanted.as_ref().filter(|_| view.is_change())?;
    let ca = wanted.ca.as_ref()?;
    // What is wrong with the set itself is reported for it; a first install has a warning of its own.
    let good = refuses(&wanted.roots, ca, &wanted.chain, view.at).is_none();
    if !good || view.begins() {
        return None;
    }
    let mut lines = Vec::new();
    for other in all {
        lines.extend(not_accepted_by(view, wanted, other));
        lines.extend(not_accepted_from(view, wanted, other));
    }
    if lines.is_empty() {
        return None;
    }
    let mut problem = view.problem(
        "istiod/root-replaced",
        Severity::Error,
        "the new roots do not overlap with the roots that workloads trust now",
    );
    for trusted in view.trusted() {
        problem =
            problem.evidence(alloc::format!("{} trusts {}", trusted.whose, labels(trusted.roots)));
    }
    problem = problem.evidence(alloc::format!("new: {}", labels(&wanted.roots)));
    problem.evidence.append(&mut lines);
    let next = Remedy::ShowGivenRoots;
    Some(problem.effect(handling(view)).fix(
        "push three times, each time to all clusters before the next push: the old CA with both roots, the new CA with both roots, the new CA with only its root",
        next,
    ))
}

/// What is about to be shown, under the roots of today.
fn not_accepted_by(view: &View<'_>, wanted: &Set, other: &View<'_>) -> Vec<String> {
    let Some(ca) = &wanted.ca else { return Vec::new() };
    let mut lines = Vec::new();
    for trusted in other.trusted() {
        let mut shown = view.shown().into_iter();
        let today = shown.any(|s| refuses(trusted.roots, s.cert, s.chain, view.at).is_none());
        if !today {
            lines.extend(shares_none(view, wanted, other, &trusted));
        } else if let Some(why) = refuses(trusted.roots, ca, &wanted.chain, view.at) {
            let who = ca.label();
            lines.push(alloc::format!("{} does not accept {who}: {why}", trusted.whose));
        }
    }
    lines
}

/// Without a certificate of today to judge by: roots that still hold, and of which none stays.
fn shares_none(
    view: &View<'_>,
    wanted: &Set,
    other: &View<'_>,
    trusted: &Trusted<'_>,
) -> Option<String> {
    let home = core::ptr::eq(view, other);
    let holds = |cert: &&crate::Cert| cert.not_after().time().is_some_and(|end| end >= view.at);
    let mut valid = trusted.roots.iter().filter(holds).peekable();
    if !home
        || valid.peek().is_none()
        || !fingerprints(&wanted.roots).is_disjoint(&fingerprints(trusted.roots))
    {
        return None;
    }
    Some(alloc::format!("none of the roots that {} trusts is among the new ones", trusted.whose))
}

/// What is shown today, under the roots that are about to come.
fn not_accepted_from(view: &View<'_>, wanted: &Set, other: &View<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for shown in other.shown() {
        let accepts = |t: Trusted<'_>| refuses(t.roots, shown.cert, shown.chain, view.at).is_none();
        if !view.trusted().into_iter().any(accepts) {
            continue;
        }
        if let Some(why) = refuses(&wanted.roots, shown.cert, shown.chain, view.at) {
            lines.push(alloc::format!(
                "the new roots do not accept {}, which {} uses now: {why}",
                shown.what,
                other.live.name
            ));
        }
    }
    lines
}

/// What each istiod makes of the change (`handleEvent`), and the mesh below it.
fn handling(view: &View<'_>) -> String {
    let (Some(old), Some(new)) = (view.live.secret, view.live.wanted) else {
        return String::new();
    };
    let mut text = String::new();
    for istiod in &view.live.istiods {
        let does = match changes(old, new, &istiod.settings, view.at).reload {
            Reload::HotReload { .. } => "signs with the new CA at once".to_string(),
            Reload::KeepsOld { log } => {
                alloc::format!("keeps the old CA until it is restarted ({log})")
            }
            Reload::NeedsRestart { why } => {
                alloc::format!("keeps the old CA until it is restarted ({why})")
            }
            Reload::Unchanged => continue,
        };
        text += &alloc::format!("istiod {} {does}; ", istiod.settings.version);
    }
    text + "until the last workload has restarted, calls between old and new fail with CERTIFICATE_VERIFY_FAILED"
}

/// Namespaces whose workloads are given other roots than the secret's.
pub(super) fn not_given(view: &View<'_>) -> Option<SecretProblem> {
    let set = view.used()?;
    let wanted = fingerprints(&set.roots);
    let mut by_roots: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for given in &view.live.given {
        let has = match &given.roots {
            Some(roots) if fingerprints(roots) == wanted => continue,
            Some(roots) => labels(roots),
            None => "no ConfigMap istio-ca-root-cert".to_string(),
        };
        by_roots.entry(has).or_default().push(&given.namespace);
    }
    if by_roots.is_empty() {
        return None;
    }
    let count: usize = by_roots.values().map(Vec::len).sum();
    let of = view.live.given.len();
    let mut problem = view.problem(
        "istiod/roots-not-given",
        Severity::Error,
        alloc::format!("{count} of {of} namespaces do not have the roots of the secret"),
    );
    for (has, namespaces) in by_roots {
        problem = problem.evidence(alloc::format!("{has} in namespace {}", some(namespaces)));
    }
    Some(
        problem
            .evidence(alloc::format!("the secret has {}", labels(&set.roots)))
            .effect("workloads that start there do not trust the secret's roots, and reject the certificates that istiod signs")
            .fix(
                "restart istiod, which writes the ConfigMap of every namespace; workloads load the roots when they restart",
                Remedy::RestartIstiod,
            ),
    )
}

/// Clusters that reject each other where [`super::super::check`] has no secret to read: istiod's own CA on one side.
pub(super) fn strangers(views: &[View<'_>]) -> Option<SecretProblem> {
    let bare = |view: &View<'_>| view.used().is_none() && view.live.wanted.is_none();
    let mut concerned = Vec::new();
    let mut refused = Vec::new();
    for shower in views {
        for other in views.iter().filter(|other| !core::ptr::eq(*other, shower)) {
            if !bare(shower) && !bare(other) {
                continue;
            }
            let lines = refusals(shower, other);
            if !lines.is_empty() {
                concerned.extend([shower.live.name, other.live.name]);
                refused.extend(lines);
            }
        }
    }
    let in_order: Vec<&View<'_>> =
        views.iter().filter(|view| concerned.contains(&view.live.name)).collect();
    let mut problem = in_order.first()?.problem(
        "istiod/different-roots",
        Severity::Error,
        "the clusters do not trust each other",
    );
    problem.clusters = in_order.iter().map(|view| view.live.name.to_string()).collect();
    problem.evidence = refused;
    Some(
        problem
            .effect("istiod does not compare clusters; calls between them fail with CERTIFICATE_VERIFY_FAILED")
            .fix(
                "give every cluster an intermediate under the same root",
                Remedy::Create,
            ),
    )
}

/// What `other` says to what `shower` shows, where it says no.
fn refusals(shower: &View<'_>, other: &View<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for shown in shower.shown() {
        for trusted in other.trusted() {
            if let Some(why) = refuses(trusted.roots, shown.cert, shown.chain, shower.at) {
                lines.push(alloc::format!(
                    "{} does not accept {} in {}: {why}",
                    trusted.whose,
                    shown.what,
                    shower.live.name
                ));
            }
        }
    }
    lines
}
