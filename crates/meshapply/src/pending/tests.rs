use super::*;
use crate::fake::{Fake, Root, State};
use crate::state::mark;

/// A cluster whose secret was written over version 7 with these restarts.
fn fake(restart: &[RestartTarget]) -> (Fake, String) {
    let secret = Root::new("CN=root").secret("CN=east");
    let mark = mark(&secret, Some("7"));
    let fake = Fake::new(&secret, false);
    let restart = restart.iter().copied().collect();
    let fake = fake.with(|state| {
        let live = state.observed.secret.as_mut().unwrap();
        (live.mark, live.restart) = (Some(mark.clone()), restart);
    });
    (fake, mark)
}

#[track_caller]
fn check(
    restart: &[RestartTarget],
    change: impl FnOnce(&mut State, &str),
    pending: &[&str],
    who: &[RestartTarget],
) {
    let (fake, mark) = fake(restart);
    let fake = fake.with(|state| change(state, &mark));
    let observed = &fake.state.borrow().observed;
    let found: Vec<String> = observed.pending().iter().map(ToString::to_string).collect();
    assert_eq!(found, pending);
    assert_eq!(observed.unfinished(), who.iter().copied().collect());
}

const BOTH: [RestartTarget; 2] = [RestartTarget::Istiod, RestartTarget::Gateways];
const ISTIOD: &str = "deployment/istiod in istio-system has not restarted since the secret changed";
const GATEWAY: &str =
    "deployment/gateway in istio-system has not restarted since the secret changed";

#[test]
fn restarts_are_for_the_mark_of_the_secret() {
    check(&BOTH, |_, _| {}, &[ISTIOD, GATEWAY], &BOTH);
    check(&[], |_, _| {}, &[], &[]);
    check(&[RestartTarget::Gateways], |_, _| {}, &[GATEWAY], &[RestartTarget::Gateways]);
    let all = |state: &mut State, text: &str| {
        let Observed { istiod, gateways, .. } = &mut state.observed;
        for workload in istiod.iter_mut().chain(gateways) {
            workload.restarted_for = Some(text.to_owned());
        }
    };
    check(&BOTH, all, &[], &[]);
    // Neither the content's fingerprint alone, nor the mark of an earlier write of the same content.
    let content = |state: &State| state.running.fingerprint().to_string();
    check(&BOTH, |state, _| all(state, &content(state)), &[ISTIOD, GATEWAY], &BOTH);
    check(
        &BOTH,
        |state, _| all(state, &format!("{}.6", content(state))),
        &[ISTIOD, GATEWAY],
        &BOTH,
    );
    // A secret with no mark of ours asks for no restart.
    check(&BOTH, |state, _| state.observed.secret.as_mut().unwrap().mark = None, &[], &[]);
    check(&BOTH, |state, _| state.observed.secret = None, &[], &[]);
}

#[test]
fn open_rollouts() {
    let rolls = |state: &mut State, mark: &str| {
        state.observed.istiod[0].restarted_for = Some(mark.to_owned());
        state.observed.istiod[0].generation = 2;
    };
    let waits = "deployment/istiod in istio-system is rolling out: its controller has not seen the new template yet";
    check(&[RestartTarget::Istiod], rolls, &[waits], &[RestartTarget::Istiod]);
    // A rollout for another reason is open too, and no restart of ours.
    check(&[], rolls, &[waits], &[]);
    let stuck = |state: &mut State, mark: &str| {
        state.observed.istiod[0].restarted_for = Some(mark.to_owned());
        state.observed.istiod[0].deadline = Some("timed out".into());
    };
    let is_stuck = "deployment/istiod in istio-system is stuck: timed out";
    check(&[RestartTarget::Istiod], stuck, &[is_stuck], &[RestartTarget::Istiod]);
}
