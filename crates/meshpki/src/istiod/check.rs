//! What is wrong with the secrets of one or more clusters before they are written: istiod's refusals, and what
//! it accepts though the mesh fails on it.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::bundle::{Bundle, Chains};
use super::{Secret, Settings, StartOutcome, starts};
use crate::cacerts::Layout;
use crate::cacerts::go_pem::{self, first_cert};
use crate::cert::Cert;
use crate::chain::is_bridge;
use crate::spiffe::id::TrustDomain;
use crate::time::Time;
use crate::verify::Rejection;

mod across;
mod chain;
mod expiry;
mod files;
mod live;
mod peers;
mod remedy;
mod trust;

pub use live::{LiveCluster, LiveIstiod, NamespaceRoots, ServedChain, SpecExpectation, check_live};
pub use remedy::Remedy;

/// The secret of a cluster, or the one it will get.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ClusterSecret<'a> {
    /// The cluster's name, for messages.
    pub name: &'a str,
    /// Its files.
    pub secret: &'a Secret,
    /// `meshConfig.trustDomain`; `None`: not known, so one that the CA may sign for is assumed.
    pub trust_domain: Option<&'a TrustDomain>,
    /// Whether ztunnel verifies there, too (ambient mode). Default false.
    pub ambient: bool,
    /// Names of clusters of which it need not accept the workloads. Default none.
    pub apart: &'a [String],
}

impl<'a> ClusterSecret<'a> {
    /// A cluster by its name, and its secret.
    #[must_use]
    pub const fn new(name: &'a str, secret: &'a Secret) -> Self {
        Self { name, secret, trust_domain: None, ambient: false, apart: &[] }
    }

    /// The same in a trust domain.
    #[must_use]
    pub const fn with_trust_domain(self, trust_domain: Option<&'a TrustDomain>) -> Self {
        Self { trust_domain, ..self }
    }

    /// The same apart from these clusters: that it rejects their workloads is as it should be.
    #[must_use]
    pub const fn with_apart(self, apart: &'a [String]) -> Self {
        Self { apart, ..self }
    }

    /// The same with ztunnel or without. It is asked if this library has the feature `webpki`.
    #[must_use]
    pub const fn with_ambient(self, ambient: bool) -> Self {
        Self { ambient, ..self }
    }
}

/// How bad a [`SecretProblem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The mesh works, but this deserves attention.
    Warning,
    /// istiod does not take it, the mesh fails on it, or a key is not secret.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something wrong with a secret, or between those of several clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretProblem {
    /// One of [`SecretProblem::CODES`]: stable, for scripts and for `docs/errors.md`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The clusters it concerns, the one to act on first, else in the order they were given.
    pub clusters: Vec<String>,
    /// The file of the secret, if the problem is in one.
    pub file: Option<String>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// Both sides of it, a line each.
    pub evidence: Vec<String>,
    /// What istiod of that release, or the mesh below it, does.
    pub effect: String,
    /// What to do about it.
    pub fix: String,
    /// The next step for the first cluster; `None` if there is none to suggest.
    pub remedy: Option<Remedy>,
}

impl SecretProblem {
    /// Every code there is, in alphabetical order.
    pub const CODES: &'static [&'static str] = &[
        "istiod/cert-sign",
        "istiod/chain-start",
        "istiod/crl",
        "istiod/crl-expires-soon",
        "istiod/crl-ignored",
        "istiod/different-roots",
        "istiod/duplicate",
        "istiod/expired",
        "istiod/expires-soon",
        "istiod/ext-key-usage",
        "istiod/first-install",
        "istiod/forgeable-key",
        "istiod/incomplete",
        "istiod/key-exposed",
        "istiod/key-format",
        "istiod/key-mismatch",
        "istiod/mixed-revisions",
        "istiod/name-constraints",
        "istiod/not-ca",
        "istiod/not-live",
        "istiod/outlives-issuer",
        "istiod/path-length",
        "istiod/pem",
        "istiod/rejected-by-peers",
        "istiod/root-bundles-differ",
        "istiod/root-key",
        "istiod/root-not-self-signed",
        "istiod/root-replaced",
        "istiod/roots-not-given",
        "istiod/same-subject",
        "istiod/sample-ca",
        "istiod/sha1",
        "istiod/shared-key",
        "istiod/spec-differs",
        "istiod/tls-files",
        "istiod/trust-domain",
        "istiod/untrusted",
        "istiod/weak-key",
    ];

    /// A problem with no more said than what is wrong: evidence, effect, fix and next command are empty.
    #[must_use]
    pub fn new(
        code: &'static str,
        severity: Severity,
        clusters: Vec<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity,
            clusters,
            file: None,
            message: message.into(),
            evidence: Vec::new(),
            effect: String::new(),
            fix: String::new(),
            remedy: None,
        }
    }

    /// Those only [`check_live`] finds, in alphabetical order.
    pub const LIVE_CODES: &'static [&'static str] = &[
        "istiod/first-install",
        "istiod/mixed-revisions",
        "istiod/not-live",
        "istiod/root-replaced",
        "istiod/roots-not-given",
        "istiod/spec-differs",
        "istiod/trust-domain",
    ];
}

