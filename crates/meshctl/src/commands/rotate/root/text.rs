//! A rotation for people: how far each cluster is, what keeps it, what comes next.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use meshapply::state::{RestartTarget, restart_for};
use meshpki::istiod::{Settings, Version};
use meshpki::rotation::{
    RotationBlock, RotationCourse, RotationDecision, RotationHolder, RotationMove, RotationPhase,
    RotationRejection,
};
use meshpki::{Cert, Time};

use super::read::{Member, Situation};
use crate::args::{RootGoal, RootStrategy};
use crate::text::{relative, safe, word};

/// At most so many names in a line.
const NAMES: usize = 3;

/// What a cluster does in a phase; `back`: the goal is the old CA.
const fn meaning(phase: RotationPhase, back: bool) -> &'static str {
    match (phase, back) {
        (RotationPhase::Old, false) => "signs with the old CA, trusts old roots",
        (RotationPhase::Prepared, false) => "signs with the old CA, trusts the new root too",
        (RotationPhase::Bridged, false) => {
            "signs with the new CA and sends a bridge, trusts old roots"
        }
        (RotationPhase::Activated, false) => "signs with the new CA, trusts old roots too",
        (RotationPhase::Switched, false) => "signs with the new CA, trusts the new root only",
        (RotationPhase::Old, true) => "signs with the new CA",
        (RotationPhase::Prepared, true) => "signs with the new CA, trusts the old root again, too",
        (RotationPhase::Bridged, true) => "signs with the old CA again and sends a bridge",
        (RotationPhase::Activated, true) => "signs with the old CA again, trusts the new root too",
        (RotationPhase::Switched, true) => "signs with the old CA again, trusts the old root only",
        (_, false) => "has the new CA and nothing of the old one",
        (_, true) => "has the old CA and nothing of the new one",
    }
}

/// What has to be true after a phase before the next one can come.
const fn wait(phase: RotationPhase) -> &'static str {
    match phase {
        RotationPhase::Prepared => "then wait until every proxy trusts the new root",
        RotationPhase::Bridged | RotationPhase::Activated => {
            "then wait until no proxy has a certificate of the old CA"
        }
        _ => "then wait until every proxy trusts the new root only",
    }
}

/// Every push that is left.
pub(super) fn plan(situation: &Situation, course: &RotationCourse, next: &str) -> String {
    let mut text = heading(situation);
    let mut held: Vec<_> = situation.clusters.iter().map(|one| one.live.clone()).collect();
    for (number, step) in course.steps.iter().enumerate() {
        let _ = writeln!(text, "\n{}. {}", number + 1, groups(situation, &step.moves));
        for one in &step.moves {
            let cluster = &situation.clusters[one.cluster];
            let restarts = restarts(situation, one, &held[one.cluster]);
            let _ = writeln!(text, "   {}: {restarts}", safe(&cluster.name));
            held[one.cluster] = one.secret.clone();
        }
        let last = step.moves.iter().map(|one| one.to).max();
        if number + 1 < course.steps.len() {
            let _ = writeln!(text, "   {}", wait(last.unwrap_or(RotationPhase::Done)));
        }
    }
    for (cluster, blocks) in &course.stuck {
        let name = safe(&situation.clusters[*cluster].name);
        let _ = writeln!(text, "\n{name} does not get to the new CA:");
        block_lines(situation, blocks).iter().for_each(|line| text += &format!("   {line}\n"));
    }
    if course.steps.is_empty() && course.stuck.is_empty() {
        return text + "\nevery cluster is done\n";
    }
    if !course.steps.is_empty() {
        let _ = writeln!(text, "\nnext: {next}");
    }
    text
}

/// The grid, and what keeps each cluster.
pub(super) fn status(situation: &Situation, decision: &RotationDecision, next: &str) -> String {
    let mut text = heading(situation);
    text.push('\n');
    text += &grid(situation, decision);
    for partner in &situation.partners {
        let roots = partner.roots.roots(Version::NEWEST);
        let roots: Vec<String> = roots.iter().map(Cert::label).collect();
        let line = format!("partner {} trusts {}", partner.name, roots.join(", "));
        let _ = writeln!(text, "{}", safe(&line));
    }
    text += &foreign(situation);
    text += &unseen(situation);
    for (cluster, blocks) in &decision.blocks {
        let _ = writeln!(text, "\n{} waits:", safe(&situation.clusters[*cluster].name));
        block_lines(situation, blocks).iter().for_each(|line| text += &format!("   {line}\n"));
    }
    text.push('\n');
    text += &sum(situation, decision, next);
    text
}

