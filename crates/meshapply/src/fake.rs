//! A cluster in memory that can be told to misbehave.

use std::cell::RefCell;
use std::collections::BTreeSet;

use meshpki::cacerts::Secret;
use meshpki::federation::Bridge;
use meshpki::istiod::{NamespaceRoots, Version};
use meshpki::{
    Cert, Issuer, KeyType, Name, Profile, Serial, Signer, SoftKey, Stamp, Time, TrustDomain,
};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::next::Action;
use crate::proof::{Canary, PodProof, Proof};
use crate::state::{Desired, Live, Observed, RestartTarget, mark};
use crate::workload::{Id, Kind, Pod, Workload};

pub(crate) const NOW: Time = Time(1_795_244_400);

/// A root that signs sets of files.
pub(crate) struct Root {
    cert: Cert,
    key: SoftKey,
}

impl Root {
    pub(crate) fn new(name: &str) -> Self {
        let key = key();
        let profile = Profile::root(name.parse::<Name>().unwrap());
        Self { cert: meshpki::self_signed(&profile, &key, stamp()).unwrap(), key }
    }

    /// Another root under this one.
    pub(crate) fn bridge(&self, other: &Self) -> Cert {
        let issuer = Issuer { cert: &self.cert, signer: &self.key };
        Bridge::new().for_root(&other.cert, issuer, stamp()).unwrap()
    }

    /// The four files of a cluster under this root.
    pub(crate) fn secret(&self, name: &str) -> Secret {
        self.secret_of(&Profile::cluster(name.parse::<Name>().unwrap()))
    }

    /// The four files of a cluster with such a CA.
    pub(crate) fn secret_of(&self, profile: &Profile) -> Secret {
        let key = key();
        let issuer = Issuer { cert: &self.cert, signer: &self.key };
        let cert = meshpki::issue(profile, key.public_key(), issuer, stamp()).unwrap();
        [
            ("ca-cert.pem", cert.to_pem()),
            ("ca-key.pem", key.to_pem().to_string()),
            ("cert-chain.pem", cert.to_pem() + &self.cert.to_pem()),
            ("root-cert.pem", self.cert.to_pem()),
        ]
        .into_iter()
        .collect()
    }
}

fn key() -> SoftKey {
    SoftKey::generate(KeyType::EcdsaP256).unwrap()
}

fn stamp() -> Stamp {
    let mut random = [0; 20];
    meshpki::internals::fill_random(&mut random);
    Stamp::made_at(NOW, Serial::from_random(random))
}

/// A workload certificate of the CA in a secret, and the chain above it.
fn leaf(secret: &Secret, release: Version) -> Vec<Cert> {
    let key_file = secret.layout(release).key_file();
    let signer = SoftKey::from_pem(secret.get(key_file).unwrap(), None).unwrap();
    let issuer = secret.ca(release).unwrap();
    let domain: TrustDomain = "cluster.local".parse().unwrap();
    let profile = Profile::workload(&domain.workload("default", "default").unwrap());
    let issuer = Issuer { cert: &issuer, signer: &signer };
    let cert = meshpki::issue(&profile, key().public_key(), issuer, stamp()).unwrap();
    let mut chain = vec![cert];
    chain.extend(secret.chain(release));
    chain
}

/// What goes wrong.
#[derive(Default)]
pub(crate) struct Trouble {
    /// Looks that fail, counted down.
    pub(crate) away: usize,
    /// Workloads whose new pods never come up.
    pub(crate) stuck: BTreeSet<String>,
    /// Workloads whose rollout never ends.
    pub(crate) slow: BTreeSet<String>,
    /// istiod takes a changed secret after this many proofs; `None`: never.
    pub(crate) reloads_after: Option<usize>,
    /// Actions that are done before everything is refused.
    pub(crate) breaks_after: Option<usize>,
    /// Every write is answered with this status.
    pub(crate) refuses_with: Option<u16>,
    /// Another program removes marks from pod templates as soon as they are there.
    pub(crate) reverts: bool,
    /// There is no right to create secrets.
    pub(crate) no_create: bool,
    /// Admission puts these files in the place of those written.
    pub(crate) webhook: Option<Secret>,
    /// Another program writes this before our first write.
    pub(crate) faster: Option<Secret>,
    /// Another program writes this after our write.
    pub(crate) slower: Option<Secret>,
}

