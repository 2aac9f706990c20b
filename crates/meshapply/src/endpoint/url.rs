//! URLs of bundle endpoints, and what a response says to do next: pure, as both come from others.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// The port of `https` URLs without one.
const PORT: u16 = 443;

/// The URL of a bundle endpoint: `https`, with a host and without user information (SPIFFE Federation, section 5.2).
///
/// ```
/// use meshapply::endpoint::{EndpointUrl, UrlProblem};
///
/// let url: EndpointUrl = "https://spire.east.example:8443/bundle".parse()?;
/// assert_eq!((url.host(), url.port()), ("spire.east.example", 8443));
/// assert_eq!("https://me:secret@east.example".parse::<EndpointUrl>(), Err(UrlProblem::UserInfo));
/// # Ok::<(), UrlProblem>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUrl {
    host: String,
    port: u16,
    /// Path and query, which begin with `/`.
    target: String,
}

/// The rule that a text breaks, which is not the URL of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlProblem {
    /// It is not a URL at all.
    #[error("it is not a valid URL")]
    Syntax,
    /// Its scheme is not `https`.
    #[error("it does not begin with `https://`")]
    Scheme,
    /// It has a user name or a password.
    #[error("it contains a user name or a password")]
    UserInfo,
    /// It names no host.
    #[error("it has no host")]
    Host,
    /// Its port is not a number from 1 to 65535.
    #[error("its port is not a number from 1 to 65535")]
    Port,
}

impl EndpointUrl {
    /// The host: a DNS name, or an IP address, in brackets if it is one of IPv6.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host as sockets and certificates have it, without brackets.
    #[must_use]
    pub fn bare_host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as a request has them.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Host and port as the header `Host` has them: without the port of `https`.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == PORT { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The URL to which a `Location` points from here (RFC 3986 section 5.2, RFC 9110 section 10.2.2).
    ///
    /// # Errors
    /// The rule of endpoints that it breaks.
    pub fn join(&self, location: &str) -> Result<Self, UrlProblem> {
        let location = location.split('#').next().unwrap_or_default();
        if has_scheme(location) {
            return location.parse();
        }
        if location.starts_with("//") {
            return format!("https:{location}").parse();
        }
        let path = self.target.split('?').next().unwrap_or_default();
        let target = match location.as_bytes().first() {
            None => self.target.clone(),
            Some(b'/') => location.to_owned(),
            Some(b'?') => format!("{path}{location}"),
            Some(_) => format!("{}{location}", &path[..=path.rfind('/').unwrap_or(0)]),
        };
        format!("https://{}:{}{}", self.host, self.port, without_dots(&target)).parse()
    }
}

impl FromStr for EndpointUrl {
    type Err = UrlProblem;

    fn from_str(text: &str) -> Result<Self, UrlProblem> {
        let scheme = text.get(..8).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("https://") {
            return Err(UrlProblem::Scheme);
        }
        let authority = text[8..].split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(UrlProblem::UserInfo);
        }
        let unreadable = if authority.is_empty() { UrlProblem::Host } else { UrlProblem::Syntax };
        // The crate `http` takes other characters in a path, which RFC 3986 does not.
        let uri =
            Some(text).filter(|text| text.is_ascii()).and_then(|text| text.parse::<Uri>().ok());
        let uri = uri.ok_or(unreadable)?;
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        if host.is_empty() || host == "[]" {
            return Err(UrlProblem::Host);
        }
        let port = match authority.strip_prefix(uri.host().unwrap_or_default()) {
            Some("") => PORT,
            Some(port) => port
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .filter(|port| *port > 0)
                .ok_or(UrlProblem::Port)?,
            None => return Err(UrlProblem::Syntax),
        };
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { host, port, target })
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority(), self.target)
    }
}

/// Whether a reference has a scheme: letters, digits, `+`, `-` and `.` before the first colon (RFC 3986 section 3.1).
fn has_scheme(location: &str) -> bool {
    location.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

/// A target whose path has no `.` and `..` any more (RFC 3986 section 5.2.4).
fn without_dots(target: &str) -> String {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

/// What to do with the head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Its body is the document.
    Read,
    /// Ask there. The redirect is temporary: the next fetch begins at the first URL again (section 5.1.2).
    Follow(EndpointUrl),
    /// Its status is not a success, and not a redirect either.
    Refuse,
    /// The redirect leads nowhere.
    Stray(
        /// Why.
        String,
    ),
}

/// Decides what the head of a response from `url` says to do; `left` is how many redirects may still be followed.
#[must_use]
pub fn next_step(status: u16, location: Option<&str>, url: &EndpointUrl, left: usize) -> Step {
    match status {
        200 => Step::Read,
        301 | 302 | 303 | 307 | 308 => match location.map(|location| url.join(location)) {
            _ if left == 0 => Step::Stray("there are more than 5 redirects".to_owned()),
            None => Step::Stray("the response has no valid header `Location`".to_owned()),
            Some(Ok(next)) => Step::Follow(next),
            Some(Err(why)) => Step::Stray(format!("about the URL it points to: {why}")),
        },
        _ => Step::Refuse,
    }
}

#[cfg(test)]
mod tests;
