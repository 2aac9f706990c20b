//! The planner against every order in which things can happen: a world of clusters whose istiods lag and whose proxies
//! renew when they like, a run that ends anywhere, an abort at any moment, a partner that is away.
//!
//! Secrets, chains and verifiers are real. In every world that can be reached, every workload is accepted by every proxy,
//! and from every one the goal can still be reached.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::fixture::{NOW, Root, chain};
use super::judge::{Judge, Shown};
use super::*;

/// What a proxy has.
type ChainAndRoots = (Vec<Cert>, Vec<Cert>);
/// An index into the secrets that were ever held.
type Held = usize;

/// One cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Site {
    secret: Held,
    /// The secret before, which a push keeps.
    previous: Held,
    /// What istiod signs with.
    loaded: Held,
    /// Under which secret its proxy got its certificate and its roots.
    proxy: Held,
    /// The same of a workload that cannot be seen, where there is one, and whether its last certificate must have ended.
    hidden: Option<(Held, bool)>,
}

impl Site {
    /// istiod signs with the secret from now on.
    fn load(&mut self) {
        self.loaded = self.secret;
        if let Some((_, ended)) = &mut self.hidden {
            *ended = false;
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct World {
    sites: Vec<Site>,
    /// Decided and not done yet.
    pending: Vec<(usize, Held)>,
    /// The rotation was aborted.
    back: bool,
    /// The bundle of a partner, where there is one, and whether it answers.
    partner: Option<(Held, bool)>,
}

/// What is wrong with a planner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    NoProxies,
    NoHidden,
    HiddenHasNew,
    HiddenEndsEarly,
    NoLag,
    NeverFinishes,
    NoPartner,
    PartnerAwayIsGone,
    ClustersApart,
    ProxiesOfFirst,
    ProxiesOfBefore,
    ClosedGates,
    GoalAtOnce,
    NoBridgeSent,
    BridgeDroppedEarly,
    RootsSwapped,
    SignsBeforeTrust,
    AbortAtOnce,
    SecretOfNeighbour,
    OtherBridge,
    GoesInCircles,
    Idle,
}

struct Checker<'a> {
    old: &'a [Secret],
    new: &'a [Secret],
    fault: Fault,
    kinds: RefCell<Vec<Secret>>,
    made: RefCell<BTreeMap<(usize, Held), Secret>>,
    judge: Judge,
    forth: RotationPlanner,
    back: RotationPlanner,
    accepted: RefCell<BTreeMap<(Held, Held), bool>>,
    seen: RefCell<BTreeMap<(usize, Held), ChainAndRoots>>,
}

/// What a check came to.
#[derive(Debug)]
struct Checked {
    worlds: usize,
    wrong: Option<String>,
}

impl<'a> Checker<'a> {
    fn new(
        old: &'a [Secret],
        new: &'a [Secret],
        bridges: &[Cert],
        strategy: RotationStrategy,
        fault: Fault,
    ) -> Self {
        let bridges = if fault == Fault::OtherBridge { &[] } else { bridges };
        let planner = |strategy| {
            RotationPlanner::new(bridges, strategy, NOW)
                .with_closed_gates(fault == Fault::ClosedGates)
        };
        Self {
            old,
            new,
            fault,
            forth: planner(strategy),
            // There may be no bridge for the way back.
            back: planner(RotationStrategy::Auto),
            kinds: RefCell::default(),
            made: RefCell::default(),
            judge: Judge::new(),
            accepted: RefCell::default(),
            seen: RefCell::default(),
        }
    }

    /// The kind of a secret of one site: sites are alike but for their CAs.
    fn held(&self, site: usize, secret: &Secret) -> Held {
        let kind = self.translated(secret, site, 0);
        let mut all = self.kinds.borrow_mut();
        all.iter().position(|known| *known == kind).unwrap_or_else(|| {
            all.push(kind);
            all.len() - 1
        })
    }

    fn secret(&self, site: usize, held: Held) -> Secret {
        let mut made = self.made.borrow_mut();
        let known = made.entry((site, held));
        known.or_insert_with(|| self.translated(&self.kinds.borrow()[held], 0, site)).clone()
    }

