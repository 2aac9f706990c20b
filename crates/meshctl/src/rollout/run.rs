//! Carries out the plans, wave by wave, and reports at the end what was changed and what was not.

use std::cell::RefCell;
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use meshapply::names::{CACERTS, PREVIOUS};
use meshapply::next::Stop;
use meshapply::proof::Proof;
use meshapply::waves::{Outcome, in_waves, waves};
use meshapply::workload::Id;
use meshapply::{Error, Patience, Receipt, converge};
use meshpki::istiod::Dataplane;
use serde_json::json;
use tokio::time::sleep;

use super::Job;
use super::plan::Plan;
use super::report::Report;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Target, failed, tls};
use crate::fleet::judge;
use crate::hints::{self, UNTYPED};
use crate::interrupt::Ending;
use crate::io::Io;
use crate::text::{self, counted, word};

type Outcomes = Vec<Outcome<Receipt, Error>>;

/// Between two looks at a cluster.
const POLL: Duration = Duration::from_millis(500);
/// Between two drawings of the progress.
const SECOND: Duration = Duration::from_secs(1);

/// Runs every plan; exit status 0 when every cluster is done and each trusts what the others sign.
pub(super) async fn run(
    job: &Job<'_>,
    plans: &[Plan],
    report: &mut Report,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    let step = Duration::from_secs(job.options.timeout_seconds);
    let patience = Patience { step, poll: POLL };
    let outcomes = {
        let shared = RefCell::new((&mut *report, &mut *io));
        let waves = waves(plans.len(), job.options.parallel);
        let work = in_waves(&waves, |cluster| {
            let (shared, target, desired) =
                (&shared, &job.targets[cluster], &plans[cluster].desired);
            async move {
                let work = converge(&target.kube, desired, patience, |event| {
                    let (report, io) = &mut *shared.borrow_mut();
                    report.event(cluster, target, event, io);
                });
                let mut ending = Ending::new();
                let result = tokio::select! {
                    result = work => result,
                    () = ending.wait() => Err(Error::Interrupted { what: "the cluster".to_owned() }),
                };
                let result = result.map_err(|error| by_ourselves(job, cluster, error));
                let (report, io) = &mut *shared.borrow_mut();
                if !report.is_json() {
                    report.end(cluster, target, &ended(&result), io);
                }
                result
            }
        });
        tokio::select! {
            outcomes = work => outcomes,
            never = redraw(&shared) => match never {},
        }
    };
    summary(job, plans, &outcomes, report, io)
}

