//! `meshctl mesh apply`: look, show, try, ask; then wave after wave over all clusters.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use meshapply::Error;
use meshapply::kube::Kube;
use meshconfig::apply::{Change, Step, Write, steps};
use serde_json::Value;

use crate::args::DryRun;
use crate::args::mesh::Apply;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Target, runtime};
use crate::fleet::mesh::{self, Plan, ahead, changes, rbac};
use crate::io::Io;
use crate::spec;
use crate::text::safe;

/// Writes of one wave at the same time.
const TOGETHER: usize = 8;
/// Between two waves: istiod gathers changes for 100 ms and more (`PILOT_DEBOUNCE_AFTER`), and what it sends at once with
/// the next wave proxies may take in another order: a route before its cluster, which is a 503.
const SETTLE: Duration = Duration::from_secs(2);
/// How often a write is tried again after a conflict that does not concern what it writes.
const CONFLICTS: usize = 3;
/// Names of what was not written, in a message.
const NAMED: usize = 12;

/// Runs the command.
pub(super) fn run(args: &Apply, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let source = args.source.resolved();
    let ask = args.contexts.resolved(&args.force);
    if args.print_rbac {
        let user = args.rbac_user.as_deref();
        let text = runtime()?.block_on(rbac::manifests(&source, &ask, user, io))?;
        io.print(&text)?;
        return Ok(Exit::Good);
    }
    let spec = spec::mesh(&source, io)?;
    runtime()?.block_on(async {
        let mut plan = mesh::plan(&spec, &ask, &args.lock.resolved(), &source, io).await?;
        io.print(&changes::text(&plan, args.diff))?;
        for warning in &plan.warnings {
            io.warn(warning);
        }
        if let Some(failure) = mesh::foreign(&mut plan, io) {
            return Err(failure);
        }
        changes::by_hand("note", &plan, io);
        // Where nothing is to be written, nothing is refused.
        let is_idle = plan.changes.values().all(Vec::is_empty);
        let found = ahead::look(&spec, &plan);
        if is_idle {
            ahead::tell(&found.iter().collect::<Vec<_>>(), io);
        } else {
            ahead::refuse(&found, &args.force, io)?;
        }
        if args.dry_run == Some(DryRun::Client) {
            return Ok(Exit::Good);
        }
        let mut job = Job::new(&plan);
        job.rehearse().await?;
        if args.dry_run == Some(DryRun::Server) {
            io.say(format!("every API server takes it: {} writes", job.steps.len()));
            return Ok(Exit::Good);
        }
        if !job.steps.is_empty() {
            let many = if plan.targets.len() == 1 { "this cluster" } else { "these clusters" };
            io.confirm(
                args.yes,
                &format!("Write to {many}?"),
                "nothing was written; `--dry-run server` shows the plan and has it checked, `--yes` carries it out",
            )?;
        }
        plan.assigned.write(io)?;
        let exit = job.carry_out(io).await?;
        changes::by_hand("next", &plan, io);
        Ok(exit)
    })
}

/// The writes, and what is known of what they are made over.
struct Job<'p> {
    targets: BTreeMap<&'p str, &'p Target>,
    steps: Vec<Step>,
    /// Cluster and resource -> how it was when it was seen last.
    seen: BTreeMap<(String, String), Value>,
}

impl<'p> Job<'p> {
    fn new(plan: &'p Plan) -> Self {
        let mut seen = BTreeMap::new();
        for (cluster, changes) in &plan.changes {
            for change in changes {
                if let Change::Update { from, .. } = change {
                    seen.insert((cluster.clone(), from.id()), from.value.clone());
                }
            }
        }
        let targets = plan.targets.iter().map(|target| (target.name.as_str(), target)).collect();
        Self { targets, steps: steps(&plan.changes), seen }
    }

    /// Tries every write as a dry run, so that what an API server refuses is known before the first one.
    async fn rehearse(&self) -> Result<(), Failure> {
        for some in self.steps.chunks(TOGETHER) {
            let tried = join_all(some.iter().map(|step| self.take(step, true))).await;
            for (step, result) in some.iter().zip(tried) {
                result.map_err(|error| {
                    self.failed(step, &error).because("nothing was written".to_owned())
                })?;
            }
        }
        Ok(())
    }

    /// Takes the steps, wave after wave; the first failure is the end.
    async fn carry_out(&mut self, io: &mut Io<'_>) -> Result<Exit, Failure> {
        let steps = std::mem::take(&mut self.steps);
        let mut done = 0;
        let mut mixed = Vec::new();
        for wave in steps.chunk_by(|a, b| a.wave == b.wave) {
            if done > 0 {
                tokio::time::sleep(SETTLE).await;
            }
            for some in wave.chunks(TOGETHER) {
                let results = join_all(some.iter().map(|step| self.take(step, false))).await;
                let mut failure = None;
                let mut missing = Vec::new();
                for (step, result) in some.iter().zip(results) {
                    match result {
                        Ok(written) => {
                            done += 1;
                            io.say(told(step));
                            mixed.extend(self.learn(step, &written));
                        }
                        Err(error) => {
                            missing.push(step);
                            failure.get_or_insert_with(|| self.failed(step, &error));
                        }
                    }
                }
                if let Some(failure) = failure {
                    let begun = steps
                        .iter()
                        .take_while(|step| !std::ptr::eq(*step, &raw const some[0]))
                        .count();
                    missing.extend(&steps[begun + some.len()..]);
                    return Err(stopped(failure, done, steps.len(), &missing));
                }
            }
        }
        finish(done, &mixed, io)
    }

