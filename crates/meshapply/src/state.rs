//! What a cluster should hold, and what it holds.

use std::collections::BTreeSet;

use meshpki::Time;
use meshpki::cacerts::Secret;
use meshpki::internals::fingerprints;
use meshpki::istiod::{NamespaceRoots, Reload, Settings, Version, changes};

use crate::workload::Workload;

/// What must restart for a content of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RestartTarget {
    /// The gateways (and ztunnel): their certificates are of the roots before.
    Gateways,
    /// istiod: it does not take the new content by itself.
    Istiod,
}

impl RestartTarget {
    /// As it is written into [`crate::names::RESTART`].
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gateways => "gateways",
            Self::Istiod => "istiod",
        }
    }

    /// Reads what [`restart_text`] wrote; words it does not know are left out.
    #[must_use]
    pub fn parse_all(text: &str) -> BTreeSet<Self> {
        let all = [Self::Gateways, Self::Istiod];
        text.split(',').filter_map(|word| all.into_iter().find(|who| who.word() == word)).collect()
    }
}

/// The value of [`crate::names::RESTART`].
#[must_use]
pub fn restart_text(who: &BTreeSet<RestartTarget>) -> String {
    who.iter().map(|who| who.word()).collect::<Vec<_>>().join(",")
}

/// What a pod template is marked with when its pods restart for a write: the content, and which write of it, so that
/// a content that comes back after another has been there restarts everyone again.
#[must_use]
pub fn mark(secret: &Secret, over: Option<&str>) -> String {
    format!("{}.{}", secret.fingerprint(), over.unwrap_or("0"))
}

/// A secret in a cluster. Its keys have no `Debug`.
#[derive(Clone)]
pub struct Live {
    /// Its files.
    pub files: Secret,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// The other owners of fields of its data, sorted: `kubectl-create`, `helm`.
    pub foreign: Vec<String>,
    /// The mark of the write, when it was ours and the content is still the one written.
    pub mark: Option<String>,
    /// The mark it bears, whatever its content is now.
    pub claim: Option<String>,
    /// What must restart for it; empty without a mark.
    pub restart: BTreeSet<RestartTarget>,
    /// Whether it says `immutable: true`.
    pub immutable: bool,
    /// Whether kubectl keeps a copy of the files in an annotation ([`crate::names::LAST_APPLIED`]).
    pub has_copy: bool,
    /// When its files were written last; `None` where that is not recorded.
    pub written: Option<Time>,
    /// Its type, which cannot change: `Opaque`, `kubernetes.io/tls`.
    pub type_: String,
}

impl Live {
    /// Whether a secret of its type may hold these files (`kubernetes pkg/apis/core/validation: ValidateSecret`).
    #[must_use]
    pub fn can_hold(&self, files: &Secret) -> bool {
        match self.type_.as_str() {
            "kubernetes.io/tls" => {
                ["tls.crt", "tls.key"].iter().all(|name| files.get(name).is_some())
            }
            other => !other.starts_with("kubernetes.io/"),
        }
    }
}

/// What a cluster should come to hold.
#[derive(Clone)]
pub struct Desired {
    /// The files of the secret.
    pub secret: Secret,
    /// `resourceVersion` of the secret the plan was made with; `None`: there was none.
    pub basis: Option<String>,
    /// Write even if another manager owns fields of the data.
    pub adopt: bool,
    /// What restarts for the content, when it is written.
    pub restart: BTreeSet<RestartTarget>,
    /// Restart the injected workloads too, when the gateways are.
    pub workloads: bool,
    /// How many injected workloads restart at the same time.
    pub batch: usize,
    /// Seconds istiod is given to reload by itself before it is restarted.
    pub reload_seconds: u64,
    /// istiod is not installed yet: the secret is all there is to do.
    pub before_install: bool,
}

impl Desired {
    /// A secret as it is, with nothing to be changed: what a proof alone is asked for.
    #[must_use]
    pub fn as_it_is(live: &Live) -> Self {
        Self {
            secret: live.files.clone(),
            basis: Some(live.resource_version.clone()),
            adopt: false,
            restart: BTreeSet::new(),
            workloads: false,
            batch: 1,
            reload_seconds: 0,
            before_install: false,
        }
    }
}

/// A secret without files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vacant {
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Whether it says `immutable: true`.
    pub immutable: bool,
}

/// What a cluster holds.
#[derive(Clone, Default)]
pub struct Observed {
    /// The secret `cacerts`, unless it has no files.
    pub secret: Option<Live>,
    /// The secret `cacerts` without files, which istiod ignores: made beforehand, so that no one needs the right to
    /// create secrets.
    pub vacant: Option<Vacant>,
    /// The secret that was replaced last, unless it has no files.
    pub previous: Option<Live>,
    /// Whether the secret for it exists, with or without files.
    pub has_previous: bool,
    /// istiod, every revision, sorted.
    pub istiod: Vec<Workload>,
    /// The gateways and ztunnel, sorted.
    pub gateways: Vec<Workload>,
    /// The injected workloads, sorted; empty unless they were asked for.
    pub workloads: Vec<Workload>,
}

impl Observed {
    /// `resourceVersion` of the secret, with or without files; `None`: there is none.
    #[must_use]
    pub fn basis(&self) -> Option<String> {
        let live = self.secret.as_ref().map(|live| &live.resource_version);
        live.or(self.vacant.as_ref().map(|vacant| &vacant.resource_version)).cloned()
    }
}

/// What must restart when `new` replaces `old` under istiods with these settings, while the workloads of
/// each namespace are given the roots in `given`.
///
/// istiod where it does not reload by itself (`handleEvent`), does not run on `old` at all, which the roots it gives out
/// show, or distributes CRLs that `new` lacks, which it does until its next start; the gateways if the roots differ, since
/// what they present and what they trust comes from the roots before.
#[must_use]
pub fn restart_for(
    old: Option<&Secret>,
    new: &Secret,
    given: &[NamespaceRoots],
    istiods: &[Settings],
    at: Time,
) -> BTreeSet<RestartTarget> {
    let empty = Secret::default();
    let old = old.unwrap_or(&empty);
    let mut who = BTreeSet::new();
    // Each istiod reads the layout its release knows.
    let mut releases: Vec<Version> = istiods.iter().map(|settings| settings.version).collect();
    if releases.is_empty() {
        releases.push(Version::NEWEST);
    }
    let roots = |secret: &Secret| -> Vec<_> {
        releases.iter().map(|release| fingerprints(&secret.roots(*release))).collect()
    };
    let (old_roots, new_roots) = (roots(old), roots(new));
    let given = given.iter().filter_map(|namespace| namespace.roots.as_deref());
    let given: Vec<_> = given.map(fingerprints).collect();
    if given.iter().any(|given| !old_roots.contains(given)) {
        who.insert(RestartTarget::Istiod);
    }
    if given.iter().any(|given| !new_roots.contains(given)) {
        who.insert(RestartTarget::Gateways);
    }
    let waits = |settings: &Settings| {
        matches!(
            changes(old, new, settings, at).reload,
            Reload::NeedsRestart { .. } | Reload::KeepsOld { .. }
        )
    };
    let has_crls = |secret: &Secret, settings: &Settings| {
        settings.crl && secret.crl(settings.version).is_some()
    };
    let keeps = |settings: &Settings| has_crls(old, settings) && !has_crls(new, settings);
    if istiods.iter().any(|settings| waits(settings) || keeps(settings)) {
        who.insert(RestartTarget::Istiod);
    }
    if old_roots != new_roots {
        who.insert(RestartTarget::Gateways);
    }
    who
}
