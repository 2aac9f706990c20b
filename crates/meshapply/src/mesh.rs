//! Applies a mesh: makes the Istio resources and the DNS of many clusters what one spec says.
//!
//! `plan` decides and is pure; the other three contact clusters, and only the last of them writes:
//!
//! ```text
//! Mesh ───────────┬─ observe()  every cluster is read            ─► [Observation]
//! [Observation] ──┼─ plan()     pure: what differs               ─► MeshPlan
//! MeshPlan ───────┴─ rehearse() every write as a dry run         ─► Rehearsal
//! Rehearsal ──────── carry_out() wave after wave, all clusters   ─► Applied, or Stopped with what is missing
//! ```
//!
//! Resources are created in every cluster before anything refers to them, and removed after nothing does
//! ([`meshconfig::apply::steps`]). A write is for the version of the resource that was read: if another client changed
//! it in the meantime, the write fails and that change is kept. Nothing is stored outside the clusters, so an
//! interrupted run is simply run again.
//!
//! ```
//! use meshapply::mesh::{MemoryCluster, Pace, observe, plan, rehearse};
//! use meshconfig::{Lock, Mesh, Spec, address};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
//! let spec = Spec::read("
//! apiVersion: meshctl/v1
//! kind: Mesh
//! clusters:
//! - {name: east, istioVersion: 1.30.3}
//! - {name: west, istioVersion: 1.30.3, gateway: {addresses: [192.0.2.7]}}
//! services:
//! - name: reviews
//!   namespace: shop
//!   cluster: west
//!   ports: [{name: http, number: 9080, protocol: HTTP}]
//!   importedBy: [east]
//! ")?;
//! let mesh = Mesh::new(&spec).map_err(|mut errors| errors.remove(0))?;
//! // `meshapply::kube::Kube` is a cluster behind an API server; these are in memory.
//! let (east, west) = (MemoryCluster::new(), MemoryCluster::new());
//! let clusters = [("east", &east), ("west", &west)];
//!
//! let observed = observe(&mesh, &clusters).await?;
//! let mut taken = address::Taken::new();
//! observed.iter().for_each(|one| address::taken(&one.resources, &mut taken));
//! let addresses = Lock::default().assign(&mesh, &taken, meshpki::Time(0))?;
//!
//! let plan = plan(&mesh, &addresses, observed)?;
//! let rehearsal = rehearse(&plan, &clusters, Pace::default()).await?;
//! let applied = rehearsal.carry_out(|step| println!("{}: {}", step.cluster, step.write.id())).await?;
//!
//! assert_eq!(applied.writes, 3);
//! assert_eq!(west.ids(), ["Gateway istio-system/cross-network-gateway-mesh"]);
//! assert_eq!(
//!     east.ids(),
//!     [
//!         "DestinationRule istio-system/reviews.shop.west.mesh",
//!         "ServiceEntry istio-system/reviews.shop.west.mesh",
//!     ],
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeSet;

use meshconfig::dns::DnsEdit;
use serde_json::Value;

use crate::error::Error;

mod carry_out;
mod memory;
mod next;
mod observe;
mod plan;
#[cfg(test)]
mod tests;

pub use carry_out::{Applied, Pace, Rehearsal, RehearsalError, Stopped, rehearse};
pub use memory::MemoryCluster;
pub use observe::{Observation, observe};
pub use plan::{ClusterPlan, DnsRefusal, DnsWarning, MeshPlan, Obstacle, plan};

/// A cluster whose Istio resources and DNS can be read and written: [`crate::kube::Kube`], or a [`MemoryCluster`].
///
/// It decides nothing: it answers a question or makes one write.
#[allow(async_fn_in_trait, reason = "all that is awaited runs on one thread")]
pub trait MeshClient {
    /// Every resource of `networking.istio.io` of a kind meshconfig renders, whoever owns it, in all namespaces.
    ///
    /// `needed` are the `apiVersion` and kind of what will be written.
    ///
    /// # Errors
    /// `apply/no-crd` if the cluster does not know one of those; `apply/unreachable`, `apply/forbidden`, `apply/api`.
    async fn resources(&self, needed: &BTreeSet<(String, String)>) -> Result<Vec<Value>, Error>;

    /// Every Service, Sidecar and PeerAuthentication, in all namespaces: they are never written, and decide whether calls
    /// arrive.
    ///
    /// # Errors
    /// `apply/unreachable`, `apply/forbidden`, `apply/api`.
    async fn deciding(&self) -> Result<Vec<Value>, Error>;

    /// The resource with the kind, namespace and name of `like`; `None` if there is none.
    ///
    /// # Errors
    /// `apply/unreachable`, `apply/forbidden`, `apply/api`.
    async fn resource(&self, like: &Value) -> Result<Option<Value>, Error>;

    /// A ConfigMap; `None` if there is none.
    ///
    /// # Errors
    /// As [`MeshClient::resource`].
    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<Value>, Error>;

    /// Makes one write, or only has the cluster check it with `dry_run`. Returns the object as it is afterwards; null
    /// for one that was deleted.
    ///
    /// # Errors
    /// As [`MeshClient::resource`]; `apply/api` with status 409 if the object is not the one that was read.
    async fn write(&self, request: WriteRequest<'_>, dry_run: bool) -> Result<Value, Error>;
}

/// A write to one cluster.
#[derive(Clone, Copy, Debug)]
pub enum WriteRequest<'a> {
    /// Server-side apply; unknown fields are refused.
    Apply {
        /// The whole resource.
        resource: &'a Value,
        /// `resourceVersion` it must still have, then fields that others own are taken over. `None`: others must own
        /// none of the fields.
        over: Option<&'a str>,
    },
    /// Deletes the resource if its `uid` and `resourceVersion` are still these. One that is gone already is fine.
    Delete {
        /// The resource as it was read.
        live: &'a Value,
    },
    /// Patches a ConfigMap if it still has the `resourceVersion` of the edit.
    Edit(&'a DnsEdit),
}

/// An error of one cluster.
#[derive(Debug, thiserror::Error)]
#[error("cluster {cluster}: {error}")]
pub struct ClusterError {
    /// The cluster's name in the spec.
    pub cluster: String,
    /// What went wrong there.
    #[source]
    pub error: Error,
}

impl ClusterError {
    fn new(cluster: &str, error: Error) -> Self {
        Self { cluster: cluster.to_owned(), error }
    }
}
