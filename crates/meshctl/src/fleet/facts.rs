//! The facts about one cluster.

mod words;

use std::path::{Path, PathBuf};

use meshapply::proof::{PodProof, verify_chain};
use meshapply::state::Live;
use meshpki::cacerts::Secret;
use meshpki::internals::fingerprints;
use meshpki::istiod::{Dataplane, LiveIstiod, StartOutcome, Version};
use meshpki::{Cert, Time, chain};

use crate::files;
use crate::fleet::clusters::{Seen, Target};
use crate::fleet::judge;
use crate::fleet::observe::{self, Found};

pub(crate) use words::described;

/// A cluster in facts.
pub(crate) struct Facts {
    /// Every revision of istiod.
    pub(crate) istiods: Vec<LiveIstiod>,
    /// Whether istiod uses the secret, as it says itself at a start; else it has a CA of its own.
    pub(crate) is_plugged: bool,
    /// Whether there is a secret.
    pub(crate) has_secret: bool,
    /// The CA of the secret; without one in use, the CA istiod serves.
    pub(crate) ca: Option<Cert>,
    /// The certificates above the CA.
    pub(crate) chain: Vec<Cert>,
    /// The roots of the secret; without one in use, those namespaces are given.
    pub(crate) roots: Vec<Cert>,
    /// The folder on disk, where one was asked for.
    pub(crate) folder: Option<Folder>,
    /// What each pod serves.
    pub(crate) served: Vec<Served>,
    /// The namespaces and the roots they are given.
    pub(crate) given: Vec<Given>,
    /// Every set of roots that namespaces are given, each once.
    pub(crate) trusted: Vec<Trusted>,
    /// What waits: restarts and rollouts.
    pub(crate) pending: Vec<String>,
    /// The secret that is kept for a rollback.
    pub(crate) kept: Option<Kept>,
    /// The sets of the cluster in `DIR/previous`.
    pub(crate) kept_folders: Vec<files::Kept>,
}

/// A kept secret, without its keys.
pub(crate) struct Kept {
    /// Its CA.
    pub(crate) ca: Option<Cert>,
    /// The names of its files.
    pub(crate) files: Vec<String>,
    /// The names of those with a private key that no rollback uses.
    pub(crate) unused_keys: Vec<String>,
    /// Since when it is kept.
    pub(crate) since: Option<Time>,
}

/// The folder of the cluster compared with what is live.
pub(crate) enum Folder {
    /// No folder has its name.
    Absent(PathBuf),
    /// The same files with the same bytes.
    Same(PathBuf),
    /// The names of what differs.
    Differs {
        /// The folder.
        path: PathBuf,
        /// `the CA`, `the roots`, `ca-key.pem`.
        what: Vec<String>,
        /// Whether it has a later issue of the same CA, or the same: a push brings it in.
        is_later: bool,
    },
}

/// What a pod of istiod serves.
pub(crate) struct Served {
    pub(crate) pod: String,
    /// The chain, or why it did not answer.
    pub(crate) chain: Result<Vec<Cert>, String>,
    /// Whether the CA of the facts issued it; `None`: not known.
    pub(crate) is_live: Option<bool>,
}

/// What a namespace is given.
pub(crate) struct Given {
    pub(crate) namespace: String,
    /// `None`: it has no ConfigMap.
    pub(crate) roots: Option<Vec<Cert>>,
    /// Whether they are the roots of the facts.
    pub(crate) is_right: bool,
}

/// Roots, and the proxies that are given them.
pub(crate) struct Trusted {
    pub(crate) roots: Vec<Cert>,
    pub(crate) proxies: Dataplane,
    /// What the proxies were made of, besides the roots.
    pub(crate) of: ProxiesOf,
}

/// What decides how proxies judge, besides their roots.
pub(crate) struct ProxiesOf {
    pub(crate) release: Version,
    pub(crate) is_ambient: bool,
    pub(crate) has_crl: bool,
}

impl Trusted {
    /// The proxies of a release, with or without ztunnel, that are given these roots and the CRLs of a secret.
    fn new(roots: Vec<Cert>, secret: Option<&Secret>, release: Version, is_ambient: bool) -> Self {
        let crl = secret.and_then(|secret| secret.crl(release));
        Self {
            proxies: Dataplane::new(&roots, crl, release, is_ambient),
            of: ProxiesOf { release, is_ambient, has_crl: crl.is_some() },
            roots,
        }
    }

