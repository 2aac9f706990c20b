//! `meshctl ca ...`: one file per command.

mod adopt;
mod bundle;
mod chain;
mod crl;
mod cross_sign;
mod csr;
mod expiry;
mod init;
mod inspect;
mod renew;
mod revoke;
mod sign;
mod verify;

use crate::args::Ca;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;

/// Runs the command.
pub(super) fn run(command: Ca, io: &mut Io<'_>) -> Result<Exit, Failure> {
    match command {
        Ca::Init(args) => init::run(&args, io),
        Ca::Csr(args) => csr::run(&args, io),
        Ca::Sign(args) => sign::run(&args, io),
        Ca::Adopt(args) => adopt::run(&args, io),
        Ca::Bundle(args) => bundle::run(&args, io),
        Ca::Chain(args) => chain::run(&args, io),
        Ca::Inspect(args) => inspect::run(&args, io),
        Ca::Expiry(args) => expiry::run(&args, io),
        Ca::Renew(args) => renew::run(&args, io),
        Ca::Revoke(args) => revoke::run(&args, io),
        Ca::Crl(args) => crl::run(&args, io),
        Ca::CrossSign(args) => cross_sign::run(&args, io),
        Ca::Verify { args } => Ok(verify::run(&args, io)),
    }
}
