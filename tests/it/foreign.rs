//! What people have: every form that openssl and keytool read or write is read, with the same certificates and keys; what
//! cannot be read is named, and the command that is printed converts it.

use std::process::Command;

use meshpki::internals::contents::{Contents, Object};
use meshpki::internals::{Budget, der, pem};
use meshpki::{Cert, KeyType, Role, Signer};
use tests::Shell;
use tests::authority::Authority;
use tests::ber::loosened;
use tests::cli::ended;
use tests::judges;
use tests::random::Random;

const KIND: KeyType = KeyType::EcdsaP256;

/// A root, an issuing CA, and a cluster's CA with its key, as files.
struct Corporate {
    shell: Shell,
    root: Authority,
    issuing: Authority,
    east: Authority,
}

fn corporate() -> Corporate {
    let shell = Shell::new();
    let root =
        Authority::root(KIND, "O=Corp, CN=Corp Root", |p| p.role = Role::Ca { path_len: None });
    let issuing =
        root.below(KIND, "O=Corp, CN=Corp Issuing", |p| p.role = Role::Ca { path_len: None });
    let east = issuing.below(KIND, "O=Corp, CN=Mesh CA east", |_| {});
    let files = [("root", &root), ("issuing", &issuing), ("east", &east)];
    for (name, authority) in files {
        shell.scratch.write(&format!("{name}.pem"), authority.cert.to_pem());
        shell.scratch.write(&format!("{name}.der"), authority.cert.as_der());
    }
    shell.scratch.write_key("east.key", east.key.to_pem().as_bytes());
    shell.scratch.write("above.pem", issuing.cert.to_pem() + &root.cert.to_pem());
    shell.scratch.write("pass", "secret\n");
    Corporate { shell, root, issuing, east }
}

impl Corporate {
    /// The chain as `ca chain` writes it.
    fn chain(&self) -> String {
        [&self.east, &self.issuing, &self.root].map(|ca| ca.cert.to_pem()).concat()
    }

    /// Runs a line in the folder; whether it succeeded, and what it printed.
    fn sh(&self, line: &str) -> (bool, String) {
        let mut shell = Command::new("sh");
        let answer = judges::run(shell.args(["-c", line]).current_dir(self.shell.scratch.path()));
        (answer.good, answer.out + &answer.err)
    }

    /// The same, which must succeed.
    #[track_caller]
    fn made(&self, line: &str) {
        let (good, said) = self.sh(line);
        assert!(good, "{line}\n{said}");
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.shell.scratch.join(name)).expect("a file that was made")
    }

    /// What is read in a file is what went in: these certificates, and the key of `east`.
    #[track_caller]
    fn holds(&self, bytes: &[u8], certs: &[&Cert], key: bool, what: &str) {
        let pile = Contents::read(bytes, Some(b"secret"), &mut Budget::new(Budget::ROUNDS));
        let mut found: Vec<Cert> = pile.certs().cloned().collect();
        let mut wanted: Vec<Cert> = certs.iter().map(|cert| (*cert).clone()).collect();
        for list in [&mut found, &mut wanted] {
            list.sort_by_key(Cert::fingerprint);
        }
        assert_eq!(found, wanted, "{what}");
        let keys = pile.found.iter().filter_map(|found| match &found.object {
            Object::Key(key) => Some(key.public_key().clone()),
            Object::Unreadable(error) => panic!("{what}: {error}"),
            Object::LockedKey => panic!("{what}: locked"),
            _ => None,
        });
        let wanted = key.then(|| self.east.key.public_key().clone());
        assert_eq!(keys.collect::<Vec<_>>(), Vec::from_iter(wanted), "{what}");
    }

    fn certs(&self) -> [&Cert; 3] {
        [&self.east.cert, &self.issuing.cert, &self.root.cert]
    }
}

/// Whether a program is there; tests that only follow a printed command do without it.
fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        judges::say(&format!("NOT RUN: what needs {program}, which is not installed"));
    }
    found
}

