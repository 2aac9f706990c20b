use meshpki::internals::fill_random;
use meshpki::{Issuer, KeyType, Name, Profile, Serial, Signer, SoftKey, Stamp, Time};

use super::*;

/// A root that makes the files of clusters.
struct Root {
    cert: Cert,
    key: SoftKey,
}

fn stamp() -> Stamp {
    let mut random = [0; 20];
    fill_random(&mut random);
    Stamp::made_at(Time(1_795_244_400), Serial::from_random(random))
}

fn key() -> SoftKey {
    SoftKey::generate(KeyType::EcdsaP256).unwrap()
}

impl Root {
    fn new(name: &str) -> Self {
        let key = key();
        let profile = Profile::root(name.parse::<Name>().unwrap());
        Self { cert: meshpki::self_signed(&profile, &key, stamp()).unwrap(), key }
    }

    /// A CA by its name, under this root.
    fn secret(&self, name: &str) -> Secret {
        let issuer = Issuer { cert: &self.cert, signer: &self.key };
        let profile = Profile::cluster(name.parse::<Name>().unwrap());
        let cert = meshpki::issue(&profile, key().public_key(), issuer, stamp()).unwrap();
        [
            ("ca-cert.pem", cert.to_pem()),
            ("cert-chain.pem", cert.to_pem()),
            ("root-cert.pem", self.cert.to_pem()),
        ]
        .into_iter()
        .collect()
    }
}

fn site<'a>(name: &'a str, wanted: Option<&'a Secret>, live: Option<&'a Secret>) -> Site<'a> {
    Site { name, release: Version::NEWEST, wanted, live, says: Vec::new() }
}

