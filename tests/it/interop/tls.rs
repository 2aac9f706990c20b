//! Workloads of two clusters shake hands: rustls with ring, webpki as the verifier, no sockets.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};

use tests::authority::stamp;
use tests::{NOW, Shell};

use meshpki::istiod::Version;
use meshpki::{CaCerts, Cert, KeyType, Profile, SoftKey};

/// What Envoy has: its certificate and those above it, its key, the mesh's roots.
struct Workload {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: RootCertStore,
}

#[derive(Debug)]
struct Fixed;

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(NOW.0).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

/// Verifies as Istio has Envoy do it: the chain under the mesh's roots, and the SPIFFE ID instead of a host name.
#[derive(Debug)]
struct Spiffe {
    roots: RootCertStore,
    id: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Spiffe {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let roots = &self.roots;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)?;
        if spiffe_id(end_entity) == self.id {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::General(format!("not {}", self.id)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn spiffe_id(cert: &[u8]) -> String {
    let cert = Cert::from_der(cert).unwrap();
    match cert.extensions().subject_alt_name.as_deref() {
        Some([meshpki::x509::GeneralName::Uri(uri)]) => String::from_utf8(uri.clone()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The client in one cluster calls the server in another; each verifies the other.
fn handshake(client: &Workload, server: &Workload, id: &str) -> Result<(), Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        Spiffe { roots: client.roots.clone(), id: id.to_owned(), provider: provider.clone() };
    let client = ClientConfig::builder_with_details(provider.clone(), Arc::new(Fixed))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(client.chain.clone(), client.key.clone_key())?;
    let roots = Arc::new(server.roots.clone());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
    let server = ServerConfig::builder_with_details(provider, Arc::new(Fixed))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier.build().expect("roots"))
        .with_single_cert(server.chain.clone(), server.key.clone_key())?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    let name = ServerName::try_from("reviews.default.svc").expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).expect("memory");
        }
        server.read_tls(&mut sent.as_slice()).expect("memory");
        server.process_new_packets()?;
        let mut sent = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut sent).expect("memory");
        }
        client.read_tls(&mut sent.as_slice()).expect("memory");
        client.process_new_packets()?;
    }
    Ok(())
}

/// The files of a cluster as `ca init` wrote them.
fn cluster(shell: &Shell, name: &str) -> CaCerts {
    let files = shell.scratch.entries(&format!("ca/{name}"));
    let secret = files.into_iter().map(|(name, entry)| (name, entry.content.unwrap())).collect();
    CaCerts::from_secret(&secret, Version::NEWEST, NOW).unwrap()
}

/// A workload whose leaf is `leaf`; the chain is sent as istiod hands it out, the root included.
fn workload(set: &CaCerts, leaf: &[u8], key: &str) -> Workload {
    let mut roots = RootCertStore::empty();
    for root in set.roots() {
        roots.add(CertificateDer::from(root.as_der().to_vec())).unwrap();
    }
    let above = set.chain().iter().map(Cert::as_der);
    let chain = [leaf].into_iter().chain(above).map(|der| CertificateDer::from(der.to_vec()));
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    Workload { chain: chain.collect(), key, roots }
}

/// A leaf by our own library.
fn ours(set: &CaCerts, id: &str) -> Workload {
    let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
    let issuer = meshpki::Issuer { cert: set.ca(), signer: set.signer() };
    let public = meshpki::Signer::public_key(&key);
    let leaf =
        meshpki::issue(&Profile::workload(&id.parse().unwrap()), public, issuer, stamp()).unwrap();
    workload(set, leaf.as_der(), &key.to_pem())
}

/// A leaf by rcgen, which loads our intermediate and its key.
fn rcgens(shell: &Shell, cluster: &str, set: &CaCerts, id: &str) -> Workload {
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
    let read = |file: &str| shell.scratch.read(&format!("ca/{cluster}/{file}"));
    let key = KeyPair::from_pem(&read("ca-key.pem")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca-cert.pem"), key).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
    params.not_before = rcgen::date_time_ymd(2026, 11, 21);
    params.not_after = rcgen::date_time_ymd(2026, 11, 22);
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    workload(set, leaf.der(), &key.serialize_pem())
}

const EAST: &str = "spiffe://cluster.local/ns/default/sa/productpage";
const WEST: &str = "spiffe://cluster.local/ns/default/sa/reviews";

/// P-521 is not among them: neither ring nor webpki with ring knows it.
#[test]
fn east_calls_west_under_every_key_type_webpki_knows() {
    for kind in [
        KeyType::EcdsaP256,
        KeyType::EcdsaP384,
        KeyType::Ed25519,
        KeyType::Rsa2048,
        KeyType::Rsa3072,
    ] {
        let shell = Shell::new();
        shell.good(&format!("ca init @/ca --cluster east,west --key-type {kind} --plain-root-key"));
        let (east, west) = (cluster(&shell, "east"), cluster(&shell, "west"));
        let fail = |error| panic!("{kind}: {error}");
        handshake(&ours(&east, EAST), &ours(&west, WEST), WEST).unwrap_or_else(fail);
        handshake(&ours(&west, WEST), &ours(&east, EAST), EAST).unwrap_or_else(fail);
        let foreign = rcgens(&shell, "west", &west, WEST);
        handshake(&ours(&east, EAST), &foreign, WEST).unwrap_or_else(fail);
        handshake(&foreign, &ours(&east, EAST), EAST).unwrap_or_else(fail);
    }
}

/// After a renewal in the west the east still trusts it, and workloads of the old intermediate too.
#[test]
fn a_renewed_cluster_is_still_trusted() {
    let shell = Shell::new();
    shell.good("ca init @/ca --cluster east,west --plain-root-key");
    let (east, old) = (cluster(&shell, "east"), cluster(&shell, "west"));
    shell.good("ca renew @/ca --cluster west");
    let new = cluster(&shell, "west");
    for west in [&old, &new] {
        handshake(&ours(&east, EAST), &ours(west, WEST), WEST).unwrap();
        handshake(&ours(west, WEST), &ours(&east, EAST), EAST).unwrap();
    }
}

#[test]
fn strangers_are_refused() {
    let (shell, other) = (Shell::new(), Shell::new());
    for shell in [&shell, &other] {
        shell.good("ca init @/ca --cluster east,west --plain-root-key --root-subject CN=Root");
    }
    let (east, stranger) = (cluster(&shell, "east"), cluster(&other, "west"));
    let check = |client: &Workload, server: &Workload, id: &str, word: &str| {
        let error = handshake(client, server, id).unwrap_err();
        assert!(format!("{error:?}").contains(word), "{error:?}");
    };
    check(&ours(&east, EAST), &ours(&stranger, WEST), WEST, "InvalidCertificate");
    check(&ours(&stranger, WEST), &ours(&east, EAST), EAST, "InvalidCertificate");
    let west = cluster(&shell, "west");
    check(&ours(&east, EAST), &ours(&west, EAST), WEST, "not spiffe://");
}
