//! istiod's rules in Go (`tests/judges/istiod`): it never refuses a [`CaCerts`].

use std::collections::BTreeMap;
use std::time::Duration;

use tests::authority::{Authority, name, resigned, stamp};
use tests::judges::{istiod, openssl};
use tests::{NOW, Shell};

use meshpki::internals::DAY;
use meshpki::istiod::{Secret, Settings, StartOutcome, Version, starts};
use meshpki::x509::KeyUsage;
use meshpki::{CaCerts, Cert, KeyType, Profile, Role, SoftKey};

use super::{KINDS, key};

const KIND: KeyType = KeyType::EcdsaP256;

fn ours(shell: &Shell, folder: &str) -> Result<CaCerts, meshpki::Error> {
    let files: BTreeMap<String, Vec<u8>> = shell
        .scratch
        .entries(folder)
        .into_iter()
        .filter_map(|(name, entry)| entry.content.map(|content| (name, content)))
        .collect();
    CaCerts::from_secret(&files.into_iter().collect(), Version::NEWEST, NOW)
}

/// What the rules restated in `meshpki::istiod` say at a start: nothing, or why not.
fn restated(shell: &Shell, folder: &str) -> Option<String> {
    let entries = shell.scratch.entries(folder).into_iter();
    let secret: Secret =
        entries.filter_map(|(name, entry)| entry.content.map(|content| (name, content))).collect();
    match starts(&secret, &Settings::defaults(Version::NEWEST), NOW) {
        StartOutcome::Plugged { .. } => None,
        start => Some(start.to_string()),
    }
}

#[test]
fn istiod_takes_what_we_make() {
    let Some(istiod) = istiod() else { return };
    let shell = Shell::new();
    for kind in KINDS {
        shell.good(&format!("ca init @/{kind} --cluster east --key-type {kind} --plain-root-key"));
    }
    shell.good("ca init @/p256 --cluster istio,sides --plain-root-key --path-len 3");
    shell.good("ca init @/p256 --cluster tls --layout tls");
    shell.good(
        "ca init @/p256 --cluster td --trust-domain td.example --constrain --san dns:istiod.svc",
    );
    shell.good("ca init @/p256 --cluster renewed");
    shell.good("ca renew @/p256 --cluster renewed,tls");
    shell.good("ca csr @/p256 --cluster signed");
    shell.good("ca sign --yes @/p256/signed/ca.csr --ca @/p256 --out @/p256/signed");
    let mut folders: Vec<String> = KINDS.iter().map(|kind| format!("{kind}/east")).collect();
    let names = ["istio", "sides", "tls", "td", "renewed", "signed"];
    folders.extend(names.map(|name| format!("p256/{name}")));
    let paths: Vec<_> = folders.iter().map(|folder| shell.scratch.join(folder)).collect();
    for (folder, refusal) in folders.iter().zip(istiod.refusals(&paths)) {
        assert_eq!((refusal, restated(&shell, folder)), (None, None), "{folder}");
        ours(&shell, folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    }
}

/// Who refuses a broken set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Both,
    /// istiod takes it, and the mesh fails later.
    Us,
    Nobody,
}

struct Case {
    name: &'static str,
    refused: Refused,
    make: fn(&Set),
}

/// A good set in a folder of its own, to be broken.
struct Set<'a> {
    shell: &'a Shell,
    folder: String,
    root: Authority,
    east: Authority,
}

