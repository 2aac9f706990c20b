//! What `ca sign` shows before it signs, when it asks, and what it accepts as one CSR.

use tests::Shell;
use tests::authority::{Authority, csr, key};
use tests::cli::ended;

use meshpki::x509::GeneralName;
use meshpki::{Cert, Csr, KeyType, Profile, Role};

const KIND: KeyType = KeyType::EcdsaP256;

/// A root in `ca`, its cluster east in `ca/east`, and the CSR of west in `west.csr`.
fn shell() -> (Shell, Authority) {
    let shell = Shell::new();
    let root = Authority::root(KIND, "O=Mesh, CN=Mesh Root", |_| {});
    root.write_root(&shell.scratch, "ca");
    shell.good("ca init @/ca --cluster east");
    let names = [GeneralName::Uri(b"spiffe://not.given".to_vec())];
    let subject = tests::authority::name("O=Mesh, CN=Mesh CA west");
    let west = Csr::create(&subject, &names, Role::Ca { path_len: Some(3) }, &key(KIND)).unwrap();
    shell.scratch.write("west.csr", west.to_pem());
    (shell, root)
}

const SIGN: &str = "ca sign @/west.csr --ca @/ca --out @/west --san uri:spiffe://west.example";

#[test]
fn who_cannot_be_asked_sees_it_and_has_to_say_yes() {
    let (shell, _) = shell();
    shell.check(
        SIGN,
        r#"
        exit 64
        --- stderr
        about to sign:
          subject      O = Mesh, CN = Mesh CA west
          key          ecdsa-p256, key sha256 [sha256]
          names        URI:spiffe://west.example
          usage        keyCertSign, cRLSign
          path length  0: it can sign workload certificates, but no further CAs
          lifetime     2026-11-21T06:55:00Z to 2027-11-21T06:55:00Z, 365 days
          issuer       O = Mesh, CN = Mesh Root, ecdsa-p256, key sha256 [sha256]
          not granted  URI:spiffe://not.given, requested by the CSR
        error[ctl/usage]: cannot ask for confirmation: not a terminal (use `--yes`)

        hint: nothing was signed; `--yes` signs without asking
    "#,
    );
    assert!(!shell.scratch.join("west").exists());
    let ran = shell.run(&format!("{SIGN} --yes"));
    ended(&ran, 0, &["about to sign:", "Mesh CA west", "signed by Mesh Root"]);
    // With the CSR on standard input, no question can be answered, terminal or not.
    let (mut shell, _) = self::shell();
    shell.can_ask = true;
    shell.stdin = shell.scratch.read("west.csr").into_bytes();
    let piped = SIGN.replace("@/west.csr", "-");
    ended(&shell.run(&piped), 64, &["about to sign:", "error[ctl/usage]"]);
    assert!(!shell.scratch.join("west").exists());
    ended(&shell.run(&format!("{piped} --yes")), 0, &["about to sign:"]);
}

#[test]
fn on_a_terminal_it_is_asked() {
    let (mut shell, _) = shell();
    shell.can_ask = true;
    for answer in ["n\n", "\n", "", "yes please\n"] {
        shell.stdin = answer.as_bytes().to_vec();
        for out in ["@/west", "-"] {
            let ran = shell.run(&SIGN.replace("@/west --san", &format!("{out} --san")));
            ended(&ran, 2, &["about to sign:", "Sign it? [y/N]", "error[ctl/declined]"]);
            assert_eq!(ran.out, "");
        }
        assert!(!shell.scratch.join("west").exists(), "{answer:?}");
    }
    shell.stdin = b"y\n".to_vec();
    ended(&shell.run(SIGN), 0, &["signed by Mesh Root"]);
    assert!(shell.scratch.join("west/ca-cert.pem").exists());
}

