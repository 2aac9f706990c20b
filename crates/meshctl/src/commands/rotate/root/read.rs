//! The clusters of a rotation as they are: what they hold, what their istiods serve, what their proxies have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use meshapply::Error;
use meshapply::kube::Proxies;
use meshapply::names::ROOT_CONFIG_MAP;
use meshapply::pending::Pending;
use meshapply::proof::PodProof;
use meshpki::cacerts::Secret;
use meshpki::federation::Bridge;
use meshpki::internals::{ISTIOD_BACKDATE, fingerprints};
use meshpki::istiod::{NamespaceRoots, Version};
use meshpki::rotation::{RotationCluster, RotationMove, Sightings};
use meshpki::spiffe::Bundle;
use meshpki::{Cert, Issuer, Serial, SoftKey, Stamp, Time, TrustDomain, chain};
use tokio::runtime::Runtime;

use crate::args::RootGoal;
use crate::authority::{certs_of_file, read_certs};
use crate::failure::Failure;
use crate::files;
use crate::fleet::clusters::{SKEW, Selection, Target, place};
use crate::fleet::folders;
use crate::fleet::observe::{self, Found, unasked};
use crate::io::Io;
use crate::rollout::no_folder;

/// What to read, and how.
pub(super) struct Ask {
    pub(super) selection: Selection,
    dir: PathBuf,
    from: Option<PathBuf>,
    bridges: Vec<PathBuf>,
    partners: Vec<String>,
    proxies: usize,
    /// The way back: to the old CA.
    pub(super) back: bool,
}

impl Ask {
    pub(super) fn new(goal: &RootGoal, force: &[String]) -> Result<Self, Failure> {
        Ok(Self {
            selection: goal.clusters.resolved(force)?,
            dir: goal.dir.clone(),
            from: goal.from.clone(),
            bridges: goal.bridges.clone(),
            partners: goal.partners.clone(),
            proxies: goal.proxies,
            back: false,
        })
    }
}

/// A cluster of the rotation.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) live: Secret,
    /// Whether [`Member::live`] is a CA that istiod made for itself.
    pub(super) own: bool,
    /// The CA that istiod made for itself, in use or not.
    own_ca: Option<Cert>,
    pub(super) goal: Secret,
    earlier: Vec<Secret>,
    pub(super) seen: Option<Sighted>,
    apart: Vec<usize>,
    pub(super) unfinished: Option<String>,
    unknown: Option<String>,
}

/// What a cluster that answered is, and what its proxies have.
pub(super) struct Sighted {
    pub(super) found: Found,
    pub(super) trust_domain: Option<TrustDomain>,
    /// How many proxies answered.
    pub(super) asked: usize,
    /// How many certificates those have rejected since they started; `None` if none of them counts.
    pub(super) rejected: Option<u64>,
    pub(super) sightings: Sightings,
}

/// Another mesh that accepts workloads of these clusters.
pub(super) struct Partner {
    pub(super) name: String,
    /// The roots that it trusts for that, and nothing else.
    pub(super) roots: Secret,
}

/// All that was read.
pub(super) struct Situation {
    pub(super) targets: Vec<Target>,
    pub(super) clusters: Vec<Member>,
    pub(super) partners: Vec<Partner>,
    pub(super) bridges: Vec<Cert>,
    pub(super) failures: Vec<Failure>,
    pub(super) dir: PathBuf,
    /// The way back: to the old CA.
    pub(super) back: bool,
    pub(super) at: Time,
}

/// What was asked of one cluster beyond what every command asks.
struct More {
    own: Option<Secret>,
    proxies: Proxies,
    clock: Option<Time>,
}