impl Set<'_> {
    fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        self.shell.scratch.write(&format!("{}/{file}", self.folder), content);
    }

    fn read(&self, file: &str) -> String {
        self.shell.scratch.read(&format!("{}/{file}", self.folder))
    }

    fn remove(&self, file: &str) {
        std::fs::remove_file(self.shell.scratch.join(&self.folder).join(file)).unwrap();
    }

    /// The set again, with another intermediate by the same root.
    fn east(&self, change: impl FnOnce(&mut Profile)) {
        let east = self.root.below(KIND, "CN=East", change);
        east.write_set(&self.shell.scratch, &self.folder, &[&self.root.cert], &[&self.root.cert]);
    }

    /// The set again, below another root and what the profile of that says.
    fn root(&self, change: impl FnOnce(&mut Profile)) {
        let root = Authority::root(KIND, "CN=Root", change);
        self.below(&root);
    }

    fn below(&self, root: &Authority) {
        let east = root.below(KIND, "CN=East", |p| p.validity = DAY);
        east.write_set(&self.shell.scratch, &self.folder, &[&root.cert], &[&root.cert]);
    }

    /// The set again, with a key in another form.
    fn key(&self, convert: impl FnOnce(&str) -> String) {
        self.write("ca-key.pem", convert(&self.read("ca-key.pem")));
    }

    /// The set again, with these words for the label of every certificate of a file.
    fn relabel(&self, file: &str, label: &str) {
        self.write(file, self.read(file).replace(" CERTIFICATE", &format!(" {label}")));
    }
}

use Refused::{Both, Nobody, Us};

