//! A server of metrics alone, over plain HTTP.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::Request;
use hyper::body::{Bytes, Incoming};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::error::Error;
use super::server::{accept, bind, converse, finish};
use super::{limits, respond};

/// What a [`MonitorServer`] serves at the moment.
pub struct MonitorPage(RwLock<(Bytes, Instant)>);

impl MonitorPage {
    /// Serves this text as `/metrics` from now on; `/healthz` says yes until it is `fresh_for` old.
    pub fn publish(&self, text: String, fresh_for: Duration) {
        let mut page = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *page = (Bytes::from(text), Instant::now() + fresh_for);
    }

    pub(super) fn text(&self) -> Bytes {
        self.0.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).1 > Instant::now()
    }
}

impl fmt::Debug for MonitorPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorPage").finish_non_exhaustive()
    }
}

/// A server of `/metrics` and `/healthz` that listens and does not answer yet.
pub struct MonitorServer {
    listener: TcpListener,
    page: Arc<MonitorPage>,
}

impl MonitorServer {
    /// Listens; port 0 is any free one. Until the first page, `/metrics` is empty, and `/healthz` says yes for `fresh_for`.
    ///
    /// # Errors
    /// `endpoint/listen`.
    pub async fn bind(listen: SocketAddr, fresh_for: Duration) -> Result<Self, Error> {
        let page = Arc::new(MonitorPage(RwLock::new((Bytes::new(), Instant::now() + fresh_for))));
        Ok(Self { listener: bind(listen).await?, page })
    }

    /// What it serves, to be replaced while it runs.
    #[must_use]
    pub fn page(&self) -> Arc<MonitorPage> {
        Arc::clone(&self.page)
    }

    /// The address, with its port.
    ///
    /// # Errors
    /// When the system does not say it.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop` is ready; then takes no new connection and finishes the responses that are running, for at
    /// most 5 seconds.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let places = Arc::new(Semaphore::new(limits::CONNECTIONS));
        let mut stop = pin!(stop);
        loop {
            let (page, stopped) = (Arc::clone(&self.page), stopped.clone());
            tokio::select! {
                () = &mut stop => break,
                (stream, place) = accept(&self.listener, &places) => {
                    connections.spawn(async move {
                        let _place = place;
                        let respond = |request: &Request<Incoming>| {
                            respond::monitor(request, page.is_fresh(), || page.text())
                        };
                        converse(stream, respond, stopped).await;
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
        drop(self.listener);
        finish(connections, stopping).await;
    }
}
