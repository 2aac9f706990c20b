use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::federation::Bridge;
use crate::issue::{Issuer, Serial, Stamp, issue, self_signed};
use crate::key::Signer;
use crate::profile::Profile;
use crate::soft::{KeyType, SoftKey};

const NOW: Time = Time(1_800_000_000);

/// A mesh of one cluster: its root, its CA, and the files of its secret.
struct Mesh {
    name: &'static str,
    root: Cert,
    root_key: SoftKey,
    ca: Cert,
    ca_key: SoftKey,
    /// Further certificates that it sends, and further roots that it trusts.
    bridges: Vec<Cert>,
    also_trusted: Vec<Cert>,
    secret: Secret,
}

fn stamp() -> Stamp {
    Stamp::made_at(NOW, Serial::from_random([5; 20]))
}

impl Mesh {
    fn new(name: &'static str) -> Self {
        let key = || SoftKey::generate(KeyType::EcdsaP256).unwrap();
        let (root_key, ca_key) = (key(), key());
        let profile = Profile::root(format!("CN={name} Root").parse().unwrap());
        let root = self_signed(&profile, &root_key, stamp()).unwrap();
        let profile = Profile::cluster(format!("CN={name}").parse().unwrap());
        let issuer = Issuer { cert: &root, signer: &root_key };
        let ca = issue(&profile, ca_key.public_key(), issuer, stamp()).unwrap();
        let (bridges, also_trusted) = (Vec::new(), Vec::new());
        Self { name, root, root_key, ca, ca_key, bridges, also_trusted, secret: Secret::default() }
            .written()
    }

    /// The same with its files as they are now.
    fn written(mut self) -> Self {
        let text = |certs: &[&Cert]| certs.iter().map(|cert| cert.to_pem()).collect::<String>();
        let chain: Vec<&Cert> =
            [&self.ca].into_iter().chain(&self.bridges).chain([&self.root]).collect();
        let roots: Vec<&Cert> = [&self.root].into_iter().chain(&self.also_trusted).collect();
        let files = [
            ("ca-cert.pem", text(&[&self.ca])),
            ("ca-key.pem", String::from(self.ca_key.to_pem().as_str())),
            ("cert-chain.pem", text(&chain)),
            ("root-cert.pem", text(&roots)),
        ];
        self.secret = files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
        self
    }

    /// Accepts what another mesh signs, by its own root's name for the other's.
    fn bridged(&self, mut other: Self, bridge: &Bridge) -> Self {
        let issuer = Issuer { cert: &self.root, signer: &self.root_key };
        other.bridges.push(bridge.for_root(&other.root, issuer, stamp()).unwrap());
        other.written()
    }

    fn cluster(&self, domain: &str, accepted: &[&str], ambient: bool) -> MatrixCluster<'_> {
        let accepted = accepted.iter().map(|domain| domain.parse().unwrap()).collect();
        MatrixCluster::new(self.name, &self.secret, Version::NEWEST, domain.parse().unwrap())
            .with_accepted(AcceptedDomains::Listed(accepted))
            .with_ambient(ambient)
    }
}

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
