//! The world as a command sees it: the only place that touches clock, environment and terminal.

use std::fmt;
use std::io::{BufRead, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use meshapply::kube::{Exchange, Watcher};
use meshpki::Time;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::system;
use crate::terminal;
use crate::text::{painted, safe};

/// What a command may touch besides files: one value, made once in `main`, made up in tests.
pub struct Io<'a> {
    /// The time, asked once per command.
    pub now: Time,
    /// Standard input.
    pub stdin: &'a mut dyn BufRead,
    /// Standard output: the result, data that can be piped on.
    pub out: &'a mut dyn Write,
    /// Standard error: progress, warnings, errors.
    pub err: &'a mut dyn Write,
    /// Standard input is a terminal, so a question may be asked.
    pub can_ask: bool,
    /// Whether the process has a terminal, whatever its streams are; few commands ask.
    pub has_terminal: fn() -> bool,
    /// Standard error is a terminal, so progress may be drawn there.
    pub progress: bool,
    /// Where colors help; without `--color`, on a terminal.
    pub color: Color,
    /// How much is said.
    pub voice: Voice,
    /// An environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// How much is said on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voice {
    /// `--quiet`: no notes and no progress.
    Quiet,
    /// Notes, and progress on a terminal.
    #[default]
    Normal,
    /// `--verbose`: notes, and each request to the API server of a context, but no progress, which they would tear.
    Verbose,
}

/// Which streams have colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Color {
    /// Standard output.
    pub out: bool,
    /// Standard error.
    pub err: bool,
}

/// The progress of a long task; dropping it clears its line on the terminal.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// One more is done.
    pub(crate) fn step(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }

    /// Does what prints lines, without the progress in between.
    pub(crate) fn around(&self, print: impl FnOnce()) {
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// 2000-01-01: a clock before it was never set.
const EARLIEST: Time = Time(946_684_800);
/// 2100-01-01: a clock after it is broken.
const LATEST: Time = Time(4_102_444_800);

impl Io<'_> {
    /// Takes over what was typed. Without a wish, a terminal has colors unless the environment is against them
    /// (`NO_COLOR`, `TERM=dumb`).
    pub(crate) fn set_up(&mut self, color: Option<bool>, voice: Voice) {
        let is_against = || {
            (self.env)("NO_COLOR").is_some_and(|text| !text.is_empty())
                || (self.env)("TERM").is_some_and(|text| text == "dumb")
        };
        self.color = match color {
            Some(wanted) => Color { out: wanted, err: wanted },
            None if is_against() => Color::default(),
            None => self.color,
        };
        self.voice = voice;
    }

    /// Prints a result to standard output. A reader that has gone away is not a failure.
    ///
    /// # Errors
    /// `ctl/io` when standard output takes no more.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        let text = painted(text, self.color.out);
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::new("ctl/io", "cannot write to standard output")
                    .because(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Prints a line to standard error. If that is closed, the line is lost: no result depends on it.
    pub(crate) fn say(&mut self, line: impl fmt::Display) {
        let line = line.to_string();
        let _ = writeln!(self.err, "{}", painted(&line, self.color.err));
    }

    /// Prints a line to standard error that can be left out: what was written, what comes next.
    pub(crate) fn note(&mut self, line: impl fmt::Display) {
        if self.voice != Voice::Quiet {
            self.say(line);
        }
    }

    /// Draws on standard error, without a line end: progress, or a question.
    pub(crate) fn draw(&mut self, text: impl fmt::Display) {
        let _ = write!(self.err, "{text}");
        let _ = self.err.flush();
    }

    /// Whether progress is drawn.
    pub(crate) fn draws(&self) -> bool {
        self.progress && self.voice == Voice::Normal
    }

    /// Rows and columns of the terminal on which progress is drawn.
    pub(crate) fn size(&self) -> (usize, usize) {
        terminal::size()
    }

    /// Prints a line for each request to the API server of a context when it has ended; `None` without `--verbose`.
    pub(crate) fn watcher(&self) -> Option<Watcher> {
        let told = |exchange: &Exchange| {
            let answer = match &exchange.answer {
                Ok(status) => status.to_string(),
                Err(why) => why.clone(),
            };
            let Exchange { context, method, path, took, .. } = exchange;
            let line = format!("{context}: {method} {path}: {answer}, {} ms", took.as_millis());
            // Requests end while a command has standard error for itself; its lock lets the same thread in.
            let _ = writeln!(std::io::stderr(), "{}", safe(&line));
        };
        (self.voice == Voice::Verbose).then(|| Watcher::new(told))
    }

    /// Counts long work on a terminal, and elsewhere nothing: `12 of 40 contexts asked`.
    pub(crate) fn progress(&self, count: usize, what: &'static str) -> Progress {
        if !self.draws() || count < 2 {
            return Progress(None);
        }
        // No thread of its own: it would wait for standard error, which this process holds.
        let bar = ProgressBar::with_draw_target(
            Some(u64::try_from(count).unwrap_or(u64::MAX)),
            ProgressDrawTarget::stderr(),
        );
        let style = ProgressStyle::with_template("{bar:24} {pos} of {len} {msg}");
        Progress(style.ok().map(|style| bar.with_style(style).with_message(what)))
    }

    /// Prints a warning.
    pub(crate) fn warn(&mut self, warning: &Failure) {
        let _ = self.err.write_all(painted(&warning.warning(), self.color.err).as_bytes());
    }

    /// Prints a failure.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        let _ = self.err.write_all(painted(&failure.text(), self.color.err).as_bytes());
    }

    /// Prints all failures but the last, which is returned to become the command's own; `None` if there is none.
    pub(crate) fn fail_all(&mut self, mut failures: Vec<Failure>) -> Option<Failure> {
        let last = failures.pop()?;
        for failure in failures {
            self.fail(&failure);
            self.say("");
        }
        Some(last)
    }

    /// Asks a question that `yes` (`--yes`) answers beforehand.
    ///
    /// # Errors
    /// `ctl/declined`; `ctl/usage` with `hint` if there is no terminal to ask on.
    pub(crate) fn confirm(&mut self, yes: bool, question: &str, hint: &str) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        if !self.can_ask {
            return Err(cannot_ask(hint));
        }
        self.draw(format_args!("\n{question} [y/N] "));
        let mut answer = String::new();
        let read = self.stdin.read_line(&mut answer);
        if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(Failure::new("ctl/declined", "cancelled").exit(Exit::No))
    }

    /// The time to work at: what was typed, or the clock's, unless that was never set.
    ///
    /// # Errors
    /// `ctl/clock` where the clock says a time before 2000, or from 2100 on.
    pub(crate) fn time(&self, typed: Option<Time>) -> Result<Time, Failure> {
        if let Some(at) = typed {
            return Ok(at);
        }
        if (EARLIEST..LATEST).contains(&self.now) {
            return Ok(self.now);
        }
        let message = format!("the system clock is wrong: {}", self.now);
        Err(Failure::new("ctl/clock", message)
            .because("expiry dates and new certificates depend on it")
            .hint("set the clock, or give the time with `--at TIME` if the command has it"))
    }
}

