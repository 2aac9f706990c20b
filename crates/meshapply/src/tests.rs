//! Whole runs against a cluster in memory, on a clock that jumps.

use std::time::Duration;

use meshpki::cacerts::{Layout, Secret};
use meshpki::istiod::{Settings, Version};
use meshpki::{Name, Profile};

use crate::converge::{Patience, converge};
use crate::error::Error;
use crate::fake::{Fake, NOW, Root, State};
use crate::names::{CACERTS, PREVIOUS};
use crate::proof::{Unproven, judge};
use crate::state::{Desired, Vacant, restart_for};

mod rotation;

const PATIENCE: Patience =
    Patience { step: Duration::from_secs(300), poll: Duration::from_millis(500) };

fn desired(secret: &Secret, fake: &Fake, version: &str) -> Desired {
    let given = fake.given();
    let state = fake.state.borrow();
    let old = state.observed.secret.as_ref();
    let settings = [Settings::defaults(version.parse::<Version>().unwrap())];
    let mut restart = restart_for(old.map(|live| &live.files), secret, &given, &settings, NOW);
    restart.extend(state.observed.unfinished());
    Desired {
        restart,
        secret: secret.clone(),
        basis: state.observed.basis(),
        adopt: false,
        workloads: false,
        batch: 1,
        reload_seconds: 150,
        before_install: false,
    }
}

fn run(fake: &Fake, desired: &Desired) -> Result<crate::Receipt, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(converge(fake, desired, PATIENCE, |_| {}))
}

/// Runs, and compares everything written and how it ended.
#[track_caller]
fn check(fake: &Fake, desired: &Desired, writes: &str, end: &str) {
    let result = run(fake, desired);
    let found = match &result {
        Ok(receipt) if receipt.proof.is_some() => "proven".to_owned(),
        Ok(_) => "done".to_owned(),
        Err(error) => format!("{}: {error}", error.code()),
    };
    assert_eq!((fake.log().as_str(), found.as_str()), (writes, end));
    if let Ok(receipt) = result
        && let Some(proof) = receipt.proof
    {
        assert_eq!(judge(&desired.secret, &proof), []);
    }
}

struct Case {
    old: Secret,
    new: Secret,
    other: Secret,
}

/// Two sets of one root, and one of another.
fn case() -> Case {
    let (root, other) = (Root::new("CN=root"), Root::new("CN=other root"));
    Case {
        old: root.secret("CN=east"),
        new: root.secret("CN=east"),
        other: other.secret("CN=east"),
    }
}

#[test]
fn first_install_restarts_everyone_in_order_once() {
    let Case { old, other, .. } = case();
    // istiod signs with a CA of its own making.
    let fake = Fake::new(&other, true);
    let want = desired(&old, &fake, "1.30.3");
    check(&fake, &want, "write, restart istiod, restart gateway", "proven");
    let again = desired(&old, &fake, "1.30.3");
    check(&fake, &again, "write, restart istiod, restart gateway", "proven");
}

#[test]
fn the_same_root_needs_no_restart_where_istiod_reloads() {
    let Case { old, new, .. } = case();
    let fake = Fake::new(&old, false).with(|s| s.trouble.reloads_after = Some(3));
    check(&fake, &desired(&new, &fake, "1.30.3"), "keep, write", "proven");
    let fake = Fake::new(&old, false);
    check(&fake, &desired(&new, &fake, "1.11.0"), "keep, write, restart istiod", "proven");
}

#[test]
fn an_istiod_that_does_not_reload_is_restarted_in_the_end() {
    let Case { old, new, .. } = case();
    let fake = Fake::new(&old, false);
    check(&fake, &desired(&new, &fake, "1.30.3"), "keep, write, restart istiod", "proven");
}

