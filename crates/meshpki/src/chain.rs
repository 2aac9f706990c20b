//! Chain assembly: certificates in any order become one chain, leaf first.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::cert::Cert;
use crate::error::Error;
use crate::signature::{self, SignatureCheck, SignatureInput};

/// A chain, and the certificates that are not in it. Numbers are positions in the input, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assembly {
    /// The chain, leaf first, as far up as the certificates go.
    pub chain: Vec<usize>,
    /// Byte-identical copies of an earlier certificate: the copy and the one it copies.
    pub duplicates: Vec<(usize, usize)>,
    /// Certificates that could be in the chain instead: other signatures over the same name and key
    /// (cross-signed), or other ways up. One of each must be chosen, because OpenSSL, GnuTLS and
    /// BoringSSL, and therefore Envoy, follow the first issuer that fits and do not turn back.
    pub alternatives: Vec<usize>,
    /// Certificates that have nothing to do with the leaf.
    pub strays: Vec<usize>,
}

impl Assembly {
    /// The chain's certificates, from the input they were assembled from.
    #[must_use]
    pub fn certs(&self, pile: &[Cert]) -> Vec<Cert> {
        self.chain.iter().map(|i| pile[*i].clone()).collect()
    }
}

/// Failed signature checks before [`assemble`] gives up: wrong guesses at the issuer of a certificate. If names or
/// key identifiers distinguish certificates, every guess is right.
pub const WRONG_GUESSES: usize = 1_000;

/// Puts certificates in order: from the leaf (the one that issued none of the others, or the one
/// given) up to a root.
///
/// An issuer is one whose name, key identifier and key fit: signatures are checked. Where several do,
/// the way that ends at a self-signed certificate comes first, then the shorter one, then the one valid
/// longest, then the order of the input; the result does not depend on anything else.
///
/// Each certificate is checked with the keys of those that have its issuer's name, likely ones first, until one fits;
/// with a leaf given only those on the way up are.
///
/// # Errors
/// `pki/no-certificate` for an empty input, `pki/ambiguous-leaf` when no leaf was given and several could be it,
/// `pki/ambiguous-chain` after [`WRONG_GUESSES`].
pub fn assemble(pile: &[Cert], leaf: Option<&Cert>) -> Result<Assembly, Error> {
    assemble_by(pile, leaf, &mut |issuer, cert| signed_by(issuer, cert))
}

/// The same, with a way to check signatures.
fn assemble_by(
    pile: &[Cert],
    leaf: Option<&Cert>,
    is_signed: &mut dyn FnMut(&Cert, &Cert) -> bool,
) -> Result<Assembly, Error> {
    let (distinct, duplicates) = tell_apart(pile);
    let mut graph = Graph::new(pile, &distinct, is_signed);
    let leaf = match leaf {
        Some(leaf) => distinct.iter().copied().find(|i| pile[*i] == *leaf).ok_or_else(|| {
            Error::NoCertificate {
                what: alloc::format!("the input that is `{}`", leaf.subject().label()),
            }
        })?,
        None => graph.leaf(&distinct)?,
    };
    let ways = graph.ways(leaf)?;
    let chain = ways.best();
    let identity = |i: usize| (pile[i].subject().canonical(), pile[i].public_key().as_der());
    // Same subject and key as a member of the chain, another certificate.
    let members: BTreeSet<_> = chain.iter().map(|i| identity(*i)).collect();
    let in_chain: BTreeSet<usize> = chain.iter().copied().collect();
    let above = graph.above(leaf)?;
    let (mut alternatives, mut strays) = (Vec::new(), Vec::new());
    for i in distinct.iter().copied().filter(|i| !in_chain.contains(i)) {
        let could_stand = above.contains(&i) || members.contains(&identity(i));
        if could_stand { &mut alternatives } else { &mut strays }.push(i);
    }
    Ok(Assembly { chain, duplicates, alternatives, strays })
}

/// Whether `issuer` signed `cert`: its name, its key identifier where both have one, and its key.
#[must_use]
pub fn issued(issuer: &Cert, cert: &Cert) -> bool {
    issuer.subject() == cert.issuer() && fits_key_id(issuer, cert) && signed_by(issuer, cert)
}

/// Whether `cert` is another CA's certificate for one of these roots: their name and key under another name
/// ([`crate::federation::Bridge`]).
#[must_use]
pub fn is_bridge(cert: &Cert, roots: &[Cert]) -> bool {
    let is_same =
        |root: &Cert| root.subject() == cert.subject() && root.public_key() == cert.public_key();
    !cert.is_self_issued() && roots.iter().any(is_same)
}

