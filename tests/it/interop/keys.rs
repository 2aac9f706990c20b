//! Private keys in every common format, read by us; and ours, read by openssl.

use tests::authority::Authority;
use tests::judges::openssl;
use tests::{Scratch, Shell};

use meshpki::{KeyType, Signer, SoftKey};

use super::{KINDS, key};

/// How openssl writes the key that is in `in.pem`; `%` is the format under test.
const FORMATS: &[(&str, &[&str], &str)] = &[
    ("PKCS#8", &["ec", "rsa", "ed"], "pkcs8 -topk8 -nocrypt -in in.pem -out out.pem"),
    ("traditional", &["ec", "rsa"], "pkey -traditional -in in.pem -out out.pem"),
    ("SEC1 without public key", &["ec"], "ec -no_public -in in.pem -out out.pem"),
    ("SEC1 with a compressed point", &["ec"], "ec -conv_form compressed -in in.pem -out out.pem"),
    ("PBES2", ALL, "pkcs8 -topk8 -passout pass:secret -in in.pem -out out.pem"),
    (
        "PBES2 AES-128",
        ALL,
        "pkcs8 -topk8 -v2 aes-128-cbc -passout pass:secret -in in.pem -out out.pem",
    ),
    ("PBES2 3DES", ALL, "pkcs8 -topk8 -v2 des3 -passout pass:secret -in in.pem -out out.pem"),
    (
        "PBES2 SHA-1",
        ALL,
        "pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA1 -passout pass:secret -in in.pem -out out.pem",
    ),
    ("PBES2 scrypt", ALL, "pkcs8 -topk8 -scrypt -passout pass:secret -in in.pem -out out.pem"),
];
const ALL: &[&str] = &["ec", "rsa", "ed"];

fn family(kind: KeyType) -> &'static str {
    match kind {
        KeyType::EcdsaP256 | KeyType::EcdsaP384 | KeyType::EcdsaP521 => "ec",
        KeyType::Ed25519 => "ed",
        _ => "rsa",
    }
}

#[test]
fn every_format_is_read() {
    let Some(openssl) = openssl() else { return };
    let scratch = Scratch::new();
    for kind in KINDS {
        let key = key(kind, 0);
        scratch.write_key("in.pem", key.to_pem().as_bytes());
        for (format, families, command) in FORMATS {
            if !families.contains(&family(kind)) {
                continue;
            }
            openssl.good(&scratch, command);
            let text = scratch.read("out.pem");
            let check = |text: &str| {
                let read = SoftKey::from_pem(text.as_bytes(), Some(b"secret"));
                let read =
                    read.unwrap_or_else(|error| panic!("{kind} as {format}: {error}\n{text}"));
                assert!(read.public_key() == key.public_key(), "{kind} as {format}");
            };
            check(&text);
            check(&text.replace('\n', "\r\n"));
            check(&format!("Bag Attributes\n  friendlyName: x\n{text}"));
            if text.starts_with("-----BEGIN EC PRIVATE KEY") {
                check(&(parameters(&openssl, &scratch, kind) + &text));
            }
        }
    }
}

/// The block `openssl ecparam -genkey` writes before the key.
fn parameters(openssl: &tests::judges::Openssl, scratch: &Scratch, kind: KeyType) -> String {
    let curve = match kind {
        KeyType::EcdsaP256 => "prime256v1",
        KeyType::EcdsaP384 => "secp384r1",
        _ => "secp521r1",
    };
    openssl.good(scratch, &format!("ecparam -name {curve}"))
}

/// cfssl 1.6 writes Ed25519 keys under a label of its own.
#[test]
fn the_label_of_cfssl_is_read() {
    let ed = key(KeyType::Ed25519, 0);
    let text = ed.to_pem().replace("PRIVATE KEY", "Ed25519 PRIVATE KEY");
    assert_eq!(SoftKey::from_pem(text.as_bytes(), None).unwrap().public_key(), ed.public_key());
}

/// Whatever it is read from, the key can sign: through the command, once per family.
#[test]
fn ca_sign_signs_with_an_encrypted_key_of_openssl() {
    let Some(openssl) = openssl() else { return };
    let mut shell = Shell::new();
    shell.env = vec![("PASS", "secret")];
    shell.scratch.write("east.csr", tests::authority::csr("CN=East", &key(KINDS[0], 1)).to_pem());
    for kind in KINDS {
        let root = Authority::root(kind, "CN=Root", |_| {});
        root.write_root(&shell.scratch, "ca");
        openssl.good(
            &shell.scratch,
            "pkcs8 -topk8 -scrypt -passout pass:secret -in ca/root-key.pem -out ca/encrypted.pem",
        );
        std::fs::rename(
            shell.scratch.join("ca/encrypted.pem"),
            shell.scratch.join("ca/root-key.pem"),
        )
        .unwrap();
        let pem = shell.good("ca sign --yes @/east.csr --ca @/ca --passphrase-env PASS --out -");
        shell.scratch.write("east.pem", pem);
        openssl.verifies(&shell.scratch, "-CAfile ca/root-cert.pem east.pem");
    }
}

#[test]
fn openssl_reads_what_we_write() {
    let Some(openssl) = openssl() else { return };
    let mut shell = Shell::new();
    shell.env = vec![("PASS", "a passphrase, ü")];
    for kind in KINDS {
        shell.good(&format!(
            "ca init @/{kind} --cluster east --key-type {kind} --passphrase-env PASS"
        ));
        let public = |file: &str, options: &str| {
            let args = format!("pkey -in {kind}/{file} -pubout {options}");
            openssl.good(&shell.scratch, &args)
        };
        let certified = |file: &str| {
            openssl.good(&shell.scratch, &format!("x509 -noout -pubkey -in {kind}/{file}"))
        };
        assert_eq!(public("east/ca-key.pem", ""), certified("east/ca-cert.pem"), "{kind}");
        let pass = "-passin 'pass:a passphrase, ü'";
        // Words are split at quotes, so the option and its value are separate.
        assert_eq!(public("root-key.pem", pass), certified("root-cert.pem"), "{kind}");
        openssl.good(&shell.scratch, &format!("pkey -in {kind}/east/ca-key.pem -noout -check"));
    }
}
