//! `meshctl rotate intermediate`: what ends soon is renewed, checked, pushed and proven, in one command for CI.

use std::path::Path;
use std::time::Duration;

use meshapply::state::Live;
use meshpki::cacerts::Secret;
use meshpki::istiod::Version;
use meshpki::{Cert, Time};
use serde_json::json;

use crate::args::RotateIntermediate;
use crate::authority::crls::CLUSTER_CRL;
use crate::authority::renewal::{Renewal, Renewed};
use crate::authority::signer::KeySource;
use crate::authority::{check_case, check_cluster_name, open_workspace, warn_exposed};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::Workspace;
use crate::fleet::clusters::{Seen, Target, runtime, targets};
use crate::fleet::place::{self, Source};
use crate::fleet::{folders, judge};
use crate::io::Io;
use crate::rollout::stale::refuse_stale;
use crate::rollout::{Job, can_agree, look_apart, no_folder, own_folders, refuse, refuse_unusable};
use crate::text;

/// A cluster's CA, and whether its renewal is due.
struct Due {
    cluster: String,
    /// The CA of the folder, or of the cluster where it has no folder.
    ca: Cert,
    is_due: bool,
}

/// Runs the command.
pub(super) fn run(args: &RotateIntermediate, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let options = args.rollout.resolved();
    can_agree(&options, io)?;
    io.time(None)?;
    warn_exposed(&args.dir, io);
    let may_write = options.dry_run.is_none();
    folders::finish_interrupted(&args.dir, args.wait.resolved(), may_write, io)?;
    let runtime = runtime()?;
    let mut selection = args.clusters.for_rollout(&args.rollout)?;
    let key = args.signer.resolved(&args.passphrase);
    selection.way.hidden = key.variables();
    let (targets, seen, twins) = runtime.block_on(async {
        let targets = targets(&selection, io).await?;
        let (seen, twins) = look_apart(&targets, &options.force).await?;
        Ok::<_, Failure>((targets, seen, twins))
    })?;
    // What is created from a cluster's secret must come from the right cluster.
    refuse(&judge::other_than_spec(&targets, &seen, io.now), &options)?;
    refuse_misplaced(&args.dir, &targets, &seen, &options.force)?;
    refuse_unusable(&targets, &seen, &options)?;
    let mut dues = Vec::new();
    let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    check_case(&args.dir, &names)?;
    for (target, seen) in targets.iter().zip(&seen) {
        check_cluster_name(&target.name)?;
        dues.push(due(args, target, seen.observed.secret.as_ref(), seen.release(), io.now)?);
    }
    for due in &dues {
        tell(due, args.within, options.json, io)?;
    }
    let would_write = dues.iter().any(|due| due.is_due || !args.dir.join(&due.cluster).exists());
    if options.dry_run.is_some() && would_write {
        return Ok(Exit::Good);
    }
    let imported = import(args, &targets, &seen, io)?;
    refuse_imported(args, &imported, &dues)?;
    // A CA that others must sign does not hold up the other clusters.
    let waits = renew_due(args, &key, &dues, options.json, io)?;
    let mut folders = folders::secrets(&args.dir)?;
    let spec = args.clusters.file.as_deref();
    let secrets = own_folders(&targets, &args.dir, &mut folders, spec)?;
    let job =
        Job { targets, seen, twins, others: Some(folders), rotation: None, options: &options };
    let exit = runtime.block_on(job.run(secrets, io))?;
    match waits {
        Some(waits) if exit == Exit::Good => Err(waits),
        Some(waits) => {
            io.warn(&waits);
            Ok(exit)
        }
        None => Ok(exit),
    }
}

/// Before anything is renewed: a folder's CA and the one it would replace have one name, and no cluster without a folder
/// has the CA of another's.
fn refuse_misplaced(
    dir: &Path,
    targets: &[Target],
    seen: &[Seen],
    force: &[String],
) -> Result<(), Failure> {
    let mut folders = folders::secrets(dir).unwrap_or_default();
    let own: Vec<_> = targets.iter().map(|target| folders.remove(&target.name)).collect();
    let own: Vec<_> = own.iter().map(Option::as_ref).collect();
    let source = Source::Folders { others: &folders };
    place::refuse_misplaced(targets, seen, &own, source, force)
}

/// Whether the cluster's CA ends soon: that of its folder, since a folder renewed and never pushed is not renewed again.
fn due(
    args: &RotateIntermediate,
    target: &Target,
    live: Option<&Live>,
    release: Version,
    now: Time,
) -> Result<Due, Failure> {
    let folder = args.dir.join(&target.name);
    let in_cluster = live.and_then(|live| live.files.ca(release));
    let ca = match (folder.exists(), in_cluster) {
        (true, in_cluster) => {
            let ours = ca_of(&folder)?;
            refuse_stale(target, &folder, &ours, in_cluster.as_ref())?;
            ours
        }
        (false, Some(in_cluster)) => in_cluster,
        (false, None) => {
            return Err(no_folder(
                target,
                &args.dir,
                &folders::secrets(&args.dir).unwrap_or_default(),
                args.clusters.file.as_deref(),
            ));
        }
    };
    let is_due = ca.not_after().time().is_none_or(|end| end <= now + args.within);
    Ok(Due { cluster: target.name.clone(), ca, is_due })
}

