//! `meshctl rotate intermediate`: what ends soon is renewed, checked, pushed and proven, in one command for CI.

use std::path::Path;

use meshapply::state::Live;
use meshpki::cacerts::Secret;
use meshpki::istiod::Version;
use meshpki::{Cert, Time};
use serde_json::json;

use crate::args::{Output, Renew, RotateIntermediate};
use crate::ca::renew;
use crate::clusters::{Seen, Target, Way, place as place_of, runtime, targets};
use crate::files::{self, Workspace};
use crate::place::Source;
use crate::report::Failure;
use crate::rollout::{Job, can_agree, is_json, look_apart, no_folder, refuse, refuse_unusable};
use crate::{Exit, Io, check, place, show};

/// A cluster's CA, and whether it is to be renewed.
struct Due {
    cluster: String,
    /// The CA of the folder, or of the cluster where it has no folder.
    ca: Cert,
    is_due: bool,
}

/// Runs the command.
pub(crate) fn run(args: &RotateIntermediate, io: &mut Io<'_>) -> Result<Exit, Failure> {
    can_agree(&args.rollout, io)?;
    io.time(None)?;
    crate::ca::warn_exposed(&args.dir, io);
    if args.rollout.dry_run.is_some() {
        check::refuse_interrupted(&args.dir)?;
    } else if files::interrupted_exchange(&args.dir).is_some() {
        crate::ca::open_workspace(&args.dir, args.wait, io)?.finish()?;
    }
    let runtime = runtime()?;
    let (targets, seen, twins) = runtime.block_on(async {
        let way = Way::of(&args.clusters, &args.rollout);
        let way = way.hiding(args.passphrase.passphrase_env.as_ref());
        let targets = targets(&args.clusters, way, args.rollout.workloads, io).await?;
        let (seen, twins) = look_apart(&targets, &args.rollout.force).await?;
        Ok::<_, Failure>((targets, seen, twins))
    })?;
    // What is made from a cluster's secret has to be made from that of the right one.
    refuse(&crate::live::other_than_spec(&targets, &seen, io.now), &args.rollout)?;
    refuse_misplaced(args, &targets, &seen)?;
    refuse_unusable(&targets, &seen, &args.rollout)?;
    let mut dues = Vec::new();
    let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    crate::ca::check_case(&args.dir, &names)?;
    for (target, seen) in targets.iter().zip(&seen) {
        crate::ca::check_cluster_name(&target.name)?;
        dues.push(due(args, target, seen.observed.secret.as_ref(), seen.release(), io.now)?);
    }
    for due in &dues {
        tell(args, due, io)?;
    }
    let would_write = dues.iter().any(|due| due.is_due || !args.dir.join(&due.cluster).exists());
    if args.rollout.dry_run.is_some() && would_write {
        return Ok(Exit::Good);
    }
    import(args, &targets, &seen, io)?;
    renew_due(args, &dues, io)?;
    let mut folders = check::secrets(&args.dir)?;
    let secrets = targets
        .iter()
        .map(|target| {
            folders
                .remove(&target.name)
                .ok_or_else(|| no_folder(target, &args.dir, &folders, &args.clusters))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let job = Job { targets, seen, twins, others: Some(folders), args: &args.rollout };
    runtime.block_on(job.run(secrets, io))
}

/// Before anything is renewed: a folder's CA and the one it would replace have one name, and no cluster without a folder
/// has the CA of another's.
fn refuse_misplaced(
    args: &RotateIntermediate,
    targets: &[Target],
    seen: &[Seen],
) -> Result<(), Failure> {
    let mut folders = check::secrets(&args.dir).unwrap_or_default();
    let own: Vec<_> = targets.iter().map(|target| folders.remove(&target.name)).collect();
    let own: Vec<_> = own.iter().map(Option::as_ref).collect();
    let source = Source::Folders { others: &folders };
    place::refuse_misplaced(targets, seen, &own, source, &args.rollout.force)
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
                &check::secrets(&args.dir).unwrap_or_default(),
                &args.clusters,
            ));
        }
    };
    let is_due = ca.not_after().time().is_none_or(|end| end <= now.plus(args.within));
    Ok(Due { cluster: target.name.clone(), ca, is_due })
}

