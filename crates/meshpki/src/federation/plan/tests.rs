use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::federation::fixture::{Mesh, NOW, stamp};
use crate::federation::{Bridge, TrustAnswer, TrustMatrix, impersonations};
use crate::issue::Issuer;
use crate::istiod::Verifier;
use crate::time::DAY;

/// Two meshes with roots and trust domains of their own.
struct World {
    meshes: [Mesh; 2],
    bridges: Vec<Cert>,
}

const DOMAINS: [&str; 2] = ["east.example", "west.example"];

impl World {
    fn new() -> Self {
        Self { meshes: ["east", "west"].map(Mesh::new), bridges: Vec::new() }
    }

    /// The same with a bridge at hand: `truster`'s root certifies the other's.
    fn with(mut self, truster: usize, bridge: &Bridge) -> Self {
        let (ours, theirs) = (&self.meshes[truster], &self.meshes[1 - truster]);
        let issuer = Issuer { cert: &ours.root, signer: &ours.root_key };
        self.bridges.push(bridge.for_root(&theirs.root, issuer, stamp()).unwrap());
        self
    }

    fn scoped(self) -> Self {
        let scope = |domain: &str| Bridge::new().with_scope(Some(domain.parse().unwrap()));
        self.with(0, &scope(DOMAINS[1])).with(1, &scope(DOMAINS[0]))
    }

    fn clusters(&self) -> [MatrixCluster<'_>; 2] {
        [0, 1].map(|i| self.meshes[i].cluster(DOMAINS[i], &[DOMAINS[1 - i]], false))
    }

    fn plan(&self, model: TrustModel) -> TrustPlan {
        TrustPlan::new(&self.clusters(), &|_, _| Some(model), &self.bridges, NOW)
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
    let name = |i: usize| ["east", "west"][i];
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
        TrustGap::Unscoped { truster, signer, .. } => format!("unscoped {truster}<{signer}"),
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
    let later = NOW + 91 * DAY;
    let clusters = expired.clusters();
    let plan = TrustPlan::new(&clusters, &|_, _| Some(TrustModel::Bridge), &expired.bridges, later);
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
