//! Handshakes with the rig's Envoy: it accepts and refuses exactly as the model says, in the model's words.

use std::time::{SystemTime, UNIX_EPOCH};

use meshpki::Time;
use meshpki::internals::der;
use meshpki::internals::oid;
use meshpki::verify::boringssl::{self, Policy, Release};
use meshpki::{Cert, Crl};
use tests::forge::{self, CertPlan, CrlPlan, Extension, Rsa, extension, key, value};
use tests::outside::OUTSIDE;
use tests::rig::envoy::Envoy;
use tests::world::Pki;

/// Keys that sign: of roots, intermediates and the leaf, and one that has nothing to do with them.
const ROOT: &str = "p256-1";
const MIDDLE: &str = "p256-2";
const LEAF: &str = "p256-3";
const OTHER: &str = "p256-4";

/// Over and not begun, whenever the test runs.
const PAST: &[u8] = b"210101000000Z";
const FUTURE: &[u8] = b"490101000000Z";

#[test]
fn handshakes() {
    let questions = questions();
    let pkis: Vec<Pki> = questions.iter().map(|(name, plan)| plan.pki(name)).collect();
    let Some(envoy) = Envoy::start(&pkis) else { return };
    let mut accepted = 0;
    for (index, pki) in pkis.iter().enumerate() {
        let ours = model(pki);
        let theirs = envoy.ask(index, pki, LEAF);
        match (&ours, &theirs) {
            (Ok(()), None) => accepted += 1,
            // What is not even parsed has OpenSSL-style errors instead of a text of the verifier.
            (Err(why), Some(told)) => {
                let parsed = ["DECODE_ERROR", "unable to decode the public key"];
                assert!(
                    parsed.contains(&why.as_str()) || told.contains(why),
                    "{}: {why}, {told}",
                    pki.name
                );
            }
            _ => panic!("{}: the model says {ours:?}, Envoy {theirs:?}", pki.name),
        }
    }
    let refused = pkis.len() - accepted;
    assert!(accepted >= 18 && refused >= 29, "{accepted} accepted, {refused} refused");
}

/// What the model says of the rig's release, now.
fn model(pki: &Pki) -> Result<(), String> {
    let certs = |list: &[Vec<u8>]| -> Vec<Cert> {
        list.iter().map(|der| Cert::from_der(der).expect("a certificate")).collect()
    };
    let crls: Vec<Crl> = pki.crls.iter().map(|der| Crl::from_der(der).expect("a CRL")).collect();
    let leaf = Cert::from_der(&pki.leaf).expect("a certificate");
    let policy = Policy::new(pki.at).with_release(Release::V1_40);
    let chain =
        boringssl::verify(&leaf, &certs(&pki.intermediates), &certs(&pki.roots), &crls, &policy);
    chain.map(drop).map_err(|why| why.text)
}

/// A chain of three, of which each test changes something.
#[derive(Clone)]
struct Plan {
    root: CertPlan,
    middle: CertPlan,
    leaf: CertPlan,
    /// Further certificates and CRLs, before and after.
    sent_first: Vec<CertPlan>,
    roots_first: Vec<CertPlan>,
    roots_last: Vec<CertPlan>,
    crls: Vec<CrlPlan>,
    trust: Trust,
}

/// What trusted_ca has.
#[derive(Clone, Copy, PartialEq)]
enum Trust {
    Root,
    Middle,
    Leaf,
    /// The root, and the intermediate is not sent.
    RootAlone,
    Nothing,
}

impl Plan {
    fn new() -> Self {
        let plan = Self {
            root: authority("root", ROOT, "root", ROOT),
            middle: authority("middle", MIDDLE, "root", ROOT),
            leaf: CertPlan::new(name("leaf"), name("middle"), key(LEAF), key(MIDDLE)),
            sent_first: Vec::new(),
            roots_first: Vec::new(),
            roots_last: Vec::new(),
            crls: Vec::new(),
            trust: Trust::Root,
        };
        plan.leaf(|leaf| {
            leaf.serial = vec![7];
            leaf.extensions = vec![
                usage(0xa0),
                purposes(&[oid::EKU_SERVER_AUTH, oid::EKU_CLIENT_AUTH]),
                uri("spiffe://cluster.local/ns/default/sa/reviews"),
            ];
        })
    }

