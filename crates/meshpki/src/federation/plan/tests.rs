use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::federation::fixture::{Mesh, NOW, stamp};
use crate::federation::{Bridge, TrustAnswer, TrustMatrix, impersonations};
use crate::issue::{Issuer, issue};
use crate::istiod::Verifier;
use crate::profile::{Profile, Role};
use crate::spiffe::id::TrustDomain;
use crate::time::{DAY, Time};

/// Meshes with roots and trust domains of their own.
struct World {
    meshes: Vec<Mesh>,
    bridges: Vec<Cert>,
}

const NAMES: [&str; 3] = ["east", "west", "north"];
const DOMAINS: [&str; 2] = ["east.example", "west.example"];

fn domain(mesh: usize) -> TrustDomain {
    format!("{}.example", NAMES[mesh]).parse().unwrap()
}

impl World {
    fn new() -> Self {
        Self::of(2)
    }

    fn of(count: usize) -> Self {
        Self {
            meshes: NAMES[..count].iter().map(|name| Mesh::new(name)).collect(),
            bridges: Vec::new(),
        }
    }

    /// The same with a bridge at hand: `truster`'s root certifies the signer's.
    fn between(mut self, truster: usize, signer: usize, bridge: &Bridge) -> Self {
        let (ours, theirs) = (&self.meshes[truster], &self.meshes[signer]);
        let issuer = Issuer { cert: &ours.root, signer: &ours.root_key };
        self.bridges.push(bridge.for_root(&theirs.root, issuer, stamp()).unwrap());
        self
    }

    fn with(self, truster: usize, bridge: &Bridge) -> Self {
        self.between(truster, 1 - truster, bridge)
    }

    fn scoped(self) -> Self {
        let scope = |mesh: usize| Bridge::new().with_scope(Some(domain(mesh)));
        self.with(0, &scope(1)).with(1, &scope(0))
    }

    fn clusters(&self) -> Vec<MatrixCluster<'_>> {
        let domains: Vec<String> = (0..self.meshes.len()).map(|i| domain(i).to_string()).collect();
        let all: Vec<&str> = domains.iter().map(String::as_str).collect();
        self.meshes.iter().enumerate().map(|(i, mesh)| mesh.cluster(all[i], &all, false)).collect()
    }

    fn plan(&self, model: TrustModel) -> TrustPlan {
        self.plan_at(model, NOW)
    }

    fn plan_at(&self, model: TrustModel, at: Time) -> TrustPlan {
        TrustPlan::new(&self.clusters(), &|_, _| Some(model), &self.bridges, at)
    }

    fn accepted(&self) -> BTreeSet<(usize, usize)> {
        let matrix = TrustMatrix::new(&self.clusters(), NOW);
        let good = |answer: &TrustAnswer| matches!(answer, TrustAnswer::Accepted(_));
        let good = matrix.cells().iter().filter(|cell| good(&cell.answer));
        good.map(|cell| (cell.truster, cell.signer)).collect()
    }

    /// What east's sidecars believe of whoever has west's key.
    fn believed(&self) -> Vec<String> {
        let found = impersonations(&self.clusters(), 1, NOW).unwrap().into_iter();
        let in_east = found.filter(|one| one.truster == 0 && one.verifier == Verifier::Envoy);
        in_east.map(|one| one.trust_domain.to_string()).collect()
    }

    fn push(&mut self, push: &TrustPush) {
        self.meshes[push.cluster].secret = push.secret.clone();
    }
}

/// `east: root of west, bridge to west`.
fn words(push: &TrustPush) -> String {
    let name = |i: usize| NAMES[i];
    let changes = push.changes.iter().map(|change| match change {
        TrustChange::Root { of, .. } => format!("root of {}", name(*of)),
        TrustChange::Bridge { to, .. } => format!("bridge to {}", name(*to)),
        TrustChange::Replaced { .. } => "an old bridge leaves".to_string(),
    });
    format!("{}: {}", name(push.cluster), changes.collect::<Vec<_>>().join(", "))
}

