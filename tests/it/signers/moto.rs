//! AWS KMS as moto imitates it, asked by AWS's own command: the wire format of docs/signers/aws-kms.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::Shell;
use tests::cli::{Ran, ended, words};
use tests::judges::{Answer, openssl, run};
use tests::rig::process::{Plan, Process};
use tests::rig::{moto, ports, tools};

use super::{PROGRAMS, clear, is_nowhere, meshctl, refuses_outside, transcript, whole_job};

/// The secret key of an AWS account that does not exist.
const SECRET: &str = "secret-access-key-2f6c1d";
const REGION: &str = "eu-central-1";

/// A server on loopback, which ends with the test.
struct Kms {
    /// Python's modules, with `bin/aws`.
    python: PathBuf,
    shell: Shell,
    url: String,
    server: Process,
}

impl Kms {
    /// `aws` for a service that signs digests; `moto` for one that hashes them first.
    fn start(service: &str) -> Option<Self> {
        Self::start_with(service, &[])
    }

    /// The same with variables in the server's environment.
    fn start_with(service: &str, more: &[(&str, &str)]) -> Option<Self> {
        let python = moto()?;
        let shell = Shell::new();
        let folder = shell.scratch.join("kms");
        std::fs::create_dir(&folder).expect("a folder");
        let port = ports::free().to_string();
        let script = tools::MOTO.home().join("kms.py");
        let mut plan = Plan::new("python3".as_ref(), &folder)
            .arg(script.display().to_string())
            .arg(&port)
            .arg(service);
        let home = folder.display().to_string();
        plan.env = vec![
            ("PYTHONPATH".to_owned(), python.display().to_string()),
            ("HOME".to_owned(), home),
        ];
        plan.env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let server = plan.start();
        let url = format!("http://127.0.0.1:{port}");
        let mut this = Self { python, shell, url, server };
        let start = Instant::now();
        while std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
            assert!(this.server.ended().is_none(), "moto ended:\n{}", this.server.tail());
            assert!(start.elapsed() < Duration::from_secs(60), "{}", this.server.tail());
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(this)
    }

