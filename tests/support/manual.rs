//! Manual pages, generated from the command line's types: one for each command, in section 1.

use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use meshctl::args;

/// Every page with the name of its file: `meshctl.1`, `meshctl-ca-init.1` ...
///
/// # Panics
/// When a page cannot be written to memory.
#[must_use]
pub fn pages() -> Vec<(String, String)> {
    let mut root = args::command();
    root.build();
    let source = format!("meshctl {}", root.get_version().unwrap_or_default());
    let mut pages = Vec::new();
    let mut open = vec![root];
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().filter(|below| !below.is_hide_set()).cloned());
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        pages.push((format!("{name}.1"), page(&command, &name, &source)));
    }
    pages.sort();
    pages
}

/// One page. What the help has below the options is in sections of its own.
fn page(command: &clap::Command, name: &str, source: &str) -> String {
    let man = Man::new(command.clone().disable_help_subcommand(true))
        .title(name.to_uppercase())
        .date("")
        .source(source)
        .manual("meshctl");
    let mut page = Vec::new();
    man.render_title(&mut page).expect("a page");
    man.render_name_section(&mut page).expect("a page");
    man.render_synopsis_section(&mut page).expect("a page");
    man.render_description_section(&mut page).expect("a page");
    let (paragraphs, lists) = below(command);
    append(&mut page, &paragraphs);
    man.render_options_section(&mut page).expect("a page");
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page).expect("a page");
    }
    append(&mut page, &lists);
    append(&mut page, &see_also(command, name));
    args::one_dash(&String::from_utf8(page).expect("UTF-8"))
}

fn append(page: &mut Vec<u8>, part: &Roff) {
    part.to_writer(page).expect("a page");
}

/// The paragraphs below the options of the help, and its lists, each a section.
fn below(command: &clap::Command) -> (Roff, Roff) {
    let (mut paragraphs, mut lists) = (Roff::new(), Roff::new());
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for part in text.split("\n\n").filter(|part| !part.trim().is_empty()) {
        let (first, rest) = part.split_once('\n').unwrap_or((part, ""));
        let Some(heading) = first.strip_suffix(':').filter(|_| !rest.is_empty()) else {
            paragraphs.control("PP", []);
            paragraphs.text([roman(part)]);
            continue;
        };
        lists.control("SH", [heading.to_uppercase().as_str()]);
        // Lines that are not part of the list follow it.
        let lines = || rest.lines();
        let is_listed = |line: &&str| line.starts_with(' ');
        lists.control("nf", []);
        for line in lines().filter(is_listed) {
            lists.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        lists.control("fi", []);
        for line in lines().filter(|line| !is_listed(line)) {
            lists.control("PP", []);
            lists.text([roman(line)]);
        }
    }
    (paragraphs, lists)
}

/// The page above this one.
fn see_also(command: &clap::Command, name: &str) -> Roff {
    let mut section = Roff::new();
    let own = format!("-{}", command.get_name());
    if let Some(above) = name.strip_suffix(&own) {
        section.control("SH", ["SEE ALSO"]);
        section.control("BR", [above, "(1)"]);
    }
    section
}
