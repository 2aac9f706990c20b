//! `meshctl ca expiry`: which certificates and CRLs in files and folders end soon.
//!
//! Exit status 2 when one is due, even if something else could not be read; else 1 when
//! something could not be read or there was no certificate at all; else 0.

mod collect;
mod write;

use std::collections::BTreeSet;
use std::time::Duration;

use meshpki::x509::RawTime;
use meshpki::{Cert, Crl, Time};

use crate::args::{Expiry, ExpiryOutput};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use collect::Found;

/// What is reported about one certificate or CRL.
struct Item {
    object: Object,
    /// Everywhere it was found, in order.
    places: BTreeSet<Place>,
    /// notAfter, or nextUpdate; `None` when it is not in the form RFC 5280 asks for, which counts as due.
    end: Option<Time>,
    state: State,
}

/// What ends at some time.
enum Object {
    Cert(Cert),
    /// One with a nextUpdate.
    Crl(Crl),
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
    let Found { objects, problems } =
        collect::collect(&args.paths, &args.passphrase.resolved(), io);
    let item = |(object, places)| Item::new(object, places, at, args.within);
    let mut items: Vec<Item> = objects.into_iter().map(item).collect();
    items.sort_by(|a, b| (a.end, &a.places).cmp(&(b.end, &b.places)));
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
    fn new(object: Object, places: BTreeSet<Place>, at: Time, within: Duration) -> Self {
        let end = object.raw_end().and_then(RawTime::time);
        let within = object.limit().map_or(within, |limit| limit.min(within));
        let state = match end {
            None => State::Unreadable,
            Some(end) if end <= at => State::Expired,
            Some(end) if end <= at + within => State::Due,
            Some(_) => State::Fine,
        };
        Self { object, places, end, state }
    }
}

impl Object {
    /// notAfter, or nextUpdate.
    fn raw_end(&self) -> Option<&RawTime> {
        match self {
            Self::Cert(cert) => Some(cert.not_after()),
            Self::Crl(crl) => crl.next_update(),
        }
    }

    /// A CRL lives for days or weeks, and is made again when a third of that is left.
    fn limit(&self) -> Option<Duration> {
        match self {
            Self::Cert(_) => None,
            Self::Crl(crl) => crl.renew_within(),
        }
    }

    fn as_der(&self) -> &[u8] {
        match self {
            Self::Cert(cert) => cert.as_der(),
            Self::Crl(crl) => crl.as_der(),
        }
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
