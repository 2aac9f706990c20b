//! Whether Go finds a path from the signing certificate to a root, and if not, why.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::files::is_self_signed;
use super::{Folder, Remedy, SecretProblem, date};
use crate::cert::Cert;
use crate::digest::hex_colons;
use crate::istiod::Refusal;
use crate::istiod::bundle::{allows_server_auth, insecure_signature};
use crate::key::post_quantum;
use crate::oid;
use crate::verify::go::Certificate;
use crate::verify::{Reason, Rejection};

pub(super) fn check(folder: &Folder<'_>, problems: &mut Vec<SecretProblem>) {
    let (Some(Err(why)), Some(ca)) = (&folder.trust, &folder.ca) else { return };
    let problem = match Refusal::from(why) {
        Refusal::Expired => expired(folder),
        Refusal::ExtKeyUsage => ext_key_usage(folder),
        Refusal::PathLength => path_length(folder),
        Refusal::NameConstraints => name_constraints(folder, ca),
        Refusal::Sha1 => sha1(folder),
        _ if ended_bridge(folder).is_some() => expired(folder),
        _ => untrusted(folder, ca, why),
    };
    let mut problem = problem.file(folder.bundle.layout.ca_file());
    // The start may fail earlier, or not be tried at all: what this check finds is reported in any case.
    if !problem.effect.contains(why.text.as_str()) {
        problem.effect = alloc::format!("{}; once that is fixed: {}", problem.effect, why.text);
    }
    problems.push(problem);
}

fn expired(folder: &Folder<'_>) -> SecretProblem {
    let mut problem = folder.error(
        "istiod/expired",
        "a certificate between the CA and its root is not valid at this time",
    );
    for (file, cert) in folder.distinct() {
        let (begin, end) = (cert.not_before().time(), cert.not_after().time());
        if begin.is_some_and(|begin| folder.at < begin) {
            problem = problem.evidence(alloc::format!(
                "{} in {file} is not valid before {}",
                cert.label(),
                date(begin)
            ));
        } else if end.is_some_and(|end| folder.at > end) {
            problem = problem.evidence(alloc::format!(
                "{} in {file} expired {}",
                cert.label(),
                date(end)
            ));
        }
    }
    let at = folder.at;
    let problem = problem.evidence(alloc::format!("the time is {at}"));
    match ended_bridge(folder) {
        Some(bridge) => problem.fix(
            alloc::format!(
                "finish the rotation, or have the owner of `{}` cross-sign the new root again",
                bridge.issuer().label()
            ),
            Remedy::FinishRotation,
        ),
        None => {
            problem.fix("renew it; if it is the root, all clusters need the new one", Remedy::Renew)
        }
    }
}

/// The bridge of a rotation that took longer than the bridge was valid. Go reports the last certificate it tried, which may
/// be the new root.
fn ended_bridge<'a>(folder: &'a Folder<'_>) -> Option<&'a Cert> {
    let mut bridges = folder.rotation_bridges().into_iter();
    bridges.find(|cert| cert.not_after().time().is_some_and(|end| folder.at > end))
}

fn ext_key_usage(folder: &Folder<'_>) -> SecretProblem {
    let mut problem =
        folder.error("istiod/ext-key-usage", "an extended key usage lacks serverAuth");
    for (file, cert) in folder.distinct().into_iter().filter(|(_, cert)| !allows_server_auth(cert))
    {
        let usages = cert.extensions().ext_key_usage.iter().flatten();
        let names: Vec<String> = usages.map(|u| oid::long_name_or_dotted(u.as_bytes())).collect();
        problem = problem.evidence(alloc::format!(
            "{} in {file} is for: {}",
            cert.label(),
            names.join(", ")
        ));
    }
    problem
        .evidence("Go treats a CA's extended key usage as a limit on everything below it, and istiod requires serverAuth")
        .fix("issue it without extended key usages", Remedy::Renew)
}

fn path_length(folder: &Folder<'_>) -> SecretProblem {
    let problem = folder.error("istiod/path-length", "a path length does not allow the CA");
    path_lengths(folder, problem)
}

/// The path lengths there are, as evidence, and the way out.
pub(super) fn path_lengths(folder: &Folder<'_>, mut problem: SecretProblem) -> SecretProblem {
    for (file, cert) in folder.distinct() {
        if let Some(limit) = cert.extensions().basic_constraints.and_then(|c| c.path_len) {
            problem =
                problem.evidence(alloc::format!("{} in {file} has pathlen:{limit}", cert.label()));
        }
    }
    problem.fix(
        "sign the CA with a root that has no path length",
        Remedy::StartOver { key_type: None },
    )
}

