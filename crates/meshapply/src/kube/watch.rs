//! Each request to the API server of a context for those that watch: method, path, status and time.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode, Uri};

use super::credentials::Credentials;

/// A request and how it ended. Neither a header nor a body is in it, and no credentials.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exchange {
    /// The context that reaches the server.
    pub context: String,
    /// The method.
    pub method: String,
    /// Path and query, such as `/api/v1/namespaces/istio-system/pods?labelSelector=app%3Distiod`.
    pub path: String,
    /// The status; or why no answer came.
    pub answer: Result<u16, String>,
    /// The time until the headers of the answer.
    pub took: Duration,
}

/// Gets every request when it has ended.
#[derive(Clone)]
pub struct Watcher(Arc<dyn Fn(&Exchange) + Send + Sync>);

impl Watcher {
    /// One that calls a function.
    pub fn new(watch: impl Fn(&Exchange) + Send + Sync + 'static) -> Self {
        Self(Arc::new(watch))
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watcher")
    }
}

/// A request under way. One that is given up is reported, too.
pub(super) struct UnderWay {
    watcher: Watcher,
    begin: Instant,
    exchange: Exchange,
}

impl UnderWay {
    /// A request begins.
    pub(super) fn begin(
        watcher: &Watcher,
        credentials: &Credentials,
        context: &str,
        (method, uri): (&Method, &Uri),
    ) -> Self {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let exchange = Exchange {
            context: context.to_owned(),
            method: method.to_string(),
            path: credentials.redacted(path),
            answer: Err("given up".to_owned()),
            took: Duration::ZERO,
        };
        Self { watcher: watcher.clone(), begin: Instant::now(), exchange }
    }

    /// An answer came, or the reason why none did.
    pub(super) fn end(mut self, answer: Result<StatusCode, String>) {
        self.exchange.answer = answer.map(|status| status.as_u16());
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.exchange.took = self.begin.elapsed();
        (self.watcher.0)(&self.exchange);
    }
}
