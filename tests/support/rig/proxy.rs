//! A proxy as istiod knows it: something that says who it is, asks for its configuration, and stays connected.
//!
//! What istiod has for it is then in istiod's own dump, in the form of Envoy's.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;

use super::Cluster;

/// istiod's port for plaintext XDS.
const XDS: u16 = 15010;
/// istiod's port for what people ask.
const HTTP: u16 = 8080;
const STREAM: &str =
    "http://istiod/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

/// Who a proxy says it is.
#[derive(Clone, Debug)]
pub struct Node {
    /// `sidecar` or `router`.
    pub kind: &'static str,
    /// Address of its pod.
    pub address: String,
    /// Name of its pod.
    pub pod: String,
    /// Namespace of its pod.
    pub namespace: String,
    /// Labels of its pod.
    pub labels: Vec<(String, String)>,
    /// Names of the routes it asks for.
    pub routes: Vec<String>,
    /// Names of the clusters whose endpoints it asks for.
    pub endpoints: Vec<String>,
}

/// A connected proxy; dropped, it goes.
pub struct Proxy<'c> {
    cluster: &'c Cluster,
    istiod: String,
    id: String,
    // What istiod sends is not read: a stream that is held is a proxy that is there.
    _answers: Incoming,
    _sender: http2::SendRequest<Open>,
}

impl Cluster {
    /// Connects a proxy to an istiod.
    ///
    /// # Panics
    /// When istiod does not take it.
    #[must_use]
    pub fn connect_proxy(&self, istiod: &str, node: &Node) -> Proxy<'_> {
        let port = self.pod_port("istio-system", istiod, XDS).expect("an istiod that listens");
        let (answers, sender) = self.block_on(async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("istiod listens");
            let (mut sender, connection) =
                http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
            tokio::spawn(connection);
            let request = Request::post(STREAM)
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(Open(node.questions()))
                .expect("a request");
            let answer = sender.send_request(request).await.expect("an answer");
            (answer.into_body(), sender)
        });
        Proxy {
            cluster: self,
            istiod: istiod.to_owned(),
            id: format!("{}.{}", node.pod, node.namespace),
            _answers: answers,
            _sender: sender,
        }
    }
}

impl Proxy<'_> {
    /// What istiod has for it, when it satisfies `good`: clusters, listeners, routes and endpoints, fields in camel case.
    ///
    /// # Panics
    /// When it does not in time, with what there is.
    pub fn dump(&self, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/debug/config_dump?include_eds=true&proxyID={}", self.id);
        let mut last = String::new();
        for _ in 0..120 {
            last = self
                .cluster
                .get("istio-system", &self.istiod, HTTP, &path)
                .unwrap_or_else(|error| error);
            let body = last.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            if let Some(dump) = serde_json::from_str(body).ok().filter(|dump| good(dump)) {
                return dump;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        panic!("{}: {what}\n{}", self.id, last.chars().take(20_000).collect::<String>());
    }
}

impl Node {
    /// The first request of each kind (`envoy/service/discovery/v3/discovery.proto: DiscoveryRequest`).
    fn questions(&self) -> Option<Bytes> {
        let ask = |node: &[u8], kind: &str, names: &[String]| {
            let names: Vec<u8> = names.iter().flat_map(|name| field(3, name.as_bytes())).collect();
            let url = format!("type.googleapis.com/envoy.config.{kind}");
            let message = [node, &names, &field(4, url.as_bytes())].concat();
            let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
            [&[0], length.as_slice(), &message].concat()
        };
        let node = field(2, &self.node());
        let mut all = ask(&node, "cluster.v3.Cluster", &[]);
        all.extend(ask(&[], "listener.v3.Listener", &[]));
        for (kind, names) in [
            ("route.v3.RouteConfiguration", &self.routes),
            ("endpoint.v3.ClusterLoadAssignment", &self.endpoints),
        ] {
            if !names.is_empty() {
                all.extend(ask(&[], kind, names));
            }
        }
        Some(all.into())
    }

    /// `envoy/config/core/v3/base.proto: Node`, with the metadata istiod reads (`pkg/model/proxy.go: NodeMetadata`).
    fn node(&self) -> Vec<u8> {
        let Self { kind, address, pod, namespace, .. } = self;
        let id = format!("{kind}~{address}~{pod}.{namespace}~{namespace}.svc.cluster.local");
        let labels = self.labels.iter().map(|(key, value)| (key.as_str(), text(value)));
        let metadata = [
            ("NAMESPACE", text(namespace)),
            ("ISTIO_VERSION", text("1.30.4")),
            ("INSTANCE_IPS", text(address)),
            ("LABELS", field(5, &structure(labels))),
        ];
        let metadata = structure(metadata.into_iter());
        [field(1, id.as_bytes()), field(2, pod.as_bytes()), field(3, &metadata)].concat()
    }
}

/// A field of a message that has a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 0x7f {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes
}

/// `google.protobuf.Value` of a text.
fn text(text: &str) -> Vec<u8> {
    field(3, text.as_bytes())
}

/// `google.protobuf.Struct`.
fn structure<'a>(fields: impl Iterator<Item = (&'a str, Vec<u8>)>) -> Vec<u8> {
    let entry = |(key, value): (&str, Vec<u8>)| {
        field(1, &[field(1, key.as_bytes()), field(2, &value)].concat())
    };
    fields.flat_map(entry).collect()
}

/// A body that says one thing and does not end.
struct Open(Option<Bytes>);

impl Body for Open {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}
