//! `meshctl doctor`: looks at every context of the kubeconfig and says what to do first. It writes nothing.

mod json;
mod steps;
mod text;

use std::path::Path;

use meshapply::kube::Identity;
use meshpki::istiod::Severity;
use meshpki::{Cert, Time};

use crate::args::Doctor;
use crate::authority::folder::check_cluster_name;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{SERVICE_ACCOUNT, SKEW, Selection, Way, runtime};
use crate::fleet::facts::Facts;
use crate::fleet::judge::{self, Case};
use crate::fleet::pending;
use crate::fleet::problems::State;
use crate::fleet::survey::{Limits, Survey, Surveyed, survey};
use crate::hints::Problem;
use crate::io::Io;
use crate::text::{json as pretty, word};

use steps::Step;

/// Everything to report.
struct Report {
    at: Time,
    rows: Vec<Row>,
    steps: Vec<Step>,
}

/// A context.
struct Row {
    /// The name of the cluster in suggested commands.
    name: String,
    asked: Surveyed,
    /// The context before this one that reaches the same cluster.
    same_as: Option<String>,
    /// What is known of its CA; `None`: the cluster could not be read.
    facts: Option<Facts>,
    /// The CA or a root that ends soon, and when.
    due: Option<(String, Time)>,
    /// By how many seconds its clock is ahead of ours, if that matters.
    skew: Option<i64>,
    /// What is wrong with the secret, and with what istiod makes of it.
    problems: Vec<Problem>,
}

/// Which CA a cluster has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Neither istiod nor a secret.
    Nothing,
    /// A secret, and no istiod.
    Waiting,
    /// istiod uses the secret.
    Plugged,
    /// istiod has made a CA for itself.
    Own,
}

/// Runs the command.
pub(super) fn run(args: &Doctor, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let at = io.time(args.at)?;
    let selection = Selection {
        spec: None,
        contexts: args.contexts.clone(),
        way: Way::new(args.kubeconfig.clone(), &args.force),
        istio_namespace: Some(args.istio_namespace.clone()),
        istio_version: args.istio_version,
        gateways: Vec::new(),
        service_account: SERVICE_ACCOUNT.to_owned(),
        workloads: false,
    };
    let limits = Limits { parallel: args.parallel, patience: args.timeout };
    let surveyed = runtime()?.block_on(survey(&selection, &limits, io))?;
    let report = Report::new(surveyed, args, at, io.now);
    let text =
        if args.output.is_json() { pretty(&json::write(&report)) } else { text::write(&report) };
    io.print(&text)?;
    Ok(report.exit())
}

impl Report {
    fn new(surveyed: Vec<Surveyed>, args: &Doctor, at: Time, now: Time) -> Self {
        let until = Time(at.0.saturating_add(seconds(args.within)));
        let mut rows: Vec<Row> = Vec::new();
        for asked in surveyed {
            let name = unique(cluster_name(&asked.name), &rows);
            let same_as = rows.iter().find(|row| is_same(row, &asked));
            let same_as = same_as.map(|row| row.asked.context.clone());
            rows.push(Row::new(name, asked, same_as, (at, until), now));
        }
        let steps = steps::steps(&rows, &tail(args));
        Self { at, rows, steps }
    }

    fn exit(&self) -> Exit {
        let states = || self.rows.iter().map(Row::state);
        if states().any(|state| state == Some(State::Fail)) {
            Exit::No
        } else if states().any(|state| state.is_none()) {
            Exit::Failed
        } else {
            Exit::Good
        }
    }
}

fn seconds(length: std::time::Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX)
}

/// The options that every suggested command needs to reach the same clusters: those of kubectl, then those of meshctl.
fn tail(args: &Doctor) -> (String, String) {
    let kubeconfig = args.kubeconfig.as_ref().map(|file| format!(" --kubeconfig {}", word(file)));
    let kubeconfig = kubeconfig.unwrap_or_default();
    let namespace = &args.istio_namespace;
    let namespace = if namespace == meshapply::names::ISTIO_NAMESPACE {
        String::new()
    } else {
        format!(" --istio-namespace {}", word(Path::new(namespace)))
    };
    (kubeconfig.clone(), namespace + &kubeconfig)
}

/// A name for the cluster of a context: the context's, or the part of it that can be a folder's name.
fn cluster_name(context: &str) -> String {
    if check_cluster_name(context).is_ok() {
        return context.to_owned();
    }
    let last = context.rsplit(['/', ':', '@']).find(|part| !part.is_empty()).unwrap_or_default();
    let kept: String =
        last.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    let kept: String = kept.trim_start_matches(['-', '_', '.']).chars().take(36).collect();
    if check_cluster_name(&kept).is_ok() { kept } else { "cluster".to_owned() }
}

