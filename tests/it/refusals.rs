//! Every refusal and every warning with its message; and that every code has one.

use std::collections::BTreeSet;
use std::path::Path;

use tests::Shell;
use tests::authority::{Authority, csr, key, resigned};

use meshpki::x509::{KeyUsage, RawExtension};
use meshpki::{KeyType, Profile, Role};

const KIND: KeyType = KeyType::EcdsaP256;

/// A root after `change` in `ca`, and next to it the CSR of `east`.
fn under(change: impl FnOnce(&mut Profile)) -> (Shell, Authority) {
    let shell = Shell::new();
    let root = Authority::root(KIND, "O=Mesh, CN=Root", change);
    root.write_root(&shell.scratch, "ca");
    shell.scratch.write("east.csr", csr("O=Mesh, CN=East", &key(KIND)).to_pem());
    (shell, root)
}

const SIGN: &str = "ca sign @/east.csr --ca @/ca --out -";

#[test]
fn what_the_issuer_may_not_sign() {
    let (shell, _) = under(|p| p.role = Role::EndEntity);
    shell.check(SIGN, r#"
        exit 1
        --- stderr
        error[pki/issuer-not-ca]: `Root` is not a CA: basicConstraints does not say CA:TRUE
          in: @/east.csr

        hint: `meshctl ca inspect FILE` shows its usages; `meshctl ca init DIR` creates a root that can sign
    "#);
    let (shell, _) = under(|p| p.key_usage = KeyUsage::CRL_SIGN.with(KeyUsage::DIGITAL_SIGNATURE));
    shell.check(SIGN, r#"
        exit 1
        --- stderr
        error[pki/issuer-may-not-sign]: `Root` may not sign certificates: its keyUsage is digitalSignature, cRLSign and lacks keyCertSign
          in: @/east.csr

        hint: `meshctl ca inspect FILE` shows its usages; `meshctl ca init DIR` creates a root that can sign
    "#);
    let (shell, _) = under(|p| p.role = Role::Ca { path_len: Some(0) });
    shell.check(SIGN, r#"
        exit 1
        --- stderr
        error[pki/path-length-exceeded]: `Root` has path length 0, which does not allow the CA `East` with path length 0 below it
          in: @/east.csr

        hint: ask the owner of that CA for one without a path length, or with a larger one; for a root of your own, `--path-len` of `meshctl ca init` sets it
    "#);
    shell.check("ca init @/ca --cluster east", r#"
        exit 1
        --- stderr
        error[pki/path-length-exceeded]: `Root` has path length 0, which does not allow the CA `Mesh CA east` with path length 0 below it
          in: cluster east

        hint: ask the owner of that CA for one without a path length, or with a larger one; for a root of your own, `--path-len` of `meshctl ca init` sets it
    "#);
    let (shell, _) = under(|p| p.role = Role::Ca { path_len: Some(1) });
    shell.check("ca sign @/east.csr --ca @/ca --path-len 1 --out -", r#"
        exit 1
        --- stderr
        error[pki/path-length-exceeded]: `Root` has path length 1, which does not allow the CA `East` with path length 1 below it
          in: @/east.csr

        hint: ask the owner of that CA for one without a path length, or with a larger one; for a root of your own, `--path-len` of `meshctl ca init` sets it
    "#);
    shell.check(
        "ca sign @/east.csr --ca @/ca --validity 1h --at 2026-01-01T00:00:00Z --out -",
        r#"
        exit 1
        --- stderr
        error[pki/empty-validity]: the certificate of `East` would end before it begins: it would be valid from 2026-11-21T06:55:00Z to 2026-01-01T00:55:00Z
          in: @/east.csr
    "#,
    );
    shell.check("ca sign @/east.csr --ca @/ca --validity 11y --out -", r#"
        exit 1
        --- stderr
        error[pki/outlives-issuer]: `East` would be valid until 2037-11-18T06:55:00Z, but its issuer `Root` expires 2036-11-18T06:55:00Z
          in: @/east.csr

        hint: choose a shorter `--validity` (`ca init`: `--cluster-validity`), or omit it
    "#);
    shell.check(
        "ca sign @/east.csr --ca @/ca --subject 'O=MESH, CN=root' --out -",
        r#"
        exit 1
        --- stderr
        error[pki/subject-is-issuer]: the new CA would have the same subject as its issuer: `root`
          in: @/east.csr
    "#,
    );
    shell.check("ca sign @/east.csr --ca @/ca --at 2037-01-01 --out -", r#"
        exit 1
        --- stderr
        error[pki/outlives-issuer]: `East` would be valid until 2037-12-31T23:55:00Z, but its issuer `Root` expires 2036-11-18T06:55:00Z
          in: @/east.csr
          because: the issuer has expired

        hint: create a new root in its own folder: `meshctl ca init DIR --cluster NAME`
    "#);
    shell.check("ca init @/new --root-validity 9000y --plain-root-key", r#"
        exit 1
        --- stderr
        error[pki/time-range]: @285619244100 cannot be in a certificate, expected a year from 1950 to 9999
    "#);
}

#[test]
fn keys_that_do_not_fit() {
    let (shell, root) = under(|_| {});
    shell.scratch.write("root.csr", csr("CN=East", &root.key).to_pem());
    shell.check(
        "ca sign @/root.csr --ca @/ca --out -",
        r#"
        exit 1
        --- stderr
        error[pki/key-reused]: `East` would have the same key as its issuer `Root`
          in: @/root.csr
    "#,
    );
    shell.scratch.write_key("other-key.pem", key(KIND).to_pem().as_bytes());
    shell.check(
        "ca sign @/east.csr --ca-cert @/ca/root-cert.pem --ca-key @/other-key.pem --out -",
        r#"
        exit 1
        --- stderr
        error[pki/key-mismatch]: the private key does not belong to `Root`: the certificate has key sha256 [key], the private key is sha256 [key]
          in: @/ca/root-cert.pem

        hint: `meshctl ca inspect CERT KEY` shows both key fingerprints
    "#,
    );
    shell.scratch.write_key("ca/root-key.pem", key(KIND).to_pem().as_bytes());
    shell.check("ca init @/ca --cluster east", r#"
        exit 1
        --- stderr
        error[pki/key-mismatch]: the private key does not belong to `Root`: the certificate has key sha256 [key], the private key is sha256 [key]
          in: @/ca/root-key.pem

        hint: `meshctl ca inspect CERT KEY` shows both key fingerprints
    "#);
}

#[test]
fn csrs_that_cannot_be_signed() {
    let (shell, _) = under(|_| {});
    let csr = csr("O=Mesh, CN=East", &key(KIND));
    let mut tampered = csr.as_der().to_vec();
    let place = tampered.windows(4).position(|w| w == b"East").unwrap();
    tampered[place] = b'W';
    shell.scratch.write("tampered.csr", tampered);
    shell.check(
        "ca sign @/tampered.csr --ca @/ca --out -",
        r#"
        exit 1
        --- stderr
        error[pki/csr-signature]: the CSR of `Wast` is not signed by its own key
          in: @/tampered.csr

        hint: create the CSR again on the machine that has the key: `meshctl ca csr DIR --cluster NAME`
    "#,
    );
    shell.scratch.write("cut.csr", &csr.as_der()[..100]);
    shell.check(
        "ca sign @/cut.csr --ca @/ca --out -",
        r#"
        exit 1
        --- stderr
        error[pki/der]: the CSR cannot be decoded
          in: @/cut.csr
          because: length past the end at byte 0
    "#,
    );
    shell.scratch.write("cut.pem", &csr.to_pem()[..200]);
    shell.check(
        "ca sign @/cut.pem --ca @/ca --out -",
        r#"
        exit 1
        --- stderr
        error[pki/pem]: @/cut.pem is not valid PEM
          because: line 1: `BEGIN CERTIFICATE REQUEST` has no END marker
    "#,
    );
    let none = meshpki::Csr::create(&meshpki::Name::empty(), &[], Role::EndEntity, &key(KIND));
    shell.scratch.write("none.csr", none.unwrap().to_pem());
    shell.check(
        "ca sign @/none.csr --ca @/ca --out -",
        r#"
        exit 1
        --- stderr
        error[pki/empty-subject]: a CA certificate needs a subject
          in: @/none.csr
    "#,
    );
    shell.scratch.write("rsa-1024.csr", RSA_1024);
    shell.check("ca sign @/rsa-1024.csr --ca @/ca --out -", r#"
        exit 1
        --- stderr
        error[pki/unsupported-key]: the key of `rsa-1024` is rsa-1024, which cannot be used: Go and Envoy refuse RSA below 2048 bits
          in: @/rsa-1024.csr
    "#);
    shell.scratch.write("k1.csr", SECP256K1);
    shell.check("ca sign @/k1.csr --ca @/ca --out -", r#"
        exit 1
        --- stderr
        error[pki/unsupported-key]: the key of `k1` is algorithm 1.3.132.0.10, which cannot be used: istiod and Envoy do not support it
          in: @/k1.csr
    "#);
}

#[test]
fn keys_that_cannot_be_read() {
    let (shell, root) = under(|_| {});
    let with = |content: &str, expect: &str| {
        shell.scratch.write_key("ca/root-key.pem", content);
        let ran = shell.run(SIGN);
        assert_eq!(ran.status, 1);
        assert!(ran.err.contains(expect), "{}", ran.err);
    };
    with("", "the private key cannot be read: no private key was found");
    with("-----BEGIN PRIVATE KEY-----\nMAA=\n", "`BEGIN PRIVATE KEY` has no END marker");
    with(
        "-----BEGIN DSA PRIVATE KEY-----\nMAA=\n-----END DSA PRIVATE KEY-----\n",
        "DSA PRIVATE KEY is not supported",
    );
    shell.check(
        SIGN,
        r#"
        exit 1
        --- stderr
        error[pki/key]: the private key cannot be read: DSA PRIVATE KEY is not supported
          in: @/ca/root-key.pem
    "#,
    );
    let encrypted = root.key.to_encrypted_pem(b"secret").unwrap();
    with(&encrypted, "error[pki/key-encrypted]");
    shell.scratch.write_key("ca/root-key.pem", LEGACY);
    shell.check(SIGN, r#"
        exit 1
        --- stderr
        error[pki/key-encrypted]: the private key cannot be read: it is encrypted, and no passphrase was given
          in: @/ca/root-key.pem

        hint: give the passphrase with `--passphrase-file FILE` or `--passphrase-env VARIABLE`
    "#);
}

#[test]
fn names_and_words_that_cannot_be_used() {
    let shell = Shell::new();
    shell.check(
        "ca init @/ca --cluster east --cluster-subject 'O=Mesh, Mesh CA'",
        r#"
        exit 64
        --- stderr
        error[pki/subject]: the subject cannot be used
          in: cluster east
          because: `Mesh CA` is not of the form TYPE=VALUE
    "#,
    );
    shell.check(
        "ca init @/ca --cluster east --cluster-subject 'C=Germany'",
        r#"
        exit 64
        --- stderr
        error[pki/subject]: the subject cannot be used
          in: cluster east
          because: country `Germany` is not a two-letter code
    "#,
    );
    shell.check("ca init @/ca --cluster east --trust-domain East.Example", r#"
        exit 64
        --- stderr
        error[pki/trust-domain]: `East.Example` is not a valid trust domain: only a-z, 0-9, `-` and `.` are allowed
          in: cluster east
    "#);
    shell.check(
        "ca init @/ca --cluster east,west --trust-domain west=west.example --constrain",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: `--constrain` needs a trust domain for `east`
          in: cluster east

        hint: add `--trust-domain east=DOMAIN`
    "#,
    );
    shell.check(
        "ca init @/ca --cluster east --san ip:10.0.0.1",
        r#"
        exit 64
        --- stderr
        error[ctl/san]: `ip:10.0.0.1` is not a valid subject alternative name
          in: cluster east
          because: expected `dns:NAME` or `uri:URI`
    "#,
    );
    shell.check("ca init @/ca --cluster east,previous", r#"
        exit 64
        --- stderr
        error[ctl/cluster-name]: `previous` is not a valid cluster name
          because: expected 1 to 40 letters, digits, `-`, `_` and `.`, beginning with a letter or digit, not ending with `.`, and not `previous`, `revoked.txt`, `root-cert.pem`, `root-crl.pem`, `root-key.pem` or a device of Windows, such as `nul`
    "#);
    shell.check(
        "ca init @/ca --cluster east --constrain",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: `--constrain` needs a trust domain for `east`
          in: cluster east

        hint: add `--trust-domain east=DOMAIN`
    "#,
    );
    shell.check("ca init @/ca --cluster east --key-type rsa", r#"
        exit 64
        --- stderr
        error: invalid value 'rsa' for '--key-type <TYPE>': unknown key type `rsa`; expected one of ecdsa-p256, ecdsa-p384, ecdsa-p521, ed25519, rsa-2048, rsa-3072, rsa-4096, rsa-8192

        For more information, try '--help'.
    "#);
    shell.check("ca init @/ca --cluster east --root-validity 10", r#"
        exit 64
        --- stderr
        error: invalid value '10' for '--root-validity <TIME>': expected a duration, such as 3650d, 10y, 42720h or 90m

        For more information, try '--help'.
    "#);
    shell.check("ca init @/ca --cluster east --at yesterday", r#"
        exit 64
        --- stderr
        error: invalid value 'yesterday' for '--at <RFC3339>': expected a time, such as 2026-11-21T07:00:00Z or 2026-11-21

        For more information, try '--help'.
    "#);
    shell.check(
        "ca init @/ca --cluster east --root-subject CN",
        r#"
        exit 64
        --- stderr
        error: invalid value 'CN' for '--root-subject <NAME>': `CN` is not of the form TYPE=VALUE

        For more information, try '--help'.
    "#,
    );
    shell.check(
        "ca init",
        r#"
        exit 64
        --- stderr
        error: the following required arguments were not provided:
          <DIR>

        Usage: meshctl ca init <DIR>

        For more information, try '--help'.
    "#,
    );
    assert!(!shell.scratch.join("ca").exists());
}

/// A cluster's set under a root in `ca`, after `change` to its profile and `spoil` to its folder.
fn set(change: fn(&mut Profile), spoil: fn(&Shell, &Authority, &Authority)) -> Shell {
    let (shell, root) = under(|_| {});
    let east = root.below(KIND, "CN=East", change);
    east.write_set(&shell.scratch, "ca/east", &[&root.cert], &[&root.cert]);
    spoil(&shell, &root, &east);
    shell
}

const AGAIN: &str = "ca init @/ca --cluster east";

#[test]
fn sets_istiod_would_refuse() {
    let same = |_: &mut Profile| {};
    set(same, |_, _, _| {}).good(AGAIN);
    let shell = set(same, |shell, _, _| {
        std::fs::remove_file(shell.scratch.join("ca/east/cert-chain.pem")).unwrap()
    });
    shell.check(
        AGAIN,
        r#"
        exit 1
        --- stderr
        error[pki/missing-file]: `cert-chain.pem` is missing
          in: @/ca/east

        hint: restore the file, or move the folder away and run this command again
    "#,
    );
    let shell = set(|p| p.role = Role::EndEntity, |_, _, _| {});
    shell.check(
        AGAIN,
        r#"
        exit 1
        --- stderr
        error[pki/not-ca]: `East` is not a CA: basicConstraints does not say CA:TRUE
          in: @/ca/east
    "#,
    );
    let shell = set(|p| p.ext_key_usage = vec![meshpki::Oid::CLIENT_AUTH], |_, _, _| {});
    shell.check(AGAIN, r#"
        exit 1
        --- stderr
        error[pki/ext-key-usage]: `East` has an extended key usage without serverAuth, which istiod rejects
          in: @/ca/east

        hint: leave extended key usages out of CA certificates, or add serverAuth
    "#);
    let shell = set(same, |shell, root, _| {
        shell.scratch.write_key("ca/east/ca-key.pem", root.key.to_pem().as_bytes())
    });
    shell.check(AGAIN, r#"
        exit 1
        --- stderr
        error[pki/root-key]: the private key is that of the root `Root`: a root key must never reach a cluster
          in: @/ca/east

        hint: give the cluster its own intermediate: `meshctl ca init DIR --cluster NAME`
    "#);
    let shell = set(same, |shell, _, _| {
        shell.scratch.write_key("ca/east/ca-key.pem", key(KIND).to_pem().as_bytes())
    });
    shell.check(AGAIN, r#"
        exit 1
        --- stderr
        error[pki/key-mismatch]: the private key does not belong to `East`: the certificate has key sha256 [key], the private key is sha256 [key]
          in: @/ca/east

        hint: `meshctl ca inspect CERT KEY` shows both key fingerprints
    "#);
    let shell = set(same, |shell, root, _| {
        shell.scratch.write("ca/east/cert-chain.pem", root.cert.to_pem())
    });
    shell.check(AGAIN, r#"
        exit 1
        --- stderr
        error[pki/chain-order]: the chain is out of order: certificate 1 is `Root`, expected the CA certificate `East` itself
          in: @/ca/east

        hint: `meshctl ca chain --leaf ca-cert.pem FILES --out cert-chain.pem` puts it in order
    "#);
    let shell = set(same, |shell, _, _| shell.scratch.write("ca/east/root-cert.pem", "nothing\n"));
    shell.check(
        AGAIN,
        r#"
        exit 1
        --- stderr
        error[pki/no-certificate]: no certificate in root-cert.pem
          in: @/ca/east
    "#,
    );
    let shell = set(same, |shell, root, east| {
        let glued = east.cert.to_pem().trim_end().to_owned() + &root.cert.to_pem();
        shell.scratch.write("ca/east/cert-chain.pem", glued);
    });
    shell.check(AGAIN, r#"
        exit 1
        --- stderr
        error[pki/pem]: cert-chain.pem is not valid PEM
          in: @/ca/east
          because: line 11: the END and the next BEGIN marker are on one line: a newline is missing between two files
    "#);
    let shell = set(same, |shell, root, _| {
        let pem = root.cert.to_pem().replacen("MII", "MIH", 1);
        shell.scratch.write("ca/east/root-cert.pem", pem);
    });
    shell.check(
        AGAIN,
        r#"
        exit 1
        --- stderr
        error[pki/der]: the certificate at line 1 of root-cert.pem cannot be decoded
          in: @/ca/east
          because: tbsCertificate is not a SEQUENCE at byte 3
    "#,
    );
}

/// The mesh's other judge: what OpenSSL takes and istiod's Go does not.
#[test]
fn sets_only_istiod_would_refuse() {
    let same = |_: &mut Profile| {};
    let shell = set(same, |shell, root, east| {
        let sha_1 = [0x30, 9, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
        let cert = resigned(&east.cert, &root.key, |fields| fields[2] = sha_1.to_vec());
        shell.scratch.write("ca/east/ca-cert.pem", cert.to_pem());
        shell.scratch.write("ca/east/cert-chain.pem", cert.to_pem() + &root.cert.to_pem());
    });
    shell.check(AGAIN, r#"
        exit 1
        --- stderr
        error[pki/weak-signature]: `East` is signed with algorithm ecdsa-with-SHA1, which Go, and therefore istiod, rejects
          in: @/ca/east
    "#);
    let shell = set(same, |shell, root, east| {
        let name = meshpki::internals::der::sequence(&[&UNIVERSAL]);
        let cert = resigned(&east.cert, &root.key, |fields| fields[5] = name);
        shell.scratch.write("ca/east/ca-cert.pem", cert.to_pem());
        shell.scratch.write("ca/east/cert-chain.pem", cert.to_pem() + &root.cert.to_pem());
    });
    shell.check(AGAIN, r#"
        exit 1
        --- stderr
        error[pki/istiod-unreadable]: istiod cannot read the certificate of `R`: invalid RDNSequence: invalid attribute value: unsupported string type: 28
          in: @/ca/east
    "#);
    let shell = set(same, |shell, _, east| {
        let parameters =
            "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        let text = parameters.to_owned() + &east.key.to_pem();
        shell.scratch.write_key("ca/east/ca-key.pem", text);
    });
    shell.check(AGAIN, r#"
        exit 1
        --- stderr
        error[pki/key]: the private key cannot be read: istiod reads only the first block, which must be RSA PRIVATE KEY, EC PRIVATE KEY or PRIVATE KEY, not EC PARAMETERS
          in: @/ca/east

        hint: `openssl pkey -in OLD -out NEW` converts it to a PRIVATE KEY block
    "#);
    let shell = set(same, |shell, root, _| {
        let text = root.cert.to_pem().replace("CERTIFICATE", "TRUSTED CERTIFICATE");
        shell.scratch.write("ca/east/root-cert.pem", text);
    });
    shell.check(AGAIN, r#"
        exit 1
        --- stderr
        error[pki/pem]: root-cert.pem is not valid PEM
          in: @/ca/east
          because: line 1: Go, and therefore istiod, reads only blocks labelled CERTIFICATE, without headers: this is `TRUSTED CERTIFICATE`
    "#);
}

/// RDN of a common name `R` in a UniversalString.
const UNIVERSAL: [u8; 15] = [0x31, 13, 0x30, 11, 6, 3, 0x55, 4, 3, 0x1c, 4, 0, 0, 0, 0x52];

#[test]
fn what_the_verification_engine_refuses() {
    let shell = set(|_| {}, |_, _, _| {});
    shell.check("ca init @/ca --cluster east --at 2027-12-01T00:00:00Z", r#"
        exit 1
        --- stderr
        error[pki/untrusted]: `East` does not verify under the given roots: error 10 at depth 0: certificate has expired
          in: @/ca/east

        hint: `meshctl ca verify --explain -CAfile @/ca/east/root-cert.pem -untrusted @/ca/east/cert-chain.pem @/ca/east/ca-cert.pem` shows the details; `meshctl ca renew @/ca --cluster east` replaces what has expired
    "#);
    let (shell, _) = under(|p| p.permitted_uri_hosts = vec!["east.example".into()]);
    shell.check("ca sign @/east.csr --ca @/ca --san uri:spiffe://west.example --out -", r#"
        exit 1
        --- stderr
        error[pki/name-constraints]: the name constraints of `Root` do not allow `East`: permitted subtree violation
          in: @/east.csr
    "#);
    assert_eq!(
        shell
            .run("ca sign --yes @/east.csr --ca @/ca --san uri:spiffe://east.example --out -")
            .status,
        0
    );
}

#[test]
fn a_certificate_its_issuer_would_not_verify() {
    let (shell, root) = under(|_| {});
    let odd = RawExtension::new("1.2.3.9".parse().unwrap(), true, [5, 0]);
    let odd = root.below(KIND, "CN=Odd", |p| {
        p.role = Role::Ca { path_len: Some(1) };
        p.extra_extensions.push(odd);
    });
    shell.scratch.write("odd.pem", odd.cert.to_pem() + &root.cert.to_pem());
    shell.scratch.write_key("odd-key.pem", odd.key.to_pem().as_bytes());
    shell.check(
        "ca sign @/east.csr --ca-cert @/odd.pem --ca-key @/odd-key.pem --out @/east --yes",
        r#"
        exit 1
        --- stderr
        error[pki/not-verifiable]: `East` would not verify under its issuer `Odd`: unhandled critical extension
          in: @/east.csr
    "#,
    );
    assert!(!shell.scratch.join("east").exists());
}

/// Codes no command line can bring about.
const UNREACHABLE: &[(&str, &str)] = &[("pki/sign", "keys in memory do not fail; a token may")];

/// The text of every file in a folder and below it.
fn all_text(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let text = |path: std::path::PathBuf| match path.is_dir() {
        true => all_text(&path),
        false => std::fs::read_to_string(path).unwrap_or_default(),
    };
    entries.map(|entry| text(entry.path())).collect()
}

#[test]
fn every_code_stands_in_a_snapshot() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("it");
    let text = all_text(&folder);
    let told = |code: &str| {
        text.contains(&format!("error[{code}]: ")) || text.contains(&format!("warning[{code}]: "))
    };
    let codes = meshpki::Error::CODES.iter().chain(meshctl::failure::Failure::CODES);
    let codes = codes.chain(meshapply::endpoint::Error::CODES);
    let codes = codes.chain(meshapply::remote::Problem::CODES).copied();
    let untold: BTreeSet<&str> = codes.filter(|code| !told(code)).collect();
    let known: BTreeSet<&str> = UNREACHABLE.iter().map(|(code, _)| *code).collect();
    assert_eq!(untold, known);
}

/// `openssl req -new -newkey rsa:1024 -subj /CN=rsa-1024`.
const RSA_1024: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIIBUjCBvAIBADATMREwDwYDVQQDDAhyc2EtMTAyNDCBnzANBgkqhkiG9w0BAQEF
AAOBjQAwgYkCgYEAqVAzqOUqmQIUGJreQQGdfbuxZtsLLQpHPvrAlJWSjmMTEwN+
OplktJuSBTkwPJzw+L8E8kPvlhVd2xFR2kJpONsZ0r/A5oBObgf6hoCHfGCARSmy
CB4BQEKTLBF5fkczAXEFQbs1+2MJslL+ZC9rHoav2TqHlQt7LMhce5pHahcCAwEA
AaAAMA0GCSqGSIb3DQEBCwUAA4GBAAyyteHudR5+BB9wEfkgsCk3M8KJZ5ROsL0B
jGT6tYuZC2SZCuCeZo+Ps1z+MkJzOGT4Oc7sw4wt4EeeSyHFXETvXWVZhzyGQ6jE
ehRLaC/BgRCy8fSeYkmkSWCDJXaL5dJH/dor0+MsUmgPNdHHVjMncNaBdmzc8p8G
DmXunFTI
-----END CERTIFICATE REQUEST-----
";

/// `openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:secp256k1 -subj /CN=k1`.
const SECP256K1: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIHFMGwCAQAwDTELMAkGA1UEAwwCazEwVjAQBgcqhkjOPQIBBgUrgQQACgNCAAS5
J1ZlZRpCAkeuYS96LBAwFZyQAQOvQWrlOvtbcy71uHGwJbjW3xOby+wt9H37k5Mc
epc3DDbtrJZZw7YWEGEqoAAwCgYIKoZIzj0EAwIDSQAwRgIhAKn8qGbC6aWDJL1c
66ySVzsEzsaHtKYa2ZwXjVgGrWF1AiEAvM6WmCxj9PIhso3L3AK3CmOqh2q1+VcS
jQP3wKS286E=
-----END CERTIFICATE REQUEST-----
";

/// The head of what `openssl ec -aes256` writes.
const LEGACY: &str = "\
-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-256-CBC,8DBCD10E6E2C2EBD099C95C9B51DD771

AAAA
-----END EC PRIVATE KEY-----
";

#[test]
fn a_trust_domain_of_no_cluster_is_a_slip_of_the_pen() {
    let shell = Shell::new();
    shell.check(
        "ca init @/ca --cluster east --trust-domain eats=east.example",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: `--trust-domain eats=east.example` names a cluster that is not part of this command
          because: the clusters are east
    "#,
    );
    assert!(!shell.scratch.join("ca").exists());
}

#[test]
fn what_does_not_lead_to_its_root_is_not_signed() {
    let any = |p: &mut Profile| p.role = Role::Ca { path_len: None };
    let (shell, root) = under(any);
    let middle = root.below(KIND, "O=Mesh, CN=Middle", any);
    let other = Authority::root(KIND, "O=Other, CN=Other Root", any);
    shell.scratch.write("middle.pem", middle.cert.to_pem() + &other.cert.to_pem());
    shell.scratch.write_key("middle-key.pem", middle.key.to_pem().as_bytes());
    shell.check(
        "ca sign @/east.csr --ca-cert @/middle.pem --ca-key @/middle-key.pem --out @/east",
        r#"
        exit 1
        --- stderr
        error[pki/untrusted]: `East` does not verify under the given roots: error 20 at depth 1: unable to get local issuer certificate
          in: @/middle.pem

        hint: `meshctl ca inspect FILE` shows what the issuer's file contains: the issuer, the CAs above it, its root
    "#,
    );
    assert!(!shell.scratch.join("east").exists());
    middle.write_root(&shell.scratch, "no-root");
    shell.check("ca sign @/east.csr --ca @/no-root --out @/east", r#"
        exit 1
        --- stderr
        error[pki/untrusted]: `East` does not verify under the given roots: error 2 at depth 1: unable to get issuer certificate
          in: @/no-root/root-cert.pem

        hint: `meshctl ca inspect FILE` shows what the issuer's file contains: the issuer, the CAs above it, its root
    "#);
}

#[test]
fn braces_that_stand_for_nothing() {
    let (shell, _) = under(|_| {});
    shell.check(
        &format!("{SIGN} --san uri:spiffe://{{cluster}}/ca"),
        r#"
        exit 64
        --- stderr
        error[ctl/san]: `uri:spiffe://{cluster}/ca` is not a valid subject alternative name
          because: the only placeholder is `{cluster}`, in commands that take a cluster
    "#,
    );
    shell.check(
        "ca init @/ca --cluster east --san dns:ca.{clutser}",
        r#"
        exit 64
        --- stderr
        error[ctl/san]: `dns:ca.{clutser}` is not a valid subject alternative name
          in: cluster east
          because: the only placeholder is `{cluster}`, in commands that take a cluster
    "#,
    );
}

#[test]
fn a_pipe_in_the_folder_is_not_waited_for() {
    let shell = Shell::new();
    std::fs::create_dir(shell.scratch.join("ca")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", shell.scratch.join("ca/root-cert.pem")).unwrap();
    shell.check(
        "ca init @/ca",
        r#"
        exit 1
        --- stderr
        error[ctl/io]: `@/ca/root-cert.pem` is a pipe or a device, not a file
    "#,
    );
}
