//! What is put right when a signal ends the process: the terminal's echo, an empty folder, staged keys.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What is done at a signal: before the process ends, or around a stop (Ctrl-Z).
pub(crate) trait Cleanup: Send {
    /// Before the process ends. Nothing else runs afterwards that could undo it.
    fn end(&self);
    /// Before the process stops.
    fn stop(&self) {}
    /// After it continues.
    fn resume(&self) {}
}

type Registered = Vec<(u64, Box<dyn Cleanup>)>;

static CLEANUPS: Mutex<Registered> = Mutex::new(Vec::new());
/// A rollout decides what SIGINT and SIGTERM do, and ends in order.
static LEFT: AtomicBool = AtomicBool::new(false);

/// Takes its cleanup back when dropped.
pub(crate) struct OnSignal(u64);

/// Has `cleanup` done when SIGINT, SIGTERM, SIGHUP or SIGQUIT ends the process, until the result is dropped.
/// The process then dies of the signal, as it would have without us.
pub(crate) fn on_signal(cleanup: Box<dyn Cleanup>) -> OnSignal {
    hold().add(cleanup)
}

/// The cleanups, held: a signal waits until this is dropped or has taken one more.
pub(crate) struct Held(MutexGuard<'static, Registered>);

/// Holds the cleanups for something that must not exist without its own, even for a moment.
pub(crate) fn hold() -> Held {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(watch);
    Held(cleanups())
}

impl Held {
    /// As [`on_signal`], and lets the signals proceed.
    pub(crate) fn add(mut self, cleanup: Box<dyn Cleanup>) -> OnSignal {
        let id = self.0.last().map_or(0, |(id, _)| id + 1);
        self.0.push((id, cleanup));
        OnSignal(id)
    }
}

impl Drop for OnSignal {
    fn drop(&mut self) {
        cleanups().retain(|(id, _)| *id != self.0);
    }
}

/// From here on another handler takes SIGINT and SIGTERM and ends the process in order.
fn leave_signals() {
    LEFT.store(true, Ordering::SeqCst);
}

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

fn cleanups() -> MutexGuard<'static, Registered> {
    CLEANUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for signals in a thread. One that is ignored, as by `nohup`, stays ignored.
fn watch() {
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
    if LEFT.load(Ordering::SeqCst) && (signal == SIGINT || signal == SIGTERM) {
        return;
    }
    all.iter().rev().for_each(|(_, cleanup)| cleanup.end());
    // The lock is held to the end, so that no cleanup is registered again after it ran.
    let _ = emulate_default_handler(signal);
}

/// The signals this process ignores, as bits, where the system says so (Linux: `/proc/self/status`).
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}
