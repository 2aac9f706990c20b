//! `meshctl forget`: removes what is kept for a rollback, once nothing needs it: from secrets in clusters, and from the disk.

use std::path::Path;

use meshapply::Cluster as _;
use meshapply::next::Action;
use meshapply::state::{Desired, Live};
use meshpki::cacerts::{Layout, Secret, pool};
use meshpki::istiod::Version;
use meshpki::{Cert, Time};

use crate::args::Forget;
use crate::authority::open_workspace;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Kept};
use crate::fleet::clusters::{Target, failed, place, runtime};
use crate::fleet::observe::{self, Found};
use crate::fleet::pending;
use crate::hints::Where;
use crate::io::Io;
use crate::text::{self, since};

/// A kept secret that may go.
struct InCluster<'a> {
    target: &'a Target,
    /// The present secret, which is proven live.
    live: &'a Live,
    kept: &'a Live,
    action: Action,
}

/// Runs the command.
pub(super) fn run(args: &Forget, io: &mut Io<'_>) -> Result<Exit, Failure> {
    if args.dir.is_none() && args.clusters.is_empty() {
        return Err(Failure::usage("nothing to forget")
            .hint("name a folder, as in `meshctl forget ca`, a cluster with `--context east=CONTEXT`, or both"));
    }
    let mut selection = args.clusters.resolved(&args.force)?;
    selection.service_account.clone_from(&args.service_account);
    runtime()?.block_on(async {
        let (targets, found) = match args.clusters.is_empty() {
            true => (Vec::new(), Vec::new()),
            false => observe::asked(&selection, io).await?,
        };
        let found = all_found(&targets, found)?;
        let on_disk = sets(args, &targets, io.now)?;
        let mut in_clusters = Vec::new();
        for (target, found) in targets.iter().zip(&found) {
            let has_sets = on_disk.iter().any(|set| set.cluster() == target.name);
            in_clusters.extend(may_go(target, found, has_sets, args, io.now).await?);
        }
        if in_clusters.is_empty() && on_disk.is_empty() {
            let nothing = match args.older_than {
                None => "nothing is kept\n".to_owned(),
                Some(age) => {
                    format!("nothing was kept for longer than {}\n", meshpki::internals::words(age))
                }
            };
            io.print(&nothing)?;
            return Ok(Exit::Good);
        }
        io.print(&plan(&in_clusters, &on_disk, io.now))?;
        io.confirm(
            args.yes,
            "Remove it? `meshctl rollback` will have nothing to restore.",
            "nothing was removed; `--yes` removes it",
        )?;
        for one in &in_clusters {
            let desired = Desired::as_it_is(one.live);
            let done = one.target.kube.act(&one.action, &desired).await;
            done.map_err(|error| failed(one.target, &error))?;
            io.print(&format!("{}: emptied\n", text::safe(&one.target.name)))?;
        }
        remove(args, &on_disk, io)
    })
}

/// All that was found, or the first cluster that could not be asked.
fn all_found(
    targets: &[Target],
    found: Vec<Result<Found, meshapply::Error>>,
) -> Result<Vec<Found>, Failure> {
    let failures = observe::unasked(targets, &found);
    if let Some(failure) = failures.into_iter().next() {
        return Err(failure.because("nothing was removed"));
    }
    Ok(found.into_iter().flatten().collect())
}