/// From which roots to which.
pub(super) fn heading(situation: &Situation) -> String {
    let (mut old, mut new) = (BTreeSet::new(), BTreeSet::new());
    for cluster in &situation.clusters {
        let version = cluster.version();
        let goal = cluster.goal.roots(version);
        let before = cluster.live.roots(version).into_iter().filter(|root| !goal.contains(root));
        old.extend(before.map(|root| root.label()));
        new.extend(goal.iter().map(Cert::label));
    }
    let names = if situation.back { ["from", "back to"] } else { ["old roots", "new roots"] };
    let line = |(name, all): (&str, BTreeSet<String>)| {
        let all: Vec<String> = all.iter().map(|one| safe(one)).collect();
        if all.is_empty() { String::new() } else { format!("{name:<11}{}\n", all.join(", ")) }
    };
    names.into_iter().zip([old, new]).map(line).collect()
}

/// `bridged (east, west): signs with the new CA and sends a bridge, trusts old roots`, one for each phase; and the pushes
/// that are not finished.
pub(super) fn groups(situation: &Situation, moves: &[RotationMove]) -> String {
    let why = |one: &RotationMove| situation.clusters[one.cluster].unfinished.as_ref();
    let (open, moves): (Vec<_>, Vec<_>) = moves.iter().partition(|one| why(one).is_some());
    let open = open.into_iter().filter_map(|one| {
        let name = situation.name(one.cluster);
        Some(safe(&format!("finish the push to {name}: {}", why(one)?)))
    });
    let phases: BTreeSet<RotationPhase> = moves.iter().map(|one| one.to).collect();
    let group = |phase: RotationPhase| {
        let of = moves.iter().filter(|one| one.to == phase);
        let names: Vec<String> = of.map(|one| safe(situation.name(one.cluster))).collect();
        let meaning = meaning(phase, situation.back);
        format!("{} ({}): {meaning}", phase.word(), names.join(", "))
    };
    open.chain(phases.into_iter().map(group)).collect::<Vec<_>>().join("\n   ")
}

/// What restarts for a push.
fn restarts(
    situation: &Situation,
    one: &RotationMove,
    before: &meshpki::cacerts::Secret,
) -> &'static str {
    let cluster = &situation.clusters[one.cluster];
    let Some(seen) = &cluster.seen else { return "not read" };
    if cluster.own && before.fingerprint() == cluster.live.fingerprint() {
        return "istiod restarts, since it does not watch the secret yet; no workload restarts";
    }
    let settings: Vec<Settings> =
        seen.found.seen.istiods.iter().map(|istiod| istiod.settings.clone()).collect();
    let who = restart_for(Some(before), &one.secret, &[], &settings, situation.at);
    if who.contains(&RestartTarget::Istiod) {
        "istiod restarts; no workload restarts"
    } else {
        "istiod loads it; nothing restarts"
    }
}

fn grid(situation: &Situation, decision: &RotationDecision) -> String {
    let header = ["CLUSTER", "PHASE", "SIGNS WITH", "TRUSTS", "PROXIES"].map(str::to_owned);
    let mut rows = vec![header];
    for (cluster, phase) in situation.clusters.iter().zip(&decision.phases) {
        rows.push(row(cluster, *phase));
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  "));
        format!("{}{}\n", cells.collect::<String>(), row[4])
    };
    rows.iter().map(line).collect()
}

