//! CSRs made by openssl, of every shape it makes, signed by `ca sign`.

use tests::judges::{Openssl, openssl};
use tests::{NOW, Shell};

use meshpki::istiod::Version;
use meshpki::{Cert, Csr};

/// Name of the shape, how its key is made, what its CSR asks for, and the code it is refused with, if it is.
const SHAPES: &[(&str, &str, &str, Option<&str>)] = &[
    ("p256", P256, "-subj /CN=a", None),
    ("p256-sha384", P256, "-subj /CN=a -sha384", None),
    ("p256-sha512", P256, "-subj /CN=a -sha512", None),
    ("p384-sha256", P384, "-subj /CN=a -sha256", None),
    ("p384-sha384", P384, "-subj /CN=a -sha384", None),
    ("p521-sha256", P521, "-subj /CN=a -sha256", None),
    ("p521-sha512", P521, "-subj /CN=a -sha512", None),
    ("ed25519", "ED25519", "-subj /CN=a", None),
    ("rsa-sha1", RSA, "-subj /CN=a -sha1", Some("pki/csr-weak-signature")),
    ("rsa-sha256", RSA, "-subj /CN=a", None),
    ("rsa-sha512", RSA, "-subj /CN=a -sha512", None),
    ("rsa-pss", RSA, "-subj /CN=a -sigopt rsa_padding_mode:pss", None),
    (
        "rsa-pss-key",
        "RSA-PSS -pkeyopt rsa_keygen_bits:2048",
        "-subj /CN=a",
        Some("pki/unsupported-key"),
    ),
    (
        "rsa-3",
        "RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3",
        "-subj /CN=a",
        None,
    ),
    ("rsa-1024", "RSA -pkeyopt rsa_keygen_bits:1024", "-subj /CN=a", Some("pki/unsupported-key")),
    ("ed448", "ED448", "-subj /CN=a", Some("pki/unsupported-key")),
    ("p224", "EC -pkeyopt ec_paramgen_curve:secp224r1", "-subj /CN=a", Some("pki/unsupported-key")),
    (
        "explicit",
        "EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
        "-subj /CN=a",
        Some("pki/unsupported-key"),
    ),
    ("multi-rdn", P256, "-subj /O=a+OU=b/CN=c+serialNumber=1", None),
    ("ou-twice", P256, "-subj /OU=a/OU=b/CN=c", None),
    ("utf8", P256, "-utf8 -subj '/CN=Wurzel ü'", None),
    ("t61", P256, "-utf8 -subj '/CN=München' -config t61.cnf", None),
    ("bmp", P256, "-subj /CN=a -config bmp.cnf", None),
    ("empty", P256, "-subj /", Some("pki/empty-subject")),
    ("challenge", P256, "-config challenge.cnf", None),
    ("ca-true", P256, "-subj /CN=a -addext basicConstraints=critical,CA:TRUE,pathlen:7", None),
    ("ca-false", P256, "-subj /CN=a -addext basicConstraints=critical,CA:FALSE", None),
    ("no-cert-sign", P256, "-subj /CN=a -addext keyUsage=digitalSignature", None),
    ("eku", P256, "-subj /CN=a -addext extendedKeyUsage=codeSigning,1.2.3.4", None),
    (
        "sans",
        P256,
        "-subj /CN=a -addext subjectAltName=DNS:a,URI:spiffe://a,IP:10.0.0.1,email:a@b,RID:1.2.3",
        None,
    ),
    ("dir-name", P256, "-subj /CN=a -config dirname.cnf", None),
    ("policies", P256, "-subj /CN=a -addext certificatePolicies=1.2.3.4", None),
    ("must-staple", P256, "-subj /CN=a -addext tlsfeature=status_request", None),
    ("constraints", P256, "-subj /CN=a -addext nameConstraints=permitted;DNS:a", None),
    ("key-id", P256, "-subj /CN=a -addext subjectKeyIdentifier=00112233", None),
    ("der", P256, "-subj /CN=a -outform DER", None),
    ("new-header", P256, "-subj /CN=a -newhdr", None),
    ("with-text", P256, "-subj /CN=a -text", None),
];
const P256: &str = "EC -pkeyopt ec_paramgen_curve:P-256";
const P384: &str = "EC -pkeyopt ec_paramgen_curve:P-384";
const P521: &str = "EC -pkeyopt ec_paramgen_curve:P-521";
const RSA: &str = "RSA -pkeyopt rsa_keygen_bits:2048";

const CONFIGS: &[(&str, &str)] = &[
    ("t61.cnf", "[req]\nstring_mask = nombstr\ndistinguished_name = dn\n[dn]\n"),
    ("bmp.cnf", "[req]\nstring_mask = MASK:0x800\ndistinguished_name = dn\n[dn]\n"),
    (
        "challenge.cnf",
        "[req]\nprompt = no\ndistinguished_name = dn\nattributes = at\n[dn]\nCN = a\n[at]\n\
         challengePassword = secret\nunstructuredName = odd\n",
    ),
    (
        "dirname.cnf",
        "[req]\ndistinguished_name = dn\nreq_extensions = ext\n[dn]\n[ext]\n\
         subjectAltName = dirName:other\n[other]\nCN = other\n",
    ),
];

