//! Which clusters accept each other: what each signs, under the roots of each.

use meshapply::proof::{verify_chain, why_not};
use meshpki::istiod::{Dataplane, Severity};
use meshpki::verify::Verdict;
use meshpki::{Cert, Time};

use super::clusters::Target;
use super::facts::Facts;
use crate::hints::Problem;

/// A cluster that is compared with others.
pub(crate) struct Peer<'a> {
    pub(crate) name: &'a str,
    /// Names of the clusters that it need not accept, by the spec.
    pub(crate) apart: &'a [String],
    /// `None`: it could not be asked.
    pub(crate) facts: Option<&'a Facts>,
}

impl<'a> Peer<'a> {
    /// A cluster that was asked.
    pub(crate) fn new(target: &'a Target, facts: Option<&'a Facts>) -> Self {
        Self { name: &target.name, apart: &target.apart, facts }
    }
}

/// Whether one cluster accepts what another signs.
#[derive(Clone)]
pub(crate) struct Pair {
    /// Whose roots are asked.
    pub(crate) truster: String,
    /// Whose certificates are shown.
    pub(crate) signer: String,
    pub(crate) answer: Answer,
    /// Whether the one has to accept the other, by the spec.
    pub(crate) is_needed: bool,
}

impl Pair {
    /// A refusal as a problem of its own, where no other says what is wrong.
    fn problem(&self) -> Problem {
        let why = match &self.answer {
            Answer::No(why) => why.join("; "),
            Answer::Yes(_) | Answer::Unknown => String::new(),
        };
        let mut clusters = vec![self.truster.clone(), self.signer.clone()];
        clusters.dedup();
        let message =
            format!("{} does not accept certificates from {}: {why}", self.truster, self.signer);
        let mut problem =
            Problem::new("istiod/different-roots", Severity::Error, clusters, message);
        problem.effect = "calls between them fail with CERTIFICATE_VERIFY_FAILED".to_owned();
        problem
    }
}

/// The answer.
#[derive(Clone)]
pub(crate) enum Answer {
    /// It does, until the first certificate above the workload's ends; that certificate.
    Yes(Option<(Time, String)>),
    /// It does not; why, each reason once.
    No(Vec<String>),
    /// One of them could not be asked, or shows nothing.
    Unknown,
}

/// Every pair, row by row; each is verified when it is taken.
pub(crate) fn pairs(peers: &[Peer<'_>], at: Time) -> impl Iterator<Item = Pair> {
    let known: Vec<Option<&Facts>> = peers.iter().map(|peer| peer.facts).collect();
    answered(peers, known, move |ours, theirs| accepts(ours, theirs, at))
}

/// Every pair, row by row, with the answer of a verifier to what is known of the two.
pub(super) fn answered<K: Copy>(
    peers: &[Peer<'_>],
    known: Vec<Option<K>>,
    mut verify: impl FnMut(K, K) -> Answer,
) -> impl Iterator<Item = Pair> {
    let both = |index| (index / peers.len(), index % peers.len());
    (0..peers.len() * peers.len()).map(both).map(move |(truster, signer)| {
        let answer = match (known[truster], known[signer]) {
            (Some(ours), Some(theirs)) => verify(ours, theirs),
            _ => Answer::Unknown,
        };
        let (truster, signer) = (&peers[truster], &peers[signer]);
        Pair {
            truster: truster.name.to_owned(),
            signer: signer.name.to_owned(),
            answer,
            is_needed: !truster.apart.iter().any(|name| name == signer.name),
        }
    })
}

/// The pairs that have to accept each other and do not, with the reasons, a line each.
pub(crate) fn refusals(pairs: &[Pair]) -> Vec<String> {
    let line = |pair: &Pair| match &pair.answer {
        Answer::No(why) if pair.is_needed => {
            Some(format!("{} does not accept {}: {}", pair.truster, pair.signer, why.join("; ")))
        }
        _ => None,
    };
    pairs.iter().filter_map(line).collect()
}

/// Pairs that refuse each other although no error about either cluster says why, as problems.
pub(crate) fn unexplained(pairs: &[Pair], problems: &[Problem]) -> Vec<Problem> {
    let is_explained = |pair: &&Pair| {
        problems.iter().filter(|problem| problem.severity == Severity::Error).any(|problem| {
            problem.clusters.contains(&pair.truster) || problem.clusters.contains(&pair.signer)
        })
    };
    let refuses = |pair: &&Pair| pair.is_needed && matches!(pair.answer, Answer::No(_));
    let unexplained = pairs.iter().filter(refuses).filter(|pair| !is_explained(pair));
    unexplained.map(Pair::problem).collect()
}

/// Whether every set of roots given on one side accepts every chain shown on the other.
pub(super) fn accepts(ours: &Facts, theirs: &Facts, at: Time) -> Answer {
    let shown = shown(theirs);
    if ours.trusted.is_empty() || shown.is_empty() {
        return Answer::Unknown;
    }
    let mut reasons: Vec<String> = Vec::new();
    let mut end: Option<(Time, String)> = None;
    for trusted in &ours.trusted {
        for chain in &shown {
            let Some(verdict) = verify_chain(&chain.certs, &trusted.roots, at) else { continue };
            if let Some(why) = refusal(&verdict, chain, &trusted.proxies, at) {
                if !reasons.contains(&why) {
                    reasons.push(why);
                }
                continue;
            }
            let above = verdict.chain.iter().skip(usize::from(chain.has_leaf));
            let first = above.filter_map(|cert| Some((cert.not_after().time()?, cert.label())));
            end = first.chain(end).min();
        }
    }
    if reasons.is_empty() { Answer::Yes(end) } else { Answer::No(reasons) }
}

/// What OpenSSL says against a chain, or the proxies, where it is one of a workload's kind.
fn refusal(verdict: &Verdict, chain: &Shown, proxies: &Dataplane, at: Time) -> Option<String> {
    if !verdict.is_ok() {
        return Some(why_not(verdict));
    }
    let (leaf, sent) = chain.certs.split_first().filter(|_| chain.has_leaf)?;
    let (who, why) = proxies.refuses(leaf, sent, at)?;
    Some(format!("{who}: {why}"))
}

/// Certificates shown to a peer.
pub(super) struct Shown {
    pub(super) certs: Vec<Cert>,
    /// The first is not a CA: it is renewed long before it ends.
    pub(super) has_leaf: bool,
}

/// What istiod serves, each issuer once; without an answer, the CA itself.
pub(super) fn shown(facts: &Facts) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for chain in facts.served.iter().filter_map(|served| served.chain.as_ref().ok()) {
        let Some(leaf) = chain.first() else { continue };
        let known = |shown: &Shown| {
            let other = &shown.certs[0];
            let key_id = |cert: &Cert| {
                cert.extensions().authority_key_id.as_ref().and_then(|id| id.key_id.clone())
            };
            other.issuer() == leaf.issuer() && key_id(other) == key_id(leaf)
        };
        if !all.iter().any(known) {
            all.push(Shown { certs: chain.clone(), has_leaf: true });
        }
    }
    if let Some(ca) = facts.ca.as_ref().filter(|_| all.is_empty()) {
        let certs = std::iter::once(ca).chain(&facts.chain).cloned().collect();
        all.push(Shown { certs, has_leaf: false });
    }
    all
}
