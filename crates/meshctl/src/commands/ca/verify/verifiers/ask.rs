//! One question to four verifiers.

use meshpki::verify::boringssl::{self, TrustStore};
use meshpki::verify::go::{self, Certificate, Pools};
use meshpki::verify::webpki::{self, Peer};
use meshpki::verify::{Finding, Memo, Reason, Rejection, verify_with};
use meshpki::{Cert, Crl, Oid, Time};

use super::{Opinion, Refusal, Releases, Verifier, peers};
use crate::commands::ca::verify::settings::Settings;

/// What they are asked.
pub(super) struct Question<'a> {
    pub(super) target: &'a Cert,
    pub(super) settings: &'a Settings,
    pub(super) roots: Vec<Cert>,
    pub(super) crls: Vec<Crl>,
    pub(super) at: Time,
    peers: &'static [Peer],
    releases: Releases,
}

type Outcome = Result<Vec<Cert>, Rejection>;

impl<'a> Question<'a> {
    pub(super) fn new(target: &'a Cert, settings: &'a Settings) -> Self {
        Self {
            target,
            settings,
            roots: settings.anchors().iter().map(|anchor| anchor.cert.clone()).collect(),
            crls: [&settings.store.found.crls[..], &settings.crls].concat(),
            // `--as` always has a time: -no_check_time is refused.
            at: settings.policy.at.unwrap_or(Time(0)),
            peers: peers(settings.policy.purpose),
            releases: Releases::of(settings.istio),
        }
    }

    pub(super) fn ask(&self, verifier: Verifier, memo: &mut Memo) -> Opinion {
        let outcome = match verifier {
            Verifier::OpenSsl => self.openssl(memo),
            Verifier::Go => self.of_each_peer(&self.go()),
            Verifier::Envoy => match self.envoy_store() {
                Ok(store) => self.of_each_peer(&|peer| self.envoy(&store, peer)),
                Err(why) => Err(refusal(why, None)),
            },
            Verifier::Ztunnel => {
                let store = self.ztunnel_store();
                self.of_each_peer(&|peer| self.ztunnel(&store, peer))
            }
        };
        Opinion { verifier, outcome }
    }

    /// The first refusal, and whether it is of one side only.
    fn of_each_peer(&self, verify: &dyn Fn(Peer) -> Outcome) -> Result<Vec<Cert>, Refusal> {
        let mut chain = Vec::new();
        let mut accepting = None;
        let mut refused = None;
        for peer in self.peers {
            match verify(*peer) {
                Ok(found) => {
                    chain = found;
                    accepting = Some(*peer);
                }
                Err(why) if refused.is_none() => refused = Some((*peer, why)),
                Err(_) => {}
            }
        }
        match refused {
            Some((peer, why)) => Err(refusal(why, accepting.map(|_| peer))),
            None => Ok(chain),
        }
    }

    fn openssl(&self, memo: &mut Memo) -> Result<Vec<Cert>, Refusal> {
        let settings = self.settings;
        let inputs = settings.inputs(self.target);
        let verdict = verify_with(&inputs, &settings.policy, memo);
        if let Some(depth) = verdict.undecided {
            return Err(Refusal {
                text: "the signature uses an algorithm that is not built in".to_owned(),
                reason: None,
                cert: verdict.chain.get(depth).cloned(),
                only_as: None,
                undecided: true,
            });
        }
        if verdict.is_ok() {
            return Ok(verdict.chain);
        }
        // What is found in the chain of a CRL's issuer decides nothing.
        let mut findings = verdict.findings.iter().filter(|found| !found.in_crl_path);
        let text = |found: &Finding| {
            let said = found.code.text_of(verdict.release);
            format!("error {} at {} depth: {said}", found.code.number(), found.depth)
        };
        let first = findings.next();
        Err(Refusal {
            text: first.map_or_else(|| "without naming an error".to_owned(), text),
            reason: None,
            cert: first.and_then(|found| found.cert.clone()),
            only_as: None,
            undecided: false,
        })
    }

    fn go(&self) -> impl Fn(Peer) -> Outcome {
        let pools = Pools::new(&self.roots, &self.settings.untrusted);
        let options = go::Options::at(self.at).with_release(self.releases.go);
        let target = Certificate::try_from(self.target);
        move |peer| {
            let usage = match peer {
                Peer::Client => Oid::CLIENT_AUTH,
                _ => Oid::SERVER_AUTH,
            };
            let target = target.as_ref().map_err(Clone::clone)?;
            let chains = go::verify(target, &pools, &options.clone().with_usage(usage))?;
            let first = chains.into_iter().next().unwrap_or_default();
            Ok(first.iter().filter_map(Certificate::cert).collect())
        }
    }

    fn envoy_store(&self) -> Result<TrustStore, Rejection> {
        TrustStore::of_release(&self.roots, &self.crls, self.releases.envoy)
    }

    fn envoy(&self, store: &TrustStore, peer: Peer) -> Outcome {
        let policy = boringssl::Policy::new(self.at).with_peer(peer);
        store.verify(self.target, &self.settings.untrusted, &policy)
    }

    pub(super) fn ztunnel_store(&self) -> webpki::TrustStore {
        webpki::TrustStore::new(&self.roots, &self.crls)
    }

    fn ztunnel(&self, store: &webpki::TrustStore, peer: Peer) -> Outcome {
        let policy =
            webpki::Policy::new(self.at).with_peer(peer).with_release(self.releases.ztunnel);
        store.verify(self.target, &self.settings.untrusted, &policy)
    }
}

fn refusal(why: Rejection, only_as: Option<Peer>) -> Refusal {
    Refusal {
        undecided: why.reason == Reason::Undecided,
        text: why.text,
        reason: Some(why.reason),
        cert: why.cert,
        only_as,
    }
}
