//! The clusters a folder already has, and whose subject, key or name a new one would share or resemble.

use std::path::{Path, PathBuf};

use meshpki::Cert;
use meshpki::cacerts::{Layout, certs};
use meshpki::istiod::Version;
use unicode_security::confusable_detection::skeleton;

use crate::failure::Failure;
use crate::files;
use crate::io::Io;

/// A cluster's CA in a folder.
struct Neighbour {
    name: String,
    file: PathBuf,
    ca: Cert,
}

/// Warns where a cluster in one of `dirs`, other than that of the folder `own`, has the subject or the key of `cert`, or
/// a subject that looks like it.
pub(crate) fn warn_of_same(dirs: &[&Path], own: &Path, cert: &Cert, io: &mut Io<'_>) {
    for neighbour in find(dirs, own) {
        let Neighbour { name, file, ca } = &neighbour;
        let (ours, theirs) = (cert.subject().label(), ca.subject().label());
        let warning = if ca.public_key().as_der() == cert.public_key().as_der() {
            Failure::new("ctl/key-taken", format!("{name} already has a certificate for this key"))
                .because(format!("`{theirs}` has key sha256 {}", ca.public_key().fingerprint()))
                .hint("give each cluster its own key: a key that is stolen from one of them can sign for both")
        } else if ca.subject() == cert.subject() {
            Failure::new("ctl/subject-taken", format!("{name} already has a CA with this subject"))
                .because(format!("`{theirs}` has key sha256 {}", ca.public_key().fingerprint()))
                .because(format!("`{ours}` has key sha256 {}", cert.public_key().fingerprint()))
                .hint("a verifier that has both CAs may use the wrong one; `--subject` sets a different subject")
        } else if looks_like(&ours, &theirs) {
            confusable(&ours, &theirs)
        } else {
            continue;
        };
        io.warn(&warning.in_file(file));
    }
}

/// Warns where a new cluster's name looks like another new one's, or that of a folder in `dir`.
pub(crate) fn warn_of_confusable(dir: &Path, new: &[&str], io: &mut Io<'_>) {
    let there = if dir.is_dir() { files::folders(dir).unwrap_or_default() } else { Vec::new() };
    let there: Vec<String> = there.into_iter().map(|(name, _)| name).collect();
    for (i, name) in new.iter().enumerate() {
        let others = new[..i].iter().copied().chain(there.iter().map(String::as_str));
        if let Some(other) = others.into_iter().find(|other| looks_like(name, other)) {
            io.warn(&confusable(name, other));
        }
    }
}

fn confusable(new: &str, old: &str) -> Failure {
    Failure::new("ctl/name-confusable", format!("`{new}` looks like `{old}`"))
        .because("their characters can be mistaken for each other (Unicode TS 39)")
        .hint("people may mistake one cluster for the other: choose another name")
}

/// Whether two different texts look alike: by their skeletons, letter case aside.
fn looks_like(one: &str, other: &str) -> bool {
    let skeleton = |text: &str| skeleton(text).collect::<String>().to_lowercase();
    let (lower, other_lower) = (one.to_lowercase(), other.to_lowercase());
    lower != other_lower
        && (skeleton(one) == skeleton(other) || skeleton(&lower) == skeleton(&other_lower))
}

fn find(dirs: &[&Path], own: &Path) -> Vec<Neighbour> {
    let full = |path: &Path| path.canonicalize().ok();
    let own = full(own);
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for dir in dirs.iter().filter_map(|dir| full(dir)).filter(|dir| dir.is_dir()) {
        if seen.contains(&dir) {
            continue;
        }
        let folders = files::folders(&dir).unwrap_or_default();
        let others = folders.into_iter().filter(|(_, path)| full(path) != own);
        found.extend(others.filter_map(|(name, path)| neighbour(name, &path)));
        seen.push(dir);
    }
    found
}

/// The CA of a folder; commands that need it report what cannot be read.
fn neighbour(name: String, folder: &Path) -> Option<Neighbour> {
    let layout = Layout::of(Version::NEWEST, |file| folder.join(file).exists());
    let file = folder.join(layout.ca_file());
    let bytes = files::read_optional(&file).ok()??;
    let ca = certs("", &bytes).ok()?.into_iter().next()?;
    Some(Neighbour { name, file, ca })
}

#[cfg(test)]
mod tests {
    use super::looks_like;

    #[test]
    fn names_that_can_be_mistaken() {
        let check = |one: &str, other: &str, expect: bool| {
            assert_eq!(looks_like(one, other), expect, "{one} {other}");
            assert_eq!(looks_like(other, one), expect, "{other} {one}");
        };
        // Cyrillic and Greek letters, full-width forms, digits for letters, two letters for one.
        for alike in ["e\u{430}st", "ea\u{455}t", "\u{435}ast", "\u{ff45}ast", "\u{212f}ast"] {
            check("east", alike, true);
        }
        check("cluster-1", "cluster-l", true);
        check("cluster-I", "cluster-l", true);
        check("prod0", "prodo", true);
        check("modern", "modem", true);
        check("\u{3bf}ne", "one", true);
        for other in ["west", "east-1", "EAST", "eest", "east"] {
            check("east", other, false);
        }
    }
}
