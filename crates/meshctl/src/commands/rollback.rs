//! `meshctl rollback`: the secret that was replaced last becomes the secret again.

use crate::args::Rollback;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Target, place as place_of, runtime, targets};
use crate::io::Io;
use crate::rollout::{Job, look_apart};

/// Runs the command.
pub(super) fn run(args: &Rollback, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let selection = args.clusters.for_rollout(&args.rollout)?;
    let options = args.rollout.resolved();
    runtime()?.block_on(async {
        let targets = targets(&selection, io).await?;
        let (seen, twins) = look_apart(&targets, &options.force).await?;
        let mut secrets = Vec::new();
        for (target, seen) in targets.iter().zip(&seen) {
            let kept = seen.observed.previous.as_ref().filter(|kept| kept.is_kept());
            let Some(kept) = kept else { return Err(nothing_kept(target)) };
            secrets.push(kept.files.clone());
        }
        Job { targets, seen, twins, others: None, rotation: None, options: &options }
            .run(secrets, io)
            .await
    })
}

fn nothing_kept(target: &Target) -> Failure {
    Failure::new("ctl/no-previous", "the cluster has no previous secret")
        .within(place_of(target))
        .because(format!("`meshctl push` keeps the secret that it replaces as {}", meshapply::names::PREVIOUS))
        .hint("`meshctl push` installs a folder; `DIR/previous` contains the files that `meshctl ca renew` replaced")
        .exit(Exit::No)
}
