//! How many clusters run at the same time.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Two cores carry two clusters.
const MAX: usize = 2;

static USED: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// Permission for one running cluster.
#[derive(Debug)]
pub struct Permit(());

/// Waits until `count` clusters may run; more than two may when nothing else does.
///
/// # Panics
/// After fifty minutes: a test that holds one cluster must not ask for another.
#[must_use]
pub fn permits(count: usize) -> Vec<Permit> {
    let used = USED.lock().unwrap_or_else(PoisonError::into_inner);
    let full = |used: &mut usize| *used > 0 && *used + count > MAX;
    let waited = FREED.wait_timeout_while(used, Duration::from_secs(3000), full);
    let (mut used, late) = waited.unwrap_or_else(PoisonError::into_inner);
    if late.timed_out() {
        drop(used);
        panic!("no cluster became free; a test that needs several must ask for them at once");
    }
    *used += count;
    (0..count).map(|_| Permit(())).collect()
}

impl Drop for Permit {
    fn drop(&mut self) {
        *USED.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_all();
    }
}
