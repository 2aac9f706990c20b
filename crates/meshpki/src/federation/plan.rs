//! What the secrets of clusters lack so that each pair accepts each other by its trust model, and the pushes that add it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::matrix::{MatrixCluster, Trial, TrustAnswer, TrustCell, TrustMatrix};
use super::model::TrustModel;
use crate::cacerts::Secret;
use crate::cert::Cert;
use crate::istiod::Verifier;
use crate::spiffe::id::TrustDomain;
use crate::time::Time;

mod edit;
mod pair;

use edit::{Edit, Edited};
use pair::{Pair, Side};

/// A push that brings clusters closer to their trust models.
#[derive(Clone)]
#[non_exhaustive]
pub struct TrustPush {
    /// Index of the cluster.
    pub cluster: usize,
    /// What it gets.
    pub changes: Vec<TrustChange>,
    /// Its secret afterwards: one file of it differs, or two.
    pub secret: Secret,
    /// What the pairs of the cluster say after it, the pushes before it done; every other pair stays as it was.
    pub after: TrustMatrix,
}

/// A change of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustChange {
    /// A root of another cluster is added to the root bundle.
    Root {
        /// Index of the cluster whose CA it vouches for.
        of: usize,
        /// The root.
        root: Cert,
    },
    /// A bridge is sent after the CA.
    Bridge {
        /// Index of a cluster whose proxies accept it.
        to: usize,
        /// The bridge.
        bridge: Cert,
    },
    /// A bridge is removed, which the new one replaces: Envoy follows the first one only.
    Replaced {
        /// The bridge.
        bridge: Cert,
    },
}

/// What no push can bring about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustGap {
    /// The truster's root has not certified the signer's root.
    NoBridge {
        /// Index of the cluster that will accept it.
        truster: usize,
        /// Index of the cluster that will send it.
        signer: usize,
        /// The root to certify.
        root: Cert,
        /// The one trust domain it may vouch for.
        scope: Option<TrustDomain>,
    },
    /// The signer sends a bridge to others already. Of several for one root, Envoy follows the first one only
    /// (BoringSSL `crypto/x509/x509_vfy.cc: find_issuer`).
    SecondBridge {
        /// Index of the cluster that would accept it.
        truster: usize,
        /// Index of the cluster that would send it.
        signer: usize,
        /// Index of the cluster to which it sends the first one; `None`: to a cluster that is not here.
        first: Option<usize>,
    },
    /// The truster has a root of the signer in its bundle, so trust goes beyond the bridge.
    TrustedDirectly {
        /// Index of the cluster.
        truster: usize,
        /// Index of the cluster whose CA it vouches for.
        signer: usize,
        /// The root.
        root: Cert,
    },
    /// One root vouches for both, so that no constraint limits what the signer can say.
    OneRoot {
        /// Index of the cluster that accepts it.
        truster: usize,
        /// Index of the cluster whose CA signs.
        signer: usize,
    },
    /// Both have one trust domain, so that no constraint tells them apart.
    SameDomain {
        /// Index of the cluster that accepts it.
        truster: usize,
        /// Index of the cluster whose CA signs.
        signer: usize,
    },
    /// No root vouches for the CAs of both.
    NoSharedRoot {
        /// Index of the first.
        truster: usize,
        /// Index of the second.
        signer: usize,
    },
    /// No root in the cluster's own bundle vouches for its CA.
    NoAnchor {
        /// Index of the cluster.
        cluster: usize,
    },
    /// istiod does not accept the trust domain of the other.
    DomainNotAccepted {
        /// Index of the cluster that would accept it.
        truster: usize,
        /// Index of the other.
        signer: usize,
    },
    /// After every push the proxies of one still reject the other.
    Refused {
        /// Index of the cluster that rejects.
        truster: usize,
        /// Index of the cluster whose CA signs.
        signer: usize,
        /// Which of its proxies.
        verifier: Verifier,
        /// Why, and what would have to change.
        why: String,
    },
    /// A push would have ended what is accepted now, so it is not in the plan.
    WouldRefuse {
        /// Index of the cluster that would get it.
        cluster: usize,
        /// Index of the cluster that would reject.
        truster: usize,
        /// Index of the cluster whose CA signs.
        signer: usize,
        /// Why.
        why: String,
    },
}

impl TrustGap {
    /// The pair that it is about: who verifies, and whose CA signs; `None`: a cluster by itself.
    #[must_use]
    pub const fn pair(&self) -> Option<(usize, usize)> {
        match self {
            Self::NoBridge { truster, signer, .. }
            | Self::SecondBridge { truster, signer, .. }
            | Self::TrustedDirectly { truster, signer, .. }
            | Self::OneRoot { truster, signer }
            | Self::SameDomain { truster, signer }
            | Self::NoSharedRoot { truster, signer }
            | Self::DomainNotAccepted { truster, signer }
            | Self::Refused { truster, signer, .. }
            | Self::WouldRefuse { truster, signer, .. } => Some((*truster, *signer)),
            Self::NoAnchor { .. } => None,
        }
    }
}

/// What has to be done so that every pair accepts each other by its model.
#[derive(Clone)]
#[non_exhaustive]
pub struct TrustPlan {
    /// What every pair says now.
    pub before: TrustMatrix,
    /// Pushes, in order, at most one for each cluster. What is accepted before one is accepted after it.
    pub pushes: Vec<TrustPush>,
    /// What is lacking besides.
    pub gaps: Vec<TrustGap>,
}

