//! Asking istiod what it serves, through the apiserver's port forwarding, with none of our own code in between.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Request;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use meshpki::Cert;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Cluster;

/// istiod's TLS port.
const TLS: u16 = 15012;
const SIGN: &str = "http://istiod/istio.v1.auth.IstioCertificateService/CreateCertificate";

impl Cluster {
    /// The answer to `GET PATH` on a port a pod declares, head and body.
    ///
    /// # Errors
    /// Why the port cannot be reached.
    pub fn get(&self, namespace: &str, pod: &str, port: u16, path: &str) -> Result<String, String> {
        self.block_on(async {
            let mut stream = forward(self, namespace, pod, port).await?;
            let request = format!("GET {path} HTTP/1.0\r\nHost: rig\r\n\r\n");
            stream.write_all(request.as_bytes()).await.map_err(text)?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.map_err(text)?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        })
    }

    /// The chain an istiod presents on its TLS port, its own certificate first.
    ///
    /// # Errors
    /// Why rustls does not accept it under these roots and the name `istiod.istio-system.svc`.
    pub fn istiod_chain(&self, pod: &str, roots: &str) -> Result<Vec<Cert>, String> {
        self.block_on(async {
            let stream = forward(self, "istio-system", pod, TLS).await?;
            let stream = handshake(stream, roots).await?;
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
            chain.iter().map(|der| Cert::from_der(der).map_err(text)).collect()
        })
    }

    /// Has an istiod sign a CSR: the elements of its answer, leaf first, roots last.
    ///
    /// # Errors
    /// Its status where it does not.
    pub fn istiod_sign(
        &self,
        pod: &str,
        roots: &str,
        token: &str,
        csr: &str,
    ) -> Result<Vec<String>, String> {
        self.block_on(async {
            let stream = forward(self, "istio-system", pod, TLS).await?;
            sign(handshake(stream, roots).await?, token, csr).await
        })
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

async fn forward(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    port: u16,
) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static, String> {
    let pods = Api::<Pod>::namespaced(cluster.client(), namespace);
    let mut forwarder = pods.portforward(pod, &[port]).await.map_err(text)?;
    forwarder.take_stream(port).ok_or_else(|| "no stream to the port".to_owned())
}

async fn handshake<S>(stream: S, roots: &str) -> Result<TlsStream<S>, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
        store.add(root.map_err(text)?).map_err(text)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(text)?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from("istiod.istio-system.svc").map_err(text)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(text)
}

/// One unary call of gRPC, by hand (`security/v1alpha1/ca.proto`): the CSR is field 1 of the question, each
/// certificate is a field 1 of the answer.
async fn sign<S>(stream: TlsStream<S>, token: &str, csr: &str) -> Result<Vec<String>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(text)?;
    tokio::spawn(connection);
    let question = [&[0x0a], varint(csr.len()).as_slice(), csr.as_bytes()].concat();
    let length = u32::try_from(question.len()).map_err(text)?.to_be_bytes();
    let message = [&[0], length.as_slice(), &question].concat();
    let request = Request::post(SIGN)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {token}"))
        .body(Whole(Some(message.into())))
        .map_err(text)?;
    let answer = sender.send_request(request).await.map_err(text)?;
    let status = |headers: &hyper::HeaderMap| {
        let value = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        match value("grpc-status") {
            "0" => Ok(()),
            code => Err(format!("grpc status {code}: {}", value("grpc-message"))),
        }
    };
    if answer.headers().contains_key("grpc-status") {
        status(answer.headers())?;
    }
    let (body, trailers) = read(answer.into_body()).await?;
    status(&trailers)?;
    elements(body.get(5..).unwrap_or_default()).ok_or_else(|| "no certificates".to_owned())
}

/// A body of one piece.
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}

async fn read(mut body: Incoming) -> Result<(Vec<u8>, hyper::HeaderMap), String> {
    let (mut data, mut trailers) = (Vec::new(), hyper::HeaderMap::new());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        match frame.map_err(text)?.into_data() {
            Ok(bytes) => data.extend_from_slice(&bytes),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok((data, trailers))
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The strings of field 1.
fn elements(mut bytes: &[u8]) -> Option<Vec<String>> {
    let mut elements = Vec::new();
    while let Some((0x0a, rest)) = bytes.split_first() {
        let end = rest.iter().position(|byte| byte & 0x80 == 0)?;
        let length = rest[..=end].iter().rev().fold(0, |n, byte| n << 7 | usize::from(byte & 0x7f));
        let (element, after) = rest[end + 1..].split_at_checked(length)?;
        elements.push(String::from_utf8_lossy(element).into_owned());
        bytes = after;
    }
    Some(elements)
}
