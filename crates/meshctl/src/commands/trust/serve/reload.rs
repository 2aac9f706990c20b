//! Looking at the files again, and taking over what is new and good.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use meshapply::endpoint::{Published, ReloadedFile};
use meshpki::Time;

use super::load::{self, Document, Files, Id, Pair, Paths, Served};
use crate::args::trust::Serve as Args;
use crate::failure::Failure;
use crate::io::{Io, system_time};
use crate::text::safe;

/// How often files are looked at. Nothing is taken over before it was seen twice, as a file may be half written.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is published, and what the files had the last time.
pub(super) struct Watched<'a> {
    args: &'a Args,
    served: Served,
    published: Arc<Published>,
    /// What was seen last, and not yet twice.
    seen: [Id; 2],
    /// What was decided on last.
    decided: [Id; 2],
}

impl<'a> Watched<'a> {
    /// Begins with what is published.
    pub(super) fn new(args: &'a Args, served: Served, published: Arc<Published>) -> Self {
        let ids = [served.document.id, served.pair.files];
        Self { args, served, published, seen: ids, decided: ids }
    }

    /// Looks at the files for ever.
    pub(super) async fn run(&mut self, io: &mut Io<'_>) -> Infallible {
        loop {
            tokio::time::sleep(INTERVAL).await;
            // In a thread: a disk that does not answer holds up no client.
            let paths = Paths::of(self.args);
            let read = tokio::task::spawn_blocking(move || Files::read(&paths)).await;
            let Ok(found) = read else { continue };
            let ids = found.ids();
            if ids == self.decided {
                self.seen = ids;
            } else if ids == self.seen {
                self.decided = ids;
                self.decide(found, ids, system_time(), io);
            } else {
                self.seen = ids;
            }
        }
    }

    /// Takes over what is good, alone or together, and warns of what is not.
    fn decide(&mut self, found: Files, ids: [Id; 2], now: Time, io: &mut Io<'_>) {
        let [bundle_is_new, pair_is_new] =
            [ids[0] != self.served.document.id, ids[1] != self.served.pair.files];
        let mut document = None;
        if bundle_is_new {
            let read = found.bundle.and_then(|bytes| {
                load::document(self.args, bytes.to_vec(), Some(&self.served.document.bundle), io)
            });
            document = self.good(read, ReloadedFile::Bundle, io);
        } else {
            self.published.reload_recovered(ReloadedFile::Bundle);
        }
        let mut pair = None;
        if pair_is_new {
            let read = found.pair.and_then(|files| load::pair(self.args, &files));
            pair = self.good(read, ReloadedFile::Certificate, io);
        } else {
            self.published.reload_recovered(ReloadedFile::Certificate);
        }
        self.take(document, pair, now, io);
    }

    /// What was read, unless that is a failure, which is counted and shown.
    fn good<T>(&self, read: Result<T, Failure>, file: ReloadedFile, io: &mut Io<'_>) -> Option<T> {
        read.map_err(|failure| {
            self.published.reload_failed(file);
            io.warn(&failure);
            let what = match file {
                ReloadedFile::Bundle => "bundle",
                _ => "certificate",
            };
            io.say(format_args!("the previous {what} is still served"));
        })
        .ok()
    }

    /// Takes over both if they fit together, otherwise the one that fits what is published.
    fn take(&mut self, document: Option<Document>, pair: Option<Pair>, now: Time, io: &mut Io<'_>) {
        if document.is_none() && pair.is_none() {
            return;
        }
        let check = |document: Option<&Document>, pair: Option<&Pair>| {
            let document = document.unwrap_or(&self.served.document);
            load::check_together(self.args, document, pair.unwrap_or(&self.served.pair), now)
        };
        let (mut document, mut pair) = (document, pair);
        if let Err(failure) = check(document.as_ref(), pair.as_ref()) {
            if check(None, pair.as_ref()).is_ok() && document.is_some() {
                document = self.good(Err(failure), ReloadedFile::Bundle, io);
            } else if check(document.as_ref(), None).is_ok() && pair.is_some() {
                pair = self.good(Err(failure), ReloadedFile::Certificate, io);
            } else {
                let file = match document {
                    Some(_) => ReloadedFile::Bundle,
                    None => ReloadedFile::Certificate,
                };
                let _: Option<()> = self.good(Err(failure), file, io);
                return;
            }
        }
        if let Some(document) = document {
            let bundle = document.bundle.clone();
            let sequence = bundle.sequence().map_or("none".to_owned(), |n| n.to_string());
            let count = bundle.roots().len();
            io.note(format_args!("new bundle: sequence {sequence}, roots: {count}"));
            self.published.replace_bundle(document.bytes.clone(), bundle, now);
            self.served.document = document;
        }
        if let Some(pair) = pair {
            io.note(format_args!("new certificate of {}", safe(&pair.name)));
            self.published.replace_identity(pair.identity.clone(), now);
            self.served.pair = pair;
        }
    }
}
