//! Which clusters can be given their next secret now, and what keeps the others.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::forms::{self, Form};
use super::judge::{Judge, Shown, Trusted};
use super::sightings::SeenCerts;
use super::{
    RotationBlock, RotationCluster, RotationHolder, RotationMove, RotationPhase, RotationRejection,
    RotationStrategy, lacking_roots,
};
use crate::cacerts::Secret;
use crate::cert::Cert;
use crate::time::{DAY, Time};

/// What can be done now.
#[derive(Clone)]
#[non_exhaustive]
pub struct RotationDecision {
    /// How far each cluster is.
    pub phases: Vec<RotationPhase>,
    /// What can be done at once, in any order, at most one secret for each cluster.
    pub moves: Vec<RotationMove>,
    /// What keeps clusters that are not done and have no move, each with the index of its cluster.
    pub blocks: Vec<(usize, Vec<RotationBlock>)>,
    /// What the moves do although it was seen, or could not be: only with [`RotationPlanner::with_closed_gates`].
    pub overridden: Vec<RotationBlock>,
}

impl RotationDecision {
    /// Whether every cluster holds its goal, and it is in use.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.moves.is_empty() && self.blocks.is_empty()
    }

    /// When to come back: the first time at which nothing but time may keep a cluster any longer. `None`: something has to
    /// be done first, or can be done now.
    #[must_use]
    pub fn wakes(&self) -> Option<Time> {
        if !self.moves.is_empty() {
            return None;
        }
        self.blocks.iter().filter_map(|(_, blocks)| last(blocks, RotationBlock::renews)).min()
    }

    /// The time from which a cluster can certainly continue; `None`: time alone does not do it.
    #[must_use]
    pub fn opens(&self) -> Option<Time> {
        self.blocks.iter().filter_map(|(_, blocks)| last(blocks, RotationBlock::ends)).min()
    }
}

/// The last of these times, if all are known.
fn last(blocks: &[RotationBlock], time: fn(&RotationBlock) -> Option<Time>) -> Option<Time> {
    let all: Option<Vec<Time>> = blocks.iter().map(time).collect();
    all?.into_iter().max()
}

impl RotationBlock {
    /// When it is expected to be gone by itself.
    #[must_use]
    pub fn renews(&self) -> Option<Time> {
        match self {
            Self::Rejected(rejection) => rejection.holder.renews.or(rejection.holder.ends),
            Self::Unknown { until, .. } => *until,
            Self::NoBridge { .. } | Self::Unfinished { .. } => None,
        }
    }

    /// When it is gone at the latest.
    #[must_use]
    pub fn ends(&self) -> Option<Time> {
        match self {
            Self::Rejected(rejection) => rejection.holder.ends,
            Self::Unknown { until, .. } => *until,
            Self::NoBridge { .. } | Self::Unfinished { .. } => None,
        }
    }

    /// Whether it is about what proxies were seen to have, or could not be seen to: what a gate is made of.
    fn is_gate(&self) -> bool {
        match self {
            Self::Rejected(rejection) => !rejection.holder.who.is_empty(),
            Self::Unknown { .. } => true,
            Self::NoBridge { .. } | Self::Unfinished { .. } => false,
        }
    }
}