    /// The roots that namespaces are given; without any, those of the secret.
    fn all(
        given: &[(String, Option<Vec<Cert>>)],
        roots: &[Cert],
        seen: &Seen,
        secret: Option<&Secret>,
    ) -> Vec<Self> {
        let mut sets: Vec<&[Cert]> = Vec::new();
        for set in given.iter().filter_map(|(_, roots)| roots.as_deref()) {
            let is_same = |known: &&[Cert]| fingerprints(known) == fingerprints(set);
            if !set.is_empty() && !sets.iter().any(is_same) {
                sets.push(set);
            }
        }
        if sets.is_empty() && !roots.is_empty() {
            sets.push(roots);
        }
        let (release, is_ambient) = (seen.release(), judge::is_ambient(seen));
        sets.into_iter().map(|set| Self::new(set.to_vec(), secret, release, is_ambient)).collect()
    }
}

impl Facts {
    /// A secret that no cluster was asked about: what istiod of a release, with or without ztunnel, will use.
    pub(crate) fn of_secret(secret: &Secret, release: Version, is_ambient: bool) -> Self {
        let roots = secret.roots(release);
        Self {
            istiods: Vec::new(),
            is_plugged: true,
            has_secret: true,
            ca: secret.ca(release),
            chain: secret.chain(release),
            folder: None,
            served: Vec::new(),
            given: Vec::new(),
            trusted: vec![Trusted::new(roots.clone(), Some(secret), release, is_ambient)],
            pending: Vec::new(),
            kept: None,
            kept_folders: Vec::new(),
            roots,
        }
    }

    pub(crate) fn new(
        target: &Target,
        found: &Found,
        folder: Option<(&Path, Option<Secret>, &[files::Kept])>,
        at: Time,
    ) -> Self {
        let seen = &found.seen;
        let (secret, release) = (seen.observed.secret.as_ref(), seen.release());
        let is_plugged = secret.is_some_and(|live| is_plugged(live, found, at));
        let given = seen.given.iter().map(|given| (given.namespace.clone(), given.roots.clone()));
        let given: Vec<(String, Option<Vec<Cert>>)> = given.collect();
        let chains = found.served.iter().filter_map(|pod| pod.served.as_deref().ok());
        let usual = usual_roots(&given, &chains.collect::<Vec<_>>(), at);
        let (ca, chain, roots) = match secret.filter(|_| is_plugged) {
            Some(live) => {
                let files = &live.files;
                (files.ca(release), files.chain(release), files.roots(release))
            }
            None => (issuer(&found.served, &usual), Vec::new(), usual),
        };
        let trusted = Trusted::all(&given, &roots, seen, secret.map(|live| &live.files));
        let given = given.into_iter().map(|(namespace, given)| Given {
            is_right: given
                .as_ref()
                .is_some_and(|given| fingerprints(given) == fingerprints(&roots)),
            namespace,
            roots: given,
        });
        let kept_folders = folder.as_ref().map(|(_, _, kept)| of_cluster(kept, &target.name));
        Self {
            istiods: judge::istiods(seen),
            is_plugged,
            has_secret: secret.is_some(),
            folder: folder.map(|(dir, files, _)| Folder::new(dir, target, files, secret, release)),
            served: found.served.iter().map(|pod| Served::new(pod, ca.as_ref())).collect(),
            given: given.collect(),
            trusted,
            pending: pending(found),
            kept: seen
                .observed
                .previous
                .as_ref()
                .filter(|kept| kept.is_kept())
                .map(|kept| Kept::new(kept, release)),
            kept_folders: kept_folders.unwrap_or_default(),
            ca,
            chain,
            roots,
        }
    }

    /// Every CA that istiod uses or serves, and every root that namespaces are given.
    pub(crate) fn cas(&self) -> impl Iterator<Item = &Cert> {
        let served = self.served.iter().filter_map(|pod| pod.chain.as_ref().ok());
        let served = served.flat_map(|chain| chain.iter().skip(1));
        let given = self.given.iter().flat_map(|given| given.roots.iter().flatten());
        self.ca.iter().chain(&self.chain).chain(&self.roots).chain(served).chain(given)
    }

    /// The namespaces without the right roots.
    pub(crate) fn lacking(&self) -> impl Iterator<Item = &Given> {
        self.given.iter().filter(|given| !given.is_right)
    }
}

/// Whether every istiod there uses the secret, or tries to.
fn is_plugged(live: &Live, found: &Found, at: Time) -> bool {
    let settings = judge::settings(&found.seen);
    let uses = |settings| {
        let start = meshpki::istiod::starts(&live.files, settings, at);
        !matches!(start, StartOutcome::SelfSigned { .. })
    };
    settings.iter().all(uses)
}

