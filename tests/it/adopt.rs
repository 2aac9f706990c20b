//! CAs from elsewhere: adopted, checked, renewed by a CSR; root bundles joined and compared.

use meshpki::x509::Attribute;
use meshpki::{Cert, Csr, KeyType, Name, Oid, Profile, Role};
use serde_json::json;
use tests::authority::{Authority, resigned, stamp};
use tests::cli::ended;
use tests::{Shell, schema};

const KIND: KeyType = KeyType::EcdsaP256;

/// A corporate root and issuing CA.
struct Corporate {
    root: Authority,
    issuing: Authority,
}

impl Corporate {
    fn new(root: &str) -> Self {
        let any = |p: &mut Profile| p.role = Role::Ca { path_len: None };
        let root = Authority::root(KIND, root, any);
        let issuing = root.below(KIND, "O=Corp, CN=Corp Issuing", any);
        Self { root, issuing }
    }

    fn east(&self) -> Authority {
        self.issuing.below(KIND, "O=Corp, CN=Mesh CA east", |_| {})
    }

    /// Signs what a CSR asks for.
    fn sign(&self, csr: &str) -> Cert {
        let block = meshpki::internals::pem::decode(csr.as_bytes()).remove(0).unwrap();
        let csr = Csr::from_der(&block.der).unwrap();
        let key = csr.verified_key().unwrap();
        let profile = Profile::cluster(csr.subject().clone());
        let issuer = meshpki::Issuer { cert: &self.issuing.cert, signer: &self.issuing.key };
        meshpki::issue(&profile, key, issuer, stamp()).unwrap()
    }

    /// What the security team delivers: DER, CRLF, plain.
    fn deliver(&self, shell: &Shell, east: &Cert) {
        shell.scratch.write("root.cer", self.root.cert.as_der());
        shell.scratch.write("issuing.crt", self.issuing.cert.to_pem().replace('\n', "\r\n"));
        shell.scratch.write("east.crt", east.to_pem());
    }
}

/// The set is one that `check` accepts, with this chain and these roots.
#[track_caller]
fn is_set(shell: &Shell, chain: &[&Cert], roots: &[&Cert]) {
    let text = |certs: &[&Cert]| certs.iter().map(|cert| cert.to_pem()).collect::<String>();
    assert_eq!(shell.scratch.read("ca/east/ca-cert.pem"), chain[0].to_pem());
    assert_eq!(shell.scratch.read("ca/east/cert-chain.pem"), text(chain));
    assert_eq!(shell.scratch.read("ca/east/root-cert.pem"), text(roots));
    assert_eq!(shell.scratch.entries("ca/east")["ca-key.pem"].mode, 0o600);
    ended(&shell.run("check @/ca"), 0, &[]);
}

