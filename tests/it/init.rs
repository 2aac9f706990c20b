//! `meshctl ca init`: what it creates, what it prints, and that it changes no existing file.

use tests::Shell;
use tests::authority::{Authority, resigned};
use tests::cli::compare;

use meshpki::KeyType;
use meshpki::internals::der;

#[test]
fn a_root_and_two_clusters_then_again_then_a_third() {
    let shell = Shell::new();
    shell.check(
        "ca init @/ca --cluster west,east --plain-root-key",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    created    Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     created    not encrypted; keep it offline
        ├─ east/            created    Mesh CA east, ecdsa-p256, pathlen 0, until 2027-11-21
        │                              sha256 [sha256]
        │  ├─ ca-cert.pem
        │  ├─ ca-key.pem
        │  ├─ cert-chain.pem
        │  └─ root-cert.pem
        └─ west/            created    Mesh CA west, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        @/ca/west/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/west/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr

        next: meshctl push @/ca --context east=CONTEXT,west=CONTEXT
              (add --before-install if Istio is not installed yet)
    "#,
    );
    compare(
        "ls -l",
        &shell.scratch.modes("ca"),
        r#"
        0700 east/
        0644 east/ca-cert.pem
        0600 east/ca-key.pem
        0644 east/cert-chain.pem
        0644 east/root-cert.pem
        0644 root-cert.pem
        0600 root-key.pem
        0700 west/
        0644 west/ca-cert.pem
        0600 west/ca-key.pem
        0644 west/cert-chain.pem
        0644 west/root-cert.pem
    "#,
    );
    let before = shell.scratch.entries("ca");
    shell.check(
        "ca init @/ca --cluster east --cluster west --cluster east",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        ├─ east/            unchanged  Mesh CA east, ecdsa-p256, pathlen 0, until 2027-11-21
        │                              sha256 [sha256]
        │  ├─ ca-cert.pem
        │  ├─ ca-key.pem
        │  ├─ cert-chain.pem
        │  └─ root-cert.pem
        └─ west/            unchanged  Mesh CA west, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        @/ca/west/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/west/ca-cert.pem: OK  (-CAfile cert-chain.pem)
    "#,
    );
    assert_eq!(shell.scratch.entries("ca"), before, "a second run changes nothing");
    shell.check(
        "ca init @/ca --cluster north,east",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        ├─ east/            unchanged  Mesh CA east, ecdsa-p256, pathlen 0, until 2027-11-21
        │                              sha256 [sha256]
        │  ├─ ca-cert.pem
        │  ├─ ca-key.pem
        │  ├─ cert-chain.pem
        │  └─ root-cert.pem
        └─ north/           created    Mesh CA north, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        @/ca/north/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/north/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr

        next: meshctl push @/ca --context north=CONTEXT
              (add --before-install if Istio is not installed yet)
    "#,
    );
    let mut after = shell.scratch.entries("ca");
    assert_eq!(after.len(), before.len() + 5);
    after.retain(|name, _| !name.starts_with("north/"));
    assert_eq!(after, before, "a third cluster changes nothing of the others");
}

#[test]
fn a_root_alone() {
    let shell = Shell::new();
    shell.check(
        "ca init @/ca --plain-root-key",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    created    Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        └─ root-key.pem     created    not encrypted; keep it offline
    "#,
    );
    let before = shell.scratch.entries("ca");
    shell.check(
        "ca init @/ca",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        └─ root-key.pem     unchanged
    "#,
    );
    assert_eq!(shell.scratch.entries("ca"), before);
}