/// The kept secret of a cluster, if there is one and nothing needs it any more; nor its sets on disk, if it has any.
async fn may_go<'a>(
    target: &'a Target,
    found: &'a Found,
    has_sets: bool,
    args: &Forget,
    now: Time,
) -> Result<Option<InCluster<'a>>, Failure> {
    let observed = &found.seen.observed;
    let kept = observed.previous.as_ref().filter(|kept| kept.is_kept());
    let kept = kept.filter(|kept| is_old(kept.written, args, now));
    if kept.is_none() && !has_sets {
        return Ok(None);
    }
    let refused = |failure: Failure| failure.within(place(target)).because("nothing was removed");
    if let Some(problem) = pending::unfinished(target, found).into_iter().next() {
        let place = Where {
            name: &target.name,
            folder: None,
            has_root_key: true,
            context: Some(&target.context),
            istio_namespace: &target.istio_namespace,
            all: None,
            typed: &target.typed,
        };
        let failure = Failure::new(problem.code, problem.message.clone()).exit(Exit::No);
        return Err(
            refused(failure).hint(format!("`{}`, then run this again", place.next(&problem)))
        );
    }
    let proven = meshapply::forget::proven(&target.kube, observed).await;
    proven.map_err(|error| failed(target, &error).because("nothing was removed"))?;
    Ok(kept.zip(observed.secret.as_ref()).map(|(kept, live)| InCluster {
        target,
        live,
        kept,
        action: Action::Forget { over: kept.resource_version.clone() },
    }))
}

/// Whether something kept since then is included. If its age is unknown, it is not.
fn is_old(since: Option<Time>, args: &Forget, now: Time) -> bool {
    args.older_than.is_none_or(|age| since.is_some_and(|since| since + age <= now))
}

/// The sets in `DIR/previous`: of the clusters named, or all.
fn sets(args: &Forget, targets: &[Target], now: Time) -> Result<Vec<Kept>, Failure> {
    let Some(dir) = &args.dir else { return Ok(Vec::new()) };
    let mut sets = files::kept(dir)?;
    sets.retain(|set| targets.is_empty() || targets.iter().any(|t| t.name == set.cluster()));
    sets.retain(|set| is_old(Some(set.since), args, now));
    Ok(sets)
}

fn plan(in_clusters: &[InCluster<'_>], on_disk: &[Kept], now: Time) -> String {
    let mut text = String::new();
    for one in in_clusters {
        let names: Vec<&str> = one.kept.files.names().collect();
        let kept = one.kept.written.map(|time| format!(", {}", since(time, now)));
        let line = format!(
            "{}: the previous secret: {}{}; {}",
            place(one.target),
            named(one.kept.files.ca(Version::NEWEST).as_ref()),
            kept.unwrap_or_default(),
            files_of(&names),
        );
        text += &format!("{}\n", text::safe(&line));
    }
    for set in on_disk {
        let names: Vec<&str> = set.files.iter().map(String::as_str).collect();
        let layout = Layout::of(Version::NEWEST, |name| names.contains(&name));
        let ca = first(&set.path.join(layout.ca_file()));
        let line = format!(
            "{}: {}, {}; {}",
            set.path.display(),
            named(ca.as_ref()),
            since(set.since, now),
            files_of(&names)
        );
        text += &format!("{}\n", text::safe(&line));
    }
    text
}

fn named(ca: Option<&Cert>) -> String {
    ca.map_or_else(|| "no CA certificate".to_owned(), Cert::label)
}

fn files_of(names: &[&str]) -> String {
    let one = |name: &&str| match Secret::is_key(name) {
        true => format!("{name} (a private key)"),
        false => (*name).to_owned(),
    };
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The first certificate of a file, which may not exist.
fn first(path: &Path) -> Option<Cert> {
    let text = files::read_optional(path).ok()??;
    pool(&text).into_iter().next()
}

/// Removes sets from the disk.
fn remove(args: &Forget, on_disk: &[Kept], io: &mut Io<'_>) -> Result<Exit, Failure> {
    let Some(dir) = args.dir.as_ref().filter(|_| !on_disk.is_empty()) else {
        return Ok(Exit::Good);
    };
    let workspace = open_workspace(dir, args.wait.resolved(), io)?;
    for set in on_disk {
        let path = text::word(&set.path);
        let line = if workspace.forget(set)? {
            format!("{path}: removed\n")
        } else {
            format!("{path}: its files were removed; the folders in it were left\n")
        };
        io.print(&line)?;
    }
    workspace.finish()?;
    Ok(Exit::Good)
}