#[test]
fn what_is_proven_is_the_ca_this_release_reads() {
    let Case { old, new, .. } = case();
    // Both layouts in one secret: ca-cert.pem is of `new`, tls.crt of `old`.
    let mut both = new.clone();
    let [istio, tls] =
        Layout::ALL.map(|layout| [layout.ca_file(), layout.key_file(), layout.roots_file()]);
    for (name, from) in tls.into_iter().zip(istio) {
        both.insert(name, old.get(from).unwrap().to_vec());
    }
    for (version, used, unused) in [("1.14.1", &new, &old), ("1.14.2", &old, &new)] {
        let fake = Fake::new(&new, false)
            .with(|s| s.observed.istiod[0].release = version.parse::<Version>().ok());
        let want = desired(&both, &fake, version);
        let receipt = run(&fake, &want).unwrap_or_else(|error| panic!("{version}: {error}"));
        let proof = receipt.proof.unwrap();
        assert_eq!(judge(&both, &proof), [], "{version}");
        let is_of = |secret: &Secret| {
            let ca = secret.ca(Version::NEWEST).unwrap();
            meshpki::chain::issued(&ca, &proof.pods[0].served.as_ref().unwrap()[0])
        };
        assert!(is_of(used) && !is_of(unused), "{version}");
        // The same answers from an istiod of the other release are not a proof.
        let mut other = proof.clone();
        other.pods[0].release =
            (if version == "1.14.1" { "1.14.2" } else { "1.14.1" }).parse::<Version>().unwrap();
        assert!(matches!(judge(&both, &other)[..], [Unproven::OtherCa { .. }]), "{version}");
    }
}

#[test]
fn a_stuck_istiod_leaves_the_gateways_alone() {
    let Case { old, other, .. } = case();
    let fake = Fake::new(&old, false).with(|s| {
        s.trouble.stuck.insert("istiod".into());
    });
    let stuck = "apply/stuck: deployment/istiod does not come up: timed out progressing";
    check(&fake, &desired(&other, &fake, "1.30.3"), "keep, write, restart istiod", stuck);
    // The way back: the old content, restarted for it.
    fake.state.borrow_mut().trouble.stuck.clear();
    let kept = fake.state.borrow().observed.previous.as_ref().unwrap().files.clone();
    assert!(kept == old, "{PREVIOUS} is what {CACERTS} was");
    let mut back = desired(&kept, &fake, "1.30.3");
    back.adopt = true;
    let log = "keep, write, restart istiod, write, restart istiod, restart gateway";
    fake.state.borrow_mut().observed.istiod[0].deadline = None;
    check(&fake, &back, log, "proven");
}

#[test]
fn what_would_stop_it_is_said_before_the_first_write() {
    let Case { old, other, .. } = case();
    let refused = |change: fn(&mut State), end: &str| {
        let fake = Fake::new(&old, false).with(change);
        check(&fake, &desired(&other, &fake, "1.30.3"), "", end);
    };
    refused(
        |s| s.observed.istiod[0].paused = true,
        "apply/obstacle: deployment/istiod would not restart: its rollout is paused",
    );
    refused(
        |s| s.observed.gateways[0].manual = Some("its update strategy is OnDelete".into()),
        "apply/obstacle: deployment/gateway would not restart: its update strategy is OnDelete",
    );
    refused(
        |s| s.observed.istiod[0].wanted = 0,
        "apply/no-replicas: deployment/istiod has no replicas, so nothing would sign certificates and nothing can be verified",
    );
    refused(|s| s.observed.istiod.clear(), "apply/no-istiod: there is no istiod to use the secret");
    refused(
        |s| {
            s.observed.secret.as_mut().unwrap().foreign = vec!["helm".into(), "kubectl-edit".into()]
        },
        "apply/foreign: secret cacerts is managed by another tool: `helm`, `kubectl-edit` own fields of its data",
    );
    refused(
        |s| s.observed.secret.as_mut().unwrap().immutable = true,
        "apply/immutable: secret cacerts has `immutable: true`",
    );
}

#[test]
fn a_foreign_secret_is_adopted_when_asked() {
    let Case { old, new, .. } = case();
    let fake = Fake::new(&old, false).with(|s| {
        s.observed.secret.as_mut().unwrap().foreign = vec!["helm".into()];
        s.trouble.reloads_after = Some(0);
    });
    let want = Desired { adopt: true, ..desired(&new, &fake, "1.30.3") };
    check(&fake, &want, "keep, write", "proven");
    // One that is as desired is left alone, whoever owns it.
    let fake = Fake::new(&old, false)
        .with(|s| s.observed.secret.as_mut().unwrap().foreign = vec!["helm".into()]);
    check(&fake, &desired(&old, &fake, "1.30.3"), "", "proven");
}

/// The same CA with a longer chain, as with a bridge: nothing but the chain shows that istiod has loaded it.
#[test]
fn a_new_chain_is_waited_for() {
    let (root, other) = (Root::new("CN=root"), Root::new("CN=other"));
    let old = root.secret("CN=east");
    let mut new = old.clone();
    let more = other.secret("CN=west").get("ca-cert.pem").unwrap().to_vec();
    let chain = [old.get("cert-chain.pem").unwrap(), more.as_slice()].concat();
    new.insert("cert-chain.pem", chain);
    let fake = Fake::new(&old, false).with(|s| s.trouble.reloads_after = Some(3));
    check(&fake, &desired(&new, &fake, "1.30.3"), "keep, write", "proven");
    let fake = Fake::new(&old, false);
    check(&fake, &desired(&new, &fake, "1.30.3"), "keep, write, restart istiod", "proven");
}

