//! What istiod does with a `cacerts` secret, by its version: at its start, and when the secret changes under it.
//!
//! The rules are read from istio's source, which each function names; they differ from release to release,
//! and some of them are silent, so they are worth asking before a secret is written:
//!
//! ```
//! use meshpki::istiod::{Secret, Settings, Start, Version, starts};
//! use meshpki::Time;
//!
//! let secret: Secret = [("ca-cert.pem", "..."), ("root-cert.pem", "..."), ("cert-chain.pem", "...")].into_iter().collect();
//! let at = Time::parse_rfc3339("2026-11-21T07:00:00Z").unwrap();
//! let with = |version| starts(&secret, &Settings::defaults(Version::parse(version).unwrap()), at);
//!
//! // The key was forgotten. An old istiod says nothing and signs with a CA of its own making.
//! assert!(matches!(with("1.25.0"), Start::SelfSigned { .. }));
//! let Start::RefusesToStart { log, .. } = with("1.30.3") else { panic!() };
//! assert_eq!(log, "failed to create an istiod CA: incomplete signing CA bundle detected");
//! ```

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::cert::Cert;
use crate::time::Time;

mod bundle;
mod check;
mod go_pem;
mod go_x509;
mod samples;

pub use bundle::Refusal;
pub use check::{
    Cluster, Given, InSpec, LiveCluster, LiveIstiod, Problem, Served, Severity, check, check_live,
};

use bundle::Bundle;

/// A release of Istio. What stands behind the third number (`-distroless`, `-rc.0`) is not looked at:
/// a release candidate has the rules of its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u16,
    minor: u16,
    patch: u16,
}

impl Version {
    /// The newest release these rules were read from; the files they stand in are the same in 1.31 before its first release
    /// (2026-08-27).
    pub const NEWEST: Self = Self::new(1, 30, 3);

    /// `major.minor.patch`.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Whether both are of one minor release, such as 1.30.0 and 1.30.3.
    #[must_use]
    pub const fn same_minor(self, other: Self) -> bool {
        self.major == other.major && self.minor == other.minor
    }

    /// Reads `1.6.4`, `1.30.3-distroless`, or `1.27` for its first release.
    ///
    /// ```
    /// use meshpki::istiod::Version;
    /// assert_eq!(Version::parse("1.30.3-distroless"), Some(Version::new(1, 30, 3)));
    /// assert!(Version::parse("1.6.4") < Version::parse("1.12.0"));
    /// assert_eq!(Version::parse("latest"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split_once(['-', '+']).map_or(text, |(numbers, _)| numbers);
        let parts: Option<Vec<u16>> = numbers.split('.').map(|n| n.parse().ok()).collect();
        match parts?.as_slice() {
            [major, minor] => Some(Self::new(*major, *minor, 0)),
            [major, minor, patch] => Some(Self::new(*major, *minor, *patch)),
            _ => None,
        }
    }

    /// Whether it is that release or a later one.
    const fn since(self, minor: u16, patch: u16) -> bool {
        match self.major {
            0 => false,
            1 => self.minor > minor || (self.minor == minor && self.patch >= patch),
            _ => true,
        }
    }

    /// `tls.crt`, `tls.key`, `ca.crt` are known: 1.14.2 and 1.15.0 (`istio_ca.go: detectSigningCABundle`, PR #39732).
    #[must_use]
    pub const fn knows_tls_files(self) -> bool {
        self.since(14, 2)
    }

    /// A set with a file missing is refused: 1.26.1 and 1.27.0 (`istio_ca.go: checkCABundleCompleteness`, PR #55696).
    #[must_use]
    pub const fn refuses_incomplete(self) -> bool {
        self.since(26, 1)
    }

    /// `ca-crl.pem` is known: 1.27.0 (`istio_ca.go: detectSigningCABundleAndCRL`).
    #[must_use]
    pub const fn knows_crl(self) -> bool {
        self.since(27, 0)
    }

    /// The folder can be watched at all: 1.12.0 (`istio_ca.go: initCACertsWatcher`, PR #31522).
    #[must_use]
    pub const fn can_reload(self) -> bool {
        self.since(12, 0)
    }

    /// SHA-1 signatures are refused: images from 1.14.0 on are built with Go 1.18
    /// (`crypto/x509/x509.go: checkSignature`; istio #38049).
    #[must_use]
    pub const fn refuses_sha1(self) -> bool {
        self.since(14, 0)
    }

    /// A workload's certificate ends with its signer at the latest: 1.28.7, 1.29.3 and 1.30.0.
    #[must_use]
    pub const fn clamps_leaves(self) -> bool {
        match self.minor {
            28 if self.major == 1 => self.patch >= 7,
            29 if self.major == 1 => self.patch >= 3,
            _ => self.since(30, 0),
        }
    }
}

impl Version {
    /// A peer's trust domain must be our own, whatever lists there are: until 1.6
    /// (istio/proxy `src/envoy/http/authn/authenticator_base.cc`).
    #[must_use]
    pub const fn wants_equal_trust_domain(self) -> bool {
        !self.since(7, 0)
    }

