//! Process groups and signals.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

use super::{Problem, Streams};

/// A running child, to be killed from elsewhere.
#[derive(Clone, Debug)]
pub struct Running {
    pid: Pid,
    interactive: bool,
}

impl Running {
    /// Ends the child, and with it what it has started unless it has our terminal.
    pub fn kill(&self) {
        // One that ended in the meantime needs no ending.
        let _ = match self.interactive {
            true => kill_process(self.pid, Signal::KILL),
            false => kill_process_group(self.pid, Signal::KILL),
        };
    }
}

/// What a look at a child shows.
pub(super) enum Wait {
    Runs,
    /// The terminal has stopped it.
    Asks,
    /// It has ended; or its state is unknown, and it is waited for.
    Over,
}

/// A child, in a group of its own unless it has our terminal.
pub(super) struct Process {
    child: Child,
    interactive: bool,
}

impl Process {
    pub(super) fn start(command: &mut Command, interactive: bool) -> Result<Self, Problem> {
        if !interactive {
            command.process_group(0);
        }
        Ok(Self { child: command.spawn().map_err(Problem::Start)?, interactive })
    }

    pub(super) fn running(&self) -> Option<Running> {
        Some(Running { pid: self.pid()?, interactive: self.interactive })
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).ok()?)
    }

    pub(super) fn streams(&mut self) -> Streams {
        let child = &mut self.child;
        Streams {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
        }
    }

    /// Looks at it. It stays to be waited for, so that its number is its own.
    pub(super) fn look(&mut self) -> Wait {
        let mut options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        if !self.interactive {
            options |= WaitIdOptions::STOPPED;
        }
        let Some(pid) = self.pid() else { return Wait::Over };
        let by_terminal = [Signal::TTIN, Signal::TTOU].map(Signal::as_raw);
        match waitid(WaitId::Pid(pid), options) {
            Ok(Some(status)) if status.stopped() => {
                let is =
                    status.stopping_signal().is_some_and(|signal| by_terminal.contains(&signal));
                if is { Wait::Asks } else { Wait::Runs }
            }
            Ok(None) | Err(Errno::INTR) => Wait::Runs,
            Ok(Some(_)) | Err(_) => Wait::Over,
        }
    }

    /// How it ended; waits for that.
    pub(super) fn status(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

/// How a child ended that has no status: `was killed by signal 9`.
pub(super) fn ended(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("was killed by signal {signal}"),
        None => "failed".to_owned(),
    }
}
