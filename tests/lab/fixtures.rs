//! `cargo xtask fixtures`: records what the real `openssl verify` of each release prints for every case, or compares.

use std::path::Path;

use meshpki::verify::Release;
use tests::cases::{self, Recorded};
use tests::{corpora, recipes, shared};

use crate::releases;

/// Writes missing topics, then records every case; with `--check`, nothing is written and a difference is an error.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let (releases, args) = releases::options(args)?;
    let check = match args.as_slice() {
        [] => false,
        ["--check"] => true,
        other => return Err(format!("unknown option {other:?}")),
    };
    crate::judge::provide(&releases)?;
    let text = |error: std::io::Error| error.to_string();
    if !check {
        recipes::write_missing(&shared::root().join("fixtures/verify")).map_err(text)?;
    }
    let mut asked = Asked { releases, count: 0, different: Vec::new() };
    for topic in cases::topics() {
        let mut recorded = cases::load(&topic);
        for case in &mut recorded {
            asked.ask(case, &topic, &topic.display().to_string());
        }
        if !check {
            cases::save(&topic, &recorded).map_err(text)?;
        }
    }
    for name in corpora::NAMES {
        let mut corpus = corpora::load(name);
        corpus.each(|run, dir| asked.ask(run, dir, name));
        if !check {
            corpus.save();
        }
    }
    let Asked { count, different, .. } = asked;
    println!("{count} runs, {} differ from the recorded ones", different.len());
    if check && !different.is_empty() {
        return Err(format!(
            "openssl's output differs from the fixtures:\n{}",
            different.join("\n")
        ));
    }
    Ok(())
}

/// What the judges have been asked.
struct Asked {
    releases: Vec<Release>,
    count: usize,
    different: Vec<String>,
}

impl Asked {
    /// Asks about one case, every release at the same time, and puts in what is printed now.
    fn ask(&mut self, recorded: &mut Recorded, dir: &Path, place: &str) {
        let case = &recorded.case;
        let answers = case.asked(&self.releases, dir);
        for ((release, known), printed) in
            Release::ALL.iter().zip(&mut recorded.printed).zip(answers)
        {
            let Some(printed) = printed else { continue };
            self.count += 1;
            if printed != *known {
                self.different.push(format!("{}: {place}: {}", release.name(), case.name));
                *known = printed;
            }
        }
    }
}
