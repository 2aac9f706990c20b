//! Waiting for something to become true.

use std::time::{Duration, Instant};

/// How long a busy machine may take for anything at all.
pub const LONG: Duration = Duration::from_secs(90);

/// Asks every 50 ms until there is an answer.
///
/// # Panics
/// When there is none in time.
pub async fn until<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