/// Decides for one moment. What verifiers said once they are not asked again.
///
/// ```
/// use meshpki::cacerts::{Layout, Secret};
/// use meshpki::federation::Bridge;
/// use meshpki::rotation::{RotationCluster, RotationPhase, RotationPlanner, RotationStrategy};
/// use meshpki::*;
///
/// let now: Time = "2026-11-29T07:00:00Z".parse().unwrap();
/// let stamp = || Stamp::made_at(now, Serial::generate());
/// let root = |name: &str| {
///     let key = SoftKey::generate(KeyType::EcdsaP256)?;
///     let profile = Profile::root(name.parse()?);
///     Ok::<_, Error>((self_signed(&profile, &key, stamp())?, key))
/// };
/// let secret = |(root, key): &(Cert, SoftKey)| {
///     let own = SoftKey::generate(KeyType::EcdsaP256)?;
///     let issuer = Issuer { cert: root, signer: key };
///     let ca = issue(&Profile::cluster("CN=Mesh CA east".parse()?), own.public_key(), issuer, stamp())?;
///     let files = CaCerts::new(ca, own, vec![], vec![root.clone()], now)?.files(Layout::Istio);
///     Ok::<Secret, Error>(files.iter().map(|(name, text)| (*name, text.to_vec())).collect())
/// };
/// let (old, new) = (root("CN=Old Root")?, root("CN=New Root")?);
/// let bridge = Bridge::new().for_root(&new.0, Issuer { cert: &old.0, signer: &old.1 }, stamp())?;
///
/// let (live, goal) = (secret(&old)?, secret(&new)?);
/// let east = RotationCluster::new("east", &live, &goal);
/// let planner = RotationPlanner::new(&[bridge], RotationStrategy::Auto, now);
/// let decision = planner.decide(&[east.clone()]);
/// assert_eq!(decision.moves[0].to, RotationPhase::Bridged);
/// // If nothing comes in between:
/// let phases: Vec<_> = planner.course(&[east]).steps.iter().map(|step| step.moves[0].to).collect();
/// assert_eq!(phases, [RotationPhase::Bridged, RotationPhase::Switched, RotationPhase::Done]);
/// # Ok::<(), Error>(())
/// ```
pub struct RotationPlanner {
    judge: Judge,
    bridges: Vec<Cert>,
    strategy: RotationStrategy,
    closed_gates: bool,
    at: Time,
    horizon: Duration,
}

/// What one cluster's workloads show and trust, with who has it.
struct Side {
    cluster: usize,
    shown: Vec<(Shown, Rc<Holders>)>,
    trusted: Vec<(Trusted, Rc<Holders>)>,
}

/// Who has a chain or a bundle, and for how long; no one: the cluster's own secret.
#[derive(Default)]
struct Holders {
    who: BTreeSet<String>,
    renews: Option<Time>,
    ends: Option<Time>,
}

/// What a move adds to its cluster.
struct Added {
    shown: Option<Shown>,
    trusted: Trusted,
}

impl RotationPlanner {
    /// How long a bridge has to last from the moment it is first sent: [`RotationPlanner::with_horizon`].
    pub const HORIZON: Duration = Duration::from_secs(2 * DAY.as_secs());

    /// A planner for one moment, with bridges in any order.
    #[must_use]
    pub fn new(bridges: &[Cert], strategy: RotationStrategy, at: Time) -> Self {
        let (judge, bridges) = (Judge::new(), bridges.to_vec());
        Self { judge, bridges, strategy, closed_gates: false, at, horizon: Self::HORIZON }
    }

    /// The same, but what proxies show and trust, and what could not be seen, stops nothing.
    #[must_use]
    pub fn with_closed_gates(self, closed_gates: bool) -> Self {
        Self { closed_gates, ..self }
    }

    /// The same with another time for which what is sent first has to be accepted. Default two days: two lives of a
    /// workload's certificate.
    #[must_use]
    pub fn with_horizon(self, horizon: Duration) -> Self {
        Self { horizon, ..self }
    }

