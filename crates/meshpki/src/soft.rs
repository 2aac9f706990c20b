//! Private keys in memory: generation, every PEM form in, PKCS#8 out, signing.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use zeroize::Zeroizing;

use crate::der::shape::bit_string;
use crate::der::{self, DerError, Reader};
use crate::error::KeyProblem;
use crate::issue::Serial;
use crate::key::post_quantum::parameter_set;
use crate::key::{KeyAlgorithm, PublicKey, SignError, Signer};
use crate::oid;
use crate::pem::{self, Block};

#[cfg(feature = "aws-lc")]
mod aws_lc;
pub(crate) mod encryption;
pub(crate) mod pkcs12;
mod pkcs12_kdf;
mod ring;

use encryption::Budget;

/// PEM labels a private key may have and istiod, Go and OpenSSL read.
const PKCS8: &str = "PRIVATE KEY";
const ENCRYPTED_PKCS8: &str = "ENCRYPTED PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";
const PKCS1: &str = "RSA PRIVATE KEY";
/// cfssl 1.6's label for an Ed25519 key in PKCS#8, which OpenSSL and istiod refuse.
const CFSSL_ED25519: &str = "Ed25519 PRIVATE KEY";
const EC_PARAMETERS: &str = "EC PARAMETERS";

/// What a guess at a passphrase costs: scrypt with N = 2^14, r = 8, p = 10 (16 MiB, ten times over).
///
/// N is as large as OpenSSL 3.0 reads by default, 32 MiB (`crypto/evp/pbe_scrypt.c: SCRYPT_MAX_MEM`); with N there, p is
/// the only number left to raise. OWASP asks for p = 5 at least with this N.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 10;

/// The keys that can be generated, by the names of `--key-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyType {
    /// `ecdsa-p256`: small, fast, and read by everything in a mesh.
    #[default]
    EcdsaP256,
    /// `ecdsa-p384`.
    EcdsaP384,
    /// `ecdsa-p521`: Envoy is unproven with it.
    EcdsaP521,
    /// `ed25519`: istiod and Envoy are unproven with it.
    Ed25519,
    /// `rsa-2048`.
    Rsa2048,
    /// `rsa-3072`.
    Rsa3072,
    /// `rsa-4096`.
    Rsa4096,
    /// `rsa-8192`.
    Rsa8192,
}

impl KeyType {
    /// Every type, in the order of the names.
    pub const ALL: [Self; 8] = [
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::EcdsaP521,
        Self::Ed25519,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::Rsa8192,
    ];

    /// The name `--key-type` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::EcdsaP521 => "ecdsa-p521",
            Self::Ed25519 => "ed25519",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
            Self::Rsa8192 => "rsa-8192",
        }
    }

    /// The type of an existing key, if it is one of these.
    #[must_use]
    pub fn of(algorithm: &KeyAlgorithm) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == algorithm.to_string())
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that is not the name of a key type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key type `{found}`; expected one of {}", KeyType::ALL.map(KeyType::name).join(", "))]
pub struct KeyTypeError {
    found: String,
}

impl FromStr for KeyType {
    type Err = KeyTypeError;

    fn from_str(text: &str) -> Result<Self, KeyTypeError> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| KeyTypeError { found: text.into() })
    }
}

/// A private key in memory. It has no `Debug`, `Display` or `Serialize`, and is zeroized when dropped.
///
/// ```
/// use meshpki::{KeyType, Signer, SoftKey};
/// let key = SoftKey::generate(KeyType::EcdsaP256)?;
/// let same = SoftKey::from_pem(key.to_pem().as_bytes(), None)?;
/// assert_eq!(same.public_key(), key.public_key());
/// # Ok::<(), meshpki::Error>(())
/// ```
pub struct SoftKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
    pair: Pair,
}

/// Which library holds the numbers.
enum Pair {
    Ring(ring::Pair),
    #[cfg(feature = "aws-lc")]
    AwsLc(aws_lc::Pair),
}

/// A new key: PKCS#8, the pair, the public half.
type Made<P> = (Zeroizing<Vec<u8>>, P, PublicKey);