#[test]
fn the_certificate_that_came_back_and_its_renewal() {
    let shell = Shell::new();
    let corp = Corporate::new("O=Corp, CN=Corp Root");
    shell.good("ca csr @/ca --cluster east --subject 'O=Corp, CN=Mesh CA east'");
    let key = shell.scratch.read("ca/east/ca-key.pem");
    let east = corp.sign(&shell.scratch.read("ca/east/ca.csr"));
    corp.deliver(&shell, &east);
    shell.check("ca adopt @/ca --cluster east @/east.crt @/issuing.crt", r#"
        exit 1
        --- stderr
        error[ctl/no-root]: the root is in none of the files
          because: `Corp Issuing` was issued by `Corp Root`, whose certificate is missing

        hint: get the certificate of `Corp Root` from whoever runs that CA and add its file: `meshctl ca adopt @/ca --cluster east FILES ROOT`
    "#);
    shell.check(
        "ca adopt @/ca --cluster east @/east.crt @/root.cer @/issuing.crt",
        r#"
        exit 64
        --- stderr
        about to adopt for east:
          CA           O = Corp, CN = Mesh CA east
          from         @/east.crt
          key          ecdsa-p256, key sha256 [sha256]
          key from     @/ca/east/ca-key.pem
          issuer       O = Corp, CN = Corp Issuing
          lifetime     until 2027-11-21, in 364 days
          chain        `Mesh CA east` < `Corp Issuing` < `Corp Root`
          trusts       O = Corp, CN = Corp Root, until 2036-11-18
                       sha256 [sha256]
        error[ctl/usage]: cannot ask for confirmation: not a terminal (use `--yes`)

        hint: nothing was written; `--yes` adopts without asking
    "#,
    );
    assert!(!shell.scratch.join("ca/east/ca-cert.pem").exists());
    shell.check(
        "ca adopt @/ca --cluster east @/east.crt @/root.cer @/issuing.crt --yes",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    elsewhere  Corp Root, ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem                not here
        └─ east/            created    Mesh CA east, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem -untrusted cert-chain.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr
        about to adopt for east:
          CA           O = Corp, CN = Mesh CA east
          from         @/east.crt
          key          ecdsa-p256, key sha256 [sha256]
          key from     @/ca/east/ca-key.pem
          issuer       O = Corp, CN = Corp Issuing
          lifetime     until 2027-11-21, in 364 days
          chain        `Mesh CA east` < `Corp Issuing` < `Corp Root`
          trusts       O = Corp, CN = Corp Root, until 2036-11-18
                       sha256 [sha256]

        next: meshctl push @/ca --context east=CONTEXT
              (add --before-install if Istio is not installed yet)
    "#,
    );
    is_set(&shell, &[&east, &corp.issuing.cert, &corp.root.cert], &[&corp.root.cert]);
    assert_eq!(shell.scratch.read("ca/east/ca-key.pem"), key);
    ended(&shell.run("ca adopt @/ca --cluster east @/east.crt --yes"), 0, &["unchanged"]);
    // An adoption that was interrupted before the CA's certificate was in its place.
    std::fs::remove_file(shell.scratch.join("ca/east/ca-cert.pem")).unwrap();
    shell.good("ca adopt @/ca --cluster east @/east.crt @/root.cer @/issuing.crt --yes");
    is_set(&shell, &[&east, &corp.issuing.cert, &corp.root.cert], &[&corp.root.cert]);
    // Renewal: the CSR, once, and the set in use as it was.
    let before = shell.scratch.entries("ca/east");
    shell.check("ca renew @/ca --cluster east", r#"
        exit 2
        --- stderr
        error[ctl/csr-waits]: `east` is renewed when its CSR has been signed
          in: @/ca/east/renewal/ca.csr
          because: `Mesh CA east` was issued by `Corp Issuing`, whose key is not in this folder

        hint: send the CSR to whoever has that key, where `meshctl ca sign` or their own tool signs it; then `meshctl ca adopt @/ca --cluster east CERTIFICATE`
    "#);
    let csr = shell.scratch.read("ca/east/renewal/ca.csr");
    ended(&shell.run("ca renew @/ca --cluster east"), 2, &["error[ctl/csr-waits]: "]);
    assert_eq!(shell.scratch.read("ca/east/renewal/ca.csr"), csr);
    assert_eq!(shell.scratch.entries("ca/east/renewal")["key.pem"].mode, 0o600);
    for (name, entry) in before {
        assert_eq!(shell.scratch.entries("ca/east").get(&name), Some(&entry), "{name}");
    }
    ended(&shell.run("check @/ca/east"), 0, &[]);
    let again = corp.sign(&csr);
    assert_eq!(again.subject(), east.subject());
    // Of another key, and under another root: refused, with nothing written.
    let other = Corporate::new("O=Corp, CN=Other Root");
    for (cert, status, code) in
        [(&corp.east().cert, 1, "ctl/one-ca"), (&other.sign(&csr), 2, "ctl/other-root")]
    {
        shell.scratch.write("bad.crt", cert.to_pem());
        let ran = shell.run("ca adopt @/ca --cluster east @/bad.crt --yes");
        ended(&ran, status, &[&format!("error[{code}]: ")]);
        assert_eq!(shell.scratch.read("ca/east/ca-cert.pem"), east.to_pem());
    }
    shell.scratch.write("again.crt", again.to_pem());
    shell.check(
        "ca adopt @/ca --cluster east @/again.crt --yes",
        r#"
        exit 0
        @/ca/
        ├─ root-cert.pem    elsewhere  Corp Root, ecdsa-p256, until 2036-11-18
        │                              sha256 [sha256]
        ├─ root-key.pem                not here
        └─ east/            renewed    Mesh CA east, ecdsa-p256, pathlen 0, until 2027-11-21
                                       sha256 [sha256]
           ├─ ca-cert.pem
           ├─ ca-key.pem
           ├─ cert-chain.pem
           └─ root-cert.pem

        @/ca/east/ca-cert.pem: OK  (-CAfile root-cert.pem -untrusted cert-chain.pem)
        @/ca/east/ca-cert.pem: OK  (-CAfile cert-chain.pem)
        --- stderr
        about to adopt for east:
          CA           O = Corp, CN = Mesh CA east
          from         @/again.crt
          key          ecdsa-p256, key sha256 [sha256]
          key from     @/ca/east/renewal/key.pem
          issuer       O = Corp, CN = Corp Issuing
          lifetime     until 2027-11-21, in 364 days
          chain        `Mesh CA east` < `Corp Issuing` < `Corp Root`
          trusts       O = Corp, CN = Corp Root, until 2036-11-18
                       sha256 [sha256]
        the old files of east are in @/ca/previous/east-[id]

        next: meshctl push @/ca --context east=CONTEXT
    "#,
    );
    is_set(&shell, &[&again, &corp.issuing.cert, &corp.root.cert], &[&corp.root.cert]);
    assert!(!shell.scratch.join("ca/east/renewal").exists());
    assert_ne!(shell.scratch.read("ca/east/ca-key.pem"), key);
    let kept = std::fs::read_dir(shell.scratch.join("ca/previous")).unwrap().flatten();
    let kept: Vec<_> = kept.map(|entry| entry.path()).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(std::fs::read_to_string(kept[0].join("ca-key.pem")).unwrap(), key);
    assert!(!kept[0].join("renewal").exists());
}

#[test]
fn any_pile() {
    let corp = Corporate::new("O=Corp, CN=Corp Root");
    let east = corp.east();
    let stray = Authority::root(KIND, "CN=Stray", |_| {});
    let key = || east.key.to_pem().to_string();
    let base64 = |text: &str| {
        let text = meshpki::internals::pem::encode("X", text.as_bytes());
        text.lines().filter(|line| !line.starts_with('-')).collect::<String>()
    };
    let chain = [&east.cert, &corp.issuing.cert, &corp.root.cert].map(Cert::to_pem).concat();
    let roots = stray.cert.to_pem() + &corp.root.cert.to_pem() + &stray.cert.to_pem();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "cacerts", "namespace": "istio-system"},
        "data": {
            "ca-cert.pem": base64(&east.cert.to_pem()), "ca-key.pem": base64(&key()),
            "cert-chain.pem": base64(&chain), "root-cert.pem": base64(&roots),
        },
    });
    let yaml = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: cacerts\n  namespace: istio-system\ndata:\n{}",
        secret["data"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(k, v)| format!("  {k}: {}\n", v.as_str().unwrap()))
            .collect::<String>()
    );
    let vault = json!({"data": {"certificate": east.cert.to_pem(), "private_key": key(),
        "ca_chain": [corp.issuing.cert.to_pem(), corp.root.cert.to_pem()]}});
    let both = [&stray.cert, &corp.root.cert];
    let one = [&corp.root.cert];
    for (what, text, trusted) in [
        ("PEM", chain.clone() + &key(), &one[..]),
        ("PEM with a stray", stray.cert.to_pem() + &key() + &chain, &one),
        ("a secret in JSON", secret.to_string(), &both),
        (
            "a list of secrets",
            json!({"apiVersion": "v1", "kind": "List", "items": [secret]}).to_string(),
            &both,
        ),
        ("a secret in YAML", yaml, &both),
        ("Vault", vault.to_string(), &one),
    ] {
        let shell = Shell::new();
        shell.scratch.write("pile", text);
        let ran = shell.run("ca adopt @/ca --cluster east @/pile --yes");
        assert_eq!(ran.status, 0, "{what}\n{}{}", ran.out, ran.err);
        is_set(&shell, &[&east.cert, &corp.issuing.cert, &corp.root.cert], trusted);
        assert!(!ran.out.contains("PRIVATE KEY") && !ran.err.contains("PRIVATE KEY"));
    }
    // The folder of Istio's Makefile, which also has other files.
    let shell = Shell::new();
    east.write_set(&shell.scratch, "certs/east", &[&corp.issuing.cert, &corp.root.cert], &one);
    shell.scratch.write("certs/east/intermediate.conf", "[ req ]\n");
    let ran = shell.run("ca adopt @/ca --cluster east @/certs/east --layout tls --yes");
    ended(&ran, 0, &["intermediate.conf", "neither a certificate nor a key"]);
    assert!(shell.scratch.join("ca/east/tls.crt").exists());
    ended(&shell.run("check @/ca"), 0, &[]);
}

