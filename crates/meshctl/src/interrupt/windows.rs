//! Ctrl-C, Ctrl-Break, and the end of the console, of the session or of the system.

use std::io::Result;

use tokio::runtime::Builder;
use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close,
    ctrl_logoff, ctrl_shutdown,
};
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

/// Waits for them in a thread. After the last three, Windows leaves the process a few seconds.
pub(super) fn watch() {
    // Without a handler or a thread, Ctrl-C does what it always did.
    let Ok(mut events) = Events::take() else { return };
    let Ok(runtime) = Builder::new_current_thread().build() else { return };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    let _ = thread.spawn(move || {
        loop {
            runtime.block_on(events.wait());
            on();
        }
    });
}

/// What ends a process in a console.
struct Events(CtrlC, CtrlBreak, CtrlClose, CtrlLogoff, CtrlShutdown);

impl Events {
    fn take() -> Result<Self> {
        Ok(Self(ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_logoff()?, ctrl_shutdown()?))
    }

    async fn wait(&mut self) {
        let Self(interrupt, pause, close, logoff, shutdown) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = pause.recv() => {}
            _ = close.recv() => {}
            _ = logoff.recv() => {}
            _ = shutdown.recv() => {}
        }
    }
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