/// Everything that can be seen wrong in these secrets at `at` without a cluster: errors before warnings, then
/// by cluster, then by code.
///
/// What needs one is in [`check_live`]: other trust domains without aliases, roots that workloads do not have yet,
/// an istiod that was not restarted.
#[must_use]
pub fn check(clusters: &[ClusterSecret<'_>], settings: &Settings, at: Time) -> Vec<SecretProblem> {
    let mut folders: Vec<Folder<'_>> =
        clusters.iter().map(|cluster| Folder::read(*cluster, settings, at)).collect();
    let roots: Vec<Vec<(String, Cert)>> = folders.iter().map(Folder::own_roots).collect();
    for (folder, own) in folders.iter_mut().zip(&roots) {
        // Its own before those of others.
        folder.known_roots = own.iter().chain(roots.iter().flatten()).cloned().collect();
    }
    let mut problems = Vec::new();
    for folder in &folders {
        files::check(folder, &mut problems);
        trust::check(folder, &mut problems);
        chain::check(folder, &mut problems);
    }
    across::check(&folders, &mut problems);
    let names: Vec<&str> = clusters.iter().map(|cluster| cluster.name).collect();
    sort(&mut problems, &names);
    problems
}

/// Errors before warnings, then by cluster, then by code; problems between clusters after those in one.
fn sort(problems: &mut [SecretProblem], names: &[&str]) {
    let place = |problem: &SecretProblem| {
        names.iter().position(|name| problem.clusters.iter().any(|c| c == name))
    };
    problems.sort_by(|a, b| {
        let key = |p: &SecretProblem| (p.clusters.len() > 1, place(p), p.code);
        b.severity.cmp(&a.severity).then_with(|| key(a).cmp(&key(b)))
    });
}

/// A secret, read once.
struct Folder<'a> {
    name: &'a str,
    secret: &'a Secret,
    trust_domain: Option<&'a TrustDomain>,
    ambient: bool,
    apart: &'a [String],
    settings: &'a Settings,
    at: Time,
    bundle: Bundle<'a>,
    start: StartOutcome,
    /// The signing certificate, as Go finds it.
    ca: Option<Cert>,
    chain: Vec<Cert>,
    roots: Vec<Cert>,
    /// What `Certificate.Verify` says, when all its files are there.
    trust: Option<Result<Chains, Rejection>>,
    /// The roots of all the secrets checked together, and where they are.
    known_roots: Vec<(String, Cert)>,
}

impl<'a> Folder<'a> {
    fn read(cluster: ClusterSecret<'a>, settings: &'a Settings, at: Time) -> Self {
        let bundle = Bundle::new(cluster.secret, settings);
        let texts = (bundle.cert(), bundle.chain(), bundle.roots());
        let pool =
            |text: Option<&[u8]>| -> Vec<Cert> { text.map(go_pem::pool).unwrap_or_default() };
        let ca = texts.0.and_then(|text| first_cert(text).ok());
        let (chain, roots) = (pool(texts.1.as_deref()), pool(texts.2));
        let trust = match (&ca, &texts) {
            (Some(ca), (_, Some(_), Some(_))) => Some(bundle.chains(ca, &chain, &roots, at)),
            _ => None,
        };
        Self {
            name: cluster.name,
            secret: cluster.secret,
            trust_domain: cluster.trust_domain,
            ambient: cluster.ambient,
            apart: cluster.apart,
            settings,
            at,
            start: starts(cluster.secret, settings, at),
            ca,
            chain,
            roots,
            trust,
            known_roots: Vec::new(),
            bundle,
        }
    }

