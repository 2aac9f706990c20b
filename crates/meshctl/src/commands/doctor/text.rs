//! The report for people: a few lines for each context, then what to do.

use std::fmt::Write as _;

use meshpki::Cert;
use meshpki::istiod::Severity;

use super::{Kind, Report, Row};
use crate::fleet::problems::State;
use crate::text::{counted, relative, safe};

/// The whole text.
pub(super) fn write(report: &Report) -> String {
    let mut text = format!("{} at {}\n", counted(report.rows.len(), "context"), report.at);
    for row in &report.rows {
        text += &context(report, row);
    }
    if !report.steps.is_empty() {
        text += "\nwhat to do, in order\n";
    }
    for (at, step) in report.steps.iter().enumerate() {
        let about = match step.contexts.as_slice() {
            [one] if step.what.contains(one.as_str()) => String::new(),
            [one] => format!(" ({one})"),
            many if many.len() < 5 => format!(" ({})", many.join(", ")),
            many => format!(" ({} contexts)", many.len()),
        };
        let _ = writeln!(text, "  {}. {}", at + 1, safe(&(step.what.clone() + &about)));
        let _ = writeln!(text, "     {}", safe(&step.command));
    }
    text
}

fn context(report: &Report, row: &Row) -> String {
    let word = match (row.state(), &row.same_as) {
        (_, Some(_)) => "[=]",
        (Some(State::Ok), _) => "[ok]",
        (Some(State::Warn), _) => "[warn]",
        (Some(State::Fail), _) => "[fail]",
        (None, _) => "[?]",
    };
    let server = row.asked.server.as_ref().map(|server| format!(" ({server})"));
    let head = format!("{}{}", row.asked.context, server.unwrap_or_default());
    let mut text = format!("\n{word:<6} {}\n", safe(&head));
    let mut fact = |name: &str, what: &str| {
        let _ = writeln!(text, "  {name:<7}  {}", safe(what));
    };
    if let Some(same) = &row.same_as {
        fact("same as", &format!("context {same}: both reach one cluster"));
        return text;
    }
    if let Some(failure) = row.failure().or(row.silent.as_ref()) {
        fact("error", &failure.sentence());
    }
    if let Some(skew) = row.skew {
        let which = if skew > 0 { "ahead of" } else { "behind" };
        fact("clock", &format!("{} seconds {which} this machine's", skew.abs()));
    }
    facts(report, row, &mut fact);
    if let Some(survey) = row.survey().filter(|survey| !survey.unwritable.is_empty()) {
        let rights: Vec<String> = survey.unwritable.iter().map(ToString::to_string).collect();
        fact("rights", &format!("enough to read; a push also needs: {}", rights.join(", ")));
    }
    for problem in row.problems.iter().take(3) {
        let level = if problem.severity == Severity::Error { "error" } else { "warning" };
        fact(level, &format!("[{}] {}", problem.code, problem.message));
    }
    if let more @ 1.. = row.problems.len().saturating_sub(3) {
        fact("", &format!("and {more} more"));
    }
    text
}

/// Istio, the CA and the roots.
fn facts(report: &Report, row: &Row, fact: &mut impl FnMut(&str, &str)) {
    let (Some(facts), Some(kind)) = (&row.facts, row.kind()) else { return };
    let istiods: Vec<String> = facts
        .istiods
        .iter()
        .map(|istiod| format!("{} (revision {})", istiod.settings.version, istiod.revision))
        .collect();
    let namespace = row.survey().map(|survey| survey.target.istio_namespace.as_str());
    let none = || format!("none: no istiod in namespace {}", namespace.unwrap_or_default());
    fact("istio", &if istiods.is_empty() { none() } else { istiods.join(", ") });
    let until = |cert: &Cert| {
        let end = super::end(cert);
        let end = end.map(|end| format!(", until {}, {}", end.date(), relative(end, report.at)));
        cert.label() + &end.unwrap_or_default()
    };
    let ca = facts.ca.as_ref().map(until);
    let ca = ca.unwrap_or_else(|| "not known".to_owned());
    match kind {
        Kind::Nothing => fact("ca", "none: there is no secret cacerts"),
        Kind::Waiting => fact("ca", "in secret cacerts, which no istiod uses yet"),
        Kind::Plugged => fact("ca", &format!("{ca}, from secret cacerts")),
        Kind::Own if facts.has_secret => {
            fact("ca", &format!("{ca}, which istiod made for itself despite secret cacerts"));
        }
        Kind::Own => fact("ca", &format!("{ca}, which istiod made for itself")),
    }
    if kind == Kind::Plugged {
        facts.roots.iter().for_each(|root| fact("root", &until(root)));
    }
    for (label, end) in row.due.ca.iter().chain(&row.due.root) {
        let word = if *end < report.at { "expired" } else { "expires" };
        fact(word, &format!("{label} {}", relative(*end, report.at)));
    }
}
