use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::issue::{Serial, self_signed};
use crate::istiod::{Dataplane, Version};
use crate::soft::{KeyType, SoftKey};
use crate::verify::{Policy, go, verify_chain};

const NOW: Time = Time(1_800_000_000);

/// A CA with its key.
struct Authority {
    cert: Cert,
    key: SoftKey,
}

impl Authority {
    fn root(name: &str, change: impl FnOnce(&mut Profile)) -> Self {
        let mut profile = Profile::root(name.parse().unwrap());
        change(&mut profile);
        let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
        Self { cert: self_signed(&profile, &key, stamp()).unwrap(), key }
    }

    fn below(&self, profile: &Profile) -> Self {
        let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
        let cert = issue(profile, crate::Signer::public_key(&key), self.issuer(), stamp()).unwrap();
        Self { cert, key }
    }

    fn issuer(&self) -> Issuer<'_> {
        Issuer { cert: &self.cert, signer: &self.key }
    }

    fn workload(&self, domain: &str) -> Cert {
        let id = domain.parse::<TrustDomain>().unwrap().workload("shop", "web").unwrap();
        self.below(&Profile::workload(&id)).cert
    }
}

fn stamp() -> Stamp {
    Stamp::made_at(NOW, Serial::from_random([7; 20]))
}

/// Both sides of a bridge, and a workload of the other mesh that claims a trust domain: whether OpenSSL, Go, and Envoy
/// and ztunnel accept it under our root, and under its own.
#[test]
fn what_verifiers_say() {
    let scoped = || Bridge::new().with_scope("west.example".parse().ok());
    check("a bridge", Bridge::new(), "west.example", [true; 4]);
    check("an identity of ours", Bridge::new(), "east.example", [true; 4]);
    // OpenSSL, Go, Envoy, and with ztunnel.
    check("one trust domain", scoped(), "west.example", [true, true, true, false]);
    check("an identity of ours under it", scoped(), "east.example", [false; 4]);
    // Of all, Go alone takes a host below the permitted one.
    check("a name below it", scoped(), "a.west.example", [false, true, false, false]);

    #[track_caller]
    fn check(what: &str, bridge: Bridge, domain: &str, mut expect: [bool; 4]) {
        if !cfg!(feature = "webpki") {
            expect[3] = expect[2];
        }
        let ours = Authority::root("CN=East Root", |_| {});
        // Its key identifier is not the hash of its key, as those of other tools.
        let theirs =
            Authority::root("CN=West Root", |root| root.subject_key_id = Some([9; 8].into()));
        let cross = bridge.for_root(&theirs.cert, ours.issuer(), stamp()).unwrap();
        let cluster = theirs.below(&Profile::cluster("CN=West".parse().unwrap()));
        let leaf = cluster.workload(domain);
        let sent = [cluster.cert, cross];
        assert_eq!(answers(&leaf, &sent, &ours.cert), expect, "{what}");
        assert_eq!(answers(&leaf, &sent, &theirs.cert), [true; 4], "{what}, at home");
        let with_root = [sent[0].clone(), sent[1].clone(), theirs.cert.clone()];
        assert_eq!(answers(&leaf, &with_root, &ours.cert), expect, "{what}, before the root");
        assert_eq!(answers(&leaf, &with_root, &theirs.cert), [true; 4], "{what}, at home");
        assert_eq!(answers(&leaf, &sent[..1], &ours.cert), [false; 4], "{what}, not sent");
    }
}

/// OpenSSL, Go, Envoy, and Envoy with ztunnel.
fn answers(leaf: &Cert, sent: &[Cert], root: &Cert) -> [bool; 4] {
    let newest = of_release(leaf, sent, root, Version::NEWEST);
    for minor in 24..31 {
        let version = Version::new(1, minor, 0);
        assert_eq!(of_release(leaf, sent, root, version), newest, "{version}");
    }
    newest
}

fn of_release(leaf: &Cert, sent: &[Cert], root: &Cert, version: Version) -> [bool; 4] {
    let roots = core::slice::from_ref(root);
    let pools = go::Pools::new(roots, sent);
    let read = go::Certificate::try_from(leaf).unwrap();
    let [envoy, both] = [false, true].map(|ambient| Dataplane::new(roots, None, version, ambient));
    [
        verify_chain(leaf, sent, roots, &Policy::like_openssl(NOW)).is_ok(),
        go::verify(&read, &pools, &go::Options::at(NOW)).is_ok(),
        envoy.refuses(leaf, sent, NOW).is_none(),
        both.refuses(leaf, sent, NOW).is_none(),
    ]
}

