//! `cargo xtask fixtures`: records what the real `openssl verify` prints for every case, or compares.

use tests::cases;
use tests::{recipes, shared};

/// Writes missing topics, then records every case; with `--check`, nothing is written and a difference is an error.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let check = match args {
        [] => false,
        ["--check"] => true,
        other => return Err(format!("unknown option {other:?}")),
    };
    crate::judge::run()?;
    let text = |error: std::io::Error| error.to_string();
    if !check {
        recipes::write_missing(&shared::root().join("fixtures/verify")).map_err(text)?;
    }
    let mut different = Vec::new();
    let mut count = 0;
    for topic in cases::topics() {
        let mut recorded = cases::load(&topic);
        for case in &mut recorded {
            let printed = case.case.theirs(&topic);
            count += 1;
            if printed != case.printed {
                different.push(format!("{}: {}", topic.display(), case.case.name));
                case.printed = printed;
            }
        }
        if !check {
            cases::save(&topic, &recorded).map_err(text)?;
        }
    }
    println!("{count} cases, {} differ from the recorded ones", different.len());
    if check && !different.is_empty() {
        return Err(format!(
            "openssl's output differs from the fixtures:\n{}",
            different.join("\n")
        ));
    }
    Ok(())
}
