//! `meshctl ca crl`: CRLs of the root and of every cluster's CA, in every cluster's folder.

use crate::args::CrlArgs;
use crate::authority::crls::{CLUSTER_CRL, Crls, warn_revoked};
use crate::authority::summary::contexts;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::text::{self, counted};

/// Runs the command.
pub(super) fn run(args: &CrlArgs, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let now = io.time(args.at)?;
    let crls = Crls {
        dir: &args.dir,
        validity: args.validity,
        add: &args.add,
        clear: args.clear,
        key: &args.signer.resolved(&args.passphrase),
        wait: args.wait.resolved(),
    };
    let made = crls.run(now, None, io)?;
    warn_revoked(&made, &args.dir, io);
    let mut text = String::new();
    for crl in &made.crls {
        let until = crl.end().map_or_else(|| "?".to_owned(), |end| end.to_string());
        let number = crl.number_value().map_or_else(|| "none".to_owned(), |n| n.to_string());
        let label = text::safe(&crl.issuer().label());
        let revoked = counted(crl.len(), "certificate");
        text += &format!("{label}, number {number}: {revoked} revoked, until {until}\n");
    }
    io.print(&text)?;
    if made.clusters.is_empty() {
        return Ok(Exit::Good);
    }
    io.note(format_args!(
        "{CLUSTER_CRL} is in the folder of {}\n\nnext: meshctl rotate crl {} {}",
        made.clusters.join(", "),
        text::word(&args.dir),
        contexts(made.clusters.iter().map(String::as_str))
    ));
    Ok(Exit::Good)
}
