use alloc::string::ToString;

use super::*;
use crate::signature::{self, SignatureCheck, SignatureInput};

fn signs(key: &SoftKey) {
    let signature = key.sign(b"message").unwrap();
    let algorithm = key.public_key().signing_algorithm().unwrap();
    let check = |message: &[u8]| {
        signature::check(&SignatureInput {
            algorithm: &algorithm,
            message,
            signature: &signature,
            key: key.public_key(),
        })
    };
    assert_eq!(check(b"message"), SignatureCheck::Good, "{}", key.public_key().algorithm());
    assert_eq!(check(b"massage"), SignatureCheck::Bad, "{}", key.public_key().algorithm());
}

#[test]
fn every_key_type_signs_and_survives_pem() {
    let kinds = [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519];
    #[cfg(feature = "aws-lc")]
    let kinds = [&kinds[..], &[KeyType::EcdsaP521, KeyType::Rsa2048, KeyType::Rsa3072]].concat();
    for kind in kinds {
        let key = SoftKey::generate(kind).unwrap();
        assert_eq!(KeyType::of(key.public_key().algorithm()), Some(kind));
        assert_eq!(kind.name().parse(), Ok(kind));
        signs(&key);
        let pem = key.to_pem();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let again = SoftKey::from_pem(pem.as_bytes(), None).unwrap();
        assert_eq!(again.public_key(), key.public_key());
    }
    assert!("rsa".parse::<KeyType>().unwrap_err().to_string().contains("rsa-2048"));
}

#[test]
fn encryption_needs_the_passphrase() {
    let key = SoftKey::generate(KeyType::Ed25519).unwrap();
    let pem = key.to_encrypted_pem(b"secret").unwrap();
    assert!(SoftKey::is_encrypted_pem(pem.as_bytes()));
    assert!(!SoftKey::is_encrypted_pem(key.to_pem().as_bytes()));
    let read = |passphrase: Option<&[u8]>| {
        SoftKey::from_pem(pem.as_bytes(), passphrase).map_err(|e| e.code())
    };
    assert_eq!(read(Some(b"secret")).ok().unwrap().public_key(), key.public_key());
    assert_eq!(read(Some(b"wrong")).err(), Some("pki/key-passphrase"));
    assert_eq!(read(None).err(), Some("pki/key-encrypted"));
}

#[test]
fn what_cannot_be_read_says_why() {
    let check = |text: &str, expect: &str| {
        let error = SoftKey::from_pem(text.as_bytes(), Some(b"x")).err().unwrap().to_string();
        assert!(error.contains(expect), "{error}");
    };
    let block = |label: &str, der: &[u8]| pem::encode(label, der);
    check("", "no private key was found");
    check(&block("CERTIFICATE", &[1]), "no private key was found");
    check(&block("PRIVATE KEY", &[0x30, 0]), "does not begin with its version");
    check(&block("DSA PRIVATE KEY", &[0x30, 0]), "DSA PRIVATE KEY is not supported");
    check(&block("ENCRYPTED PRIVATE KEY", &[0x30, 0]), "does not name its encryption");
    check(
        &block("EC PRIVATE KEY", &der::sequence(&[&der::integer(&[1]), &der::tlv(4, &[1; 32])])),
        "names no curve",
    );
    let k1 = der::sequence(&[
        &der::tlv(der::OID, oid::EC_PUBLIC_KEY),
        &der::tlv(der::OID, &[0x2b, 0x81, 4, 0, 10]),
    ]);
    let k1 = der::sequence(&[&der::integer(&[0]), &k1, &der::tlv(4, &[])]);
    check(&block("PRIVATE KEY", &k1), "elliptic curve 1.3.132.0.10 is not supported");
    let zero =
        der::sequence(&[&der::tlv(der::OID, oid::EC_PUBLIC_KEY), &der::tlv(der::OID, oid::P256)]);
    let zero = der::sequence(&[&der::integer(&[0]), &zero, &der::tlv(4, &[0x30, 0])]);
    check(&block("PRIVATE KEY", &zero), "are not a valid ecdsa-p256 key");
    let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    check(legacy, "encrypted with an IV that is too short");
}

