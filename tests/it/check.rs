//! `meshctl check`: whole outputs, the documented keys, and a folder for every code.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use meshpki::cacerts::{Layout, Secret};
use meshpki::internals::{DAY, der, oid, pem};
use meshpki::istiod::{self, ClusterSecret, SecretProblem, Settings, Version};
use meshpki::x509::KeyUsage;
use meshpki::{
    Cert, Issuer, KeyType, Name, Profile, Role, Serial, Signer, SoftKey, Stamp, Time, issue,
    self_signed,
};
use serde_json::Value;
use tempfile::TempDir;
use tests::command::{Answer, run};
use tests::forge::{self, CertPlan, CrlPlan, KEYS, Rsa, extension, value};
use tests::{next_steps, schema};

const MESHCTL: &str = env!("CARGO_BIN_EXE_meshctl-under-test");

/// 2025-01-01, the time of the made-up world.
const NOW: Time = Time(1_735_689_600);

/// A CA and its key.
struct Authority {
    cert: Cert,
    key: SoftKey,
}

fn stamp() -> Stamp {
    let mut random = [0; 20];
    meshpki::internals::fill_random(&mut random);
    Stamp { serial: Serial::from_random(random), not_before: NOW.minus(DAY) }
}

fn root(name: &str, change: impl FnOnce(&mut Profile)) -> Authority {
    let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
    let mut profile = Profile::root(name.parse::<Name>().unwrap());
    change(&mut profile);
    Authority { cert: self_signed(&profile, &key, stamp()).unwrap(), key }
}

fn below(root: &Authority, name: &str, change: impl FnOnce(&mut Profile)) -> Authority {
    let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
    let mut profile = Profile::cluster(name.parse::<Name>().unwrap());
    change(&mut profile);
    let issuer = Issuer { cert: &root.cert, signer: &root.key };
    Authority { cert: issue(&profile, key.public_key(), issuer, stamp()).unwrap(), key }
}

