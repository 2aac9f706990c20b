//! New private keys, and what to know about a key type before one is made.

use meshpki::{KeyType, SoftKey};

use crate::failure::Failure;
use crate::io::Io;

/// `count` new keys. An RSA key takes a second or more, so RSA keys are generated on every core.
pub(crate) fn generate(
    kind: KeyType,
    count: usize,
    io: &mut Io<'_>,
) -> Result<Vec<SoftKey>, Failure> {
    let slow =
        matches!(kind, KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 | KeyType::Rsa8192);
    let mut keys = Vec::with_capacity(count);
    if !slow {
        for _ in 0..count {
            keys.push(SoftKey::generate(kind)?);
        }
        return Ok(keys);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let progress = io.progress(count, "keys generated");
    while keys.len() < count {
        let batch = cores.min(count - keys.len());
        let made: Vec<Result<SoftKey, meshpki::Error>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..batch).map(|_| scope.spawn(|| SoftKey::generate(kind))).collect();
            threads.into_iter().map(|t| t.join().expect("key generation does not panic")).collect()
        });
        for key in made {
            keys.push(key?);
            progress.step();
        }
    }
    Ok(keys)
}

/// The fix of [`warn_unproven`] for a key that the command creates.
pub(crate) const BY_OPTION: &str = "`--key-type ecdsa-p256` works with every Istio release";

/// The fix of [`warn_unproven`] for a key that a program or a token holds.
pub(crate) const BY_ITS_HOLDER: &str =
    "create an ECDSA key on P-256 where the signer keeps its keys, and name that one";

/// Warns where istiod or Envoy is unproven with a key type; `fix` says how to get another.
pub(crate) fn warn_unproven(kind: KeyType, whose: &str, fix: &str, io: &mut Io<'_>) {
    let why = match kind {
        KeyType::Ed25519 => {
            "istiod reads it, but Envoy is not known to accept certificates signed with it"
        }
        KeyType::EcdsaP521 => "istiod reads it, but Envoy (BoringSSL) refuses P-521 by default",
        KeyType::Rsa8192 => "its large signatures slow down every handshake in the mesh",
        _ => return,
    };
    let warning =
        Failure::new("ctl/key-type-unproven", format!("{whose} gets a key of type {kind}"))
            .because(why)
            .hint(fix);
    io.warn(&warning);
}