/// What a guess costs is what OWASP asks for at least, and OpenSSL 3.0 reads it within its 32 MiB; keys of releases that
/// asked for less are still read.
#[test]
fn encryption_costs_what_openssl_reads() {
    use pkcs8::der::Encode;
    use pkcs8::pkcs5::pbes2::{EncryptionScheme, Kdf, Parameters};
    let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
    let pem = key.to_encrypted_pem(b"secret").unwrap();
    let der = pem::decode(pem.as_bytes()).remove(0).unwrap().der.clone();
    let info = pkcs8::EncryptedPrivateKeyInfoRef::try_from(der.as_slice()).unwrap();
    let Some(Kdf::Scrypt(scrypt)) = info.encryption_algorithm.pbes2().map(|scheme| &scheme.kdf)
    else {
        panic!("it is not scrypt")
    };
    let (n, r, p) =
        (scrypt.cost_parameter, u64::from(scrypt.block_size), u64::from(scrypt.parallelization));
    assert!(n >= 1 << 14 && r >= 8 && p >= 5);
    // `crypto/evp/pbe_scrypt.c: EVP_PBE_scrypt`: Blen + 32 * r * (N + 2) * 4.
    assert!(p * 128 * r + 32 * r * (n + 2) * 4 <= 32 << 20);
    assert!(matches!(
        info.encryption_algorithm.pbes2().map(|scheme: &Parameters| &scheme.encryption),
        Some(EncryptionScheme::Aes256Cbc { .. })
    ));
    for p in [1, 5, 10] {
        let scrypt = pkcs8::pkcs5::scrypt::Params::new(14, 8, p).unwrap();
        let scheme = Parameters::generate_scrypt_aes256cbc(scrypt, b"salt", [7; 16]).unwrap();
        let encrypted = scheme.encrypt(b"secret", &key.pkcs8).unwrap();
        let scheme = pkcs8::pkcs5::EncryptionScheme::from(scheme).to_der().unwrap();
        let info = der::sequence(&[&scheme, &der::tlv(der::OCTET_STRING, &encrypted)]);
        let pem = pem::encode(ENCRYPTED_PKCS8, &info);
        let read = SoftKey::from_pem(pem.as_bytes(), Some(b"secret")).unwrap();
        assert_eq!(read.public_key(), key.public_key(), "p={p}");
    }
}

/// An encrypted key that asks for this much work, and holds nothing.
fn asking(kdf: &[u8], parameters: &[&[u8]]) -> String {
    let salt = der::tlv(der::OCTET_STRING, &[0; 16]);
    let parameters = [&[salt.as_slice()], parameters].concat();
    let scheme = der::sequence(&[
        &der::tlv(der::OID, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13]),
        &der::sequence(&[
            &der::sequence(&[&der::tlv(der::OID, kdf), &der::sequence(&parameters)]),
            &der::sequence(&[
                &der::tlv(der::OID, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42]),
                &der::tlv(der::OCTET_STRING, &[0; 16]),
            ]),
        ]),
    ]);
    pem::encode(ENCRYPTED_PKCS8, &der::sequence(&[&scheme, &der::tlv(der::OCTET_STRING, &[0; 64])]))
}

fn number(n: u64) -> Vec<u8> {
    der::integer(&n.to_be_bytes())
}

fn scrypt(n: u64, r: u64, p: u64) -> String {
    let kdf = [0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 11];
    asking(&kdf, &[&number(n), &number(r), &number(p)])
}

fn pbkdf2(count: u64) -> String {
    let hash = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9];
    let hash = der::sequence(&[&der::tlv(der::OID, &hash), &der::tlv(der::NULL, &[])]);
    asking(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12], &[&number(count), &hash])
}