/// Whether the key identifier of `cert`'s issuer, if it gives one, matches that of `issuer`.
fn fits_key_id(issuer: &Cert, cert: &Cert) -> bool {
    let wanted = cert.extensions().authority_key_id.as_ref().and_then(|id| id.key_id.as_ref());
    match (wanted, &issuer.extensions().subject_key_id) {
        (Some(wanted), Some(have)) => wanted == have,
        _ => true,
    }
}

fn signed_by(issuer: &Cert, cert: &Cert) -> bool {
    let check = signature::check(&SignatureInput {
        algorithm: cert.signature_algorithm(),
        message: cert.tbs(),
        signature: cert.signature(),
        key: issuer.public_key(),
    });
    check == SignatureCheck::Good
}

/// The first of each certificate in the input; and the copies, each with the one it copies.
fn tell_apart(pile: &[Cert]) -> (Vec<usize>, Vec<(usize, usize)>) {
    let mut first: BTreeMap<&[u8], usize> = BTreeMap::new();
    let (mut distinct, mut duplicates) = (Vec::new(), Vec::new());
    for (i, cert) in pile.iter().enumerate() {
        let original = *first.entry(cert.as_der()).or_insert(i);
        if original == i { distinct.push(i) } else { duplicates.push((i, original)) }
    }
    (distinct, duplicates)
}

/// The issuers of certificates, found when they are first needed.
struct Graph<'a> {
    pile: &'a [Cert],
    /// Places by the canonical form of the subject.
    by_subject: BTreeMap<&'a [u8], Vec<usize>>,
    /// The issuers of a certificate in the order of the input, itself included if it is self-signed.
    issuers: BTreeMap<usize, Vec<usize>>,
    is_signed: &'a mut dyn FnMut(&Cert, &Cert) -> bool,
    wrong_guesses: usize,
}

impl<'a> Graph<'a> {
    fn new(
        pile: &'a [Cert],
        nodes: &[usize],
        is_signed: &'a mut dyn FnMut(&Cert, &Cert) -> bool,
    ) -> Self {
        let mut by_subject: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
        for &i in nodes {
            by_subject.entry(pile[i].subject().canonical()).or_default().push(i);
        }
        Self { pile, by_subject, issuers: BTreeMap::new(), is_signed, wrong_guesses: 0 }
    }

    /// Every issuer of `i`: a signature is by one key, so those found have the same one.
    fn issuers(&mut self, i: usize) -> Result<&[usize], Error> {
        if !self.issuers.contains_key(&i) {
            let found = self.find_issuers(i)?;
            self.issuers.insert(i, found);
        }
        Ok(&self.issuers[&i])
    }

    fn find_issuers(&mut self, i: usize) -> Result<Vec<usize>, Error> {
        let (pile, cert) = (self.pile, &self.pile[i]);
        let named = self.by_subject.get(cert.issuer().canonical());
        let mut fitting: Vec<usize> = named.into_iter().flatten().copied().collect();
        fitting.retain(|j| fits_key_id(&pile[*j], cert));
        let wanted = cert.extensions().authority_key_id.as_ref().and_then(|id| id.key_id.as_ref());
        let is_said =
            |j: usize| wanted.is_some() && pile[j].extensions().subject_key_id.as_ref() == wanted;
        let mut likely = fitting.clone();
        // Itself, then those whose key identifier it says.
        likely.sort_by_key(|j| (*j != i, !is_said(*j)));
        let mut tried: BTreeSet<&[u8]> = BTreeSet::new();
        for j in likely {
            if !tried.insert(pile[j].public_key().as_der()) {
                continue;
            }
            if (self.is_signed)(&pile[j], cert) {
                fitting.retain(|other| {
                    pile[*other].public_key().as_der() == pile[j].public_key().as_der()
                });
                return Ok(fitting);
            }
            self.wrong_guesses += 1;
            if self.wrong_guesses >= WRONG_GUESSES {
                let certificates = pile.len();
                return Err(Error::AmbiguousChain { certificates, limit: WRONG_GUESSES });
            }
        }
        Ok(Vec::new())
    }

    fn is_self_signed(&mut self, i: usize) -> Result<bool, Error> {
        Ok(self.pile[i].is_self_issued() && self.issuers(i)?.contains(&i))
    }

