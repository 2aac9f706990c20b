//! What a pod runs behind its proxy: a server for HTTP/1.1 and 2 that reports what it received, and calls as
//! applications make them.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Map, Value, json};

use super::Cluster;
use super::network::Namespace;

/// How an application behaves, and what it has seen.
#[derive(Debug, Default)]
pub struct App {
    /// Requests it got.
    pub requests: AtomicU32,
    /// How many of the next it answers with 503.
    pub fails: AtomicU32,
    /// How long it takes for an answer, in milliseconds.
    pub delay: AtomicU64,
}

impl App {
    /// Listens at an address and port of a pod while the cluster runs; `name` is in its answers.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start(cluster: &Cluster, pod: &Namespace, at: (&str, u16), name: &str) -> Arc<Self> {
        let listener = pod.enter(|| TcpListener::bind(at)).expect("an address to listen at");
        listener.set_nonblocking(true).expect("a listener");
        let (app, name) = (Arc::new(Self::default()), name.to_owned());
        let shared = Arc::clone(&app);
        cluster.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            tokio::spawn(serve(listener, shared, name));
        });
        app
    }

    async fn answer(&self, request: Request<Incoming>, name: &str) -> Response<String> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(self.delay.load(Ordering::Relaxed))).await;
        let headers = request.headers().iter().map(|(header, value)| {
            (header.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes())))
        });
        let headers: Map<String, Value> = headers.collect();
        let version = format!("{:?}", request.version());
        let said = json!({"name": name, "version": version, "headers": headers});
        let mut response = Response::new(said.to_string());
        let less = |fails: u32| fails.checked_sub(1);
        if self.fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok() {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    }
}

async fn serve(listener: tokio::net::TcpListener, app: Arc<App>, name: String) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (app, name) = (Arc::clone(&app), name.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (app, name) = (Arc::clone(&app), name.clone());
                async move { Ok::<_, Infallible>(app.answer(request, &name).await) }
            });
            let mut first = [0; 3];
            let is_http2 = stream.peek(&mut first).await.is_ok() && first == *b"PRI";
            let stream = TokioIo::new(stream);
            // The other side sees what went wrong.
            let _ = if is_http2 {
                http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
            } else {
                http1::Builder::new().serve_connection(stream, service).await
            };
        });
    }
}

/// What came back of a call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Body.
    pub body: String,
}

impl Answer {
    /// The application that answered.
    #[must_use]
    pub fn name(&self) -> String {
        self.said("/name")
    }

    /// The version of HTTP the application was asked in: `HTTP/1.1`.
    #[must_use]
    pub fn version(&self) -> String {
        self.said("/version")
    }

    /// A header of the request as the application saw it.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        self.said(&format!("/headers/{name}"))
    }

    fn said(&self, pointer: &str) -> String {
        let said: Value = serde_json::from_str(&self.body).unwrap_or_default();
        said.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// `GET /` from a pod to an address, for a host, over a connection of its own.
///
/// # Errors
/// Why there is no answer.
pub fn call(pod: &Namespace, at: (&str, u16), host: &str) -> Result<Answer, String> {
    get(pod, at, host, "/")
}

/// The same for another path.
///
/// # Errors
/// Why there is no answer.
pub fn get(pod: &Namespace, at: (&str, u16), host: &str, path: &str) -> Result<Answer, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = pod.enter(ask).map_err(|error| format!("{at:?}: {error}"))?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("{at:?}: {text:?}"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("{at:?}: {head:?}"))?;
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { joined(body) } else { Some(body.to_owned()) };
    Ok(Answer { status, body: body.ok_or_else(|| format!("{at:?}: chunks"))? })
}

/// A body without the lengths of its chunks.
fn joined(mut chunks: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (length, rest) = chunks.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body += rest.get(..length)?;
        chunks = rest.get(length..)?.strip_prefix("\r\n")?;
    }
}
