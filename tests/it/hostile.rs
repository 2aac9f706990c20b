//! Keys with which anyone can sign, CSRs that no one should sign: forged here as an attacker would, refused everywhere.
//!
//! `fixtures/hostile-rsa.txt` was made once with Python's integers: two random primes, and everything that is not.

use std::fs;

use tests::authority::{Authority, key};
use tests::cli::ended;
use tests::judges::openssl;
use tests::{NOW, Shell, forge};

use meshpki::internals::der::{self, bit_string, integer, sequence, tlv};
use meshpki::internals::signature::{SignatureInput, check};
use meshpki::internals::{oid, pem};
use meshpki::{Cert, KeyType, PublicKey, SignatureCheck, Signer};

const RSA_SHA256: &[u8] = oid::RSA_SHA256;

/// A key whose private half is unknown, and a way to sign with it anyway.
struct Forger {
    name: &'static str,
    spki: Vec<u8>,
    /// AlgorithmIdentifier.
    algorithm: Vec<u8>,
    sign: fn(&Forger, &[u8]) -> Vec<u8>,
}

fn ed25519(name: &'static str, point: &str) -> Forger {
    let algorithm = sequence(&[&tlv(der::OID, oid::ED25519)]);
    let spki = sequence(&[&algorithm, &bit_string(&hex(point))]);
    // R is the base point and S is 1: good whenever the key's part vanishes.
    Forger {
        name,
        spki,
        algorithm,
        sign: |_, _| hex(&format!("58{}01{}", "66".repeat(31), "00".repeat(31))),
    }
}

/// RSA with exponent 1: the signature is the padded digest itself.
fn rsa_with_exponent_one() -> Forger {
    let (spki, _) = hostile_rsa().into_iter().find(|(_, flaw)| flaw == "ExponentOne").unwrap();
    let algorithm = sequence(&[&tlv(der::OID, RSA_SHA256), &tlv(der::NULL, &[])]);
    Forger {
        name: "rsa-e1",
        spki,
        algorithm,
        sign: |_, message| {
            let digest = meshpki::internals::digest::sha256(message);
            let info = [&hex("3031300d060960864801650304020105000420")[..], &digest].concat();
            let fill = vec![0xff; 256 - 3 - info.len()];
            [&[0, 1][..], &fill, &[0], &info].concat()
        },
    }
}

impl Forger {
    fn signed(&self, tbs: &[u8]) -> Vec<u8> {
        sequence(&[tbs, &self.algorithm, &bit_string(&(self.sign)(self, tbs))])
    }

    /// A certificate by this key for `spki` that verifies; an Ed25519 point of small order needs some luck.
    fn cert(&self, subject: &str, spki: &[u8]) -> Cert {
        let ca = forge::value::basic_constraints(true, None);
        let extensions = sequence(&[&sequence(&[
            &tlv(der::OID, oid::BASIC_CONSTRAINTS),
            &tlv(der::BOOLEAN, &[0xff]),
            &tlv(der::OCTET_STRING, &ca),
        ])]);
        for serial in 1..=255 {
            let tbs = sequence(&[
                &tlv(0xa0, &integer(&[2])),
                &integer(&[serial]),
                &self.algorithm,
                &name("Root"),
                &sequence(&[
                    &tlv(der::UTC_TIME, b"260101000000Z"),
                    &tlv(der::UTC_TIME, b"360101000000Z"),
                ]),
                &name(subject),
                spki,
                &tlv(0xa3, &extensions),
            ]);
            let key = PublicKey::from_der(&self.spki).unwrap();
            let signature = (self.sign)(self, &tbs);
            let signed = SignatureInput {
                algorithm: &self.algorithm,
                message: &tbs,
                signature: &signature,
                key: &key,
            };
            if check(&signed) == SignatureCheck::Good {
                return Cert::from_der(&self.signed(&tbs)).unwrap();
            }
        }
        panic!("{}: no certificate verifies", self.name)
    }
}

