//! `meshctl ca bundle`: root bundles joined and compared.

use std::path::{Path, PathBuf};

use meshpki::{Cert, Error, Time};
use serde_json::{Value, json};

use crate::args::Bundle;
use crate::authority::gather::{Gathered, Placed, gather};
use crate::authority::reader::Opener;
use crate::authority::{is_self_signed, warn_stray};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text::{self, safe};

/// Runs the command.
pub(super) fn run(args: &Bundle, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let now = io.time(args.at)?;
    let bundle = joined(args, &args.files, now, io)?;
    match &args.diff {
        Some(other) => compare(args, other, &bundle, now, io),
        None => write(args, &bundle, now, io),
    }
}

/// A certificate of a bundle, and everywhere it was found.
struct Entry {
    cert: Cert,
    places: Vec<String>,
    is_dropped: bool,
}

/// Each certificate once, in the order of the input; of several with one name, the one that is valid longest comes first,
/// since verifiers take the first that fits.
fn joined(
    args: &Bundle,
    paths: &[PathBuf],
    now: Time,
    io: &mut Io<'_>,
) -> Result<Vec<Entry>, Failure> {
    let passphrase = args.passphrase.resolved();
    let Gathered { certs, keys, locked, mended, others } =
        gather(paths, &mut Opener::of_containers(&passphrase), io)?;
    for (place, form) in &mended {
        let what = match args.diff {
            Some(_) => "a bundle is not plain PEM text",
            None => "a bundle is not plain PEM text; what is written is",
        };
        warn_stray(io, what, place, &form.to_string());
    }
    for place in keys.iter().map(|(_, place)| place).chain(&locked) {
        warn_stray(io, "a private key was left out", place, "a bundle has no keys");
    }
    for (place, what) in &others {
        warn_stray(io, "something else was left out", place, what);
    }
    if certs.is_empty() {
        return Err(Error::NoCertificate { what: "the files".to_owned() }.into());
    }
    let mut entries: Vec<Entry> = Vec::new();
    for Placed { cert, place, .. } in certs {
        if let Some(known) = entries.iter_mut().find(|entry| entry.cert == cert) {
            let why = format!("it is the same as {}", known.places[0]);
            warn_stray(io, "a certificate appears twice", &place, &why);
            known.places.push(place);
            continue;
        }
        let is_dropped = args.drop_expired && is_expired(&cert, now);
        entries.push(Entry { cert, places: vec![place], is_dropped });
    }
    warn_of(&entries, now, io);
    if entries.iter().all(|entry| entry.is_dropped) {
        return Err(Failure::new("ctl/bundle-empty", "no certificate is left")
            .because("every certificate has expired, and `--drop-expired` was given")
            .exit(Exit::No)
            .hint("add the bundle with the current roots"));
    }
    Ok(longest_first(entries))
}

fn longest_first(entries: Vec<Entry>) -> Vec<Entry> {
    let mut sorted: Vec<Vec<Entry>> = Vec::new();
    for entry in entries {
        match sorted.iter_mut().find(|same| same[0].cert.subject() == entry.cert.subject()) {
            Some(same) => same.push(entry),
            None => sorted.push(vec![entry]),
        }
    }
    for same in &mut sorted {
        same.sort_by_key(|entry| std::cmp::Reverse(entry.cert.not_after().time()));
    }
    sorted.into_iter().flatten().collect()
}

fn warn_of(entries: &[Entry], now: Time, io: &mut Io<'_>) {
    for entry in entries {
        let place = format!("{}, `{}`", entry.places[0], entry.cert.subject().label());
        if is_expired(&entry.cert, now) {
            let what = match entry.is_dropped {
                true => "an expired certificate was dropped",
                false => "a certificate has expired",
            };
            let end = entry.cert.not_after().time().unwrap_or(now);
            warn_stray(io, what, &place, &text::since(end, now));
        }
        if !is_self_signed(&entry.cert) {
            let issuer = entry.cert.issuer().label();
            let why = format!("it was issued by `{issuer}`; Envoy trusts only roots");
            warn_stray(io, "a certificate of the bundle is not a root", &place, &why);
        }
    }
}

fn is_expired(cert: &Cert, now: Time) -> bool {
    cert.not_after().time().is_some_and(|end| end <= now)
}

/// The bundle as PEM text or JSON, and its list on standard error.
fn write(args: &Bundle, entries: &[Entry], now: Time, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let kept = || entries.iter().filter(|entry| !entry.is_dropped);
    let pem: String = kept().map(|entry| entry.cert.to_pem()).collect();
    if let Some(path) = args.out.as_deref().filter(|path| *path != Path::new("-")) {
        files::write_public(path, pem.as_bytes(), files::Kind::Certificates)?;
    } else if !args.output.is_json() {
        io.print(&pem)?;
    }
    if args.output.is_json() {
        let entries: Vec<Value> = entries.iter().map(|entry| entry_json(entry, now)).collect();
        io.print(&text::json(&document(&entries, None)))?;
        return Ok(Exit::Good);
    }
    for entry in kept() {
        io.say(line(&entry.cert));
    }
    Ok(Exit::Good)
}

/// What the other bundle lacks and has more.
fn compare(
    args: &Bundle,
    other: &Path,
    bundle: &[Entry],
    now: Time,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    let other = joined(args, &[other.to_path_buf()], now, io)?;
    let only = |these: &[Entry], those: &[Entry]| -> Vec<Cert> {
        let kept = |entries: &[Entry], cert: &Cert| {
            entries.iter().any(|entry| !entry.is_dropped && entry.cert == *cert)
        };
        let mine = these.iter().filter(|entry| !entry.is_dropped);
        mine.map(|entry| entry.cert.clone()).filter(|cert| !kept(those, cert)).collect()
    };
    let (removed, added) = (only(bundle, &other), only(&other, bundle));
    if args.output.is_json() {
        let entries: Vec<Value> = bundle.iter().map(|entry| entry_json(entry, now)).collect();
        io.print(&text::json(&document(&entries, Some((&removed, &added)))))?;
    } else {
        let lines = removed.iter().map(|cert| format!("- {}\n", line(cert)));
        let more = added.iter().map(|cert| format!("+ {}\n", line(cert)));
        io.print(&lines.chain(more).collect::<String>())?;
    }
    Ok(if removed.is_empty() && added.is_empty() { Exit::Good } else { Exit::No })
}

fn line(cert: &Cert) -> String {
    let until = cert.not_after().time().map_or_else(|| "?".to_owned(), Time::date);
    format!("{}, until {until}, sha256 {}", safe(&cert.subject().to_string()), cert.fingerprint())
}

fn document(entries: &[Value], difference: Option<(&[Cert], &[Cert])>) -> Value {
    let ids = |certs: &[Cert]| certs.iter().map(Cert::fingerprint).collect::<Vec<_>>();
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "RootBundle",
        "certificates": entries,
        "difference": difference
            .map(|(removed, added)| json!({ "removed": ids(removed), "added": ids(added) })),
    })
}

fn entry_json(entry: &Entry, now: Time) -> Value {
    json!({
        "subject": entry.cert.subject().to_string(),
        "notAfter": entry.cert.not_after().time().map(|end| end.to_string()),
        "sha256": entry.cert.fingerprint(),
        "isRoot": is_self_signed(&entry.cert),
        "expired": is_expired(&entry.cert, now),
        "dropped": entry.is_dropped,
        "places": entry.places,
    })
}
