//! A page for every command, from the types of the command line.

use std::fmt::Write as _;

use clap::{Arg, Command};
use meshctl::args;

use super::stage::Stage;

/// The page of all commands.
const INDEX: &str = "commands/meshctl.md";

/// Adds the pages: `meshctl`, below it its commands, and below each its own.
pub(super) fn write(stage: &mut Stage) -> Result<(), String> {
    let mut root = args::command();
    root.build();
    add(stage, &root, 0)
}

fn add(stage: &mut Stage, command: &Command, depth: usize) -> Result<(), String> {
    let name = name(command);
    let title = if depth == 0 { "Commands" } else { &name };
    let file = file(&name);
    stage.add(depth, title, &file, &args::one_dash(&page(command, &name)))?;
    shown(command).into_iter().try_for_each(|below| add(stage, below, depth + 1))
}

/// The command as it is typed: `meshctl ca init`.
fn name(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).to_owned()
}

fn file(name: &str) -> String {
    format!("commands/{}.md", name.replace(' ', "-"))
}

/// The commands below one, by name.
fn shown(command: &Command) -> Vec<&Command> {
    let mut below: Vec<&Command> =
        command.get_subcommands().filter(|below| !below.is_hide_set()).collect();
    below.sort_by_key(|below| below.get_name());
    below
}

fn page(command: &Command, name: &str) -> String {
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string);
    let mut page =
        format!("# {name}\n\n{}.\n\n", prose(&about.unwrap_or_default()).trim_end_matches('.'));
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let _ = write!(page, "```text\n{}\n```\n", usage.trim_end());
    let (paragraphs, lists) = below(command);
    page += &paragraphs;
    let (places, options): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .partition(|arg| arg.is_positional());
    page += &arguments("Arguments", &places);
    page += &arguments("Options", &options);
    let commands = shown(command);
    if !commands.is_empty() {
        page += "\n## Commands\n\n";
        for below in commands {
            let name = self::name(below);
            let about = below.get_about().map(ToString::to_string).unwrap_or_default();
            let target = file(&name).replace("commands/", "");
            let _ = writeln!(page, "- [`{name}`]({target}): {}", prose(&about));
        }
    }
    page += &lists;
    if file(name) != INDEX {
        page += "\n[All commands](meshctl.md)\n";
    }
    page
}

/// The paragraphs below the options of the help, and its lists, each a section.
fn below(command: &Command) -> (String, String) {
    let (mut paragraphs, mut lists) = (String::new(), String::new());
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for part in text.split("\n\n").filter(|part| !part.trim().is_empty()) {
        let (first, rest) = part.split_once('\n').unwrap_or((part, ""));
        let Some(heading) = first.strip_suffix(':').filter(|_| !rest.is_empty()) else {
            let _ = write!(paragraphs, "\n{}\n", prose(part));
            continue;
        };
        let listed: Vec<&str> = rest.lines().filter(|line| line.starts_with(' ')).collect();
        let _ = write!(lists, "\n## {heading}\n\n");
        if heading == "Examples" {
            let lines: Vec<&str> =
                listed.iter().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
            let _ = write!(lists, "```sh\n{}\n```\n", lines.join("\n"));
        } else {
            lists += &statuses(&listed);
        }
        for line in rest.lines().filter(|line| !line.starts_with(' ')) {
            let _ = write!(lists, "\n{}\n", prose(line));
        }
    }
    (paragraphs, lists)
}

/// Exit statuses as a table.
fn statuses(lines: &[&str]) -> String {
    let mut table = String::from("| status | meaning |\n|---|---|\n");
    for line in lines {
        let (status, meaning) = line.trim().split_once(' ').unwrap_or((line, ""));
        let _ = writeln!(table, "| {status} | {} |", prose(meaning.trim()).replace('|', "\\|"));
    }
    table
}

fn arguments(heading: &str, arguments: &[&Arg]) -> String {
    if arguments.is_empty() {
        return String::new();
    }
    let mut list = format!("\n## {heading}\n\n");
    for arg in arguments {
        let _ = writeln!(list, "- {}: {}", typed(arg), described(arg));
    }
    list
}

/// An argument as it is typed.
fn typed(arg: &Arg) -> String {
    if arg.is_positional() {
        return format!("`{arg}`");
    }
    let value = if arg.get_action().takes_values() {
        let names = arg.get_value_names().unwrap_or_default();
        names.iter().map(|name| format!(" {name}")).collect()
    } else {
        String::new()
    };
    let short = arg.get_short().map(|short| format!("`-{short}`, "));
    let long = arg.get_long().map(|long| format!("`--{long}{value}`"));
    format!("{}{}", short.unwrap_or_default(), long.unwrap_or_default())
}

/// What an argument is for, its default and its values.
fn described(arg: &Arg) -> String {
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string);
    let mut text = prose(&help.unwrap_or_default());
    if !text.ends_with('.') {
        text.push('.');
    }
    let spans = |values: Vec<String>| {
        values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
    };
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if !defaults.is_empty() && !arg.is_hide_default_value_set() && arg.get_action().takes_values() {
        let _ = write!(text, " Default: {}.", spans(defaults));
    }
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| value.get_name().to_owned())
        .collect();
    if !values.is_empty() && !arg.is_hide_possible_values_set() && arg.get_action().takes_values() {
        let _ = write!(text, " Values: {}.", spans(values));
    }
    text
}

/// Text of the help as Markdown: what is outside of backticks has no meaning of its own.
fn prose(text: &str) -> String {
    let mut all = String::new();
    for (i, part) in text.split('`').enumerate() {
        if i > 0 {
            all.push('`');
        }
        for c in part.chars() {
            if i % 2 == 0 && matches!(c, '<' | '*' | '_' | '[' | ']') {
                all.push('\\');
            }
            all.push(c);
        }
    }
    all
}
