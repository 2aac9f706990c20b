//! Certificates and CRLs of any shape, right or wrong, signed with the keys of `fixtures/keys`.

use std::fs;
use std::sync::LazyLock;

use meshpki::internals::der::{self, Tag, tlv};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};

use crate::fuzz::mutate::der as der_edits;
use crate::outside::OUTSIDE;
use crate::random::Random;
use crate::shared;

/// A public key, and where it can sign the private one.
pub struct Key {
    /// File name without its ending.
    pub name: String,
    /// SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    pair: Option<Pair>,
}

enum Pair {
    Ec(EcdsaKeyPair, &'static [u8]),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// OID content octets of ecdsa-with-SHA256, ecdsa-with-SHA384 and so on, by the names of OpenSSL.
const ECDSA_SHA256: &[u8] = meshpki::internals::oid::ECDSA_SHA256;
const ECDSA_SHA384: &[u8] = meshpki::internals::oid::ECDSA_SHA384;

/// Every key of `fixtures/keys`, those that can sign first.
pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(load_keys);

/// Index in [`KEYS`] of a key by its name.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn key(name: &str) -> usize {
    KEYS.iter().position(|key| key.name == name).expect("a key of fixtures/keys")
}

/// How many of [`KEYS`] can sign.
#[must_use]
pub fn signers() -> usize {
    KEYS.iter().take_while(|key| key.pair.is_some()).count()
}

/// SubjectPublicKeyInfo of a key; numbers behind [`KEYS`] are those of [`OUTSIDE`].
#[must_use]
pub fn spki(key: usize) -> &'static [u8] {
    match KEYS.get(key) {
        Some(key) => &key.spki,
        None => &OUTSIDE[key - KEYS.len()].spki,
    }
}

pub(crate) fn algorithm(key: usize, rsa: Rsa) -> Vec<u8> {
    match (KEYS.get(key), rsa) {
        (Some(key), _) => key.algorithm(rsa),
        (None, Rsa::Outside(way)) => OUTSIDE[key - KEYS.len()].algorithm(way),
        (None, _) => OUTSIDE[key - KEYS.len()].algorithm(0),
    }
}

fn signature(key: usize, message: &[u8], rsa: Rsa) -> Vec<u8> {
    match (KEYS.get(key), rsa) {
        (Some(key), _) => key.sign(message, rsa),
        (None, Rsa::Outside(way)) => OUTSIDE[key - KEYS.len()].sign(message, way),
        (None, _) => OUTSIDE[key - KEYS.len()].sign(message, 0),
    }
}

fn load_keys() -> Vec<Key> {
    let dir = shared::root().join("fixtures/keys");
    let mut keys: Vec<Key> = fs::read_dir(&dir)
        .expect("fixtures/keys")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|file| file.strip_suffix(".spki").map(str::to_owned))
        .map(|name| {
            let spki = fs::read(dir.join(format!("{name}.spki"))).expect("a public key");
            let pair = private(&name).map(|der| pair(&name, &der));
            Key { name, spki, pair }
        })
        .collect();
    keys.sort_by_key(|key| (key.pair.is_none(), key.name.clone()));
    keys
}

/// The private key of that name in PKCS#8; `None` for a key that cannot sign.
#[must_use]
pub fn private(name: &str) -> Option<Vec<u8>> {
    fs::read(shared::root().join(format!("fixtures/keys/{name}.key"))).ok()
}

fn pair(name: &str, pkcs8: &[u8]) -> Pair {
    let random = SystemRandom::new();
    let ec = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &random).expect("an EC key");
    match &name[..4] {
        "p256" => Pair::Ec(ec(&signature::ECDSA_P256_SHA256_ASN1_SIGNING), ECDSA_SHA256),
        "p384" => Pair::Ec(ec(&signature::ECDSA_P384_SHA384_ASN1_SIGNING), ECDSA_SHA384),
        "rsa2" | "rsa3" => Pair::Rsa(RsaKeyPair::from_pkcs8(pkcs8).expect("an RSA key")),
        _ => Pair::Ed(Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).expect("an Ed25519 key")),
    }
}

impl Key {
    /// AlgorithmIdentifier this key signs with; RSA has several.
    #[must_use]
    pub fn algorithm(&self, rsa: Rsa) -> Vec<u8> {
        match &self.pair {
            Some(Pair::Ec(_, oid)) => der::sequence(&[&tlv(der::OID, oid)]),
            Some(Pair::Ed(_)) => der::sequence(&[&tlv(der::OID, meshpki::internals::oid::ED25519)]),
            _ => rsa.algorithm(),
        }
    }

