//! What can go wrong at a bundle endpoint, each with a code that never changes its meaning.

use std::net::SocketAddr;

use super::url::{EndpointUrl, UrlProblem};

/// Why a bundle was not fetched, or cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A response whose body is cut off, or larger than a bundle may be.
    #[error("the response of {url} cannot be read")]
    Body {
        /// Where it came from.
        url: EndpointUrl,
        /// What is wrong.
        why: String,
    },
    /// The server's certificate, or its identity, is not accepted.
    #[error("the certificate of {url} is not accepted")]
    Certificate {
        /// Where it was presented.
        url: EndpointUrl,
        /// The rule it breaks.
        why: String,
    },
    /// What answers does not speak HTTP, or sends a head that is too large.
    #[error("{url} does not answer with valid HTTP")]
    Http {
        /// What was asked.
        url: EndpointUrl,
        /// What is wrong.
        why: String,
    },
    /// The certificate or key of a server that TLS cannot use.
    #[error("the certificate and key cannot be used for TLS")]
    Key {
        /// Why not.
        why: String,
    },
    /// An address on which nothing can listen.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        why: String,
    },
    /// A redirect that is not followed.
    #[error("{url} redirects, which is not followed")]
    Redirect {
        /// What redirects.
        url: EndpointUrl,
        /// Why it is not followed.
        why: String,
    },
    /// No root against which a server's certificate could be verified.
    #[error("there is no root against which the server's certificate could be verified")]
    Roots {
        /// Where roots were looked for, and what is wrong.
        why: String,
    },
    /// An HTTP status other than 200.
    #[error("{url} answers with status {status}, expected 200")]
    Status {
        /// What was asked.
        url: EndpointUrl,
        /// The status.
        status: u16,
    },
    /// The whole exchange did not end in time.
    #[error("{url} did not deliver a bundle within {seconds} s")]
    Timeout {
        /// What was asked first.
        url: EndpointUrl,
        /// The limit.
        seconds: u64,
    },
    /// There is no TLS connection, for another reason than the server's certificate.
    #[error("cannot establish TLS with {url}")]
    Tls {
        /// What was asked.
        url: EndpointUrl,
        /// Why not.
        why: String,
    },
    /// Nothing answers there.
    #[error("cannot connect to {url}")]
    Unreachable {
        /// What was asked.
        url: EndpointUrl,
        /// Why not.
        why: String,
    },
    /// A text that is not the URL of an endpoint. It is not repeated: it may contain a password.
    #[error("not the URL of a bundle endpoint")]
    Url {
        /// The rule it breaks.
        why: UrlProblem,
    },
}

impl Error {
    /// Every code there is, in alphabetical order.
    pub const CODES: &'static [&'static str] = &[
        "endpoint/body",
        "endpoint/certificate",
        "endpoint/http",
        "endpoint/key",
        "endpoint/listen",
        "endpoint/redirect",
        "endpoint/roots",
        "endpoint/status",
        "endpoint/timeout",
        "endpoint/tls",
        "endpoint/unreachable",
        "endpoint/url",
    ];

    /// Its code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Body { .. } => "endpoint/body",
            Self::Certificate { .. } => "endpoint/certificate",
            Self::Http { .. } => "endpoint/http",
            Self::Key { .. } => "endpoint/key",
            Self::Listen { .. } => "endpoint/listen",
            Self::Redirect { .. } => "endpoint/redirect",
            Self::Roots { .. } => "endpoint/roots",
            Self::Status { .. } => "endpoint/status",
            Self::Timeout { .. } => "endpoint/timeout",
            Self::Tls { .. } => "endpoint/tls",
            Self::Unreachable { .. } => "endpoint/unreachable",
            Self::Url { .. } => "endpoint/url",
        }
    }

    /// What caused it, in words of the other side or of the system; `None` if the message says everything.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Body { why, .. }
            | Self::Certificate { why, .. }
            | Self::Http { why, .. }
            | Self::Key { why }
            | Self::Listen { why, .. }
            | Self::Redirect { why, .. }
            | Self::Roots { why }
            | Self::Tls { why, .. }
            | Self::Unreachable { why, .. } => Some(why.clone()),
            Self::Url { why } => Some(why.to_string()),
            Self::Status { .. } | Self::Timeout { .. } => None,
        }
    }
}
