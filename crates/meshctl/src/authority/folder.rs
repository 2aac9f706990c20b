//! The CA folder as a whole: locked for a change, who else may touch it, its clusters' names, and whether they are
//! all under its root.

use std::path::Path;

use meshpki::cacerts::{Layout, Secret, certs};
use meshpki::istiod::Version;
use meshpki::{Cert, chain};

use super::crls::ROOT_CRL;
use super::issuer::{ROOT_CERT, ROOT_KEY};
use super::revoked::REVOKED;
use super::{ROOTS_APART, cert_words};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Leftover, Wait, Workspace};
use crate::io::Io;
use crate::system::{self, Openness};
use crate::text;

/// How often a lock is tried, in milliseconds.
const TRY_EVERY: u64 = 50;
/// More places than this are counted, not listed.
const MOST_PLACES: usize = 5;

/// Opens a folder for a change, and reports what an interrupted run left. While another run uses it, it waits
/// as long as `wait` says.
///
/// # Errors
/// `ctl/busy`, `ctl/io`.
pub(crate) fn open_workspace(
    dir: &Path,
    wait: Wait,
    io: &mut Io<'_>,
) -> Result<Workspace, Failure> {
    let mut tries: u64 = 0;
    // Counted in tries, not by a clock, which may be set meanwhile.
    let most = match wait {
        Wait::No => 0,
        Wait::Forever => u64::MAX,
        Wait::Seconds(seconds) => seconds.saturating_mul(1000) / TRY_EVERY,
    };
    let mut patience = || {
        if tries == 0 && most > 0 {
            io.note(format_args!(
                "waiting for another meshctl process that is using {}",
                text::word(dir)
            ));
        }
        tries += 1;
        if tries <= most {
            std::thread::sleep(std::time::Duration::from_millis(TRY_EVERY));
        }
        tries <= most
    };
    let (workspace, leftovers) = Workspace::open(dir, &mut patience)?;
    for leftover in leftovers {
        let warning = match leftover {
            Leftover::Kept(place) => {
                let message =
                    "an interrupted run left a set of files, which was moved to `previous/`";
                Failure::new("ctl/leftovers", message).in_file(&place)
            }
            Leftover::Replaced(name, place) => {
                let message = format!(
                    "an interrupted renewal of `{name}` was finished; the old set was kept"
                );
                Failure::new("ctl/leftovers", message).in_file(&place)
            }
        };
        io.warn(&warning);
    }
    Ok(workspace)
}

/// Warns of keys others can read, and of folders that others can write to: they decide
/// which root a mesh trusts.
pub(crate) fn warn_exposed(dir: &Path, io: &mut Io<'_>) {
    let keys = files::shared_keys(dir, ROOT_KEY);
    if let Some(first) = keys.first() {
        let message = "a private key is readable by users other than its owner";
        let warning = Failure::new("ctl/key-permissions", message);
        let warning = places(warning, &keys);
        let hint = match keys.len() {
            1 => format!("`{}`", system::keep_file_private_command(&text::word(first))),
            _ => format!("`{}`", system::keep_all_private_command(&text::word(dir))),
        };
        io.warn(&warning.hint(hint));
    }
    let clusters = files::folders(dir).unwrap_or_default().into_iter().map(|(_, path)| path);
    for folder in std::iter::once(dir.to_path_buf()).chain(clusters) {
        let Some(openness) = system::openness(&folder) else { continue };
        let word = text::word(&folder);
        let (message, hint) = match openness {
            #[cfg(unix)]
            Openness::Owner(uid) => (
                format!("the folder belongs to another user, with the id {uid}"),
                format!("`chown \"$(id -u)\" {word}`"),
            ),
            Openness::Writable => (
                "the folder is writable by users other than its owner".to_owned(),
                format!("`{}`", system::close_folder_command(&word)),
            ),
        };
        let warning = Failure::new("ctl/dir-permissions", message)
            .in_file(&folder)
            .because("anyone who can write to it can replace a root or a key")
            .hint(hint);
        io.warn(&warning);
    }
}

fn places(mut failure: Failure, paths: &[std::path::PathBuf]) -> Failure {
    for path in paths.iter().take(MOST_PLACES) {
        failure = failure.in_file(path);
    }
    match paths.len().saturating_sub(MOST_PLACES) {
        0 => failure,
        more => failure.within(format!("{more} more")),
    }
}

/// The other names in the folder that holds the clusters' folders.
const OURS: [&str; 5] = [files::PREVIOUS, REVOKED, ROOT_CERT, ROOT_CRL, ROOT_KEY];