/// The fingerprint is the same word on both sides.
#[test]
fn csr_and_sign_print_the_key_alike() {
    let (shell, _) = shell();
    for kind in ["ecdsa-p256", "ed25519", "rsa-2048"] {
        let made = shell.good(&format!("ca csr @/side --cluster {kind} --key-type {kind}"));
        let fingerprint = made.rsplit("key sha256 ").next().unwrap().trim().to_owned();
        assert_eq!(fingerprint.len(), 64, "{made}");
        let ran = shell.run(&format!("ca sign --yes @/side/{kind}/ca.csr --ca @/ca --out -"));
        ended(&ran, 0, &[&format!("{kind}, key sha256 {fingerprint}\n")]);
    }
}

#[test]
fn one_csr_and_nothing_beside_it() {
    let (shell, _) = shell();
    let west = shell.scratch.read("west.csr");
    let north = csr("CN=North", &key(KIND));
    let secret = key(KIND).to_pem().to_string();
    let der = north.as_der().to_vec();
    let block = |der: &[u8]| meshpki::internals::pem::encode("CERTIFICATE REQUEST", der);
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("two", (west.clone() + &north.to_pem()).into(), "found 2 CSRs"),
        ("the same twice", west.repeat(2).into(), "found 2 CSRs"),
        ("a key before it", (secret.clone() + &west).into(), "also found a PRIVATE KEY"),
        ("a key behind it", (west.clone() + &secret).into(), "also found a PRIVATE KEY"),
        ("text behind it", (west.clone() + "and more\n").into(), "7 bytes follow the CSR"),
        ("DER and a byte", [&der[..], b"\0"].concat(), "1 byte follows the CSR"),
        ("DER twice", der.repeat(2), &format!("{} bytes follow", der.len())),
        ("a block with more", block(&[&der[..], b"ab"].concat()).into(), "2 bytes follow"),
    ];
    for (what, content, message) in cases {
        shell.scratch.write("hostile.csr", content);
        let ran = shell.run("ca sign --yes @/hostile.csr --ca @/ca --out @/new");
        ended(&ran, 1, &["error[ctl/one-csr]", message]);
        assert!(!ran.err.contains(secret.lines().nth(1).unwrap()), "{what}");
        assert!(!shell.scratch.join("new").exists(), "{what}");
    }
    // What openssl writes around one is fine.
    shell.scratch.write("text.csr", format!("Certificate Request:\n  Data\n{west}\n\n"));
    shell.good("ca sign --yes @/text.csr --ca @/ca --out @/new");
}

#[test]
fn a_subject_or_a_key_that_is_there_already_is_said() {
    let (shell, _) = shell();
    let other = csr("O=Mesh, CN=Mesh CA east", &key(KIND));
    shell.scratch.write("other.csr", other.to_pem());
    let ran = shell.run("ca sign --yes @/other.csr --ca @/ca --out -");
    ended(
        &ran,
        0,
        &[
            "warning[ctl/subject-taken]: east already has a CA with this subject",
            "ca/east/ca-cert.pem",
        ],
    );
    shell.good("ca csr @/ca --cluster north");
    shell.good("ca sign --yes @/ca/north/ca.csr --ca @/ca --out @/ca/north");
    for subject in ["CN=Mesh CA north", "CN=Another"] {
        let sign =
            format!("ca sign --yes @/ca/north/ca.csr --ca @/ca --subject 'O=Mesh, {subject}'");
        ended(
            &shell.run(&format!("{sign} --out -")),
            0,
            &["warning[ctl/key-taken]: north already has"],
        );
    }
    // The folder it goes to is its own, and one next to it counts without --ca as well.
    let quiet = shell.run(SIGN.replace("--out @/west", "--yes --out @/ca/west").as_str());
    ended(&quiet, 0, &[]);
    assert!(!quiet.err.contains("warning["), "{}", quiet.err);
    let files = "--ca-cert @/ca/root-cert.pem --ca-key @/ca/root-key.pem";
    let ran = shell.run(&format!("ca sign --yes @/other.csr {files} --out @/ca/south"));
    ended(&ran, 0, &["warning[ctl/subject-taken]: east already has a CA with this subject"]);
}

