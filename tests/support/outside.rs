//! Keys that only openssl signs with: RSA of odd sizes, RSASSA-PSS, DSA, Ed448, curves of all kinds. They are
//! made once per process, so a random world that uses one is not the same in the next process. Those of ML-DSA are
//! aws-lc's, for openssl 3.0 has none, and always the same.

use std::process::{Command, Stdio};
use std::sync::LazyLock;

use aws_lc_rs::signature::{self, KeyPair, PqdsaKeyPair, PqdsaSigningAlgorithm};
use meshpki::internals::der::{self, tlv};
use meshpki::internals::oid;

/// A key in a file, and the ways it signs.
pub struct Outside {
    /// What it is.
    pub name: &'static str,
    /// SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    secret: Secret,
    ways: Vec<Way>,
}

/// A private key.
enum Secret {
    /// For openssl, in PEM.
    Pem(Vec<u8>),
    MlDsa(PqdsaKeyPair),
}

/// AlgorithmIdentifier and the options of `openssl dgst` that go with it.
struct Way {
    algorithm: Vec<u8>,
    options: Vec<String>,
}

/// What `openssl genpkey` is asked for, and the form of the public key.
const WANTED: &[(&str, &str, &str)] = &[
    ("rsa512", "-algorithm RSA -pkeyopt rsa_keygen_bits:512", ""),
    ("rsa1023", "-algorithm RSA -pkeyopt rsa_keygen_bits:1023", ""),
    ("rsa1024-e3", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024 -pkeyopt rsa_keygen_pubexp:3", ""),
    ("rsa1030", "-algorithm RSA -pkeyopt rsa_keygen_bits:1030", ""),
    ("pss", "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:1024", ""),
    (
        "pss-fixed",
        "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:1024 -pkeyopt rsa_pss_keygen_md:sha256 \
         -pkeyopt rsa_pss_keygen_mgf1_md:sha256 -pkeyopt rsa_pss_keygen_saltlen:20",
        "",
    ),
    ("p521", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521", ""),
    ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384", ""),
    ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "compressed"),
    ("p256-hybrid", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "hybrid"),
    ("p224", "-algorithm EC -pkeyopt ec_paramgen_curve:P-224", ""),
    ("p224-c", "-algorithm EC -pkeyopt ec_paramgen_curve:P-224", "compressed"),
    ("p192", "-algorithm EC -pkeyopt ec_paramgen_curve:P-192", "compressed"),
    ("secp224k1", "-algorithm EC -pkeyopt ec_paramgen_curve:secp224k1", "compressed"),
    ("secp256k1", "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", ""),
    ("secp160k1", "-algorithm EC -pkeyopt ec_paramgen_curve:secp160k1", ""),
    ("secp112r2", "-algorithm EC -pkeyopt ec_paramgen_curve:secp112r2", ""),
    ("brainpool256", "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1", "compressed"),
    ("brainpool384", "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP384t1", ""),
    ("brainpool512", "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP512r1", ""),
    (
        "p256-explicit",
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
        "",
    ),
    ("ed448", "-algorithm ED448", ""),
    ("dsa1024", "-dsa 1024 160", ""),
    ("dsa2048", "-dsa 2048 224", ""),
];

/// Name, last number of the OID, and algorithm.
const ML_DSA: [(&str, u8, &PqdsaSigningAlgorithm); 3] = [
    ("ml-dsa-44", 17, &signature::ML_DSA_44_SIGNING),
    ("ml-dsa-65", 18, &signature::ML_DSA_65_SIGNING),
    ("ml-dsa-87", 19, &signature::ML_DSA_87_SIGNING),
];

/// Every such key.
pub static OUTSIDE: LazyLock<Vec<Outside>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder");
    let made = WANTED.iter().map(|(name, made, form)| Outside::new(dir.path(), name, made, form));
    let of_ml_dsa = ML_DSA.iter().map(|(name, arc, kind)| Outside::ml_dsa(name, *arc, kind));
    made.chain(of_ml_dsa).collect()
});