impl Situation {
    /// Reads everything at the same time. The clients that it leaves live as long as the runtime. A cluster that does not answer is one of which nothing is known.
    ///
    /// # Errors
    /// `ctl/no-cluster` if the new CA has no folder for a cluster, `ctl/no-previous` if an abort has no way back, and
    /// those of kubeconfigs and folders.
    pub(super) fn read(ask: &Ask, runtime: &Runtime, io: &mut Io<'_>) -> Result<Self, Failure> {
        let at = io.time(None)?;
        let new = folders::secrets(&ask.dir)?;
        let old = ask.from.as_deref().map(folders::secrets).transpose()?.unwrap_or_default();
        let mut bridges = Vec::new();
        for file in &ask.bridges {
            bridges.extend(read_certs(file, io)?);
        }
        let partners =
            ask.partners.iter().map(|text| Partner::read(text)).collect::<Result<_, _>>()?;
        let (targets, found) = runtime.block_on(async {
            let (targets, found) = observe::asked(&ask.selection, io).await?;
            let progress = io.progress(targets.len(), "clusters with their proxies asked");
            let found = join_all(targets.iter().zip(found).map(async |(target, found)| {
                let found = found?;
                let more = more(target, &found, ask.proxies).await;
                progress.step();
                Ok::<_, Error>((found, more?))
            }))
            .await;
            Ok::<_, Failure>((targets, found))
        })?;
        let mut failures = Vec::new();
        let mut clusters = Vec::new();
        for (target, found) in targets.iter().zip(found) {
            let goal = new
                .get(&target.name)
                .ok_or_else(|| no_folder(target, &ask.dir, &new, ask.selection.spec.as_deref()))?;
            let found = found.map_err(|error| {
                let why = error.to_string();
                failures.extend(unasked(std::slice::from_ref(target), &[Err(error)]));
                why
            });
            if let Ok((_, more)) = &found {
                failures.extend(other_clock(target, more.clock, at));
            }
            clusters.push(Member::new(target, goal, old.get(&target.name), found));
        }
        set_apart(&targets, &mut clusters);
        if ask.back {
            for (target, cluster) in targets.iter().zip(&mut clusters) {
                cluster.turn(target)?;
            }
        }
        let (dir, back) = (ask.dir.clone(), ask.back);
        let mut situation = Self { targets, clusters, partners, bridges, failures, dir, back, at };
        situation.add_bridges();
        Ok(situation)
    }

    /// As the planner takes them.
    pub(super) fn members(&self) -> Vec<RotationCluster<'_>> {
        let partners = self.partners.iter();
        let partners = partners.map(|one| RotationCluster::new(&one.name, &one.roots, &one.roots));
        self.clusters.iter().map(Member::cluster).chain(partners).collect()
    }

    /// Clusters whose proxies have rejected more certificates than before, and how many more.
    pub(super) fn rejected_since(&self, before: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
        let now = self.rejected().into_iter();
        let more = now.filter_map(|(name, count)| {
            let more = count.checked_sub(*before.get(name.as_str())?)?;
            let cluster = self.clusters.iter().find(|one| one.name == name)?;
            (more > 0).then_some((cluster.name.as_str(), more))
        });
        more.collect()
    }

    /// How many certificates the proxies of each cluster have rejected, where they count them.
    pub(super) fn rejected(&self) -> BTreeMap<String, u64> {
        let all = self.clusters.iter();
        all.filter_map(|one| Some((one.name.clone(), one.seen.as_ref()?.rejected?))).collect()
    }

    /// The name of a cluster or a partner.
    pub(super) fn name(&self, index: usize) -> &str {
        let clusters = self.clusters.iter().map(|one| one.name.as_str());
        let all = clusters.chain(self.partners.iter().map(|one| one.name.as_str()));
        all.into_iter().nth(index).unwrap_or_default()
    }

    /// The clusters that these moves give a CA which their istiod made for itself.
    pub(super) fn own_cas(&self, moves: &[RotationMove]) -> BTreeSet<String> {
        let own = moves.iter().filter(|one| {
            let cluster = &self.clusters[one.cluster];
            let ca = one.secret.ca(cluster.version());
            ca.is_some() && cluster.own_ca == ca
        });
        own.map(|one| self.clusters[one.cluster].name.clone()).collect()
    }

    /// Bridges that clusters send already, and those that a CA that istiod made for itself can sign: its key is there.
    fn add_bridges(&mut self) {
        let mut more = Vec::new();
        for cluster in &self.clusters {
            let version = cluster.version();
            let sent = cluster.live.chain(version);
            more.extend(sent.into_iter().filter(|cert| !cert.is_self_issued()));
            let signs_own = cluster.own_ca.is_some() && cluster.own_ca == cluster.live.ca(version);
            if signs_own {
                let goals = cluster.goal.roots(version);
                more.extend(goals.iter().filter_map(|root| own_bridge(cluster, root, self.at)));
            }
        }
        for bridge in more {
            if !self.bridges.contains(&bridge) {
                self.bridges.push(bridge);
            }
        }
    }
}

/// The root of the goal, certified by a CA that istiod made for itself.
fn own_bridge(cluster: &Member, root: &Cert, at: Time) -> Option<Cert> {
    let ca = cluster.live.ca(cluster.version())?;
    let file = cluster.live.layout(cluster.version()).key_file();
    let key = SoftKey::from_pem(cluster.live.get(file)?, None).ok()?;
    let stamp = Stamp::made_at(at, Serial::generate());
    Bridge::new().for_root(root, Issuer { cert: &ca, signer: &key }, stamp).ok()
}

