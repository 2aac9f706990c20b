//! When certificates end, on one axis: a bar for each, with the time from which on something is to be done.

use std::fmt::Write as _;
use std::time::Duration;

use meshpki::Time;
use meshpki::internals::DAY;

use super::super::Page;
use super::super::ends::{End, Phase};
use crate::text::Html;

/// What the axis shows at most before and after now: no date of a certificate makes the others too small to see.
const BEFORE: Duration = Duration::from_secs(365 * 86_400);
const AFTER: Duration = Duration::from_secs(3653 * 86_400);
/// Labels on the axis at most.
const LABELS: usize = 6;
const HEIGHT: &str = "16";

/// The axis and the bars.
pub(super) fn write(html: &mut Html, page: &Page) {
    let axis = Axis::new(&page.ends, page.at);
    key(html);
    html.element("div", &[("class", "axis"), ("aria-hidden", "true")], |html| axis.scale(html));
    html.line();
    html.element("ol", &[("class", "ends")], |html| {
        for end in &page.ends {
            html.element("li", &[], |html| row(html, end, &axis));
            html.line();
        }
    });
}

/// What the colors of the bars mean.
fn key(html: &mut Html) {
    let meanings = [
        ("fine", "valid"),
        ("replace", "valid, but too short for a new CA of the usual lifetime: replace the root"),
        ("due", "ends soon: renew"),
        ("now", "now"),
    ];
    html.element("ul", &[("class", "key")], |html| {
        for (class, meaning) in meanings {
            html.element("li", &[], |html| {
                let attrs =
                    [("class", "bar"), ("width", "14"), ("height", "12"), ("aria-hidden", "true")];
                html.element("span", &[], |html| {
                    html.element("svg", &attrs, |html| {
                        if class == "now" {
                            line(html, "now", "50%");
                        } else {
                            rect(html, class, "0", "100%");
                        }
                    })
                });
                html.text(meaning);
            });
        }
    });
}

fn row(html: &mut Html, end: &End, axis: &Axis) {
    html.element("div", &[], |html| {
        html.element("h3", &[], |html| {
            html.text(&end.label());
            html.text(" ");
            let class = format!("mark {}", end.phase.class());
            html.leaf("span", &[("class", &class)], end.phase.word());
        });
        html.leaf("p", &[], &end.used());
        html.leaf("p", &[("class", "soft")], &end.words(axis.at));
    });
    let attrs = [("class", "bar"), ("width", "100%"), ("height", HEIGHT), ("role", "img")];
    html.element("svg", &attrs, |html| {
        html.leaf(
            "title",
            &[],
            &format!("{}: {}, {}", end.label(), end.phase.word(), end.words(axis.at)),
        );
        rect(html, "track", "0", "100%");
        axis.ticks().iter().for_each(|(time, _)| line(html, "tick", &axis.place(*time)));
        axis.bar(html, end);
        line(html, "now", &axis.place(axis.at));
    });
}

fn rect(html: &mut Html, class: &str, x: &str, width: &str) {
    let attrs = [("class", class), ("x", x), ("width", width), ("height", HEIGHT)];
    html.empty("rect", &attrs);
}

fn line(html: &mut Html, class: &str, x: &str) {
    html.empty("line", &[("class", class), ("x1", x), ("x2", x), ("y1", "0"), ("y2", HEIGHT)]);
}

/// From when until when, and where now is.
struct Axis {
    begin: Time,
    end: Time,
    at: Time,
}

impl Axis {
    fn new(ends: &[End], at: Time) -> Self {
        let begins = ends.iter().filter_map(|end| end.begin).chain([at]);
        let all = ends.iter().filter_map(|end| end.end).chain([at + DAY * 30]);
        let begin = begins.min().map_or(at, |begin| begin.max(at - BEFORE).min(at));
        let end = all.max().map_or(at, |end| end.min(at + AFTER)).max(begin + DAY * 30);
        Self { begin, end, at }
    }

    /// In hundredths of a percent, from 0 to 10000.
    fn share(&self, time: Time) -> i128 {
        let (begin, end) = (i128::from(self.begin.0), i128::from(self.end.0));
        let time = i128::from(time.0).clamp(begin, end);
        (time - begin) * 10_000 / (end - begin)
    }

    /// `12.34%`.
    fn place(&self, time: Time) -> String {
        percent(self.share(time))
    }

    /// The parts of a certificate's time.
    fn bar(&self, html: &mut Html, end: &End) {
        let Some(last) = end.end else { return };
        if end.phase == Phase::Unreadable {
            return;
        }
        let first = end.begin.unwrap_or(self.begin);
        let due = end.due.unwrap_or(last).clamp(first.min(last), last);
        let replace = end.replace.unwrap_or(due).clamp(first.min(due), due);
        for (class, from, to) in
            [("fine", first, replace), ("replace", replace, due), ("due", due, last)]
        {
            let (from, to) = (self.share(from), self.share(to));
            if to > from {
                rect(html, class, &percent(from), &percent(to - from));
            }
        }
    }

    /// The first day of years, or of months if there are few, with their names.
    fn ticks(&self) -> Vec<(Time, String)> {
        let (from, to) = (months(self.begin), months(self.end));
        let step = [1, 2, 3, 6, 12, 24, 36, 60].into_iter();
        let step =
            step.clone().find(|step| to.saturating_sub(from) / step <= LABELS).unwrap_or(120);
        let starts = (from + 1..=to).filter(|month| month % step == 0);
        starts
            .filter_map(|month| {
                let (year, month) = (month / 12, month % 12 + 1);
                let label =
                    if step < 12 { format!("{year:04}-{month:02}") } else { format!("{year:04}") };
                let time = format!("{year:04}-{month:02}-01T00:00:00Z").parse().ok()?;
                Some((time, label))
            })
            .collect()
    }

    fn scale(&self, html: &mut Html) {
        let attrs = [("class", "scale"), ("width", "100%"), ("height", HEIGHT)];
        html.element("svg", &attrs, |html| {
            for (time, label) in self.ticks() {
                let place = self.place(time);
                let anchor = if self.share(time) > 9_000 { "end" } else { "start" };
                html.leaf("text", &[("x", &place), ("y", "12"), ("text-anchor", anchor)], &label);
            }
        });
    }
}

fn percent(share: i128) -> String {
    let mut text = String::new();
    let _ = write!(text, "{}.{:02}%", share / 100, share % 100);
    text
}

/// Months since the year 0.
fn months(time: Time) -> usize {
    let date = time.date();
    let mut parts = date.split('-');
    let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok()).unwrap_or(1);
    let (year, month) = (number(), number());
    year * 12 + month.max(1) - 1
}
