//! `meshctl ca renew`: a new key and intermediate, the old set is kept, the root is unchanged.

use tests::Shell;
use tests::authority::{Authority, resigned};
use tests::cli::compare;

use meshpki::{Cert, KeyType, Profile};

fn shell(options: &str) -> Shell {
    let shell = Shell::new();
    shell.good(&format!("ca init @/ca --cluster east,west --plain-root-key {options}"));
    shell
}

fn ca(shell: &Shell, folder: &str) -> Cert {
    let text = shell.scratch.read(&format!("{folder}/ca-cert.pem"));
    meshpki::cacerts::certs(folder, text.as_bytes()).unwrap().remove(0)
}

#[test]
fn one_cluster_is_renewed_and_nothing_else_touched() {
    let shell = shell("--trust-domain cluster.local --cluster-validity 90d");
    // Files that a user put next to the set move along.
    shell.scratch.write("ca/east/ca.csr", "their CSR");
    let (before, old) = (shell.scratch.entries("ca"), ca(&shell, "ca/east"));
    shell.check(
        "ca renew @/ca --cluster east --at 2027-02-01T00:00:00Z",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        └─ east/            renewed    Mesh CA east, ecdsa-p256, pathlen 0, until 2027-05-01
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr
        the old files of east are in @/ca/previous/east-[id]

        next: meshctl push @/ca --context east=CONTEXT
    "#,
    );
    compare(
        "ls -l",
        &shell.mask(&shell.scratch.modes("ca")),
        r#"
        0700 east/
        0644 east/ca-cert.pem
        0600 east/ca-key.pem
        0644 east/ca.csr
        0644 east/cert-chain.pem
        0644 east/root-cert.pem
        0700 previous/
        0700 previous/east-[id]/
        0600 previous/east-[id]/ca-cert.pem
        0600 previous/east-[id]/ca-key.pem
        0600 previous/east-[id]/cert-chain.pem
        0600 previous/east-[id]/root-cert.pem
        0644 root-cert.pem
        0600 root-key.pem
        0700 west/
        0644 west/ca-cert.pem
        0600 west/ca-key.pem
        0644 west/cert-chain.pem
        0644 west/root-cert.pem
    "#,
    );
    let (after, new) = (shell.scratch.entries("ca"), ca(&shell, "ca/east"));
    for (name, entry) in &before {
        match name.strip_prefix("east/") {
            None => assert_eq!(after[name], *entry, "{name}"),
            Some(file) => {
                let aside = after
                    .keys()
                    .find(|n| n.starts_with("previous/") && n.ends_with('/') && n.len() > 9);
                let kept = after.get(&format!("{}{file}", aside.unwrap()));
                // What istiod does not read is in the new set alone.
                let expect = (file != "ca.csr").then_some(&entry.content);
                assert_eq!(kept.map(|kept| &kept.content), expect, "{name}");
            }
        }
    }
    assert_eq!(after["east/root-cert.pem"].content, before["east/root-cert.pem"].content);
    assert_eq!(after["east/ca.csr"].content, before["east/ca.csr"].content);
    assert_eq!(new.subject().as_der(), old.subject().as_der());
    assert_eq!(new.extensions().subject_alt_name, old.extensions().subject_alt_name);
    assert_ne!(new.public_key().as_der(), old.public_key().as_der());
    assert_eq!(new.not_after().time().unwrap().to_string(), "2027-05-01T23:55:00Z");
}

#[test]
fn only_what_is_due() {
    let shell = shell("--cluster-validity 90d");
    let before = shell.scratch.entries("ca");
    shell.check(
        "ca renew @/ca --cluster west,east --within 30d",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        ├─ east/            unchanged  Mesh CA east, ecdsa-p256, pathlen 0, until 2027-02-19
        │                              sha256 [sha256]
        │  ├─ ca-cert.pem
        │  ├─ ca-key.pem
        │  ├─ cert-chain.pem
        │  └─ root-cert.pem
        └─ west/            unchanged  Mesh CA west, ecdsa-p256, pathlen 0, until 2027-02-19
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
    assert_eq!(shell.scratch.entries("ca"), before);
    shell.check(
        "ca renew @/ca --cluster west --within 30d --at 2027-01-30 -o json",
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
              "name": "west",
              "notAfter": "2027-04-29T23:55:00Z",
              "notBefore": "2027-01-29T23:55:00Z",
              "path": "@/ca/west",
              "serial": "[20 bytes]",
              "sha256": "[sha256]",
              "state": "renewed",
              "subject": "O = Mesh, CN = Mesh CA west"
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
            "state": "unchanged",
            "subject": "O = Mesh, CN = Mesh Root CA [id]"
          },
          "verified": true
        }
        --- stderr
        the old files of west are in @/ca/previous/west-[id]
    "#,
    );
    // An expired certificate is renewed too: that is when it matters most.
    shell.check(
        "ca renew @/ca --cluster east --at 2028-01-01 --key-type ecdsa-p384 --validity 1y",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        └─ east/            renewed    Mesh CA east, ecdsa-p384, pathlen 0, until 2028-12-30
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr
        the old files of east are in @/ca/previous/east-[id]

        next: meshctl push @/ca --context east=CONTEXT
    "#,
    );
}

