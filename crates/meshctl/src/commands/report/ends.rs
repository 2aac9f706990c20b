//! When CAs and roots end, and from when on a root is too short for new CAs.

use std::collections::BTreeMap;
use std::time::Duration;

use meshpki::{Cert, Time, chain};

use crate::fleet::facts::Facts;

/// A certificate and its time.
pub(super) struct End {
    pub(super) cert: Cert,
    /// As what it is used, and by which clusters; the most important first.
    pub(super) uses: Vec<(Use, Vec<String>)>,
    pub(super) begin: Option<Time>,
    /// `None`: it cannot be read.
    pub(super) end: Option<Time>,
    /// From when on a new CA under this root must be shorter than the longest that there is.
    pub(super) replace: Option<Time>,
    /// From when on it is reported.
    pub(super) due: Option<Time>,
    pub(super) phase: Phase,
}

/// Where a certificate is in its life.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Fine,
    /// New CAs under this root would end early.
    Replace,
    /// It ends within the time asked for.
    Due,
    Ended,
    /// Not valid yet.
    Early,
    Unreadable,
}

/// What a certificate is used as in clusters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    Root,
    Chain,
    Ca,
}

/// Every CA, every certificate above one, and every root of these clusters; the first to end first.
pub(super) fn ends(clusters: &[(&str, &Facts)], within: Duration, at: Time) -> Vec<End> {
    let mut all: BTreeMap<String, (&Cert, BTreeMap<Use, Vec<&str>>)> = BTreeMap::new();
    for (name, facts) in clusters {
        let given = facts.given.iter().flat_map(|given| given.roots.iter().flatten());
        let roots = facts.roots.iter().chain(given).map(|cert| (cert, Use::Root));
        let chain = facts.chain.iter().map(|cert| (cert, Use::Chain));
        for (cert, use_) in facts.ca.iter().map(|ca| (ca, Use::Ca)).chain(chain).chain(roots) {
            let known = all.entry(cert.fingerprint()).or_insert_with(|| (cert, BTreeMap::new()));
            let names = known.1.entry(use_).or_default();
            if !names.contains(name) {
                names.push(name);
            }
        }
    }
    let mut ends: Vec<End> = all
        .into_values()
        .map(|(cert, uses)| {
            let longest = uses.contains_key(&Use::Root).then(|| longest_below(cert, clusters));
            End::new(cert, &uses, longest.flatten(), within, at)
        })
        .collect();
    ends.sort_by_cached_key(|end| (end.end, end.label(), end.begin));
    ends
}

/// The longest life of a cluster's CA under a root.
fn longest_below(root: &Cert, clusters: &[(&str, &Facts)]) -> Option<Duration> {
    let below = clusters.iter().filter_map(|(_, facts)| {
        let ca = facts.ca.as_ref().filter(|ca| *ca != root)?;
        let is_below = chain::issued(root, ca)
            || facts.chain.iter().any(|above| above != root && chain::issued(root, above));
        let (begin, end) = (ca.not_before().time()?, ca.not_after().time()?);
        is_below.then(|| end.since(begin))
    });
    below.max()
}

impl End {
    fn new(
        cert: &Cert,
        uses: &BTreeMap<Use, Vec<&str>>,
        longest: Option<Duration>,
        within: Duration,
        at: Time,
    ) -> Self {
        let (begin, end) = (cert.not_before().time(), cert.not_after().time());
        let replace = end.zip(longest).map(|(end, longest)| end - longest);
        let due = end.map(|end| end - within);
        let is_reached = |time: Option<Time>| time.is_some_and(|time| time <= at);
        let phase = match end {
            None => Phase::Unreadable,
            Some(end) if end <= at => Phase::Ended,
            _ if begin.is_some_and(|begin| at < begin) => Phase::Early,
            _ if is_reached(due) => Phase::Due,
            _ if is_reached(replace) => Phase::Replace,
            _ => Phase::Fine,
        };
        // The CA itself is in the chain, and a root may be.
        let is_alone = uses.len() == 1;
        let shown = uses.iter().rev().filter(|(use_, _)| is_alone || **use_ != Use::Chain);
        let owned = |names: &Vec<&str>| names.iter().map(|name| (*name).to_owned()).collect();
        let uses = shown.map(|(use_, names)| (*use_, owned(names))).collect();
        Self { cert: cert.clone(), uses, begin, end, replace, due, phase }
    }

    pub(super) fn label(&self) -> String {
        self.cert.label()
    }

    /// `CA of east; root of east, west`.
    pub(super) fn used(&self) -> String {
        let words = |(use_, names): &(Use, Vec<String>)| {
            let word = match use_ {
                Use::Root => "root of",
                Use::Chain => "in the chain of",
                Use::Ca => "CA of",
            };
            format!("{word} {}", names.join(", "))
        };
        self.uses.iter().map(words).collect::<Vec<_>>().join("; ")
    }

    /// When it ends and what to do before, without the name.
    pub(super) fn words(&self, at: Time) -> String {
        use crate::text::relative;
        let Some(end) = self.end else { return "its dates cannot be read".to_owned() };
        let verb = if end <= at { "ended" } else { "ends" };
        let mut text = format!("{verb} {}, {}", end.date(), relative(end, at));
        if let Some(begin) = self.begin.filter(|begin| at < *begin) {
            text = format!("valid from {}; {text}", begin.date());
        }
        match self.replace {
            Some(replace) if matches!(self.phase, Phase::Fine | Phase::Replace) => {
                let verb = if replace <= at { "since" } else { "from" };
                text + &format!(
                    "; {verb} {}{}, new CAs under it get a shorter lifetime",
                    replace.date(),
                    if replace <= at { "" } else { " on" }
                )
            }
            _ => text,
        }
    }
}

impl Phase {
    /// The word on the page.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Replace => "replace the root",
            Self::Due => "ends soon",
            Self::Ended => "expired",
            Self::Early => "not valid yet",
            Self::Unreadable => "unreadable",
        }
    }

    /// The class that gives it a color.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Replace | Self::Due => "warn",
            Self::Ended | Self::Early | Self::Unreadable => "fail",
        }
    }
}
