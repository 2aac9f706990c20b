//! `meshctl doctor`: looks at every context of the kubeconfig and says what to do first. It writes nothing.

mod json;
mod steps;
mod text;

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
use crate::text::json as pretty;

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
    /// The context that stands for the same cluster.
    same_as: Option<String>,
    /// What is known of its CA; `None`: the cluster could not be read.
    facts: Option<Facts>,
    /// A pod of istiod or a list that did not answer, in a cluster that did.
    silent: Option<Failure>,
    /// What ends soon.
    due: Due,
    /// By how many seconds its clock is ahead of ours, if that matters.
    skew: Option<i64>,
    /// What is wrong with the secret, and with what istiod makes of it.
    problems: Vec<Problem>,
}

/// What ends soon, and when.
#[derive(Default)]
struct Due {
    /// The CA, or one above it that is not a root, if it ends before its root.
    ca: Option<(String, Time)>,
    /// A root.
    root: Option<(String, Time)>,
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
        spec_text: None,
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
    let report = Report::new(surveyed, args, at);
    let text =
        if args.output.is_json() { pretty(&json::write(&report)) } else { text::write(&report) };
    io.print(&text)?;
    Ok(report.exit())
}

impl Report {
    fn new(surveyed: Vec<Surveyed>, args: &Doctor, at: Time) -> Self {
        let until = at + args.within;
        let mut rows: Vec<Row> = Vec::new();
        for asked in surveyed {
            let name = unique(cluster_name(&asked.name), &rows);
            let row = Row::new(name, asked, (at, until));
            rows.push(row);
            join(&mut rows);
        }
        let steps = steps::steps(&rows, args);
        Self { at, rows, steps }
    }

    fn exit(&self) -> Exit {
        let rows = || self.rows.iter().filter(|row| row.same_as.is_none());
        let states = || rows().map(Row::state);
        if states().any(|state| state == Some(State::Fail)) {
            Exit::No
        } else if states().any(|state| state.is_none()) {
            Exit::Failed
        } else {
            Exit::Good
        }
    }
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

/// Of the last context and one before it that reach one cluster, one stands for both: the first that could be read.
fn join(rows: &mut [Row]) {
    let Some((last, before)) = rows.split_last_mut() else { return };
    let is_same = |row: &&Row| row.same_as.is_none() && row.reaches_the_same(last);
    let Some(first) = before.iter().position(|row| is_same(&row)) else { return };
    if before[first].failure().is_none() || last.failure().is_some() {
        last.same_as = Some(before[first].asked.context.clone());
        return;
    }
    let replaced = before[first].asked.context.clone();
    let is_of_it = |row: &Row| row.same_as.as_ref() == Some(&replaced);
    for (at, row) in before.iter_mut().enumerate() {
        if at == first || is_of_it(row) {
            row.same_as = Some(last.asked.context.clone());
        }
    }
}

impl Row {
    fn new(name: String, asked: Surveyed, (at, until): (Time, Time)) -> Self {
        let survey = asked.found.as_ref().ok();
        let skew = survey.and_then(|survey| survey.ahead);
        let skew = skew.filter(|ahead| ahead.unsigned_abs() > SKEW.as_secs());
        let facts = survey.and_then(|survey| {
            let found = survey.state.as_ref().ok()?;
            Some(Facts::new(&survey.target, found, None, at))
        });
        let problems = survey.map(|survey| problems(survey, at)).unwrap_or_default();
        let silent = survey.and_then(|survey| {
            let found = survey.state.as_ref().ok()?;
            found.silent(&survey.target).into_iter().next()
        });
        let due = facts.as_ref().map(|facts| Due::new(facts, until)).unwrap_or_default();
        Self { name, asked, same_as: None, facts, silent, due, skew, problems }
    }

    /// What was found, if the server answered.
    fn survey(&self) -> Option<&Survey> {
        self.asked.found.as_ref().ok()
    }

    /// Whether both have one API server.
    fn reaches_the_same(&self, other: &Self) -> bool {
        let identity = |row: &Self| row.survey().and_then(|survey| survey.identity.clone());
        let both = identity(self).zip(identity(other));
        both.is_some_and(|(one, other): (Identity, Identity)| one.same(&other).is_some())
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
        let is_wrong = self.has_errors()
            || self.due.first().is_some()
            || self.skew.is_some()
            || self.is_forbidden();
        if is_wrong {
            return Some(State::Fail);
        }
        if self.silent.is_some() {
            return None;
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
        problems.extend(pending::absent(target, found, false));
        problems.extend(pending::unfinished(target, found));
    }
    // A first installation is not an error here: it is what the steps lead to.
    problems.retain(|problem| problem.code != "istiod/first-install");
    judge::errors_first(&mut problems);
    problems
}

impl Due {
    /// The CA that istiod made for itself it renews.
    fn new(facts: &Facts, until: Time) -> Self {
        if !facts.is_plugged {
            return Self::default();
        }
        let first = |certs: &mut dyn Iterator<Item = &Cert>| {
            let ends = certs.filter_map(|cert| Some((end(cert)?, cert)));
            let (first, cert) = ends.min_by_key(|(end, _)| *end)?;
            (first <= until).then(|| (cert.label(), first))
        };
        // What ends with its root cannot be renewed under it.
        let root = first(&mut facts.roots.iter());
        let ca = first(&mut facts.ca.iter().chain(&facts.chain));
        let ca = ca.filter(|(_, end)| root.as_ref().is_none_or(|(_, root)| end < root));
        Self { ca, root }
    }

    /// The first to end.
    fn first(&self) -> Option<&(String, Time)> {
        self.ca.as_ref().or(self.root.as_ref())
    }
}

fn end(cert: &Cert) -> Option<Time> {
    cert.not_after().time()
}
