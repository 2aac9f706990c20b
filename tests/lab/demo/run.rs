//! Runs `meshctl` in the demo's folder, and shows what it prints.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tests::rig::Cluster;

use super::screen::Screen;

/// Lines of a command that are shown; the rest is counted.
const SHOWN: usize = 14;

/// Where commands run.
pub(super) struct Shell<'s> {
    folder: tempfile::TempDir,
    kubeconfigs: OsString,
    program: PathBuf,
    screen: &'s Screen,
}

impl<'s> Shell<'s> {
    pub(super) fn new(clusters: &[Cluster], screen: &'s Screen) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let kubeconfigs = std::env::join_paths(clusters.iter().map(Cluster::kubeconfig));
        let kubeconfigs = kubeconfigs.map_err(|error| error.to_string())?;
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let program = program.with_file_name("meshctl-under-test");
        Ok(Self { folder, kubeconfigs, program, screen })
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Runs a command that must succeed, and shows what it prints.
    pub(super) fn run(&self, words: &str) -> Result<(), String> {
        self.screen.command(&format!("meshctl {words}"));
        let (out, err) = self.output(words)?;
        self.show(&(out + &err));
        self.screen.pause(Duration::from_secs(2));
        Ok(())
    }

    /// Runs a command again and again until it says this. What it prints is shown when it has done something.
    pub(super) fn until(&self, words: &str, what: &str) -> Result<(), String> {
        self.screen.command(&format!("meshctl {words}"));
        let mut waits = false;
        loop {
            let (text, _) = self.output(words)?;
            let is_over = text.contains(what);
            let has_pushed = text.contains(": verified in ");
            match (is_over || has_pushed, waits) {
                (true, _) => self.show(&brief(&text)),
                (false, false) => {
                    let lines = text.lines().filter(|line| line.starts_with("safe from"));
                    self.show(&lines.map(|line| format!("{line}\n")).collect::<String>());
                }
                (false, true) => {}
            }
            waits = !has_pushed;
            if is_over {
                return Ok(());
            }
            std::thread::sleep(Duration::from_secs(3));
        }
    }

    /// What a command prints as its result, and besides.
    fn output(&self, words: &str) -> Result<(String, String), String> {
        let output = Command::new(&self.program)
            .args(tests::cli::words(words))
            .current_dir(self.folder.path())
            .env("KUBECONFIG", &self.kubeconfigs)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        if output.status.success() {
            return Ok((out, err));
        }
        Err(format!("meshctl {words}: {}\n{out}{err}", output.status))
    }

    fn show(&self, text: &str) {
        let all: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
        let mut lines = all[..all.len().min(SHOWN)].to_vec();
        match all.len().saturating_sub(SHOWN) {
            0 => {}
            1 => lines.push("  ... 1 more line".to_owned()),
            more => lines.push(format!("  ... {more} more lines")),
        }
        for line in lines {
            self.screen.say(&line);
            self.screen.pause(Duration::from_millis(60));
        }
    }
}

/// What was done, without the details of each secret.
fn brief(text: &str) -> String {
    let is_shown = |line: &&str| {
        let is_detail = line.starts_with("  ") && !line.contains("restarts");
        !is_detail
            && !line.is_empty()
            && !line.starts_with("next:")
            && !line.starts_with("cluster cluster")
    };
    text.lines().filter(is_shown).map(|line| format!("{line}\n")).collect()
}
