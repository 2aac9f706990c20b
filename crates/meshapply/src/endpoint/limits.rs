//! What one side of an endpoint takes from the other.

use std::time::Duration;

/// Bytes a body may have, whatever its head says: no bundle is larger (`meshpki::spiffe`).
pub(super) const BODY: usize = 1 << 20;
/// Bytes the head of a request or response may have.
pub(super) const HEAD: usize = 16 << 10;
/// Redirects that are followed.
pub(super) const REDIRECTS: usize = 5;
/// Connections a server has at once; more wait in the system's queue.
pub(super) const CONNECTIONS: usize = 256;
/// The time one address of a host has to answer, so that the next one can be tried.
pub(super) const ADDRESS_TIME: Duration = Duration::from_secs(3);
/// The time a client has for its handshake, and for the head of each request.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(10);
/// The time a connection may last, however slowly the client reads. The next look at a bundle needs a new one anyway.
pub(super) const CONNECTION_TIME: Duration = Duration::from_secs(120);
/// The time running responses have when a connection or the server ends.
pub(super) const LAST_TIME: Duration = Duration::from_secs(5);
