//! `meshctl ca csr --signer`: an issuing CA whose key is in a program or on a token signs the CAs of clusters.

use meshpki::KeyType;
use meshpki::cacerts::certs;
use tests::Shell;
use tests::authority::key;
use tests::cli::ended;
use tests::judges::openssl;

use super::openbao::Bao;
use super::token::modules::{PIN, Token};
use super::{PROGRAMS, is_nowhere, meshctl, refuses, script, transcript};

/// A shell with two keys that the documented program signs with: the root's and the issuing CA's.
fn with_keys() -> Shell {
    let shell = Shell::new();
    for name in ["root", "issuing"] {
        shell.scratch.write_key(&format!("keys/{name}.pem"), key(KeyType::EcdsaP256).to_pem());
    }
    script(&shell, "signer", &format!("exec {PROGRAMS}/openssl-key \"$@\""));
    shell
}

const HOLDER: &str = "exec:@/signer --signer-arg @/keys/issuing.pem";

/// Asks for the certificate of an issuing CA, has `sign` put it and what is above it into `issuing.pem`, signs a
/// cluster's CA with it, and renews that. Returns all that was printed.
fn whole_job(
    shell: &Shell,
    holder: &str,
    env: &[(String, String)],
    sign: &dyn Fn(&Shell),
) -> String {
    let mut printed = String::new();
    let mut run = |status: u8, command: &str| {
        let ran = meshctl(shell, command, env);
        printed += &format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.status, status, "{command}\n{}{}", ran.out, ran.err);
    };
    let record = "--transcript @/ceremony.jsonl";
    run(0, &format!("ca csr --out @/issuing.csr --signer {holder} {record}"));
    // Once more, with the same key: the CSR is replaced.
    run(0, &format!("ca csr --out @/issuing.csr --signer {holder} {record}"));
    if let Some(openssl) = openssl() {
        let shown = openssl.good(&shell.scratch, "req -in issuing.csr -verify -noout -text");
        assert!(shown.contains("CA:TRUE, pathlen:1"), "{shown}");
        assert!(shown.contains("CN = Mesh Issuing CA"), "{shown}");
    }
    sign(shell);
    let issuer = format!("--ca-cert @/issuing.pem --yes --root-signer {holder} {record}");
    run(0, "ca csr @/ca --cluster east");
    run(0, &format!("ca sign @/ca/east/ca.csr --out @/ca/east {issuer}"));
    run(0, "check @/ca");
    let first = shell.scratch.read("ca/east/ca-cert.pem");
    run(2, "ca renew @/ca --cluster east");
    run(0, &format!("ca sign @/ca/east/renewal/ca.csr --out @/renewed {issuer}"));
    run(0, "ca adopt @/ca --cluster east @/renewed/ca-cert.pem --yes");
    run(0, "check @/ca");
    assert_ne!(shell.scratch.read("ca/east/ca-cert.pem"), first);
    if let Some(openssl) = openssl() {
        let above = "-CAfile ca/east/root-cert.pem -untrusted ca/east/cert-chain.pem";
        openssl.good(&shell.scratch, &format!("verify {above} ca/east/ca-cert.pem"));
    }
    let chain = shell.scratch.read("ca/east/cert-chain.pem");
    let chain = certs("cert-chain.pem", chain.as_bytes()).expect("a chain");
    assert_eq!(chain.len(), 3, "the cluster, the issuing CA, the root");
    let documents: Vec<String> = transcript(shell)
        .iter()
        .map(|line| line["signed"]["document"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(documents, ["csr", "csr", "certificate", "certificate"]);
    printed
}

/// Our own root signs the CSR.
fn by_our_root(shell: &Shell) {
    shell.good("ca init @/root --plain-root-key --cluster other");
    shell.good("ca sign @/issuing.csr --ca @/root --path-len 1 --out @/issuing --yes");
    shell.scratch.write("issuing.pem", shell.scratch.read("issuing/cert-chain.pem"));
}

#[test]
fn a_program() {
    if openssl().is_none() {
        return;
    }
    let mut shell = with_keys();
    // The program runs by the system's clock, and so does what is signed in this process.
    shell.now = meshctl::io::system_time();
    whole_job(&shell, HOLDER, &[], &by_our_root);
}

#[test]
fn a_token() {
    for mut token in Token::each() {
        token.key("EC:prime256v1", "issuing", "01");
        token.shell.now = meshctl::io::system_time();
        let holder = token.uri("object=issuing");
        let printed = whole_job(&token.shell, &holder, &token.env, &by_our_root);
        is_nowhere(&token.shell, PIN, &printed, &["pins/right"]);
    }
}

/// OpenBao's transit has the key, and OpenBao's PKI, as the corporate root, signs the CSR.
#[test]
fn openbao_under_openbao() {
    let Some(bao) = Bao::start() else { return };
    bao.good("secrets enable transit");
    bao.good("write -f transit/keys/issuing type=ecdsa-p256");
    bao.good("secrets enable pki");
    bao.good("secrets tune -max-lease-ttl=87600h pki");
    bao.good("write pki/root/generate/internal 'common_name=Corporate Root' ttl=87600h");
    let root = bao.good("read -field=certificate pki/cert/ca");
    let sign = |shell: &Shell| {
        let signed = bao.good(
            "write -field=certificate pki/root/sign-intermediate csr=@issuing.csr \
             use_csr_values=true max_path_length=1 ttl=43800h",
        );
        shell.scratch.write("issuing.pem", format!("{}\n{}\n", signed.trim(), root.trim()));
    };
    let holder = format!("exec:{PROGRAMS}/openbao-transit --signer-arg issuing");
    let printed = whole_job(&bao.shell, &holder, &bao.env(super::openbao::ROOT_TOKEN), &sign);
    is_nowhere(&bao.shell, super::openbao::ROOT_TOKEN, &printed, &["bao/"]);
}

#[test]
fn what_is_printed() {
    if openssl().is_none() {
        return;
    }
    let shell = with_keys();
    shell.check(
        &format!("ca csr --out @/issuing.csr --signer {HOLDER}"),
        r#"
        exit 0
        @/issuing.csr  created, O = Mesh, CN = Mesh Issuing CA, ecdsa-p256, key sha256 [sha256]
          key held by exec:@/signer
        --- stderr

        next: where the root key is, `meshctl ca sign @/issuing.csr --ca DIR --path-len 1 --out issuing`; then `meshctl ca sign CSR --ca-cert issuing/cert-chain.pem` with the same signer as `--root-signer` signs the CSRs of clusters
    "#,
    );
    // On standard output, there is nothing but the CSR.
    let ran = shell.run(&format!("ca csr --out - --path-len 2 --signer {HOLDER}"));
    ended(&ran, 0, &["-----BEGIN CERTIFICATE REQUEST-----"]);
    assert_eq!(ran.err, "");
}

#[test]
fn what_is_refused() {
    if openssl().is_none() {
        return;
    }
    let shell = with_keys();
    shell.scratch.write("other.csr", "not a CSR\n");
    shell.good(&format!(
        "ca csr --out @/of-root.csr --signer {}",
        HOLDER.replace("issuing", "root")
    ));
    let csr = |rest: &str| format!("ca csr --signer {HOLDER} {rest}");
    // What is there already, and is not a CSR of this key, stays.
    refuses(
        &shell,
        &csr("--out @/of-root.csr"),
        r#"
        exit 1
        --- stderr
        error[ctl/exists]: `@/of-root.csr` is not a CSR of this key and is not overwritten

        hint: choose another file, or move that one away first
    "#,
    );
    refuses(
        &shell,
        &csr("--out @/other.csr"),
        r#"
        exit 1
        --- stderr
        error[ctl/exists]: `@/other.csr` is not a CSR of this key and is not overwritten

        hint: choose another file, or move that one away first
    "#,
    );
    refuses(
        &shell,
        &csr("--out @/keys/issuing.pem"),
        r#"
        exit 1
        --- stderr
        error[ctl/exists]: `@/keys/issuing.pem` is not a CSR of this key and is not overwritten

        hint: choose another file, or move that one away first
    "#,
    );
    // A cluster's CA needs its key in a file.
    refuses(
        &shell,
        &csr("--out @/new.csr @/ca --cluster east"),
        r#"
        exit 64
        --- stderr
        error: the argument '--signer <SIGNER>' cannot be used with:
          [DIR]
          --cluster <NAME>

        Usage: meshctl ca csr --signer <SIGNER> --signer-arg <ARGUMENT> --out <FILE> [DIR]

        For more information, try '--help'.
    "#,
    );
    refuses(
        &shell,
        &csr("--out @/new.csr --subject 'CN={cluster}'"),
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: `{cluster}` in `--subject` is for the CA of a cluster

        hint: leave it out: the issuing CA is above the clusters
    "#,
    );
    refuses(
        &shell,
        &csr("--out @/new.csr --san dns:{cluster}.example"),
        r#"
        exit 64
        --- stderr
        error[ctl/san]: `dns:{cluster}.example` is not a valid subject alternative name
          because: the only placeholder is `{cluster}`, in commands that take a cluster
    "#,
    );
    refuses(
        &shell,
        &csr(""),
        r#"
        exit 64
        --- stderr
        error: the following required arguments were not provided:
          --out <FILE>

        Usage: meshctl ca csr --signer <SIGNER> --out <FILE> --signer-arg <ARGUMENT> [DIR]

        For more information, try '--help'.
    "#,
    );
    refuses(
        &shell,
        "ca csr",
        r#"
        exit 64
        --- stderr
        error: the following required arguments were not provided:
          --cluster <NAME>
          <DIR>

        Usage: meshctl ca csr --cluster <NAME> <DIR>

        For more information, try '--help'.
    "#,
    );
    refuses(
        &shell,
        "ca csr @/ca --cluster east --path-len 2",
        r#"
        exit 64
        --- stderr
        error: the following required arguments were not provided:
          --out <FILE>
          --signer <SIGNER>

        Usage: meshctl ca csr --out <FILE> --signer <SIGNER> --cluster <NAME> --path-len <N> <DIR>

        For more information, try '--help'.
    "#,
    );
    refuses(
        &shell,
        "ca csr --out @/new.csr --signer file:@/keys/issuing.pem",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: the signer is neither `exec:PROGRAM` nor `pkcs11:...`

        hint: such as `exec:./PROGRAM`, with `--signer-arg ARGUMENT`; docs/signers.md has programs for AWS, Google, Azure, Vault and OpenBao
    "#,
    );
}
