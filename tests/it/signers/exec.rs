//! `--root-signer exec:`: what a program receives, what it may answer, and what keeps it from an answer.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use tests::Shell;
use tests::authority::{Authority, key};
use tests::cli::ended;
use tests::judges::{openssl, run};
use tests::schema;

use meshpki::KeyType;

use crate::terminal::{answer, on_a_terminal};

use super::{PROGRAMS, meshctl, refuses, script, transcript, whole_job};

/// A shell with a key file that the documented program signs with.
fn with_key(kind: KeyType) -> Shell {
    let shell = Shell::new();
    shell.scratch.write_key("keys/root.pem", key(kind).to_pem());
    script(&shell, "signer", &format!("exec {PROGRAMS}/openssl-key \"$@\""));
    shell
}

const SIGNER: &str = "--root-signer exec:@/signer --signer-arg @/keys/root.pem";
const INIT: &str = "ca init @/ca --cluster east --root-signer exec:@/signer";

#[test]
fn a_program_is_the_root_key() {
    if openssl().is_none() {
        return;
    }
    for kind in [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Rsa2048, KeyType::Rsa4096] {
        let shell = with_key(kind);
        whole_job(&shell, SIGNER, &[]);
        let lines = transcript(&shell);
        assert!(lines.iter().all(|line| line["key"]["keyType"] == kind.name()), "{lines:?}");
        let program = format!("exec:{}", shell.scratch.join("signer").display());
        assert!(lines.iter().all(|line| line["signer"] == *program), "{lines:?}");
    }
}

#[test]
fn what_is_printed() {
    let shell = with_key(KeyType::EcdsaP256);
    shell.check(
        &format!("ca init @/ca --cluster east {SIGNER}"),
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    created    Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem                held by exec:@/signer
        └─ east/            created    Mesh CA east, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr

        next: meshctl push @/ca --context east=CONTEXT
              (add --before-install if Istio is not installed yet)
    "#,
    );
    // Without its signer, the root cannot renew, and says so.
    shell.check(
        "ca renew @/ca --cluster east",
        r#"
        exit 2
        --- stderr
        error[ctl/csr-waits]: `east` is renewed when its CSR has been signed
          in: @/ca/east/renewal/ca.csr
          because: `Mesh CA east` was issued by `Mesh Root CA [id]`, whose key is not in this folder

        hint: if a program or a token has that key, name it with `--root-signer`; otherwise, send the CSR to whoever has that key, where `meshctl ca sign` or their own tool signs it; then `meshctl ca adopt @/ca --cluster east CERTIFICATE`
    "#,
    );
    shell.check(
        "ca init @/ca --cluster west",
        r#"
        exit 1
        --- stderr
        error[ctl/no-root-key]: the root key is missing, and nothing can be signed without it
          in: @/ca/root-key.pem

        hint: restore the key, or name its holder with `--root-signer`. To sign where the key is, run `meshctl ca csr @/ca --cluster NAME` here and `meshctl ca sign @/ca/NAME/ca.csr --ca-cert root-cert.pem --ca-key root-key.pem --out @/ca/NAME` there
    "#,
    );
    // The issuer may be any CA whose certificate is there.
    shell.good("ca csr @/side --cluster west");
    shell.check(
        &format!("ca sign @/side/west/ca.csr --ca-cert @/ca/root-cert.pem --out @/side/west --yes {SIGNER}"),
        r#"
        exit 0
        @/side/west/ca-cert.pem  signed by Mesh Root CA [id], until 2027-11-21
                                 sha256 [sha256]
        @/side/west/cert-chain.pem
        @/side/west/root-cert.pem
        --- stderr
        about to sign:
          subject      O = Mesh, CN = Mesh CA west
          key          ecdsa-p256, key sha256 [sha256]
          names        none
          usage        keyCertSign, cRLSign
          path length  0: it can sign workload certificates, but no further CAs
          lifetime     2026-11-21T06:55:00Z to 2027-11-21T06:55:00Z, 365 days
          issuer       O = Mesh, CN = Mesh Root CA [id], ecdsa-p256, key sha256 [sha256]
    "#,
    );
}

