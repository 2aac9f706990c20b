//! Processes of the rig: they end when the test process does, however it ends.
//!
//! `setpriv --pdeathsig` asks the kernel for a signal at the end of the parent *thread*, and libtest runs every test
//! in a thread of its own. So one thread that lives as long as the process starts them all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

/// A program, its arguments and the rest of how to start it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment, besides `PATH`.
    pub env: Vec<(String, String)>,
    /// The folder it runs in.
    pub folder: PathBuf,
    /// Where what it prints goes, behind what is there.
    pub log: PathBuf,
}

impl Plan {
    /// A program that runs in `folder` and logs to `folder/NAME.log`.
    #[must_use]
    pub fn new(program: &Path, folder: &Path) -> Self {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        Self {
            program: program.to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            folder: folder.to_owned(),
            log: folder.join(format!("{name}.log")),
        }
    }

    /// The same with one argument more.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started at all.
    #[must_use]
    pub fn start(&self) -> Process {
        let child = self.command().and_then(spawn);
        let child = child.unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        Process { child, log: self.log.clone(), ended: None }
    }

    fn command(&self) -> io::Result<Command> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program)
            .args(&self.args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }
}

/// A running program; dropped, it is killed and reaped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, when it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// If its exit status cannot be determined.
    pub fn wait(mut self) -> ExitStatus {
        let ended = self.child.wait().expect("an exit status");
        self.ended = Some(ended);
        ended
    }

    /// Asks it to end (SIGTERM) and does not wait.
    pub fn terminate(&mut self) {
        if self.ended().is_none()
            && let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw)
        {
            // It may end in this very moment.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Ends it (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            // What is already gone cannot be killed, and need not be.
            let _ = self.child.kill();
            self.ended = self.child.wait().ok();
        }
    }

    /// What it has printed.
    #[must_use]
    pub fn log(&self) -> String {
        read_log(&self.log)
    }

    /// The last lines of what it has printed, for a message.
    #[must_use]
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A log file as text; empty while there is none.
#[must_use]
pub fn read_log(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

type Job = (Command, Sender<io::Result<Child>>);

/// Starts a command from the thread that never ends.
fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, queue) = channel::<Job>();
        let run = move || {
            for (mut command, answer) in queue {
                // The caller waits for the answer, unless its thread has ended: then the child is not wanted.
                if let Err(error) = answer.send(command.spawn())
                    && let Ok(mut child) = error.0
                {
                    let _ = child.kill();
                }
            }
        };
        std::thread::Builder::new().name("spawner".to_owned()).spawn(run).expect("a thread");
        Mutex::new(jobs)
    });
    let (answer, result) = channel();
    let sent = spawner.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer));
    sent.map_err(io::Error::other)?;
    result.recv().map_err(io::Error::other)?
}
