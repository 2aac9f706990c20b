//! Running clusters, for the commands that only read.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use meshapply::Error;
use meshapply::kube::OlderPod;
use meshapply::proof::PodProof;
use meshapply::state::Observed;
use meshpki::Cert;
use meshpki::cacerts::Secret;

use crate::failure::Failure;
use crate::fleet::clusters::{
    Seen, Selection, Target, failed, look_at, place as place_of, targets,
};
use crate::fleet::place;
use crate::fleet::place::Source;
use crate::hints::readyz;
use crate::io::{Io, Progress};

/// What was found in a cluster: its state, and what istiod serves.
pub(crate) struct Found {
    pub(crate) seen: Seen,
    pub(crate) served: Vec<PodProof>,
    /// Gateway pods from before a change of the roots; or why they could not be read.
    pub(crate) older: Result<Vec<OlderPod>, Error>,
}

/// The clusters of a command that only reads, no two the same, and what was found in each.
///
/// # Errors
/// `apply/kubeconfig`, `apply/credentials`, `ctl/insecure-server`, `ctl/wrong-cluster`; other errors are part of what was found.
pub(crate) async fn asked(
    selection: &Selection,
    io: &mut Io<'_>,
) -> Result<(Vec<Target>, Vec<Result<Found, Error>>), Failure> {
    let targets = targets(selection, io).await?;
    let progress = io.progress(targets.len(), "clusters read");
    let found = find(&targets, &progress);
    let (found, twins) = tokio::join!(found, place::refuse_known_twins(&targets));
    drop(progress);
    twins?;
    Ok((targets, found))
}

/// The folders that are not for the cluster their context reaches, by name, among the clusters that answered.
pub(crate) fn misplaced(
    targets: &[Target],
    found: &[Result<Found, Error>],
    folders: &BTreeMap<String, Secret>,
) -> Vec<(String, Failure)> {
    let mut others = folders.clone();
    let own: Vec<_> = targets.iter().map(|target| others.remove(&target.name)).collect();
    let aims = targets.iter().zip(found).zip(&own);
    // A cluster without a folder gets nothing.
    let aims = aims.filter_map(|((target, found), own)| {
        Some((target, &found.as_ref().ok()?.seen, Some(own.as_ref()?)))
    });
    place::misplaced(&aims.collect::<Vec<_>>(), Source::Folders { others: &others })
}

impl Found {
    /// Whether everything in it answered.
    pub(crate) fn is_whole(&self) -> bool {
        self.older.is_ok() && self.served.iter().all(|pod| pod.served.is_ok())
    }

    /// What did not answer in a cluster that did: why not, and which pod.
    pub(crate) fn silent(&self, target: &Target) -> Vec<Failure> {
        let older = self.older.as_ref().err().map(|error| unreachable(target, error));
        let pods = self.served.iter().filter_map(|pod| {
            let why = pod.served.as_ref().err()?;
            let what = format!("cannot read which CA pod {} serves", pod.pod);
            Some(Failure::new("apply/unreachable", what).within(place_of(target)).because(why))
        });
        older.into_iter().chain(pods).collect()
    }
}

/// Reads every cluster at the same time. One that cannot be read does not hide the others.
async fn find(targets: &[Target], progress: &Progress) -> Vec<Result<Found, Error>> {
    let one = async |target: &Target| {
        let found = find_one(target).await;
        progress.step();
        found
    };
    join_all(targets.iter().map(one)).await
}

/// Reads one cluster.
pub(crate) async fn find_one(target: &Target) -> Result<Found, Error> {
    let older = async { Ok(target.kube.older_pods().await) };
    let (seen, served, older) = tokio::try_join!(look_at(target), target.kube.served(), older)?;
    Ok(Found { seen, served, older })
}

/// Reads one cluster without its secrets: what istiod serves and hands out, and the CRLs with it.
pub(crate) async fn find_served(target: &Target) -> Result<(Found, Vec<String>), Error> {
    let kube = &target.kube;
    let (istiods, mesh, given, served, crls) = tokio::try_join!(
        kube.istiods(),
        kube.mesh_config(),
        kube.namespace_roots(),
        kube.served(),
        kube.crls()
    )?;
    let seen = Seen { observed: Observed::default(), istiods, mesh, given };
    Ok((Found { seen, served, older: Ok(Vec::new()) }, crls))
}

/// Everything that did not answer: clusters, and pods of those that did.
pub(crate) fn unasked(targets: &[Target], found: &[Result<Found, Error>]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (target, found) in targets.iter().zip(found) {
        match found {
            Err(error) => failures.push(unreachable(target, error)),
            Ok(found) => failures.extend(found.silent(target)),
        }
    }
    failures
}

/// A cluster that could not be asked.
pub(crate) fn unreachable(target: &Target, error: &Error) -> Failure {
    let failure = failed(target, error);
    match error {
        Error::Unreachable { .. } => {
            let command = readyz(&target.context, &target.typed);
            failure.hint(format!("`{command}` shows whether kubectl can reach it"))
        }
        _ => failure,
    }
}

/// Whether one CA is the other or a later version of it: same issuer, same name, not issued earlier.
pub(crate) fn is_later(one: &Cert, other: &Cert) -> bool {
    let since = |cert: &Cert| cert.not_before().time();
    one.issuer() == other.issuer() && one.subject() == other.subject() && since(one) >= since(other)
}
