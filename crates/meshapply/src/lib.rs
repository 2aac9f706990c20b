//! Makes Istio clusters what they should be. For CA certificates, [`converge()`] writes the `cacerts` secret, restarts what
//! must restart, and proves that the new CA is live. For the resources of a mesh, see [`mesh`]; for the secrets with
//! which clusters read each other's endpoints, [`remote`]. Apart from clusters, [`endpoint`] fetches and publishes SPIFFE
//! bundles.
//!
//! One cluster is a loop of three questions, and only the middle one decides:
//!
//! ```text
//! Cluster::observe() ─► Observed ─┐
//! Desired ────────────────────────┴─ next() ─► Act(action) ─► Cluster::act()   ─► look again
//!                                              Prove       ─► Cluster::prove() ─► look again
//!                                              Wait(what)  ─► sleep            ─► look again, until patience ends
//!                                              Done        ─► Receipt
//!                                              Stop(why)   ─► Error
//! ```
//!
//! What has happened is read from the cluster, never remembered: the secret records its content and what must
//! has to restart for it, a pod template says for which content its pods were restarted. So a run that was
//! interrupted is simply run again, and a second run writes nothing. "Ready" proves nothing: done is a cluster
//! whose istiod presents a certificate of the new CA, signs with it, and gives out its roots.

pub mod child;
pub mod cluster;
pub mod converge;
pub mod endpoint;
pub mod error;
pub mod export;
pub mod forget;
mod istio_ca;
pub mod kube;
pub mod mesh;
pub mod names;
pub mod next;
pub mod pending;
pub mod proof;
pub mod proxies;
pub mod remote;
mod server;
pub mod state;
pub mod waves;
pub mod workload;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

pub use cluster::Cluster;
pub use converge::{Event, Patience, Receipt, converge};
pub use error::Error;
