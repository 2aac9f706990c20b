//! Two workloads of a mesh shake hands: rustls over pipes in memory, each side verified by SPIFFE ID.
#![allow(clippy::print_stdout, reason = "it shows the protocol")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use meshpki::tls::MeshVerifier;
use meshpki::{
    Cert, Issuer, KeyType, Profile, Serial, Signer, SoftKey, SpiffeId, Stamp, Time, issue,
    self_signed,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A workload's chain and key, under a root.
fn workload(
    id: &SpiffeId,
    issuer: Issuer<'_>,
    stamp: Stamp,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let key = SoftKey::generate(KeyType::EcdsaP256)?;
    let leaf = issue(&Profile::workload(id), key.public_key(), issuer, stamp)?;
    Ok((vec![CertificateDer::from(&leaf)], PrivateKeyDer::from(&key)))
}

fn verifier(root: &Cert, accepted: &SpiffeId) -> Arc<MeshVerifier> {
    let roots = BTreeMap::from([(accepted.trust_domain().clone(), vec![root.clone()])]);
    Arc::new(MeshVerifier::new(roots).with_identities([accepted.clone()]))
}

fn main() -> Result<()> {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let stamp = || Stamp::made_at(Time(seconds.cast_signed()), Serial::generate());
    let root_key = SoftKey::generate(KeyType::EcdsaP256)?;
    let root = self_signed(&Profile::root("CN=Root".parse()?), &root_key, stamp())?;
    let issuer = Issuer { cert: &root, signer: &root_key };
    let web: SpiffeId = "spiffe://cluster.local/ns/shop/sa/web".parse()?;
    let reviews: SpiffeId = "spiffe://cluster.local/ns/shop/sa/reviews".parse()?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (chain, key) = workload(&web, issuer, stamp())?;
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier(&root, &reviews))
        .with_client_auth_cert(chain, key)?;
    let (chain, key) = workload(&reviews, issuer, stamp())?;
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier(&root, &web))
        .with_single_cert(chain, key)?;

    let name = ServerName::try_from("reviews.shop.svc")?;
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut pipe = Vec::new();
        client.write_tls(&mut pipe)?;
        server.read_tls(&mut pipe.as_slice())?;
        server.process_new_packets()?;
        let mut pipe = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut pipe)?;
        }
        client.read_tls(&mut pipe.as_slice())?;
        client.process_new_packets()?;
    }
    println!("{web} calls {reviews} over {:?}", client.protocol_version());
    assert!(client.peer_certificates().is_some() && server.peer_certificates().is_some());
    Ok(())
}