fn row(cluster: &Member, phase: RotationPhase) -> [String; 5] {
    let name = safe(&cluster.name);
    let Some(seen) = &cluster.seen else {
        return [name, "unknown".to_owned(), "-".into(), "-".into(), "-".into()];
    };
    let version = cluster.version();
    let own = if cluster.own { "istiod's own " } else { "" };
    let ca = cluster.live.ca(version).map_or("nothing".to_owned(), |ca| ca.label());
    let roots = cluster.live.roots(version);
    let roots: Vec<String> = roots.iter().map(|root| safe(&root.label())).collect();
    let unseen = seen.sightings.unseen.len();
    let hidden = if unseen == 0 { String::new() } else { format!(", {unseen} not seen") };
    [
        name,
        phase.word().to_owned(),
        format!("{own}{}", safe(&ca)),
        roots.join(", "),
        format!("{} asked{hidden}", seen.asked),
    ]
}

/// Secrets that another program has written, too.
fn foreign(situation: &Situation) -> String {
    let mut text = String::new();
    for cluster in &situation.clusters {
        let live = cluster.seen.iter().filter_map(|seen| seen.found.seen.observed.secret.as_ref());
        for live in live.filter(|live| !live.foreign.is_empty()) {
            let managers = live.foreign.join(", ");
            let line = format!("not ours: `{managers}` wrote secret cacerts of {}", cluster.name);
            let _ = writeln!(text, "{}", safe(&line));
        }
    }
    text
}

/// Everything that could not be seen, never passed over.
fn unseen(situation: &Situation) -> String {
    let mut text = String::new();
    for cluster in &situation.clusters {
        let all = cluster.seen.iter().flat_map(|seen| &seen.sightings.unseen);
        for one in all {
            let until = one.until.map_or_else(
                || "its certificate may be of any age".to_owned(),
                |until| format!("its certificate may be of the old CA until {until}"),
            );
            let line = format!("not seen: {} in {}: {}; {until}", one.who, cluster.name, one.why);
            let _ = writeln!(text, "{}", safe(&line));
        }
    }
    text
}

/// What keeps a cluster, in lines. Certificates of a holder that only differ in what no line says are one line.
pub(super) fn block_lines(situation: &Situation, blocks: &[RotationBlock]) -> Vec<String> {
    let mut lines = Vec::new();
    for line in blocks.iter().map(|block| block_line(situation, block)) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn block_line(situation: &Situation, block: &RotationBlock) -> String {
    let name = |index: &usize| situation.name(*index);
    let line = match block {
        RotationBlock::Rejected(rejection) => rejected(situation, rejection),
        RotationBlock::NoBridge { root, under } => {
            let under: Vec<String> = under.iter().map(Cert::label).collect();
            format!(
                "no bridge: {} has to be certified by {}; `{}` does that",
                root.label(),
                under.join(" or "),
                cross_sign(situation)
            )
        }
        RotationBlock::Unfinished { cluster, why } => {
            format!("the push to {} is not finished: {why}", name(cluster))
        }
        RotationBlock::Unknown { cluster, why, until } => {
            let until = until.map(|until| format!("; not after {until}")).unwrap_or_default();
            format!("{} is not known: {why}{until}", name(cluster))
        }
        _ => "another reason".to_owned(),
    };
    safe(&line)
}

/// The command that makes a bridge.
fn cross_sign(situation: &Situation) -> String {
    let root = situation.dir.join("root-cert.pem");
    format!("meshctl ca cross-sign --ca OLD-CA --root {} --out bridge.pem", word(&root))
}

fn rejected(situation: &Situation, rejection: &RotationRejection) -> String {
    let RotationRejection { truster, signer, verifier, why, holder, .. } = rejection;
    let name = |index: &usize| situation.name(*index);
    let has = match (holder.shows, holder.who.len() > 1) {
        (true, true) => format!("have certificates of {}", holder.what),
        (true, false) => format!("has a certificate of {}", holder.what),
        (false, true) => format!("trust only {}", holder.what),
        (false, false) => format!("trusts only {}", holder.what),
    };
    let then = if truster == signer {
        format!("{verifier} of {} would reject it: {why}", name(truster))
    } else {
        format!("{verifier} of {} would reject workloads of {}: {why}", name(truster), name(signer))
    };
    let who = holders(name(&holder.cluster), holder);
    format!("{who} {has}{}; {then}", when(holder, situation.at))
}

/// `pods shop/cart-1, shop/cart-2 and 40 more in west`.
fn holders(cluster: &str, holder: &RotationHolder) -> String {
    let all = &holder.who;
    if all.is_empty() {
        return cluster.to_owned();
    }
    let pods: Vec<&str> = all.iter().filter_map(|who| who.strip_prefix("pod ")).collect();
    let (kind, all) = match pods.len() {
        0 => ("", all.iter().map(String::as_str).collect()),
        1 if all.len() == 1 => ("pod ", pods),
        count if count == all.len() => ("pods ", pods),
        _ => ("", all.iter().map(String::as_str).collect()),
    };
    let more = all.len().saturating_sub(NAMES);
    let named = all.into_iter().take(NAMES).collect::<Vec<_>>().join(", ");
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{kind}{named}{more} in {cluster}")
}

fn when(holder: &RotationHolder, at: Time) -> String {
    let renews = holder.renews.map(|time| format!("renewed by {time} ({})", relative(time, at)));
    let ends = holder.ends.map(|time| format!("ended by {time} at the latest"));
    let all: Vec<String> = renews.into_iter().chain(ends).collect();
    if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) }
}