#[test]
fn every_option_is_seen_in_the_tree() {
    let shell = Shell::new();
    shell.check(
        "ca init @/ca/ --cluster east,west --at 2030-06-01T12:00:29+02:00 --plain-root-key \
         --root-subject 'C=GB, O=Widgets, CN=Widgets Root' --root-validity 20y --path-len 1 \
         --cluster-subject 'O=Widgets+OU={cluster}, CN={cluster} CA' --cluster-validity 90d \
         --trust-domain cluster.local --trust-domain west=west.example --constrain \
         --san dns:istiod.{cluster}.svc --root-key-type ecdsa-p384 --cluster-key-type ed25519",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    created    Widgets Root, ecdsa-p384, pathlen 1, until 2050-05-27
        │                              sha256 [sha256]
        ├─ root-key.pem     created    not encrypted; keep it offline
        ├─ east/            created    east CA, ed25519, pathlen 0, until 2030-08-30
        │                              sha256 [sha256]
        │  ├─ ca-cert.pem
        │  ├─ ca-key.pem
        │  ├─ cert-chain.pem
        │  └─ root-cert.pem
        └─ west/            created    west CA, ed25519, pathlen 0, until 2030-08-30
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        @/ca/west/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/west/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr
        warning[ctl/key-type-unproven]: every new intermediate gets a key of type ed25519
          because: istiod reads it, but Envoy is not known to accept certificates signed with it

        hint: `--key-type ecdsa-p256` works with every Istio release
        warning[ctl/name-constraint-unproven]: the intermediates are limited to their trust domains
          because: Envoy enforces that; ztunnel (ambient mode), whose verifier does not support URI constraints, rejects such chains

        hint: do not use `--constrain` with ambient mode

        next: meshctl push @/ca/ --context east=CONTEXT,west=CONTEXT
              (add --before-install if Istio is not installed yet)
    "#,
    );
    let cert = |name: &str| {
        let text = shell.scratch.read(&format!("ca/{name}"));
        meshpki::cacerts::certs(name, text.as_bytes()).unwrap().remove(0)
    };
    let (root, west) = (cert("root-cert.pem"), cert("west/ca-cert.pem"));
    let dates = |cert: &meshpki::Cert| {
        [cert.not_before(), cert.not_after()].map(|time| time.time().unwrap().to_string())
    };
    assert_eq!(dates(&root), ["2030-06-01T09:55:00Z", "2050-05-27T09:55:00Z"]);
    assert_eq!(dates(&west), ["2030-06-01T09:55:00Z", "2030-08-30T09:55:00Z"]);
    let names = west.extensions().subject_alt_name.clone().unwrap();
    let wanted = [b"istiod.west.svc".to_vec(), b"spiffe://west.example".to_vec()];
    use meshpki::x509::GeneralName;
    assert_eq!(names, [GeneralName::Dns(wanted[0].clone()), GeneralName::Uri(wanted[1].clone())]);
}

#[test]
fn as_json() {
    let shell = Shell::new();
    shell.check(
        "ca init @/ca --cluster east --plain-root-key -o json",
        r#"
        exit 0
        {
          "apiVersion": "meshctl/v1",
          "clusters": [
            {
              "files": [
                "ca-cert.pem",
                "ca-key.pem",
                "cert-chain.pem",
                "root-cert.pem"
              ],
              "keyType": "ecdsa-p256",
              "name": "east",
              "notAfter": "2027-11-21T06:55:00Z",
              "notBefore": "2026-11-21T06:55:00Z",
              "path": "@/ca/east",
              "serial": "[20 bytes]",
              "sha256": "[sha256]",
              "state": "made",
              "subject": "O = Mesh, CN = Mesh CA east"
            }
          ],
          "kind": "Authority",
          "path": "@/ca",
          "root": {
            "keyType": "ecdsa-p256",
            "notAfter": "2036-11-18T06:55:00Z",
            "notBefore": "2026-11-21T06:55:00Z",
            "serial": "[20 bytes]",
            "sha256": "[sha256]",
            "state": "made",
            "subject": "O = Mesh, CN = Mesh Root CA [id]"
          },
          "verified": true
        }
    "#,
    );
    let text = shell.good("ca init @/ca --cluster east,west --output json");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let states: Vec<_> = json["clusters"].as_array().unwrap().iter().map(|c| &c["state"]).collect();
    assert_eq!(states, ["unchanged", "made"]);
    assert_eq!(json["root"]["state"], "unchanged");
}