    /// A signature over `message`; of a key that cannot sign, some bytes.
    ///
    /// # Panics
    /// Never: the keys are in the repository and fit.
    #[must_use]
    pub fn sign(&self, message: &[u8], rsa: Rsa) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Some(Pair::Ec(key, _)) => key.sign(&random, message).expect("signs").as_ref().to_vec(),
            Some(Pair::Ed(key)) => key.sign(message).as_ref().to_vec(),
            Some(Pair::Rsa(key)) => {
                let mut out = vec![0; key.public().modulus_len()];
                key.sign(rsa.padding(), &random, message, &mut out).expect("signs");
                out
            }
            None => vec![7; 64],
        }
    }
}

/// How an RSA key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rsa {
    /// PKCS#1 v1.5 with SHA-256.
    Sha256,
    /// PKCS#1 v1.5 with SHA-384.
    Sha384,
    /// PKCS#1 v1.5 with SHA-512.
    Sha512,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes.
    Pss256,
    /// A way of a key of [`OUTSIDE`]; SHA-256 for the others.
    Outside(usize),
}

impl Rsa {
    fn algorithm(self) -> Vec<u8> {
        let null = tlv(der::NULL, &[]);
        let plain = |oid| der::sequence(&[&tlv(der::OID, oid), &null]);
        match self {
            Self::Sha256 | Self::Outside(_) => plain(meshpki::internals::oid::RSA_SHA256),
            Self::Sha384 => plain(meshpki::internals::oid::RSA_SHA384),
            Self::Sha512 => plain(meshpki::internals::oid::RSA_SHA512),
            Self::Pss256 => {
                let sha256 = der::sequence(&[
                    &tlv(der::OID, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]),
                    &null,
                ]);
                let mgf1 = tlv(der::OID, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8]);
                let parameters = der::sequence(&[
                    &tlv(0xa0, &sha256),
                    &tlv(0xa1, &der::sequence(&[&mgf1, &sha256])),
                    &tlv(0xa2, &tlv(der::INTEGER, &[32])),
                ]);
                der::sequence(&[&tlv(der::OID, meshpki::internals::oid::RSA_PSS), &parameters])
            }
        }
    }

    fn padding(self) -> &'static dyn signature::RsaEncoding {
        match self {
            Self::Sha256 | Self::Outside(_) => &signature::RSA_PKCS1_SHA256,
            Self::Sha384 => &signature::RSA_PKCS1_SHA384,
            Self::Sha512 => &signature::RSA_PKCS1_SHA512,
            Self::Pss256 => &signature::RSA_PSS_SHA256,
        }
    }
}

/// An extension.
#[derive(Clone, Debug)]
pub struct Extension {
    /// Content octets of its OID.
    pub oid: Vec<u8>,
    /// Critical.
    pub critical: bool,
    /// What is in its OCTET STRING.
    pub value: Vec<u8>,
}

/// An extension of `value`.
#[must_use]
pub fn extension(oid: &[u8], critical: bool, value: Vec<u8>) -> Extension {
    Extension { oid: oid.to_vec(), critical, value }
}

/// A certificate before it is signed: every part can be any bytes.
#[derive(Clone, Debug)]
pub struct CertPlan {
    /// Content octets of the version; `None` for v1.
    pub version: Option<Vec<u8>>,
    /// Content octets of the serial number.
    pub serial: Vec<u8>,
    /// DER of the issuer.
    pub issuer: Vec<u8>,
    /// Identifier and content octets of notBefore.
    pub not_before: (Tag, Vec<u8>),
    /// Identifier and content octets of notAfter.
    pub not_after: (Tag, Vec<u8>),
    /// DER of the subject.
    pub subject: Vec<u8>,
    /// SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// Extensions in order; none at all leaves the field out.
    pub extensions: Vec<Extension>,
    /// Index of the key that signs.
    pub signer: usize,
    /// How it signs, if it is an RSA key.
    pub rsa: Rsa,
    /// AlgorithmIdentifier inside, where it is not the true one.
    pub inner: Option<Vec<u8>>,
    /// AlgorithmIdentifier outside, where it is not the true one.
    pub outer: Option<Vec<u8>>,
    /// Flip a bit of the signature.
    pub broken: bool,
    /// Sign an encoding that is not DER, with one element in so many in another form.
    pub loose: Option<(Random, usize)>,
    /// Sign what becomes of it after changes to its elements.
    pub edits: Option<Random>,
}

impl CertPlan {
    /// A v3 certificate without extensions, valid 2020 to 2049.
    #[must_use]
    pub fn new(subject: Vec<u8>, issuer: Vec<u8>, key: usize, signer: usize) -> Self {
        Self {
            version: Some(vec![2]),
            serial: vec![1],
            issuer,
            not_before: (der::UTC_TIME, b"200101000000Z".to_vec()),
            not_after: (der::UTC_TIME, b"491231235959Z".to_vec()),
            subject,
            spki: spki(key).to_vec(),
            extensions: Vec::new(),
            signer,
            rsa: Rsa::Sha256,
            inner: None,
            outer: None,
            broken: false,
            loose: None,
            edits: None,
        }
    }

