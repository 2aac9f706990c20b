//! `ca verify --openssl`: which release answers, and what the others say.

use meshpki::verify::Release;
use serde_json::Value;
use tests::run::Printed;
use tests::{Shell, cases, shared};

/// A recorded case, as a release, with more options.
fn case(topic: &str, name: &str, release: Release, more: &[&str]) -> Printed {
    let folder = shared::root().join("fixtures/verify").join(topic);
    let mut all = cases::load(&folder).into_iter();
    let mut case = all.find(|recorded| recorded.case.name == name).expect("a case").case;
    case.args.splice(0..0, more.iter().map(|arg| (*arg).to_owned()));
    case.ours(release, &folder)
}

/// Revocation that OpenSSL before its updates of 2026 missed: a delta CRL without its base, and CRLs with two algorithms.
#[test]
fn no_release_fails_open() {
    let names = ["inner-hash", "inner-kind", "inner-null", "inner-unknown", "numbered", "in-store"];
    let all = names.map(|name| ("deltas", name)).into_iter().chain([("revocation", "delta")]);
    for (topic, name) in all {
        let error = if name.starts_with("inner") { "error 8 at 0" } else { "error 3 at 0" };
        for release in Release::ALL {
            let printed = case(topic, name, release, &[]);
            assert_eq!((printed.exit, &*printed.stdout), (2, ""), "{} {name}", release.name());
            assert!(printed.stderr.contains(error), "{} {name}: {printed:?}", release.name());
        }
    }
}

#[test]
fn explain_names_what_other_releases_say() {
    let check = |topic: &str, name: &str, release: Release, lines: &[&str]| {
        let plain = case(topic, name, release, &[]);
        let printed = case(topic, name, release, &["--explain"]);
        assert_eq!((plain.exit, plain.stdout), (printed.exit, printed.stdout), "{name}");
        let more = printed.stderr.strip_prefix(&plain.stderr).expect("openssl's lines come first");
        let of_others =
            more.lines().filter(|line| line.contains(" here: ") || line.contains(" reads it"));
        assert_eq!(of_others.collect::<Vec<_>>(), lines, "{name}");
    };
    let colon = "in the URI `spiffe://a.example/x:y`, OpenSSL 3.0 finds the host `a.example/x`, OpenSSL 3.5 the host \
                 `a.example`";
    check(
        "releases",
        "uri-colon",
        Release::V3_5,
        &[&format!(
            "explain uri-colon.pem: OpenSSL 3.0 says error 47 at 0 depth (permitted subtree violation) here: {colon}"
        )],
    );
    check(
        "releases",
        "uri-colon",
        Release::V3_0,
        &[
            &format!("explain uri-colon.pem: OpenSSL 3.5 says OK here: {colon}"),
            &format!(
                "explain uri-colon.pem: OpenSSL 3.6 says OK here: {}",
                colon.replace("3.5", "3.6")
            ),
        ],
    );
    let root = "explain root.pem: OpenSSL 3.6 says OK here: OpenSSL 3.6 does not check self-signed certificates against CRLs";
    check("releases", "revoked-root", Release::V3_5, &[root]);
    let scope = "OpenSSL 3.5 and later do not use a CRL whose issuingDistributionPoint is empty";
    let crl = "error 3 at 0 depth (unable to get certificate CRL)";
    check(
        "releases",
        "empty-scope",
        Release::V3_0,
        &[
            &format!("explain leaf.pem: OpenSSL 3.5 says {crl} here: {scope}"),
            &format!("explain leaf.pem: OpenSSL 3.6 says {crl} here: {scope}"),
        ],
    );
    let short = "explain short.pem: OpenSSL 3.0 reads it, OpenSSL 3.5 does not read a time without seconds or zone";
    check("releases", "short", Release::V3_5, &[short]);
    check(
        "post-quantum",
        "ml-dsa-44",
        Release::V3_5,
        &[
            "explain leaf-44.pem: OpenSSL 3.0 says error 20 at 0 depth (unable to get local issuer certificate) here: \
           OpenSSL 3.0 and OpenSSL 3.5 do not have the same algorithms, and `leaf-44` is signed with ML-DSA-44",
        ],
    );
    check("releases", "future", Release::V3_5, &[]);
}

