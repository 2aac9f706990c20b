//! The plan for one cluster: what changes, what istiod will do, who restarts.

use std::collections::BTreeSet;

use meshapply::next::{Stop, cleans, refusal, unusable};
use meshapply::state::{Desired, RestartTarget, restart_for};
use meshapply::workload::Id;
use meshpki::cacerts::Secret;
use meshpki::internals::fingerprints;
use meshpki::istiod::{Reload, Settings, Version, changes, starts};
use meshpki::{Cert, Time};

use super::{Options, Restart};
use crate::fleet::clusters::Seen;

/// What will be done in a cluster.
pub(super) struct Plan {
    /// What the cluster should have.
    pub(super) desired: Desired,
    /// Whether the secret differs.
    pub(super) changes: bool,
    /// Whether kubectl's copy of the files is removed, although the secret itself is unchanged.
    pub(super) cleans: bool,
    /// Lines of what changes in the secret: fingerprints, subjects and dates, no key.
    pub(super) diff: Vec<String>,
    /// Files of the folder that istiod does not read, which stay there.
    pub(super) left_out: Vec<String>,
    /// What each istiod will do: revision, release, sentence.
    pub(super) effects: Vec<String>,
    /// Who restarts, in order.
    pub(super) restarts: Vec<Id>,
    /// The roots change, and no gateway was found by its labels.
    pub(super) lacks_gateways: bool,
    /// Why it will not be written.
    pub(super) refusal: Option<Stop>,
}

impl Plan {
    pub(super) fn new(folder: &Secret, seen: &Seen, options: &Options, at: Time) -> Self {
        let secret = folder.for_istiod();
        let left_out = folder.names().filter(|name| secret.get(name).is_none());
        let left_out = left_out.map(str::to_owned).collect();
        let observed = &seen.observed;
        let old = observed.secret.as_ref();
        let changes = old.is_none_or(|live| live.files != secret);
        let desired = Desired {
            restart: who_restarts(&secret, seen, options, at),
            secret,
            basis: observed.basis(),
            adopt: options.adopt,
            workloads: options.workloads,
            batch: options.batch,
            reload_seconds: options.reload_seconds,
            before_install: options.before_install,
        };
        Self {
            diff: diff(old.map(|live| &live.files), &desired.secret, seen.release()),
            left_out,
            effects: effects(&desired, seen, changes, at),
            restarts: observed.restarts(&desired),
            lacks_gateways: desired.restart.contains(&RestartTarget::Gateways)
                && observed.gateways.is_empty(),
            refusal: if changes {
                refusal(&desired, observed)
            } else {
                unusable(observed).filter(|stop| !is_to_come(stop, options))
            },
            cleans: !changes && old.is_some_and(cleans),
            changes,
            desired,
        }
    }

    /// Whether anything may be written.
    pub(super) fn writes(&self) -> bool {
        self.changes || self.cleans || !self.restarts.is_empty()
    }
}

/// Whether istiod is missing, and does not need to exist yet.
pub(super) fn is_to_come(stop: &Stop, options: &Options) -> bool {
    *stop == Stop::NoIstiod && options.before_install
}

fn who_restarts(
    secret: &Secret,
    seen: &Seen,
    options: &Options,
    at: Time,
) -> BTreeSet<RestartTarget> {
    let observed = &seen.observed;
    let nobody_runs = observed.istiod.is_empty() && observed.gateways.is_empty();
    match options.restart {
        // Otherwise the next push would restart workloads that never used another secret.
        Restart::Auto | Restart::Istiod | Restart::Renewed
            if options.before_install && nobody_runs =>
        {
            BTreeSet::new()
        }
        Restart::Never => BTreeSet::new(),
        Restart::Always => [RestartTarget::Gateways, RestartTarget::Istiod].into(),
        Restart::Auto | Restart::Istiod | Restart::Renewed => {
            let settings: Vec<Settings> = seen.istiods.iter().map(|i| i.settings.clone()).collect();
            let old = seen.observed.secret.as_ref().map(|live| &live.files);
            let mut who = restart_for(old, secret, &seen.given, &settings, at);
            // Restarts an earlier push did not get to are not lost with its content.
            who.extend(seen.observed.unfinished());
            let ca_changes =
                old.and_then(|old| old.ca(seen.release())) != secret.ca(seen.release());
            match options.restart {
                Restart::Istiod => _ = who.remove(&RestartTarget::Gateways),
                Restart::Renewed if ca_changes => _ = who.insert(RestartTarget::Gateways),
                _ => {}
            }
            who
        }
    }
}

fn effects(desired: &Desired, seen: &Seen, is_change: bool, at: Time) -> Vec<String> {
    let empty = Secret::default();
    let old = seen.observed.secret.as_ref().map_or(&empty, |live| &live.files);
    let mut effects = Vec::new();
    for istiod in &seen.istiods {
        let name = format!("istiod {} ({})", istiod.settings.version, istiod.id.name);
        if !is_change {
            effects.push(format!("{name} {}", starts(&desired.secret, &istiod.settings, at)));
            continue;
        }
        let change = changes(old, &desired.secret, &istiod.settings, at);
        let now = match &change.reload {
            Reload::Unchanged => "sees no change".to_owned(),
            Reload::HotReload { .. } if desired.restart.contains(&RestartTarget::Istiod) => {
                "loads it, and restarts".to_owned()
            }
            Reload::HotReload { .. } => "loads it without a restart".to_owned(),
            Reload::NeedsRestart { why } => format!("loads it at its next start: {why}"),
            Reload::KeepsOld { log } => format!("keeps the old CA until its next start: {log}"),
            _ => "has an unknown effect".to_owned(),
        };
        effects.push(format!("{name} {now}; then it {}", change.next_start));
    }
    effects
}

/// The secret's change, in lines that begin with `-` and `+`.
fn diff(old: Option<&Secret>, new: &Secret, release: Version) -> Vec<String> {
    let mut lines = Vec::new();
    let old_ca = old.and_then(|old| old.ca(release));
    let new_ca = new.ca(release);
    if old_ca != new_ca {
        lines.extend(old_ca.iter().map(|cert| format!("- CA   {}", described(cert))));
        lines.extend(new_ca.iter().map(|cert| format!("+ CA   {}", described(cert))));
    }
    let (old_roots, new_roots) =
        (old.map(|old| old.roots(release)).unwrap_or_default(), new.roots(release));
    let (old_ids, new_ids) = (fingerprints(&old_roots), fingerprints(&new_roots));
    let gone = old_roots.iter().filter(|cert| !new_ids.contains(&cert.fingerprint()));
    lines.extend(gone.map(|cert| format!("- root {}", described(cert))));
    let come = new_roots.iter().filter(|cert| !old_ids.contains(&cert.fingerprint()));
    lines.extend(come.map(|cert| format!("+ root {}", described(cert))));
    let empty = Secret::default();
    let old = old.unwrap_or(&empty);
    let names: BTreeSet<&str> = old.names().chain(new.names()).collect();
    for name in names {
        let how = match (old.get(name), new.get(name)) {
            (None, Some(_)) => "+",
            (Some(_), None) => "-",
            (Some(before), Some(after)) if before != after => "~",
            _ => continue,
        };
        // Of a key only the fact that it differs is shown.
        let what = if Secret::is_key(name) { " (a private key; not shown)" } else { "" };
        lines.push(format!("{how} file {name}{what}"));
    }
    lines
}

fn described(cert: &Cert) -> String {
    let until = cert.not_after().time().map_or_else(|| "?".to_owned(), Time::date);
    format!("{}, until {until}", cert.label())
}