/// A bridge that has expired and is still sent: nothing at home, and no call, is harmed by it but those it was for.
#[test]
fn expired() {
    let (ours, theirs) = (Authority::root("CN=A", |_| {}), Authority::root("CN=B", |_| {}));
    let short = Bridge::new().with_validity(Duration::from_secs(30));
    let early = Stamp { not_before: ours.cert.not_before().time().unwrap(), ..stamp() };
    let cross = short.for_root(&theirs.cert, ours.issuer(), early).unwrap();
    assert!(cross.not_after().time().unwrap() < NOW);
    let cluster = theirs.below(&Profile::cluster("CN=West".parse().unwrap()));
    let leaf = cluster.workload("west.example");
    for sent in [
        Vec::from([cluster.cert.clone(), cross.clone()]),
        Vec::from([cluster.cert.clone(), cross.clone(), theirs.cert.clone()]),
    ] {
        assert_eq!(answers(&leaf, &sent, &ours.cert), [false; 4]);
        assert_eq!(answers(&leaf, &sent, &theirs.cert), [true; 4]);
    }
}

/// The path length and the dates of a bridge: of both roots, the narrower.
#[test]
fn limits_of_both() {
    check(None, None, Bridge::new(), Ok((Some(1), 90)));
    check(None, None, Bridge::new().with_path_len(None), Ok((None, 90)));
    check(Some(3), None, Bridge::new().with_path_len(None), Ok((Some(2), 90)));
    check(Some(2), Some(4), Bridge::new().with_path_len(None), Ok((Some(1), 90)));
    check(None, Some(1), Bridge::new().with_path_len(Some(5)), Ok((Some(1), 90)));
    check(Some(1), None, Bridge::new(), Err("pki/path-length-exceeded"));
    check(None, Some(0), Bridge::new(), Err("pki/not-root"));
    let years = Bridge::new().with_validity(Duration::from_secs(20 * 365 * 86_400));
    check(None, None, years, Ok((Some(1), 100)));

    #[track_caller]
    fn check(
        ours: Option<u32>,
        theirs: Option<u32>,
        bridge: Bridge,
        expect: Result<(Option<i64>, u64), &str>,
    ) {
        let a = Authority::root("CN=A", |root| root.role = Role::Ca { path_len: ours });
        let b = Authority::root("CN=B", |root| {
            root.role = Role::Ca { path_len: theirs };
            root.validity = Duration::from_secs(100 * 86_400);
        });
        let found = bridge.for_root(&b.cert, a.issuer(), stamp()).map(|cross| {
            let end = cross.not_after().time().unwrap();
            assert!(end <= b.cert.not_after().time().unwrap());
            let days = end.since(stamp().not_before).as_secs() / 86_400;
            (cross.extensions().basic_constraints.unwrap().path_len, days)
        });
        assert_eq!(found.map_err(|error| error.code()), expect);
    }
}

/// Certificates that cannot be bridged.
#[test]
fn refused() {
    let a = Authority::root("CN=A", |_| {});
    let check = |other: &Cert, expect: &str| {
        let found = Bridge::new().for_root(other, a.issuer(), stamp());
        assert_eq!(found.unwrap_err().to_string(), expect);
    };
    let b = Authority::root("CN=B", |_| {});
    let intermediate = b.below(&Profile::cluster("CN=East".parse().unwrap())).cert;
    check(&intermediate, "`East` is not a root with CAs below it: it was issued by `B`");
    check(
        &b.workload("east.example"),
        "`(empty name)` is not a root with CAs below it: basicConstraints does not say CA:TRUE",
    );
    let old = Authority::root("CN=Old", |root| root.validity = Duration::from_secs(60)).cert;
    let later = Stamp { not_before: NOW, ..stamp() };
    let ended = Bridge::new().for_root(&old, a.issuer(), later).unwrap_err();
    assert_eq!(ended.code(), "pki/not-root");
    let same_name = Authority::root("CN=A", |_| {}).cert;
    let found = Bridge::new().for_root(&same_name, a.issuer(), stamp()).unwrap_err();
    assert_eq!(found.code(), "pki/subject-is-issuer");
    assert_eq!(
        Bridge::new().for_root(&a.cert, a.issuer(), stamp()).unwrap_err().code(),
        "pki/key-reused"
    );
}

/// A request carries name and key; our root alone sets the limits.
#[test]
fn by_request() {
    let (ours, theirs) = (Authority::root("CN=A", |_| {}), Authority::root("CN=B", |_| {}));
    let csr =
        Csr::create(theirs.cert.subject(), &[], Role::Ca { path_len: None }, &theirs.key).unwrap();
    let cross = Bridge::new().for_request(&csr, ours.issuer(), stamp()).unwrap();
    let cluster = theirs.below(&Profile::cluster("CN=West".parse().unwrap()));
    let leaf = cluster.workload("west.example");
    assert_eq!(answers(&leaf, &[cluster.cert, cross], &ours.cert), [true; 4]);
}
