//! Calls of productpage, counted by the version that answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::scope;
use std::time::{Duration, Instant};

use tests::bookinfo::PORT;
use tests::rig::app::call;
use tests::rig::follow::End;

use super::screen::{Screen, WIDTH};
use super::stage::Playing;

/// The versions, and where each runs.
const VERSIONS: [(&str, &str); 3] = [("v1", "cluster1"), ("v2", "cluster1"), ("v3", "cluster2")];
/// Columns of a full bar.
const BAR: u64 = 40;

/// What was counted.
#[derive(Clone, Default)]
struct Counts {
    answers: BTreeMap<String, u64>,
    failed: u64,
    why: Option<String>,
}

/// Who calls, and what came of it.
pub(super) struct Calls<'p> {
    stage: &'p Playing<'p>,
    counts: Mutex<Counts>,
}

impl<'p> Calls<'p> {
    pub(super) fn new(stage: &'p Playing<'p>) -> Self {
        Self { stage, counts: Mutex::default() }
    }

    /// Calls without a pause while `act` runs, and shows the counts.
    pub(super) fn count(
        &self,
        screen: &Screen,
        act: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        let ended = AtomicBool::new(false);
        scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    self.call();
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    screen.panel(self.panel());
                    std::thread::sleep(Duration::from_secs(1));
                }
            });
            let _end = End(&ended);
            act()
        })
    }

    /// Waits for an answer of that version. What failed before the configuration has reached every proxy does not count.
    pub(super) fn until_answered(&self, version: &str) -> Result<(), String> {
        let start = Instant::now();
        while !self.read().answers.contains_key(version) {
            if start.elapsed() > Duration::from_secs(60) {
                return Err(format!(
                    "no answer of {version} within a minute: {:?}",
                    self.read().why
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = Counts::default();
        Ok(())
    }

    /// Says how many calls failed; an error if any did.
    pub(super) fn sum_up(&self, screen: &Screen) -> Result<(), String> {
        let lines = self.panel();
        screen.panel(Vec::new());
        screen.lines(&lines);
        let counts = self.read();
        match counts.failed {
            0 => {
                screen.say("No call has failed. Everything is stopped now.");
                Ok(())
            }
            failed => {
                Err(format!("{failed} calls failed, such as: {}", counts.why.unwrap_or_default()))
            }
        }
    }

    fn read(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn call(&self) {
        let answer = call(&self.stage.caller(), (&self.stage.reviews, PORT), "reviews:9080");
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(answer) if answer.status == 200 => {
                *counts.answers.entry(answer.name()).or_default() += 1;
            }
            Ok(answer) => {
                counts.failed += 1;
                counts.why = Some(format!("{answer:?}"));
            }
            Err(why) => {
                counts.failed += 1;
                counts.why = Some(why);
            }
        }
    }

    fn panel(&self) -> Vec<String> {
        let counts = self.read();
        let total: u64 = counts.answers.values().sum();
        let mut lines = vec!["─".repeat(WIDTH)];
        lines.push(format!(
            " productpage in cluster1 calls reviews {:>20} answered {:>10} failed",
            total, counts.failed
        ));
        for (version, cluster) in VERSIONS {
            let count = counts.answers.get(version).copied().unwrap_or_default();
            let length = (count * BAR).checked_div(total).unwrap_or_default();
            let bar = "█".repeat(usize::try_from(length).unwrap_or_default());
            let percent = (count * 100).checked_div(total).unwrap_or_default();
            lines.push(format!("   {version} in {cluster}  {bar:<40}  {percent:>3} %  {count:>8}"));
        }
        lines
    }
}
