//! An OpenBao server: its transit engine holds the root key, and its PKI is a corporate CA.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::Shell;
use tests::cli::ended;
use tests::judges::{Answer, openssl, run};
use tests::mesh::Mesh;
use tests::rig::process::{Plan, Process};
use tests::rig::{Istio, openbao, ports};

use super::{PROGRAMS, clear, is_nowhere, meshctl, refuses_outside, transcript, whole_job};

/// The token of the server's root. A development server keeps everything in memory.
pub(super) const ROOT_TOKEN: &str = "root-token-5c0e77";
/// What a signer may do, and no more; as in docs/signers.md.
const POLICY: &str = "path \"transit/keys/mesh-root\" { capabilities = [\"read\"] }\n\
                      path \"transit/sign/mesh-root/*\" { capabilities = [\"update\"] }\n";

/// A server on loopback, which ends with the test.
pub(super) struct Bao {
    program: PathBuf,
    pub(super) shell: Shell,
    url: String,
    server: Process,
}

impl Bao {
    pub(super) fn start() -> Option<Self> {
        let program = openbao()?;
        let shell = Shell::new();
        let folder = shell.scratch.join("bao");
        std::fs::create_dir(&folder).expect("a folder");
        let address = format!("127.0.0.1:{}", ports::free());
        let mut plan = Plan::new(&program, &folder)
            .arg("server")
            .arg("-dev")
            .arg("-dev-no-store-token")
            .arg(format!("-dev-root-token-id={ROOT_TOKEN}"))
            .arg(format!("-dev-listen-address={address}"));
        plan.env.push(("HOME".to_owned(), folder.display().to_string()));
        let server = plan.start();
        let url = format!("http://{address}");
        let mut this = Self { program, shell, url, server };
        let start = Instant::now();
        while !this.ask(ROOT_TOKEN, &["status"]).good {
            assert!(this.server.ended().is_none(), "OpenBao ended:\n{}", this.server.tail());
            assert!(start.elapsed() < Duration::from_secs(60), "{}", this.server.tail());
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(this)
    }

    fn ask(&self, token: &str, args: &[&str]) -> Answer {
        let mut command = Command::new(&self.program);
        run(command.args(args).envs(self.env(token)).current_dir(self.shell.scratch.path()))
    }

    /// Runs `bao` with the root token; returns what it printed.
    #[track_caller]
    pub(super) fn good(&self, args: &str) -> String {
        let args = tests::cli::words(args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let answer = self.ask(ROOT_TOKEN, &args);
        assert!(answer.good, "bao {args:?}\n{}{}", answer.out, answer.err);
        answer.out
    }

    /// The environment of a client with a token.
    pub(super) fn env(&self, token: &str) -> Vec<(String, String)> {
        let folder = self.program.parent().expect("a folder").display();
        let path = std::env::var("PATH").unwrap_or_default();
        [
            ("BAO_ADDR", self.url.clone()),
            ("BAO_TOKEN", token.to_owned()),
            ("HOME", self.shell.scratch.join("bao").display().to_string()),
            ("PATH", format!("{folder}:{path}")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

#[test]
fn transit_holds_the_root_key() {
    let Some(bao) = Bao::start() else { return };
    let shell = &bao.shell;
    shell.scratch.write("bao/signer.hcl", POLICY);
    bao.good("secrets enable transit");
    bao.good("policy write signer bao/signer.hcl");
    let token = bao.good("token create -policy=signer -field=token");
    let env = bao.env(token.trim());
    let signer = format!("--root-signer exec:{PROGRAMS}/openbao-transit --signer-arg mesh-root");
    for kind in ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-4096"] {
        bao.good(&format!("write -f transit/keys/mesh-root type={kind}"));
        let printed = whole_job(shell, &signer, &env);
        let lines = transcript(shell);
        assert!(lines.iter().all(|line| line["key"]["keyType"] == kind), "{lines:?}");
        is_nowhere(shell, token.trim(), &printed, &["bao/"]);
        is_nowhere(shell, ROOT_TOKEN, &printed, &["bao/"]);
        // A second version of the key is another key, which the root does not have.
        bao.good("write -f transit/keys/mesh-root/rotate");
        let renew = format!("ca renew @/ca --cluster west {signer}");
        let ran = meshctl(shell, &renew, &env);
        ended(
            &ran,
            1,
            &["error[ctl/signer-key]: the signer's key differs from the key of `Mesh Root CA "],
        );
        bao.good("write transit/keys/mesh-root/config deletion_allowed=true");
        bao.good("delete transit/keys/mesh-root");
        clear(shell);
    }
    // No such key, no such token, no server: what bao says is shown, and nothing is written.
    let init = format!("ca init @/ca --cluster east {signer}");
    let refused = |env: &[(String, String)], why: &str| {
        let ran = refuses_outside(shell, "bao/", &init, env);
        ended(&ran, 1, &["error[ctl/signer]: the signer `", "openbao-transit: ", why]);
        assert!(!ran.err.contains(token.trim()), "{}", ran.err);
    };
    refused(&env, "No value found at transit/keys/mesh-root");
    refused(&bao.env("no-such-token"), "Code: 403");
    drop(bao.server);
    refused(&env, "connection refused");
}

/// `ca csr`, the corporate CA signs, `ca adopt`, `push` to a cluster; `ca renew` makes the next CSR, and so on.
#[test]
fn its_pki_is_the_corporate_ca() {
    let Some(bao) = Bao::start() else { return };
    let mesh = Mesh::with_istio(&["east"], &Istio::default());
    let shell = &bao.shell;
    bao.good("secrets enable pki");
    bao.good("secrets tune -max-lease-ttl=87600h pki");
    bao.good("write pki/root/generate/internal 'common_name=Corporate Root' ttl=87600h");
    bao.good("secrets enable -path=issuing pki");
    bao.good("secrets tune -max-lease-ttl=43800h issuing");
    let csr = bao.good(
        "write -field=csr issuing/intermediate/generate/internal 'common_name=Corporate Issuing'",
    );
    shell.scratch.write("bao/issuing.csr", csr);
    let signed = bao.good(
        "write -field=certificate pki/root/sign-intermediate csr=@bao/issuing.csr ttl=43800h",
    );
    shell.scratch.write("bao/issuing.pem", signed);
    bao.good("write issuing/intermediate/set-signed certificate=@bao/issuing.pem");
    let root = bao.good("read -field=certificate pki/cert/ca");
    shell.scratch.write("corporate-root.pem", root);

    let sign = |csr: &str, answer: &str| {
        let command = format!(
            "write -format=json issuing/root/sign-intermediate csr=@{csr} use_csr_values=true ttl=8760h"
        );
        shell.scratch.write(answer, bao.good(&command));
    };
    let good = |command: &str| {
        let ran = meshctl(shell, command, &[]);
        assert_eq!(ran.status, 0, "{command}\n{}{}", ran.out, ran.err);
        ran.out
    };
    let push = |parts: &[&str]| {
        let Some(mesh) = &mesh else { return };
        let dir = shell.scratch.join("mesh");
        let limits = "--yes --timeout 60s --reload-timeout 20s";
        let said = mesh.good(&format!("push {} --context east {limits}", dir.display()));
        for part in [&["verified in 1 pod of istiod and 2 namespaces"], parts].concat() {
            assert!(said.contains(part), "`{part}` is not in\n{said}");
        }
    };
    good("ca csr @/mesh --cluster east");
    let key = shell.scratch.read("mesh/east/ca-key.pem");
    sign("mesh/east/ca.csr", "first.json");
    good("ca adopt @/mesh --cluster east @/first.json @/corporate-root.pem --yes");
    assert_eq!(shell.scratch.read("mesh/east/ca-key.pem"), key, "the key has stayed where it was");
    good("check @/mesh");
    push(&["secret: new", "restarted istio-system/deployment/istiod"]);
    let first = shell.scratch.read("mesh/east/ca-cert.pem");

    for round in ["second", "third"] {
        let ran = meshctl(shell, "ca renew @/mesh --cluster east", &[]);
        ended(
            &ran,
            2,
            &["error[ctl/csr-waits]: ", "`Corporate Issuing`, whose key is not in this folder"],
        );
        sign("mesh/east/renewal/ca.csr", &format!("{round}.json"));
        good(&format!("ca adopt @/mesh --cluster east @/{round}.json --yes"));
        good("check @/mesh");
        push(&["secret: changed", "loads it without a restart", "restarts: none"]);
        assert!(!shell.scratch.join("mesh/east/renewal").exists(), "{round}");
    }
    let last = shell.scratch.read("mesh/east/ca-cert.pem");
    assert_ne!(first, last);
    assert_ne!(shell.scratch.read("mesh/east/ca-key.pem"), key, "a renewal has a new key");
    let shown = good("ca inspect @/mesh/east/ca-cert.pem -o json");
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert!(shown.to_string().contains("CN = Corporate Issuing"), "{shown}");
    if let Some(openssl) = openssl() {
        let under_root = "-CAfile corporate-root.pem -untrusted mesh/east/cert-chain.pem";
        openssl.good(&shell.scratch, &format!("verify {under_root} mesh/east/ca-cert.pem"));
    }
}
