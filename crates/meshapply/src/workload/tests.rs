use super::*;

/// A Deployment of three, rolled out.
fn done() -> Workload {
    Workload {
        id: Id { namespace: "istio-system".into(), kind: Kind::Deployment, name: "istiod".into() },
        generation: 5,
        observed_generation: 5,
        wanted: 3,
        total: 3,
        updated: 3,
        available: 3,
        paused: false,
        manual: None,
        deadline: None,
        restarted_for: None,
        release: None,
        pods: vec![],
    }
}

fn pod(waiting: Option<&str>, restarts: i32) -> Pod {
    Pod {
        name: "istiod-1".into(),
        ready: waiting.is_none(),
        terminating: false,
        waiting: waiting.map(str::to_owned),
        restarts,
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut Workload), expect: &str) {
    let mut workload = done();
    change(&mut workload);
    let found = match workload.rollout() {
        Rollout::Complete => "complete".to_owned(),
        Rollout::Waiting(what) => format!("waiting: {what}"),
        Rollout::Stuck(why) => format!("stuck: {why}"),
    };
    assert_eq!(found, expect);
}

#[test]
fn every_count_is_looked_at() {
    check(|_| {}, "complete");
    check(|w| w.generation = 6, "waiting: its controller has not seen the new template yet");
    check(|w| w.updated = 1, "waiting: 1 of 3 pods are new");
    check(|w| w.total = 4, "waiting: 1 old pod to terminate");
    check(|w| w.total = 6, "waiting: 3 old pods to terminate");
    check(|w| w.available = 2, "waiting: 2 of 3 pods are available");
    check(|w| (w.wanted, w.total, w.updated, w.available) = (0, 0, 0, 0), "complete");
    // An autoscaler raised the number in the middle.
    check(|w| w.wanted = 5, "waiting: 3 of 5 pods are new");
}

#[test]
fn what_waiting_does_not_mend() {
    let deadline = "ReplicaSet \"istiod-2\" has timed out progressing.";
    check(|w| w.deadline = Some(deadline.into()), &format!("stuck: {deadline}"));
    check(
        |w| {
            w.deadline = Some(deadline.into());
            w.pods = vec![pod(Some("ImagePullBackOff"), 0)];
        },
        &format!("stuck: {deadline}; pod istiod-1: ImagePullBackOff"),
    );
    check(
        |w| {
            w.available = 2;
            w.pods = vec![pod(None, 9), pod(Some("CrashLoopBackOff"), 1)];
        },
        "waiting: 2 of 3 pods are available; pod istiod-1: CrashLoopBackOff, restarted once",
    );
    check(
        |w| {
            w.available = 2;
            w.pods = vec![pod(Some("CrashLoopBackOff"), 4)];
        },
        "stuck: pod istiod-1: CrashLoopBackOff, restarted 4 times",
    );
    // The status of the generation before says nothing about this one.
    check(
        |w| {
            w.generation = 6;
            w.deadline = Some(deadline.into());
        },
        "waiting: its controller has not seen the new template yet",
    );
}

#[test]
fn a_restart_that_would_not_come_about() {
    let mut workload = done();
    assert_eq!(workload.obstacle(), None);
    workload.manual = Some("its update strategy is OnDelete".into());
    assert_eq!(workload.obstacle().as_deref(), Some("its update strategy is OnDelete"));
    workload.paused = true;
    assert_eq!(workload.obstacle().as_deref(), Some("its rollout is paused"));
}