fn openssl(args: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(args).stdin(Stdio::null()).output();
    let output = output.expect("openssl runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

impl Outside {
    fn new(dir: &std::path::Path, name: &'static str, made: &str, form: &str) -> Self {
        let file = dir.join(format!("{name}.pem"));
        let path = file.to_str().expect("a plain path");
        let made: Vec<&str> = match made.strip_prefix("-dsa ").and_then(|m| m.split_once(' ')) {
            Some((bits, order)) => {
                let parameters = format!("{path}.par");
                let (p, q) =
                    (format!("dsa_paramgen_bits:{bits}"), format!("dsa_paramgen_q_bits:{order}"));
                openssl(&[
                    "genpkey",
                    "-genparam",
                    "-algorithm",
                    "DSA",
                    "-pkeyopt",
                    &p,
                    "-pkeyopt",
                    &q,
                    "-out",
                    &parameters,
                ]);
                openssl(&["genpkey", "-paramfile", &parameters, "-out", path]);
                Vec::new()
            }
            None => made.split_whitespace().collect(),
        };
        if !made.is_empty() {
            openssl(&[&["genpkey", "-out", path], made.as_slice()].concat());
        }
        let spki = if form.is_empty() {
            openssl(&["pkey", "-in", path, "-pubout", "-outform", "DER"])
        } else {
            openssl(&["ec", "-in", path, "-conv_form", form, "-pubout", "-outform", "DER"])
        };
        let pem = std::fs::read(&file).expect("the key openssl wrote");
        Self { name, spki, secret: Secret::Pem(pem), ways: ways(name) }
    }

    fn ml_dsa(name: &'static str, arc: u8, kind: &'static PqdsaSigningAlgorithm) -> Self {
        let pair = PqdsaKeyPair::from_seed(kind, &[arc; 32]).expect("a seed");
        let algorithm = |arc: u8, parameters: &[u8]| {
            let oid = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, arc];
            der::sequence(&[&tlv(der::OID, &oid), parameters])
        };
        let key = der::bit_string(pair.public_key().as_ref());
        let spki = der::sequence(&[&algorithm(arc, &[]), &key]);
        // As it should be, with parameters, and with the name of another parameter set.
        let said = [algorithm(arc, &[]), algorithm(arc, &[der::NULL, 0]), algorithm(arc ^ 3, &[])];
        let ways = said.map(|algorithm| Way { algorithm, options: Vec::new() });
        Self { name, spki, secret: Secret::MlDsa(pair), ways: ways.into() }
    }

    /// The AlgorithmIdentifier of the way number `way`.
    #[must_use]
    pub fn algorithm(&self, way: usize) -> Vec<u8> {
        self.ways[way % self.ways.len()].algorithm.clone()
    }

    /// A signature over `message`; some bytes where the key is too small for it.
    ///
    /// # Panics
    /// When a temporary file cannot be written.
    #[must_use]
    pub fn sign(&self, message: &[u8], way: usize) -> Vec<u8> {
        let way = &self.ways[way % self.ways.len()];
        let pem = match &self.secret {
            Secret::Pem(pem) => pem,
            Secret::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature).expect("signs");
                return signature;
            }
        };
        let input = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(input.path(), message).expect("a temporary file");
        let key = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(key.path(), pem).expect("a temporary file");
        let output = Command::new("openssl")
            .args(&way.options)
            .arg(if way.options[0] == "dgst" { "-sign" } else { "-inkey" })
            .arg(key.path())
            .args(if way.options[0] == "dgst" { &[][..] } else { &["-in"] })
            .arg(input.path())
            .output();
        let output = output.expect("openssl runs");
        if output.status.success() { output.stdout } else { vec![7; 64] }
    }
}

fn ways(name: &str) -> Vec<Way> {
    match name {
        "ed448" => vec![Way {
            algorithm: der::sequence(&[&tlv(der::OID, oid::ED448)]),
            options: ["pkeyutl", "-sign", "-rawin"].map(str::to_owned).to_vec(),
        }],
        _ if name.starts_with("rsa") => [pkcs1(), pss()].into_iter().flatten().collect(),
        _ if name.starts_with("pss") => pss(),
        _ if name.starts_with("dsa") => [
            ("sha1", &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3][..]),
            ("sha224", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 1]),
            ("sha256", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2]),
            ("sha384", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 3]),
        ]
        .iter()
        .map(|(md, oid)| plain(md, oid, false))
        .collect(),
        _ => [
            ("sha1", &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1][..]),
            ("sha224", &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1]),
            ("sha256", &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]),
            ("sha384", &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]),
            ("sha512", &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4]),
            ("sha256", &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3]),
            ("sha1", &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 2]),
            ("sha3-224", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 9]),
            ("sha3-256", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 10]),
            ("sha3-384", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 11]),
            ("sha3-512", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 12]),
        ]
        .iter()
        .enumerate()
        .map(|(i, (md, oid))| plain(md, oid, i == 1))
        .collect(),
    }
}

