//! One TLS connection on which several requests can be made, and what the server shows.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use meshpki::Cert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};

/// An open TLS connection to an endpoint, whoever that is.
pub struct Talk(StreamOwned<ClientConnection, TcpStream>);

impl Talk {
    /// Connects with this version of TLS.
    ///
    /// # Errors
    /// What prevents the connection.
    pub fn open(
        address: SocketAddr,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .map_err(std::io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
        let client =
            ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut stream = StreamOwned::new(client, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self(stream))
    }

    /// Connects with TLS 1.3.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn to(address: SocketAddr) -> Self {
        Self::open(address, &rustls::version::TLS13).expect("a connection")
    }

    /// The certificate of the server.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn peer(&self) -> Cert {
        let chain = self.0.conn.peer_certificates().expect("certificates");
        Cert::from_der(&chain[0]).expect("a certificate")
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the connection is over.
    pub fn send(&mut self, request: &str) {
        self.0.write_all(request.as_bytes()).expect("an open connection");
        self.0.flush().expect("an open connection");
    }

    /// Reads a response: its head, and its body by `Content-Length`.
    ///
    /// # Panics
    /// When it is not whole.
    pub fn response(&mut self, has_body: bool) -> (String, String) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |text| text.parse().expect("a number"));
        let mut body = vec![0; if has_body { length } else { 0 }];
        self.0.read_exact(&mut body).expect("a body");
        (head, String::from_utf8(body).expect("text"))
    }

    /// The body of `GET /` on this connection.
    pub fn get(&mut self) -> String {
        self.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.response(true).1
    }

    /// Whether the server has ended the connection.
    pub fn is_over(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }
}

/// The response to `GET` over plain HTTP.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn plain(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("an open connection");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a response");
    text
}

/// Accepts every certificate whose key signs.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