#[test]
fn containers_of_openssl() {
    let corporate = corporate();
    let export = "openssl pkcs12 -export -inkey east.key -in east.pem -certfile above.pem";
    let mut read = 0;
    for (i, options) in [
        "-legacy -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-RC2-40 -macalg sha1",
        "-legacy -keypbe PBE-SHA1-2DES -certpbe PBE-SHA1-RC2-128 -macalg sha384",
        "-keypbe aes-256-cbc -certpbe aes-128-cbc -macalg sha256",
        "-keypbe des-ede3-cbc -certpbe aes-192-cbc -macalg sha512 -iter 100000 -maciter",
        "-keypbe NONE -certpbe NONE",
        "-nomac",
        "-nomaciter -noiter",
        "-name 'a friendly name' -caname one",
    ]
    .iter()
    .enumerate()
    {
        let file = format!("{i}.pfx");
        corporate.made(&format!("{export} {options} -passout file:pass -out {file}"));
        let bytes = corporate.bytes(&file);
        corporate.holds(&bytes, &corporate.certs(), true, options);
        let chain = format!("ca chain @/{file} --passphrase-file @/pass");
        assert_eq!(corporate.shell.good(&chain), corporate.chain(), "{options}");
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let ber = loosened(&mut random, &bytes, 3);
            corporate.shell.scratch.write("ber.pfx", &ber);
            // What openssl reads, we read.
            if corporate.sh("openssl pkcs12 -legacy -in ber.pfx -noout -passin file:pass").0 {
                corporate.holds(&ber, &corporate.certs(), true, &format!("{options}, seed {seed}"));
                read += 1;
            }
        }
    }
    assert!(read > 20, "{read}");
    // No passphrase, and one that is not ASCII.
    for passphrase in ["", "pässwörd 🔑"] {
        corporate.shell.scratch.write("odd", format!("{passphrase}\n"));
        corporate.made(&format!("{export} -legacy -passout file:odd -out odd.pfx"));
        let command = match passphrase {
            "" => "ca chain @/odd.pfx",
            _ => "ca chain @/odd.pfx --passphrase-file @/odd",
        };
        assert_eq!(corporate.shell.good(command), corporate.chain());
    }
}

#[test]
fn containers_of_java() {
    let corporate = corporate();
    if !has("keytool") {
        return judges::missing("keytool", "it is not installed");
    }
    corporate.made("openssl pkcs12 -export -inkey east.key -in east.pem -certfile above.pem -passout pass:secret -out in.pfx");
    let import = "keytool -importkeystore -noprompt -srckeystore in.pfx -srcstorepass secret -deststorepass secret";
    corporate.made(&format!("{import} -destkeystore java.p12 -deststoretype PKCS12"));
    corporate.holds(&corporate.bytes("java.p12"), &corporate.certs(), true, "java.p12");
    corporate.made("keytool -importcert -noprompt -file root.pem -alias root -keystore trust.p12 -storetype PKCS12 -storepass secret");
    corporate.holds(&corporate.bytes("trust.p12"), &[&corporate.root.cert], false, "trust.p12");
    corporate.made(&format!("{import} -destkeystore java.jks -deststoretype JKS"));
    let ran = corporate.shell.run("ca chain @/java.jks");
    ended(
        &ran,
        1,
        &[
            "error[pki/no-certificate]: ",
            "it is a Java keystore",
            "`keytool -importkeystore -srckeystore ",
        ],
    );
    let printed = printed_command(&ran.err)
        .replace(" -destkeystore", " -srcstorepass secret -deststorepass secret -destkeystore");
    corporate.made(&printed);
    assert_eq!(
        corporate.shell.good("ca chain @/java.jks.p12 --passphrase-file @/pass"),
        corporate.chain()
    );
}