    fn leaf(mut self, change: impl FnOnce(&mut CertPlan)) -> Self {
        change(&mut self.leaf);
        self
    }

    fn middle(mut self, change: impl FnOnce(&mut CertPlan)) -> Self {
        change(&mut self.middle);
        self
    }

    fn root(mut self, change: impl FnOnce(&mut CertPlan)) -> Self {
        change(&mut self.root);
        self
    }

    fn trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    fn crls(self, crls: &[CrlPlan]) -> Self {
        Self { crls: crls.to_vec(), ..self }
    }

    /// The intermediate's name constraints, and the URI of the leaf.
    fn constrained(self, permitted: &[&str], excluded: &[&str], name: &str) -> Self {
        let trees = |list: &[&str]| -> Vec<Vec<u8>> {
            list.iter().map(|text| value::general(6, text.as_bytes())).collect()
        };
        let value = value::name_constraints(&trees(permitted), &trees(excluded));
        self.middle(|middle| middle.extensions.push(extension(oid::NAME_CONSTRAINTS, true, value)))
            .leaf(|leaf| leaf.extensions[2] = uri(name))
    }

    /// Signed by the root with a key that only openssl has, in one of its ways.
    fn signed_by(self, outside: &str, algorithm: &[u8]) -> Self {
        let index = OUTSIDE.iter().position(|key| key.name == outside).expect("a key");
        let way = (0..99).find(|way| OUTSIDE[index].algorithm(*way) == algorithm).expect("a way");
        let number = forge::KEYS.len() + index;
        self.root(|root| root.spki = forge::spki(number).to_vec()).middle(|middle| {
            middle.signer = number;
            middle.rsa = Rsa::Outside(way);
        })
    }

    fn pki(&self, name: &str) -> Pki {
        let signed = |plans: &[CertPlan]| plans.iter().map(CertPlan::sign).collect::<Vec<_>>();
        let (root, middle, leaf) = (self.root.sign(), self.middle.sign(), self.leaf.sign());
        let roots = match self.trust {
            Trust::Root | Trust::RootAlone => vec![root],
            Trust::Middle => vec![middle.clone()],
            Trust::Leaf => vec![leaf.clone()],
            Trust::Nothing => vec![authority("nobody", OTHER, "nobody", OTHER).sign()],
        };
        let sent = if self.trust == Trust::RootAlone { Vec::new() } else { vec![middle] };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        Pki {
            name: name.to_owned(),
            at: Time(i64::try_from(now).expect("seconds")),
            leaf,
            intermediates: [signed(&self.sent_first), sent].concat(),
            roots: [signed(&self.roots_first), roots, signed(&self.roots_last)].concat(),
            crls: self.crls.iter().map(CrlPlan::sign).collect(),
        }
    }
}

fn name(text: &str) -> Vec<u8> {
    forge::name(&[(oid::COMMON_NAME, der::UTF8_STRING, text.as_bytes())])
}

fn usage(bits: u16) -> Extension {
    extension(oid::KEY_USAGE, true, value::bits(bits))
}

fn purposes(oids: &[&[u8]]) -> Extension {
    extension(oid::EXT_KEY_USAGE, false, value::oids(oids))
}

fn uri(text: &str) -> Extension {
    extension(oid::SUBJECT_ALT_NAME, true, value::list(&[value::general(6, text.as_bytes())]))
}

fn unknown() -> Extension {
    extension(&[0x2a, 3, 4], true, vec![5, 0])
}

