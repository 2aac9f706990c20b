//! Answers as JSON; `docs/schemas/verification.json` says what the keys are.

use meshpki::Cert;
use meshpki::verify::Reason;
use meshpki::verify::webpki::Peer;
use serde_json::{Value, json};

use super::why::why;
use super::{Opinion, Panel, Verifier};
use crate::commands::ca::verify::settings::Settings;

/// The whole document, with the exit status the run ends with.
pub(in super::super) fn document(
    settings: &Settings,
    status: u8,
    certificates: Vec<Value>,
) -> String {
    let document = json!({
        "apiVersion": "meshctl/v1",
        "kind": "Verification",
        "at": settings.policy.at.map(|at| at.to_string()),
        "openssl": settings.policy.release.to_string(),
        "istio": settings.istio.map(|version| version.to_string()),
        "exitStatus": status,
        "certificates": certificates,
    });
    crate::text::json(&document)
}

impl Panel<'_> {
    /// The answers about one certificate.
    pub(in super::super) fn json(&self) -> Value {
        let verifiers: Vec<Value> =
            self.opinions.iter().map(|opinion| self.opinion(opinion)).collect();
        json!({ "name": self.name, "agree": self.agree(), "verifiers": verifiers })
    }

    fn opinion(&self, opinion: &Opinion) -> Value {
        let refusal = opinion.outcome.as_ref().err();
        let chain = opinion.outcome.as_deref().unwrap_or_default();
        let verdict = match opinion.verdict() {
            "accepts" => "accepted",
            "rejects" => "rejected",
            undecided => undecided,
        };
        let side = refusal.and_then(|refusal| refusal.only_as).map(|peer| match peer {
            Peer::Client => "client",
            _ => "server",
        });
        json!({
            "verifier": id(opinion.verifier),
            "result": verdict,
            "reason": refusal.and_then(|refusal| refusal.reason).map(Reason::name),
            "text": refusal.map(|refusal| refusal.text.as_str()),
            "onlyAs": side,
            "certificate": refusal.and_then(|r| r.cert.as_ref()).map(|cert| self.link(cert)),
            "explanation": refusal.and_then(|refusal| why(opinion.verifier, refusal, self)),
            "chain": chain.iter().map(|cert| self.link(cert)).collect::<Vec<_>>(),
        })
    }

    fn link(&self, cert: &Cert) -> Value {
        json!({
            "subject": cert.subject().to_string(),
            "serial": cert.serial_hex(),
            "sha256": cert.fingerprint(),
            "place": self.place(cert),
        })
    }
}

const fn id(verifier: Verifier) -> &'static str {
    match verifier {
        Verifier::OpenSsl => "openssl",
        Verifier::Go => "go",
        Verifier::Envoy => "envoy",
        Verifier::Ztunnel => "ztunnel",
    }
}