/// What a program receives: as in the schema, without our secrets, and its arguments as they were typed.
#[test]
fn what_a_program_receives() {
    let shell = with_key(KeyType::EcdsaP256);
    let tee = format!(
        "cd \"$(dirname \"$0\")\"; printf '%s\\n' \"${{@:2}}\" > args; env > env; \
         tee -a requests | {PROGRAMS}/openssl-key \"$1\""
    );
    script(&shell, "tee", &tee);
    let env = [("PIN", "open sesame"), ("OTHER", "stays")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let command = "ca init @/ca --cluster east --root-signer exec:@/tee --signer-arg @/keys/root.pem --pin-env PIN \
                   --signer-arg --yes --signer-arg '$(touch x); `id` \"' --signer-arg ''";
    let ran = meshctl(&shell, command, &env);
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    assert_eq!(shell.scratch.read("args"), "--yes\n$(touch x); `id` \"\n\n");
    let seen = shell.scratch.read("env");
    assert!(seen.contains("OTHER=stays\n") && !seen.contains("sesame"), "{seen}");
    let requests = shell.scratch.read("requests");
    let requests: Vec<&str> = requests.lines().collect();
    assert_eq!(requests.len(), 3, "the public key, the root, the cluster");
    requests.iter().for_each(|request| schema::check("signer-request", request));
    assert!(requests[0].contains(r#""purpose":"public-key""#), "{}", requests[0]);
    assert!(requests[1].contains(r#""algorithm":"ecdsa-sha256""#), "{}", requests[1]);
}

/// The answers of the documentation, and of a documented program, are those of the schema.
#[test]
fn answers_and_their_schema() {
    let docs = std::fs::read_to_string(format!("{PROGRAMS}/../signers.md")).unwrap();
    let spans = docs.split('`').filter(|span| span.starts_with("{\"") && !span.contains('\n'));
    let answers: Vec<&str> = spans.collect();
    assert_eq!(answers.len(), 3, "{answers:?}");
    answers.iter().for_each(|answer| schema::check("signer-answer", answer));
    let shell = with_key(KeyType::EcdsaP256);
    let text = format!(
        "out=$({PROGRAMS}/openssl-key \"$(dirname \"$0\")/keys/root.pem\")\n\
         jq -c . <<<\"$out\" >> \"$(dirname \"$0\")/answers\"; echo \"$out\""
    );
    script(&shell, "signer", &text);
    shell.good(INIT);
    let answers = shell.scratch.read("answers");
    assert_eq!(answers.lines().count(), 3, "the public key and two signatures: {answers}");
    answers.lines().for_each(|answer| schema::check("signer-answer", answer));
}

/// Google's command opens its input by name, so that `-` is a file, and writes to standard output for `-`.
#[test]
fn google_kms_and_its_command() {
    let shell = with_key(KeyType::EcdsaP256);
    let gcloud = "echo \"$*\" >> asked
        while [ $# -gt 0 ]; do
          case $1 in
            get-public-key) exec openssl pkey -in keys/root.pem -pubout ;;
            --digest-algorithm) hash=$2 ;;
            --input-file) input=$2 ;;
          esac
          shift
        done
        exec openssl dgst -\"$hash\" -sign keys/root.pem <\"$input\"";
    script(&shell, "bin/gcloud", &format!("cd \"$(dirname \"$0\")/..\"\n{gcloud}"));
    let path = format!(
        "{}:{}",
        shell.scratch.join("bin").display(),
        std::env::var("PATH").expect("a search path")
    );
    let key = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/7";
    let command = format!(
        "ca init @/ca --cluster east --root-signer exec:{PROGRAMS}/google-kms --signer-arg {key}"
    );
    let ran = meshctl(&shell, &command, &[("PATH".to_owned(), path)]);
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    let at = "--project p --location l --keyring r --key k";
    let asked = shell.scratch.read("asked");
    let asked: Vec<&str> = asked.lines().collect();
    assert_eq!(asked[0], format!("kms keys versions get-public-key 7 {at} --output-file -"));
    let sign =
        format!("kms asymmetric-sign {at} --version 7 --digest-algorithm sha256 --input-file /");
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[1..].iter().all(|line| line.starts_with(&sign)), "{asked:?}");
}

/// The text after `answer` in a script that asks the documented program for all else.
fn answering(shell: &Shell, answer: &str) {
    let text = format!(
        "request=$(cat); ask() {{ {PROGRAMS}/openssl-key \"$(dirname \"$0\")/keys/root.pem\" <<<\"$request\"; }}\n\
         if [ \"$(jq -r .purpose <<<\"$request\")\" = public-key ]; then ask; else {answer}; fi"
    );
    script(shell, "signer", &text);
}

#[test]
fn programs_that_cannot_be_run() {
    let shell = with_key(KeyType::EcdsaP256);
    std::fs::create_dir(shell.scratch.join("ca")).unwrap();
    refuses(
        &shell,
        "ca init @/ca --cluster east --root-signer exec:@/missing",
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the signer `@/missing` was not found

        hint: correct the path after `exec:`
    "#,
    );
    refuses(
        &shell,
        "ca init @/ca --cluster east --root-signer exec:meshctl-no-such-program",
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the signer `meshctl-no-such-program` was not found

        hint: a name without `/` is looked for in PATH: give the path, as in `exec:./PROGRAM`
    "#,
    );
    refuses(
        &shell,
        "ca init @/ca --cluster east --root-signer exec:@/keys/root.pem",
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the signer `@/keys/root.pem` cannot be run
          because: Permission denied (os error 13)

        hint: `chmod +x @/keys/root.pem`
    "#,
    );
    refuses(
        &shell,
        "ca init @/ca --cluster east --root-signer exec:@/keys",
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the signer `@/keys` cannot be run
          because: it is a folder

        hint: name the program after `exec:`
    "#,
    );
    shell.scratch.write("keys/lost", "#!/no/such/shell\n");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(shell.scratch.join("keys/lost"), mode).unwrap();
    refuses(
        &shell,
        "ca init @/ca --cluster east --root-signer exec:@/keys/lost",
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the signer `@/keys/lost` cannot be run
          because: the program that its first line names, or its dynamic loader, does not exist

        hint: correct its first line, such as `#!/usr/bin/env bash`, or install that program
    "#,
    );
    refuses(
        &shell,
        "ca init @/ca --cluster east --root-signer @/signer",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: the signer is neither `exec:PROGRAM` nor `pkcs11:...`

        hint: such as `exec:./PROGRAM`, with `--signer-arg ARGUMENT`; docs/signers.md has programs for AWS, Google, Azure, Vault and OpenBao
    "#,
    );
    refuses(
        &shell,
        "ca init @/ca --cluster east --root-signer exec:",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: the signer is neither `exec:PROGRAM` nor `pkcs11:...`

        hint: such as `exec:./PROGRAM`, with `--signer-arg ARGUMENT`; docs/signers.md has programs for AWS, Google, Azure, Vault and OpenBao
    "#,
    );
    refuses(
        &shell,
        "ca init @/ca --cluster east --signer-arg x",
        r#"
        exit 64
        --- stderr
        error: the following required arguments were not provided:
          --root-signer <SIGNER>

        Usage: meshctl ca init --root-signer <SIGNER> --cluster <NAME> --signer-arg <ARGUMENT> <DIR>

        For more information, try '--help'.
    "#,
    );
    let log_in = "echo 'no credentials: \u{1b}[31mlog in first' >&2; echo second >&2; exit 3";
    script(&shell, "signer", log_in);
    refuses(
        &shell,
        INIT,
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the signer `@/signer` exited with status 3
          because: signer: no credentials: \u{1b}[31mlog in first
          because: signer: second

        hint: nothing was written; `echo '{"purpose":"public-key"}' | @/signer` asks it for its public key
    "#,
    );
    script(&shell, "signer", "kill -9 $$");
    refuses(
        &shell,
        INIT,
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the signer `@/signer` was killed by signal 9

        hint: nothing was written; `echo '{"purpose":"public-key"}' | @/signer` asks it for its public key
    "#,
    );
    script(&shell, "signer", "echo '{\"error\": \"the key is disabled\"}'");
    refuses(
        &shell,
        INIT,
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the signer `@/signer` answered with an error
          because: the key is disabled

        hint: nothing was written; `echo '{"purpose":"public-key"}' | @/signer` asks it for its public key
    "#,
    );
    // The command of the hint shows what the program prints.
    let told = shell.run(INIT).err;
    let alone = told.split('`').nth(3).expect("a command");
    let ran = run(Command::new("sh").args(["-c", alone]));
    assert_eq!(ran.out, "{\"error\": \"the key is disabled\"}\n", "{alone}: {}", ran.err);
    script(&shell, "signer", "echo '{\"error\": \"the key is disabled\"}'; exit 1");
    refuses(
        &shell,
        INIT,
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the signer `@/signer` exited with status 1
          because: the key is disabled

        hint: nothing was written; `echo '{"purpose":"public-key"}' | @/signer` asks it for its public key
    "#,
    );
}

#[test]
fn a_program_that_hangs_is_killed_with_all_it_started() {
    let shell = with_key(KeyType::EcdsaP256);
    std::fs::create_dir(shell.scratch.join("ca")).unwrap();
    let hanging = [
        "sleep 1000",
        "sleep 1000 & echo $! > \"$(dirname \"$0\")/keys/child\"; wait",
        "sleep 1000 & echo $! > \"$(dirname \"$0\")/keys/child\"; exit 0",
        "trap '' TERM INT; while :; do sleep 1000; done",
    ];
    for text in hanging {
        script(&shell, "signer", &format!("echo $$ > \"$(dirname \"$0\")/keys/pid\"\n{text}"));
        let ran = shell.run(&format!("{INIT} --signer-timeout 1s"));
        // What it started is ended when it ends; its answer is then empty.
        let is_short = text.ends_with("exit 0");
        let why = if is_short { "it is empty" } else { "within 1 s and was killed" };
        ended(&ran, 1, &[why]);
        for name in ["keys/pid", "keys/child"] {
            if shell.scratch.join(name).exists() {
                gone(shell.scratch.read(name).trim());
            }
        }
    }
    script(&shell, "signer", "sleep 1000");
    refuses(
        &shell,
        &format!("{INIT} --signer-timeout 1s"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the signer `@/signer` did not finish within 1 s and was killed

        hint: `--signer-timeout 5m` gives it more time, and `echo '{"purpose":"public-key"}' | @/signer` asks it for its public key
    "#,
    );
}

/// A daemon that has left the program's process group may hold standard error open, as OpenSSH's ControlPersist does; an
/// answer on a standard output that is still open may be incomplete.
#[test]
fn a_daemon_that_a_program_leaves() {
    let leaving = |open: &str| {
        let shell = with_key(KeyType::EcdsaP256);
        let daemon = format!(
            "cd \"$(dirname \"$0\")/keys\"; rm -f daemon\n\
             setsid sh -c 'echo $$ > daemon; exec sleep 20' {open} </dev/null &\n\
             until [ -s daemon ]; do sleep 0.01; done"
        );
        script(&shell, "signer", &format!("{daemon}\n{PROGRAMS}/openssl-key root.pem"));
        let ran = shell.run(&format!("{INIT} --signer-timeout 15s"));
        (shell, ran)
    };
    let (_, ran) = leaving(">/dev/null");
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    let (shell, _) = leaving("2>/dev/null");
    assert!(!shell.scratch.join("ca").exists(), "nothing is written");
    shell.check(
        &format!("{INIT} --signer-timeout 15s"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the signer `@/signer` ended, but a process that it started still holds its standard output open

        hint: what it leaves running must close its standard output
    "#,
    );
}

/// A program is not in the terminal's foreground, so that one which asks there would wait for ever.
#[test]
fn a_program_that_asks_on_the_terminal_is_killed() {
    let shell = with_key(KeyType::EcdsaP256);
    script(&shell, "signer", "read -r -p 'Password: ' word </dev/tty");
    let command = "meshctl ca init ca --cluster east --root-signer exec:./signer";
    let Some(child) = on_a_terminal(&shell.scratch, command) else { return };
    let (status, text) = answer(child, &[]);
    assert_eq!(status, Some(1), "{text}");
    assert!(
        text.contains(
            "the signer `./signer` asked on the terminal, which it cannot use, and was killed"
        ),
        "{text}"
    );
    assert!(!shell.scratch.join("ca").exists(), "{text}");
}

/// The process ends soon.
#[track_caller]
fn gone(pid: &str) {
    let start = Instant::now();
    let is_there = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // What nothing waits for any more is a zombie until init does.
        !status.is_empty() && !status.contains(") Z ")
    };
    while is_there() {
        assert!(start.elapsed() < Duration::from_secs(10), "process {pid} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A signal that ends meshctl ends the program too.
#[test]
fn an_interrupted_command_leaves_no_program() {
    let shell = with_key(KeyType::EcdsaP256);
    script(&shell, "signer", "echo $$ > \"$(dirname \"$0\")/keys/pid\"; sleep 1000");
    let root = shell.scratch.path().display().to_string();
    let mut child = Command::new(crate::MESHCTL)
        .args(["ca", "init", &format!("{root}/ca"), "--cluster", "east"])
        .args(["--root-signer", &format!("exec:{root}/signer")])
        .spawn()
        .expect("meshctl starts");
    let pid = shell.scratch.join("keys/pid");
    let start = Instant::now();
    while std::fs::read_to_string(&pid).unwrap_or_default().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(30), "the program has not started");
        std::thread::sleep(Duration::from_millis(20));
    }
    let signalled = run(Command::new("kill").args(["-TERM", &child.id().to_string()]));
    assert!(signalled.good, "{}", signalled.err);
    let ended = child.wait().expect("meshctl ends");
    assert_eq!(ended.signal(), Some(15), "{ended}");
    gone(shell.scratch.read("keys/pid").trim());
    assert!(!shell.scratch.join("ca").exists(), "nothing is written");
}

#[test]
fn answers_that_are_not_valid() {
    let shell = with_key(KeyType::EcdsaP256);
    std::fs::create_dir(shell.scratch.join("ca")).unwrap();
    let documented = "hint: docs/signers.md describes the exchange";
    for (answer, why) in [
        (":", "it is empty"),
        ("echo token=s3cr3t-value", "it is not one JSON object, at line 1, column 2"),
        ("printf '{\"signature\": \"MEUC'", "it ends in the middle, at line 1, column"),
        ("ask | head -c 30", "it ends in the middle, at line"),
        ("ask; echo done", "it is not one JSON object, at line"),
        ("ask; ask", "it is not one JSON object, at line"),
        ("echo '[]'", "it is not the documented object"),
        ("ask | jq '[null, .signature, null]'", "it is not the documented object, but an array"),
        ("echo '{}'", "expected exactly one of `publicKey`, `signature` and `error`"),
        ("ask | jq '. + {error: \"no\"}'", "expected exactly one of"),
        ("ask | jq '. + {token: \"s3cr3t-value\"}'", "it is not the documented object"),
        ("echo '{\"signature\": \"a\", \"signature\": \"b\"}'", "it is not the documented object"),
        ("echo '{\"signature\": \"*\"}'", "`signature` is not base64"),
        ("echo '{\"signature\": \"\"}'", "`signature` is empty"),
        ("echo '{\"signature\": 7}'", "it is not the documented object"),
        ("head -c 100000 /dev/zero | tr '\\0' x", "it is longer than 64 KiB"),
        ("head -c 3000000 /dev/zero | tr '\\0' x", "it is longer than 64 KiB"),
        (
            "request='{\"purpose\": \"public-key\"}'; ask",
            "it has `publicKey` where `signature` was asked for",
        ),
        ("ask | jq '.signature |= .[:40]'", "the signature (30 bytes) does not verify"),
        (
            "request=$(jq '.digest |= (.[1:2] + .[0:1] + .[2:])' <<<\"$request\"); ask",
            "bytes) does not verify with the public key, sha256 ",
        ),
    ] {
        answering(&shell, answer);
        let before = shell.scratch.entries("");
        let ran = shell.run(INIT);
        ended(&ran, 1, &["error[ctl/signer-answer]: ", why, documented]);
        assert!(!ran.err.contains("s3cr3t"), "{}", ran.err);
        assert_eq!(shell.scratch.entries(""), before, "{answer}: nothing is written");
    }
    answering(&shell, "echo 'debug: asked the service' >&2; echo '{}'");
    refuses(
        &shell,
        INIT,
        r#"
        exit 1
        --- stderr
        error[ctl/signer-answer]: the answer of the signer `@/signer` is not valid
          because: expected exactly one of `publicKey`, `signature` and `error`
          because: signer: debug: asked the service

        hint: docs/signers.md describes the exchange
    "#,
    );
    answering(&shell, "ask | jq '.signature |= \"AAAA\"'");
    refuses(
        &shell,
        INIT,
        r#"
        exit 1
        --- stderr
        error[ctl/signer-answer]: the answer of the signer `@/signer` is not valid
          because: the signature (3 bytes) does not verify with the public key, sha256 [sha256]

        hint: docs/signers.md describes the exchange
    "#,
    );
}

/// ECDSA in either form, base64 in either alphabet, a key in PEM or base64.
#[test]
fn forms_of_a_good_answer() {
    let numbers = "ask | jq -r .signature | base64 -d | openssl asn1parse -inform DER | \
                   sed -n 's/.*INTEGER *://p' | while read -r n; do printf '%064s' \"$n\" | tr ' ' 0; done | \
                   python3 -c 'import sys, base64; print(base64.b64encode(bytes.fromhex(sys.stdin.read())).decode())' | \
                   jq -R '{signature: .}'";
    let other_alphabet =
        "ask | jq '.signature |= (gsub(\"[+]\"; \"-\") | gsub(\"/\"; \"_\") | gsub(\"=\"; \"\"))'";
    let in_lines = "ask | jq '.signature |= (.[:30] + \"\\n\" + .[30:])'";
    for answer in ["ask", other_alphabet, in_lines, numbers] {
        let shell = with_key(KeyType::EcdsaP256);
        answering(&shell, answer);
        let ran = shell.run(INIT);
        assert_eq!(ran.status, 0, "{answer}\n{}{}", ran.out, ran.err);
    }
    let shell = with_key(KeyType::EcdsaP256);
    let text = format!(
        "request=$(cat); key=\"$(dirname \"$0\")/keys/root.pem\"\n\
         if [ \"$(jq -r .purpose <<<\"$request\")\" = public-key ]; then\n\
         openssl pkey -in \"$key\" -pubout -outform DER | base64 | jq -Rs '{{publicKey: .}}'\n\
         else {PROGRAMS}/openssl-key \"$key\" <<<\"$request\"; fi"
    );
    script(&shell, "signer", &text);
    shell.good(INIT);
}

#[test]
fn keys_that_are_not_the_roots() {
    let shell = with_key(KeyType::EcdsaP256);
    shell.good(&format!("ca init @/ca --cluster east {SIGNER}"));
    shell.scratch.write_key("keys/other.pem", key(KeyType::EcdsaP384).to_pem());
    let other = "--root-signer exec:@/signer --signer-arg @/keys/other.pem";
    refuses(
        &shell,
        &format!("ca renew @/ca --cluster east {other}"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-key]: the signer's key differs from the key of `Mesh Root CA [id]`
          in: exec:@/signer
          because: it has ecdsa-p384, key sha256 [sha256]
          because: `Mesh Root CA [id]` has ecdsa-p256, key sha256 [sha256]

        hint: name the key that the root was created with; for a new root with this key, `meshctl ca init NEW --cluster NAME --root-signer ...` in a new folder
    "#,
    );
    refuses(
        &shell,
        &format!("ca init @/ca --cluster west {other}"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-key]: the signer's key differs from the key of `Mesh Root CA [id]`
          in: exec:@/signer
          because: it has ecdsa-p384, key sha256 [sha256]
          because: `Mesh Root CA [id]` has ecdsa-p256, key sha256 [sha256]

        hint: name the key that the root was created with; for a new root with this key, `meshctl ca init NEW --cluster NAME --root-signer ...` in a new folder
    "#,
    );
    // A key file of a root that was never finished is not given up for a signer.
    shell.scratch.write_key("begun/root-key.pem", key(KeyType::EcdsaP256).to_pem());
    refuses(
        &shell,
        &format!("ca init @/begun --cluster east {SIGNER}"),
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: the folder has a root key, but `--root-signer` names another
          in: @/begun/root-key.pem

        hint: choose another folder, or omit `--root-signer` to create a root with that key
    "#,
    );
    let ca = r#"{"CN": "Mesh", "key": {"algo": "rsa", "size": 2048}}"#;
    shell.scratch.write("ca.json", ca);
    std::fs::remove_file(shell.scratch.join("begun/root-key.pem")).unwrap();
    refuses(
        &shell,
        &format!("ca init @/begun --cluster east --cfssl-csr @/ca.json {SIGNER}"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-key]: the signer's key is not of the type in the file
          in: @/ca.json
          because: the key is ecdsa-p256, the file has rsa-2048

        hint: correct `key` in the file, or name another key
    "#,
    );
    let made = run(Command::new("openssl")
        .args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1", "-out"])
        .arg(shell.scratch.join("keys/root.pem")));
    assert!(made.good, "{}", made.err);
    refuses(
        &shell,
        &format!("ca init @/begun --cluster east {SIGNER}"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-key]: the signer's key cannot sign for a mesh: algorithm 1.3.132.0.10
          in: @/signer
          because: istiod and Envoy accept ECDSA on P-256 and P-384, and RSA

        hint: create a key of one of these kinds where the signer keeps its keys
    "#,
    );
    let begun = INIT.replace("@/ca", "@/begun");
    for (answer, why) in [
        ("AAAA", "`publicKey` is not a SubjectPublicKeyInfo: "),
        ("*", "`publicKey` is neither a PUBLIC KEY block nor base64"),
        (
            "-----BEGIN CERTIFICATE-----\\\\nAAAA\\\\n-----END CERTIFICATE-----",
            "`publicKey` is not one PUBLIC KEY block",
        ),
        ("-----BEGIN PUBLIC KEY-----\\\\nAAAA", "`publicKey` is not valid PEM: "),
    ] {
        script(&shell, "signer", &format!("printf '{{\"publicKey\": \"{answer}\"}}'"));
        ended(&shell.run(&begun), 1, &["error[ctl/signer-answer]: ", why]);
    }
    script(&shell, "signer", "echo '{\"signature\": \"AAAA\"}'");
    ended(&shell.run(&begun), 1, &["it has `signature` where `publicKey` was asked for"]);
}

#[test]
fn transcripts_only_grow() {
    let shell = with_key(KeyType::EcdsaP256);
    let record = "--transcript @/ceremony.jsonl";
    // Keys in files are recorded likewise.
    shell.good(&format!("ca init @/ca --cluster east --plain-root-key {record}"));
    let first = shell.scratch.read("ceremony.jsonl");
    shell.good(&format!("ca renew @/ca --cluster east {record}"));
    let second = shell.scratch.read("ceremony.jsonl");
    assert!(second.starts_with(&first) && second.len() > first.len());
    let lines = transcript(&shell);
    assert_eq!(lines.len(), 3);
    let file = format!("file:{}", shell.scratch.join("ca/root-key.pem").display());
    assert!(lines.iter().all(|line| line["signer"] == *file), "{lines:?}");
    assert!(lines.iter().all(|line| line["time"] == shell.now.to_string()), "{lines:?}");
    // What is not signed is not recorded.
    shell.good(&format!("ca renew @/ca --cluster east --within 1d {record}"));
    assert_eq!(shell.scratch.read("ceremony.jsonl"), second);
    let key = shell.scratch.read("ca/root-key.pem");
    for (what, text) in [
        ("a key", key.as_str()),
        ("a line that is cut off", &second[..second.len() - 9]),
        ("JSON of another kind", "{\"kind\": \"Authority\"}\n"),
        ("text", "notes\n"),
    ] {
        shell.scratch.write("other", text);
        let before = shell.scratch.entries("");
        let ran = shell.run("ca renew @/ca --cluster east --transcript @/other");
        ended(&ran, 1, &["error[ctl/transcript]: "]);
        assert_eq!(shell.scratch.entries(""), before, "{what}");
    }
    refuses(
        &shell,
        "ca renew @/ca --cluster east --transcript @/other",
        r#"
        exit 1
        --- stderr
        error[ctl/transcript]: `@/other` is not a transcript and is not written to
          because: a line of it is not a record of a signature

        hint: choose another file; a new one is created
    "#,
    );
    a_line_that_is_cut_off_is_taken_back(&shell);
    refuses(
        &shell,
        "ca renew @/ca --cluster east --transcript @/no/folder",
        r#"
        exit 1
        --- stderr
        error[ctl/io]: cannot write `@/no/folder`
          because: No such file or directory (os error 2)
    "#,
    );
}

/// A file cannot grow further in the middle of a line, as on a full disk.
fn a_line_that_is_cut_off_is_taken_back(shell: &Shell) {
    let before = "{\"kind\": \"Signature\"}\n".repeat(368);
    assert!((8000..8192).contains(&before.len()), "the limit cuts the next line");
    shell.scratch.write("full", &before);
    let limited = format!(
        "trap '' XFSZ; ulimit -f 8; \
         exec {} ca renew ca --cluster east --transcript full --at 2026-11-21T07:00:00Z",
        crate::MESHCTL
    );
    let cluster = shell.scratch.entries("ca");
    let ran = run(Command::new("bash").args(["-c", &limited]).current_dir(shell.scratch.path()));
    assert!(!ran.good && ran.err.contains("cannot write `full`"), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("File too large"), "{}", ran.err);
    assert_eq!(shell.scratch.entries("ca"), cluster);
    assert_eq!(shell.scratch.read("full"), before);
    shell.good("ca renew @/ca --cluster east --transcript @/full");
    assert!(shell.scratch.read("full").len() > before.len());
}

/// A root whose key was a file in its folder continues with a signer that has the same key.
#[test]
fn a_root_key_that_moves_out_of_its_file() {
    let shell = with_key(KeyType::EcdsaP256);
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    root.write_root(&shell.scratch, "ca");
    let before = shell.scratch.read("ca/root-cert.pem");
    let file = shell.scratch.join("ca/root-key.pem");
    std::fs::rename(&file, shell.scratch.join("keys/root.pem")).unwrap();
    shell.good(&format!("ca init @/ca --cluster east {SIGNER}"));
    shell.good(&format!("ca renew @/ca --cluster east {SIGNER}"));
    shell.good("check @/ca");
    assert_eq!(shell.scratch.read("ca/root-cert.pem"), before);
    assert!(!file.exists());
}

/// A root's key of a kind that proxies may not take: another is made where the signer keeps it.
#[test]
fn a_signer_with_an_unproven_key() {
    let shell = with_key(KeyType::EcdsaP521);
    let ran = shell.run(&format!("ca init @/ca --cluster east {SIGNER}"));
    let fix =
        "hint: create an ECDSA key on P-256 where the signer keeps its keys, and name that one\n";
    ended(
        &ran,
        0,
        &["warning[ctl/key-type-unproven]: the root gets a key of type ecdsa-p521", fix],
    );
    assert!(!ran.err.contains("--key-type"), "{}", ran.err);
}

/// What was asked for without the signer still waits after a renewal with it, and nothing of it is put aside.
#[test]
fn a_request_that_waits_survives_a_renewal() {
    let shell = with_key(KeyType::EcdsaP256);
    shell.good(&format!("ca init @/ca --cluster east {SIGNER}"));
    ended(&shell.run("ca renew @/ca --cluster east"), 2, &["error[ctl/csr-waits]"]);
    let pending = || -> Vec<(String, u32, Option<Vec<u8>>)> {
        let entries = shell.scratch.entries("ca/east/renewal").into_iter();
        entries.map(|(name, entry)| (name, entry.mode, entry.content)).collect()
    };
    let before = pending();
    assert_eq!(before.len(), 2, "{before:?}");
    let ran = shell.run(&format!("ca renew @/ca --cluster east {SIGNER}"));
    ended(&ran, 0, &["the CSR in ", "still waits: `meshctl ca adopt "]);
    assert_eq!(pending(), before);
    let aside = shell.scratch.entries("ca/previous");
    assert!(!aside.is_empty() && aside.keys().all(|name| !name.contains("renewal")), "{aside:?}");
    shell
        .good(&format!("ca sign @/ca/east/renewal/ca.csr --ca @/ca --out @/signed --yes {SIGNER}"));
    shell.good("ca adopt @/ca --cluster east @/signed/ca-cert.pem --yes");
    assert!(pending().is_empty());
    let aside = shell.scratch.entries("ca/previous");
    assert!(aside.keys().all(|name| !name.contains("renewal")), "{aside:?}");
}
