//! What a pod runs behind its proxy: an HTTP server that says what it was asked, and calls as an application makes them.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
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
        let mut response = Response::new(json!({"name": name, "headers": headers}).to_string());
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
            let service = service_fn(|request| {
                let answer = app.answer(request, &name);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            // The other side sees what went wrong.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
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
    Ok(Answer { status, body: body.to_owned() })
}