fn ca_of(folder: &Path) -> Result<Cert, Failure> {
    let files = files::read_all(folder)?.into_iter();
    let secret: Secret =
        files.map(|(name, mut content)| (name, std::mem::take(&mut *content))).collect();
    secret.ca(Version::NEWEST).ok_or_else(|| {
        Failure::new("ctl/no-cluster", format!("{} has no CA certificate", show::word(folder)))
    })
}

/// The folder is older than what is live: another checkout has rotated since, and pushing would turn it back.
pub(crate) fn refuse_stale(
    target: &Target,
    folder: &Path,
    ours: &Cert,
    live: Option<&Cert>,
) -> Result<(), Failure> {
    let Some(live) = live.filter(|live| *live != ours) else { return Ok(()) };
    let since = |cert: &Cert| cert.not_before().time().unwrap_or(Time(0));
    // Another root, or another name, is no older version of the same.
    let is_same = live.issuer() == ours.issuer() && live.subject() == ours.subject();
    if !is_same || since(live) <= since(ours) {
        return Ok(());
    }
    let said = |cert: &Cert| format!("{}, from {}", cert.label(), since(cert));
    Err(Failure::new("ctl/stale-folder", format!("{} is older than what the cluster has", show::word(folder)))
        .within(place_of(target))
        .because(format!("the folder has {}", said(ours)))
        .because(format!("the cluster has {}", said(live)))
        .hint("update the folder from where it is kept; moved away, `meshctl rotate` makes it from the cluster's secret; `meshctl push --force ctl/stale-folder` turns the cluster back")
        .exit(Exit::No))
}

fn tell(args: &RotateIntermediate, due: &Due, io: &mut Io<'_>) -> Result<(), Failure> {
    let end = due.ca.not_after().time();
    let days = end.map_or(0, |end| (end.0 - io.now.0).div_euclid(86_400));
    let until = end.map_or_else(|| "?".to_owned(), Time::date);
    if is_json(&args.rollout) {
        let line = json!({
            "apiVersion": "meshctl/v1", "kind": "RolloutEvent", "event": "expiry",
            "cluster": due.cluster, "until": until, "days": days, "due": due.is_due,
        });
        return show::output(&show::json_line(&line), io);
    }
    let verdict = if due.is_due { "due" } else { "not due" };
    let within = meshpki::time::words(args.within);
    let label = due.ca.label();
    let line = format!(
        "{}: {label} ends {until}, in {days} days: {verdict} (within {within})",
        due.cluster
    );
    show::output(&format!("{}\n", show::safe(&line)), io)
}

/// Clusters without a folder get one from the secret they have.
fn import(
    args: &RotateIntermediate,
    targets: &[Target],
    seen: &[Seen],
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    let lacking = |target: &&Target| !args.dir.join(&target.name).exists();
    if !targets.iter().any(|target| lacking(&target)) {
        return Ok(());
    }
    let mut workspace = crate::ca::open_workspace(&args.dir, args.wait, io)?;
    for (target, seen) in targets.iter().zip(seen).filter(|(target, _)| lacking(target)) {
        let Some(live) = &seen.observed.secret else { continue };
        stage(&mut workspace, &target.name, live)?;
    }
    workspace.finish()
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

fn renew_due(args: &RotateIntermediate, dues: &[Due], io: &mut Io<'_>) -> Result<(), Failure> {
    let cluster: Vec<String> =
        dues.iter().filter(|due| due.is_due).map(|due| due.cluster.clone()).collect();
    if cluster.is_empty() {
        return Ok(());
    }
    let renew = Renew {
        dir: args.dir.clone(),
        cluster,
        within: Some(args.within),
        key_type: None,
        validity: args.validity,
        passphrase: args.passphrase.clone(),
        wait: args.wait,
        at: None,
        output: Output::Text,
    };
    if !is_json(&args.rollout) {
        return renew::run_in_job(&renew, io).map(|_| ());
    }
    // What was renewed is seen in the plan; its table is no line of JSON.
    let mut quiet = Io {
        now: io.now,
        stdin: io.stdin,
        out: &mut std::io::sink(),
        err: io.err,
        can_ask: io.can_ask,
        progress: io.progress,
        env: io.env,
    };
    renew::run_in_job(&renew, &mut quiet).map(|_| ())
}
