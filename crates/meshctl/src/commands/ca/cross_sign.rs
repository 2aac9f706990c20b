//! `meshctl ca cross-sign`: the root of another mesh under ours.

use std::path::Path;
use std::time::Duration;

use meshpki::federation::Bridge;
use meshpki::internals::pem;
use meshpki::{Cert, Csr, Serial, Stamp, Time};

use crate::args::CrossSign;
use crate::authority::consent::{self, Consent};
use crate::authority::issuer::Authority;
use crate::authority::{certs_of_file, check_sound, intermediate, read_certs, request};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Kind};
use crate::io::{Io, random};
use crate::text::{safe, word};

/// The other root, as it was given.
enum Other {
    Root(Cert),
    Request(Box<Csr>),
}

/// Runs the command.
pub(super) fn run(args: &CrossSign, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let other = read(args, io)?;
    let now = io.time(args.at)?;
    let files = (args.ca_cert.as_deref(), args.ca_key.as_deref());
    let key = args.signer.resolved(&args.passphrase);
    let authority = Authority::chosen(args.ca.as_deref(), files, &key, io)?;
    let before = earlier(args, &other, &authority.cert)?;
    if let Some(until) = before.and_then(|cert| not_due(&cert, args.within, now)) {
        io.print(&format!(
            "{}  nothing to do: valid until {}\n",
            safe(&args.out.display().to_string()),
            until.date()
        ))?;
        return Ok(Exit::Good);
    }
    if args.constrain.is_some() {
        intermediate::warn_constrained("the other root is limited to one trust domain", io);
    }
    let bridge =
        signed(args, &other, &authority, now).map_err(|failure| failure.in_file(&args.root))?;
    let consent = Consent {
        cert: &bridge,
        issuer: &authority.cert,
        csr: other.request(),
        from_stdin: args.root == Path::new("-"),
        given: args.yes,
    };
    consent::ask(&consent, io)?;
    if args.out == Path::new("-") {
        io.print(&bridge.to_pem())?;
        return Ok(Exit::Good);
    }
    files::write_public(&args.out, bridge.to_pem().as_bytes(), Kind::Certificates)?;
    report(args, &bridge, io)?;
    Ok(Exit::Good)
}

/// When a certificate ends that need not be replaced yet.
fn not_due(cert: &Cert, within: Option<Duration>, now: Time) -> Option<Time> {
    cert.not_after().time().filter(|end| within.is_some_and(|within| *end > now + within))
}

fn report(args: &CrossSign, bridge: &Cert, io: &mut Io<'_>) -> Result<(), Failure> {
    let until = bridge.not_after().time().map_or_else(|| "?".to_owned(), Time::date);
    io.print(&format!(
        "{}  `{}` under `{}`, until {until}\n\
         next: send it in every cluster of `{}`, after the CA in cert-chain.pem\n",
        safe(&args.out.display().to_string()),
        safe(&bridge.subject().label()),
        safe(&bridge.issuer().label()),
        safe(&bridge.subject().label()),
    ))
}

impl Other {
    fn key(&self) -> &meshpki::PublicKey {
        match self {
            Self::Root(cert) => cert.public_key(),
            Self::Request(csr) => csr.public_key(),
        }
    }

    const fn request(&self) -> Option<&Csr> {
        match self {
            Self::Request(csr) => Some(csr),
            Self::Root(_) => None,
        }
    }
}

/// The other root: the one certificate of its file, or a CSR.
fn read(args: &CrossSign, io: &mut Io<'_>) -> Result<Other, Failure> {
    let file = &args.root;
    let is_request = file != Path::new("-")
        && files::read_optional(file)?.is_some_and(|bytes| {
            let blocks = pem::decode(&bytes);
            blocks.iter().flatten().any(|block| block.label.ends_with("CERTIFICATE REQUEST"))
        });
    if is_request {
        return Ok(Other::Request(Box::new(request::read(file, io)?)));
    }
    let certs = read_certs(file, io)?;
    let [root] = certs.as_slice() else {
        let found = certs.len();
        return Err(Failure::new(
            "ctl/one-root",
            format!("expected exactly one root, found {found} certificates"),
        )
        .in_file(file)
        .hint(format!(
            "each root needs a bridge of its own: `meshctl ca inspect {}` shows them",
            word(file)
        )));
    };
    check_sound(root).map_err(|failure| failure.in_file(file))?;
    Ok(Other::Root(root.clone()))
}

/// The certificate that is there already; an error if it is not one for the same root by the same issuer.
fn earlier(args: &CrossSign, other: &Other, issuer: &Cert) -> Result<Option<Cert>, Failure> {
    if args.out == Path::new("-") || files::read_optional(&args.out)?.is_none() {
        return Ok(None);
    }
    let there = certs_of_file(&args.out).unwrap_or_default();
    match there.as_slice() {
        [one] if one.public_key() == other.key() && one.issuer() == issuer.subject() => {
            Ok(Some(one.clone()))
        }
        _ => Err(Failure::new(
            "ctl/exists",
            format!(
                "`{}` is not an earlier certificate of this root under yours, and is not overwritten",
                args.out.display()
            ),
        )
        .hint("choose another file, or move that one away first")),
    }
}

fn signed(
    args: &CrossSign,
    other: &Other,
    authority: &Authority,
    now: Time,
) -> Result<Cert, Failure> {
    let bridge = Bridge::new()
        .with_validity(args.validity)
        .with_path_len(Some(args.path_len))
        .with_scope(args.constrain.clone());
    let stamp = Stamp::made_at(now, Serial::from_random(random()));
    Ok(match other {
        Other::Root(root) => bridge.for_root(root, authority.issuer(), stamp)?,
        Other::Request(csr) => bridge.for_request(csr, authority.issuer(), stamp)?,
    })
}
