//! What we create, verified by others, and what others create, read by us: openssl, webpki and rustls, rcgen, istiod.

mod csrs;
mod istiod;
mod keys;
mod shapes;
mod tls;

use std::sync::OnceLock;

use meshpki::{KeyType, SoftKey};

/// The key types that are made fast enough for a product of all with all.
pub(crate) const KINDS: [KeyType; 5] = [
    KeyType::EcdsaP256,
    KeyType::EcdsaP384,
    KeyType::EcdsaP521,
    KeyType::Ed25519,
    KeyType::Rsa2048,
];

/// One of two keys of a type, made once.
fn key(kind: KeyType, which: usize) -> SoftKey {
    static KEYS: OnceLock<Vec<String>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let kinds = KINDS.into_iter().flat_map(|kind| [kind, kind]);
        kinds.map(|kind| tests::authority::key(kind).to_pem().to_string()).collect()
    });
    let place = KINDS.iter().position(|known| *known == kind).unwrap();
    SoftKey::from_pem(keys[2 * place + which].as_bytes(), None).unwrap()
}
