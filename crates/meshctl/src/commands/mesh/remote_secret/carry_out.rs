//! Writes the secrets one at a time; after each write, istiod has to use it and keep its endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use meshapply::Error;
use meshapply::kube::{RemoteWrite, try_token};
use meshapply::remote::{
    Claims, Due, Problem, ReaderToken, Remedy, RemoteKubeconfig, RemoteSecret, Swap, View, Watch,
    Watched, token_secret_name, unusable,
};
use meshpki::Time;
use meshpki::istiod::Severity;

use super::plan::{Plan, Write};
use super::seconds;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Target, place};
use crate::fleet::remote::{failed, failure};
use crate::hints::kubectl;
use crate::interrupt::Ending;
use crate::io::Io;
use crate::text::{safe, word};

/// Between two looks at istiod, which then sends all of its endpoints: a tenth of the time to settle, in these limits.
const POLL: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// The lifetime of a token in a dry run, in seconds: the least that an API server issues.
const REHEARSAL: i64 = 600;
/// A lifetime that is this much shorter than requested, in seconds, was shortened.
const TOLERANCE: i64 = 60;

/// Sends every write as a dry run, with tokens that are requested as dry runs too.
pub(super) async fn rehearse(plan: &Plan<'_>) -> Result<(), Failure> {
    for write in &plan.writes {
        let token = issue(plan, write, REHEARSAL, true).await?;
        let content = RemoteKubeconfig::text(&write.remote.name, &write.entrance, &token.token);
        send(write, &content, write.over, true).await?;
    }
    Ok(())
}

/// Carries out the plan.
pub(super) async fn run(plan: &Plan<'_>, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut ending = Ending::new();
    for (done, write) in plan.writes.iter().enumerate() {
        if let Err(failure) = one(plan, write, &mut ending, io).await {
            let missing = plan.writes.iter().skip(done + 1);
            let missing: Vec<String> =
                missing.map(|one| format!("{} for {}", one.reader.name, one.remote.name)).collect();
            return Err(match missing.as_slice() {
                [] => failure,
                all => failure.because(format!("not done: {}", all.join(", "))),
            });
        }
    }
    leftovers(plan, io).await;
    let many = if plan.writes.len() == 1 { "secret" } else { "secrets" };
    io.note(format!("done: {} {many} written and verified", plan.writes.len()));
    Ok(Exit::Good)
}

/// One secret: its token is tried, it is written, and istiod is watched.
async fn one(
    plan: &Plan<'_>,
    write: &Write<'_>,
    ending: &mut Ending,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    let views = write.reader.kube.remote_views().await;
    let before = views.map_err(|error| failed(write.reader, &error))?;
    refuse_blind(plan, write, &before, io)?;
    let lifetime = seconds(plan.job.writing.lifetime);
    let token = issue(plan, write, lifetime, false).await?;
    shortened(plan, write, &token, io);
    let content = RemoteKubeconfig::text(&write.remote.name, &write.entrance, &token.token);
    try_out(plan, write, &content, &token, io).await?;
    let version = send(write, &content, write.over, false).await?;
    let (reader, remote) = (&write.reader.name, &write.remote.name);
    io.note(safe(&format!("{reader}: wrote secret {}, token until {}", write.name, token.expires)));
    let why = match watch(plan, write, &before, ending).await? {
        Ok(pods) => {
            io.say(safe(&format!(
                "{reader}: verified: {remote} synced, endpoints {}",
                told(&pods)
            )));
            return Ok(());
        }
        Err(why) => why,
    };
    Err(undone(plan, write, &before, (&version, why), ending, io).await)
}

/// istiod is asked before and after; if it cannot be asked, nothing can be verified.
fn refuse_blind(
    plan: &Plan<'_>,
    write: &Write<'_>,
    before: &[View],
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    let silent = before.iter().find_map(|view| Some((&view.pod, view.said.as_ref().err()?)));
    let cause = match silent {
        Some((pod, why)) => format!("pod {pod}: {why}"),
        None if before.is_empty() => "no pod of istiod is ready".to_owned(),
        None => return Ok(()),
    };
    let message = format!("istiod of {} cannot be asked which endpoints it has", write.reader.name);
    let failure = Failure::new("remote/not-verified", message)
        .within(place(write.reader))
        .because(cause)
        .exit(Exit::No);
    if plan.job.forces("remote/not-verified") {
        io.warn(&failure);
        return Ok(());
    }
    let Target { context, istio_namespace, typed, .. } = write.reader;
    let pods = format!("-n {} get pods -l app=istiod", word(Path::new(istio_namespace)));
    Err(failure.hint(format!(
        "its secret for {} was not written; `{}` shows the pods; `--force remote/not-verified` writes it unseen",
        write.remote.name,
        kubectl(context, &pods, typed)
    )))
}

