//! What will be written, and what speaks against it.

use std::fmt::Write as _;

use meshapply::remote::{
    Aim, Due, Entrance, Problem, Remedy, RemoteSecret, Step, Swap, decide, secret_name,
};
use meshpki::Time;
use meshpki::istiod::Severity;

use super::{Job, seconds};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Target, place, tls};
use crate::fleet::remote::{self, Seen, failure, places};
use crate::hints::remote::Places;
use crate::io::Io;
use crate::text::{relative, safe};

/// The writes, in the order of the clusters.
pub(super) struct Plan<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) targets: &'a [Target],
    pub(super) places: Places,
    pub(super) writes: Vec<Write<'a>>,
    /// Every pair, with what happens to it.
    rows: Vec<Row<'a>>,
    problems: Vec<Problem>,
    at: Time,
}

/// One secret to write.
pub(super) struct Write<'a> {
    /// The cluster that reads.
    pub(super) reader: &'a Target,
    /// The cluster that is read.
    pub(super) remote: &'a Target,
    /// What is there.
    pub(super) over: Option<&'a RemoteSecret>,
    /// The secret's name.
    pub(super) name: String,
    /// The address in it.
    pub(super) entrance: Entrance,
    /// Why.
    pub(super) why: Vec<Due>,
    /// What the release of istiod does with endpoints.
    pub(super) swap: Swap,
}

impl Write<'_> {
    /// Whether the address was not in a secret that istiod used before.
    fn is_new_address(&self) -> bool {
        self.why.iter().any(|why| {
            matches!(why, Due::Missing | Due::Unreadable(_) | Due::Server(..) | Due::Insecure)
        })
    }
}

struct Row<'a> {
    reader: &'a Target,
    remote: &'a Target,
    name: String,
    step: Step,
}

impl<'a> Plan<'a> {
    /// Decides about every pair.
    pub(super) fn new(job: &'a Job<'a>, targets: &'a [Target], seen: &'a [Seen], at: Time) -> Self {
        let mut plan = Self {
            job,
            targets,
            places: places(targets, &job.selection, job.within),
            writes: Vec::new(),
            rows: Vec::new(),
            problems: Vec::new(),
            at,
        };
        let misnamed = targets.iter().zip(seen).filter_map(|(t, seen)| remote::misnamed(t, seen));
        plan.problems.extend(misnamed);
        for (reader, seen) in targets.iter().zip(seen) {
            for remote in targets.iter().filter(|remote| remote.name != reader.name) {
                plan.add(reader, seen, remote);
            }
            plan.of_release(reader, seen);
        }
        plan
    }

    fn add(&mut self, reader: &'a Target, seen: &'a Seen, remote: &'a Target) {
        let secret = seen.secret(&remote.name);
        let aim = Aim {
            reader: &reader.name,
            remote: &remote.name,
            secret,
            entrance: remote.kube.entrance(),
            server: self.job.servers.get(&remote.name).map(String::as_str),
            rotate: self.job.rotate,
            adopt: self.job.forces("remote/foreign"),
            allowed: &seen.allowed(),
        };
        let name = secret.map_or_else(|| secret_name(&remote.name), |secret| secret.name.clone());
        let step = decide(&aim, self.at, self.job.within);
        match &step {
            Step::Write { why, entrance } => self.writes.push(Write {
                reader,
                remote,
                over: secret,
                name: name.clone(),
                entrance: entrance.clone(),
                why: why.clone(),
                swap: seen.swap().map_or(Swap::Seamless, |(swap, _)| swap),
            }),
            Step::Refuse(problem) => self.problems.push((**problem).clone()),
            Step::Keep(_) | Step::Absent => {}
        }
        self.rows.push(Row { reader, remote, name, step });
    }

