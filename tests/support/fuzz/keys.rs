//! Private keys in every form: a key that can be read signs, and is written in a form that can be read again.

use std::sync::LazyLock;

use meshpki::internals::der::{self, Reader};
use meshpki::internals::pem;
use meshpki::internals::signature::{self, SignatureInput};
use meshpki::{Error, SignatureCheck, Signer, SoftKey};

use crate::forge;

/// The passphrase of every encrypted key of the corpus.
pub(super) const PASSPHRASE: &[u8] = b"secret";

/// The keys of `fixtures/keys` that sign: small and large, of every kind. Signing with one takes no time to make it.
pub(super) static POOL: LazyLock<Vec<SoftKey>> = LazyLock::new(|| {
    forge::KEYS
        .iter()
        .filter_map(|key| forge::private(&key.name))
        .map(|pkcs8| SoftKey::from_pkcs8(&pkcs8).expect("a key of the repository"))
        .collect()
});

/// Keys of the fixtures as PEM, plain and in PKCS#8 alone.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let plain = forge::KEYS.iter().filter_map(|key| forge::private(&key.name));
    plain.flat_map(|pkcs8| [pem::encode("PRIVATE KEY", &pkcs8).into_bytes(), pkcs8]).collect()
}

/// The first private key of PEM text, and the text itself as PKCS#8.
pub(super) fn key(data: &[u8]) {
    if let Ok(key) = SoftKey::from_pkcs8(data) {
        check(&key);
    }
    let plain = SoftKey::from_pem(data, None);
    if let Err(Error::Key { problem }) = &plain {
        assert!(!problem.to_string().is_empty());
    }
    if let Ok(key) = plain {
        check(&key);
        // A passphrase that is not needed is not an obstacle.
        assert!(SoftKey::from_pem(data, Some(PASSPHRASE)).is_ok());
    } else if SoftKey::is_encrypted_pem(data)
        && is_cheap(data)
        && let Ok(key) = SoftKey::from_pem(data, Some(PASSPHRASE))
    {
        check(&key);
        assert!(SoftKey::from_pem(data, Some(b"wrong")).is_err());
    }
}

/// What was read signs for its public half, and is the same key in the form that is written.
fn check(key: &SoftKey) {
    let written = key.to_pem();
    let again = SoftKey::from_pem(written.as_bytes(), None).expect("a key that was written");
    assert_eq!(again.public_key(), key.public_key());
    let Some(algorithm) = key.public_key().signing_algorithm() else { return };
    let Ok(signature) = again.sign(b"message") else { return };
    let signed = SignatureInput {
        algorithm: &algorithm,
        message: b"message",
        signature: &signature,
        key: key.public_key(),
    };
    assert_ne!(signature::check(&signed), SignatureCheck::Bad, "{}", key.public_key().algorithm());
}

/// Whether the passphrase becomes a key in little time. A file may ask for seconds, which is its right, not a finding.
fn is_cheap(data: &[u8]) -> bool {
    fn numbers(mut reader: Reader<'_>, depth: usize, cost: &mut u64) {
        while let Ok(Some(element)) = reader.next() {
            if element.tag == der::INTEGER {
                let number = element.content.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
                *cost = cost.saturating_mul(number.max(1));
            } else if element.is_constructed() && depth < 16 {
                numbers(element.reader(), depth + 1, cost);
            }
        }
    }
    let mut cost = 1;
    for block in pem::decode(data).into_iter().flatten().filter(pem::Block::is_private_key) {
        numbers(Reader::new(&block.der), 0, &mut cost);
    }
    cost <= 100_000
}
