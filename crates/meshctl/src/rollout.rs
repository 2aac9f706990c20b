//! `meshctl push` and `meshctl rollback`: look at every cluster, plan, ask, then cluster by cluster in waves.

mod plan;
mod run;
mod tell;

use std::collections::BTreeMap;
use std::path::Path;

use meshapply::kube::Kube;
use meshapply::next::{Action, Next, Run, next};
use meshapply::state::Desired;
use meshpki::Time;
use meshpki::istiod::Secret;

use crate::args::{Clusters, DryRun, Output, Push, Rollback, Rollout};
use crate::clusters::{Seen, Target, Way, look, place as place_of, runtime, targets};
use crate::place::{Source, Twins};
use crate::report::Failure;
use crate::{Exit, Io, check, place, show};

use plan::Plan;

/// Runs `meshctl push`.
pub fn push(args: &Push, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let runtime = runtime()?;
    if args.print_rbac {
        return runtime.block_on(crate::rbac::print(args, io));
    }
    crate::ca::warn_exposed(&args.dir, io);
    let mut folders: BTreeMap<String, Secret> = check::secrets(&args.dir)?;
    runtime.block_on(async {
        let way = Way::of(&args.clusters, &args.rollout);
        let targets = targets(&args.clusters, way, args.rollout.workloads, io).await?;
        let mut secrets = Vec::new();
        for target in &targets {
            let secret = folders.remove(&target.name);
            secrets.push(
                secret.ok_or_else(|| no_folder(target, &args.dir, &folders, &args.clusters))?,
            );
        }
        let (seen, twins) = look_apart(&targets, &args.rollout.force).await?;
        refuse_older(&targets, &seen, &secrets, args)?;
        let job = Job { targets, seen, twins, others: Some(folders), args: &args.rollout };
        job.run(secrets, io).await
    })
}

/// A folder that is older than what its cluster has: somebody has renewed from another checkout since.
fn refuse_older(
    targets: &[Target],
    seen: &[Seen],
    secrets: &[Secret],
    args: &Push,
) -> Result<(), Failure> {
    if args.rollout.force.iter().any(|code| code == "ctl/stale-folder") {
        return Ok(());
    }
    for ((target, seen), secret) in targets.iter().zip(seen).zip(secrets) {
        let live = seen.observed.secret.as_ref().and_then(|live| live.files.ca(seen.release()));
        if let Some(ours) = secret.ca(seen.release()) {
            crate::rotate::refuse_stale(
                target,
                &args.dir.join(&target.name),
                &ours,
                live.as_ref(),
            )?;
        }
    }
    Ok(())
}

/// Runs `meshctl rollback`.
pub fn rollback(args: &Rollback, io: &mut Io<'_>) -> Result<Exit, Failure> {
    runtime()?.block_on(async {
        let way = Way::of(&args.clusters, &args.rollout);
        let targets = targets(&args.clusters, way, args.rollout.workloads, io).await?;
        let (seen, twins) = look_apart(&targets, &args.rollout.force).await?;
        let mut secrets = Vec::new();
        for (target, seen) in targets.iter().zip(&seen) {
            let kept = seen.observed.previous.as_ref().filter(|kept| kept.is_kept());
            let Some(kept) = kept else { return Err(nothing_kept(target)) };
            secrets.push(kept.files.clone());
        }
        Job { targets, seen, twins, others: None, args: &args.rollout }.run(secrets, io).await
    })
}

/// Looks at every cluster, each of which must be another.
pub(crate) async fn look_apart(
    targets: &[Target],
    force: &[String],
) -> Result<(Vec<Seen>, Twins), Failure> {
    let seen = look(targets).await?;
    let twins = place::refuse_twins(targets, force).await?;
    Ok((seen, twins))
}

pub(crate) fn no_folder(
    target: &Target,
    dir: &Path,
    others: &BTreeMap<String, Secret>,
    clusters: &Clusters,
) -> Failure {
    let names: Vec<&str> = others.keys().map(String::as_str).collect();
    let dir = show::word(dir);
    let hint = match &clusters.file {
        Some(spec) => format!(
            "`meshctl ca init {dir} -f {} --cluster {}` makes one",
            show::word(spec),
            target.name
        ),
        None => format!(
            "`--context FOLDER={}` says which folder is that context's; `meshctl ca init {dir} --cluster {}` makes one",
            target.context, target.name
        ),
    };
    Failure::new("ctl/no-cluster", format!("{dir} has no folder `{}`", target.name))
        .because(format!(
            "it has {}",
            if names.is_empty() { "no other".to_owned() } else { names.join(", ") }
        ))
        .hint(hint)
}

