//! What the peers of each cluster's workloads say: Envoy in every cluster, ztunnel where ambient mode is on, and Go in
//! its own, where agents connect to istiod. They are asked about a throw-away certificate under the CA of the secret.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Folder, SecretProblem, Severity};
use crate::cert::Cert;
use crate::istiod::bundle;
use crate::istiod::canary::Canary;
use crate::istiod::dataplane::{Dataplane, Verifier, roots_that_count};
use crate::name::Name;
use crate::time::Time;
use crate::verify::Rejection;

mod explain;

/// What proxies of one or more clusters verify with.
struct Trust<'f> {
    /// The clusters that have it.
    clusters: Vec<&'f Folder<'f>>,
    /// Their proxies.
    dataplane: Dataplane,
}

/// The proxies of one cluster refuse the workloads of another.
pub(super) struct Refusal<'f> {
    pub(super) ours: &'f Folder<'f>,
    pub(super) theirs: &'f Folder<'f>,
    pub(super) who: Verifier,
    pub(super) why: Rejection,
}

/// Adds what peers refuse in the cluster itself; returns what those of other clusters refuse.
pub(super) fn check<'f>(
    folders: &'f [Folder<'f>],
    problems: &mut Vec<SecretProblem>,
) -> Vec<Refusal<'f>> {
    let trusts = trusts(folders);
    let (mut refusals, mut at_fault) = (Vec::new(), Vec::new());
    for theirs in folders {
        let (Some(ca), Some(Ok(_))) = (&theirs.ca, &theirs.trust) else { continue };
        let canary = theirs.canary(ca);
        if let Some(problem) = canary.as_ref().and_then(|c| at_home(theirs, c, &trusts)) {
            // What is wrong with the secret itself has been reported.
            let is_wrong = |p: &SecretProblem| {
                p.severity == Severity::Error && p.clusters.iter().any(|name| name == theirs.name)
            };
            if !problems.iter().any(is_wrong) {
                problems.push(problem);
            }
            at_fault.push(theirs.name);
            continue;
        }
        let mut answers = BTreeMap::new();
        let shown = canary.as_ref().map_or_else(Vec::new, Canary::names);
        for trust in &trusts {
            let why = answers.entry(trust.what_counts(&shown)).or_insert_with(|| match &canary {
                Some(canary) => trust.refuses(canary, theirs.at),
                // Without the key, the CA itself has to do, which Go takes for any use.
                None => bundle::refuses(&trust.clusters[0].roots, ca, &theirs.chain, theirs.at)
                    .map(|why| (Verifier::Envoy, why)),
            });
            let Some((who, why)) = why else { continue };
            let others = trust.clusters.iter();
            let others = others.filter(|ours| ours.name != theirs.name && !ours.is_apart(theirs));
            refusals.extend(others.map(|ours| Refusal {
                ours,
                theirs,
                who: *who,
                why: why.clone(),
            }));
        }
    }
    // Proxies that refuse even their own refuse all others, for the same reason.
    refusals.retain(|refusal: &Refusal<'_>| !at_fault.contains(&refusal.ours.name));
    refusals
}

impl Folder<'_> {
    /// A throw-away certificate of one of its workloads.
    fn canary(&self, ca: &Cert) -> Option<Canary> {
        Canary::new(self.bundle.key()?, self.trust_domain, (ca, &self.chain), self.at)
    }
}

/// Clusters by their roots, their CRL file, and whether ztunnel runs there.
type Kinds<'f> = BTreeMap<(Vec<&'f [u8]>, Option<&'f [u8]>, bool), Vec<&'f Folder<'f>>>;

