//! What istiod does with a `cacerts` secret, by its version: at its start, and when the secret changes under it.
//!
//! The rules are read from istio's source, which each function names; they differ from release to release,
//! and some of them are silent, so they are worth asking before a secret is written:
//!
//! ```
//! use meshpki::istiod::{Secret, Settings, StartOutcome, Version, starts};
//! use meshpki::Time;
//!
//! let secret: Secret = [("ca-cert.pem", "..."), ("root-cert.pem", "..."), ("cert-chain.pem", "...")].into_iter().collect();
//! let at = "2026-11-21T07:00:00Z".parse::<Time>().unwrap();
//! let with = |version: &str| starts(&secret, &Settings::defaults(version.parse::<Version>().unwrap()), at);
//!
//! // The key was forgotten. An old istiod logs nothing about it and signs with its own CA.
//! assert!(matches!(with("1.25.0"), StartOutcome::SelfSigned { .. }));
//! let StartOutcome::RefusesToStart { log, .. } = with("1.30.3") else { panic!() };
//! assert_eq!(log, "failed to create an istiod CA: incomplete signing CA bundle detected");
//! ```

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::cacerts::go_pem;
use crate::cert::Cert;
use crate::time::Time;
use crate::verify::Rejection;

mod bundle;
pub(crate) mod canary;
mod check;
pub(crate) mod dataplane;

pub use bundle::Refusal;
pub use check::{
    ClusterSecret, LiveCluster, LiveIstiod, NamespaceRoots, Remedy, SecretProblem, ServedChain,
    Severity, SpecExpectation, check, check_live,
};
pub use dataplane::{Dataplane, Verifier};

pub use crate::cacerts::Secret;
pub use crate::version::{Version, VersionError};

use bundle::Bundle;

/// The release, and the environment variables of istiod that matter here: [`Settings::defaults`] with fields changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The release.
    pub version: Version,
    /// `ISTIO_MULTIROOT_MESH`: the roots may change while istiod runs, from 1.20.0 on. Default false.
    pub multi_root: bool,
    /// `AUTO_RELOAD_PLUGIN_CERTS`, which 1.12 to 1.18 have: default false, in 1.18 true. Since 1.19 it is always so.
    pub auto_reload: bool,
    /// `PILOT_ENABLE_CA_CRL`, from 1.27.0 on. Default true.
    pub crl: bool,
    /// `USE_CACERTS_FOR_SELF_SIGNED_CA`, from 1.20.0 on: istiod keeps its own CA in `cacerts`. Default false.
    pub cacerts_for_self_signed: bool,
}

impl Settings {
    /// What the release does when no variable is set (`pilot/pkg/features`).
    #[must_use]
    pub const fn defaults(version: Version) -> Self {
        Self {
            version,
            multi_root: false,
            auto_reload: version.since(18, 0),
            crl: version.knows_crl(),
            cacerts_for_self_signed: false,
        }
    }

    /// The same with `ISTIO_MULTIROOT_MESH` set or not.
    #[must_use]
    pub const fn with_multi_root(self, multi_root: bool) -> Self {
        Self { multi_root, ..self }
    }

    /// Whether a changed folder is read without a restart.
    const fn watches(&self) -> bool {
        self.version.since(19, 0) || (self.version.can_reload() && self.auto_reload)
    }
}

/// What istiod does when it starts with a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartOutcome {
    /// It signs with the CA of the secret.
    Plugged {
        /// The signing certificate: the first block of its file.
        ca: Cert,
    },
    /// It does not come up; the pod restarts again and again.
    RefusesToStart {
        /// Its last words.
        log: String,
        /// Which of its checks failed.
        refusal: Refusal,
    },
    /// It makes its own CA, or continues with the one it made before, and logs one line at most.
    SelfSigned {
        /// The line.
        log: String,
        /// Files of the secret that look as if they should have been used.
        ignored: Vec<String>,
    },
}

impl fmt::Display for StartOutcome {
    /// Follows "istiod 1.30.3 ": `starts and signs with ...`, `refuses to start: ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plugged { ca } => write!(f, "starts and signs with `{}`", ca.subject().label()),
            Self::RefusesToStart { log, .. } => write!(f, "refuses to start: {log}"),
            Self::SelfSigned { log, .. } => {
                write!(f, "starts with its own CA and logs only: {log}")
            }
        }
    }
}

/// What istiod, running on one secret, does when another takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretChange {
    /// What it does at once, which is: within the minute or two the kubelet takes.
    pub reload: Reload,
    /// What it does at its next start, whenever that is.
    pub next_start: StartOutcome,
}

/// What istiod does at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reload {
    /// Nothing istiod reads has changed.
    Unchanged,
    /// It signs with the new CA.
    HotReload {
        /// The line that says so.
        log: &'static str,
    },
    /// It continues with the old CA until it is restarted, and logs nothing.
    NeedsRestart {
        /// Why it does not look.
        why: &'static str,
    },
    /// It read the new files, and continues with the old CA.
    KeepsOld {
        /// The line it writes.
        log: String,
    },
}

