//! What `ca verify` adds to `openssl verify`: none of it changes an answer.

use meshpki::internals::der::{self, tlv};
use meshpki::internals::{oid, pem};
use meshpki::verify::Release;
use serde_json::Value;
use tests::cases::{self, Recorded};
use tests::forge::{self, CertPlan, extension, value};
use tests::judges::openssl;
use tests::run::{self, Printed};
use tests::world::common_name;
use tests::{Scratch, schema, shared};

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

/// What `-o json` prints of every fixture fits its schema and says what the text says.
#[test]
fn json_fits_its_schema() {
    let mut results = std::collections::BTreeSet::new();
    for topic in cases::topics() {
        for Recorded { mut case, printed } in cases::load(&topic) {
            case.args.splice(0..0, ["-o".to_owned(), "json".to_owned()]);
            let ran = case.ours(Release::V3_5, &topic);
            if !ran.stdout.starts_with('{') {
                assert!(
                    ran.stdout.is_empty() && matches!(ran.exit, 0 | 1),
                    "{}: {ran:?}",
                    case.name
                );
                continue;
            }
            schema::check("openssl-verification", &ran.stdout);
            let document: Value = serde_json::from_str(&ran.stdout).expect("JSON");
            assert_eq!(
                (document["exitStatus"].as_i64(), ran.exit),
                (Some(ran.exit), printed[1].exit)
            );
            for certificate in document["certificates"].as_array().expect("a list") {
                results.insert(certificate["result"].as_str().expect("a word").to_owned());
            }
        }
    }
    assert_eq!(results.into_iter().collect::<Vec<_>>(), ["failed", "ok", "unreadable"]);
}

/// `-help` has the sections, options and values of each release's own, in its order, and ends with what is ours.
#[test]
fn help_has_the_options_of_openssl() {
    if !openssl::are_available() {
        return;
    }
    let folder = shared::root();
    // Up to where descriptions begin.
    let names = |text: &str| -> Vec<String> {
        let lines = text.lines().take_while(|line| !line.starts_with("Not in openssl"));
        let name = |line: &str| match line.strip_prefix(" -") {
            Some(_) => line.chars().take(23).collect::<String>().trim_end().to_owned(),
            None => line.to_owned(),
        };
        lines.map(name).filter(|line| !line.is_empty()).collect()
    };
    for release in Release::ALL {
        let args = ["-help".to_owned()];
        let theirs = openssl::verify(release, &folder, &args, &[], b"");
        let ours = run::verify(release, &folder, &args, &[], b"");
        assert_eq!((ours.exit, ours.stdout.as_str()), (theirs.exit, theirs.stdout.as_str()));
        assert_eq!(names(&ours.stderr), names(&theirs.stderr), "{release}");
        assert!(ours.stderr.contains("\nNot in openssl:\n --explain "), "{}", ours.stderr);
        assert!(ours.stderr.lines().all(|line| line.len() <= 100), "{}", ours.stderr);
    }
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
    let code = "it would load code at run time";
    for (option, value, why) in [
        ("-crl_download", None, "it would fetch CRLs from the network"),
        ("-engine", Some("x"), code),
        ("-provider", Some("default"), code),
        ("-provider-path", Some("/"), code),
        ("-propquery", Some("?fips=yes"), code),
    ] {
        let args: Vec<&str> = std::iter::once(option).chain(value).chain(["leaf.pem"]).collect();
        let printed = verify(&args);
        assert_eq!((printed.exit, printed.stdout.as_str()), (1, ""));
        let line = format!("verify: Option {option} is not supported by meshctl: {why}\n");
        assert_eq!(printed.stderr, line);
    }
    // An option since 3.5.
    let dir = shared::root().join("fixtures/verify/time");
    let args = ["-provparam", "default:a=b", "leaf.pem"].map(str::to_owned);
    let printed = run::verify(Release::V3_5, &dir, &args, &[], b"");
    let line = format!("verify: Option -provparam is not supported by meshctl: {code}\n");
    assert_eq!((printed.exit, printed.stdout.as_str(), printed.stderr), (1, "", line));
}

/// The answer with `--explain`.
fn explained(dir: &std::path::Path, args: &[&str]) -> Printed {
    let args: Vec<String> = ["-no-CApath", "-no-CAstore", "-attime", "1700000000", "--explain"]
        .iter()
        .chain(args)
        .map(|arg| (*arg).to_owned())
        .collect();
    run::verify(Release::V3_5, dir, &args, &[], b"")
}

