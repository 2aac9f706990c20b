//! Bundle endpoints in tests: certificates that are valid now, `meshctl trust serve` as a process, clients that look
//! closely, and servers that misbehave.

mod client;
mod hostile;
mod pki;
mod serving;

pub use client::{Talk, plain};
pub use hostile::{Asked, Hostile, Stream};
pub use pki::{Domain, Leaf, bundle_of, web_leaf};
pub use serving::Serving;

/// Tries again until it is so.
///
/// # Panics
/// When it never becomes so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("never: {what}");
}