fn gaps(plan: &TrustPlan) -> Vec<String> {
    let all = plan.gaps.iter().map(|gap| match gap {
        TrustGap::NoBridge { truster, signer, scope, .. } => {
            let scope = scope.as_ref().map(|domain| format!(" for {domain}")).unwrap_or_default();
            format!("no bridge {truster}<{signer}{scope}")
        }
        TrustGap::TrustedDirectly { truster, signer, .. } => format!("direct {truster}<{signer}"),
        TrustGap::SecondBridge { truster, signer, first } => {
            format!("second {truster}<{signer} after {first:?}")
        }
        TrustGap::OneRoot { truster, signer } => format!("one root {truster}<{signer}"),
        TrustGap::SameDomain { truster, signer } => format!("same domain {truster}<{signer}"),
        TrustGap::Refused { truster, signer, why, .. } => {
            format!("refused {truster}<{signer}: {}", why.split(';').next().unwrap())
        }
        TrustGap::WouldRefuse { cluster, truster, signer, .. } => {
            format!("would refuse {truster}<{signer} by {cluster}")
        }
        TrustGap::NoSharedRoot { truster, signer } => format!("no shared root {truster}<{signer}"),
        TrustGap::NoAnchor { cluster } => format!("no anchor {cluster}"),
        TrustGap::DomainNotAccepted { truster, signer } => format!("domain {truster}<{signer}"),
    });
    all.collect()
}

/// Takes every push of a plan, the rest planned again after each: nothing that was accepted is refused, and at the end
/// all is.
#[track_caller]
fn check(what: &str, world: &mut World, model: TrustModel, pushes: &[&str], believed: &[&str]) {
    let mut taken = Vec::new();
    loop {
        let plan = world.plan(model);
        assert_eq!(gaps(&plan), [""; 0], "{what}");
        let before = world.accepted();
        let Some(push) = plan.pushes.first() else { break };
        taken.push(words(push));
        world.push(push);
        assert!(world.accepted().is_superset(&before), "{what}: {taken:?}");
        assert!(taken.len() < 9, "{what}: {taken:?}");
    }
    assert_eq!(taken, pushes, "{what}");
    assert_eq!(world.accepted().len(), 4, "{what}");
    assert_eq!(world.believed(), believed, "{what}");
    assert!(world.plan(model).is_done(), "{what}");
}

#[test]
fn from_nothing_to_each_model() {
    let merged = ["east: root of west", "west: root of east"];
    check("merged", &mut World::new(), TrustModel::MergedRoots, &merged, &DOMAINS);
    let bridges = ["east: bridge to west", "west: bridge to east"];
    let both = || World::new().with(0, &Bridge::new()).with(1, &Bridge::new());
    check("bridge", &mut both(), TrustModel::Bridge, &bridges, &DOMAINS);
    let mut scoped = World::new().scoped();
    check("scoped", &mut scoped, TrustModel::ScopedBridge, &bridges, &["west.example"]);
    let text = String::from_utf8(scoped.meshes[1].secret.get("cert-chain.pem").unwrap().to_vec());
    let sent = scoped.meshes[1].secret.chain(crate::istiod::Version::NEWEST);
    assert_eq!(text.unwrap(), sent.iter().map(Cert::to_pem).collect::<String>());
    let order: Vec<String> = sent.iter().map(|cert| cert.issuer().to_string()).collect();
    assert_eq!(order, ["CN = west Root", "CN = east Root", "CN = west Root"]);
}

/// A later bridge replaces an earlier one, and one for a trust domain one for all.
#[test]
fn bridges_are_renewed_and_narrowed() {
    let short = Bridge::new().with_validity(30 * DAY);
    let mut world = World::new().with(0, &short).with(1, &short);
    let bridges = ["east: bridge to west", "west: bridge to east"];
    check("short", &mut world, TrustModel::Bridge, &bridges, &DOMAINS);
    world = world.with(0, &Bridge::new());
    let renewed = ["west: bridge to east, an old bridge leaves"];
    check("renewed", &mut world, TrustModel::Bridge, &renewed, &DOMAINS);
    let mut world = world.scoped();
    let narrowed = [
        "east: bridge to west, an old bridge leaves",
        "west: bridge to east, an old bridge leaves",
    ];
    check("narrowed", &mut world, TrustModel::ScopedBridge, &narrowed, &["west.example"]);
}

