//! The server: TLS connections to the bundle, plain ones to metrics, until its owner stops it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use meshpki::Time;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::content::{Content, Published};
use super::error::Error;
use super::{limits, respond, tls};

/// A bundle endpoint that listens and does not answer yet.
pub struct BundleServer {
    listener: TcpListener,
    metrics: Option<TcpListener>,
    acceptor: TlsAcceptor,
    published: Arc<Published>,
}

impl BundleServer {
    /// Listens at `listen` for the bundle and at `metrics` for `/healthz` and `/metrics`; port 0 is any free one.
    ///
    /// # Errors
    /// `endpoint/listen`, `endpoint/key`.
    pub async fn bind(
        listen: SocketAddr,
        metrics: Option<SocketAddr>,
        content: Content,
        now: Time,
    ) -> Result<Self, Error> {
        let published = Arc::new(Published::new(content, now));
        let acceptor = TlsAcceptor::from(tls::server(Arc::clone(&published) as _)?);
        let listener = bind(listen).await?;
        let metrics = match metrics {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        Ok(Self { listener, metrics, acceptor, published })
    }

    /// What it publishes, to be replaced while it runs.
    #[must_use]
    pub fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published)
    }

    /// The address of the bundle, with its port.
    ///
    /// # Errors
    /// When the system does not say it.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The address of the metrics, with its port.
    ///
    /// # Errors
    /// When the system does not say it.
    pub fn metrics_address(&self) -> io::Result<Option<SocketAddr>> {
        self.metrics.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Answers until `stop` is ready; then takes no new connection and finishes the responses that are running, for at
    /// most 5 seconds.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let places = Arc::new(Semaphore::new(limits::CONNECTIONS));
        // A monitor gets an answer however many clients there are.
        let monitors = Arc::new(Semaphore::new(limits::CONNECTIONS / 16));
        let mut stop = pin!(stop);
        loop {
            let shared = (Arc::clone(&self.published), stopped.clone());
            tokio::select! {
                () = &mut stop => break,
                (stream, place) = accept(&self.listener, &places) => {
                    connections.spawn(endpoint(stream, self.acceptor.clone(), shared, place));
                }
                (stream, place) = accept_optional(self.metrics.as_ref(), &monitors) => {
                    connections.spawn(monitor(stream, shared, place));
                }
                Some(_) = connections.join_next() => {}
            }
        }
        drop((self.listener, self.metrics));
        finish(connections, stopping).await;
    }
}

/// Finishes the responses that are running, for at most 5 seconds.
pub(super) async fn finish(mut connections: JoinSet<()>, stopping: watch::Sender<bool>) {
    stopping.send_replace(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    // What is still running after that is cut off when `connections` is dropped.
    let _ = timeout(limits::LAST_TIME, finished).await;
}

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| Error::Listen { address, why: error.to_string() })
}

/// The next connection, when there is a place for it.
pub(super) async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            // The client is gone, or there are too many files: neither ends the server.
            Err(_) => sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

async fn accept_optional(
    listener: Option<&TcpListener>,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    match listener {
        Some(listener) => accept(listener, places).await,
        None => std::future::pending().await,
    }
}

/// What every connection knows: the content, and when to end.
type Shared = (Arc<Published>, watch::Receiver<bool>);

/// A connection to the bundle.
async fn endpoint(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    (published, stopped): Shared,
    _place: Option<OwnedSemaphorePermit>,
) {
    let Ok(Ok(stream)) = timeout(limits::HEAD_TIME, acceptor.accept(stream)).await else {
        published.counters.tls_failed();
        return;
    };
    published.counters.opened();
    let respond = |request: &Request<Incoming>| respond::bundle(&published, request);
    if !converse(stream, respond, stopped).await {
        published.counters.http_failed();
    }
    published.counters.closed();
}

/// A connection to the metrics.
async fn monitor(
    stream: TcpStream,
    (published, stopped): Shared,
    _place: Option<OwnedSemaphorePermit>,
) {
    let respond = |request: &Request<Incoming>| {
        respond::monitor(request, true, || published.metrics().into())
    };
    converse(stream, respond, stopped).await;
}

/// Answers the requests of one connection until it ends, its time is over or the server stops; false if it broke.
pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    respond: impl Fn(&Request<Incoming>) -> Response<Full<Bytes>>,
    mut stopped: watch::Receiver<bool>,
) -> bool {
    let service = service_fn(async |request| Ok::<_, Infallible>(respond(&request)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_TIME)
        .max_buf_size(limits::HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = &mut connection => return ended.is_ok(),
        _ = stopped.wait_for(|is_over| *is_over) => {}
        () = sleep(limits::CONNECTION_TIME) => {}
    }
    connection.as_mut().graceful_shutdown();
    matches!(timeout(limits::LAST_TIME, connection).await, Ok(Ok(())))
}
