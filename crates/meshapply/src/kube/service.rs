//! The layer around every request: credentials are added, and errors are made such that they can be shown.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use kube::client::{Body, DynBody};
use serde_json::{Value, json};
use tower::buffer::Buffer;
use tower::{BoxError, Layer, Service, ServiceExt};

use super::credentials::Credentials;
use super::watch::{UnderWay, Watcher};

/// As much as is read of an error's body.
const BODY: usize = 64 * 1024;
/// Requests that wait for the connection.
const QUEUE: usize = 64;

type Answer = Response<Box<DynBody>>;

/// What every request of a client goes through.
#[derive(Clone)]
pub(super) struct Guard(pub(super) Arc<Way>);

/// How a server is reached.
pub(super) struct Way {
    pub(super) credentials: Credentials,
    /// The proxy, as it may be shown.
    pub(super) proxy: Option<String>,
    /// The context, and what gets each of its requests.
    pub(super) watcher: Option<(String, Watcher)>,
}

/// A service wrapped in a [`Guard`].
pub(super) struct Guarded<F> {
    inner: Buffer<Request<Body>, F>,
    way: Arc<Way>,
}

/// There are no credentials to ask with.
#[derive(Debug)]
pub(super) struct NoCredentials(pub(super) String);

/// No answer came.
#[derive(Debug)]
struct Unanswered(String);

impl fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoCredentials {}
impl std::error::Error for Unanswered {}

impl<S> Layer<S> for Guard
where
    S: Service<Request<Body>, Response = Answer, Error = BoxError> + Send + 'static,
    S::Future: Send + 'static,
{
    type Service = Guarded<S::Future>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded { inner: Buffer::new(inner, QUEUE), way: Arc::clone(&self.0) }
    }
}

impl<F> Service<Request<Body>> for Guarded<F>
where
    F: Future<Output = Result<Answer, BoxError>> + Send + 'static,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The request waits in `call`, once it has its credentials.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (inner, way) = (self.inner.clone(), Arc::clone(&self.way));
        Box::pin(async move {
            let again = copied(&request).filter(|_| way.credentials.are_renewable());
            let header = way.credentials.header().await.map_err(NoCredentials)?;
            let answer = way.send(inner.clone(), request, header.clone()).await?;
            let answer = match again.filter(|_| answer.status() == StatusCode::UNAUTHORIZED) {
                Some(request) => {
                    way.credentials.forget(header.as_ref()).await;
                    let header = way.credentials.header().await.map_err(NoCredentials)?;
                    way.send(inner, request, header).await?
                }
                None => answer,
            };
            way.shown(answer).await
        })
    }
}

impl Way {
    async fn send<F>(
        &self,
        inner: Buffer<Request<Body>, F>,
        mut request: Request<Body>,
        header: Option<HeaderValue>,
    ) -> Result<Answer, BoxError>
    where
        F: Future<Output = Result<Answer, BoxError>> + Send + 'static,
    {
        if let Some(header) = header {
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        let under_way = self.watcher.as_ref().map(|(context, watcher)| {
            let asked = (request.method(), request.uri());
            UnderWay::begin(watcher, &self.credentials, context, asked)
        });
        let sent = match inner.clone().ready_oneshot().await {
            Ok(mut ready) => ready.call(request).await,
            Err(error) => Err(error),
        };
        let sent = sent.map_err(|error| self.unanswered(&*error));
        if let Some(under_way) = under_way {
            under_way.end(sent.as_ref().map(Response::status).map_err(ToString::to_string));
        }
        sent.map_err(Into::into)
    }

    /// The cause below all causes, and the proxy that may be it: `Connection refused`.
    fn unanswered(&self, error: &(dyn std::error::Error + Send + Sync + 'static)) -> Unanswered {
        let why = self.credentials.redacted(&super::deepest(error));
        Unanswered(match &self.proxy {
            Some(proxy) => format!("through proxy {proxy}: {why}"),
            None => why,
        })
    }

    /// An error's body becomes a `Status` that can be shown: that of an API server, or else what came instead of it,
    /// which may be the page of a proxy that shows the request with its token. It says too when to ask again.
    async fn shown(&self, answer: Answer) -> Result<Answer, BoxError> {
        let status = answer.status();
        if !status.is_client_error() && !status.is_server_error() {
            return Ok(answer);
        }
        let (mut parts, body) = answer.into_parts();
        let after = parts
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
        let told: Option<Value> = serde_json::from_slice(&all(body).await).ok();
        let told = told.filter(|value| value["kind"] == "Status");
        let mut value = match told {
            Some(value) => json!({
                "message": self.credentials.redacted(value["message"].as_str().unwrap_or_default()),
                "reason": value["reason"].as_str().unwrap_or_default(),
                "details": self.details(&value["details"]),
            }),
            None => json!({ "message": foreign(status, self.proxy.as_deref()), "details": {} }),
        };
        value["apiVersion"] = "v1".into();
        value["kind"] = "Status".into();
        value["status"] = "Failure".into();
        value["code"] = status.as_u16().into();
        if let Some(after) = after {
            value["details"]["retryAfterSeconds"] = after.into();
        }
        parts.headers.remove(http::header::CONTENT_LENGTH);
        let body = Full::from(value.to_string()).map_err(|never: Infallible| match never {});
        let body: Box<DynBody> = Box::new(body);
        Ok(Response::from_parts(parts, body))
    }

    /// What decides when to ask again, and whether another manager owns a field.
    fn details(&self, details: &Value) -> Value {
        let cause = |cause: &Value| json!({ "reason": self.credentials.redacted(cause["reason"].as_str().unwrap_or_default()) });
        let causes = details["causes"].as_array().into_iter().flatten().map(cause);
        let mut kept = json!({ "causes": causes.collect::<Vec<_>>() });
        if let Some(after) = details["retryAfterSeconds"].as_u64() {
            kept["retryAfterSeconds"] = u32::try_from(after).unwrap_or(u32::MAX).into();
        }
        kept
    }
}

/// A whole body; nothing where it is longer than any `Status`, or breaks off.
async fn all(mut body: Box<DynBody>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Vec::new() };
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > BODY {
            return Vec::new();
        }
    }
    bytes
}

/// An answer that no API server gave.
fn foreign(status: StatusCode, proxy: Option<&str>) -> String {
    let who = proxy.map(|proxy| format!(", perhaps from proxy {proxy}")).unwrap_or_default();
    format!("HTTP status {status}, without an API server's message{who}")
}

/// A request that can be sent again; `None`: its body is a stream.
fn copied(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}