#[test]
fn a_certificate_that_proxies_reject_proves_nothing() {
    let root = Root::new("CN=root");
    // `openssl verify` without a purpose does not look at the CA's extKeyUsage.
    let mut emails = Profile::cluster("CN=east".parse::<Name>().unwrap());
    emails.ext_key_usage = vec!["1.3.6.1.5.5.7.3.4".parse().unwrap()];
    let (old, new) = (root.secret("CN=east"), root.secret_of(&emails));
    let fake = Fake::new(&old, false).with(|s| s.trouble.reloads_after = Some(0));
    let end = "apply/unproven: not verified after 300 s: proxies reject the certificate that pod istiod-1 signed: unsupported certificate purpose";
    check(&fake, &desired(&new, &fake, "1.30.3"), "keep, write, restart istiod", end);
}

/// A secret made beforehand: no one needs the right to create one.
fn made_beforehand(immutable: bool) -> impl FnOnce(&mut State) {
    move |s| {
        s.trouble.no_create = true;
        s.observed.vacant = Some(Vacant { resource_version: "7".into(), immutable });
    }
}

#[test]
fn an_empty_secret_is_filled() {
    let Case { old, other, .. } = case();
    let fake = Fake::new(&other, true).with(made_beforehand(false));
    let writes = "write, restart istiod, restart gateway";
    check(&fake, &desired(&old, &fake, "1.30.3"), writes, "proven");
    check(&fake, &desired(&old, &fake, "1.30.3"), writes, "proven");
    assert!(fake.state.borrow().observed.previous.is_none(), "nothing was there to be kept");
    let fake = Fake::new(&other, true).with(|s| s.trouble.no_create = true);
    let refused = "apply/forbidden: not allowed to create: no";
    check(&fake, &desired(&old, &fake, "1.30.3"), "", refused);
    let fake = Fake::new(&other, true).with(made_beforehand(true));
    let immutable = "apply/immutable: secret cacerts has `immutable: true`";
    check(&fake, &desired(&old, &fake, "1.30.3"), "", immutable);
}

#[test]
fn what_became_of_the_secret_is_said() {
    let Case { old, new, .. } = case();
    let check_moved = |change: fn(&mut State), end: &str| {
        let fake = Fake::new(&old, false);
        let want = desired(&new, &fake, "1.30.3");
        let result = run(&fake.with(change), &want).map(|_| ());
        assert_eq!(result.unwrap_err().to_string(), end);
    };
    let gone = "secret cacerts was deleted or emptied after this run read it";
    check_moved(|s| s.observed.secret = None, gone);
    check_moved(
        |s| {
            s.observed.secret = None;
            made_beforehand(false)(s);
        },
        gone,
    );
    check_moved(
        |s| {
            let live = s.observed.secret.as_mut().unwrap();
            (live.resource_version, live.foreign) = ("9".into(), vec!["helm".into()]);
        },
        "`helm` changed secret cacerts after this run read it",
    );
    // Admission changes what we write: no other program was at work.
    let mut altered = new.clone();
    altered.insert("root-cert.pem", b"more".to_vec());
    altered.insert("note", b"theirs".to_vec());
    let fake = Fake::new(&old, false).with(|s| s.trouble.webhook = Some(altered));
    let end = "apply/moved: secret cacerts was changed while this run wrote it: note, root-cert.pem differs";
    check(&fake, &desired(&new, &fake, "1.30.3"), "keep, write", end);
}

#[test]
fn two_at_once() {
    let Case { old, new, other } = case();
    let moved = "apply/moved: another run of meshctl changed secret cacerts after this run read it";
    let fake = Fake::new(&old, false).with(|s| s.trouble.faster = Some(other.clone()));
    check(&fake, &desired(&new, &fake, "1.30.3"), "keep", moved);
    // Changed back under us: we do not write a second time.
    let fake = Fake::new(&old, false).with(|s| s.trouble.slower = Some(other.clone()));
    check(&fake, &desired(&new, &fake, "1.30.3"), "keep, write", moved);
    // The other one wrote the same: nothing is lost by that.
    let fake = Fake::new(&old, false).with(|s| {
        s.trouble.faster = Some(new.clone());
        s.trouble.reloads_after = Some(0);
    });
    check(&fake, &desired(&new, &fake, "1.30.3"), "keep", "proven");
    // Both made it where there was none.
    let fake = Fake::new(&other, true).with(|s| s.trouble.faster = Some(other.clone()));
    check(&fake, &desired(&new, &fake, "1.30.3"), "", moved);
}

