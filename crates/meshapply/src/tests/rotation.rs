//! A whole rotation of roots over many clusters in memory, each run killed after one write, two or three.

use meshpki::Cert;
use meshpki::cacerts::Secret;
use meshpki::rotation::{RotationCluster, RotationPlanner, RotationStrategy};

use super::{desired, run};
use crate::fake::{Fake, NOW, Root};
use crate::state::RestartTarget;

/// Clusters under one root, bound for another.
struct Mesh {
    fakes: Vec<Fake>,
    goals: Vec<Secret>,
    bridge: Cert,
}

impl Mesh {
    fn new(count: usize) -> Self {
        let (old, new) = (Root::new("CN=old root"), Root::new("CN=new root"));
        let name = |number: usize| format!("CN=cluster {number}");
        let fakes = (0..count).map(|number| Fake::new(&old.secret(&name(number)), false));
        let goals = (0..count).map(|number| new.secret(&name(number)));
        Self { fakes: fakes.collect(), goals: goals.collect(), bridge: old.bridge(&new) }
    }

    /// One run: what is decided, done, and killed after so many writes. Returns how many secrets it was to push; 0: none
    /// is left.
    fn run(&self, planner: &RotationPlanner, writes: usize) -> usize {
        let held: Vec<Secret> = self.fakes.iter().map(secret).collect();
        let all = held.iter().zip(&self.goals).zip(&self.fakes);
        let clusters: Vec<RotationCluster<'_>> = all
            .map(|((live, goal), fake)| {
                let mut cluster = RotationCluster::new("one of many", live, goal);
                let state = fake.state.borrow();
                let is_open = state.running != *live || !state.observed.pending().is_empty();
                cluster.unfinished = is_open.then(|| "a push that was killed".to_owned());
                cluster
            })
            .collect();
        let moves = planner.decide(&clusters).moves;
        for one in &moves {
            let fake = &self.fakes[one.cluster];
            let mut want = desired(&one.secret, fake, "1.30.4");
            want.restart.remove(&RestartTarget::Gateways);
            // An istiod that does not reload is restarted at once.
            want.reload_seconds = 0;
            fake.state.borrow_mut().trouble.breaks_after = Some(writes);
            // It is killed, unless nothing more was to be written.
            let _ = run(fake, &want);
        }
        moves.len()
    }
}

/// The most writes that a push makes: it keeps the old secret, writes the new one and restarts istiod.
const MOST: usize = 3;

fn secret(fake: &Fake) -> Secret {
    fake.state.borrow().observed.secret.as_ref().unwrap().files.clone()
}

#[test]
fn runs_that_are_killed_after_any_write_come_to_the_same_end() {
    let check = |clusters: usize, first: usize, strategy: RotationStrategy| {
        let mesh = Mesh::new(clusters);
        let bridges = [mesh.bridge.clone()];
        let planner = RotationPlanner::new(&bridges, strategy, NOW);
        let mut runs = 0;
        while mesh.run(&planner, 1 + (first + runs) % MOST) > 0 {
            runs += 1;
            let logs = || mesh.fakes.iter().map(Fake::log).collect::<Vec<_>>().join("\n");
            assert!(runs < 40, "{clusters} clusters, {first}: no end\n{}", logs());
        }
        for (fake, goal) in mesh.fakes.iter().zip(&mesh.goals) {
            assert!(secret(fake) == *goal, "{}", fake.log());
            assert!(fake.state.borrow().running == *goal, "{}", fake.log());
            assert!(!fake.log().contains("restart gateway"), "{}", fake.log());
        }
    };
    for first in 0..MOST {
        check(3, first, RotationStrategy::Bridge);
        check(3, first, RotationStrategy::Overlap);
    }
    check(50, 0, RotationStrategy::Bridge);
}
