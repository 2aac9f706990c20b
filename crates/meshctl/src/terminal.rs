//! The terminal: its size, and a question whose answer is not shown.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::interrupt::{Cleanup, on_signal};

/// A terminal hands over lines of at most this many bytes (`N_TTY_BUF_SIZE`).
const MAX_LINE: usize = 4096;

/// Rows and columns of the terminal that standard error is; 24 and 80 if it does not know them.
pub(crate) fn size() -> (usize, usize) {
    match tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => {
            (usize::from(size.ws_row), usize::from(size.ws_col))
        }
        _ => (24, 80),
    }
}

/// Asks on the process's terminal for `what`, such as `passphrase`; what is typed is not shown, and the terminal is as
/// it was afterwards, even when a signal ends the process meanwhile.
///
/// # Errors
/// `ctl/io` when there is no terminal, it was closed, or the answer is not UTF-8.
pub(crate) fn secret(what: &str, question: &str) -> Result<Zeroizing<String>, Failure> {
    let failed = |why: String| {
        Failure::new("ctl/io", format!("the {what} could not be read from the terminal"))
            .because(why)
    };
    let fail = |error: std::io::Error| failed(error.to_string());
    let file = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(fail)?;
    let before = tcgetattr(&file).map_err(|error| fail(error.into()))?;
    let silent = Arc::new(Silent { file, before, question: question.to_owned() });
    let guard = on_signal(Box::new(Arc::clone(&silent)));
    silent.begin().map_err(fail)?;
    let line = line(&silent.file);
    silent.restore();
    drop(guard);
    let line = line.map_err(fail)?;
    let text = std::str::from_utf8(&line).map_err(|error| failed(error.to_string()))?;
    Ok(Zeroizing::new(text.to_owned()))
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
