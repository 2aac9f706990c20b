//! The output of a rollout: the plan, the events, the result; as lines of text or of JSON.

use std::fmt::Write as _;
use std::time::Instant;

use meshapply::converge::Event;
use meshapply::kube::Security;
use meshapply::next::Action;
use serde_json::{Value, json};

use super::Options;
use super::plan::Plan;
use crate::failure::Failure;
use crate::fleet::clusters::{Seen, Target, place, tls};
use crate::hints::Problem;
use crate::io::Io;
use crate::text;
use crate::text::safe;

/// Seconds after which a line says for how long it has been true.
const LONG: u64 = 2;

/// How it is said.
pub(super) struct Report {
    json: bool,
    diff: bool,
    /// Redraw a line per cluster on a terminal instead of adding lines.
    live: bool,
    width: usize,
    /// The newest line of each cluster.
    lines: Vec<String>,
    /// Since when it is waited for what that line says.
    since: Vec<Option<Instant>>,
    drawn: usize,
}

impl Report {
    pub(super) fn new(targets: &[Target], options: &Options, terminal: bool) -> Self {
        let names = targets.iter().map(|target| safe(&target.name).chars().count());
        let width = names.max().unwrap_or(0);
        Self {
            json: options.json,
            diff: options.diff,
            live: terminal && !options.json,
            width,
            lines: targets.iter().map(|target| row(&target.name, width, "waiting")).collect(),
            since: vec![None; targets.len()],
            drawn: 0,
        }
    }

    /// The plan of every cluster, and what is wrong with it.
    pub(super) fn plan(
        &self,
        targets: &[Target],
        seen: &[Seen],
        plans: &[Plan],
        problems: &[Problem],
        io: &mut Io<'_>,
    ) -> Result<(), Failure> {
        if self.json {
            for (target, plan) in targets.iter().zip(plans) {
                self.json_line(plan_json(target, plan), io)?;
            }
            for problem in problems {
                self.json_line(problem_json(problem), io)?;
            }
            return Ok(());
        }
        let mut text = String::new();
        for ((target, seen), plan) in targets.iter().zip(seen).zip(plans) {
            text += &self.plan_text(target, seen, plan);
        }
        for problem in problems {
            let clusters = problem.clusters.join(", ");
            let _ = writeln!(
                text,
                "{}[{}]: {}: {}",
                problem.severity,
                problem.code,
                safe(&clusters),
                safe(&problem.message)
            );
            let (effect, fix) = (safe(&problem.effect), safe(&problem.fix));
            let _ = writeln!(text, "  effect: {effect}\n  fix: {fix}");
        }
        io.print(&text)
    }

    fn plan_text(&self, target: &Target, seen: &Seen, plan: &Plan) -> String {
        let mut text = format!("{}\n", place(target));
        let mut line = |what: &str| {
            let _ = writeln!(text, "  {}", safe(what));
        };
        match target.kube.security() {
            Security::Verified => {}
            Security::Unverified(why) => line(&format!("tls: unverified: {why}")),
            _ => line("tls: unverified: plain HTTP, which does not leave this machine"),
        }
        match (&seen.observed.secret, plan.changes) {
            (_, false) if plan.cleans => line(
                "secret: unchanged; the annotation with kubectl's copy of its files is removed",
            ),
            (_, false) => line("secret: unchanged"),
            (None, true) => line("secret: new"),
            (Some(_), true) => {
                line("secret: changed; the current one is kept for `meshctl rollback`")
            }
        }
        if self.diff || plan.diff.len() <= 4 {
            plan.diff.iter().for_each(|one| line(&format!("  {one}")));
        } else {
            let certs = plan.diff.iter().filter(|one| !one[1..].starts_with(" file"));
            certs.for_each(|one| line(&format!("  {one}")));
        }
        if !plan.left_out.is_empty() {
            line(&format!(
                "left out because istiod does not read it: {}",
                plan.left_out.join(", ")
            ));
        }
        plan.effects.iter().for_each(|one| line(one));
        if plan.lacks_gateways {
            line(
                "no gateway was found by its labels, but gateways must restart: name one with `--gateway NAMESPACE/NAME`",
            );
        }
        if plan.restarts.is_empty() {
            line("restarts: none");
        } else {
            let names = plan.restarts.iter().map(|id| format!("{}/{id}", id.namespace));
            line(&format!("restarts, in order: {}", names.collect::<Vec<_>>().join(", ")));
        }
        text
    }

