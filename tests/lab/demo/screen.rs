//! What is shown: a story that scrolls, above a panel that is drawn again in its place.

use std::io::{IsTerminal, Write, stdout};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::cast::Cast;

/// Columns; a longer line is cut.
pub(super) const WIDTH: usize = 100;
/// Rows of the terminal that is recorded.
pub(super) const HEIGHT: usize = 30;

/// The terminal, or a pipe that gets the story and each panel once.
pub(super) struct Screen {
    began: Instant,
    is_terminal: bool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    panel: Vec<String>,
    cast: Option<Cast>,
}

impl Screen {
    pub(super) fn new(record: Option<&Path>) -> Result<Self, String> {
        let cast = record.map(Cast::create).transpose()?;
        // What is recorded is what a terminal shows.
        let is_terminal = cast.is_some() || stdout().is_terminal();
        let inner = Inner { panel: Vec::new(), cast };
        Ok(Self { began: Instant::now(), is_terminal, inner: Mutex::new(inner) })
    }

    /// A line of the story.
    pub(super) fn say(&self, line: &str) {
        self.lines(&[line.to_owned()]);
    }

    /// Lines of the story, shown together.
    pub(super) fn lines(&self, lines: &[String]) {
        let mut inner = self.lock();
        let erased = self.erased(&inner.panel);
        let all: String = lines.iter().map(|line| format!("{}\r\n", cut(line))).collect();
        let drawn = self.drawn(&inner.panel);
        inner.write(self.began, &format!("{erased}{all}{drawn}"), self.is_terminal);
    }

    /// A heading.
    pub(super) fn title(&self, text: &str) {
        let (bold, plain) = if self.is_terminal { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        self.lines(&[String::new(), format!("{bold}{text}{plain}")]);
    }

    /// A command, as it is typed.
    pub(super) fn command(&self, text: &str) {
        let (green, plain) = if self.is_terminal { ("\x1b[32m", "\x1b[0m") } else { ("", "") };
        let lines = wrapped(text).into_iter().enumerate().map(|(number, line)| {
            let mark = if number == 0 { "$ " } else { "    " };
            format!("{green}{mark}{line}{plain}")
        });
        self.lines(&lines.collect::<Vec<_>>());
    }

    /// Draws the panel again, with these lines.
    pub(super) fn panel(&self, lines: Vec<String>) {
        let mut inner = self.lock();
        let erased = self.erased(&inner.panel);
        inner.panel = lines;
        let drawn = self.drawn(&inner.panel);
        if self.is_terminal {
            inner.write(self.began, &format!("{erased}{drawn}"), true);
        }
    }

    /// Time to look.
    pub(super) fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn erased(&self, panel: &[String]) -> String {
        match panel.len() {
            0 => String::new(),
            _ if !self.is_terminal => String::new(),
            rows => format!("\x1b[{rows}A\r\x1b[J"),
        }
    }

    fn drawn(&self, panel: &[String]) -> String {
        if !self.is_terminal {
            return String::new();
        }
        panel.iter().map(|line| format!("{}\r\n", cut(line))).collect()
    }
}

impl Inner {
    fn write(&mut self, began: Instant, text: &str, is_terminal: bool) {
        if let Some(cast) = &mut self.cast {
            cast.add(began.elapsed(), text);
        }
        let text = if is_terminal { text.to_owned() } else { text.replace("\r\n", "\n") };
        let mut out = stdout().lock();
        // The reader may have gone.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// At most as many characters as fit, not counting those that only colour.
fn cut(line: &str) -> String {
    let (mut cut, mut shown, mut is_code) = (String::new(), 0, false);
    for char in line.chars() {
        is_code |= char == '\x1b';
        if is_code || shown < WIDTH {
            cut.push(char);
        }
        if is_code {
            is_code = char != 'm';
        } else {
            shown += 1;
        }
    }
    cut
}

/// A command in lines that fit, broken before an option.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let words = text.replace(" --", "\n--");
    for part in words.split('\n') {
        let last = lines.last_mut().expect("a line");
        if last.is_empty() {
            last.push_str(part);
        } else if last.chars().count() + part.chars().count() + 8 < WIDTH {
            last.push(' ');
            last.push_str(part);
        } else {
            last.push_str(" \\");
            lines.push(part.to_owned());
        }
    }
    lines
}
