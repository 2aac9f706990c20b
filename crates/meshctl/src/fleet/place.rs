//! `ctl/wrong-cluster`: whether each context reaches the cluster that is meant.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use meshapply::kube::Identity;
use meshpki::Cert;
use meshpki::cacerts::Secret;
use meshpki::chain::issued;
use meshpki::istiod::Version;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Seen, Target, failed, place};
use crate::hints::get_contexts;

/// The code of every refusal here.
const CODE: &str = "ctl/wrong-cluster";

/// Whether `--force` names it.
pub(crate) fn is_forced(force: &[String]) -> bool {
    force.iter().any(|code| code == CODE)
}

/// For each target the first before it that is the same cluster, if there is one.
pub(crate) struct Twins(Vec<Option<usize>>);

impl Twins {
    /// The name of the target before this one that is the same cluster.
    pub(crate) fn of<'a>(&self, cluster: usize, targets: &'a [Target]) -> Option<&'a str> {
        let twin = (*self.0.get(cluster)?)?;
        Some(targets.get(twin)?.name.as_str())
    }
}

/// Refuses targets that are one cluster: what is written for one would take the place of the other's, and what is
/// compared would be compared with itself.
///
/// # Errors
/// `ctl/wrong-cluster`, unless it is forced; those of a request.
pub(crate) async fn refuse_twins(targets: &[Target], force: &[String]) -> Result<Twins, Failure> {
    let mut identities = Vec::new();
    for (target, identity) in targets.iter().zip(identities_of(targets).await) {
        let identity = identity.map_err(|error| failed(target, &error))?;
        identities.push(Some(identity));
    }
    let found = twins(&identities);
    if let Some((twin, at, why)) = found.first().filter(|_| !is_forced(force)) {
        return Err(one_cluster(&targets[*twin], &targets[*at], why));
    }
    let of = |at: usize| found.iter().find(|(_, of, _)| *of == at).map(|(twin, ..)| *twin);
    Ok(Twins((0..targets.len()).map(of).collect()))
}

/// The same for commands that only read, where a cluster that does not answer does not hide the others.
///
/// # Errors
/// `ctl/wrong-cluster`.
pub(crate) async fn refuse_known_twins(targets: &[Target]) -> Result<(), Failure> {
    let identities: Vec<_> = identities_of(targets).await.into_iter().map(Result::ok).collect();
    match twins(&identities).first() {
        Some((twin, at, why)) => Err(one_cluster(&targets[*twin], &targets[*at], why)),
        None => Ok(()),
    }
}

/// Asked only where there are two that could be one.
async fn identities_of(targets: &[Target]) -> Vec<Result<Identity, meshapply::Error>> {
    if targets.len() < 2 {
        return targets.iter().map(|_| Ok(Identity::default())).collect();
    }
    join_all(targets.iter().map(|target| target.kube.identity())).await
}

/// Each that is the same cluster as one before it: the first such, itself, and what shows it.
fn twins(identities: &[Option<Identity>]) -> Vec<(usize, usize, String)> {
    let same = |one: usize, other: usize| {
        identities[one].as_ref()?.same(identities[other].as_ref()?).map(|why| (one, other, why))
    };
    (0..identities.len()).filter_map(|at| (0..at).find_map(|twin| same(twin, at))).collect()
}

fn one_cluster(one: &Target, other: &Target, why: &str) -> Failure {
    Failure::new(CODE, format!("{} and {} are the same cluster", one.name, other.name))
        .within(place(one))
        .within(place(other))
        .because(why)
        .hint(format!(
            "nothing was written; `{}` shows which cluster each context reaches. A cluster that was restored from another one's backup has the same UID: use `--force ctl/wrong-cluster` to write to it, and read one of the two at a time",
            get_contexts(&one.typed)
        ))
        .exit(Exit::No)
}

/// Refuses targets of which an istiod says that it is in another cluster of the mesh; `names` are those of the mesh. Where
/// istiod cannot be read or does not exist, nothing is reported.
///
/// # Errors
/// `ctl/wrong-cluster`, unless it is forced.
pub(crate) async fn refuse_strangers(
    targets: &[Target],
    names: &[&str],
    force: &[String],
) -> Result<(), Failure> {
    if is_forced(force) {
        return Ok(());
    }
    let asked = join_all(targets.iter().map(|target| target.kube.istiods())).await;
    for (target, istiods) in targets.iter().zip(asked) {
        let istiods = istiods.unwrap_or_default();
        let says = istiods.iter().filter_map(|istiod| istiod.cluster_id.as_deref());
        if let Some(says) = stranger(&target.name, says, names) {
            return Err(failure(&[], target, &Misplaced::Says(says.to_owned())));
        }
    }
    Ok(())
}

/// The name of another cluster that istiod says it is in.
fn stranger<'a>(
    name: &str,
    mut says: impl Iterator<Item = &'a str>,
    names: &[&str],
) -> Option<&'a str> {
    says.find(|says| *says != name && names.contains(says))
}