    /// A write that was checked and not kept.
    pub(super) fn dry_run(
        &self,
        target: &Target,
        action: &Action,
        io: &mut Io<'_>,
    ) -> Result<(), Failure> {
        if self.json {
            return self.json_line(
                json!({"event": "dryRun", "cluster": target.name, "tls": tls(target), "action": action_json(action)}),
                io,
            );
        }
        io.print(&format!(
            "{}: the API server accepts: {}\n",
            safe(&target.name),
            safe(&action_text(action))
        ))
    }

    /// Something happened in a cluster.
    pub(super) fn event(
        &mut self,
        cluster: usize,
        target: &Target,
        event: &Event,
        io: &mut Io<'_>,
    ) {
        if self.json {
            // A closed standard output is reported at the end; the work continues.
            let _ = self.json_line(event_json(target, event), io);
            return;
        }
        // A line that stays is worth it when something is done, one that is drawn over also before.
        let text = match event {
            Event::Acting(action) if self.live => Some(action_text(action)),
            event => event_text(event),
        };
        let Some(text) = text else { return };
        self.line(cluster, target, &text, io);
    }

    /// A cluster's last line.
    pub(super) fn end(&mut self, cluster: usize, target: &Target, text: &str, io: &mut Io<'_>) {
        self.line(cluster, target, text, io);
        self.since[cluster] = None;
    }

    /// A cluster's newest line: redrawn in its place on a terminal, added elsewhere.
    fn line(&mut self, cluster: usize, target: &Target, text: &str, io: &mut Io<'_>) {
        let line = row(&target.name, self.width, text);
        // What is said again has been true since it was said first.
        if self.lines[cluster] != line || self.since[cluster].is_none() {
            self.lines[cluster].clone_from(&line);
            self.since[cluster] = Some(Instant::now());
        }
        if self.columns(io).is_some() {
            self.draw(io);
        } else {
            // What was drawn stays above.
            self.drawn = 0;
            io.note(line);
        }
    }

    /// The columns of a line that is drawn over; `None` if lines are added, as on a terminal with too few rows for all.
    fn columns(&self, io: &Io<'_>) -> Option<usize> {
        let (rows, columns) = if self.live { io.size() } else { return None };
        // The cursor is below the last line, and some terminals wrap a line that fills all columns.
        (self.lines.len() < rows).then_some(columns - 1)
    }

    /// Draws every line, with the time for which it is true: on a terminal, again and again.
    pub(super) fn draw(&mut self, io: &mut Io<'_>) {
        let Some(columns) = self.columns(io) else { return };
        if self.since.iter().all(Option::is_none) && self.drawn == 0 {
            return;
        }
        let up = if self.drawn > 0 { format!("\x1b[{}A", self.drawn) } else { String::new() };
        let both = self.lines.iter().zip(&self.since);
        let all: String = both.map(|(line, since)| redrawn(line, *since, columns)).collect();
        self.drawn = self.lines.len();
        // Lost progress output is not a failure.
        let _ = write!(io.err, "{up}{all}");
        let _ = io.err.flush();
    }

    /// One line of JSON, with what every line has.
    pub(super) fn json_line(&self, mut value: Value, io: &mut Io<'_>) -> Result<(), Failure> {
        if let Some(object) = value.as_object_mut() {
            object.insert("apiVersion".to_owned(), json!("meshctl/v1"));
            object.insert("kind".to_owned(), json!("RolloutEvent"));
        }
        io.print(&text::json_line(&value))
    }

    /// Whether lines are JSON.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }
}

/// `east  waiting for ..`.
fn row(name: &str, width: usize, text: &str) -> String {
    format!("{:<width$}  {}", safe(name), safe(text))
}

/// A line drawn over the one before, with how long it has been true if that is worth a word.
fn redrawn(line: &str, since: Option<Instant>, columns: usize) -> String {
    let seconds = since.map_or(0, |since| since.elapsed().as_secs());
    let time = if seconds < LONG { String::new() } else { format!(", for {seconds} s") };
    format!("\r\x1b[2K{}{time}\n", cut(line, columns.saturating_sub(time.len())))
}