/// What istiod does when it starts with `secret` mounted, at `at`
/// (`pilot/pkg/bootstrap/istio_ca.go: createIstioCA`, `security/pkg/pki/ca/ca.go: NewPluggedCertIstioCAOptions, NewIstioCA`).
#[must_use]
pub fn starts(secret: &Secret, settings: &Settings, at: Time) -> StartOutcome {
    let bundle = Bundle::new(secret, settings);
    let refuses = |refusal: Refusal, log: String| StartOutcome::RefusesToStart {
        log: alloc::format!("failed to create an istiod CA: {log}"),
        refusal,
    };
    let present = bundle.present();
    let complete = present.iter().all(|there| *there);
    if settings.version.refuses_incomplete() && !complete && present.contains(&true) {
        return refuses(Refusal::Incomplete, "incomplete signing CA bundle detected".to_string());
    }
    // Before that, the key alone decided.
    let detected = bundle.key().is_some();
    let own = settings.version.since(20, 0)
        && settings.cacerts_for_self_signed
        && secret.get("istio-generated").is_some();
    if !detected || own {
        let ignored = if own { Vec::new() } else { bundle.ignored() };
        let log = "Use self-signed certificate as the CA certificate".to_string();
        return StartOutcome::SelfSigned { log, ignored };
    }
    match bundle.load(at) {
        Ok(ca) if ca.is_ca() => match bundle.lifetime(at) {
            Ok(()) => StartOutcome::Plugged { ca },
            Err((refusal, why)) => refuses(refusal, why),
        },
        Ok(_) => refuses(
            Refusal::NotCa,
            "certificate is not authorized to sign other certificates".to_string(),
        ),
        Err((refusal, why)) => {
            refuses(refusal, alloc::format!("failed to create CA KeyCertBundle ({why})"))
        }
    }
}

/// What an istiod that started with `old` does when `new` takes its place at `at`
/// (`pilot/pkg/bootstrap/istio_ca.go: handleEvent`).
///
/// That `old` was good when istiod started is judged at the time its youngest certificate began, so that
/// one that has expired since is still what istiod runs on.
#[must_use]
pub fn changes(old: &Secret, new: &Secret, settings: &Settings, at: Time) -> SecretChange {
    SecretChange { reload: reaction(old, new, settings, at), next_start: starts(new, settings, at) }
}

fn reaction(old: &Secret, new: &Secret, settings: &Settings, at: Time) -> Reload {
    if Secret::FILES.iter().all(|name| old.get(name) == new.get(name)) {
        return Reload::Unchanged;
    }
    let running = Bundle::new(old, settings);
    match starts(old, settings, running.loaded_at(at)) {
        StartOutcome::Plugged { .. } => {}
        // createIstioCA adds the watcher for a plugged CA only (#57853).
        StartOutcome::SelfSigned { .. } => {
            return Reload::NeedsRestart {
                why: "it runs on its own CA and does not watch the secret",
            };
        }
        StartOutcome::RefusesToStart { .. } => {
            return Reload::NeedsRestart { why: "it never came up with the old files" };
        }
    }
    if !settings.watches() {
        let why = if settings.version.can_reload() {
            "AUTO_RELOAD_PLUGIN_CERTS is not set"
        } else {
            "releases before 1.12 read the secret only when they start"
        };
        return Reload::NeedsRestart { why };
    }
    let next = Bundle::new(new, settings);
    match reload(&running, &next, settings, at) {
        Ok(()) => Reload::HotReload {
            log: "Istiod has detected the newly added intermediate CA and updated its key and certs accordingly",
        },
        Err(log) => Reload::KeepsOld { log },
    }
}

/// `handleEvent` from the reading of the roots on. It does not ask whether the new certificate is a CA.
fn reload(
    running: &Bundle<'_>,
    next: &Bundle<'_>,
    settings: &Settings,
    at: Time,
) -> Result<(), String> {
    let new = next.roots().ok_or_else(|| {
        alloc::format!(
            "failed reading root-cert.pem: {}",
            bundle::missing(next.layout.roots_file())
        )
    })?;
    let old = running.roots().unwrap_or_default();
    if old != new {
        // The flag and the first form are of PR #47063, the sets of PR #59909.
        let related = if settings.version.since(30, 0) {
            go_pem::are_nested(old, new)
        } else {
            contains(old, new) || contains(new, old)
        };
        if settings.version.since(20, 0) && !settings.multi_root {
            return Err("Multi root is disabled, updating new ROOT-CA not supported".to_string());
        }
        if !settings.version.since(20, 0) || !related {
            return Err("Updating new ROOT-CA not supported".to_string());
        }
    }
    match next.load(at) {
        Ok(_) => Ok(()),
        Err((_, why)) => Err(alloc::format!("Failed to update new Plug-in CA certs: {why}")),
    }
}

/// Go's `bytes.Contains`.
fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// Why agents reject what istiod or a workload shows under these roots (Go); `None`: they accept it.
pub(crate) fn refused_by_agent(
    roots: &[Cert],
    leaf: &Cert,
    sent: &[Cert],
    at: Time,
) -> Option<Rejection> {
    bundle::refuses(roots, leaf, sent, at)
}

#[cfg(test)]
mod tests;
