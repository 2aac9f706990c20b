//! What istiod does not check though the mesh fails on it, and what will fail later.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::files::is_self_signed;
use super::trust::path_lengths;
use super::{Folder, Remedy, SecretProblem, date};
use crate::cacerts::Layout;
use crate::cacerts::go_pem;
use crate::cert::{Cert, KeyUsage};
use crate::chain::is_bridge;
use crate::istiod::bundle::signed_crl;
use crate::istiod::canary::permitted_hosts;
use crate::istiod::dataplane::crls;
use crate::istiod::{Refusal, StartOutcome};
use crate::key::KeyAlgorithm;
use crate::key::flaw::samples;
use crate::key::post_quantum::parameter_set;
use crate::soft::KeyType;

pub(super) fn check(folder: &Folder<'_>, problems: &mut Vec<SecretProblem>) {
    problems.extend(crl(folder));
    let Some(ca) = &folder.ca else { return };
    problems.extend(not_ca(folder, ca));
    problems.extend(cert_sign(folder, ca));
    problems.extend(path_room(folder));
    problems.extend(chain_start(folder, ca));
    problems.extend(duplicates(folder));
    problems.extend(outlives(folder));
    problems.extend(super::expiry::check(folder));
    problems.extend(forgeable_keys(folder));
    problems.extend(weak_keys(folder));
    problems.extend(roots_not_self_signed(folder));
    problems.extend(constrained(folder));
}

/// A workload's or a server's certificate in place of the CA's.
fn not_ca(folder: &Folder<'_>, ca: &Cert) -> Option<SecretProblem> {
    if ca.is_ca() {
        return None;
    }
    let says = match ca.extensions().basic_constraints {
        Some(_) => "basicConstraints says CA:FALSE",
        None => "it has no basicConstraints",
    };
    let layout = folder.bundle.layout;
    let mut problem = folder
        .error(
            "istiod/not-ca",
            alloc::format!("the first certificate of {} is not a CA", layout.ca_file()),
        )
        .file(layout.ca_file())
        .evidence(alloc::format!("{}: {says}", ca.label()));
    if let Some(other) = folder.chain.iter().find(|cert| cert.is_ca() && *cert != ca) {
        problem = problem.evidence(alloc::format!(
            "{} in {} is a CA",
            other.label(),
            layout.chain_files()[0]
        ));
    }
    let effect = alloc::format!(
        "{}; a running istiod loads it without checking, and then fails at its next start",
        folder.verdict()
    );
    Some(problem.effect(effect).fix("sign it as a CA", Remedy::SignRequest))
}

/// A CA that may not sign certificates.
fn cert_sign(folder: &Folder<'_>, ca: &Cert) -> Option<SecretProblem> {
    let usage = ca.extensions().key_usage?;
    if usage.contains(KeyUsage::KEY_CERT_SIGN) || !ca.is_ca() {
        return None;
    }
    let names: Vec<&str> = usage.names().collect();
    let problem = folder
        .error("istiod/cert-sign", "the CA's keyUsage does not allow it to sign certificates")
        .file(folder.bundle.layout.ca_file())
        .evidence(alloc::format!("{}: keyUsage is {}", ca.label(), names.join(", ")))
        .evidence("expected: keyCertSign")
        .effect(alloc::format!("{}; peers reject every certificate it signs", folder.verdict()));
    Some(problem.fix("issue it with keyCertSign", Remedy::Renew))
}

/// Room for the CA, none for what it signs. Go counts the CAs below, and a workload's
/// certificate is one step further down than the one istiod verifies.
fn path_room(folder: &Folder<'_>) -> Option<SecretProblem> {
    let Some(Ok(chains)) = &folder.trust else { return None };
    let cramped = |chain: &Vec<Cert>| {
        chain.iter().zip(0i64..).any(|(cert, below)| {
            let limit = cert.extensions().basic_constraints.and_then(|c| c.path_len);
            limit.is_some_and(|limit| below > limit)
        })
    };
    if !chains.iter().all(cramped) {
        return None;
    }
    let problem = folder
        .error(
            "istiod/path-length",
            "a path length allows the CA, but not the certificates that it signs",
        )
        .effect(alloc::format!("{}; peers reject every certificate it signs", folder.verdict()));
    Some(path_lengths(folder, problem))
}

