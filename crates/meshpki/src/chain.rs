//! Chain assembly: a pile of certificates in any order becomes one chain, leaf first.

use alloc::string::String;
use alloc::vec::Vec;

use crate::cert::Cert;
use crate::error::Error;
use crate::signature::{self, SignatureCheck, Signed};

/// A chain, and what of the pile is not in it. Numbers are places in the pile, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembly {
    /// The chain, leaf first, as far up as the pile goes.
    pub chain: Vec<usize>,
    /// Byte-identical copies of an earlier certificate: the copy and the one it copies.
    pub duplicates: Vec<(usize, usize)>,
    /// Certificates that could stand in the chain instead: other signatures over the same name and key
    /// (cross-signed), or other ways up. One of each must be chosen, because OpenSSL, GnuTLS and
    /// BoringSSL, hence Envoy, follow the first issuer that fits and do not turn back.
    pub alternatives: Vec<usize>,
    /// Certificates that have nothing to do with the leaf.
    pub strays: Vec<usize>,
}

impl Assembly {
    /// The chain's certificates out of the pile they were assembled from.
    #[must_use]
    pub fn certs(&self, pile: &[Cert]) -> Vec<Cert> {
        self.chain.iter().map(|i| pile[*i].clone()).collect()
    }
}

/// Puts `pile` in order: from the leaf (the certificate nobody in the pile was issued by, or the one
/// given) up to a root.
///
/// An issuer is one whose name, key identifier and key fit: signatures are checked. Where several do,
/// the way that ends at a self-signed certificate comes first, then the shorter one, then the one valid
/// longest, then the order of the pile; the result does not depend on anything else.
///
/// # Errors
/// `pki/no-certificate` for an empty pile, `pki/ambiguous-leaf` when no leaf was given and several could be it.
pub fn assemble(pile: &[Cert], leaf: Option<&Cert>) -> Result<Assembly, Error> {
    let duplicates = duplicates(pile);
    let distinct: Vec<usize> =
        (0..pile.len()).filter(|i| !duplicates.iter().any(|(copy, _)| copy == i)).collect();
    let graph = Graph::new(pile, &distinct);
    let leaf = match leaf {
        Some(leaf) => distinct.iter().copied().find(|i| pile[*i] == *leaf).ok_or_else(|| {
            Error::NoCertificate {
                what: alloc::format!("the pile that is `{}`", leaf.subject().label()),
            }
        })?,
        None => graph.leaf(pile)?,
    };
    let chain = graph.climb(pile, leaf);
    let reachable = graph.above(leaf);
    let rest = || distinct.iter().copied().filter(|i| !chain.contains(i));
    let alternatives =
        rest().filter(|i| reachable.contains(i) || is_twin(pile, &chain, *i)).collect();
    let strays = rest().filter(|i| !reachable.contains(i) && !is_twin(pile, &chain, *i)).collect();
    Ok(Assembly { chain, duplicates, alternatives, strays })
}

/// Whether `issuer` signed `cert`: its name, its key identifier where both have one, and its key.
#[must_use]
pub fn issued(issuer: &Cert, cert: &Cert) -> bool {
    if issuer.subject() != cert.issuer() {
        return false;
    }
    let wanted = cert.extensions().authority_key_id.as_ref().and_then(|id| id.key_id.as_ref());
    if let (Some(wanted), Some(have)) = (wanted, &issuer.extensions().subject_key_id)
        && wanted != have
    {
        return false;
    }
    let check = signature::check(&Signed {
        algorithm: cert.outer_algorithm(),
        message: cert.tbs(),
        signature: cert.signature(),
        key: &issuer.public_key(),
    });
    check == SignatureCheck::Good
}

fn duplicates(pile: &[Cert]) -> Vec<(usize, usize)> {
    let first = |i: usize| pile[..i].iter().position(|other| *other == pile[i]);
    (0..pile.len()).filter_map(|i| first(i).map(|original| (i, original))).collect()
}