#[test]
fn names_that_look_like_others() {
    let (shell, _) = shell();
    shell.good("ca init @/ca --cluster eu-1");
    let ran = shell.run("ca init @/ca --cluster eu-l");
    ended(&ran, 0, &["warning[ctl/name-confusable]: `eu-l` looks like `eu-1`"]);
    let ran = shell.run("ca csr @/ca --cluster eu-I");
    ended(&ran, 0, &["warning[ctl/name-confusable]: `eu-I` looks like `eu-1`"]);
    let ran = shell.run("ca init @/fresh --cluster prod0,prodo --plain-root-key");
    ended(&ran, 0, &["warning[ctl/name-confusable]"]);
    let cyrillic = csr("O=Mesh, CN=Mesh CA e\u{430}st", &key(KIND));
    shell.scratch.write("cyrillic.csr", cyrillic.to_pem());
    let ran = shell.run("ca sign --yes @/cyrillic.csr --ca @/ca --out -");
    ended(
        &ran,
        0,
        &["warning[ctl/name-confusable]: `Mesh CA e\u{430}st` looks like `Mesh CA east`"],
    );
}

/// An issuer's file with its root, a stranger's, an intermediate of no use; and what becomes of root-cert.pem.
#[test]
fn only_roots_that_vouch_for_the_issuer_are_taken() {
    let shell = Shell::new();
    let any = |p: &mut Profile| p.role = Role::Ca { path_len: None };
    let root = Authority::root(KIND, "CN=Root", any);
    let middle = root.below(KIND, "CN=Middle", any);
    let stray = root.below(KIND, "CN=Stray", any);
    let other = Authority::root(KIND, "CN=Other Root", any);
    // The same name as the true one, and another key.
    let impostor = Authority::root(KIND, "CN=Root", any);
    let renewed = Profile::root(root.cert.subject().clone())
        .with_validity(std::time::Duration::from_secs(86_400 * 700));
    let renewed = meshpki::self_signed(&renewed, &root.key, tests::authority::stamp()).unwrap();
    let pile = [&middle.cert, &other.cert, &stray.cert, &impostor.cert, &renewed, &root.cert];
    shell.scratch.write("issuer.pem", pile.map(Cert::to_pem).concat());
    shell.scratch.write_key("issuer-key.pem", middle.key.to_pem().as_bytes());
    shell.scratch.write("other.pem", other.cert.to_pem());
    shell.scratch.write("stray.pem", stray.cert.to_pem());
    shell.scratch.write("east.csr", csr("CN=East", &key(KIND)).to_pem());
    let sign =
        "ca sign --yes @/east.csr --ca-cert @/issuer.pem --ca-key @/issuer-key.pem --validity 1h";
    let roots = |dir: &str| -> Vec<Cert> {
        let text = shell.scratch.read(&format!("{dir}/root-cert.pem"));
        meshpki::cacerts::certs(dir, text.as_bytes()).unwrap()
    };
    let ran = shell.run(&format!("{sign} --out @/east"));
    let left_out = ["`Other Root` was skipped", "issuer.pem, certificate 2", "`Stray` was skipped"];
    ended(&ran, 0, &left_out);
    ended(&ran, 0, &["warning[ctl/strays]: `Root` was skipped", "issuer.pem, certificate 4"]);
    assert_eq!(roots("east"), [renewed.clone(), root.cert.clone()]);
    // Asked for, it is taken, once.
    for dir in ["both", "again"] {
        let ran = shell.run(&format!("{sign} --also-trust @/other.pem --out @/{dir}"));
        ended(&ran, 0, &[]);
        assert_eq!(roots(dir), [renewed.clone(), root.cert.clone(), other.cert.clone()]);
    }
    let ran = shell.run(&format!("{sign} --also-trust @/stray.pem --out @/no"));
    ended(&ran, 1, &["error[ctl/no-root]: `Stray` is not a root", "it was issued by `Root`"]);
}
