//! What a request is authorized with: nothing, a header that stays, a file's token, or what a credential plugin answers.

use std::path::{Path, PathBuf};
use std::sync::{Mutex as Shared, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::plugin::{Issued, Plugin};
use super::prove::now;

/// A token's file is read again after this time (`client-go transport/token_source.go`).
const FILE: Duration = Duration::from_secs(60);
/// A plugin is asked again this many seconds before its token ends.
const EARLY: i64 = 60;
/// What is shorter is not a secret, and would be removed from ordinary words.
const SECRET: usize = 4;

/// Where the header comes from.
pub(super) enum Source {
    /// Nowhere: no credentials, or a client certificate.
    None,
    /// A token or a password of the kubeconfig.
    Fixed(HeaderValue),
    /// A file with a token, and the place that names it: where a token is pasted for a path, the path is not shown.
    File(PathBuf, String),
    /// A credential plugin.
    Plugin(Box<Plugin>),
}

/// The credentials of a context.
pub(super) struct Credentials {
    source: Source,
    held: Mutex<Held>,
    /// What no message may show.
    secrets: Shared<Vec<Zeroizing<String>>>,
}

/// A header, and how long it is good.
#[derive(Default)]
struct Held {
    header: Option<HeaderValue>,
    read: Option<Instant>,
    expires: Option<i64>,
}

impl Credentials {
    pub(super) fn new(source: Source, mut secrets: Vec<Zeroizing<String>>) -> Self {
        if let Source::Fixed(header) = &source
            && let Ok(text) = header.to_str()
        {
            // A server may send back what it was sent as it came: a password in base64.
            secrets.extend(text.split_once(' ').map(|(_, sent)| Zeroizing::new(sent.to_owned())));
        }
        Self { source, held: Mutex::new(Held::default()), secrets: Shared::new(secrets) }
    }

    /// Whether asking again can give others.
    pub(super) const fn are_renewable(&self) -> bool {
        matches!(self.source, Source::File(..) | Source::Plugin(_))
    }

    /// The header of the next request; `None`: it has none.
    pub(super) async fn header(&self) -> Result<Option<HeaderValue>, String> {
        match &self.source {
            Source::None => Ok(None),
            Source::Fixed(header) => Ok(Some(header.clone())),
            Source::File(path, place) => {
                let mut held = self.held.lock().await;
                if held.read.is_none_or(|read| read.elapsed() > FILE) {
                    held.header = Some(self.bearer(&from_file(path, place)?)?);
                    held.read = Some(Instant::now());
                }
                Ok(held.header.clone())
            }
            Source::Plugin(plugin) => {
                let mut held = self.held.lock().await;
                let is_over = held.expires.is_some_and(|end| end <= now().0.saturating_add(EARLY));
                if held.read.is_none() || is_over {
                    let issued = run(plugin).await?;
                    self.hold(&mut held, &issued)?;
                }
                Ok(held.header.clone())
            }
        }
    }

    /// Runs the plugin for the first time; returns the client certificate and key, where it answers with those.
    pub(super) async fn begin(&self) -> Result<Option<(String, Zeroizing<String>)>, String> {
        let Source::Plugin(plugin) = &self.source else {
            return self.header().await.map(|_| None);
        };
        let mut held = self.held.lock().await;
        let issued = run(plugin).await?;
        self.hold(&mut held, &issued)?;
        Ok(issued.identity)
    }

    fn hold(&self, held: &mut Held, issued: &Issued) -> Result<(), String> {
        held.header = issued.token.as_ref().map(|token| self.bearer(token)).transpose()?;
        held.read = Some(Instant::now());
        held.expires = issued.expires;
        Ok(())
    }

    /// The server rejected this header: unless another request was faster, a new one is requested.
    pub(super) async fn forget(&self, refused: Option<&HeaderValue>) {
        let mut held = self.held.lock().await;
        if held.header.as_ref() == refused {
            *held = Held::default();
        }
    }

    fn bearer(&self, token: &str) -> Result<HeaderValue, String> {
        let header = bearer(token)?;
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.push(Zeroizing::new(token.to_owned()));
        Ok(header)
    }

    /// A message without any of our secrets: a server may send back what it was sent.
    pub(super) fn redacted(&self, text: &str) -> String {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = text.to_owned();
        for secret in secrets.iter().filter(|secret| secret.len() >= SECRET) {
            text = text.replace(secret.as_str(), "***");
        }
        text
    }
}

/// A plugin blocks its thread, and never the others.
async fn run(plugin: &Plugin) -> Result<Issued, String> {
    let plugin = plugin.clone();
    let ran = tokio::task::spawn_blocking(move || plugin.run()).await;
    ran.unwrap_or_else(|_| Err("the credential plugin could not be run".to_owned()))
}

fn from_file(path: &Path, place: &str) -> Result<Zeroizing<String>, String> {
    let bytes = std::fs::read(path).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| format!("{place}: cannot read the `tokenFile`: {error}"))?;
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|_unsaid| format!("{place}: the `tokenFile` is not valid UTF-8"))?;
    match text.trim() {
        "" => Err(format!("{place}: the `tokenFile` is empty")),
        token => Ok(Zeroizing::new(token.to_owned())),
    }
}

/// The header of a bearer token, trimmed.
pub(super) fn bearer(token: &str) -> Result<HeaderValue, String> {
    let text = Zeroizing::new(format!("Bearer {}", token.trim()));
    // Line breaks and control characters end headers; `HeaderValue` takes bytes beyond ASCII, no server does.
    let header = HeaderValue::try_from(text.as_str()).ok().filter(|_| text.is_ascii());
    let mut header =
        header.ok_or("the token contains invalid characters: expected one line of ASCII")?;
    header.set_sensitive(true);
    Ok(header)
}

/// The header of a user's password.
pub(super) fn basic(user_and_password: &[u8]) -> Result<HeaderValue, String> {
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(user_and_password)));
    let header = HeaderValue::try_from(text.as_str());
    let mut header =
        header.map_err(|_unsaid| "the password contains invalid characters".to_owned())?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_trimmed_and_never_break_a_header() {
        let check = |token: &str, expect: Option<&str>| {
            let header = bearer(token);
            let found = header.as_ref().ok().and_then(|header| header.to_str().ok());
            assert_eq!(found, expect, "{token:?}");
            assert!(header.is_ok() || !header.unwrap_err().contains("secret"));
        };
        check("secret", Some("Bearer secret"));
        check(" \tsecret\r\n\n", Some("Bearer secret"));
        for token in
            ["secret\nX-Remote-User: admin", "secret\rx", "se\0cret", "secret\u{7f}", "secrét"]
        {
            check(token, None);
        }
    }

    #[test]
    fn messages_show_no_secret() {
        let secrets = ["token-1", "abc"].map(|text| Zeroizing::new(text.to_owned()));
        let credentials = Credentials::new(Source::None, secrets.to_vec());
        assert_eq!(credentials.redacted("bad token-1, abc"), "bad ***, abc");
    }
}
