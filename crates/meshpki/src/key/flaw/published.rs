//! Keys whose private keys have been published.

use alloc::string::String;

use super::samples;
use crate::digest;
use crate::key::PublicKey;

/// SHA-256 of the SubjectPublicKeyInfo, and where the private key is.
const KEYS: [(&str, &str); 12] = [
    ("06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9", "RFC 8032 section 7.1"),
    ("deb2ded39dc26fce0e6085b6fc34bf6b5941913bbfe2ea614113cff9e004c170", "RFC 8032 section 7.1"),
    ("8d39ba50abe50f77b6bb8ae7b6927aff7ffbeba35ad2837c0e51e82bcbcc60d5", "RFC 8032 section 7.1"),
    ("e4f982b51ad0bdd87be820b259fe80337ef636e72b9fa7a8867a6949eb610fd6", "RFC 8032 section 7.1"),
    ("e77db4a9572e9f6552c22bc751d5499ad218a73bdf7e15dc6ea0fc69246a44de", "RFC 8032 section 7.1"),
    ("a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f", "RFC 8410 section 10.3"),
    ("5a7a78cca4a0f420d9bc62bb669c3c2759e39f723d3ae10dcbe0f0815a07ecd4", "RFC 6979 appendix A.2.5"),
    ("2f95601fa82060b909bfc6b979dbd303d34d34e0afb27ea496beac362f242a4b", "RFC 6979 appendix A.2.6"),
    ("2fb6d46385242ea4ad431f7175e7014eb74a5fc60f65b50ca54cc23c5b08de38", "RFC 6979 appendix A.2.7"),
    ("8fb6bad671cfe698393c453357da61b56d757ab8c0f3fb9c87f2849e63131878", "RFC 9500 section 2.1"),
    ("b2b04340cfaee616ec9c2c62d261b208e54bb197498df52e8cadede23ac0ba5e", "RFC 9500 section 2.3"),
    (
        "339e2ff917630507b6a423b5ce084e285d1fa65d93b3e27a6195d3bbebc9ae23",
        "its seed is 32 zero bytes",
    ),
];

/// Where the private half of a key is published.
pub(super) fn place(key: &PublicKey) -> Option<String> {
    if let Some(file) = samples::of_key(key) {
        return Some(alloc::format!("samples/certs/{file} of Istio's repository"));
    }
    let hash = digest::hex(&digest::sha256(key.as_der()));
    let known = KEYS.iter().find(|(known, _)| *known == hash);
    known.map(|(_, place)| String::from(*place))
}
