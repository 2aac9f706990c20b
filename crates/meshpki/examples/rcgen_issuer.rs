//! rcgen mints a workload's certificate under a cluster's CA.
#![allow(clippy::print_stdout, reason = "it shows the certificate")]

use meshpki::verify::{Policy, Purpose, verify_chain};
use meshpki::{
    CaCerts, Cert, Issuer, KeyType, Profile, Serial, Signer, SoftKey, Stamp, Time, issue,
    self_signed,
};
use rcgen::{CertificateParams, DistinguishedName, SanType};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now: Time = "2026-11-21T07:00:00Z".parse()?;
    let stamp = || Stamp::made_at(now, Serial::generate());
    let root_key = SoftKey::generate(KeyType::EcdsaP256)?;
    let root = self_signed(&Profile::root("CN=Root".parse()?), &root_key, stamp())?;
    let key = SoftKey::generate(KeyType::EcdsaP256)?;
    let issuer = Issuer { cert: &root, signer: &root_key };
    let ca = issue(&Profile::cluster("CN=east".parse()?), key.public_key(), issuer, stamp())?;
    let set = CaCerts::new(ca, key, vec![], vec![root], now)?;

    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let id = "spiffe://cluster.local/ns/default/sa/reviews";
    params.subject_alt_names = vec![SanType::URI(id.try_into()?)];
    params.not_before = rcgen::date_time_ymd(2026, 11, 21);
    params.not_after = rcgen::date_time_ymd(2026, 11, 22);
    params.use_authority_key_identifier_extension = true;
    let workload_key = SoftKey::generate(KeyType::EcdsaP256)?;
    let leaf = params.signed_by(&workload_key, &set.rcgen_issuer()?)?;

    let leaf = Cert::from_der(leaf.der())?;
    let policy = Policy::like_openssl(now).with_purpose(Purpose::SslServer);
    let verdict = verify_chain(&leaf, set.chain(), set.roots(), &policy);
    println!("{}by {}: {}", leaf.to_pem(), leaf.issuer(), verdict.is_ok());
    assert!(verdict.is_ok());
    Ok(())
}
