//! ML-DSA, SLH-DSA and ECDSA with SHA-3: each release of openssl decides as we do, and what commands say of them.

use std::fs;

use meshpki::internals::der::{self, Reader, tlv};
use meshpki::internals::{oid, pem};
use meshpki::verify::Release;
use serde_json::Value;
use tests::cases::Case;
use tests::cli::ended;
use tests::forge::{self, CertPlan, KEYS, extension, value};
use tests::fuzz::mutate::der::edited;
use tests::judges::openssl::{self, Openssl};
use tests::outside::OUTSIDE;
use tests::random::Random;
use tests::{Scratch, Shell, differ, schema, shared};

/// Root, intermediate if there is one, target: files of `fixtures/verify/post-quantum`.
const CHAINS: [&[&str]; 7] = [
    &["root-44", "int-44", "leaf-44"],
    &["root-44", "int-44", "pq-leaf-44"],
    &["root-65", "int-65", "leaf-65"],
    &["root-87", "int-87", "leaf-87"],
    &["root-p256", "int-mixed", "leaf-mixed"],
    &["root-slh", "int-slh", "leaf-slh"],
    &["root-sha3-256", "leaf-sha3-256"],
];

const COMMON: &str = "-no-CApath -no-CAstore -attime 1700000000";
/// What a case asks for besides.
const OPTIONS: [&str; 6] =
    ["", "-check_ss_sig", "-partial_chain", "-auth_level 2", "-auth_level 4", "-x509_strict"];

fn fixture(name: &str) -> Vec<u8> {
    let path = shared::root().join(format!("fixtures/verify/post-quantum/{name}.pem"));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn der_of(text: &[u8]) -> Vec<u8> {
    pem::decode(text).into_iter().flatten().next().expect("a block").der.clone()
}

/// The verification of a chain, whose last certificate is the target.
fn case(chain: &[(String, Vec<u8>)], options: &str) -> Case {
    let file = |name: &str| format!("{name}.pem");
    let mut args = format!("{COMMON} {options} -CAfile {}", file(&chain[0].0));
    for (name, _) in &chain[1..chain.len() - 1] {
        args += &format!(" -untrusted {}", file(name));
    }
    args += &format!(" {}", file(&chain[chain.len() - 1].0));
    Case {
        name: args.clone(),
        args: args.split_whitespace().map(str::to_owned).collect(),
        files: chain.iter().map(|(name, text)| (file(name), vec![text.clone()])).collect(),
        ..Case::default()
    }
}

/// Another bit, a signature or a key of another length, or elements that are changed, gone, doubled or moved.
fn changed(random: &mut Random, cert: &[u8]) -> Vec<u8> {
    let whole = Reader::new(cert).any().expect("a certificate");
    let mut parts = whole.reader();
    let mut next = || parts.any().expect("three elements").raw;
    let (signed, algorithm, signature) = (next(), next(), next());
    match random.below(4) {
        0 | 1 => {
            let mut bytes = cert.to_vec();
            bytes[random.below(cert.len())] ^= 1 << random.below(8);
            bytes
        }
        2 => {
            let bits = Reader::new(signature).any().expect("a BIT STRING").content;
            let length = random.pick(&[1, 2, bits.len() - 1, bits.len() + 1, 2 * bits.len()]);
            let other: Vec<u8> = bits.iter().copied().cycle().take(length).collect();
            der::sequence(&[signed, algorithm, &tlv(der::BIT_STRING, &other)])
        }
        _ => edited(random, cert, &[]),
    }
}

#[test]
fn whatever_is_changed() {
    if !openssl::are_available() {
        return;
    }
    let mut random = Random::new(205);
    let mut good = 0;
    for _ in 0..120 {
        let chain = random.pick(&CHAINS);
        let mut files: Vec<(String, Vec<u8>)> =
            chain.iter().map(|name| ((*name).to_owned(), fixture(name))).collect();
        let which = random.below(files.len());
        let other = changed(&mut random, &der_of(&files[which].1));
        files[which].1 = pem::encode("CERTIFICATE", &other).into_bytes();
        let case = case(&files, random.pick(&OPTIONS));
        for release in Release::ALL {
            let (ours, theirs) = differ::ask(release, &case);
            let text = String::from_utf8_lossy(&files[which].1);
            assert_eq!(ours, theirs, "{} {}\n{text}", release.name(), case.name);
            good += usize::from(theirs.exit == 0);
        }
    }
    assert!(good > 5, "{good}");
}

/// Every parameter set of both standards, newly made by OpenSSL 3.5: its own signature holds, and no changed one does.
#[test]
fn every_parameter_set() {
    let Some(judge) = Openssl::of(Release::V3_5) else { return };
    let sizes = ["128s", "128f", "192s", "192f", "256s", "256f"];
    let slh = |family| move |size| format!("SLH-DSA-{family}-{size}");
    let ml = ["44", "65", "87"].map(|size| format!("ML-DSA-{size}"));
    let slh = sizes.map(slh("SHA2")).into_iter().chain(sizes.map(slh("SHAKE")));
    let scratch = Scratch::new();
    scratch.write("none.cnf", "");
    let mut random = Random::new(204);
    for set in ml.into_iter().chain(slh) {
        judge.good(
            &scratch,
            &format!(
                "req -x509 -config none.cnf -newkey {set} -noenc -keyout key.pem -out own.pem \
                 -subj /CN={set} -not_before 20230101000000Z -not_after 20330101000000Z"
            ),
        );
        let text = scratch.read("own.pem").into_bytes();
        let whole = der_of(&text);
        let check = |bytes: &[u8], exit: i64| {
            let text = pem::encode("CERTIFICATE", bytes).into_bytes();
            let file = |name: &str| (name.to_owned(), text.clone());
            let (ours, theirs) =
                differ::ask(Release::V3_5, &case(&[file("root"), file("own")], "-check_ss_sig"));
            assert_eq!(ours, theirs, "{set}");
            assert_eq!(ours.exit, exit, "{set}: {ours:?}");
        };
        check(&whole, 0);
        // The signature is most of it, and ends it.
        for _ in 0..2 {
            let mut other = whole.clone();
            let at = whole.len() - 1 - random.below(whole.len() / 3);
            other[at] ^= 1 << random.below(8);
            check(&other, 2);
        }
    }
}

fn path(name: &str) -> String {
    format!("../fixtures/verify/post-quantum/{name}.pem")
}

#[test]
fn inspect_names_them() {
    let check = |files: &[&str], field: &str, expect: &[&str]| {
        let files: Vec<String> = files.iter().map(|name| path(name)).collect();
        let mut args = vec!["ca", "inspect"];
        args.extend(files.iter().map(String::as_str));
        let answer = tests::command::run(&args);
        let found: Vec<&str> = answer
            .out
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix(field))
            .map(|value| value.trim_start().split(", sha256").next().expect("a value"))
            .collect();
        assert_eq!(found, expect, "{answer}");
    };
    let files = &["int-44", "int-slh", "request", "root-44-crl", "leaf-sha3-512"];
    check(files, "Key   ", &["ML-DSA-44", "ecdsa-p256", "ML-DSA-65", "ecdsa-p256"]);
    check(
        files,
        "Signature",
        &[
            "ML-DSA-44",
            "SLH-DSA-SHA2-128s",
            "ML-DSA-65, by its own key",
            "ML-DSA-44",
            "ecdsa_with_SHA3-512",
        ],
    );
    let answer = tests::command::run(&["ca", "inspect", &path("request-key")]);
    let problem =
        ":1: PROBLEM: the private key cannot be read: algorithm ML-DSA-65 is not supported\n";
    assert!(answer.out.ends_with(problem), "{answer}");
}

