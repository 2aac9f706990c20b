//! A root and the CAs of two clusters: the files of the secret `cacerts`, and the proof that each accepts the other.
#![allow(clippy::print_stdout, reason = "it shows what it made")]

use meshpki::cacerts::Layout;
use meshpki::istiod::{Settings, StartOutcome, Version, starts};
use meshpki::verify::{Policy, verify_chain};
use meshpki::{
    CaCerts, Issuer, KeyType, Profile, Serial, Signer, SoftKey, Stamp, Time, TrustDomain, issue,
    self_signed,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now: Time = "2026-11-21T07:00:00Z".parse()?;
    let stamp = || Stamp::made_at(now, Serial::generate());
    let root_key = SoftKey::generate(KeyType::EcdsaP256)?;
    let root = self_signed(&Profile::root("O=Example, CN=Root".parse()?), &root_key, stamp())?;

    let mut clusters = Vec::new();
    for name in ["east", "west"] {
        let key = SoftKey::generate(KeyType::EcdsaP256)?;
        let profile = Profile::cluster(format!("O=Example, CN=Mesh CA {name}").parse()?);
        let issuer = Issuer { cert: &root, signer: &root_key };
        let ca = issue(&profile, key.public_key(), issuer, stamp())?;
        let set = CaCerts::new(ca, key, vec![], vec![root.clone()], now)?;
        let secret = set.files(Layout::Istio).into_iter().map(|(file, text)| (file, text.to_vec()));
        let outcome = starts(&secret.collect(), &Settings::defaults(Version::NEWEST), now);
        println!("{name}: {} {outcome}", Version::NEWEST);
        assert!(matches!(outcome, StartOutcome::Plugged { .. }));
        clusters.push(set);
    }

    let domain: TrustDomain = "cluster.local".parse()?;
    let id = domain.workload("default", "reviews")?;
    for (caller, called) in [(0, 1), (1, 0)] {
        let key = SoftKey::generate(KeyType::EcdsaP256)?;
        let (ca, other) = (&clusters[caller], &clusters[called]);
        let issuer = Issuer { cert: ca.ca(), signer: ca.signer() };
        let leaf = issue(&Profile::workload(&id), key.public_key(), issuer, stamp())?;
        let verdict = verify_chain(&leaf, ca.chain(), other.roots(), &Policy::like_openssl(now));
        println!("{id} of {}: {}", ca.ca().label(), verdict.is_ok());
        assert!(verdict.is_ok());
    }
    Ok(())
}