    /// `meshConfig.caCertificates[].trustDomains` are accepted: 1.16.4, 1.17.2 and 1.18.0
    /// (`pilot/pkg/networking/plugin/authn/util.go: TrustDomainsForValidation`).
    #[must_use]
    pub const fn accepts_domains_of_cas(self) -> bool {
        match self.minor {
            16 if self.major == 1 => self.patch >= 4,
            17 if self.major == 1 => self.patch >= 2,
            _ => self.since(18, 0),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The release, and the environment variables of istiod that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// Whether a changed folder is looked at without a restart.
    const fn watches(&self) -> bool {
        self.version.since(19, 0) || (self.version.can_reload() && self.auto_reload)
    }
}

/// The files of a secret, by name; names istiod does not know are kept. Content is zeroized and never shown.
#[derive(Clone, Default)]
pub struct Secret {
    files: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl Secret {
    /// Puts a file in.
    pub fn insert(&mut self, name: impl Into<String>, content: Vec<u8>) {
        self.files.insert(name.into(), Zeroizing::new(content));
    }

    /// Takes a file out, as if it had not been there.
    pub fn remove(&mut self, name: &str) {
        self.files.remove(name);
    }

    /// A file's content.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(|content| content.as_slice())
    }

    /// The files some release of istiod reads, and nothing beside them: what belongs into a cluster. A folder may hold
    /// more, such as the CSR the CA was signed from, or somebody's other key.
    #[must_use]
    pub fn for_istiod(&self) -> Self {
        let files = self.files.iter().filter(|(name, _)| Self::is_read(name));
        Self { files: files.map(|(name, content)| (name.clone(), content.clone())).collect() }
    }

    /// Whether an istiod of any release reads a file of this name.
    #[must_use]
    pub fn is_read(name: &str) -> bool {
        bundle::FILES.contains(&name) && name != "istio-generated"
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

impl<N: Into<String>, C: Into<Vec<u8>>> FromIterator<(N, C)> for Secret {
    fn from_iter<I: IntoIterator<Item = (N, C)>>(files: I) -> Self {
        let mut secret = Self::default();
        for (name, content) in files {
            secret.insert(name, content.into());
        }
        secret
    }
}

/// What istiod does when it starts with a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
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
    /// It makes a CA of its own, or goes on with the one it made before, and says so in one line at most.
    SelfSigned {
        /// The line.
        log: String,
        /// Files of the secret that look as if they should have been used.
        ignored: Vec<String>,
    },
}

impl fmt::Display for Start {
    /// Goes behind "istiod 1.30.3 ": `starts and signs with ...`, `refuses to start: ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plugged { ca } => write!(f, "starts and signs with `{}`", ca.subject().label()),
            Self::RefusesToStart { log, .. } => write!(f, "refuses to start: {log}"),
            Self::SelfSigned { log, .. } => {
                write!(f, "starts with a CA of its own making and says no more than: {log}")
            }
        }
    }
}

/// What istiod, running on one secret, does when another takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it does at once, which is: within the minute or two the kubelet takes.
    pub now: Now,
    /// What it does at its next start, whenever that is.
    pub next_start: Start,
}

/// What istiod does at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Now {
    /// Nothing istiod reads has changed.
    Unchanged,
    /// It signs with the new CA.
    HotReload {
        /// The line that says so.
        log: &'static str,
    },
    /// It goes on with the old CA until it is restarted, and writes nothing.
    NeedsRestart {
        /// Why it does not look.
        why: &'static str,
    },
    /// It looked, and goes on with the old CA.
    KeepsOld {
        /// The line it writes.
        log: String,
    },
}

/// What istiod does when it starts with `secret` mounted, at `at`
/// (`pilot/pkg/bootstrap/istio_ca.go: createIstioCA`, `security/pkg/pki/ca/ca.go: NewPluggedCertIstioCAOptions, NewIstioCA`).
#[must_use]
pub fn starts(secret: &Secret, settings: &Settings, at: Time) -> Start {
    let bundle = Bundle::detect(secret, settings);
    let refuses = |refusal: Refusal, log: String| Start::RefusesToStart {
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
        return Start::SelfSigned { log, ignored };
    }
    match bundle.load(at) {
        Ok(ca) if ca.is_ca() => match bundle.lifetime(at) {
            Ok(()) => Start::Plugged { ca },
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
pub fn changes(old: &Secret, new: &Secret, settings: &Settings, at: Time) -> Change {
    Change { now: now(old, new, settings, at), next_start: starts(new, settings, at) }
}

fn now(old: &Secret, new: &Secret, settings: &Settings, at: Time) -> Now {
    if bundle::FILES.iter().all(|name| old.get(name) == new.get(name)) {
        return Now::Unchanged;
    }
    let running = Bundle::detect(old, settings);
    match starts(old, settings, running.loaded_at(at)) {
        Start::Plugged { .. } => {}
        // createIstioCA adds the watcher for a plugged CA only (#57853).
        Start::SelfSigned { .. } => {
            return Now::NeedsRestart {
                why: "it runs on a CA of its own and does not watch the secret",
            };
        }
        Start::RefusesToStart { .. } => {
            return Now::NeedsRestart { why: "it never came up with the old files" };
        }
    }
    if !settings.watches() {
        let why = if settings.version.can_reload() {
            "AUTO_RELOAD_PLUGIN_CERTS is not set"
        } else {
            "releases before 1.12 read the secret at their start only"
        };
        return Now::NeedsRestart { why };
    }
    let next = Bundle::detect(new, settings);
    match reload(&running, &next, settings, at) {
        Ok(()) => Now::HotReload {
            log: "Istiod has detected the newly added intermediate CA and updated its key and certs accordingly",
        },
        Err(log) => Now::KeepsOld { log },
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
        alloc::format!("failed reading root-cert.pem: {}", bundle::missing(next.names.root))
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

#[cfg(test)]
mod tests;