    /// The one node that issued no other; where all did (or only roots are left), the only one.
    fn leaf(&mut self, nodes: &[usize]) -> Result<usize, Error> {
        let mut issuers = BTreeSet::new();
        for &i in nodes {
            issuers.extend(self.issuers(i)?.iter().copied().filter(|j| *j != i));
        }
        let mut candidates: Vec<usize> =
            nodes.iter().copied().filter(|i| !issuers.contains(i)).collect();
        let mut roots = BTreeSet::new();
        for &i in &candidates {
            if self.is_self_signed(i)? {
                roots.insert(i);
            }
        }
        if candidates.iter().any(|i| !roots.contains(i)) {
            candidates.retain(|i| !roots.contains(i));
        }
        // Cross-signed twins of one key are one leaf.
        let pile = self.pile;
        let twins = |a: usize, b: usize| {
            pile[a].subject() == pile[b].subject()
                && pile[a].public_key().as_der() == pile[b].public_key().as_der()
        };
        match candidates.as_slice() {
            [] => {
                Err(Error::NoCertificate { what: String::from("the input that could be a leaf") })
            }
            [first, rest @ ..] if rest.iter().all(|other| twins(*first, *other)) => {
                let mut best = (self.ways(*first)?.best_rank(), *first);
                for &other in rest {
                    let rank = self.ways(other)?.best_rank();
                    if rank < best.0 {
                        best = (rank, other);
                    }
                }
                Ok(best.1)
            }
            many => Err(Error::AmbiguousLeaf {
                candidates: many
                    .iter()
                    .map(|i| alloc::format!("`{}`", pile[*i].subject().label()))
                    .collect(),
            }),
        }
    }

    /// When a certificate ends, in seconds since 1970; a date that cannot be read counts as 1970.
    fn end(&self, i: usize) -> i64 {
        self.pile[i].not_after().time().map_or(0, |end| end.0)
    }

    /// The ways up from `leaf`, level by level; each certificate is entered once, by its shortest way, and of several
    /// by the one valid longest.
    fn ways(&mut self, leaf: usize) -> Result<Ways, Error> {
        let first = Step::first(leaf, self.end(leaf));
        let mut steps = alloc::vec![first];
        let mut places = BTreeMap::from([(leaf, 0)]);
        let mut next = 0;
        while next < steps.len() {
            let top = steps[next].cert;
            if self.is_self_signed(top)? {
                steps[next].is_root = true;
                next += 1;
                continue;
            }
            for issuer in self.issuers(top)?.to_vec() {
                let step = steps[next].above(next, issuer, self.end(issuer));
                match places.get(&issuer).copied() {
                    None => {
                        places.insert(issuer, steps.len());
                        steps.push(step);
                    }
                    // Nothing above it has been looked at: it is on the level that is being made.
                    Some(place)
                        if steps[place].length == step.length && step.outlasts(&steps[place]) =>
                    {
                        steps[place] = step;
                    }
                    Some(_) => {}
                }
            }
            next += 1;
        }
        Ok(Ways(steps))
    }

    /// Everything some way up from `leaf` passes.
    fn above(&mut self, leaf: usize) -> Result<BTreeSet<usize>, Error> {
        let mut seen = BTreeSet::from([leaf]);
        let mut next = alloc::vec![leaf];
        while let Some(node) = next.pop() {
            let issuers = self.issuers(node)?;
            next.extend(issuers.iter().copied().filter(|issuer| seen.insert(*issuer)));
        }
        Ok(seen)
    }
}

/// A certificate on the way up.
struct Step {
    cert: usize,
    /// The step below it.
    below: Option<usize>,
    length: i64,
    /// When the first of those passed ends.
    end: i64,
    /// The ends of all of them, added: of two ways with the same first end, the one with later ends is better.
    ends: i128,
    is_root: bool,
}

impl Step {
    fn first(cert: usize, end: i64) -> Self {
        Self { cert, below: None, length: 1, end, ends: end.into(), is_root: false }
    }

    /// The next step, to a certificate that ends at `end`; this one is at `below`.
    fn above(&self, below: usize, cert: usize, end: i64) -> Self {
        Self {
            cert,
            below: Some(below),
            length: self.length + 1,
            end: self.end.min(end),
            ends: self.ends + i128::from(end),
            is_root: false,
        }
    }

    fn outlasts(&self, other: &Self) -> bool {
        (self.end, self.ends) > (other.end, other.ends)
    }

    /// Smaller is better: complete, then short, then long valid. An incomplete way is better the longer it is.
    fn rank(&self) -> Rank {
        let length = if self.is_root { self.length } else { -self.length };
        (!self.is_root, length, Reverse((self.end, self.ends)))
    }
}

type Rank = (bool, i64, Reverse<(i64, i128)>);

/// Steps in the order they were taken; never empty.
struct Ways(Vec<Step>);

impl Ways {
    fn best_rank(&self) -> Option<Rank> {
        self.0.iter().map(Step::rank).min()
    }

    /// The best way, leaf first.
    fn best(&self) -> Vec<usize> {
        let mut step = self.0.iter().min_by_key(|step| step.rank());
        let mut chain = Vec::new();
        while let Some(at) = step {
            chain.push(at.cert);
            step = at.below.map(|below| &self.0[below]);
        }
        chain.reverse();
        chain
    }
}

#[cfg(test)]
mod tests;