/// A CA: basicConstraints first, then keyUsage.
fn authority(subject: &str, own: &str, issuer: &str, signer: &str) -> CertPlan {
    let mut plan = CertPlan::new(name(subject), name(issuer), key(own), key(signer));
    let basic = extension(oid::BASIC_CONSTRAINTS, true, value::basic_constraints(true, None));
    plan.extensions = vec![basic, usage(0x06)];
    plan
}

fn path_length(limit: u8) -> Extension {
    extension(oid::BASIC_CONSTRAINTS, true, value::basic_constraints(true, Some(&[limit])))
}

fn ended(mut plan: CertPlan) -> CertPlan {
    plan.not_after.1 = PAST.to_vec();
    plan
}

fn crl(issuer: &str, signer: &str) -> CrlPlan {
    CrlPlan::new(name(issuer), key(signer))
}

fn revoking(mut crl: CrlPlan, serial: u8) -> CrlPlan {
    crl.revoked = vec![(vec![serial], Vec::new())];
    crl
}

/// AlgorithmIdentifier of an RSA signature, with NULL.
fn rsa(oid: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::tlv(der::OID, oid), &der::tlv(der::NULL, &[])])
}

type Question = (&'static str, Plan);

fn questions() -> Vec<Question> {
    [chains(), bridges(), dates(), crls(), constraints(), extensions(), algorithms()].concat()
}

fn chains() -> Vec<Question> {
    let plain = Plan::new;
    let same_name = authority("root", OTHER, "root", OTHER);
    let before = |first: CertPlan| Plan { roots_first: vec![first], ..plain() };
    let after = |last: CertPlan| Plan { roots_last: vec![last], ..plain() };
    vec![
        ("a chain of three", plain()),
        ("the intermediate is not sent", plain().trust(Trust::RootAlone)),
        ("the intermediate is trusted_ca", plain().trust(Trust::Middle)),
        ("the leaf is trusted_ca", plain().trust(Trust::Leaf)),
        (
            "a pinned leaf needs no purpose",
            plain().trust(Trust::Leaf).leaf(|leaf| {
                leaf.extensions[1] = purposes(&[oid::EKU_SERVER_AUTH]);
            }),
        ),
        ("another root", plain().trust(Trust::Nothing)),
        ("a root of that name and another key first", before(same_name.clone())),
        ("a root of that name and another key last", after(same_name)),
        ("a root renewed with its key, the old one first", before(ended(plain().root))),
        ("a root renewed with its key, the old one last", after(ended(plain().root))),
        (
            "an intermediate that expired first",
            Plan { sent_first: vec![ended(plain().middle)], ..plain() },
        ),
        ("a leaf with a broken signature", plain().leaf(|leaf| leaf.broken = true)),
    ]
}

/// The root is not trusted itself; what is sent leads from its name to another root.
fn bridges() -> Vec<Question> {
    let with = |change: &dyn Fn(&mut CertPlan), more: Vec<CertPlan>| {
        let mut bridge = authority("root", ROOT, "nobody", OTHER);
        bridge.serial = vec![8];
        change(&mut bridge);
        Plan { sent_first: vec![bridge], roots_last: more, ..Plan::new() }.trust(Trust::Nothing)
    };
    let scope = |host: &'static str| {
        move |bridge: &mut CertPlan| {
            let value = value::name_constraints(&[value::general(6, host.as_bytes())], &[]);
            bridge.extensions.push(extension(oid::NAME_CONSTRAINTS, true, value));
        }
    };
    let one_level = |bridge: &mut CertPlan| bridge.extensions[0] = path_length(1);
    let root = authority("root", ROOT, "root", ROOT);
    vec![
        ("a bridge", with(&|_| {}, vec![])),
        ("a bridge with path length 1", with(&one_level, vec![])),
        ("a bridge at home", with(&|_| {}, vec![root])),
        ("a bridge for its trust domain", with(&scope("cluster.local"), vec![])),
        ("a bridge for another trust domain", with(&scope("west.example"), vec![])),
        ("a bridge that has expired", with(&|bridge| bridge.not_after.1 = PAST.to_vec(), vec![])),
        ("a bridge with a broken signature", with(&|bridge| bridge.broken = true, vec![])),
    ]
}