/// The name, with a number if another cluster has it.
fn unique(name: String, rows: &[Row]) -> String {
    let is_taken = |name: &str| rows.iter().any(|row| row.name.eq_ignore_ascii_case(name));
    let mut names = (2..).map(|n| format!("{name}-{n}"));
    if is_taken(&name) { names.find(|one| !is_taken(one)).unwrap_or(name) } else { name }
}

fn is_same(row: &Row, asked: &Surveyed) -> bool {
    let identity = |asked: &Surveyed| -> Option<Identity> {
        asked.found.as_ref().ok().and_then(|survey| survey.identity.clone())
    };
    let both = identity(&row.asked).zip(identity(asked));
    row.same_as.is_none() && both.is_some_and(|(one, other)| one.same(&other).is_some())
}

impl Row {
    fn new(
        name: String,
        asked: Surveyed,
        same_as: Option<String>,
        (at, until): (Time, Time),
        now: Time,
    ) -> Self {
        let survey = asked.found.as_ref().ok();
        let clock = survey.and_then(|survey| survey.clock);
        let skew = clock.filter(|clock| clock.abs_diff(now) > SKEW);
        let skew = skew.map(|clock| clock.0.saturating_sub(now.0));
        let facts = survey.and_then(|survey| {
            let found = survey.state.as_ref().ok()?;
            Some(Facts::new(&survey.target, found, None, at))
        });
        let problems = survey.map(|survey| problems(survey, at)).unwrap_or_default();
        let due = facts.as_ref().and_then(|facts| due(facts, until));
        Self { name, asked, same_as, facts, due, skew, problems }
    }

    /// What was found, if the server answered.
    fn survey(&self) -> Option<&Survey> {
        self.asked.found.as_ref().ok()
    }

    /// Why the cluster could not be read.
    fn failure(&self) -> Option<&Failure> {
        match &self.asked.found {
            Err(failure) => Some(failure),
            Ok(survey) => survey.state.as_ref().err(),
        }
    }

    /// Which CA it has, if that could be read.
    fn kind(&self) -> Option<Kind> {
        let facts = self.facts.as_ref()?;
        Some(match (facts.istiods.is_empty(), facts.has_secret, facts.is_plugged) {
            (true, false, _) => Kind::Nothing,
            (true, true, _) => Kind::Waiting,
            (false, _, true) => Kind::Plugged,
            (false, _, false) => Kind::Own,
        })
    }

    /// Whether the user may not read what is needed.
    fn is_forbidden(&self) -> bool {
        self.survey().is_some_and(|survey| !survey.unreadable.is_empty())
    }

    fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// `None`: it could not be read.
    fn state(&self) -> Option<State> {
        let is_wrong =
            self.has_errors() || self.due.is_some() || self.skew.is_some() || self.is_forbidden();
        if is_wrong {
            return Some(State::Fail);
        }
        let kind = self.kind()?;
        let lacks = self.survey().is_some_and(|survey| !survey.unwritable.is_empty());
        let is_good = !lacks && self.problems.is_empty() && kind != Kind::Own;
        Some(if is_good { State::Ok } else { State::Warn })
    }
}

/// What is wrong with the secret and the cluster around it, seen by itself.
fn problems(survey: &Survey, at: Time) -> Vec<Problem> {
    let (target, Ok(found)) = (&survey.target, &survey.state) else { return Vec::new() };
    let mut problems = Vec::new();
    if let Some(secret) = &found.seen.observed.secret {
        problems = judge::problems(&[Case::live(target, &found.seen, &secret.files)], at);
    }
    if !found.seen.istiods.is_empty() {
        problems
            .extend(judge::live(&[judge::cluster(target, &found.seen, &found.served, None)], at));
        problems.extend(pending::unfinished(target, found));
    }
    // A first installation is not an error here: it is what the steps lead to.
    problems.retain(|problem| problem.code != "istiod/first-install");
    judge::errors_first(&mut problems);
    problems
}

/// The first of the CA, its chain and its roots to end, if that is soon. The CA that istiod made for itself it renews.
fn due(facts: &Facts, until: Time) -> Option<(String, Time)> {
    if !facts.is_plugged {
        return None;
    }
    let all = facts.ca.iter().chain(&facts.chain).chain(&facts.roots);
    let ends = all.filter_map(|cert| Some((end(cert)?, cert)));
    let (first, cert) = ends.min_by_key(|(end, _)| *end)?;
    (first <= until).then(|| (cert.label(), first))
}

fn end(cert: &Cert) -> Option<Time> {
    cert.not_after().time()
}