pub(crate) struct Fake {
    pub(crate) state: RefCell<State>,
}

pub(crate) struct State {
    pub(crate) observed: Observed,
    /// What istiod runs with.
    pub(crate) running: Secret,
    pub(crate) trouble: Trouble,
    /// Everything written, in order.
    pub(crate) log: Vec<String>,
    /// The most rollouts under way at the same time.
    pub(crate) most: usize,
    version: u64,
    proofs: usize,
}

impl Fake {
    /// istiod, a gateway and two workloads; istiod runs with `running`, which is the secret unless `bare`.
    pub(crate) fn new(running: &Secret, bare: bool) -> Self {
        let observed = Observed {
            secret: (!bare).then(|| live(running.clone(), 1)),
            vacant: None,
            previous: None,
            has_previous: false,
            istiod: vec![workload("istio-system", "istiod")],
            gateways: vec![workload("istio-system", "gateway")],
            workloads: vec![workload("shop", "cart"), workload("shop", "web")],
        };
        Self {
            state: RefCell::new(State {
                observed,
                running: running.clone(),
                trouble: Trouble::default(),
                log: vec![],
                most: 0,
                version: 1,
                proofs: 0,
            }),
        }
    }

    pub(crate) fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.state.borrow_mut());
        self
    }

    /// The roots the namespace is given now.
    pub(crate) fn given(&self) -> Vec<NamespaceRoots> {
        let running = &self.state.borrow().running;
        let roots = running.roots(Version::NEWEST);
        vec![NamespaceRoots::new("shop", Some(roots))]
    }

    pub(crate) fn log(&self) -> String {
        self.state.borrow().log.join(", ")
    }
}

fn live(files: Secret, version: u64) -> Live {
    Live {
        files,
        resource_version: version.to_string(),
        foreign: vec![],
        mark: None,
        claim: None,
        restart: BTreeSet::new(),
        immutable: false,
        type_: "Opaque".to_owned(),
        has_copy: false,
        written: None,
    }
}

fn workload(namespace: &str, name: &str) -> Workload {
    let pod = Pod {
        name: format!("{name}-1"),
        ready: true,
        terminating: false,
        waiting: None,
        restarts: 0,
    };
    Workload {
        id: Id { namespace: namespace.into(), kind: Kind::Deployment, name: name.into() },
        generation: 1,
        observed_generation: 1,
        wanted: 1,
        total: 1,
        updated: 1,
        available: 1,
        paused: false,
        manual: None,
        deadline: None,
        restarted_for: None,
        release: None,
        pods: vec![pod],
    }
}

fn refused(status: u16) -> Error {
    Error::Api { what: "write".into(), message: "it says no".into(), status }
}

impl State {
    fn all(&mut self) -> impl Iterator<Item = &mut Workload> {
        let Observed { istiod, gateways, workloads, .. } = &mut self.observed;
        istiod.iter_mut().chain(gateways).chain(workloads)
    }

    /// One step of every rollout: seen, new pod there, done; each at a look of its own.
    fn roll(&mut self) {
        let is_under_way =
            |w: &&mut Workload| w.observed_generation < w.generation || w.updated < w.wanted;
        let under_way = self.all().filter(is_under_way).count();
        self.most = self.most.max(under_way);
        let (stuck, slow) = (self.trouble.stuck.clone(), self.trouble.slow.clone());
        let mut restarted = false;
        for workload in self.all() {
            let name = workload.id.name.clone();
            if workload.observed_generation < workload.generation {
                workload.observed_generation = workload.generation;
                (workload.updated, workload.total) = (0, 1);
            } else if workload.updated < workload.wanted && stuck.contains(&name) {
                workload.deadline = Some("timed out progressing".into());
            } else if workload.updated < workload.wanted && !slow.contains(&name) {
                workload.updated = workload.wanted;
                restarted |= name == "istiod";
            }
        }
        if restarted && let Some(live) = &self.observed.secret {
            self.running = live.files.clone();
        }
    }

    /// A write by another program, or with a mark of ours.
    fn write(&mut self, files: Secret, ours: Option<(BTreeSet<RestartTarget>, String)>) {
        self.version += 1;
        let (restart, mark) = ours.map(|(who, mark)| (who, Some(mark))).unwrap_or_default();
        let claim = mark.clone();
        self.observed.vacant = None;
        self.observed.secret = Some(Live { restart, mark, claim, ..live(files, self.version) });
        self.proofs = 0;
    }
}

