//! One pull: fetch, judge, store.

use std::time::Duration;

use meshapply::endpoint::{EndpointUrl, Fetched, fetch};
use meshpki::Time;
use meshpki::spiffe::{Bundle, BundleUpdate, Ignored};

use super::super::accept::{check_roots, check_update, empty};
use super::super::bundle::not_ours;
use super::auth::auth;
use super::state::State;
use crate::args::trust::Pull as Args;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text::{counted, safe, word};

/// An endpoint and where its bundle is kept.
pub(super) struct Puller<'a> {
    pub(super) args: &'a Args,
    pub(super) url: EndpointUrl,
}

/// What a pull that went well says.
pub(super) struct Pulled {
    /// How long to wait before the next one.
    pub(super) interval: Duration,
}

/// The stored copy.
struct Stored {
    bytes: Vec<u8>,
    bundle: Bundle,
}

impl Puller<'_> {
    /// Fetches the bundle and stores it if it is accepted.
    ///
    /// # Errors
    /// `endpoint/...`, `pki/...`, `ctl/...`; then nothing on disk has changed.
    pub(super) async fn once(&self, now: Time, io: &mut Io<'_>) -> Result<Pulled, Failure> {
        let args = self.args;
        let stored = self.stored()?;
        let state = State::read(&args.out, &Bundle::new(args.trust_domain.clone(), []))?;
        let auth = auth(args, stored.as_ref().map(|stored| &stored.bundle), io)?;
        let fetched = fetch(&self.url, &auth, now, args.timeout).await;
        let fetched = fetched.map_err(|error| self.kept(error.into(), stored.as_ref()))?;
        let from = fetched.url.to_string();
        let (bundle, ignored) = self.bundle(&fetched)?;
        if bundle.roots().is_empty() && !args.allow_empty {
            return Err(self.empty(&bundle, &ignored).within(from));
        }
        check_roots(&bundle, &from, io)?;
        let before = stored.as_ref().map(|stored| &stored.bundle);
        let update = check_update(&bundle, before, args.accept_older, &from, Some(&args.out))?;
        if !args.check {
            let bytes = stored.as_ref().map(|stored| stored.bytes.as_slice());
            if bytes != Some(fetched.body.as_slice()) {
                files::write_public(&args.out, &fetched.body, files::Kind::AsRead(bytes))?;
            }
            state.write(&bundle, &fetched.body, &self.url.to_string(), now)?;
        }
        self.tell(&bundle, &ignored, update, io);
        Ok(Pulled { interval: args.every.unwrap_or_else(|| bundle.refresh_interval()) })
    }

    /// The time until the next pull after one that failed.
    pub(super) fn interval_of_stored(&self) -> Duration {
        let stored = self.stored().ok().flatten().map(|stored| stored.bundle);
        let bundle = stored.unwrap_or_else(|| Bundle::new(self.args.trust_domain.clone(), []));
        self.args.every.unwrap_or_else(|| bundle.refresh_interval())
    }

    fn stored(&self) -> Result<Option<Stored>, Failure> {
        let out = &self.args.out;
        let Some(bytes) = files::read_optional(out)? else { return Ok(None) };
        let read = Bundle::from_json(self.args.trust_domain.clone(), &bytes);
        let bundle = read.ok().ok_or_else(|| not_ours(out, "bundle"))?.0;
        Ok(Some(Stored { bytes: bytes.to_vec(), bundle }))
    }

    /// The bundle in a response.
    fn bundle(&self, fetched: &Fetched) -> Result<(Bundle, Vec<Ignored>), Failure> {
        let read = Bundle::from_json(self.args.trust_domain.clone(), &fetched.body);
        read.map_err(|error| {
            let kind = fetched.content_type.as_deref().unwrap_or("of no type");
            let url = fetched.url.to_string();
            Failure::from(error)
                .within(&url)
                .because(format!("the response is {kind}, expected application/json"))
                .hint(format!(
                    "`curl --insecure --max-time 10 {}` shows what the endpoint sends",
                    word(url.as_ref())
                ))
        })
    }

    /// A failure to fetch that leaves a stored copy in use.
    fn kept(&self, failure: Failure, stored: Option<&Stored>) -> Failure {
        match stored {
            Some(_) => failure.because(format!(
                "`{}` still has the copy that was fetched before",
                self.args.out.display()
            )),
            None => failure,
        }
    }

    fn empty(&self, bundle: &Bundle, ignored: &[Ignored]) -> Failure {
        empty(bundle, ignored).hint(
            "ask the owner of the trust domain; `--allow-empty` accepts it, and nothing of the trust domain is trusted then",
        )
    }

    /// Says what was done.
    fn tell(&self, bundle: &Bundle, ignored: &[Ignored], update: BundleUpdate, io: &mut Io<'_>) {
        if update == BundleUpdate::Unchanged && self.args.watch {
            return;
        }
        for ignored in ignored {
            io.say(format_args!("note: ignored {}", safe(&ignored.to_string())));
        }
        let (count, domain) = (bundle.roots().len(), bundle.trust_domain());
        let sequence = bundle.sequence().map_or(String::new(), |n| format!(", sequence {n}"));
        let place = safe(&self.args.out.display().to_string());
        let what = match update {
            _ if self.args.check => "would be accepted",
            BundleUpdate::Unchanged => "unchanged",
            _ => "written",
        };
        let roots = counted(count, "root");
        io.say(format_args!("{place}: {roots} of {domain}{sequence}: {what}"));
    }
}