/// Asks a cluster for what only a rotation needs.
async fn more(target: &Target, found: &Found, parallel: usize) -> Result<More, Error> {
    let proxies = target.kube.proxies(parallel, until(found));
    let (own, proxies, clock) =
        tokio::try_join!(target.kube.own_ca(), proxies, target.kube.clock())?;
    Ok(More { own, proxies, clock })
}

/// When every certificate must have ended that istiod signed before it loaded what it serves now: it presents a
/// certificate that it made then (`pilot/pkg/bootstrap/istio_ca.go: handleEvent`). `None` if a pod does not answer.
fn until(found: &Found) -> Option<Time> {
    let begin = |pod: &PodProof| pod.served.as_ref().ok()?.first()?.not_before().time();
    let begins: Option<Vec<Time>> = found.served.iter().map(begin).collect();
    let last = begins?.into_iter().max()?;
    let longest = found.seen.istiods.iter().map(|istiod| istiod.longest_life).max()?;
    Some(last + ISTIOD_BACKDATE + longest)
}

/// A cluster whose clock differs from ours.
fn other_clock(target: &Target, clock: Option<Time>, at: Time) -> Option<Failure> {
    let clock = clock.filter(|clock| clock.abs_diff(at) > SKEW)?;
    Some(
        Failure::new(
            "ctl/clock-differs",
            format!("the clocks of {} and of this machine differ", target.name),
        )
        .within(place(target))
        .because(format!("the API server has {clock}, this machine has {at}"))
        .hint("set the clock that is wrong; `date -u` shows this machine's"),
    )
}

/// The clusters that need not accept each other, by the spec.
fn set_apart(targets: &[Target], clusters: &mut [Member]) {
    for (target, cluster) in targets.iter().zip(clusters) {
        let is_apart = |index: &usize| target.apart.contains(&targets[*index].name);
        cluster.apart = (0..targets.len()).filter(is_apart).collect();
    }
}

impl Partner {
    /// Reads `NAME=FILE`.
    fn read(text: &str) -> Result<Self, Failure> {
        let Some((name, file)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Failure::usage(format!("invalid partner `{text}`: expected NAME=FILE")));
        };
        let file = Path::new(file);
        let bytes = files::read_optional(file)?.unwrap_or_default();
        let roots = if bytes.trim_ascii_start().first() == Some(&b'{') {
            let domain: TrustDomain = "partner".parse().map_err(meshpki::Error::from)?;
            let read = Bundle::from_json(domain, &bytes);
            read.map_err(|error| Failure::from(error).in_file(file))?.0.roots().to_vec()
        } else {
            certs_of_file(file)?
        };
        let roots: String = roots.iter().map(Cert::to_pem).collect();
        let roots = [("root-cert.pem", roots)].into_iter().collect();
        Ok(Self { name: name.to_owned(), roots })
    }
}

impl Member {
    fn new(
        target: &Target,
        goal: &Secret,
        old: Option<&Secret>,
        found: Result<(Found, More), String>,
    ) -> Self {
        let mut member = Self {
            name: target.name.clone(),
            live: Secret::default(),
            own: false,
            own_ca: None,
            goal: goal.clone(),
            earlier: old.into_iter().cloned().collect(),
            seen: None,
            apart: Vec::new(),
            unfinished: None,
            unknown: None,
        };
        let (found, more) = match found {
            Ok(found) => found,
            Err(why) => {
                member.unknown = Some(why);
                return member;
            }
        };
        let observed = &found.seen.observed;
        member.own_ca = more.own.as_ref().and_then(|own| own.ca(found.seen.release()));
        member.earlier.extend(observed.previous.as_ref().map(|kept| kept.files.clone()));
        match (&observed.secret, more.own) {
            (Some(live), own) => {
                member.live = live.files.clone();
                let version = found.seen.release();
                member.earlier.extend(own.filter(|own| is_before(own, &member.live, version)));
            }
            (None, Some(own)) => (member.live, member.own) = (own, true),
            (None, None) if found.seen.istiods.is_empty() => {}
            (None, None) => {
                member.unknown =
                    Some("it has neither a secret nor a CA that istiod made for itself".to_owned());
            }
        }
        member.unfinished = member.unfinished(&found);
        member.seen = Some(Sighted {
            trust_domain: found.seen.mesh.trust_domain().parse().ok(),
            asked: more.proxies.asked,
            rejected: more.proxies.failures,
            sightings: sightings(&found, more.proxies.sightings),
            found,
        });
        member
    }