#[test]
fn inspect_names_them_in_json() {
    let (request, root) = (path("request"), path("root-slh"));
    let answer = tests::command::run(&["ca", "inspect", "-o", "json", &request, &root]);
    schema::check("inspection", &answer.out);
    let document: Value = serde_json::from_str(&answer.out).expect("JSON");
    let field = |item: usize, name: &str| document["items"][item][name].clone();
    assert_eq!(field(0, "signatureAlgorithm"), "ML-DSA-65");
    assert_eq!(field(0, "signature"), "good");
    assert_eq!(field(0, "key")["algorithm"], "ML-DSA-65");
    assert_eq!(field(1, "selfSigned"), true);
    assert_eq!(field(1, "key")["algorithm"], "SLH-DSA-SHA2-128s");
}

/// A shell with the root, the intermediate and the leaf of `CHAINS[0]`.
fn shell() -> Shell {
    let shell = Shell::new();
    for name in ["root-44", "int-44", "leaf-44", "request"] {
        shell.scratch.write(&format!("{name}.pem"), fixture(name));
    }
    shell
}

const FILES: &str =
    "-attime 1700000000 -CAfile @/root-44.pem -untrusted @/int-44.pem @/leaf-44.pem";

#[test]
fn an_old_release_is_named() {
    let shell = shell();
    let ran = shell.run(&format!("ca verify --openssl 3.0 --explain {FILES}"));
    let texts = [
        "signature algorithm: expected one that OpenSSL 3.0 has, found ML-DSA-44, which is new in OpenSSL 3.5\n",
        "next: verify `leaf-44` with OpenSSL 3.5 or later, or issue it again with ECDSA and SHA-256\n",
    ];
    ended(&ran, 2, &texts);
    assert_eq!(shell.run(&format!("ca verify --openssl 3.5 {FILES}")).status, 0);
}