/// Draws the progress again every second: how long each cluster has been waited for.
async fn redraw(shared: &RefCell<(&mut Report, &mut Io<'_>)>) -> Infallible {
    loop {
        sleep(SECOND).await;
        let (report, io) = &mut *shared.borrow_mut();
        report.draw(io);
    }
}

/// Whether this run itself changed the secret, through another context of the same cluster.
fn by_ourselves(job: &Job<'_>, cluster: usize, error: Error) -> Error {
    match (&error, job.twins.of(cluster, &job.targets)) {
        (Error::Stopped(Stop::Moved { managers }), Some(other)) if managers.is_empty() => {
            Error::Stopped(Stop::Twin { other: other.to_owned() })
        }
        _ => error,
    }
}

fn ended(result: &Result<Receipt, Error>) -> String {
    match result {
        Ok(receipt) if receipt.actions.is_empty() => "done: nothing to write".to_owned(),
        Ok(_) => "done".to_owned(),
        Err(error) => format!("failed: {error}"),
    }
}

fn summary(
    job: &Job<'_>,
    plans: &[Plan],
    outcomes: &Outcomes,
    report: &Report,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    for (target, outcome) in job.targets.iter().zip(outcomes) {
        let proven = matches!(outcome, Outcome::Done(Receipt { proof: Some(_), .. }));
        let line = match outcome {
            Outcome::Done(receipt) if proven => format!("verified {}", proof_text(receipt)),
            Outcome::Done(_) => {
                "written; not verified, because Istio is not installed yet".to_owned()
            }
            Outcome::Failed(error) => format!("failed: {error}"),
            Outcome::NotStarted => "not touched".to_owned(),
        };
        if report.is_json() {
            let (state, code) = match outcome {
                Outcome::Done(_) => ("done", None),
                Outcome::Failed(error) => ("failed", Some(error.code())),
                Outcome::NotStarted => ("notTouched", None),
            };
            report.json_line(json!({"event": "result", "cluster": target.name, "tls": tls(target), "state": state, "code": code, "proven": proven, "detail": line}), io)?;
        } else {
            io.print(&format!("{}: {}\n", text::safe(&target.name), text::safe(&line)))?;
        }
    }
    if let Some(failure) = first_failure(job, outcomes) {
        return Err(failure);
    }
    let distrust = distrust(job, plans, outcomes);
    for line in &distrust {
        if report.is_json() {
            report.json_line(json!({"event": "distrust", "detail": line}), io)?;
        } else {
            io.print(&format!("{}\n", text::safe(line)))?;
        }
    }
    Ok(if distrust.is_empty() { Exit::Good } else { Exit::No })
}

fn proof_text(receipt: &Receipt) -> String {
    let Some(proof) = &receipt.proof else { return String::new() };
    format!(
        "in {} of istiod and {}",
        counted(proof.pods.len(), "pod"),
        counted(proof.namespaces.len(), "namespace")
    )
}

/// The failure that ends the command, with what became of every other cluster.
fn first_failure(job: &Job<'_>, outcomes: &Outcomes) -> Option<Failure> {
    let failed = |outcome: &Outcome<Receipt, Error>| matches!(outcome, Outcome::Failed(_));
    let at = outcomes.iter().position(failed)?;
    let Outcome::Failed(error) = &outcomes[at] else { return None };
    let target = &job.targets[at];
    let names = |is: fn(&Outcome<Receipt, Error>) -> bool| {
        let all = job.targets.iter().zip(outcomes).filter(|(_, outcome)| is(outcome));
        let names: Vec<&str> = all.map(|(target, _)| target.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    Some(failure(target, error).because(format!(
        "done: {}; failed: {}; not touched: {}",
        names(|outcome| matches!(outcome, Outcome::Done(_))),
        names(|outcome| matches!(outcome, Outcome::Failed(_))),
        names(|outcome| matches!(outcome, Outcome::NotStarted)),
    )))
}

/// A failure in a cluster, with the next command for it.
pub(super) fn failure(target: &Target, error: &Error) -> Failure {
    let failure = failed(target, error);
    match hint(target, error) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The next command for a failure of a rollout.
fn hint(target: &Target, error: &Error) -> Option<String> {
    let kubectl = |rest: &str| hints::kubectl(&target.context, rest, &target.typed);
    let of = |id: &Id, verb: &str, rest: &str| {
        kubectl(&format!("-n {} {verb} {id}{rest}", word(Path::new(&id.namespace))))
    };
    let namespace = word(Path::new(&target.istio_namespace));
    let meshctl = |command: &str| {
        let cluster = hints::named(&target.name, &target.context);
        format!("meshctl {command} --context {cluster}{}", target.typed.meshctl)
    };
    let back = || format!("`{}` restores the old secret", meshctl("rollback"));
    Some(match error {
        Error::Stopped(Stop::Stuck { id, .. }) | Error::Patience { id, .. } => {
            format!("`{}` shows why; {}", of(id, "describe", ""), back())
        }
        Error::Stopped(Stop::Obstacle { id, why }) if why.contains("paused") => {
            format!("`{}`, then run this again", of(id, "rollout resume", ""))
        }
        Error::Stopped(Stop::Obstacle { id, .. }) => format!(
            "`{}` replaces its pods by hand; with `--restart never` nothing is restarted",
            kubectl(&format!("-n {} delete pod POD", word(Path::new(&id.namespace))))
        ),
        Error::Stopped(Stop::NoReplicas { id }) => {
            format!("scale it up first: `{}`", of(id, "scale", " --replicas 1"))
        }
        Error::Stopped(Stop::SecretType { .. }) => format!(
            "create the files with `--layout tls`, which this type can hold; or save a copy, run `{}` and push again: istiod keeps its CA until it restarts",
            kubectl(&format!("-n {namespace} delete secret {CACERTS}"))
        ),
        Error::Stopped(Stop::Altered { .. }) => format!(
            "`{}` lists what can change objects before they are stored",
            kubectl("get mutatingwebhookconfigurations,mutatingadmissionpolicies")
        ),
        Error::Forbidden { what, message } if is_creation(message) => {
            let name = if what.contains(PREVIOUS) { PREVIOUS } else { CACERTS };
            let create = format!("-n {namespace} create secret generic {name}");
            // Whoever has the right has another kubeconfig.
            let create = hints::kubectl(&target.context, &create, &UNTYPED);
            format!("have an administrator create an empty one: `{create}`")
        }
        Error::Unproven { .. } => format!(
            "run the same command again to keep waiting. `{}` shows what is live; {}",
            meshctl("status"),
            back()
        ),
        Error::Api { status: 404, message, .. } if message.starts_with("namespaces ") => {
            format!("`{}`, then run this again", kubectl(&format!("create namespace {namespace}")))
        }
        _ => return None,
    })
}

/// Whether the missing right is to create secrets, which the printed rights do not include.
fn is_creation(message: &str) -> bool {
    message.contains("cannot create resource \"secrets\"")
}

/// Every pair of clusters of which one does not trust what the other signs, tested with the canary certificates.
fn distrust(job: &Job<'_>, plans: &[Plan], outcomes: &Outcomes) -> Vec<String> {
    let proxies: Vec<Dataplane> = job
        .seen
        .iter()
        .zip(plans)
        .map(|(seen, plan)| judge::dataplane(seen, &plan.desired.secret))
        .collect();
    let targets = &job.targets;
    let mut lines = Vec::new();
    for (signer, outcome) in targets.iter().zip(outcomes) {
        let Outcome::Done(Receipt { proof: Some(proof), .. }) = outcome else { continue };
        let needs = |truster: &Target| !truster.apart.contains(&signer.name);
        for (truster, proxies) in targets.iter().zip(&proxies).filter(|(one, _)| needs(one)) {
            if let Some(why) = why_distrusted(proof, proxies) {
                lines.push(format!(
                    "{} does not trust certificates from {}: {why}",
                    truster.name, signer.name
                ));
            }
        }
    }
    lines
}

fn why_distrusted(proof: &Proof, proxies: &Dataplane) -> Option<String> {
    let mut canaries = proof.pods.iter().filter_map(|pod| pod.canary.as_ref()?.as_ref().ok());
    let (who, why) = canaries.find_map(|canary| canary.refused_by(proxies, proof.at))?;
    Some(format!("{who}: {why}"))
}