/// Of the sets of roots that namespaces are given, the one under which most of what istiod serves is valid; among equals,
/// the one that most namespaces have.
fn usual_roots(given: &[(String, Option<Vec<Cert>>)], chains: &[&[Cert]], at: Time) -> Vec<Cert> {
    let mut sets: Vec<(&[Cert], usize)> = Vec::new();
    for set in given.iter().filter_map(|(_, roots)| roots.as_deref()) {
        match sets.iter_mut().find(|(known, _)| fingerprints(known) == fingerprints(set)) {
            Some((_, count)) => *count += 1,
            None => sets.push((set, 1)),
        }
    }
    let is_valid =
        |chain: &&&[Cert], set| verify_chain(chain, set, at).is_some_and(|verdict| verdict.is_ok());
    let valid = |set| chains.iter().filter(|chain| is_valid(chain, set)).count();
    // Of several that are the greatest, the last is taken: the first in the order of the namespaces.
    let usual = sets.iter().rev().max_by_key(|(set, count)| (valid(*set), *count));
    usual.map(|(set, _)| set.to_vec()).unwrap_or_default()
}

/// Who issued what istiod serves, as far as it is there to be seen.
fn issuer(served: &[PodProof], roots: &[Cert]) -> Option<Cert> {
    let chain = served.iter().find_map(|pod| pod.served.as_ref().ok())?;
    let leaf = chain.first()?;
    chain.iter().skip(1).chain(roots).find(|cert| chain::issued(cert, leaf)).cloned()
}

impl Served {
    fn new(pod: &PodProof, ca: Option<&Cert>) -> Self {
        let leaf = pod.served.as_ref().ok().and_then(|chain| chain.first());
        let is_live = leaf.zip(ca).map(|(leaf, ca)| chain::issued(ca, leaf));
        Self { pod: pod.pod.clone(), chain: pod.served.clone(), is_live }
    }
}

impl Folder {
    fn new(
        dir: &Path,
        target: &Target,
        files: Option<Secret>,
        live: Option<&Live>,
        release: Version,
    ) -> Self {
        let path = dir.join(&target.name);
        let Some(files) = files else { return Self::Absent(path) };
        let Some(live) = live else {
            let what = vec!["no secret".to_owned()];
            return Self::Differs { path, what, is_later: true };
        };
        let files = files.for_istiod();
        if files == live.files {
            return Self::Same(path);
        }
        let both = files.ca(release).zip(live.files.ca(release));
        let is_later = both.is_some_and(|(ours, theirs)| observe::is_later(&ours, &theirs));
        Self::Differs { path, what: differences(&files, &live.files, release), is_later }
    }
}

/// What differs, in the order of importance. Of a key only the fact that it differs is reported.
fn differences(one: &Secret, other: &Secret, release: Version) -> Vec<String> {
    let mut what = Vec::new();
    if one.ca(release) != other.ca(release) {
        what.push("the CA".to_owned());
    }
    if fingerprints(&one.roots(release)) != fingerprints(&other.roots(release)) {
        what.push("the roots".to_owned());
    }
    let names: std::collections::BTreeSet<&str> = one.names().chain(other.names()).collect();
    // Where the certificates are others, so are the other files.
    let is_whole = !what.is_empty();
    let differ = names.into_iter().filter(|name| one.get(name) != other.get(name));
    what.extend(differ.filter(|name| !is_whole || Secret::is_key(name)).map(str::to_owned));
    what
}

/// Pending restarts and rollouts, and gateways that may still use the old roots.
fn pending(found: &Found) -> Vec<String> {
    let mut lines: Vec<String> =
        found.seen.observed.pending().iter().map(ToString::to_string).collect();
    for older in found.older.iter().flatten() {
        lines.push(format!(
            "pod {} of {} in {} started before the roots changed at {}; {}",
            older.pod, older.id, older.id.namespace, older.changed, older.why
        ));
    }
    lines
}

impl Kept {
    fn new(kept: &Live, release: Version) -> Self {
        let unused =
            kept.files.names().filter(|name| Secret::is_key(name) && !Secret::is_read(name));
        Self {
            ca: kept.files.ca(release),
            files: kept.files.names().map(str::to_owned).collect(),
            unused_keys: unused.map(str::to_owned).collect(),
            since: kept.written,
        }
    }
}

fn of_cluster(kept: &[files::Kept], cluster: &str) -> Vec<files::Kept> {
    kept.iter().filter(|one| one.cluster() == cluster).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs() {
        let secret = |files: &[(&str, &str)]| files.iter().copied().collect::<Secret>();
        let check = |one: &[(&str, &str)], other: &[(&str, &str)], expect: &[&str]| {
            assert_eq!(differences(&secret(one), &secret(other), Version::NEWEST), expect);
        };
        let key = ("ca-key.pem", "a");
        check(&[key], &[key], &[]);
        check(&[key, ("x", "1")], &[key, ("x", "2"), ("y", "")], &["x", "y"]);
        check(&[key], &[("ca-key.pem", "b")], &["ca-key.pem"]);
    }
}