/// Judges every site with folders as the source, `others` next to those of the sites.
#[track_caller]
fn check(sites: &[Site<'_>], others: &[(&str, &Secret)], expect: &[Option<Misplaced>]) {
    let others: BTreeMap<String, Secret> =
        others.iter().map(|(name, secret)| ((*name).to_owned(), (*secret).clone())).collect();
    let source = Source::Folders { others: &others };
    let found: Vec<_> = (0..sites.len()).map(|at| judge(sites, at, source)).collect();
    assert_eq!(found, expect);
}

fn is_of(name: &str) -> Option<Misplaced> {
    Some(Misplaced::LiveIsOf(name.to_owned()))
}

fn elsewhere(name: &str) -> Option<Misplaced> {
    Some(Misplaced::LiveElsewhere(name.to_owned()))
}

#[test]
fn contexts_that_are_swapped() {
    let root = Root::new("CN=root");
    let [east, west] = ["CN=Mesh CA east", "CN=Mesh CA west"].map(|name| root.secret(name));
    let [new_east, new_west] = ["CN=Mesh CA east", "CN=Mesh CA west"].map(|name| root.secret(name));
    let (e, w) = (Some(&east), Some(&west));
    let as_it_should = [site("east", Some(&new_east), e), site("west", Some(&new_west), w)];
    check(&as_it_should, &[], &[None, None]);
    // What is live is what the folders have, and after both were renewed.
    check(&[site("east", e, w), site("west", w, e)], &[], &[elsewhere("west"), elsewhere("east")]);
    let renewed = [site("east", Some(&new_east), w), site("west", Some(&new_west), e)];
    let named = |live: &Secret, wanted: &Secret| {
        let label = |secret: &Secret| secret.ca(Version::NEWEST).unwrap().label();
        Some(Misplaced::Named { live: label(live), wanted: label(wanted) })
    };
    check(&renewed, &[], &[named(&west, &new_east), named(&east, &new_west)]);
    // One cluster alone, with the folder of the other next to it, or without any other.
    check(&[site("east", e, w)], &[("west", &west)], &[is_of("west")]);
    check(&[site("east", Some(&new_east), w)], &[("west", &new_west)], &[named(&west, &new_east)]);
    check(&[site("east", Some(&new_east), w)], &[], &[named(&west, &new_east)]);
    // A new root, which another check asks about: the other's name still belongs to the other.
    let next = Root::new("CN=next root");
    let [next_east, next_west] = ["CN=Mesh CA east", "CN=Mesh CA west"].map(|n| next.secret(n));
    check(&[site("east", Some(&next_east), e)], &[("west", &next_west)], &[None]);
    check(
        &[site("east", Some(&next_east), w)],
        &[("west", &next_west)],
        &[named(&west, &next_east)],
    );
    check(&[site("east", Some(&next_east), w)], &[], &[None]);
}

#[test]
fn nothing_live_yet() {
    let root = Root::new("CN=root");
    let [east, west] = ["CN=Mesh CA east", "CN=Mesh CA west"].map(|name| root.secret(name));
    check(&[site("east", Some(&east), None), site("west", Some(&west), None)], &[], &[None, None]);
    // istiod knows where it is.
    let says = |says| Site { says: vec![says], ..site("east", Some(&east), None) };
    check(&[says("east")], &[("west", &west)], &[None]);
    check(&[says("prod-1")], &[("west", &west)], &[None]);
    let misplaced = Some(Misplaced::Says("west".to_owned()));
    check(&[says("west")], &[("west", &west)], &[misplaced]);
    check(&[says("west")], &[], &[None]);
    // One folder under two names.
    let shared = |name: &str| Some(Misplaced::Shared(name.to_owned()));
    check(
        &[site("east", Some(&east), None), site("west", Some(&east), None)],
        &[],
        &[shared("west"), shared("east")],
    );
}

#[test]
fn what_is_as_wanted_is_left_alone() {
    let root = Root::new("CN=root");
    let [east, other] = ["CN=Mesh CA east", "CN=hand made"].map(|name| root.secret(name));
    // Two clusters with one CA, given on purpose.
    let both = [site("east", Some(&east), Some(&east)), site("west", Some(&east), Some(&east))];
    check(&both, &[], &[None, None]);
    // A CA from elsewhere, under a root of its own.
    let foreign = Root::new("CN=theirs").secret("CN=Istio CA");
    check(&[site("east", Some(&east), Some(&foreign))], &[("west", &other)], &[None]);
}

#[test]
fn clusters_without_a_folder() {
    let root = Root::new("CN=root");
    let [west, new_west] = ["CN=Mesh CA west", "CN=Mesh CA west"].map(|name| root.secret(name));
    let east = root.secret("CN=Mesh CA east");
    check(&[site("east", None, Some(&east))], &[("west", &west)], &[None]);
    check(&[site("east", None, Some(&west))], &[("west", &west)], &[is_of("west")]);
    check(&[site("east", None, Some(&west))], &[("west", &new_west)], &[is_of("west")]);
}

#[test]
fn the_way_back() {
    let root = Root::new("CN=root");
    let [east, west] = ["CN=Mesh CA east", "CN=Mesh CA west"].map(|name| root.secret(name));
    let old_east = root.secret("CN=Mesh CA east");
    let judged = |sites: &[Site<'_>]| -> Vec<Option<Misplaced>> {
        (0..sites.len()).map(|at| judge(sites, at, Source::Kept)).collect()
    };
    assert_eq!(judged(&[site("east", Some(&old_east), Some(&east))]), [None]);
    // What is kept is another cluster's.
    assert!(matches!(
        judged(&[site("east", Some(&west), Some(&east))])[..],
        [Some(Misplaced::Named { .. })]
    ));
    let stays = [site("east", Some(&west), Some(&east)), site("west", None, Some(&west))];
    assert_eq!(judged(&stays)[0], elsewhere("west"));
}

#[test]
fn targets_that_are_one() {
    let of = |server: &str, uid: &str| Some(Identity::new(server, None, Some(uid)));
    let check = |identities: &[Option<Identity>], expect: &[(usize, usize)]| {
        let found: Vec<_> = twins(identities).into_iter().map(|(a, b, _)| (a, b)).collect();
        assert_eq!(found, expect);
    };
    check(&[], &[]);
    check(&[of("https://a", "1")], &[]);
    check(&[of("https://a", "1"), of("https://b", "2")], &[]);
    let four =
        [of("https://a", "1"), of("https://b", "2"), of("https://c", "1"), of("https://d", "1")];
    check(&four, &[(0, 2), (0, 3)]);
    // One that does not answer hides nothing.
    check(&[None, of("https://a", "1"), None, of("https://b", "1")], &[(1, 3)]);
}