    /// The way back: the old CA is the goal.
    fn turn(&mut self, target: &Target) -> Result<(), Failure> {
        let version = self.version();
        let new = self.goal.ca(version);
        let is_old = |secret: &&Secret| secret.ca(version).is_some_and(|ca| Some(ca) != new);
        let old = self.earlier.iter().chain([&self.live]).find(is_old).cloned();
        let Some(old) = old else {
            let message = format!("nothing has the CA that {} had before", self.name);
            return Err(Failure::new("ctl/no-previous", message)
                .within(place(target))
                .hint("name the folder of the old CA with `--from`"));
        };
        self.earlier.push(std::mem::replace(&mut self.goal, old));
        Ok(())
    }

    pub(super) fn version(&self) -> Version {
        self.seen.as_ref().map_or(Version::NEWEST, |one| one.found.seen.release())
    }

    fn cluster(&self) -> RotationCluster<'_> {
        let mut cluster = RotationCluster::new(&self.name, &self.live, &self.goal);
        cluster.earlier = self.earlier.iter().collect();
        cluster.apart.clone_from(&self.apart);
        cluster.unfinished.clone_from(&self.unfinished);
        cluster.unknown.clone_from(&self.unknown);
        if let Some(seen) = &self.seen {
            cluster.version = seen.found.seen.release();
            cluster.trust_domain.clone_from(&seen.trust_domain);
            cluster.ambient = seen.found.seen.istiods.iter().any(|istiod| istiod.ambient);
            cluster.sightings = seen.sightings.clone();
        }
        cluster
    }

    /// What keeps the secret from being in use in every istiod.
    fn unfinished(&self, found: &Found) -> Option<String> {
        if self.own || found.seen.observed.secret.is_none() {
            return None;
        }
        let observed = &found.seen.observed;
        let is_istiods = |pending: &Pending| {
            matches!(pending, Pending::Restart { .. })
                || observed.istiod.iter().any(|istiod| istiod.id == *pending.id())
        };
        if let Some(pending) = observed.pending().into_iter().find(is_istiods) {
            return Some(pending.to_string());
        }
        let version = found.seen.release();
        let (ca, sent) = (self.live.ca(version)?, self.live.chain(version));
        let trusted = self.live.roots(version);
        let serves = |pod: &PodProof| {
            let Ok([leaf, rest @ ..]) = pod.served.as_deref() else { return false };
            let is_known =
                |cert: &Cert| *cert == ca || sent.contains(cert) || trusted.contains(cert);
            chain::issued(&ca, leaf)
                && sent.iter().all(|cert| rest.contains(cert))
                && rest.iter().all(is_known)
        };
        if let Some(pod) = found.served.iter().find(|pod| !serves(pod)) {
            return Some(match &pod.served {
                Ok(_) => format!("pod {} has not loaded the secret", pod.pod),
                Err(why) => format!("pod {} does not answer: {why}", pod.pod),
            });
        }
        let roots = fingerprints(&self.live.roots(version));
        let differs = |given: &&NamespaceRoots| {
            given.roots.as_deref().is_some_and(|given| fingerprints(given) != roots)
        };
        let given = found.seen.given.iter().find(differs)?;
        Some(format!("namespace {} has other roots than the secret", given.namespace))
    }
}

/// Whether a CA that istiod made for itself is the one that a cluster had before this secret: its root is trusted, or a
/// bridge leads to it. It stays in the cluster for ever.
fn is_before(own: &Secret, live: &Secret, version: Version) -> bool {
    let Some(ca) = own.ca(version) else { return false };
    let sent = live.chain(version);
    live.roots(version).contains(&ca) || sent.iter().any(|cert| chain::issued(&ca, cert))
}

/// What proxies have, and what namespaces hand out: by it agents know istiod.
fn sightings(found: &Found, mut seen: Sightings) -> Sightings {
    for given in &found.seen.given {
        let Some(roots) = given.roots.as_deref() else { continue };
        let by_bundle = found.seen.istiods.iter().any(|istiod| istiod.trust_bundle);
        if by_bundle {
            seen.add_roots("the ClusterTrustBundle of istiod", roots);
        } else {
            seen.add_roots(&format!("configmap {}/{ROOT_CONFIG_MAP}", given.namespace), roots);
        }
    }
    seen
}