const CASES: &[Case] = &[
    Case { name: "good", refused: Nobody, make: |_| {} },
    Case { name: "no ca-cert", refused: Both, make: |s| s.remove("ca-cert.pem") },
    Case { name: "no ca-key", refused: Both, make: |s| s.remove("ca-key.pem") },
    Case { name: "no chain", refused: Both, make: |s| s.remove("cert-chain.pem") },
    Case { name: "no root", refused: Both, make: |s| s.remove("root-cert.pem") },
    Case { name: "empty chain", refused: Us, make: |s| s.write("cert-chain.pem", "") },
    Case {
        name: "root without certificates",
        refused: Both,
        make: |s| s.write("root-cert.pem", "no\n"),
    },
    Case {
        name: "tls.crt beside",
        refused: Both,
        make: |s| s.write("tls.crt", s.read("ca-cert.pem")),
    },
    Case {
        name: "another root of the same name",
        refused: Both,
        make: |s| {
            s.write("root-cert.pem", Authority::root(KIND, "CN=Root", |_| {}).cert.to_pem());
        },
    },
    Case { name: "no CA", refused: Both, make: |s| s.east(|p| p.role = Role::EndEntity) },
    Case {
        name: "no keyCertSign",
        refused: Us,
        make: |s| s.east(|p| p.key_usage = KeyUsage::CRL_SIGN),
    },
    Case {
        name: "clientAuth alone",
        refused: Both,
        make: |s| {
            s.east(|p| {
                p.ext_key_usage = vec![meshpki::Oid::CLIENT_AUTH];
            })
        },
    },
    Case {
        name: "clientAuth alone in the root",
        refused: Both,
        make: |s| {
            s.root(|p| {
                p.ext_key_usage = vec![meshpki::Oid::CLIENT_AUTH];
            })
        },
    },
    Case {
        name: "any usage",
        refused: Nobody,
        make: |s| {
            s.east(|p| {
                p.ext_key_usage = vec![meshpki::Oid::ANY_EXT_KEY_USAGE];
            })
        },
    },
    Case {
        name: "key of another",
        refused: Both,
        make: |s| s.key(|_| key(KIND, 1).to_pem().to_string()),
    },
    Case {
        name: "key of the root",
        refused: Both,
        make: |s| s.key(|_| s.root.key.to_pem().to_string()),
    },
    Case {
        name: "root as the CA",
        refused: Us,
        make: |s| {
            s.root.write_set(&s.shell.scratch, &s.folder, &[], &[&s.root.cert]);
        },
    },
    Case {
        name: "encrypted key",
        refused: Both,
        make: |s| s.key(|_| s.east.key.to_encrypted_pem(b"x").unwrap()),
    },
    Case {
        name: "cfssl's label",
        refused: Both,
        make: |s| {
            let east = s.root.below(KeyType::Ed25519, "CN=East", |_| {});
            east.write_set(&s.shell.scratch, &s.folder, &[&s.root.cert], &[&s.root.cert]);
            s.key(|pem| pem.replace("PRIVATE KEY", "Ed25519 PRIVATE KEY"));
        },
    },
    Case {
        name: "EC PARAMETERS first",
        refused: Both,
        make: |s| {
            s.key(|pem| {
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{pem}")
    })
        },
    },
    Case {
        name: "certificate before the key",
        refused: Both,
        make: |s| s.key(|pem| s.read("ca-cert.pem") + pem),
    },
    Case {
        name: "text before the key",
        refused: Nobody,
        make: |s| s.key(|pem| format!("Bag Attributes\n{pem}")),
    },
    Case { name: "key cut off", refused: Both, make: |s| s.key(|pem| pem[..100].to_owned()) },
    Case {
        name: "key before the certificate",
        refused: Both,
        make: |s| {
            s.write("ca-cert.pem", s.read("ca-key.pem") + &s.read("ca-cert.pem"));
        },
    },
    Case {
        name: "CA certificate cut off",
        refused: Both,
        make: |s| s.write("ca-cert.pem", &s.read("ca-cert.pem")[..100]),
    },
    Case {
        name: "old label of the CA certificate",
        refused: Both,
        make: |s| s.relabel("ca-cert.pem", "X509 CERTIFICATE"),
    },
    Case {
        name: "old label in the roots",
        refused: Both,
        make: |s| s.relabel("root-cert.pem", "X509 CERTIFICATE"),
    },
    Case {
        name: "trusted label in the roots",
        refused: Both,
        make: |s| s.relabel("root-cert.pem", "TRUSTED CERTIFICATE"),
    },
    Case {
        name: "glued chain",
        refused: Both,
        make: |s| {
            s.write(
                "cert-chain.pem",
                s.read("ca-cert.pem").trim_end().to_owned() + &s.read("root-cert.pem"),
            );
        },
    },
    Case {
        name: "root before the CA in the chain",
        refused: Us,
        make: |s| {
            s.write("cert-chain.pem", s.read("root-cert.pem") + &s.read("ca-cert.pem"));
        },
    },
    Case {
        name: "windows line ends",
        refused: Nobody,
        make: |s| {
            for file in meshpki::cacerts::Layout::Istio.files() {
                s.write(file, s.read(file).replace('\n', "\r\n"));
            }
        },
    },
    Case {
        name: "ended",
        refused: Both,
        make: |s| s.east(|p| p.validity = Duration::from_secs(60)),
    },
    Case { name: "root ended", refused: Both, make: |s| s.root_ended() },
    Case { name: "a CA too many", refused: Both, make: |s| s.too_deep() },
    Case { name: "name constraint broken", refused: Both, make: |s| s.outside() },
    Case {
        name: "universal string",
        refused: Both,
        make: |s| s.named(meshpki::internals::der::UNIVERSAL_STRING, &[0, 0, 0, 0x52]),
    },
    Case {
        name: "bad printable string",
        refused: Both,
        make: |s| s.named(meshpki::internals::der::PRINTABLE_STRING, b"R@_t"),
    },
    Case {
        name: "latin-1 in T61",
        refused: Nobody,
        make: |s| s.named(meshpki::internals::der::T61_STRING, b"M\xfcnchen"),
    },
    Case {
        name: "BMP",
        refused: Nobody,
        make: |s| s.named(meshpki::internals::der::BMP_STRING, &[0, 0x52]),
    },
    Case {
        name: "numeric",
        refused: Nobody,
        make: |s| s.named(meshpki::internals::der::NUMERIC_STRING, b"1 2"),
    },
    Case {
        name: "negative serial number",
        refused: Both,
        make: |s| s.resigned(|fields| fields[1] = meshpki::internals::der::tlv(2, &[0x80, 1])),
    },
    Case {
        name: "serial number zero",
        refused: Nobody,
        make: |s| s.resigned(|fields| fields[1] = meshpki::internals::der::integer(&[0])),
    },
    Case {
        name: "serial number of 30 bytes",
        refused: Nobody,
        make: |s| s.resigned(|fields| fields[1] = meshpki::internals::der::integer(&[7; 30])),
    },
    Case {
        name: "an extension twice",
        refused: Both,
        make: |s| {
            s.east(|p| {
                p.extra_extensions = vec![extension(false), extension(false)];
            })
        },
    },
    Case {
        name: "an extension nobody knows",
        refused: Nobody,
        make: |s| s.east(|p| p.extra_extensions = vec![extension(false)]),
    },
    Case {
        name: "a critical extension nobody knows",
        refused: Both,
        make: |s| s.east(|p| p.extra_extensions = vec![extension(true)]),
    },
    Case {
        name: "byte order mark",
        refused: Both,
        make: |s| s.write("root-cert.pem", format!("\u{feff}{}", s.read("root-cert.pem"))),
    },
    Case {
        name: "base64 without padding",
        refused: Both,
        make: |s| {
            s.root_padded();
        },
    },
    Case {
        name: "two roots",
        refused: Nobody,
        make: |s| {
            let other = Authority::root(KIND, "CN=Other", |_| {});
            s.write("root-cert.pem", other.cert.to_pem() + &s.read("root-cert.pem"));
        },
    },
    Case {
        name: "bad UTF-8",
        refused: Both,
        make: |s| s.named(meshpki::internals::der::UTF8_STRING, b"\xff"),
    },
];

