//! A network of pods: namespaces of the kernel's, one for the test and in it one for each pod, all on one bridge.
//!
//! It needs root, `ip` and `iptables`. It goes with the processes that are in it.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::cluster::{KEEP, PREFIX};
use super::limit;
use super::process::{Plan, Process, read_log};
use crate::judges;

/// Has the name of the test in a process that has a network of its own.
const ALONE: &str = "MESH_RIG_ALONE";
/// The bridge; pods have addresses of `10.244.0.0/16`, none of which ends with 0 or 255 ([`super::kubelet`]).
const BRIDGE: &str = "mesh0";
/// Its hardware address. Without one of its own it takes the lowest of its pods': each pod that comes or goes may change
/// that, and for about ten seconds the others reach no address of the bridge.
const HARDWARE: &str = "02:00:00:00:00:01";

/// Runs a test that takes two clusters in a process with a network of its own: this program again, this test only.
///
/// # Panics
/// When the test does, with what it printed.
pub fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var(ALONE).is_ok_and(|alone| alone == name) {
        begin();
        return test();
    }
    if super::rig().is_none() {
        return;
    }
    match is_possible() {
        Ok(()) => again(name),
        Err(why) => judges::missing("the rig's network", &why),
    }
}

/// Sets up a network that is new.
///
/// # Panics
/// When it is not.
pub fn begin() {
    let link = "ip link set";
    sh(&format!(
        "{link} lo up; ip link add {BRIDGE} address {HARDWARE} type bridge; {link} {BRIDGE} up"
    ));
}

/// This program with this test, in namespaces of network and process ids: at its end, whatever it has started ends.
fn again(name: &str) {
    let _room = limit::permits(2);
    let prefix = format!("{PREFIX}{}-alone-", std::process::id());
    let mut folder = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a scratch folder");
    folder.disable_cleanup(std::env::var_os(KEEP).is_some());
    let program = std::env::current_exe().expect("this program").display().to_string();
    let words = "--net --pid --fork --kill-child --mount-proc --".split(' ');
    let words = words.chain([program.as_str(), "--exact", name, "--nocapture"]);
    let mut plan = Plan::new(Path::new("unshare"), folder.path());
    plan.args = words.map(str::to_owned).collect();
    let scratch = folder.path().display().to_string();
    let more = [(ALONE.to_owned(), name.to_owned()), ("TMPDIR".to_owned(), scratch)];
    plan.env = std::env::vars().chain(more).collect();
    plan.folder = std::env::current_dir().expect("a folder");
    let good = plan.start().wait().success();
    let log = read_log(&plan.log);
    println!("{log}");
    // Last, too: a CI that shows only the end of the output shows why.
    let why = panics(&log);
    assert!(good && log.contains("1 passed"), "{name} in a network of its own:\n{why}");
}

/// The messages of panics in what a test has printed, each without its backtrace.
fn panics(log: &str) -> String {
    const MOST: usize = 40;
    let starts = |line: &str| line.starts_with("thread '") && line.contains(" panicked at ");
    let ends = |line: &str| line.starts_with("stack backtrace:") || line.starts_with("note: ");
    let mut messages = Vec::new();
    let mut lines = log.lines();
    while let Some(first) = lines.by_ref().find(|line| starts(line)) {
        let message = lines.by_ref().take_while(|line| !ends(line)).take(MOST);
        messages.push([first].into_iter().chain(message).collect::<Vec<_>>().join("\n"));
    }
    messages.join("\n")
}

/// Whether this machine lets this user make one.
///
/// # Errors
/// Why not.
pub fn is_possible() -> Result<(), String> {
    let try_it = "ip link add mesh0 type bridge && iptables-nft -t nat -L -n >/dev/null";
    let output = Command::new("unshare").args(["--net", "sh", "-c", try_it]).output();
    let output = output.map_err(|error| format!("unshare: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}; it needs root, iproute2 and iptables", said.trim()))
}

/// One more address of the bridge, which every pod reaches.
///
/// # Panics
/// When it cannot be added.
#[must_use]
pub fn address() -> String {
    static LAST: AtomicU8 = AtomicU8::new(0);
    let address = format!("10.244.{}.255", LAST.fetch_add(1, Ordering::Relaxed));
    more(&format!("{address}/16"));
    address
}

/// Gives the bridge a certain address.
///
/// # Panics
/// When it cannot be added.
pub fn more(address: &str) {
    sh(&format!("ip addr add {address} dev {BRIDGE}"));
}

/// The network of a pod.
#[derive(Debug)]
pub struct Namespace {
    // Like the pause container of a real pod: the namespace exists as long as a process is in it.
    pause: Process,
}

impl Namespace {
    /// A new one with these addresses, the pod's own first.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new(addresses: &[&str], folder: &Path) -> Self {
        static LAST: AtomicU8 = AtomicU8::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let mut plan = Plan::new(Path::new("unshare"), folder);
        plan.args = ["--net", "--", "sleep", "infinity"].map(str::to_owned).into();
        let new = Self { pause: plan.start() };
        let ours = fs::read_link("/proc/self/ns/net").expect("a namespace");
        while fs::read_link(new.path()).is_ok_and(|theirs| theirs == ours) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let id = new.pause.id();
        sh(&format!(
            "ip link add pod{number} type veth peer name eth0 netns {id}; ip link set pod{number} master {BRIDGE} up"
        ));
        let mut inside = "ip link set lo up; ip link set eth0 up".to_owned();
        for address in addresses {
            inside += &format!("; ip addr add {address}/16 dev eth0");
        }
        // Addresses of services lead nowhere, they only have to lead out: iptables takes them to the proxy.
        let script = format!("set -e; {inside}; ip route add default dev eth0");
        new.good(&["sh", "-c", &script]);
        new
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.pause.id())
    }

    /// The words that run a command in it.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Vec<String> {
        let enter = format!("--net={}", self.path());
        ["nsenter", &enter, "--"].iter().chain(words).map(|word| (*word).to_owned()).collect()
    }

    /// Runs a command in it that must succeed.
    ///
    /// # Panics
    /// With what it said.
    pub fn good(&self, words: &[&str]) {
        run(&self.command(words));
    }

    /// Calls something in it; sockets that it makes stay in it.
    pub fn enter<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
        self.door().enter(call)
    }

    /// A way into it that others can have, too.
    pub(super) fn door(&self) -> Door {
        Door(File::open(self.path()).expect("a namespace"))
    }
}

/// A way into a namespace, which lives as long.
pub(super) struct Door(File);

impl Door {
    /// Calls something in the namespace.
    pub(super) fn enter<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
        let run = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(self.0.as_fd(), kind).expect("a namespace to enter");
            call()
        };
        let joined = std::thread::scope(|scope| scope.spawn(run).join());
        joined.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

fn sh(script: &str) {
    run(&["sh", "-c", &format!("set -e; {script}")].map(str::to_owned));
}

fn run(words: &[String]) {
    let output = Command::new(&words[0]).args(&words[1..]).output().expect("a program");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{}: {said}", words.join(" "));
}