async fn issue(
    plan: &Plan<'_>,
    write: &Write<'_>,
    lifetime: i64,
    dry_run: bool,
) -> Result<ReaderToken, Failure> {
    let account = &plan.job.writing.service_account;
    let remote = write.remote;
    remote.kube.reader_token(account, lifetime, dry_run).await.map_err(|error| match error {
        Error::Api { status: 404, .. } => {
            let message = format!("{} has no service account {account}", remote.name);
            let problem = about(write, "remote/account", message, Remedy::ShowAccounts);
            failure(&problem, &plan.places)
                .because("Istio's chart `base` creates it; `--service-account` names another one")
        }
        error => failed(remote, &error),
    })
}

/// A problem of the secret that is being written.
fn about(write: &Write<'_>, code: &'static str, message: String, remedy: Remedy) -> Problem {
    Problem {
        code,
        severity: Severity::Error,
        reader: write.reader.name.clone(),
        remote: write.remote.name.clone(),
        secret: write.name.clone(),
        message,
        causes: Vec::new(),
        remedy,
    }
}

/// The API server decides how long a token lives (`--service-account-max-token-expiration`).
fn shortened(plan: &Plan<'_>, write: &Write<'_>, token: &ReaderToken, io: &mut Io<'_>) {
    let wanted = seconds(plan.job.writing.lifetime);
    let Some(issued) = Claims::read(&token.token).and_then(|claims| claims.issued) else { return };
    let given = token.expires.0.saturating_sub(issued.0);
    if given.saturating_add(TOLERANCE) >= wanted {
        return;
    }
    let message = format!(
        "the API server of {} issues tokens for {}, not for the {} that were requested",
        write.remote.name,
        meshpki::internals::words(Time(given).since(Time(0))),
        meshpki::internals::words(Time(wanted).since(Time(0))),
    );
    let failure = Failure::new("remote/lifetime", message)
        .within(place(write.remote))
        .because(format!("this token ends on {}", token.expires))
        .hint("run `meshctl mesh remote-secret rotate` at least three times in that time");
    io.warn(&failure);
}

/// The new token has to work before it takes the place of the old one.
async fn try_out(
    plan: &Plan<'_>,
    write: &Write<'_>,
    content: &[u8],
    token: &ReaderToken,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    let Ok(kubeconfig) = RemoteKubeconfig::read(content) else { return Ok(()) };
    let answer = try_token(&kubeconfig).await;
    let names = (&write.reader.name, &write.remote.name);
    let Some(problem) = unusable(&answer, names.0, names.1, &write.name, &token.token) else {
        return Ok(());
    };
    let told = failure(&problem, &plan.places);
    if problem.severity == Severity::Warning || plan.job.forces(problem.code) {
        io.warn(&told);
        return Ok(());
    }
    Err(told.because("the secret was not written"))
}

/// Sends one write; returns the secret's new version.
async fn send(
    write: &Write<'_>,
    content: &[u8],
    over: Option<&RemoteSecret>,
    dry_run: bool,
) -> Result<String, Failure> {
    let sent = RemoteWrite { name: &write.name, cluster: &write.remote.name, content, over };
    let written = write.reader.kube.write_remote_secret(&sent, dry_run).await;
    written.map_err(|error| failed(write.reader, &error))
}

/// Pod -> endpoints before, the fewest in between, and after.
type Pods = BTreeMap<String, [usize; 3]>;

