//! The four formats of `ca expiry`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use meshpki::Time;
use serde_json::{Value, json};

use super::{Item, Place, Problem, State};
use crate::text::{self, safe};

const HEAD: [&str; 5] = ["STATE", "ENDS", "WHEN", "SUBJECT", "PLACE"];

/// Aligned columns; the other places of a certificate are on lines of their own.
pub(super) fn table(items: &[Item], at: Time) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    for item in items {
        let word = match item.state {
            State::Unreadable => "UNREADABLE",
            State::Expired => "EXPIRED",
            State::Due => "DUE",
            State::Fine => "ok",
        };
        let when = item.not_after.map_or_else(|| "-".to_owned(), |end| text::relative(end, at));
        let mut cells = [word.to_owned(), ends(item), when, subject(item)];
        for place in &item.places {
            let [state, ends, when, subject] = std::mem::take(&mut cells);
            rows.push([state, ends, when, subject, safe(&place.text())]);
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEAD.len() - 1).filter_map(width).collect();
    let mut text = String::new();
    for [state, ends, when, subject, place] in &rows {
        for (cell, width) in [state, ends, when, subject].into_iter().zip(&widths) {
            let _ = write!(text, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{place}");
    }
    text
}

/// docs/schemas/expiry.json says what each key means.
pub(super) fn json(items: &[Item], problems: &[Problem], at: Time, within: Duration) -> String {
    let place = |place: &Place| json!({ "file": place.file, "line": place.line });
    let items = items.iter().map(|item| {
        json!({
            "subject": item.cert.subject().to_string(),
            "serial": text::serial(item.cert.serial()),
            "fingerprint": item.cert.fingerprint(),
            "notAfter": item.not_after.map(|end| end.to_string()),
            "secondsLeft": item.not_after.map(|end| end.0.saturating_sub(at.0)),
            "state": match item.state {
                State::Unreadable => "unreadable",
                State::Expired => "expired",
                State::Due => "due",
                State::Fine => "ok",
            },
            "places": item.places.iter().map(place).collect::<Vec<_>>(),
        })
    });
    let problems = problems.iter().map(|problem| {
        let Place { file, line } = &problem.place;
        json!({ "file": file, "line": line, "problem": problem.text })
    });
    text::json(&json!({
        "apiVersion": "meshctl/v1",
        "kind": "Expiry",
        "at": at.to_string(),
        "withinSeconds": within.as_secs(),
        "items": items.collect::<Vec<Value>>(),
        "problems": problems.collect::<Vec<Value>>(),
    }))
}

/// The text format of Prometheus, for a textfile collector: one sample per certificate and file.
pub(super) fn prometheus(items: &[Item], problems: &[Problem]) -> String {
    let metric = "meshctl_certificate_not_after_timestamp_seconds";
    let mut text = format!(
        "# HELP {metric} Unix time at which the certificate expires; 0 if it cannot be read.\n\
         # TYPE {metric} gauge\n"
    );
    for item in items {
        let end = item.not_after.map_or(0, |end| end.0);
        let files: BTreeSet<&str> = item.places.iter().map(|place| place.file.as_str()).collect();
        for file in files {
            let _ = writeln!(
                text,
                "{metric}{{path=\"{}\",subject=\"{}\",serial=\"{}\",fingerprint=\"{}\"}} {end}",
                label(&safe(file)),
                label(&item.cert.subject().to_string()),
                text::serial(item.cert.serial()),
                item.cert.fingerprint(),
            );
        }
    }
    let metric = "meshctl_expiry_problems";
    let _ = writeln!(
        text,
        "# HELP {metric} Files, folders and blocks that could not be read in the last run.\n\
         # TYPE {metric} gauge\n\
         {metric} {}",
        problems.len()
    );
    text
}

/// Workflow commands of GitHub Actions: an annotation per place of what is due, and per problem.
pub(super) fn github(items: &[Item], problems: &[Problem], at: Time) -> String {
    let mut text = String::new();
    for item in items {
        let when = item.not_after.map(|end| text::relative(end, at)).unwrap_or_default();
        let (level, title, what) = match item.state {
            State::Fine => continue,
            State::Due => ("warning", "Certificate expires soon", format!("expires {when}")),
            State::Expired => ("error", "Certificate has expired", format!("expired {when}")),
            State::Unreadable => (
                "error",
                "Certificate without a readable expiry date",
                "has no readable expiry date".to_owned(),
            ),
        };
        let message = format!("{} {what}: {}", subject(item), ends(item));
        for place in &item.places {
            text += &annotation(level, place, title, &message);
        }
    }
    for problem in problems {
        text += &annotation("error", &problem.place, "Not readable", &safe(&problem.text));
    }
    text
}

fn annotation(level: &str, place: &Place, title: &str, message: &str) -> String {
    let line = place.line.map(|line| format!(",line={line}")).unwrap_or_default();
    format!(
        "::{level} file={}{line},title={}::{}\n",
        property(&safe(&place.file)),
        property(title),
        data(message)
    )
}

fn subject(item: &Item) -> String {
    let subject = item.cert.subject();
    if subject.is_empty() {
        let names = item.cert.extensions().subject_alt_name.iter().flatten().next();
        return names.map_or_else(|| "(empty)".to_owned(), ToString::to_string);
    }
    subject.to_string()
}

fn ends(item: &Item) -> String {
    text::raw_time(item.cert.not_after())
}

/// A label's value in Prometheus' text format: backslash, double quote and line feed are escaped.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The message of a workflow command (actions/toolkit `packages/core/src/command.ts: escapeData`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command (the same file, `escapeProperty`).
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(label("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
        assert_eq!(data("50%\r\n: a, b"), "50%25%0D%0A: a, b");
        assert_eq!(property("50%\r\n: a, b"), "50%25%0D%0A%3A a%2C b");
    }
}