fn name(common_name: &str) -> Vec<u8> {
    forge::name(&[(oid::COMMON_NAME, der::UTF8_STRING, common_name.as_bytes())])
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// SubjectPublicKeyInfo of every key in `fixtures/hostile-rsa.txt`, and its flaw.
fn hostile_rsa() -> Vec<(Vec<u8>, String)> {
    let text = fs::read_to_string("../fixtures/hostile-rsa.txt").unwrap();
    let algorithm = sequence(&[&tlv(der::OID, oid::RSA_ENCRYPTION), &tlv(der::NULL, &[])]);
    let key = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let even =
            |digits: &str| format!("{}{digits}", if digits.len() % 2 == 1 { "0" } else { "" });
        let modulus = hex(&even(words[2]));
        // The one exponent that long is not below the modulus.
        let exponent = words[1].parse::<u64>();
        let exponent = exponent.map_or_else(|_| modulus.clone(), |e| e.to_be_bytes().to_vec());
        let numbers = sequence(&[&integer(&modulus), &integer(&exponent)]);
        (sequence(&[&algorithm, &bit_string(&numbers)]), words[0].to_owned())
    };
    text.lines().filter(|line| !line.starts_with('#')).map(key).collect()
}

/// Keys of ours that need no private half.
fn forgers() -> Vec<Forger> {
    vec![
        rsa_with_exponent_one(),
        ed25519("neutral", &format!("01{}", "00".repeat(31))),
        ed25519("order-2", &format!("ec{}7f", "ff".repeat(30))),
        ed25519("order-4", &"00".repeat(32)),
        ed25519("order-8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    ]
}

/// The attack: a cluster's CA under a root whose private key does not exist. openssl and `ca verify` accept it, which
/// is what they have to do; everything that makes or installs a CA refuses.
#[test]
fn a_ca_without_a_private_key_is_refused_by_all_but_verifiers() {
    for forger in forgers() {
        let shell = Shell::new();
        let (dir, east) = (forger.name, key(KeyType::EcdsaP256));
        let root = forger.cert("Root", &forger.spki);
        let ca = forger.cert("East", east.public_key().as_der());
        shell.scratch.write(&format!("{dir}/root-cert.pem"), root.to_pem());
        shell.scratch.write_key(&format!("{dir}/root-key.pem"), east.to_pem().as_bytes());
        shell.scratch.write(&format!("{dir}/east/ca-cert.pem"), ca.to_pem());
        shell.scratch.write_key(&format!("{dir}/east/ca-key.pem"), east.to_pem().as_bytes());
        shell.scratch.write(&format!("{dir}/east/cert-chain.pem"), ca.to_pem() + &root.to_pem());
        shell.scratch.write(&format!("{dir}/east/root-cert.pem"), root.to_pem());
        shell
            .scratch
            .write("x.csr", tests::authority::csr("CN=x", &key(KeyType::EcdsaP256)).to_pem());
        let shown = shell.good(&format!("ca inspect @/{dir}/root-cert.pem"));
        assert!(shown.contains("\n  Key flaw        it protects nothing: it"), "{shown}");
        let json = shell.good(&format!("ca inspect -o json @/{dir}/root-cert.pem"));
        tests::schema::check("inspection", &json);
        assert!(json.contains("\"flaw\": \"it"), "{json}");
        let accepted = format!("ca verify -CAfile @/{dir}/root-cert.pem @/{dir}/east/ca-cert.pem");
        ended(&shell.run(&accepted), 0, &["OK"]);
        if let Some(openssl) = openssl() {
            let files = format!("-CAfile {dir}/root-cert.pem {dir}/east/ca-cert.pem");
            openssl.good(&shell.scratch, &format!("verify -attime {} {files}", NOW.0));
        }
        let before = shell.scratch.entries("");
        let refused = [
            format!("ca sign --yes @/x.csr --ca @/{dir} --out @/out"),
            format!(
                "ca sign --yes @/x.csr --ca-cert @/{dir}/root-cert.pem --ca-key @/{dir}/root-key.pem --out @/out"
            ),
            format!("ca init @/{dir}"),
            format!("ca init @/{dir} --cluster east"),
            format!("ca init @/{dir} --cluster west"),
            format!("ca renew @/{dir} --cluster east"),
        ];
        for command in refused {
            ended(&shell.run(&command), 1, &["error[pki/forgeable-key]: the key of `Root`"]);
            assert_eq!(shell.scratch.entries(""), before, "{command}");
        }
        let ran = shell.run(&format!("check @/{dir}"));
        ended(&ran, 2, &["istiod/forgeable-key", "the key of `Root`", "protects nothing"]);
        // As a second root next to a sound one, it is just as bad.
        let sound = Authority::root(KeyType::EcdsaP256, "CN=Sound", |_| {});
        sound.write_root(&shell.scratch, "sound");
        shell.good("ca init @/sound --cluster east");
        let both = shell.scratch.read("sound/east/root-cert.pem") + &root.to_pem();
        shell.scratch.write("sound/east/root-cert.pem", both);
        ended(&shell.run("check @/sound"), 2, &["istiod/forgeable-key"]);
        let also = format!(
            "ca sign --yes @/x.csr --ca @/sound --also-trust @/{dir}/root-cert.pem --out @/out"
        );
        ended(&shell.run(&also), 1, &["error[pki/forgeable-key]"]);
    }
}

/// A CSR of any shape; if no one can sign it, its signature is arbitrary bytes.
fn csr(subject: &[u8], spki: &[u8], attributes: &[u8], signer: &dyn Signer) -> Vec<u8> {
    let info = sequence(&[&integer(&[0]), subject, spki, &tlv(0xa0, attributes)]);
    let algorithm = signer.public_key().signing_algorithm().unwrap();
    sequence(&[&info, &algorithm, &bit_string(&signer.sign(&info).unwrap())])
}

/// A CA `ca`, and the command that signs `hostile.csr` under it.
fn shell() -> (Shell, &'static str) {
    let shell = Shell::new();
    Authority::root(KeyType::EcdsaP256, "O=Mesh, CN=Mesh Root", |_| {})
        .write_root(&shell.scratch, "ca");
    (shell, "ca sign --yes @/hostile.csr --ca @/ca --out @/out")
}

fn refused(shell: &Shell, command: &str, csr: &[u8], what: &str, code: &str) {
    shell.scratch.write("hostile.csr", pem::encode(pem::CERTIFICATE_REQUEST, csr));
    let ran = shell.run(command);
    assert!(ran.err.contains(&format!("error[{code}]")), "{what}: {}", ran.err);
    assert_eq!((ran.status, ran.out.as_str()), (1, ""), "{what}");
    assert!(!shell.scratch.join("out").exists(), "{what}");
    assert!(!ran.err.chars().any(|c| c != '\n' && c.is_control()), "{what}: {:?}", ran.err);
}

#[test]
fn keys_everybody_can_sign_with_are_not_certified() {
    let (shell, command) = shell();
    let signer = key(KeyType::EcdsaP256);
    let ec = |curve: &[u8], point: &[u8]| {
        let id = sequence(&[&tlv(der::OID, oid::EC_PUBLIC_KEY), &tlv(der::OID, curve)]);
        sequence(&[&id, &bit_string(point)])
    };
    let ed = |point: &str| ed25519("", point).spki;
    let mut keys: Vec<(String, Vec<u8>)> = Vec::new();
    for (spki, flaw) in hostile_rsa() {
        keys.push((flaw, spki));
    }
    keys.extend(forgers().into_iter().map(|forger| (forger.name.to_owned(), forger.spki)));
    keys.push(("y above the prime".into(), ed(&format!("f0{}7f", "ff".repeat(30)))));
    keys.push(("no point".into(), ed(&format!("02{}", "00".repeat(31)))));
    keys.push(("mixed order".into(), ed(&format!("03{}", "00".repeat(31)))));
    keys.push(("Ed25519 base point".into(), ed(&format!("58{}", "66".repeat(31)))));
    keys.push((
        "RFC 8032".into(),
        ed("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
    ));
    for (curve, size) in [(oid::P256, 32), (oid::P384, 48), (oid::P521, 66)] {
        keys.push(("infinity".into(), ec(curve, &[0])));
        keys.push(("off the curve".into(), ec(curve, &[vec![4], vec![1; 2 * size]].concat())));
        keys.push(("too short".into(), ec(curve, &[4, 1, 1])));
    }
    keys.retain(|(what, _)| what != "sound");
    assert!(keys.len() > 35, "{}", keys.len());
    for (what, spki) in keys {
        let csr = csr(&name("East"), &spki, &[], &signer);
        refused(&shell, command, &csr, &what, "pki/forgeable-key");
    }
    // Proven by a signature that verifies, it is no better.
    for forger in forgers() {
        for nonce in 0..=255 {
            let subject = name(&format!("East {nonce}"));
            let info = sequence(&[&integer(&[0]), &subject, &forger.spki, &tlv(0xa0, &[])]);
            let csr = forger.signed(&info);
            if meshpki::Csr::from_der(&csr).unwrap().check_signature() == SignatureCheck::Good {
                refused(&shell, command, &csr, forger.name, "pki/forgeable-key");
                break;
            }
        }
    }
}

#[test]
fn keys_nothing_in_a_mesh_reads() {
    let (shell, command) = shell();
    let signer = key(KeyType::EcdsaP256);
    let bits = signer.public_key().bits();
    let compressed = [&[2 + (bits[64] & 1)][..], &bits[1..33]].concat();
    let id = sequence(&[&tlv(der::OID, oid::EC_PUBLIC_KEY), &tlv(der::OID, oid::P256)]);
    let spki = sequence(&[&id, &bit_string(&compressed)]);
    let csr = csr(&name("East"), &spki, &[], &signer);
    refused(&shell, command, &csr, "a compressed point", "pki/unsupported-key");
}

#[test]
fn proofs_by_digests_that_can_be_forged() {
    let Some(openssl) = openssl() else { return };
    let (shell, command) = shell();
    for (file, kind) in [
        ("rsa.key", "RSA -pkeyopt rsa_keygen_bits:2048"),
        ("ec.key", "EC -pkeyopt ec_paramgen_curve:P-256"),
    ] {
        openssl.good(&shell.scratch, &format!("genpkey -algorithm {kind} -out {file}"));
    }
    let pss = "-sigopt rsa_padding_mode:pss";
    let cases = [
        ("rsa.key", "-md5"),
        ("rsa.key", "-sha1"),
        ("rsa.key", "-ripemd160"),
        ("rsa.key", &format!("-sha1 {pss}")),
        ("ec.key", "-sha1"),
    ];
    for (key, options) in cases {
        openssl.good(
            &shell.scratch,
            &format!("req -new -key {key} -subj /CN=a -out made.csr {options}"),
        );
        let text = shell.scratch.read("made.csr");
        let der = pem::decode(text.as_bytes()).remove(0).unwrap().der.clone();
        refused(&shell, command, &der, options, "pki/csr-weak-signature");
    }
    for (key, options) in
        [("rsa.key", "-sha224"), ("rsa.key", &format!("-sha256 {pss}")), ("ec.key", "-sha384")]
    {
        openssl.good(
            &shell.scratch,
            &format!("req -new -key {key} -subj /CN=a -out made.csr {options}"),
        );
        shell.good("ca sign --yes @/made.csr --ca @/ca --out -");
    }
}

#[test]
fn names_nobody_can_read() {
    let (shell, command) = shell();
    let signer = key(KeyType::EcdsaP256);
    let spki = signer.public_key().as_der().to_vec();
    let hidden = [
        "\0",
        "\n",
        "\r",
        "\t",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
        "\u{9b}",
        "\u{ad}",
        "\u{61c}",
        "\u{115f}",
        "\u{180e}",
        "\u{200b}",
        "\u{200d}",
        "\u{200e}",
        "\u{2028}",
        "\u{202a}",
        "\u{202e}",
        "\u{2060}",
        "\u{2066}",
        "\u{2069}",
        "\u{3164}",
        "\u{fe0f}",
        "\u{feff}",
        "\u{fff9}",
        "\u{e0041}",
    ];
    for hidden in hidden {
        let what = hidden.escape_unicode().to_string();
        for oid in [oid::COMMON_NAME, oid::ORGANIZATION, &[0x55, 4, 17]] {
            let text = format!("ea{hidden}st");
            let subject = forge::name(&[(oid, der::UTF8_STRING, text.as_bytes())]);
            refused(&shell, command, &csr(&subject, &spki, &[], &signer), &what, "pki/subject");
        }
    }
    for (tag, bytes) in [(der::T61_STRING, &b"ea\x1bst"[..]), (der::BMP_STRING, b"\x00e\x20\x2e")] {
        let subject = forge::name(&[(oid::COMMON_NAME, tag, bytes)]);
        refused(&shell, command, &csr(&subject, &spki, &[], &signer), "string type", "pki/subject");
    }
    // Typed by hand they are wrong usage.
    let ran = shell.run("ca init @/new --plain-root-key --root-subject CN=ea\u{202e}st");
    assert_eq!(ran.status, 64, "{}", ran.err);
    let ran = shell.run("ca csr @/new --cluster east --subject CN=ea\u{200b}st");
    ended(&ran, 64, &["error[pki/subject]"]);
    let ran = shell.run("ca init @/new --plain-root-key --cluster e\u{430}st");
    ended(&ran, 64, &["error[ctl/cluster-name]"]);
}

#[test]
fn thousands_of_anything() {
    let (shell, command) = shell();
    let signer = key(KeyType::EcdsaP256);
    let spki = signer.public_key().as_der().to_vec();
    let subject = |count: usize| {
        let text = vec![(oid::ORGANIZATIONAL_UNIT, der::UTF8_STRING, &b"x"[..]); count];
        forge::name(&text)
    };
    let request = |extensions: &[Vec<u8>]| {
        let list = forge::value::list(extensions);
        sequence(&[&tlv(der::OID, oid::EXTENSION_REQUEST), &tlv(der::SET, &list)])
    };
    let extension =
        |oid: &[u8], value: &[u8]| sequence(&[&tlv(der::OID, oid), &tlv(der::OCTET_STRING, value)]);
    let many: Vec<Vec<u8>> = (0..3000u16)
        .map(|n| {
            let [high, low] = n.to_be_bytes();
            extension(&[0x2a, 3, 0x80 | high | 1, low & 0x7f], &[])
        })
        .collect();
    let names = forge::value::list(&vec![forge::value::general(2, b"a.b"); 3000]);
    let cases = [
        ("attributes", subject(3000), Vec::new()),
        ("65 attributes", subject(65), Vec::new()),
        ("extensions", name("East"), request(&many)),
        ("65 extensions", name("East"), request(&many[..65])),
        ("names", name("East"), request(&[extension(oid::SUBJECT_ALT_NAME, &names)])),
        ("bytes", name("East"), request(&[extension(&[0x2a, 3, 4], &vec![0; 70_000])])),
    ];
    for (what, subject, attributes) in cases {
        let csr = csr(&subject, &spki, &attributes, &signer);
        refused(&shell, command, &csr, what, "pki/too-many");
    }
    shell.scratch.write("hostile.csr", csr(&subject(64), &spki, &request(&many[..64]), &signer));
    shell.good("ca sign --yes @/hostile.csr --ca @/ca --out @/out");
}

/// cfssl takes the names a CSR asks for, whatever is in them.
#[test]
fn names_in_a_csr_that_cannot_stand_in_a_certificate() {
    let (shell, command) = shell();
    let signer = key(KeyType::EcdsaP256);
    let config = r#"{"signing": {"default": {"expiry": "8760h", "usages": ["cert sign"],
        "ca_constraint": {"is_ca": true}}}}"#;
    shell.scratch.write("cfssl.json", config);
    for hidden in ["a b", "a\u{202e}b", "a\0b", "a\nb", "a\u{1b}[2Jb"] {
        for kind in [1, 2, 6] {
            let text = if kind == 6 { format!("spiffe://{hidden}") } else { format!("x@{hidden}") };
            let names = forge::value::list(&[forge::value::general(kind, text.as_bytes())]);
            let extension =
                sequence(&[&tlv(der::OID, oid::SUBJECT_ALT_NAME), &tlv(der::OCTET_STRING, &names)]);
            let list = tlv(der::SET, &sequence(&[&extension]));
            let request = sequence(&[&tlv(der::OID, oid::EXTENSION_REQUEST), &list]);
            let csr = csr(&name("East"), signer.public_key().as_der(), &request, &signer);
            shell.scratch.write("hostile.csr", pem::encode(pem::CERTIFICATE_REQUEST, &csr));
            let ran = shell.run(&format!("{command} --cfssl-config @/cfssl.json"));
            if ran.status == 0 {
                // cfssl drops what it does not read as a name, and says so.
                ended(&ran, 0, &["warning[cfssl/hosts-dropped]", "  names        none\n"]);
                fs::remove_dir_all(shell.scratch.join("out")).unwrap();
                continue;
            }
            assert!(!shell.scratch.join("out").exists(), "{kind} {hidden:?}");
            let refusal = ran.err.contains("error[pki/subject-alt-name]: ");
            assert!(refusal || ran.err.contains("error[cfssl/"), "{kind} {hidden:?}: {}", ran.err);
        }
    }
    // Whoever calls the library is refused as well.
    use meshpki::x509::GeneralName as Name;
    for hidden in ["a b", "", "a\u{202e}b", "a\0b", "a\nb", "a\u{1b}[2Jb", "\u{e9}"] {
        for kind in [Name::Dns, Name::Email, Name::Uri] {
            let mut profile = meshpki::Profile::root(tests::authority::name("CN=Root"));
            profile.subject_alt_names = vec![kind(format!("x{hidden}").into_bytes())];
            let made = meshpki::self_signed(&profile, &signer, tests::authority::stamp());
            let code = made.err().map(|error| error.code());
            let expect = (!hidden.is_empty()).then_some("pki/subject-alt-name");
            assert_eq!(code, expect, "{hidden:?}");
        }
    }
}

