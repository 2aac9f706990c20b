//! Keys and tokens are never sent over a connection that others can read or answer.

use meshapply::kube::{Context, Security};

use super::{Named, place_of};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;

const CODE: &str = "ctl/insecure-server";

/// Refuses a connection that anyone on the way can read, unless that was forced: then it is a warning.
///
/// Every command sends a token or reads or writes the CA's key, so that every command asks.
pub(crate) fn check(
    one: &Named,
    context: &Context,
    force: &[String],
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    let Security::Unverified(why) = context.security() else { return Ok(()) };
    let message = format!("the connection to cluster {} is not secure", one.name);
    let failure = Failure::new(CODE, message)
        .within(place_of(&one.name, &one.context, &context.server()))
        .because(format!("tls: unverified: {why}"))
        .because(
            "anyone on the network path can read and change what is sent: tokens, and the CA's key",
        );
    if force.iter().any(|code| code == CODE) {
        io.warn(&failure);
        return Ok(());
    }
    Err(failure.exit(Exit::No).hint("nothing was sent; give the kubeconfig an `https://` server and its `certificate-authority-data`, or proceed with `--force ctl/insecure-server`"))
}
