//! krew's validator installs the plugin from `dist/`, and Ruby reads the formula.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::super::binary::TARGETS;
use super::super::{at, manifests, output, read, sha256, stage};
use super::{Bench, expect};

pub(super) fn check(bench: &Bench<'_>) -> Result<(), String> {
    let name = format!("{}.yaml", manifests::PLUGIN);
    let path = bench.release.dist.join(&name);
    let text = fs::read_to_string(&path).map_err(|error| at(&path, &error))?;
    // The archives come from here, whatever server the manifest names; their digests stay.
    let server = serve(bench.release.dist.clone()).map_err(|error| error.to_string())?;
    let local = |line: &str| match line.split_once("uri: ") {
        Some((start, uri)) => {
            let file = uri.rsplit('/').next().unwrap_or_default();
            format!("{start}uri: {server}/{file}\n")
        }
        None => format!("{line}\n"),
    };
    let copy = bench.folder("krew")?.join(&name);
    fs::write(&copy, text.lines().map(local).collect::<String>())
        .map_err(|error| at(&copy, &error))?;
    let bin = bench.folder("krew/bin")?;
    for (name, program) in [("kubectl", "kubectl"), ("kubectl-krew", "krew")] {
        let link = bin.join(name);
        symlink(bench.built.path(program), &link).map_err(|error| at(&link, &error))?;
    }
    let mut validate = Command::new(bench.built.path("validate-krew-manifest"));
    validate.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    output(validate.arg("-manifest").arg(&copy))?;
    let mut ruby = Command::new("ruby");
    let said = output(ruby.args(["-W2", "-c"]).arg(bench.release.dist.join("meshctl.rb")))?;
    expect(said.trim() == "Syntax OK", || said)
}

/// The archive for Windows is what the manifest says, and unpacked the way Scoop does, it has the program.
pub(super) fn scoop(bench: &Bench<'_>) -> Result<(), String> {
    let windows = TARGETS.iter().find(|target| target.os == "windows");
    let Some(path) = windows.and_then(|target| stage::archive_of(bench.release, target)) else {
        return Ok(());
    };
    let text = read(&bench.release.dist.join(manifests::SCOOP))?;
    let manifest: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let archive = &manifest["architecture"]["64bit"];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    expect(word(&archive["url"]).ends_with(&format!("/{name}")), || format!("it names {archive}"))?;
    expect(word(&archive["hash"]) == sha256(&read(&path)?), || {
        format!("{name} has another digest")
    })?;
    let folder = bench.folder("scoop")?;
    output(Command::new("bsdtar").arg("-xf").arg(&path).arg("-C").arg(&folder))?;
    let program = folder.join(word(&archive["extract_dir"])).join(word(&manifest["bin"]));
    expect(program.is_file(), || format!("{name} has no {}", program.display()))
}

/// Serves the files of a folder on loopback until this process ends; returns the URL.
fn serve(folder: PathBuf) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The client reports what it did not get.
            let _ = answer(stream, &folder);
        }
    });
    Ok(url)
}

/// Answers one request.
fn answer(mut stream: TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let name = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    match fs::read(folder.join(name)) {
        Ok(bytes) => {
            let length = bytes.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            )?;
            stream.write_all(&bytes)
        }
        Err(_) => write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
    }
}
