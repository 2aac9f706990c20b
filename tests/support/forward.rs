//! The protocol of port-forward over WebSocket (`kubelet/pkg/cri/streaming/portforward/websocket.go`).
//!
//! The first byte of a message is its channel: 2i for the data of the i-th port, 2i+1 for its error. The first
//! message of each channel from the kubelet is the port, two bytes, little end first.

use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc::{Sender, channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// The one subprotocol of port-forward that is not SPDY.
const PROTOCOL: &str = "v4.channel.k8s.io";

/// A port that a client requested, and where on loopback it really is.
struct Port {
    asked: u16,
    real: Option<u16>,
}

/// Accepts a request for port-forward: `real` says where on loopback a port of the pod is.
pub(crate) fn accept(
    request: Request<Incoming>,
    real: impl Fn(u16) -> Option<u16>,
) -> Response<String> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let offered = header(SEC_WEBSOCKET_PROTOCOL).unwrap_or_default();
    let mut response = Response::new(String::new());
    let (true, Some(key)) =
        (offered.split(',').any(|one| one.trim() == PROTOCOL), header(SEC_WEBSOCKET_KEY))
    else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        "ports are forwarded over WebSocket only".clone_into(response.body_mut());
        return response;
    };
    let accept = derive_accept_key(key.as_bytes());
    let query = request.uri().query().unwrap_or_default();
    let asked = query.split('&').filter_map(|pair| {
        let ports = pair.strip_prefix("port=").or_else(|| pair.strip_prefix("ports="))?;
        ports.parse().ok()
    });
    let ports: Vec<Port> = asked.map(|asked| Port { asked, real: real(asked) }).collect();
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let stream = TokioIo::new(upgraded);
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        forward(socket, &ports).await;
    });
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept.parse().expect("base64 is a header value"));
    response
}

/// Forwards until either side closes.
async fn forward<S>(socket: WebSocketStream<S>, ports: &[Port])
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sink, mut stream) = socket.split();
    let (messages, mut queue) = channel::<Vec<u8>>(16);
    let writer = tokio::spawn(async move {
        while let Some(message) = queue.recv().await {
            if sink.send(Message::binary(message)).await.is_err() {
                return;
            }
        }
        // Every port has ended. A peer that is gone needs no farewell.
        let _ = sink.close().await;
    });
    let mut outgoing = Vec::new();
    for (port, data) in ports.iter().zip((0_u8..).step_by(2)) {
        outgoing.push(open(port, data, &messages).await);
    }
    drop(messages);
    while let Some(Ok(message)) = stream.next().await {
        match message {
            Message::Binary(bytes) => deliver(&mut outgoing, &bytes).await,
            Message::Close(_) => break,
            _ => {}
        }
    }
    drop(outgoing);
    writer.abort();
}

type Outgoing = Option<tokio::net::tcp::OwnedWriteHalf>;

/// Connects to a port, or says on its error channel why not.
async fn open(port: &Port, data: u8, messages: &Sender<Vec<u8>>) -> Outgoing {
    let [low, high] = port.asked.to_le_bytes();
    // The socket may be closed; nothing useful to do.
    let _ = messages.send(vec![data, low, high]).await;
    let _ = messages.send(vec![data + 1, low, high]).await;
    let connected = match port.real {
        Some(real) => TcpStream::connect(("127.0.0.1", real)).await.map_err(|e| e.to_string()),
        None => Err("nothing real listens there".to_owned()),
    };
    match connected {
        Ok(stream) => {
            let (reader, writer) = stream.into_split();
            tokio::spawn(pump(reader, data, messages.clone()));
            Some(writer)
        }
        Err(why) => {
            let text = format!("error forwarding port {}: {why}", port.asked);
            let _ = messages.send([&[data + 1], text.as_bytes()].concat()).await;
            None
        }
    }
}

/// Sends what a port says, to its end.
async fn pump(mut reader: OwnedReadHalf, data: u8, messages: Sender<Vec<u8>>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        if messages.send([&[data], &buffer[..count]].concat()).await.is_err() {
            return;
        }
    }
}

async fn deliver(outgoing: &mut [Outgoing], bytes: &[u8]) {
    let Some((channel, data)) = bytes.split_first() else { return };
    if channel % 2 == 0
        && let Some(Some(writer)) = outgoing.get_mut(usize::from(channel / 2))
    {
        // The reader of this port sees the end of the connection.
        let _ = writer.write_all(data).await;
    }
}