/// A chain in which every certificate has one name, and nothing says whose key signed which.
fn one_name_for_all(length: u8) -> String {
    let mut issuer = key(KeyType::EcdsaP256);
    let mut pile = String::new();
    for serial in 1..=length {
        let next = key(KeyType::EcdsaP256);
        let algorithm = issuer.public_key().signing_algorithm().unwrap();
        let dates = [&b"260101000000Z"[..], b"360101000000Z"].map(|d| tlv(der::UTC_TIME, d));
        let tbs = sequence(&[
            &integer(&[serial]),
            &algorithm,
            &name("Same"),
            &sequence(&[&dates[0], &dates[1]]),
            &name("Same"),
            next.public_key().as_der(),
        ]);
        let signature = bit_string(&issuer.sign(&tbs).unwrap());
        pile += &pem::encode(pem::CERTIFICATE, &sequence(&[&tbs, &algorithm, &signature]));
        issuer = next;
    }
    pile
}

#[test]
fn a_pile_nothing_tells_apart_is_given_up() {
    let shell = Shell::new();
    shell.scratch.write("few.pem", one_name_for_all(20));
    assert_eq!(shell.good("ca chain @/few.pem").matches("BEGIN").count(), 20);
    shell.scratch.write("many.pem", one_name_for_all(90));
    shell.check(
        "ca chain @/many.pem --out @/chain.pem",
        r#"
        exit 1
        --- stderr
        error[pki/ambiguous-chain]: too many of the 90 certificates share names: gave up after 1000 wrong guesses at their issuers

        hint: pass only the certificates of one chain, and name the first one with `--leaf`
    "#,
    );
    assert!(!shell.scratch.join("chain.pem").exists());
}