/// What no push adds.
#[test]
fn what_is_lacking() {
    let check = |what: &str, world: &World, model: TrustModel, expect: &[&str]| {
        let plan = world.plan(model);
        assert_eq!(gaps(&plan), expect, "{what}");
        assert!(!plan.is_done(), "{what}");
    };
    let world = World::new();
    check("shared", &world, TrustModel::SharedRoot, &["no shared root 0<1"]);
    check("bridge", &world, TrustModel::Bridge, &["no bridge 1<0", "no bridge 0<1"]);
    let scoped = ["no bridge 1<0 for east.example", "no bridge 0<1 for west.example"];
    check("scoped", &world, TrustModel::ScopedBridge, &scoped);
    // A bridge for everyone is not one for a trust domain, and the other way round.
    let wide = World::new().with(0, &Bridge::new());
    check("wide", &wide, TrustModel::ScopedBridge, &scoped);
    let narrow = World::new().scoped();
    check("narrow", &narrow, TrustModel::Bridge, &["no bridge 1<0", "no bridge 0<1"]);
    // An expired bridge does not count.
    let expired = World::new().with(0, &Bridge::new());
    let plan = expired.plan_at(TrustModel::Bridge, NOW + 91 * DAY);
    assert_eq!(gaps(&plan), ["no bridge 1<0", "no bridge 0<1"]);
    // Roots that were merged before reach further than a bridge.
    let mut merged = World::new().scoped();
    for push in &merged.plan(TrustModel::MergedRoots).pushes {
        merged.push(push);
    }
    check("merged", &merged, TrustModel::ScopedBridge, &["direct 1<0", "direct 0<1"]);
    // No cluster accepts the other's trust domain.
    let world = World::new();
    let clusters = [0, 1].map(|i| world.meshes[i].cluster(DOMAINS[i], &[], false));
    let plan = TrustPlan::new(&clusters, &|_, _| Some(TrustModel::MergedRoots), &[], NOW);
    assert_eq!(gaps(&plan), ["domain 0<1", "domain 1<0"]);
    // A bundle that does not vouch for its own CA.
    let mut world = World::new();
    world.meshes[0].secret.insert("root-cert.pem", Vec::new());
    check("no root", &world, TrustModel::MergedRoots, &["no anchor 0"]);
    // Pairs without a model are left alone.
    let world = World::new();
    assert!(TrustPlan::new(&world.clusters(), &|_, _| None, &[], NOW).is_done());
}

/// Envoy follows the first bridge of a root only: between three meshes there is no bridge for each pair.
#[test]
fn one_bridge_for_a_root() {
    let all = || {
        let pairs = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
        pairs.into_iter().fold(World::of(3), |world, (truster, signer)| {
            world.between(truster, signer, &Bridge::new())
        })
    };
    let mut world = all();
    let plan = world.plan(TrustModel::Bridge);
    let second =
        ["second 2<0 after Some(1)", "second 2<1 after Some(0)", "second 1<2 after Some(0)"];
    assert_eq!(gaps(&plan), second);
    let before = world.accepted();
    let pushes: Vec<String> = plan.pushes.iter().map(words).collect();
    assert_eq!(pushes, ["east: bridge to west", "west: bridge to east", "north: bridge to east"]);
    plan.pushes.iter().for_each(|push| world.push(push));
    assert!(world.accepted().is_superset(&before));
    assert_eq!(world.accepted().len(), 6);
    let plan = world.plan(TrustModel::Bridge);
    assert_eq!((gaps(&plan).len(), plan.pushes.len()), (3, 0));
    // A bridge to a mesh that is not here is left alone.
    let mut world = all();
    for push in world.plan(TrustModel::Bridge).pushes {
        world.push(&push);
    }
    let clusters = world.clusters();
    let two = &clusters[..2];
    let plan =
        TrustPlan::new(&clusters[1..], &|_, _| Some(TrustModel::Bridge), &world.bridges, NOW);
    assert_eq!(gaps(&plan), ["second 1<0 after None", "second 0<1 after None"]);
    assert!(plan.pushes.is_empty());
    let plan = TrustPlan::new(two, &|_, _| Some(TrustModel::Bridge), &world.bridges, NOW);
    assert!(plan.is_done());
}