fn ca_of(folder: &Path) -> Result<Cert, Failure> {
    folders::secret_in(folder)?.ca(Version::NEWEST).ok_or_else(|| {
        Failure::new("ctl/no-cluster", format!("{} has no CA certificate", text::word(folder)))
    })
}

fn tell(due: &Due, within: Duration, json: bool, io: &mut Io<'_>) -> Result<(), Failure> {
    let end = due.ca.not_after().time();
    let days = end.map_or(0, |end| (end.0 - io.now.0).div_euclid(86_400));
    let until = end.map_or_else(|| "?".to_owned(), Time::date);
    if json {
        let line = json!({
            "apiVersion": "meshctl/v1", "kind": "RolloutEvent", "event": "expiry",
            "cluster": due.cluster, "until": until, "days": days, "due": due.is_due,
        });
        return io.print(&text::json_line(&line));
    }
    let verdict = if due.is_due { "due" } else { "not due" };
    let within = meshpki::internals::words(within);
    let label = due.ca.label();
    let line = format!(
        "{}: {label} expires {until}, in {days} days: {verdict} (within {within})",
        due.cluster
    );
    io.print(&format!("{}\n", text::safe(&line)))
}

/// Refuses to renew the CA of a folder that was not there, of a cluster with CRLs: between the CRL of the new CA and the
/// CA itself, the folder must be kept.
fn refuse_imported(
    args: &RotateIntermediate,
    imported: &[String],
    dues: &[Due],
) -> Result<(), Failure> {
    let has_crls = |name: &&String| args.dir.join(name).join(CLUSTER_CRL).exists();
    let is_due = |name: &&String| dues.iter().any(|due| due.cluster == **name && due.is_due);
    let Some(name) = imported.iter().filter(is_due).find(has_crls) else { return Ok(()) };
    let dir = text::word(&args.dir);
    Err(Failure::new("ctl/crl-first", format!("`{name}` has CRLs, and {dir} did not have its folder"))
        .in_file(&args.dir.join(name))
        .because("a new CA is installed after its CRL, so that the folder must be kept from one run to the next")
        .hint(format!("nothing was renewed, but the folder is there now: keep {dir} and run this again, each time after `meshctl rotate crl {dir}` with every cluster"))
        .exit(Exit::No))
}

/// Clusters without a folder get one from the secret they have; their names.
fn import(
    args: &RotateIntermediate,
    targets: &[Target],
    seen: &[Seen],
    io: &mut Io<'_>,
) -> Result<Vec<String>, Failure> {
    let lacking = |target: &&Target| !args.dir.join(&target.name).exists();
    let mut imported = Vec::new();
    if !targets.iter().any(|target| lacking(&target)) {
        return Ok(imported);
    }
    let mut workspace = open_workspace(&args.dir, args.wait.resolved(), io)?;
    for (target, seen) in targets.iter().zip(seen).filter(|(target, _)| lacking(target)) {
        let Some(live) = &seen.observed.secret else { continue };
        stage(&mut workspace, &target.name, live)?;
        imported.push(target.name.clone());
    }
    workspace.finish()?;
    Ok(imported)
}

fn stage(workspace: &mut Workspace, cluster: &str, live: &Live) -> Result<(), Failure> {
    let files = live.files.for_istiod();
    for name in files.names() {
        let content = files.get(name).unwrap_or_default();
        workspace.stage(&Path::new(cluster).join(name), content, Secret::is_key(name))?;
    }
    workspace.sync()?;
    workspace.place(Path::new(cluster))
}

fn renew_due(
    args: &RotateIntermediate,
    key: &KeySource,
    dues: &[Due],
    json: bool,
    io: &mut Io<'_>,
) -> Result<Option<Failure>, Failure> {
    let clusters: Vec<String> =
        dues.iter().filter(|due| due.is_due).map(|due| due.cluster.clone()).collect();
    if clusters.is_empty() {
        return Ok(None);
    }
    let renewal = Renewal {
        dir: &args.dir,
        clusters,
        within: Some(args.within),
        key_type: None,
        validity: args.validity,
        key,
        wait: args.wait.resolved(),
    };
    let Renewed { mut summary, waits, lacks_crls } = renewal.run(io.time(None)?, io)?;
    // The plan, which comes next, is the next step; in lines of JSON it also shows what was renewed.
    summary.goes_on = true;
    let is_told = waits.is_some() && summary.is_unchanged();
    if !json && !is_told {
        summary.report(false, io.now, io)?;
    }
    if let Some(failure) = lacks_crls {
        waits.iter().for_each(|waits| io.warn(waits));
        return Err(failure);
    }
    Ok(waits)
}
