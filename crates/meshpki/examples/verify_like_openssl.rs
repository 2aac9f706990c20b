//! What `openssl verify` prints for a certificate that has expired, and why.
#![allow(clippy::print_stdout, reason = "it shows the verdict")]

use std::time::Duration;

use meshpki::verify::{Anchor, Inputs, Policy, verify};
use meshpki::{Issuer, KeyType, Profile, Serial, Signer, SoftKey, Stamp, Time, issue, self_signed};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now: Time = "2026-11-21T07:00:00Z".parse()?;
    let stamp = || Stamp::made_at(now, Serial::generate());
    let root_key = SoftKey::generate(KeyType::EcdsaP256)?;
    let root = self_signed(&Profile::root("CN=Root".parse()?), &root_key, stamp())?;
    let key = SoftKey::generate(KeyType::Ed25519)?;
    let profile = Profile::end_entity("CN=server".parse()?);
    let issuer = Issuer { cert: &root, signer: &root_key };
    let leaf = issue(&profile, key.public_key(), issuer, stamp())?;

    let trusted = [Anchor::from(root)];
    let inputs = Inputs::new(&leaf, &[], &trusted);
    let policy = Policy::like_openssl(now);
    assert!(verify(&inputs, &policy).is_ok());

    let policy = Policy::like_openssl(now + Duration::from_secs(30 * 86_400));
    let verdict = verify(&inputs, &policy);
    let (out, err) = verdict.openssl_text("server.pem", false);
    print!("{out}{err}");
    for finding in &verdict.findings {
        print!("{}", verdict.explain(finding, &inputs, &policy));
    }
    assert_eq!(
        err,
        "CN=server\nerror 10 at 0 depth lookup: certificate has expired\nerror server.pem: verification failed\n"
    );
    Ok(())
}
