//! The seam to a cluster.

use crate::error::Error;
use crate::next::Action;
use crate::proof::Proof;
use crate::state::{Desired, Observed};

/// A cluster that can be observed and changed: [`crate::kube::Kube`], or one made up in a test.
///
/// It makes no decisions: [`crate::next::next`] does.
#[allow(async_fn_in_trait, reason = "all that is awaited runs on one thread")]
pub trait Cluster {
    /// Looks at everything [`crate::next::next`] decides by.
    ///
    /// # Errors
    /// `apply/unreachable`, `apply/forbidden`, `apply/api`.
    async fn observe(&self) -> Result<Observed, Error>;

    /// Does one thing.
    ///
    /// # Errors
    /// As [`Cluster::observe`]; `apply/api` with status 409 when another write came first.
    async fn act(&self, action: &Action, desired: &Desired) -> Result<(), Error>;

    /// Asks istiod what it serves, has it sign, and reads what workloads are given to trust.
    ///
    /// # Errors
    /// As [`Cluster::observe`]; what istiod does wrong is in the proof and no error.
    async fn prove(&self, desired: &Desired) -> Result<Proof, Error>;
}
