//! Certificates of every kind, key type and string type, before `openssl verify` and `openssl x509 -text`.

use tests::authority::{Authority, name, resigned, stamp};
use tests::cli::compare;
use tests::judges::openssl;
use tests::{NOW, Scratch, Shell};

use meshpki::internals::{der, oid};
use meshpki::istiod::Version;
use meshpki::x509::Attribute;
use meshpki::{Cert, KeyType, Name, Oid, Profile, Role};

use super::{KINDS, key};

/// A workload's certificate under the cluster in `folder`, written to `folder/leaf.pem`; the cluster's set.
fn workload(scratch: &Scratch, folder: &str, id: &str) -> (meshpki::CaCerts, Cert) {
    let files = scratch.entries(folder);
    let secret = files.into_iter().map(|(name, entry)| (name, entry.content.unwrap())).collect();
    let set = meshpki::CaCerts::from_secret(&secret, Version::NEWEST, NOW).unwrap();
    let issuer = meshpki::Issuer { cert: set.ca(), signer: set.signer() };
    let leaf = key(KeyType::EcdsaP256, 0);
    let public = meshpki::Signer::public_key(&leaf);
    let leaf =
        meshpki::issue(&Profile::workload(&id.parse().unwrap()), public, issuer, stamp()).unwrap();
    scratch.write(&format!("{folder}/leaf.pem"), leaf.to_pem());
    (set, leaf)
}

/// `openssl verify` with the root and with the chain as trust store, with and without `-x509_strict`, and a workload's
/// certificate as the mesh verifies it.
#[test]
fn openssl_verifies_what_init_makes_with_every_key_type() {
    let Some(openssl) = openssl() else { return };
    for kind in KeyType::ALL {
        // Searching primes that large takes minutes.
        if kind == KeyType::Rsa8192 {
            continue;
        }
        // RSA-4096 once: above the quick P-256 root.
        let root = if kind == KeyType::Rsa4096 { KeyType::EcdsaP256 } else { kind };
        let shell = Shell::new();
        shell.good(&format!(
            "ca init @/ca --cluster east --root-key-type {root} --cluster-key-type {kind} --plain-root-key"
        ));
        for store in ["root-cert.pem", "cert-chain.pem"] {
            for strict in ["", "-x509_strict"] {
                let args = format!("{strict} -CAfile ca/east/{store} ca/east/ca-cert.pem");
                openssl.verifies(&shell.scratch, &args);
            }
        }
        workload(&shell.scratch, "ca/east", "spiffe://cluster.local/ns/default/sa/reviews");
        for purpose in ["sslserver", "sslclient"] {
            openssl.verifies(
                &shell.scratch,
                &format!(
                    "-x509_strict -purpose {purpose} -CAfile ca/east/root-cert.pem \
                     -untrusted ca/east/cert-chain.pem ca/east/leaf.pem"
                ),
            );
        }
    }
}

#[test]
fn any_key_type_signs_any_other() {
    let Some(openssl) = openssl() else { return };
    let scratch = Scratch::new();
    let mut profile = Profile::cluster(name("CN=Middle"));
    profile.role = Role::Ca { path_len: None };
    for above in KINDS {
        let root = root(above, name("CN=Root"));
        scratch.write("root.pem", root.cert.to_pem());
        for below in KINDS {
            let middle = root.issue(&profile, &key(below, 1));
            scratch.write("middle.pem", middle.to_pem());
            openssl.verifies(&scratch, "-x509_strict -CAfile root.pem middle.pem");
        }
    }
}

fn root(kind: KeyType, subject: Name) -> Authority {
    let key = key(kind, 0);
    let cert = meshpki::self_signed(&Profile::root(subject), &key, stamp()).unwrap();
    Authority { cert, key }
}

