//! `meshctl trust bundle show`: the roots in bundles, and what in them does not count.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use meshpki::internals::words;
use meshpki::spiffe::svid;
use meshpki::{Cert, Time};
use serde_json::{Value, json};

use super::super::accept::why_empty;
use super::source::{self, Read};
use crate::args::Output;
use crate::args::trust::Show;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::text::{json as pretty, raw_time, relative, safe};

/// Runs the command.
pub(super) fn run(args: &Show, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let at = args.at.unwrap_or(io.now);
    let mut found: Vec<(&Path, Read)> = Vec::new();
    for path in &args.files {
        found.extend(source::bundles(path, io)?.into_iter().map(|read| (path.as_path(), read)));
    }
    match args.output {
        Output::Text => {
            let all: Vec<String> = found.iter().map(|(path, read)| text(path, read, at)).collect();
            io.print(&all.join("\n"))?;
        }
        Output::Json => {
            let all: Vec<Value> =
                found.iter().map(|(path, read)| document(path, read, at)).collect();
            let all = json!({"apiVersion": "meshctl/v1", "kind": "TrustBundles", "bundles": all});
            io.print(&pretty(&all))?;
        }
    }
    Ok(Exit::Good)
}

fn text(path: &Path, read: &Read, at: Time) -> String {
    let bundle = &read.bundle;
    let mut text = safe(&path.display().to_string());
    if let Some(domain) = &read.domain {
        let _ = write!(text, ": {domain}");
    }
    text.push('\n');
    if read.is_json {
        let sequence = bundle.sequence().map_or("none".to_owned(), |n| n.to_string());
        let hint = bundle.refresh_hint().map(Duration::from_secs).map_or("none".to_owned(), words);
        let _ = writeln!(text, "  sequence {sequence}, refresh hint {hint}");
    }
    if bundle.roots().is_empty() {
        let _ = writeln!(text, "  no root: {}", why_empty(&read.ignored));
    }
    for root in bundle.roots() {
        text += &root_text(root, at);
    }
    for ignored in &read.ignored {
        let _ = writeln!(text, "  ignored {}", safe(&ignored.to_string()));
    }
    text
}

fn root_text(root: &Cert, at: Time) -> String {
    let mut text = format!("  root {}\n", safe(&root.subject().to_string()));
    let until = root.not_after().time();
    let relative = until.map_or_else(String::new, |end| format!(", {}", relative(end, at)));
    let from = raw_time(root.not_before());
    let _ = writeln!(text, "    valid from {from} to {}{relative}", raw_time(root.not_after()));
    let _ = writeln!(text, "    key {}", root.public_key().algorithm());
    let _ = writeln!(text, "    sha256 {}", root.fingerprint());
    if let Err(problem) = svid::check_signing(root) {
        let _ = writeln!(
            text,
            "    not a signing certificate of SPIFFE: {}",
            safe(&problem.to_string())
        );
    }
    text
}

fn document(path: &Path, read: &Read, at: Time) -> Value {
    let bundle = &read.bundle;
    let ignored: Vec<Value> = read
        .ignored
        .iter()
        .map(|ignored| json!({"place": ignored.place, "why": ignored.why.to_string()}))
        .collect();
    json!({
        "file": path.display().to_string(),
        "trustDomain": read.domain.as_ref().map(|domain| domain.as_str()),
        "sequence": bundle.sequence(),
        "refreshHint": bundle.refresh_hint(),
        "roots": bundle.roots().iter().map(|root| root_document(root, at)).collect::<Vec<_>>(),
        "ignored": ignored,
    })
}

fn root_document(root: &Cert, at: Time) -> Value {
    let time = |raw: &meshpki::x509::RawTime| raw.time().map(|time| time.to_string());
    json!({
        "subject": root.subject().to_string(),
        "notBefore": time(root.not_before()),
        "notAfter": time(root.not_after()),
        "expired": root.not_after().time().is_none_or(|end| end <= at),
        "key": root.public_key().algorithm().to_string(),
        "fingerprint": root.fingerprint(),
        "problem": svid::check_signing(root).err().map(|problem| problem.to_string()),
    })
}