fn nothing_kept(target: &Target) -> Failure {
    Failure::new("ctl/no-previous", "no earlier secret is kept there")
        .within(place_of(target))
        .because(format!("`meshctl push` keeps the secret it replaces as {}", meshapply::names::PREVIOUS))
        .hint("`meshctl push` brings a folder in; `DIR/previous` has the sets `meshctl ca renew` replaced")
        .exit(Exit::No)
}

/// Clusters in which no secret would come into use: said before anything is made for them.
pub(crate) fn refuse_unusable(
    targets: &[Target],
    seen: &[Seen],
    args: &Rollout,
) -> Result<(), Failure> {
    for (target, seen) in targets.iter().zip(seen) {
        let stop = meshapply::next::unusable(&seen.observed);
        if let Some(stop) = stop.filter(|stop| !plan::is_to_come(stop, args)) {
            return Err(run::told(target, &meshapply::Error::Stopped(stop)));
        }
    }
    Ok(())
}

/// A push or a rollback, once every cluster has been looked at.
pub(crate) struct Job<'a> {
    /// Its clusters.
    pub(crate) targets: Vec<Target>,
    /// What was seen of each.
    pub(crate) seen: Vec<Seen>,
    /// Those that are one cluster, where that is forced.
    pub(crate) twins: Twins,
    /// The other folders of DIR; `None`: what is brought in comes from the clusters themselves.
    pub(crate) others: Option<BTreeMap<String, Secret>>,
    /// How.
    pub(crate) args: &'a Rollout,
}

impl Job<'_> {
    /// Brings each target its secret: plan, check, ask, waves, proof.
    pub(crate) async fn run(self, secrets: Vec<Secret>, io: &mut Io<'_>) -> Result<Exit, Failure> {
        let plans: Vec<Plan> = secrets
            .iter()
            .zip(&self.seen)
            .map(|(secret, seen)| Plan::new(secret, seen, self.args, io.now))
            .collect();
        let problems = self.problems(&secrets, &plans, io.now);
        let mut tell = tell::Tell::new(&self.targets, self.args, io.progress);
        tell.plan(&self.targets, &self.seen, &plans, &problems, io)?;
        refuse(&problems, self.args)?;
        self.refuse_wrong_place(&plans)?;
        for (target, plan) in self.targets.iter().zip(&plans) {
            if let Some(stop) = &plan.refusal {
                return Err(run::told(target, &meshapply::Error::Stopped(stop.clone())));
            }
        }
        match self.args.dry_run {
            Some(DryRun::Client) => return Ok(Exit::Good),
            Some(DryRun::Server) => return self.dry_run(&plans, &mut tell, io).await,
            None => {}
        }
        if plans.iter().any(Plan::writes) {
            agree(self.args, self.targets.len(), io)?;
        }
        run::run(&self, &plans, &mut tell, io).await
    }

    /// What `meshctl check` says of these folders together, with all that is in them, each judged as its own istiod
    /// would.
    fn problems(
        &self,
        secrets: &[Secret],
        plans: &[Plan],
        at: Time,
    ) -> Vec<meshpki::istiod::SecretProblem> {
        let names = self.targets.iter().map(|target| target.name.as_str());
        let clusters: Vec<_> = names.zip(secrets).collect();
        let settings: Vec<_> = self.seen.iter().map(crate::live::settings).collect();
        let mut problems = check::problems(&clusters, &settings, at);
        let wanted: Vec<_> = plans.iter().map(|plan| &plan.desired.secret).collect();
        problems.extend(check::live_problems(&self.targets, &self.seen, &wanted, at));
        check::errors_first(&mut problems);
        problems
    }

    /// A CA that is not for the cluster its context reaches: contexts or folders are mixed up.
    fn refuse_wrong_place(&self, plans: &[Plan]) -> Result<(), Failure> {
        let force = &self.args.force;
        if place::is_forced(force) {
            return Ok(());
        }
        let aims = self.targets.iter().zip(&self.seen).zip(plans);
        for ((target, seen), plan) in aims.filter(|(_, plan)| plan.changes) {
            let wanted = plan.desired.secret.ca(seen.release());
            if let Some(failure) = wanted.as_ref().and_then(|ca| of_another_domain(target, ca)) {
                return Err(failure);
            }
        }
        let wanted: Vec<_> = plans.iter().map(|plan| Some(&plan.desired.secret)).collect();
        let source = match &self.others {
            Some(others) => Source::Folders { others },
            None => Source::Kept,
        };
        place::refuse_misplaced(&self.targets, &self.seen, &wanted, source, force)
    }

    /// Has each API server check what would be written first; nothing is kept.
    async fn dry_run(
        &self,
        plans: &[Plan],
        tell: &mut tell::Tell,
        io: &mut Io<'_>,
    ) -> Result<Exit, Failure> {
        for ((target, seen), plan) in self.targets.iter().zip(&self.seen).zip(plans) {
            for action in first_writes(&plan.desired, seen) {
                dry(&target.kube, &action, &plan.desired)
                    .await
                    .map_err(|error| error.within(place_of(target)))?;
                tell.dry_run(target, &action, io)?;
            }
        }
        Ok(Exit::Good)
    }
}