impl SoftKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// `pki/key` when `kind` needs the feature `aws-lc` (RSA, P-521) and it is off.
    pub fn generate(kind: KeyType) -> Result<Self, crate::Error> {
        if let Some(made) = ring::generate(kind) {
            let (pkcs8, pair, public) = made?;
            return Ok(Self { pkcs8, public, pair: Pair::Ring(pair) });
        }
        #[cfg(feature = "aws-lc")]
        if let Some(made) = aws_lc::generate(kind) {
            let (pkcs8, pair, public) = made?;
            return Ok(Self { pkcs8, public, pair: Pair::AwsLc(pair) });
        }
        Err(KeyProblem::Unsupported(kind.name().into()).into())
    }

    /// Reads the first private key of PEM text: PKCS#8, plain or encrypted by PBES2 or as in PKCS#12, SEC1 (with or without
    /// `EC PARAMETERS` before it) and PKCS#1, plain or encrypted by `Proc-Type` headers, and cfssl's `Ed25519 PRIVATE KEY`.
    ///
    /// # Errors
    /// `pki/key-encrypted` when a passphrase is needed, `pki/key-passphrase` when it is the wrong one, `pki/key-cost` when
    /// decrypting it takes too long, `pki/key` for anything else, naming the line or byte.
    pub fn from_pem(text: &[u8], passphrase: Option<&[u8]>) -> Result<Self, crate::Error> {
        let mut curve = None;
        for block in pem::decode(text) {
            let mut block = block.map_err(KeyProblem::Pem)?;
            if block.label == EC_PARAMETERS {
                curve = Some(core::mem::take(&mut block.der));
            } else if block.is_private_key() {
                let bytes = Zeroizing::new(core::mem::take(&mut block.der));
                let mut budget = Budget::new(Budget::ROUNDS);
                let curve = curve.as_deref();
                return Ok(Self::from_block(&block, &bytes, curve, passphrase, &mut budget)?);
            }
        }
        Err(KeyProblem::None.into())
    }

    /// Whether the first private key of PEM text is encrypted, so that a passphrase is worth asking for.
    #[must_use]
    pub fn is_encrypted_pem(text: &[u8]) -> bool {
        pem::decode(text)
            .into_iter()
            .flatten()
            .find(Block::is_private_key)
            .is_some_and(|block| is_encrypted(&block))
    }

    /// Reads one block that is a private key; `curve` is the content of an `EC PARAMETERS` block before it.
    pub(crate) fn from_block(
        block: &Block,
        bytes: &[u8],
        curve: Option<&[u8]>,
        passphrase: Option<&[u8]>,
        budget: &mut Budget,
    ) -> Result<Self, KeyProblem> {
        let passphrase = || passphrase.ok_or(KeyProblem::PassphraseNeeded);
        let decrypted;
        let bytes = if has_encrypted_content(block) {
            decrypted = encryption::by_headers(&block.headers, bytes, passphrase()?)?;
            &decrypted
        } else {
            bytes
        };
        match block.label.as_str() {
            PKCS8 | CFSSL_ED25519 => Self::from_pkcs8(bytes),
            ENCRYPTED_PKCS8 => Self::from_pkcs8(&decrypt(bytes, passphrase()?, budget)?),
            SEC1 => Self::from_pkcs8(&sec1_to_pkcs8(bytes, curve)?),
            PKCS1 => Self::from_pkcs1(bytes),
            other => Err(KeyProblem::Unsupported(other.into())),
        }
    }

    /// Reads an unencrypted PKCS#8 key (RFC 5958).
    ///
    /// # Errors
    /// [`KeyProblem`], when the structure, the algorithm or the numbers are not ours.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, KeyProblem> {
        let (algorithm, parameters, inner) = pkcs8_parts(bytes)?;
        let algorithm = match (algorithm, parameters) {
            (oid::ED25519, _) => KeyAlgorithm::Ed25519,
            (oid::RSA_ENCRYPTION, _) => KeyAlgorithm::Rsa { bits: 0 },
            (oid::EC_PUBLIC_KEY, Some(oid::P256)) => KeyAlgorithm::EcdsaP256,
            (oid::EC_PUBLIC_KEY, Some(oid::P384)) => KeyAlgorithm::EcdsaP384,
            (oid::EC_PUBLIC_KEY, Some(oid::P521)) => KeyAlgorithm::EcdsaP521,
            (oid::EC_PUBLIC_KEY, Some(curve)) => return Err(unsupported("elliptic curve ", curve)),
            (oid::EC_PUBLIC_KEY, None) => {
                return Err(KeyProblem::Unsupported("a curve with explicit parameters".into()));
            }
            (other, _) => return Err(unsupported("algorithm ", other)),
        };
        let (pair, public) = load(&algorithm, bytes)?;
        let pkcs8 = match algorithm {
            KeyAlgorithm::Ed25519 => ed25519_version_1(inner),
            _ => Zeroizing::new(bytes.to_vec()),
        };
        Ok(Self { pkcs8, public, pair })
    }

    /// Reads an ECPrivateKey that names its curve (RFC 5915).
    ///
    /// # Errors
    /// As [`SoftKey::from_pkcs8`].
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, KeyProblem> {
        Self::from_pkcs8(&sec1_to_pkcs8(bytes, None)?)
    }

    /// Reads an RSAPrivateKey (RFC 8017 appendix A.1.2).
    ///
    /// # Errors
    /// As [`SoftKey::from_pkcs8`].
    pub fn from_pkcs1(bytes: &[u8]) -> Result<Self, KeyProblem> {
        Self::from_pkcs8(&pkcs8(oid::RSA_ENCRYPTION, &der::tlv(der::NULL, &[]), bytes))
    }

    /// The key as unencrypted PKCS#8.
    #[must_use]
    pub fn as_pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The key as an unencrypted `PRIVATE KEY` block, the form istiod, Go and OpenSSL 1.1 and 3 read.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(pem::encode(PKCS8, &self.pkcs8))
    }

    /// The key as an `ENCRYPTED PRIVATE KEY` block: PBES2 with scrypt (N=16384, r=8, p=10) and
    /// AES-256-CBC, which `openssl pkey` reads.
    ///
    /// # Errors
    /// `pki/key` when the encryption itself fails.
    pub fn to_encrypted_pem(&self, passphrase: &[u8]) -> Result<String, crate::Error> {
        use pkcs8::der::Encode;
        use pkcs8::pkcs5::pbes2;
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        fill_random(&mut salt);
        fill_random(&mut iv);
        let encrypted = || -> Option<(Vec<u8>, Vec<u8>)> {
            let scrypt =
                pkcs8::pkcs5::scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).ok()?;
            let parameters =
                pbes2::Parameters::generate_scrypt_aes256cbc(scrypt, &salt, iv).ok()?;
            let encrypted = parameters.encrypt(passphrase, &self.pkcs8).ok()?;
            Some((pkcs8::pkcs5::EncryptionScheme::from(parameters).to_der().ok()?, encrypted))
        };
        let (scheme, encrypted) =
            encrypted().ok_or_else(|| KeyProblem::Encryption("scrypt and AES-256-CBC".into()))?;
        let info = der::sequence(&[&scheme, &der::tlv(der::OCTET_STRING, &encrypted)]);
        Ok(pem::encode(ENCRYPTED_PKCS8, &info))
    }
}

