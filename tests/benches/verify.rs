//! Verification compared with its bare signature checks, parsing with x509-parser, the process with openssl.

use std::path::Path;
use std::process::{Command, Stdio};

use meshpki::verify::{Anchor, Inputs, Memo, Policy, Release, verify, verify_with};
use meshpki::{
    Cert, Issuer, KeyType, Name, Profile, Serial, Signer, SoftKey, Stamp, Time, issue, self_signed,
};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use tests::judges::openssl;
use tests::ratio::compare;

/// Workload certificates under one intermediate.
const WORKLOADS: usize = 10_000;

fn main() {
    let now = Time(1_795_244_400);
    let pki = Pki::new(now);
    let policy = Policy::like_openssl(now);
    let anchors = [Anchor::new(pki.root.clone())];
    let untrusted = [pki.intermediate.clone()];
    let check = |leaf: &Cert| {
        let inputs = Inputs::new(leaf, &untrusted, &anchors);
        let verdict = verify(&inputs, &policy);
        assert!(verdict.is_ok());
        verdict
    };
    let leaf = &pki.leaves[0];
    compare(
        "leaf -> intermediate -> root P-256 / its two signature checks",
        1.15,
        || check(leaf),
        || {
            signature(leaf, &pki.intermediate);
            signature(&pki.intermediate, &pki.root);
        },
    );
    compare(
        "parse a certificate / x509-parser",
        2.0,
        || Cert::from_der(pki.intermediate.as_der()).expect("a certificate"),
        || {
            x509_parser::parse_x509_certificate(pki.intermediate.as_der())
                .expect("a certificate")
                .1
                .tbs_certificate
                .version
        },
    );
    compare(
        "10,000 workloads under one intermediate / a signature check each",
        1.15,
        || {
            let mut memo = Memo::default();
            let mut good = |target: &Cert| {
                let inputs = Inputs::new(target, &untrusted, &anchors);
                verify_with(&inputs, &policy, &mut memo).is_ok()
            };
            assert_eq!(pki.leaves.iter().filter(|leaf| good(leaf)).count(), pki.leaves.len());
        },
        || pki.leaves.iter().for_each(|leaf| signature(leaf, &pki.intermediate)),
    );
    process(&pki);
}

fn signature(cert: &Cert, issuer: &Cert) {
    let key = issuer.public_key();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.bits());
    key.verify(cert.tbs(), cert.signature()).expect("a good signature");
}

struct Pki {
    root: Cert,
    intermediate: Cert,
    leaves: Vec<Cert>,
}

impl Pki {
    fn new(now: Time) -> Self {
        let stamp = |n: usize| {
            let mut serial = [0; 20];
            serial[12..].copy_from_slice(&(n as u64).to_be_bytes());
            Stamp::made_at(now, Serial::from_random(serial))
        };
        let key = || SoftKey::generate(KeyType::EcdsaP256).expect("a key");
        let name = |text: &str| text.parse::<Name>().expect("a name");
        let (root_key, ca_key, leaf_key) = (key(), key(), key());
        let root =
            self_signed(&Profile::root(name("O=Example, CN=Mesh Root CA")), &root_key, stamp(1))
                .expect("a root");
        let issuer = Issuer { cert: &root, signer: &root_key };
        let profile = Profile::cluster(name("O=Example, CN=Mesh CA east"));
        let intermediate =
            issue(&profile, ca_key.public_key(), issuer, stamp(2)).expect("an intermediate");
        let issuer = Issuer { cert: &intermediate, signer: &ca_key };
        let workload = |n: usize| {
            let id = format!("spiffe://cluster.local/ns/default/sa/s{n}");
            let profile = Profile::workload(&id.parse().expect("an identity"));
            issue(&profile, leaf_key.public_key(), issuer, stamp(3 + n))
                .expect("a workload's certificate")
        };
        let leaves = (0..if quick() { 10 } else { WORKLOADS }).map(workload).collect();
        Self { root, intermediate, leaves }
    }
}

fn quick() -> bool {
    std::env::args().any(|arg| arg == "--test")
}

/// The program to measure instead of this build's: the one that is released is static, and starts faster.
const PROGRAM: &str = "MESHCTL_PROGRAM";

/// `meshctl ca verify` against `openssl verify`, the same arguments, whole processes.
fn process(pki: &Pki) {
    if let Err(why) = openssl::program(Release::V3_5) {
        println!("NOT RUN: {why}");
        return;
    }
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let write = |name: &str, cert: &Cert| {
        std::fs::write(scratch.path().join(name), cert.to_pem()).expect("a file")
    };
    write("root.pem", &pki.root);
    write("ca.pem", &pki.intermediate);
    write("leaf.pem", &pki.leaves[0]);
    let options = [
        "-no-CApath",
        "-no-CAstore",
        "-attime",
        "1795244400",
        "-CAfile",
        "root.pem",
        "-untrusted",
        "ca.pem",
        "leaf.pem",
    ];
    let ours = std::env::var_os(PROGRAM);
    let ours = ours.unwrap_or_else(|| env!("CARGO_BIN_EXE_meshctl-under-test").into());
    compare(
        "meshctl ca verify / openssl verify 3.5, as processes",
        0.4,
        || {
            run(
                Command::new(&ours).args(["ca", "verify", "--openssl", "3.5"]).args(options),
                scratch.path(),
            )
        },
        || run(judge().arg("verify").args(options), scratch.path()),
    );
}

/// openssl 3.5 without the script around the copy of `cargo xtask judge`, which would be measured too.
fn judge() -> Command {
    let program = openssl::program(Release::V3_5).expect("a judge");
    let root = program.with_file_name("root").join("usr");
    let library = root.join("lib/x86_64-linux-gnu");
    if !library.is_dir() {
        return Command::new(program);
    }
    let mut command = Command::new(library.join("ld-linux-x86-64.so.2"));
    command.arg("--library-path").arg(library).arg(root.join("bin/openssl"));
    command
}

fn run(command: &mut Command, dir: &Path) {
    let command =
        command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().expect("a process").success());
}