/// The keys of a file share one budget.
#[test]
fn many_keys_cost_their_sum() {
    use crate::contents::{Contents, Object};
    let codes = |text: String| -> Vec<String> {
        let pile = Contents::read(text.as_bytes(), Some(b"secret"), &mut Budget::new(10_000));
        let said = pile.found.iter().map(|found| match &found.object {
            Object::Unreadable(error) => alloc::format!("{}: {error}", error.code()),
            _ => panic!("it holds nothing"),
        });
        said.collect()
    };
    for (one, cost) in [(pbkdf2(6000), 6000), (scrypt(1 << 8, 8, 3), 6144)] {
        let said = codes(one.repeat(2));
        assert!(said[0].starts_with("pki/key-passphrase"), "{}", said[0]);
        let sum = alloc::format!(
            "takes {cost} rounds of a digest after {cost} for what precedes it, together more than 10000"
        );
        assert!(said[1].starts_with("pki/key-cost") && said[1].ends_with(&sum), "{}", said[1]);
    }
}

/// A container without a passphrase: its bags may be encrypted with the empty one, and each trial has the whole budget.
#[test]
fn no_passphrase_is_the_empty_one_elsewhere() {
    use super::pkcs12_kdf::{NO_PASSPHRASE, Use, derive};
    use hmac::{Hmac, KeyInit, Mac};
    use pkcs8::der::Encode;
    use pkcs8::pkcs5::pbes2::Parameters;
    use sha1::Sha1;
    const ROUNDS: u64 = 600;
    let oid = |arcs: &[u8]| der::tlv(der::OID, arcs);
    let octets = |content: &[u8]| der::tlv(der::OCTET_STRING, content);
    let explicit = |content: &[u8]| der::constructed(0xa0, &[content]);
    let data = |content: &[u8]| {
        let kind = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1]);
        der::sequence(&[&kind, &explicit(&octets(content))])
    };
    let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
    let scheme = Parameters::generate_pbkdf2_sha256_aes256cbc(100, b"saltsalt", [7; 16]).unwrap();
    let encrypted = scheme.encrypt(b"", &key.pkcs8).unwrap();
    let scheme = pkcs8::pkcs5::EncryptionScheme::from(scheme).to_der().unwrap();
    let shrouded = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 2]);
    let bag = der::sequence(&[&scheme, &octets(&encrypted)]);
    let bags = der::sequence(&[&der::sequence(&[&shrouded, &explicit(&bag)])]);
    let content = der::sequence(&[&data(&bags)]);
    let mac_key = derive::<Sha1>(NO_PASSPHRASE, &[1; 8], Use::Mac, ROUNDS, 20);
    let mut mac = Hmac::<Sha1>::new_from_slice(&mac_key).unwrap();
    mac.update(&content);
    let sha1 = der::sequence(&[&oid(&[0x2b, 14, 3, 2, 26])]);
    let digest = der::sequence(&[&sha1, &octets(&mac.finalize().into_bytes())]);
    let mac = der::sequence(&[&digest, &octets(&[1; 8]), &number(ROUNDS)]);
    let pfx = der::sequence(&[&der::integer(&[3]), &data(&content), &mac]);
    let opened = pkcs12::Pkcs12::open(&pfx, None, &mut Budget::new(ROUNDS + 100)).unwrap();
    assert_eq!(opened.keys.len(), 1);
    assert!(*opened.keys[0] == *key.pkcs8);
}

#[test]
fn a_key_file_cannot_ask_for_years_or_terabytes() {
    let read =
        |pem: String| SoftKey::from_pem(pem.as_bytes(), Some(b"secret")).err().unwrap().code();
    for pem in [
        scrypt(0, 8, 1),
        scrypt(1, 8, 1),
        scrypt(1 << 30, 8, 1),
        scrypt(1 << 62, 8, 1),
        scrypt(1 << 14, 60_000, 1),
        scrypt(1 << 14, 8, 65_535),
        pbkdf2(2_000_000_000),
    ] {
        assert_eq!(read(pem), "pki/key-cost");
    }
    assert_eq!(read(scrypt(1 << 10, 8, 1)), "pki/key-passphrase");
    assert_eq!(read(pbkdf2(1000)), "pki/key-passphrase");
}