impl Signer for SoftKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::Ring(pair) => ring::sign(pair, self.public.algorithm(), message),
            #[cfg(feature = "aws-lc")]
            Pair::AwsLc(pair) => aws_lc::sign(pair, self.public.algorithm(), message),
        }
    }
}

impl Serial {
    /// A serial number of the operating system's randomness.
    ///
    /// # Panics
    /// When the operating system has none.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; 20];
        fill_random(&mut bytes);
        Self::from_random(bytes)
    }
}

/// Fills `bytes` from the operating system's randomness.
///
/// # Panics
/// When the operating system has none.
pub fn fill_random(bytes: &mut [u8]) {
    use ::ring::rand::SecureRandom;
    ::ring::rand::SystemRandom::new().fill(bytes).expect("the operating system gives random bytes");
}

fn unsupported(what: &str, oid: &[u8]) -> KeyProblem {
    let name = parameter_set(oid).map_or_else(|| oid::dotted(oid), String::from);
    KeyProblem::Unsupported((String::from(what) + &name).into())
}

/// Algorithm OID, parameter OID if it is one, private key octets.
type Pkcs8Parts<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// Takes a PKCS#8 key apart.
fn pkcs8_parts(bytes: &[u8]) -> Result<Pkcs8Parts<'_>, DerError> {
    let mut parts =
        Reader::new(bytes).expect(der::SEQUENCE, "the PKCS#8 key is not a SEQUENCE")?.reader();
    parts.expect(der::INTEGER, "the PKCS#8 key does not begin with its version")?;
    let mut algorithm =
        parts.expect(der::SEQUENCE, "the PKCS#8 key does not name its algorithm")?.reader();
    let oid = algorithm.expect(der::OID, "an algorithm is not an OID")?;
    let parameters = algorithm.next()?.filter(|p| p.tag == der::OID);
    let inner =
        parts.expect(der::OCTET_STRING, "the PKCS#8 key does not contain an OCTET STRING")?;
    Ok((oid.content, parameters.map(|p| p.content), inner.content))
}

