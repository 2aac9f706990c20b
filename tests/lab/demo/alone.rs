//! A network and processes of its own for this program, on the terminal that it has.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use tests::rig::network;

/// Says that the network is there.
const INSIDE: &str = "MESH_DEMO_INSIDE";
/// What a terminal needs after a program that was killed: a cursor and no colour.
const RESTORE: &str = "\x1b[?25h\x1b[0m";

/// Runs `show` in this program, started again with the same arguments in namespaces of its own. Whatever it starts ends
/// with it, and its files are removed, also if a signal ends it.
pub(super) fn alone(
    args: &[&str],
    show: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    if std::env::var_os(INSIDE).is_some() {
        network::begin();
        return show();
    }
    network::is_possible()?;
    let folder = tempfile::Builder::new().prefix("mesh-demo-").tempdir();
    let folder = folder.map_err(|error| format!("no folder for temporary files: {error}"))?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])
        .map_err(|error| format!("signals: {error}"))?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", "unshare"])
        .args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(program)
        .arg("demo")
        .args(args)
        .env(INSIDE, "1")
        .env("TMPDIR", folder.path())
        .spawn()
        .map_err(|error| format!("setpriv: {error}"))?;
    let (id, handle) = (child.id(), signals.handle());
    let killer = std::thread::spawn(move || {
        let signal = signals.forever().next();
        if signal.is_some() {
            // The first process of a namespace takes all others with it. It may have ended.
            let pid = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
            let kill = |pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            let _ = pid.map(kill);
        }
        signal
    });
    let status = child.wait().map_err(|error| error.to_string())?;
    handle.close();
    // A signal may have ended it before it came here.
    let signal = killer.join().ok().flatten().or(status.signal());
    drop(folder);
    match signal {
        Some(_) => Err(format!("{RESTORE}stopped; nothing is left of it")),
        None if status.success() => Ok(()),
        None => Err("the demo failed".to_owned()),
    }
}
