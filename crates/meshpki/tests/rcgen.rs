//! Certificates minted by rcgen with our keys, under our CAs.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::io::Write as _;
use std::process::Command;

use meshpki::verify::{Policy, Purpose, verify_chain};
use meshpki::x509::{Attribute, GeneralName};
use meshpki::{
    CaCerts, Cert, Issuer, KeyType, Name, Oid, Profile, Serial, Signer, SoftKey, Stamp, Time,
    issue, self_signed,
};
use rcgen::{CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, SanType};

const NOW: Time = Time(1_795_244_400);
const ID: &str = "spiffe://cluster.local/ns/default/sa/reviews";

fn stamp() -> Stamp {
    Stamp::made_at(NOW, Serial::generate())
}

/// A cluster's CA of this name and kind.
fn ca(kind: KeyType, subject: Name) -> CaCerts {
    let root_key = SoftKey::generate(KeyType::EcdsaP384).unwrap();
    let profile = Profile::root("O=Mesh, CN=Root".parse().unwrap());
    let root = self_signed(&profile, &root_key, stamp()).unwrap();
    let key = SoftKey::generate(kind).unwrap();
    let issuer = Issuer { cert: &root, signer: &root_key };
    let cert = issue(&Profile::cluster(subject), key.public_key(), issuer, stamp()).unwrap();
    CaCerts::new(cert, key, vec![], vec![root], NOW).unwrap()
}

/// A workload's certificate by rcgen.
fn minted(ca: &CaCerts, key: &SoftKey) -> Cert {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(ID.try_into().unwrap())];
    params.not_before = rcgen::date_time_ymd(2026, 11, 21);
    params.not_after = rcgen::date_time_ymd(2026, 11, 22);
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let minted = params.signed_by(key, &ca.rcgen_issuer().unwrap()).unwrap();
    Cert::try_from(minted.der()).unwrap()
}

#[track_caller]
fn check(ca: &CaCerts, leaf: &Cert) {
    assert_eq!(leaf.issuer().as_der(), ca.ca().subject().as_der(), "byte for byte");
    let id = leaf.extensions().authority_key_id.as_ref().and_then(|id| id.key_id.as_ref());
    assert_eq!(id, ca.ca().extensions().subject_key_id.as_ref());
    let names = leaf.extensions().subject_alt_name.as_deref().unwrap();
    assert_eq!(names, [GeneralName::Uri(ID.as_bytes().to_vec())]);
    for purpose in [Purpose::SslServer, Purpose::SslClient] {
        let policy = Policy::like_openssl(NOW).with_purpose(purpose);
        let verdict = verify_chain(leaf, ca.chain(), ca.roots(), &policy);
        assert!(verdict.is_ok(), "{:?}", verdict.findings);
    }
    openssl(ca, leaf);
}

/// `openssl verify`, where it is installed; in CI it must be.
fn openssl(ca: &CaCerts, leaf: &Cert) {
    if Command::new("openssl").arg("version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "`openssl` is missing");
        let _ = writeln!(std::io::stderr(), "NOT RUN: `openssl verify`: `openssl` is missing");
        return;
    }
    let serial = leaf.serial_hex().replace(':', "");
    let folder =
        std::env::temp_dir().join(format!("meshpki-rcgen-{}-{serial}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let write = |name: &str, certs: &[Cert]| {
        let text: String = certs.iter().map(Cert::to_pem).collect();
        std::fs::write(folder.join(name), text).unwrap();
    };
    write("roots.pem", ca.roots());
    write("chain.pem", ca.chain());
    write("leaf.pem", std::slice::from_ref(leaf));
    let time = NOW.0.to_string();
    let output = Command::new("openssl")
        .current_dir(&folder)
        .args(["verify", "-attime", &time, "-x509_strict", "-purpose", "sslserver"])
        .args(["-no-CApath", "-no-CAstore", "-CAfile", "roots.pem", "-untrusted", "chain.pem"])
        .arg("leaf.pem")
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_key_type() {
    for kind in KeyType::ALL {
        let large = matches!(kind, KeyType::Rsa4096 | KeyType::Rsa8192);
        if large || (cfg!(not(feature = "aws-lc")) && !cfg_kinds().contains(&kind)) {
            continue;
        }
        let ca = ca(kind, "O=Mesh, CN=Mesh CA east".parse().unwrap());
        let key = SoftKey::generate(kind).unwrap();
        let leaf = minted(&ca, &key);
        assert_eq!(leaf.public_key(), key.public_key(), "{kind}");
        check(&ca, &leaf);
    }
}

/// The types that can be generated without `aws-lc`.
fn cfg_kinds() -> [KeyType; 3] {
    [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519]
}

#[test]
fn every_shape_of_name_that_rcgen_writes() {
    let unusual: Oid = "1.2.3.4".parse().unwrap();
    let names = [
        vec![Attribute::new(Oid::COUNTRY, "GB"), Attribute::new(Oid::COMMON_NAME, "Zo\u{eb}")],
        vec![Attribute::with_tag(Oid::COMMON_NAME, 0x0c, *b"plain")],
        vec![Attribute::with_tag(Oid::COMMON_NAME, 0x1e, [0, 0x41])],
        vec![Attribute::with_tag(Oid::ORGANIZATION, 0x14, *b"A")],
        vec![Attribute::new(unusual, "x"), Attribute::new(Oid::ORGANIZATIONAL_UNIT, "y")],
    ];
    for attributes in names {
        let ca = ca(KeyType::EcdsaP256, Name::new(&attributes));
        check(&ca, &minted(&ca, &SoftKey::generate(KeyType::EcdsaP256).unwrap()));
    }
}

#[test]
fn names_that_rcgen_would_change_are_refused() {
    let pair = [Attribute::new(Oid::ORGANIZATION, "a"), Attribute::new(Oid::COMMON_NAME, "b")];
    let twice = [Attribute::new(Oid::COMMON_NAME, "a"), Attribute::new(Oid::COMMON_NAME, "b")];
    for subject in [Name::from_rdns([pair.as_slice()]), Name::new(&twice)] {
        let ca = ca(KeyType::EcdsaP256, subject);
        assert!(matches!(ca.rcgen_issuer(), Err(rcgen::Error::CouldNotParseCertificate)));
    }
}
