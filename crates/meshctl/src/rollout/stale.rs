//! A folder that is older than what its cluster has: someone has renewed from another checkout since.
//!
//! The dates of two CAs say which is the newer one only if the machines that made them agree on the time. So the folder
//! is asked first: what it has replaced itself, it has in `previous/`.

use std::path::Path;

use meshpki::istiod::Secret;
use meshpki::{Cert, Time};

use super::Options;
use crate::authority::certs_of_file;
use crate::authority::summary::layout_of;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::fleet::clusters::{Seen, Target, place as place_of};
use crate::text;

/// Refuses every folder that is older than what its cluster has, unless that is forced.
///
/// # Errors
/// `ctl/stale-folder`.
pub(crate) fn refuse_older(
    targets: &[Target],
    seen: &[Seen],
    secrets: &[Secret],
    dir: &Path,
    options: &Options,
) -> Result<(), Failure> {
    if options.force.iter().any(|code| code == "ctl/stale-folder") {
        return Ok(());
    }
    for ((target, seen), secret) in targets.iter().zip(seen).zip(secrets) {
        let live = seen.observed.secret.as_ref().and_then(|live| live.files.ca(seen.release()));
        if let Some(ours) = secret.ca(seen.release()) {
            refuse_stale(target, &dir.join(&target.name), &ours, live.as_ref())?;
        }
    }
    Ok(())
}

/// The folder is older than what is live: another checkout has rotated since, and pushing would turn it back.
///
/// # Errors
/// `ctl/stale-folder`.
pub(crate) fn refuse_stale(
    target: &Target,
    folder: &Path,
    ours: &Cert,
    live: Option<&Cert>,
) -> Result<(), Failure> {
    let Some(live) = live.filter(|live| *live != ours) else { return Ok(()) };
    let since = |cert: &Cert| cert.not_before().time().unwrap_or(Time(0));
    // A different root or a different name is not an older version of the same CA.
    let is_same = live.issuer() == ours.issuer() && live.subject() == ours.subject();
    if !is_same || since(live) <= since(ours) || has_replaced(folder, live) {
        return Ok(());
    }
    let said = |cert: &Cert| format!("{}, from {}", cert.label(), since(cert));
    Err(Failure::new("ctl/stale-folder", format!("{} is older than the cluster's CA", text::word(folder)))
        .within(place_of(target))
        .because(format!("the folder has {}", said(ours)))
        .because(format!("the cluster has {}", said(live)))
        .hint("update the folder from its origin, or move it away and let `meshctl rotate` create it from the cluster's secret; `--force ctl/stale-folder` installs the older CA anyway")
        .exit(Exit::No))
}

/// Whether a CA is that of a set which was replaced in this folder: what took its place is newer, whatever the dates say.
fn has_replaced(folder: &Path, ca: &Cert) -> bool {
    let dir = folder.parent().unwrap_or(folder);
    files::kept(dir).unwrap_or_default().iter().any(|kept| {
        let file = kept.path.join(layout_of(&kept.path).ca_file());
        certs_of_file(&file).is_ok_and(|certs| certs.first() == Some(ca))
    })
}
