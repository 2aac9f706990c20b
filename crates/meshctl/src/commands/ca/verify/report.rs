//! What openssl does not have: `--explain`, and `-o json`, the verdicts as one document with a version.

use meshpki::Cert;
use meshpki::verify::{Explanation, Finding, Inputs, OtherAnswer, Policy, Release, Verdict};
use serde_json::{Value, json};

use crate::text::safe;

/// Version of the document; a field is never given another meaning under the same version.
const API_VERSION: &str = "meshctl/v1";

/// The whole document, with the exit status the run ends with.
pub(super) fn document(policy: &Policy, status: u8, certificates: Vec<Value>) -> String {
    let document = json!({
        "apiVersion": API_VERSION,
        "kind": "Verification",
        "openssl": policy.release.to_string(),
        "at": policy.at.map(|at| at.to_string()),
        "exitStatus": status,
        "certificates": certificates,
    });
    format!("{document:#}\n")
}

/// A certificate that could not be read.
pub(super) fn unreadable(name: &str, problem: &str) -> Value {
    json!({ "name": name, "result": "unreadable", "problem": problem })
}

/// What was found about one certificate.
pub(super) fn verdict(
    name: &str,
    verdict: &Verdict,
    inputs: &Inputs<'_>,
    policy: &Policy,
    others: &[OtherAnswer],
) -> Value {
    let result = match (verdict.undecided, verdict.is_ok()) {
        (Some(_), _) => "undecided",
        (None, true) => "ok",
        (None, false) => "failed",
    };
    let chain: Vec<Value> = verdict
        .chain
        .iter()
        .enumerate()
        .map(|(depth, cert)| link(depth, cert, depth >= verdict.num_untrusted))
        .collect();
    let findings: Vec<Value> = verdict
        .findings
        .iter()
        .map(|found| finding(found, &verdict.explain(found, inputs, policy), verdict.release))
        .collect();
    json!({
        "name": name,
        "result": result,
        "undecidedDepth": verdict.undecided,
        "chain": chain,
        "findings": findings,
        "otherReleases": others.iter().map(other).collect::<Vec<_>>(),
    })
}

fn other(other: &OtherAnswer) -> Value {
    json!({
        "openssl": other.release.to_string(),
        "answer": other.answer,
        "reason": other.reason,
    })
}

fn link(depth: usize, cert: &Cert, trusted: bool) -> Value {
    json!({
        "depth": depth,
        "trusted": trusted,
        "subject": cert.subject().to_string(),
        "issuer": cert.issuer().to_string(),
        "serial": cert.serial_hex(),
        "notBefore": cert.not_before().time().map(|time| time.to_string()),
        "notAfter": cert.not_after().time().map(|time| time.to_string()),
        "sha256": cert.fingerprint(),
    })
}

fn finding(finding: &Finding, explanation: &Explanation, release: Release) -> Value {
    let certificate = finding.cert.as_ref().map(|cert| {
        json!({
            "subject": cert.subject().to_string(),
            "serial": cert.serial_hex(),
            "sha256": cert.fingerprint(),
        })
    });
    let evidence: Vec<Value> = explanation
        .evidence
        .iter()
        .map(|e| json!({ "what": e.what, "wanted": e.wanted, "found": e.found }))
        .collect();
    json!({
        "code": finding.code.number(),
        "text": finding.code.text_of(release),
        "depth": finding.depth,
        "inChainOfCrlIssuer": finding.in_crl_path,
        "certificate": certificate,
        "evidence": evidence,
        "nextStep": explanation.next_step,
    })
}

/// `--explain`: which release answers, and what chose it.
pub(super) fn release(name: &str, release: Release, by: &str) -> String {
    format!("explain {name}: answered as {}, chosen by {by}\n", release.name())
}

/// `--explain`: a line for each release that answers otherwise.
pub(super) fn others(name: &str, others: &[OtherAnswer]) -> String {
    let line = |other: &OtherAnswer| format!("explain {name}: {}\n", safe(&other.to_string()));
    others.iter().map(line).collect()
}

/// `--explain`: a paragraph for each finding.
pub(super) fn explained(
    name: &str,
    verdict: &Verdict,
    inputs: &Inputs<'_>,
    policy: &Policy,
) -> String {
    let mut text = String::new();
    for finding in &verdict.findings {
        let (code, depth) = (finding.code, finding.depth);
        let said = code.text_of(verdict.release);
        let of = if finding.in_crl_path { "[CRL path] " } else { "" };
        text += &format!("explain {name}: {of}error {} at {depth} depth: {said}\n", code.number());
        let explanation = verdict.explain(finding, inputs, policy).to_string();
        explanation.lines().for_each(|line| text += &format!("  {line}\n"));
    }
    text
}
