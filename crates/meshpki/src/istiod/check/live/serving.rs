//! What istiod serves, compared with its secret and with the other pods and revisions.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{LiveIstiod, View, some};
use crate::cert::Cert;
use crate::chain::issued;
use crate::digest::hex;
use crate::istiod::check::{Remedy, SecretProblem, Severity};
use crate::istiod::{Reload, Secret, StartOutcome, changes, starts};

/// A pod of istiod serves a CA that differs from its secret's.
pub(super) fn not_live(view: &View<'_>) -> Option<SecretProblem> {
    let ca = view.used()?.ca.as_ref()?;
    let by_issuer = issuers(view.chains().filter(|(_, chain)| !issued(ca, &chain[0])));
    if by_issuer.is_empty() {
        return None;
    }
    let mut problem = view.problem(
        "istiod/not-live",
        Severity::Error,
        "istiod serves a CA that differs from its secret's",
    );
    for (issuer, pods) in by_issuer {
        problem = problem.evidence(alloc::format!("pod {} serves {issuer}", some(pods)));
    }
    let watching = view.live.istiods.iter().filter(|istiod| istiod.settings.watches());
    let effect = match watching.map(|istiod| istiod.settings.version).next() {
        Some(version) => alloc::format!(
            "istiod {version} loads a new secret by itself within about two minutes, unless the roots differ or it runs on its own CA"
        ),
        None => "istiod reads the secret only when it starts".to_string(),
    };
    Some(
        problem
            .evidence(alloc::format!("the secret has {}", ca.label()))
            .effect(alloc::format!("{effect}; until then it signs with the old CA"))
            .fix(
                "restart istiod; if the roots change, then also the gateways and the workloads",
                Remedy::RestartIstiod,
            ),
    )
}

/// Revisions that treat one secret differently, or pods that serve different CAs.
pub(super) fn mixed_revisions(view: &View<'_>) -> Option<SecretProblem> {
    let mut evidence = treated(view);
    let by_issuer = issuers(view.chains());
    if by_issuer.len() > 1 {
        let lines = by_issuer
            .into_iter()
            .map(|(issuer, pods)| alloc::format!("pod {} serves {issuer}", some(pods)));
        evidence.extend(lines);
    }
    if evidence.is_empty() {
        return None;
    }
    let mut problem = view.problem(
        "istiod/mixed-revisions",
        Severity::Warning,
        "the istiods of the cluster treat the secret differently",
    );
    problem.evidence = evidence;
    Some(
        problem
            .effect("which CA signs for a workload depends on the workload's revision; only one revision writes the root ConfigMaps")
            .fix(
                "give the revisions the same release and settings, or remove the old one",
                Remedy::ShowRelease,
            ),
    )
}

/// What each revision does with the secret, where they do not all do the same.
fn treated(view: &View<'_>) -> Vec<String> {
    let Some(new) = view.live.wanted.or(view.live.secret) else { return Vec::new() };
    let old = view.live.secret.filter(|_| view.is_change());
    let all: Vec<(&LiveIstiod, (u8, u8), String)> = view
        .live
        .istiods
        .iter()
        .map(|istiod| {
            let (kind, text) = treatment(view, old, new, istiod);
            (istiod, kind, text)
        })
        .collect();
    if all.iter().all(|(_, kind, _)| *kind == all[0].1) {
        return Vec::new();
    }
    let line = |(istiod, _, text): &(&LiveIstiod, _, String)| {
        alloc::format!("revision {}, istiod {}: {text}", istiod.revision, istiod.settings.version)
    };
    all.iter().map(line).collect()
}

/// What it does in a number to compare by, and in words.
fn treatment(
    view: &View<'_>,
    old: Option<&Secret>,
    new: &Secret,
    istiod: &LiveIstiod,
) -> ((u8, u8), String) {
    let start = starts(new, &istiod.settings, view.at);
    let kind = match &start {
        StartOutcome::Plugged { .. } => 0,
        StartOutcome::RefusesToStart { .. } => 1,
        StartOutcome::SelfSigned { .. } => 2,
    };
    let Some(old) = old else { return ((kind, 0), start.to_string()) };
    let (now, words) = match changes(old, new, &istiod.settings, view.at).reload {
        Reload::Unchanged => (0, "sees no change"),
        Reload::HotReload { .. } => (1, "loads it at once"),
        // It is restarted in both cases.
        Reload::NeedsRestart { .. } | Reload::KeepsOld { .. } => {
            (2, "loads it when it is restarted")
        }
    };
    ((kind, now), alloc::format!("{words}, and {start}"))
}

/// The pods by the issuer of what they present.
fn issuers<'v>(
    chains: impl Iterator<Item = (&'v str, &'v [Cert])>,
) -> BTreeMap<String, Vec<&'v str>> {
    let mut all: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (pod, chain) in chains {
        all.entry(issuer(&chain[0], &chain[1..])).or_default().push(pod);
    }
    all
}

/// The issuer of a certificate: the certificate sent with it, or else what it says of its issuer.
fn issuer(leaf: &Cert, chain: &[Cert]) -> String {
    if let Some(ca) = chain.iter().find(|cert| issued(cert, leaf)) {
        return ca.label();
    }
    let id = leaf.extensions().authority_key_id.as_ref().and_then(|id| id.key_id.as_ref());
    let id: String = id.map_or_else(|| "none".to_string(), |id| hex(&id[..id.len().min(4)]));
    alloc::format!("`{}` (key id {id})", leaf.issuer().label())
}
