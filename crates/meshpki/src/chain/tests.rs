use alloc::vec;

use super::*;
use crate::der;
use crate::issue::{Issuer, Serial, Stamp, issue, self_signed};
use crate::key::Signer;
use crate::soft::{KeyType, SoftKey};
use crate::{Name, Profile, Time};

struct Ca {
    cert: Cert,
    key: SoftKey,
}

fn stamp() -> Stamp {
    let mut random = [0; 20];
    crate::soft::fill_random(&mut random);
    Stamp::made_at(Time(1_795_244_400), Serial::from_random(random))
}

fn profile(name: &str) -> Profile {
    let mut profile = Profile::root(name.parse::<Name>().unwrap());
    profile.validity = Profile::CLUSTER_VALIDITY;
    profile
}

fn root(name: &str) -> Ca {
    let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
    Ca { cert: self_signed(&profile(name), &key, stamp()).unwrap(), key }
}

fn below(issuer: &Ca, name: &str) -> Ca {
    let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
    Ca { cert: cross(issuer, name, &key), key }
}

fn cross(issuer: &Ca, name: &str, key: &SoftKey) -> Cert {
    let signer = Issuer { cert: &issuer.cert, signer: &issuer.key };
    issue(&profile(name), key.public_key(), signer, stamp()).unwrap()
}

#[test]
fn any_order_gives_the_same_chain() {
    let root = root("CN=root");
    let middle = below(&root, "CN=middle");
    let leaf = below(&middle, "CN=leaf");
    let sorted = vec![leaf.cert, middle.cert, root.cert];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let pile: Vec<Cert> = order.iter().map(|i| sorted[*i].clone()).collect();
        let assembly = assemble(&pile, None).unwrap();
        assert_eq!(assembly.certs(&pile), sorted);
        assert_eq!(
            (assembly.duplicates, assembly.alternatives, assembly.strays),
            (vec![], vec![], vec![])
        );
    }
}

/// The same CA again, with another end.
fn again(issuer: &Ca, ca: &Ca, name: &str, days: u64) -> Cert {
    let mut profile = profile(name);
    profile.validity = core::time::Duration::from_secs(days * 86_400);
    let signer = Issuer { cert: &issuer.cert, signer: &issuer.key };
    issue(&profile, ca.key.public_key(), signer, stamp()).unwrap()
}

/// Twins on two levels, of different ends, in every order: the ones valid longest are taken.
#[test]
fn of_renewed_twins_the_one_valid_longest_is_taken() {
    let root = root("CN=root");
    let upper = below(&root, "CN=upper");
    let lower = below(&upper, "CN=lower");
    let leaf = below(&lower, "CN=leaf");
    let wanted = [
        leaf.cert.clone(),
        again(&upper, &lower, "CN=lower", 200),
        again(&root, &upper, "CN=upper", 300),
        root.cert.clone(),
    ];
    let older = [again(&upper, &lower, "CN=lower", 100), again(&root, &upper, "CN=upper", 50)];
    let all: Vec<Cert> = wanted.iter().chain(&older).cloned().collect();
    for order in permutations(all.len()) {
        let pile: Vec<Cert> = order.iter().map(|i| all[*i].clone()).collect();
        let assembly = assemble(&pile, None).unwrap();
        assert_eq!(assembly.certs(&pile), wanted, "{order:?}");
        assert_eq!(assembly.alternatives.len(), 2, "{order:?}");
    }
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let insert = |shorter: &Vec<usize>, at: usize| {
        let mut longer = shorter.clone();
        longer.insert(at, n - 1);
        longer
    };
    permutations(n - 1)
        .iter()
        .flat_map(|shorter| (0..n).map(move |at| insert(shorter, at)))
        .collect()
}

#[test]
fn duplicates_and_strays_are_named() {
    let mesh = root("CN=root");
    let leaf = below(&mesh, "CN=leaf");
    let other = root("CN=other");
    let pile = vec![other.cert, mesh.cert.clone(), leaf.cert.clone(), mesh.cert, leaf.cert];
    let assembly = assemble(&pile, None).unwrap();
    assert_eq!(assembly.chain, [2, 1]);
    assert_eq!(assembly.duplicates, [(3, 1), (4, 2)]);
    assert_eq!(assembly.strays, [0]);
}

#[test]
fn of_cross_signed_twins_one_is_taken() {
    let (r1, r2) = (root("CN=r1"), root("CN=r2"));
    let by_r1 = below(&r1, "CN=ca");
    let by_r2 = cross(&r2, "CN=ca", &by_r1.key);
    let leaf = below(&by_r1, "CN=leaf");
    let pile = vec![leaf.cert, by_r2, r1.cert, by_r1.cert];
    let assembly = assemble(&pile, None).unwrap();
    // Without R2 in the input the path over R1 is the complete one.
    assert_eq!(assembly.chain, [0, 3, 2]);
    assert_eq!(assembly.alternatives, [1]);
}

