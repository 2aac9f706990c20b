//! What is put right when a signal ends the process: the terminal's echo, an empty folder, staged keys.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub(crate) use system::Ending;

/// What is done at a signal: before the process ends, or around a stop (Ctrl-Z).
pub(crate) trait Cleanup: Send {
    /// Before the process ends. Nothing else runs afterwards that could undo it.
    fn end(&self);
    /// Before the process stops.
    #[cfg(unix)]
    fn stop(&self) {}
    /// After it continues.
    #[cfg(unix)]
    fn resume(&self) {}
}

type Registered = Vec<(u64, Box<dyn Cleanup>)>;

static CLEANUPS: Mutex<Registered> = Mutex::new(Vec::new());
/// A rollout decides what SIGINT and SIGTERM do, and ends in order.
static LEFT: AtomicBool = AtomicBool::new(false);

/// Takes its cleanup back when dropped.
pub(crate) struct OnSignal(u64);

/// Has `cleanup` done when SIGINT, SIGTERM, SIGHUP or SIGQUIT ends the process (on Windows Ctrl-C, Ctrl-Break or the
/// console's end), until the result is dropped. The process then dies of the signal, as it would have without us.
pub(crate) fn on_signal(cleanup: Box<dyn Cleanup>) -> OnSignal {
    hold().add(cleanup)
}

/// The cleanups, held: a signal waits until this is dropped or has taken one more.
pub(crate) struct Held(MutexGuard<'static, Registered>);

/// Holds the cleanups for something that must not exist without its own, even for a moment.
pub(crate) fn hold() -> Held {
    watch();
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

fn are_left() -> bool {
    LEFT.load(Ordering::SeqCst)
}

fn cleanups() -> MutexGuard<'static, Registered> {
    CLEANUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for signals in a thread, once.
fn watch() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(system::watch);
}

/// Before the process ends. The lock is held to the end, so that no cleanup is registered again after it ran.
fn end(cleanups: &MutexGuard<'static, Registered>) {
    cleanups.iter().rev().for_each(|(_, cleanup)| cleanup.end());
}