/// The clusters by what they trust: mostly there is one kind only.
fn trusts<'f>(folders: &'f [Folder<'f>]) -> Vec<Trust<'f>> {
    let mut kinds: Kinds<'_> = BTreeMap::new();
    for folder in folders {
        let roots = folder.roots.iter().map(Cert::as_der).collect();
        kinds.entry((roots, folder.bundle.crl(), folder.ambient)).or_default().push(folder);
    }
    let trust = |((_, crl, ambient), clusters): ((_, Option<&[u8]>, bool), Vec<&'f Folder<'f>>)| {
        let first = clusters[0];
        let dataplane = Dataplane::new(&first.roots, crl, first.settings.version, ambient);
        Trust { dataplane, clusters }
    };
    kinds.into_iter().map(trust).collect()
}

/// What of a [`Trust`] can make a difference: roots, CRL file, whether Envoy could read them, ztunnel.
type WhatCounts<'f> = (Vec<&'f [u8]>, Option<&'f [u8]>, bool, bool);

impl<'f> Trust<'f> {
    fn refuses(&self, canary: &Canary, at: Time) -> Option<(Verifier, Rejection)> {
        self.dataplane.refuses(&canary.leaf, &canary.sent, at)
    }

    /// The part of the store that can make a difference for certificates with these names, and whether Envoy could read
    /// it: clusters that have it alike answer alike. Without names, all of it counts.
    fn what_counts(&self, names: &[&Name]) -> WhatCounts<'f> {
        let first = self.clusters[0];
        let roots = if names.is_empty() {
            first.roots.iter().map(Cert::as_der).collect()
        } else {
            roots_that_count(&first.roots, names)
        };
        (roots, first.bundle.crl(), self.dataplane.is_readable(), first.ambient)
    }
}

/// What proxies and Go refuse under the roots of the cluster itself.
fn at_home(folder: &Folder<'_>, canary: &Canary, trusts: &[Trust<'_>]) -> Option<SecretProblem> {
    let is_own = |trust: &&Trust<'_>| trust.clusters.iter().any(|ours| ours.name == folder.name);
    let own = trusts.iter().find(is_own);
    let (who, why) = own.and_then(|trust| trust.refuses(canary, folder.at)).or_else(|| {
        Some((
            Verifier::Agent,
            bundle::refuses(&folder.roots, &canary.leaf, &canary.sent, folder.at)?,
        ))
    })?;
    let (what, effect) = match who {
        Verifier::Envoy => (
            "proxies reject every certificate that the CA signs",
            "every call between its workloads fails with CERTIFICATE_VERIFY_FAILED",
        ),
        Verifier::Ztunnel => (
            "ztunnel rejects every certificate that the CA signs",
            "every call between its ambient workloads fails",
        ),
        Verifier::Agent => (
            "agents reject istiod's own certificate",
            "no proxy gets a certificate or a configuration",
        ),
    };
    let problem = folder
        .error("istiod/rejected-by-peers", alloc::format!("{what}: {}", why.text))
        .effect(alloc::format!("{}; {effect}", folder.verdict()));
    Some(Refusal { ours: folder, theirs: folder, who, why }.explained(problem))
}

/// The problem of clusters that have the same roots and yet refuse each other.
pub(super) fn across(refusals: &[Refusal<'_>]) -> Vec<SecretProblem> {
    let mut groups: BTreeMap<(&str, Verifier, &str), Vec<&Refusal<'_>>> = BTreeMap::new();
    for refusal in refusals {
        let key = (refusal.theirs.name, refusal.who, refusal.why.text.as_str());
        groups.entry(key).or_default().push(refusal);
    }
    let problem = |((theirs, who, text), refusals): ((&str, Verifier, &str), Vec<&Refusal<'_>>)| {
        let first = refusals[0];
        let names: Vec<&str> = refusals.iter().map(|refusal| refusal.ours.name).collect();
        let message = alloc::format!(
            "{} of {} {} the workloads of {theirs}: {text}",
            who,
            names.join(", "),
            who.rejects()
        );
        let mut problem = first.theirs.error("istiod/rejected-by-peers", message);
        problem.clusters.extend(names.iter().map(ToString::to_string));
        let calls = if who == Verifier::Ztunnel { "ambient calls" } else { "calls" };
        let problem = problem.effect(alloc::format!(
            "istiod does not compare clusters; {calls} between {theirs} and {} fail with {}",
            names.join(", "),
            who.failure()
        ));
        first.explained(problem)
    };
    groups.into_iter().map(problem).collect()
}
