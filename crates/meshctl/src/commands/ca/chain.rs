//! `meshctl ca chain`: certificates in any order become one chain, leaf first.

use std::path::Path;

use meshpki::Cert;
use meshpki::cacerts::certs;
use meshpki::chain::assemble;
use meshpki::internals::pem;

use crate::args::ChainArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;

/// Runs the command.
pub(crate) fn run(args: &ChainArgs, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut pile: Vec<Cert> = Vec::new();
    let mut places: Vec<String> = Vec::new();
    let leaf = match &args.leaf {
        Some(path) => read(path, &mut pile, &mut places, io)?,
        None => None,
    };
    for path in &args.files {
        read(path, &mut pile, &mut places, io)?;
    }
    let assembly = assemble(&pile, leaf.as_ref())?;
    let place = |i: usize| format!("{} (`{}`)", places[i], pile[i].subject().label());
    for (copy, original) in &assembly.duplicates {
        // The leaf is usually named twice, with --leaf and among the files.
        if leaf.is_none() || *original != 0 {
            note(
                io,
                "a certificate appears twice",
                &place(*copy),
                &format!("it is the same as {}", places[*original]),
            );
        }
    }
    for i in &assembly.alternatives {
        note(
            io,
            "another certificate would also fit into the chain and was left out",
            &place(*i),
            WHY_ONE,
        );
    }
    for i in &assembly.strays {
        note(
            io,
            "a certificate does not belong to the chain and was left out",
            &place(*i),
            "it did not issue any certificate of the chain",
        );
    }
    let chain = assembly.certs(&pile);
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

const WHY_ONE: &str = "OpenSSL and Envoy follow the first issuer that fits and never backtrack, so a chain needs exactly one of each";

fn note(io: &mut Io<'_>, what: &str, place: &str, why: &str) {
    io.warn(&Failure::new("ctl/strays", what).within(place).because(why));
}

/// Adds the certificates of a file; returns its first. Blocks that run together are separated.
fn read(
    path: &Path,
    pile: &mut Vec<Cert>,
    places: &mut Vec<String>,
    io: &mut Io<'_>,
) -> Result<Option<Cert>, Failure> {
    let bytes = files::read(path, io.stdin)?;
    let name = path.display().to_string();
    let (text, glued) = pem::unglue(&bytes);
    if let Some(line) = glued {
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
    let found = if bytes.first() == Some(&0x30) {
        let cert = Cert::from_der(&bytes);
        vec![cert.map_err(|source| meshpki::Error::Der { what: name.clone(), source })?]
    } else {
        certs(&name, &text)?
    };
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