#[test]
fn pkcs7_of_openssl() {
    let corporate = corporate();
    for form in ["PEM", "DER"] {
        corporate.made(&format!(
            "openssl crl2pkcs7 -nocrl -certfile root.pem -certfile east.pem -certfile issuing.pem -outform {form} -out {form}.p7b"
        ));
        corporate.holds(&corporate.bytes(&format!("{form}.p7b")), &corporate.certs(), false, form);
        assert_eq!(corporate.shell.good(&format!("ca chain @/{form}.p7b")), corporate.chain());
    }
    let bytes = corporate.bytes("DER.p7b");
    // IIS writes BEGIN CERTIFICATE around it.
    corporate.shell.scratch.write("iis.cer", pem::encode("CERTIFICATE", &bytes));
    assert_eq!(corporate.shell.good("ca chain @/iis.cer"), corporate.chain());
    let mut read = 0;
    for seed in 0..200 {
        let ber = loosened(&mut Random::new(seed), &bytes, 40);
        corporate.shell.scratch.write("ber.p7b", &ber);
        if corporate.sh("openssl pkcs7 -inform der -in ber.p7b -noout").0 {
            let pile = Contents::read(&ber, None, &mut Budget::new(0));
            assert_eq!(pile.certs().count(), 3, "seed {seed}");
            read += 1;
        }
    }
    assert!(read > 20, "{read}");
    corporate.made("openssl pkcs7 -inform der -in DER.p7b -print_certs -out subjects.pem");
    assert_eq!(corporate.shell.good("ca chain @/subjects.pem"), corporate.chain());
    // Text that begins as DER does: `0: Certificate`.
    corporate.made("openssl storeutl -certs subjects.pem > store.txt");
    assert_eq!(corporate.bytes("store.txt")[0], 0x30);
    assert_eq!(corporate.shell.good("ca chain @/store.txt"), corporate.chain());
}

#[test]
fn keys_in_every_encryption() {
    let corporate = corporate();
    let forms = [
        "openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -provider legacy -provider default",
        "openssl pkcs8 -topk8 -v1 PBE-SHA1-RC2-128 -provider legacy -provider default",
        "openssl pkcs8 -topk8 -v2 des3",
        "openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA512",
        "openssl pkcs8 -topk8 -v2 aes-128-cbc -iter 600000",
        "openssl pkcs8 -topk8 -scrypt",
        "openssl ec -des3",
        "openssl ec -aes128",
        "openssl ec -aes192",
        "openssl ec -aes256",
        "openssl ec -des -provider legacy -provider default",
        "openssl pkcs8 -topk8 -outform DER -v2 aes-256-cbc",
    ];
    for form in forms {
        corporate.made(&format!("{form} -in east.key -passout file:pass -out locked.key"));
        corporate.holds(&corporate.bytes("locked.key"), &[], true, form);
        let wrong = Contents::read(
            &corporate.bytes("locked.key"),
            Some(b"wrong"),
            &mut Budget::new(Budget::ROUNDS),
        );
        assert!(wrong.has_wrong_passphrase(), "{form}");
    }
    corporate.made("openssl genrsa -aes256 -traditional -passout file:pass -out rsa.key 2048");
    let rsa = Contents::read(&corporate.bytes("rsa.key"), Some(b"secret"), &mut Budget::new(0));
    assert!(matches!(rsa.found[0].object, Object::Key(_)));
    // The corporate CA signs with such a key.
    corporate.shell.good("ca csr @/ca --cluster west");
    corporate.shell.scratch.write_key("issuing.key", corporate.issuing.key.to_pem().as_bytes());
    corporate.made("openssl ec -des3 -in issuing.key -passout file:pass -out issuing-locked.key && chmod 600 issuing-locked.key");
    corporate.shell.good("ca sign @/ca/west/ca.csr --ca-cert @/above.pem --ca-key @/issuing-locked.key --passphrase-file @/pass --yes --out @/ca/west");
}