/// Workloads send cert-chain.pem after their certificate; its first certificate is the one istiod
/// measures lifetimes by, and without time left it does not start (`security/pkg/pki/ca/ca.go: minTTL`).
fn chain_start(folder: &Folder<'_>, ca: &Cert) -> Option<SecretProblem> {
    let first = folder.chain.first().filter(|first| *first != ca)?;
    let file = folder.bundle.layout.chain_files()[0];
    let absent = !folder.chain.contains(ca) && !folder.roots.contains(ca);
    let ended = first.not_after().time().is_some_and(|end| folder.at > end);
    let message = alloc::format!("{file} does not begin with the CA certificate");
    let mut problem = if absent || ended {
        folder.error("istiod/chain-start", message)
    } else {
        folder.warning("istiod/chain-start", message)
    };
    problem = problem
        .file(file)
        .evidence(alloc::format!("first in {file}: {}", first.label()))
        .evidence(alloc::format!("first in {}: {}", folder.bundle.layout.ca_file(), ca.label()));
    let later = if absent {
        "workloads send a chain without their issuer, which their peers reject"
    } else {
        "it takes its metrics and the default lifetime from a certificate other than the CA's"
    };
    problem = problem
        .evidence(alloc::format!("the first expires {}", date(first.not_after().time())))
        .effect(alloc::format!("{}; {later}", folder.verdict()));
    Some(problem.fix("put the CA certificate first, then those above it", folder.chain_remedy()))
}

/// A repeated certificate. With several roots it may be intended: it changes the text, which starts a rollout.
fn duplicates(folder: &Folder<'_>) -> Option<SecretProblem> {
    let repeated = |text: Option<&[u8]>| -> Vec<Cert> {
        let blocks = text.map(go_pem::blocks).unwrap_or_default();
        let all: Vec<Cert> = blocks.iter().filter_map(|b| go_pem::certificate(&b.der)).collect();
        let mut seen = BTreeSet::new();
        all.iter().filter(|cert| !seen.insert(cert.as_der())).cloned().collect()
    };
    let layout = folder.bundle.layout;
    let roots = folder.bundle.roots().filter(|_| !folder.settings.multi_root);
    // In the other form, istiod puts the two files together itself.
    let chain = folder.secret.get(layout.chain_files()[0]);
    let (mut evidence, mut files): (Vec<String>, Vec<&str>) = (Vec::new(), Vec::new());
    for (file, text) in [(layout.chain_files()[0], chain), (layout.roots_file(), roots)] {
        for cert in repeated(text) {
            evidence.push(alloc::format!("{} is in {file} more than once", cert.label()));
            files.push(file);
        }
    }
    let file = *files.first()?;
    let mut problem =
        folder.warning("istiod/duplicate", "a file contains a certificate more than once");
    problem.evidence = evidence;
    let effect = alloc::format!("{}; every handshake carries both copies", folder.verdict());
    // A file of roots has no order to be written in.
    let remedy =
        if file == "cert-chain.pem" { Remedy::sort(file) } else { Remedy::inspect(&[file]) };
    Some(problem.effect(effect).fix("keep one of each", remedy))
}

