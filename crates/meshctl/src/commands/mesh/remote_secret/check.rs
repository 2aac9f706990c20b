//! `meshctl mesh remote-secret check`: every remote secret, its token, and what istiod makes of it.

use futures_util::{StreamExt, stream};
use meshapply::kube::try_token;
use meshapply::remote::{
    Answer, Flaw, Found, Problem, READER, Remedy, RemoteKubeconfig, RemoteSecret, around, judge,
};
use meshpki::Time;
use meshpki::istiod::Severity;

use super::{document, seconds};
use crate::args::mesh::CheckRemoteSecrets;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Selection, Target, runtime};
use crate::fleet::remote::{self, Read, Seen, failed, places};
use crate::hints::remote::Places;
use crate::io::Io;
use crate::spec;
use crate::text::json as pretty;

/// The most tokens that are tried at the same time, each with several requests.
const AT_ONCE: usize = 16;

/// Everything to report.
pub(super) struct Report<'a> {
    pub(super) at: Time,
    pub(super) targets: &'a [Target],
    pub(super) seen: &'a [Seen],
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) problems: Vec<Problem>,
    pub(super) places: Places,
}

/// One kubeconfig of one secret. It has no `Debug`: it holds a token.
pub(super) struct Entry<'a> {
    /// Which of the targets has it.
    pub(super) reader: usize,
    pub(super) secret: &'a RemoteSecret,
    pub(super) remote: &'a str,
    pub(super) kubeconfig: Result<RemoteKubeconfig, Flaw>,
    pub(super) answer: Answer,
}

/// Runs the command.
pub(super) fn run(args: &CheckRemoteSecrets, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let selection = args.members.resolved(&args.force);
    let at = io.time(None)?;
    runtime()?.block_on(async {
        let targets = remote::members(&selection, io).await?;
        let members = members(&selection, &targets, io)?;
        let seen = remote::look(&targets, Read::All).await?;
        let entries = entries(&seen).await;
        let within = args.within.map(seconds);
        let mut problems = problems(&targets, &seen, &entries, &members, (at, within));
        problems.extend(legacy(&targets, &seen, &problems).await);
        problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        let report = Report {
            at,
            targets: &targets,
            seen: &seen,
            entries,
            problems,
            places: places(&targets, &selection, within),
        };
        let text = match args.output.is_json() {
            true => pretty(&document::json(&report)),
            false => document::text(&report),
        };
        io.print(&text)?;
        for (target, seen) in targets.iter().zip(&seen) {
            if let Some(error) = &seen.unlisted {
                io.warn(
                    &failed(target, error).because("only secrets with the usual names were read"),
                );
            }
        }
        Ok(report.exit())
    })
}

impl Report<'_> {
    fn exit(&self) -> Exit {
        let has_error = self.problems.iter().any(|one| one.severity == Severity::Error);
        let is_whole = self.problems.iter().all(|one| one.code != "remote/not-verified");
        match (has_error, is_whole) {
            (true, _) => Exit::No,
            (false, true) => Exit::Good,
            (false, false) => Exit::Failed,
        }
    }
}

/// The names of all clusters of the mesh, those that are not asked included.
fn members(
    selection: &Selection,
    targets: &[Target],
    io: &mut Io<'_>,
) -> Result<Vec<String>, Failure> {
    let asked = targets.iter().map(|target| target.name.clone());
    let mut all: Vec<String> = asked.collect();
    if let Some(file) = selection.spec.as_ref().filter(|_| !selection.contexts.is_empty()) {
        let mesh = spec::mesh_of(file, None, io)?;
        all.extend(mesh.clusters().iter().map(|cluster| cluster.name.clone()));
    }
    Ok(all)
}

/// Every kubeconfig of every secret, with what its server says to its token.
async fn entries(seen: &[Seen]) -> Vec<Entry<'_>> {
    let all = seen.iter().enumerate().flat_map(|(reader, seen)| {
        let secrets = seen.secrets.iter();
        secrets.flat_map(move |secret| secret.data.iter().map(move |one| (reader, secret, one)))
    });
    let asked = stream::iter(all).map(async |(reader, secret, (remote, content))| {
        let kubeconfig = RemoteKubeconfig::read(content);
        let answer = match &kubeconfig {
            Ok(kubeconfig) => try_token(kubeconfig).await,
            Err(_) => Answer::NotAsked("the kubeconfig cannot be read"),
        };
        Entry { reader, secret, remote: remote.as_str(), kubeconfig, answer }
    });
    asked.buffered(AT_ONCE).collect().await
}

fn problems(
    targets: &[Target],
    seen: &[Seen],
    entries: &[Entry<'_>],
    members: &[String],
    (at, within): (Time, Option<i64>),
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, (target, seen)) in targets.iter().zip(seen).enumerate() {
        problems.extend(remote::misnamed(target, seen));
        let others = targets.iter().filter(|other| other.name != target.name);
        let wanted: Vec<&str> = others.map(|other| other.name.as_str()).collect();
        problems.extend(around(&target.name, &wanted, &seen.secrets));
        let allowed = seen.allowed();
        for entry in entries.iter().filter(|entry| entry.reader == index) {
            let remote = targets.iter().find(|other| other.name == entry.remote);
            let found = Found {
                reader: &target.name,
                secret: entry.secret,
                remote: entry.remote,
                kubeconfig: entry.kubeconfig.as_ref().map_err(|flaw| *flaw),
                entrance: remote.map(|remote| remote.kube.entrance()),
                answer: &entry.answer,
                views: &seen.views,
                members,
                allowed: &allowed,
            };
            problems.extend(judge(&found, at, within));
        }
        problems.extend(silent(target, seen));
    }
    problems
}

/// Pods of istiod that did not answer.
fn silent(target: &Target, seen: &Seen) -> Vec<Problem> {
    let warning = |message: String| Problem {
        code: "remote/not-verified",
        severity: Severity::Warning,
        reader: target.name.clone(),
        remote: target.name.clone(),
        secret: String::new(),
        message,
        causes: Vec::new(),
        remedy: Remedy::ShowLog,
    };
    if seen.views.is_empty() {
        return vec![warning(format!("no pod of istiod of {} is ready", target.name))];
    }
    let silent = seen.views.iter().filter_map(|view| Some((view, view.said.as_ref().err()?)));
    silent
        .map(|(view, why)| {
            let mut problem = warning(format!("pod {} of istiod does not answer", view.pod));
            problem.causes.push(why.clone());
            problem
        })
        .collect()
}

/// Secrets with tokens without an end that no remote secret has any more. Without the right to list secrets nothing is
/// reported.
async fn legacy(targets: &[Target], seen: &[Seen], problems: &[Problem]) -> Vec<Problem> {
    let mut found = Vec::new();
    for (target, seen) in targets.iter().zip(seen) {
        let is_used =
            problems.iter().any(|one| one.code == "remote/no-end" && one.remote == target.name);
        if is_used || seen.unlisted.is_some() {
            continue;
        }
        for name in target.kube.token_secrets(READER).await.unwrap_or_default() {
            found.push(Problem {
                code: "remote/no-end",
                severity: Severity::Warning,
                reader: target.name.clone(),
                remote: target.name.clone(),
                secret: name.clone(),
                message: format!(
                    "a token of {READER} without an end is still valid in {}",
                    target.name
                ),
                causes: vec!["no remote secret of these clusters has it".to_owned()],
                remedy: Remedy::DeleteToken(name),
            });
        }
    }
    found
}
