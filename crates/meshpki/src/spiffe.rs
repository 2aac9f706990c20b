//! SPIFFE: X.509-SVIDs, and the bundles in which trust domains publish their roots.
//!
//! [`Bundle`] has the roots of one trust domain, [`BundleMap`] those of several. [`Bundle::update`] decides whether a bundle
//! may take the place of an older one. [`svid`] checks certificates clause by clause. Identities are
//! [`SpiffeId`](crate::SpiffeId) and [`TrustDomain`](crate::TrustDomain).
//!
//! Readers follow the specification and name what it has them ignore. Writers write what the strictest reader accepts,
//! byte for byte as SPIRE does.

mod bundle;
mod bundle_map;
pub(crate) mod id;
#[cfg(feature = "spiffe")]
mod json;
mod jwk;
pub(crate) mod problem;
pub mod svid;
mod update;

pub use bundle::{Bundle, Ignored, WhyIgnored};
pub use bundle_map::BundleMap;
pub use problem::{BundleProblem, SvidProblem};
pub use update::{BundleUpdate, UpdatePolicy, UpdateRefusal};
