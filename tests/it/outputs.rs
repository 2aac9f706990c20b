//! What is overwritten, and what never is: only a file of the same kind.

use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use tests::Shell;
use tests::authority::{Authority, key};
use tests::cli::ended;

use meshpki::KeyType;
use meshpki::internals::pem;

/// Files that must never be lost, by what they are.
fn precious(root: &Authority) -> Vec<(&'static str, Vec<u8>)> {
    let pkcs8 = |kind| pem::decode(key(kind).to_pem().as_bytes()).remove(0).unwrap().der.clone();
    let plain = key(KeyType::EcdsaP256).to_pem().as_bytes().to_vec();
    let cert = root.cert.to_pem().into_bytes();
    let armoured = |label: &str| pem::encode(label, b"openssh-key-v1\0none none").into_bytes();
    vec![
        ("a PKCS#8 key in DER", pkcs8(KeyType::EcdsaP256)),
        ("an Ed25519 key in DER", pkcs8(KeyType::Ed25519)),
        ("an RSA key in DER", pkcs8(KeyType::Rsa2048)),
        ("a key in PEM", plain.clone()),
        ("an encrypted key", root.key.to_encrypted_pem(b"secret").unwrap().into_bytes()),
        ("an OpenSSH key", armoured("OPENSSH PRIVATE KEY")),
        ("a key of GnuPG", armoured("PGP PRIVATE KEY BLOCK")),
        ("a CSR", tests::authority::csr("CN=x", &root.key).to_pem().into_bytes()),
        ("PKCS#12", [&[0x30, 0x82, 0x09, 0x59, 0x02, 0x01, 0x03], &[7; 99][..]].concat()),
        ("a Java key store", [&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], &[7; 99][..]].concat()),
        ("PuTTY's key", b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n".to_vec()),
        ("an age key", b"AGE-SECRET-KEY-1QQQQ\n".to_vec()),
        ("a certificate and its key", [cert.clone(), plain].concat()),
        ("a certificate, and a key in DER", [cert.clone(), pkcs8(KeyType::EcdsaP256)].concat()),
        ("a certificate in DER, and bytes", [root.cert.as_der(), b"more"].concat()),
        (
            "a key after the certificate in its block",
            pem::encode("CERTIFICATE", &[root.cert.as_der(), &pkcs8(KeyType::EcdsaP256)].concat())
                .into_bytes(),
        ),
        ("a certificate, and a line of text", [cert.clone(), b"password: x\n".to_vec()].concat()),
        ("a certificate that is cut off", cert[..cert.len() / 2].to_vec()),
        ("a label that lies", pem::encode("CERTIFICATE", &pkcs8(KeyType::EcdsaP256)).into_bytes()),
        ("bytes", vec![0, 159, 146, 150]),
        ("text", b"notes\n".to_vec()),
    ]
}

#[test]
fn only_certificates_are_replaced_by_certificates() {
    let shell = Shell::new();
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    shell.scratch.write("root.pem", root.cert.to_pem());
    for (what, content) in precious(&root) {
        shell.scratch.write("out/chain.pem", &content);
        let before = shell.scratch.entries("out");
        let ran = shell.run("ca chain @/root.pem --out @/out/chain.pem");
        assert_eq!(ran.status, 1, "{what}");
        ended(&ran, 1, &["error[ctl/exists]", "is not overwritten"]);
        assert_eq!(shell.scratch.entries("out"), before, "{what}");
    }
    let other = Authority::root(KeyType::EcdsaP384, "CN=Other", |_| {}).cert;
    let listed = format!("# roots\nsubject=CN = Other\nissuer=CN = Other\n{}\n", other.to_pem());
    for (what, content) in [
        ("a certificate", other.to_pem().into_bytes()),
        ("two", (other.to_pem() + &other.to_pem()).into_bytes()),
        ("as s_client lists them", listed.into_bytes()),
        ("DER", other.as_der().to_vec()),
        ("nothing", Vec::new()),
    ] {
        shell.scratch.write_key("out/chain.pem", &content);
        shell.good("ca chain @/root.pem --out @/out/chain.pem");
        assert_eq!(shell.scratch.read("out/chain.pem"), root.cert.to_pem(), "{what}");
        assert_eq!(shell.scratch.modes("out"), "0600 chain.pem\n", "{what}: its mode stays");
    }
}