    /// A secret of one site with the CAs of another.
    fn translated(&self, secret: &Secret, from: usize, to: usize) -> Secret {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut files: Vec<(String, String)> =
            secret.names().map(|name| (name.into(), text(secret.get(name).unwrap()))).collect();
        for all in [self.old, self.new] {
            for name in ["ca-cert.pem", "ca-key.pem"] {
                let file = |site: usize| text(all[site].get(name).unwrap());
                let (theirs, ours) = (file(from), file(to));
                files.iter_mut().for_each(|(_, text)| *text = text.replace(&theirs, &ours));
            }
        }
        files.into_iter().collect()
    }

    /// The same world with alike sites in order. The first is not like the others if something is hidden there, or if
    /// a partner asks it.
    fn in_order(mut world: World) -> World {
        let own = |world: &World, site: usize| {
            world.pending.iter().find(|one| one.0 == site).map(|one| one.1)
        };
        let mut all: Vec<(Site, Option<Held>)> = world
            .sites
            .iter()
            .enumerate()
            .map(|(index, site)| (*site, own(&world, index)))
            .collect();
        let fixed = usize::from(world.partner.is_some() || world.sites[0].hidden.is_some());
        all[fixed..].sort();
        world.sites = all.iter().map(|one| one.0).collect();
        let pending = all.iter().enumerate().filter_map(|(site, one)| Some((site, one.1?)));
        world.pending = pending.collect();
        world
    }

    fn start(&self, hidden: bool, partner: bool) -> World {
        let site = |(index, secret): (usize, &Secret)| {
            let held = self.held(index, secret);
            let hidden = (hidden && index == 0).then_some((held, false));
            Site { secret: held, previous: held, loaded: held, proxy: held, hidden }
        };
        let sites: Vec<Site> = self.old.iter().enumerate().map(site).collect();
        let partner = partner.then_some((sites[0].secret, true));
        World { sites, pending: Vec::new(), back: false, partner }
    }

    /// Whether a proxy with the roots of one secret accepts a workload with a certificate under another.
    fn accepts(&self, truster: Held, signer: Held) -> bool {
        *self.accepted.borrow_mut().entry((truster, signer)).or_insert_with(|| {
            let (truster, signer) = (self.secret(0, truster), self.secret(0, signer));
            let cluster = RotationCluster::new("any", &truster, &truster);
            let trusted = self.judge.given(&cluster, &truster);
            let shown = Shown::seen(&chain(&signer)).unwrap();
            self.judge.rejects(&trusted, &shown, false, NOW).is_none()
        })
    }

    /// Which proxy rejects which workload.
    fn breach(&self, world: &World) -> Option<String> {
        let own = world.sites.iter().enumerate();
        let shown: Vec<(usize, Held)> = own
            .flat_map(|(index, site)| {
                let hidden = site.hidden.map(|(held, _)| held);
                core::iter::once(site.proxy).chain(hidden).map(move |held| (index, held))
            })
            .collect();
        let partner = world.partner.map(|(held, _)| (usize::MAX, held));
        let trusted = shown.iter().copied().chain(partner);
        for (truster, roots) in trusted {
            for (signer, leaf) in &shown {
                if !self.accepts(roots, *leaf) {
                    return Some(format!("{truster} rejects {signer} in {world:?}"));
                }
            }
        }
        None
    }

    fn is_over(&self, world: &World) -> bool {
        let goal = if world.back { self.old } else { self.new };
        let held = self.held(0, &goal[0]);
        world.sites.iter().all(|site| {
            let hidden = site.hidden.is_none_or(|(hidden, _)| hidden == held);
            [site.secret, site.loaded, site.proxy] == [held; 3] && hidden
        })
    }