#[test]
fn a_set_in_the_tls_layout_stays_in_it() {
    let shell = shell("--layout tls");
    let root = shell.scratch.read("ca/east/ca.crt");
    // A user's comment in it must stay: istiod compares bytes.
    shell.scratch.write("ca/east/ca.crt", format!("# root of the mesh\n{root}"));
    shell.check(
        "ca renew @/ca --cluster east",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    unchanged  Mesh Root CA [id], ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem     unchanged
        └─ east/            renewed    Mesh CA east, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca.crt
           ├─ tls.crt
           └─ tls.key

        @/ca/east/tls.crt: OK  (-CAfile ca.crt)
        @/ca/east/tls.crt: OK  (-CAfile tls.crt and ca.crt)
        --- stderr
        the old files of east are in @/ca/previous/east-[id]

        next: meshctl push @/ca --context east=CONTEXT
    "#,
    );
    compare(
        "ls -l",
        &shell.mask(&shell.scratch.modes("ca/east")),
        r#"
        0644 ca.crt
        0644 tls.crt
        0600 tls.key
    "#,
    );
    assert_eq!(shell.scratch.read("ca/east/ca.crt"), format!("# root of the mesh\n{root}"));
}

#[test]
fn twice_in_a_row_keeps_both_old_sets() {
    let shell = shell("");
    let old = ca(&shell, "ca/east");
    shell.good("ca renew @/ca --cluster east");
    shell.good("ca renew @/ca --cluster east");
    let sets = shell.scratch.entries("ca/previous");
    assert_eq!(sets.keys().filter(|name| name.ends_with("ca-key.pem")).count(), 2);
    assert!(sets.iter().all(|(name, e)| !name.ends_with("ca-key.pem") || e.mode == 0o600));
    // A name in previous/ that is taken is not written over.
    let label = format!("east-{}", &ca(&shell, "ca/east").serial_hex().replace(':', "")[..8]);
    shell.scratch.write(&format!("ca/previous/{label}/mine"), "mine");
    shell.good("ca renew @/ca --cluster east");
    assert!(shell.scratch.join(format!("ca/previous/{label}-2/ca-key.pem")).exists());
    assert_ne!(old, ca(&shell, "ca/east"));
}

#[test]
fn what_the_old_certificate_said_is_said_again() {
    let shell = Shell::new();
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    root.write_root(&shell.scratch, "ca");
    let east = root.below(KeyType::Rsa2048, "O=a+OU=b, CN=East", |p: &mut Profile| {
        p.key_usage = meshpki::x509::KeyUsage(0x8600);
        p.ext_key_usage = vec![meshpki::Oid::SERVER_AUTH];
        p.permitted_uri_hosts = vec!["east.example".into()];
        p.validity = 40 * meshpki::internals::DAY;
    });
    east.write_set(&shell.scratch, "ca/east", &[&root.cert], &[&root.cert]);
    shell.good("ca renew @/ca --cluster east");
    let new = ca(&shell, "ca/east");
    assert_eq!(new.subject().as_der(), east.cert.subject().as_der());
    assert_eq!(new.public_key().algorithm(), east.cert.public_key().algorithm());
    let said = |cert: &Cert| {
        let ours = [meshpki::Oid::SUBJECT_KEY_ID, meshpki::Oid::AUTHORITY_KEY_ID];
        let mut list: Vec<_> = cert.raw_extensions().to_vec();
        list.retain(|e| !ours.contains(&e.oid));
        list.sort_by(|a, b| a.oid.cmp(&b.oid));
        list
    };
    assert_eq!(said(&new), said(&east.cert));
}

#[test]
fn a_short_serial_number_is_no_trouble() {
    let shell = Shell::new();
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    root.write_root(&shell.scratch, "ca");
    // As `openssl x509 -set_serial 7` makes one.
    let mut east = root.below(KeyType::EcdsaP256, "CN=East", |_| {});
    east.cert = resigned(&east.cert, &root.key, |fields| {
        fields[1] = meshpki::internals::der::integer(&[7])
    });
    east.write_set(&shell.scratch, "ca/east", &[&root.cert], &[&root.cert]);
    shell.good("ca renew @/ca --cluster east");
    assert!(shell.scratch.join("ca/previous/east-07/ca-key.pem").exists());
}

