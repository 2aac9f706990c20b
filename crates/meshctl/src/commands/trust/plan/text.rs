//! The plan for people.

use std::fmt::Write as _;
use std::path::Path;

use meshpki::federation::{TrustChange, TrustGap};
use meshpki::istiod::Verifier;
use meshpki::{Cert, Time};

use super::{Situation, changed_files, gaps};
use crate::text::{safe, word};

/// What is said when nothing is lacking.
pub(in super::super) const DONE: &str = "every cluster has what its trust models need\n";

/// The plan; `next` is the command that takes its first push.
pub(super) fn write(situation: &Situation, next: &str) -> String {
    if situation.is_done() {
        return DONE.to_owned();
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
        if let Some(command) = command(situation, gap) {
            let _ = writeln!(out, "   {command}\n   then name its file with --bridge");
        }
    }
    for name in situation.read.unread() {
        let _ = writeln!(out, "not read: {}, so it is not known what it lacks", safe(name));
    }
    for (bridge, why) in &situation.unused {
        let _ = writeln!(out, "not used: {}: {why}", about(bridge));
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
    for (file, changes) in changed_files(push, cluster) {
        for change in changes {
            let _ = writeln!(out, "   {file} {}", changed(change));
        }
    }
    for (truster, signer, verifier, end) in situation.accepts[number].iter().copied() {
        let who = if verifier == Verifier::Ztunnel { "ztunnel of " } else { "" };
        let until = end.map_or_else(String::new, |end| format!(" until {}", end.date()));
        let _ = writeln!(
            out,
            "   then {who}{} accepts {}{until}",
            safe(situation.name(truster)),
            safe(situation.name(signer))
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

/// What is lacking, in a line.
pub(in super::super) fn lacking(situation: &Situation, gap: &TrustGap) -> String {
    let name = |index: usize| safe(situation.name(index));
    let domain = |index: usize| &situation.read.clusters[index].trust_domain;
    let (truster, signer) = match gap {
        TrustGap::NoAnchor { cluster } => (*cluster, *cluster),
        gap => gap.pair().unwrap_or_default(),
    };
    let (ours, theirs) = (name(truster), name(signer));
    match gap {
        TrustGap::NoBridge { root, .. } => {
            let root = safe(&root.subject().label());
            format!("{ours} has no bridge for `{root}`, the root of {theirs}")
        }
        TrustGap::SecondBridge { first, .. } => {
            let to = first.map_or_else(|| "another mesh".to_owned(), name);
            format!(
                "{theirs} sends a bridge to {to}, and Envoy follows the first one only, so {ours} needs another model: merged-roots or shared-root"
            )
        }
        TrustGap::TrustedDirectly { root, .. } => {
            let root = safe(&root.subject().label());
            format!(
                "{ours} has `{root}`, the root of {theirs}, in its root bundle, so trust goes beyond the bridge: remove it when no certificate needs it"
            )
        }
        TrustGap::OneRoot { .. } => format!(
            "one root vouches for {ours} and {theirs}, so no constraint limits what {theirs} can say: use shared-root, or give each its own root"
        ),
        TrustGap::SameDomain { .. } => format!(
            "{ours} and {theirs} have the trust domain {}, so no constraint tells them apart: use bridge, or give each its own trust domain",
            domain(signer)
        ),
        TrustGap::NoSharedRoot { .. } => format!(
            "no root vouches for the CAs of both {ours} and {theirs}: create both with one root, or choose another model"
        ),
        TrustGap::NoAnchor { .. } => format!(
            "no root in the bundle of {ours} vouches for its CA; `meshctl check` with its folder shows why"
        ),
        TrustGap::DomainNotAccepted { .. } => format!(
            "istiod of {ours} does not accept {}, the trust domain of {theirs}: apply what `meshctl trust render` prints",
            domain(signer)
        ),
        TrustGap::Refused { verifier, why, .. } => {
            let who = if *verifier == Verifier::Ztunnel { "ztunnel of " } else { "" };
            format!("{who}{ours} still rejects {theirs}: {}", safe(why))
        }
        TrustGap::WouldRefuse { cluster, why, .. } => format!(
            "what {} would get is left out, because {ours} would then reject {theirs}: {}",
            name(*cluster),
            safe(why)
        ),
        _ => String::new(),
    }
}

/// The command that certifies a root, if the root is alone in a file.
pub(in super::super) fn command(situation: &Situation, gap: &TrustGap) -> Option<String> {
    let TrustGap::NoBridge { truster, signer, root, scope } = gap else { return None };
    let file = situation.root_file(*signer, root)?;
    let constrain =
        scope.as_ref().map_or_else(String::new, |domain| format!(" --constrain {domain}"));
    let out = format!("{}-by-{}.pem", situation.name(*signer), situation.name(*truster));
    Some(format!(
        "meshctl ca cross-sign --ca {} --root {}{constrain} --out {}",
        word(situation.authority(*truster)?),
        word(&file),
        word(Path::new(&out))
    ))
}
