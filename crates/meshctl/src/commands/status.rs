//! `meshctl status`: what each cluster has, serves and trusts, and which clusters reject each other. It writes nothing.

mod json;
mod text;

use crate::args::{Status, StatusOutput};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::metrics;
use crate::fleet::observe::Found;
use crate::fleet::standing::{Asked, Standing};
use crate::io::Io;
use crate::text::json as pretty;

/// Runs the command.
pub(super) fn run(args: &Status, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let selection = args.clusters.resolved(&args.force)?;
    let asked = Asked::read(args.dir.as_deref(), &selection, io)?;
    let standing = asked.standing(args.before_install, args.at.unwrap_or(io.now));
    let text = match args.output {
        StatusOutput::Text => text::write(&standing),
        StatusOutput::Json => pretty(&json::write(&standing)),
        StatusOutput::Prometheus => prometheus(&standing, &asked.found),
    };
    io.print(&text)?;
    asked.failures().iter().for_each(|failure| io.fail(failure));
    Ok(standing.exit())
}

/// The metrics of this look; the CRLs are those of the secrets that istiod uses.
fn prometheus(standing: &Standing<'_>, found: &[Result<Found, meshapply::Error>]) -> String {
    let both = standing.clusters.iter().zip(found);
    let members = both.map(|(cluster, found)| {
        let facts = cluster.facts.as_ref().ok();
        let seen = found.as_ref().ok().map(|found| &found.seen);
        let secret = seen.and_then(|seen| seen.observed.secret.as_ref());
        let secret = secret.filter(|_| facts.is_some_and(|facts| facts.is_plugged));
        let crl = seen.zip(secret).and_then(|(seen, live)| live.files.crl(seen.release()));
        metrics::Member {
            name: cluster.target.name.clone(),
            facts,
            crls: metrics::Crls::new(crl.into_iter(), facts),
            is_up: facts.is_some(),
            looked: facts.map(|_| standing.at),
        }
    });
    metrics::text(&members.collect::<Vec<_>>(), &standing.pairs)
}
