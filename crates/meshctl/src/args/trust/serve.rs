//! `meshctl trust serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use meshpki::TrustDomain;

use crate::args::address_or_port;

/// How the server of a bundle endpoint is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// A certificate of the Web PKI for the host of the URL.
    #[value(name = "https_web")]
    Web,
    /// An X509-SVID with the SPIFFE ID of the endpoint.
    #[value(name = "https_spiffe")]
    Spiffe,
}

/// `meshctl trust serve`.
#[derive(Debug, Args)]
#[command(
    override_usage = "\
meshctl trust serve [OPTIONS] --trust-domain <DOMAIN>
           --listen <ADDRESS:PORT> --tls-cert <FILE> --tls-key <FILE> <BUNDLE>",
    after_help = "\
Serves the file as it is. When the bundle, the certificate or the key changes, the new content is served within seconds, and open connections stay open. New content that is not valid, or a bundle with a lower sequence number, is refused with a warning, and the last good one stays.

With `https_spiffe`, the certificate must be an X509-SVID. If its trust domain is that of the bundle, the roots of the bundle must vouch for it.

SIGTERM and SIGINT end it: it takes no new connection and finishes the responses that are running.

Exit status:
   0  ended by SIGTERM or SIGINT
   1  could not start: a file that is not valid, or an address in use
  64  usage error

Examples:
  # With a certificate for the host name, and metrics on loopback
  meshctl trust serve east.json --trust-domain east.example \\
    --listen 0.0.0.0:8443 --tls-cert tls.crt --tls-key tls.key --metrics 9090
  # With an X509-SVID of the same trust domain
  meshctl trust serve east.json --trust-domain east.example \\
    --listen 0.0.0.0:8443 --profile https_spiffe \\
    --tls-cert svid.pem --tls-key svid-key.pem"
)]
pub struct Serve {
    /// The SPIFFE bundle to serve, as JSON.
    #[arg(value_name = "BUNDLE")]
    pub file: PathBuf,
    /// The trust domain of the bundle, which does not contain its name.
    #[arg(long, value_name = "DOMAIN", value_parser = TrustDomain::from_str)]
    pub trust_domain: TrustDomain,
    /// Address of the endpoint; port 0 is any free port, which is printed.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Certificate of the server, followed by the certificates above it.
    #[arg(long, value_name = "FILE")]
    pub tls_cert: PathBuf,
    /// Private key of the server, not encrypted.
    #[arg(long, value_name = "FILE")]
    pub tls_key: PathBuf,
    /// How clients authenticate the server.
    #[arg(long, value_name = "PROFILE", default_value = "https_web")]
    pub profile: Profile,
    /// Serve the bundle on this path only, such as `/bundle`. Default: every path.
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub path: Option<String>,
    /// Serve `/healthz` and `/metrics` over plain HTTP at this address; a port alone is on loopback.
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = address_or_port)]
    pub metrics: Option<SocketAddr>,
    /// Serve a bundle without roots, which says that the trust domain has revoked everything it signed.
    #[arg(long)]
    pub allow_empty: bool,
}

fn path(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic());
    if is_path && !text.contains(['?', '#']) {
        return Ok(text.to_owned());
    }
    Err("expected a path that begins with `/`, such as /bundle".to_owned())
}