    /// Everything that can happen next.
    fn next(&self, world: &World) -> Vec<World> {
        let mut all = Vec::new();
        let mut add = |change: &dyn Fn(&mut World)| {
            let mut next = world.clone();
            change(&mut next);
            all.push(next);
        };
        for (index, site) in world.sites.iter().copied().enumerate() {
            if site.loaded != site.secret && self.reloads(site) {
                add(&|next| next.sites[index].load());
            }
            if site.proxy != site.loaded {
                add(&|next| next.sites[index].proxy = site.loaded);
            }
            match site.hidden {
                Some((held, _)) if held != site.loaded => {
                    add(&|next| next.sites[index].hidden = Some((site.loaded, false)));
                }
                Some((held, false)) => add(&|next| next.sites[index].hidden = Some((held, true))),
                _ => {}
            }
        }
        if let Some((held, there)) = world.partner {
            add(&|next| next.partner = Some((held, !there)));
            let now = world.sites[0].loaded;
            if there && held != now && self.accepts_all(now, world) {
                add(&|next| next.partner = Some((now, true)));
            }
        }
        if world.pending.is_empty() {
            let moves = self.moves(world);
            add(&|next| next.pending = moves.clone());
            if !world.back {
                add(&|next| next.back = true);
            }
        }
        for (index, secret) in &world.pending {
            add(&|next| {
                let site = &mut next.sites[*index];
                if site.secret == *secret {
                    site.load();
                } else {
                    (site.previous, site.secret) = (site.secret, *secret);
                }
                next.pending.retain(|one| one.0 != *index);
            });
            // The run ends here.
            add(&|next| next.pending.clear());
        }
        all.retain(|next| next != world);
        all
    }

    /// Whether istiod loads the secret by itself; for other roots it has to be restarted.
    fn reloads(&self, site: Site) -> bool {
        let roots = |held| self.secret(0, held).roots(Version::NEWEST);
        roots(site.loaded) == roots(site.secret)
    }

    /// A partner takes a bundle from us when we serve it: one that is in use.
    fn accepts_all(&self, bundle: Held, world: &World) -> bool {
        world.sites.iter().all(|site| self.accepts(bundle, site.loaded))
    }

    /// What the planner decides, with its fault.
    fn moves(&self, world: &World) -> Vec<(usize, Held)> {
        let held: Vec<[Secret; 3]> = world
            .sites
            .iter()
            .enumerate()
            .map(|(index, site)| {
                [site.secret, site.previous, site.loaded].map(|held| self.secret(index, held))
            })
            .collect();
        let goals = if world.back { self.old } else { self.new };
        let starts = if world.back { self.new } else { self.old };
        let partner = world.partner.map(|(held, there)| {
            let mut only_roots = Secret::default();
            let roots = self.secret(0, held);
            only_roots.insert("root-cert.pem", roots.get("root-cert.pem").unwrap().to_vec());
            (only_roots, there)
        });
        let mut clusters = Vec::new();
        for (index, site) in world.sites.iter().enumerate() {
            let [live, previous, loaded] = &held[index];
            let mut cluster = RotationCluster::new("site", live, &goals[index]);
            cluster.earlier = vec![previous, &starts[index], loaded];
            self.observe(world, index, site, &mut cluster);
            clusters.push(cluster);
        }
        if let Some((roots, there)) = &partner
            && self.fault != Fault::NoPartner
            && (*there || self.fault != Fault::PartnerAwayIsGone)
        {
            let mut cluster = RotationCluster::new("partner", roots, roots);
            cluster.unknown = (!there).then(|| "no answer".to_string());
            clusters.push(cluster);
        }
        let planner = if world.back { &self.back } else { &self.forth };
        let decision = match self.fault {
            Fault::AbortAtOnce if world.back => planner.at_once(&clusters),
            Fault::GoalAtOnce => planner.at_once(&clusters),
            _ => planner.decide(&clusters),
        };
        self.done(&clusters, decision)
    }