/// The path ends before the CA does. A bridge has an end and an owner of its own: `expiry.rs` reports it in time.
fn outlives(folder: &Folder<'_>) -> Option<SecretProblem> {
    let Some(Ok(chains)) = &folder.trust else { return None };
    let end = |cert: &Cert| cert.not_after().time();
    let pair = chains
        .iter()
        .flat_map(|chain| chain.windows(2))
        .find(|pair| end(&pair[0]) > end(&pair[1]) && !folder.is_bridge(&pair[1]))?;
    let problem = folder
        .warning("istiod/outlives-issuer", "a certificate expires after its issuer")
        .evidence(alloc::format!("{} expires {}", pair[0].label(), date(end(&pair[0]))))
        .evidence(alloc::format!("its issuer {} expires {}", pair[1].label(), date(end(&pair[1]))))
        .effect(alloc::format!(
            "{}; it refuses to start once the issuer has expired",
            folder.verdict()
        ));
    Some(problem.fix("replace the issuer before that day", Remedy::ListExpiry))
}

/// Keys that anyone can sign with: the signatures are valid, so no istiod and no proxy objects. Istio's own samples
/// have a problem of their own.
fn forgeable_keys(folder: &Folder<'_>) -> Option<SecretProblem> {
    let all = folder.distinct();
    let flawed = all.iter().filter(|(_, cert)| samples::of_key(cert.public_key()).is_none());
    let evidence: Vec<String> = flawed
        .filter_map(|(file, cert)| {
            let flaw = cert.public_key().flaw()?;
            Some(alloc::format!("the key of {} in {file} protects nothing: {flaw}", cert.label()))
        })
        .collect();
    if evidence.is_empty() {
        return None;
    }
    let mut problem =
        folder.error("istiod/forgeable-key", "anyone can sign as a CA of this secret");
    problem.evidence = evidence;
    let effect = alloc::format!(
        "{}; anyone can use such a key to impersonate any workload of the mesh",
        folder.verdict()
    );
    Some(problem.effect(effect).fix(
        "remove the certificate if it is an additional root; otherwise create a CA with a new key",
        Remedy::StartOver { key_type: Some(KeyType::EcdsaP256) },
    ))
}

fn is_post_quantum(cert: &Cert) -> bool {
    matches!(cert.public_key().algorithm(), KeyAlgorithm::Other { oid } if parameter_set(oid.as_bytes()).is_some())
}

/// Keys that are too short, or of a type proxies do not accept.
fn weak_keys(folder: &Folder<'_>) -> Option<SecretProblem> {
    let weak = |cert: &Cert| match cert.public_key().algorithm() {
        KeyAlgorithm::Rsa { bits } => *bits < 2048,
        KeyAlgorithm::Other { .. } => true,
        _ => false,
    };
    let all = folder.distinct();
    let lines = all.iter().filter(|(_, cert)| weak(cert)).map(|(file, cert)| {
        alloc::format!(
            "{} in {file} has a key of type {}",
            cert.label(),
            cert.public_key().algorithm()
        )
    });
    let mut evidence: Vec<String> = lines.collect();
    if evidence.is_empty() {
        return None;
    }
    if all.iter().any(|(_, cert)| is_post_quantum(cert)) {
        evidence.push(String::from("istiod and its agents (Go) and ztunnel support neither ML-DSA nor SLH-DSA; Envoy verifies ML-DSA since 1.38, which Istio 1.30 has"));
    }
    let mut problem = folder
        .warning("istiod/weak-key", "a key is too short, or its type is not accepted by proxies");
    problem.evidence = evidence;
    let effect =
        alloc::format!("{}; Envoy accepts RSA from 2048 bits, P-256 and P-384", folder.verdict());
    Some(problem.effect(effect).fix(
        "create it with another key",
        Remedy::StartOver { key_type: Some(KeyType::EcdsaP256) },
    ))
}

