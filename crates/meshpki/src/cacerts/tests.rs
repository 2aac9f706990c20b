use alloc::vec;

use super::*;
use crate::issue::{Issuer, Serial, Stamp, issue, self_signed};
use crate::istiod::{Settings, StartOutcome, starts};
use crate::profile::Role;
use crate::soft::KeyType;
use crate::time::DAY;
use crate::{KeyAlgorithm, Name, Profile};

const NOW: Time = Time(1_795_244_400);

fn stamp() -> Stamp {
    let mut random = [0; 20];
    crate::soft::fill_random(&mut random);
    Stamp::made_at(NOW, Serial::from_random(random))
}

fn key() -> SoftKey {
    SoftKey::generate(KeyType::EcdsaP256).unwrap()
}

fn same(key: &SoftKey) -> SoftKey {
    SoftKey::from_pem(key.to_pem().as_bytes(), None).unwrap()
}

struct Root {
    cert: Cert,
    key: SoftKey,
}

fn root(name: &str) -> Root {
    let key = key();
    Root {
        cert: self_signed(&Profile::root(name.parse::<Name>().unwrap()), &key, stamp()).unwrap(),
        key,
    }
}

fn cluster(root: &Root, change: impl FnOnce(&mut Profile)) -> (Cert, SoftKey) {
    let key = key();
    let mut profile = Profile::cluster("CN=east".parse::<Name>().unwrap());
    change(&mut profile);
    let issuer = Issuer { cert: &root.cert, signer: &root.key };
    (issue(&profile, key.public_key(), issuer, stamp()).unwrap(), key)
}

fn code(result: Result<CaCerts, Error>) -> &'static str {
    result.err().map_or("fine", |error| error.code())
}

#[test]
fn both_layouts_hold_the_same_set() {
    let root = root("CN=root");
    let (ca, key) = cluster(&root, |_| {});
    let set = CaCerts::new(ca, key, vec![], vec![root.cert], NOW).unwrap();
    for layout in [Layout::Istio, Layout::Tls] {
        let files = set.files(layout);
        assert_eq!(files.keys().copied().collect::<Vec<_>>(), layout.files());
        let secret = files.into_iter().map(|(name, content)| (name, content.to_vec())).collect();
        let again = CaCerts::from_secret(&secret, Version::NEWEST, NOW).unwrap();
        assert_eq!(again.ca(), set.ca());
        assert_eq!(again.chain(), set.chain());
        assert_eq!(again.roots(), set.roots());
        assert_eq!(again.signer().public_key().algorithm(), &KeyAlgorithm::EcdsaP256);
    }
}

#[test]
fn a_set_that_does_not_agree_cannot_be_made() {
    let mesh = root("CN=root");
    let check = |expect: &str, change: fn(&mut Profile)| {
        let (ca, key) = cluster(&mesh, change);
        assert_eq!(code(CaCerts::new(ca, key, vec![], vec![mesh.cert.clone()], NOW)), expect);
    };
    check("fine", |_| {});
    check("pki/not-ca", |p| p.role = Role::EndEntity);
    check("pki/not-ca", |p| p.key_usage = KeyUsage::CRL_SIGN);
    check("pki/ext-key-usage", |p| p.ext_key_usage = vec![Oid::CLIENT_AUTH]);
    check("fine", |p| p.ext_key_usage = vec![Oid::CLIENT_AUTH, Oid::SERVER_AUTH]);
    check("fine", |p| p.ext_key_usage = vec![Oid::ANY_EXT_KEY_USAGE]);

    let (ca, own) = cluster(&mesh, |_| {});
    let with = |key: SoftKey, above: Vec<Cert>, roots: Vec<Cert>, at: Time| {
        code(CaCerts::new(ca.clone(), key, above, roots, at))
    };
    let roots = || vec![mesh.cert.clone()];
    assert_eq!(with(key(), vec![], roots(), NOW), "pki/key-mismatch");
    assert_eq!(with(same(&mesh.key), vec![], roots(), NOW), "pki/root-key");
    assert_eq!(with(same(&own), vec![], vec![], NOW), "pki/no-certificate");
    let stranger = root("CN=root");
    assert_eq!(with(same(&own), vec![], vec![stranger.cert.clone()], NOW), "pki/chain-order");
    assert_eq!(with(same(&own), vec![stranger.cert.clone()], roots(), NOW), "pki/chain-order");
    assert_eq!(
        with(same(&own), vec![mesh.cert.clone()], vec![stranger.cert], NOW),
        "pki/untrusted"
    );
    assert_eq!(with(same(&own), vec![], roots(), NOW.plus(366 * DAY)), "pki/untrusted");
}