fn plain(md: &str, oid: &[u8], null: bool) -> Way {
    let null = if null { tlv(der::NULL, &[]) } else { Vec::new() };
    Way {
        algorithm: der::sequence(&[&tlv(der::OID, oid), &null]),
        options: vec!["dgst".to_owned(), format!("-{md}")],
    }
}

/// PKCS#1 v1.5 with every digest, with parameters and without.
fn pkcs1() -> Vec<Way> {
    let rsa = |n: u8| vec![0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, n];
    let sha3 = |n: u8| vec![0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, n];
    let mut ways: Vec<Way> = [
        ("md5", rsa(4)),
        ("sha1", rsa(5)),
        ("sha256", rsa(11)),
        ("sha384", rsa(12)),
        ("sha512", rsa(13)),
        ("sha224", rsa(14)),
        ("sha512-224", rsa(15)),
        ("sha512-256", rsa(16)),
        ("md5", vec![0x2b, 14, 3, 2, 3]),
        ("sha1", vec![0x2b, 14, 3, 2, 29]),
        ("sha1", vec![0x2b, 14, 3, 2, 15]),
        ("ripemd160", vec![0x2b, 36, 3, 3, 1, 2]),
        ("sha3-224", sha3(13)),
        ("sha3-256", sha3(14)),
        ("sha3-384", sha3(15)),
        ("sha3-512", sha3(16)),
        ("sha256", rsa(1)),
    ]
    .iter()
    .map(|(md, oid)| plain(md, oid, true))
    .collect();
    ways.push(plain("sha256", &rsa(11), false));
    ways
}

/// RSASSA-PSS with digests, masks and salts that do and do not go together.
fn pss() -> Vec<Way> {
    let digests: [(&str, &[u8], u8); 6] = [
        ("sha1", &[0x2b, 14, 3, 2, 26], 20),
        ("sha256", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], 32),
        ("sha384", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2], 48),
        ("sha512", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3], 64),
        ("sha3-256", &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 8], 32),
        ("md5", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5], 16),
    ];
    let mut ways = Vec::new();
    for (i, digest) in digests.iter().enumerate() {
        for (mask, salt, said) in
            [(i, digest.2, digest.2), (1, 0, 0), ((i + 1) % 6, 20, 20), (i, 21, 20)]
        {
            ways.push(pss_way(digest, &digests[mask], salt, said));
        }
    }
    ways.push(Way {
        algorithm: der::sequence(&[&tlv(der::OID, oid::RSA_PSS)]),
        options: ways[0].options.clone(),
    });
    ways
}

fn pss_way(digest: &(&str, &[u8], u8), mask: &(&str, &[u8], u8), salt: u8, said: u8) -> Way {
    let id = |oid: &[u8]| der::sequence(&[&tlv(der::OID, oid), &tlv(der::NULL, &[])]);
    let mgf1 = tlv(der::OID, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8]);
    let parameters = der::sequence(&[
        &tlv(0xa0, &id(digest.1)),
        &tlv(0xa1, &der::sequence(&[&mgf1, &id(mask.1)])),
        &tlv(0xa2, &tlv(der::INTEGER, &[said])),
    ]);
    let options = [
        "dgst".to_owned(),
        format!("-{}", digest.0),
        "-sigopt".to_owned(),
        "rsa_padding_mode:pss".to_owned(),
        "-sigopt".to_owned(),
        format!("rsa_mgf1_md:{}", mask.0),
        "-sigopt".to_owned(),
        format!("rsa_pss_saltlen:{salt}"),
    ];
    Way {
        algorithm: der::sequence(&[&tlv(der::OID, oid::RSA_PSS), &parameters]),
        options: options.to_vec(),
    }
}
