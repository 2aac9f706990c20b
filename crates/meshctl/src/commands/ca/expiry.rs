//! `meshctl ca expiry`: which certificates in files and folders end soon.
//!
//! Exit status 2 when a certificate is due, even if something else could not be read; else 1 when
//! something could not be read or there was no certificate at all; else 0.

mod collect;
mod write;

use std::collections::BTreeSet;
use std::time::Duration;

use meshpki::{Cert, Time};

use crate::args::{Expiry, ExpiryOutput};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use collect::Found;

/// What is reported about one certificate.
struct Item {
    cert: Cert,
    /// Everywhere it was found, in order.
    places: BTreeSet<Place>,
    /// `None` when it is not in the form RFC 5280 asks for; such a certificate counts as due.
    not_after: Option<Time>,
    state: State,
}

/// Where a certificate was found, or where something could not be read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: String,
    /// Line of the BEGIN marker; `None` for DER and for a file as a whole.
    line: Option<usize>,
}

/// Something that could not be read.
struct Problem {
    place: Place,
    text: String,
}

/// The state of a certificate at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its dates cannot be read.
    Unreadable,
    /// It has ended; the second it ends counts, as OpenSSL has it.
    Expired,
    /// It ends within the time asked for.
    Due,
    Fine,
}

/// Runs the command.
pub(super) fn run(args: &Expiry, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let at = io.time(args.at)?;
    let Found { certs, problems } = collect::collect(&args.paths, io);
    let mut items: Vec<Item> =
        certs.into_iter().map(|(cert, places)| Item::new(cert, places, at, args.within)).collect();
    items.sort_by(|a, b| (a.not_after, &a.places).cmp(&(b.not_after, &b.places)));
    let text = match args.output {
        ExpiryOutput::Table => write::table(&items, at),
        ExpiryOutput::Json => write::json(&items, &problems, at, args.within),
        ExpiryOutput::Prometheus => write::prometheus(&items, &problems),
        ExpiryOutput::Github => write::github(&items, &problems, at),
    };
    io.print(&text)?;
    for problem in &problems {
        let failure = Failure::new("ctl/unreadable", &problem.text).within(problem.place.text());
        io.fail(&failure);
    }
    Ok(match (items.iter().any(|item| item.state.is_due()), problems.is_empty()) {
        (true, _) => Exit::No,
        (false, false) => Exit::Failed,
        (false, true) => Exit::Good,
    })
}

impl Item {
    fn new(cert: Cert, places: BTreeSet<Place>, at: Time, within: Duration) -> Self {
        let not_after = cert.not_after().time();
        let state = match not_after {
            None => State::Unreadable,
            Some(end) if end <= at => State::Expired,
            Some(end) if end <= at + within => State::Due,
            Some(_) => State::Fine,
        };
        Self { cert, places, not_after, state }
    }
}

impl Place {
    fn text(&self) -> String {
        self.line.map_or_else(|| self.file.clone(), |line| format!("{}:{line}", self.file))
    }
}

impl State {
    const fn is_due(self) -> bool {
        !matches!(self, Self::Fine)
    }
}
