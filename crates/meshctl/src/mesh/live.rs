//! What the spec says beside what clusters have: reached, looked at, compared.

use futures_util::future::join_all;
use meshapply::kube::{Kube, Options};
use meshapply::mesh::{ClusterError, MeshPlan, Obstacle, observe};
use meshconfig::apply::Change;
use meshconfig::{Mesh, Resource};
use serde_json::{Value, json};

use super::answers;
use super::args::{Contexts, LockFile, Source};
use super::lock::{self, Assigned};
use super::unified::unified;
use crate::clusters::{Named, Target, Way, chosen, place as place_of, reach};
use crate::report::Failure;
use crate::show::safe;
use crate::{Io, place};

/// Reads the contexts and runs their credential plugins; nothing is asked of a server yet.
pub(super) async fn targets(
    args: &Contexts,
    force: &[String],
    named: Vec<Named>,
    io: &mut Io<'_>,
) -> Result<Vec<Target>, Failure> {
    let options = |named: &Named| Options {
        istio_namespace: named.istio_namespace.clone(),
        istio_version: None,
        gateways: Vec::new(),
        workloads: false,
        service_account: "default".to_owned(),
    };
    reach(named, Way::new(args.kubeconfig.as_deref(), force), options, io).await
}

/// Asks every cluster at the same time; one that does not answer is a failure of all.
pub(super) async fn ask_all<'t, T, F>(
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
pub(super) fn failed(target: &Target, error: &meshapply::Error) -> Failure {
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

/// An error of one of these clusters.
pub(super) fn failed_in(targets: &[Target], error: &ClusterError) -> Failure {
    match target(targets, &error.cluster) {
        Some(target) => failed(target, &error.error),
        None => Failure::from(&error.error).within(format!("cluster {}", error.cluster)),
    }
}

/// The target of that name.
pub(super) fn target<'t>(targets: &'t [Target], name: &str) -> Option<&'t Target> {
    targets.iter().find(|target| target.name == name)
}

/// What has to change in which cluster.
pub(super) struct Plan {
    /// The clusters.
    pub(super) targets: Vec<Target>,
    /// What each of them has, is to have, and lacks; in the order of the targets.
    pub(super) mesh: MeshPlan,
    /// The addresses.
    pub(super) assigned: Assigned,
}

impl Plan {
    /// The clusters by name, as an apply reaches them.
    pub(super) fn clients(&self) -> Vec<(&str, &Kube)> {
        clients(&self.targets)
    }

    /// Each cluster with what changes there.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&Target, &Change)> {
        let changes = self.targets.iter().zip(&self.mesh.clusters);
        changes.flat_map(|(target, one)| one.changes.iter().map(move |change| (target, change)))
    }

    /// Why the DNS of clusters cannot be as the spec says: the target, the ConfigMap, the failure.
    pub(super) fn refused(&self) -> impl Iterator<Item = (&Target, String, Failure)> {
        let all = self.targets.iter().zip(&self.mesh.clusters);
        all.filter_map(|(target, one)| {
            let refusal = one.dns_refusal.as_ref()?;
            Some((target, refusal.id(), answers::refused(target, refusal)))
        })
    }

    /// What the user should know, and no reason to stop.
    pub(super) fn warnings(&self, mesh: &Mesh) -> Vec<Failure> {
        let all = self.targets.iter().zip(&self.mesh.clusters);
        all.filter_map(|(target, one)| {
            one.dns_warning.as_ref().map(|warning| answers::warning(target, mesh, warning))
        })
        .collect()
    }
}

fn clients(targets: &[Target]) -> Vec<(&str, &Kube)> {
    targets.iter().map(|target| (target.name.as_str(), &target.kube)).collect()
}

