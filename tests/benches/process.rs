//! Whole processes: `meshctl ca init` compared with the equivalent cfssl commands, and a thousand clusters at once.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use tests::ratio::compare;

/// The real program, built with this benchmark.
const MESHCTL: &str = env!("CARGO_BIN_EXE_meshctl-under-test");

const CA: &str =
    r#"{"CN":"Mesh Root CA","key":{"algo":"ecdsa","size":256},"names":[{"O":"Example"}]}"#;
const INTERMEDIATE: &str = r#"{"CN":"Mesh CA","key":{"algo":"ecdsa","size":256},"names":[{"O":"Example"}],"ca":{"expiry":"42720h"}}"#;
const CONFIG: &str = r#"{"signing":{"default":{"expiry":"8760h"},"profiles":{"intermediate_ca":{
    "usages":["cert sign","crl sign"],"expiry":"8760h",
    "ca_constraint":{"is_ca":true,"max_path_len":0,"max_path_len_zero":true}}}}}"#;

fn main() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path();
    for (name, text) in
        [("ca.json", CA), ("intermediate-ca.json", INTERMEDIATE), ("cfssl.json", CONFIG)]
    {
        std::fs::write(dir.join(name), text).expect("a file");
    }
    let init = |clusters: &[String]| {
        let _ = std::fs::remove_dir_all(dir.join("ca"));
        let mut command = Command::new(MESHCTL);
        command.current_dir(dir).args([
            "ca",
            "init",
            "ca",
            "--plain-root-key",
            "--cluster",
            &clusters.join(","),
        ]);
        run(&mut command);
    };
    let two = ["east".to_owned(), "west".to_owned()];
    if Command::new("cfssl").arg("version").output().is_ok() {
        compare(
            "ca init for two clusters / the seed's cfssl sequence",
            0.2,
            || init(&two),
            || seed(dir),
        );
    } else {
        println!("NOT RUN: cfssl is not installed (`apt-get install golang-cfssl`)");
    }
    let test = std::env::args().any(|arg| arg == "--test");
    let clusters = if test { 20 } else { 1000 };
    let many: Vec<String> = (0..clusters).map(|n| format!("c{n}")).collect();
    let start = Instant::now();
    init(&many);
    println!(
        "ca init for {clusters} clusters, P-256: {:.2} s (1 s promised for 1,000)",
        start.elapsed().as_secs_f64()
    );
}

/// The cfssl commands for two clusters: a root, then an intermediate and its signature for each.
fn seed(dir: &Path) {
    shell(dir, "cfssl gencert -initca ca.json | cfssljson -bare ca");
    for _ in 0..2 {
        shell(dir, "cfssl gencert -initca intermediate-ca.json | cfssljson -bare intermediate_ca");
        shell(
            dir,
            "cfssl sign -ca ca.pem -ca-key ca-key.pem -config cfssl.json -profile intermediate_ca intermediate_ca.csr \
             | cfssljson -bare intermediate_ca",
        );
    }
}

fn shell(dir: &Path, line: &str) {
    run(Command::new("sh").current_dir(dir).args(["-c", line]));
}

fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.expect("a process").success(), "{command:?}");
}
