//! Job objects: a process, and all that it starts.

use std::io;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use process_wrap::std::{ChildWrapper, CommandWrap, JobObject};

use super::{Problem, Streams};

type Child = Mutex<Box<dyn ChildWrapper>>;

/// A running child, to be killed from elsewhere.
#[derive(Clone, Debug)]
pub struct Running(Arc<Child>);

impl Running {
    /// Ends the child, and with it what it has started unless it has our console.
    pub fn kill(&self) {
        // One that ended in the meantime needs no ending.
        let _ = locked(&self.0).start_kill();
    }
}

/// What a look at a child shows.
pub(super) enum Wait {
    Runs,
    /// It has ended; or its state is unknown, and it is waited for.
    Over,
}

/// A child, in a job of its own unless it has our console.
pub(super) struct Process {
    child: Arc<Child>,
    ended: Option<ExitStatus>,
}

impl Process {
    pub(super) fn start(command: &mut Command, interactive: bool) -> Result<Self, Problem> {
        let command = std::mem::replace(command, Command::new(""));
        let mut wrapped = CommandWrap::from(command);
        if !interactive {
            wrapped.wrap(JobObject);
        }
        let child = wrapped.spawn().map_err(Problem::Start)?;
        Ok(Self { child: Arc::new(Mutex::new(child)), ended: None })
    }

    pub(super) fn running(&self) -> Option<Running> {
        Some(Running(Arc::clone(&self.child)))
    }

    pub(super) fn streams(&mut self) -> Streams {
        let mut child = locked(&self.child);
        Streams {
            stdin: child.stdin().take(),
            stdout: child.stdout().take(),
            stderr: child.stderr().take(),
        }
    }

    /// Looks at it.
    pub(super) fn look(&mut self) -> Wait {
        match locked(&self.child).try_wait() {
            Ok(None) => Wait::Runs,
            Ok(Some(status)) => {
                self.ended = Some(status);
                Wait::Over
            }
            Err(_) => Wait::Over,
        }
    }

    /// How it ended; waits for that.
    pub(super) fn status(&mut self) -> io::Result<ExitStatus> {
        match self.ended {
            Some(status) => Ok(status),
            None => locked(&self.child).wait(),
        }
    }
}

fn locked(child: &Child) -> MutexGuard<'_, Box<dyn ChildWrapper>> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a child ended that has no status; on Windows each has one.
pub(super) fn ended(_status: ExitStatus) -> String {
    "failed".to_owned()
}