/// The properties of a target that decide whose CA belongs there.
struct Site<'a> {
    name: &'a str,
    /// The release of its istiod, which decides what it reads from a secret.
    release: Version,
    /// What it should get; `None`: there is no folder with its name.
    wanted: Option<&'a Secret>,
    /// What it holds.
    live: Option<&'a Secret>,
    /// The clusters its istiods say they are in.
    says: Vec<&'a str>,
}

impl Site<'_> {
    fn ca(&self, secret: Option<&Secret>) -> Option<Cert> {
        secret.and_then(|secret| secret.ca(self.release))
    }
}

/// Why the CA for a target is not one for the cluster that its context reaches.
#[derive(Debug, PartialEq, Eq)]
enum Misplaced {
    /// It is live in another target.
    LiveElsewhere(String),
    /// It is the CA for another target too.
    Shared(String),
    /// The live CA is that of another folder.
    LiveIsOf(String),
    /// The live CA has a different name under the same root, or the name of another folder's CA.
    Named {
        /// What is live.
        live: String,
        /// What would take its place.
        wanted: String,
    },
    /// istiod says that it is in another cluster.
    Says(String),
}

/// Where secrets come from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// Folders, by the clusters' names; `others` are those whose cluster is not a target.
    Folders {
        /// The folders whose cluster is not a target.
        others: &'a BTreeMap<String, Secret>,
    },
    /// Folders of another CA: that a name changes under one root, to which a bridge may lead, says nothing.
    Rotation {
        /// What the other clusters have, by name.
        others: &'a BTreeMap<String, Secret>,
    },
    /// The clusters themselves: the secrets replaced there before, which names say nothing about.
    Kept,
}

/// A target, what was read from it, and what it should get.
pub(crate) type Aim<'a> = (&'a Target, &'a Seen, Option<&'a Secret>);

/// Everything that is misplaced, in the order of the targets, each target once, with its name.
pub(crate) fn misplaced(aims: &[Aim<'_>], source: Source<'_>) -> Vec<(String, Failure)> {
    let sites: Vec<Site<'_>> = aims
        .iter()
        .map(|(target, seen, wanted)| Site {
            name: &target.name,
            release: seen.release(),
            wanted: *wanted,
            live: seen.observed.secret.as_ref().map(|live| &live.files),
            says: seen.istiods.iter().filter_map(|istiod| istiod.cluster_id.as_deref()).collect(),
        })
        .collect();
    let misplaced = |(at, aim): (usize, &Aim<'_>)| {
        let failure = failure(aims, aim.0, &judge(&sites, at, source)?);
        Some((aim.0.name.clone(), failure))
    };
    aims.iter().enumerate().filter_map(misplaced).collect()
}

/// Refuses the first that is misplaced.
///
/// # Errors
/// `ctl/wrong-cluster`, unless it is forced.
pub(crate) fn refuse_misplaced(
    targets: &[Target],
    seen: &[Seen],
    wanted: &[Option<&Secret>],
    source: Source<'_>,
    force: &[String],
) -> Result<(), Failure> {
    if is_forced(force) {
        return Ok(());
    }
    let aims = targets.iter().zip(seen).zip(wanted);
    let aims: Vec<Aim<'_>> = aims.map(|((target, seen), wanted)| (target, seen, *wanted)).collect();
    misplaced(&aims, source).into_iter().next().map_or(Ok(()), |(_, failure)| Err(failure))
}

/// Whether one key signs under both certificates: a CA stays the same when its certificate is made again.
fn is_same_ca(one: &Cert, other: &Cert) -> bool {
    one.public_key().as_der() == other.public_key().as_der()
}

fn judge(sites: &[Site<'_>], at: usize, source: Source<'_>) -> Option<Misplaced> {
    let site = sites.get(at)?;
    let wanted = site.ca(site.wanted);
    let live = site.ca(site.live);
    // A site that already has what it should get is left alone, whatever its name.
    if wanted.is_some() && wanted == live {
        return None;
    }
    if let Some(wanted) = &wanted
        && let Some(why) = elsewhere(sites, at, wanted)
    {
        return Some(why);
    }
    let others = match source {
        Source::Folders { others } | Source::Rotation { others } => folders(sites, at, others),
        Source::Kept => Vec::new(),
    };
    let of_other = |cert: &Cert| others.iter().find(|(_, other)| is_same_ca(other, cert));
    let is_own = |cert: &Cert| wanted.as_ref().is_some_and(|own| is_same_ca(own, cert));
    if let Some(live) = live.as_ref().filter(|live| !is_own(live))
        && let Some((name, _)) = of_other(live)
    {
        return Some(Misplaced::LiveIsOf((*name).to_owned()));
    }
    let is_rotation = matches!(source, Source::Rotation { .. });
    if let Some(why) = named(site, wanted.as_ref(), live.as_ref(), (&others, is_rotation)) {
        return Some(why);
    }
    let names: Vec<&str> = others.iter().map(|(name, _)| *name).collect();
    let says = stranger(site.name, site.says.iter().copied(), &names)?;
    Some(Misplaced::Says(says.to_owned()))
}

/// Another target that has this CA, or is about to get it.
fn elsewhere(sites: &[Site<'_>], at: usize, wanted: &Cert) -> Option<Misplaced> {
    let has = |site: &Site<'_>, secret: Option<&Secret>| {
        site.ca(secret).is_some_and(|ca| is_same_ca(&ca, wanted))
    };
    sites.iter().enumerate().filter(|(i, _)| *i != at).find_map(|(_, other)| {
        if has(other, other.live) {
            return Some(Misplaced::LiveElsewhere(other.name.to_owned()));
        }
        has(other, other.wanted).then(|| Misplaced::Shared(other.name.to_owned()))
    })
}

/// The CAs of all folders but this site's.
fn folders<'a>(
    sites: &'a [Site<'_>],
    at: usize,
    others: &'a BTreeMap<String, Secret>,
) -> Vec<(&'a str, Cert)> {
    let of_sites = sites.iter().enumerate().filter(|(i, _)| *i != at);
    let of_sites = of_sites.filter_map(|(_, site)| Some((site.name, site.ca(site.wanted)?)));
    let of_others = others
        .iter()
        .filter_map(|(name, secret)| Some((name.as_str(), secret.ca(Version::NEWEST)?)));
    of_sites.chain(of_others).collect()
}

