//! `meshctl exporter`: looks at clusters again and again, and serves what they serve as metrics. It reads no secret.

use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{StreamExt, iter};
use meshapply::endpoint::{MonitorPage, MonitorServer};
use meshpki::Time;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::args::Exporter;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Selection, Target, runtime, targets};
use crate::fleet::facts::Facts;
use crate::fleet::known_pairs::{KnownPairs, Owned};
use crate::fleet::metrics::{self, Crls, MOST_PAIRS, Member};
use crate::fleet::observe::{find_served, unreachable};
use crate::fleet::pairs::Pair;
use crate::fleet::{place, rbac};
use crate::interrupt::Ending;
use crate::io::{Io, system_time};

/// Runs the command.
pub(super) fn run(args: &Exporter, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let selection = args.clusters.resolved(&args.force)?;
    let runtime = runtime()?;
    if args.print_rbac {
        let user = args.rbac_user.as_deref();
        let text = runtime.block_on(rbac::exporter(&selection, user, io))?;
        io.print(&text)?;
        return Ok(Exit::Good);
    }
    let ended = runtime.block_on(async {
        let mut ending = Ending::new();
        let started = tokio::select! {
            () = ending.wait() => return Ok(Exit::Good),
            started = start(args, &selection, io) => started?,
        };
        let Started { targets, server, fresh_for } = started;
        let mut exporter = Looking {
            args,
            last: targets.iter().map(|_| Last::default()).collect(),
            known: KnownPairs::default(),
            targets: &targets,
            page: server.page(),
            fresh_for,
        };
        tokio::select! {
            () = server.run(ending.wait()) => Ok(Exit::Good),
            never = exporter.run(io) => match never {},
        }
    });
    runtime.shutdown_background();
    ended
}

/// What runs until a signal ends it.
struct Started {
    targets: Vec<Target>,
    server: MonitorServer,
    fresh_for: Duration,
}

async fn start(
    args: &Exporter,
    selection: &Selection,
    io: &mut Io<'_>,
) -> Result<Started, Failure> {
    let targets = targets(selection, io).await?;
    place::refuse_known_twins(&targets).await?;
    // Late if a look takes as long as it may, and the next one too.
    let rounds = targets.len().div_ceil(args.parallel.max(1)).max(1);
    let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
    let look = args.timeout.saturating_mul(rounds);
    let fresh_for = (look + args.interval).saturating_mul(2);
    let server = MonitorServer::bind(args.listen, fresh_for).await?;
    let address = server.address().map_err(|error| {
        Failure::new("ctl/io", "cannot determine the address").because(error.to_string())
    })?;
    io.print(&format!("metrics at http://{address}/metrics\n"))?;
    Ok(Started { targets, server, fresh_for })
}

/// What is known of a cluster.
#[derive(Default)]
struct Last {
    facts: Option<Arc<Facts>>,
    crls: Crls,
    /// When it answered last.
    looked: Option<Time>,
    /// Whether it answered in the last look; `None` before the first.
    is_up: Option<bool>,
}

/// The clusters, and what is published of them.
struct Looking<'a> {
    args: &'a Exporter,
    targets: &'a [Target],
    last: Vec<Last>,
    /// The answers of the last look.
    known: KnownPairs,
    page: Arc<MonitorPage>,
    fresh_for: Duration,
}

impl Looking<'_> {
    async fn run(&mut self, io: &mut Io<'_>) -> Infallible {
        loop {
            self.look(io).await;
            self.publish().await;
            sleep(self.args.interval).await;
        }
    }

    /// Reads every cluster. What is known of one that does not answer stays.
    async fn look(&mut self, io: &mut Io<'_>) {
        let patience = self.args.timeout;
        let one =
            |(index, target)| async move { (index, timeout(patience, find_served(target)).await) };
        let asked = iter(self.targets.iter().enumerate()).map(one);
        let mut asked = asked.buffer_unordered(self.args.parallel.max(1));
        while let Some((index, answer)) = asked.next().await {
            let (target, last) = (&self.targets[index], &mut self.last[index]);
            let failure = match answer {
                Ok(Ok((found, crls))) => {
                    let now = system_time();
                    let facts = Facts::new(target, &found, None, now);
                    last.crls = Crls::new(crls.iter().map(|text| text.as_bytes()), Some(&facts));
                    last.facts = Some(Arc::new(facts));
                    last.looked = Some(now);
                    None
                }
                Ok(Err(error)) => Some(unreachable(target, &error)),
                Err(_) => Some(Failure::new(
                    "apply/unreachable",
                    format!("{}: no complete answer within {} s", target.name, patience.as_secs()),
                )),
            };
            report(target, last.is_up, failure.as_ref(), io);
            last.is_up = Some(failure.is_none());
        }
    }

    async fn publish(&mut self) {
        let verified = self.verified().await;
        let members = self.targets.iter().zip(&self.last).map(|(target, last)| Member {
            name: target.name.clone(),
            facts: last.facts.as_deref(),
            crls: last.crls.clone(),
            is_up: last.is_up == Some(true),
            looked: last.looked,
        });
        let members: Vec<_> = members.collect();
        self.page.publish(metrics::text(&members, &verified), self.fresh_for);
    }

    /// Every pair, verified on another thread: requests and signals are for this one.
    async fn verified(&mut self) -> Vec<Pair> {
        let both = self.targets.iter().zip(&self.last);
        let members: Vec<Owned> = both
            .map(|(target, last)| Owned {
                name: target.name.clone(),
                apart: target.apart.clone(),
                facts: last.facts.clone(),
            })
            .collect();
        let known = std::mem::take(&mut self.known);
        let work = move || known.pairs(&members, MOST_PAIRS, system_time());
        let done = spawn_blocking(work).await;
        // Nothing cancels it: what fails is a panic, which is one here, too.
        let (pairs, known) = done.unwrap_or_else(|panic| resume_unwind(panic.into_panic()));
        self.known = known;
        pairs
    }
}

/// Says when a cluster stops to answer, and when it answers again.
fn report(target: &Target, was_up: Option<bool>, failure: Option<&Failure>, io: &mut Io<'_>) {
    match failure {
        Some(failure) if was_up != Some(false) => io.warn(failure),
        None if was_up == Some(false) => {
            io.note(crate::text::safe(&format!("{} answers again", target.name)));
        }
        _ => {}
    }
}
