use alloc::string::ToString;

use super::*;
use crate::soft::{KeyType, SoftKey};

#[test]
fn what_is_asked_for_can_be_read_back() {
    for kind in [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519] {
        let key = SoftKey::generate(kind).unwrap();
        let subject = "O=a+OU=b, CN=c".parse::<Name>().unwrap();
        let names = [
            GeneralName::Dns(b"istiod.istio-system.svc".to_vec()),
            GeneralName::Uri(b"spiffe://td".to_vec()),
        ];
        let csr = Csr::create(&subject, &names, Role::Ca { path_len: Some(0) }, &key).unwrap();
        assert_eq!(csr.subject().as_der(), subject.as_der());
        assert_eq!(csr.public_key(), key.public_key());
        assert_eq!(csr.subject_alt_names(), names);
        assert_eq!(csr.raw_extensions().len(), 2);
        assert_eq!(csr.check_signature(), SignatureCheck::Good);
        let mut broken = csr.as_der().to_vec();
        let place = broken.windows(6).position(|w| w == b"spiffe").unwrap();
        broken[place] = b'S';
        assert_eq!(Csr::from_der(&broken).unwrap().check_signature(), SignatureCheck::Bad);
        assert_eq!(
            Csr::from_der(&broken).unwrap().verified_key().unwrap_err().code(),
            "pki/csr-signature"
        );
    }
}

#[test]
fn malformed_requests_name_the_byte() {
    let check = |bytes: &[u8], expect: &str| {
        assert_eq!(Csr::from_der(bytes).unwrap_err().to_string(), expect)
    };
    check(&[], "the CSR is not a SEQUENCE at byte 0");
    check(&[0x30, 0], "certificationRequestInfo is not a SEQUENCE at byte 2");
    check(&[0x30, 2, 0x30, 0], "signatureAlgorithm is not a SEQUENCE at byte 4");
}