/// With the arguments, the last of which is the target, it is valid.
#[track_caller]
fn assert_valid(dir: &Scratch, args: &[&str]) {
    let printed = explained(dir.path(), args);
    let line = format!("{}: OK\n", args[args.len() - 1]);
    assert_eq!((printed.exit, &printed.stdout), (0, &line), "{}", printed.stderr);
    assert!(!printed.stderr.contains("next: "), "{}", printed.stderr);
}

/// What `--explain` prints after `next: ` for the arguments, and the folder.
fn next_steps(dir: &Scratch, args: &[&str]) -> String {
    let printed = explained(dir.path(), args);
    let lines = printed.stderr.lines().filter_map(|line| line.trim().strip_prefix("next: "));
    lines.map(|line| format!("{line}\n")).collect()
}

fn plan(subject: &str, issuer: &str, key: &str, signer: &str) -> CertPlan {
    CertPlan::new(common_name(subject), common_name(issuer), forge::key(key), forge::key(signer))
}

fn ca(subject: &str, issuer: &str, key: &str, signer: &str) -> CertPlan {
    let basic = value::basic_constraints(true, None);
    plan(subject, issuer, key, signer).with(extension(oid::BASIC_CONSTRAINTS, true, basic))
}

fn pem_of(plans: &[&CertPlan]) -> String {
    plans.iter().map(|plan| pem::encode(pem::CERTIFICATE, &plan.sign())).collect()
}

fn folder(files: &[(&str, &[&CertPlan])]) -> Scratch {
    let dir = Scratch::new();
    for (name, plans) in files {
        std::fs::write(dir.path().join(name), pem_of(plans)).unwrap();
    }
    dir
}

/// An issuer that is the second certificate of the very file: the option that is named makes it valid.
#[test]
fn the_next_option_finds_an_issuer_in_the_same_file() {
    let (root, int) =
        (ca("Root", "Root", "p256-0", "p256-0"), ca("Int", "Root", "p256-1", "p256-0"));
    let leaf = plan("Leaf", "Int", "p256-2", "p256-1");
    let dir = folder(&[("ca.pem", &[&root]), ("server.pem", &[&leaf, &int])]);
    let next = next_steps(&dir, &["-CAfile", "ca.pem", "server.pem"]);
    let option = next.split('`').find(|text| text.starts_with("-untrusted ")).expect("an option");
    let option: Vec<&str> = option.split(' ').collect();
    let again = [&["-CAfile", "ca.pem"], &option[..], &["server.pem"]].concat();
    assert_valid(&dir, &again);
}

/// The first of two cross-signed twins leads nowhere: in the order that is named, the chain is valid.
#[test]
fn the_next_step_orders_twins() {
    let root = ca("New", "New", "p256-0", "p256-0");
    let by_old = ca("Mesh", "Old", "p256-1", "p256-3");
    let by_new = ca("Mesh", "New", "p256-1", "p256-0");
    let leaf = plan("Leaf", "Mesh", "p256-2", "p256-1");
    let files: [(&str, &[&CertPlan]); 4] = [
        ("ca.pem", &[&root]),
        ("old-first.pem", &[&by_old, &by_new]),
        ("new-first.pem", &[&by_new, &by_old]),
        ("leaf.pem", &[&leaf]),
    ];
    let dir = folder(&files);
    let args = |file| ["-CAfile", "ca.pem", "-untrusted", file, "leaf.pem"];
    let next = next_steps(&dir, &args("old-first.pem"));
    assert!(next.contains("put the `Mesh` that `New` issued before this one"));
    assert_valid(&dir, &args("new-first.pem"));
}

