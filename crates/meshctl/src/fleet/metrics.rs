//! What clusters serve, as text for Prometheus. The number of samples has a limit; what is left out is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use meshpki::internals::{crl_signature, pem};
use meshpki::{Cert, Crl, SignatureCheck, Time};

use super::facts::Facts;
use super::pairs::{Answer, Pair};
use crate::text::{label, safe};

/// Certificates or CRLs of a cluster that have samples.
const MOST_OBJECTS: usize = 64;
/// Pairs of clusters that have samples: every pair of a hundred.
pub(crate) const MOST_PAIRS: usize = 10_000;

/// A cluster, and what was seen of it last.
pub(crate) struct Member<'a> {
    /// Its name.
    pub(crate) name: String,
    /// What was found when it answered last.
    pub(crate) facts: Option<&'a Facts>,
    /// The CRLs that its workloads get.
    pub(crate) crls: Crls,
    /// Whether it answered in the last look.
    pub(crate) is_up: bool,
    /// When it answered last.
    pub(crate) looked: Option<Time>,
}

/// The CRLs that the workloads of a cluster get.
#[derive(Clone, Default)]
pub(crate) struct Crls {
    /// When the CRL of an issuer ends, by issuer; 0 if that cannot be read.
    ends: BTreeMap<String, i64>,
    /// Blocks that are not a valid CRL.
    unreadable: usize,
}

impl Crls {
    /// Each namespace gets one of these texts: the newest CRL of an issuer counts in each, and of all texts the one that
    /// ends first. A CRL that none of the cluster's CAs signed does not count, unless no CA is known.
    pub(crate) fn new<'a>(texts: impl Iterator<Item = &'a [u8]>, facts: Option<&Facts>) -> Self {
        let cas: Vec<&Cert> = facts.into_iter().flat_map(Facts::cas).collect();
        let counts = |crl: &Crl| cas.is_empty() || cas.iter().any(|ca| may_have_signed(ca, crl));
        let mut all = Self::default();
        for text in texts {
            let mut newest: BTreeMap<String, i64> = BTreeMap::new();
            let is_other = |block: &pem::Block| block.label != pem::CRL;
            for block in pem::decode(text) {
                if block.as_ref().is_ok_and(is_other) {
                    continue;
                }
                let crl = block.ok().and_then(|block| Crl::from_der(&block.der).ok());
                let Some(crl) = crl else {
                    all.unreadable += 1;
                    continue;
                };
                let Some(end) = crl.next_update().filter(|_| counts(&crl)) else { continue };
                let end = end.time().map_or(0, |time| time.0);
                let known = newest.entry(crl.issuer().to_string()).or_insert(end);
                *known = end.max(*known);
            }
            for (issuer, end) in newest {
                let known = all.ends.entry(issuer).or_insert(end);
                *known = end.min(*known);
            }
        }
        all
    }
}

/// Whether a CA signed a CRL, or may have: what cannot be decided is not left out.
fn may_have_signed(ca: &Cert, crl: &Crl) -> bool {
    crl_signature(crl, ca) != SignatureCheck::Bad
}

