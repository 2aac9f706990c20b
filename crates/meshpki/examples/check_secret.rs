//! What is wrong with a secret `cacerts` whose `root-cert.pem` is that of another mesh.
#![allow(clippy::print_stdout, reason = "it shows the problems")]

use meshpki::cacerts::{Layout, Secret};
use meshpki::istiod::{ClusterSecret, Settings, Severity, Version, check};
use meshpki::{
    CaCerts, Cert, Error, Issuer, KeyType, Profile, Serial, Signer, SoftKey, Stamp, Time, issue,
    self_signed,
};

fn mesh(now: Time) -> Result<(Cert, CaCerts), Error> {
    let stamp = || Stamp::made_at(now, Serial::generate());
    let root_key = SoftKey::generate(KeyType::EcdsaP256)?;
    let root = self_signed(&Profile::root("CN=Root".parse()?), &root_key, stamp())?;
    let key = SoftKey::generate(KeyType::EcdsaP256)?;
    let issuer = Issuer { cert: &root, signer: &root_key };
    let profile = Profile::cluster("CN=Mesh CA east".parse()?);
    let ca = issue(&profile, key.public_key(), issuer, stamp())?;
    Ok((root.clone(), CaCerts::new(ca, key, vec![], vec![root], now)?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now: Time = "2026-11-21T07:00:00Z".parse()?;
    let ((_, set), (other_root, _)) = (mesh(now)?, mesh(now)?);
    let files = set.files(Layout::Istio).into_iter();
    let mut secret: Secret = files.map(|(name, text)| (name, text.to_vec())).collect();
    let settings = Settings::defaults(Version::NEWEST);
    assert!(check(&[ClusterSecret::new("east", &secret)], &settings, now).is_empty());

    secret.insert("root-cert.pem", other_root.to_pem().into_bytes());
    let problems = check(&[ClusterSecret::new("east", &secret)], &settings, now);
    for problem in &problems {
        println!("{} {}: {}", problem.severity, problem.code, problem.message);
        println!("  effect: {}\n  fix: {}", problem.effect, problem.fix);
    }
    assert!(problems.iter().any(|problem| problem.severity == Severity::Error));
    Ok(())
}
