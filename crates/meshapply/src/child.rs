//! A child process with a deadline: what it prints is kept up to a limit, and it ends with all it started.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{mem, thread};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use zeroize::Zeroizing;

/// Bytes of each of its streams that are kept; the rest is read and dropped.
pub const OUTPUT: usize = 1 << 20;
/// How long its streams may stay open after it has ended.
const GRACE: Duration = Duration::from_secs(1);
/// Pause between two looks at a running child.
const POLL: Duration = Duration::from_millis(10);

/// How a child is run.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How long it may run, and its standard output stay open.
    pub patience: Duration,
    /// What it reads on standard input; `None`: nothing.
    pub input: Option<Vec<u8>>,
    /// It stays in the terminal's foreground, with our standard input and standard error, so that it can ask there.
    pub interactive: bool,
    /// What it started is ended with it, also if it ends by itself.
    pub sweep: bool,
}

/// What a child printed, and how it ended.
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, up to [`OUTPUT`] bytes.
    pub out: Zeroizing<Vec<u8>>,
    /// Its standard error, likewise, as far as it was read within a second of its end; empty if it had ours.
    pub err: Vec<u8>,
}

/// Why a child has no output.
#[derive(Debug)]
pub enum Problem {
    /// It could not be started.
    Start(io::Error),
    /// It could not be waited for.
    Wait(io::Error),
    /// It did not end in time and was killed.
    Late,
    /// It used the terminal, which stopped it because it is not in the foreground, and it was killed.
    Asks,
    /// It ended, but a process that it has started holds its standard output open.
    Held,
}

impl Problem {
    /// What became of the child, to follow its name: `was not found`.
    #[must_use]
    pub fn sentence(&self, patience: Duration) -> String {
        match self {
            Self::Start(error) if error.kind() == ErrorKind::NotFound => "was not found".to_owned(),
            Self::Start(error) => format!("cannot be run: {error}"),
            Self::Wait(error) => format!("cannot be waited for: {error}"),
            Self::Late => format!("did not finish within {} s and was killed", patience.as_secs()),
            Self::Asks => "asked on the terminal, which it cannot use, and was killed".to_owned(),
            Self::Held => {
                "ended, but a process that it started still holds its standard output open"
                    .to_owned()
            }
        }
    }
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

/// Runs a command until it ends or its time is over; blocks the thread. The result of `started` is dropped as soon
/// as another process may get the child's number.
///
/// # Errors
/// [`Problem`].
pub fn run<G>(
    command: &mut Command,
    terms: Terms,
    started: impl FnOnce(Running) -> G,
) -> Result<Output, Problem> {
    let deadline = Instant::now() + terms.patience;
    let mut child = prepared(command, &terms).spawn().map_err(Problem::Start)?;
    let running = pid(&child).map(|pid| Running { pid, interactive: terms.interactive });
    let guard = running.map(started);
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), terms.input) {
        // A child that does not read keeps only this thread waiting.
        thread::spawn(move || stdin.write_all(&input));
    }
    let out = child.stdout.take().map(Stream::drain);
    let err = child.stderr.take().map(Stream::drain);
    let printed = wait(&child, terms.interactive, deadline).and_then(|()| {
        if terms.sweep {
            running.iter().for_each(|running| running.kill());
        }
        printed(out, err, deadline)
    });
    if printed.is_err() {
        running.iter().for_each(|running| running.kill());
    }
    drop(guard);
    // Ended, or killed just now.
    let status = child.wait().map_err(Problem::Wait)?;
    let (out, err) = printed?;
    Ok(Output { status, out, err })
}

fn prepared<'a>(command: &'a mut Command, terms: &Terms) -> &'a mut Command {
    command.stdout(Stdio::piped());
    if terms.interactive {
        return command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
    }
    let stdin = if terms.input.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(stdin).stderr(Stdio::piped()).process_group(0)
}

/// Until the child has ended. It stays to be waited for, so that its number is its own.
fn wait(child: &Child, interactive: bool, deadline: Instant) -> Result<(), Problem> {
    let mut options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    if !interactive {
        options |= WaitIdOptions::STOPPED;
    }
    let Some(pid) = pid(child) else { return Ok(()) };
    let by_terminal = [Signal::TTIN, Signal::TTOU].map(Signal::as_raw);
    let mut pause = Duration::from_millis(1);
    loop {
        match waitid(WaitId::Pid(pid), options) {
            Ok(Some(status)) if status.stopped() => {
                if status.stopping_signal().is_some_and(|signal| by_terminal.contains(&signal)) {
                    return Err(Problem::Asks);
                }
            }
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            // Ended; or its state is unknown, and it is waited for.
            Ok(Some(_)) | Err(_) => return Ok(()),
        }
        if Instant::now() >= deadline {
            return Err(Problem::Late);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(POLL);
    }
}

fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).ok()?)
}

/// What a thread reads from a stream to its end.
struct Stream {
    kept: Arc<Mutex<Zeroizing<Vec<u8>>>>,
    /// Its other end is gone when the stream has ended.
    end: Receiver<()>,
}

impl Stream {
    fn drain(mut from: impl Read + Send + 'static) -> Self {
        // In one piece: what a growing buffer frees is not zeroized.
        let kept = Arc::new(Mutex::new(Zeroizing::new(Vec::with_capacity(OUTPUT))));
        let (open, end): (Sender<()>, _) = channel();
        let shared = Arc::clone(&kept);
        thread::spawn(move || {
            let mut chunk = Zeroizing::new([0; 8 << 10]);
            loop {
                match from.read(&mut *chunk) {
                    Ok(0) => break,
                    Ok(count) => {
                        let mut kept = locked(&shared);
                        let room = OUTPUT - kept.len();
                        kept.extend_from_slice(&chunk[..count.min(room)]);
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // What cannot be read is missing, and the answer not complete.
                    Err(_) => break,
                }
            }
            drop(open);
        });
        Self { kept, end }
    }

    /// What was read until the stream ended, or until `until`; and whether it has ended.
    fn read(self, until: Instant) -> (Zeroizing<Vec<u8>>, bool) {
        let left = until.saturating_duration_since(Instant::now());
        let ended = self.end.recv_timeout(left) != Err(RecvTimeoutError::Timeout);
        (mem::take(&mut *locked(&self.kept)), ended)
    }
}

fn locked(kept: &Mutex<Zeroizing<Vec<u8>>>) -> MutexGuard<'_, Zeroizing<Vec<u8>>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both streams of a child that has ended. A daemon of its may hold standard error for as long as it runs; standard
/// output that is still open may be incomplete.
fn printed(
    out: Option<Stream>,
    err: Option<Stream>,
    deadline: Instant,
) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), Problem> {
    let until = deadline.min(Instant::now() + GRACE);
    let read = |stream: Option<Stream>| {
        stream.map_or_else(|| (Zeroizing::default(), true), |stream| stream.read(until))
    };
    let (out, ended) = read(out);
    if !ended {
        return Err(if until == deadline { Problem::Late } else { Problem::Held });
    }
    Ok((out, mem::take(&mut *read(err).0)))
}
