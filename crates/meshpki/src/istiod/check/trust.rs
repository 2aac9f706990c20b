//! Whether Go finds a path from the signing certificate to a root, and if not, why.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::files::is_self_signed;
use super::{Folder, Remedy, SecretProblem, date};
use crate::cert::Cert;
use crate::digest::hex_colons;
use crate::istiod::Refusal;
use crate::istiod::go_x509::{allows_server_auth, sha1_name};
use crate::oid;

pub(super) fn check(folder: &Folder<'_>, problems: &mut Vec<SecretProblem>) {
    let (Some(Err((refusal, why))), Some(ca)) = (&folder.trust, &folder.ca) else { return };
    let problem = match refusal {
        Refusal::Expired => expired(folder),
        Refusal::ExtKeyUsage => ext_key_usage(folder),
        Refusal::PathLength => path_length(folder),
        Refusal::NameConstraints => name_constraints(folder, ca),
        Refusal::Sha1 => sha1(folder),
        _ => untrusted(folder, ca),
    };
    let mut problem = problem.file(folder.bundle.layout.ca_file());
    // The start may fail earlier, or not be tried at all: what this check finds is reported in any case.
    if !problem.effect.contains(why.as_str()) {
        problem.effect = alloc::format!("{}; once that is fixed: {why}", problem.effect);
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
    problem
        .evidence(alloc::format!("the time is {at}"))
        .fix("renew it; if it is the root, all clusters need the new one", Remedy::Renew)
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
        .fix("issue it with names inside them", Remedy::inspect(&["cert-chain.pem"]))
}

fn sha1(folder: &Folder<'_>) -> SecretProblem {
    let mut problem =
        folder.error("istiod/sha1", "a signature between the CA and its root uses SHA-1");
    for (file, cert) in folder.distinct() {
        if let Some(name) = sha1_name(cert).filter(|_| !is_self_signed(cert)) {
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

/// No path to a root at all.
fn untrusted(folder: &Folder<'_>, ca: &Cert) -> SecretProblem {
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
        Remedy::ExplainTrust,
    )
}
