use alloc::string::ToString;

use super::*;
use crate::signature::{self, SignatureCheck, Signed};

fn signs(key: &SoftKey) {
    let signature = key.sign(b"message").unwrap();
    let algorithm = key.public_key().signature_algorithm().unwrap();
    let check = |message: &[u8]| {
        signature::check(&Signed {
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
    assert!("rsa".parse::<KeyType>().unwrap_err().contains("rsa-2048"));
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
    check("", "there is no private key in it");
    check(&block("CERTIFICATE", &[1]), "there is no private key in it");
    check(&block("PRIVATE KEY", &[0x30, 0]), "begins with its version");
    check(&block("DSA PRIVATE KEY", &[0x30, 0]), "DSA PRIVATE KEY is not supported");
    check(&block("ENCRYPTED PRIVATE KEY", &[0x30, 0]), "not with PBES2");
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
    check(&block("PRIVATE KEY", &zero), "do not make a valid ecdsa-p256 key");
    let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    check(legacy, "old PEM way");
}