/// The public half that a key of PEM text carries, where [`SoftKey`] does not sign with such keys: P-224, and RSA of any
/// size. An EC key without it is not read.
pub(crate) fn carried_public_key(label: &str, bytes: &[u8]) -> Option<PublicKey> {
    let wrapped = match label {
        SEC1 => sec1_to_pkcs8(bytes, None).ok()?,
        PKCS1 => pkcs8(oid::RSA_ENCRYPTION, &der::tlv(der::NULL, &[]), bytes),
        _ => Zeroizing::new(bytes.to_vec()),
    };
    let (algorithm, parameters, inner) = pkcs8_parts(&wrapped).ok()?;
    let mut parts = Reader::new(inner).expect(der::SEQUENCE, "").ok()?.reader();
    parts.expect(der::INTEGER, "").ok()?;
    let (identifier, bits) = match (algorithm, parameters) {
        (oid::RSA_ENCRYPTION, _) => {
            let numbers = [parts.next().ok()??, parts.next().ok()??];
            let identifier = der::sequence(&[
                &der::tlv(der::OID, oid::RSA_ENCRYPTION),
                &der::tlv(der::NULL, &[]),
            ]);
            (identifier, der::sequence(&[numbers[0].raw, numbers[1].raw]))
        }
        (oid::EC_PUBLIC_KEY, Some(oid::P224)) => {
            parts.expect(der::OCTET_STRING, "").ok()?;
            parts.optional(0xa0).ok()?;
            let public = parts.optional(0xa1).ok()??;
            let (bits, _) = bit_string(&public.reader().next().ok()??).ok()?;
            let identifier = der::sequence(&[
                &der::tlv(der::OID, oid::EC_PUBLIC_KEY),
                &der::tlv(der::OID, oid::P224),
            ]);
            (identifier, bits)
        }
        _ => return None,
    };
    PublicKey::from_der(&der::sequence(&[&identifier, &der::bit_string(&bits)])).ok()
}

fn pkcs8(oid: &[u8], parameters: &[u8], inner: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(der::sequence(&[
        &der::integer(&[0]),
        &der::sequence(&[&der::tlv(der::OID, oid), parameters]),
        &der::tlv(der::OCTET_STRING, inner),
    ]))
}

#[cfg(feature = "aws-lc")]
fn load(algorithm: &KeyAlgorithm, bytes: &[u8]) -> Result<(Pair, PublicKey), KeyProblem> {
    if matches!(algorithm, KeyAlgorithm::Rsa { .. } | KeyAlgorithm::EcdsaP521) {
        return aws_lc::load(algorithm, bytes).map(|(pair, public)| (Pair::AwsLc(pair), public));
    }
    let mut loaded = ring::load(algorithm, bytes);
    if loaded.is_err()
        && let Some(completed) = aws_lc::completed(algorithm, bytes)
    {
        loaded = ring::load(algorithm, &completed);
    }
    loaded.map(|(pair, public)| (Pair::Ring(pair), public))
}

