use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::fixture::{NOW, Root, see, sending, trusting};
use super::*;
use crate::federation::Bridge;

/// Clusters that all hold one of `lives`, bound for the one of `goals` at the same place.
fn clusters<'a>(lives: &'a [Secret], goals: &'a [Secret]) -> Vec<RotationCluster<'a>> {
    const NAMES: [&str; 3] = ["east", "west", "north"];
    let all = NAMES.iter().zip(lives.iter().zip(goals));
    all.map(|(name, (live, goal))| RotationCluster::new(name, live, goal)).collect()
}

/// The groups of a course: `east>bridged west>bridged`, and what is stuck at its end.
fn groups(course: &RotationCourse, clusters: &[RotationCluster<'_>]) -> String {
    let step = |step: &RotationStep| {
        let moves = step.moves.iter();
        let moves = moves.map(|one| format!("{}>{}", clusters[one.cluster].name, one.to.word()));
        moves.collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<String> = course.steps.iter().map(step).collect();
    for (cluster, blocks) in &course.stuck {
        let blocks: Vec<String> = blocks.iter().map(block).collect();
        lines.push(format!("{} stuck: {}", clusters[*cluster].name, blocks.join("; ")));
    }
    lines.join("\n")
}

fn block(block: &RotationBlock) -> String {
    match block {
        RotationBlock::Rejected(rejection) => {
            let RotationRejection { truster, signer, holder, why, .. } = &**rejection;
            let RotationHolder { cluster, shows, who, .. } = holder;
            let side = if *shows { "leaf" } else { "bundle" };
            format!("{truster} rejects {signer} ({side} of {cluster} {}): {why}", who.join(","))
        }
        RotationBlock::NoBridge { root, .. } => format!("no bridge for {}", root.subject()),
        RotationBlock::Unfinished { cluster, why } => format!("{cluster} unfinished: {why}"),
        RotationBlock::Unknown { cluster, why, .. } => format!("{cluster} unknown: {why}"),
    }
}

/// Two clusters under one root, bound for another.
struct Pair {
    old: Root,
    new: Root,
    live: Vec<Secret>,
    goal: Vec<Secret>,
}

impl Pair {
    fn new() -> Self {
        let (old, new) = (Root::new("A"), Root::new("B"));
        let live = vec![old.secret("east A"), old.secret("west A")];
        let goal = vec![new.secret("east B"), new.secret("west B")];
        Self { old, new, live, goal }
    }
}

#[test]
fn the_courses() {
    use RotationStrategy::{Auto, Bridge as ByBridge, Overlap};
    let Pair { old, new, live, goal } = Pair::new();
    let bridge = [old.bridge(&new)];
    let check = |live: &[Secret], goal: &[Secret], bridges: &[Cert], strategy, expect: &str| {
        let clusters = clusters(live, goal);
        let course = RotationPlanner::new(bridges, strategy, NOW).course(&clusters);
        assert_eq!(groups(&course, &clusters), expect);
    };
    let bridged = "east>bridged west>bridged\neast>switched west>switched\neast>done west>done";
    let overlap = "east>prepared west>prepared\neast>activated west>activated\neast>done west>done";
    check(&live, &goal, &bridge, Auto, bridged);
    check(&live, &goal, &bridge, ByBridge, bridged);
    check(&live, &goal, &bridge, Overlap, overlap);
    check(&live, &goal, &[], Auto, overlap);
    check(
        &live,
        &goal,
        &[],
        ByBridge,
        "east stuck: no bridge for CN = B\nwest stuck: no bridge for CN = B",
    );
    check(&live, &live, &bridge, Auto, "");
    // Back from every phase.
    for (steps, expect) in [
        (1, "east>done west>done"),
        // The bridge still leads to the old root.
        (2, "east>prepared west>prepared\neast>done west>done"),
        (3, "east>prepared west>prepared\neast>activated west>activated\neast>done west>done"),
    ] {
        let mut held = live.clone();
        let course = RotationPlanner::new(&bridge, Auto, NOW).course(&clusters(&live, &goal));
        for one in course.steps.iter().take(steps).flat_map(|step| &step.moves) {
            held[one.cluster] = one.secret.clone();
        }
        check(&held, &live, &[], Auto, expect);
    }
    // A root that everyone trusts already.
    let both: Vec<Secret> = live.iter().map(|secret| trusting(secret, &[&new])).collect();
    check(&both, &goal, &[], Auto, "east>activated west>activated\neast>done west>done");
    // Another intermediate under the same root.
    let other = [old.secret("east A2"), old.secret("west A2")];
    check(&live, &other, &[], Auto, "east>done west>done");
}

#[test]
fn from_roots_that_istiod_made() {
    let (a1, a2, new) = (Root::new("A1"), Root::new("A2"), Root::new("B"));
    let goal = [new.secret("east B"), new.secret("west B")];
    let bridges = [a1.bridge(&new), a2.bridge(&new)];
    let check = |live: &[Secret], bridges: &[Cert], expect: &str| {
        let clusters = clusters(live, &goal);
        let planner = RotationPlanner::new(bridges, RotationStrategy::Auto, NOW);
        assert_eq!(groups(&planner.course(&clusters), &clusters), expect);
    };
    let bridged = "east>bridged west>bridged\neast>switched west>switched\neast>done west>done";
    let apart = [a1.own(), a2.own()];
    check(&apart, &bridges, bridged);
    let overlap = "east>prepared west>prepared\neast>activated west>activated\neast>done west>done";
    check(&apart, &[], overlap);
    let merged = [trusting(&a1.own(), &[&a2]), trusting(&a2.own(), &[&a1])];
    check(&merged, &bridges, bridged);
    // Of one bridge for both, each cluster accepts the chain.
    check(&merged, &bridges[..1], bridged);
    // West knows east's root by a bridge of its own, and so it knows the new one.
    let by_bridge = |path_len| {
        let bridge = Bridge::new().with_path_len(path_len);
        let east = sending(&a1.secret("east A"), &a2.bridge_of(&bridge, &a1));
        let west = sending(&a2.secret("west A"), &a1.bridge_of(&bridge, &a2));
        [east, west]
    };
    check(&by_bridge(Some(2)), &bridges, bridged);
    // There is no room for the new root below a bridge that allows one CA.
    check(&by_bridge(Some(1)), &bridges, overlap);
}

/// From one root for all to one for each cluster, each of which trusts the other's.
#[test]
fn to_roots_of_their_own() {
    let (old, a1, a2) = (Root::new("A"), Root::new("B1"), Root::new("B2"));
    let live = [old.secret("east A"), old.secret("west A")];
    let apart = [a1.secret("east B"), a2.secret("west B")];
    let merged = [trusting(&apart[0], &[&a2]), trusting(&apart[1], &[&a1])];
    let check = |goal: &[Secret], bridges: &[Cert], expect: &str| {
        let clusters = clusters(&live, goal);
        let planner = RotationPlanner::new(bridges, RotationStrategy::Auto, NOW);
        assert_eq!(groups(&planner.course(&clusters), &clusters), expect);
    };
    let overlap = "east>prepared west>prepared\neast>activated west>activated\neast>done west>done";
    check(&merged, &[], overlap);
    let bridges = [old.bridge(&a1), old.bridge(&a2)];
    let bridged = "east>bridged west>bridged\neast>switched west>switched\neast>done west>done";
    check(&merged, &bridges, bridged);
    // Without that, calls between them would end.
    let planner = RotationPlanner::new(&bridges, RotationStrategy::Auto, NOW);
    let clusters = clusters(&live, &apart);
    let course = planner.course(&clusters);
    assert!(!course.stuck.is_empty(), "{}", groups(&course, &clusters));
}

#[test]
fn what_closes_the_gate() {
    let Pair { old, new, live, goal } = Pair::new();
    let bridge = old.bridge(&new);
    let bridged: Vec<Secret> = [0, 1]
        .map(|i| {
            let mut secret = sending(&goal[i], &bridge);
            secret.insert("root-cert.pem", live[i].get("root-cert.pem").unwrap().to_vec());
            secret
        })
        .to_vec();
    let check_with = |earlier: &[usize],
                      change: &dyn Fn(&mut Vec<RotationCluster<'_>>),
                      expect: &str| {
        let mut clusters = clusters(&bridged, &goal);
        earlier.iter().for_each(|index| clusters[*index].earlier.push(&live[*index]));
        for (cluster, one) in clusters.iter_mut().enumerate() {
            see(&mut one.sightings, "pod new", &bridged[cluster], &bridged[cluster]);
        }
        change(&mut clusters);
        let decision = RotationPlanner::new(&[], RotationStrategy::Auto, NOW).decide(&clusters);
        let mut lines: Vec<String> =
            decision.moves.iter().map(|one| format!("{}>{}", one.cluster, one.to.word())).collect();
        for (cluster, blocks) in &decision.blocks {
            let blocks: Vec<String> = blocks.iter().map(block).collect();
            lines.push(format!("{cluster}: {}", blocks.join("; ")));
        }
        let hours = |time: Time| format!("{}h", time.since(NOW).as_secs() / 3600);
        lines.extend(decision.wakes().map(|at| format!("wakes {}", hours(at))));
        lines.extend(decision.opens().map(|at| format!("opens {}", hours(at))));
        assert_eq!(lines.join("\n"), expect);
    };
    let check = |change: &dyn Fn(&mut Vec<RotationCluster<'_>>), expect: &str| {
        check_with(&[], change, expect)
    };
    let untrusted = "self signed certificate in certificate chain";
    check(&|_| {}, "0>switched\n1>switched");
    let rejects = |truster, signer, who| {
        format!("{truster} rejects {signer} (leaf of {signer} {who}): {untrusted}")
    };
    // One pod that shows the old certificate keeps every cluster that verifies it.
    let both = format!(
        "0: {}\n1: {}\nwakes 12h\nopens 23h",
        rejects(0, 1, "pod old"),
        rejects(1, 1, "pod old")
    );
    check(&|all| see(&mut all[1].sightings, "pod old", &live[1], &live[1]), &both);
    let until = Some(NOW + Duration::from_secs(36_000));
    let hidden = |all: &mut Vec<RotationCluster<'_>>| {
        all[1].sightings.unseen.push(Unseen::new("vm", "it is not in the cluster", until));
    };
    let unknown = "1 unknown: what vm may have is not known";
    check(&hidden, &format!("0: {unknown}\n1: {unknown}\nwakes 10h\nopens 10h"));
    // What it had before is known: the gate is for what that would break.
    let earlier =
        format!("0: {}\n1: {}\nwakes 10h\nopens 10h", rejects(0, 1, "vm"), rejects(1, 1, "vm"));
    check_with(&[1], &hidden, &earlier);
    check(
        &|all| all[0].unfinished = Some("istiod".to_string()),
        "0>bridged\n1: 0 unfinished: istiod",
    );
    check(
        &|all| all[0].unknown = Some("no answer".to_string()),
        "0: 0 unknown: no answer\n1: 0 unknown: no answer",
    );
    check(
        &|all| {
            all[0].unknown = Some("no answer".to_string());
            all[0].apart = vec![1];
        },
        "1>switched\n0: 0 unknown: no answer",
    );
}

#[test]
fn a_closed_gate_is_passed_by_the_next_phase_only() {
    let Pair { old, new, live, goal } = Pair::new();
    let planner = |gates| {
        RotationPlanner::new(&[old.bridge(&new)], RotationStrategy::Auto, NOW)
            .with_closed_gates(gates)
    };
    let mut one = RotationCluster::new("east", &live[0], &goal[0]);
    let first = planner(false).decide(core::slice::from_ref(&one)).moves.remove(0);
    one.live = &first.secret;
    see(&mut one.sightings, "pod old", &live[0], &live[0]);
    let decided = |gates| planner(gates).decide(core::slice::from_ref(&one));
    assert_eq!(decided(false).moves.len(), 0);
    let passed = decided(true);
    assert_eq!(passed.moves[0].to, RotationPhase::Switched);
    let said: Vec<String> = passed.overridden.iter().map(block).collect();
    let why = "0 rejects 0 (leaf of 0 pod old): self signed certificate in certificate chain";
    assert_eq!(said, [why]);
}

#[test]
fn fifty_clusters() {
    let (old, new) = (Root::new("A"), Root::new("B"));
    let names: Vec<String> = (0..50).map(|number| format!("cluster {number}")).collect();
    let under = |root: &Root| names.iter().map(|name| root.secret(name)).collect::<Vec<_>>();
    let (live, goal) = (under(&old), under(&new));
    let all = names.iter().zip(live.iter().zip(&goal));
    let clusters: Vec<RotationCluster<'_>> =
        all.map(|(name, (live, goal))| RotationCluster::new(name, live, goal)).collect();
    let bridge = [old.bridge(&new)];
    let course = RotationPlanner::new(&bridge, RotationStrategy::Auto, NOW).course(&clusters);
    let steps: Vec<usize> = course.steps.iter().map(|step| step.moves.len()).collect();
    assert_eq!((steps, course.stuck.len()), (vec![50; 3], 0));
}

#[test]
fn what_a_bridge_has_to_be() {
    let Pair { old, new, live, goal } = Pair::new();
    let check = |bridge: Bridge, expect: &str| {
        let bridges = [old.bridge_of(&bridge, &new)];
        let mut clusters = clusters(&live, &goal);
        clusters.iter_mut().for_each(|one| one.trust_domain = "shop".parse().ok());
        let planner = RotationPlanner::new(&bridges, RotationStrategy::Bridge, NOW);
        let blocks = planner.decide(&clusters).blocks;
        let said: Vec<String> = blocks.iter().flat_map(|(_, all)| all).map(block).collect();
        assert_eq!(said.first().map_or("", String::as_str), expect);
    };
    check(Bridge::new(), "");
    let day = Duration::from_secs(86_400);
    let ends = "0 rejects 0 (bundle of 0 ): certificate has expired, by 2027-01-17T08:00:00Z";
    check(Bridge::new().with_validity(day), ends);
    check(Bridge::new().with_scope("shop".parse().ok()), "");
    let other = "0 rejects 0 (bundle of 0 ): permitted subtree violation";
    check(Bridge::new().with_scope("other".parse().ok()), other);
}