fn dates() -> Vec<Question> {
    let plain = Plan::new;
    vec![
        ("an expired leaf", plain().leaf(|leaf| leaf.not_after.1 = PAST.to_vec())),
        ("a leaf of the future", plain().leaf(|leaf| leaf.not_before.1 = FUTURE.to_vec())),
        ("an expired intermediate", plain().middle(|m| m.not_after.1 = PAST.to_vec())),
        ("an expired root", plain().root(|root| root.not_after.1 = PAST.to_vec())),
    ]
}

fn crls() -> Vec<Question> {
    let plain = Plan::new;
    let both = || [crl("root", ROOT), crl("middle", MIDDLE)];
    let [of_root, of_middle] = both();
    let old = |mut crl: CrlPlan| {
        crl.next_update = Some((der::UTC_TIME, PAST.to_vec()));
        crl.this_update.1 = b"200101000000Z".to_vec();
        crl
    };
    let forged = CrlPlan { broken: true, ..of_middle.clone() };
    let endless = CrlPlan { next_update: None, ..of_middle.clone() };
    vec![
        ("CRLs of both CAs", plain().crls(&both())),
        ("a CRL of the root alone", plain().crls(std::slice::from_ref(&of_root))),
        ("a CRL past its nextUpdate", plain().crls(&[of_root.clone(), old(of_middle.clone())])),
        (
            "an old CRL and a new one",
            plain().crls(&[of_root.clone(), old(of_middle.clone()), of_middle.clone()]),
        ),
        ("a CRL without nextUpdate", plain().crls(&[of_root.clone(), endless])),
        ("a revoked leaf", plain().crls(&[of_root.clone(), revoking(of_middle.clone(), 7)])),
        (
            "a revoked intermediate",
            plain().crls(&[revoking(of_root.clone(), 1), of_middle.clone()]),
        ),
        ("a forged CRL", plain().crls(&[of_root.clone(), forged])),
        ("a CRL by a CA that may not sign any", {
            let no_crls = plain().middle(|middle| middle.extensions[1] = usage(0x04));
            no_crls.crls(&[of_root, of_middle])
        }),
    ]
}

fn constraints() -> Vec<Question> {
    let id = "spiffe://cluster.local/ns/default/sa/reviews";
    let permitted = |base: &str, name: &str| Plan::new().constrained(&[base], &[], name);
    vec![
        ("its host is permitted", permitted("cluster.local", id)),
        ("another host is permitted", permitted("east.example.com", id)),
        ("a constraint with a scheme", permitted("spiffe://cluster.local", id)),
        ("a constraint with a dot", permitted(".local", id)),
        ("a colon in the path", permitted("cluster.local", "spiffe://cluster.local/ns/a:b")),
        ("a port and a final dot", permitted("cluster.local", "spiffe://cluster.local.:80/ns")),
        ("an address for a host", permitted("10.0.0.1", "spiffe://10.0.0.1/ns/a")),
        ("a name without a host", permitted("cluster.local", "urn:a:b")),
        ("its host is excluded", Plan::new().constrained(&[], &["cluster.local"], id)),
    ]
}