/// A line that does not wrap, since it is drawn over.
fn cut(line: &str, columns: usize) -> String {
    // Characters beyond ASCII may take two columns.
    let width = |c: char| if c.is_ascii() { 1 } else { 2 };
    if line.chars().map(width).sum::<usize>() <= columns {
        return line.to_owned();
    }
    let mut left = columns.saturating_sub(2);
    let fits = |c: &char| {
        let is_left = width(*c) <= left;
        left = left.saturating_sub(width(*c));
        is_left
    };
    line.chars().take_while(fits).chain("..".chars()).collect()
}

fn event_text(event: &Event) -> Option<String> {
    Some(match event {
        Event::Acted(action) => done_text(action),
        Event::Waiting(what) => format!("waiting for {what}"),
        Event::Away(why) => format!("retrying: {why}"),
        _ => return None,
    })
}

fn action_text(action: &Action) -> String {
    match action {
        Action::KeepPrevious => "keep the old secret".to_owned(),
        Action::WriteSecret { .. } => "write the secret".to_owned(),
        Action::Note { .. } => "record on the secret what must restart".to_owned(),
        Action::Clean { .. } => "remove kubectl's copy of the secret's files".to_owned(),
        Action::Forget { .. } => "empty the kept secret".to_owned(),
        Action::Restart { id, .. } => format!("restart {}/{id}", id.namespace),
    }
}

fn done_text(action: &Action) -> String {
    match action {
        Action::KeepPrevious => "kept the old secret".to_owned(),
        Action::WriteSecret { .. } => "wrote the secret".to_owned(),
        Action::Note { .. } => "recorded on the secret what must restart".to_owned(),
        Action::Clean { .. } => "removed kubectl's copy of the secret's files".to_owned(),
        Action::Forget { .. } => "emptied the kept secret".to_owned(),
        Action::Restart { id, .. } => format!("restarted {}/{id}", id.namespace),
    }
}

fn action_json(action: &Action) -> Value {
    match action {
        Action::KeepPrevious => json!({"do": "keepPrevious"}),
        Action::WriteSecret { over } => json!({"do": "writeSecret", "overResourceVersion": over}),
        Action::Note { over } => json!({"do": "note", "overResourceVersion": over}),
        Action::Clean { over } => json!({"do": "clean", "overResourceVersion": over}),
        Action::Forget { over } => json!({"do": "forget", "overResourceVersion": over}),
        Action::Restart { id, mark } => {
            json!({"do": "restart", "namespace": id.namespace, "workload": id.to_string(), "for": mark})
        }
    }
}

fn event_json(target: &Target, event: &Event) -> Value {
    let (name, detail) = match event {
        Event::Acting(action) => ("acting", action_json(action)),
        Event::Acted(action) => ("acted", action_json(action)),
        Event::Waiting(what) => ("waiting", json!(what.to_string())),
        Event::Away(why) => ("away", json!(why)),
        _ => ("other", Value::Null),
    };
    json!({"event": name, "cluster": target.name, "tls": tls(target), "detail": detail})
}

fn plan_json(target: &Target, plan: &Plan) -> Value {
    json!({
        "event": "plan",
        "cluster": target.name,
        "context": target.context,
        "server": target.kube.server(),
        "tls": tls(target),
        "secretChanges": plan.changes,
        "diff": plan.diff,
        "leftOut": plan.left_out,
        "istiod": plan.effects,
        "restarts": plan.restarts.iter().map(|id| format!("{}/{id}", id.namespace)).collect::<Vec<_>>(),
    })
}

fn problem_json(problem: &Problem) -> Value {
    json!({
        "event": "problem",
        "code": problem.code,
        "severity": problem.severity.to_string(),
        "clusters": problem.clusters,
        "message": problem.message,
        "evidence": problem.evidence,
        "effect": problem.effect,
        "fix": problem.fix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_do_not_wrap() {
        let check = |line: &str, columns, expect: &str| assert_eq!(cut(line, columns), expect);
        check("east  waiting", 13, "east  waiting");
        check("east  waiting", 12, "east  wait..");
        check("\u{6771}\u{6771} x", 6, "\u{6771}\u{6771} x");
        check("\u{6771}\u{6771} x", 5, "\u{6771}..");
        check("east", 1, "..");
    }
}
