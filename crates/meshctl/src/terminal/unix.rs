//! `/dev/tty` and its modes.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::interrupt::{Cleanup, on_signal};

/// A terminal hands over lines of at most this many bytes (`N_TTY_BUF_SIZE`).
const MAX_LINE: usize = 4096;

/// Every terminal shows colors.
pub(super) const fn has_colors() -> bool {
    true
}

/// Whether this process has a terminal.
pub(super) fn exists() -> bool {
    open().is_ok()
}

fn open() -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

/// One line that is not shown. The terminal is as it was afterwards, even when a signal ends the process meanwhile.
pub(super) fn ask(question: &str) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let file = open()?;
    let before = tcgetattr(&file)?;
    let silent = Arc::new(Silent { file, before, question: question.to_owned() });
    let guard = on_signal(Box::new(Arc::clone(&silent)));
    silent.begin()?;
    let line = line(&silent.file);
    silent.restore();
    drop(guard);
    line
}

/// One line without its end.
fn line(mut tty: &File) -> std::io::Result<Zeroizing<Vec<u8>>> {
    // In one piece: what a growing buffer frees is not zeroized.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
    let mut byte = Zeroizing::new([0; 1]);
    loop {
        match tty.read(&mut *byte) {
            Ok(0) if line.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) if line.len() == MAX_LINE => return Err(ErrorKind::InvalidData.into()),
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

/// A terminal that does not show what is typed.
struct Silent {
    file: File,
    before: Termios,
    question: String,
}

impl Silent {
    /// Echo off first, then the question: whoever sees it can answer.
    fn begin(&self) -> std::io::Result<()> {
        let mut modes = self.before.clone();
        modes.local_modes.remove(LocalModes::ECHO);
        modes.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&self.file, OptionalActions::Flush, &modes)?;
        (&self.file).write_all(self.question.as_bytes())
    }

    fn restore(&self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(&self.file, OptionalActions::Now, &self.before);
    }
}

impl Cleanup for Arc<Silent> {
    fn end(&self) {
        self.restore();
        // What comes next begins on a line of its own.
        let _ = (&self.file).write_all(b"\n");
    }

    fn stop(&self) {
        self.restore();
    }

    fn resume(&self) {
        let _ = self.begin();
    }
}