/// An expired CA in the trust store hides a valid one among the untrusted: without it, the chain is valid.
#[test]
fn the_next_step_removes_an_expired_twin() {
    let root = ca("Root", "Root", "p256-0", "p256-0");
    let int = |until: &[u8]| CertPlan {
        not_after: (der::UTC_TIME, until.to_vec()),
        ..ca("Int", "Root", "p256-1", "p256-0")
    };
    let (expired, valid) = (int(b"220101000000Z"), int(b"400101000000Z"));
    let leaf = plan("Leaf", "Int", "p256-2", "p256-1");
    let files: [(&str, &[&CertPlan]); 4] = [
        ("store.pem", &[&root, &expired]),
        ("without.pem", &[&root]),
        ("valid.pem", &[&valid]),
        ("leaf.pem", &[&leaf]),
    ];
    let dir = folder(&files);
    let args = |store| ["-CAfile", store, "-untrusted", "valid.pem", "leaf.pem"];
    let next = next_steps(&dir, &args("store.pem"));
    assert!(next.contains("remove the expired certificate of `Int`"), "{next}");
    assert_valid(&dir, &args("without.pem"));
}

/// A URI constraint with a scheme matches nothing: with the host that is named, the certificate is valid.
#[test]
fn the_next_step_names_the_host_of_a_constraint() {
    let constrained = |base: &str| {
        let trees = [value::general(6, base.as_bytes())];
        let constraints = value::name_constraints(&trees, &[]);
        ca("Root", "Root", "p256-0", "p256-0").with(extension(
            oid::NAME_CONSTRAINTS,
            true,
            constraints,
        ))
    };
    let names = value::list(&[value::general(6, b"spiffe://td.example/ns/a/sa/b")]);
    let leaf = plan("Leaf", "Root", "p256-2", "p256-0").with(extension(
        oid::SUBJECT_ALT_NAME,
        false,
        names,
    ));
    let files =
        |base: &str, leaf| folder(&[("ca.pem", &[&constrained(base)]), ("leaf.pem", &[leaf])]);
    let args = ["-CAfile", "ca.pem", "leaf.pem"];
    let next = next_steps(&files("spiffe://td.example/ns", &leaf), &args);
    let host = next.split('`').nth(3).expect("a host");
    assert_eq!(host, "td.example", "{next}");
    assert_valid(&files(host, &leaf), &args);
    // Another name outside its subtree is another matter, whatever the constraint on URIs.
    let both = [value::general(6, b"spiffe://td.example/ns"), value::general(2, b"a.example")];
    let root = ca("Root", "Root", "p256-0", "p256-0").with(extension(
        oid::NAME_CONSTRAINTS,
        true,
        value::name_constraints(&both, &[]),
    ));
    let named = value::list(&[value::general(2, b"b.example")]);
    let leaf = plan("Leaf", "Root", "p256-2", "p256-0").with(extension(
        oid::SUBJECT_ALT_NAME,
        false,
        named,
    ));
    let dir = folder(&[("ca.pem", &[&root]), ("leaf.pem", &[&leaf])]);
    let next = next_steps(&dir, &args);
    assert_eq!(next, "issue `Leaf` with names inside the permitted subtrees, or widen them\n");
}

/// The target cannot be removed, even if there is a valid one with its key.
#[test]
fn the_next_step_renews_an_expired_target() {
    let root = ca("Root", "Root", "p256-0", "p256-0");
    let leaf = |until: &[u8]| CertPlan {
        not_after: (der::UTC_TIME, until.to_vec()),
        ..plan("Leaf", "Root", "p256-2", "p256-0")
    };
    let (expired, valid) = (leaf(b"220101000000Z"), leaf(b"400101000000Z"));
    let files: [(&str, &[&CertPlan]); 3] =
        [("ca.pem", &[&root]), ("valid.pem", &[&valid]), ("leaf.pem", &[&expired])];
    let dir = folder(&files);
    let next = next_steps(&dir, &["-CAfile", "ca.pem", "-untrusted", "valid.pem", "leaf.pem"]);
    assert_eq!(next, "renew `Leaf`\n");
}

