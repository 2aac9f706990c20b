//! SPIFFE bundle endpoints: [`fetch`] gets the bundle of a trust domain, [`BundleServer`] publishes one
//! (SPIFFE Federation, section 5).
//!
//! ```text
//! EndpointUrl + EndpointAuth ── fetch() ─► Fetched ── spiffe::Bundle::update() ─► stored or refused
//! Content ── BundleServer::run() ─► GET /; Published::replace_*() changes what is served, connections stay open
//! ```
//!
//! [`MonitorServer`] serves `/metrics` and `/healthz` alone.
//!
//! Nothing here reads or writes a file. Which bundle may take the place of another, `meshpki` decides.

mod client;
mod content;
mod error;
mod limits;
mod metrics;
mod monitor;
mod respond;
mod server;
mod tls;
mod url;

pub use client::{Fetched, fetch};
pub use content::{Content, Published, ReloadedFile, ServerIdentity};
pub use error::Error;
pub use monitor::{MonitorPage, MonitorServer};
pub use server::BundleServer;
pub use tls::EndpointAuth;
pub use url::{EndpointUrl, Step, UrlProblem, next_step};
