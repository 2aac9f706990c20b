//! The plan for people.

use std::fmt::Write as _;
use std::path::Path;

use meshpki::federation::{TrustChange, TrustGap};
use meshpki::istiod::Verifier;
use meshpki::{Cert, Time};

use super::{Situation, files, gaps};
use crate::text::{safe, word};

/// The plan; `next` is the command that takes its first push.
pub(super) fn write(situation: &Situation, next: &str) -> String {
    if situation.is_done() {
        return "every cluster has what its trust models need\n".to_owned();
    }
    let mut out = String::new();
    for cluster in situation.unpushed() {
        let _ = writeln!(
            out,
            "{}: the files of its folder are not in the cluster yet",
            safe(situation.name(cluster))
        );
    }
    for number in 0..situation.plan.pushes.len() {
        let _ = write!(out, "{}. {}", number + 1, step(situation, number));
    }
    for gap in gaps(situation) {
        let _ = writeln!(out, "lacking: {}", lacking(situation, gap));
    }
    if situation.unpushed().next().is_some() || !situation.plan.pushes.is_empty() {
        let _ = writeln!(out, "next: {}", safe(next));
    }
    out
}

/// A push: its cluster, what each file gets, and which clusters accept which after it.
pub(in super::super) fn step(situation: &Situation, number: usize) -> String {
    let push = &situation.plan.pushes[number];
    let cluster = &situation.read.clusters[push.cluster];
    let mut out = format!("push to {}\n", safe(&cluster.name));
    for (file, changes) in files(push, cluster) {
        for change in changes {
            let _ = writeln!(out, "   {file} {}", changed(change));
        }
    }
    for (truster, signer, verifier, end) in &situation.steps[number].accepts {
        let who = if *verifier == Verifier::Ztunnel { "ztunnel of " } else { "" };
        let until = end.map_or_else(String::new, |end| format!(" until {}", end.date()));
        let _ = writeln!(
            out,
            "   then {who}{} accepts {}{until}",
            safe(situation.name(*truster)),
            safe(situation.name(*signer))
        );
    }
    out
}

fn changed(change: &TrustChange) -> String {
    match change {
        TrustChange::Root { root, .. } => {
            format!("+ root `{}`, until {}", safe(&root.subject().label()), until(root))
        }
        TrustChange::Bridge { bridge, .. } => format!("+ {}", about(bridge)),
        TrustChange::Replaced { bridge } => format!("- {}", about(bridge)),
        _ => String::new(),
    }
}

fn about(bridge: &Cert) -> String {
    format!(
        "bridge `{}` by `{}`, until {}",
        safe(&bridge.subject().label()),
        safe(&bridge.issuer().label()),
        until(bridge)
    )
}

fn until(cert: &Cert) -> String {
    cert.not_after().time().map_or_else(|| "?".to_owned(), Time::date)
}

/// What is lacking, and the command that creates it.
pub(in super::super) fn lacking(situation: &Situation, gap: &TrustGap) -> String {
    let name = |index: &usize| safe(situation.name(*index));
    match gap {
        TrustGap::NoBridge { truster, signer, root, .. } => {
            let what = format!(
                "{} has no bridge for `{}`, the root of {}",
                name(truster),
                safe(&root.subject().label()),
                name(signer)
            );
            match command(situation, gap) {
                Some(command) => {
                    format!("{what}\n   {command}\n   then name its file with --bridge")
                }
                None => what,
            }
        }
        TrustGap::TrustedDirectly { truster, signer, root } => format!(
            "{} trusts `{}`, the root of {}, in its root bundle, so trust goes beyond the bridge: remove it from root-cert.pem when no certificate needs it",
            name(truster),
            safe(&root.subject().label()),
            name(signer)
        ),
        TrustGap::Unscoped { truster, signer, bridge } => format!(
            "{} also sends {} without a name constraint: remove it from cert-chain.pem, so that {} believes it for its own trust domain only",
            name(signer),
            about(bridge),
            name(truster)
        ),
        TrustGap::NoSharedRoot { truster, signer } => format!(
            "no root vouches for the CAs of both {} and {}: create both with one root, or choose another model",
            name(truster),
            name(signer)
        ),
        TrustGap::NoAnchor { cluster } => {
            format!(
                "no root in the bundle of {} vouches for its CA; see `meshctl check`",
                name(cluster)
            )
        }
        TrustGap::DomainNotAccepted { truster, signer } => format!(
            "istiod of {} does not accept {}, the trust domain of {}; see `meshctl trust render`",
            name(truster),
            situation.read.clusters[*signer].trust_domain,
            name(signer)
        ),
        _ => String::new(),
    }
}

/// The command that certifies a root.
pub(super) fn command(situation: &Situation, gap: &TrustGap) -> Option<String> {
    let TrustGap::NoBridge { truster, signer, scope, .. } = gap else { return None };
    let cluster = &situation.read.clusters[*signer];
    let roots = cluster.folder.as_ref()?.join(cluster.secret.layout(cluster.version).roots_file());
    let constrain =
        scope.as_ref().map_or_else(String::new, |domain| format!(" --constrain {domain}"));
    let file = format!("{}-by-{}.pem", cluster.name, situation.name(*truster));
    Some(format!(
        "meshctl ca cross-sign --ca {} --root {}{constrain} --out {}",
        word(situation.authority(*truster)?),
        word(&roots),
        word(Path::new(&file))
    ))
}
