//! What is wrong between clusters: roots that differ, keys and names that do not.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::peers::{self, Refusal};
use super::{Folder, Remedy, SecretProblem, Severity};
use crate::cert::{Cert, fingerprints};
use crate::istiod::dataplane::Verifier;

pub(super) fn check(folders: &[Folder<'_>], problems: &mut Vec<SecretProblem>) {
    let refusals = peers::check(folders, problems);
    let readable: Vec<(&Folder<'_>, &Cert)> =
        folders.iter().filter_map(|folder| Some((folder, folder.ca.as_ref()?))).collect();
    let other_roots = have_other_roots(&readable);
    if other_roots {
        problems.extend(roots(&readable, &refusals));
    } else {
        problems.extend(peers::across(&refusals));
    }
    problems.extend(shared_keys(&readable));
    problems.extend(same_subjects(&readable));
}

/// A problem of several clusters.
fn between(
    folders: &[&Folder<'_>],
    code: &'static str,
    severity: Severity,
    message: &str,
) -> Option<SecretProblem> {
    let mut problem = folders.first()?.problem(code, severity, message.to_string());
    problem.clusters = folders.iter().map(|folder| folder.name.to_string()).collect();
    Some(problem)
}

fn have_other_roots(readable: &[(&Folder<'_>, &Cert)]) -> bool {
    let set = |folder: &Folder<'_>| fingerprints(&folder.roots);
    let sets: BTreeSet<_> = readable.iter().map(|(folder, _)| set(folder)).collect();
    sets.len() > 1
}

/// Clusters with different roots, and what the proxies of each refuse of the others.
fn roots(readable: &[(&Folder<'_>, &Cert)], refusals: &[Refusal<'_>]) -> Option<SecretProblem> {
    let refused: Vec<String> = refusals
        .iter()
        .filter_map(|Refusal { ours, theirs, who, why }| {
            let ca = theirs.ca.as_ref()?.label();
            let (ours, theirs) = (ours.name, theirs.name);
            let of = if *who == Verifier::Ztunnel { "ztunnel of " } else { "" };
            Some(alloc::format!("{of}{ours} does not accept {ca} of {theirs}: {}", why.text))
        })
        .chain(refusals.iter().filter_map(twin))
        .collect();
    let all: Vec<&Folder<'_>> = readable.iter().map(|(folder, _)| *folder).collect();
    if refused.is_empty() && !all.iter().any(|one| all.iter().any(|other| is_overlap(one, other))) {
        return None;
    }
    let mut problem = if refused.is_empty() {
        between(
            &all,
            "istiod/root-bundles-differ",
            Severity::Warning,
            "the clusters have different sets of roots",
        )?
    } else {
        between(
            &all,
            "istiod/different-roots",
            Severity::Error,
            "the clusters do not trust each other",
        )?
    };
    for (folder, _) in readable {
        let names: Vec<String> = folder.roots.iter().map(Cert::label).collect();
        problem =
            problem.evidence(alloc::format!("{} trusts {}", folder.name, names.join(" and ")));
    }
    let effect = if refused.is_empty() {
        "istiod does not compare clusters; each distributes its own set, so calls succeed now but fail after a change of root"
    } else {
        "istiod does not compare clusters; calls between them fail with CERTIFICATE_VERIFY_FAILED"
    };
    problem.evidence.extend(refused);
    Some(problem.effect(effect).fix(
        "give every cluster all roots before any of them signs under a new one, and remove the old roots last",
        Remedy::inspect(&[all[0].bundle.layout.roots_file()]),
    ))
}

/// Whether two clusters have different roots and one in common, as in a change of root. Without one in common, what they
/// accept of each other they accept by bridges, and each keeps its own roots.
fn is_overlap(one: &Folder<'_>, other: &Folder<'_>) -> bool {
    if one.is_apart(other) {
        return false;
    }
    let (ours, theirs) = (fingerprints(&one.roots), fingerprints(&other.roots));
    ours != theirs && ours.iter().any(|root| theirs.contains(root))
}

/// The same CA under a root that the other cluster trusts, behind the one that istiod takes.
fn twin(Refusal { ours, theirs, .. }: &Refusal<'_>) -> Option<String> {
    let ca = theirs.ca.as_ref()?;
    let file = theirs.bundle.layout.chain_files()[0];
    let all = crate::cacerts::go_pem::pool(theirs.secret.get(file)?);
    let is_twin = |cert: &Cert| {
        cert != ca
            && cert.subject() == ca.subject()
            && cert.public_key() == ca.public_key()
            && ours.roots.iter().any(|root| root.subject() == cert.issuer())
    };
    let place = all.iter().position(is_twin)?;
    Some(alloc::format!(
        "certificate {} of {file} is the same CA under `{}`, which {} trusts, but istiod takes the first: put that one first once every cluster trusts it",
        place + 1,
        all[place].issuer().label(),
        ours.name
    ))
}

/// One key in several clusters: what is lost in one is lost in all, and none can be revoked alone.
fn shared_keys(readable: &[(&Folder<'_>, &Cert)]) -> Vec<SecretProblem> {
    groups(readable, |a, b| a.public_key().as_der() == b.public_key().as_der())
        .into_iter()
        .filter_map(|(folders, ca)| {
            let mut problem = between(
                &folders,
                "istiod/shared-key",
                Severity::Warning,
                "several clusters sign with the same key",
            )?;
            problem.evidence = Vec::from([alloc::format!("key sha256 {} in each of them", ca.public_key().fingerprint())]);
            Some(
                problem
                    .effect("istiod does not compare clusters; anyone who steals the key from one of them can sign for all")
                    .fix("give every cluster its own key", Remedy::Renew),
            )
        })
        .collect()
}

/// One name for several keys: OpenSSL and BoringSSL take the first issuer whose name fits.
fn same_subjects(readable: &[(&Folder<'_>, &Cert)]) -> Vec<SecretProblem> {
    let named: Vec<(&Folder<'_>, &Cert)> = readable.to_vec();
    groups(&named, |a, b| a.subject() == b.subject())
        .into_iter()
        .filter(|(folders, first)| {
            folders.iter().any(|folder| folder.ca.as_ref().is_some_and(|ca| ca.public_key().as_der() != first.public_key().as_der()))
        })
        .filter_map(|(folders, _)| {
            let mut problem = between(
                &folders,
                "istiod/same-subject",
                Severity::Warning,
                "several clusters have a CA with the same name",
            )?;
            for folder in &folders {
                if let Some(ca) = &folder.ca {
                    problem = problem.evidence(alloc::format!("{}: {}", folder.name, ca.label()));
                }
            }
            Some(
                problem
                    .effect("istiod does not compare clusters; a verifier that has both CAs may use the wrong one and report a bad signature")
                    .fix("name each CA after its cluster", Remedy::Replace),
            )
        })
        .collect()
}

/// Clusters whose CAs are alike, where there are at least two; with the CA of the first.
fn groups<'a>(
    readable: &[(&'a Folder<'a>, &'a Cert)],
    alike: impl Fn(&Cert, &Cert) -> bool,
) -> Vec<(Vec<&'a Folder<'a>>, &'a Cert)> {
    let mut groups: Vec<(Vec<&'a Folder<'a>>, &'a Cert)> = Vec::new();
    for (folder, ca) in readable {
        match groups.iter_mut().find(|(_, first)| alike(first, ca)) {
            Some((folders, _)) => folders.push(folder),
            None => groups.push((Vec::from([*folder]), ca)),
        }
    }
    groups.retain(|(folders, _)| folders.len() > 1);
    groups
}