#[cfg(not(feature = "aws-lc"))]
fn load(algorithm: &KeyAlgorithm, bytes: &[u8]) -> Result<(Pair, PublicKey), KeyProblem> {
    ring::load(algorithm, bytes).map(|(pair, public)| (Pair::Ring(pair), public))
}

/// OpenSSL 3.0 does not read the version 2 form, which carries the public key as well.
fn ed25519_version_1(inner: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(der::sequence(&[
        &der::integer(&[0]),
        &der::sequence(&[&der::tlv(der::OID, oid::ED25519)]),
        &der::tlv(der::OCTET_STRING, inner),
    ]))
}

/// ECPrivateKey (RFC 5915), with its curve inside or in the `EC PARAMETERS` block before it.
fn sec1_to_pkcs8(
    bytes: &[u8],
    parameters: Option<&[u8]>,
) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let mut parts =
        Reader::new(bytes).expect(der::SEQUENCE, "the EC key is not a SEQUENCE")?.reader();
    parts.expect(der::INTEGER, "the EC key does not begin with its version")?;
    parts.expect(der::OCTET_STRING, "the EC key does not contain an OCTET STRING")?;
    let explicit = parts.optional(0xa0)?.map(|explicit| explicit.content.to_vec());
    let curve = explicit.or_else(|| parameters.map(<[u8]>::to_vec));
    let curve =
        curve.ok_or_else(|| KeyProblem::Unsupported("an EC key that names no curve".into()))?;
    Ok(pkcs8(oid::EC_PUBLIC_KEY, &curve, bytes))
}

/// Whether a block holds an encrypted key.
pub(crate) fn is_encrypted(block: &Block) -> bool {
    block.label == ENCRYPTED_PKCS8 || has_encrypted_content(block)
}

/// Whether the headers of a block say that its content is encrypted (RFC 1421 section 4.6.1.1).
fn has_encrypted_content(block: &Block) -> bool {
    block.headers.iter().any(|(name, value)| name == "Proc-Type" && value.contains("ENCRYPTED"))
}

/// Decrypts an EncryptedPrivateKeyInfo (RFC 5958 section 3).
fn decrypt(
    bytes: &[u8],
    passphrase: &[u8],
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let mut parts = Reader::new(bytes).expect(der::SEQUENCE, "the key is not a SEQUENCE")?.reader();
    let scheme = parts.expect(der::SEQUENCE, "the key does not name its encryption")?;
    let encrypted =
        parts.expect_octets(der::OCTET_STRING, "an encrypted key is not an OCTET STRING")?;
    encryption::decrypt(&scheme, &encrypted, passphrase, budget)
}

fn rejected(algorithm: &KeyAlgorithm) -> KeyProblem {
    let name: Box<str> = match algorithm {
        KeyAlgorithm::Rsa { .. } => "RSA".into(),
        other => other.to_string().into(),
    };
    KeyProblem::Rejected(name)
}

fn public_key(algorithm: &KeyAlgorithm, bits: &[u8]) -> PublicKey {
    let ec = |curve| {
        der::sequence(&[&der::tlv(der::OID, oid::EC_PUBLIC_KEY), &der::tlv(der::OID, curve)])
    };
    let identifier = match algorithm {
        KeyAlgorithm::EcdsaP256 => ec(oid::P256),
        KeyAlgorithm::EcdsaP384 => ec(oid::P384),
        KeyAlgorithm::EcdsaP521 => ec(oid::P521),
        KeyAlgorithm::Ed25519 => der::sequence(&[&der::tlv(der::OID, oid::ED25519)]),
        KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Other { .. } => {
            der::sequence(&[&der::tlv(der::OID, oid::RSA_ENCRYPTION), &der::tlv(der::NULL, &[])])
        }
    };
    let spki = der::sequence(&[&identifier, &der::bit_string(bits)]);
    PublicKey::from_der(&spki).expect("what the writer wrote can be read")
}

#[cfg(test)]
mod tests;