#[test]
fn what_is_not_a_ca_of_one_cluster() {
    let shell = Shell::new();
    let corp = Corporate::new("O=Corp, CN=Corp Root");
    let (east, west) = (corp.east(), corp.issuing.below(KIND, "O=Corp, CN=Mesh CA west", |_| {}));
    corp.deliver(&shell, &east.cert);
    let root_key = corp.root.key.to_pem().to_string();
    shell.scratch.write("west.crt", west.cert.to_pem());
    shell.scratch.write("east.key", east.key.to_pem().as_bytes());
    shell.scratch.write("west.key", west.key.to_pem().as_bytes());
    shell.scratch.write("root.key", root_key);
    let above = "@/issuing.crt @/root.cer";
    let adopt = "ca adopt @/ca --cluster east --yes";
    shell.check(&format!("{adopt} @/east.crt {above}"), r#"
        exit 1
        --- stderr
        error[ctl/one-ca]: there is no private key
          because: a cluster signs workload certificates, so its CA is a certificate and its key

        hint: add the file with the key: `meshctl ca adopt @/ca --cluster east FILES KEY`; or create one with `meshctl ca csr @/ca --cluster east` and have its CSR signed
    "#);
    shell.check(&format!("{adopt} @/east.crt @/west.key {above}"), r#"
        exit 1
        --- stderr
        error[ctl/one-ca]: none of the private keys belongs to one of the certificates
          because: @/west.key is ecdsa-p256, key sha256 [sha256]
          because: `Mesh CA east` is for ecdsa-p256, key sha256 [sha256]
          because: `Corp Issuing` is for ecdsa-p256, key sha256 [sha256]
          because: `Corp Root` is for ecdsa-p256, key sha256 [sha256]

        hint: ask whoever signed the CSR for the certificate of that CSR: its key must be one of these
    "#);
    shell.check(
        &format!("{adopt} @/east.crt @/east.key @/west.crt @/west.key {above}"),
        r#"
        exit 1
        --- stderr
        error[ctl/one-ca]: there are 2 CAs with their keys, expected one
          because: @/east.crt, `Mesh CA east`
          because: @/west.crt, `Mesh CA west`

        hint: give only the files of this cluster: each cluster has a CA of its own
    "#,
    );
    shell.check(&format!("{adopt} @/root.cer @/root.key"), r#"
        exit 1
        --- stderr
        error[pki/root-key]: the private key is that of the root `Corp Root`: a root key must never reach a cluster

        hint: keep a root's key where CAs are signed: put it into a CA folder as root-key.pem next to root-cert.pem, and `meshctl ca init DIR --cluster NAME` signs each cluster's CA
    "#);
    shell.check(
        &format!("{adopt} @/east.key"),
        r#"
        exit 1
        --- stderr
        error[pki/no-certificate]: no certificate in the files
    "#,
    );
    assert!(!shell.scratch.join("ca").exists());
    // The root's key is never copied.
    let ran = shell.run(&format!("{adopt} @/east.crt @/east.key @/root.key {above}"));
    ended(
        &ran,
        0,
        &["left out", "the private key of the root `Corp Root`, which no cluster may have"],
    );
    is_set(&shell, &[&east.cert, &corp.issuing.cert, &corp.root.cert], &[&corp.root.cert]);
    // Another CA does not take its place.
    ended(
        &shell.run(&format!("{adopt} @/west.crt @/west.key {above}")),
        1,
        &["error[ctl/exists]: "],
    );
}

/// A key of the folder is never next to the certificate of another.
#[test]
fn a_ca_with_another_key_than_that_of_the_csr() {
    let shell = Shell::new();
    let corp = Corporate::new("O=Corp, CN=Corp Root");
    let east = corp.east();
    corp.deliver(&shell, &east.cert);
    shell.scratch.write("east.key", east.key.to_pem().as_bytes());
    shell.good("ca csr @/ca --cluster east --subject 'O=Corp, CN=Mesh CA east'");
    let before = shell.scratch.entries("ca/east");
    let pile = "@/east.crt @/east.key @/issuing.crt @/root.cer --yes";
    shell.check(&format!("ca adopt @/ca --cluster east {pile}"), r#"
        exit 1
        --- stderr
        error[ctl/exists]: the folder has the key of another CA, which is not replaced
          in: @/ca/east
          because: the key of the CSR is ecdsa-p256, key sha256 [sha256]
          because: `Mesh CA east` is for ecdsa-p256, key sha256 [sha256]

        hint: ask for the certificate of the CSR; or, to take this CA with the key that came with it, move @/ca/east away first
    "#);
    assert_eq!(shell.scratch.entries("ca/east"), before);
    let signed = corp.sign(&shell.scratch.read("ca/east/ca.csr"));
    shell.scratch.write("signed.crt", signed.to_pem());
    let above = "@/signed.crt @/issuing.crt @/root.cer --yes";
    shell.check(
        &format!("ca adopt @/ca --cluster east {above} --layout tls"),
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: `--layout tls` is for a new folder
          because: `@/ca/east` has `ca-key.pem`

        hint: leave `--layout` out
    "#,
    );
    shell.good(&format!("ca adopt @/ca --cluster east {above}"));
    is_set(&shell, &[&signed, &corp.issuing.cert, &corp.root.cert], &[&corp.root.cert]);
}

/// A root is trusted if it is in the set of the CA, or the end of its chain; not because of a file's name.
#[test]
fn roots_of_others() {
    let corp = Corporate::new("O=Corp, CN=Corp Root");
    let (east, other) = (corp.east(), Authority::root(KIND, "CN=Other Root", |_| {}));
    let map = |name: &str, file: &str, text: String| {
        let metadata = json!({"name": name, "namespace": "istio-system"});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {file: text}})
    };
    let set = |name: &str| {
        let mut set = map(name, "ca-cert.pem", east.cert.to_pem());
        set["data"]["ca-key.pem"] = json!(*east.key.to_pem());
        set["data"]["cert-chain.pem"] = json!(east.cert.to_pem() + &corp.issuing.cert.to_pem());
        set["data"]["root-cert.pem"] = json!(corp.root.cert.to_pem());
        set
    };
    let list = |items: &[serde_json::Value]| {
        json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
    };
    // Root A, the same cross-signed by root B, and root B.
    let mut cross = Profile::cluster(corp.root.cert.subject().clone());
    cross.role = Role::Ca { path_len: None };
    let issuer = meshpki::Issuer { cert: &other.cert, signer: &other.key };
    let cross = meshpki::issue(&cross, corp.root.cert.public_key(), issuer, stamp()).unwrap();
    let chain = [&east.cert, &corp.issuing.cert, &corp.root.cert, &cross, &other.cert];
    let chain = chain.map(Cert::to_pem).concat() + &east.key.to_pem();
    let ca_crt = map("kube-root-ca.crt", "ca.crt", other.cert.to_pem());
    let root = map("istio-ca-root-cert", "root-cert.pem", other.cert.to_pem());
    let not_issuer = "it did not issue any certificate of the chain";
    let other_way = "it is on another way up from the CA, which is not taken";
    for (text, why) in [
        (list(&[set("cacerts"), ca_crt]), not_issuer),
        (list(&[root, set("cacerts")]), not_issuer),
        (chain, other_way),
    ] {
        let shell = Shell::new();
        shell.scratch.write("pile", text);
        let ran = shell.run("ca adopt @/ca --cluster east @/pile --yes");
        ended(&ran, 0, &["left out", &format!("`Other Root`: {why}")]);
        is_set(&shell, &[&east.cert, &corp.issuing.cert, &corp.root.cert], &[&corp.root.cert]);
        // What is given again and not taken is named as well.
        shell.scratch.write("other.pem", other.cert.to_pem());
        let ran = shell.run("ca adopt @/ca --cluster east @/pile @/other.pem --yes");
        ended(&ran, 0, &["left out", "`Other Root`", "unchanged"]);
    }
}

/// A name with a line feed does not add a line to what is confirmed.
#[test]
fn a_name_forges_no_line() {
    let shell = Shell::new();
    let corp = Corporate::new("O=Corp, CN=Corp Root");
    let east = corp.east();
    let forged = Attribute::new(Oid::COMMON_NAME, "x\n  trusts       CN = Good");
    let subject = Name::new(&[forged]);
    let stray = Authority::root(KIND, "CN=x", |_| {});
    let stray = resigned(&stray.cert, &stray.key, |fields| fields[5] = subject.as_der().to_vec());
    let chain = [&east.cert, &corp.issuing.cert, &corp.root.cert, &stray].map(Cert::to_pem);
    shell.scratch.write("pile", chain.concat() + &east.key.to_pem());
    let ran = shell.run("ca adopt @/ca --cluster east @/pile");
    ended(&ran, 64, &["left out", "CN = Good"]);
    let forged = ran.err.lines().filter(|line| line.starts_with("  trusts       CN = Good"));
    assert_eq!(forged.count(), 0, "{}", ran.err);
}

/// The key that waits for its certificate is kept until that has come; what others must sign holds back no renewal.
#[test]
fn renewals_that_wait() {
    let shell = Shell::new();
    let corp = Corporate::new("O=Corp, CN=Corp Root");
    let east = corp.east();
    corp.deliver(&shell, &east.cert);
    shell.scratch.write("east.key", east.key.to_pem().as_bytes());
    let pile = "@/east.crt @/east.key @/issuing.crt @/root.cer --yes";
    shell.good("ca init @/ca --cluster west --plain-root-key");
    let ran = shell.run(&format!("ca adopt @/ca --cluster east {pile} --new-root"));
    ended(&ran, 0, &["root-cert.pem    elsewhere  Corp Root"]);
    shell.good(&format!("ca adopt @/ca --cluster north {pile} --new-root"));
    let west = shell.scratch.read("ca/west/ca-cert.pem");
    let ran = shell.run("ca renew @/ca --cluster east,north,west");
    let hint = "--cluster east CERTIFICATE` and `meshctl ca adopt ";
    ended(
        &ran,
        2,
        &["west/            renewed", "east/            unchanged", "error[ctl/csr-waits]: ", hint],
    );
    assert_ne!(shell.scratch.read("ca/west/ca-cert.pem"), west);
    // Each is verified under its own root.
    assert!(!ran.out.contains("verification failed"), "{}", ran.out);
    // They may be copies.
    let entries = || {
        let all = shell.scratch.entries("ca/east/renewal").into_iter();
        all.map(|(name, entry)| (name, entry.mode, entry.content)).collect::<Vec<_>>()
    };
    let waiting = entries();
    // The same key with a new certificate: the other one still waits.
    let mut profile = Profile::cluster(east.cert.subject().clone());
    profile.validity = Profile::CLUSTER_VALIDITY / 2;
    let other = corp.issuing.issue(&profile, &east.key);
    shell.scratch.write("other.crt", other.to_pem());
    // Without `--new-root`, as the hint says: a renewal changes no root.
    shell.good("ca adopt @/ca --cluster east @/other.crt --yes");
    assert_eq!(shell.scratch.read("ca/east/ca-cert.pem"), other.to_pem());
    assert_eq!(entries(), waiting);
    let again = corp.sign(&shell.scratch.read("ca/east/renewal/ca.csr"));
    shell.scratch.write("again.crt", again.to_pem());
    let before = shell.scratch.read("ca/east/renewal/key.pem");
    shell.good("ca adopt @/ca --cluster east @/again.crt --yes");
    assert_eq!(shell.scratch.read("ca/east/ca-key.pem"), before);
    assert!(!shell.scratch.join("ca/east/renewal").exists());
    for kept in std::fs::read_dir(shell.scratch.join("ca/previous")).unwrap().flatten() {
        assert!(!kept.path().join("renewal").exists(), "{}", kept.path().display());
    }
}

#[test]
fn two_roots_in_a_folder() {
    let shell = Shell::new();
    let corp = Corporate::new("O=Corp, CN=Corp Root");
    let east = corp.east();
    corp.deliver(&shell, &east.cert);
    shell.scratch.write("east.key", east.key.to_pem().as_bytes());
    let pile = "@/east.crt @/east.key @/issuing.crt @/root.cer --yes";
    shell.good("ca init @/ca --cluster west --plain-root-key");
    let ran = shell.run(&format!("ca adopt @/ca --cluster east {pile}"));
    ended(&ran, 2, &["error[ctl/other-root]: this folder trusts a different root\n"]);
    assert!(!shell.scratch.join("ca/east").exists());
    let ran = shell.run(&format!("ca adopt @/ca --cluster east {pile} --new-root"));
    ended(&ran, 0, &["warning[ctl/other-root]: "]);
    // Its renewal is a CSR, although another root is here with its key.
    ended(
        &shell.run("ca renew @/ca --cluster east"),
        2,
        &["error[ctl/csr-waits]: ", "changing the root is not a renewal"],
    );
    // The other way round.
    shell.good(&format!("ca adopt @/corp --cluster east {pile}"));
    let ran = shell.run("ca init @/corp --cluster west --plain-root-key");
    let parts = ["error[ctl/other-root]: `east` is under a different root", "or with `--new-root`"];
    ended(&ran, 1, &parts);
    assert!(!shell.scratch.join("corp/root-cert.pem").exists());
    let ran = shell.run("ca init @/corp --cluster west --plain-root-key --new-root");
    ended(&ran, 0, &["warning[ctl/other-root]: ", "west/            created"]);
}

#[test]
fn bundles() {
    let shell = Shell::new();
    let corp = Corporate::new("O=Corp, CN=Corp Root");
    let long = |p: &mut Profile| p.validity = Profile::ROOT_VALIDITY * 2;
    let newer = Authority::root(KIND, "O=Corp, CN=Corp Root", long);
    let other = Authority::root(KIND, "CN=Other Root", |_| {});
    let brief = |p: &mut Profile| p.validity = std::time::Duration::from_secs(3600);
    let old = Authority::root(KIND, "CN=Old Root", brief);
    let text = |cas: &[&Authority]| cas.iter().map(|ca| ca.cert.to_pem()).collect::<String>();
    shell.scratch.write("a.pem", text(&[&corp.root, &old]).replace('\n', "\r\n"));
    shell.scratch.write("b.pem", text(&[&corp.root, &newer]).trim_end());
    shell.scratch.write("c.der", other.cert.as_der());
    shell.scratch.write("corp.pem", text(&[&corp.issuing]));
    let all = "@/a.pem @/b.pem @/c.der";
    // The newer one of the same name comes first; one that expires is shown, and dropped on request.
    let later = meshpki::Time(tests::NOW.0 + 86_400);
    let at = format!("--at {later}");
    let ran = shell.run(&format!("ca bundle {all} {at}"));
    ended(&ran, 0, &["a certificate has expired", "appears twice"]);
    assert_eq!(ran.out, text(&[&newer, &corp.root, &old, &other]));
    let ran = shell.run(&format!("ca bundle {all} {at} --drop-expired --out @/out.pem"));
    ended(&ran, 0, &["an expired certificate was dropped"]);
    assert_eq!(shell.scratch.read("out.pem"), text(&[&newer, &corp.root, &other]));
    let ran = shell.run(&format!("ca bundle {all} {at} --drop-expired -o json"));
    schema::check("root-bundle", &ran.out);
    shell.check(
        &format!("ca bundle @/b.pem --diff @/c.der {at}"),
        r#"
        exit 2
        - O = Corp, CN = Corp Root, until 2046-11-16, sha256 [sha256]
        - O = Corp, CN = Corp Root, until 2036-11-18, sha256 [sha256]
        + CN = Other Root, until 2036-11-18, sha256 [sha256]
    "#,
    );
    ended(
        &shell.run(&format!("ca bundle @/b.pem --diff @/c.der -o json {at}")),
        2,
        &["\"removed\""],
    );
    shell.check(
        &format!("ca bundle @/out.pem --diff @/out.pem {at}"),
        r#"
        exit 0
    "#,
    );
    ended(&shell.run("ca bundle @/corp.pem"), 0, &["a certificate of the bundle is not a root"]);
    shell.scratch.write("old.pem", text(&[&old]));
    ended(
        &shell.run(&format!("ca bundle @/old.pem {at} --drop-expired")),
        2,
        &["error[ctl/bundle-empty]: "],
    );
    // Chains with and without their root.
    shell.scratch.write("root.pem", text(&[&corp.root]));
    let chain = "ca chain @/corp.pem @/root.pem";
    assert_eq!(shell.good(&format!("{chain} --with-root")), text(&[&corp.issuing, &corp.root]));
    assert_eq!(shell.good(&format!("{chain} --no-root")), text(&[&corp.issuing]));
    ended(&shell.run("ca chain @/corp.pem --with-root"), 1, &["error[ctl/no-root]: "]);
    assert_eq!(shell.good("ca chain @/root.pem --no-root"), text(&[&corp.root]));
}