/// A cluster's name is a folder's name and part of a subject.
pub(crate) fn check_cluster_name(name: &str) -> Result<(), Failure> {
    let ok = (1..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && name.as_bytes()[0].is_ascii_alphanumeric()
        && !name.ends_with('.')
        && !is_device(name)
        && !OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
    if ok {
        return Ok(());
    }
    Err(Failure::new("ctl/cluster-name", format!("`{name}` is not a valid cluster name"))
        .because(format!(
            "expected 1 to 40 letters, digits, `-`, `_` and `.`, beginning with a letter or digit, not ending with `.`, and not `{}` or a device of Windows, such as `nul`",
            OURS.join("`, `")
        ))
        .exit(Exit::Usage))
}

/// Names that are devices on Windows, in every folder and with any ending ("Naming Files, Paths, and Namespaces").
const DEVICES: [&str; 4] = ["aux", "con", "nul", "prn"];
/// The same with a digit after them.
const PORTS: [&str; 2] = ["com", "lpt"];

/// Whether a folder cannot have this name on Windows. Folders travel.
fn is_device(name: &str) -> bool {
    let name = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let port = name.strip_suffix(|c: char| c.is_ascii_digit());
    DEVICES.contains(&name.as_str()) || port.is_some_and(|port| PORTS.contains(&port))
}

/// Refuses new names that differ from another, or from what is in the folder, in upper and lower case only: they are
/// one folder on some file systems, and one name to most readers.
///
/// # Errors
/// `ctl/cluster-name`, `ctl/io`.
pub(crate) fn check_case(dir: &Path, names: &[String]) -> Result<(), Failure> {
    let there = files::names(dir)?;
    for name in names.iter().filter(|name| !there.contains(name)) {
        let is_other = |other: &&String| *other != name && other.eq_ignore_ascii_case(name);
        let Some(other) = there.iter().chain(names).find(is_other) else { continue };
        let message = format!("`{name}` differs from `{other}` only in upper and lower case");
        let failure = Failure::new("ctl/cluster-name", message)
            .because("on some file systems they are the same folder")
            .exit(Exit::Usage);
        return Err(match there.contains(other) {
            true => failure.in_file(&dir.join(other)).hint(format!(
                "use `--cluster {other}` for the existing one, or choose another name"
            )),
            false => failure.hint("choose another name for one of them"),
        });
    }
    Ok(())
}

/// Refuses a root that did not issue every cluster's CA in the folder; without a root, any cluster's CA has a different
/// one.
/// A cluster whose files cannot be read is a warning; with `allowed`, so is another root.
///
/// # Errors
/// `ctl/other-root`.
pub(crate) fn check_issuers(
    dir: &Path,
    root: Option<&Cert>,
    allowed: bool,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    for (name, folder) in files::folders(dir).unwrap_or_default() {
        let pile = match pile(&folder) {
            Ok(pile) => pile,
            Err(failure) => {
                io.warn(&failure.in_file(&folder));
                continue;
            }
        };
        let Some(ca) = pile.first() else { continue };
        if root.is_some_and(|root| leads_to(ca, &pile, root)) {
            continue;
        }
        let top = top(ca, &pile).map_or_else(|| format!("`{}`", ca.issuer().label()), cert_words);
        let failure = Failure::new(
            "ctl/other-root",
            format!("`{name}` is under a different root than this folder's"),
        )
        .in_file(&folder)
        .because(format!("`{}` leads to {top}", ca.subject().label()));
        let failure = match root {
            Some(root) => failure.because(format!(
                "{} is {}",
                dir.join(ROOT_CERT).display(),
                cert_words(root)
            )),
            None => {
                failure.because(format!("{} is missing, so a new root would be created", ROOT_CERT))
            }
        };
        if allowed {
            io.warn(&failure.hint(ROOTS_APART));
            continue;
        }
        return Err(failure.hint(format!(
            "have that root's owner sign a CA for the new cluster: `meshctl ca csr {0} --cluster NAME`, then \
             `meshctl ca adopt {0} --cluster NAME CERTIFICATE ROOT`; or restore that root, or create the new one in its \
             own folder or with `--new-root`",
            text::word(dir)
        )));
    }
    Ok(())
}

/// The certificates of a cluster's folder, its CA first; empty if there is no folder.
fn pile(folder: &Path) -> Result<Vec<Cert>, Failure> {
    let mut pile = Vec::new();
    let layout = Layout::of(Version::NEWEST, |file| folder.join(file).exists());
    let ca = layout.ca_file();
    let others = layout.files().iter().copied().filter(|name| *name != ca && !Secret::is_key(name));
    for (i, name) in std::iter::once(ca).chain(others).enumerate() {
        match files::read_optional(&folder.join(name))? {
            Some(bytes) => pile.extend(certs(name, &bytes)?),
            None if i == 0 => break,
            None => {}
        }
    }
    Ok(pile)
}

/// The certificates above one, by signature: nearest first.
fn above<'a>(cert: &'a Cert, pile: &'a [Cert]) -> impl Iterator<Item = &'a Cert> {
    let mut rest: Vec<&Cert> = pile.iter().collect();
    std::iter::successors(Some(cert), move |below| {
        rest.retain(|cert| cert != below);
        rest.iter().copied().find(|cert| cert != below && chain::issued(cert, below))
    })
    .skip(1)
}

fn leads_to(ca: &Cert, pile: &[Cert], root: &Cert) -> bool {
    std::iter::once(ca).chain(above(ca, pile)).any(|cert| cert == root || chain::issued(root, cert))
}

fn top<'a>(ca: &'a Cert, pile: &'a [Cert]) -> Option<&'a Cert> {
    above(ca, pile).last()
}