/// Proxy certificates, Suite B, resources and CRL issuers: no form of RFC 5280 is asked for, and the first option that
/// is named is one that exists.
#[test]
fn the_next_step_fits_every_code() {
    let codes = [37, 38, 39, 40, 46, 54, 56, 57, 58, 59, 60, 61, 72];
    let mut seen = std::collections::BTreeSet::new();
    for topic in cases::topics() {
        for Recorded { mut case, printed } in cases::load(&topic) {
            let has = |code: &&i32| printed[1].stderr.contains(&format!("error {code} at "));
            if !codes.iter().any(|code| has(&code)) {
                continue;
            }
            case.args.insert(0, "--explain".to_owned());
            let explained = case.ours(Release::V3_5, &topic).stderr;
            for code in codes.iter().filter(has) {
                let mut lines = explained.lines().skip_while(|line| {
                    !(line.starts_with("explain ") && line.contains(&format!("error {code} at ")))
                });
                let next = lines.find_map(|line| line.trim().strip_prefix("next: "));
                let next = next.unwrap_or_else(|| panic!("{code}: {explained}"));
                assert!(!next.contains("the form that RFC 5280 requires"), "{code}: {next}");
                seen.insert(*code);
            }
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), codes);
    let proxy = |more: &[&str]| {
        let args = ["-CAfile", "root.pem", "-untrusted", "below.pem", "one.pem"];
        let folder = shared::root().join("fixtures/verify/proxies");
        explained(&folder, &[more, &args].concat())
    };
    let next = proxy(&[]).stderr;
    let option = next.split('`').find(|text| text.starts_with('-')).expect("an option");
    assert_eq!((option, proxy(&[option]).exit), ("-allow_proxy_certs", 0), "{next}");
}

/// What is found in the chain of a CRL's issuer is marked as such, and has no evidence of the chain itself.
#[test]
fn findings_about_a_crl_issuer_are_marked() {
    let dir = shared::root().join("fixtures/verify/indirect");
    let args =
        "-extended_crl -crl_check -CAfile root.pem -untrusted other-usage.pem -CRLfile clean.crl";
    let args: Vec<&str> = args.split(' ').collect();
    let ask = |more: &[&str]| explained(&dir, &[&args, more].concat());
    let text = ask(&["pointed.pem"]).stderr;
    assert!(text.contains("explain pointed.pem: [CRL path] error "), "{text}");
    assert!(text.contains("next: in the chain of the CRL's issuer, "), "{text}");
    let json = ask(&["-o", "json", "pointed.pem"]).stdout;
    let document: Value = serde_json::from_str(&json).expect("JSON");
    let findings = document["certificates"][0]["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|found| found["inChainOfCrlIssuer"] == true), "{document:#}");
}

/// A parameter that openssl does not know is in the document too.
#[test]
fn json_tells_of_a_bad_parameter() {
    let printed = verify(&["-vfyopt", "other:1", "-o", "json", "leaf.pem", "int.pem"]);
    let document: Value = serde_json::from_str(&printed.stdout).expect("JSON");
    assert_eq!((printed.exit, document["exitStatus"].as_i64()), (2, Some(2)));
    let all = document["certificates"].as_array().expect("certificates");
    let problems: Vec<_> = all.iter().map(|each| each["problem"].as_str()).collect();
    assert_eq!(problems, [Some("parameter error \"other:1\""); 2]);
}

/// A certificate that says where its issuer is; what it says is printed without control characters, without a password,
/// and not without end.
#[test]
fn the_next_step_has_the_address_of_an_issuer() {
    let place = der::sequence(&[
        &tlv(der::OID, oid::CA_ISSUERS),
        &value::general(6, b"http://me:secret@pki.example/int.crt\x1b[1m"),
    ]);
    let access = extension(oid::AUTHORITY_INFO_ACCESS, false, value::list(&[place]));
    let leaf = plan("Leaf", "Int", "p256-2", "p256-1").with(access);
    let root = ca("Root", "Root", "p256-0", "p256-0");
    let dir = folder(&[("ca.pem", &[&root]), ("leaf.pem", &[&leaf])]);
    let next = next_steps(&dir, &["-CAfile", "ca.pem", "leaf.pem"]);
    assert!(
        next.contains("`Leaf` says that it is at http://pki.example/int.crt\\x1b[1m"),
        "{next}"
    );
    let place = der::sequence(&[
        &tlv(der::OID, oid::CA_ISSUERS),
        &value::general(6, [b"http://pki.example/".as_slice(), &[b'a'; 5000]].concat().as_slice()),
    ]);
    let access = extension(oid::AUTHORITY_INFO_ACCESS, false, value::list(&[place]));
    let leaf = plan("Leaf", "Int", "p256-2", "p256-1").with(access);
    let dir = folder(&[("ca.pem", &[&root]), ("leaf.pem", &[&leaf])]);
    let next = next_steps(&dir, &["-CAfile", "ca.pem", "leaf.pem"]);
    assert!(next.len() < 400 && next.ends_with("aaa...\n"), "{next}");
}