    /// What the release of istiod does with the endpoints of clusters whose secret changes.
    fn of_release(&mut self, reader: &Target, seen: &Seen) {
        let changes = |one: &&Write<'_>| {
            let has = one.over.is_some_and(|secret| secret.data.contains_key(&one.remote.name));
            one.reader.name == reader.name && has
        };
        let changed: Vec<&Write<'_>> = self.writes.iter().filter(changes).collect();
        let Some(first) = changed.first() else { return };
        let Some((swap, release)) = seen.swap() else { return };
        let (code, severity, message, cause) = match swap {
            Swap::Seamless => return,
            Swap::Gap => (
                "remote/gap",
                Severity::Warning,
                format!(
                    "istiod {release} drops the endpoints of a cluster while it takes a new secret"
                ),
                "until it has read the cluster again, usually for seconds, calls do not reach it (istio#49349); Istio 1.30.4 and later keep them",
            ),
            Swap::Lost => (
                "remote/loses-endpoints",
                Severity::Error,
                format!(
                    "istiod {release} can lose the endpoints of a cluster when its secret changes, until istiod restarts"
                ),
                "it deletes them after the new secret is in use (istio#61043); Istio 1.30.4 and 1.31.0 keep them",
            ),
        };
        let names: Vec<&str> = changed.iter().map(|one| one.remote.name.as_str()).collect();
        let causes = vec![cause.to_owned(), format!("the secrets for {} change", names.join(", "))];
        self.problems.push(Problem {
            code,
            severity,
            reader: reader.name.clone(),
            remote: first.remote.name.clone(),
            secret: String::new(),
            message,
            causes,
            remedy: if swap == Swap::Lost { Remedy::RestartIstiod } else { Remedy::Check },
        });
    }

    /// The time of the plan.
    pub(super) const fn now(&self) -> Time {
        self.at
    }

    /// The plan as text.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for target in self.targets {
            let _ = writeln!(out, "{}\n  tls: {}", place(target), tls(target));
            for row in self.rows.iter().filter(|row| row.reader.name == target.name) {
                out += &self.row(row);
            }
        }
        let count =
            |what: fn(&Step) -> bool| self.rows.iter().filter(|row| what(&row.step)).count();
        let _ = writeln!(
            out,
            "\nwrite {}, unchanged {}, refused {}",
            self.writes.len(),
            count(|step| matches!(step, Step::Keep(_) | Step::Absent)),
            count(|step| matches!(step, Step::Refuse(_)))
        );
        out
    }

    fn row(&self, row: &Row<'_>) -> String {
        let name = format!("{}/{}", row.reader.istio_namespace, row.name);
        let text = match &row.step {
            Step::Write { why, entrance } => {
                let lifetime = seconds(self.job.writing.lifetime);
                let verb = match why.as_slice() {
                    [Due::Missing] => "create".to_owned(),
                    all => {
                        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                        format!("replace: {}", all.join("; "))
                    }
                };
                format!(
                    "{verb}\n    server {}, token of {} until {} at the latest",
                    entrance.server,
                    self.job.writing.service_account,
                    Time(self.at.0.saturating_add(lifetime))
                )
            }
            Step::Keep(Some(end)) => {
                format!("unchanged: its token ends on {end}, {}", relative(*end, self.at))
            }
            Step::Keep(None) => "unchanged".to_owned(),
            Step::Absent => format!(
                "missing: `meshctl mesh remote-secret create` creates it for {}",
                row.remote.name
            ),
            Step::Refuse(problem) => format!("refused: {}", problem.causes.join("; ")),
        };
        safe_lines(&format!("  {name}\n    {text}\n"))
    }

    /// Reports what speaks against the plan; fails unless it is overridden.
    pub(super) fn refuse(&self, io: &mut Io<'_>) -> Result<(), Failure> {
        let mut failures = Vec::new();
        for problem in &self.problems {
            let told = failure(problem, &self.places);
            if problem.severity == Severity::Warning {
                io.warn(&told);
            } else if self.job.forces(problem.code) {
                let next = self.places.next(problem);
                io.warn(&told.hint(format!("afterwards: `{next}`")));
            } else {
                failures.push(told.hint(self.way_out(problem)));
            }
        }
        for write in &self.writes {
            match self.insecure(write) {
                Some(failure) if !self.job.forces("ctl/insecure-server") => failures.push(failure),
                Some(failure) => io.warn(&failure),
                None => {}
            }
            if write.entrance.is_loopback() && write.is_new_address() {
                io.warn(&loopback(write));
            }
        }
        io.fail_all(failures).map_or(Ok(()), Err)
    }

    /// What to do about an error that nothing overrides.
    fn way_out(&self, problem: &Problem) -> String {
        let (code, next) = (problem.code, self.places.next(problem));
        match code {
            "remote/loses-endpoints" => format!(
                "nothing was written; upgrade istiod, or proceed with `--force {code}` and restart istiod afterwards: `{next}`"
            ),
            "remote/foreign" => format!(
                "nothing was written; `{next}` shows its owners; `--force {code}` overwrites it"
            ),
            _ => format!("nothing was written; `{next}` shows more; `--force {code}` proceeds"),
        }
    }

    /// A token would be sent where others can take it.
    fn insecure(&self, write: &Write<'_>) -> Option<Failure> {
        let entrance = &write.entrance;
        let why = if entrance.skip_verify {
            "its certificate would not be verified"
        } else {
            "plain HTTP"
        };
        entrance.is_insecure().then(|| {
            let (reader, remote) = (&write.reader.name, &write.remote.name);
            Failure::new(
                "ctl/insecure-server",
                format!("istiod of {reader} would send the token for {remote} where others can take it"),
            )
            .within(format!("cluster {reader}, secret {}", write.name))
            .because(format!("{}: {why}", entrance.server))
            .hint("nothing was written; give the context of the cluster an `https://` server and its `certificate-authority-data`, or use `--server`; `--force ctl/insecure-server` proceeds")
            .exit(Exit::No)
        })
    }
}

/// istiod cannot reach an address of this machine.
fn loopback(write: &Write<'_>) -> Failure {
    let remote = &write.remote.name;
    Failure::new(
        "remote/loopback",
        format!("{} is an address inside istiod's own pod", write.entrance.server),
    )
    .within(format!("cluster {}, secret {}", write.reader.name, write.name))
    .hint(format!("`--server {remote}=URL` gives the address at which istiod reaches {remote}"))
}

/// Every line safe on a terminal.
fn safe_lines(text: &str) -> String {
    text.split_inclusive('\n').map(|line| safe(line.trim_end_matches('\n')) + "\n").collect()
}
