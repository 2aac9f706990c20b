//! `ca verify --as`: what Go, Envoy and ztunnel say of the same files, and the table of all.

use meshpki::verify::Release;
use serde_json::Value;
use tests::run::{self, Printed};
use tests::{schema, shared};

/// 2027-01-15.
const AT: &str = "-attime 1800000000";

fn verify(dir: &str, args: &str) -> Printed {
    let dir = shared::root().join("fixtures/verifiers/cases").join(dir);
    let args = format!("-no-CApath -no-CAstore {AT} {args}");
    let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
    run::verify(Release::V3_0, &dir, &args, &[], b"")
}

/// Runs it in a folder of `fixtures/verifiers/cases` and looks for each text in what is printed.
#[track_caller]
fn check(dir: &str, args: &str, exit: i64, texts: &[&str]) {
    let printed = verify(dir, args);
    assert_eq!(printed.exit, exit, "{printed:#?}");
    for text in texts {
        assert!(
            printed.stdout.contains(text),
            "no {text:?} in\n{}{}",
            printed.stdout,
            printed.stderr
        );
    }
}

const CHAIN: &str = "-CAfile root-cert.pem -untrusted cert-chain.pem leaf.pem";

#[test]
fn two_roots_of_one_name_with_different_keys() {
    let files = "-CAfile store.pem -untrusted west.pem leaf.pem";
    check(
        "renewed-root-new-key",
        &format!("--as all --explain {files}"),
        2,
        &[
            "  OpenSSL 3.0  rejects    error 7 at 1 depth: certificate signature failure\n",
            "  Go           accepts\n",
            "  Envoy        rejects    certificate signature failure\n",
            "certificate: `Mesh CA west` (sha256 e57644c6) in west.pem",
            "have the issuer's name, and Envoy tries only one of them\n",
            "  ztunnel      accepts\n",
            "  They disagree: Go and ztunnel accept it, OpenSSL 3.0 and Envoy reject it.\n",
        ],
    );
    let chain = "leaf.pem: accepted by ztunnel\n  0  `O = workload`";
    let root = "in store.pem, certificate 2\n";
    check("renewed-root-new-key", &format!("--as ztunnel {files}"), 0, &[chain, root]);
}

#[test]
fn a_ca_is_not_a_peer() {
    let of_go = "  Go           accepts\n";
    let of_ztunnel = "  ztunnel      rejects    CaUsedAsEndEntity\n";
    let hint = "explain: it is a CA, not a workload: verify a certificate that the CA has signed\n";
    let args = "--as all --explain -CAfile store.pem west.pem";
    check("renewed-root-new-key", args, 2, &[of_go, of_ztunnel, hint]);
}

#[test]
fn a_uri_constraint_that_nothing_matches() {
    let files = "-CAfile root.pem -untrusted int.pem leaf.pem";
    check(
        "uri-constraint",
        &format!("--as all --explain {files}"),
        2,
        &[
            "error 47 at 0 depth: permitted subtree violation\n",
            "URI \"spiffe://td.example/ns/prod/sa/web\" is not permitted by any constraint\n",
            "  Envoy        rejects    unsupported or invalid name constraint syntax\n",
            "  ztunnel      rejects    NameConstraintViolation\n",
            "in int.pem constrains URIs to `spiffe://td.example/ns/prod`: a URI constraint is a host",
            "ztunnel supports no URI constraints and rejects every certificate with a URI below one\n",
            "  They agree: all reject it.\n",
        ],
    );
}

#[test]
fn a_crl_past_its_next_update() {
    let expired = "  Envoy        rejects    CRL has expired\n";
    let end = "explain: the CRL of `Mesh CA east` ended 2026-06-01T00:00:00Z\n";
    let agree = "  They disagree: OpenSSL 3.0, Go and ztunnel accept it, Envoy rejects it.\n";
    let args = format!("--as all --explain -CRLfile ca-crl.pem {CHAIN}");
    check("expired-crl", &args, 2, &[expired, end, agree]);
    let asked = "  OpenSSL 3.0  rejects    error 12 at 0 depth: CRL has expired\n";
    check("expired-crl", &format!("-crl_check {args}"), 2, &[asked, expired]);
    check("expired-crl", &format!("--as envoy {CHAIN}"), 0, &["leaf.pem: accepted by Envoy\n"]);
}

#[test]
fn a_root_renewed_with_its_key() {
    let files = |roots: &str| {
        format!("--as all --explain -CAfile {roots} -untrusted cert-chain.pem leaf.pem")
    };
    check(
        "renewed-root-same-key",
        &files("old-first.pem"),
        2,
        &[
            "  Envoy        rejects    certificate has expired\n",
            "certificate: `Corp Root` (sha256 b858aad5) in old-first.pem, certificate 1\n",
            "in old-first.pem, certificate 2 has the same name and is valid, but Envoy takes one",
            "  They disagree: OpenSSL 3.0, Go and ztunnel accept it, Envoy rejects it.\n",
        ],
    );
    let agree = "  They agree: all accept it.\n";
    check("renewed-root-same-key", &files("new-first.pem"), 0, &[agree]);
}

