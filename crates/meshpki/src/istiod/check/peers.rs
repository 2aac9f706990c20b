//! What the peers of each cluster's workloads say: Envoy in every cluster, and Go in its own, where agents connect to
//! istiod. They are asked about a throw-away certificate under the CA of the secret.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Folder, SecretProblem, Severity};
use crate::cacerts::go_pem;
use crate::cert::Cert;
use crate::crl::Crl;
use crate::istiod::bundle;
use crate::istiod::canary::Canary;
use crate::name::Name;
use crate::verify::Rejection;
use crate::verify::boringssl::{self, Policy, TrustStore};

mod explain;

/// What proxies of one or more clusters verify with.
struct Trust<'f> {
    /// The clusters that have it.
    clusters: Vec<&'f Folder<'f>>,
    /// Read as Envoy reads it.
    store: Result<TrustStore, Rejection>,
}

/// The proxies of one cluster refuse the workloads of another.
pub(super) struct Refusal<'f> {
    pub(super) ours: &'f Folder<'f>,
    pub(super) theirs: &'f Folder<'f>,
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
        let canary = Canary::new(&theirs.bundle, ca, &theirs.chain, theirs.at);
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
                Some(canary) => trust.refuses(canary, theirs),
                // Without the key, the CA itself has to do, which Go takes for any use.
                None => bundle::refuses(&trust.clusters[0].roots, ca, &theirs.chain, theirs.at),
            });
            let Some(why) = why else { continue };
            let others = trust.clusters.iter().filter(|ours| ours.name != theirs.name);
            refusals.extend(others.map(|ours| Refusal { ours, theirs, why: why.clone() }));
        }
    }
    // Proxies that refuse even their own refuse all others, for the same reason.
    refusals.retain(|refusal: &Refusal<'_>| !at_fault.contains(&refusal.ours.name));
    refusals
}

/// Clusters by their roots and their CRL file.
type Kinds<'f> = BTreeMap<(Vec<&'f [u8]>, Option<&'f [u8]>), Vec<&'f Folder<'f>>>;

/// The clusters by what they trust: mostly there is one kind only.
fn trusts<'f>(folders: &'f [Folder<'f>]) -> Vec<Trust<'f>> {
    let mut kinds: Kinds<'_> = BTreeMap::new();
    for folder in folders {
        let roots = folder.roots.iter().map(Cert::as_der).collect();
        kinds.entry((roots, folder.bundle.crl())).or_default().push(folder);
    }
    let trust = |((_, crl), clusters): ((_, Option<&[u8]>), Vec<&'f Folder<'f>>)| {
        let first = clusters[0];
        let release = boringssl::Release::of_istio(first.settings.version);
        let crls = crls(crl.unwrap_or_default());
        Trust { store: TrustStore::of_release(&first.roots, &crls, release), clusters }
    };
    kinds.into_iter().map(trust).collect()
}

fn crls(text: &[u8]) -> Vec<Crl> {
    go_pem::blocks(text).iter().filter_map(|block| Crl::from_der(&block.der).ok()).collect()
}

impl<'f> Trust<'f> {
    /// The part of the store that can make a difference for certificates with these names, and whether Envoy could read
    /// it: clusters that have it alike answer alike. Of several roots that count, the order in the store may depend on
    /// all of them.
    fn what_counts(&self, names: &[&Name]) -> (Vec<&'f [u8]>, Option<&'f [u8]>, bool) {
        let first = self.clusters[0];
        let named = || first.roots.iter().filter(|root| names.contains(&root.subject()));
        let roots = if names.is_empty() || named().count() > 1 {
            first.roots.iter().map(Cert::as_der).collect()
        } else {
            named().map(Cert::as_der).collect()
        };
        (roots, first.bundle.crl(), self.store.is_ok())
    }

    /// Why Envoy refuses a workload as a client or as a server; `None`: it does not.
    fn refuses(&self, canary: &Canary, theirs: &Folder<'_>) -> Option<Rejection> {
        let store = match &self.store {
            Ok(store) => store,
            Err(why) => return Some(why.clone()),
        };
        [boringssl::Peer::Client, boringssl::Peer::Server].into_iter().find_map(|peer| {
            let policy = Policy::new(theirs.at).with_peer(peer);
            store.verify(&canary.leaf, &canary.sent, &policy).err()
        })
    }
}

/// What Envoy and Go refuse under the roots of the cluster itself.
fn at_home(folder: &Folder<'_>, canary: &Canary, trusts: &[Trust<'_>]) -> Option<SecretProblem> {
    let is_own = |trust: &&Trust<'_>| trust.clusters.iter().any(|ours| ours.name == folder.name);
    let envoy = trusts.iter().find(is_own).and_then(|trust| trust.refuses(canary, folder));
    let (what, effect, why) = match envoy {
        Some(why) => (
            "proxies reject every certificate that the CA signs",
            "every call between its workloads fails with CERTIFICATE_VERIFY_FAILED",
            why,
        ),
        None => (
            "agents reject istiod's own certificate",
            "no proxy gets a certificate or a configuration",
            bundle::refuses(&folder.roots, &canary.leaf, &canary.sent, folder.at)?,
        ),
    };
    let problem = folder
        .error("istiod/rejected-by-peers", alloc::format!("{what}: {}", why.text))
        .effect(alloc::format!("{}; {effect}", folder.verdict()));
    Some(Refusal { ours: folder, theirs: folder, why }.explained(problem))
}

/// The problem of clusters that have the same roots and yet refuse each other.
pub(super) fn across(refusals: &[Refusal<'_>]) -> Vec<SecretProblem> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Refusal<'_>>> = BTreeMap::new();
    for refusal in refusals {
        groups.entry((refusal.theirs.name, &refusal.why.text)).or_default().push(refusal);
    }
    let problem = |((theirs, text), refusals): ((&str, &str), Vec<&Refusal<'_>>)| {
        let first = refusals[0];
        let names: Vec<&str> = refusals.iter().map(|refusal| refusal.ours.name).collect();
        let message = alloc::format!(
            "proxies of {} reject the workloads of {theirs}: {text}",
            names.join(", ")
        );
        let mut problem = first.theirs.error("istiod/rejected-by-peers", message);
        problem.clusters.extend(names.iter().map(ToString::to_string));
        let problem = problem.effect(alloc::format!(
            "istiod does not compare clusters; calls between {theirs} and {} fail with CERTIFICATE_VERIFY_FAILED",
            names.join(", ")
        ));
        first.explained(problem)
    };
    groups.into_iter().map(problem).collect()
}
