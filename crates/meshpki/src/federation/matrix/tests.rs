use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::federation::Bridge;
use crate::federation::fixture::{Mesh, NOW};

/// `east<west`: east's sidecars accept west's workloads; `east<<west`: its ztunnel does.
fn accepted(clusters: &[MatrixCluster<'_>]) -> Vec<String> {
    let matrix = TrustMatrix::new(clusters, NOW);
    let good = matrix.cells().iter().filter(|cell| {
        cell.truster != cell.signer && matches!(cell.answer, TrustAnswer::Accepted(_))
    });
    good.map(|cell| {
        let arrow = if cell.verifier == Verifier::Ztunnel { "<<" } else { "<" };
        format!("{}{arrow}{}", clusters[cell.truster].name, clusters[cell.signer].name)
    })
    .collect()
}

/// `east:west.example`: with west's key one is believed by east's sidecars to be anyone in that domain.
fn believed(clusters: &[MatrixCluster<'_>], leaked: usize) -> Vec<String> {
    let found = impersonations(clusters, leaked, NOW).unwrap().into_iter();
    let sidecars = found.filter(|one| one.verifier == Verifier::Envoy);
    sidecars.map(|one| format!("{}:{}", clusters[one.truster].name, one.trust_domain)).collect()
}

/// Each model of federation: which clusters accept each other, and what west's key is worth.
#[test]
fn models() {
    let meshes = || (Mesh::new("east"), Mesh::new("west"));
    let check = |what: &str, (east, west): (Mesh, Mesh), accepts: &[&str], believes: &[&str]| {
        let clusters = [
            east.cluster("east.example", &["west.example"], cfg!(feature = "webpki")),
            west.cluster("west.example", &["east.example"], false),
        ];
        assert_eq!(accepted(&clusters), accepts, "{what}");
        assert_eq!(believed(&clusters, 1), believes, "{what}");
    };
    let at_home = ["west:east.example", "west:west.example"];
    check("nothing", meshes(), &[], &at_home);
    let everywhere =
        ["east:east.example", "west:east.example", "east:west.example", "west:west.example"];
    let (mut east, mut west) = meshes();
    east.also_trusted.push(west.root.clone());
    west.also_trusted.push(east.root.clone());
    let both = ["east<west", "west<east"];
    check("merged roots", (east.written(), west.written()), &both, &everywhere);
    let (east, west) = meshes();
    let west = east.bridged(west, &Bridge::new());
    check("a bridge, one way", (east, west), &["east<west"], &everywhere);
    let (east, west) = meshes();
    let scope = |domain: &str| Bridge::new().with_scope(domain.parse().ok());
    let west = east.bridged(west, &scope("west.example"));
    let east = west.bridged(east, &scope("east.example"));
    let only_itself = ["west:east.example", "east:west.example", "west:west.example"];
    check("scoped bridges", (east, west), &both, &only_itself);
}

/// ztunnel accepts its own trust domain alone, whatever is listed; a scoped bridge it refuses.
#[cfg(feature = "webpki")]
#[test]
fn ambient() {
    let check = |bridge: &Bridge, domain: &str, expect: &[&str]| {
        let (east, west) = (Mesh::new("east"), Mesh::new("west"));
        let west = east.bridged(west, bridge);
        let clusters = [
            east.cluster("east.example", &["west.example"], true),
            west.cluster(domain, &[], false),
        ];
        assert_eq!(accepted(&clusters), expect, "{domain}");
    };
    check(&Bridge::new(), "west.example", &["east<west"]);
    check(&Bridge::new(), "east.example", &["east<west", "east<<west"]);
    let scoped = Bridge::new().with_scope("east.example".parse().ok());
    check(&scoped, "east.example", &["east<west"]);
}

/// What is said of a refusal, and when trust ends.
#[test]
fn reasons() {
    let (east, west) = (Mesh::new("east"), Mesh::new("west"));
    let clusters = [east.cluster("a", &[], false), west.cluster("b", &[], false)];
    let said = |clusters: &[MatrixCluster<'_>], place: usize| match TrustMatrix::new(clusters, NOW)
        .cells()[place]
        .answer
        .clone()
    {
        TrustAnswer::Refused(refusal) => format!("{}; {}", refusal.why, refusal.change),
        TrustAnswer::Accepted(end) => end.map_or(String::new(), |end| end.at.date()),
        TrustAnswer::Unknown => String::from("?"),
    };
    assert_eq!(
        said(&clusters, 1),
        "self signed certificate in certificate chain; cross-sign `west Root` in east and send the result in west, or add that root to root-cert.pem of east"
    );
    let west = east.bridged(west, &Bridge::new());
    let clusters = [east.cluster("a", &[], false), west.cluster("b", &[], false)];
    assert_eq!(
        said(&clusters, 1),
        "east does not accept the trust domain b; let istiod of east accept it, as `trust render` shows"
    );
    let clusters = [east.cluster("a", &["b"], false), west.cluster("b", &[], false)];
    assert_eq!(said(&clusters, 1), "2027-04-15");
    let without_key: Secret = Secret::default();
    let clusters = [MatrixCluster::new("x", &without_key, Version::NEWEST, "a".parse().unwrap())];
    assert_eq!(said(&clusters, 0), "?");
    assert_eq!(impersonations(&clusters, 0, NOW), None);
}
