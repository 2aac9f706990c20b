//! `ca verify --as`: what Go, Envoy and ztunnel say of the same files, and the table of all.

use serde_json::Value;
use tests::run::{self, Printed};
use tests::{schema, shared};

/// 2027-01-15.
const AT: &str = "-attime 1800000000";

fn verify(dir: &str, args: &str) -> Printed {
    let dir = shared::root().join("fixtures/verifiers/cases").join(dir);
    let args = format!("-no-CApath -no-CAstore {AT} {args}");
    let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
    run::verify(&dir, &args, &[], b"")
}

/// Runs it in a folder of `fixtures/verifiers/cases` and looks for each text in what is printed.
#[track_caller]
fn check(dir: &str, args: &str, exit: i64, texts: &[&str]) {
    let printed = verify(dir, args);
    assert_eq!(printed.exit, exit, "{printed:#?}");
    for text in texts {
        assert!(printed.stdout.contains(text), "no {text:?} in\n{}{}", printed.stdout, printed.stderr);
    }
}

#[test]
fn two_roots_of_one_name_with_different_keys() {
    let files = "-CAfile store.pem";
    let all = format!("--as all --explain {files} west.pem");
    check("renewed-root-new-key", &all, 2, &["TODO"]);
}

#[test]
fn a_uri_constraint_that_nothing_matches() {
    let all = "--as all --explain -CAfile root.pem -untrusted int.pem leaf.pem";
    check("uri-constraint", all, 2, &["TODO"]);
}

#[test]
fn a_crl_past_its_next_update() {
    let all = "--as all --explain -CAfile root-cert.pem -untrusted cert-chain.pem -CRLfile ca-crl.pem leaf.pem";
    check("expired-crl", all, 2, &["TODO"]);
}

#[test]
fn a_root_renewed_with_its_key() {
    let all = "--as all --explain -CAfile old-first.pem -untrusted cert-chain.pem leaf.pem";
    check("renewed-root-same-key", all, 2, &["TODO"]);
    let all = "--as all --explain -CAfile new-first.pem -untrusted cert-chain.pem leaf.pem";
    check("renewed-root-same-key", all, 0, &["TODO"]);
}

#[test]
fn an_old_intermediate_before_the_renewed_one() {
    let all = "--as all --explain -CAfile root-cert.pem -untrusted cert-chain.pem leaf.pem";
    check("old-intermediate", all, 2, &["TODO"]);
}

#[test]
fn algorithms() {
    for (dir, texts) in [
        ("root-brainpool", &["TODO"]),
        ("root-secp256k1", &["TODO"]),
        ("signed-ecdsa-sha224", &["TODO"]),
        ("signed-rsa-md5", &["TODO"]),
        ("signed-rsa-sha3", &["TODO"]),
    ] {
        let all = "--as all --explain -CAfile root-cert.pem -untrusted cert-chain.pem leaf.pem";
        check(&format!("algorithms/{dir}"), all, 2, texts);
    }
}

#[test]
fn options() {
    let files = "-CAfile root-cert.pem -untrusted cert-chain.pem";
    for (options, line) in [
        ("--as go -x509_strict", "Option -x509_strict cannot be used with --as: only OpenSSL has it"),
        ("-partial_chain --as all", "Option -partial_chain cannot be used with --as"),
        ("--as envoy -crl_check", "Option -crl_check cannot be used with --as"),
        ("--as go -purpose smimesign", "Option -purpose smimesign cannot be used with --as"),
        ("--as rust", "Invalid verifier rust, use go, envoy, ztunnel or all"),
        ("--as go --istio newest", "Invalid Istio release newest, use one such as 1.30.3"),
        ("--istio 1.30", "Option --istio needs --as"),
    ] {
        let printed = verify("expired-crl", &format!("{options} {files} leaf.pem"));
        assert_eq!((printed.exit, printed.stdout.as_str()), (1, ""), "{options}");
        assert!(printed.stderr.contains(line), "{options}: {}", printed.stderr);
    }
}

#[test]
fn json_fits_its_schema() {
    for (dir, args, exit) in [
        ("expired-crl", "--as all -CRLfile ca-crl.pem leaf.pem none.pem", 2),
        ("expired-crl", "--as ztunnel --istio 1.30 leaf.pem", 0),
        ("old-intermediate", "--as envoy leaf.pem", 2),
    ] {
        let files = "-o json -CAfile root-cert.pem -untrusted cert-chain.pem";
        let printed = verify(dir, &format!("{files} {args}"));
        schema::check("verification", &printed.stdout);
        let document: Value = serde_json::from_str(&printed.stdout).expect("JSON");
        assert_eq!((document["exitStatus"].as_i64(), printed.exit), (Some(exit), exit));
    }
}
