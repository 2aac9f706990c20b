//! Issuing, compared with the bare cost of its key generations, signatures and verifications: every new certificate is
//! verified before it is given out.

use meshpki::{
    Cert, Issuer, KeyType, Name, Profile, Serial, Signer, SoftKey, Stamp, Time, issue, self_signed,
};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use tests::ratio::compare;

fn main() {
    let now = Time(1_795_244_400);
    let stamp = |n| Stamp::made_at(now, Serial::from_random([n; 20]));
    let root_profile = Profile::root("O=Example, CN=Mesh Root CA".parse::<Name>().expect("a name"));
    let cluster_profile =
        Profile::cluster("O=Example, CN=Mesh CA east".parse::<Name>().expect("a name"));
    let rng = SystemRandom::new();
    let message = [0u8; 400];
    compare(
        "root + intermediate P-256 / two key generations, signatures and verifications",
        1.3,
        || {
            let root_key = SoftKey::generate(KeyType::EcdsaP256).expect("a key");
            let root = self_signed(&root_profile, &root_key, stamp(1)).expect("a root");
            let key = SoftKey::generate(KeyType::EcdsaP256).expect("a key");
            let issuer = Issuer { cert: &root, signer: &root_key };
            issue(&cluster_profile, key.public_key(), issuer, stamp(2)).expect("an intermediate")
        },
        || {
            for () in [(); 2] {
                let scheme = &ECDSA_P256_SHA256_ASN1_SIGNING;
                let key = EcdsaKeyPair::generate_pkcs8(scheme, &rng).expect("a key");
                let pair =
                    EcdsaKeyPair::from_pkcs8(scheme, key.as_ref(), &rng).expect("the same key");
                let signature = pair.sign(&rng, &message).expect("a signature");
                verify(pair.public_key().as_ref(), &message, signature.as_ref());
            }
        },
    );
    let params = rcgen::CertificateParams::default();
    compare(
        "root + intermediate P-256 / the same with rcgen and ring's verification",
        1.3,
        || {
            let root_key = SoftKey::generate(KeyType::EcdsaP256).expect("a key");
            let root = self_signed(&root_profile, &root_key, stamp(1)).expect("a root");
            let key = SoftKey::generate(KeyType::EcdsaP256).expect("a key");
            let issuer = Issuer { cert: &root, signer: &root_key };
            issue(&cluster_profile, key.public_key(), issuer, stamp(2)).expect("an intermediate")
        },
        || {
            let root_key = rcgen::KeyPair::generate().expect("a key");
            let root = params.self_signed(&root_key).expect("a root");
            let key = rcgen::KeyPair::generate().expect("a key");
            let issuer = rcgen::Issuer::from_params(&params, &root_key);
            let made = params.signed_by(&key, &issuer).expect("an intermediate");
            for cert in [root.der(), made.der()] {
                let cert = Cert::from_der(cert).expect("a certificate");
                verify(root_key.public_key_raw(), cert.tbs(), cert.signature());
            }
        },
    );
}

fn verify(key: &[u8], message: &[u8], signature: &[u8]) {
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
    key.verify(message, signature).expect("a good signature");
}