/// A bridge that has expired is replaced where it is: it is the first one that Envoy finds.
#[test]
fn an_expired_bridge_is_replaced() {
    let mut world = World::new().with(0, &Bridge::new()).with(1, &Bridge::new());
    for push in world.plan(TrustModel::Bridge).pushes {
        world.push(&push);
    }
    let later = NOW + 91 * DAY;
    let plan = world.plan_at(TrustModel::Bridge, later);
    assert_eq!(gaps(&plan), ["no bridge 1<0", "no bridge 0<1"]);
    world = world.with(0, &Bridge::new().with_validity(200 * DAY));
    let plan = world.plan_at(TrustModel::Bridge, later);
    let pushes: Vec<String> = plan.pushes.iter().map(words).collect();
    assert_eq!(pushes, ["west: bridge to east, an old bridge leaves"]);
    world.push(&plan.pushes[0]);
    let matrix = TrustMatrix::new(&world.clusters(), later);
    let east_of_west = matrix.cells().iter().find(|cell| (cell.truster, cell.signer) == (0, 1));
    assert!(matches!(east_of_west.unwrap().answer, TrustAnswer::Accepted(_)));
}

/// Done is what the proxies say, not what is in the files.
#[test]
fn proxies_have_the_last_word() {
    // By its path length no CA may be below it. It is valid longer than others.
    let useless = |world: &World| {
        let (ours, theirs) = (&world.meshes[0], &world.meshes[1]);
        let mut profile = Profile::root(theirs.root.subject().clone());
        profile.role = Role::Ca { path_len: Some(0) };
        profile.subject_key_id.clone_from(&theirs.root.extensions().subject_key_id);
        let issuer = Issuer { cert: &ours.root, signer: &ours.root_key };
        issue(&profile, theirs.root.public_key(), issuer, stamp()).unwrap()
    };
    let mut world = World::new().with(1, &Bridge::new());
    world.bridges.push(useless(&world));
    let plan = world.plan(TrustModel::Bridge);
    assert_eq!(plan.pushes.len(), 2);
    assert_eq!(gaps(&plan), ["refused 0<1: path length constraint exceeded"]);
    // It does not replace one that works.
    let mut world = World::new().with(0, &Bridge::new()).with(1, &Bridge::new());
    for push in world.plan(TrustModel::Bridge).pushes {
        world.push(&push);
    }
    world.bridges.push(useless(&world));
    let plan = world.plan(TrustModel::Bridge);
    assert_eq!(gaps(&plan), ["would refuse 0<1 by 1"]);
    assert!(plan.pushes.is_empty());
}

/// Constraints that keep nothing apart.
#[test]
fn nothing_to_keep_apart() {
    let world = World::new();
    let same = [0, 1].map(|i| world.meshes[i].cluster("one.example", &[], false));
    let plan = TrustPlan::new(&same, &|_, _| Some(TrustModel::ScopedBridge), &[], NOW);
    assert_eq!(gaps(&plan), ["same domain 1<0", "same domain 0<1"]);
    let mesh = Mesh::new("east");
    let own = [mesh.cluster("a", &["b"], false), mesh.cluster("b", &["a"], false)];
    let plan = TrustPlan::new(&own, &|_, _| Some(TrustModel::ScopedBridge), &[], NOW);
    assert_eq!(gaps(&plan), ["one root 1<0", "one root 0<1"]);
    let plan = TrustPlan::new(&own, &|_, _| Some(TrustModel::Bridge), &[], NOW);
    assert!(plan.is_done());
}