/// What to do now.
fn sum(situation: &Situation, decision: &RotationDecision, next: &str) -> String {
    if decision.is_done() {
        return "every cluster is done\n".to_owned();
    }
    if !decision.moves.is_empty() {
        return format!("ready: {}\nnext: {next}\n", groups(situation, &decision.moves));
    }
    waits(decision, next)
}

/// When the gate opens, and what opens it earlier.
pub(super) fn waits(decision: &RotationDecision, next: &str) -> String {
    let Some(wakes) = decision.wakes() else {
        return "time alone does not open the gate; see the reasons above\n".to_owned();
    };
    let mut text = match decision.opens() {
        Some(opens) => format!("safe from {opens} at the latest, probably from {wakes}\n"),
        None => format!("probably safe from {wakes}\n"),
    };
    let pods = pods(decision);
    if !pods.is_empty() {
        let few = if pods.len() == 1 { "this pod restarts" } else { "these pods restart" };
        let _ = writeln!(text, "earlier if {few}: {}", safe(&pods.join(", ")));
    }
    let _ = writeln!(text, "come back after {wakes}: {next}");
    text
}

/// The pods that keep the gate closed, up to a number that a person reads.
fn pods(decision: &RotationDecision) -> Vec<String> {
    let blocks = decision.blocks.iter().flat_map(|(_, blocks)| blocks);
    let who = blocks.filter_map(|block| match block {
        RotationBlock::Rejected(rejection) => Some(&rejection.holder.who),
        _ => None,
    });
    let all: BTreeSet<&str> = who.flatten().filter_map(|who| who.strip_prefix("pod ")).collect();
    if all.len() > 10 {
        return vec![format!("{} pods", all.len())];
    }
    all.into_iter().map(str::to_owned).collect()
}

/// A command for the same goal and the same clusters.
pub(super) fn command(name: &str, goal: &RootGoal) -> String {
    let clusters = &goal.clusters;
    let mut words = vec![word(&goal.dir)];
    let option = |name: &str, value: &str| format!("{name} {}", word(Path::new(value)));
    words.extend(clusters.file.iter().map(|file| format!("-f {}", word(file))));
    words.extend(clusters.contexts.iter().map(|context| option("--context", context)));
    words.extend(clusters.kubeconfig.iter().map(|file| format!("--kubeconfig {}", word(file))));
    words.extend(clusters.istio_namespace.iter().map(|name| option("--istio-namespace", name)));
    words.extend(clusters.gateways.iter().map(|name| option("--gateway", name)));
    words.extend(goal.from.iter().map(|dir| format!("--from {}", word(dir))));
    words.extend(goal.bridges.iter().map(|file| format!("--bridge {}", word(file))));
    words.extend(goal.partners.iter().map(|text| option("--partner", text)));
    match goal.strategy {
        RootStrategy::Auto => {}
        RootStrategy::Bridge => words.push("--strategy bridge".to_owned()),
        RootStrategy::Overlap => words.push("--strategy overlap".to_owned()),
    }
    format!("meshctl rotate root {name} {}", words.join(" "))
}
