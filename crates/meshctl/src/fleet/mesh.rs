//! The spec compared with what clusters have.

pub(crate) mod changes;
pub(crate) mod dns;
pub(crate) mod preflight;
pub(crate) mod rbac;

use futures_util::future::join_all;
use meshapply::kube::{Kube, Options};
use meshapply::mesh::{ClusterError, MeshPlan, Obstacle, observe};
use meshconfig::Mesh;
use meshconfig::apply::{Change, summary};
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{self, Named, SERVICE_ACCOUNT, Target, Way, chosen, reach};
use crate::fleet::place;
use crate::io::Io;
use crate::spec::lock::{self, Assigned, LockFile};
use crate::spec::{self, Source};

/// Which clusters of the spec are asked, and how they are reached.
pub(crate) struct Ask {
    /// `[CLUSTER=]CONTEXT` as typed; none: every cluster of the spec.
    pub(crate) contexts: Vec<String>,
    /// How contexts are reached.
    pub(crate) way: Way,
}

/// Reads the contexts and runs their credential plugins; no server is contacted yet.
pub(crate) async fn targets(
    ask: &Ask,
    named: Vec<Named>,
    io: &mut Io<'_>,
) -> Result<Vec<Target>, Failure> {
    let options = |named: &Named| Options {
        istio_namespace: named.istio_namespace.clone(),
        istio_version: None,
        gateways: Vec::new(),
        workloads: false,
        service_account: SERVICE_ACCOUNT.to_owned(),
    };
    reach(named, &ask.way, options, io).await
}

/// Asks every cluster at the same time; if one does not answer, all fail.
pub(crate) async fn ask_all<'t, T, F>(
    targets: &'t [Target],
    ask: impl Fn(&'t Target) -> F,
) -> Result<Vec<T>, Failure>
where
    F: Future<Output = Result<T, meshapply::Error>>,
{
    let answers = join_all(targets.iter().map(ask)).await;
    let told =
        |(target, answer): (&Target, Result<T, _>)| answer.map_err(|error| failed(target, &error));
    targets.iter().zip(answers).map(told).collect()
}

/// A failure of a cluster.
pub(crate) fn failed(target: &Target, error: &meshapply::Error) -> Failure {
    let failure = clusters::failed(target, error);
    match error {
        meshapply::Error::Forbidden { what, .. } if what.starts_with("patch configmap") => failure.hint(
            "`meshctl mesh apply --print-rbac` prints that permission while the spec has `dns: {way: hosts}` or `istio-coredns`; or remove the block by hand",
        ),
        meshapply::Error::Api { status: 409, .. } => {
            failure.hint("the object changed in the meantime; run the command again")
        }
        meshapply::Error::Forbidden { .. } => {
            failure.hint("`meshctl mesh apply --print-rbac` prints the permissions that it needs")
        }
        _ => failure,
    }
}

/// An error of one of these clusters.
pub(crate) fn failed_in(targets: &[Target], error: &ClusterError) -> Failure {
    match targets.iter().find(|target| target.name == error.cluster) {
        Some(target) => failed(target, &error.error),
        None => Failure::from(&error.error).within(format!("cluster {}", error.cluster)),
    }
}

/// What has to change in which cluster.
pub(crate) struct Plan {
    /// The clusters.
    pub(crate) targets: Vec<Target>,
    /// What each of them has, should have, and has to change; in the order of the targets.
    pub(crate) mesh: MeshPlan,
    /// The addresses.
    pub(crate) assigned: Assigned,
}

impl Plan {
    /// The client of each cluster, by name.
    pub(crate) fn clients(&self) -> Vec<(&str, &Kube)> {
        clients(&self.targets)
    }

    /// Each change with its cluster.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&Target, &Change)> {
        let changes = self.targets.iter().zip(&self.mesh.clusters);
        changes.flat_map(|(target, one)| one.changes.iter().map(move |change| (target, change)))
    }

    /// DNS that cannot be edited as the spec says: cluster, ConfigMap, failure.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (&Target, String, Failure)> {
        let all = self.targets.iter().zip(&self.mesh.clusters);
        all.filter_map(|(target, one)| {
            let refusal = one.dns_refusal.as_ref()?;
            Some((target, refusal.id(), dns::refused(target, refusal)))
        })
    }

    /// Warnings.
    pub(crate) fn warnings(&self, mesh: &Mesh) -> Vec<Failure> {
        let all = self.targets.iter().zip(&self.mesh.clusters);
        all.filter_map(|(target, one)| {
            one.dns_warning.as_ref().map(|warning| dns::warning(target, mesh, warning))
        })
        .collect()
    }
}

fn clients(targets: &[Target]) -> Vec<(&str, &Kube)> {
    targets.iter().map(|target| (target.name.as_str(), &target.kube)).collect()
}

/// Reads the clusters and compares; nothing is written.
pub(crate) async fn plan(
    mesh: &Mesh,
    ask: &Ask,
    lock: &LockFile,
    source: &Source,
    io: &mut Io<'_>,
) -> Result<Plan, Failure> {
    let targets = targets(ask, of_mesh(mesh, ask)?, io).await?;
    place::refuse_twins(&targets, &ask.way.force).await?;
    let names: Vec<&str> = mesh.clusters().iter().map(|cluster| cluster.name.as_str()).collect();
    place::refuse_strangers(&targets, &names, &ask.way.force).await?;
    let observed = observe(mesh, &clients(&targets)).await;
    let observed = observed.map_err(|error| failed_in(&targets, &error))?;
    let live: Vec<&Value> = observed.iter().flat_map(|one| &one.resources).collect();
    let assigned = lock::plan(mesh, lock, &live, source, io)?;
    let plan = meshapply::mesh::plan(mesh, &assigned.addresses, observed)
        .map_err(|error| failed_in(&targets, &error))?;
    Ok(Plan { targets, mesh: plan, assigned })
}

/// The clusters of a mesh that were asked for.
pub(crate) fn of_mesh(mesh: &Mesh, ask: &Ask) -> Result<Vec<Named>, Failure> {
    let known = mesh.clusters().iter().map(|cluster| Named::of(mesh, cluster)).collect();
    chosen(&ask.contexts, known, |name, _| Err(spec::unknown_cluster(mesh, name)))
}

/// Refuses resources and DNS answers of others in the place of rendered ones; `None` if there are none.
pub(crate) fn foreign(plan: &Plan, io: &mut Io<'_>) -> Option<Failure> {
    let mut failures: Vec<Failure> = foreign_resources(plan).into_iter().collect();
    failures.extend(plan.refused().map(|(_, _, failure)| failure));
    io.fail_all(failures)
}

fn foreign_resources(plan: &Plan) -> Option<Failure> {
    let mut places = plan.mesh.obstacles().into_iter().filter_map(|obstacle| match obstacle {
        Obstacle::Foreign { cluster, id, lost } => {
            let losing = if lost.is_empty() { "" } else { ", which would lose " };
            Some(format!("cluster {cluster}, {id}{losing}{}", summary(&lost)))
        }
        Obstacle::Dns { .. } => None,
    });
    let first = places.next()?;
    let failure = Failure::new(
        "apply/foreign",
        "a resource with that name exists, but lacks the labels of this mesh",
    );
    let failure = places.fold(failure.within(first), Failure::within);
    Some(failure.exit(Exit::No).hint("nothing was written; rename or delete it, or give it the labels app.kubernetes.io/managed-by=meshctl and app.kubernetes.io/part-of=MESH"))
}
