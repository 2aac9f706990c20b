//! The response to a request: of the endpoint, and of the address for metrics.

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Bytes};

use super::content::Published;

/// The type of SPIFFE bundles (SPIFFE Federation, section 5.1).
const JSON: &str = "application/json";
/// The type of errors and of `/healthz`.
const TEXT: &str = "text/plain; charset=utf-8";
/// The type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The document, or why not. What a request brings along is not read.
pub(super) fn bundle<B: Body>(
    published: &Published,
    request: &Request<B>,
) -> Response<Full<Bytes>> {
    let is_served = published.path.as_deref().is_none_or(|path| path == request.uri().path());
    let response = refusal(request).unwrap_or_else(|| {
        if is_served {
            response(StatusCode::OK, JSON, published.document())
        } else {
            error(StatusCode::NOT_FOUND)
        }
    });
    published.counters.responded(response.status().as_u16());
    response
}

/// `/healthz` and `/metrics`.
pub(super) fn monitor<B: Body>(
    request: &Request<B>,
    is_healthy: bool,
    metrics: impl FnOnce() -> Bytes,
) -> Response<Full<Bytes>> {
    refusal(request).unwrap_or_else(|| match request.uri().path() {
        "/healthz" if is_healthy => response(StatusCode::OK, TEXT, Bytes::from_static(b"ok\n")),
        "/healthz" => error(StatusCode::SERVICE_UNAVAILABLE),
        "/metrics" => response(StatusCode::OK, METRICS, metrics()),
        _ => error(StatusCode::NOT_FOUND),
    })
}

/// The response to what asks for nothing: another method than GET and HEAD, or a request with a body.
fn refusal<B: Body>(request: &Request<B>) -> Option<Response<Full<Bytes>>> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = closing(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(response);
    }
    (!request.body().is_end_stream()).then(|| closing(StatusCode::PAYLOAD_TOO_LARGE))
}

/// An error after which the connection ends, so that nothing that follows is taken for a request.
fn closing(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = error(status);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn error(status: StatusCode) -> Response<Full<Bytes>> {
    response(status, TEXT, format!("{status}\n").into())
}

fn response(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
