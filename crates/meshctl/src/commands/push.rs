//! `meshctl push`: the clusters' folders into the clusters.

use crate::args::{Push, Restart};
use crate::authority::warn_exposed;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{runtime, targets};
use crate::fleet::{folders, rbac};
use crate::io::Io;
use crate::rollout::{Job, look_apart, own_folders, stale};

/// Runs the command.
pub(super) fn run(args: &Push, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let runtime = runtime()?;
    let selection = args.clusters.for_rollout(&args.rollout)?;
    if args.print_rbac {
        let request = rbac::Request {
            selection: &selection,
            user: args.rbac_user.as_deref(),
            create_secrets: args.rbac_create_secrets,
            restart: args.rollout.restart != Restart::Never,
            rotate_root: args.rbac_rotate_root,
        };
        let text = runtime.block_on(rbac::manifests(&request, io))?;
        io.print(&text)?;
        return Ok(Exit::Good);
    }
    let dir = args.dir.as_deref().ok_or_else(|| Failure::usage("no folder"))?;
    warn_exposed(dir, io);
    let options = args.rollout.resolved();
    let mut folders = folders::secrets(dir)?;
    runtime.block_on(async {
        let targets = targets(&selection, io).await?;
        let secrets = own_folders(&targets, dir, &mut folders, selection.spec.as_deref())?;
        let (seen, twins) = look_apart(&targets, &options.force).await?;
        stale::refuse_older(&targets, &seen, &secrets, dir, &options)?;
        let job =
            Job { targets, seen, twins, others: Some(folders), rotation: None, options: &options };
        job.run(secrets, io).await
    })
}