/// Looks at the clusters and compares; nothing is written.
pub(super) async fn plan(
    mesh: &Mesh,
    args: &Contexts,
    force: &[String],
    lock: &LockFile,
    source: &Source,
    io: &mut Io<'_>,
) -> Result<Plan, Failure> {
    let targets = targets(args, force, of_mesh(mesh, args)?, io).await?;
    place::refuse_twins(&targets, force).await?;
    let names: Vec<&str> = mesh.clusters().iter().map(|cluster| cluster.name.as_str()).collect();
    place::refuse_strangers(&targets, &names, force).await?;
    let observed = observe(mesh, &clients(&targets)).await;
    let observed = observed.map_err(|error| failed_in(&targets, &error))?;
    let live: Vec<&Value> = observed.iter().flat_map(|one| &one.resources).collect();
    let assigned = lock::plan(mesh, lock, &live, source, io)?;
    let plan = meshapply::mesh::plan(mesh, &assigned.addresses, observed)
        .map_err(|error| failed_in(&targets, &error))?;
    Ok(Plan { targets, mesh: plan, assigned })
}

/// The clusters of a mesh that were asked for.
pub(super) fn of_mesh(mesh: &Mesh, args: &Contexts) -> Result<Vec<Named>, Failure> {
    let known = mesh.clusters().iter().map(Named::of).collect();
    chosen(&args.contexts, known, |name, _| Err(super::unknown_cluster(mesh, name)))
}

/// A change in a word, and its sign.
pub(super) const fn word(change: &Change) -> (&'static str, char) {
    match change {
        Change::Create(_) => ("create", '+'),
        Change::Update { .. } => ("update", '~'),
        Change::Prune(_) => ("prune", '-'),
        Change::Foreign(_) => ("foreign", '!'),
        Change::Edit(_) => ("edit", '~'),
    }
}

/// The content that changes, as `diff -u` shows it; empty for a resource of somebody else.
pub(super) fn difference(change: &Change) -> String {
    let (old, new) = match change {
        Change::Create(resource) => (String::new(), resource.yaml()),
        Change::Update { to, from } => (ours(from, Some(to)), to.yaml()),
        Change::Prune(resource) => (ours(resource, None), String::new()),
        Change::Edit(edit) => {
            (edit.from.clone().unwrap_or_default(), edit.to.clone().unwrap_or_default())
        }
        Change::Foreign(_) => return String::new(),
    };
    unified(&old, &new).lines().map(|line| safe(line) + "\n").collect()
}

/// A live resource, of which only what we write is shown.
fn ours(live: &Resource, wanted: Option<&Resource>) -> String {
    let meta = &live.value["metadata"];
    let mut labels = meta["labels"].clone();
    let known = wanted.map(|wanted| &wanted.value["metadata"]["labels"]);
    if let (Some(labels), Some(Value::Object(known))) = (labels.as_object_mut(), known) {
        labels.retain(|key, _| known.contains_key(key));
    }
    // All versions are the same objects.
    let api_version = wanted.unwrap_or(live).value["apiVersion"].clone();
    meshconfig::resource::yaml(&json!({
        "apiVersion": api_version,
        "kind": live.kind(),
        "metadata": {"name": live.name(), "namespace": live.namespace(), "labels": labels},
        "spec": live.value["spec"],
    }))
}

/// Resources and DNS of others that are where ours should be; `None` if there are none.
pub(super) fn foreign(plan: &Plan, io: &mut Io<'_>) -> Option<Failure> {
    let mut failures: Vec<Failure> = foreign_resources(plan).into_iter().collect();
    failures.extend(plan.refused().map(|(_, _, failure)| failure));
    let last = failures.pop()?;
    for failure in failures {
        // A standard error that is gone cannot be told anything.
        let _ = io.err.write_all((failure.text() + "\n").as_bytes());
    }
    Some(last)
}

fn foreign_resources(plan: &Plan) -> Option<Failure> {
    let mut places = plan.mesh.obstacles().into_iter().filter_map(|obstacle| match obstacle {
        Obstacle::Foreign { cluster, id } => Some(format!("cluster {cluster}, {id}")),
        Obstacle::Dns { .. } => None,
    });
    let first = places.next()?;
    let failure = Failure::new(
        "apply/foreign",
        "a resource of that name is there that does not have the labels of this mesh",
    );
    let failure = places.fold(failure.within(first), Failure::within);
    Some(failure.exit(crate::Exit::No).hint("nothing was written; rename or delete it, or label it as ours: app.kubernetes.io/managed-by=meshctl and app.kubernetes.io/part-of=MESH"))
}
