//! Signals.

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{are_left, cleanups, end, leave_signals};

/// SIGINT and SIGTERM, which end a command in order from the moment this exists.
pub(crate) struct Ending(Option<[Signal; 2]>);

impl Ending {
    /// Takes both signals, inside a runtime. Without handlers, a signal does what it always did.
    pub(crate) fn new() -> Self {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        let [Ok(interrupt), Ok(terminate)] = kinds.map(signal) else { return Self(None) };
        leave_signals();
        Self(Some([interrupt, terminate]))
    }

    /// Waits for one of them.
    pub(crate) async fn wait(&mut self) {
        let Some([interrupt, terminate]) = &mut self.0 else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Waits for signals in a thread. One that is ignored, as by `nohup`, stays ignored.
pub(super) fn watch() {
    let ignored = ignored_signals();
    let ours = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP]
        .into_iter()
        .filter(|signal| ignored & (1 << (signal - 1)) == 0);
    // Without a handler or a thread a signal does what it always did.
    let Ok(mut signals) = Signals::new(ours) else { return };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    let _ = thread.spawn(move || {
        for signal in signals.forever() {
            on(signal);
        }
    });
}

fn on(signal: i32) {
    let all = cleanups();
    if signal == SIGTSTP {
        all.iter().for_each(|(_, cleanup)| cleanup.stop());
        let _ = emulate_default_handler(signal);
        all.iter().for_each(|(_, cleanup)| cleanup.resume());
        return;
    }
    if are_left() && (signal == SIGINT || signal == SIGTERM) {
        return;
    }
    end(&all);
    let _ = emulate_default_handler(signal);
}

/// The signals this process ignores, as bits, where the system says so (Linux: `/proc/self/status`).
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}
