//! Writing a secret to clusters: plan, check, ask, then cluster by cluster in waves. `push`, `rollback` and `rotate` all
//! end here.

mod crls;
mod guard;
mod options;
mod plan;
mod report;
mod run;
pub(crate) mod stale;

use std::collections::{BTreeMap, BTreeSet};

use meshapply::kube::Kube;
use meshapply::next::{Action, Next, Run, next};
use meshapply::state::Desired;
use meshpki::Time;
use meshpki::istiod::Secret;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Seen, Target, place as place_of};
use crate::fleet::judge::{self, Case};
use crate::fleet::place::{self, Source, Twins};
use crate::io::{Io, cannot_ask};

pub(crate) use guard::{look_apart, no_folder, own_folders, refuse, refuse_unusable};
pub(crate) use options::{DryRun, Options, Restart};
use plan::Plan;

/// A push or a rollback, after every cluster has been read.
pub(crate) struct Job<'a> {
    /// Its clusters.
    pub(crate) targets: Vec<Target>,
    /// What was seen of each.
    pub(crate) seen: Vec<Seen>,
    /// Targets that are the same cluster, if that is forced.
    pub(crate) twins: Twins,
    /// The other folders of DIR; `None`: the secrets come from the clusters themselves.
    pub(crate) others: Option<BTreeMap<String, Secret>>,
    /// What is different if clusters get another CA on purpose.
    pub(crate) rotation: Option<Rotation>,
    /// How.
    pub(crate) options: &'a Options,
}

/// Clusters get another CA on purpose.
pub(crate) struct Rotation {
    /// Those that get one which their istiod made for itself, and whose key it has had since.
    pub(crate) own_cas: BTreeSet<String>,
}