#[test]
fn refused_with_words() {
    let shell = shell("");
    let before = shell.scratch.entries("ca");
    shell.check(
        "ca renew @/ca --cluster north",
        r#"
        exit 1
        --- stderr
        error[ctl/no-cluster]: no cluster `north`
          in: @/ca/north

        hint: `meshctl ca init @/ca --cluster north` creates it
    "#,
    );
    shell.check(
        "ca renew @/nowhere --cluster north",
        r#"
        exit 1
        --- stderr
        error[ctl/no-root]: folder `@/nowhere` does not exist

        hint: `meshctl ca init @/nowhere --cluster NAME` creates one
    "#,
    );
    shell.check(
        "ca renew @/ca",
        r#"
        exit 64
        --- stderr
        error: the following required arguments were not provided:
          --cluster <NAME>

        Usage: meshctl ca renew --cluster <NAME> <DIR>

        For more information, try '--help'.
    "#,
    );
    shell.check("ca renew @/ca --cluster east --validity 11y", r#"
        exit 1
        --- stderr
        error[pki/outlives-issuer]: `Mesh CA east` would be valid until 2037-11-18T06:55:00Z, but its issuer `Mesh Root CA [id]` expires 2036-11-18T06:55:00Z
          in: cluster east

        hint: choose a shorter `--validity` (`ca init`: `--cluster-validity`), or omit it
    "#);
    shell.good("ca init @/other --cluster x --plain-root-key");
    assert_eq!(shell.scratch.entries("ca"), before);
    for file in ["root-cert.pem", "root-key.pem"] {
        let text = shell.scratch.read(&format!("other/{file}"));
        shell.scratch.write_key(&format!("ca/{file}"), text);
    }
    shell.check("ca renew @/ca --cluster east", r#"
        exit 2
        --- stderr
        error[ctl/csr-waits]: `east` is renewed when its CSR has been signed
          in: @/ca/east/renewal/ca.csr
          because: `Mesh CA east` was issued by `Mesh Root CA [id]`, whose key is not in this folder
          because: the root in this folder is `Mesh Root CA [id]`; changing the root is not a renewal

        hint: send the CSR to whoever has that key, where `meshctl ca sign` or their own tool signs it; then `meshctl ca adopt @/ca --cluster east CERTIFICATE`
    "#);
    std::fs::remove_file(shell.scratch.join("ca/root-key.pem")).unwrap();
    shell.check("ca renew @/ca --cluster east", r#"
        exit 2
        --- stderr
        error[ctl/csr-waits]: `east` is renewed when its CSR has been signed
          in: @/ca/east/renewal/ca.csr
          because: `Mesh CA east` was issued by `Mesh Root CA [id]`, whose key is not in this folder
          because: the root in this folder is `Mesh Root CA [id]`; changing the root is not a renewal

        hint: send the CSR to whoever has that key, where `meshctl ca sign` or their own tool signs it; then `meshctl ca adopt @/ca --cluster east CERTIFICATE`
    "#);
    std::fs::remove_file(shell.scratch.join("ca/root-cert.pem")).unwrap();
    shell.check(
        "ca renew @/ca --cluster east",
        r#"
        exit 2
        --- stderr
        error[ctl/csr-waits]: `east` is renewed when its CSR has been signed
          in: @/ca/east/renewal/ca.csr
          because: `Mesh CA east` was issued by `Mesh Root CA [id]`, whose key is not in this folder

        hint: send the CSR to whoever has that key, where `meshctl ca sign` or their own tool signs it; then `meshctl ca adopt @/ca --cluster east CERTIFICATE`
    "#,
    );
}

#[test]
fn the_old_key_is_never_lost() {
    let shell = shell("");
    let key = shell.scratch.read("ca/east/ca-key.pem");
    shell.scratch.write("ca/previous", "a file");
    shell.check(
        "ca renew @/ca --cluster east",
        r#"
        exit 1
        --- stderr
        error[ctl/io]: cannot create the folder `@/ca/previous`
          because: File exists (os error 17)
    "#,
    );
    assert_eq!(shell.scratch.read("ca/east/ca-key.pem"), key);
    // A folder the old set cannot be moved to: then it goes back to its place.
    std::fs::remove_file(shell.scratch.join("ca/previous")).unwrap();
    std::os::unix::fs::symlink("/proc", shell.scratch.join("ca/previous")).unwrap();
    let before = shell.scratch.entries("ca/east");
    let ran = shell.run("ca renew @/ca --cluster east");
    assert!(ran.status == 1 && ran.err.contains("cannot write to"), "{}", ran.err);
    assert_eq!(shell.scratch.entries("ca/east"), before);
    assert!(!shell.scratch.join("ca/.meshctl-staging").exists());
}