#[test]
fn the_verifiers_of_a_mesh() {
    let shell = shell();
    let check = |options: &str, texts: &[&str]| {
        let ran = shell.run(&format!("ca verify --as all --explain {options} {FILES}"));
        ended(&ran, 2, texts);
    };
    let go = [
        "  Go           rejects    x509: certificate signed by unknown authority\n",
        "explain: `int-44` (sha256 ",
        "/int-44.pem has a key of type ML-DSA-44, which Go does not use\n",
        "  ztunnel      rejects    UnsupportedSignatureAlgorithm\n",
        "explain: it has a key of type ecdsa-p256 and is signed with ML-DSA-44 by a key of type ML-DSA-44\n",
    ];
    check("", &[&go[..], &["  Envoy        accepts\n"]].concat());
    check(
        "--istio 1.29",
        &[&go[..], &["  Envoy        rejects    unable to decode issuer public key\n"]].concat(),
    );
}

#[test]
fn nothing_is_issued_with_them() {
    let shell = shell();
    shell.good("ca init @/mesh --plain-root-key --cluster east");
    let text = "is ML-DSA-65, which cannot be used: istiod and ztunnel do not support it";
    let sign = shell.run("ca sign @/request.pem --ca @/mesh --yes --out @/out");
    ended(&sign, 1, &["error[pki/unsupported-key]: the key of `request` ", text]);
    let cross = "ca cross-sign --ca @/mesh --root @/root-44.pem --out @/bridge.pem --yes";
    ended(&shell.run(cross), 1, &["error[pki/unsupported-key]: the key of `root-44` is ML-DSA-44"]);
    let init = shell.run("ca init @/other --key-type ml-dsa-65 --cluster east");
    ended(&init, 64, &["unknown key type `ml-dsa-65`; expected one of ecdsa-p256, "]);
}

/// Root, CA and its key as istiod reads them; `signer` and `own` are keys of the forge.
fn secret(shell: &Shell, folder: &str, signer: usize, own: usize, more_roots: &[Vec<u8>]) {
    let name = |text: &str| forge::name(&[(oid::COMMON_NAME, der::UTF8_STRING, text.as_bytes())]);
    let authority = |subject: &str, key: usize| {
        CertPlan::new(name(subject), name("root"), key, signer)
            .with(extension(oid::BASIC_CONSTRAINTS, true, value::basic_constraints(true, None)))
            .with(extension(oid::KEY_USAGE, true, value::bits(0x06)))
            .sign()
    };
    let text = |certs: &[Vec<u8>]| -> String {
        certs.iter().map(|cert| pem::encode("CERTIFICATE", cert)).collect()
    };
    let (root, ca) = (authority("root", signer), authority("ca", own));
    let file = |name: &str| format!("{folder}/{name}");
    shell.scratch.write(&file("ca-cert.pem"), text(std::slice::from_ref(&ca)));
    shell.scratch.write(&file("cert-chain.pem"), text(&[ca, root.clone()]));
    shell.scratch.write(&file("root-cert.pem"), text(&[&[root][..], more_roots].concat()));
    let key = KEYS.get(own).and_then(|key| forge::private(&key.name));
    let key = key.map_or_else(
        || fixture("request-key"),
        |key| pem::encode("PRIVATE KEY", &key).into_bytes(),
    );
    shell.scratch.write_key(&file("ca-key.pem"), key);
}

#[test]
fn what_check_says() {
    let outside = OUTSIDE.iter().position(|key| key.name == "ml-dsa-65").expect("a key");
    let (p256, ca, ml_dsa) = (forge::key("p256-1"), forge::key("p256-2"), KEYS.len() + outside);
    let shell = Shell::new();
    let warning = [
        "warning[istiod/weak-key]: ",
        "has a key of type ML-DSA-65\n",
        "evidence: istiod and its agents (Go) and ztunnel support neither ML-DSA nor SLH-DSA; Envoy verifies ML-DSA since 1.38, which Istio 1.30 has\n",
    ];
    let check = |folder: &str, status: u8, texts: &[&str]| {
        ended(&shell.run(&format!("check @/{folder}")), status, &[&warning[..], texts].concat());
    };
    secret(&shell, "root", ml_dsa, ca, &[]);
    check(
        "root",
        2,
        &[
            "root: Go does not verify the signature of `ca` ",
            "evidence: it is signed with ML-DSA-65; Go says: x509: certificate signed by unknown authority\n",
            "fix: issue it again with an algorithm that Go verifies, such as ECDSA with SHA-256",
        ],
    );
    secret(&shell, "ca", p256, ml_dsa, &[]);
    check(
        "ca",
        2,
        &[
            "ca: istiod cannot read ca-key.pem\n",
            "algorithm ML-DSA-65 is not supported\n",
            "fix: create the CA with a key that istiod reads: RSA, ECDSA or Ed25519",
        ],
    );
    secret(&shell, "more", p256, ca, &[der_of(&fixture("root-65"))]);
    check("more", 0, &["starts and signs with `ca`"]);
}
