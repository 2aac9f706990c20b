//! `meshctl ca renew`: a new key and intermediate under the same root; the old set is kept aside.

use crate::args::Renew;
use crate::authority::renewal::{Renewal, Renewed};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;

/// Runs the command.
pub(super) fn run(args: &Renew, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let now = io.time(args.at)?;
    let renewal = Renewal {
        dir: &args.dir,
        clusters: args.cluster.clone(),
        within: args.within,
        key_type: args.key_type,
        validity: args.validity,
        key: &args.signer.resolved(&args.passphrase),
        wait: args.wait.resolved(),
    };
    let Renewed { mut summary, waits, lacks_crls } = renewal.run(now, io)?;
    // Without their CRLs, the new CAs cannot be installed.
    summary.goes_on = lacks_crls.is_some();
    match waits {
        Some(waits) if summary.is_unchanged() => Err(waits),
        waits => {
            let exit = summary.report(args.output.is_json(), now, io)?;
            match (waits, lacks_crls) {
                (Some(waits), Some(lacks_crls)) => {
                    io.warn(&waits);
                    Err(lacks_crls)
                }
                (waits, lacks_crls) => waits.or(lacks_crls).map_or(Ok(exit), Err),
            }
        }
    }
}