impl Job<'_> {
    /// Writes each target its secret: plan, checks, confirmation, waves, proof.
    pub(crate) async fn run(self, secrets: Vec<Secret>, io: &mut Io<'_>) -> Result<Exit, Failure> {
        self.run_after(secrets, |_| Ok(()), io).await
    }

    /// The same, with something to do after the confirmation and before the first write.
    pub(crate) async fn run_after(
        self,
        secrets: Vec<Secret>,
        prepare: impl FnOnce(&mut Io<'_>) -> Result<(), Failure>,
        io: &mut Io<'_>,
    ) -> Result<Exit, Failure> {
        let plans: Vec<Plan> = secrets
            .iter()
            .zip(&self.seen)
            .map(|(secret, seen)| Plan::new(secret, seen, self.options, io.now))
            .collect();
        let problems = self.problems(&secrets, &plans, io.now);
        let mut report = report::Report::new(&self.targets, self.options, io.draws());
        report.plan(&self.targets, &self.seen, &plans, &problems, io)?;
        refuse(&problems, self.options)?;
        self.refuse_wrong_place(&plans)?;
        // A rollback goes back on purpose, and a rotation of the root has an order of its own.
        let (targets, seen, options) = (&self.targets, &self.seen, self.options);
        match (&self.others, &self.rotation) {
            (None, _) => crls::refuse_rollback(targets, seen, &plans, options)?,
            (_, Some(_)) => crls::refuse_rotation(targets, seen, &plans, options)?,
            _ => crls::refuse(targets, seen, &plans, options, io.now)?,
        }
        for (target, plan) in self.targets.iter().zip(&plans) {
            if let Some(stop) = &plan.refusal {
                return Err(run::failure(target, &meshapply::Error::Stopped(stop.clone())));
            }
        }
        match self.options.dry_run {
            Some(DryRun::Client) => return Ok(Exit::Good),
            Some(DryRun::Server) => return self.dry_run(&plans, &mut report, io).await,
            None => {}
        }
        if plans.iter().any(Plan::writes) {
            agree(self.options, self.targets.len(), io)?;
        }
        prepare(io)?;
        run::run(&self, &plans, &mut report, io).await
    }

    /// What `meshctl check` says about these folders together, with all their files, each judged as its own istiod
    /// would.
    fn problems(&self, secrets: &[Secret], plans: &[Plan], at: Time) -> Vec<crate::hints::Problem> {
        let all = self.targets.iter().zip(&self.seen).zip(secrets);
        let cases: Vec<Case<'_>> =
            all.map(|((target, seen), secret)| Case::live(target, seen, secret)).collect();
        let mut problems = judge::problems(&cases, at);
        let wanted: Vec<_> = plans.iter().map(|plan| &plan.desired.secret).collect();
        problems.extend(judge::before_push(&self.targets, &self.seen, &wanted, at));
        // Its key is next to the secret already.
        let is_own = |problem: &crate::hints::Problem| {
            problem.code == "istiod/root-key"
                && self.rotation.as_ref().is_some_and(|rotation| {
                    problem.clusters.iter().all(|name| rotation.own_cas.contains(name))
                })
        };
        problems.retain(|problem| !is_own(problem));
        judge::errors_first(&mut problems);
        problems
    }

    /// Refuses a CA that is not for the cluster its context reaches: contexts or folders are mixed up.
    fn refuse_wrong_place(&self, plans: &[Plan]) -> Result<(), Failure> {
        let force = &self.options.force;
        if place::is_forced(force) {
            return Ok(());
        }
        let aims = self.targets.iter().zip(&self.seen).zip(plans);
        for ((target, seen), plan) in aims.filter(|(_, plan)| plan.changes) {
            let wanted = plan.desired.secret.ca(seen.release());
            if let Some(failure) =
                wanted.as_ref().and_then(|ca| guard::of_another_domain(target, ca))
            {
                return Err(failure);
            }
        }
        let wanted: Vec<_> = plans.iter().map(|plan| Some(&plan.desired.secret)).collect();
        let source = match &self.others {
            Some(others) if self.rotation.is_some() => Source::Rotation { others },
            Some(others) => Source::Folders { others },
            None => Source::Kept,
        };
        place::refuse_misplaced(&self.targets, &self.seen, &wanted, source, force)
    }

    /// Has each API server validate the first writes as a dry run.
    async fn dry_run(
        &self,
        plans: &[Plan],
        report: &mut report::Report,
        io: &mut Io<'_>,
    ) -> Result<Exit, Failure> {
        for ((target, seen), plan) in self.targets.iter().zip(&self.seen).zip(plans) {
            for action in first_writes(&plan.desired, seen) {
                dry(&target.kube, &action, &plan.desired)
                    .await
                    .map_err(|error| error.within(place_of(target)))?;
                report.dry_run(target, &action, io)?;
            }
        }
        Ok(Exit::Good)
    }
}

async fn dry(kube: &Kube, action: &Action, desired: &Desired) -> Result<(), Failure> {
    Ok(kube.dry_run(action, desired).await?)
}

/// The writes that are known before the first one.
fn first_writes(desired: &Desired, seen: &Seen) -> Vec<Action> {
    let mut writes = Vec::new();
    if let Next::Act(action) = next(desired, &seen.observed, None, Run::default()) {
        writes.push(action);
    }
    if writes == [Action::KeepPrevious] {
        writes.push(Action::WriteSecret { over: desired.basis.clone() });
    }
    let mark = meshapply::state::mark(&desired.secret, desired.basis.as_deref());
    for id in seen.observed.restarts(desired) {
        writes.push(Action::Restart { id, mark: mark.clone() });
    }
    writes.dedup();
    writes
}

/// Asks before the first write.
fn agree(options: &Options, clusters: usize, io: &mut Io<'_>) -> Result<(), Failure> {
    let many = if clusters == 1 { "this cluster" } else { "these clusters" };
    io.confirm(options.yes, &format!("Write to {many}?"), HINT)
}

/// Refuses early if a question would follow that cannot be asked.
///
/// # Errors
/// `ctl/usage`.
pub(crate) fn can_agree(options: &Options, io: &Io<'_>) -> Result<(), Failure> {
    if options.yes || options.dry_run.is_some() || io.can_ask {
        return Ok(());
    }
    Err(cannot_ask(HINT))
}

/// What to do about a question that cannot be asked.
const HINT: &str = "nothing was written; `--dry-run client` shows the plan, `--yes` carries it out";