#[test]
fn the_tls_layout() {
    let shell = Shell::new();
    shell.check(
        "ca init @/ca --cluster east --layout tls --plain-root-key",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    created    Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     created    not encrypted; keep it offline
        └─ east/            created    Mesh CA east, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca.crt
           ├─ tls.crt
           └─ tls.key

        @/ca/east/tls.crt: OK  (-CAfile ca.crt)
        @/ca/east/tls.crt: OK  (-CAfile tls.crt and ca.crt)
        --- stderr

        next: meshctl push @/ca --context east=CONTEXT
              (add --before-install if Istio is not installed yet)
    "#,
    );
    compare(
        "ls -l",
        &shell.scratch.modes("ca"),
        r#"
        0700 east/
        0644 east/ca.crt
        0644 east/tls.crt
        0600 east/tls.key
        0644 root-cert.pem
        0600 root-key.pem
    "#,
    );
    let before = shell.scratch.entries("ca");
    shell.good("ca init @/ca --cluster east --layout tls");
    // The layout is for what is made; what is there stays as it is.
    shell.good("ca init @/ca --cluster east --layout istio");
    assert_eq!(shell.scratch.entries("ca"), before);
}

#[test]
fn the_root_key_is_encrypted_with_a_given_passphrase() {
    let mut shell = Shell::new();
    shell.env = vec![
        ("PASS", "gimlet otter quarry lantern mosaic tundra"),
        ("OTHER", "wrong"),
        ("NONE", ""),
    ];
    shell.scratch.write_key("pass", "gimlet otter quarry lantern mosaic tundra\r\nanother line\n");
    shell.check(
        "ca init @/ca --cluster east --passphrase-env PASS",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    created    Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     created    encrypted; keep it offline
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
    let key = shell.scratch.read("ca/root-key.pem");
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{key}");
    shell.check(
        "ca init @/ca --cluster west --passphrase-file @/pass",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        └─ west/            created    Mesh CA west, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/west/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/west/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr

        next: meshctl push @/ca --context west=CONTEXT
              (add --before-install if Istio is not installed yet)
    "#,
    );
    shell.check(
        "ca init @/ca --cluster west",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        └─ west/            unchanged  Mesh CA west, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/west/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/west/ca-cert.pem: OK  (-CAfile cert-chain.pem)
    "#,
    );
    shell.check("ca init @/ca --cluster north", r#"
        exit 1
        --- stderr
        error[pki/key-encrypted]: the private key cannot be read: it is encrypted, and no passphrase was given
          in: @/ca/root-key.pem

        hint: give the passphrase with `--passphrase-file FILE` or `--passphrase-env VARIABLE`
    "#);
    shell.check(
        "ca init @/ca --cluster north --passphrase-env OTHER",
        r#"
        exit 1
        --- stderr
        error[pki/key-passphrase]: the private key cannot be read: the passphrase does not decrypt it
          in: @/ca/root-key.pem

        hint: the passphrase is the first line of the file in `--passphrase-file`, or the whole value of the variable in `--passphrase-env`, including spaces
    "#,
    );
    shell.check(
        "ca init @/ca --cluster north --passphrase-env NONE",
        r#"
        exit 1
        --- stderr
        error[ctl/usage]: the passphrase is empty
          because: the environment variable `NONE` is empty
    "#,
    );
    shell.check(
        "ca init @/ca --cluster north --passphrase-env UNSET",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: the environment variable `UNSET` is not set
    "#,
    );
    shell.check(
        "ca init @/ca --cluster north --passphrase-file @/nowhere",
        r#"
        exit 1
        --- stderr
        error[ctl/io]: cannot read `@/nowhere`
          because: No such file or directory (os error 2)
    "#,
    );
    assert!(!shell.scratch.join("ca/north").exists());
}

#[test]
fn a_key_without_its_certificate_is_taken_up() {
    let shell = Shell::new();
    shell.good("ca init @/ca --plain-root-key");
    let key = shell.scratch.read("ca/root-key.pem");
    std::fs::remove_file(shell.scratch.join("ca/root-cert.pem")).unwrap();
    shell.check(
        "ca init @/ca --cluster east",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    created    Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged  not encrypted; keep it offline
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
    assert_eq!(shell.scratch.read("ca/root-key.pem"), key);
}

#[test]
fn an_encrypted_key_without_its_certificate_is_taken_up() {
    let shell = Shell::new();
    shell.scratch.write_key("pass", "gimlet otter quarry lantern mosaic tundra");
    shell.good("ca init @/ca --passphrase-file @/pass");
    std::fs::remove_file(shell.scratch.join("ca/root-cert.pem")).unwrap();
    shell.check("ca init @/ca --cluster east", r#"
        exit 1
        --- stderr
        error[pki/key-encrypted]: the private key cannot be read: it is encrypted, and no passphrase was given
          in: @/ca/root-key.pem

        hint: give the passphrase with `--passphrase-file FILE` or `--passphrase-env VARIABLE`
    "#);
    shell.check(
        "ca init @/ca --cluster east --passphrase-file @/pass",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    created    Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged  encrypted; keep it offline
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
}

#[test]
fn without_the_root_key_what_is_there_is_reported_and_nothing_added() {
    let shell = Shell::new();
    shell.good("ca init @/ca --cluster east --plain-root-key");
    std::fs::remove_file(shell.scratch.join("ca/root-key.pem")).unwrap();
    shell.check(
        "ca init @/ca --cluster east",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem                not here
        └─ east/            unchanged  Mesh CA east, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
    "#,
    );
    shell.check("ca init @/ca --cluster east,west", r#"
        exit 1
        --- stderr
        error[ctl/no-root-key]: the root key is missing, and nothing can be signed without it
          in: @/ca/root-key.pem

        hint: restore the key, or name its holder with `--root-signer`. To sign where the key is, run `meshctl ca csr @/ca --cluster NAME` here and `meshctl ca sign @/ca/NAME/ca.csr --ca-cert root-cert.pem --ca-key root-key.pem --out @/ca/NAME` there
    "#);
    assert!(!shell.scratch.join("ca/west").exists());
}

#[test]
fn warnings() {
    let shell = Shell::new();
    shell.check(
        "ca init @/ca --cluster east --key-type ecdsa-p521 --root-validity 100d --plain-root-key",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    created    Mesh Root CA [id], ecdsa-p521, until 2027-03-01
        │                              sha256 [sha256]
        ├─ root-key.pem     created    not encrypted; keep it offline
        └─ east/            created    Mesh CA east, ecdsa-p521, pathlen 0, until 2027-03-01
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr
        warning[ctl/key-type-unproven]: every new intermediate gets a key of type ecdsa-p521
          because: istiod reads it, but Envoy (BoringSSL) refuses P-521 by default

        hint: `--key-type ecdsa-p256` works with every Istio release
        warning[ctl/key-type-unproven]: the root gets a key of type ecdsa-p521
          because: istiod reads it, but Envoy (BoringSSL) refuses P-521 by default

        hint: `--key-type ecdsa-p256` works with every Istio release
        warning[ctl/validity-cut]: `Mesh CA east` expires with its issuer, on 2027-03-01
          because: `Mesh Root CA [id]` expires then, and a certificate cannot outlive its issuer

        hint: distribute a new root before that day

        next: meshctl push @/ca --context east=CONTEXT
              (add --before-install if Istio is not installed yet)
    "#,
    );
    shell.check(
        "ca init @/ca --cluster east --root-key-type rsa-2048",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p521, until 2027-03-01
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        └─ east/            unchanged  Mesh CA east, ecdsa-p521, pathlen 0, until 2027-03-01
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr
        warning[ctl/root-kept]: the existing root was left unchanged
          in: @/ca/root-cert.pem
          because: these options apply to a new root only: --root-key-type

        hint: choose another folder for another root
    "#,
    );
    let key = shell.scratch.read("ca/root-key.pem");
    shell.scratch.write("open/root-key.pem", &key);
    shell.scratch.write("open/root-cert.pem", shell.scratch.read("ca/root-cert.pem"));
    shell.check(
        "ca init @/open --cluster west --cluster-validity 1d",
        r#"
        exit 0
        @/open/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p521, until 2027-03-01
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        └─ west/            created    Mesh CA west, ecdsa-p256, pathlen 0, until 2026-11-22
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/open/west/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/open/west/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr
        warning[ctl/key-permissions]: a private key is readable by users other than its owner
          in: @/open/root-key.pem

        hint: `chmod 600 @/open/root-key.pem`

        next: meshctl push @/open --context west=CONTEXT
              (add --before-install if Istio is not installed yet)
    "#,
    );
}

#[test]
fn what_an_interrupted_run_left_is_kept_or_cleared() {
    let shell = Shell::new();
    shell.good("ca init @/ca --cluster east --plain-root-key");
    for (name, content) in shell.scratch.entries("ca/east") {
        shell.scratch.write(&format!("ca/.meshctl-staging/west/{name}"), content.content.unwrap());
    }
    shell.scratch.write("ca/.meshctl-staging/north/ca-key.pem", "half");
    shell.check(
        "ca init @/ca --cluster east",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        └─ east/            unchanged  Mesh CA east, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr
        warning[ctl/leftovers]: an interrupted run left a set of files, which was moved to `previous/`
          in: @/ca/previous/west
    "#,
    );
    let names: Vec<String> = shell.scratch.entries("ca").into_keys().collect();
    compare(
        "ls",
        &names.join("\n"),
        r#"
        east/
        east/ca-cert.pem
        east/ca-key.pem
        east/cert-chain.pem
        east/root-cert.pem
        previous/
        previous/west/
        previous/west/ca-cert.pem
        previous/west/ca-key.pem
        previous/west/cert-chain.pem
        previous/west/root-cert.pem
        root-cert.pem
        root-key.pem
    "#,
    );
}

#[test]
fn two_runs_at_once_do_not_meet() {
    let shell = Shell::new();
    std::fs::create_dir(shell.scratch.join("ca")).unwrap();
    let folder = std::fs::File::open(shell.scratch.join("ca")).unwrap();
    folder.lock().unwrap();
    shell.check(
        "ca init @/ca --cluster east",
        r#"
        exit 1
        --- stderr
        error[ctl/busy]: another meshctl process is using `@/ca`

        hint: run this command again once that one has finished, or use `--wait`
    "#,
    );
    drop(folder);
    shell.good("ca init @/ca --cluster east --plain-root-key");
}

#[test]
fn where_nothing_came_of_it_nothing_is_left() {
    let shell = Shell::new();
    shell.check("ca init @/ca --cluster east --cluster-validity 11y --plain-root-key", r#"
        exit 1
        --- stderr
        error[pki/outlives-issuer]: `Mesh CA east` would be valid until 2037-11-18T06:55:00Z, but its issuer `Mesh Root CA [id]` expires 2036-11-18T06:55:00Z
          in: cluster east

        hint: choose a shorter `--validity` (`ca init`: `--cluster-validity`), or omit it
    "#);
    assert!(!shell.scratch.join("ca").exists());
    shell.scratch.write("file", "");
    shell.check(
        "ca init @/file --cluster east",
        r#"
        exit 1
        --- stderr
        error[ctl/io]: `@/file` is not a folder

        hint: choose another path
    "#,
    );
}

#[test]
fn options_for_another_root_are_told() {
    let shell = Shell::new();
    shell.good("ca init @/ca --plain-root-key");
    shell.check(
        "ca init @/ca --root-subject CN=Other --root-validity 3y --path-len 1",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        └─ root-key.pem     unchanged
        --- stderr
        warning[ctl/root-kept]: the existing root was left unchanged
          in: @/ca/root-cert.pem
          because: these options apply to a new root only: --root-subject, --root-validity, --path-len

        hint: choose another folder for another root
    "#,
    );
    let same = shell.run("ca init @/ca --root-validity 10y --root-key-type ecdsa-p256");
    assert_eq!(same.err, "");
}

#[test]
fn names_do_not_steer_a_terminal() {
    let shell = Shell::new();
    let typed = "ca init @/ca --plain-root-key --root-subject 'CN=a\u{1b}[31m\u{202e}b'";
    shell.check(
        typed, r#"
        exit 64
        --- stderr
        error: invalid value 'CN=a\u{1b}[31m\u{202e}b' for '--root-subject <NAME>': CN `a\u{1b}[31m\u{202e}b` contains the invisible character U+001B

        For more information, try '--help'.
    "#,
    );
    // A root that someone else created is shown.
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    let common_name = "a\u{1b}[31m\u{202e}b".as_bytes();
    let name = tests::forge::name(&[(
        meshpki::internals::oid::COMMON_NAME,
        der::UTF8_STRING,
        common_name,
    )]);
    let cert = resigned(&root.cert, &root.key, |fields| {
        fields[3].clone_from(&name);
        fields[5] = name;
    });
    shell.scratch.write("ca/root-cert.pem", cert.to_pem());
    shell.check(
        "ca init @/ca",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  a\u{1b}[31m\u{202e}b, ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        └─ root-key.pem                not here
    "#,
    );
}

#[test]
fn staging_through_a_link_is_refused() {
    let shell = Shell::new();
    shell.good("ca init @/ca --cluster east --plain-root-key");
    shell.good("ca init @/theirs --cluster west --plain-root-key");
    std::os::unix::fs::symlink(
        shell.scratch.join("theirs"),
        shell.scratch.join("ca/.meshctl-staging"),
    )
    .unwrap();
    let before = shell.scratch.entries("theirs");
    shell.check(
        "ca init @/ca --cluster north",
        r#"
        exit 1
        --- stderr
        error[ctl/io]: `@/ca/.meshctl-staging` is in the way: it is not a folder

        hint: inspect it, remove it, then run this command again
    "#,
    );
    assert_eq!(shell.scratch.entries("theirs"), before);
}

/// Runs the real `meshctl` with standard output to a device that is full.
fn full(shell: &Shell, args: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new(crate::MESHCTL)
        .args(args)
        .current_dir(shell.scratch.path())
        .stdin(std::process::Stdio::null())
        .stdout(std::fs::File::options().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let shell = Shell::new();
    shell.good("ca init @/ca --cluster east --plain-root-key");
    shell.good("ca csr @/side --cluster west");
    for args in [
        &["ca", "init", "ca"][..],
        &["ca", "renew", "ca", "--cluster", "east"],
        &["ca", "csr", "side", "--cluster", "north"],
        &["ca", "sign", "--yes", "side/west/ca.csr", "--ca", "ca", "--out", "-"],
        &["ca", "sign", "--yes", "side/west/ca.csr", "--ca", "ca", "--out", "side/west"],
        &["ca", "chain", "ca/root-cert.pem"],
    ] {
        let (status, err) = full(&shell, args);
        assert_eq!(status, Some(1), "{args:?}: {err}");
        assert!(err.contains("error[ctl/io]: cannot write to standard output"), "{args:?}: {err}");
    }
}

#[test]
fn a_folder_whose_name_is_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let shell = Shell::new();
    let name = std::ffi::OsStr::from_bytes(b"a\xff");
    let output = std::process::Command::new(crate::MESHCTL)
        .args(["ca", "init", "--plain-root-key", "--cluster", "east", "-o", "json"])
        .arg(name)
        .current_dir(shell.scratch.path())
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{err}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("\"path\": \"a\\ufffd\""));
}
