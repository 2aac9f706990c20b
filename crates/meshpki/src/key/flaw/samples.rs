//! The CAs of Istio's own repository, whose private keys are public.

use crate::digest;
use crate::key::PublicKey;

/// SHA-256 of the SubjectPublicKeyInfo of every signing certificate and root that stood in istio/istio under
/// `samples/certs` or `install/kubernetes` in a tagged release from 0.1 to 1.31.0-rc.0.
const KEYS: [(&str, &str); 9] = [
    ("f0592d4d660052580d0c0bfe09f9a4d795ad8ab7c2fa86c33276fbb352145ee5", "root-cert.pem"),
    ("42d8cfd1102e06e3f2579e68f9db4f787ec9cbcd1f19f1bae7934cee918c2fef", "ca-cert.pem"),
    ("42d0f6531c3afb84b72f12f458fa35dc74402771fed9b27ad48a665474dde501", "root-cert-alt.pem"),
    ("88e809261b157f0db238901c0033e6bfeba79793c20ab8af41963cdd41ce6600", "ca-cert-alt.pem"),
    ("7c5f2208b98507d0d6f1fda0a6609e93fbb7fb434d39ed78b71e305e23d7a46d", "ca-cert-alt-2.pem"),
    ("fbf6ccb2288eaa4bdbb8816d159e68ca86709899ec27589b8111c6453f6ed6cd", "root-cert-alt.pem"),
    ("59fcf80a09156379adde0690536a4abe88526360afa686a8a9b0d661c8c76fc0", "ca-cert-alt.pem"),
    ("8e9aaa62d77bff6acb762def2ece27d5550b702752b8bdd5cd5ae3837e6f7344", "root-cert-alt.pem"),
    ("b943dbf353840d2debaf9cb6390de647b39c2560546065b6a4735d022ff86479", "ca-cert-alt.pem"),
];

/// The key of `ca-key-alt-2.pem`, which is not that of `ca-cert-alt-2.pem`.
const STRAY_KEY: (&str, &str) =
    ("02f9ef016e164f12013c7e8d1f19b4ebd85738ef9cbee079a077bfd9166794cf", "ca-key-alt-2.pem");

/// The file of `samples/certs` a key is from.
pub(crate) fn of_key(key: &PublicKey) -> Option<&'static str> {
    by_hash(key.as_der())
}

fn by_hash(spki: &[u8]) -> Option<&'static str> {
    let hash = digest::hex(&digest::sha256(spki));
    KEYS.iter().chain([&STRAY_KEY]).find(|(known, _)| *known == hash).map(|(_, file)| *file)
}
