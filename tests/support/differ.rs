//! Compares our answer with the reference's, and reduces a difference.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use meshpki::verify::Release;

use crate::cases::{self, Case, Recorded};
use crate::run::Printed;
use crate::world;

/// A case both were asked about.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The release that was asked.
    pub release: Release,
    /// The case.
    pub case: Case,
    /// Our answer.
    pub ours: Printed,
    /// The judge's.
    pub theirs: Printed,
}

/// Exit status with which `ca verify` says it cannot decide: no claim, so no difference.
const UNDECIDED: i64 = 3;

/// What a number of runs came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// Runs in all.
    pub runs: usize,
    /// Runs we could not decide.
    pub undecided: Vec<String>,
    /// Runs the judge found good.
    pub good: usize,
    /// How often the judge printed each verification code.
    pub codes: BTreeMap<u32, usize>,
    /// Runs in which we differ.
    pub differences: Vec<Difference>,
}

/// Asks both about the worlds of `seeds`, as each of `releases`.
#[must_use]
pub fn runs(releases: &[Release], seeds: impl Iterator<Item = u64>) -> Summary {
    let mut summary = Summary::default();
    for seed in seeds {
        let case = world::case(seed);
        let dir = written(&case);
        for release in releases {
            summary.count(*release, &case, dir.path());
        }
    }
    summary
}

/// Whether no claim is made about a target. Where another target failed the exit status is that one's, and only the
/// line tells.
#[must_use]
pub fn is_undecided(ours: &Printed) -> bool {
    ours.exit == UNDECIDED || ours.stderr.contains(": undecided: ")
}

impl Summary {
    fn count(&mut self, release: Release, case: &Case, dir: &Path) {
        let (ours, theirs) = (case.ours(release, dir), case.theirs(release, dir));
        self.runs += 1;
        self.good += usize::from(theirs.exit == 0);
        codes(&theirs).for_each(|code| *self.codes.entry(code).or_default() += 1);
        if is_undecided(&ours) {
            self.undecided.push(case.name.clone());
        } else if ours != theirs {
            self.differences.push(Difference { release, case: case.clone(), ours, theirs });
        }
    }

    /// Takes in what another worker found.
    pub fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.good += other.good;
        self.undecided.extend(other.undecided);
        self.differences.extend(other.differences);
        for (code, times) in other.codes {
            *self.codes.entry(code).or_default() += times;
        }
    }
}

/// The N of every line `error N at D depth lookup: TEXT`.
fn codes(printed: &Printed) -> impl Iterator<Item = u32> {
    let lines = printed.stderr.lines();
    let words = lines.filter_map(|line| line.strip_prefix("error ")?.split_once(" at "));
    words.filter_map(|(code, _)| code.parse().ok())
}

/// Our answer as a release and that of its judge.
///
/// # Panics
/// When the files of the case cannot be written.
#[must_use]
pub fn ask(release: Release, case: &Case) -> (Printed, Printed) {
    let dir = written(case);
    (case.ours(release, dir.path()), case.theirs(release, dir.path()))
}

fn written(case: &Case) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a scratch folder");
    case.write(dir.path()).expect("files can be written");
    dir
}

impl Difference {
    /// The same difference with as few options, files and blocks as show it.
    #[must_use]
    pub fn shrunk(self) -> Self {
        let mut best = self;
        loop {
            let smaller = smaller(&best.case).into_iter().find_map(|case| {
                let (ours, theirs) = ask(best.release, &case);
                let differs = ours != theirs && !is_undecided(&ours);
                differs.then_some(Self { release: best.release, case, ours, theirs })
            });
            match smaller {
                Some(smaller) => best = smaller,
                None => return best,
            }
        }
    }

    /// Keeps the case as a topic of its own.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub fn save(&self, topics: &Path) {
        let dir = topics.join(format!("found-{}", self.case.name));
        fs::create_dir_all(&dir).expect("a folder");
        self.case.write(&dir).expect("files can be written");
        let mut case = self.case.clone();
        if case.why.is_empty() {
            case.why = "found by `cargo xtask differential`".to_owned();
        }
        let recorded = Recorded { printed: case.recorded(&dir), case };
        cases::save(&dir, &[recorded]).expect("cases.jsonl");
    }
}

/// Every case that is one step smaller.
fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut push = |change: &dyn Fn(&mut Case)| {
        let mut less = case.clone();
        change(&mut less);
        all.push(less);
    };
    for i in 0..case.args.len() {
        if i + 1 < case.args.len()
            && case.args[i].starts_with('-')
            && !case.args[i + 1].starts_with('-')
        {
            push(&|less| drop(less.args.drain(i..=i + 1)));
        }
        push(&|less| drop(less.args.remove(i)));
    }
    for (f, (_, chunks)) in case.files.iter().enumerate() {
        for c in 0..chunks.len() {
            push(&|less| drop(less.files[f].1.remove(c)));
        }
        push(&|less| drop(less.files.remove(f)));
    }
    // A step that only breaks the command line does not count.
    all.retain(|less| less.args.iter().all(|arg| names_a_file(less, case, arg)));
    all
}

/// Whether an argument that named a file still does.
fn names_a_file(less: &Case, case: &Case, arg: &str) -> bool {
    let has = |case: &Case| case.files.iter().any(|(name, _)| name == arg);
    !has(case) || has(less)
}
