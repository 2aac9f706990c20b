//! Ctrl-C, Ctrl-Break, and the end of the console or of the session.

use tokio::sync::Notify;

use super::{are_left, cleanups, end, leave_signals};

/// `STATUS_CONTROL_C_EXIT`: what a process ends with that has no handler.
const CONTROL_C: i32 = 0xc000_013a_u32.cast_signed();

static CAME: Notify = Notify::const_new();

/// Ctrl-C and its like, which end a command in order from the moment this exists.
pub(crate) struct Ending;

impl Ending {
    /// Takes them.
    pub(crate) fn new() -> Self {
        super::watch();
        leave_signals();
        Self
    }

    /// Waits for one of them.
    pub(crate) async fn wait(&mut self) {
        CAME.notified().await;
    }
}

/// Waits for them in a thread.
pub(super) fn watch() {
    // Without a handler, Ctrl-C does what it always did.
    let _ = ctrlc::set_handler(on);
}

#[expect(clippy::exit, reason = "the process ends as it would without a handler")]
fn on() {
    if are_left() {
        CAME.notify_one();
        return;
    }
    let all = cleanups();
    end(&all);
    std::process::exit(CONTROL_C);
}
