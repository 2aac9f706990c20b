//! The console.

use std::fs::OpenOptions;
use std::io::Result;

use zeroize::Zeroizing;

/// Whether the console shows colors from now on; those before Windows 10 do not.
pub(super) fn has_colors() -> bool {
    anstyle_query::windows::enable_ansi_colors().unwrap_or(false)
}

/// Whether this process has a console.
pub(super) fn exists() -> bool {
    OpenOptions::new().read(true).write(true).open("CONIN$").is_ok()
}

/// One line that is not shown. A shell sets the modes of its console again when a program in it ends, so Ctrl-C leaves
/// no console without echo.
pub(super) fn ask(question: &str) -> Result<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(rpassword::prompt_password(question)?.into_bytes()))
}
