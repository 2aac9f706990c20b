use meshpki::{Crl, Csr, KeyType, Name, Role, Signer, SoftKey};

use super::{Signed, document};

#[test]
fn what_a_signature_completes() {
    let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
    let of = |message: &[u8], signature: &[u8]| {
        let (key, algorithm) = (key.public_key(), String::new());
        document(&Signed { signer: "", key, algorithm, message, signature })
    };
    let pem = include_bytes!("../../../../../../fixtures/verify/revocation/entry.crl");
    let blocks = meshpki::internals::pem::decode(pem);
    let crl = Crl::from_der(&blocks[0].as_ref().unwrap().der).unwrap();
    let found = of(crl.tbs(), crl.signature());
    assert_eq!(found["document"], "crl");
    assert_eq!(found["issuer"], crl.issuer().to_string());
    assert_eq!(found["subject"], serde_json::Value::Null);
    let role = Role::Ca { path_len: Some(1) };
    let csr = Csr::create(&"CN=issuing".parse::<Name>().unwrap(), &[], role, &key).unwrap();
    let (info, signature) = (csr.tbs(), csr.signature());
    let found = of(info, signature);
    assert_eq!((&found["document"], &found["subject"]), (&"csr".into(), &"CN = issuing".into()));
    assert_eq!(of(b"something else", b"")["document"], "other");
}