/// `istiod-a 12 before, 12 after`, with the fewest in between if they were fewer than both.
fn told(pods: &Pods) -> String {
    let one = |(pod, [before, lowest, after]): (&String, &[usize; 3])| {
        let gap = if lowest < before.min(after) {
            format!(", {lowest} for a moment")
        } else {
            String::new()
        };
        format!("{pod} {before} before{gap}, {after} after")
    };
    pods.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What was still missing when time was up, and whether it was endpoints.
type Missing = (String, bool);

/// Watches istiod until it has the cluster, or time is up.
async fn watch(
    plan: &Plan<'_>,
    write: &Write<'_>,
    before: &[View],
    ending: &mut Ending,
) -> Result<Result<Pods, Missing>, Failure> {
    let writing = plan.job.writing;
    let settle = writing.settle.min(writing.timeout);
    let pause = (settle / 10).clamp(POLL[0], POLL[1]);
    let mut watch = Watch::new(&write.remote.name, settle.as_secs(), before);
    let start = Instant::now();
    loop {
        let views = write.reader.kube.remote_views().await;
        let missing = match views {
            Ok(views) => match watch.look(start.elapsed().as_secs(), &views) {
                Watched::Good { pods } => return Ok(Ok(pods)),
                Watched::Wait { missing, lost } => (missing, lost),
            },
            Err(error) => (error.to_string(), false),
        };
        if start.elapsed() > writing.timeout {
            return Ok(Err(missing));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = ending.wait() => return Err(interrupted(write)),
        }
    }
}

fn interrupted(write: &Write<'_>) -> Failure {
    let what = format!("istiod of {} to use the new secret", write.reader.name);
    failed(write.reader, &Error::Interrupted { what })
        .because(format!("secret {} was written", write.name))
        .hint("`meshctl mesh remote-secret check` shows whether istiod uses it")
}

/// istiod does not use the new secret: the old one is put back where that helps.
async fn undone(
    plan: &Plan<'_>,
    write: &Write<'_>,
    before: &[View],
    (version, (why, lost)): (&str, Missing),
    ending: &mut Ending,
    io: &mut Io<'_>,
) -> Failure {
    let (reader, remote) = (&write.reader.name, &write.remote.name);
    let seconds = plan.job.writing.timeout.as_secs();
    let (code, message) = if lost {
        let message =
            format!("istiod of {reader} lacks endpoints of {remote} {seconds} s after the write");
        ("remote/endpoints", message)
    } else {
        let message = format!("istiod of {reader} has not synced {remote} within {seconds} s");
        ("remote/not-synced", message)
    };
    let remedy = match write.swap {
        Swap::Lost if lost => Remedy::RestartIstiod,
        _ => Remedy::ShowLog,
    };
    let told = failure(&about(write, code, message, remedy), &plan.places).because(why);
    let old = write.over.and_then(|secret| Some((secret, secret.data.get(remote.as_str())?)));
    let Some((secret, content)) = old.filter(|_| is_worth_keeping(write, plan)) else {
        return told.because("the new secret stays");
    };
    if write.swap == Swap::Lost {
        return told.because(
            "the new secret stays: with this release, another change loses endpoints again",
        );
    }
    let over = RemoteSecret { resource_version: version.to_owned(), ..secret.clone() };
    if let Err(failure) = send(write, content, Some(&over), false).await {
        io.fail(&failure);
        return told.because("the old secret could not be put back");
    }
    io.say(safe(&format!("{reader}: put the old secret {} back", write.name)));
    match watch(plan, write, before, ending).await {
        Ok(Ok(pods)) => told.because(format!(
            "the old secret is back, and istiod uses it: endpoints {}",
            self::told(&pods)
        )),
        Ok(Err((missing, _))) => told
            .because(format!("the old secret is back, but istiod does not use it yet: {missing}")),
        Err(interrupted) => interrupted,
    }
}

/// Whether the old secret could work at all.
fn is_worth_keeping(write: &Write<'_>, plan: &Plan<'_>) -> bool {
    write.why.iter().all(|why| match why {
        Due::Ends(end) => *end > plan.now(),
        Due::Unreadable(_) | Due::NoToken | Due::Missing | Due::Refused(_) => false,
        Due::Names | Due::Server(..) | Due::Insecure | Due::Ca | Due::NoEnd => true,
    })
}

/// What a rotation leaves valid, and how it ends.
async fn leftovers(plan: &Plan<'_>, io: &mut Io<'_>) {
    let ends = plan.writes.iter().flat_map(|write| &write.why).filter_map(|why| match why {
        Due::Ends(end) if *end > plan.now() => Some(*end),
        _ => None,
    });
    if let Some(last) = ends.max() {
        io.say(format!("note: the replaced tokens stay valid until {last} at the latest: Kubernetes cannot revoke one alone"));
    }
    let without_end = plan.writes.iter().filter(|write| write.why.contains(&Due::NoEnd));
    let remotes: BTreeSet<&str> = without_end.map(|write| write.remote.name.as_str()).collect();
    for target in plan.targets.iter().filter(|target| remotes.contains(target.name.as_str())) {
        legacy(plan, target, io).await;
    }
}

/// The secret with the token without an end that istioctl created, if it is there.
async fn legacy(plan: &Plan<'_>, target: &Target, io: &mut Io<'_>) {
    let name = token_secret_name(&plan.job.writing.service_account);
    match target.kube.has_secret(&name).await {
        Ok(false) => {}
        Ok(true) => {
            let problem = Problem {
                code: "remote/no-end",
                severity: Severity::Warning,
                reader: target.name.clone(),
                remote: target.name.clone(),
                secret: name.clone(),
                message: format!(
                    "the old token for {} has no end, and is still valid",
                    target.name
                ),
                causes: vec![
                    "deleting its secret revokes it, for everything that uses it".to_owned(),
                ],
                remedy: Remedy::DeleteToken(name),
            };
            io.warn(&failure(&problem, &plan.places));
        }
        Err(error) => io.warn(&failed(target, &error).because(format!(
            "secret {name} may still hold a token without an end for {}",
            target.name
        ))),
    }
}
