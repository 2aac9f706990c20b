//! A child process with a deadline: what it prints is kept up to a limit, and it ends with all it started.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use zeroize::Zeroizing;

/// Bytes of each of its streams that are kept; the rest is read and dropped.
pub const OUTPUT: u64 = 1 << 20;
/// Between two looks at a child that runs.
const POLL: Duration = Duration::from_millis(10);

/// What a child gets of us.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How long it may run, and its output may stay open.
    pub patience: Duration,
    /// What it reads on standard input; `None`: nothing.
    pub input: Option<Vec<u8>>,
    /// It stays in the terminal's foreground, with our standard input and standard error, so that it can ask there.
    pub interactive: bool,
    /// What it started is ended with it, also if it ends by itself.
    pub sweep: bool,
}

/// What a child that came to its end left.
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, up to [`OUTPUT`] bytes.
    pub out: Zeroizing<Vec<u8>>,
    /// Its standard error, likewise; empty if it had ours.
    pub err: Vec<u8>,
}

/// Why a child left nothing.
#[derive(Debug)]
pub enum Problem {
    /// It could not be started.
    Start(io::Error),
    /// It could not be waited for.
    Wait(io::Error),
    /// Its time was over, and it was killed.
    Late,
}

/// A running child, to be killed from elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    pid: Pid,
    interactive: bool,
}

impl Running {
    /// Ends the child, and with it what it has started unless it has our terminal.
    pub fn kill(self) {
        // One that ended in the meantime needs no ending.
        let _ = match self.interactive {
            true => kill_process(self.pid, Signal::KILL),
            false => kill_process_group(self.pid, Signal::KILL),
        };
    }
}

impl Output {
    /// How it failed: `exited with status 3`, `was killed by signal 9`; `None` if it did not.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match (self.status.code(), self.status.signal()) {
            (Some(0), _) => None,
            (Some(code), _) => Some(format!("exited with status {code}")),
            (None, Some(signal)) => Some(format!("was killed by signal {signal}")),
            (None, None) => Some("failed".to_owned()),
        }
    }
}

/// Runs a command to its end, or until its time is over; blocks the thread. The result of `started` is dropped as soon
/// as the child's number may become another's.
///
/// # Errors
/// [`Problem`].
pub fn run<G>(
    command: &mut Command,
    terms: &Terms,
    started: impl FnOnce(Running) -> G,
) -> Result<Output, Problem> {
    let end = Instant::now() + terms.patience;
    let mut child = prepared(command, terms).spawn().map_err(Problem::Start)?;
    let running = pid(&child).map(|pid| Running { pid, interactive: terms.interactive });
    let guard = running.map(started);
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), terms.input.clone()) {
        // A child that does not read keeps only this thread waiting.
        thread::spawn(move || stdin.write_all(&input));
    }
    let out = child.stdout.take().map(drain);
    let err = child.stderr.take().map(drain);
    let ended = wait(&child, end);
    if ended.is_some() && terms.sweep {
        running.iter().for_each(|running| running.kill());
    }
    let printed = ended.and_then(|()| Some((rest(out, end)?, rest(err, end)?)));
    if printed.is_none() {
        running.iter().for_each(|running| running.kill());
    }
    drop(guard);
    // Ended, or killed just now.
    let status = child.wait().map_err(Problem::Wait)?;
    let (out, err) = printed.ok_or(Problem::Late)?;
    Ok(Output { status, out: Zeroizing::new(out), err })
}

fn prepared<'a>(command: &'a mut Command, terms: &Terms) -> &'a mut Command {
    command.stdout(Stdio::piped());
    if terms.interactive {
        return command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
    }
    let stdin = if terms.input.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(stdin).stderr(Stdio::piped()).process_group(0)
}

/// Until the child has ended; `None`: its time is over. It stays to be waited for, so that its number is its own.
fn wait(child: &Child, end: Instant) -> Option<()> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let mut pause = Duration::from_millis(1);
    loop {
        match waitid(WaitId::Pid(pid(child)?), options) {
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            // Ended; or its state is unknown, and it is waited for.
            Ok(Some(_)) | Err(_) => return Some(()),
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(POLL);
    }
}

fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).ok()?)
}

/// Reads to the end in a thread, and keeps the beginning.
fn drain(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        // What cannot be read is missing, and the answer not whole.
        let _ = from.by_ref().take(OUTPUT).read_to_end(&mut kept);
        let _ = io::copy(&mut from, &mut io::sink());
        // Nothing waits any more once the time was over.
        let _ = send.send(kept);
    });
    receive
}

/// What was read; `None`: a process still holds the other end when the time is over.
fn rest(from: Option<Receiver<Vec<u8>>>, end: Instant) -> Option<Vec<u8>> {
    let Some(from) = from else { return Some(Vec::new()) };
    match from.recv_timeout(end.saturating_duration_since(Instant::now())) {
        Ok(bytes) => Some(bytes),
        Err(RecvTimeoutError::Disconnected) => Some(Vec::new()),
        Err(RecvTimeoutError::Timeout) => None,
    }
}