    /// What is seen of a cluster.
    fn observe<'s>(
        &self,
        world: &World,
        index: usize,
        site: &Site,
        cluster: &mut RotationCluster<'s>,
    ) {
        let fault = self.fault;
        let see = |into: &mut Sightings, held: Held| {
            let mut all = self.seen.borrow_mut();
            let (chain, roots) = all.entry((index, held)).or_insert_with(|| {
                let secret = self.secret(index, held);
                (chain(&secret), secret.roots(Version::NEWEST))
            });
            into.add("proxy", chain, roots);
        };
        match fault {
            Fault::NoProxies => {}
            Fault::ProxiesOfFirst => see(&mut cluster.sightings, world.sites[0].proxy),
            Fault::ProxiesOfBefore => see(&mut cluster.sightings, site.loaded),
            _ => see(&mut cluster.sightings, site.proxy),
        }
        if let Some((_, ended)) = site.hidden
            && !ended
            && fault != Fault::NoHidden
            && (fault != Fault::HiddenEndsEarly || site.proxy != site.loaded)
        {
            cluster.sightings.unseen.push(Unseen::new("hidden", "it is", None));
            if fault == Fault::HiddenHasNew {
                cluster.earlier = vec![cluster.live];
            }
        }
        let lags = site.loaded != site.secret;
        if lags && fault != Fault::NoLag {
            cluster.unfinished = Some("istiod".to_string());
        }
        if fault == Fault::ClustersApart {
            cluster.apart = (0..world.sites.len()).filter(|other| *other != index).collect();
        }
    }

    /// What is written, with what is wrong about it.
    fn done(
        &self,
        clusters: &[RotationCluster<'_>],
        decision: RotationDecision,
    ) -> Vec<(usize, Held)> {
        let mut done = Vec::new();
        for RotationMove { cluster, to, mut secret, .. } in decision.moves {
            let (live, goal) = (clusters[cluster].live, clusters[cluster].goal);
            let phase = clusters[cluster].phase();
            let file = |from: &Secret, name: &str| from.get(name).unwrap().to_vec();
            let own = |secret: &mut Secret, from: &Secret, names: &[&str]| {
                names.iter().for_each(|name| secret.insert(*name, file(from, name)));
            };
            match self.fault {
                Fault::NeverFinishes if clusters[cluster].unfinished.is_some() => continue,
                Fault::NoBridgeSent if to == RotationPhase::Bridged => {
                    own(&mut secret, goal, &["cert-chain.pem"]);
                }
                Fault::BridgeDroppedEarly if to == RotationPhase::Switched => {
                    own(&mut secret, goal, &["cert-chain.pem"]);
                }
                Fault::RootsSwapped if to == RotationPhase::Prepared => {
                    own(&mut secret, goal, &["root-cert.pem"]);
                }
                Fault::SignsBeforeTrust if to == RotationPhase::Prepared => {
                    own(&mut secret, goal, &["ca-cert.pem", "ca-key.pem", "cert-chain.pem"]);
                }
                Fault::SecretOfNeighbour => {
                    let other = (cluster + 1) % self.new.len();
                    own(&mut secret, clusters[other].live, &["root-cert.pem"]);
                }
                Fault::GoesInCircles if phase == RotationPhase::Switched => {
                    own(&mut secret, live, &["cert-chain.pem"]);
                }
                Fault::Idle if to == RotationPhase::Done => continue,
                _ => {}
            }
            done.push((cluster, self.held(cluster, &secret)));
        }
        done
    }

    /// Every world that can be reached, whether it is sound, and whether the end can be reached from it.
    fn check(&self, start: World) -> Checked {
        let mut index: BTreeMap<World, usize> = BTreeMap::new();
        let mut before: Vec<Vec<usize>> = Vec::new();
        let mut over: Vec<usize> = Vec::new();
        let mut worlds: Vec<World> = Vec::new();
        let mut open = VecDeque::new();
        let mut wrong = None;
        index.insert(start.clone(), 0);
        worlds.push(start);
        before.push(Vec::new());
        open.push_back(0);
        while let Some(here) = open.pop_front() {
            let world = worlds[here].clone();
            wrong = wrong.or_else(|| self.breach(&world));
            if wrong.is_some() {
                return Checked { worlds: worlds.len(), wrong };
            }
            if self.is_over(&world) {
                over.push(here);
            }
            for next in self.next(&world).into_iter().map(Self::in_order) {
                let place = *index.entry(next.clone()).or_insert_with(|| {
                    worlds.push(next);
                    before.push(Vec::new());
                    open.push_back(worlds.len() - 1);
                    worlds.len() - 1
                });
                // The goal has to be reached without an abort.
                if worlds[place].back == world.back {
                    before[place].push(here);
                }
            }
        }
        let mut reaching: BTreeSet<usize> = over.iter().copied().collect();
        while let Some(one) = over.pop() {
            for earlier in &before[one] {
                if reaching.insert(*earlier) {
                    over.push(*earlier);
                }
            }
        }
        let lost = (0..worlds.len()).find(|place| !reaching.contains(place));
        let wrong = lost.map(|place| format!("no way on from {:?}", worlds[place]));
        Checked { worlds: worlds.len(), wrong }
    }
}

/// Three clusters under one root, bound for another.
struct Mesh {
    old: Vec<Secret>,
    new: Vec<Secret>,
    bridges: Vec<Cert>,
}

impl Mesh {
    fn new(count: usize) -> Self {
        let (a, b) = (Root::new("A"), Root::new("B"));
        let under = |root: &Root| (0..count).map(|i| root.secret(&format!("site {i}"))).collect();
        Self { old: under(&a), new: under(&b), bridges: vec![a.bridge(&b)] }
    }