/// A root that is not self-signed: cert-manager puts the issuing intermediate into ca.crt if it knows no root.
fn roots_not_self_signed(folder: &Folder<'_>) -> Option<SecretProblem> {
    let file = folder.bundle.layout.roots_file();
    let lines = folder.roots.iter().filter(|root| !is_self_signed(root));
    let evidence: Vec<String> = lines
        .map(|root| {
            alloc::format!("{} in {file} was issued by `{}`", root.label(), root.issuer().label())
        })
        .collect();
    if evidence.is_empty() {
        return None;
    }
    let mut problem = folder
        .warning(
            "istiod/root-not-self-signed",
            alloc::format!("{file} contains a certificate that is not a root"),
        )
        .file(file);
    problem.evidence = evidence;
    let effect = alloc::format!(
        "{}; Go accepts every certificate in {file} as a trust anchor, but other verifiers do not, and clusters under the same root have different anchors",
        folder.verdict()
    );
    Some(
        problem
            .effect(effect)
            .fix("put the self-signed root into the file", Remedy::inspect(&[file])),
    )
}

/// A limit on trust domains, which the mesh's own must respect. That of a bridge is for those who accept it.
fn constrained(folder: &Folder<'_>) -> Option<SecretProblem> {
    let all = folder.distinct();
    let limits: Vec<_> = all
        .iter()
        .filter(|(_, cert)| !is_bridge(cert, &folder.roots))
        .map(|(file, cert)| (file, cert, permitted_hosts(cert)))
        .filter(|(_, _, h)| !h.is_empty())
        .collect();
    if limits.is_empty() {
        return None;
    }
    let mut problem =
        folder.warning("istiod/name-constraints", "the CA may sign only for some trust domains");
    for (file, cert, hosts) in limits {
        problem = problem.evidence(alloc::format!(
            "{} in {file} permits: {}",
            cert.label(),
            hosts.join(", ")
        ));
    }
    let effect = alloc::format!(
        "{}; it signs for any trust domain, but Envoy rejects certificates outside the constraint, and ztunnel rejects every chain with one",
        folder.verdict()
    );
    Some(problem.effect(effect).fix(
        "set meshConfig.trustDomain to one of them; for ambient mode, create a CA without the constraint",
        Remedy::ShowMeshConfig,
    ))
}

/// The CRL: all of the chain or none, and only where it is read.
fn crl(folder: &Folder<'_>) -> Option<SecretProblem> {
    const FILE: &str = "ca-crl.pem";
    let text = folder.secret.get(FILE).filter(|text| !text.is_empty())?;
    if folder.bundle.crl().is_none() {
        let why = match folder.bundle.layout {
            Layout::Tls => "istiod does not read it together with tls.crt",
            Layout::Istio => "Istio 1.27 and later read it, unless PILOT_ENABLE_CA_CRL is false",
        };
        let problem = folder
            .warning("istiod/crl-ignored", "istiod does not read ca-crl.pem")
            .file(FILE)
            .evidence(why)
            .effect(alloc::format!("{}; nothing is revoked", folder.verdict()));
        return Some(problem.fix("use a release and a layout that read it", Remedy::ShowRelease));
    }
    let crls = crls(text);
    let lacking = folder.chain.iter().filter(|cert| !crls.iter().any(|crl| signed_crl(cert, crl)));
    let evidence: Vec<String> = lacking
        .map(|cert| {
            let usage = cert.extensions().key_usage;
            let may = usage.is_none_or(|usage| usage.contains(KeyUsage::CRL_SIGN));
            let why = if may {
                ""
            } else {
                ", and its keyUsage lacks cRLSign, so a CRL of it would not count"
            };
            alloc::format!("no CRL signed by {}{why}", cert.label())
        })
        .collect();
    let refused =
        matches!(&folder.start, StartOutcome::RefusesToStart { refusal: Refusal::Crl, .. });
    if evidence.is_empty() && !refused {
        return None;
    }
    let mut problem =
        folder.error("istiod/crl", "not every certificate of the chain has a CRL").file(FILE);
    problem.evidence = evidence;
    problem = problem.evidence(alloc::format!(
        "ca-crl.pem contains {} CRLs; every certificate of the chain needs one, including the root",
        crls.len()
    ));
    Some(problem.fix(
        "add a CRL for each, or remove ca-crl.pem",
        Remedy::inspect(&["ca-crl.pem", folder.bundle.layout.chain_files()[0]]),
    ))
}
