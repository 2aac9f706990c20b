//! From one small mesh spec, every Istio resource for calls across clusters. Values in, values out.
//!
//! ```text
//! text ── Spec::read()? ─► Spec ── Mesh::new()? ─► Mesh ── plan(cluster) ─► Plan{units: which cluster calls what through which gateway}
//!                                                   │                          └─ render() ─► [Resource] ── yaml() ─► text
//!                                                   └─ Lock::assign()? ─► one address per remote service, remembered
//! ```
//!
//! An example: productpage on one cluster calls reviews on two:
//!
//! ```
//! use meshconfig::{Lock, Mesh, Spec, render};
//!
//! let spec = Spec::read("
//! apiVersion: meshctl/v1
//! kind: Mesh
//! clusters:
//! - {name: cluster1, trustDomain: cluster1, istioVersion: 1.30.3}
//! - name: cluster2
//!   trustDomain: cluster2
//!   istioVersion: 1.30.3
//!   gateway: {addresses: [172.18.0.230]}
//! services:
//! - {name: reviews, namespace: default, cluster: cluster1, ports: [{name: http, number: 9080, protocol: HTTP}]}
//! - name: reviews
//!   namespace: default
//!   cluster: cluster2
//!   ports: [{name: http, number: 9080, protocol: HTTP}]
//!   serviceAccounts: [bookinfo-reviews]
//!   importedBy: [cluster1]
//! policies:
//! - name: reviews
//!   service: default/reviews
//!   clients: [cluster1]
//!   route: [{cluster: cluster2, weight: 75}, {cluster: cluster1, weight: 25}]
//! ")?;
//! let mesh = Mesh::new(&spec).map_err(|mut errors| errors.remove(0))?;
//! let addresses = Lock::default().assign(&mesh, &Default::default(), meshpki::Time(0))?;
//! let resources = render(&mesh, mesh.cluster("cluster1").unwrap(), &addresses);
//! let kinds: Vec<&str> = resources.iter().map(|r| r.kind()).collect();
//! assert_eq!(kinds, ["ServiceEntry", "DestinationRule", "VirtualService"]);
//! assert!(resources[1].yaml().contains("sni: outbound_.9080_._.reviews.default.svc.cluster.local"));
//! # Ok::<(), meshconfig::Error>(())
//! ```

#![no_std]

extern crate alloc;

pub mod address;
pub mod apply;
pub mod dialect;
pub mod discover;
pub mod dns;
pub mod error;
pub mod explain;
pub mod graph;
pub mod import;
pub mod lint;
mod locate;
pub mod mesh;
pub mod reach;
pub mod resource;
pub mod route;
pub mod spec;
mod text;

pub use address::Lock;
pub use dialect::{Renderer, render};
pub use error::{Error, Fault};
pub use mesh::Mesh;
pub use resource::Resource;
pub use spec::Spec;