#[test]
fn the_release_chooses_between_two_layouts() {
    let (old, new) = (root("CN=old"), root("CN=new"));
    let set = |root: &Root, name: &str| {
        let (ca, key) = cluster(root, |profile| profile.subject = name.parse::<Name>().unwrap());
        CaCerts::new(ca, key, vec![], vec![root.cert.clone()], NOW).unwrap()
    };
    let mut files = set(&old, "CN=east").files(Layout::Istio);
    files.extend(set(&new, "CN=west").files(Layout::Tls));
    let both: Secret = files.into_iter().map(|(name, content)| (name, content.to_vec())).collect();
    let check = |version: &str, layout: Layout, ca: &str, chain: &[&str], roots: &[&str]| {
        let release = version.parse::<Version>().unwrap();
        let labels = |certs: Vec<Cert>| -> Vec<String> {
            certs.iter().map(|cert| cert.subject().label()).collect()
        };
        assert_eq!(both.layout(release), layout, "{version}");
        assert_eq!(labels(both.ca(release).into_iter().collect()), [ca], "{version}");
        assert_eq!(labels(both.chain(release)), chain, "{version}");
        assert_eq!(labels(both.roots(release)), roots, "{version}");
        // What istiod itself signs with, by the rules of its start.
        let start = starts(&both, &Settings::defaults(release), NOW);
        assert_eq!(start, StartOutcome::Plugged { ca: both.ca(release).unwrap() }, "{version}");
        let whole = CaCerts::from_secret(&both, release, NOW).unwrap();
        assert_eq!(Some(whole.ca()), both.ca(release).as_ref(), "{version}");
    };
    for version in ["1.6.4", "1.14.1"] {
        check(version, Layout::Istio, "east", &["east", "old"], &["old"]);
    }
    // The chain of this layout is both files, as istiod joins them.
    for version in ["1.14.2", "1.30.3"] {
        check(version, Layout::Tls, "west", &["west", "new"], &["new"]);
    }
}

#[test]
fn no_key_is_in_a_fingerprint() {
    let secret = |key: &str, roots: &str| -> Secret {
        [("ca-key.pem", key), ("root-key.pem", key), ("root-cert.pem", roots)].into_iter().collect()
    };
    assert_eq!(secret("a", "x").fingerprint(), secret("b", "x").fingerprint());
    assert_ne!(secret("a", "x").fingerprint(), secret("a", "y").fingerprint());
    assert!(secret("a", "x") != secret("b", "x"), "equality counts every byte");
    let keys = ["ca-key.pem", "tls.key", "key.pem", "root-key.pem"];
    assert!(keys.iter().all(|name| Secret::is_key(name)));
    assert!(
        Secret::FILES.iter().filter(|name| !keys.contains(name)).all(|name| !Secret::is_key(name))
    );
}

type Files = BTreeMap<String, Vec<u8>>;

#[test]
fn files_that_are_missing_or_mixed_up_are_named() {
    let mesh = root("CN=root");
    let (ca, key) = cluster(&mesh, |_| {});
    let set = CaCerts::new(ca, key, vec![], vec![mesh.cert.clone()], NOW).unwrap();
    let good: Files = set
        .files(Layout::Istio)
        .into_iter()
        .map(|(name, content)| (name.to_string(), content.to_vec()))
        .collect();
    let check = |expect: &str, change: &dyn Fn(&mut Files)| {
        let mut files = good.clone();
        change(&mut files);
        let secret = files.into_iter().collect();
        let refused = CaCerts::from_secret(&secret, Version::NEWEST, NOW).err().unwrap();
        assert_eq!(refused.to_string(), expect);
    };
    for name in Layout::Istio.files() {
        check(&alloc::format!("`{name}` is missing"), &|files| drop(files.remove(*name)));
        check(&alloc::format!("`{name}` is missing"), &|files| {
            drop(files.insert((*name).into(), vec![]))
        });
    }
    check("`tls.key` is missing", &|files| {
        files.insert("tls.crt".into(), b"x".to_vec());
        files.insert("ca.crt".into(), b"x".to_vec());
    });
    check(
        "the chain is out of order: certificate 1 is `root`, expected the CA certificate `east` itself",
        &|files| {
            let root = files["root-cert.pem"].clone();
            files.insert("cert-chain.pem".into(), root);
        },
    );
    check("cert-chain.pem is not valid PEM", &|files| {
        let glued = [files["ca-cert.pem"].trim_ascii_end(), &files["root-cert.pem"]].concat();
        files.insert("cert-chain.pem".into(), glued);
    });
    check("no certificate in root-cert.pem", &|files| {
        drop(files.insert("root-cert.pem".into(), b"none".to_vec()))
    });
    check("the private key cannot be read: no private key was found", &|files| {
        files.insert("ca-key.pem".into(), b"none".to_vec());
    });
}
