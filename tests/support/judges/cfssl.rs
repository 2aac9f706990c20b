//! The real `cfssl` (Debian: `golang-cfssl`).

use std::path::Path;
use std::process::Command;

use super::{Answer, missing, run};

/// A `cfssl` in `PATH`.
#[derive(Clone, Copy, Debug)]
pub struct Cfssl {
    /// Whether it is cfssl 1.6 and not the 1.2 of the distributions.
    pub is_newer: bool,
}

/// Finds cfssl.
#[must_use]
pub fn cfssl() -> Option<Cfssl> {
    let version = Command::new("cfssl").arg("version").output();
    let Some(version) = version.ok().filter(|out| out.status.success()) else {
        missing("cfssl", "it is not installed (Debian: golang-cfssl)");
        return None;
    };
    let is_newer = !String::from_utf8_lossy(&version.stdout).contains("Version: 1.2");
    Some(Cfssl { is_newer })
}

impl Cfssl {
    /// Runs `cfssl ARGS` in a folder.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run<T: AsRef<str>>(self, folder: &Path, args: &[T]) -> Answer {
        let args = args.iter().map(AsRef::as_ref);
        run(Command::new("cfssl").args(args).current_dir(folder))
    }
}
