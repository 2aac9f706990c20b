//! The client: one document over TLS, with a limit for everything that the server decides.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use meshpki::Time;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::Error;
use super::limits;
use super::tls::{self, EndpointAuth};
use super::url::{EndpointUrl, Step, next_step};

/// A document as an endpoint sent it; whether it is a bundle is for `meshpki` to say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// Its bytes, at most 1 MiB.
    pub body: Vec<u8>,
    /// The header `Content-Type`, if it is readable text.
    pub content_type: Option<String>,
    /// The URL it came from, after redirects.
    pub url: EndpointUrl,
}

/// Gets the document of a bundle endpoint (SPIFFE Federation, section 5.1), verifying its server at `now`.
///
/// At most 5 redirects are followed, under the same rules: `https`, no user information, the same authentication.
///
/// # Errors
/// `endpoint/roots` if there is nothing to verify a server with; `endpoint/unreachable`, `endpoint/tls`,
/// `endpoint/certificate`, `endpoint/http`, `endpoint/status`, `endpoint/redirect`, `endpoint/body`; `endpoint/timeout`
/// if everything together takes longer than `limit`.
pub async fn fetch(
    url: &EndpointUrl,
    auth: &EndpointAuth,
    now: Time,
    limit: Duration,
) -> Result<Fetched, Error> {
    let config = tls::client(auth, now)?;
    let late = |_| Error::Timeout { url: url.clone(), seconds: limit.as_secs() };
    timeout(limit, follow(url, &config)).await.map_err(late)?
}

/// Asks, and asks again where a redirect points.
async fn follow(url: &EndpointUrl, config: &Arc<ClientConfig>) -> Result<Fetched, Error> {
    let mut url = url.clone();
    let mut left = limits::REDIRECTS;
    loop {
        let (_connection, response) = ask(&url, config).await?;
        let status = response.status().as_u16();
        match next_step(status, header(&response, LOCATION), &url, left) {
            Step::Read => {
                let content_type = header(&response, CONTENT_TYPE).map(str::to_owned);
                let body = body(response.into_body(), &url).await?;
                return Ok(Fetched { body, content_type, url });
            }
            Step::Follow(next) => url = next,
            Step::Refuse => return Err(Error::Status { url, status }),
            Step::Stray(why) => return Err(Error::Redirect { url, why }),
        }
        left -= 1;
    }
}

/// A header that is readable text.
fn header(response: &Response<Incoming>, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// The task that moves the bytes of a connection; dropped, it ends with it.
struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends one request on a connection of its own, and returns the head of the response.
async fn ask(
    url: &EndpointUrl,
    config: &Arc<ClientConfig>,
) -> Result<(Connection, Response<Incoming>), Error> {
    let stream = connect(url, config).await?;
    let fail = |error: hyper::Error| Error::Http { url: url.clone(), why: chain(&error) };
    let (mut sender, moving) = http1::Builder::new()
        .max_buf_size(limits::HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(fail)?;
    // What goes wrong on the connection, the request reports.
    let connection = Connection(tokio::spawn(moving).abort_handle());
    let request = Request::get(url.target())
        .header(HOST, url.authority())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "meshctl")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Error::Http { url: url.clone(), why: error.to_string() })?;
    let response = sender.send_request(request).await.map_err(fail)?;
    Ok((connection, response))
}

/// A connection whose server has been verified.
async fn connect(
    url: &EndpointUrl,
    config: &Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, Error> {
    let unreachable = |why: String| Error::Unreachable { url: url.clone(), why };
    let name = ServerName::try_from(url.bare_host().to_owned())
        .map_err(|error| unreachable(format!("its host: {error}")))?;
    let stream = reach(url).await.map_err(unreachable)?;
    let connected = TlsConnector::from(Arc::clone(config)).connect(name, stream).await;
    connected.map_err(|error| match tls::refusal(&error) {
        Ok(why) => Error::Certificate { url: url.clone(), why },
        Err(why) => Error::Tls { url: url.clone(), why },
    })
}

/// A connection to the first address of the host that answers.
async fn reach(url: &EndpointUrl) -> Result<TcpStream, String> {
    let addresses = lookup_host((url.bare_host(), url.port())).await;
    let mut why = "its name has no address".to_owned();
    for address in addresses.map_err(|error| error.to_string())? {
        match timeout(limits::ADDRESS_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = format!("{address}: {error}"),
            Err(_) => why = format!("{address} does not answer"),
        }
    }
    Err(why)
}

/// A whole body, unless it is too large or is cut off.
async fn body(mut body: Incoming, url: &EndpointUrl) -> Result<Vec<u8>, Error> {
    let fail = |why: String| Error::Body { url: url.clone(), why };
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| fail(chain(&error)))?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > limits::BODY {
            return Err(fail("it has more than 1 MiB, which no bundle has".to_owned()));
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

/// An error with its causes, each after a colon.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
