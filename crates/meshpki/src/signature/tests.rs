use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::Cert;
use crate::der::{self, Reader};
use crate::verify::Anchor;

fn certificates() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let lines = include_str!("self-signed.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let (name, hex) = line.split_once(' ').unwrap();
        let byte = |i: usize| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap();
        (name, (0..hex.len() / 2).map(byte).collect())
    })
}

fn check_self(cert: &Cert, message: &[u8], signature: &[u8]) -> SignatureCheck {
    check(&SignatureInput {
        algorithm: cert.signature_algorithm(),
        message,
        signature,
        key: cert.public_key(),
    })
}

/// Every algorithm of `openssl verify` is decided, and every changed bit noticed.
#[test]
fn what_openssl_signs_is_good_and_changed_is_bad() {
    let mut undecided: Vec<&str> = Vec::new();
    for (name, der) in certificates() {
        let cert = Cert::from_der(&der).unwrap();
        let answer = check_self(&cert, cert.tbs(), cert.signature());
        if answer == SignatureCheck::Undecided {
            undecided.push(name);
            continue;
        }
        assert_eq!(answer, SignatureCheck::Good, "{name}");
        let mut message = cert.tbs().to_vec();
        message[20] ^= 1;
        assert_eq!(check_self(&cert, &message, cert.signature()), SignatureCheck::Bad, "{name}");
        let mut signature = cert.signature().to_vec();
        *signature.last_mut().unwrap() ^= 1;
        assert_eq!(check_self(&cert, cert.tbs(), &signature), SignatureCheck::Bad, "{name}");
        let longer = [cert.signature(), &[0]].concat();
        assert_eq!(check_self(&cert, cert.tbs(), &longer), SignatureCheck::Bad, "{name}");
        assert_eq!(check_self(&cert, cert.tbs(), &[]), SignatureCheck::Bad, "{name}");
    }
    if cfg!(feature = "legacy-algorithms") {
        let without_aws_lc: &[&str] = if cfg!(feature = "aws-lc") { &[] } else { &["ml-dsa-44"] };
        assert_eq!(undecided, without_aws_lc);
    }
}

#[test]
fn strength_of_keys_and_signatures() {
    let check = |name: &str, key: u32, signature: u32| {
        let der = certificates().find(|(n, _)| *n == name).unwrap().1;
        let cert = Cert::from_der(&der).unwrap();
        let bits = cert.decoded_key().unwrap().security_bits;
        assert_eq!(
            (bits, security_bits(cert.signature_algorithm())),
            (key, Some(signature)),
            "{name}"
        );
    };
    check("rsa-512-md5", 0, 39);
    check("rsa-1024-sha1", 80, 63);
    check("rsa-2048-sha384", 112, 192);
    check("ec-prime256v1-sha256", 128, 128);
    check("ec-secp521r1-sha512", 256, 256);
    check("ed25519", 128, 128);
    check("ed448", 224, 224);
    check("dsa-2048-sha256", 112, 128);
    check("pss-1024-sha1", 80, 63);
    check("ec-secp384r1-sha3-384", 192, 192);
    check("ml-dsa-44", 128, 128);
    check("slh-dsa-sha2-192s", 192, 192);
}

/// What `providers/implementations/encode_decode/ml_dsa_codecs.c` and `decode_der2key.c` do not take for a key.
#[test]
fn keys_in_another_encoding() {
    let check = |name: &str, change: fn(&mut Vec<u8>)| {
        let (_, der) = certificates().find(|(n, _)| *n == name).unwrap();
        let key = Cert::from_der(&der).unwrap().public_key().as_der().to_vec();
        assert!(decode::decode(&PublicKey::from_der(&key).unwrap()).is_some(), "{name}");
        let mut parts = Reader::new(&key).any().unwrap().reader();
        let (algorithm, bits) = (parts.any().unwrap().content, parts.any().unwrap().content);
        let (mut algorithm, mut bits) = (algorithm.to_vec(), bits.to_vec());
        change(if name.starts_with("ml") { &mut bits } else { &mut algorithm });
        let identifier = der::sequence(&[&algorithm]);
        let other = der::sequence(&[&identifier, &der::tlv(der::BIT_STRING, &bits)]);
        let other = PublicKey::from_der(&other).unwrap();
        assert_eq!(decode::decode(&other), None, "{name}");
    };
    check("ml-dsa-44", |bits| bits.push(0));
    check("ml-dsa-44", |bits| bits.truncate(bits.len() - 1));
    check("ml-dsa-44", |bits| bits[0] = 1);
    check("slh-dsa-shake-128s", |algorithm| algorithm.extend([5, 0]));
    check("slh-dsa-shake-128s", |algorithm| *algorithm.last_mut().unwrap() = 28);
}

#[test]
fn algorithms_openssl_does_not_know() {
    let unknown = ["2a8648ce3d04030a", "6086480165030403 20", "2a864886f70d01010f"];
    for hex in unknown.map(|hex| hex.replace(' ', "")) {
        let hex: String = hex;
        let oid: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        assert_eq!(Scheme::of(&oid), None, "{hex}");
    }
}

#[test]
fn trailing_bytes_are_trust_settings() {
    let (_, der) = certificates().find(|(n, _)| *n == "ed25519").unwrap();
    let with = |aux: &[u8]| Anchor::from_trusted_der(&[&der, aux].concat());
    assert_eq!(with(&[]).unwrap().aux, None);
    // SEQUENCE { SEQUENCE { anyExtendedKeyUsage }, [0] { serverAuth } }
    let aux =
        [0x30, 20, 0x30, 6, 6, 4, 0x55, 0x1d, 0x25, 0, 0xa0, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
    let settings = with(&aux).unwrap().aux.unwrap();
    assert_eq!(settings.trust.unwrap(), [oid::EKU_ANY]);
    assert_eq!(settings.reject, [oid::EKU_SERVER_AUTH]);
    assert!(with(&[0x30, 2, 5, 0]).is_err());
    assert!(with(&[0]).is_err());
}