/// The whole text. Pairs above [`MOST_PAIRS`] need not be there: they are counted by the clusters.
pub(crate) fn text(members: &[Member<'_>], pairs: &[Pair]) -> String {
    let mut page = Page { text: String::new(), left_out: 0 };
    page.clusters(members);
    page.certificates(members);
    page.crls(members);
    page.trust(pairs, members.len());
    let left_out = page.left_out;
    page.metric("meshctl_samples_left_out", "Certificates, CRLs and pairs above the limits.");
    page.sample("meshctl_samples_left_out", "", left_out);
    page.text
}

struct Page {
    text: String,
    left_out: usize,
}

impl Page {
    fn metric(&mut self, name: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }

    /// One sample for each cluster that has a value.
    fn of_each<T: std::fmt::Display>(
        &mut self,
        (name, help): (&str, &str),
        members: &[Member<'_>],
        value: impl Fn(&Member<'_>) -> Option<T>,
    ) {
        self.metric(name, help);
        for member in members {
            if let Some(value) = value(member) {
                self.sample(name, &cluster(member), value);
            }
        }
    }

    fn clusters(&mut self, members: &[Member<'_>]) {
        let up = ("meshctl_cluster_up", "Whether the cluster answered in the last look.");
        self.of_each(up, members, |member| Some(u8::from(member.is_up)));
        let looked = (
            "meshctl_cluster_last_success_timestamp_seconds",
            "Unix time at which the cluster answered last.",
        );
        self.of_each(looked, members, |member| member.looked.map(|time| time.0));
        let silent = (
            "meshctl_istiod_silent_pods",
            "Ready pods of istiod that did not show the certificate that they serve.",
        );
        self.of_each(silent, members, |member| {
            Some(member.facts?.served.iter().filter(|pod| pod.chain.is_err()).count())
        });
        let other = (
            "meshctl_namespaces_with_other_roots",
            "Namespaces whose roots differ from those of the cluster, or are missing.",
        );
        self.of_each(other, members, |member| Some(member.facts?.lacking().count()));
        let name = "meshctl_istiod_info";
        self.metric(name, "Revisions of istiod, and their releases.");
        for member in members {
            for istiod in member.facts.iter().flat_map(|facts| &facts.istiods) {
                let labels = format!(
                    "{},revision=\"{}\",version=\"{}\"",
                    cluster(member),
                    label(&safe(&istiod.revision)),
                    istiod.settings.version
                );
                self.sample(name, &labels, 1);
            }
        }
    }

    fn certificates(&mut self, members: &[Member<'_>]) {
        let name = "meshctl_served_certificate_not_after_timestamp_seconds";
        self.metric(
            name,
            "Unix time at which a certificate expires that istiod serves (istiod: its own, ca: those above) or gives to workloads (root); 0 if it cannot be read.",
        );
        for member in members {
            let Some(facts) = member.facts else { continue };
            let chains: Vec<&Vec<Cert>> =
                facts.served.iter().filter_map(|pod| pod.chain.as_ref().ok()).collect();
            // Its own certificate is new in every pod and after every half day: the first to end is enough.
            let own = chains.iter().filter_map(|chain| chain.first()).map(end).min();
            if let Some(end) = own {
                self.sample(name, &format!("{},kind=\"istiod\"", cluster(member)), end);
            }
            let above = chains.iter().flat_map(|chain| chain.iter().skip(1));
            self.of_kind(name, member, "ca", above.collect());
            let given = facts.given.iter().flat_map(|given| given.roots.iter().flatten());
            self.of_kind(name, member, "root", given.collect());
        }
    }

    /// Certificates of one kind, each once.
    fn of_kind(&mut self, name: &str, member: &Member<'_>, kind: &str, certs: Vec<&Cert>) {
        let all: BTreeSet<(String, String, i64)> = certs
            .into_iter()
            .map(|cert| (cert.subject().to_string(), cert.fingerprint(), end(cert)))
            .collect();
        self.left_out += all.len().saturating_sub(MOST_OBJECTS);
        for (subject, fingerprint, end) in all.into_iter().take(MOST_OBJECTS) {
            let labels = format!(
                "{},kind=\"{kind}\",subject=\"{}\",fingerprint=\"{fingerprint}\"",
                cluster(member),
                label(&safe(&subject))
            );
            self.sample(name, &labels, end);
        }
    }

    fn crls(&mut self, members: &[Member<'_>]) {
        let name = "meshctl_served_crl_next_update_timestamp_seconds";
        self.metric(
            name,
            "Unix time of the nextUpdate of the CRL of an issuer that workloads get: the first to end of the newest in each namespace; 0 if the time cannot be read.",
        );
        for member in members {
            let ends = &member.crls.ends;
            self.left_out += ends.len().saturating_sub(MOST_OBJECTS);
            for (issuer, end) in ends.iter().take(MOST_OBJECTS) {
                let issuer = label(&safe(issuer));
                self.sample(name, &format!("{},issuer=\"{issuer}\"", cluster(member)), end);
            }
        }
        let unreadable = (
            "meshctl_served_crls_unreadable",
            "Number of CRLs that workloads get and that are not valid.",
        );
        self.of_each(unreadable, members, |member| member.facts.map(|_| member.crls.unreadable));
    }

    fn trust(&mut self, pairs: &[Pair], clusters: usize) {
        let all = clusters.saturating_mul(clusters);
        self.left_out += all.saturating_sub(MOST_PAIRS);
        let pairs: Vec<&Pair> = pairs.iter().take(MOST_PAIRS).collect();
        let labels = |pair: &Pair| {
            format!(
                "truster=\"{}\",signer=\"{}\",needed=\"{}\"",
                label(&safe(&pair.truster)),
                label(&safe(&pair.signer)),
                pair.is_needed
            )
        };
        let name = "meshctl_trust_accepted";
        self.metric(
            name,
            "Whether the workloads of one cluster (truster) accept those of another (signer); no sample if that is not known.",
        );
        for pair in &pairs {
            match pair.answer {
                Answer::Yes(_) => self.sample(name, &labels(pair), 1),
                Answer::No(_) => self.sample(name, &labels(pair), 0),
                Answer::Unknown => {}
            }
        }
        let name = "meshctl_trust_until_timestamp_seconds";
        self.metric(name, "Unix time at which the first certificate that this depends on expires.");
        for pair in &pairs {
            if let Answer::Yes(Some((end, _))) = &pair.answer {
                self.sample(name, &labels(pair), end.0);
            }
        }
    }
}

fn cluster(member: &Member<'_>) -> String {
    format!("cluster=\"{}\"", label(&safe(&member.name)))
}

fn end(cert: &Cert) -> i64 {
    cert.not_after().time().map_or(0, |time| time.0)
}
