use alloc::format;
use alloc::string::String;
use alloc::vec;

use super::*;
use crate::{KeyType, Name, Profile, Serial, SoftKey, Stamp, self_signed};

const NOW: Time = Time(1_795_244_400);

fn root(name: &str) -> Cert {
    let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
    let stamp = Stamp::made_at(NOW, Serial::from_random([7; 20]));
    self_signed(&Profile::root(name.parse::<Name>().unwrap()), &key, stamp).unwrap()
}

/// The settings of a cluster, in a line.
fn told(way: &PeerTrust) -> String {
    let list = |domains: &[TrustDomain]| {
        domains.iter().map(TrustDomain::as_str).collect::<Vec<_>>().join(",")
    };
    match way {
        PeerTrust::SameDomain => "nothing".into(),
        PeerTrust::SkipValidation => "no validation".into(),
        PeerTrust::Aliases(domains) => format!("aliases {}", list(domains)),
        PeerTrust::CaCertificates(all) => {
            let one = |authority: &TrustAnchorEntry| {
                format!("{} for {}", authority.root.subject(), list(&authority.trust_domains))
            };
            all.iter().map(one).collect::<Vec<_>>().join("; ")
        }
    }
}

#[test]
fn who_is_told_what() {
    let [a, b] = ["CN=A", "CN=B"].map(root);
    let check = |members: &[(&str, &str, &[Cert])], expect: &[&str]| {
        let domains: Vec<TrustDomain> =
            members.iter().map(|(domain, ..)| domain.parse().unwrap()).collect();
        let members: Vec<Member<'_>> = members
            .iter()
            .zip(&domains)
            .map(|((name, version, roots), trust_domain)| Member {
                name,
                trust_domain,
                version: version.parse::<Version>().unwrap(),
                roots,
            })
            .collect();
        let found = trust_settings(&members);
        assert_eq!(found.iter().map(|one| told(&one.peer_trust)).collect::<Vec<_>>(), expect);
    };
    let (one, other, both) = (&[a.clone()][..], &[b.clone()][..], &[a.clone(), b.clone()][..]);
    // One trust domain.
    check(&[("x", "1.30.3", one), ("x", "1.6.4", one)], &["nothing", "nothing"]);
    // One root: one entry for all other domains.
    check(
        &[("x", "1.30.3", one), ("y", "1.16.4", one), ("z", "1.16.3", one)],
        &["CN = A for y,z", "CN = A for x,z", "aliases x,y"],
    );
    check(&[("x", "1.6.9", one), ("y", "1.7.0", one)], &["no validation", "aliases x"]);
    // Nothing is known of the roots of y.
    check(&[("x", "1.30.3", one), ("y", "1.30.3", &[])], &["aliases y", "CN = A for x"]);
    // Two roots, one of them for two clusters, and one cluster in an overlap.
    check(
        &[("x", "1.30.3", one), ("y", "1.30.3", other), ("y", "1.30.3", both)],
        &["CN = B for y; CN = A for y", "CN = A for x", "CN = A for x"],
    );
}

/// Each pair by its own model: under a bridge, no root of another mesh is an anchor.
#[test]
fn by_model() {
    let [a, b] = ["CN=A", "CN=B"].map(|name| [root(name)]);
    let domains = ["x", "y", "z"].map(|domain| domain.parse::<TrustDomain>().unwrap());
    let member = |i: usize, roots| Member::new("c", &domains[i], Version::NEWEST, roots);
    let members = [member(0, &a), member(1, &b), member(2, &b)];
    let model = |one: usize, other: usize| match (one.min(other), one.max(other)) {
        (0, 1) => Some(TrustModel::ScopedBridge),
        (1, 2) => Some(TrustModel::SharedRoot),
        _ => None,
    };
    let found = trust_settings_by(&members, &model);
    let told: Vec<String> = found.iter().map(|one| told(&one.peer_trust)).collect();
    assert_eq!(told, ["CN = A for y", "CN = B for x,z", "CN = B for y"]);
    let bridged = |i: usize| found[i].bridged.iter().map(TrustDomain::as_str).collect::<Vec<_>>();
    assert_eq!([0, 1, 2].map(bridged), [vec!["y"], vec!["x"], vec![]]);
    let until: Vec<_> = found[1].until.keys().map(TrustDomain::as_str).collect();
    assert_eq!(until, ["z"]);
}

#[test]
fn until_the_last_anchor_ends() {
    let root = root("CN=A");
    let [x, y] = ["x", "y"].map(|domain| domain.parse::<TrustDomain>().unwrap());
    let version = Version::NEWEST;
    let roots = [root.clone()];
    let members = [
        Member { name: "east", trust_domain: &x, version, roots: &roots },
        Member { name: "west", trust_domain: &y, version, roots: &[] },
    ];
    let found = trust_settings(&members);
    assert_eq!(found[0].until, BTreeMap::from([(y, None)]));
    assert_eq!(found[1].until, BTreeMap::from([(x, root.not_after().time())]));
}

#[test]
fn roots_that_vouch() {
    let (mine, other) = (root("CN=Mine"), root("CN=Mine"));
    let roots = vec![other.clone(), mine.clone()];
    assert_eq!(anchors(&mine, &[], &roots, NOW), core::slice::from_ref(&mine));
    assert!(anchors(&mine, &[], &[other], NOW).is_empty());
}
