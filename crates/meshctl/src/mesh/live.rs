//! What the spec says beside what clusters have: reached, looked at, compared.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use meshapply::kube::Options;
use meshconfig::apply::{Change, changes};
use meshconfig::{Mesh, Resource, render};
use serde_json::{Value, json};

use super::answers::{self, Answers};
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

/// A cluster's resources of Istio.
pub(super) struct Side {
    /// What it has, whosever it is.
    pub(super) live: Vec<Value>,
    /// What it is to have of ours.
    pub(super) wanted: Vec<Resource>,
}

/// What has to change in which cluster.
pub(super) struct Plan {
    /// The clusters.
    pub(super) targets: Vec<Target>,
    /// What each of them has and is to have.
    pub(super) sides: Vec<Side>,
    /// What changes, by cluster.
    pub(super) changes: BTreeMap<String, Vec<Change>>,
    /// ConfigMaps of DNS that cannot be as the spec says: cluster, ConfigMap, why.
    pub(super) refused: Vec<(String, String, Failure)>,
    /// What the user should know, and no reason to stop.
    pub(super) warnings: Vec<Failure>,
    /// The addresses.
    pub(super) assigned: Assigned,
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
        let mut changes = changes(&mesh.name, &side.wanted, &side.live);
        changes.extend(answer.edits.into_iter().map(Change::Edit));
        plan.changes.insert(target.name.clone(), changes);
        plan.refused.extend(answer.refused.map(|(id, why)| (target.name.clone(), id, why)));
        plan.warnings.extend(answer.warning);
    }
    Ok(plan)
}

/// The clusters of a mesh that were asked for.
pub(super) fn of_mesh(mesh: &Mesh, args: &Contexts) -> Result<Vec<Named>, Failure> {
    let known = mesh.clusters().iter().map(Named::of).collect();
    chosen(&args.contexts, known, |name, _| Err(super::unknown_cluster(mesh, name)))
}

fn rendered(mesh: &Mesh, cluster: &str, assigned: &Assigned) -> Vec<Resource> {
    let cluster = mesh.cluster(cluster);
    cluster.map(|cluster| render(mesh, cluster, &assigned.addresses)).unwrap_or_default()
}

/// What each cluster has of the kinds we write.
async fn look(
    mesh: &Mesh,
    targets: &[Target],
    lock: &LockFile,
    source: &Source,
    io: &mut Io<'_>,
) -> Result<Vec<Vec<Value>>, Failure> {
    // Which kinds and versions are written does not depend on addresses.
    let unlocked = LockFile { lock: lock.lock.clone(), locked: false, live: Vec::new() };
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

/// Resources and answers of others that stand where ours should; `None` when there are none.
pub(super) fn foreign(plan: &mut Plan, io: &mut Io<'_>) -> Option<Failure> {
    let mut failures: Vec<Failure> = foreign_resources(plan).into_iter().collect();
    failures.extend(plan.refused.drain(..).map(|(_, _, failure)| failure));
    let last = failures.pop()?;
    for failure in failures {
        // A standard error that is gone cannot be told anything.
        let _ = io.err.write_all((failure.text() + "\n").as_bytes());
    }
    Some(last)
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
