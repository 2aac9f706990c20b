//! A shell in which the commands of a page run one after the other.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Longer than any command of a page takes.
const LIMIT: Duration = Duration::from_secs(240);
/// Ends the output of a command; the exit status follows.
const MARK: char = '\u{1e}';

/// The shell.
pub(super) struct Session {
    bash: Child,
    typed: ChildStdin,
    output: Receiver<Vec<u8>>,
    /// The command that runs, outside of the folder of the page.
    file: PathBuf,
    status: i32,
}

/// What a command printed, both streams in the order in which they were written, and its exit status.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) status: i32,
}

impl Session {
    /// Starts a shell in a folder; `file` is for the command.
    pub(super) fn start(folder: &Path, file: &Path, env: &[(&str, &str)]) -> Self {
        let mut bash = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(folder)
            .envs(env.iter().copied())
            .env("LC_ALL", "C.UTF-8")
            // So that what it has started ends with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash");
        let typed = bash.stdin.take().expect("its input");
        let mut stdout = bash.stdout.take().expect("its output");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { bash, typed, output, file: file.to_owned(), status: 0 }
    }

    /// Runs a command, which sees the exit status of the previous one.
    pub(super) fn run(&mut self, command: &str) -> Answer {
        std::fs::write(&self.file, format!("{command}\n")).expect("a file");
        let line = format!(
            "(exit {}); . '{}' </dev/null 2>&1; printf '{MARK}%d{MARK}' $?\n",
            self.status,
            self.file.display()
        );
        self.typed.write_all(line.as_bytes()).expect("a shell that reads");
        let start = Instant::now();
        let mut all = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&all).into_owned();
            if let [text, status, ""] = text.split(MARK).collect::<Vec<_>>()[..] {
                self.status = status.parse().expect("an exit status");
                return Answer { text: text.to_owned(), status: self.status };
            }
            let left = LIMIT.saturating_sub(start.elapsed());
            match self.output.recv_timeout(left) {
                Ok(more) => all.extend(more),
                Err(why) => panic!("{command}: {why}, after\n{text}"),
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A command that took too long would otherwise continue without its shell.
        if let Some(group) = i32::try_from(self.bash.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.bash.wait();
    }
}

/// What a command has started does not outlive the shell.
#[test]
fn nothing_outlives_the_shell() {
    let scratch = tests::scratch::Scratch::new();
    let mut session = Session::start(scratch.path(), &scratch.join("command"), &[]);
    let started = session.run("sleep 600 >/dev/null 2>&1 & echo $!").text;
    let stat = format!("/proc/{}/stat", started.trim());
    assert!(Path::new(&stat).exists(), "{started}");
    drop(session);
    // It has ended if it is gone, or waits to be read by whoever adopted it.
    let is_gone = || std::fs::read_to_string(&stat).map_or(true, |text| text.contains(") Z "));
    let start = Instant::now();
    while !is_gone() {
        assert!(start.elapsed() < Duration::from_secs(10), "{stat} is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}
