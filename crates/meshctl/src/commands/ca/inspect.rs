//! `meshctl ca inspect`: shows certificates, chains, CSRs, CRLs and keys; of a private key only the public part.

mod crl;
mod json;
mod names;
mod read;
mod text;

use meshpki::chain::issued;
use meshpki::{Cert, Csr, PublicKey};

use crate::args::{Inspect, Output};
use crate::authority::reader::Opener;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::text::json as pretty;
use crl::Crl;

/// Something found in a file, and where.
struct Item {
    /// The file's name as typed.
    file: String,
    /// Line of the BEGIN marker; `None` for DER and for a file as a whole.
    line: Option<usize>,
    /// The kind of the container it is in, and its number there, from 1.
    member: Option<(&'static str, usize)>,
    object: Object,
}

/// What was found.
enum Object {
    Certificate(Box<Cert>),
    Request(Csr),
    Crl(Crl),
    PublicKey(PublicKey),
    /// The public part; `None` when it is encrypted, and no passphrase was given.
    PrivateKey(Option<PublicKey>),
    /// A sound PEM block of a kind that is not looked into, by its label.
    Other(String),
    /// Something that cannot be read, and why.
    Problem(String),
}

impl Object {
    /// The public key of what can have a private one.
    fn certified_key(&self) -> Option<PublicKey> {
        match self {
            Self::Certificate(cert) => Some(cert.public_key().clone()),
            Self::Request(csr) => Some(csr.public_key().clone()),
            _ => None,
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &Inspect, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let passphrase = args.passphrase.resolved();
    let mut opener = Opener::of_containers(&passphrase);
    let mut items = Vec::new();
    for path in &args.files {
        items.extend(read::items(path, &mut opener, io)?);
    }
    let at = args.at.unwrap_or(io.now);
    let text = match args.output {
        Output::Text => text::write(&items, at),
        Output::Json => pretty(&json::write(&items, at)),
    };
    io.print(&text)?;
    match items.iter().filter(|item| matches!(item.object, Object::Problem(_))).count() {
        0 => Ok(Exit::Good),
        count => Err(Failure::new(
            "ctl/unreadable",
            format!("{count} of {} objects could not be read", items.len()),
        )),
    }
}

/// The certificate before item `i` in the same file and whether item `i` issued it; `None` for the first.
fn issued_previous(items: &[Item], i: usize) -> Option<(&Item, bool)> {
    let Object::Certificate(issuer) = &items[i].object else { return None };
    let before = items[..i].iter().rev().take_while(|item| item.file == items[i].file);
    before
        .filter_map(|item| match &item.object {
            Object::Certificate(cert) => Some((item, issued(issuer, cert))),
            _ => None,
        })
        .next()
}

/// The certificates and CSRs that are for `key`.
fn owners<'a>(items: &'a [Item], key: &PublicKey) -> Vec<&'a Item> {
    items.iter().filter(|item| item.object.certified_key().as_ref() == Some(key)).collect()
}
