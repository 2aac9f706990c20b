//! Whether the secret that is kept for a rollback can go: only where the present one is proven live and nothing waits.

use crate::cluster::Cluster;
use crate::error::Error;
use crate::next::unusable;
use crate::proof::{Unproven, judge};
use crate::state::{Desired, Live, Observed};

/// Proves that the present CA of a cluster is live, and that no restart or rollout is open.
///
/// # Errors
/// `apply/no-istiod`, `apply/no-replicas`, `apply/unfinished`, `apply/unproven`, and those of a request.
pub async fn proven(cluster: &impl Cluster, observed: &Observed) -> Result<(), Error> {
    if let Some(stop) = unusable(observed) {
        return Err(Error::Stopped(stop));
    }
    let pending = observed.pending();
    if !pending.is_empty() {
        return Err(Error::Unfinished { pending });
    }
    let Some(live) = &observed.secret else {
        return Err(Error::Unproven { seconds: 0, missing: Unproven::NoSecret });
    };
    let proof = cluster.prove(&Desired::as_it_is(live)).await?;
    match judge(&live.files, &proof).into_iter().next() {
        Some(missing) => Err(Error::Unproven { seconds: 0, missing }),
        None => Ok(()),
    }
}

impl Live {
    /// Whether there is something in it that a rollback could go back to, or a key.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.files.names().next().is_some()
    }
}

#[cfg(test)]
mod tests;
