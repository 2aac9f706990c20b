use super::*;
use crate::fake::{Fake, Root, State};
use crate::next::Action;

/// A cluster with `now` live and `before` kept; what is said, and whether what is kept goes.
#[track_caller]
fn check(change: impl FnOnce(&mut State), expect: &str) {
    let (root, other) = (Root::new("CN=root"), Root::new("CN=other"));
    let (now, before) = (root.secret("CN=east"), other.secret("CN=east"));
    let fake = Fake::new(&now, false).with(|state| {
        let mut kept = state.observed.secret.clone().unwrap();
        kept.files = before;
        kept.resource_version = "5".into();
        state.observed.previous = Some(kept);
        change(state);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let observed = fake.state.borrow().observed.clone();
    let found = match runtime.block_on(proven(&fake, &observed)) {
        Ok(()) => {
            let over = observed.previous.as_ref().unwrap().resource_version.clone();
            let desired = Desired::as_it_is(observed.secret.as_ref().unwrap());
            runtime.block_on(fake.act(&Action::Forget { over }, &desired)).unwrap();
            "proven".to_owned()
        }
        Err(error) => format!("{}: {error}", error.code()),
    };
    assert_eq!(found.split(" (sha256").next().unwrap(), expect);
    let deleted = fake.log() == "forget";
    assert_eq!(deleted, expect == "proven", "{}", fake.log());
}

#[test]
fn the_kept_secret_goes_when_the_present_one_is_proven() {
    check(|_| {}, "proven");
}

#[test]
fn it_stays_while_it_may_be_needed() {
    check(|s| s.observed.istiod.clear(), "apply/no-istiod: there is no istiod to use the secret");
    check(
        |s| s.observed.istiod[0].wanted = 0,
        "apply/no-replicas: deployment/istiod has no replicas, so nothing would sign certificates and nothing can be verified",
    );
    check(
        |s| s.observed.istiod[0].generation = 2,
        "apply/unfinished: the last push is not finished: deployment/istiod in istio-system is rolling out: its controller has not seen the new template yet",
    );
    check(
        |s| {
            let live = s.observed.secret.as_mut().unwrap();
            (live.mark, live.restart) =
                (Some("mark".into()), [crate::state::RestartTarget::Gateways].into());
        },
        "apply/unfinished: the last push is not finished: deployment/gateway in istio-system has not restarted since the secret changed",
    );
    check(|s| s.observed.secret = None, "apply/unproven: not verified: there is no secret");
    check(
        |s| s.observed.istiod[0].pods.clear(),
        "apply/unproven: not verified: no istiod pod is ready",
    );
    check(
        |s| s.running = s.observed.previous.as_ref().unwrap().files.clone(),
        "apply/unproven: not verified: pod istiod-1 serves a certificate of `east`, expected `east`",
    );
}
