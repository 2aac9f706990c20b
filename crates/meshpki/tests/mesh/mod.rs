//! CAs, workloads, CRLs and handshakes.

use std::sync::Arc;
use std::time::Duration;

use meshpki::internals::der;
use meshpki::tls::MeshVerifier;
use meshpki::{
    Cert, Crl, Issuer, KeyType, Profile, Role, Serial, Signer, SoftKey, Stamp, Time, issue,
    self_signed,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    ServerConnection, SignatureScheme, SupportedProtocolVersion,
};

pub(crate) const NOW: Time = Time(1_795_244_400);
pub(crate) const EAST: &str = "spiffe://cluster.local/ns/shop/sa/web";
pub(crate) const WEST: &str = "spiffe://cluster.local/ns/shop/sa/reviews";

pub(crate) const fn day() -> Duration {
    Duration::from_secs(86_400)
}

pub(crate) fn new_key() -> SoftKey {
    SoftKey::generate(KeyType::EcdsaP256).unwrap()
}

/// A CA that is thirty days old, and the certificates above it.
pub(crate) struct Ca {
    cert: Cert,
    key: Arc<SoftKey>,
    above: Vec<Cert>,
    kind: KeyType,
    /// When it issues.
    now: Time,
}

impl Ca {
    pub(crate) fn root(name: &str) -> Self {
        Self::of_kind(KeyType::EcdsaP256, name)
    }

    pub(crate) fn of_kind(kind: KeyType, name: &str) -> Self {
        let key = SoftKey::generate(kind).unwrap();
        let stamp = Stamp::made_at(NOW - day() * 30, Serial::generate());
        let cert = self_signed(&Profile::root(name.parse().unwrap()), &key, stamp).unwrap();
        Self { cert, key: Arc::new(key), above: vec![], kind, now: NOW }
    }

    /// A cluster's CA under this one.
    pub(crate) fn below(&self, name: &str) -> Self {
        let key = SoftKey::generate(self.kind).unwrap();
        let stamp = Stamp::made_at(NOW - day() * 30, Serial::generate());
        let issuer = Issuer { cert: &self.cert, signer: &*self.key };
        let profile = Profile::cluster(name.parse().unwrap());
        let cert = issue(&profile, key.public_key(), issuer, stamp).unwrap();
        let above = [&[self.cert.clone()][..], &self.above].concat();
        Self { cert, key: Arc::new(key), above, kind: self.kind, now: NOW }
    }

    /// A CA under this one although its path length leaves no room: another certificate of it, without one, issues it.
    pub(crate) fn below_despite_path_length(&self, name: &str) -> Self {
        let mut profile = Profile::root(self.cert.subject().clone());
        profile.validity = day() * 365;
        let stamp = Stamp::made_at(NOW - day() * 30, Serial::generate());
        let free = self_signed(&profile, &*self.key, stamp).unwrap();
        let free = Self { cert: free, above: vec![], key: self.key.clone(), ..*self };
        let below = free.below(name);
        Self { above: [&[self.cert.clone()][..], &self.above].concat(), ..below }
    }

    pub(crate) fn at(self, now: Time) -> Self {
        Self { now, ..self }
    }

    pub(crate) fn root_cert(&self) -> Cert {
        self.above.last().unwrap_or(&self.cert).clone()
    }

    pub(crate) fn serial(&self) -> &[u8] {
        self.cert.serial()
    }
}

/// A certificate chain as it is sent, and the key it should belong to.
pub(crate) struct Workload {
    chain: Vec<CertificateDer<'static>>,
    key: SoftKey,
}

impl Workload {
    pub(crate) fn cert(&self) -> Cert {
        Cert::try_from(&self.chain[0]).unwrap()
    }

    pub(crate) fn with_key(self, key: SoftKey) -> Self {
        Self { key, ..self }
    }

    pub(crate) fn with_leaf(&self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut leaf = self.chain[0].to_vec();
        change(&mut leaf);
        let mut chain = self.chain.clone();
        chain[0] = leaf.into();
        let key = SoftKey::from_pkcs8(self.key.as_pkcs8()).unwrap();
        Self { chain, key }
    }
}