fn name_constraints(folder: &Folder<'_>, ca: &Cert) -> SecretProblem {
    let names = ca.extensions().subject_alt_name.iter().flatten().map(ToString::to_string);
    let names: Vec<String> = names.collect();
    folder
        .error(
            "istiod/name-constraints",
            "a name of the CA is outside the name constraints above it",
        )
        .evidence(alloc::format!("{} has the names: {}", ca.label(), names.join(", ")))
        .fix(
            "issue it with names inside them",
            Remedy::inspect(&[folder.bundle.layout.chain_files()[0]]),
        )
}

fn sha1(folder: &Folder<'_>) -> SecretProblem {
    let mut problem =
        folder.error("istiod/sha1", "a signature between the CA and its root uses SHA-1");
    for (file, cert) in folder.distinct() {
        if let Some(name) = insecure_signature(cert).filter(|_| !is_self_signed(cert)) {
            problem = problem
                .evidence(alloc::format!("{} in {file} is signed with {name}", cert.label()));
        }
    }
    problem
        .evidence("Go 1.18 and later, and therefore Istio 1.14 and later, reject it")
        .fix("issue it again with SHA-256", Remedy::Renew)
}

/// Roots that are named one by one.
const SHOWN: usize = 20;

/// No path to a root, and what is wrong with the best one.
fn untrusted(folder: &Folder<'_>, ca: &Cert, why: &Rejection) -> SecretProblem {
    let fault = why.cert.as_ref().unwrap_or(ca);
    let place = match folder.file_of(fault) {
        Some(file) => alloc::format!("{} in {file}", fault.label()),
        None => fault.label(),
    };
    match why.reason {
        Reason::CriticalExtension => critical(folder, fault, &place),
        Reason::Algorithm => algorithm(folder, fault, &place, why),
        Reason::NotCa => not_ca(folder, fault, &place),
        Reason::BadSignature => bad_signature(folder, ca, fault, &place),
        Reason::Policy => folder
            .error("istiod/untrusted", "the certificate policies do not allow the CA")
            .evidence("a certificate requires an explicit policy, and no policy is valid on the whole path")
            .fix("issue the CA without certificate policies", Remedy::Renew),
        Reason::Limit => folder
            .error("istiod/untrusted", "Go gives up before it has found a path to a root")
            .evidence("it checks 100 signatures at most, and too many certificates have the same subject")
            .fix("remove the certificates that are not needed", Remedy::inspect(&[folder.bundle.layout.chain_files()[0]])),
        _ if has_unused_issuer(folder, fault) => algorithm(folder, fault, &place, why),
        _ => no_issuer(folder, ca),
    }
}

/// Whether the issuer of a certificate is there, but has a key that Go does not use.
fn has_unused_issuer(folder: &Folder<'_>, cert: &Cert) -> bool {
    let issuers = folder.certs().filter(|(_, issuer)| issuer.subject() == cert.issuer());
    let mut read = issuers.filter_map(|(_, issuer)| Certificate::try_from(issuer).ok());
    read.any(|issuer| issuer.has_unknown_key())
}

/// A critical extension that Go does not know.
fn critical(folder: &Folder<'_>, fault: &Cert, place: &str) -> SecretProblem {
    let unhandled = Certificate::try_from(fault).ok().and_then(|cert| cert.unhandled_extension());
    let name = unhandled.as_ref().map(|oid| oid::long_name_or_dotted(oid.as_bytes()));
    let name = name.unwrap_or_else(|| "an extension".to_string());
    folder
        .error("istiod/untrusted", alloc::format!("{place} has a critical extension that Go does not support: {name}"))
        .evidence("Go rejects a certificate with a critical extension it does not support, wherever it is in the chain")
        .fix("issue it without the extension, or with the extension not critical", Remedy::inspect(&[file_or_ca(folder, fault)]))
}

/// A signature algorithm, or a key, that Go does not verify with.
fn algorithm(folder: &Folder<'_>, fault: &Cert, place: &str, why: &Rejection) -> SecretProblem {
    let name = post_quantum::name(
        crate::algorithm::algorithm_parts(fault.signature_algorithm())
            .map_or(&[][..], |(oid, _)| oid),
    );
    let issuers = folder.certs().filter(|(_, cert)| cert.subject() == fault.issuer());
    let keys: Vec<String> = issuers
        .map(|(file, cert)| {
            alloc::format!(
                "{} in {file} has a key of type {}",
                cert.label(),
                cert.public_key().algorithm()
            )
        })
        .collect();
    let mut problem = folder
        .error("istiod/untrusted", alloc::format!("Go does not verify the signature of {place}"))
        .evidence(alloc::format!("it is signed with {name}; Go says: {}", inner(&why.text)));
    problem.evidence.extend(keys);
    problem
        .evidence("Go verifies RSA and RSASSA-PSS (MGF1 with the same hash, and a salt of its length) with SHA-256, SHA-384 or SHA-512, RSA from 1024 bits, ECDSA on P-224 to P-521, and Ed25519")
        .fix("issue it again with an algorithm that Go verifies, such as ECDSA with SHA-256", Remedy::Renew)
}