/// An extension with an unassigned OID.
fn extension(critical: bool) -> meshpki::x509::RawExtension {
    meshpki::x509::RawExtension::new("1.2.3.4.5".parse().unwrap(), critical, [5, 0])
}

impl Set<'_> {
    /// The set again, with the CA's certificate after `change` to its fields.
    fn resigned(&self, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let cert = resigned(&self.east.cert, &self.root.key, change);
        self.write("ca-cert.pem", cert.to_pem());
        self.write("cert-chain.pem", cert.to_pem() + &self.root.cert.to_pem());
    }

    /// A root whose base64 needs padding, without it.
    fn root_padded(&self) {
        let mut subject = String::from("CN=Root");
        while !self.read("root-cert.pem").contains('=') {
            subject.push('t');
            self.below(&Authority::root(KIND, &subject, |_| {}));
        }
        self.write("root-cert.pem", self.read("root-cert.pem").replace('=', ""));
    }

    /// A root that ends before its intermediate.
    fn root_ended(&self) {
        let mut profile = Profile::root(name("CN=Root"));
        profile.validity = Duration::from_secs(60);
        let cert = meshpki::self_signed(&profile, &self.root.key, stamp()).unwrap();
        self.write("root-cert.pem", cert.to_pem());
        self.write("cert-chain.pem", self.east.cert.to_pem() + &cert.to_pem());
    }

    /// The same intermediate, below a root that allows no CA below those below it, with one between.
    fn too_deep(&self) {
        let any = |p: &mut Profile| p.role = Role::Ca { path_len: None };
        let lenient = Authority::root(KIND, "CN=Root", any);
        let middle = lenient.below(KIND, "CN=Middle", any);
        let east = middle.below(KIND, "CN=East", |p| p.validity = DAY);
        let mut profile = Profile::root(name("CN=Root"));
        profile.role = Role::Ca { path_len: Some(0) };
        let strict = meshpki::self_signed(&profile, &lenient.key, stamp()).unwrap();
        east.write_set(&self.shell.scratch, &self.folder, &[&middle.cert, &strict], &[&strict]);
    }

    /// An intermediate with an identity outside what its root permits.
    fn outside(&self) {
        let uri = |p: &mut Profile| {
            let name = meshpki::x509::GeneralName::Uri(b"spiffe://west.example".to_vec());
            p.subject_alt_names.push(name);
        };
        let lenient = Authority::root(KIND, "CN=Root", |_| {});
        let east = lenient.below(KIND, "CN=East", uri);
        let mut profile = Profile::root(name("CN=Root"));
        profile.permitted_uri_hosts = vec!["east.example".into()];
        let strict = meshpki::self_signed(&profile, &lenient.key, stamp()).unwrap();
        east.write_set(&self.shell.scratch, &self.folder, &[&strict], &[&strict]);
    }

    /// A root whose common name is this string.
    fn named(&self, tag: u8, value: &[u8]) {
        let name = meshpki::x509::Attribute::with_tag(meshpki::Oid::COMMON_NAME, tag, value);
        let name = raw_name(&name);
        let key = SoftKey::generate(KIND).unwrap();
        let Some(name) = name else { return self.remove("root-cert.pem") };
        let cert = meshpki::self_signed(&Profile::root(name), &key, stamp()).unwrap();
        self.below(&Authority { cert, key });
    }
}