    fn check(
        &self,
        strategy: RotationStrategy,
        hidden: bool,
        partner: bool,
        fault: Fault,
    ) -> Checked {
        let checker = Checker::new(&self.old, &self.new, &self.bridges, strategy, fault);
        checker.check(checker.start(hidden, partner))
    }
}

#[test]
fn every_world_is_sound() {
    use RotationStrategy::{Bridge, Overlap};
    let check = |sites, hidden, partner, expect: [usize; 2]| {
        let mesh = Mesh::new(sites);
        for (strategy, expect) in [Bridge, Overlap].into_iter().zip(expect) {
            let checked = mesh.check(strategy, hidden, partner, Fault::None);
            assert_eq!(checked.wrong, None, "{strategy:?}, {sites} sites, {hidden}, {partner}");
            assert!(checked.worlds >= expect, "{strategy:?}, {sites} sites: {}", checked.worlds);
        }
    };
    check(1, true, true, [900; 2]);
    check(2, false, true, [3000; 2]);
    check(2, true, false, [2000; 2]);
    check(3, false, false, [2000; 2]);
}

#[test]
fn every_fault_is_found() {
    use RotationStrategy::{Bridge, Overlap};
    let mesh = Mesh::new(2);
    let check = |fault: Fault, strategy, hidden, partner| {
        let checked = mesh.check(strategy, hidden, partner, fault);
        assert!(checked.wrong.is_some(), "{fault:?}: nothing wrong in {} worlds", checked.worlds);
    };
    check(Fault::NoProxies, Bridge, false, false);
    check(Fault::NoHidden, Bridge, true, false);
    check(Fault::HiddenHasNew, Bridge, true, false);
    check(Fault::HiddenEndsEarly, Overlap, true, false);
    check(Fault::NoLag, Overlap, false, false);
    check(Fault::NeverFinishes, Bridge, false, false);
    check(Fault::NoPartner, Overlap, false, true);
    check(Fault::PartnerAwayIsGone, Overlap, false, true);
    check(Fault::ClustersApart, Overlap, false, false);
    check(Fault::ProxiesOfFirst, Bridge, false, false);
    check(Fault::ProxiesOfBefore, Bridge, false, false);
    check(Fault::ClosedGates, Bridge, false, false);
    check(Fault::GoalAtOnce, Bridge, false, false);
    check(Fault::NoBridgeSent, Bridge, false, false);
    check(Fault::BridgeDroppedEarly, Bridge, false, false);
    check(Fault::RootsSwapped, Overlap, false, false);
    check(Fault::SignsBeforeTrust, Overlap, false, false);
    check(Fault::AbortAtOnce, Overlap, false, false);
    check(Fault::SecretOfNeighbour, Overlap, false, false);
    check(Fault::OtherBridge, Bridge, false, false);
    check(Fault::GoesInCircles, Bridge, false, false);
    check(Fault::Idle, Bridge, false, false);
}