/// A CA folder `ca`, and the configurations.
fn shell() -> Shell {
    let shell = Shell::new();
    shell.good("ca init @/ca --plain-root-key");
    for (name, text) in CONFIGS {
        shell.scratch.write(name, text);
    }
    shell
}

/// The CSR of a shape, in `NAME.csr`.
fn make(openssl: &Openssl, shell: &Shell, name: &str, key: &str, options: &str) -> Csr {
    openssl.good(&shell.scratch, &format!("genpkey -algorithm {key} -out {name}.key"));
    openssl.good(&shell.scratch, &format!("req -new -key {name}.key -out {name}.csr {options}"));
    openssl.good(
        &shell.scratch,
        &format!(
            "req -in {name}.csr -inform {} -outform DER -out {name}.der",
            if name == "der" { "DER" } else { "PEM" }
        ),
    );
    Csr::from_der(&std::fs::read(shell.scratch.join(format!("{name}.der"))).unwrap()).unwrap()
}

#[test]
fn csrs_of_openssl_are_signed_by_the_profile() {
    let Some(openssl) = openssl() else { return };
    let shell = shell();
    for (name, key, options, refusal) in SHAPES {
        let csr = make(&openssl, &shell, name, key, options);
        let ran = shell.run(&format!("ca sign --yes @/{name}.csr --ca @/ca --out @/{name}"));
        if let Some(code) = refusal {
            assert!(ran.err.contains(&format!("error[{code}]: ")), "{name}: {}", ran.err);
            assert!(!shell.scratch.join(name).exists(), "{name}");
            continue;
        }
        assert_eq!(ran.status, 0, "{name}: {}", ran.err);
        let args = format!("-x509_strict -CAfile ca/root-cert.pem {name}/ca-cert.pem");
        openssl.verifies(&shell.scratch, &args);
        let text = shell.scratch.read(&format!("{name}/ca-cert.pem"));
        let cert = meshpki::cacerts::certs(name, text.as_bytes()).unwrap().remove(0);
        assert_eq!(cert.subject().as_der(), csr.subject().as_der(), "{name}");
        assert_eq!(cert.public_key().as_der(), csr.public_key().as_der(), "{name}");
        assert!(says_what_the_profile_says(&cert), "{name}");
        // The set is one istiod takes.
        shell
            .scratch
            .write_key(&format!("{name}/ca-key.pem"), shell.scratch.read(&format!("{name}.key")));
        let files = shell.scratch.entries(name);
        let secret =
            files.into_iter().map(|(file, entry)| (file, entry.content.unwrap())).collect();
        meshpki::CaCerts::from_secret(&secret, Version::NEWEST, NOW)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Five extensions and not one more, whatever the CSR asked for.
fn says_what_the_profile_says(cert: &Cert) -> bool {
    let extensions = cert.extensions();
    let ca = extensions.basic_constraints.is_some_and(|c| c.ca && c.path_len == Some(0));
    let usage: Vec<&str> = extensions.key_usage.unwrap().names().collect();
    ca && usage == ["keyCertSign", "cRLSign"] && cert.raw_extensions().len() == 4
}

#[test]
fn a_tampered_csr_is_refused() {
    let Some(openssl) = openssl() else { return };
    let shell = shell();
    for (name, key, options) in
        [("p256", P256, ""), ("ed25519", "ED25519", ""), ("rsa", RSA, "-sha1")]
    {
        let csr = make(&openssl, &shell, name, key, &format!("-subj /CN=tampered {options}"));
        let mut bytes = csr.as_der().to_vec();
        let place = bytes.windows(8).position(|w| w == b"tampered").unwrap();
        bytes[place] = b'T';
        shell.scratch.write("bad.csr", &bytes);
        let ran = shell.run("ca sign --yes @/bad.csr --ca @/ca --out -");
        assert_eq!((ran.status, ran.out.as_str()), (1, ""), "{name}");
        assert!(ran.err.starts_with("error[pki/csr-signature]: "), "{name}: {}", ran.err);
    }
}

/// What `ca csr` makes, openssl reads, and signs.
#[test]
fn openssl_reads_our_csrs() {
    let Some(openssl) = openssl() else { return };
    for kind in super::KINDS {
        let shell = shell();
        shell.good(&format!("ca csr @/side --cluster east --key-type {kind} --subject 'O=a+OU=ü, CN=east' --san dns:a.b"));
        let text = openssl.good(&shell.scratch, "req -in side/east/ca.csr -noout -verify -text");
        for word in ["CA:TRUE, pathlen:0", "DNS:a.b", "O = a + OU = \\C3\\BC, CN = east"] {
            assert!(text.contains(word), "{kind}: {text}");
        }
    }
}