/// The name of one attribute, where it can be read back at all.
fn raw_name(attribute: &meshpki::x509::Attribute) -> Option<meshpki::Name> {
    use meshpki::internals::der;
    let pair = der::sequence(&[
        &der::tlv(der::OID, attribute.oid.as_bytes()),
        &der::tlv(attribute.tag, &attribute.value),
    ]);
    meshpki::Name::from_der(&der::sequence(&[&der::constructed(der::SET, &[&pair])])).ok()
}

#[test]
fn what_istiod_refuses_is_no_set_of_ours() {
    let Some(istiod) = istiod() else { return };
    let shell = Shell::new();
    let mut folders = Vec::new();
    for case in CASES {
        let folder = case.name.replace(' ', "-");
        let root = Authority::root(KIND, "CN=Root", |_| {});
        let east = root.below(KIND, "CN=East", |_| {});
        east.write_set(&shell.scratch, &folder, &[&root.cert], &[&root.cert]);
        (case.make)(&Set { shell: &shell, folder: folder.clone(), root, east });
        folders.push(folder);
    }
    let paths: Vec<_> = folders.iter().map(|folder| shell.scratch.join(folder)).collect();
    let mut wrong = Vec::new();
    for ((case, folder), theirs) in CASES.iter().zip(&folders).zip(istiod.refusals(&paths)) {
        let rules = restated(&shell, folder);
        if rules.is_some() != theirs.is_some() {
            wrong.push(format!("{}\n  restated: {rules:?}\n  istiod: {theirs:?}", case.name));
        }
        let ours = ours(&shell, folder).err().map(|error| error.to_string());
        let found = (ours.is_some(), theirs.is_some());
        let good = match case.refused {
            Both => found == (true, true),
            Us => found == (true, false),
            Nobody => found == (false, false),
        };
        if !good {
            wrong.push(format!(
                "{}: {:?}\n  ours: {ours:?}\n  istiod: {theirs:?}",
                case.name, case.refused
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Signatures Go does not take since 1.18, though OpenSSL's defaults do.
#[test]
fn signatures_with_sha_1() {
    let (Some(istiod), Some(openssl)) = (istiod(), openssl()) else { return };
    let shell = Shell::new();
    let root = Authority::root(KeyType::Rsa2048, "CN=Root", |_| {});
    root.write_root(&shell.scratch, "ca");
    let mut east = root.below(KIND, "CN=East", |_| {});
    // The signature by our key is with SHA-256 whatever the certificate says: openssl makes the right one.
    let wrong = resigned(&east.cert, &root.key, |fields| fields[2] = SHA_1.to_vec());
    shell.scratch.write("tbs", wrong.tbs());
    openssl.good(&shell.scratch, "dgst -sha1 -sign ca/root-key.pem -out signature tbs");
    let signature = std::fs::read(shell.scratch.join("signature")).unwrap();
    let parts = [wrong.tbs(), SHA_1, &meshpki::internals::der::bit_string(&signature)];
    east.cert = Cert::from_der(&meshpki::internals::der::sequence(&parts)).unwrap();
    east.write_set(&shell.scratch, "set", &[&root.cert], &[&root.cert]);
    openssl.verifies(&shell.scratch, "-CAfile set/root-cert.pem set/ca-cert.pem");
    let refusal = istiod.refusals(&[shell.scratch.join("set")]).remove(0).unwrap_or_default();
    assert!(refusal.contains("SHA1"), "{refusal}");
    assert_eq!(ours(&shell, "set").err().unwrap().code(), "pki/weak-signature");
}

/// AlgorithmIdentifier of sha1WithRSAEncryption.
const SHA_1: &[u8] = &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 5, 5, 0];
