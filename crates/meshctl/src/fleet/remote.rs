//! The remote secrets of the clusters, and what istiod makes of them.

pub(crate) mod rbac;

use futures_util::future::join_all;
use meshapply::Error;
use meshapply::kube::Istiod;
use meshapply::remote::{Problem, Remedy, RemoteSecret, Swap, View, secret_name};
use meshpki::istiod::{Severity, Version};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{self, Selection, Target, targets};
use crate::fleet::place;
use crate::hints::remote::{Place, Places};
use crate::io::Io;

/// What was read from one cluster.
pub(crate) struct Seen {
    /// Its remote secrets.
    pub(crate) secrets: Vec<RemoteSecret>,
    /// What the pods of istiod say.
    pub(crate) views: Vec<View>,
    /// istiod of every revision.
    pub(crate) istiods: Vec<Istiod>,
    /// Why secrets could not be listed, so that only those with the usual names were read.
    pub(crate) unlisted: Option<Error>,
}

/// Which secrets are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// Those that istiod names, or that have the usual names.
    ByName,
    /// All that have the label, and those with the usual names.
    All,
}

impl Seen {
    /// The secret for a cluster: the one that istiod uses, or else the first that has it.
    pub(crate) fn secret(&self, cluster: &str) -> Option<&RemoteSecret> {
        let used = self.views.iter().find_map(|view| view.secret(cluster));
        let by_name = |name: &str| self.secrets.iter().find(|one| one.name == name);
        let has = |one: &&RemoteSecret| one.data.contains_key(cluster);
        let usual = secret_name(cluster);
        used.and_then(by_name).or_else(|| self.secrets.iter().find(has)).or_else(|| by_name(&usual))
    }

    /// What every istiod allows in kubeconfigs besides tokens.
    pub(crate) fn allowed(&self) -> Vec<String> {
        let Some((first, rest)) = self.istiods.split_first() else { return Vec::new() };
        let by_all = |name: &&String| rest.iter().all(|one| one.kubeconfig_options.contains(name));
        first.kubeconfig_options.iter().filter(by_all).cloned().collect()
    }

    /// What istiod does with endpoints when a secret changes, in the worst of its releases; `None`: there is no istiod.
    pub(crate) fn swap(&self) -> Option<(Swap, Version)> {
        let all = self.istiods.iter().map(|istiod| istiod.settings.version);
        let rank = |release: &Version| match Swap::of(*release) {
            Swap::Lost => 2,
            Swap::Gap => 1,
            Swap::Seamless => 0,
        };
        all.max_by_key(rank).map(|worst| (Swap::of(worst), worst))
    }
}

/// The clusters of a command: at least two, and no two of them the same.
///
/// # Errors
/// `ctl/usage`, `ctl/wrong-cluster`, those of the spec and of contexts.
pub(crate) async fn members(
    selection: &Selection,
    io: &mut Io<'_>,
) -> Result<Vec<Target>, Failure> {
    let targets = targets(selection, io).await?;
    if targets.len() < 2 {
        return Err(Failure::usage(
            "a remote secret takes two clusters: one that reads, and one that is read",
        )
        .hint("use `--context` for each cluster, or `-f mesh.yaml`"));
    }
    let force = &selection.way.force;
    place::refuse_twins(&targets, force).await?;
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    place::refuse_strangers(&targets, &names, force).await?;
    Ok(targets)
}

/// The clusters as next commands name them.
pub(crate) fn places(targets: &[Target], selection: &Selection, within: Option<i64>) -> Places {
    let place = |target: &Target| Place {
        name: target.name.clone(),
        context: target.context.clone(),
        namespace: target.istio_namespace.clone(),
    };
    let spec = selection.spec.as_ref().map(|file| file.display().to_string());
    let typed = selection.way.typed.clone();
    Places { all: targets.iter().map(place).collect(), spec, typed, within }
}

/// Reads every cluster at the same time; if one does not answer, all fail.
pub(crate) async fn look(targets: &[Target], what: Read) -> Result<Vec<Seen>, Failure> {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let looks = join_all(targets.iter().map(|target| look_at(target, &names, what))).await;
    let told = |(target, look): (&Target, Result<Seen, Error>)| {
        look.map_err(|error| failed(target, &error))
    };
    targets.iter().zip(looks).map(told).collect()
}

async fn look_at(target: &Target, names: &[&str], what: Read) -> Result<Seen, Error> {
    let kube = &target.kube;
    let (views, istiods) = tokio::try_join!(kube.remote_views(), kube.istiods())?;
    let (mut secrets, mut unlisted) = (Vec::new(), None);
    if what == Read::All {
        match kube.remote_secrets().await {
            Ok(all) => secrets = all,
            Err(error @ Error::Forbidden { .. }) => unlisted = Some(error),
            Err(error) => return Err(error),
        }
    }
    for name in names.iter().filter(|name| **name != target.name) {
        let used = views.iter().find_map(|view| view.secret(name)).map(str::to_owned);
        for name in [used, Some(secret_name(name))].into_iter().flatten() {
            if !secrets.iter().any(|known: &RemoteSecret| known.name == name) {
                secrets.extend(kube.remote_secret(&name).await?);
            }
        }
    }
    secrets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Seen { secrets, views, istiods, unlisted })
}

/// A failure of a cluster.
pub(crate) fn failed(target: &Target, error: &Error) -> Failure {
    let failure = clusters::failed(target, error);
    match error {
        Error::Forbidden { .. } => failure.hint(
            "`meshctl mesh remote-secret create --print-rbac` prints the permissions that it needs",
        ),
        Error::Api { status: 409, .. } => {
            failure.hint("the secret changed in the meantime; run the command again")
        }
        _ => failure,
    }
}

/// An istiod that says it is in a cluster of another name than the one it has here: the name in secrets must be istiod's.
pub(crate) fn misnamed(target: &Target, seen: &Seen) -> Option<Problem> {
    let mut ids = seen.istiods.iter().filter_map(|istiod| istiod.cluster_id.as_deref());
    let id = ids.find(|id| *id != target.name)?;
    Some(Problem {
        code: "remote/name",
        severity: Severity::Error,
        reader: target.name.clone(),
        remote: target.name.clone(),
        secret: String::new(),
        message: format!(
            "istiod of {} says that it is in cluster `{id}` (CLUSTER_ID)",
            target.name
        ),
        causes: vec![
            "remote secrets and endpoints must have the name that istiod and its proxies have"
                .to_owned(),
            format!("`--context {id}={}` names it so", target.context),
        ],
        remedy: Remedy::ShowContexts,
    })
}

/// A problem as a failure or a warning.
pub(crate) fn failure(problem: &Problem, places: &Places) -> Failure {
    let failure = Failure::new(problem.code, problem.message.clone()).within(at(problem));
    let failure = problem.causes.iter().cloned().fold(failure, Failure::because);
    failure.hint(format!("run `{}`", places.next(problem))).exit(Exit::No)
}

/// `cluster east, secret istio-remote-secret-west`.
pub(crate) fn at(problem: &Problem) -> String {
    match problem.secret.as_str() {
        "" => format!("cluster {}", problem.reader),
        secret => format!("cluster {}, secret {secret}", problem.reader),
    }
}