/// Same subject and key as a member of the chain, another certificate.
fn is_twin(pile: &[Cert], chain: &[usize], candidate: usize) -> bool {
    let candidate = &pile[candidate];
    chain
        .iter()
        .any(|i| pile[*i].subject() == candidate.subject() && pile[*i].spki() == candidate.spki())
}

/// Who issued whom.
struct Graph {
    nodes: Vec<usize>,
    /// For every node of the pile, its issuers in the order of preference; not itself.
    issuers: Vec<Vec<usize>>,
    self_signed: Vec<bool>,
}

impl Graph {
    fn new(pile: &[Cert], nodes: &[usize]) -> Self {
        let mut issuers = alloc::vec![Vec::new(); pile.len()];
        for &i in nodes {
            issuers[i] =
                nodes.iter().copied().filter(|&j| i != j && issued(&pile[j], &pile[i])).collect();
        }
        let self_signed =
            pile.iter().map(|cert| cert.is_self_issued() && issued(cert, cert)).collect();
        Self { nodes: nodes.to_vec(), issuers, self_signed }
    }

    /// The one node that issued no other; where all did (or only roots are left), the only one.
    fn leaf(&self, pile: &[Cert]) -> Result<usize, Error> {
        let is_issuer = |i: usize| self.issuers.iter().any(|list| list.contains(&i));
        let mut candidates: Vec<usize> =
            self.nodes.iter().copied().filter(|i| !is_issuer(*i)).collect();
        if candidates.iter().any(|i| !self.self_signed[*i]) {
            candidates.retain(|i| !self.self_signed[*i]);
        }
        // Cross-signed twins of one key are one leaf.
        let twins = |a: usize, b: usize| {
            pile[a].subject() == pile[b].subject() && pile[a].spki() == pile[b].spki()
        };
        match candidates.as_slice() {
            [] => Err(Error::NoCertificate { what: String::from("the pile that could be a leaf") }),
            [first, rest @ ..] if rest.iter().all(|other| twins(*first, *other)) => {
                let best = candidates
                    .iter()
                    .copied()
                    .min_by_key(|i| self.rank(pile, &self.climb(pile, *i)));
                Ok(best.unwrap_or(*first))
            }
            many => Err(Error::AmbiguousLeaf {
                candidates: many
                    .iter()
                    .map(|i| alloc::format!("`{}`", pile[*i].subject().label()))
                    .collect(),
            }),
        }
    }

    /// The best way up from `leaf`.
    fn climb(&self, pile: &[Cert], leaf: usize) -> Vec<usize> {
        // Breadth first over ways without repetition; each node is entered once, by its shortest way.
        let mut ways: Vec<Vec<usize>> = alloc::vec![alloc::vec![leaf]];
        let mut seen = alloc::vec![leaf];
        let mut next = 0;
        while let Some(way) = ways.get(next).cloned() {
            next += 1;
            let Some(top) = way.last().copied().filter(|top| !self.self_signed[*top]) else {
                continue;
            };
            for &issuer in &self.issuers[top] {
                if !seen.contains(&issuer) {
                    seen.push(issuer);
                    ways.push([way.as_slice(), &[issuer]].concat());
                }
            }
        }
        ways.into_iter().min_by_key(|way| self.rank(pile, way)).unwrap_or_default()
    }

    /// Smaller is better: complete, then short, then long valid. An incomplete way is better the longer it is.
    fn rank(&self, pile: &[Cert], way: &[usize]) -> (bool, i64, i64) {
        let complete = way.last().is_some_and(|top| self.self_signed[*top]);
        let length = i64::try_from(way.len()).unwrap_or(i64::MAX);
        let end =
            way.iter().filter_map(|i| pile[*i].not_after().time()).map(|t| t.0).min().unwrap_or(0);
        (!complete, if complete { length } else { -length }, end.saturating_neg())
    }

    /// Everything some way up from `leaf` passes.
    fn above(&self, leaf: usize) -> Vec<usize> {
        let mut seen = alloc::vec![leaf];
        let mut next = 0;
        while let Some(&node) = seen.get(next) {
            next += 1;
            for &issuer in &self.issuers[node] {
                if !seen.contains(&issuer) {
                    seen.push(issuer);
                }
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests;
