//! A child process with a deadline: what it prints is kept up to a limit, and it ends with all it started.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io::{self, ErrorKind, Read, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{mem, thread};

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;
use zeroize::Zeroizing;

pub use system::Running;
use system::{Process, Wait};

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

impl Output {
    /// How it failed: `exited with status 3`, `was killed by signal 9`; `None` if it did not.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match self.status.code() {
            Some(0) => None,
            Some(code) => Some(format!("exited with status {code}")),
            None => Some(system::ended(self.status)),
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
    let mut process = Process::start(piped(command, &terms), terms.interactive)?;
    let running = process.running();
    let guard = running.clone().map(started);
    let streams = process.streams();
    if let (Some(mut stdin), Some(input)) = (streams.stdin, terms.input) {
        // A child that does not read keeps only this thread waiting.
        thread::spawn(move || stdin.write_all(&input));
    }
    let out = streams.stdout.map(Stream::drain);
    let err = streams.stderr.map(Stream::drain);
    let printed = wait(&mut process, deadline).and_then(|()| {
        if terms.sweep {
            running.iter().for_each(Running::kill);
        }
        printed(out, err, deadline)
    });
    if printed.is_err() {
        running.iter().for_each(Running::kill);
    }
    drop(guard);
    // Ended, or killed just now.
    let status = process.status().map_err(Problem::Wait)?;
    let (out, err) = printed?;
    Ok(Output { status, out, err })
}

/// Our ends of a child's streams.
struct Streams {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

fn piped<'a>(command: &'a mut Command, terms: &Terms) -> &'a mut Command {
    command.stdout(Stdio::piped());
    if terms.interactive {
        return command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
    }
    let stdin = if terms.input.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(stdin).stderr(Stdio::piped())
}

/// Until the child has ended.
fn wait(process: &mut Process, deadline: Instant) -> Result<(), Problem> {
    let mut pause = Duration::from_millis(1);
    loop {
        match process.look() {
            Wait::Over => return Ok(()),
            #[cfg(unix)]
            Wait::Asks => return Err(Problem::Asks),
            Wait::Runs => {}
        }
        if Instant::now() >= deadline {
            return Err(Problem::Late);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(POLL);
    }
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