impl TrustPlan {
    /// The plan for these clusters at one time. `model` gives the model of a pair of indices, the same in both orders;
    /// `None`: they need not accept each other. Bridges are taken from `bridges`, whatever their order.
    #[must_use]
    pub fn new(
        clusters: &[MatrixCluster<'_>],
        model: &dyn Fn(usize, usize) -> Option<TrustModel>,
        bridges: &[Cert],
        at: Time,
    ) -> Self {
        let (edits, mut gaps) = edits(clusters, model, bridges, at);
        let (before, made) = tried(clusters, &edits, model, at, &mut gaps);
        let mut edits: BTreeMap<usize, Edited> = edits.into_iter().collect();
        let pushes = made.into_iter().filter_map(|(cluster, after)| {
            let Edited { changes, secret } = edits.remove(&cluster)?;
            Some(TrustPush { cluster, changes, secret, after })
        });
        Self { before, pushes: pushes.collect(), gaps }
    }

    /// Whether every pair has what its model demands.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.pushes.is_empty() && self.gaps.is_empty()
    }
}

type Edits = Vec<(usize, Edited)>;

/// What each pair says now, and what they say after each push, but for those that would end what is accepted.
fn tried(
    clusters: &[MatrixCluster<'_>],
    edits: &Edits,
    model: &dyn Fn(usize, usize) -> Option<TrustModel>,
    at: Time,
    gaps: &mut Vec<TrustGap>,
) -> (TrustMatrix, Vec<(usize, TrustMatrix)>) {
    let changed: Vec<MatrixCluster<'_>> = edits
        .iter()
        .map(|(place, edit)| MatrixCluster { secret: &edit.secret, ..clusters[*place].clone() })
        .collect();
    let mut trial = Trial::new(clusters, at);
    let before = trial.all();
    let mut answers = Answers::default();
    answers.add(&before);
    let mut made = Vec::new();
    for ((place, _), cluster) in edits.iter().zip(&changed) {
        let after = trial.with(*place, cluster);
        if let Some(gap) = answers.lost(*place, &after) {
            trial.with(*place, &clusters[*place]);
            gaps.push(gap);
            continue;
        }
        answers.add(&after);
        made.push((*place, after));
    }
    let refused = answers.refused(model, gaps);
    gaps.extend(refused);
    (before, made)
}

/// What each secret lacks, whatever verifiers say of it.
fn edits(
    clusters: &[MatrixCluster<'_>],
    model: &dyn Fn(usize, usize) -> Option<TrustModel>,
    bridges: &[Cert],
    at: Time,
) -> (Edits, Vec<TrustGap>) {
    let sides: Vec<Side<'_>> = clusters.iter().map(|cluster| Side::new(cluster, at)).collect();
    let has_anchor = |side: usize| !sides[side].anchors.is_empty();
    let lacking = (0..sides.len()).filter(|cluster| !has_anchor(*cluster));
    let mut gaps: Vec<TrustGap> = lacking.map(|cluster| TrustGap::NoAnchor { cluster }).collect();
    let mut edits = Vec::new();
    for own in (0..sides.len()).filter(|own| has_anchor(*own)) {
        let mut edit = Edit::new(&sides[own], &sides);
        for other in (0..sides.len()).filter(|other| *other != own && has_anchor(*other)) {
            if let Some(model) = model(own, other) {
                let pair = Pair { sides: &sides, own, other };
                pair.look(model, bridges, &mut edit, &mut gaps);
            }
        }
        edits.extend(edit.finish(&sides[own]).map(|edited| (own, edited)));
    }
    (edits, gaps)
}

/// What each pair says, the last word on it.
#[derive(Default)]
struct Answers(BTreeMap<(usize, usize, Verifier), TrustAnswer>);

impl Answers {
    fn add(&mut self, matrix: &TrustMatrix) {
        let known = matrix.cells().iter();
        self.0.extend(
            known.map(|cell| ((cell.truster, cell.signer, cell.verifier), cell.answer.clone())),
        );
    }

    /// The first pair that would no longer be accepted.
    fn lost(&self, cluster: usize, matrix: &TrustMatrix) -> Option<TrustGap> {
        let was_accepted = |cell: &TrustCell| {
            let before = self.0.get(&(cell.truster, cell.signer, cell.verifier));
            matches!(before, Some(TrustAnswer::Accepted(_)))
        };
        matrix.cells().iter().find_map(|cell| match &cell.answer {
            TrustAnswer::Refused(refusal) if was_accepted(cell) => Some(TrustGap::WouldRefuse {
                cluster,
                truster: cell.truster,
                signer: cell.signer,
                why: refusal.why.clone(),
            }),
            _ => None,
        })
    }

    /// The pairs with a model that are refused, and of which nothing else is lacking.
    fn refused(
        &self,
        model: &dyn Fn(usize, usize) -> Option<TrustModel>,
        gaps: &[TrustGap],
    ) -> Vec<TrustGap> {
        let is_known = |truster: usize, signer: usize| {
            gaps.iter().any(|gap| match gap {
                TrustGap::NoAnchor { cluster } => [truster, signer].contains(cluster),
                TrustGap::NoSharedRoot { truster: a, signer: b } => {
                    [(*a, *b), (*b, *a)].contains(&(truster, signer))
                }
                gap => gap.pair() == Some((truster, signer)),
            })
        };
        let all = self.0.iter().filter(|((truster, signer, _), _)| {
            truster != signer && model(*truster, *signer).is_some() && !is_known(*truster, *signer)
        });
        all.filter_map(|((truster, signer, verifier), answer)| match answer {
            TrustAnswer::Refused(refusal) => Some(TrustGap::Refused {
                truster: *truster,
                signer: *signer,
                verifier: *verifier,
                why: alloc::format!("{}; {}", refusal.why, refusal.change),
            }),
            _ => None,
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