#[test]
fn an_old_intermediate_before_the_renewed_one() {
    let place = "certificate: `Issuing CA` (sha256 c1b5f589) in cert-chain.pem, certificate 2\n";
    let agree = "  They disagree: OpenSSL 3.0, Go and ztunnel accept it, Envoy rejects it.\n";
    check("old-intermediate", &format!("--as all {CHAIN}"), 2, &[place, agree]);
    let later = format!("--as all -attime 2500000000 {CHAIN}");
    check("old-intermediate", &later, 2, &["  ztunnel      rejects    CertExpired\n"]);
    let args = "--as ztunnel --explain -CAfile root-cert.pem leaf.pem";
    let unknown = "leaf.pem: rejected by ztunnel: UnknownIssuer\n";
    let name = "explain: no given certificate has the name of its issuer, `Mesh CA east`\n";
    check("old-intermediate", args, 2, &[unknown, name]);
}

#[test]
fn algorithms() {
    let unimplemented = "cannot verify signature: algorithm unimplemented";
    let unsupported = "  ztunnel      rejects    UnsupportedSignatureAlgorithm\n";
    let for_key = "  ztunnel      rejects    UnsupportedSignatureAlgorithmForPublicKey\n";
    let unread = "explain: Go cannot read its issuer, `Corp Root`";
    let envoy = "  Envoy        accepts\n";
    for (dir, texts) in [
        ("root-brainpool", [unread, for_key, "unable to decode issuer public key"]),
        ("root-secp256k1", [unread, for_key, "by a key of type secp256k1"]),
        ("signed-ecdsa-sha224", [unimplemented, unsupported, envoy]),
        ("signed-rsa-md5", ["insecure algorithm MD5-RSA", unsupported, "md5WithRSAEncryption"]),
        ("signed-rsa-sha3", [unimplemented, unsupported, "RSA-SHA3-256"]),
    ] {
        check(&format!("algorithms/{dir}"), &format!("--as all --explain {CHAIN}"), 2, &texts);
    }
}

#[test]
fn releases() {
    let revoked = |args: &str| format!("--as ztunnel {args} -CRLfile ca-crl.pem {CHAIN}");
    let by_root = |args: &str| format!("--as ztunnel {args} -CAfile root-cert.pem leaf.pem");
    let accepted = "leaf.pem: accepted by ztunnel\n";
    let rejected = "leaf.pem: rejected by ztunnel: CertRevoked\n";
    let of_client = "leaf.pem: rejected by ztunnel as a client's: CertRevoked\n";
    let algorithm = "leaf.pem: rejected by ztunnel: UnsupportedSignatureAlgorithm\n";
    for (dir, args, exit, line) in [
        ("revoked", revoked(""), 2, rejected),
        ("revoked", revoked("--istio 1.31"), 2, rejected),
        ("revoked", revoked("--istio 1.30.3"), 2, of_client),
        ("revoked", revoked("--istio 1.30.3 -purpose sslserver"), 0, accepted),
        ("revoked", revoked("--istio 1.28"), 0, accepted),
        ("p521", by_root(""), 0, accepted),
        ("p521", by_root("--istio 1.26"), 0, accepted),
        ("p521", by_root("--istio 1.25"), 2, algorithm),
    ] {
        check(dir, &args, exit, &[line]);
    }
}

#[test]
fn options() {
    let files = "-CAfile root-cert.pem -untrusted cert-chain.pem";
    for (options, line) in [
        (
            "--as go -x509_strict",
            "Option -x509_strict cannot be used with --as: only OpenSSL has it",
        ),
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

/// OpenSSL says only that it failed where a key cannot be decoded: that does not accept it.
#[test]
fn a_rejection_without_an_error_is_one() {
    let check = |topic: &str, release, args: &str, line: &str| {
        let dir = shared::root().join("fixtures/verify").join(topic);
        let args: Vec<String> = format!("-no-CApath -no-CAstore -attime 1700000000 {args}")
            .split(' ')
            .map(str::to_owned)
            .collect();
        let plain: Vec<String> =
            args.iter().filter(|a| !matches!(a.as_str(), "--as" | "all")).cloned().collect();
        let plain = run::verify(release, &dir, &plain, &[], b"");
        assert_eq!((plain.exit, plain.stdout.as_str()), (2, ""), "{topic}");
        let printed = run::verify(release, &dir, &args, &[], b"");
        assert_eq!(printed.exit, 2, "{topic}: {printed:?}");
        assert!(printed.stdout.contains(line), "{topic}: {}", printed.stdout);
    };
    let silent = "rejects    without naming an error\n";
    check("parity", Release::V3_5, "--as all -CAfile root.pem pss-null.pem", silent);
    check("post-quantum", Release::V3_0, "--as all -CAfile root-p256.pem int-mixed.pem", silent);
}