fn extensions() -> Vec<Question> {
    let plain = Plan::new;
    vec![
        ("a critical extension of the leaf", plain().leaf(|leaf| leaf.extensions.push(unknown()))),
        ("one of the intermediate", plain().middle(|middle| middle.extensions.push(unknown()))),
        ("one of the root", plain().root(|root| root.extensions.push(unknown()))),
        ("a path length of 0 above the leaf", plain().middle(|m| m.extensions[0] = path_length(0))),
        ("a path length of 0 above a CA", {
            let mut first = authority("first", OTHER, "middle", MIDDLE);
            first.serial = vec![9];
            let plan = plain().middle(|middle| middle.extensions[0] = path_length(0));
            let plan = Plan { sent_first: vec![first], ..plan };
            plan.leaf(|leaf| (leaf.issuer, leaf.signer) = (name("first"), key(OTHER)))
        }),
        (
            "a leaf for servers",
            plain().leaf(|leaf| {
                leaf.extensions[1] = purposes(&[oid::EKU_SERVER_AUTH]);
            }),
        ),
        (
            "an intermediate for servers",
            plain().middle(|middle| {
                middle.extensions.push(purposes(&[oid::EKU_SERVER_AUTH]));
            }),
        ),
        (
            "an intermediate without basicConstraints",
            plain().middle(|middle| {
                middle.extensions.remove(0);
            }),
        ),
        ("an intermediate that may not sign", plain().middle(|m| m.extensions[1] = usage(0x02))),
        ("a negative serial number", plain().leaf(|leaf| leaf.serial = vec![0x87])),
        ("extensions in version 1", plain().leaf(|leaf| leaf.version = None)),
        (
            "extendedKeyUsage twice",
            plain().leaf(|leaf| {
                leaf.extensions.push(purposes(&[oid::EKU_CLIENT_AUTH]));
            }),
        ),
    ]
}

fn algorithms() -> Vec<Question> {
    let plain = Plan::new;
    let ecdsa = |last: &[u8]| {
        let oid = [&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4], last].concat();
        der::sequence(&[&der::tlv(der::OID, &oid)])
    };
    let by_rsa = |pss| {
        let rsa2048 = key("rsa2048-0");
        plain().root(|root| root.spki = forge::spki(rsa2048).to_vec()).middle(|middle| {
            middle.signer = rsa2048;
            middle.rsa = pss;
        })
    };
    let pkcs1 = |n: u8| rsa(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, n]);
    let nist = |n: u8| [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, n];
    let ml_dsa = |n: u8| der::sequence(&[&der::tlv(der::OID, &nist(n))]);
    vec![
        ("a root on P-224", plain().signed_by("p224", &ecdsa(&[3, 2]))),
        ("a root on P-521", plain().signed_by("p521", &ecdsa(&[3, 4]))),
        ("a root on secp256k1", plain().signed_by("secp256k1", &ecdsa(&[3, 2]))),
        ("a root on brainpoolP384t1", plain().signed_by("brainpool384", &ecdsa(&[3, 3]))),
        ("a root with RSA 1024", plain().signed_by("rsa1024-e3", &pkcs1(11))),
        ("a signature with SHA-1", plain().signed_by("rsa1024-e3", &pkcs1(5))),
        ("a signature with MD5", plain().signed_by("rsa1024-e3", &pkcs1(4))),
        ("a root with ML-DSA-44", plain().signed_by("ml-dsa-44", &ml_dsa(17))),
        ("a root with ML-DSA-65", plain().signed_by("ml-dsa-65", &ml_dsa(18))),
        ("a root with ML-DSA-87", plain().signed_by("ml-dsa-87", &ml_dsa(19))),
        ("ML-DSA with parameters", plain().signed_by("ml-dsa-65", &rsa(&nist(18)))),
        (
            "a broken signature with ML-DSA",
            plain().signed_by("ml-dsa-65", &ml_dsa(18)).middle(|middle| middle.broken = true),
        ),
        ("RSASSA-PSS with SHA-256 and 32 octets of salt", by_rsa(Rsa::Pss256)),
        ("RSASSA-PKCS1-v1_5 with SHA-512", by_rsa(Rsa::Sha512)),
        ("a root with Ed25519", {
            let ed25519 = key("ed25519");
            plain()
                .root(|root| root.spki = forge::spki(ed25519).to_vec())
                .middle(|middle| middle.signer = ed25519)
        }),
    ]
}