#[test]
fn twins_alone_are_one_leaf() {
    let (r1, r2) = (root("CN=r1"), root("CN=r2"));
    let by_r1 = below(&r1, "CN=ca");
    let by_r2 = cross(&r2, "CN=ca", &by_r1.key);
    let pile = vec![by_r2, by_r1.cert, r1.cert];
    let assembly = assemble(&pile, None).unwrap();
    assert_eq!(assembly.chain, [1, 2]);
    assert_eq!(assembly.alternatives, [0]);
}

#[test]
fn a_bridge_is_used_where_it_is_the_way_up() {
    let (r1, r2) = (root("CN=r1"), root("CN=r2"));
    let bridge = cross(&r1, "CN=r2", &r2.key);
    let ca = below(&r2, "CN=ca");
    let pile = vec![r1.cert, bridge, ca.cert];
    assert_eq!(assemble(&pile, None).unwrap().chain, [2, 1, 0]);
}

#[test]
fn same_name_other_key_is_no_issuer() {
    let (old, new) = (root("CN=root"), root("CN=root"));
    let leaf = below(&new, "CN=leaf");
    let pile = vec![old.cert, leaf.cert, new.cert];
    let assembly = assemble(&pile, None).unwrap();
    assert_eq!(assembly.chain, [1, 2]);
    assert_eq!(assembly.strays, [0]);
}

#[test]
fn without_a_clear_leaf_one_must_be_named() {
    let root = root("CN=root");
    let (a, b) = (below(&root, "CN=a"), below(&root, "CN=b"));
    let pile = vec![a.cert.clone(), b.cert, root.cert];
    let error = assemble(&pile, None).unwrap_err();
    assert_eq!(
        alloc::format!("{error}"),
        "2 certificates could be the start of the chain: `a`, `b`"
    );
    assert_eq!(assemble(&pile, Some(&a.cert)).unwrap().chain, [0, 2]);
    assert_eq!(assemble(&[], None).unwrap_err().code(), "pki/no-certificate");
}

/// How many signatures are checked until the certificates are a chain, and the result.
fn counted(pile: &[Cert], leaf: Option<&Cert>) -> (usize, Result<Assembly, Error>) {
    let mut checks = 0;
    let result = assemble_by(pile, leaf, &mut |issuer, cert| {
        checks += 1;
        signed_by(issuer, cert)
    });
    (checks, result)
}

/// A hundred roots of one name, which differ in their keys; a chain below the last.
fn same_named(roots: usize) -> (Vec<Cert>, Ca) {
    let all: Vec<Ca> = (0..roots).map(|_| root("CN=root")).collect();
    let last = all.last().map(|last| below(last, "CN=leaf")).unwrap();
    (all.into_iter().map(|ca| ca.cert).collect(), last)
}

#[test]
fn one_check_for_each_certificate_where_something_tells_them_apart() {
    let (mut pile, leaf) = same_named(100);
    pile.push(leaf.cert.clone());
    let (checks, assembly) = counted(&pile, None);
    assert_eq!(assembly.unwrap().chain, [100, 99]);
    assert_eq!(checks, 101, "one for each certificate");
    let (checks, assembly) = counted(&pile, Some(&leaf.cert));
    assert_eq!(assembly.unwrap().strays.len(), 99);
    assert_eq!(checks, 2, "those on the way up, and no other");
}

/// A chain in which every certificate has one name, by keys that nothing tells apart.
fn one_name_for_all(length: usize) -> Vec<Cert> {
    let mut all = vec![bare(None)];
    for i in 0..length {
        let next = bare(Some(&all[i]));
        all.push(next);
    }
    all.into_iter().map(|ca| ca.cert).collect()
}

/// A certificate of the name all have, without key identifiers.
fn bare(issuer: Option<&Ca>) -> Ca {
    let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
    let signer = issuer.map_or(&key, |issuer| &issuer.key);
    let algorithm = signer.public_key().signing_algorithm().unwrap();
    let name = "CN=same".parse::<Name>().unwrap();
    let dates = [&b"260101000000Z"[..], b"490101000000Z"].map(|d| der::tlv(der::UTC_TIME, d));
    let tbs = der::sequence(&[
        &der::integer(&[1]),
        &algorithm,
        name.as_der(),
        &der::sequence(&[&dates[0], &dates[1]]),
        name.as_der(),
        key.public_key().as_der(),
    ]);
    let signature = signer.sign(&tbs).unwrap();
    let whole = der::sequence(&[&tbs, &algorithm, &der::bit_string(&signature)]);
    Ca { cert: Cert::from_der(&whole).unwrap(), key }
}

#[test]
fn guessing_ends() {
    let pile = one_name_for_all(20);
    let (checks, assembly) = counted(&pile, None);
    assert_eq!(assembly.unwrap().chain.len(), 21);
    assert!(checks <= 21 * 21, "{checks}");
    let pile = one_name_for_all(200);
    let (checks, assembly) = counted(&pile, pile.last());
    assert_eq!(assembly.unwrap_err().code(), "pki/ambiguous-chain");
    assert!(checks <= WRONG_GUESSES + pile.len(), "{checks}");
}