/// A CA that says it is of another trust domain than the spec has for the cluster.
fn of_another_domain(target: &Target, ca: &meshpki::Cert) -> Option<Failure> {
    let wanted = format!("spiffe://{}", target.spec.as_ref()?.trust_domain);
    let domains = crate::ca::trust_domains(ca);
    if domains.is_empty() || domains.contains(&wanted) {
        return None;
    }
    let message = format!("the CA for {} is of another trust domain", target.name);
    Some(
        Failure::new("ctl/wrong-cluster", message)
            .within(place_of(target))
            .because(format!("{} says {}", ca.label(), domains.join(", ")))
            .because(format!("the spec says {wanted}"))
            .hint("nothing was written; move the folder away and make it anew with `meshctl ca init -f`; `--force ctl/wrong-cluster` goes on in spite of it")
            .exit(Exit::No),
    )
}

async fn dry(kube: &Kube, action: &Action, desired: &Desired) -> Result<(), Failure> {
    Ok(kube.dry_run(action, desired).await?)
}

/// What the run would write, as far as it can be said before the first write.
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

/// Errors that were not overridden by name. Three cannot be: a CA whose key is public, a root's key in a cluster, and a key
/// in a file that every workload gets.
pub(crate) fn refuse(
    problems: &[meshpki::istiod::SecretProblem],
    args: &Rollout,
) -> Result<(), Failure> {
    const NEVER: [&str; 3] = ["istiod/key-exposed", "istiod/root-key", "istiod/sample-ca"];
    for problem in problems.iter().filter(|p| p.severity == meshpki::istiod::Severity::Error) {
        let never = NEVER.contains(&problem.code);
        if args.force.iter().any(|code| code == problem.code) && !never {
            continue;
        }
        let failure = Failure::new(problem.code, problem.message.clone())
            .within(format!("cluster {}", problem.clusters.join(", ")))
            .because(problem.effect.clone())
            .exit(Exit::No);
        return Err(failure.hint(if never {
            "nothing was written; this cannot be forced".to_owned()
        } else {
            format!("nothing was written; `meshctl check` says more, `--force {}` goes on in spite of it", problem.code)
        }));
    }
    Ok(())
}

/// Asks; who cannot be asked has to have said yes.
fn agree(args: &Rollout, clusters: usize, io: &mut Io<'_>) -> Result<(), Failure> {
    let many = if clusters == 1 { "this cluster" } else { "these clusters" };
    agreed(
        args.yes,
        &format!("Write to {many}?"),
        "nothing was written; `--dry-run client` shows the plan, `--yes` carries it out",
        io,
    )
}

/// Asks a question that can be answered with yes; who cannot be asked has to have said it, or is told `hint`.
pub(crate) fn agreed(
    yes: bool,
    question: &str,
    hint: &str,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io.can_ask {
        return Err(Failure::usage("there is nobody to ask, and `--yes` was not given").hint(hint));
    }
    // A standard error that is gone cannot be asked through; the answer is then no.
    let _ = write!(io.err, "\n{question} [y/N] ");
    let _ = io.err.flush();
    let mut answer = String::new();
    let read = io.stdin.read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::new("ctl/declined", "not done: the answer was no").exit(Exit::No))
}

/// Whether somebody has said yes or can be asked.
pub(crate) fn can_agree(args: &Rollout, io: &Io<'_>) -> Result<(), Failure> {
    if args.yes || args.dry_run.is_some() || io.can_ask {
        return Ok(());
    }
    Err(Failure::usage("there is nobody to ask, and `--yes` was not given")
        .hint("nothing was written; `--dry-run client` shows the plan, `--yes` carries it out"))
}

/// Whether results are lines of JSON.
pub(crate) fn is_json(args: &Rollout) -> bool {
    args.output == Output::Json
}
