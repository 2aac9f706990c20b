//! x509-parser reads the bytes of our certificate, and says the same.
#![allow(clippy::print_stdout, reason = "it shows the subject")]

use meshpki::{KeyType, Profile, Serial, SoftKey, Stamp, Time, self_signed};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now: Time = "2026-11-21T07:00:00Z".parse()?;
    let key = SoftKey::generate(KeyType::EcdsaP256)?;
    let profile = Profile::root("C=GB, O=Example, CN=Root".parse()?);
    let cert = self_signed(&profile, &key, Stamp::made_at(now, Serial::generate()))?;

    let (rest, parsed) = x509_parser::parse_x509_certificate(cert.as_ref())?;
    println!("{} = {}", cert.subject(), parsed.subject());
    assert!(rest.is_empty());
    assert_eq!(parsed.raw_serial(), cert.serial());
    assert_eq!(parsed.subject().as_raw(), cert.subject().as_der());
    assert_eq!(parsed.public_key().raw, cert.public_key().as_der());
    assert_eq!(parsed.is_ca(), cert.is_ca());
    Ok(())
}
