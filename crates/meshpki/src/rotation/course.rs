//! The whole way of a rotation beforehand, if every cluster answers and every proxy renews in between.

use alloc::vec::Vec;

use super::{
    RotationBlock, RotationCluster, RotationMove, RotationPhase, RotationPlanner, Sightings,
};
use crate::cacerts::Secret;

/// The pushes that are left, in groups: between two groups all proxies renew their certificates.
#[derive(Clone)]
#[non_exhaustive]
pub struct RotationCourse {
    /// The groups, in order.
    pub steps: Vec<RotationStep>,
    /// What keeps clusters from their goal after the last group, each with the index of its cluster; empty: nothing does.
    pub stuck: Vec<(usize, Vec<RotationBlock>)>,
}

/// Pushes that can be made together.
#[derive(Clone)]
#[non_exhaustive]
pub struct RotationStep {
    /// One secret for each of some clusters.
    pub moves: Vec<RotationMove>,
}

impl RotationPlanner {
    /// What will be done, if nothing comes in between.
    #[must_use]
    pub fn course(&self, clusters: &[RotationCluster<'_>]) -> RotationCourse {
        let mut held: Vec<Secret> = clusters.iter().map(|cluster| cluster.live.clone()).collect();
        let mut steps = Vec::new();
        // Each cluster comes to a later phase with each of its pushes.
        for _ in 0..=clusters.len() * RotationPhase::ALL.len() {
            let decision = self.decide(&renewed(clusters, &held));
            if decision.moves.is_empty() {
                return RotationCourse { steps, stuck: decision.blocks };
            }
            for one in &decision.moves {
                held[one.cluster] = one.secret.clone();
            }
            steps.push(RotationStep { moves: decision.moves });
        }
        RotationCourse { steps, stuck: Vec::new() }
    }
}

/// The same clusters once they hold these secrets and every proxy has renewed.
fn renewed<'a>(clusters: &[RotationCluster<'a>], held: &'a [Secret]) -> Vec<RotationCluster<'a>> {
    let one = |(cluster, live): (&RotationCluster<'a>, &'a Secret)| RotationCluster {
        live,
        earlier: Vec::new(),
        sightings: Sightings::default(),
        unfinished: None,
        ..cluster.clone()
    };
    clusters.iter().zip(held).map(one).collect()
}
