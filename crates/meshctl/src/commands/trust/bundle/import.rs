//! `meshctl trust bundle import`: the roots of a SPIFFE bundle as PEM.

use std::path::Path;

use meshpki::spiffe::Bundle;

use super::{check_not_empty, check_roots, check_sequence, file, source};
use crate::args::trust::Import;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text::safe;

/// How the first line of our files begins.
const HEADER: &str = "# SPIFFE bundle of ";
/// What is between the trust domain and the sequence number.
const SEQUENCE: &str = ", sequence ";

/// Runs the command.
pub(super) fn run(args: &Import, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let read = source::of_domain(&args.file, &args.trust_domain, io)?;
    for ignored in &read.ignored {
        io.say(format_args!("note: ignored {}", safe(&ignored.to_string())));
    }
    if !args.allow_empty {
        check_not_empty(&read, &args.file)?;
    }
    let bundle = read.bundle;
    check_roots(&bundle, &args.file, io)?;
    let text = header(&bundle) + &bundle.to_pem();
    let Some(out) = file(args.out.as_deref()) else {
        io.print(&text)?;
        return Ok(Exit::Good);
    };
    if let Some((domain, sequence)) = files::read_optional(out)?.as_deref().and_then(|b| origin(b))
    {
        if domain != bundle.trust_domain().as_str() {
            return Err(other_domain(&bundle, &domain, out));
        }
        if !args.accept_older {
            check_sequence(&bundle, sequence, &args.file, out)
                .map_err(|failure| failure.hint("`--accept-older` accepts it"))?;
        }
    }
    files::write_public(out, text.as_bytes(), files::Kind::Certificates)?;
    let (count, domain) = (bundle.roots().len(), bundle.trust_domain());
    io.say(format_args!("{count} root{} of {domain}", if count == 1 { "" } else { "s" }));
    Ok(Exit::Good)
}

/// The comment that says where the roots are from.
fn header(bundle: &Bundle) -> String {
    let sequence = bundle.sequence().map(|number| format!("{SEQUENCE}{number}"));
    format!("{HEADER}{}{}\n", bundle.trust_domain(), sequence.unwrap_or_default())
}

/// The trust domain and the sequence number in the first line of a file.
fn origin(bytes: &[u8]) -> Option<(String, Option<u64>)> {
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    let rest = std::str::from_utf8(line).ok()?.trim_end().strip_prefix(HEADER)?;
    Some(match rest.split_once(SEQUENCE) {
        Some((domain, number)) => (domain.to_owned(), number.parse().ok()),
        None => (rest.to_owned(), None),
    })
}

fn other_domain(bundle: &Bundle, found: &str, out: &Path) -> Failure {
    let message = format!("the file has the roots of another trust domain, {found}");
    Failure::new("ctl/bundle-domain", message)
        .exit(Exit::No)
        .in_file(out)
        .because(format!("the bundle is for {}", bundle.trust_domain()))
        .hint("choose another file: roots of two trust domains are never merged")
}