    /// The same plan with one extension more.
    #[must_use]
    pub fn with(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// The signed certificate.
    #[must_use]
    pub fn sign(&self) -> Vec<u8> {
        let true_algorithm = algorithm(self.signer, self.rsa);
        let inner = self.inner.as_ref().unwrap_or(&true_algorithm);
        let version = self.version.as_ref().map(|v| tlv(0xa0, &tlv(der::INTEGER, v)));
        let extensions = wrapped_extensions(0xa3, &self.extensions);
        let tbs = der::sequence(&[
            &version.unwrap_or_default(),
            &tlv(der::INTEGER, &self.serial),
            inner,
            &self.issuer,
            &der::sequence(&[
                &tlv(self.not_before.0, &self.not_before.1),
                &tlv(self.not_after.0, &self.not_after.1),
            ]),
            &self.subject,
            &self.spki,
            &extensions,
        ]);
        let tbs = changed(tbs, self.edits.as_ref(), self.loose.as_ref());
        sealed(&tbs, self.signer, self.rsa, self.outer.as_ref().unwrap_or(inner), self.broken)
    }
}

/// A CRL before it is signed.
#[derive(Clone, Debug)]
pub struct CrlPlan {
    /// Content octets of the version; `None` for v1.
    pub version: Option<Vec<u8>>,
    /// DER of the issuer.
    pub issuer: Vec<u8>,
    /// Identifier and content octets of thisUpdate.
    pub this_update: (Tag, Vec<u8>),
    /// Identifier and content octets of nextUpdate.
    pub next_update: Option<(Tag, Vec<u8>)>,
    /// Serial number and entry extensions of what is revoked.
    pub revoked: Vec<(Vec<u8>, Vec<Extension>)>,
    /// Extensions of the CRL.
    pub extensions: Vec<Extension>,
    /// Index of the key that signs.
    pub signer: usize,
    /// How it signs.
    pub rsa: Rsa,
    /// AlgorithmIdentifier inside the signed bytes, where it is not the signer's.
    pub inner: Option<Vec<u8>>,
    /// AlgorithmIdentifier next to them, if it is not the signer's.
    pub outer: Option<Vec<u8>>,
    /// Flip a bit of the signature.
    pub broken: bool,
    /// As in [`CertPlan`].
    pub loose: Option<(Random, usize)>,
    /// As in [`CertPlan`].
    pub edits: Option<Random>,
}

impl CrlPlan {
    /// A v2 CRL that revokes nothing, 2023 to 2049.
    #[must_use]
    pub fn new(issuer: Vec<u8>, signer: usize) -> Self {
        Self {
            version: Some(vec![1]),
            issuer,
            this_update: (der::UTC_TIME, b"230101000000Z".to_vec()),
            next_update: Some((der::UTC_TIME, b"491231235959Z".to_vec())),
            revoked: Vec::new(),
            extensions: Vec::new(),
            signer,
            rsa: Rsa::Sha256,
            inner: None,
            outer: None,
            broken: false,
            loose: None,
            edits: None,
        }
    }

