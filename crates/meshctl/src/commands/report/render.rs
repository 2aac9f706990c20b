//! The page as HTML: one file without scripts, which loads nothing. Headings, captions and texts say what colors show.

mod timeline;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use meshpki::internals::digest;
use meshpki::istiod::Severity;
use meshpki::rotation::RotationPhase;

use super::{Calls, Cluster, Finding, Page, Rotation, how};
use crate::fleet::pairs::{Answer, Pair, refusals};
use crate::fleet::problems::State;
use crate::text::{Html, counted};

/// What every page begins with, and no other file.
pub(super) const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta name=\"generator\" content=\"meshctl report\">\n";

const STYLE: &str = include_str!("page.css");

/// The page.
pub(super) fn write(page: &Page) -> String {
    let mut html = Html::new(HEAD);
    // Even markup that got in could load or run nothing.
    let hash = STANDARD.encode(digest::sha256(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    );
    html.ours("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let policy = [("http-equiv", "Content-Security-Policy"), ("content", policy.as_str())];
    html.empty("meta", &policy);
    html.line();
    html.leaf("title", &[], &title(page));
    html.line();
    html.ours("<style>");
    html.ours(STYLE);
    html.ours("</style>\n</head>\n");
    html.element("body", &[], |html| body(html, page));
    html.ours("\n</html>\n");
    html.done()
}

fn title(page: &Page) -> String {
    match &page.mesh {
        Some(mesh) => format!("Mesh {mesh}: certificates and trust"),
        None => "Mesh: certificates and trust".to_owned(),
    }
}

fn body(html: &mut Html, page: &Page) {
    html.line();
    html.element("header", &[], |html| {
        html.leaf("h1", &[], &title(page));
        html.leaf("p", &[("class", "soft")], &format!("From {}, at {}", page.source, page.at));
        sum(html, page);
    });
    html.line();
    let sections = sections(page);
    html.element("nav", &[("aria-label", "Sections")], |html| {
        html.element("ul", &[], |html| {
            for (id, heading, _) in &sections {
                let target = format!("#{id}");
                html.element("li", &[], |html| html.leaf("a", &[("href", &target)], heading));
            }
        });
    });
    html.line();
    html.element("main", &[], |html| {
        for (id, heading, write) in &sections {
            html.line();
            html.element(
                "section",
                &[("id", id), ("aria-labelledby", &format!("{id}-h"))],
                |html| {
                    html.leaf("h2", &[("id", &format!("{id}-h"))], heading);
                    html.line();
                    write(html, page);
                },
            );
        }
    });
    html.line();
    html.element("footer", &[], |html| {
        html.text(
            "Written by meshctl report. This file has no scripts and no keys, and loads nothing.",
        );
    });
    html.line();
}

type Section = (&'static str, &'static str, fn(&mut Html, &Page));

/// The sections that the page has, in order.
fn sections(page: &Page) -> Vec<Section> {
    let all: [(bool, Section); 6] = [
        (true, ("findings", "What is wrong", findings)),
        (
            true,
            ("clusters", "Clusters", |html, page| {
                html.element("div", &[("class", "cards")], |html| {
                    page.clusters.iter().for_each(|one| cluster(html, one));
                });
            }),
        ),
        (!page.pairs.is_empty(), ("trust", "Which clusters accept each other", trust)),
        (!page.ends.is_empty(), ("ends", "Expiry", timeline::write)),
        (
            page.rotation.is_some(),
            ("rotation", "Rotation", |html, page| {
                page.rotation.iter().for_each(|one| rotation(html, one));
            }),
        ),
        (
            page.calls.is_some(),
            ("calls", "Calls between clusters", |html, page| {
                page.calls.iter().for_each(|one| calls(html, one));
            }),
        ),
    ];
    all.into_iter().filter_map(|(is_there, section)| is_there.then_some(section)).collect()
}

/// The counts, and the one command to type now.
fn sum(html: &mut Html, page: &Page) {
    let count =
        |severity| page.findings.iter().filter(|one| one.problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let unknown = page.clusters.iter().filter(|one| one.state.is_none()).count();
    let class = |is_bad: bool, class| if is_bad { class } else { "none" };
    html.element("ul", &[("class", "sum")], |html| {
        let mut mark = |class: &str, text: &str| {
            let class = format!("mark {class}");
            html.element("li", &[], |html| html.leaf("span", &[("class", &class)], text));
        };
        mark("none", &counted(page.clusters.len(), "cluster"));
        mark(class(errors > 0, "fail"), &counted(errors, "error"));
        mark(class(warnings > 0, "warn"), &counted(warnings, "warning"));
        if unknown > 0 {
            mark("warn", &format!("{unknown} not read completely"));
        }
    });
    if let Some(next) = &page.next {
        html.element("p", &[], |html| {
            html.text("Next: ");
            html.leaf("code", &[], next);
        });
    }
}

fn findings(html: &mut Html, page: &Page) {
    if page.findings.is_empty() {
        html.leaf("p", &[], "No problems found.");
        return;
    }
    html.element("ol", &[("class", "findings")], |html| {
        page.findings.iter().for_each(|one| finding(html, one));
    });
}

fn finding(html: &mut Html, one: &Finding) {
    let problem = &one.problem;
    let (class, mark, word) = match problem.severity {
        Severity::Error => ("is-error", "mark fail", "error"),
        Severity::Warning => ("is-warning", "mark warn", "warning"),
    };
    html.element("li", &[("class", class)], |html| {
        html.element("h3", &[], |html| {
            html.leaf("span", &[("class", mark)], word);
            html.text(" ");
            html.text(&problem.clusters.join(", "));
            html.text(" ");
            html.leaf("code", &[("class", "soft")], problem.code);
        });
        html.leaf("p", &[], &problem.message);
        let evidence = problem.evidence.iter().map(|line| ("evidence", line.as_str()));
        let lines = evidence.chain([("effect", &*problem.effect), ("fix", &*one.fix)]);
        let lines: Vec<_> = lines.filter(|(_, line)| !line.is_empty()).collect();
        pairs_of(html, &lines);
        if !one.next.is_empty() {
            html.leaf("code", &[("class", "next")], &one.next);
        }
    });
    html.line();
}

/// Words and what they say; a word that is said again has one name for all of it.
fn pairs_of(html: &mut Html, lines: &[(&'static str, &str)]) {
    if lines.is_empty() {
        return;
    }
    html.element("dl", &[], |html| {
        for (index, (what, line)) in lines.iter().enumerate() {
            let is_again = index > 0 && lines[index - 1].0 == *what;
            if !is_again {
                html.leaf("dt", &[], what);
            }
            html.leaf("dd", &[], line);
        }
    });
}

fn cluster(html: &mut Html, one: &Cluster) {
    let (class, word) = match one.state {
        Some(State::Ok) => ("mark ok", "ok"),
        Some(State::Warn) => ("mark warn", "warnings"),
        Some(State::Fail) => ("mark fail", "errors"),
        None => ("mark warn", "not known"),
    };
    html.line();
    html.element("article", &[("class", "card")], |html| {
        html.element("h3", &[], |html| {
            html.text(&one.name);
            html.text(" ");
            html.leaf("span", &[("class", class)], word);
        });
        html.leaf("p", &[("class", "soft")], &one.place.to_string());
        match &one.lines {
            Ok(lines) => {
                let lines: Vec<_> = lines.iter().map(|(what, line)| (*what, &**line)).collect();
                pairs_of(html, &lines);
            }
            Err(failure) => pairs_of(html, &[("unknown", &failure.sentence())]),
        }
    });
}

/// Rows verify, columns show a certificate; why not is below.
fn trust(html: &mut Html, page: &Page) {
    let mut names: Vec<&str> = Vec::new();
    for pair in &page.pairs {
        if !names.contains(&pair.signer.as_str()) {
            names.push(&pair.signer);
        }
    }
    let about = [
        "Table of which clusters accept each other",
        "Each row verifies; each column shows certificates. The date is when the first certificate above a workload's ends.",
    ];
    let heads = std::iter::once("accepts workloads of").chain(names.iter().copied());
    let rows = page.pairs.chunks(names.len()).map(|row| (row[0].truster.as_str(), row));
    table(html, about, heads, rows, |html, row| row.iter().for_each(|pair| cell(html, pair)));
    let refused = refusals(&page.pairs);
    if refused.is_empty() {
        return;
    }
    html.line();
    html.element("ul", &[], |html| refused.iter().for_each(|line| html.leaf("li", &[], line)));
}

fn cell(html: &mut Html, pair: &Pair) {
    let (class, word, date) = match &pair.answer {
        Answer::Yes(end) => {
            ("ok", "yes", end.as_ref().map(|(end, _)| format!("until {}", end.date())))
        }
        Answer::No(_) if pair.is_needed => ("fail", "no", None),
        Answer::No(_) => ("none", "no (not needed)", None),
        Answer::Unknown => ("warn", "not known", None),
    };
    html.element("td", &[("class", class)], |html| {
        html.text(word);
        date.iter().for_each(|date| html.leaf("small", &[], date));
    });
}

/// A row for each cluster, a column for each phase; the phases of the two ways exclude each other.
fn rotation(html: &mut Html, one: &Rotation) {
    let about = [
        "Table of the phases",
        "How far each cluster is on the way to the roots of the folder: by overlap through prepared and activated, by a bridge through bridged and switched.",
    ];
    let heads = std::iter::once("cluster").chain(RotationPhase::ALL.map(RotationPhase::word));
    let rows = one.clusters.iter().map(|(name, at)| (name.as_str(), at));
    table(html, about, heads, rows, |html, at| {
        for phase in RotationPhase::ALL {
            let (class, word) = match at {
                Some(at) if *at == phase => ("ok", "here"),
                None if phase == RotationPhase::Old => ("warn", "not known"),
                _ => ("none", ""),
            };
            html.leaf("td", &[("class", class)], word);
        }
    });
    html.leaf("code", &[("class", "next")], &one.next);
}

fn calls(html: &mut Html, calls: &Calls) {
    region(html, "wide calls", "Picture of the calls", |html| html.picture(&calls.picture));
    html.line();
    let about = ["Table of the calls", "The arrows of the picture"];
    let rows = calls.rows.iter().map(|call| (call.from.as_str(), call));
    table(html, about, ["from", "to", "how", "services"].into_iter(), rows, |html, call| {
        html.leaf("td", &[], &call.to);
        html.leaf("td", &[], how(call.way));
        html.leaf("td", &[], &call.services.join(", "));
    });
}

/// What may be wider than the screen, and scrolls by itself.
fn region(html: &mut Html, class: &str, label: &str, content: impl FnOnce(&mut Html)) {
    let attrs = [("class", class), ("role", "region"), ("tabindex", "0"), ("aria-label", label)];
    html.element("div", &attrs, content);
}

/// A table with a label and a caption; each row has a head, and `cells` writes the rest of it.
fn table<'a, R>(
    html: &mut Html,
    [label, caption]: [&str; 2],
    heads: impl Iterator<Item = &'a str>,
    rows: impl Iterator<Item = (&'a str, R)>,
    cells: impl Fn(&mut Html, R),
) {
    let head = |html: &mut Html| {
        html.element("tr", &[], |html| {
            heads.for_each(|head| html.leaf("th", &[("scope", "col")], head));
        });
    };
    let body = |html: &mut Html| {
        for (name, row) in rows {
            html.line();
            html.element("tr", &[], |html| {
                html.leaf("th", &[("scope", "row")], name);
                cells(html, row);
            });
        }
    };
    region(html, "wide", label, |html| {
        html.element("table", &[], |html| {
            html.leaf("caption", &[], caption);
            html.element("thead", &[], head);
            html.element("tbody", &[], body);
        });
    });
}