    /// One write; what was applied is returned as it is in the cluster then.
    async fn take(&self, step: &Step, dry_run: bool) -> Result<Value, Error> {
        let kube = &self.targets[step.cluster.as_str()].kube;
        match &step.write {
            Write::Apply(resource) => {
                let seen = self.seen.get(&(step.cluster.clone(), resource.id()));
                apply(kube, &resource.value, seen, dry_run).await
            }
            Write::Delete(resource) => {
                kube.delete_resource(&resource.value, dry_run).await.map(|()| Value::Null)
            }
            Write::Edit(edit) => {
                kube.patch_config_map(&edit.namespace, &edit.name, &edit.patch(), dry_run).await
            }
        }
    }

    /// Remembers the version of what was written; a resource that is not what was written is named.
    fn learn(&mut self, step: &Step, written: &Value) -> Option<String> {
        let Write::Apply(resource) = &step.write else { return None };
        self.seen.insert((step.cluster.clone(), resource.id()), written.clone());
        (written["spec"] != resource.value["spec"])
            .then(|| format!("cluster {}, {}", step.cluster, resource.id()))
    }

    fn failed(&self, step: &Step, error: &Error) -> Failure {
        mesh::failed(self.targets[step.cluster.as_str()], error)
    }
}

/// Applies a resource over the one that was seen. A controller that wrote no more than its status in the meantime is no
/// conflict: the write is for the next version then.
async fn apply(
    kube: &Kube,
    wanted: &Value,
    seen: Option<&Value>,
    dry_run: bool,
) -> Result<Value, Error> {
    let mut basis = seen.map(version);
    for _ in 0..CONFLICTS {
        let applied = kube.apply_resource(wanted, basis.as_deref(), dry_run).await;
        let (Err(Error::Api { status: 409, .. }), Some(seen)) = (&applied, seen) else {
            return applied;
        };
        match kube.resource(wanted).await {
            Ok(Some(live)) if is_same(&live, seen) => basis = Some(version(&live)),
            // Somebody else was faster; or it cannot be told.
            _ => return applied,
        }
    }
    kube.apply_resource(wanted, basis.as_deref(), dry_run).await
}

/// Whether all that was decided by is as it was.
fn is_same(live: &Value, seen: &Value) -> bool {
    let same = |key: &str| live["metadata"][key] == seen["metadata"][key];
    live["spec"] == seen["spec"] && same("labels") && same("annotations") && same("uid")
}

fn version(value: &Value) -> String {
    value["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

/// `cluster1: applied ServiceEntry istio-system/reviews`.
fn told(step: &Step) -> String {
    let word = match &step.write {
        Write::Apply(_) => "applied",
        Write::Delete(_) => "deleted",
        Write::Edit(_) => "edited",
    };
    safe(&format!("{}: {word} {}", step.cluster, step.write.id()))
}

/// What was not done, by name.
fn stopped(failure: Failure, done: usize, all: usize, missing: &[&Step]) -> Failure {
    let name = |step: &&Step| match &step.write {
        Write::Apply(resource) => format!("{} {}", step.cluster, resource.id()),
        Write::Delete(resource) => format!("{} delete {}", step.cluster, resource.id()),
        Write::Edit(edit) => format!("{} edit {}", step.cluster, edit.id()),
    };
    let mut names: Vec<String> = missing.iter().take(NAMED).map(name).collect();
    if missing.len() > NAMED {
        names.push(format!("and {} more", missing.len() - NAMED));
    }
    failure
        .because(format!("{done} of {all} writes are done, and named above"))
        .because(format!("not done: {}", names.join(", ")))
        .hint("run the same command again: it continues where it stopped")
}

/// Says how it ended; fields that others own may have stayed.
fn finish(done: usize, mixed: &[String], io: &mut Io<'_>) -> Result<Exit, Failure> {
    if let Some((first, rest)) = mixed.split_first() {
        let failure = Failure::new("apply/foreign", "fields of another field manager stayed in it")
            .within(first);
        let failure = rest.iter().fold(failure, Failure::within);
        return Err(failure.exit(Exit::No).hint("`kubectl get --show-managed-fields -o yaml` shows whose they are; take them out there, or delete the resource and apply again"));
    }
    io.say(if done == 0 { "nothing to do".to_owned() } else { format!("done: {done} writes") });
    Ok(Exit::Good)
}
