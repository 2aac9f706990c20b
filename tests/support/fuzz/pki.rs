//! A PKI and a command line from arbitrary choices: `ca verify` answers, and answers as openssl does.

use std::sync::LazyLock;

use meshpki::verify::Release;

use crate::cases::Case;
use crate::differ::{self, Difference};
use crate::judges::openssl;
use crate::random::Random;
use crate::{shared, world};

use super::{is_sampled, release};

/// Whether the judge is there; without it the line that says so was printed.
static JUDGE: LazyLock<bool> = LazyLock::new(openssl::are_available);

pub(super) fn pki(data: &[u8]) {
    let case = world::chosen(Random::of_bytes(data));
    answer(&case, data);
}

/// Our answer to a case; one input in so many, openssl is asked as well and has to say the same, byte for byte.
pub(super) fn answer(case: &Case, data: &[u8]) {
    let release = release(data);
    if is_sampled(data) && *JUDGE {
        compare(release, case);
        return;
    }
    let dir = tempfile::tempdir().expect("a scratch folder");
    case.write(dir.path()).expect("files can be written");
    let ours = case.ours(release, dir.path());
    assert!((0..=3).contains(&ours.exit), "{ours:?}");
    assert!(ours.exit != 0 || !ours.stdout.is_empty(), "{ours:?}");
}

/// Asks that release of openssl too; a difference is reduced and kept below `target/fuzz`.
fn compare(release: Release, case: &Case) {
    let (ours, theirs) = differ::ask(release, case);
    if ours == theirs || differ::is_undecided(&ours) {
        return;
    }
    let small = Difference { release, case: case.clone(), ours, theirs }.shrunk();
    let kept = shared::root().join("target/fuzz/differences");
    small.save(&kept);
    panic!(
        "{} verify {} (the files are in {}/found-{})\n  openssl: {:?}\n  meshctl: {:?}",
        release.name(),
        small.case.args.join(" "),
        kept.display(),
        small.case.name,
        small.theirs,
        small.ours
    );
}
