//! The spec compared with what clusters have.

pub(crate) mod ahead;
pub(crate) mod answers;
pub(crate) mod changes;
pub(crate) mod rbac;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use meshapply::kube::Options;
use meshconfig::apply::{Change, changes as compare};
use meshconfig::{Mesh, Resource, render};
use serde_json::Value;

use crate::failure::Failure;
use crate::fleet::clusters::{
    Named, SERVICE_ACCOUNT, Target, Way, chosen, place as place_of, reach,
};
use crate::fleet::place;
use crate::io::Io;
use crate::spec::lock::{self, Assigned, LockFile};
use crate::spec::{self, Source};
use answers::Answers;

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
    let failure = Failure::from(error).within(place_of(target));
    match error {
        meshapply::Error::Forbidden { what, .. } if what.starts_with("patch configmap") => failure.hint(
            "`meshctl mesh apply --print-rbac` prints that right while the spec says `dns: {way: hosts}` or `istio-coredns`; or take the block out by hand",
        ),
        meshapply::Error::Api { status: 409, .. } => {
            failure.hint("somebody else was faster; run the same command again: it looks anew")
        }
        meshapply::Error::Forbidden { .. } => {
            failure.hint("`meshctl mesh apply --print-rbac` prints the rights that are needed")
        }
        _ => failure,
    }
}

/// A cluster's resources of Istio.
pub(crate) struct Side {
    /// What it has, whosever it is.
    pub(crate) live: Vec<Value>,
    /// What it is to have of ours.
    pub(crate) wanted: Vec<Resource>,
}

/// What has to change in which cluster.
pub(crate) struct Plan {
    /// The clusters.
    pub(crate) targets: Vec<Target>,
    /// What each of them has and should have.
    pub(crate) sides: Vec<Side>,
    /// What changes, by cluster.
    pub(crate) changes: BTreeMap<String, Vec<Change>>,
    /// ConfigMaps of DNS that cannot be edited as the spec says: cluster, ConfigMap, reason.
    pub(crate) refused: Vec<(String, String, Failure)>,
    /// Warnings.
    pub(crate) warnings: Vec<Failure>,
    /// The addresses.
    pub(crate) assigned: Assigned,
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
    let live = look(mesh, &targets, lock, source, io).await?;
    let assigned = lock::plan(mesh, lock, &live.concat(), source, io)?;
    let sides: Vec<Side> = targets
        .iter()
        .zip(live)
        .map(|(target, live)| Side { live, wanted: rendered(mesh, &target.name, &assigned) })
        .collect();
    let looks =
        targets.iter().zip(&sides).map(|(target, side)| answers::look(mesh, target, &side.wanted));
    let answers: Vec<Answers> = join_all(looks).await.into_iter().collect::<Result<_, _>>()?;
    let mut plan = Plan {
        targets,
        sides,
        changes: BTreeMap::new(),
        refused: Vec::new(),
        warnings: Vec::new(),
        assigned,
    };
    for ((target, side), answer) in plan.targets.iter().zip(&plan.sides).zip(answers) {
        let mut changes = compare(&mesh.name, &side.wanted, &side.live);
        changes.extend(answer.edits.into_iter().map(Change::Edit));
        plan.changes.insert(target.name.clone(), changes);
        plan.refused.extend(answer.refused.map(|(id, why)| (target.name.clone(), id, why)));
        plan.warnings.extend(answer.warning);
    }
    Ok(plan)
}

/// The clusters of a mesh that were asked for.
pub(crate) fn of_mesh(mesh: &Mesh, ask: &Ask) -> Result<Vec<Named>, Failure> {
    let known = mesh.clusters().iter().map(Named::of).collect();
    chosen(&ask.contexts, known, |name, _| Err(spec::unknown_cluster(mesh, name)))
}

fn rendered(mesh: &Mesh, cluster: &str, assigned: &Assigned) -> Vec<Resource> {
    let cluster = mesh.cluster(cluster);
    cluster.map(|cluster| render(mesh, cluster, &assigned.addresses)).unwrap_or_default()
}

/// The resources each cluster has, of the kinds that are rendered.
async fn look(
    mesh: &Mesh,
    targets: &[Target],
    lock: &LockFile,
    source: &Source,
    io: &mut Io<'_>,
) -> Result<Vec<Vec<Value>>, Failure> {
    // Which kinds and versions are written does not depend on addresses.
    let unlocked = LockFile { lock: lock.lock.clone(), ..LockFile::default() };
    let assigned = lock::plan(mesh, &unlocked, &[], source, io)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kinds = |target: &Target| -> BTreeSet<(String, String)> {
        let resources = rendered(mesh, &target.name, &assigned);
        resources.iter().map(|r| (text(&r.value["apiVersion"]), text(&r.value["kind"]))).collect()
    };
    let kinds = &kinds;
    ask_all(targets, |target| async move { target.kube.istio_resources(&kinds(target)).await })
        .await
}

/// Refuses resources and DNS answers of others in the place of rendered ones; `None` if there are none.
pub(crate) fn foreign(plan: &mut Plan, io: &mut Io<'_>) -> Option<Failure> {
    let mut failures: Vec<Failure> = foreign_resources(plan).into_iter().collect();
    failures.extend(plan.refused.drain(..).map(|(_, _, failure)| failure));
    io.fail_all(failures)
}

fn foreign_resources(plan: &Plan) -> Option<Failure> {
    let mut places = plan.targets.iter().flat_map(|target| {
        let changes = plan.changes.get(&target.name).into_iter().flatten();
        let foreign = changes.filter(|change| matches!(change, Change::Foreign(_)));
        foreign.map(move |change| format!("cluster {}, {}", target.name, change.id()))
    });
    let first = places.next()?;
    let failure = Failure::new(
        "apply/foreign",
        "a resource of that name is there that does not have the labels of this mesh",
    );
    let failure = places.fold(failure.within(first), Failure::within);
    Some(failure.exit(crate::Exit::No).hint("nothing was written; rename or delete it, or label it as ours: app.kubernetes.io/managed-by=meshctl and app.kubernetes.io/part-of=MESH"))
}
