//! Limits how many clusters run at the same time: first come, first served.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

/// Two cores carry four clusters, for each waits more than it computes.
const MAX: usize = 4;

static QUEUE: Mutex<Queue> = Mutex::new(Queue { last: 0, served: 0, holders: Vec::new() });
static MOVED: Condvar = Condvar::new();

struct Queue {
    /// The last number drawn, and the last that was served.
    last: u64,
    served: u64,
    /// Who asked for each cluster that runs.
    holders: Vec<ThreadId>,
}

/// Permission for one running cluster.
#[derive(Debug)]
pub struct Permit(ThreadId);

/// Waits until `count` clusters may run; more than four may when nothing else does.
///
/// # Panics
/// When the calling thread holds a cluster already: two tests that do so would wait for each other.
#[must_use]
pub fn permits(count: usize) -> Vec<Permit> {
    let me = std::thread::current().id();
    let mut queue = lock();
    if queue.holders.contains(&me) {
        drop(queue);
        panic!("a test that holds a cluster asks for more; ask for all of them at once");
    }
    queue.last += 1;
    let number = queue.last;
    let must_wait = |queue: &mut Queue| {
        let running = queue.holders.len();
        queue.served + 1 != number || (running > 0 && running + count > MAX)
    };
    let waited = MOVED.wait_while(queue, must_wait);
    let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
    queue.served = number;
    queue.holders.extend(std::iter::repeat_n(me, count));
    MOVED.notify_all();
    (0..count).map(|_| Permit(me)).collect()
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut queue = lock();
        if let Some(at) = queue.holders.iter().position(|holder| *holder == self.0) {
            queue.holders.swap_remove(at);
        }
        MOVED.notify_all();
    }
}

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}
