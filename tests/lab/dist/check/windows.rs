//! The program for Windows, run by Wine: its imports, who may read its files, locks, steps of an exchange, child
//! processes, Ctrl-C, and a real cluster.
//!
//! Wine shows access control lists as modes and cannot keep what a list inherits apart from it, so all this happens in a
//! folder of mode 0700. What NTFS does with the same lists is not judged here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use k8s_openapi::ByteString;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tests::mesh::Mesh;
use tests::rig::Istio;

use super::super::{at, output};
use super::{Bench, expect, program};

/// Where Debian has it.
const WINE: &str = "/usr/lib/wine";
/// Wine 8 lacks a library that Windows has had since 8, with the random numbers of the system in it.
const RANDOM: &str = "int __stdcall SystemFunction036(void *, unsigned long);
__declspec(dllexport) int ProcessPrng(void *to, unsigned long long count) {
    return SystemFunction036(to, (unsigned long)count);
}
";
/// What only the owner may read on Unix.
const PASSPHRASE: &str = "pass.txt";
/// A command that runs for as long as any of this.
const WAITS: [&str; 3] =
    ["--root-signer=exec:cmd.exe", "--signer-arg=/c", "--signer-arg=ping -n 60 127.0.0.1"];
/// Renewals that are killed, each a little later than the one before.
const KILLS: u64 = 16;
/// How much later.
const STEP: Duration = Duration::from_millis(40);
/// How long something may take that comes at once.
const SOON: Duration = Duration::from_secs(30);

pub(super) fn check(bench: &Bench<'_>) -> Result<(), String> {
    let program = bench.unpacked.join(bench.release.target.program());
    program::has_no_paths(bench, &program)?;
    has_no_symbols(bench, &program)?;
    imports(bench, &program)?;
    let windows = Windows::new(bench, program)?;
    windows.creates()?;
    windows.renews()?;
    windows.warns()?;
    windows.is_interrupted()?;
    windows.is_killed()?;
    windows.pushes()
}

/// Names of functions are not in it: those for imports have the path of a temporary folder.
fn has_no_symbols(bench: &Bench<'_>, program: &Path) -> Result<(), String> {
    let text = output(Command::new(bench.release.target.tool("objdump")).arg("-t").arg(program))?;
    expect(text.contains("no symbols"), || format!("{} has symbols", program.display()))
}

/// It needs no library that Windows does not have.
fn imports(bench: &Bench<'_>, program: &Path) -> Result<(), String> {
    let text = output(Command::new(bench.release.target.tool("objdump")).arg("-p").arg(program))?;
    let names = text.lines().filter_map(|line| line.trim().strip_prefix("DLL Name: "));
    let of_the_compiler: Vec<&str> = names.filter(|name| name.starts_with("lib")).collect();
    expect(of_the_compiler.is_empty(), || format!("it imports {}", of_the_compiler.join(", ")))
}

/// Windows, with a folder to work in.
struct Windows {
    program: PathBuf,
    prefix: PathBuf,
    folder: PathBuf,
}

