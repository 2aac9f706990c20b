//! A server on loopback whose answers a test decides byte for byte.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::Leaf;

/// A connection, TLS or not.
pub trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// A request as a script sees it.
pub struct Asked {
    /// `/x`.
    pub path: String,
    /// The port of the server.
    pub port: u16,
    over: Arc<AtomicBool>,
}

impl Asked {
    /// Waits until the server is dropped.
    pub fn wait(&self) {
        while !self.over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether the server has been dropped.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

type Script = dyn Fn(&Asked, &mut dyn Stream) + Send + Sync;

/// A server that runs until it is dropped.
pub struct Hostile {
    /// Its port on 127.0.0.1.
    pub port: u16,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hostile {
    /// Starts one that shows this certificate and answers as `script` says; plain HTTP without a certificate.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn start(
        leaf: Option<&Leaf>,
        script: impl Fn(&Asked, &mut dyn Stream) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let config = leaf.map(config);
        let over = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&over);
        let script: Arc<Script> = Arc::new(script);
        let thread = std::thread::spawn(move || {
            let mut threads = Vec::new();
            for stream in listener.incoming() {
                if shared.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (config, script, over) =
                    (config.clone(), Arc::clone(&script), Arc::clone(&shared));
                threads
                    .push(std::thread::spawn(move || serve(stream, config, &*script, port, over)));
            }
            for thread in threads {
                // A panic of its own has been printed.
                let _ = thread.join();
            }
        });
        Self { port, over, thread: Some(thread) }
    }

    /// Starts one that sends this text for every request.
    #[must_use]
    pub fn sending(leaf: &Leaf, text: &str) -> Self {
        let text = text.to_owned();
        Self::start(Some(leaf), move |_, stream| {
            // The client may have had enough.
            let _ = stream.write_all(text.as_bytes());
        })
    }

    /// Starts one that answers with this document.
    #[must_use]
    pub fn with_document(leaf: &Leaf, document: &str) -> Self {
        let length = document.len();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
        Self::sending(leaf, &format!("{head}Content-Length: {length}\r\n\r\n{document}"))
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn config(leaf: &Leaf) -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(&leaf.cert)], PrivateKeyDer::from(&leaf.key));
    Arc::new(config.expect("a certificate with its key"))
}

fn serve(
    stream: TcpStream,
    config: Option<Arc<ServerConfig>>,
    script: &Script,
    port: u16,
    over: Arc<AtomicBool>,
) {
    // A test that failed leaves no thread that waits.
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let _ = stream.set_write_timeout(Some(Duration::from_secs(60)));
    match config {
        None => answer(stream, script, port, over),
        Some(config) => {
            let Ok(connection) = ServerConnection::new(config) else { return };
            let mut stream = StreamOwned::new(connection, stream);
            answer(&mut stream, script, port, over);
            stream.conn.send_close_notify();
            let _ = stream.conn.complete_io(&mut stream.sock);
        }
    }
}

fn answer(mut stream: impl Stream, script: &Script, port: u16, over: Arc<AtomicBool>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            // The client did not like the certificate, or speaks something else.
            _ => return,
        }
        if head.first() == Some(&0x16) {
            break;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    script(&Asked { path, port, over }, &mut stream);
    let _ = stream.flush();
}
