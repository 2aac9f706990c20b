//! `meshctl trust serve`: a SPIFFE bundle endpoint over files, which are looked at again every second.

mod load;
mod reload;

use std::fmt::Write as _;

use meshapply::endpoint::{BundleServer, Content};
use meshpki::Time;
use meshpki::internals::{digest, words};

use crate::args::trust::{Profile, Serve as Args};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::runtime;
use crate::interrupt::Ending;
use crate::io::Io;
use crate::text::{relative, safe};
use load::Served;
use reload::Watched;

/// Runs the command.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let now = io.time(None)?;
    let served = load::first(args, now, io)?;
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let mut ending = Ending::new();
        let content = Content::new(
            served.document.bytes.clone(),
            served.document.bundle.clone(),
            served.pair.identity.clone(),
        );
        let content = content.with_path(args.path.clone());
        let server = BundleServer::bind(args.listen, args.metrics, content, now).await?;
        io.print(&announcement(args, &served, &server, now)?)?;
        let mut watched = Watched::new(args, served, server.published());
        tokio::select! {
            () = server.run(ending.wait()) => Ok(Exit::Good),
            never = watched.run(io) => match never {},
        }
    });
    // A file that is still being read does not hold up the end.
    runtime.shutdown_background();
    ended
}

/// What is served, where, and until when.
fn announcement(
    args: &Args,
    served: &Served,
    server: &BundleServer,
    now: Time,
) -> Result<String, Failure> {
    let fail = |error: std::io::Error| {
        Failure::new("ctl/io", "cannot determine the address").because(error.to_string())
    };
    let address = server.address().map_err(fail)?;
    let bundle = &served.document.bundle;
    let profile = match args.profile {
        Profile::Web => "https_web",
        Profile::Spiffe => "https_spiffe",
    };
    let path = args.path.as_deref().unwrap_or("/");
    let mut text = format!(
        "serving the bundle of {} at https://{address}{path} ({profile})\n",
        bundle.trust_domain()
    );
    let sequence = bundle.sequence().map_or("none".to_owned(), |number| number.to_string());
    let looks = words(bundle.refresh_interval());
    let _ = writeln!(text, "  sequence {sequence}, clients look again after {looks}");
    let _ = writeln!(text, "  sha256 {}", digest::hex(&digest::sha256(&served.document.bytes)));
    for root in bundle.roots() {
        let until = until(root.not_after().time(), now);
        let _ = writeln!(text, "  root {}, {until}", safe(&root.subject().to_string()));
    }
    let leaf = served.pair.chain.first();
    let until = until(leaf.and_then(|leaf| leaf.not_after().time()), now);
    let _ = writeln!(text, "  certificate of {}, {until}", safe(&served.pair.name));
    if let Some(address) = server.metrics_address().map_err(fail)? {
        let _ = writeln!(text, "metrics at http://{address}/metrics");
    }
    Ok(text)
}

/// `until 2036-11-18, in 3649 days`.
fn until(end: Option<Time>, now: Time) -> String {
    let text = |end: Time| format!("until {}, {}", end.date(), relative(end, now));
    end.map_or_else(|| "until an unknown time".to_owned(), text)
}