/// The fault that Go suspects, without the frame around it.
fn inner(text: &str) -> &str {
    let quoted = text.split_once("possibly because of \"").map(|(_, rest)| rest);
    quoted.and_then(|rest| rest.split_once('"')).map_or(text, |(inner, _)| inner)
}

/// An issuer that is not a CA, or may not sign certificates.
fn not_ca(folder: &Folder<'_>, fault: &Cert, place: &str) -> SecretProblem {
    let extensions = fault.extensions();
    let says = match (&extensions.basic_constraints, extensions.key_usage) {
        (None, _) if fault.version() < 2 => {
            "it is a version 1 certificate, without extensions".to_string()
        }
        (None, _) => "it has no basicConstraints".to_string(),
        (Some(constraints), _) if !constraints.ca => "basicConstraints says CA:FALSE".to_string(),
        (Some(_), Some(usage)) => {
            alloc::format!("keyUsage is {}", usage.names().collect::<Vec<_>>().join(", "))
        }
        (Some(_), None) => "it is not a CA".to_string(),
    };
    folder
        .error(
            "istiod/untrusted",
            alloc::format!("{place} is not authorized to sign other certificates"),
        )
        .evidence(alloc::format!("{}: {says}", fault.label()))
        .evidence("expected: basicConstraints with CA:TRUE, and keyCertSign if there is a keyUsage")
        .fix(
            "issue it as a CA, then sign the cluster's CA with it again",
            Remedy::inspect(&[file_or_ca(folder, fault)]),
        )
}

/// A certificate of the right name whose key did not make the signature.
fn bad_signature(folder: &Folder<'_>, ca: &Cert, fault: &Cert, place: &str) -> SecretProblem {
    let mut problem = folder.error(
        "istiod/untrusted",
        alloc::format!("no certificate of the secret made the signature of {place}"),
    );
    let named = folder.distinct().into_iter().filter(|(_, cert)| cert.subject() == fault.issuer());
    for (file, cert) in named.take(SHOWN) {
        problem = problem.evidence(alloc::format!(
            "{} in {file} has the name of its issuer, but another key",
            cert.label()
        ));
    }
    if is_self_signed(ca) {
        problem = problem.evidence("the CA is signed with its own key, not by a root");
    }
    problem.fix(
        "put the certificate whose key made the signature into the files, or sign the CA again",
        folder.explain_trust(),
    )
}

fn file_or_ca(folder: &Folder<'_>, cert: &Cert) -> &'static str {
    folder.file_of(cert).unwrap_or_else(|| folder.bundle.layout.ca_file())
}

/// No certificate has the name of the issuer.
fn no_issuer(folder: &Folder<'_>, ca: &Cert) -> SecretProblem {
    let root_file = folder.bundle.layout.roots_file();
    let key_id = |id: Option<&Vec<u8>>| id.map_or_else(|| "none".to_string(), |id| hex_colons(id));
    let wanted = ca.extensions().authority_key_id.as_ref().and_then(|id| id.key_id.as_ref());
    let mut problem = folder
        .error("istiod/untrusted", alloc::format!("no root of {root_file} issued the CA"))
        .evidence(alloc::format!(
            "{} was issued by `{}`, key id {}",
            ca.label(),
            ca.issuer().label(),
            key_id(wanted)
        ));
    for root in folder.roots.iter().take(SHOWN) {
        problem = problem.evidence(alloc::format!(
            "{root_file} has {}, key id {}",
            root.label(),
            key_id(root.extensions().subject_key_id.as_ref())
        ));
    }
    if folder.roots.len() > SHOWN {
        let more = folder.roots.len() - SHOWN;
        problem = problem.evidence(alloc::format!("{root_file} has {more} more certificates"));
    }
    if folder.roots.is_empty() {
        problem = problem.evidence(alloc::format!("{root_file} contains no certificate"));
    }
    if is_self_signed(ca) {
        problem = problem.evidence("the CA is signed with its own key, not by a root");
    }
    problem.fix(
        "sign the CA with the root's key, or add its actual root, and the certificates in between, to the files",
        folder.explain_trust(),
    )
}