#[test]
fn text_of_windows_and_of_terminals() {
    let corporate = corporate();
    let chain = corporate.chain();
    let utf16 = |unit: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
        let mark = mark.then_some('\u{feff}').into_iter();
        let text: String = mark.chain(chain.replace('\n', "\r\n").chars()).collect();
        text.encode_utf16().flat_map(unit).collect()
    };
    let [east, issuing, root] = corporate.certs().map(Cert::to_pem);
    let bag = |name: &str| format!("Bag Attributes\n    friendlyName: {name}\nsubject=CN = x\n");
    for (what, bytes) in [
        ("UTF-16LE", utf16(u16::to_le_bytes, true)),
        ("UTF-16BE", utf16(u16::to_be_bytes, true)),
        ("UTF-16LE without a mark", utf16(u16::to_le_bytes, false)),
        ("UTF-16BE without a mark", utf16(u16::to_be_bytes, false)),
        ("CRLF", chain.replace('\n', "\r\n").into_bytes()),
        ("byte order mark", [b"\xef\xbb\xbf", chain.as_bytes()].concat()),
        ("marks between", format!("\u{feff}{east}\u{feff}{issuing}\u{feff}{root}").into_bytes()),
        (
            "indented",
            chain.lines().map(|line| format!("    {line}\n")).collect::<String>().into_bytes(),
        ),
        ("tabs", chain.lines().map(|line| format!("\t{line}\n")).collect::<String>().into_bytes()),
        (
            "bag attributes",
            [bag("1"), east.clone(), bag("2"), issuing.clone(), bag("3"), root.clone()]
                .concat()
                .into_bytes(),
        ),
        ("glued", format!("{}{}{root}", east.trim_end(), issuing.trim_end()).into_bytes()),
    ] {
        corporate.holds(&bytes, &corporate.certs(), false, what);
        corporate.shell.scratch.write("odd.pem", &bytes);
        assert_eq!(corporate.shell.good("ca chain @/odd.pem"), chain, "{what}");
    }
}

