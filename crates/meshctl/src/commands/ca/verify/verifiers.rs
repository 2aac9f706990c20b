//! `--as`: what the other verifiers of a mesh say of a certificate.

mod ask;
mod json;
mod text;
mod why;

use meshpki::Cert;
use meshpki::istiod::Version;
use meshpki::verify::webpki::{self, Peer};
use meshpki::verify::{Memo, Purpose, Reason, Release, boringssl, go};

use super::settings::Settings;
use super::{FAILED, GOOD, UNDECIDED};
use ask::Question;
pub(super) use json::document;

/// The value of `--as`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// One of them.
    One(Verifier),
    /// Each of them, and OpenSSL.
    All,
}

/// A verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verifier {
    OpenSsl,
    Go,
    Envoy,
    Ztunnel,
}

impl Verifier {
    const ALL: [Self; 4] = [Self::OpenSsl, Self::Go, Self::Envoy, Self::Ztunnel];

    const fn name(self, openssl: Release) -> &'static str {
        match self {
            Self::OpenSsl => openssl.name(),
            Self::Go => "Go",
            Self::Envoy => "Envoy",
            Self::Ztunnel => "ztunnel",
        }
    }
}

impl Asked {
    /// By the value on the command line.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "go" => Some(Self::One(Verifier::Go)),
            "envoy" => Some(Self::One(Verifier::Envoy)),
            "ztunnel" => Some(Self::One(Verifier::Ztunnel)),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

/// Whose releases are asked.
#[derive(Clone, Copy, Debug)]
struct Releases {
    go: go::Release,
    envoy: boringssl::Release,
    ztunnel: webpki::Release,
}

impl Releases {
    /// Those of an Istio release, by default the newest.
    fn of(istio: Option<Version>) -> Self {
        match istio {
            Some(version) => Self {
                go: go::Release::of_istio(version),
                envoy: boringssl::Release::of_istio(version),
                ztunnel: webpki::Release::of_istio(version),
            },
            None => Self {
                go: go::Release::NEWEST,
                envoy: boringssl::Release::V1_40,
                ztunnel: webpki::Release::V1_31,
            },
        }
    }
}

/// Why a verifier does not accept a certificate.
#[derive(Debug)]
struct Refusal {
    /// In its own words.
    text: String,
    /// `None`: OpenSSL's, which has a number.
    reason: Option<Reason>,
    cert: Option<Cert>,
    /// The only side of a connection for which it is refused.
    only_as: Option<Peer>,
    /// A signature uses an algorithm that is not built in, so nothing is claimed.
    undecided: bool,
}

/// What a verifier says: the chain, target first, or why not.
#[derive(Debug)]
struct Opinion {
    verifier: Verifier,
    outcome: Result<Vec<Cert>, Refusal>,
}

impl Opinion {
    /// `accepts`, `rejects` or `undecided`.
    const fn verdict(&self) -> &'static str {
        match &self.outcome {
            Ok(_) => "accepts",
            Err(refusal) if refusal.undecided => "undecided",
            Err(_) => "rejects",
        }
    }
}

/// The opinions of all who were asked about one certificate.
pub(super) struct Panel<'a> {
    name: &'a str,
    question: Question<'a>,
    opinions: Vec<Opinion>,
}

impl<'a> Panel<'a> {
    /// Asks them.
    pub(super) fn new(
        asked: Asked,
        name: &'a str,
        target: &'a Cert,
        settings: &'a Settings,
        memo: &mut Memo,
    ) -> Self {
        let question = Question::new(target, settings);
        let opinions = match asked {
            Asked::One(verifier) => Vec::from([question.ask(verifier, memo)]),
            Asked::All => Verifier::ALL.map(|verifier| question.ask(verifier, memo)).into(),
        };
        Self { name, question, opinions }
    }

    /// The exit status: one that rejects decides, then one that is undecided.
    pub(super) fn status(&self) -> u8 {
        let has = |verdict| self.opinions.iter().any(|opinion| opinion.verdict() == verdict);
        match (has("rejects"), has("undecided")) {
            (true, _) => FAILED,
            (false, true) => UNDECIDED,
            (false, false) => GOOD,
        }
    }

    fn verifier(&self, opinion: &Opinion) -> &'static str {
        opinion.verifier.name(self.question.settings.policy.release)
    }

    fn agree(&self) -> bool {
        self.opinions.windows(2).all(|pair| pair[0].verdict() == pair[1].verdict())
    }

    /// The file a certificate is in.
    fn place(&self, cert: &Cert) -> String {
        let places = &self.question.settings.places;
        match places.of(cert) {
            _ if cert == self.question.target => crate::text::safe(self.name),
            Some(place) => place.to_owned(),
            None => "the system's trust store".to_owned(),
        }
    }
}

/// The sides of a connection a certificate must be good for.
const fn peers(purpose: Option<Purpose>) -> &'static [Peer] {
    match purpose {
        Some(Purpose::SslClient) => &[Peer::Client],
        Some(Purpose::SslServer) => &[Peer::Server],
        _ => &[Peer::Client, Peer::Server],
    }
}
