//! The shell blocks of a page: their commands, the output that the page shows for each, and the blocks that do not run.

use super::mask::masked;

/// A command in a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The line of the page, from 1.
    pub(super) line: usize,
    /// The command, with its line breaks.
    pub(super) command: String,
    /// The lines of output that the page shows: from the first to after the last, counted from 0. `None`: the block shows
    /// commands only.
    output: Option<std::ops::Range<usize>>,
    /// Whether the next command prints the exit status, so that it may be any.
    pub(super) may_fail: bool,
}

/// A page with shell blocks.
pub(super) struct Page {
    lines: Vec<String>,
    pub(super) steps: Vec<Step>,
    /// The commands of the blocks whose values are a reader's.
    pub(super) examples: Vec<Vec<Step>>,
}

/// A line of output that means any lines.
const ANY: &str = "...";
/// Prints the exit status of the command before.
const STATUS: &str = "echo $?";

impl Page {
    pub(super) fn read(text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let (mut steps, mut examples) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < lines.len() {
            let end = |from: usize| {
                (from..lines.len()).find(|n| lines[*n].trim() == "```").unwrap_or(lines.len())
            };
            match lines[at].trim().strip_prefix("```") {
                Some("console") => {
                    console(&lines, at + 1..end(at + 1), &mut steps);
                    at = end(at + 1);
                }
                Some("sh") => {
                    script(&lines, at + 1..end(at + 1), &mut steps);
                    at = end(at + 1);
                }
                Some("sh example") => {
                    let mut example = Vec::new();
                    script(&lines, at + 1..end(at + 1), &mut example);
                    examples.push(example);
                    at = end(at + 1);
                }
                Some(language) if !language.is_empty() || at + 1 < lines.len() => at = end(at + 1),
                _ => {}
            }
            at += 1;
        }
        let is_status: Vec<bool> = steps.iter().map(|step| step.command == STATUS).collect();
        for (step, next) in steps.iter_mut().zip(is_status.iter().skip(1)) {
            step.may_fail = *next;
        }
        Self { lines, steps, examples }
    }

    /// What the page shows as the output of a step, if it is not what was found.
    pub(super) fn difference(&self, step: usize, found: &str) -> Option<String> {
        let shown = self.lines[self.steps[step].output.clone()?].join("\n");
        let expect = masked(&shown);
        let found = masked(found);
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        (!matches(&lines(&expect), &lines(&found))).then_some(expect)
    }

    /// The page with other outputs: the number of a step and what was found.
    pub(super) fn with(&self, found: &[(usize, String)]) -> String {
        let mut lines = self.lines.clone();
        for (step, text) in found.iter().rev() {
            if let Some(range) = self.steps[*step].output.clone() {
                lines.splice(range, text.lines().map(|line| line.trim_end().to_owned()));
            }
        }
        lines.join("\n") + "\n"
    }
}

/// Commands after `$ `, each followed by its output.
fn console(lines: &[String], range: std::ops::Range<usize>, steps: &mut Vec<Step>) {
    let mut at = range.start;
    while at < range.end {
        let Some(first) = lines[at].strip_prefix("$ ") else {
            at += 1;
            continue;
        };
        let (command, after) = whole(lines, at, first, range.end);
        let next = (after..range.end).find(|n| lines[*n].starts_with("$ ")).unwrap_or(range.end);
        steps.push(Step { line: at + 1, command, output: Some(after..next), may_fail: false });
        at = next;
    }
}

/// Commands without their output.
fn script(lines: &[String], range: std::ops::Range<usize>, steps: &mut Vec<Step>) {
    let mut at = range.start;
    while at < range.end {
        let first = lines[at].trim();
        if first.is_empty() || first.starts_with('#') {
            at += 1;
            continue;
        }
        let (command, after) = whole(lines, at, &lines[at], range.end);
        steps.push(Step { line: at + 1, command, output: None, may_fail: false });
        at = after;
    }
}

/// A command that begins in a line, with the lines that a backslash or a here document continues it by, and the line after it.
fn whole(lines: &[String], at: usize, first: &str, end: usize) -> (String, usize) {
    let mut command = first.to_owned();
    let mut next = at + 1;
    while command.ends_with('\\') && next < end {
        command = format!("{command}\n{}", lines[next]);
        next += 1;
    }
    if let Some((_, word)) = first.split_once("<<") {
        let word = word.split_whitespace().next().unwrap_or_default().replace(['\'', '"'], "");
        while next < end {
            command = format!("{command}\n{}", lines[next]);
            next += 1;
            if lines[next - 1] == word {
                break;
            }
        }
    }
    (command, next)
}

/// Whether lines are those expected, among which [`ANY`] stands for any.
fn matches(expect: &[String], found: &[String]) -> bool {
    match (expect.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((any, rest)), _) if any.trim() == ANY => {
            (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]))
        }
        (Some((one, expect)), Some((other, found))) => one == other && matches(expect, found),
        _ => false,
    }
}

#[test]
fn blocks_are_read() {
    let text = "# Page\n\n```console\n$ first a\none\ntwo\n$ second \\\n  b\n```\n\n```yaml\n$ not: this\n```\n\n```sh\n# why\n\
                cat > f <<'EOF'\nx\nEOF\nthird    # c\n```\n\n```console\n$ false\n$ echo $?\n1\n```\n\n\
                ```sh example\nput NAME\nget NAME\n```\n";
    let page = Page::read(text);
    let commands: Vec<&str> = page.steps.iter().map(|step| step.command.as_str()).collect();
    let expect = [
        "first a",
        "second \\\n  b",
        "cat > f <<'EOF'\nx\nEOF",
        "third    # c",
        "false",
        "echo $?",
    ];
    assert_eq!(commands, expect);
    let [example] = &page.examples[..] else { panic!("one example") };
    assert_eq!(
        example.iter().map(|step| (step.line, step.command.as_str())).collect::<Vec<_>>(),
        [(30, "put NAME"), (31, "get NAME")]
    );
    assert_eq!(
        page.steps.iter().map(|step| step.may_fail).collect::<Vec<_>>(),
        [false, false, false, false, true, false]
    );
    assert_eq!(page.difference(0, "one\ntwo\n"), None);
    assert_eq!(page.difference(0, "one\n"), Some("one\ntwo".to_owned()));
    assert_eq!(page.difference(1, "anything"), Some(String::new()));
    assert_eq!(page.difference(2, "not shown"), None);
    let updated = page.with(&[(0, "three\n".to_owned()), (1, "four\n".to_owned())]);
    assert_eq!(updated, text.replace("one\ntwo", "three").replace("  b\n", "  b\nfour\n"));
    let any = Page::read("```console\n$ a\none\n...\nlast\n```\n");
    assert_eq!(any.difference(0, "one\n2\n3\nlast\n"), None);
    assert_eq!(any.difference(0, "one\nlast\n"), None);
    assert!(any.difference(0, "one\n2\n").is_some());
}
