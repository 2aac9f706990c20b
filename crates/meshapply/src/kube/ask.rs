//! One request: its time, when it is asked again, and its error in words of ours.

use std::future::Future;
use std::time::Duration;

use kube::core::Status;
use tokio::time::{sleep, timeout};

use super::REQUEST;
use super::service::NoCredentials;
use crate::error::Error;

/// How often a server that is busy is asked.
const TRIES: u32 = 7;
/// The first pause; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(250);
/// A server that wants to be left alone for longer than this is not waited for here.
const LONGEST: Duration = Duration::from_secs(30);

/// Whether a write that the server turned down as a conflict may be sent again as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// It is for one version of the object: if another write came first, that has to be read first.
    Version,
    /// It says the same of every version.
    Nothing,
}

/// Asks; while the server is busy (429, 503, 504) again, when it says or after a pause that grows.
///
/// That is for reads, and for writes that do no harm twice, as all of ours: each is for one version of its object, or
/// says the same of every version.
pub(super) async fn ask<T, F: Future<Output = Result<T, kube::Error>>>(
    what: impl Fn() -> String,
    request: impl Fn() -> F,
) -> Result<T, Error> {
    write(Bound::Version, what, request).await
}

/// Writes; asked again as [`ask`] is, and after a conflict where nothing binds the write to a version.
pub(super) async fn write<T, F: Future<Output = Result<T, kube::Error>>>(
    bound: Bound,
    what: impl Fn() -> String,
    request: impl Fn() -> F,
) -> Result<T, Error> {
    let mut pause = PAUSE;
    let mut tries = 1;
    loop {
        let error = match timeout(REQUEST, request()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => return Err(no_answer(what())),
        };
        let again = match &error {
            kube::Error::Api(status) if tries < TRIES => when(status, bound, pause),
            _ => None,
        };
        let Some(wait) = again else { return Err(refused(what(), &error)) };
        sleep(wait).await;
        pause *= 2;
        tries += 1;
    }
}

/// The pause before a request is sent again; `None`: the answer is final.
fn when(status: &Status, bound: Bound, pause: Duration) -> Option<Duration> {
    let is_passing = match status.code {
        429 | 503 | 504 => true,
        // `AlreadyExists` is 409 too, and so are fields that another manager owns.
        409 => bound == Bound::Nothing && status.reason == "Conflict" && !is_owned(status),
        _ => false,
    };
    let wanted = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    let wanted = Duration::from_secs(u64::from(wanted));
    (is_passing && wanted <= LONGEST).then(|| pause.max(wanted))
}

fn is_owned(status: &Status) -> bool {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == "FieldManagerConflict")
}

/// The same for something that may not be there.
pub(super) async fn ask_optional<T, F: Future<Output = Result<T, kube::Error>>>(
    what: impl Fn() -> String,
    request: impl Fn() -> F,
) -> Result<Option<T>, Error> {
    match ask(what, request).await {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Api { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn no_answer(what: String) -> Error {
    Error::Unreachable { what, message: format!("no response within {} s", REQUEST.as_secs()) }
}

/// Our error for kube's, without its `Debug` text, which would print all it has.
fn refused(what: String, error: &kube::Error) -> Error {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            Error::Forbidden { what, message: status.message.clone() }
        }
        kube::Error::Api(status) => {
            Error::Api { what, message: words(status), status: status.code }
        }
        kube::Error::Service(cause) if cause.is::<NoCredentials>() => {
            Error::Unreachable { what, message: cause.to_string() }
        }
        // Whichever of several requests was the first to find the server unreachable: they all say the same.
        kube::Error::Service(_) | kube::Error::HyperError(_) => {
            Error::Unreachable { what: "reach the API server".to_owned(), message: deepest(error) }
        }
        // What a JSON reader says shows what it read.
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
            let message = "the response is not the JSON of an API server".to_owned();
            Error::Unreachable { what, message }
        }
        other => Error::Unreachable { what, message: told(other) },
    }
}

fn words(status: &Status) -> String {
    let after = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    if Duration::from_secs(u64::from(after)) > LONGEST {
        return format!("{} (retry in {after} s)", status.message);
    }
    status.message.clone()
}

/// The cause below all causes: `Connection refused`, `invalid peer certificate: UnknownIssuer`.
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

/// An error with its causes, each once.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_again() {
        let check = |code: u16, reason: &str, cause: &str, after: u32, expect: [Option<u64>; 2]| {
            let status = serde_json::json!({
                "code": code, "reason": reason,
                "details": {"retryAfterSeconds": after, "causes": [{"reason": cause}]},
            });
            let status: Status = serde_json::from_value(status).unwrap();
            let found = [Bound::Version, Bound::Nothing].map(|bound| {
                when(&status, bound, Duration::from_secs(2)).map(|wait| wait.as_secs())
            });
            assert_eq!(found, expect, "{code} {reason} {cause} {after}");
        };
        for code in [429, 503, 504] {
            check(code, "", "", 0, [Some(2), Some(2)]);
            check(code, "", "", 1, [Some(2), Some(2)]);
            check(code, "", "", 9, [Some(9), Some(9)]);
            check(code, "", "", 31, [None, None]);
        }
        check(409, "Conflict", "", 0, [None, Some(2)]);
        check(409, "AlreadyExists", "", 0, [None, None]);
        check(409, "Conflict", "FieldManagerConflict", 0, [None, None]);
        for code in [400, 401, 403, 404, 422, 500, 502] {
            check(code, "Conflict", "", 1, [None, None]);
        }
    }
}
