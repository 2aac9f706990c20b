//! The four formats of `ca expiry`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use meshpki::Time;
use meshpki::internals::digest;
use serde_json::{Value, json};

use super::{Item, Object, Place, Problem, State};
use crate::text::{self, label, safe};

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
        let when = item.end.map_or_else(|| "-".to_owned(), |end| text::relative(end, at));
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
        let (kind, subject, serial) = match &item.object {
            Object::Cert(cert) => ("certificate", cert.subject().to_string(), Some(cert.serial())),
            Object::Crl(crl) => ("crl", crl.issuer().to_string(), None),
        };
        let mut value = text::ending(&subject, serial, &fingerprint(&item.object), item.end, at);
        value["kind"] = kind.into();
        value["state"] = match item.state {
            State::Unreadable => "unreadable",
            State::Expired => "expired",
            State::Due => "due",
            State::Fine => "ok",
        }
        .into();
        value["places"] = item.places.iter().map(place).collect();
        value
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

/// The text format of Prometheus, for a textfile collector: one sample per object and file.
pub(super) fn prometheus(items: &[Item], problems: &[Problem]) -> String {
    let mut text = samples(
        items,
        "meshctl_certificate_not_after_timestamp_seconds",
        "Unix time at which the certificate expires; 0 if it cannot be read.",
        |item| match &item.object {
            Object::Cert(cert) => Some(format!(
                "subject=\"{}\",serial=\"{}\"",
                label(&cert.subject().to_string()),
                text::serial(cert.serial())
            )),
            Object::Crl(_) => None,
        },
    );
    let is_crl = |item: &Item| matches!(item.object, Object::Crl(_));
    if items.iter().any(is_crl) {
        text += &samples(
            items,
            "meshctl_crl_next_update_timestamp_seconds",
            "Unix time of the nextUpdate of the CRL; 0 if it cannot be read.",
            |item| match &item.object {
                Object::Cert(_) => None,
                Object::Crl(crl) => {
                    Some(format!("issuer=\"{}\"", label(&crl.issuer().to_string())))
                }
            },
        );
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

/// One metric of the objects that have these labels.
fn samples(
    items: &[Item],
    metric: &str,
    help: &str,
    labels: impl Fn(&Item) -> Option<String>,
) -> String {
    let mut text = format!("# HELP {metric} {help}\n# TYPE {metric} gauge\n");
    for item in items {
        let Some(labels) = labels(item) else { continue };
        let end = item.end.map_or(0, |end| end.0);
        let files: BTreeSet<&str> = item.places.iter().map(|place| place.file.as_str()).collect();
        for file in files {
            let (path, fingerprint) = (label(&safe(file)), fingerprint(&item.object));
            let _ = writeln!(
                text,
                "{metric}{{path=\"{path}\",{labels},fingerprint=\"{fingerprint}\"}} {end}"
            );
        }
    }
    text
}

/// SHA-256 of the object, as `openssl x509 -fingerprint` prints it.
fn fingerprint(object: &Object) -> String {
    match object {
        Object::Cert(cert) => cert.fingerprint(),
        Object::Crl(crl) => digest::hex_colons(&digest::sha256(crl.as_der())).to_ascii_uppercase(),
    }
}

/// Workflow commands of GitHub Actions: an annotation per place of what is due, and per problem.
pub(super) fn github(items: &[Item], problems: &[Problem], at: Time) -> String {
    let mut text = String::new();
    for item in items {
        let when = item.end.map(|end| text::relative(end, at)).unwrap_or_default();
        let kind = if matches!(item.object, Object::Cert(_)) { "Certificate" } else { "CRL" };
        let (level, title, what) = match item.state {
            State::Fine => continue,
            State::Due => ("warning", "expires soon", format!("expires {when}")),
            State::Expired => ("error", "has expired", format!("expired {when}")),
            State::Unreadable => (
                "error",
                "without a readable expiry date",
                "has no readable expiry date".to_owned(),
            ),
        };
        let message = format!("{} {what}: {}", subject(item), ends(item));
        for place in &item.places {
            text += &annotation(level, place, &format!("{kind} {title}"), &message);
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
    let cert = match &item.object {
        Object::Cert(cert) => cert,
        Object::Crl(crl) => return format!("CRL of {}", crl.issuer()),
    };
    if cert.subject().is_empty() {
        let names = cert.extensions().subject_alt_name.iter().flatten().next();
        return names.map_or_else(|| "(empty)".to_owned(), ToString::to_string);
    }
    cert.subject().to_string()
}

fn ends(item: &Item) -> String {
    item.object.raw_end().map(text::raw_time).unwrap_or_default()
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
