//! The program needs nothing from the system that it runs on.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::super::{at, output};
use super::{Bench, emulated, expect};

/// A credential plugin for the chroot: it leaves a file, and prints a token.
const PLUGIN: &str = r#"
#include <fcntl.h>
#include <stdio.h>
int main(void) {
    if (creat("/asked", 0600) < 0) return 1;
    puts("{\"apiVersion\": \"client.authentication.k8s.io/v1\", \"kind\": \"ExecCredential\", \"status\": {\"token\": \"t\"}}");
    return 0;
}
"#;
/// A cluster whose name only /etc/hosts knows, with that plugin.
const KUBECONFIG: &str = r#"{"apiVersion": "v1", "kind": "Config",
"clusters": [{"name": "east", "cluster": {
    "server": "https://api.east.example:9", "certificate-authority": "/ca/root-cert.pem"}}],
"users": [{"name": "admin", "user": {"exec": {
    "apiVersion": "client.authentication.k8s.io/v1", "command": "/plugin", "interactiveMode": "Never"}}}],
"contexts": [{"name": "east", "context": {"cluster": "east", "user": "admin"}}]}"#;

pub(super) fn check(bench: &Bench<'_>) -> Result<(), String> {
    let program = bench.unpacked.join("meshctl");
    let kind = output(Command::new("file").arg("--brief").arg(&program))?;
    let is_static = kind.contains("static-pie linked") || kind.contains("statically linked");
    expect(is_static && kind.contains(", stripped"), || format!("file says {kind}"))?;
    let libraries = Command::new("ldd").arg(&program).output();
    let libraries = libraries.map_err(|error| format!("ldd: {error}"))?;
    let libraries =
        String::from_utf8_lossy(&[libraries.stdout, libraries.stderr].concat()).into_owned();
    let none = ["statically linked", "not a dynamic executable"];
    expect(none.iter().any(|none| libraries.contains(none)), || format!("ldd says {libraries}"))?;
    has_no_paths(bench, &program)?;
    in_an_empty_chroot(bench, &program)
}

/// No path of the machine that built it is in it.
pub(super) fn has_no_paths(bench: &Bench<'_>, program: &Path) -> Result<(), String> {
    let text = fs::read(program).map_err(|error| at(program, &error))?;
    // Where Cargo's folder is depends on the machine; where the crates are in it does not.
    for path in [bench.release.root.display().to_string(), "registry/src/".to_owned()] {
        let found = text.windows(path.len()).any(|window| window == path.as_bytes());
        expect(!found, || format!("the path {path} is in it"))?;
    }
    Ok(())
}

/// It creates a CA with the system's random numbers, runs a plugin, and resolves a name, though /etc/nsswitch.conf names
/// modules first; it loads no library.
fn in_an_empty_chroot(bench: &Bench<'_>, program: &Path) -> Result<(), String> {
    let root = bench.folder("chroot")?;
    let put = |name: &str, text: &str| {
        let path = root.join(name);
        fs::write(&path, text).map_err(|error| at(&path, &error))
    };
    let etc = root.join("etc");
    fs::create_dir_all(&etc).map_err(|error| at(&etc, &error))?;
    put("etc/nsswitch.conf", "hosts: resolve mymachines files dns\npasswd: sss files\n")?;
    put("etc/hosts", "127.0.0.1 api.east.example\n")?;
    put("kubeconfig", KUBECONFIG)?;
    // The plugin's standard input; every container has it.
    let dev = root.join("dev");
    fs::create_dir_all(&dev).map_err(|error| at(&dev, &error))?;
    output(Command::new("mknod").arg(dev.join("null")).args(["c", "1", "3"]))?;
    put("plugin.c", PLUGIN)?;
    let plugin = root.join("plugin.c");
    output(Command::new("cc").arg("-static").arg("-o").arg(root.join("plugin")).arg(&plugin))?;
    fs::copy(program, root.join("meshctl")).map_err(|error| at(program, &error))?;
    let emulator = emulated(&root, bench.release)?;
    let trace = bench.scratch.path().join("trace");
    let run = |line: &str| {
        let mut run = Command::new("strace");
        run.args(["-f", "-qq", "-e", "trace=open,openat", "-o"]).arg(&trace);
        run.arg("chroot")
            .arg(&root)
            .args(emulator)
            .arg("/meshctl")
            .args(line.split(' '))
            .env_clear();
        let ran = run.env("PATH", "/usr/sbin:/usr/bin").output();
        let ran = ran.map_err(|error| format!("strace: {error}"))?;
        // What `chroot` itself opens comes before it changes the root.
        let opened = fs::read_to_string(&trace).map_err(|error| at(&trace, &error))?;
        let library = opened.lines().find(|line| line.contains("libnss_"));
        expect(library.is_none(), || format!("it opens {}", library.unwrap_or_default()))?;
        Ok::<_, String>((ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned()))
    };
    let (exit, said) = run("ca init /ca --cluster east --plain-root-key")?;
    expect(exit == Some(0), || format!("ca init ends with {exit:?}: {said}"))?;
    let (exit, said) = run("check /ca --context east --kubeconfig /kubeconfig")?;
    let refused = said.contains("apply/unreachable") && said.to_lowercase().contains("refused");
    expect(exit == Some(1) && refused, || {
        format!("expected a refused connection to 127.0.0.1, got {exit:?}: {said}")
    })?;
    expect(root.join("asked").is_file(), || "the credential plugin did not run".to_owned())
}