/// Folders of clusters; `DIR` stands for the place in answers.
struct World {
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        // A key is its owner's alone.
        let is_key = name.ends_with("key.pem") || name.ends_with(".key");
        let mode = if is_key { 0o600 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    fn remove(&self, name: &str) -> &Self {
        fs::remove_file(self.dir.path().join(name)).unwrap();
        self
    }

    /// A cluster's four files: `chain` behind the CA, then the roots.
    fn cluster(&self, name: &str, ca: &Authority, chain: &[&Cert], roots: &[&Cert]) -> &Self {
        let pem = |certs: &[&Cert]| certs.iter().map(|cert| cert.to_pem()).collect::<String>();
        self.write(&format!("{name}/ca-cert.pem"), ca.cert.to_pem())
            .write(&format!("{name}/ca-key.pem"), ca.key.to_pem().as_bytes())
            .write(&format!("{name}/cert-chain.pem"), ca.cert.to_pem() + &pem(chain))
            .write(&format!("{name}/root-cert.pem"), pem(roots))
    }

    /// The same under cert-manager's names.
    fn to_tls(&self, name: &str) -> &Self {
        for (from, to) in
            [("ca-cert.pem", "tls.crt"), ("ca-key.pem", "tls.key"), ("root-cert.pem", "ca.crt")]
        {
            let from = format!("{name}/{from}");
            self.write(&format!("{name}/{to}"), self.read(&from)).remove(&from);
        }
        self.remove(&format!("{name}/cert-chain.pem"))
    }

    /// Checks everything.
    fn check(&self, args: &[&str]) -> Answer {
        self.check_dir("", args)
    }

    fn check_dir(&self, dir: &str, args: &[&str]) -> Answer {
        let path = self.path(dir);
        let answer = run(&[&["check", path.trim_end_matches('/')], args].concat());
        let place = self.path("");
        let short = |text: &str| text.replace(place.trim_end_matches('/'), "DIR");
        Answer { out: short(&answer.out), err: short(&answer.err), exit: answer.exit }
    }

    /// The codes, each once, and the exit status that goes with them.
    fn codes(&self, args: &[&str]) -> Vec<String> {
        let answer = self.check(&[args, &["-o", "json"]].concat());
        assert_eq!(answer.err, "");
        schema::check("check", &answer.out);
        let document: Value = serde_json::from_str(&answer.out).unwrap();
        let problems = document["problems"].as_array().unwrap();
        let failed = problems.iter().any(|problem| problem["severity"] == "error");
        assert_eq!(answer.exit, if failed { 2 } else { 0 });
        let at: Vec<&str> =
            if args.contains(&"--at") { vec![] } else { vec!["--at", "2025-01-01"] };
        let args = [args, &at, &["."]].concat();
        next_steps::follow(Path::new(MESHCTL), self.dir.path(), &args);
        let all = problems.iter().map(|problem| problem["code"].as_str().unwrap().to_owned());
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The answer with these certificates and their keys by name instead of by hash.
fn named(answer: &Answer, certs: &[(&str, &Cert)]) -> String {
    certs.iter().fold(answer.to_string(), |text, (name, cert)| {
        let key = cert.public_key().fingerprint();
        let digits = cert.fingerprint().replace(':', "").to_lowercase();
        text.replace(&key, name).replace(&digits[..8], name)
    })
}

#[test]
fn two_good_clusters() {
    let (world, root) = (World::new(), root("CN=Root", |_| {}));
    world
        .write("root-cert.pem", root.cert.to_pem())
        .write("root-key.pem", root.key.to_pem().as_bytes());
    for name in ["east", "west"] {
        let ca = below(&root, &format!("CN=Mesh CA {name}"), |_| {});
        world.cluster(name, &ca, &[&root.cert], &[&root.cert]);
    }
    world.write("previous/east-1/ca-cert.pem", "old").write(".hidden/ca-cert.pem", "hidden");
    let good = "exit 0
--- stdout
istiod 1.30.3, at 2025-01-01T00:00:00Z

[ok]   east  starts and signs with `Mesh CA east`
[ok]   west  starts and signs with `Mesh CA west`
[ok]   all   the same roots, but separate keys and names

2 clusters: 0 errors, 0 warnings
--- stderr
";
    assert_eq!(world.check(&[]).to_string(), good);
    assert_eq!(
        world.check_dir("west", &["--istio-version", "1.6.4", "--at", "2025-06-01"]).to_string(),
        "exit 0
--- stdout
istiod 1.6.4, at 2025-06-01T00:00:00Z

[ok]   west  starts and signs with `Mesh CA west`

1 cluster: 0 errors, 0 warnings
--- stderr
"
    );
}

#[test]
fn what_init_makes_is_good() {
    let world = World::new();
    let dir = world.path("mesh");
    assert_eq!(run(&["ca", "init", &dir, "--cluster", "east,west", "--plain-root-key"]).exit, 0);
    for layout in ["1.6.4", "1.20.0", "1.30.3"] {
        assert_eq!(world.check_dir("mesh", &["--istio-version", layout]).exit, 0);
    }
    let dir = world.path("tls");
    let made =
        run(&["ca", "init", &dir, "--cluster", "east", "--plain-root-key", "--layout", "tls"]);
    assert_eq!(made.exit, 0);
    assert_eq!(world.check_dir("tls", &[]).exit, 0);
}

#[test]
fn clusters_that_do_not_fit() {
    let world = World::new();
    let (a, b) = (root("CN=Root", |_| {}), root("CN=Root", |_| {}));
    let (east, west) = (below(&a, "CN=Mesh CA", |_| {}), below(&b, "CN=Mesh CA", |_| {}));
    world.cluster("east", &east, &[&a.cert], &[&a.cert]);
    world.cluster("west", &west, &[&b.cert], &[&b.cert]);
    world.write("west/ca-key.pem", a.key.to_pem().as_bytes());
    let certs =
        [("ROOT-A", &a.cert), ("ROOT-B", &b.cert), ("EAST", &east.cert), ("WEST", &west.cert)];
    assert_eq!(named(&world.check(&[]), &certs), DO_NOT_FIT);
}

const DO_NOT_FIT: &str = r#"exit 2
--- stdout
istiod 1.30.3, at 2025-01-01T00:00:00Z

[ok]   east  starts and signs with `Mesh CA`
[fail] west  refuses to start: failed to create an istiod CA: failed to create CA KeyCertBundle (the cert does not match the key: tls: private key does not match public key)
[fail] all   some do not trust each other

error[istiod/key-mismatch]: west: ca-key.pem is not the key of the first certificate in ca-cert.pem
  in: DIR/west/ca-key.pem
  evidence: ca-cert.pem: CN = Mesh CA has the key WEST
  evidence: ca-key.pem is the key ROOT-A
  effect: istiod 1.30.3 refuses to start: failed to create an istiod CA: failed to create CA KeyCertBundle (the cert does not match the key: tls: private key does not match public key)
  fix: put this key's certificate first, or use the key of the first certificate
  next: meshctl ca inspect DIR/west/ca-cert.pem DIR/west/ca-key.pem

error[istiod/root-key]: west: the cluster's files include the private key of a root: ca-key.pem
  in: DIR/west/ca-key.pem
  evidence: ca-key.pem is the key of `Root` (sha256 ROOT-A) in root-cert.pem of east
  effect: istiod 1.30.3 refuses to start: failed to create an istiod CA: failed to create CA KeyCertBundle (the cert does not match the key: tls: private key does not match public key); anyone who reads the secret can sign for every cluster of the mesh until the root is replaced everywhere
  fix: keep the root's key offline, and give the cluster its own intermediate; the key that signs the CA is not in DIR: its owner has to issue the certificate
  next: meshctl ca expiry --within 365d DIR/west

error[istiod/different-roots]: east, west: the clusters do not trust each other
  evidence: east trusts `Root` (sha256 ROOT-A)
  evidence: west trusts `Root` (sha256 ROOT-B)
  evidence: west does not accept `Mesh CA` (sha256 EAST) of east: self signed certificate in certificate chain
  evidence: east does not accept `Mesh CA` (sha256 WEST) of west: x509: certificate signed by unknown authority (possibly because of "x509: ECDSA verification failure" while trying to verify candidate authority certificate "Root")
  effect: istiod does not compare clusters; calls between them fail with CERTIFICATE_VERIFY_FAILED
  fix: give every cluster all roots before any of them signs under a new one, and remove the old roots last
  next: meshctl ca inspect DIR/east/root-cert.pem

warning[istiod/same-subject]: east, west: several clusters have a CA with the same name
  evidence: east: `Mesh CA` (sha256 EAST)
  evidence: west: `Mesh CA` (sha256 WEST)
  effect: istiod does not compare clusters; a verifier that has both CAs may use the wrong one and report a bad signature
  fix: name each CA after its cluster; the key that signs the CA is not in DIR: its owner has to issue the certificate
  next: meshctl ca expiry --within 365d DIR/east

2 clusters: 3 errors, 1 warning
--- stderr
"#;

#[test]
fn a_set_without_its_key() {
    let world = World::new();
    let root = root("CN=Root", |_| {});
    world.cluster("a b", &below(&root, "CN=East", |_| {}), &[&root.cert], &[&root.cert]);
    world.remove("a b/ca-key.pem");
    let answer = world.check(&["--istio-version", "1.26.0", "--multi-root"]);
    assert_eq!(answer.to_string(), NO_KEY);
    let answer = world.check(&["-o", "json"]);
    schema::check("check", &answer.out);
    assert_eq!(answer.to_string(), NO_KEY_JSON);
}

const NO_KEY: &str = "exit 2
--- stdout
istiod 1.26.0, ISTIO_MULTIROOT_MESH=true, at 2025-01-01T00:00:00Z

[fail] a b  starts with its own CA and logs only: Use self-signed certificate as the CA certificate

error[istiod/incomplete]: a b: ca-key.pem is missing or empty
  in: DIR/a b/ca-key.pem
  evidence: expected: ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem
  evidence: found: ca-cert.pem, cert-chain.pem, root-cert.pem
  effect: istiod 1.26.0 starts with its own CA and logs only: Use self-signed certificate as the CA certificate
  fix: put every file into the secret, under exactly these names; the key that signs the CA is not in DIR: its owner has to issue the certificate
  next: meshctl ca expiry --within 365d 'DIR/a b'

1 cluster: 1 error, 0 warnings
--- stderr
";

const NO_KEY_JSON: &str = r#"exit 2
--- stdout
{
  "ambient": false,
  "apiVersion": "meshctl/v1",
  "at": "2025-01-01T00:00:00Z",
  "between": null,
  "clusters": [
    {
      "context": null,
      "istiods": [],
      "log": "failed to create an istiod CA: incomplete signing CA bundle detected",
      "name": "a b",
      "path": "DIR/a b",
      "server": null,
      "start": "refusesToStart",
      "state": "fail",
      "subject": null
    }
  ],
  "istioVersion": "1.30.3",
  "kind": "Check",
  "multiRoot": false,
  "problems": [
    {
      "clusters": [
        "a b"
      ],
      "code": "istiod/incomplete",
      "effect": "istiod 1.30.3 refuses to start: failed to create an istiod CA: incomplete signing CA bundle detected",
      "evidence": [
        "expected: ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem",
        "found: ca-cert.pem, cert-chain.pem, root-cert.pem"
      ],
      "file": "ca-key.pem",
      "fix": "put every file into the secret, under exactly these names; the key that signs the CA is not in DIR: its owner has to issue the certificate",
      "message": "ca-key.pem is missing or empty",
      "next": "meshctl ca expiry --within 365d 'DIR/a b'",
      "severity": "error"
    }
  ]
}
--- stderr
"#;

#[test]
fn what_cannot_be_checked() {
    let world = World::new();
    world.write("empty/notes.txt", "nothing");
    assert_eq!(
        world.check(&[]).to_string(),
        "exit 1
--- stdout
--- stderr
error[ctl/no-cluster]: neither `DIR` nor any folder in it contains a cluster's files
  because: a cluster's folder contains at least one of ca-cert.pem, ca-key.pem, cert-chain.pem, tls.crt, tls.key

hint: `meshctl ca init DIR --cluster NAME` creates one
"
    );
    let answer = world.check_dir("absent", &[]);
    assert_eq!((answer.exit, answer.out.as_str()), (1, ""));
    assert!(answer.err.starts_with("error[ctl/io]: cannot read `DIR/absent`\n"), "{}", answer.err);
    assert_eq!(run(&["check", "x", "--istio-version", "latest"]).exit, 64);
    assert_eq!(run(&["check"]).exit, 64);
}

/// Two folders of one name are told apart by their paths.
#[test]
fn folders_of_one_name() {
    let world = World::new();
    let root = root("CN=Root", |_| {});
    for team in ["a", "b"] {
        let ca = below(&root, &format!("CN=Mesh CA {team}"), |_| {});
        world.cluster(&format!("{team}/east"), &ca, &[&root.cert], &[&root.cert]);
    }
    let answer = run(&["check", &world.path("a"), &world.path("b/east")]);
    assert_eq!(answer.exit, 0);
    for team in ["a", "b"] {
        let line = format!("[ok]   {}  starts", world.path(&format!("{team}/east")));
        assert!(answer.out.contains(&line), "{}", answer.out);
    }
}

/// A folder for every code, made wrong in one way; all codes are met.
#[test]
fn every_code() {
    let mut met: BTreeSet<String> = BTreeSet::new();
    let mut expect = |what: &str, world: &World, args: &[&str], codes: &[&str]| {
        let codes: Vec<String> = codes.iter().map(|code| format!("istiod/{code}")).collect();
        assert_eq!(world.codes(args), codes, "{what}");
        met.extend(codes);
    };
    of_files(&mut expect);
    of_keys(&mut expect);
    of_trust(&mut expect);
    of_the_chain(&mut expect);
    of_peers(&mut expect);
    of_forged(&mut expect);
    between(&mut expect);
    let offline =
        SecretProblem::CODES.iter().filter(|code| !SecretProblem::LIVE_CODES.contains(code));
    assert_eq!(met, offline.map(ToString::to_string).collect());
}

/// What a folder is for, the folder, options, the codes without `istiod/`.
type Expect<'a> = &'a mut dyn FnMut(&str, &World, &[&str], &[&str]);

/// A good cluster, to be spoilt.
fn east(root: &Authority) -> World {
    east_with(root, |_| {})
}

fn east_with(root: &Authority, change: impl FnOnce(&mut Profile)) -> World {
    let world = World::new();
    world.cluster("east", &below(root, "CN=East", change), &[&root.cert], &[&root.cert]);
    world
}

fn of_files(expect: Expect<'_>) {
    let root = root("CN=Root", |_| {});
    expect("good", &east(&root), &[], &[]);
    let world = east(&root);
    world.write("east/cert-chain.pem", "");
    expect("an empty chain", &world, &[], &["incomplete"]);
    let world = east(&root);
    let glued = world.read("east/ca-cert.pem").trim_end().to_owned() + &root.cert.to_pem();
    world.write("east/cert-chain.pem", glued);
    expect("glued", &world, &[], &["pem"]);
    let world = east(&root);
    world.to_tls("east");
    expect("cert-manager's names", &world, &[], &[]);
    expect("too old for them", &world, &["--istio-version", "1.14.1"], &["tls-files"]);
    world.write("east/tls.crt", world.read("east/tls.crt").trim_end());
    expect("joined without a newline", &world, &[], &["pem"]);
    let world = east(&root);
    let cert = world.read("east/ca-cert.pem");
    world.write("east/tls.crt", &cert).write("east/tls.key", world.read("east/ca-key.pem"));
    world.write("east/ca.crt", root.cert.to_pem());
    expect("both forms", &world, &[], &["tls-files"]);
    let world = east(&root);
    world.write("east/ca-crl.pem", "no crl");
    expect("no CRL", &world, &[], &["crl"]);
    expect("too old for a CRL", &world, &["--istio-version", "1.26.0"], &["crl-ignored"]);
    let world = World::new();
    for name in ["ca-cert.pem", "root-cert.pem"] {
        let sample = fs::read(Path::new("../fixtures/istio-samples").join(name)).unwrap();
        world.write(&format!("east/{name}"), &sample);
        if name == "ca-cert.pem" {
            world.write("east/cert-chain.pem", sample);
        }
    }
    let key = SoftKey::generate(KeyType::Rsa2048).unwrap();
    world.write("east/ca-key.pem", key.to_pem().as_bytes());
    expect("Istio's sample", &world, &[], &["key-mismatch", "sample-ca"]);
}

fn of_keys(expect: Expect<'_>) {
    let root = root("CN=Root", |_| {});
    let world = east(&root);
    let both = world.read("east/cert-chain.pem") + &world.read("east/ca-key.pem");
    world.write("east/cert-chain.pem", both);
    expect("a key in the chain, as other servers want it", &world, &[], &["key-exposed"]);
    let world = east(&root);
    let parameters = pem::encode("EC PARAMETERS", b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07");
    world.write("east/ca-key.pem", parameters + &world.read("east/ca-key.pem"));
    expect("EC PARAMETERS first", &world, &[], &["key-format"]);
    let world = east(&root);
    world.write("east/ca-cert.pem", root.cert.to_pem() + &world.read("east/ca-cert.pem"));
    expect("the root first", &world, &[], &["chain-start", "key-mismatch"]);
    let world = east(&root);
    world.write("east/key.pem", root.key.to_pem().as_bytes());
    expect("the root's key beside", &world, &[], &["root-key"]);
    let world = east(&root);
    world.write("east/root-key.pem", root.key.to_encrypted_pem(b"secret").unwrap());
    expect("the root's key, encrypted", &world, &[], &["root-key"]);
    let world = World::new();
    world.cluster("east", &root, &[], &[&root.cert]);
    expect("the root as the CA", &world, &[], &["root-key"]);
}

fn of_trust(expect: Expect<'_>) {
    let (a, b) = (root("CN=Root", |_| {}), root("CN=Root", |_| {}));
    let (world, ca) = (World::new(), below(&a, "CN=East", |_| {}));
    world.cluster("east", &ca, &[], &[&b.cert]);
    expect("another root of that name", &world, &[], &["untrusted"]);
    let world = east(&a);
    expect("ended", &world, &["--at", "2026-01-02"], &["expired"]);
    expect("not begun", &world, &["--at", "2024-01-01"], &["expired"]);
    expect(
        "ends soon",
        &world,
        &["--at", "2025-12-25", "--istio-version", "1.27"],
        &["expires-soon"],
    );
    let client = |profile: &mut Profile| profile.ext_key_usage = vec![meshpki::Oid::CLIENT_AUTH];
    expect("clientAuth", &east_with(&a, client), &[], &["ext-key-usage"]);
    expect("no CA", &east_with(&a, |p| p.role = Role::EndEntity), &[], &["not-ca"]);
    let no_sign = |profile: &mut Profile| profile.key_usage = KeyUsage::DIGITAL_SIGNATURE;
    expect("no keyCertSign", &east_with(&a, no_sign), &[], &["cert-sign"]);
    let constrained =
        |profile: &mut Profile| profile.permitted_uri_hosts = vec!["east.example".to_owned()];
    expect("constrained", &east_with(&a, constrained), &[], &["name-constraints"]);
}

fn of_the_chain(expect: Expect<'_>) {
    let long = root("CN=Root", |_| {});
    let world = east(&long);
    world.write("east/cert-chain.pem", root("CN=Other", |_| {}).cert.to_pem());
    expect("another chain", &world, &[], &["chain-start"]);
    let ended = below(&long, "CN=East", |profile| profile.validity = Duration::from_secs(3600));
    let world = east(&long);
    world.write("east/cert-chain.pem", ended.cert.to_pem() + &world.read("east/cert-chain.pem"));
    expect("one that has ended before it", &world, &[], &["chain-start", "expires-soon"]);
    let start =
        "failed to create an istiod CA: failed to get default cert TTL cert chain has expired";
    assert!(world.check(&[]).out.contains(start));
    let world = east(&long);
    let chain = world.read("east/ca-cert.pem") + &world.read("east/cert-chain.pem");
    world.write("east/cert-chain.pem", chain);
    expect("twice", &world, &[], &["duplicate"]);
    let world = east(&long);
    world.write("east/root-cert.pem", long.cert.to_pem() + &long.cert.to_pem());
    expect("a root twice", &world, &[], &["duplicate"]);
    expect("which may be meant", &world, &["--multi-root"], &[]);
    let world = east(&long);
    world.write("east/root-cert.pem", world.read("east/ca-cert.pem"));
    expect("no root", &world, &[], &["root-not-self-signed"]);
}

/// What only the peers of the cluster refuse: the root was renewed with its key, and the old one comes first.
fn of_peers(expect: Expect<'_>) {
    let new = root("CN=Root", |_| {});
    let mut profile = Profile::root("CN=Root".parse::<Name>().unwrap());
    profile.validity = Duration::from_secs(3600);
    let old = self_signed(&profile, &new.key, stamp()).unwrap();
    let world = World::new();
    world.cluster("east", &below(&new, "CN=East", |_| {}), &[], &[&old, &new.cert]);
    expect("an expired root first", &world, &[], &["expires-soon", "rejected-by-peers"]);
    world.write("east/root-cert.pem", new.cert.to_pem() + &old.to_pem());
    expect("an expired root last", &world, &[], &["expires-soon"]);
    let peers = &["--istio-version", "1.29.0"];
    expect("whose Envoy takes the last", &world, peers, &["expires-soon", "rejected-by-peers"]);
    let constrained = |ca: &mut Profile| ca.permitted_uri_hosts = vec!["cluster.local".to_owned()];
    let world = east_with(&new, constrained);
    expect("a constraint, with sidecars", &world, &[], &["name-constraints"]);
    let both = &["name-constraints", "rejected-by-peers"];
    expect("which ztunnel does not take", &world, &["--ambient"], both);
}

/// A CA of 2020 to 2049 made with keys of fixtures/keys, where the shape is one we do not issue.
fn forged(
    subject: &str,
    key: &str,
    issuer: (&str, &str),
    further: Vec<forge::Extension>,
) -> CertPlan {
    let name = |text: &str| forge::name(&[(oid::COMMON_NAME, 0x0c, text.as_bytes())]);
    let mut plan = CertPlan::new(name(subject), name(issuer.0), number(key), number(issuer.1));
    plan.extensions = further;
    plan
}

fn number(key: &str) -> usize {
    KEYS.iter().position(|known| known.name == key).unwrap()
}

fn is_ca(path_len: Option<&[u8]>) -> forge::Extension {
    extension(oid::BASIC_CONSTRAINTS, true, value::basic_constraints(true, path_len))
}

/// A cluster of forged certificates whose CA has the key p256-1.
fn forged_world(ca: &[u8], root: &[u8]) -> World {
    let world = World::new();
    let pem = |der: &[u8]| pem::encode(pem::CERTIFICATE, der);
    let key = fs::read("../fixtures/keys/p256-1.key").unwrap();
    world
        .write("east/ca-cert.pem", pem(ca))
        .write("east/ca-key.pem", pem::encode("PRIVATE KEY", &key))
        .write("east/cert-chain.pem", pem(ca) + &pem(root))
        .write("east/root-cert.pem", pem(root));
    world
}

/// The Ed25519 key that is the neutral point: R = B and S = 1 is its signature of anything.
struct Everybody(meshpki::PublicKey);

impl Everybody {
    fn new() -> Self {
        let mut point = [0; 32];
        point[0] = 1;
        let algorithm = der::sequence(&[&der::tlv(der::OID, oid::ED25519)]);
        let spki = der::sequence(&[&algorithm, &der::bit_string(&point)]);
        Self(meshpki::PublicKey::from_der(&spki).unwrap())
    }
}

impl meshpki::Signer for Everybody {
    fn public_key(&self) -> &meshpki::PublicKey {
        &self.0
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, meshpki::SignError> {
        let mut signature = vec![0x66; 64];
        signature[0] = 0x58;
        signature[32..].fill(0);
        signature[32] = 1;
        Ok(signature)
    }
}

fn of_forged(expect: Expect<'_>) {
    let top = |path_len| forged("Root", "p256-0", ("Root", "p256-0"), vec![is_ca(path_len)]);
    let east = || forged("East", "p256-1", ("Root", "p256-0"), vec![is_ca(Some(&[0]))]);
    let root = top(None).sign();
    expect(
        "no room for what it signs",
        &forged_world(&east().sign(), &top(Some(&[0])).sign()),
        &[],
        &["path-length"],
    );
    let neutral = Everybody::new();
    let everybody =
        tests::authority::resigned(&self::root("CN=Everybody", |_| {}).cert, &neutral, |fields| {
            fields[2] = neutral.0.signing_algorithm().unwrap();
            fields[6] = neutral.0.as_der().to_vec();
        });
    let world = forged_world(&east().sign(), &root);
    world.write("east/root-cert.pem", pem::encode(pem::CERTIFICATE, &root) + &everybody.to_pem());
    expect("a second root everybody can sign with", &world, &[], &["forgeable-key"]);
    let mut long = east();
    long.not_after.1 = b"491231235959Z".to_vec();
    let mut short = top(None);
    short.not_after.1 = b"481231235959Z".to_vec();
    expect(
        "ends after its root",
        &forged_world(&long.sign(), &short.sign()),
        &[],
        &["outlives-issuer"],
    );
    let mut sha1 = forged("East", "p256-1", ("Root", "rsa2048-0"), vec![is_ca(None)]);
    let algorithm = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5, 5, 0].to_vec();
    (sha1.inner, sha1.outer, sha1.rsa) = (Some(algorithm.clone()), Some(algorithm), Rsa::Sha256);
    let rsa_root = forged("Root", "rsa2048-0", ("Root", "rsa2048-0"), vec![is_ca(None)]).sign();
    expect("SHA-1", &forged_world(&sha1.sign(), &rsa_root), &[], &["sha1"]);
    let weak = forged("East", "rsa1024", ("Root", "p256-0"), vec![is_ca(None)]).sign();
    expect("RSA 1024", &forged_world(&weak, &root), &[], &["key-mismatch", "weak-key"]);
    let world = forged_world(&east().sign(), &root);
    let plan = |name: &str, key: &str| {
        CrlPlan::new(forge::name(&[(oid::COMMON_NAME, 0x0c, name.as_bytes())]), number(key))
    };
    let crl = |name: &str, key: &str| pem::encode(pem::CRL, &plan(name, key).sign());
    world.write("east/ca-crl.pem", crl("East", "p256-1"));
    expect("a CRL of the CA alone", &world, &[], &["crl"]);
    world.write("east/ca-crl.pem", crl("East", "p256-1") + &crl("Root", "p256-0"));
    expect("a CRL for each", &world, &[], &[]);
    // Four of twenty-four days are left.
    let mut ending = plan("Root", "p256-0");
    ending.this_update = (0x17, b"241210000000Z".to_vec());
    ending.next_update = Some((0x17, b"250103000000Z".to_vec()));
    let ending = pem::encode(pem::CRL, &ending.sign());
    world.write("east/ca-crl.pem", crl("East", "p256-1") + &ending);
    expect("a CRL that ends", &world, &[], &["crl-expires-soon"]);
    world.write("east/ca-crl.pem", crl("East", "p256-1") + &crl("Root", "p256-0"));
    world.to_tls("east");
    expect("beside tls.crt", &world, &[], &["crl-ignored"]);
}

/// Clusters that need not accept each other.
#[test]
fn clusters_apart() {
    let (a, b) = (root("CN=A", |_| {}), root("CN=B", |_| {}));
    let (east, west) = (below(&a, "CN=East", |_| {}), below(&b, "CN=West", |_| {}));
    let world = World::new();
    world.cluster("east", &east, &[&a.cert], &[&a.cert]);
    world.cluster("west", &west, &[&b.cert], &[&b.cert]);
    let secret = |name: &str| -> Secret {
        let read = |file: &&'static str| fs::read(world.dir.path().join(name).join(file)).unwrap();
        Layout::Istio.files().iter().map(|file| (*file, read(file))).collect()
    };
    let secrets = ["east", "west"].map(secret);
    let names = ["east", "west"].map(str::to_owned);
    let check = |apart: [&[String]; 2]| {
        let cluster = |i: usize| ClusterSecret::new(&names[i], &secrets[i]).with_apart(apart[i]);
        let problems =
            istiod::check(&[cluster(0), cluster(1)], &Settings::defaults(Version::NEWEST), NOW);
        problems.into_iter().map(|problem| problem.code).collect::<Vec<_>>()
    };
    assert_eq!(check([&[], &[]]), ["istiod/different-roots"]);
    assert_eq!(check([&names, &[]]), ["istiod/different-roots"]);
    assert_eq!(check([&names, &names]), [""; 0]);
}

fn between(expect: Expect<'_>) {
    let (a, b) = (root("CN=A", |_| {}), root("CN=B", |_| {}));
    let (east, west) = (below(&a, "CN=East", |_| {}), below(&b, "CN=West", |_| {}));
    let world = World::new();
    world.cluster("east", &east, &[&a.cert], &[&a.cert]);
    world.cluster("west", &west, &[&b.cert], &[&b.cert]);
    expect("two roots", &world, &[], &["different-roots"]);
    world.cluster("east", &east, &[&a.cert], &[&a.cert, &b.cert]);
    expect("one trusts both", &world, &[], &["different-roots"]);
    world.cluster("west", &west, &[&b.cert], &[&b.cert, &a.cert]);
    expect("both trust both, in another order", &world, &[], &[]);
    let more = root("CN=C", |_| {});
    world.cluster("west", &west, &[&b.cert], &[&a.cert, &b.cert, &more.cert]);
    expect("and a third", &world, &[], &["root-bundles-differ"]);
    let world = World::new();
    for name in ["east", "west"] {
        world.cluster(name, &east, &[&a.cert], &[&a.cert]);
    }
    expect("one set for two", &world, &[], &["shared-key"]);
    world.cluster("west", &below(&a, "CN=East", |_| {}), &[&a.cert], &[&a.cert]);
    expect("one name for two", &world, &[], &["same-subject"]);
}