#[test]
fn the_words_of_the_refusals() {
    let (shell, command) = shell();
    let signer = key(KeyType::EcdsaP256);
    let write = |subject: &[u8], spki: &[u8]| {
        let csr = csr(subject, spki, &[], &signer);
        shell.scratch.write("hostile.csr", pem::encode(pem::CERTIFICATE_REQUEST, &csr));
    };
    let sound = signer.public_key().as_der();
    write(&name("East"), &rsa_with_exponent_one().spki);
    shell.check(
        command, r#"
        exit 1
        --- stderr
        error[pki/forgeable-key]: the key of the CSR of `East` protects nothing: its public exponent is 1, so every message is its own signature
          in: @/hostile.csr

        hint: create a new key: `meshctl ca csr DIR --cluster NAME` for a cluster, `meshctl ca init NEW` for a root
    "#,
    );
    write(&name("ea\u{202e}st"), sound);
    shell.check(
        command,
        r#"
        exit 1
        --- stderr
        error[pki/subject]: the subject cannot be used
          in: @/hostile.csr
          because: CN `ea\u{202e}st` contains the invisible character U+202E
    "#,
    );
    let attributes = vec![(oid::ORGANIZATION, der::UTF8_STRING, &b"x"[..]); 1000];
    write(&forge::name(&attributes), sound);
    shell.check(
        command, r#"
        exit 1
        --- stderr
        error[pki/too-many]: too many attributes in the subject of `O = x, O = x, O = x, O = x, O = x, O = x, O = x, O = x, O = x, O = x, O = x, O =`: 1000, expected at most 64
          in: @/hostile.csr
    "#,
    );
    shell.scratch.write("hostile.csr", SHA1);
    shell.check(
        command, r#"
        exit 1
        --- stderr
        error[pki/csr-weak-signature]: the CSR of `sha1` is signed with ecdsa-with-SHA1, expected SHA-256 or stronger
          in: @/hostile.csr

        hint: create the CSR again with SHA-256: `openssl req -new -sha256 -key KEY -out FILE`
    "#,
    );
    let west = tests::authority::csr("CN=West", &key(KeyType::EcdsaP256)).to_pem();
    shell.scratch.write("hostile.csr", west.repeat(2));
    shell.check(
        command,
        r#"
        exit 1
        --- stderr
        error[ctl/one-csr]: expected exactly one CSR, but found 2 CSRs
          in: @/hostile.csr
          because: they begin on lines 1, 9

        hint: put each CSR into a file of its own, with nothing after it
    "#,
    );
}

/// `openssl req -new -sha1 -subj /CN=sha1` with a key on P-256.
const SHA1: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIHHMHECAQAwDzENMAsGA1UEAwwEc2hhMTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABFXMcQxkM9TWdUyTS1OaC46t4sW+t35tsFrjqanfC6FxVhofvxKdfOL6UXN1
SGw3He4uRzHzqIPx9jj9ibCa9vGgADAJBgcqhkjOPQQBA0cAMEQCIGmT3hJk7Sf5
Wm0rqMQVBDmliAf82L1TtCcDoTCorpCcAiAZ9OR2akNGmf8ktWMUCw53+eSyFm8E
CK2MUgHHzMKumA==
-----END CERTIFICATE REQUEST-----
";