/// A workload's certificate as istiod makes it, changed.
pub(crate) fn workload(ca: &Ca, id: &str, change: impl FnOnce(&mut Profile)) -> Workload {
    let key = SoftKey::generate(ca.kind).unwrap();
    let mut profile = Profile::workload(&id.parse().unwrap());
    change(&mut profile);
    let issuer = Issuer { cert: &ca.cert, signer: &*ca.key };
    let stamp = Stamp::made_at(ca.now, Serial::generate());
    let leaf = issue(&profile, key.public_key(), issuer, stamp).unwrap();
    assert!(profile.role == Role::EndEntity || leaf.is_ca());
    let chain = [leaf, ca.cert.clone()].into_iter().chain(ca.above.clone());
    Workload { chain: chain.map(|cert| CertificateDer::from(&cert)).collect(), key }
}

/// A CRL of `ca`, two days old.
pub(crate) fn crl(ca: &Ca, serials: &[&[u8]], next_update: Time) -> Crl {
    let time = |time: Time| {
        let (generalized, text) = time.to_asn1().unwrap();
        let tag = if generalized { der::GENERALIZED_TIME } else { der::UTC_TIME };
        der::tlv(tag, text.as_bytes())
    };
    let begin = time(NOW - day() * 2);
    let entry = |serial: &&[u8]| der::sequence(&[&der::tlv(der::INTEGER, serial), &begin]);
    let entries = serials.iter().flat_map(entry).collect::<Vec<u8>>();
    let list = if entries.is_empty() { vec![] } else { der::sequence(&[&entries]) };
    let algorithm = ca.key.public_key().signing_algorithm().unwrap();
    let signed = der::sequence(&[
        &der::integer(&[1]),
        &algorithm,
        ca.cert.subject().as_der(),
        &begin,
        &time(next_update),
        &list,
    ]);
    let signature = der::bit_string(&Signer::sign(&*ca.key, &signed).unwrap());
    Crl::from_der(&der::sequence(&[&signed, &algorithm, &signature])).unwrap()
}

/// How a side verifies the other.
#[derive(Clone)]
pub(crate) struct Verifier {
    client: Arc<dyn ClientCertVerifier>,
    server: Arc<dyn ServerCertVerifier>,
}

impl From<MeshVerifier> for Verifier {
    fn from(verifier: MeshVerifier) -> Self {
        let verifier = Arc::new(verifier);
        Self { client: verifier.clone(), server: verifier }
    }
}

/// Accepts every certificate and signature.
pub(crate) fn anything() -> Verifier {
    Verifier { client: Arc::new(Anything), server: Arc::new(Anything) }
}

#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Anything {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[derive(Debug)]
struct Fixed;

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(NOW.0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// The side that calls, and the side that is called, each with the verifier it has for the other.
pub(crate) fn handshake(
    client: (&Workload, impl Into<Verifier>),
    server: (&Workload, impl Into<Verifier>),
    version: &'static SupportedProtocolVersion,
) -> Result<(), Error> {
    let provider = Arc::new(default_provider());
    let signer = |workload: &Workload| {
        let key = PrivateKeyDer::from(&workload.key);
        let key = default_provider().key_provider.load_private_key(key).unwrap();
        // `CertifiedKey::new` does not ask whether the key is the certificate's.
        let key = rustls::sign::CertifiedKey::new(workload.chain.clone(), key);
        Arc::new(rustls::sign::SingleCertAndKey::from(key))
    };
    let ((client, of_client), (server, of_server)) = (client, server);
    let config = ClientConfig::builder_with_details(provider.clone(), Arc::new(Fixed))
        .with_protocol_versions(&[version])?
        .dangerous()
        .with_custom_certificate_verifier(of_client.into().server)
        .with_client_cert_resolver(signer(client));
    let name = ServerName::try_from("reviews.shop.svc").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name)?;
    let config = ServerConfig::builder_with_details(provider, Arc::new(Fixed))
        .with_protocol_versions(&[version])?
        .with_client_cert_verifier(of_server.into().client)
        .with_cert_resolver(signer(server));
    let mut server = ServerConnection::new(Arc::new(config))?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).unwrap();
        }
        server.read_tls(&mut sent.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut sent = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut sent).unwrap();
        }
        client.read_tls(&mut sent.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}