#[test]
fn the_release_is_chosen() {
    let mut shell = Shell::new();
    let folder = shared::root().join("fixtures/verify/releases");
    let files = format!(
        "-attime 1000000000 -CAfile {0}/root.pem -untrusted {0}/int.pem {0}/leaf.pem",
        folder.display()
    );
    let of = |shell: &Shell, option: &str| {
        let ran = shell.run(&format!("ca verify {option} -o json {files}"));
        assert_eq!(ran.status, 2, "{}{}", ran.out, ran.err);
        let document: Value = serde_json::from_str(&ran.out).expect("JSON");
        let text = document["certificates"][0]["findings"][0]["text"].as_str().expect("a text");
        (document["openssl"].as_str().expect("a release").to_owned(), text.contains("system clock"))
    };
    shell.env = vec![("MESHCTL_OPENSSL", "3.6")];
    assert_eq!(of(&shell, ""), ("3.6".to_owned(), true));
    assert_eq!(of(&shell, "--openssl 3.0"), ("3.0".to_owned(), false));
    assert_eq!(of(&shell, "--openssl=3.0 --openssl=3.5"), ("3.5".to_owned(), false));
    let explained = shell.run(&format!("ca verify --explain {files}")).err;
    assert!(
        explained.contains(": answered as OpenSSL 3.6, chosen by MESHCTL_OPENSSL\n"),
        "{explained}"
    );
    let (auto, _) = of(&shell, "--openssl auto");
    assert!(auto.parse::<Release>().is_ok(), "{auto}");
    shell.env = vec![("MESHCTL_OPENSSL", "3.4")];
    let refused = shell.run(&format!("ca verify {files}"));
    let expected = "verify: Invalid release 3.4, use 3.0, 3.5, 3.6 or auto\n";
    assert_eq!((refused.status, &*refused.out, &*refused.err), (1, "", expected));
}

/// The answers of other releases are looked for with what they have decoded, which is not what this one has: while 3.5
/// looks for the issuer of the first target, it decodes every untrusted certificate, and 3.0 none.
#[test]
fn explain_changes_no_answer_of_the_next_target() {
    let errors = |printed: &Printed| -> Vec<String> {
        let lines = printed.stderr.lines().filter(|line| line.contains("error "));
        lines.filter(|line| !line.starts_with("explain ")).map(str::to_owned).collect()
    };
    let folder = shared::root().join("fixtures/verify/indirect");
    let extended = cases::load(&folder).into_iter().map(|recorded| recorded.case);
    let extended: Vec<_> =
        extended.filter(|case| case.args.iter().any(|arg| arg == "-extended_crl")).collect();
    assert!(extended.len() > 5);
    for mut case in extended {
        let target = case.args.len() - 1;
        case.args.insert(target, "../chain/loop-leaf.pem".to_owned());
        let plain = case.ours(Release::V3_0, &folder);
        case.args.insert(0, "--explain".to_owned());
        let explained = case.ours(Release::V3_0, &folder);
        assert_eq!((plain.exit, &plain.stdout), (explained.exit, &explained.stdout), "{case:?}");
        assert_eq!(errors(&plain), errors(&explained), "{case:?}");
    }
}

/// No release takes `-trusted` for a trust store: what is the same is not said to differ.
#[test]
fn other_releases_have_the_same_trusted_certificates() {
    for release in Release::ALL {
        let explained = case("indirect", "apart", release, &["--explain"]);
        assert!(explained.stderr.contains("error 54 at 0 depth"), "{explained:?}");
        assert!(!explained.stderr.contains(" here: "), "{explained:?}");
    }
}

/// What differs is the key, where the signature is one that all have; and a release that names no error says none.
#[test]
fn a_key_that_an_older_release_does_not_have() {
    let folder = shared::root().join("fixtures/verify/post-quantum");
    let args =
        "--explain -no-CApath -no-CAstore -attime 1700000000 -CAfile root-p256.pem int-mixed.pem";
    let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
    let explained = tests::run::verify(Release::V3_5, &folder, &args, &[], b"").stderr;
    let line = explained.lines().find(|line| line.contains("OpenSSL 3.0 ")).expect("a line");
    let start = "explain int-mixed.pem: OpenSSL 3.0 rejects it without naming an error: OpenSSL 3.0 and OpenSSL 3.5 do \
                 not have the same algorithms, and `";
    assert!(line.starts_with(start) && line.contains("` has a key of ML-DSA-"), "{line}");
}
