//! What expires soon: certificates of the cluster, and those by which other meshes accept it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Folder, Remedy, SecretProblem};
use crate::cert::Cert;
use crate::chain::is_bridge;
use crate::crl::Crl;
use crate::istiod::dataplane::crls;
use crate::time::{self, DAY, Time};
use crate::verify::Reason;

/// What counts as soon: a renewal that takes a meeting still comes in time.
const SOON: Duration = Duration::from_secs(30 * DAY.as_secs());

pub(super) fn check(folder: &Folder<'_>) -> impl Iterator<Item = SecretProblem> {
    let bridges = bridges_end(folder).into_iter().chain(rotation_bridges_end(folder));
    expires_soon(folder).into_iter().chain(bridges).chain(crls_end(folder))
}

/// What expires soon, or has expired without breaking the path.
fn expires_soon(folder: &Folder<'_>) -> Option<SecretProblem> {
    if matches!(&folder.trust, Some(Err(why)) if why.reason == Reason::Expired) {
        return None;
    }
    let all = folder.distinct().into_iter().filter(|(_, cert)| !folder.is_bridge(cert));
    let evidence: Vec<String> =
        all.filter_map(|(file, cert)| ending(file, cert, folder.at)).collect();
    if evidence.is_empty() {
        return None;
    }
    let mut problem = folder
        .warning("istiod/expires-soon", "a certificate expires within 30 days, or has expired");
    problem.evidence = evidence;
    let leaves = if folder.settings.version.clamps_leaves() {
        "workload certificates expire no later than the CA"
    } else {
        "workload certificates may outlive the CA, and are rejected once it has expired"
    };
    let problem = problem.effect(alloc::format!("{}; {leaves}", folder.verdict()));
    Some(match replaced(folder) {
        Some(file) => problem.fix(
            alloc::format!(
                "remove it from {file}: a certificate of the same name and key is valid longer"
            ),
            Remedy::inspect(&[file]),
        ),
        None => problem.fix("renew it", Remedy::Renew),
    })
}

/// When a certificate has expired or will soon, as a line.
fn ending(file: &str, cert: &Cert, at: Time) -> Option<String> {
    let end = cert.not_after().time()?;
    let left = end.since(at);
    if end < at {
        return Some(alloc::format!("{} in {file} expired {end}", cert.label()));
    }
    (left <= SOON).then(|| {
        alloc::format!("{} in {file} expires {end}, in {}", cert.label(), time::words(left))
    })
}

/// What other meshes accept this one by, and not for much longer: only they can renew it.
fn bridges_end(folder: &Folder<'_>) -> Option<SecretProblem> {
    let file = folder.bundle.layout.chain_files()[0];
    let bridges: Vec<&Cert> =
        folder.chain.iter().filter(|cert| is_bridge(cert, &folder.roots)).collect();
    let (evidence, issuers): (Vec<String>, Vec<String>) = bridges
        .into_iter()
        .filter_map(|cert| Some((ending(file, cert, folder.at)?, cert.issuer().label())))
        .unzip();
    let issuer = issuers.first()?;
    let mut problem = folder
        .warning("istiod/expires-soon", "another mesh accepts the cluster for less than 30 days")
        .file(file)
        .effect(alloc::format!(
            "{}; whoever trusts `{issuer}` rejects its workloads once that certificate has expired",
            folder.verdict()
        ));
    problem.evidence = evidence;
    Some(problem.fix(
        alloc::format!(
            "have the owner of `{issuer}` cross-sign the root again, and send the new certificate"
        ),
        Remedy::inspect(&[file]),
    ))
}

/// What the old roots accept the new CA by in a rotation that has not been finished, and not for much longer.
fn rotation_bridges_end(folder: &Folder<'_>) -> Option<SecretProblem> {
    // Without it, the CA is not trusted: `trust.rs` says so.
    if matches!(&folder.trust, Some(Err(_))) {
        return None;
    }
    let file = folder.bundle.layout.chain_files()[0];
    let bridges = folder.rotation_bridges().into_iter();
    let (evidence, issuers): (Vec<String>, Vec<String>) = bridges
        .filter_map(|cert| Some((ending(file, cert, folder.at)?, cert.issuer().label())))
        .unzip();
    let issuer = issuers.first()?;
    let mut problem = folder
        .warning("istiod/expires-soon", "a rotation is not finished, and its bridge expires within 30 days")
        .file(file)
        .effect(alloc::format!(
            "{}; once the bridge has expired, it refuses to start, and whoever trusts only `{issuer}` rejects its workloads",
            folder.verdict()
        ));
    problem.evidence = evidence;
    Some(problem.fix(
        alloc::format!(
            "finish the rotation, or have the owner of `{issuer}` cross-sign the new root again"
        ),
        Remedy::FinishRotation,
    ))
}

/// CRLs with less than a third of their time left, and expired ones of CAs that are elsewhere: what one of a CA of the
/// cluster stops is reported by its peers.
fn crls_end(folder: &Folder<'_>) -> Option<SecretProblem> {
    let line = |crl: Crl| {
        let end = crl.end()?;
        let left = end.since(folder.at);
        let label = crl.issuer().label();
        if end <= folder.at {
            let mut own = folder.chain.iter().chain(&folder.roots);
            let is_own = own.any(|cert| cert.subject() == crl.issuer());
            return (!is_own).then(|| alloc::format!("the CRL of `{label}` expired {end}"));
        }
        let soon = left < crl.renew_within().map_or(SOON, |within| within.min(SOON));
        soon.then(|| alloc::format!("the CRL of `{label}` expires {end}, in {}", time::words(left)))
    };
    let evidence: Vec<String> =
        crls(folder.bundle.crl().unwrap_or_default()).into_iter().filter_map(line).collect();
    if evidence.is_empty() {
        return None;
    }
    let mut problem = folder
        .warning("istiod/crl-expires-soon", "a CRL expires soon, or has expired")
        .file("ca-crl.pem")
        .effect(alloc::format!(
            "{}; once a CRL has expired, Envoy rejects every certificate below its CA",
            folder.verdict()
        ));
    problem.evidence = evidence;
    Some(problem.fix("make new ones", Remedy::IssueCrls))
}

/// The file of what ends soon, if for each of those another certificate of its name and key is valid longer.
fn replaced(folder: &Folder<'_>) -> Option<&'static str> {
    let all = folder.distinct();
    let end = |cert: &Cert| cert.not_after().time();
    let ends_soon =
        |cert: &Cert| end(cert).is_some_and(|end| end.since(folder.at) <= SOON || end < folder.at);
    let has_heir = |cert: &Cert| {
        all.iter().any(|(_, other)| {
            other.subject() == cert.subject()
                && other.public_key() == cert.public_key()
                && !ends_soon(other)
        })
    };
    let mut ending = all.iter().filter(|(_, cert)| ends_soon(cert) && !folder.is_bridge(cert));
    let (file, _) = ending.clone().next()?;
    ending.all(|(_, cert)| has_heir(cert)).then_some(*file)
}