#[test]
fn hostile_containers_end_at_once() {
    let shell = Shell::new();
    shell.scratch.write("pass", "secret\n");
    let oid = |numbers: &[u8]| der::tlv(der::OID, numbers);
    let pkcs7 = |last: u8| oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last]);
    let data = |content: &[u8]| {
        der::sequence(&[
            &pkcs7(1),
            &der::constructed(0xa0, &[&der::tlv(der::OCTET_STRING, content)]),
        ])
    };
    let pfx =
        |content: &[u8], mac: &[u8]| der::sequence(&[&der::integer(&[3]), &data(content), mac]);
    let mac = |rounds: &[u8]| {
        let sha1 = der::sequence(&[&oid(&[0x2b, 14, 3, 2, 26])]);
        let digest = der::sequence(&[&sha1, &der::tlv(der::OCTET_STRING, &[7; 20])]);
        der::sequence(&[&digest, &der::tlv(der::OCTET_STRING, &[1; 8]), &der::integer(rounds)])
    };
    let empty = der::sequence(&[]);
    let mut nested = empty.clone();
    for _ in 0..10_000 {
        let bag = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 6]);
        let bag = der::sequence(&[&bag, &der::constructed(0xa0, &[&nested])]);
        nested = der::sequence(&[&bag]);
    }
    for (name, bytes) in [
        ("billions.pfx", pfx(&empty, &mac(&[0x7f, 0xff, 0xff, 0xff]))),
        ("more.pfx", pfx(&empty, &mac(&[1; 9]))),
        ("none.pfx", pfx(&empty, &mac(&[0]))),
        ("wrong.pfx", pfx(&empty, &mac(&[1]))),
        ("deep.pfx", pfx(&der::sequence(&[&data(&nested)]), &[])),
        ("long.p7b", [&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff][..], &pkcs7(2)].concat()),
        ("cut.p7b", der::sequence(&[&pkcs7(2)])),
    ] {
        shell.scratch.write(name, bytes);
    }
    shell.check("ca chain @/billions.pfx --passphrase-file @/pass", r#"
        exit 1
        --- stderr
        error[pki/key-cost]: the PKCS#12 container cannot be read: decrypting it takes 2147483647 rounds of a digest, more than [id]
          in: @/billions.pfx

        hint: no program writes that many: the file is damaged or hostile, so ask for a new one
    "#);
    shell.check("ca chain @/more.pfx --passphrase-file @/pass", r#"
        exit 1
        --- stderr
        error[pki/key-cost]: the PKCS#12 container cannot be read: decrypting it takes more rounds of a digest than fit into 64 bits
          in: @/more.pfx

        hint: no program writes that many: the file is damaged or hostile, so ask for a new one
    "#);
    shell.check("ca chain @/none.pfx --passphrase-file @/pass", r#"
        exit 1
        --- stderr
        error[pki/container]: the PKCS#12 container cannot be read: the number of iterations is below 1 at byte 69
          in: @/none.pfx
    "#);
    shell.check("ca chain @/wrong.pfx --passphrase-file @/pass", r#"
        exit 1
        --- stderr
        warning[ctl/passphrase-permissions]: the passphrase file is readable by users other than its owner
          in: @/pass

        hint: `chmod 600 @/pass`; in a pod, `defaultMode: 0400`
        error[pki/key-passphrase]: the PKCS#12 container cannot be read: the passphrase does not decrypt it
          in: @/wrong.pfx

        hint: the passphrase is the first line of the file in `--passphrase-file`, or the whole value of the variable in `--passphrase-env`, including spaces
    "#);
    shell.check("ca chain @/wrong.pfx", r#"
        exit 1
        --- stderr
        error[pki/key-encrypted]: the PKCS#12 container cannot be read: it is encrypted, and no passphrase was given
          in: @/wrong.pfx

        hint: give the passphrase with `--passphrase-file FILE` or `--passphrase-env VARIABLE`
    "#);
    shell.check(
        "ca chain @/deep.pfx",
        r#"
        exit 1
        --- stderr
        error[pki/container]: the PKCS#12 container cannot be read: bags nested too deep at byte 28
          in: @/deep.pfx
    "#,
    );
    shell.check(
        "ca chain @/long.p7b",
        r#"
        exit 1
        --- stderr
        error[pki/no-certificate]: no certificate in @/long.p7b
          because: it begins as DER, but length past the end at byte 0
    "#,
    );
    shell.check("ca chain @/cut.p7b", r#"
        exit 1
        --- stderr
        error[pki/container]: the PKCS#7 container cannot be read: the container has no content at byte 13
          in: @/cut.p7b
    "#);
}

/// The command between the first backticks of the hint.
#[track_caller]
fn printed_command(err: &str) -> String {
    let hint = err.split("hint: ").nth(1).unwrap_or_else(|| panic!("no hint in {err}"));
    hint.split('`').nth(1).expect("a command").to_owned()
}

/// What is not read is named, and the printed command makes something of it that is read.
#[test]
fn what_cannot_be_read_is_named() {
    let corporate = corporate();
    let shell = &corporate.shell;
    shell.good("ca csr @/ca --cluster east");
    let chain = corporate.chain();
    let json = serde_json::json!({"data": {"certificate": chain}}).to_string();
    let both = chain.clone() + &corporate.east.key.to_pem();
    let json_of_both = serde_json::json!({"data": {"pem": both}}).to_string();
    let base64 = |bytes: &[u8]| -> String {
        let text = pem::encode("X", bytes);
        text.lines().filter(|line| !line.starts_with('-')).map(|line| format!("{line}\n")).collect()
    };
    for (file, content, what, end, program) in [
        ("a.json", json.clone(), "it is JSON with PEM text in it", "pem", "jq"),
        ("b.pem", chain.replace('\n', "\\n"), "the two characters `\\n`", "pem", "awk"),
        ("c.txt", base64(corporate.east.cert.as_der()), "it is base64 of DER", "der", "base64"),
        ("d.txt", base64(chain.as_bytes()), "it is base64 of PEM text", "pem", "base64"),
        ("e.json", json_of_both, "it is JSON with PEM text in it", "pem", "jq"),
        ("f.pem", both.replace('\n', "\\n"), "the two characters `\\n`", "pem", "awk"),
        ("g.txt", base64(both.as_bytes()), "it is base64 of PEM text", "pem", "base64"),
    ] {
        let has_key = content.contains("KEY") || content == base64(both.as_bytes());
        shell.scratch.write(file, content);
        let ran = shell.run(&format!("ca chain @/{file}"));
        ended(&ran, 1, &["error[pki/no-certificate]: ", what]);
        if has(program) {
            corporate.made(&printed_command(&ran.err));
            let made = format!("{file}.{end}");
            shell.good(&format!("ca chain @/{made}"));
            if has_key {
                assert_eq!(shell.scratch.entries("")[&made].mode, 0o600, "{made}");
            }
        }
    }
    for (file, content, parts) in [
        (
            "page.crt",
            "<!DOCTYPE html><html>".to_owned(),
            &["it is a web page", "download the file again"][..],
        ),
        ("id.pub", "ssh-ed25519 AAAA me".to_owned(), &["it is an SSH public key"]),
        ("empty.pem", String::new(), &["the file is empty"]),
        ("none.json", "{}".to_owned(), &["it is JSON without PEM text"]),
        ("only.key", corporate.east.key.to_pem().to_string(), &["it is a private key"]),
    ] {
        shell.scratch.write(file, content);
        let sign = "ca sign @/ca/east/ca.csr --ca-key @/east.key --out - --yes --ca-cert";
        for command in [sign, "ca expiry", "ca inspect"] {
            if command == sign || file != "only.key" {
                ended(&shell.run(&format!("{command} @/{file}")), 1, parts);
            }
        }
    }
    let ran = shell.run("ca bundle @/ca/east/ca.csr");
    ended(&ran, 1, &["error[pki/no-certificate]: "]);
    if has("ssh-keygen") {
        corporate.made("ssh-keygen -q -t ecdsa -N '' -f id");
        let sign = "ca sign @/ca/east/ca.csr --ca-cert @/root.pem --out - --yes --ca-key";
        let ran = shell.run(&format!("{sign} @/id"));
        ended(&ran, 1, &["error[pki/key]: ", "a private key in OpenSSH's own format"]);
        corporate.made(&printed_command(&ran.err));
        ended(&shell.run(&format!("{sign} @/id.pem")), 1, &["error[pki/key-mismatch]: "]);
    }
    corporate.made("openssl pkcs12 -export -legacy -keypbe PBE-SHA1-RC4-128 -certpbe PBE-SHA1-RC4-128 -inkey east.key -in east.pem -passout file:pass -out rc4.pfx");
    let ran = shell.run("ca chain @/rc4.pfx --passphrase-file @/pass");
    ended(&ran, 1, &["error[pki/container]: ", "RC4 with 128 bits, which is not supported"]);
    let convert = ran.err.rsplit('`').nth(1).expect("a command").to_owned();
    let convert = convert
        .replace("OLD", "rc4.pfx")
        .replace("NEW.pem", "rc4.pem -passin file:pass -passout pass:secret");
    corporate.made(&convert);
    assert_eq!(shell.good("ca chain @/rc4.pem"), corporate.east.cert.to_pem());
}

/// Every command that takes certificates takes containers; a wrong passphrase and a missing one have their codes.
#[test]
fn every_command_reads_containers() {
    let corporate = corporate();
    let shell = &corporate.shell;
    corporate.made("openssl pkcs12 -export -inkey east.key -in east.pem -certfile above.pem -passout file:pass -out east.pfx");
    corporate
        .made("openssl crl2pkcs7 -nocrl -certfile root.pem -certfile issuing.pem -out above.p7b");
    for (command, parts) in [
        (
            "ca inspect @/east.pfx --passphrase-file @/pass",
            &["east.pfx, PKCS#12 object 1: private key", "Mesh CA east"][..],
        ),
        ("ca inspect @/above.p7b -o json", &["\"kind\": \"PKCS#7\""]),
        ("ca expiry @/east.pfx --passphrase-file @/pass --within 1d", &[]),
        ("ca expiry @/ --passphrase-file @/pass --within 99999d", &["east.pfx", "above.p7b"]),
        ("ca bundle @/above.p7b", &["is not a root"]),
        ("ca bundle @/east.pfx --passphrase-file @/pass", &["a private key was left out"]),
    ] {
        let status = if command.contains("99999d") { 2 } else { 0 };
        ended(&shell.run(command), status, parts);
    }
    shell.scratch.write("wrong", "wrong\n");
    for command in ["ca chain", "ca bundle", "ca adopt @/ca --cluster east --yes"] {
        ended(
            &shell.run(&format!("{command} @/east.pfx")),
            1,
            &["error[pki/key-encrypted]: ", "PKCS#12"],
        );
        let ran = shell.run(&format!("{command} @/east.pfx --passphrase-file @/wrong"));
        ended(&ran, 1, &["error[pki/key-passphrase]: "]);
    }
    let ran = shell.run("ca expiry @/east.pfx");
    ended(&ran, 1, &["it is encrypted, and no passphrase was given"]);
}