impl Windows {
    fn new(bench: &Bench<'_>, program: PathBuf) -> Result<Self, String> {
        let (prefix, folder) = (bench.folder("wine")?, bench.folder("work")?);
        let only_ours = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&folder, only_ours).map_err(|error| at(&folder, &error))?;
        let this = Self { program, prefix, folder };
        output(this.wine().args(["wineboot", "--init"]))?;
        let source = this.folder.join("random.c");
        fs::write(&source, RANDOM).map_err(|error| at(&source, &error))?;
        let library = this.prefix.join("drive_c/windows/system32/bcryptprimitives.dll");
        let mut compile = Command::new(bench.release.target.compiler());
        compile.args(["-shared", "-o"]).arg(library).arg(&source).arg("-ladvapi32");
        output(&mut compile)?;
        this.put(PASSPHRASE, "correct-horse-battery-9\n", 0o600)?;
        Ok(this)
    }

    fn wine(&self) -> Command {
        let mut wine = Command::new(format!("{WINE}/wine64"));
        wine.current_dir(&self.folder)
            .env("WINEPREFIX", &self.prefix)
            .env("HOME", &self.prefix)
            .env("WINEDEBUG", "-all")
            // Neither .NET nor a browser.
            .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
            .stdin(Stdio::null());
        wine
    }

    fn put(&self, name: &str, text: &str, mode: u32) -> Result<(), String> {
        let path = self.folder.join(name);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
            .map_err(|error| at(&path, &error))
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.wine();
        command.arg(&self.program).args(line.split(' '));
        command
    }

    fn run(&self, command: &mut Command) -> Result<(Option<i32>, String), String> {
        let Output { status, stdout, stderr } =
            command.output().map_err(|error| format!("{WINE}/wine64: {error}"))?;
        Ok((status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()))
    }

    /// Runs a command line; expects this exit status and these words.
    fn expect(&self, line: &str, exit: i32, words: &[&str]) -> Result<(), String> {
        let (got, said) = self.run(&mut self.command(line))?;
        let lacks = words.iter().find(|word| !said.contains(**word));
        expect(got == Some(exit) && lacks.is_none(), || {
            format!("meshctl.exe {line}: expected {exit} and {words:?}, got {got:?}: {said}")
        })
    }

    /// OpenSSL accepts the CA of each cluster, and only the owner may read what is private.
    fn is_good(&self) -> Result<(), String> {
        for cluster in ["east", "west"] {
            let ca = self.folder.join("ca");
            let of = |name: &str| ca.join(cluster).join(name);
            let mut verify = Command::new("openssl");
            verify.args(["verify", "-CAfile"]).arg(ca.join("root-cert.pem"));
            output(verify.arg("-untrusted").arg(of("cert-chain.pem")).arg(of("ca-cert.pem")))?;
            let shared = |path: &Path| {
                let meta = fs::metadata(path).map_err(|error| at(path, &error))?;
                Ok::<_, String>(meta.permissions().mode() & 0o007 != 0)
            };
            let key = of("ca-key.pem");
            expect(!shared(&key)?, || format!("{} has no list of its own", key.display()))?;
            // Otherwise nothing has one.
            let public = of("ca-cert.pem");
            expect(shared(&public)?, || format!("{} is private", public.display()))?;
        }
        Ok(())
    }

    fn creates(&self) -> Result<(), String> {
        let init = "ca init ca --cluster east --cluster west --passphrase-file pass.txt";
        self.expect(init, 0, &["ca\\west\\ca-cert.pem: OK"])?;
        self.is_good()?;
        self.expect(init, 0, &["root-key.pem     unchanged"])?;
        self.expect("check ca", 0, &["2 clusters: 0 errors, 0 warnings"])
    }

    fn renews(&self) -> Result<(), String> {
        // A file of the user's own, read-only; it moves along.
        self.put("ca/east/notes.txt", "mine", 0o444)?;
        let renew = "ca renew ca --cluster east --passphrase-file pass.txt";
        self.expect(renew, 0, &["the old files of east are in ca\\previous\\east-"])?;
        self.is_good()?;
        let notes = self.folder.join("ca/east/notes.txt");
        expect(notes.is_file(), || format!("{} is lost", notes.display()))?;
        expect(self.sets()? == 1, || "the old set is not in previous/".to_owned())
    }

    /// The sets that were replaced.
    fn sets(&self) -> Result<usize, String> {
        let previous = self.folder.join("ca/previous");
        let entries = fs::read_dir(&previous).map_err(|error| at(&previous, &error))?;
        Ok(entries.count())
    }

    /// A list that lets everyone read a key.
    fn warns(&self) -> Result<(), String> {
        let key = self.folder.join("ca/root-key.pem");
        let set = |mode| {
            let mode = fs::Permissions::from_mode(mode);
            fs::set_permissions(&key, mode).map_err(|error| at(&key, &error))
        };
        set(0o644)?;
        let renew = "ca renew ca --cluster west --passphrase-file pass.txt";
        self.expect(renew, 0, &["warning[ctl/key-permissions]", "`icacls ca"])?;
        set(0o600)
    }

    /// A command that waits for a signer locks the folder, and Ctrl-C ends it with the signer.
    fn is_interrupted(&self) -> Result<(), String> {
        let mut waits = self.command("ca init new --cluster east");
        let mut waits = waits
            .args(WAITS)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{WINE}/wine64: {error}"))?;
        let lock = self.folder.join("new/.meshctl-lock");
        let locked = until(|| lock.exists());
        let other = self.expect(
            "ca init new --cluster west --passphrase-file pass.txt",
            1,
            &["ctl/busy", "another meshctl process is using `new`"],
        );
        let ended = interrupt(&mut waits);
        expect(locked, || format!("{} does not exist", lock.display()))?;
        other?;
        ended?;
        expect(!self.folder.join("new").exists(), || "Ctrl-C leaves the folder".to_owned())?;
        let signers = Command::new("pgrep").args(["-f", "ping.*-n 60 127.0.0.1"]).output();
        let signers = signers.map_err(|error| format!("pgrep: {error}"))?;
        expect(signers.stdout.is_empty(), || "Ctrl-C leaves the signer".to_owned())
    }

    /// However a renewal is killed, the next one finds both clusters with a CA that is whole.
    fn is_killed(&self) -> Result<(), String> {
        let renew = "ca renew ca --cluster east --passphrase-file pass.txt";
        let mut running = 0;
        for count in 0..KILLS {
            let mut command = self.command(renew);
            let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let mut child = child.map_err(|error| format!("{WINE}/wine64: {error}"))?;
            sleep(STEP * u32::try_from(count).unwrap_or(0));
            running += usize::from(child.try_wait().is_ok_and(|ended| ended.is_none()));
            // One that has ended needs no killing.
            let _ = child.kill();
            child.wait().map_err(|error| format!("wine64: {error}"))?;
            let before = self.sets()?;
            self.expect(renew, 0, &["ca\\east\\ca-cert.pem: OK"])?;
            self.is_good()?;
            expect(self.sets()? > before, || format!("kill {count}: the old set is lost"))?;
        }
        self.expect("check ca", 0, &["2 clusters: 0 errors, 0 warnings"])?;
        expect(running > 1, || format!("{running} of {KILLS} renewals were running when killed"))
    }

    /// A real API server trusts what a credential plugin gives, and a real istiod signs with what is pushed.
    fn pushes(&self) -> Result<(), String> {
        let mesh = Mesh::with_istio(&["east"], &Istio::default())
            .ok_or("`cargo xtask rig` builds what is missing")?;
        let admin = mesh.shell.scratch.read("admin.kubeconfig");
        let admin: Value = serde_json::from_str(&admin).map_err(|error| error.to_string())?;
        let pem = |value: &Value| {
            let ByteString(bytes) =
                serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
            String::from_utf8(bytes).map_err(|error| error.to_string())
        };
        let (cluster, user) = (&admin["clusters"][0]["cluster"], &admin["users"][0]["user"]);
        self.put("api-ca.pem", &pem(&cluster["certificate-authority-data"])?, 0o644)?;
        let credential = json!({"apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential", "status": {
                "clientCertificateData": pem(&user["client-certificate-data"])?,
                "clientKeyData": pem(&user["client-key-data"])?}});
        self.put("credential.json", &credential.to_string(), 0o600)?;
        let plugin = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "cmd.exe",
            "args": ["/c", "type credential.json"], "interactiveMode": "Never"});
        let kubeconfig = json!({"apiVersion": "v1", "kind": "Config",
            "clusters": [{"name": "east", "cluster": {
                "certificate-authority": "api-ca.pem", "server": cluster["server"]}}],
            "users": [{"name": "admin", "user": {"exec": plugin}}],
            "contexts": [{"name": "east", "context": {"cluster": "east", "user": "admin"}}]});
        self.put("kubeconfig", &kubeconfig.to_string(), 0o600)?;
        self.expect("ca init mesh --cluster east --passphrase-file pass.txt", 0, &[])?;
        let at = "mesh --context east --kubeconfig kubeconfig";
        self.expect(&format!("push {at} --yes"), 0, &["east: verified in 1 pod of istiod"])?;
        self.expect(&format!("status {at}"), 0, &["folder   mesh\\east matches the cluster"])
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        let mut server = Command::new(format!("{WINE}/wineserver"));
        // It removes what it has in the system's folder for temporary files, too.
        let _ = server.args(["--kill", "--wait"]).env("WINEPREFIX", &self.prefix).status();
    }
}

/// Wine makes Ctrl-C of this signal.
fn interrupt(child: &mut Child) -> Result<(), String> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let _ = pid.map(|pid| kill_process(pid, Signal::INT));
    let ended = until(|| child.try_wait().is_ok_and(|ended| ended.is_some()));
    // One that has ended needs no killing.
    let _ = child.kill();
    child.wait().map_err(|error| format!("wine64: {error}"))?;
    expect(ended, || "Ctrl-C does not end it".to_owned())
}

fn until(mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + SOON;
    while Instant::now() < end {
        if is_so() {
            return true;
        }
        sleep(Duration::from_millis(20));
    }
    false
}
