//! `meshctl ca chain`: certificates in any order become one chain, leaf first.

use std::path::Path;

use meshpki::Cert;
use meshpki::chain::assemble;
use meshpki::internals::contents::Object;
use meshpki::internals::pem::Form;

use crate::args::ChainArgs;
use crate::authority::reader::{self, Opener};
use crate::authority::{is_self_signed, warn_stray};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;

/// Runs the command.
pub(crate) fn run(args: &ChainArgs, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut pile: Vec<Cert> = Vec::new();
    let mut places: Vec<String> = Vec::new();
    let passphrase = args.passphrase.resolved();
    let mut opener = Opener::of_certs(&passphrase);
    let leaf = match &args.leaf {
        Some(path) => read(path, &mut pile, &mut places, &mut opener, io)?,
        None => None,
    };
    for path in &args.files {
        read(path, &mut pile, &mut places, &mut opener, io)?;
    }
    let assembly = assemble(&pile, leaf.as_ref())?;
    let place = |i: usize| format!("{} (`{}`)", places[i], pile[i].subject().label());
    for (copy, original) in &assembly.duplicates {
        // The leaf is usually named twice, with --leaf and among the files.
        if leaf.is_none() || *original != 0 {
            warn_stray(
                io,
                "a certificate appears twice",
                &place(*copy),
                &format!("it is the same as {}", places[*original]),
            );
        }
    }
    for i in &assembly.alternatives {
        warn_stray(
            io,
            "another certificate would also fit into the chain and was left out",
            &place(*i),
            WHY_ONE,
        );
    }
    for i in &assembly.strays {
        warn_stray(
            io,
            "a certificate does not belong to the chain and was left out",
            &place(*i),
            "it did not issue any certificate of the chain",
        );
    }
    let chain = with_root(args, assembly.certs(&pile))?;
    let text: String = chain.iter().map(Cert::to_pem).collect();
    match &args.out {
        Some(path) if path != Path::new("-") => {
            files::write_public(path, text.as_bytes(), files::Kind::Certificates)?;
        }
        _ => io.print(&text)?,
    }
    for (depth, cert) in chain.iter().enumerate() {
        io.note(format_args!("{depth}: {}", cert.subject()));
    }
    Ok(Exit::Good)
}

/// The chain with its root or without it, as asked for.
fn with_root(args: &ChainArgs, mut chain: Vec<Cert>) -> Result<Vec<Cert>, Failure> {
    let top = chain.last().filter(|top| !is_self_signed(top));
    if let Some(top) = top.filter(|_| args.with_root) {
        return Err(Failure::new("ctl/no-root", "the root of the chain is in none of the files")
            .because(format!(
                "`{}` was issued by `{}`",
                top.subject().label(),
                top.issuer().label()
            ))
            .hint("add the file with that root, or omit `--with-root`"));
    }
    // A root alone is a chain of one certificate, which stays.
    if args.no_root && chain.len() > 1 && top.is_none() {
        chain.pop();
    }
    Ok(chain)
}

const WHY_ONE: &str = "OpenSSL and Envoy follow the first issuer that fits and never backtrack, so a chain needs exactly one of each";

/// Adds the certificates of a file; returns its first. A missing newline is added, with a warning, since istiod would not read the text.
fn read(
    path: &Path,
    pile: &mut Vec<Cert>,
    places: &mut Vec<String>,
    opener: &mut Opener<'_>,
    io: &mut Io<'_>,
) -> Result<Option<Cert>, Failure> {
    let bytes = files::read(path, io.stdin)?;
    let name = path.display().to_string();
    let opened = opener.open(path, &bytes, io)?;
    if let Some(Form::Glued { line }) =
        opened.mended.iter().find(|form| matches!(form, Form::Glued { .. }))
    {
        let warning = Failure::new(
            "pki/pem",
            "two PEM blocks share a line: a newline is missing between two files",
        )
        .within(format!("{name}, line {line}"))
        .hint(
            "istiod and Go stop reading there; the chain that is written has the missing newline",
        );
        io.warn(&warning);
    }
    let has = |is: fn(&Object) -> bool| opened.found.iter().any(|found| is(&found.object));
    let is_key = |object: &Object| matches!(object, Object::Key(_) | Object::LockedKey);
    if has(is_key) && !has(|object| matches!(object, Object::Cert(_))) {
        warn_stray(io, "a private key was left out", &name, "a chain has no keys");
        return Ok(None);
    }
    let found = reader::mended_certs(path, &bytes, opened)?;
    for (i, cert) in found.iter().enumerate() {
        places.push(if found.len() == 1 {
            name.clone()
        } else {
            format!("{name}, certificate {}", i + 1)
        });
        pile.push(cert.clone());
    }
    Ok(found.into_iter().next())
}