/// The same for the lock file, which is replaced as it was read.
#[test]
fn only_a_lock_file_is_replaced_by_a_lock_file() {
    let shell = Shell::new();
    shell.scratch.write("mesh.yaml", include_str!("../../fixtures/mesh/five-clusters/mesh.yaml"));
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    for (what, content) in precious(&root) {
        shell.scratch.write("out/mesh.lock", &content);
        let before = shell.scratch.entries("out");
        let ran = shell.run("mesh addresses -f @/mesh.yaml --lock @/out/mesh.lock");
        assert_ne!(ran.status, 0, "{what}: {}", ran.out);
        assert_eq!(shell.scratch.entries("out"), before, "{what}");
    }
    for name in ["link", "null"] {
        let target = if name == "null" { Path::new("/dev/null") } else { Path::new("theirs") };
        symlink(target, shell.scratch.join("out").join(name)).unwrap();
        let ran = shell.run(&format!("mesh addresses -f @/mesh.yaml --lock @/out/{name}"));
        ended(&ran, 1, &["error[ctl/exists]", "is a link and is not written to"]);
        assert!(shell.scratch.join("out").join(name).is_symlink());
        assert!(!shell.scratch.join("out/theirs").exists());
    }
}

/// Rendered files are replaced and removed only while they are what an earlier run wrote.
#[test]
fn only_rendered_files_are_replaced_or_removed() {
    let shell = Shell::new();
    shell.scratch.write("mesh.yaml", include_str!("../../fixtures/mesh/five-clusters/mesh.yaml"));
    shell.good("mesh render -f @/mesh.yaml -o @/out");
    let files = shell.scratch.entries("out");
    let path = files.keys().find(|name| name.ends_with(".yaml")).unwrap().clone();
    let written = shell.scratch.read(&format!("out/{path}"));
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    for target in [path.as_str(), ".meshctl-files"] {
        let good = shell.scratch.read(&format!("out/{target}"));
        for (what, content) in precious(&root) {
            shell.scratch.write(&format!("out/{target}"), &content);
            let before = shell.scratch.entries("out");
            let ran = shell.run("mesh render -f @/mesh.yaml -o @/out --istio 1.20.0");
            ended(&ran, 1, &["error[ctl/exists]"]);
            assert_eq!(shell.scratch.entries("out"), before, "{target}: {what}");
        }
        shell.scratch.write(&format!("out/{target}"), good);
    }
    // A file of ours that was edited is replaced, as ever.
    shell.scratch.write(&format!("out/{path}"), written.clone() + "# edited\n");
    shell.good("mesh render -f @/mesh.yaml -o @/out");
    assert_eq!(shell.scratch.read(&format!("out/{path}")), written);
}

#[test]
fn links_and_devices_are_not_written_to() {
    let shell = Shell::new();
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {}).cert;
    shell.scratch.write("root.pem", root.to_pem());
    shell.scratch.write("out/target.pem", root.to_pem());
    let at = |name: &str| shell.scratch.join("out").join(name);
    symlink("target.pem", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("/dev/null", at("null")).unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for name in ["link", "dangling", "null", "folder", "pipe", "socket"] {
        let ran = shell.run(&format!("ca chain @/root.pem --out @/out/{name}"));
        ended(&ran, 1, &["error[ctl/exists]", "is not written to"]);
    }
    ended(&shell.run("ca chain @/root.pem --out /dev/null"), 1, &["error[ctl/exists]"]);
    assert!(at("link").is_symlink() && at("dangling").is_symlink() && !at("nowhere").exists());
    assert!(std::fs::symlink_metadata(at("pipe")).unwrap().file_type().is_fifo());
    let left = std::fs::read_dir(shell.scratch.join("out")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 7, "nothing is left beside: {left:?}");
}