    /// What can be done now.
    #[must_use]
    pub fn decide(&self, clusters: &[RotationCluster<'_>]) -> RotationDecision {
        let phases = self.phases(clusters);
        let mut decision = RotationDecision {
            phases,
            moves: Vec::new(),
            blocks: Vec::new(),
            overridden: Vec::new(),
        };
        if self.finishes(clusters, &mut decision) {
            return decision;
        }
        let mut sides: Vec<Side> = self.sides(clusters);
        for index in 0..clusters.len() {
            if decision.phases[index] == RotationPhase::Done {
                continue;
            }
            match self.next(clusters, &sides, index) {
                Ok((form, added, passed)) => {
                    sides[index].add(added, &Rc::new(Holders::default()));
                    decision.overridden.extend(passed);
                    let Form { to, secret } = form;
                    decision.moves.push(RotationMove { cluster: index, to, secret });
                }
                Err(blocks) => decision.blocks.push((index, blocks)),
            }
        }
        decision
    }

    /// What every cluster does if each is given its goal at once: what is rejected then, until it has renewed.
    #[must_use]
    pub fn at_once(&self, clusters: &[RotationCluster<'_>]) -> RotationDecision {
        let phases = self.phases(clusters);
        let mut sides: Vec<Side> = self.sides(clusters);
        let (mut moves, mut overridden) = (Vec::new(), Vec::new());
        for (index, cluster) in clusters.iter().enumerate() {
            if phases[index] == RotationPhase::Done || cluster.unknown.is_some() {
                continue;
            }
            let secret = cluster.goal.for_istiod();
            let added = self.added(cluster, &secret);
            overridden.extend(self.rejections(clusters, &sides, index, &added));
            sides[index].add(added, &Rc::new(Holders::default()));
            moves.push(RotationMove { cluster: index, to: RotationPhase::Done, secret });
        }
        // A rejection by the secret of a cluster is over, since that has its goal now.
        overridden.retain(RotationBlock::is_gate);
        RotationDecision { phases, moves, blocks: Vec::new(), overridden }
    }

    /// Pushes that are not finished come first, and alone.
    fn finishes(&self, clusters: &[RotationCluster<'_>], decision: &mut RotationDecision) -> bool {
        let open = |(cluster, one): (usize, &RotationCluster<'_>)| {
            let why = one.unfinished.clone().filter(|_| one.unknown.is_none())?;
            Some((cluster, why))
        };
        let unfinished: Vec<(usize, String)> =
            clusters.iter().enumerate().filter_map(open).collect();
        for (cluster, _) in &unfinished {
            let (to, secret) = (decision.phases[*cluster], clusters[*cluster].live.clone());
            decision.moves.push(RotationMove { cluster: *cluster, to, secret });
        }
        let waits = |index: &usize| {
            decision.phases[*index] != RotationPhase::Done
                && unfinished.iter().all(|(cluster, _)| cluster != index)
        };
        let blocks: Vec<RotationBlock> = unfinished
            .iter()
            .map(|(cluster, why)| RotationBlock::Unfinished { cluster: *cluster, why: why.clone() })
            .collect();
        if !unfinished.is_empty() {
            let waiting = (0..clusters.len()).filter(waits);
            decision.blocks = waiting.map(|index| (index, blocks.clone())).collect();
        }
        !unfinished.is_empty()
    }

    /// The furthest secret that a cluster can be given, or what keeps it from the nearest. With closed gates, the nearest
    /// one that only gates keep it from: it breaks the least.
    fn next(
        &self,
        clusters: &[RotationCluster<'_>],
        sides: &[Side],
        index: usize,
    ) -> Result<(Form, Added, Vec<RotationBlock>), Vec<RotationBlock>> {
        let cluster = &clusters[index];
        if let Some(why) = cluster.unknown.clone() {
            return Err(alloc::vec![RotationBlock::Unknown { cluster: index, why, until: None }]);
        }
        let unknown = unknown(clusters, index);
        let read = |secret| self.judge.read(secret, cluster.version);
        let forms =
            forms::after(&read(cluster.live), &read(cluster.goal), &self.bridges, self.strategy);
        let mut kept: Vec<(Form, Added, Vec<RotationBlock>)> = Vec::new();
        for form in forms {
            let added = self.added(cluster, &form.secret);
            let mut blocks = self.rejections(clusters, sides, index, &added);
            if form.to != RotationPhase::Prepared {
                blocks.extend(unknown.iter().cloned());
            }
            if form.to == RotationPhase::Bridged {
                blocks.extend(self.ends_soon(cluster, &sides[index], &form.secret));
            }
            if blocks.is_empty() {
                return Ok((form, added, blocks));
            }
            // Of several forms of one phase, the one preferred says why not.
            if kept.last().is_none_or(|(last, ..)| last.to != form.to) {
                kept.push((form, added, blocks));
            }
        }
        let only_gates = |(.., blocks): &(Form, Added, Vec<RotationBlock>)| {
            self.closed_gates && blocks.iter().all(RotationBlock::is_gate)
        };
        if let Some(place) = kept.iter().rposition(only_gates) {
            return Ok(kept.swap_remove(place));
        }
        Err(self.why(cluster, kept.pop().map(|(form, _, blocks)| (form.to, blocks))))
    }

    /// What keeps a cluster: that of the nearest form, or that there is no bridge for one.
    fn why(
        &self,
        cluster: &RotationCluster<'_>,
        nearest: Option<(RotationPhase, Vec<RotationBlock>)>,
    ) -> Vec<RotationBlock> {
        let wants_bridge =
            self.strategy == RotationStrategy::Bridge && cluster.phase() < RotationPhase::Bridged;
        match nearest {
            Some((to, blocks)) if !wants_bridge || to == RotationPhase::Bridged => blocks,
            _ => {
                let under = cluster.live.roots(cluster.version);
                let lacking = lacking_roots(&cluster.goal.roots(cluster.version), &under);
                let no_bridge = |root| RotationBlock::NoBridge { root, under: under.clone() };
                lacking.into_iter().map(no_bridge).collect()
            }
        }
    }

    fn added(&self, cluster: &RotationCluster<'_>, secret: &Secret) -> Added {
        let shown = self.judge.shown(cluster, secret, self.at);
        Added { shown, trusted: self.judge.given(cluster, secret) }
    }

    /// What is rejected once a cluster has something more, and was not before: a bundle that accepts nothing of a cluster
    /// has nothing to lose, and neither has a chain that no one accepts.
    fn rejections(
        &self,
        clusters: &[RotationCluster<'_>],
        sides: &[Side],
        index: usize,
        added: &Added,
    ) -> Vec<RotationBlock> {
        let mut blocks = Vec::new();
        let side = &sides[index];
        let is_new = |shown: &&Shown| side.shown.iter().all(|(known, _)| known.key != shown.key);
        let new_shown = added.shown.as_ref().filter(is_new);
        let new_trusted = Some(&added.trusted)
            .filter(|trusted| side.trusted.iter().all(|(known, _)| known.key != trusted.key));
        for other in (0..sides.len()).filter(|other| !is_apart(clusters, index, *other)) {
            let own = other == index;
            let accepts = |trusted: &Trusted, shown: &Shown| {
                self.judge.rejects(trusted, shown, own, self.at).is_none()
            };
            if let Some(new) = new_shown {
                let used = |trusted: &Trusted| side.shown.iter().any(|(l, _)| accepts(trusted, l));
                let theirs = sides[other].trusted.iter().filter(|(trusted, _)| used(trusted));
                blocks.extend(theirs.filter_map(|(trusted, holder)| {
                    let what = || holder.of(other, false, labels(&trusted.roots));
                    self.rejection((other, index), (trusted, new, own), &what)
                }));
            }
            if let Some(new) = new_trusted {
                let used = |shown: &Shown| side.trusted.iter().any(|(t, _)| accepts(t, shown));
                let theirs = sides[other].shown.iter().filter(|(shown, _)| used(shown));
                blocks.extend(theirs.filter_map(|(shown, holder)| {
                    let what = || holder.of(other, true, shown.issuer());
                    self.rejection((index, other), (new, shown, own), &what)
                }));
            }
        }
        blocks
    }

    fn rejection(
        &self,
        (truster, signer): (usize, usize),
        (trusted, shown, own): (&Trusted, &Shown, bool),
        holder: &dyn Fn() -> RotationHolder,
    ) -> Option<RotationBlock> {
        let (verifier, why) = self.judge.rejects(trusted, shown, own, self.at)?;
        let holder = holder();
        let rejection = RotationRejection { truster, signer, verifier, why, holder };
        Some(RotationBlock::Rejected(Box::new(rejection)))
    }

    /// What is sent now and will no longer be accepted before a rotation can be over.
    fn ends_soon(
        &self,
        cluster: &RotationCluster<'_>,
        side: &Side,
        secret: &Secret,
    ) -> Option<RotationBlock> {
        let later = self.at + self.horizon;
        let shown = self.judge.shown(cluster, secret, later)?;
        let index = side.cluster;
        side.trusted.iter().find_map(|(trusted, _)| {
            let (verifier, why) = self.judge.rejects(trusted, &shown, false, later)?;
            let why = alloc::format!("{why}, by {later}");
            let holder = Holders::default().of(index, false, labels(&trusted.roots));
            let rejection =
                RotationRejection { truster: index, signer: index, verifier, why, holder };
            Some(RotationBlock::Rejected(Box::new(rejection)))
        })
    }

    fn phases(&self, clusters: &[RotationCluster<'_>]) -> Vec<RotationPhase> {
        let phase = |cluster: &RotationCluster<'_>| {
            let read = |secret| self.judge.read(secret, cluster.version);
            forms::phase(&read(cluster.live), &read(cluster.goal))
        };
        clusters.iter().map(phase).collect()
    }

    fn sides(&self, clusters: &[RotationCluster<'_>]) -> Vec<Side> {
        clusters.iter().enumerate().map(|(index, cluster)| self.side(index, cluster)).collect()
    }

    /// Everything that workloads of a cluster may show and trust at the moment.
    fn side(&self, index: usize, cluster: &RotationCluster<'_>) -> Side {
        let mut side = Side { cluster: index, shown: Vec::new(), trusted: Vec::new() };
        if cluster.unknown.is_some() {
            return side;
        }
        side.add(self.added(cluster, cluster.live), &Rc::new(Holders::default()));
        for seen in cluster.sightings.shown() {
            let shown = Shown::seen(&seen.certs);
            side.shown.extend(shown.map(|shown| (shown, Rc::new(Holders::from(seen)))));
        }
        for seen in cluster.sightings.trusted() {
            let trusted = self.judge.trusted(cluster, &seen.certs, cluster.live);
            side.trusted.push((trusted, Rc::new(Holders::from(seen))));
        }
        if let Some(hidden) = hidden(cluster).map(Rc::new) {
            for earlier in &cluster.earlier {
                side.add(self.added(cluster, earlier), &hidden);
            }
        }
        side
    }
}

impl Side {
    /// Adds what a secret makes workloads show and trust.
    fn add(&mut self, added: Added, holders: &Rc<Holders>) {
        self.shown.extend(added.shown.map(|shown| (shown, Rc::clone(holders))));
        self.trusted.push((added.trusted, Rc::clone(holders)));
    }
}

impl Holders {
    fn of(&self, cluster: usize, shows: bool, what: String) -> RotationHolder {
        let Self { who, renews, ends } = self;
        let who = who.iter().cloned().collect();
        RotationHolder { cluster, shows, what, who, renews: *renews, ends: *ends }
    }
}

impl From<&SeenCerts> for Holders {
    fn from(seen: &SeenCerts) -> Self {
        Self { who: seen.who.clone(), renews: seen.renews, ends: seen.ends }
    }
}

fn labels(roots: &[Cert]) -> String {
    roots.iter().map(Cert::label).collect::<Vec<_>>().join(" and ")
}

fn is_apart(clusters: &[RotationCluster<'_>], one: usize, other: usize) -> bool {
    clusters[one].apart.contains(&other) || clusters[other].apart.contains(&one)
}

/// What could not be seen; `None`: everything was.
fn hidden(cluster: &RotationCluster<'_>) -> Option<Holders> {
    let unseen = &cluster.sightings.unseen;
    let unfinished = cluster.unfinished.iter().map(ToString::to_string);
    let who: BTreeSet<String> =
        unseen.iter().map(|one| one.who.clone()).chain(unfinished).collect();
    let until: Option<Vec<Time>> = unseen.iter().map(|one| one.until).collect();
    let ends = until.and_then(|all| all.into_iter().max());
    let ends = ends.filter(|_| cluster.unfinished.is_none());
    (!who.is_empty()).then_some(Holders { who, renews: None, ends })
}

/// What nothing is known of: clusters, and what could not be seen where nothing says what it may have.
fn unknown(clusters: &[RotationCluster<'_>], index: usize) -> Vec<RotationBlock> {
    let mut blocks = Vec::new();
    let others = clusters.iter().enumerate();
    for (cluster, one) in others.filter(|(other, _)| !is_apart(clusters, index, *other)) {
        if let Some(why) = &one.unknown {
            let (why, until) = (why.clone(), None);
            blocks.push(RotationBlock::Unknown { cluster, why, until });
        } else if let Some(hidden) = hidden(one)
            && one.earlier.is_empty()
        {
            let who: Vec<String> = hidden.who.into_iter().collect();
            let why = alloc::format!("what {} may have is not known", who.join(", "));
            blocks.push(RotationBlock::Unknown { cluster, why, until: hidden.ends });
        }
    }
    blocks
}
