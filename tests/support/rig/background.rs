//! A tokio runtime in a thread of its own, for tests that are not asynchronous.

use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The runtime; dropped, it ends.
pub struct Background {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts it.
    ///
    /// # Panics
    /// When there is no thread for it.
    #[must_use]
    pub fn start(name: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        // A sender that is gone says the same as one that sends.
        let run = move || drop(runtime.block_on(stopped));
        let thread = std::thread::Builder::new().name(format!("client-{name}")).spawn(run);
        Self { handle, stop: Some(stop), thread: Some(thread.expect("a thread")) }
    }

    /// Runs a future to its end in the caller's thread; what it spawns runs in the other.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    /// Calls something that needs a runtime around it.
    pub fn enter<T>(&self, call: impl FnOnce() -> T) -> T {
        let _guard = self.handle.enter();
        call()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}
