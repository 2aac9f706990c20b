//! What is about to be signed, shown to whoever signs it, and the question whether it may be.

use std::fmt::Write as _;

use meshpki::internals::{self, oid};
use meshpki::x509::{GeneralName, NameConstraints};
use meshpki::{Cert, Csr};

use super::key_words;
use crate::failure::Failure;
use crate::io::Io;
use crate::text::safe;

/// What is about to be signed.
pub(crate) struct Consent<'a> {
    pub(crate) cert: &'a Cert,
    pub(crate) issuer: &'a Cert,
    /// The request that it answers, if there is one.
    pub(crate) csr: Option<&'a Csr>,
    /// Whether the request came through standard input, which then cannot answer.
    pub(crate) from_stdin: bool,
    /// `--yes`.
    pub(crate) given: bool,
}

/// Shows the certificate on standard error, and asks unless `--yes` was given.
///
/// # Errors
/// `ctl/usage` (64) if there is no terminal to ask on, `ctl/declined` (2) if the answer is no.
pub(crate) fn ask(consent: &Consent<'_>, io: &mut Io<'_>) -> Result<(), Failure> {
    let _ = io.err.write_all(text(consent).as_bytes());
    io.can_ask &= !consent.from_stdin;
    io.confirm(consent.given, "Sign it?", "nothing was signed; `--yes` signs without asking")
}

fn text(Consent { cert, issuer, csr, .. }: &Consent<'_>) -> String {
    let extensions = cert.extensions();
    let names = extensions.subject_alt_name.clone().unwrap_or_default();
    let usage = extensions.key_usage.map(|usage| usage.names().collect::<Vec<_>>().join(", "));
    let mut lines = vec![
        ("subject", cert.subject().to_string()),
        ("key", key_words(cert.public_key())),
        ("names", words(&names)),
        ("usage", usage.unwrap_or_else(|| "any".to_owned())),
        ("path length", path_length(cert)),
        ("lifetime", lifetime(cert)),
        ("issuer", format!("{}, {}", issuer.subject(), key_words(issuer.public_key()))),
    ];
    if let Some(usages) = &extensions.ext_key_usage {
        let usages: Vec<String> =
            usages.iter().map(|u| oid::long_name_or_dotted(u.as_bytes())).collect();
        lines.insert(4, ("for", usages.join(", ")));
    }
    if let Some(limit) = extensions.name_constraints.as_ref().and_then(limits) {
        lines.push(("limited to", limit));
    }
    let asked = csr.map(Csr::subject_alt_names).unwrap_or_default();
    let refused: Vec<GeneralName> =
        asked.into_iter().filter(|name| !names.contains(name)).collect();
    if !refused.is_empty() {
        lines.push(("not granted", format!("{}, requested by the CSR", words(&refused))));
    }
    let mut out = String::from("about to sign:\n");
    for (what, value) in lines {
        let _ = writeln!(out, "  {what:<11}  {}", safe(&value));
    }
    out
}

fn words(names: &[GeneralName]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn path_length(cert: &Cert) -> String {
    if !cert.is_ca() {
        return "none: it is not a CA".to_owned();
    }
    match cert.extensions().basic_constraints.and_then(|constraints| constraints.path_len) {
        Some(0) => "0: it can sign workload certificates, but no further CAs".to_owned(),
        Some(length) => format!("{length}: up to that many levels of CAs below it"),
        None => "unlimited: any number of CAs below it".to_owned(),
    }
}

fn lifetime(cert: &Cert) -> String {
    let (Some(from), Some(until)) = (cert.not_before().time(), cert.not_after().time()) else {
        return "?".to_owned();
    };
    format!("{from} to {until}, {}", internals::words(until.since(from)))
}

fn limits(constraints: &NameConstraints) -> Option<String> {
    let bases: Vec<GeneralName> =
        constraints.permitted.iter().map(|tree| tree.base.clone()).collect();
    (!bases.is_empty()).then(|| words(&bases))
}
