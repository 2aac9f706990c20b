//! What clusters serve, as text for Prometheus. The number of samples has a limit; what is left out is counted.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use meshpki::{Cert, Crl, Time};

use super::facts::Facts;
use super::pairs::{Answer, Pair};
use crate::text::{label, safe};

/// Certificates or CRLs of a cluster that have samples.
const MOST_OBJECTS: usize = 64;
/// Pairs of clusters that have samples: every pair of a hundred.
const MOST_PAIRS: usize = 10_000;

/// A cluster, and what was seen of it last.
pub(crate) struct Member<'a> {
    /// Its name.
    pub(crate) name: String,
    /// What was found when it answered last.
    pub(crate) facts: Option<&'a Facts>,
    /// The CRLs that its workloads get.
    pub(crate) crls: Vec<Crl>,
    /// Whether it answered in the last look.
    pub(crate) is_up: bool,
    /// When it answered last.
    pub(crate) looked: Option<Time>,
}

/// The CRLs in a text; blocks that are not valid are left out.
pub(crate) fn crls(text: &[u8]) -> Vec<Crl> {
    let blocks = meshpki::internals::pem::decode(text).into_iter().flatten();
    let crls = blocks.filter(|block| block.label == meshpki::internals::pem::CRL);
    crls.filter_map(|block| Crl::from_der(&block.der).ok()).collect()
}

/// The whole text.
pub(crate) fn text(members: &[Member<'_>], pairs: &[Pair]) -> String {
    let mut page = Page { text: String::new(), left_out: 0 };
    page.clusters(members);
    page.certificates(members);
    page.crls(members);
    page.trust(pairs);
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
            "Unix time of the nextUpdate of a CRL that workloads get; 0 if it cannot be read.",
        );
        for member in members {
            let ends = member.crls.iter().filter_map(|crl| {
                let end = crl.next_update()?.time().map_or(0, |time| time.0);
                Some((crl.issuer().to_string(), end))
            });
            // Of several CRLs of one issuer the newest is what counts.
            let mut newest = std::collections::BTreeMap::new();
            for (issuer, end) in ends {
                let known = newest.entry(issuer).or_insert(end);
                *known = end.max(*known);
            }
            self.left_out += newest.len().saturating_sub(MOST_OBJECTS);
            for (issuer, end) in newest.into_iter().take(MOST_OBJECTS) {
                let issuer = label(&safe(&issuer));
                self.sample(name, &format!("{},issuer=\"{issuer}\"", cluster(member)), end);
            }
        }
    }

    fn trust(&mut self, pairs: &[Pair]) {
        self.left_out += pairs.len().saturating_sub(MOST_PAIRS);
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
        self.metric(name, "Unix time at which the first certificate expires that this rests on.");
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
