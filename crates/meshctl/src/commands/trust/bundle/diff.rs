//! `meshctl trust bundle diff`: how two bundles differ.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use meshpki::{Cert, TrustDomain};

use super::source::{self, Read};
use crate::args::trust::Diff;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::text::safe;

/// The bundles of a file by trust domain; the only one of a file that does not say its trust domain has none.
type Bundles = BTreeMap<Option<TrustDomain>, Read>;

/// Runs the command.
pub(super) fn run(args: &Diff, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let [old, new] = args.files.as_slice() else {
        return Err(Failure::usage("expected two files: OLD and NEW"));
    };
    let mut read = |path| -> Result<Bundles, Failure> {
        let all = source::bundles(path, io)?;
        Ok(all.into_iter().map(|read| (read.domain.clone(), read)).collect())
    };
    let files = [old, new];
    let (old, new) = (read(old)?, read(new)?);
    if old.contains_key(&None) != new.contains_key(&None) {
        return Err(one_map(files, old.contains_key(&None)));
    }
    let mut text = String::new();
    for (domain, found) in &old {
        text += &between(domain.as_ref(), Some(found), new.get(domain));
    }
    for (domain, found) in new.iter().filter(|(domain, _)| !old.contains_key(domain)) {
        text += &between(domain.as_ref(), None, Some(found));
    }
    io.print(&text)?;
    Ok(if text.is_empty() { Exit::Good } else { Exit::No })
}

/// A bundle map cannot be compared with a bundle, which does not say its trust domain.
fn one_map([old, new]: [&PathBuf; 2], is_old_single: bool) -> Failure {
    let (map, single) = if is_old_single { (new, old) } else { (old, new) };
    let message = format!("`{}` is a bundle map, `{}` is not", map.display(), single.display());
    Failure::usage(message).hint(
        "`meshctl trust bundle import MAP --trust-domain DOMAIN --out FILE` takes one trust domain out of the map",
    )
}

/// The differences in one trust domain, under its name if it has one; empty if there is none.
fn between(domain: Option<&TrustDomain>, old: Option<&Read>, new: Option<&Read>) -> String {
    let mut lines = Vec::new();
    match (old, new) {
        (None, _) => lines.push("+ trust domain".to_owned()),
        (_, None) => lines.push("- trust domain".to_owned()),
        (Some(old), Some(new)) if old.is_json && new.is_json => {
            let (old, new) = (&old.bundle, &new.bundle);
            lines.extend(number("sequence", old.sequence(), new.sequence()));
            lines.extend(number("refresh hint", old.refresh_hint(), new.refresh_hint()));
        }
        _ => {}
    }
    let roots =
        |read: Option<&Read>| read.map(|read| read.bundle.roots().to_vec()).unwrap_or_default();
    let (old, new) = (roots(old), roots(new));
    lines.extend(only(&old, &new).map(|root| format!("- root {}", line(root))));
    lines.extend(only(&new, &old).map(|root| format!("+ root {}", line(root))));
    let margin = if domain.is_some() { "  " } else { "" };
    let mut text = String::new();
    if let Some(domain) = domain.filter(|_| !lines.is_empty()) {
        let _ = writeln!(text, "{domain}");
    }
    for line in lines {
        let _ = writeln!(text, "{margin}{line}");
    }
    text
}

/// The certificates of the first list that are not in the second.
fn only<'a>(these: &'a [Cert], those: &'a [Cert]) -> impl Iterator<Item = &'a Cert> {
    these.iter().filter(|root| !those.contains(root))
}

fn number(name: &str, old: Option<u64>, new: Option<u64>) -> Option<String> {
    let text = |number: Option<u64>| number.map_or("none".to_owned(), |number| number.to_string());
    (old != new).then(|| format!("{name} {} -> {}", text(old), text(new)))
}

fn line(root: &Cert) -> String {
    let until = root.not_after().time().map_or_else(|| "?".to_owned(), meshpki::Time::date);
    let subject = safe(&root.subject().to_string());
    format!("{subject}, until {until}, sha256 {}", root.fingerprint())
}
