//! What `ca verify` adds to `openssl verify`: none of it changes an answer.

use meshpki::verify::Release;
use serde_json::Value;
use tests::run::{self, Printed};
use tests::shared;

fn verify(args: &[&str]) -> Printed {
    let dir = shared::root().join("fixtures/verify/time");
    let base = ["-no-CApath", "-no-CAstore", "-CAfile", "root.pem", "-untrusted", "int.pem"];
    let args: Vec<String> = base.iter().chain(args).map(|arg| (*arg).to_owned()).collect();
    run::verify(Release::V3_0, &dir, &args, &[], b"")
}

#[test]
fn at_is_attime() {
    let by_seconds = verify(&["-attime", "1700000000", "expired-leaf.pem"]);
    assert_eq!(by_seconds, verify(&["--at", "2023-11-14T22:13:20Z", "expired-leaf.pem"]));
    let bad = verify(&["--at", "yesterday", "leaf.pem"]);
    assert_eq!((bad.exit, bad.stdout.as_str()), (1, ""));
    assert!(bad.stderr.contains("yesterday"), "{bad:?}");
}

#[test]
fn json_tells_what_text_tells() {
    let printed = verify(&[
        "-attime",
        "1700000000",
        "-o",
        "json",
        "leaf.pem",
        "expired-leaf.pem",
        "none.pem",
    ]);
    let document: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(document["apiVersion"], "meshctl/v1");
    assert_eq!(document["kind"], "Verification");
    assert_eq!(document["at"], "2023-11-14T22:13:20Z");
    assert_eq!((document["exitStatus"].as_i64(), printed.exit), (Some(2), 2));
    let [good, expired, unreadable] = document["certificates"].as_array().unwrap().as_slice()
    else {
        panic!("three certificates: {document:#}");
    };
    assert_eq!((&good["result"], good["chain"].as_array().unwrap().len()), (&Value::from("ok"), 3));
    assert_eq!(expired["result"], "failed");
    let finding = &expired["findings"][0];
    assert_eq!((finding["code"].as_i64(), finding["depth"].as_i64()), (Some(10), Some(0)));
    assert_eq!(finding["text"], "certificate has expired");
    assert_eq!(finding["certificate"]["subject"], "CN = Leaf");
    assert!(!finding["evidence"].as_array().unwrap().is_empty(), "{finding:#}");
    assert_eq!(unreadable["result"], "unreadable");
}

#[test]
fn explain_only_adds() {
    let plain = verify(&["-attime", "1700000000", "expired-leaf.pem"]);
    let explained = verify(&["-attime", "1700000000", "--explain", "expired-leaf.pem"]);
    assert_eq!((explained.exit, &explained.stdout), (plain.exit, &plain.stdout));
    let more = explained.stderr.strip_prefix(&plain.stderr).expect("openssl's lines come first");
    assert!(more.contains("next: "), "{more}");
}

#[test]
fn left_out_options_are_refused_by_name() {
    for option in ["-crl_download", "-suiteB_128", "-use_deltas", "-allow_proxy_certs"] {
        let printed = verify(&[option, "leaf.pem"]);
        assert_eq!((printed.exit, printed.stdout.as_str()), (1, ""));
        assert!(printed.stderr.contains(option), "{printed:?}");
    }
}
