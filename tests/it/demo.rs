//! `cargo xtask demo`: it shows what it promises, and leaves nothing, whenever it ends.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tests::judges;
use tests::rig::limit;
use tests::rig::network::is_possible;
use tests::scratch::Scratch;

const LAB: &str = env!("CARGO_BIN_EXE_lab");

/// The demo in a process group of its own, as a shell starts it.
fn start(scratch: &Scratch, args: &[&str]) -> Child {
    let mut command = Command::new(LAB);
    command
        .arg("demo")
        .args(args)
        .env("TMPDIR", scratch.path())
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("a process")
}

/// Whether a process runs that has something to do with a folder.
fn is_used(folder: &Path) -> bool {
    let folder = folder.display().to_string();
    let of = |entry: fs::DirEntry| {
        let read = |name| fs::read(entry.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&[read("cmdline"), read("environ")].concat()).contains(&folder)
    };
    fs::read_dir("/proc").expect("processes").flatten().any(of)
}

fn is_missing() -> bool {
    if tests::rig::rig().is_none() {
        return true;
    }
    is_possible().err().is_some_and(|why| {
        judges::missing("the rig's network", &why);
        true
    })
}

fn nothing_is_left(scratch: &Scratch, kept: &[&str]) {
    let start = Instant::now();
    while is_used(scratch.path()) {
        assert!(start.elapsed() < Duration::from_secs(10), "a process is left");
        std::thread::sleep(Duration::from_millis(100));
    }
    let left = fs::read_dir(scratch.path()).expect("a folder").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, kept, "files are left");
}

#[test]
fn it_comes_to_calls_across_clusters() {
    if is_missing() {
        return;
    }
    let _room = limit::permits(2);
    let scratch = Scratch::new();
    let cast = scratch.join("demo.cast").display().to_string();
    let output = start(&scratch, &["--short", "--record", &cast]).wait_with_output();
    let output = output.expect("its output");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for part in
        ["$ meshctl ca init ", "$ meshctl mesh apply ", "v3 in cluster2", "No call has failed."]
    {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
    let recorded = fs::read_to_string(&cast).expect("a recording");
    let mut lines = recorded.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let head = lines.next().expect("a line");
    assert_eq!((&head["version"], &head["width"]), (&2.into(), &100.into()));
    let shown: String = lines.map(|line| line[2].as_str().expect("text").to_owned()).collect();
    assert_eq!(shown, text, "what was shown is what was recorded");
    nothing_is_left(&scratch, &["demo.cast"]);
}

/// Ctrl-C, and the loss of the terminal, while clusters start, and later.
#[test]
fn a_signal_leaves_nothing() {
    if is_missing() {
        return;
    }
    let _room = limit::permits(2);
    for (signal, seconds) in [
        (Signal::INT, 0.3),
        (Signal::INT, 2.0),
        (Signal::TERM, 5.0),
        (Signal::HUP, 9.0),
        (Signal::INT, 14.0),
    ] {
        let scratch = Scratch::new();
        let child = start(&scratch, &[]);
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("an id");
        kill_process_group(id, signal).expect("a signal");
        let output = child.wait_with_output().expect("its output");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "after {seconds} s: {told}");
        assert!(told.contains("stopped; nothing is left of it"), "after {seconds} s: {told}");
        nothing_is_left(&scratch, &[]);
    }
}