#[test]
fn an_api_server_that_is_away() {
    let Case { old, new, .. } = case();
    let back = Fake::new(&old, false).with(|s| {
        s.trouble.away = 20;
        s.trouble.reloads_after = Some(0);
    });
    check(&back, &desired(&new, &back, "1.30.3"), "keep, write", "proven");
    let gone = Fake::new(&old, false).with(|s| s.trouble.away = usize::MAX);
    check(&gone, &desired(&new, &gone, "1.30.3"), "", "apply/unreachable: cannot look: refused");
}

#[test]
fn patience_ends() {
    let Case { old, other, .. } = case();
    let slow = Fake::new(&old, false).with(|s| {
        s.trouble.slow.insert("gateway".into());
    });
    let end =
        "apply/patience: timed out after 300 s waiting for deployment/gateway: 0 of 1 pods are new";
    let log = "keep, write, restart istiod, restart gateway";
    check(&slow, &desired(&other, &slow, "1.30.3"), log, end);
}

#[test]
fn interrupted_at_any_write_and_run_again_it_ends_the_same() {
    let Case { old, other, .. } = case();
    for breaks_after in 0..6 {
        let fake = Fake::new(&old, false).with(|s| s.trouble.breaks_after = Some(breaks_after));
        let want = Desired { workloads: true, ..desired(&other, &fake, "1.30.3") };
        let error = run(&fake, &want).unwrap_err();
        assert_eq!(error.code(), "apply/interrupted");
        fake.state.borrow_mut().trouble.breaks_after = None;
        let again = Desired { workloads: true, ..desired(&other, &fake, "1.30.3") };
        let log = "keep, write, restart istiod, restart gateway, restart cart, restart web";
        check(&fake, &again, log, "proven");
    }
}

#[test]
fn workloads_restart_in_batches() {
    let Case { old, other, .. } = case();
    for batch in [1, 2] {
        let fake = Fake::new(&old, false);
        let want = Desired { workloads: true, batch, ..desired(&other, &fake, "1.30.3") };
        run(&fake, &want).unwrap();
        assert_eq!(fake.state.borrow().most, batch, "{}", fake.log());
    }
}

#[test]
fn before_istio_is_installed_the_secret_is_all() {
    let Case { old, other, .. } = case();
    let fake = Fake::new(&other, true).with(|s| s.observed.istiod.clear());
    let want = Desired { before_install: true, ..desired(&old, &fake, "1.30.3") };
    check(&fake, &want, "write", "done");
}

#[test]
fn the_fingerprint_does_not_depend_on_the_key() {
    let Case { mut old, .. } = case();
    let before = old.fingerprint();
    old.insert("ca-key.pem", b"another".to_vec());
    assert_eq!(old.fingerprint(), before);
    old.insert("root-cert.pem", b"another".to_vec());
    assert_ne!(old.fingerprint(), before);
}

/// The secret was made with kubectl while istiod runs on a CA of its own: who restarts is written onto it.
#[test]
fn a_secret_of_others_that_istiod_has_never_looked_at() {
    let Case { old, new, other } = case();
    let fake =
        Fake::new(&other, false).with(|s| s.observed.secret.as_mut().unwrap().files = old.clone());
    check(
        &fake,
        &desired(&old, &fake, "1.30.3"),
        "note, restart istiod, restart gateway",
        "proven",
    );
    let fake =
        Fake::new(&other, false).with(|s| s.observed.secret.as_mut().unwrap().files = old.clone());
    let log = "keep, write, restart istiod, restart gateway";
    check(&fake, &desired(&new, &fake, "1.30.3"), log, "proven");
}

#[test]
fn what_a_push_before_did_not_finish_is_finished_by_the_next() {
    let Case { old, other, .. } = case();
    let fake = Fake::new(&old, false).with(|s| {
        s.trouble.slow.insert("gateway".into());
    });
    assert!(run(&fake, &desired(&other, &fake, "1.30.3")).is_err());
    fake.state.borrow_mut().trouble.slow.clear();
    // The same roots, another intermediate: the gateways are still of the roots before.
    let mut newer = other.clone();
    newer.insert("cert-chain.pem", [other.get("cert-chain.pem").unwrap(), b"\n"].concat());
    fake.state.borrow_mut().trouble.reloads_after = Some(0);
    let log = "keep, write, restart istiod, restart gateway, write, restart gateway";
    check(&fake, &desired(&newer, &fake, "1.30.3"), log, "proven");
}

