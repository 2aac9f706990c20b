//! `meshctl rotate crl`: CRLs that end soon are made again, installed and proven, in one command for CI.

use meshpki::cacerts::Secret;
use serde_json::json;

use crate::args::RotateCrl;
use crate::authority::crls::{CLUSTER_CRL, Crls, warn_revoked, why_due};
use crate::authority::warn_exposed;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Seen, runtime, targets};
use crate::fleet::folders;
use crate::io::Io;
use crate::rollout::{Job, can_agree, look_apart, own_folders, refuse_unusable};
use crate::text;

/// Runs the command.
pub(super) fn run(args: &RotateCrl, io: &mut Io<'_>) -> Result<Exit, Failure> {
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
    refuse_unusable(&targets, &seen, &options)?;
    let spec = args.clusters.file.as_deref();
    own_folders(&targets, &args.dir, &mut folders::secrets(&args.dir)?, spec)?;
    let due = why_due(&args.dir, &key, args.within, io.now, io)?;
    tell(due.as_deref(), options.json, io)?;
    if due.is_some() {
        if options.dry_run.is_some() {
            return Ok(Exit::Good);
        }
        let again = Crls::again(&args.dir, &key, args.wait.resolved());
        let crls = Crls { validity: args.validity, ..again };
        let made = crls.run(io.now, None, io)?;
        warn_revoked(&made, &args.dir, io);
    }
    let mut folders = folders::secrets(&args.dir)?;
    let own = own_folders(&targets, &args.dir, &mut folders, spec)?;
    let secrets = seen.iter().zip(own).map(|(seen, folder)| with_crls(seen, folder)).collect();
    let job =
        Job { targets, seen, twins, others: Some(folders), rotation: None, options: &options };
    runtime.block_on(job.run(secrets, io))
}

/// What the cluster has, with the CRLs of its folder; all of the folder if it has nothing.
fn with_crls(seen: &Seen, folder: Secret) -> Secret {
    let Some(live) = &seen.observed.secret else { return folder };
    let mut secret = live.files.for_istiod();
    if let Some(crls) = folder.get(CLUSTER_CRL) {
        secret.insert(CLUSTER_CRL, crls.to_vec());
    }
    secret
}

fn tell(due: Option<&str>, json: bool, io: &mut Io<'_>) -> Result<(), Failure> {
    if json {
        let line = json!({
            "apiVersion": "meshctl/v1", "kind": "RolloutEvent", "event": "crls",
            "due": due.is_some(), "detail": due,
        });
        return io.print(&text::json_line(&line));
    }
    let line = due.map_or_else(
        || "not due; those in the folder are installed".to_owned(),
        |why| format!("due: {why}"),
    );
    io.print(&format!("CRLs: {}\n", text::safe(&line)))
}