fn named(
    site: &Site<'_>,
    wanted: Option<&Cert>,
    live: Option<&Cert>,
    (others, is_rotation): (&[(&str, Cert)], bool),
) -> Option<Misplaced> {
    let live = live?;
    let other = others.iter().find(|(_, other)| other.subject() == live.subject());
    let Some(wanted) = wanted else {
        // No folder of its own, and the name that another has.
        return other.map(|(name, _)| Misplaced::LiveIsOf((*name).to_owned()));
    };
    if live.subject() == wanted.subject() {
        return None;
    }
    let root = |secret: Option<&Secret>, ca: &Cert| {
        secret.and_then(|secret| root_of(secret, site.release, ca))
    };
    let (old, new) = (root(site.live, live), root(site.wanted, wanted));
    let same_root = old.zip(new).is_some_and(|(old, new)| is_same_ca(&old, &new));
    ((same_root && !is_rotation) || other.is_some())
        .then(|| Misplaced::Named { live: live.label(), wanted: wanted.label() })
}

/// The root of a secret that its CA leads to.
fn root_of(secret: &Secret, release: Version, ca: &Cert) -> Option<Cert> {
    /// Longer than any chain istiod gives out.
    const MOST: usize = 10;
    let (roots, between) = (secret.roots(release), secret.chain(release));
    let mut last = ca.clone();
    for _ in 0..MOST {
        if let Some(root) = roots.iter().find(|root| issued(root, &last)) {
            return Some(root.clone());
        }
        last = between.iter().find(|cert| **cert != last && issued(cert, &last))?.clone();
    }
    None
}

fn failure(aims: &[Aim<'_>], target: &Target, why: &Misplaced) -> Failure {
    let name = &target.name;
    let whole = |failure: Failure| {
        failure
            .hint("nothing was written; `--context FOLDER=CONTEXT` assigns a folder to a cluster; `--force ctl/wrong-cluster` overrides this check")
            .exit(Exit::No)
    };
    let with_other = |failure: Failure, name: &String| {
        let failure = failure.within(place(target));
        match aims.iter().find(|(other, ..)| other.name == *name) {
            Some((other, ..)) => failure.within(place(other)),
            None => failure,
        }
    };
    match why {
        Misplaced::LiveElsewhere(other) => with_other(
            Failure::new(CODE, format!("the CA for {name} is already live in {other}")),
            other,
        )
        .hint("`--context FOLDER=CONTEXT` assigns a folder to a cluster; `--force ctl/wrong-cluster` gives two clusters the same CA")
        .exit(Exit::No),
        Misplaced::Shared(other) => with_other(
            Failure::new(CODE, format!("{name} and {other} would get the same CA")),
            other,
        )
        .hint("nothing was written; `meshctl ca renew DIR --cluster NAME` gives a cluster its own CA, `--force ctl/wrong-cluster` gives two clusters the same one")
        .exit(Exit::No),
        Misplaced::LiveIsOf(other) => whole(
            with_other(Failure::new(CODE, format!("the cluster named {name} has the CA of {other}")), other),
        ),
        Misplaced::Named { live, wanted } => whole(
            Failure::new(CODE, format!("the CA for {name} has a different subject than the one it would replace"))
                .within(place(target))
                .because(format!("the cluster has {live}"))
                .because(format!("it would get {wanted}")),
        ),
        Misplaced::Says(other) => whole(
            with_other(Failure::new(CODE, format!("the cluster named {name} identifies itself as {other}")), other)
                .because(format!("CLUSTER_ID of its istiod is {other}")),
        ),
    }
}

#[cfg(test)]
mod tests;