#[test]
fn a_content_that_comes_back_restarts_everyone_again() {
    let Case { old, other, .. } = case();
    let fake = Fake::new(&old, false);
    check(
        &fake,
        &desired(&other, &fake, "1.30.3"),
        "keep, write, restart istiod, restart gateway",
        "proven",
    );
    let back = desired(&old, &fake, "1.30.3");
    run(&fake, &back).unwrap();
    let again = desired(&other, &fake, "1.30.3");
    run(&fake, &again).unwrap();
    assert_eq!(fake.log().matches("restart gateway").count(), 3);
}

#[test]
fn a_rollback_that_is_interrupted_still_has_what_it_goes_back_to() {
    let Case { old, other, .. } = case();
    for breaks_after in 0..3 {
        let fake = Fake::new(&old, false);
        run(&fake, &desired(&other, &fake, "1.30.3")).unwrap();
        let kept = |fake: &Fake| fake.state.borrow().observed.previous.clone().unwrap().files;
        fake.state.borrow_mut().trouble.breaks_after = Some(breaks_after);
        assert!(run(&fake, &desired(&kept(&fake), &fake, "1.30.3")).is_err());
        fake.state.borrow_mut().trouble.breaks_after = None;
        let back = desired(&kept(&fake), &fake, "1.30.3");
        run(&fake, &back).unwrap();
        let live = fake.state.borrow().observed.secret.clone().unwrap().files;
        assert!(live == old, "{breaks_after}");
    }
}

#[test]
fn writes_that_are_always_refused_end_too() {
    let Case { old, new, .. } = case();
    let fake = Fake::new(&old, false).with(|s| s.trouble.refuses_with = Some(500));
    check(
        &fake,
        &desired(&new, &fake, "1.30.3"),
        "",
        "apply/api: the API server refused to write: it says no",
    );
    let fake = Fake::new(&old, false).with(|s| s.trouble.reverts = true);
    let end = "apply/obstacle: deployment/istiod would not restart: another program keeps removing meshctl's annotation from its pod template";
    check(&fake, &desired(&new, &fake, "1.11.0"), "keep, write, restart istiod", end);
}

/// What istiod does not read is not kept, and the annotation with a copy of the files goes.
#[test]
fn old_keys_do_not_pile_up() {
    let Case { old, new, other } = case();
    let mut stray = old.clone();
    stray.insert("root-key.pem", b"a root's key".to_vec());
    let fake = Fake::new(&stray, false).with(|s| {
        s.observed.secret.as_mut().unwrap().has_copy = true;
        s.trouble.reloads_after = Some(0);
    });
    check(&fake, &desired(&new, &fake, "1.30.3"), "keep, write, clean", "proven");
    let kept = || fake.state.borrow().observed.previous.clone().unwrap().files;
    assert!(kept() == old, "kept is what a rollback can use");
    // Kept by an earlier version, with more than that: it does not count as another secret, and a rollback uses it.
    fake.state.borrow_mut().observed.previous.as_mut().unwrap().files = stray.clone();
    let back = desired(&old, &fake, "1.30.3");
    check(&fake, &back, "keep, write, clean, write", "proven");
    assert!(kept() == stray, "what is gone back to is not given up for it");
    check(
        &fake,
        &desired(&other, &fake, "1.30.3"),
        "keep, write, clean, write, keep, write, restart istiod, restart gateway",
        "proven",
    );
    assert!(kept() == old);
}

/// kubectl's copy on a secret that is as desired is removed if the secret is ours, and stays if it is not.
#[test]
fn a_copy_of_the_files_in_an_annotation() {
    let Case { old, new, .. } = case();
    let copied = |s: &mut State| s.observed.secret.as_mut().unwrap().has_copy = true;
    let fake = Fake::new(&old, false).with(copied);
    check(&fake, &desired(&old, &fake, "1.30.3"), "", "proven");
    let fake = Fake::new(&old, false).with(|s| s.trouble.reloads_after = Some(0));
    run(&fake, &desired(&new, &fake, "1.30.3")).unwrap();
    copied(&mut fake.state.borrow_mut());
    check(&fake, &desired(&new, &fake, "1.30.3"), "keep, write, clean", "proven");
}
