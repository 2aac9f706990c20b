//! How the server of an endpoint is authenticated, by the options and what is stored.

use std::path::Path;

use meshapply::endpoint::EndpointAuth;
use meshpki::spiffe::Bundle;
use meshpki::{SpiffeId, TrustDomain};

use super::super::bundle::source;
use crate::args::trust::{Profile, Pull as Args};
use crate::failure::Failure;
use crate::files;
use crate::io::Io;

/// Refuses options that the profile does not have, and the lack of those it needs.
///
/// # Errors
/// `ctl/usage`.
pub(super) fn check_usage(args: &Args) -> Result<(), Failure> {
    let only_for = |option: &str, profile: &str| {
        Failure::usage(format!("`{option}` is only for `--profile {profile}`"))
    };
    if args.out == Path::new("-") {
        return Err(Failure::usage("`--out` is a file, in which the last good copy is kept"));
    }
    let options = [
        ("--endpoint-id", args.endpoint_id.is_some()),
        ("--bootstrap", args.bootstrap.is_some()),
        ("--endpoint-bundle", args.endpoint_bundle.is_some()),
    ];
    let given = options.iter().find(|(_, is_given)| *is_given);
    match (args.profile, given, &args.endpoint_id) {
        (Profile::Web, Some((option, _)), _) => Err(only_for(option, "https_spiffe")),
        (Profile::Web, None, _) => Ok(()),
        (Profile::Spiffe, ..) if args.web_roots.is_some() => {
            Err(only_for("--web-roots", "https_web"))
        }
        (Profile::Spiffe, _, None) => Err(Failure::usage("`--profile https_spiffe` needs `--endpoint-id`")
            .hint("ask the owner of the endpoint for its SPIFFE ID; SPIRE's is `spiffe://DOMAIN/spire/server`")),
        (Profile::Spiffe, _, Some(id)) => check_roots_of(args, id),
    }
}

/// The file with roots that goes with an endpoint's trust domain, and no other.
fn check_roots_of(args: &Args, id: &SpiffeId) -> Result<(), Failure> {
    let domain = id.trust_domain();
    if id.path().is_empty() {
        return Err(Failure::usage("the SPIFFE ID in `--endpoint-id` has no path")
            .because("a server is a workload, and only a trust domain itself has no path"));
    }
    let is_own = *domain == args.trust_domain;
    if is_own && args.endpoint_bundle.is_some() {
        return Err(Failure::usage(
            "`--endpoint-bundle` is for an endpoint of another trust domain",
        )
        .because(format!("`--endpoint-id` is of {domain}, as the bundle is"))
        .hint("`--bootstrap` names the roots for the first pull"));
    }
    if !is_own && args.endpoint_bundle.is_none() {
        return Err(Failure::usage(format!("the endpoint is of {domain}, whose roots are needed"))
            .hint("`--endpoint-bundle FILE` names them"));
    }
    Ok(())
}

/// What verifies the server, read again for each pull.
///
/// # Errors
/// `ctl/no-bootstrap` while nothing is stored; `ctl/io`, `ctl/bundle-domain`, `pki/...`.
pub(super) fn auth(
    args: &Args,
    stored: Option<&Bundle>,
    io: &mut Io<'_>,
) -> Result<EndpointAuth, Failure> {
    let Some(id) = args.endpoint_id.clone().filter(|_| args.profile == Profile::Spiffe) else {
        let Some(path) = &args.web_roots else { return Ok(EndpointAuth::SystemRoots) };
        let bytes = files::read(path, io.stdin)?;
        return source::certs(&bytes, path).map(EndpointAuth::WebRoots);
    };
    let domain = id.trust_domain().clone();
    let roots = match (&args.endpoint_bundle, stored, &args.bootstrap) {
        (Some(path), ..) => roots(path, &domain, io)?,
        (None, Some(stored), _) => stored.roots().to_vec(),
        (None, None, Some(path)) => roots(path, &domain, io)?,
        (None, None, None) => return Err(no_bootstrap(args, &domain)),
    };
    Ok(EndpointAuth::Spiffe { id, roots })
}

fn roots(
    path: &Path,
    domain: &TrustDomain,
    io: &mut Io<'_>,
) -> Result<Vec<meshpki::Cert>, Failure> {
    source::of_domain(path, domain, io).map(|read| read.bundle.roots().to_vec())
}

/// Nothing is stored, and nothing else was given that could verify the server.
fn no_bootstrap(args: &Args, domain: &TrustDomain) -> Failure {
    let message = format!("there is no bundle of {domain} to verify the server with");
    Failure::new("ctl/no-bootstrap", message)
        .because(format!("`{}` does not exist yet", args.out.display()))
        .hint("get the first bundle, or its roots in PEM, from its owner over another channel; `--bootstrap FILE` names it")
}
