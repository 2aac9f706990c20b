//! `meshctl ca csr` and `meshctl ca sign`: the key stays with the cluster, the root signs elsewhere.

use std::time::Duration;

use tests::authority::{Authority, csr, key};
use tests::cli::compare;
use tests::{NOW, Shell};

use meshpki::istiod::Version;
use meshpki::{CaCerts, KeyType, Role};

/// A folder `ca` with a root `Mesh Root`, and a CSR of `east` in `east`.
fn shell() -> Shell {
    let shell = Shell::new();
    Authority::root(KeyType::EcdsaP256, "O=Mesh, CN=Mesh Root", |_| {})
        .write_root(&shell.scratch, "ca");
    shell
}

#[test]
fn the_two_sides_meet() {
    let shell = shell();
    shell.check("ca csr @/side --cluster east", r#"
        exit 0
        @/side/east/ca-key.pem  created, stays here
        @/side/east/ca.csr      created, O = Mesh, CN = Mesh CA east, ecdsa-p256, key sha256 [sha256]
        --- stderr

        next: where the root key is, `meshctl ca sign @/side/east/ca.csr --ca DIR --out @/side/east`; copy the three certificate files back here
    "#);
    compare(
        "ls -l",
        &shell.scratch.modes("side"),
        r#"
        0700 east/
        0600 east/ca-key.pem
        0644 east/ca.csr
    "#,
    );
    shell.check(
        "ca sign --yes @/side/east/ca.csr --ca @/ca --out @/side/east",
        r#"
        exit 0
        @/side/east/ca-cert.pem  signed by Mesh Root, until 2027-11-21
                                 sha256 [sha256]
        @/side/east/cert-chain.pem
        @/side/east/root-cert.pem
        --- stderr
        about to sign:
          subject      O = Mesh, CN = Mesh CA east
          key          ecdsa-p256, key sha256 [sha256]
          names        none
          usage        keyCertSign, cRLSign
          path length  0: it can sign workload certificates, but no further CAs
          lifetime     2026-11-21T06:55:00Z to 2027-11-21T06:55:00Z, 365 days
          issuer       O = Mesh, CN = Mesh Root, ecdsa-p256, key sha256 [sha256]
    "#,
    );
    compare(
        "ls -l",
        &shell.scratch.modes("side"),
        r#"
        0700 east/
        0644 east/ca-cert.pem
        0600 east/ca-key.pem
        0644 east/ca.csr
        0644 east/cert-chain.pem
        0644 east/root-cert.pem
    "#,
    );
    let files = shell.scratch.entries("side/east");
    let secret = files.into_iter().map(|(name, entry)| (name, entry.content.unwrap())).collect();
    CaCerts::from_secret(&secret, Version::NEWEST, NOW).unwrap();
    shell.check(
        "ca csr @/side --cluster east",
        r#"
        exit 1
        --- stderr
        error[ctl/exists]: `@/side/east` already exists and is not overwritten

        hint: choose another `--cluster`, or move that folder away first
    "#,
    );
    let before = shell.scratch.entries("side");
    // Signing again gives another certificate, which does not take the place of the first.
    shell.check("ca sign --yes @/side/east/ca.csr --ca @/ca --out @/side/east", r#"
        exit 1
        --- stderr
        about to sign:
          subject      O = Mesh, CN = Mesh CA east
          key          ecdsa-p256, key sha256 [sha256]
          names        none
          usage        keyCertSign, cRLSign
          path length  0: it can sign workload certificates, but no further CAs
          lifetime     2026-11-21T06:55:00Z to 2027-11-21T06:55:00Z, 365 days
          issuer       O = Mesh, CN = Mesh Root, ecdsa-p256, key sha256 [sha256]
        error[ctl/exists]: `@/side/east/cert-chain.pem` already exists with different content and is not overwritten

        hint: use another `--out` folder, or move that file away first
    "#);
    assert_eq!(shell.scratch.entries("side"), before);
}

/// The certificate is put in place last: if it is missing, the previous run was interrupted, and this one continues.
#[test]
fn a_run_that_was_cut_off_can_be_repeated() {
    let shell = shell();
    shell.good("ca csr @/side --cluster east");
    shell.good("ca sign --yes @/side/east/ca.csr --ca @/ca --out @/side/east");
    std::fs::remove_file(shell.scratch.join("side/east/ca-cert.pem")).unwrap();
    shell.good("ca sign --yes @/side/east/ca.csr --ca @/ca --out @/side/east");
    let files = shell.scratch.entries("side/east");
    let secret = files.into_iter().map(|(name, entry)| (name, entry.content.unwrap())).collect();
    CaCerts::from_secret(&secret, Version::NEWEST, NOW).unwrap();
    // Another cluster's chain is not taken for that.
    std::fs::remove_file(shell.scratch.join("side/east/ca-cert.pem")).unwrap();
    shell.good("ca csr @/side --cluster west");
    std::fs::remove_file(shell.scratch.join("side/east/ca-key.pem")).unwrap();
    let ran = shell.run("ca sign --yes @/side/west/ca.csr --ca @/ca --out @/side/east");
    assert!(ran.err.contains("\nerror[ctl/exists]"), "{}", ran.err);
}

#[test]
fn signed_into_the_folder_of_the_ca_it_is_a_cluster_of_it() {
    let shell = shell();
    shell.good("ca csr @/ca --cluster east --key-type ecdsa-p384 --subject 'O=Mesh, CN={cluster}'");
    shell.check(
        "ca init @/ca --cluster east",
        r#"
        exit 1
        --- stderr
        error[ctl/cluster-incomplete]: `east` has a CSR that has not been signed yet
          in: @/ca/east/ca.csr

        hint: `meshctl ca sign @/ca/east/ca.csr --ca @/ca --out @/ca/east`
    "#,
    );
    shell.good("ca sign --yes @/ca/east/ca.csr --ca @/ca --out @/ca/east");
    shell.check(
        "ca init @/ca --cluster east",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root, ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        └─ east/            unchanged  east, ecdsa-p384, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
    "#,
    );
}

#[test]
fn the_profile_and_not_the_csr_says_what_the_certificate_may_do() {
    let shell = shell();
    let cluster = key(KeyType::EcdsaP256);
    let names = [meshpki::x509::GeneralName::Dns(b"not.asked.for".to_vec())];
    let wish = Role::Ca { path_len: Some(9) };
    let subject = tests::authority::name("CN=east");
    let csr = meshpki::Csr::create(&subject, &names, wish, &cluster).unwrap();
    shell.scratch.write("east.csr", csr.as_der());
    let sign = |options: &str| {
        let pem = shell.good(&format!("ca sign --yes @/east.csr --ca @/ca --out - {options}"));
        meshpki::cacerts::certs("stdout", pem.as_bytes()).unwrap().remove(0)
    };
    let path_len = |cert: &meshpki::Cert| cert.extensions().basic_constraints.unwrap().path_len;
    let plain = sign("");
    assert_eq!(path_len(&plain), Some(0));
    assert_eq!(plain.extensions().subject_alt_name, None);
    let asked = sign(
        "--path-len 2 --subject 'O=Mesh, CN=other' --san uri:spiffe://east.example --validity 1h \
         --at 2027-01-01",
    );
    assert_eq!(path_len(&asked), Some(2));
    assert_eq!(asked.subject().to_string(), "O = Mesh, CN = other");
    assert_eq!(asked.not_before().time().unwrap().to_string(), "2026-12-31T23:55:00Z");
    assert_eq!(asked.not_after().time().unwrap().to_string(), "2027-01-01T00:55:00Z");
    assert_eq!(
        sign("--constrain east.example").extensions().subject_alt_name,
        asked.extensions().subject_alt_name
    );
    assert_eq!(asked.public_key(), meshpki::Signer::public_key(&cluster));
}

#[test]
fn a_csr_from_standard_input_and_an_issuer_that_is_no_root() {
    let mut shell = shell();
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    let middle =
        root.below(KeyType::Ed25519, "CN=Middle", |p| p.role = Role::Ca { path_len: None });
    shell.scratch.write("issuer.pem", middle.cert.to_pem() + &root.cert.to_pem());
    shell.scratch.write("alone.pem", middle.cert.to_pem());
    shell.scratch.write_key("issuer-key.pem", middle.key.to_pem().as_bytes());
    shell.stdin = csr("CN=east", &key(KeyType::EcdsaP256)).to_pem().into_bytes();
    shell.check(
        "ca sign - --yes --ca-cert @/issuer.pem --ca-key @/issuer-key.pem --out @/east",
        r#"
        exit 0
        @/east/ca-cert.pem  signed by Middle, until 2027-11-21
                            sha256 [sha256]
        @/east/cert-chain.pem
        @/east/root-cert.pem
        --- stderr
        about to sign:
          subject      CN = east
          key          ecdsa-p256, key sha256 [sha256]
          names        none
          usage        keyCertSign, cRLSign
          path length  0: it can sign workload certificates, but no further CAs
          lifetime     2026-11-21T06:55:00Z to 2027-11-21T06:55:00Z, 365 days
          issuer       CN = Middle, ed25519, key sha256 [sha256]
    "#,
    );
    let order: Vec<String> =
        meshpki::cacerts::certs("", shell.scratch.read("east/cert-chain.pem").as_bytes())
            .unwrap()
            .iter()
            .map(|cert| cert.subject().to_string())
            .collect();
    assert_eq!(order, ["CN = east", "CN = Middle", "CN = Root"]);
    shell.check("ca sign - --yes --ca-cert @/alone.pem --ca-key @/issuer-key.pem --out @/west", r#"
        exit 1
        --- stderr
        error[ctl/no-root]: root-cert.pem cannot be written: the issuer's file does not contain a root
          in: @/alone.pem

        hint: append the root to the file given with `--ca-cert`, or print the certificate alone with `--out -`
    "#);
    assert!(
        shell
            .good("ca sign - --yes --ca-cert @/alone.pem --ca-key @/issuer-key.pem --out -")
            .starts_with("-----BEGIN")
    );
}

#[test]
fn an_issuer_file_out_of_order_gives_a_chain_in_order() {
    let shell = Shell::new();
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    let any = |p: &mut meshpki::Profile| p.role = Role::Ca { path_len: None };
    let upper = root.below(KeyType::EcdsaP256, "CN=Upper", any);
    let lower = upper.below(KeyType::EcdsaP256, "CN=Lower", |p| {
        any(p);
        p.validity = Duration::from_secs(3600);
    });
    let stray = root.below(KeyType::EcdsaP256, "CN=Stray", any);
    let other = Authority::root(KeyType::EcdsaP256, "CN=Other Root", |_| {});
    let pile = [&lower.cert, &other.cert, &stray.cert, &root.cert, &upper.cert];
    shell.scratch.write("issuer.pem", pile.map(meshpki::Cert::to_pem).concat());
    shell.scratch.write_key("issuer-key.pem", lower.key.to_pem().as_bytes());
    shell.scratch.write("east.csr", csr("CN=east", &key(KeyType::EcdsaP256)).to_pem());
    shell.good(
        "ca sign --yes @/east.csr --ca-cert @/issuer.pem --ca-key @/issuer-key.pem --validity 10m --out @/east",
    );
    let names = |file: &str| -> Vec<String> {
        let text = shell.scratch.read(file);
        let certs = meshpki::cacerts::certs(file, text.as_bytes()).unwrap();
        certs.iter().map(|cert| cert.subject().label()).collect()
    };
    assert_eq!(names("east/cert-chain.pem"), ["east", "Lower", "Upper", "Root"]);
}

#[test]
fn warnings() {
    let shell = shell();
    shell.check("ca csr @/side --cluster east --key-type ed25519 --san dns:a.b --san uri:spiffe://east", r#"
        exit 0
        @/side/east/ca-key.pem  created, stays here
        @/side/east/ca.csr      created, O = Mesh, CN = Mesh CA east, ed25519, key sha256 [sha256]
        --- stderr
        warning[ctl/key-type-unproven]: `east` gets a key of type ed25519
          because: istiod reads it, but Envoy is not known to accept certificates signed with it

        hint: `--key-type ecdsa-p256` works with every Istio release

        next: where the root key is, `meshctl ca sign @/side/east/ca.csr --ca DIR --out @/side/east`; copy the three certificate files back here
    "#);
    shell.check(
        "ca sign --yes @/side/east/ca.csr --ca @/ca --out @/side/east --constrain east.example --at 2036-10-01",
        r#"
        exit 0
        @/side/east/ca-cert.pem  signed by Mesh Root, until 2036-11-18
                                 sha256 [sha256]
        @/side/east/cert-chain.pem
        @/side/east/root-cert.pem
        --- stderr
        warning[ctl/key-type-unproven]: `Mesh CA east` gets a key of type ed25519
          because: istiod reads it, but Envoy is not known to accept certificates signed with it

        hint: ask for a CSR with an ECDSA key on P-256
        warning[ctl/name-constraint-unproven]: the new CA is limited to its trust domain
          because: Envoy enforces that; ztunnel (ambient mode), whose verifier does not support URI constraints, rejects such chains

        hint: do not use `--constrain` with ambient mode
        warning[ctl/validity-cut]: `Mesh CA east` expires with its issuer, on 2036-11-18
          because: `Mesh Root` expires then, and a certificate cannot outlive its issuer

        hint: distribute a new root before that day
        about to sign:
          subject      O = Mesh, CN = Mesh CA east
          key          ed25519, key sha256 [sha256]
          names        URI:spiffe://east.example
          usage        keyCertSign, cRLSign
          path length  0: it can sign workload certificates, but no further CAs
          lifetime     2036-09-30T23:55:00Z to 2036-11-18T06:55:00Z, 48 days
          issuer       O = Mesh, CN = Mesh Root, ecdsa-p256, key sha256 [sha256]
          limited to   URI:east.example
          not granted  DNS:a.b, URI:spiffe://east, requested by the CSR
    "#,
    );
}

#[test]
fn refused_with_words() {
    let shell = shell();
    shell.good("ca csr @/side --cluster east");
    shell.good("ca csr @/side --cluster west");
    let west = shell.scratch.read("side/west/ca-key.pem");
    shell.scratch.write("side/east/ca-key.pem", west);
    shell.check("ca sign --yes @/side/east/ca.csr --ca @/ca --out @/side/east", r#"
        exit 1
        --- stderr
        error[pki/key-mismatch]: the private key does not belong to `Mesh CA east`: the certificate has key sha256 [key], the private key is sha256 [key]
          in: @/side/east/ca-key.pem

        hint: `--out` is the folder of another cluster: make sure that it is the right one
    "#);
    shell.check(
        "ca sign --yes @/side/east/ca.csr --ca @/side --out -",
        r#"
        exit 1
        --- stderr
        warning[ctl/key-permissions]: a private key is readable by users other than its owner
          in: @/side/east/ca-key.pem

        hint: `chmod 600 @/side/east/ca-key.pem`
        error[ctl/no-root]: no root certificate
          in: @/side/root-cert.pem

        hint: `meshctl ca init @/side --cluster NAME` creates one
    "#,
    );
    shell.check(
        "ca sign @/nowhere.csr --ca @/ca --out -",
        r#"
        exit 1
        --- stderr
        error[ctl/io]: cannot read `@/nowhere.csr`
          because: No such file or directory (os error 2)
    "#,
    );
    shell.check(
        "ca sign --yes @/ca/root-cert.pem --ca @/ca --out -",
        r#"
        exit 1
        --- stderr
        error[ctl/io]: the file does not contain a certificate signing request
          in: @/ca/root-cert.pem

        hint: `meshctl ca inspect @/ca/root-cert.pem` shows what it is
    "#,
    );
    shell.check(
        "ca sign --yes @/side/east/ca.csr --out -",
        r#"
        exit 64
        --- stderr
        error: the following required arguments were not provided:
          --ca <DIR>

        Usage: meshctl ca sign --out <DIR> --yes --ca <DIR> <CSR>

        For more information, try '--help'.
    "#,
    );
    shell.check(
        "ca sign --yes @/side/east/ca.csr --ca-cert @/ca/root-cert.pem --out -",
        r#"
        exit 64
        --- stderr
        error: the following required arguments were not provided:
          <--ca-key <FILE>|--root-signer <SIGNER>>

        Usage: meshctl ca sign --out <DIR> --yes --ca-cert <FILE> <--ca-key <FILE>|--root-signer <SIGNER>> <CSR>

        For more information, try '--help'.
    "#,
    );
    shell.check(
        "ca sign --yes @/side/east/ca.csr --ca @/ca --ca-cert @/ca/root-cert.pem --ca-key @/k --out -",
        r#"
        exit 64
        --- stderr
        error: the argument '--ca <DIR>' cannot be used with:
          --ca-cert <FILE>
          --ca-key <FILE>

        Usage: meshctl ca sign --out <DIR> --yes --ca <DIR> <CSR>

        For more information, try '--help'.
    "#,
    );
    shell.check("ca csr @/side --cluster ../east", r#"
        exit 64
        --- stderr
        error[ctl/cluster-name]: `../east` is not a valid cluster name
          because: expected 1 to 40 letters, digits, `-`, `_` and `.`, beginning with a letter or digit, not ending with `.`, and not `previous`, `revoked.txt`, `root-cert.pem`, `root-crl.pem`, `root-key.pem` or a device of Windows, such as `nul`
    "#);
    shell.check(
        "ca csr @/side --cluster north --subject nobody",
        r#"
        exit 64
        --- stderr
        error[pki/subject]: the subject cannot be used
          because: `nobody` is not of the form TYPE=VALUE
    "#,
    );
}
