//! The help of every command, found by walking from `meshctl --help`: it wraps once, at the terminal's width, and what
//! it says about options and exit statuses is true.

use std::process::{Command, Stdio};

use tests::cli::words;

use crate::MESHCTL;

/// A width at which nothing wraps.
const WIDE: usize = 10_000;
/// Columns of the longest line of an example or a list.
const EXAMPLE_MAX: usize = 78;
/// Commands that can exit with 2: a check failed, or something was refused.
const CAN_SAY_NO: &[&str] = &[
    "ca init",
    "ca sign",
    "ca adopt",
    "ca bundle",
    "ca cross-sign",
    "ca expiry",
    "ca renew",
    "check",
    "doctor",
    "exporter",
    "push",
    "report",
    "rollback",
    "forget",
    "rotate intermediate",
    "rotate crl",
    "rotate root plan",
    "rotate root next",
    "rotate root status",
    "rotate root abort",
    "rotate root evidence",
    "status",
    "trust matrix",
    "trust plan",
    "trust next",
    "trust pull",
    "trust bundle export",
    "trust bundle import",
    "trust bundle diff",
    "trust bundle map",
    "mesh import",
    "mesh lint",
    "mesh discover",
    "mesh diff",
    "mesh apply",
    "mesh remote-secret create",
    "mesh remote-secret rotate",
    "mesh remote-secret check",
];

/// Runs `meshctl` with these words; returns its exit status and both streams.
fn meshctl(args: &[String], columns: usize) -> (Option<i32>, String) {
    let output = Command::new(MESHCTL)
        .args(args)
        .env("COLUMNS", columns.to_string())
        .stdin(Stdio::null())
        .output()
        .expect("meshctl runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("UTF-8"))
}

/// The help of a command, such as `ca init`; the empty name is `meshctl` itself.
fn help(name: &str, columns: usize) -> String {
    let args = name.split_whitespace().chain(["--help"]).map(str::to_owned);
    let (status, text) = meshctl(&args.collect::<Vec<_>>(), columns);
    assert_eq!(status, Some(0), "{name}: {text}");
    text
}

/// The lines of a section, up to the next empty line.
fn section<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(move |line| *line != heading).skip(1);
    lines.take_while(|line| !line.trim().is_empty()).collect()
}

/// Commands, and whether each has commands below it. `ca verify` has the help of openssl instead.
fn commands() -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(name) = open.pop() {
        let text = help(&name, WIDE);
        let below: Vec<&str> = section(&text, "Commands:")
            .iter()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        open.extend(
            below
                .iter()
                .map(|word| format!("{name} {word}").trim().to_owned())
                .filter(|name| name != "ca verify"),
        );
        found.push((name, !below.is_empty()));
    }
    assert!(found.len() > 25, "{found:?}");
    found
}

/// Commands without commands below them.
fn leaves() -> Vec<String> {
    commands().into_iter().filter(|(_, is_group)| !is_group).map(|(name, _)| name).collect()
}

/// Pairs of lines of one paragraph: next to each other, equally far from the margin, outside of lists.
fn joints(text: &str) -> Vec<(&str, &str)> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut pairs = Vec::new();
    let mut is_list = false;
    let mut last = "";
    for line in text.lines() {
        if line.trim().is_empty() {
            is_list = false;
        } else if ["Commands:", "Exit status:", "Examples:"].contains(&line) {
            is_list = true;
        } else if !is_list && !last.trim().is_empty() && indent(last) == indent(line) {
            let starts_anew = ["-", "[default: ", "[possible values: "]
                .iter()
                .any(|start| line.trim_start().starts_with(start));
            if !starts_anew && !last.ends_with(':') {
                pairs.push((last, line));
            }
        }
        last = line;
    }
    pairs
}

/// A line in which the next word had room was broken by hand.
#[test]
fn paragraphs_wrap_only_at_the_terminals_width() {
    for (name, _) in commands() {
        let text = help(&name, WIDE);
        assert_eq!(joints(&text), [], "`meshctl {name} --help` breaks a paragraph");
        for columns in [80, 120] {
            let text = help(&name, columns);
            for line in text.lines() {
                let width = line.chars().count();
                assert!(width <= columns, "meshctl {name}, {columns} columns: {line}");
            }
            for (line, next) in joints(&text) {
                let word = next.split_whitespace().next().unwrap_or_default();
                let needed = line.chars().count() + 1 + word.chars().count();
                assert!(needed > columns, "meshctl {name}, {columns} columns:\n{line}\n{next}");
            }
        }
    }
}

/// The text below the options consists of whole sentences.
#[test]
fn paragraphs_end_as_sentences_do() {
    for (name, _) in commands() {
        let text = help(&name, WIDE);
        let below = text.split("\n  -h, --help").nth(1).expect("the option -h");
        let below = below.split_once("\n\n").map_or("", |(_, below)| below);
        let prose = below.split("\n\n").filter(|one| {
            !one.starts_with(' ')
                && !one.starts_with("Examples:")
                && !one.starts_with("  -V")
                && !one.trim().is_empty()
        });
        for paragraph in prose {
            let end = paragraph.trim_end().lines().last().unwrap_or_default();
            let is_list = paragraph.starts_with("Exit status:") && end.starts_with("  ");
            assert!(is_list || end.ends_with('.'), "meshctl {name}: {end}");
        }
    }
}

/// Lists and examples stay as they are on a terminal of 80 columns: no line of them wraps.
#[test]
fn lists_and_examples_fit_a_narrow_terminal() {
    for (name, _) in commands() {
        let text = help(&name, WIDE);
        for heading in ["Commands:", "Exit status:", "Examples:"] {
            for line in section(&text, heading).into_iter().filter(|line| line.starts_with(' ')) {
                let width = line.chars().count();
                assert!(width <= EXAMPLE_MAX, "meshctl {name}, {width} columns: {line}");
            }
        }
    }
}