    /// Whether it need not accept the workloads of another cluster.
    fn is_apart(&self, other: &Self) -> bool {
        self.apart.iter().any(|name| name == other.name)
    }

    /// The certificates by which a root of the chain that is not trusted yet is under those that are: they have its name
    /// and its key. A rotation sends them until all clusters trust that root.
    fn rotation_bridges(&self) -> Vec<&Cert> {
        let is_new = |cert: &&Cert| cert.is_self_issued() && !self.roots.contains(cert);
        let new: Vec<Cert> = self.chain.iter().filter(is_new).cloned().collect();
        self.chain.iter().filter(|cert| is_bridge(cert, &new)).collect()
    }

    /// Whether a certificate is another CA's for a root of this secret, so that no renewal of the cluster's CA replaces it.
    fn is_bridge(&self, cert: &Cert) -> bool {
        is_bridge(cert, &self.roots) || self.rotation_bridges().contains(&cert)
    }

    /// `istiod 1.30.3`.
    fn istiod(&self) -> String {
        alloc::format!("istiod {}", self.settings.version)
    }

    /// What istiod does at its start, as a sentence.
    fn verdict(&self) -> String {
        alloc::format!("{} {}", self.istiod(), self.start)
    }

    /// A problem of this folder; what istiod does at its start is its effect until another is said.
    fn problem(&self, code: &'static str, severity: Severity, message: String) -> SecretProblem {
        let mut problem =
            SecretProblem::new(code, severity, Vec::from([self.name.to_string()]), message);
        problem.effect = self.verdict();
        problem
    }

    fn error(&self, code: &'static str, message: impl Into<String>) -> SecretProblem {
        self.problem(code, Severity::Error, message.into())
    }

    fn warning(&self, code: &'static str, message: impl Into<String>) -> SecretProblem {
        self.problem(code, Severity::Warning, message.into())
    }

    /// The step that puts the chain in order.
    fn chain_remedy(&self) -> Remedy {
        match self.bundle.layout {
            Layout::Tls => Remedy::inspect(&["tls.crt", "ca.crt"]),
            Layout::Istio if self.secret.get("cert-chain.pem").is_none_or(<[u8]>::is_empty) => {
                Remedy::BuildChain
            }
            Layout::Istio => Remedy::ReplaceChain,
        }
    }

    fn explain_trust(&self) -> Remedy {
        Remedy::ExplainTrust { layout: self.bundle.layout }
    }

    /// The first file of the secret that a certificate is in.
    fn file_of(&self, cert: &Cert) -> Option<&'static str> {
        self.certs().find(|(_, other)| *other == cert).map(|(file, _)| file)
    }

    /// Every certificate of the secret with its file, each once per file.
    fn certs(&self) -> impl Iterator<Item = (&'static str, &Cert)> {
        let layout = self.bundle.layout;
        let ca = self.ca.iter().map(move |cert| (layout.ca_file(), cert));
        let chain = self.chain.iter().map(move |cert| (layout.chain_files()[0], cert));
        ca.chain(chain).chain(self.roots.iter().map(move |cert| (layout.roots_file(), cert)))
    }

    /// The self-signed certificates of the secret and where they are, those of the file of roots first.
    fn own_roots(&self) -> Vec<(String, Cert)> {
        let mut roots: Vec<(String, Cert)> = self
            .certs()
            .filter(|(_, cert)| files::is_self_signed(cert))
            .map(|(file, cert)| (alloc::format!("{file} of {}", self.name), cert.clone()))
            .collect();
        roots.reverse();
        roots
    }

    /// The certificates of the secret, each once, with the first file it is in.
    fn distinct(&self) -> Vec<(&'static str, &Cert)> {
        let mut seen = BTreeSet::new();
        self.certs().filter(|(_, cert)| seen.insert(cert.as_der())).collect()
    }
}

impl SecretProblem {
    fn file(mut self, name: &str) -> Self {
        self.file = Some(name.to_string());
        self
    }

    fn evidence(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }

    fn effect(mut self, sentence: impl Into<String>) -> Self {
        self.effect = sentence.into();
        self
    }

    fn fix(mut self, fix: impl Into<String>, remedy: Remedy) -> Self {
        (self.fix, self.remedy) = (fix.into(), Some(remedy));
        self
    }
}

fn date(time: Option<Time>) -> String {
    time.map_or_else(|| "an unreadable date".to_string(), |time| time.to_string())
}