/// Names of every string type, one RDN per attribute and all in one RDN.
fn names() -> Vec<Name> {
    let cn = |tag, value: &[u8]| Attribute::with_tag(Oid::COMMON_NAME, tag, value);
    let long = [0x69, 0x92, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let known = |content: &[u8]| Oid::from_bytes(content).unwrap();
    let strings = [
        cn(der::PRINTABLE_STRING, b"Root CA"),
        cn(der::UTF8_STRING, "Wurzel ü 根".as_bytes()),
        cn(der::T61_STRING, b"M\xfcnchen"),
        cn(der::BMP_STRING, &[0, 0x52, 0x6b, 0x43]),
        cn(der::UNIVERSAL_STRING, &[0, 0, 0, 0x52]),
        cn(der::IA5_STRING, b"root@example"),
        cn(der::NUMERIC_STRING, b"42 17"),
        cn(der::PRINTABLE_STRING, b" two  spaces "),
        Attribute::new(known(oid::EMAIL_ADDRESS), "root@example.org"),
        Attribute::new(known(oid::DOMAIN_COMPONENT), "example"),
        Attribute::with_tag(known(&long), 12, b"x"),
    ];
    let organization = Attribute::new(Oid::ORGANIZATION, "Mesh");
    let unit = |text| Attribute::new(Oid::ORGANIZATIONAL_UNIT, text);
    let mut names = vec![Name::new(&[unit("a"), unit("b"), organization.clone()])];
    for string in strings {
        let pair = [organization.clone(), string];
        names.extend([Name::new(&pair), Name::from_rdns([pair.as_slice()])]);
    }
    names
}

#[test]
fn issuer_names_of_every_string_type_are_copied_and_accepted() {
    let Some(openssl) = openssl() else { return };
    let scratch = Scratch::new();
    for subject in names() {
        for kind in KINDS {
            let root = root(kind, subject.clone());
            assert_eq!(root.cert.subject().as_der(), subject.as_der());
            let east = root.issue(&Profile::cluster(name("CN=East")), &key(kind, 1));
            assert_eq!(east.issuer().as_der(), subject.as_der(), "{subject}");
            scratch.write("root.pem", root.cert.to_pem());
            scratch.write("east.pem", east.to_pem());
            openssl.verifies(&scratch, "-x509_strict -CAfile root.pem east.pem");
        }
    }
}

/// The same the other way round: openssl makes the CA, `ca sign` signs below it.
#[test]
fn below_a_ca_that_openssl_made() {
    let Some(openssl) = openssl() else { return };
    let mut shell = Shell::new();
    // `openssl req -x509` dates from now on.
    shell.now = meshctl::io::system_time();
    for kind in KINDS {
        shell.scratch.write_key(&format!("{kind}.key"), key(kind, 0).to_pem().as_bytes());
    }
    shell.scratch.write("east.csr", tests::authority::csr("CN=East", &key(KINDS[0], 1)).to_pem());
    let shapes = [
        ("default", der::PRINTABLE_STRING, "CN = Root"),
        ("utf8only", der::UTF8_STRING, "CN = Root"),
        ("pkix", der::PRINTABLE_STRING, "CN = Root"),
        ("nombstr", der::T61_STRING, "CN = München"),
        ("MASK:0x800", der::BMP_STRING, "CN = Root"),
        ("utf8only", der::IA5_STRING, "emailAddress = root@example.org"),
        ("default", der::PRINTABLE_STRING, "0.OU = one\n1.OU = two\n2.CN = Root"),
        ("default", der::PRINTABLE_STRING, "O = Mesh\n+OU = Unit\n+CN = Root"),
        ("default", der::PRINTABLE_STRING, "C = GB\nodd = even\nCN = Root"),
    ];
    for (i, (mask, tag, subject)) in shapes.into_iter().enumerate() {
        let config = format!("{REQ}\nstring_mask = {mask}\n[dn]\n{subject}\n");
        shell.scratch.write("req.cnf", config);
        for kind in KINDS {
            let dir = format!("ca-{i}-{kind}");
            std::fs::create_dir(shell.scratch.join(&dir)).unwrap();
            openssl.good(
                &shell.scratch,
                &format!(
                    "req -new -x509 -utf8 -config req.cnf -key {kind}.key -days 3650 \
                     -out {dir}/root-cert.pem"
                ),
            );
            shell
                .scratch
                .write_key(&format!("{dir}/root-key.pem"), key(kind, 0).to_pem().as_bytes());
            shell.good(&format!("ca sign --yes @/east.csr --ca @/{dir} --out @/{dir}/east"));
            let args = format!("verify -CAfile {dir}/root-cert.pem {dir}/east/ca-cert.pem");
            openssl.good(&shell.scratch, &args);
            let cert = |file: &str| {
                let text = shell.scratch.read(&format!("{dir}/{file}"));
                meshpki::cacerts::certs(file, text.as_bytes()).unwrap().remove(0)
            };
            let (root, east) = (cert("root-cert.pem"), cert("east/ca-cert.pem"));
            assert_eq!(root.subject().as_der(), east.issuer().as_der());
            let tags: Vec<u8> = root.subject().rdns().concat().iter().map(|a| a.tag).collect();
            assert!(tags.contains(&tag), "{subject}: {tags:?}");
        }
    }
}

const REQ: &str = "oid_section = oids\n[oids]\nodd = 1.3.6.1.4.1.99999.1\n[req]\nprompt = no\ndistinguished_name = dn\nx509_extensions = ext\n\
                   [ext]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign, cRLSign\n\
                   subjectKeyIdentifier = hash\n[req]";

/// What `openssl x509 -text` says, without key, signature and serial number.
#[test]
fn the_shape_of_each_kind() {
    let Some(openssl) = openssl() else { return };
    let shell = Shell::new();
    shell.good(
        "ca init @/ca --cluster east --plain-root-key --root-subject 'C=GB, O=Mesh, CN=Mesh Root' \
         --path-len 2 --trust-domain east.example --constrain --san dns:istiod.istio-system.svc",
    );
    let id = "spiffe://east.example/ns/default/sa/reviews";
    let (set, leaf) = workload(&shell.scratch, "ca/east", id);
    let text = |file: &str| {
        let options = "-noout -text -certopt no_serial,no_sigdump,no_pubkey";
        let text = openssl.good(&shell.scratch, &format!("x509 -in {file} {options}"));
        shell.mask(&text.lines().map(|line| line.trim_end().to_owned() + "\n").collect::<String>())
    };
    compare(
        "root",
        &text("ca/root-cert.pem"),
        r#"
        Certificate:
            Data:
                Version: 3 (0x2)
                Signature Algorithm: ecdsa-with-SHA256
                Issuer: C = GB, O = Mesh, CN = Mesh Root
                Validity
                    Not Before: Nov 21 06:55:00 2026 GMT
                    Not After : Nov 18 06:55:00 2036 GMT
                Subject: C = GB, O = Mesh, CN = Mesh Root
                X509v3 extensions:
                    X509v3 Key Usage: critical
                        Certificate Sign, CRL Sign
                    X509v3 Basic Constraints: critical
                        CA:TRUE, pathlen:2
                    X509v3 Subject Key Identifier:
                        [20 bytes]
    "#,
    );
    compare(
        "intermediate",
        &text("ca/east/ca-cert.pem"),
        r#"
        Certificate:
            Data:
                Version: 3 (0x2)
                Signature Algorithm: ecdsa-with-SHA256
                Issuer: C = GB, O = Mesh, CN = Mesh Root
                Validity
                    Not Before: Nov 21 06:55:00 2026 GMT
                    Not After : Nov 21 06:55:00 2027 GMT
                Subject: O = Mesh, CN = Mesh CA east
                X509v3 extensions:
                    X509v3 Key Usage: critical
                        Certificate Sign, CRL Sign
                    X509v3 Basic Constraints: critical
                        CA:TRUE, pathlen:0
                    X509v3 Subject Key Identifier:
                        [20 bytes]
                    X509v3 Authority Key Identifier:
                        [20 bytes]
                    X509v3 Subject Alternative Name:
                        DNS:istiod.istio-system.svc, URI:spiffe://east.example
                    X509v3 Name Constraints: critical
                        Permitted:
                          URI:east.example
    "#,
    );
    compare(
        "workload",
        &text("ca/east/leaf.pem"),
        r#"
        Certificate:
            Data:
                Version: 3 (0x2)
                Signature Algorithm: ecdsa-with-SHA256
                Issuer: O = Mesh, CN = Mesh CA east
                Validity
                    Not Before: Nov 21 06:55:00 2026 GMT
                    Not After : Nov 22 06:55:00 2026 GMT
                Subject:
                X509v3 extensions:
                    X509v3 Key Usage: critical
                        Digital Signature, Key Encipherment
                    X509v3 Extended Key Usage:
                        TLS Web Server Authentication, TLS Web Client Authentication
                    X509v3 Basic Constraints: critical
                        CA:FALSE
                    X509v3 Subject Key Identifier:
                        [20 bytes]
                    X509v3 Authority Key Identifier:
                        [20 bytes]
                    X509v3 Subject Alternative Name: critical
                        URI:spiffe://east.example/ns/default/sa/reviews
    "#,
    );
    let verify = "-CAfile ca/root-cert.pem -untrusted ca/east/ca-cert.pem ca/east/leaf.pem";
    openssl.verifies(&shell.scratch, verify);
    // The name constraint is in force: the same workload in another trust domain is refused.
    let other = resigned(&leaf, set.signer(), |fields| {
        let place = fields[7].windows(12).position(|w| w == b"east.example").unwrap();
        fields[7][place] = b'w';
    });
    shell.scratch.write("ca/east/leaf.pem", other.to_pem());
    let answer = openssl.run(&shell.scratch, &format!("verify -attime {} {verify}", NOW.0));
    let wanted = "error 47 at 0 depth lookup: permitted subtree violation";
    assert!(answer.err.contains(wanted), "{answer:?}");
}

/// Dates on both sides of 2050, where the encoding changes.
#[test]
fn dates_on_both_sides_of_2050() {
    let Some(openssl) = openssl() else { return };
    let shell = Shell::new();
    shell.good("ca init @/ca --cluster east --plain-root-key --root-validity 40y --at 2049-12-31T23:00:00-05:00 --cluster-validity 1h");
    let dates =
        |file: &str| openssl.good(&shell.scratch, &format!("x509 -noout -dates -in {file}"));
    compare(
        "root",
        &dates("ca/root-cert.pem"),
        r#"
        notBefore=Jan  1 03:55:00 2050 GMT
        notAfter=Dec 22 03:55:00 2089 GMT
    "#,
    );
    compare(
        "intermediate",
        &dates("ca/east/ca-cert.pem"),
        r#"
        notBefore=Jan  1 03:55:00 2050 GMT
        notAfter=Jan  1 04:55:00 2050 GMT
    "#,
    );
    shell.good("ca init @/old --cluster east --plain-root-key --root-validity 1y --at 2049-06-01 --cluster-validity 1h");
    compare(
        "root",
        &dates("old/root-cert.pem"),
        r#"
        notBefore=May 31 23:55:00 2049 GMT
        notAfter=May 31 23:55:00 2050 GMT
    "#,
    );
}