/// A killed run leaves its unfinished file; the next run for that name removes it, whatever the process id in its name
/// is by now, and leaves alone what another run is writing, and what is not ours.
#[test]
fn unfinished_files_are_cleared() {
    let shell = Shell::new();
    let root = Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {}).cert;
    shell.scratch.write("root.pem", root.to_pem());
    let stale = [".chain.pem.meshctl-1", ".chain.pem.meshctl-00c0ffee00c0ffee"];
    let stays = [".chain.pem.meshctl-", ".chain.pem.meshctl-mine", ".other.pem.meshctl-1"];
    let busy = ".chain.pem.meshctl-abcdef0123456789";
    for name in stale.iter().chain(&stays).chain([&busy]) {
        shell.scratch.write(&format!("out/{name}"), "half");
    }
    let writer = std::fs::File::open(shell.scratch.join("out").join(busy)).unwrap();
    writer.lock().unwrap();
    shell.good("ca chain @/root.pem --out @/out/chain.pem");
    let names: Vec<String> = shell.scratch.entries("out").into_keys().collect();
    let mut expected: Vec<&str> = stays.iter().copied().chain([busy, "chain.pem"]).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    drop(writer);
    // A program that another test is starting has our lock between its fork and its exec.
    for _ in 0..100 {
        shell.good("ca chain @/root.pem --out @/out/chain.pem");
        if !shell.scratch.join("out").join(busy).exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("{busy} is still there");
}

/// Modes, and the warnings `ca init` says for them.
#[test]
fn who_else_may_read_and_write_is_said() {
    let check = |path: &str, mode: u32, code: Option<&str>| {
        let shell = Shell::new();
        shell.scratch.write_key("pass", "gimlet otter quarry lantern mosaic tundra\n");
        shell.good("ca init @/ca --cluster east,west --passphrase-file @/pass");
        shell.good("ca init @/ca --cluster tls --layout tls --passphrase-file @/pass");
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(shell.scratch.join(path), mode.clone()).unwrap();
        for command in [
            "ca init @/ca --cluster north --passphrase-file @/pass",
            "ca renew @/ca --cluster west --passphrase-file @/pass",
            "ca csr @/ca --cluster south",
            "check @/ca",
        ] {
            let reads = !path.contains("pass") || command.contains("pass");
            let ran = shell.run(command);
            let said = ran.err.contains("warning[ctl/key-permissions]")
                || ran.err.contains("warning[ctl/dir-permissions]")
                || ran.err.contains("warning[ctl/passphrase-permissions]");
            let right = code.is_none_or(|code| ran.err.contains(&format!("warning[ctl/{code}]")));
            assert_eq!(said, code.is_some() && reads, "{path} {mode:?} {command}\n{}", ran.err);
            assert!(right || !reads, "{path} {mode:?} {command}\n{}", ran.err);
        }
    };
    check("ca/east/ca-key.pem", 0o600, None);
    check("ca/east/ca-key.pem", 0o400, None);
    for mode in [0o644, 0o640, 0o604, 0o620, 0o666] {
        check("ca/east/ca-key.pem", mode, Some("key-permissions"));
    }
    check("ca/tls/tls.key", 0o644, Some("key-permissions"));
    check("ca/root-key.pem", 0o604, Some("key-permissions"));
    check("pass", 0o644, Some("passphrase-permissions"));
    check("pass", 0o440, Some("passphrase-permissions"));
    check("ca", 0o755, None);
    for (path, mode) in [("ca", 0o777), ("ca", 0o770), ("ca", 0o1777), ("ca/east", 0o702)] {
        check(path, mode, Some("dir-permissions"));
    }
}

#[test]
fn a_folder_of_another_user_is_said() {
    let shell = Shell::new();
    shell.good("ca init @/ca --cluster east --plain-root-key");
    if std::os::unix::fs::chown(shell.scratch.join("ca/east"), Some(12_345), None).is_err() {
        return tests::judges::missing("chown", "only root may give a folder away");
    }
    let ran = shell.run("ca init @/ca --cluster west");
    ended(
        &ran,
        0,
        &["warning[ctl/dir-permissions]: the folder belongs to another user, with the id 12345"],
    );
}