/// Has `meshctl` read each of its commands in a line of a shell, with their options; returns how many they are.
#[track_caller]
pub(crate) fn reads(line: &str) -> usize {
    let parts = line.split(" | ").flat_map(|part| part.split(" && "));
    let ours = parts.filter_map(|part| part.trim().strip_prefix("meshctl "));
    let mut count = 0;
    for command in ours {
        let command = command.split(" > ").next().unwrap_or(command);
        let mut args = words(command);
        args.push("--help".to_owned());
        let (status, text) = meshctl(&args, WIDE);
        assert_eq!(status, Some(0), "meshctl {command}: {text}");
        count += 1;
    }
    count
}

/// Every example begins with a command or explains the next one, and its options exist.
#[test]
fn examples_are_commands_that_exist() {
    let mut count = 0;
    for name in leaves() {
        let text = help(&name, WIDE);
        let lines = section(&text, "Examples:");
        assert!(!lines.is_empty(), "meshctl {name} has no example");
        let all = lines.join("\n").replace("\\\n", " ");
        for line in all.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let found = reads(line);
            assert!(found > 0, "meshctl {name}: {line}");
            count += found;
        }
    }
    assert!(count > 50, "{count} examples");
}

/// The exit statuses in a help text, in its order.
fn statuses(text: &str) -> Vec<u8> {
    let lines = section(text, "Exit status:");
    lines.iter().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

#[test]
fn exit_statuses_are_those_there_are() {
    assert_eq!(statuses(&help("", WIDE)), [0, 1, 2, 64]);
    assert!(help("", WIDE).contains("with 0, 1 or 2, and with 3 if a signature uses an"));
    for name in leaves() {
        let can_say_no = CAN_SAY_NO.contains(&name.as_str());
        let expected: &[u8] = if can_say_no { &[0, 1, 2, 64] } else { &[0, 1, 64] };
        assert_eq!(statuses(&help(&name, WIDE)), expected, "meshctl {name}");
        let args = name.split(' ').chain(["--no-such-option"]).map(str::to_owned);
        let (status, text) = meshctl(&args.collect::<Vec<_>>(), WIDE);
        assert_eq!(status, Some(64), "meshctl {name}: {text}");
    }
}

/// Options are offered only by the commands that use them.
#[test]
fn options_belong_to_their_commands() {
    let check = |option: &str, expected: &[&str]| {
        let mut having: Vec<String> =
            leaves().into_iter().filter(|name| help(name, WIDE).contains(option)).collect();
        having.sort();
        assert_eq!(having, expected, "{option}");
    };
    check(
        "--service-account",
        &[
            "forget",
            "mesh remote-secret create",
            "mesh remote-secret rotate",
            "push",
            "rollback",
            "rotate crl",
            "rotate intermediate",
            "rotate root abort",
            "rotate root next",
            "trust next",
        ],
    );
    check("is the canary", &["push", "rotate root next"]);
    check(
        "One JSON document per event",
        &[
            "push",
            "rollback",
            "rotate crl",
            "rotate intermediate",
            "rotate root abort",
            "rotate root next",
            "trust next",
        ],
    );
}

/// Without arguments, and with `help`, meshctl names the three commands to begin with, which exist.
#[test]
fn the_first_minutes() {
    let run = |args: &[&str]| {
        let output = Command::new(MESHCTL).args(args).stdin(Stdio::null()).output();
        let output = output.expect("meshctl runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (status, out, err) = run(&[]);
    assert_eq!((status, out.as_str()), (Some(64), ""), "{err}");
    assert_eq!(run(&["help"]), (Some(0), err.clone(), String::new()));
    let commands: Vec<&str> =
        err.lines().filter_map(|line| line.strip_prefix("  meshctl ")).collect();
    let names = commands.iter().map(|line| line.split_whitespace().next());
    assert_eq!(names.collect::<Vec<_>>(), [Some("doctor"), Some("ca"), Some("push")]);
    for command in commands {
        let args: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        assert_eq!(run(&args).0, Some(0), "meshctl {command}");
    }
    for line in err.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for name in ["ca", "ca init", "ca verify", "push", "rotate root plan"] {
        let words: Vec<&str> = name.split(' ').collect();
        let asked = run(&[&["help"], words.as_slice()].concat());
        assert_eq!(asked, run(&[words.as_slice(), &["--help"]].concat()), "{name}");
    }
    assert_eq!(run(&["help", "no-such-command"]).0, Some(64));
    let (status, out, err) = run(&["help", "ca", "verify"]);
    assert!(status == Some(0) && err.contains("-CAfile infile"), "{status:?} {out}{err}");
}

/// Options of every command may come before `ca verify`; what follows it is as openssl reads it.
#[test]
fn globals_before_ca_verify() {
    let run = |line: &str| {
        let output = Command::new(MESHCTL).args(words(line)).stdin(Stdio::null()).output();
        let output = output.expect("meshctl runs");
        (output.status.code(), output.stdout, output.stderr)
    };
    let file = "../fixtures/inspect/chain.pem";
    for rest in [file, "no-such-file.pem", "-help", "--color never", "-q", "-partial_chain verify"]
    {
        let plain = run(&format!("ca verify {rest}"));
        assert!(!plain.1.is_empty() || !plain.2.is_empty(), "{rest}: it says something");
        assert_ne!(plain.0, Some(64), "{rest}");
        for globals in ["--color never ca", "-q ca", "--quiet --color=always ca", "ca -q"] {
            assert_eq!(run(&format!("{globals} verify {rest}")), plain, "{globals}: {rest}");
        }
    }
}