/// Confirmation is needed, and there is no terminal to ask on.
pub(crate) fn cannot_ask(hint: &str) -> Failure {
    Failure::usage("cannot ask for confirmation: not a terminal (use `--yes`)").hint(hint)
}

/// Refuses a certificate that would begin before 2000: a clock was not set when it was ordered.
///
/// # Errors
/// `ctl/clock`.
pub(crate) fn check_begin(not_before: Time, whose: &str) -> Result<(), Failure> {
    if not_before >= EARLIEST {
        return Ok(());
    }
    let message = format!("{whose} would begin before 2000: {not_before}");
    Err(Failure::new("ctl/clock", message)
        .because("a certificate is valid from five minutes before it is created")
        .hint("check the clock, `--at`, and `not_before` of cfssl's file"))
}

/// Seconds since 1970 by the system's clock.
pub fn system_time() -> Time {
    since_1970(SystemTime::now())
}

/// Whole seconds since 1970.
pub(crate) fn since_1970(time: SystemTime) -> Time {
    let seconds = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    };
    Time(seconds)
}

/// Cryptographically random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    meshpki::internals::fill_random(&mut bytes);
    bytes
}

/// From here on a crash writes no memory, hence no key, to a core file.
pub fn forbid_core_files() {
    system::forbid_core_files();
}

/// Whether a terminal shows colors; a console of Windows is made to.
#[must_use]
pub fn has_colors() -> bool {
    terminal::has_colors()
}

/// Whether the process has a terminal, whatever its streams are.
#[must_use]
pub fn has_terminal() -> bool {
    terminal::exists()
}
