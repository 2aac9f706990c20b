//! Which clusters accept each other, asked again and again: a pair is verified only if what decides its answer has
//! changed, or a certificate has begun or ended since.

use std::collections::HashMap;
use std::sync::Arc;

use meshpki::internals::digest::sha256;
use meshpki::{Cert, Time};

use super::facts::{Facts, ProxiesOf};
use super::pairs::{Answer, Pair, Peer, accepts, answered, shown};

/// A cluster that is compared with others, for a thread of its own.
#[derive(Clone)]
pub(crate) struct Owned {
    pub(crate) name: String,
    /// Names of the clusters that it need not accept, by the spec.
    pub(crate) apart: Vec<String>,
    /// `None`: it has never answered.
    pub(crate) facts: Option<Arc<Facts>>,
}

/// The answers of the last time.
#[derive(Default)]
pub(crate) struct KnownPairs(HashMap<(Digest, Digest), Dated>);

type Digest = [u8; 32];

/// An answer, and the open interval of time in which it holds.
#[derive(Clone)]
struct Dated {
    answer: Answer,
    after: Time,
    before: Time,
}

/// What decides the answers of a cluster on one side.
struct Side {
    /// Of everything that is compared.
    digest: Digest,
    /// When something begins or ends in it.
    moments: Vec<Time>,
    /// Whether only certificates decide: a CRL has times that are not known here.
    is_dated: bool,
}

impl Owned {
    fn peer(&self) -> Peer<'_> {
        Peer { name: &self.name, apart: &self.apart, facts: self.facts.as_deref() }
    }
}

impl KnownPairs {
    /// Every pair, row by row, `most` of them at most, with the answers to remember.
    pub(crate) fn pairs(&self, members: &[Owned], most: usize, at: Time) -> (Vec<Pair>, Self) {
        let side = |facts: &Facts| (Side::trusts(facts), Side::shows(facts));
        let sides: Vec<Option<(Side, Side)>> =
            members.iter().map(|one| one.facts.as_deref().map(side)).collect();
        let peers: Vec<Peer<'_>> = members.iter().map(Owned::peer).collect();
        let known = peers.iter().zip(&sides).map(|(peer, sides)| peer.facts.zip(sides.as_ref()));
        let mut next = Self::default();
        let all = answered(&peers, known.collect(), |(own, (trusts, _)), (other, (_, shows))| {
            self.answer((own, trusts), (other, shows), at, &mut next)
        });
        let pairs = all.take(most).collect();
        (pairs, next)
    }

    fn answer(
        &self,
        (ours, trusts): (&Facts, &Side),
        (theirs, shows): (&Facts, &Side),
        at: Time,
        next: &mut Self,
    ) -> Answer {
        let key = (trusts.digest, shows.digest);
        let known = next.0.get(&key).or_else(|| self.0.get(&key)).filter(|one| one.holds(at));
        let dated = known.cloned().unwrap_or_else(|| {
            let moments = || trusts.moments.iter().chain(&shows.moments).copied();
            Dated {
                answer: accepts(ours, theirs, at),
                after: moments().filter(|moment| *moment <= at).max().unwrap_or(Time(i64::MIN)),
                before: moments().filter(|moment| *moment >= at).min().unwrap_or(Time(i64::MAX)),
            }
        });
        let answer = dated.answer.clone();
        if trusts.is_dated {
            next.0.insert(key, dated);
        }
        answer
    }
}

impl Dated {
    /// Whether nothing has begun or ended since it was found, or does at this moment.
    fn holds(&self, at: Time) -> bool {
        self.after < at && at < self.before
    }
}

impl Side {
    /// The roots that are given.
    fn trusts(facts: &Facts) -> Self {
        let mut side = Self::empty();
        let mut parts = Vec::new();
        for trusted in &facts.trusted {
            let ProxiesOf { release, is_ambient, has_crl } = &trusted.of;
            parts.push(sha256(format!("{release} {is_ambient}").as_bytes()));
            side.is_dated &= !has_crl;
            side.add(&trusted.roots, &mut parts);
        }
        side.sealed(&parts)
    }

    /// The chains that are shown.
    fn shows(facts: &Facts) -> Self {
        let mut side = Self::empty();
        let mut parts = Vec::new();
        for chain in shown(facts) {
            parts.push([u8::from(chain.has_leaf); 32]);
            side.add(&chain.certs, &mut parts);
        }
        side.sealed(&parts)
    }

    fn empty() -> Self {
        Self { digest: [0; 32], moments: Vec::new(), is_dated: true }
    }

    /// Certificates in their order, and that they end here.
    fn add(&mut self, certs: &[Cert], parts: &mut Vec<Digest>) {
        for cert in certs {
            parts.push(sha256(cert.as_der()));
            let times = [cert.not_before().time(), cert.not_after().time()];
            self.moments.extend(times.into_iter().flatten());
        }
        parts.push([0; 32]);
    }

    fn sealed(mut self, parts: &[Digest]) -> Self {
        self.digest = sha256(&parts.concat());
        self
    }
}

#[cfg(test)]
mod tests;
