//! What comes next in a run, and what a conflict means: pure functions of what was done and read.

use meshconfig::apply::Step;
use serde_json::Value;

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Steps that were taken, all of which succeeded.
    pub(super) taken: usize,
    /// The pause after the last wave is over.
    pub(super) settled: bool,
}

/// What comes next in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextSteps<'s> {
    /// Proxies take what istiod sent before the next wave begins.
    Settle,
    /// These, at the same time.
    Take(&'s [Step]),
    /// Every step was taken.
    Done,
}

/// Decides what comes next: at most `together` steps of one wave; before a new wave, a pause.
pub(super) fn next(steps: &[Step], progress: Progress, together: usize) -> NextSteps<'_> {
    let (before, rest) = steps.split_at(progress.taken.min(steps.len()));
    let Some(first) = rest.first() else { return NextSteps::Done };
    let is_new_wave = before.last().is_some_and(|last| last.wave != first.wave);
    if is_new_wave && !progress.settled {
        return NextSteps::Settle;
    }
    let wave = rest.iter().take_while(|step| step.wave == first.wave).count();
    NextSteps::Take(&rest[..wave.min(together.max(1))])
}

/// The version to write over after a conflict: that of `live`, if nothing relevant differs from what was `seen`. A
/// controller that wrote only its status in the meantime is not a reason to stop.
pub(super) fn after_conflict(seen: &Value, live: Option<&Value>) -> Option<String> {
    let live = live?;
    let same = |key: &str| live["metadata"][key] == seen["metadata"][key];
    let unchanged =
        live["spec"] == seen["spec"] && same("labels") && same("annotations") && same("uid");
    unchanged.then(|| version(live))
}

/// `resourceVersion`; empty if there is none.
pub(super) fn version(value: &Value) -> String {
    value["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}