    /// The environment of a client, with some variables changed.
    fn env(&self, changed: &[(&str, &str)]) -> Vec<(String, String)> {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut env = [
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            // No credentials of the machine, and one try.
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_MAX_ATTEMPTS", "1".to_owned()),
            ("HOME", self.shell.scratch.join("kms").display().to_string()),
            ("PATH", format!("{}:{path}", self.python.join("bin").display())),
            ("PYTHONPATH", self.python.display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        for (name, value) in changed {
            env.retain(|(known, _)| known != name);
            env.push(((*name).to_owned(), (*value).to_owned()));
        }
        env
    }

    fn ask(&self, program: &str, args: &[String]) -> Answer {
        let mut command = Command::new(program);
        run(command
            .args(args)
            .env_clear()
            .envs(self.env(&[]))
            .current_dir(self.shell.scratch.path()))
    }

    /// Runs `aws`; returns what it printed.
    #[track_caller]
    fn good(&self, args: &str) -> String {
        let aws = self.python.join("bin/aws").display().to_string();
        let answer = self.ask(&aws, &words(args));
        assert!(answer.good, "aws {args}\n{}{}", answer.out, answer.err);
        answer.out
    }

    /// A new key's identifier.
    fn key(&self, usage: &str, spec: &str) -> String {
        let create = format!("kms create-key --key-usage {usage} --key-spec {spec}");
        let printed = self.good(&format!("{create} --query KeyMetadata.KeyId --output text"));
        printed.trim().to_owned()
    }

    /// Nothing is written; returns what is printed.
    #[track_caller]
    fn refuses(&self, key: &str, changed: &[(&str, &str)], parts: &[&str]) -> Ran {
        let command = format!("ca init @/ca --cluster east {}", signer(key));
        let ran = refuses_outside(&self.shell, "kms/", &command, &self.env(changed));
        ended(&ran, 1, parts);
        assert!(!ran.err.contains(SECRET), "{}", ran.err);
        ran
    }
}

fn signer(key: &str) -> String {
    format!("--root-signer exec:{PROGRAMS}/aws-kms --signer-arg {key}")
}

#[test]
fn aws_kms_holds_the_root_key() {
    let Some(kms) = Kms::start("aws") else { return };
    let (shell, env) = (&kms.shell, kms.env(&[]));
    for (spec, kind) in [("ECC_NIST_P256", "ecdsa-p256"), ("RSA_2048", "rsa-2048")] {
        let key = kms.key("SIGN_VERIFY", spec);
        let alias = format!("alias/mesh-{kind}");
        kms.good(&format!("kms create-alias --alias-name {alias} --target-key-id {key}"));
        let printed = whole_job(shell, &signer(&alias), &env);
        assert!(transcript(shell).iter().all(|line| line["key"]["keyType"] == kind), "{printed}");
        is_nowhere(shell, SECRET, &printed, &["kms/"]);
        clear(shell);
    }
    // Each call of `aws` takes a second, so the other kinds sign a root and a cluster's CA only.
    let others = [
        ("ECC_NIST_P384", "ecdsa-p384"),
        ("ECC_NIST_P521", "ecdsa-p521"),
        ("RSA_3072", "rsa-3072"),
        ("RSA_4096", "rsa-4096"),
    ];
    let openssl = openssl();
    for (spec, kind) in others {
        let key = kms.key("SIGN_VERIFY", spec);
        let ran =
            meshctl(shell, &format!("ca init @/{kind} --cluster east {}", signer(&key)), &env);
        ended(&ran, 0, &["root-cert.pem    created    Mesh Root CA ", kind]);
        if let Some(openssl) = &openssl {
            let folder = format!("{kind}/east");
            let verify = format!("verify -CAfile {folder}/root-cert.pem {folder}/ca-cert.pem");
            openssl.good(&shell.scratch, &verify);
        }
    }
}

/// What AWS says is shown, and the next command shows it again.
#[test]
fn what_aws_kms_refuses() {
    let Some(kms) = Kms::start("aws") else { return };
    let check = |key: &str, changed: &[(&str, &str)], says: &str| {
        let ran = kms.refuses(key, changed, &["error[ctl/signer]: the signer `", says]);
        let next = ran.err.split('`').rev().nth(1).expect("a command");
        let mut shell = Command::new("bash");
        let answer = run(shell.args(["-c", next]).envs(kms.env(changed)));
        assert!(format!("{}{}", answer.out, answer.err).contains(says), "{next}\n{answer:?}");
    };
    let key = kms.key("SIGN_VERIFY", "ECC_NIST_P256");
    let disabled = kms.key("SIGN_VERIFY", "ECC_NIST_P256");
    kms.good(&format!("kms disable-key --key-id {disabled}"));
    let refused = format!(
        "(DisabledException) when calling the GetPublicKey operation: arn:aws:kms:{REGION}:"
    );
    check(&disabled, &[], &refused);
    let usage = "its key usage is ENCRYPT_DECRYPT, expected SIGN_VERIFY; create another: \
                 aws kms create-key --key-usage SIGN_VERIFY --key-spec ECC_NIST_P256";
    check(&kms.key("ENCRYPT_DECRYPT", "RSA_2048"), &[], usage);
    let none = "00000000-0000-4000-8000-000000000000";
    check(none, &[], &format!(":key/{none}' does not exist"));
    check("alias/none", &[], ":alias/none is not found.");
    let elsewhere = format!("Key 'arn:aws:kms:us-west-2:123456789012:key/{key}' does not exist");
    check(&key, &[("AWS_DEFAULT_REGION", "us-west-2")], &elsewhere);
    let nobody = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    check(&key, &nobody, "Unable to locate credentials. You can configure credentials by running");
    let nowhere = format!("http://127.0.0.1:{}", ports::free());
    check(&key, &[("AWS_ENDPOINT_URL", &nowhere)], "Could not connect to the endpoint URL: ");
}

/// A service that hashes the digest once more: the wrong signature is found before it is used.
#[test]
fn a_service_that_signs_something_else() {
    let Some(kms) = Kms::start("moto") else { return };
    for spec in ["ECC_NIST_P256", "RSA_2048"] {
        let key = kms.key("SIGN_VERIFY", spec);
        let wrong = [
            "error[ctl/signer-answer]: the answer of the signer `",
            "bytes) does not verify with the public key, sha256 ",
        ];
        kms.refuses(&key, &[], &wrong);
    }
}

/// moto checks each request's signature and, without regard to the key, its permission.
#[test]
fn the_permissions_that_a_signer_needs() {
    // What comes before is not checked: a key, a user, its permissions and its access key.
    let unchecked = [("INITIAL_NO_AUTH_ACTION_COUNT", "4")];
    let Some(kms) = Kms::start_with("aws", &unchecked) else { return };
    let key = kms.key("SIGN_VERIFY", "ECC_NIST_P256");
    kms.good("iam create-user --user-name signer");
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["kms:GetPublicKey", "kms:Sign"], "Resource": "*"},
    ]});
    kms.shell.scratch.write("kms/policy.json", policy.to_string());
    let document = "--policy-document file://kms/policy.json";
    kms.good(&format!("iam put-user-policy --user-name signer --policy-name mesh {document}"));
    let parts = "[AccessKey.AccessKeyId,AccessKey.SecretAccessKey]";
    let made = kms
        .good(&format!("iam create-access-key --user-name signer --query {parts} --output text"));
    let (id, secret) = made.trim().split_once('\t').expect("two columns");
    let wrong = [("AWS_ACCESS_KEY_ID", id)];
    kms.refuses(&key, &wrong, &["error[ctl/signer]: the signer `", "SignatureDoesNotMatch"]);
    let right = [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
    let command = format!("ca init @/ca --cluster east {}", signer(&key));
    let ran = meshctl(&kms.shell, &command, &kms.env(&right));
    ended(&ran, 0, &["root-cert.pem    created    Mesh Root CA "]);
    is_nowhere(&kms.shell, secret, &(ran.out + &ran.err), &["kms/"]);
    let aws = kms.python.join("bin/aws");
    let mut other = Command::new(aws);
    let other = run(other.args(["kms", "describe-key", "--key-id", &key]).envs(kms.env(&right)));
    assert!(other.err.contains("not authorized to perform: kms:DescribeKey"), "{other:?}");
}
