//! The terminal: its size, and a question whose answer is not shown.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Rows and columns of the terminal that standard error is; 24 and 80 if it does not know them.
pub(crate) fn size() -> (usize, usize) {
    match terminal_size::terminal_size_of(std::io::stderr()) {
        Some((columns, rows)) if rows.0 > 0 && columns.0 > 0 => {
            (usize::from(rows.0), usize::from(columns.0))
        }
        _ => (24, 80),
    }
}

/// Whether a terminal shows colors.
pub(crate) fn has_colors() -> bool {
    system::has_colors()
}

/// Whether the process has a terminal, whatever its streams are.
pub(crate) fn exists() -> bool {
    system::exists()
}

/// Asks on the process's terminal for `what`, such as `passphrase`; what is typed is not shown.
///
/// # Errors
/// `ctl/io` when there is no terminal, it was closed, or the answer is not UTF-8.
pub(crate) fn secret(what: &str, question: &str) -> Result<Zeroizing<String>, Failure> {
    let failed = |why: String| {
        Failure::new("ctl/io", format!("the {what} could not be read from the terminal"))
            .because(why)
    };
    let line = system::ask(question).map_err(|error| failed(error.to_string()))?;
    let text = std::str::from_utf8(&line).map_err(|error| failed(error.to_string()))?;
    Ok(Zeroizing::new(text.to_owned()))
}