impl Cluster for Fake {
    async fn observe(&self) -> Result<Observed, Error> {
        let state = &mut *self.state.borrow_mut();
        if state.trouble.away > 0 {
            state.trouble.away -= 1;
            return Err(Error::Unreachable { what: "look".into(), message: "refused".into() });
        }
        let seen = state.observed.clone();
        state.roll();
        Ok(seen)
    }

    async fn act(&self, action: &Action, desired: &Desired) -> Result<(), Error> {
        let state = &mut *self.state.borrow_mut();
        if let Some(status) = state.trouble.refuses_with {
            return Err(refused(status));
        }
        if let Some(left) = &mut state.trouble.breaks_after {
            if *left == 0 {
                return Err(Error::Interrupted { what: "it".into() });
            }
            *left -= 1;
        }
        match action {
            Action::KeepPrevious => {
                let mut kept = state.observed.secret.clone().unwrap();
                kept.files = kept.files.for_istiod();
                state.observed.previous = Some(kept);
                state.log.push("keep".into());
            }
            Action::WriteSecret { over } => {
                if let Some(other) = state.trouble.faster.take() {
                    state.write(other, None);
                }
                if state.observed.basis() != *over {
                    return Err(refused(409));
                }
                if over.is_none() && state.trouble.no_create {
                    return Err(Error::Forbidden { what: "create".into(), message: "no".into() });
                }
                let mark = mark(&desired.secret, over.as_deref());
                let has_copy = state.observed.secret.as_ref().is_some_and(|live| live.has_copy);
                state.write(desired.secret.clone(), Some((desired.restart.clone(), mark)));
                // An annotation of another program outlives an apply of ours.
                state.observed.secret.as_mut().unwrap().has_copy = has_copy;
                state.log.push("write".into());
                if let Some(webhook) = state.trouble.webhook.take()
                    && let Some(live) = &mut state.observed.secret
                {
                    live.files = webhook;
                    live.mark = None;
                }
                if let Some(other) = state.trouble.slower.take() {
                    state.write(other, None);
                }
            }
            Action::Note { over } => {
                let mark = mark(&desired.secret, Some(over));
                state.write(desired.secret.clone(), Some((desired.restart.clone(), mark)));
                state.log.push("note".into());
            }
            Action::Clean { over } => {
                let live = state.observed.secret.as_mut().unwrap();
                assert_eq!(live.resource_version, *over);
                live.has_copy = false;
                state.log.push("clean".into());
            }
            Action::Forget { over } => {
                let kept = state.observed.previous.take().unwrap();
                assert_eq!(kept.resource_version, *over);
                state.log.push("forget".into());
            }
            Action::Restart { id, mark } => {
                state.log.push(format!("restart {}", id.name));
                let reverts = state.trouble.reverts;
                let workload = state.all().find(|w| w.id == *id).unwrap();
                workload.restarted_for = if reverts { None } else { Some(mark.clone()) };
                workload.generation += 1;
            }
        }
        Ok(())
    }

    async fn prove(&self, _: &Desired) -> Result<Proof, Error> {
        let state = &mut *self.state.borrow_mut();
        if state.trouble.reloads_after.is_some_and(|after| state.proofs >= after)
            && let Some(live) = &state.observed.secret
        {
            state.running = live.files.clone();
        }
        state.proofs += 1;
        let running = &state.running;
        let roots = running.roots(Version::NEWEST);
        let istiods = state.observed.istiod.iter();
        let pods = istiods.flat_map(|istiod| istiod.ready_pods().map(move |pod| (istiod, pod)));
        let pods = pods.map(|(istiod, pod)| {
            let release = istiod.release.unwrap_or(Version::NEWEST);
            let canary = Canary { chain: leaf(running, release), roots: running.roots(release) };
            PodProof {
                pod: pod.name.clone(),
                release,
                served: Ok(leaf(running, release)),
                canary: Some(Ok(canary)),
            }
        });
        let namespaces = vec![NamespaceRoots::new("shop", Some(roots))];
        Ok(Proof { at: NOW, pods: pods.collect(), namespaces, crls: None })
    }
}
