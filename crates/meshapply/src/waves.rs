//! Many clusters: one goes first, the rest together; the first failure stops what has not started.

use std::future::Future;

use futures_util::stream::{FuturesUnordered, StreamExt};

/// The groups, in order: a group starts when the one before is done.
///
/// The first cluster is the canary and goes alone, the rest follows at most `parallel` at a time.
///
/// ```
/// use meshapply::waves::waves;
/// assert_eq!(waves(5, 3), [vec![0], vec![1, 2, 3], vec![4]]);
/// assert_eq!(waves(1, 3), [vec![0]]);
/// ```
#[must_use]
pub fn waves(clusters: usize, parallel: usize) -> Vec<Vec<usize>> {
    let all: Vec<usize> = (0..clusters).collect();
    let (canary, rest) = all.split_at(clusters.min(1));
    let groups = std::iter::once(canary).chain(rest.chunks(parallel.max(1)));
    groups.filter(|group| !group.is_empty()).map(<[usize]>::to_vec).collect()
}

/// What became of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T, E> {
    /// It is done.
    Done(T),
    /// It failed.
    Failed(E),
    /// It was not begun, since another failed before.
    NotStarted,
}

/// Runs `work` for every cluster, wave by wave. Those of a wave that have begun are let finish: a cluster left
/// in the middle is worse than one more that is done.
pub async fn in_waves<T, E, F: Future<Output = Result<T, E>>>(
    waves: &[Vec<usize>],
    mut work: impl FnMut(usize) -> F,
) -> Vec<Outcome<T, E>> {
    let count = waves.iter().map(Vec::len).sum();
    let mut outcomes: Vec<Outcome<T, E>> = (0..count).map(|_| Outcome::NotStarted).collect();
    for wave in waves {
        let mut running: FuturesUnordered<_> = wave
            .iter()
            .map(|&cluster| {
                let work = work(cluster);
                async move { (cluster, work.await) }
            })
            .collect();
        let mut failed = false;
        while let Some((cluster, result)) = running.next().await {
            failed |= result.is_err();
            outcomes[cluster] = match result {
                Ok(done) => Outcome::Done(done),
                Err(error) => Outcome::Failed(error),
            };
        }
        if failed {
            break;
        }
    }
    outcomes
}
