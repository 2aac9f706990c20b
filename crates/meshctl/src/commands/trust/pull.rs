//! `meshctl trust pull`: the bundle of a trust domain from its endpoint, kept as the last good copy.

mod auth;
mod once;
mod state;

use meshapply::endpoint::{EndpointUrl, Error};

use crate::args::trust::Pull as Args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::runtime;
use crate::interrupt::Ending;
use crate::io::{Io, system_time};
use crate::text::safe;
use once::Puller;

/// Runs the command.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    auth::check_usage(args)?;
    let url: EndpointUrl = args.url.parse().map_err(|why| Failure::from(Error::Url { why }))?;
    let puller = Puller { args, url };
    let now = io.time(None)?;
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        if args.watch {
            return watch(&puller, io).await;
        }
        let pulled = puller.once(now, io).await?;
        if !args.check {
            let due = now.plus(pulled.interval);
            io.note(format_args!("next pull due {due}; `--watch` pulls by itself"));
        }
        Ok(Exit::Good)
    });
    // A name that is still being looked up does not hold up the end.
    runtime.shutdown_background();
    ended
}

/// Pulls until a signal ends it. A failure is shown, and the next pull is at the usual time.
async fn watch(puller: &Puller<'_>, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut ending = Ending::new();
    io.note(format_args!("pulling from {}", safe(&puller.url.to_string())));
    loop {
        let pulled = tokio::select! {
            pulled = puller.once(system_time(), io) => pulled,
            () = ending.wait() => return Ok(Exit::Good),
        };
        let interval = match pulled {
            Ok(pulled) => pulled.interval,
            Err(failure) if failure.status() == Exit::Usage => return Err(failure),
            Err(failure) => {
                io.fail(&failure);
                puller.interval_of_stored()
            }
        };
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = ending.wait() => return Ok(Exit::Good),
        }
    }
}