    /// The signed CRL.
    #[must_use]
    pub fn sign(&self) -> Vec<u8> {
        let algorithm = algorithm(self.signer, self.rsa);
        let version = self.version.as_ref().map(|v| tlv(der::INTEGER, v)).unwrap_or_default();
        let next = self.next_update.as_ref().map(|(tag, text)| tlv(*tag, text)).unwrap_or_default();
        let entries: Vec<Vec<u8>> = self.revoked.iter().map(|(s, e)| revoked(s, e)).collect();
        let list = match entries.as_slice() {
            [] => Vec::new(),
            entries => der::sequence(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        };
        let tbs = der::sequence(&[
            &version,
            self.inner.as_ref().unwrap_or(&algorithm),
            &self.issuer,
            &tlv(self.this_update.0, &self.this_update.1),
            &next,
            &list,
            &wrapped_extensions(0xa0, &self.extensions),
        ]);
        let tbs = changed(tbs, self.edits.as_ref(), self.loose.as_ref());
        let outer = self.outer.as_ref().unwrap_or(&algorithm);
        sealed(&tbs, self.signer, self.rsa, outer, self.broken)
    }
}

/// What is to be signed after its changes.
fn changed(tbs: Vec<u8>, edits: Option<&Random>, loose: Option<&(Random, usize)>) -> Vec<u8> {
    let tbs = edits.map_or(tbs.clone(), |random| der_edits::edited(&mut random.clone(), &tbs, &[]));
    loose.map_or(tbs.clone(), |(random, rarity)| {
        crate::ber::loosened(&mut random.clone(), &tbs, *rarity)
    })
}

fn revoked(serial: &[u8], extensions: &[Extension]) -> Vec<u8> {
    let date = tlv(der::UTC_TIME, b"230201000000Z");
    let extensions = match extensions {
        [] => Vec::new(),
        extensions => extension_list(extensions),
    };
    der::sequence(&[&tlv(der::INTEGER, serial), &date, &extensions])
}

fn wrapped_extensions(tag: Tag, extensions: &[Extension]) -> Vec<u8> {
    if extensions.is_empty() { Vec::new() } else { tlv(tag, &extension_list(extensions)) }
}

fn extension_list(extensions: &[Extension]) -> Vec<u8> {
    let items: Vec<Vec<u8>> = extensions
        .iter()
        .map(|e| {
            let critical = if e.critical { tlv(der::BOOLEAN, &[0xff]) } else { Vec::new() };
            let value = tlv(der::OCTET_STRING, &e.value);
            der::sequence(&[&tlv(der::OID, &e.oid), &critical, &value])
        })
        .collect();
    der::sequence(&items.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn sealed(tbs: &[u8], signer: usize, rsa: Rsa, outer: &[u8], broken: bool) -> Vec<u8> {
    let mut signature = signature(signer, tbs, rsa);
    if broken && let Some(last) = signature.last_mut() {
        *last ^= 1;
    }
    der::sequence(&[tbs, outer, &der::bit_string(&signature)])
}

/// Values of extensions.
pub mod value {
    use super::{Tag, der, tlv};

    /// A SEQUENCE of `items`.
    #[must_use]
    pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
        der::sequence(&items.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// basicConstraints; `path_len` are content octets of an INTEGER.
    #[must_use]
    pub fn basic_constraints(ca: bool, path_len: Option<&[u8]>) -> Vec<u8> {
        let ca = if ca { tlv(der::BOOLEAN, &[0xff]) } else { Vec::new() };
        let path_len = path_len.map(|n| tlv(der::INTEGER, n)).unwrap_or_default();
        der::sequence(&[&ca, &path_len])
    }

    /// A BIT STRING of named bits: `bits` as OpenSSL's `X509v3_KU_*` numbers, first byte low.
    #[must_use]
    pub fn bits(bits: u16) -> Vec<u8> {
        let [first, second] = bits.to_le_bytes();
        let bytes = if second == 0 { vec![first] } else { vec![first, second] };
        let unused = bytes.last().map_or(0, |b| b.trailing_zeros().min(7));
        tlv(der::BIT_STRING, &[&[unused.to_le_bytes()[0]][..], &bytes].concat())
    }

    /// A SEQUENCE of OIDs.
    #[must_use]
    pub fn oids(oids: &[&[u8]]) -> Vec<u8> {
        list(&oids.iter().map(|oid| tlv(der::OID, oid)).collect::<Vec<_>>())
    }

    /// subjectKeyIdentifier.
    #[must_use]
    pub fn key_id(id: &[u8]) -> Vec<u8> {
        tlv(der::OCTET_STRING, id)
    }

    /// authorityKeyIdentifier: key id, and issuer (DER name) with serial number.
    #[must_use]
    pub fn authority(id: Option<&[u8]>, issuer: Option<&[u8]>, serial: Option<&[u8]>) -> Vec<u8> {
        let id = id.map(|id| tlv(0x80, id)).unwrap_or_default();
        let issuer = issuer.map(|name| tlv(0xa1, &tlv(0xa4, name))).unwrap_or_default();
        let serial = serial.map(|n| tlv(0x82, n)).unwrap_or_default();
        der::sequence(&[&id, &issuer, &serial])
    }

    /// A GeneralName: 1 e-mail, 2 DNS, 4 directory (DER), 6 URI, 7 address, 8 OID.
    #[must_use]
    pub fn general(kind: Tag, content: &[u8]) -> Vec<u8> {
        tlv(if matches!(kind, 0 | 3 | 4 | 5) { 0xa0 } else { 0x80 } | kind, content)
    }

    /// nameConstraints of GeneralNames.
    #[must_use]
    pub fn name_constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Vec<u8> {
        let subtrees = |tag, names: &[Vec<u8>]| match names {
            [] => Vec::new(),
            names => {
                let trees: Vec<u8> = names.iter().flat_map(|name| der::sequence(&[name])).collect();
                tlv(tag, &trees)
            }
        };
        der::sequence(&[&subtrees(0xa0, permitted), &subtrees(0xa1, excluded)])
    }
}

/// A name of one attribute per RDN: OID, identifier octet of the value, content octets.
#[must_use]
pub fn name(attributes: &[(&[u8], Tag, &[u8])]) -> Vec<u8> {
    let sets: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(oid, tag, text)| {
            tlv(der::SET, &der::sequence(&[&tlv(der::OID, oid), &tlv(*tag, text)]))
        })
        .collect();
    value::list(&sets)
}
