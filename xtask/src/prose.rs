//! The words of docs/STYLE.md, checked: phrases that read like a translation, in Markdown and in the comments and strings
//! of Rust sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

mod lexer;

use lexer::Word;

/// A path below which every file is checked.
struct Root {
    /// A file or a folder, from the root of the repository.
    path: &'static str,
    /// Whether the strings of Rust sources are checked, and not only their comments.
    strings: bool,
}

const fn all(path: &'static str) -> Root {
    Root { path, strings: true }
}

const fn comments(path: &'static str) -> Root {
    Root { path, strings: false }
}

/// What must be clean. Move a root here from [`PENDING`] once it is.
const HELD: &[Root] = &[
    all("README.md"),
    all("ARCHITECTURE.md"),
    all("CHANGELOG.md"),
    all("CONTRIBUTING.md"),
    all("SECURITY.md"),
    all("docs"),
    all("fixtures"),
    all("xtask"),
    all("fuzz"),
    all("crates/meshpki"),
    all("crates/meshctl/src/args.rs"),
    all("crates/meshctl/src/args"),
    all("crates/meshctl/src/commands/mesh"),
    all("crates/meshctl/src/fleet/mesh"),
    all("crates/meshapply/src/mesh"),
    all("crates/meshconfig"),
    comments("tests"),
];

/// What is not clean yet: `tidy` prints how many phrases are left in each.
const PENDING: &[&str] = &["crates/meshapply", "crates/meshctl", "tests"];

/// A phrase to avoid.
struct Rule {
    /// Its words, in lower case.
    phrase: &'static str,
    /// Words before it that make it good English.
    after: &'static [&'static str],
    /// Words that make it good English if they follow.
    before: &'static [&'static str],
    /// What to write instead.
    instead: &'static str,
}

const fn rule(phrase: &'static str, instead: &'static str) -> Rule {
    Rule { phrase, after: &[], before: &[], instead }
}

const NO: &[&str] = &[
    "longer",
    "shorter",
    "larger",
    "smaller",
    "greater",
    "more",
    "less",
    "later",
    "different",
    "better",
    "way",
    "reason",
];

const RULES: &[Rule] = &[
    Rule { after: &["there", "answer"], before: NO, ..rule("is no", "is not a valid ...") },
    Rule { after: &["there"], before: NO, ..rule("are no", "are not ...") },
    Rule { after: &["there"], ..rule("is none", "is not a ..., or: there is none") },
    Rule { after: &["there"], ..rule("are none", "are not ..., or: there are none") },
    rule("is wanted", "expected ..."),
    rule("are wanted", "expected ..."),
    rule("wanted is", "expected ..."),
    rule("wanted are", "expected ..."),
    rule("who has to", "what must ..."),
    rule("whom", "which"),
    rule("nobody", "no one, nothing, or the passive"),
    rule("somebody", "someone, or what it is"),
    rule("everybody", "everyone, or anyone"),
    rule("anybody", "anyone"),
    Rule {
        before: &["apart", "from", "to", "not"],
        ..rule("told", "reported, said, or configured")
    },
    rule("anew", "again, or new"),
    rule("in spite of", "despite"),
    rule("another than", "differs from, or other than"),
    rule("otherwise than", "differs from"),
    rule("goes on", "continues"),
    rule("go on", "continue, or proceed"),
    rule("went on", "continued"),
    rule("beside", "next to, or after"),
    Rule { before: &["for"], ..rule("stands", "is") },
    Rule { before: &["for"], ..rule("stand", "are, or be") },
    rule("taken out", "removed"),
    rule("takes out", "removes"),
    rule("take out", "remove"),
    rule("took out", "removed"),
    rule("brings in", "installs, or adds"),
    rule("bring in", "install, or add"),
    rule("brought in", "installed, or added"),
    rule("held against", "compared with"),
    rule("all the same", "anyway"),
    rule("without a word", "silently"),
    rule("made small", "reduced"),
    rule("of before", "the previous ..."),
    rule("still to come", "not there yet"),
    rule("comes of", "results from"),
    rule("come of it", "result from it"),
    rule("pile", "certificates, or a list"),
    rule("mend", "fix"),
    rule("mends", "fixes"),
    rule("mended", "fixed"),
    rule("strangers", "others"),
    rule("has it not", "does not have it"),
    rule("seed 1", "what it shows"),
    rule("seed 2", "what it shows"),
    rule("founders", "(leave it out)"),
    rule("founder", "(leave it out)"),
    rule("the post", "what it says"),
    rule("blog post", "what it says"),
    rule("failure mode", "what fails"),
    rule("fresh eyes", "(leave it out)"),
];

/// A phrase that is right in one file. One that is not needed any more is a problem.
struct Exception {
    file: &'static str,
    phrase: &'static str,
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[];

/// Files that name the phrases in order to forbid them.
const LISTS: &[&str] = &["docs/STYLE.md", "xtask/src/prose.rs", "xtask/src/prose/tests.rs"];

/// Columns of a line of Markdown, except in tables and code.
const COLUMNS: usize = 120;

/// A phrase that was found.
#[derive(Debug, PartialEq, Eq)]
struct Hit {
    file: String,
    line: usize,
    phrase: &'static str,
    instead: &'static str,
    /// Whether it is in a string.
    in_string: bool,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: `{}`; better: {}", self.file, self.line, self.phrase, self.instead)
    }
}

/// Adds everything wrong with the held files among `names`, and prints how much is left in the others.
pub fn check(root: &Path, names: &[&str], problems: &mut Vec<String>) {
    let rules = Rules::new();
    let mut used = BTreeSet::new();
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        let Some(text) = read(root, name) else { continue };
        let held = HELD.iter().find(|held| is_below(name, held.path));
        for hit in rules.hits(name, &text) {
            let is_held = held.is_some_and(|held| held.strings || !hit.in_string);
            match excepted(&hit, EXCEPTIONS) {
                Some(exception) => drop(used.insert(exception)),
                None if is_held => problems.push(hit.to_string()),
                None => {
                    let pending = PENDING.iter().find(|path| is_below(name, path));
                    *left.entry(pending.copied().unwrap_or("other folders")).or_default() += 1;
                }
            }
        }
        problems.extend(wide(name, &text));
    }
    let unused = EXCEPTIONS.iter().enumerate().filter(|(at, _)| !used.contains(at));
    problems.extend(unused.map(|(_, Exception { file, phrase, reason })| {
        format!("xtask/src/prose.rs: `{phrase}` ({reason}) is not in {file}; remove the exception")
    }));
    for (path, count) in left {
        println!("prose: {count} phrases to rewrite in {path}: cargo xtask tidy --prose {path}");
    }
}

/// Lists the phrases below a path, held or not.
pub fn list(root: &Path, names: &[&str], path: &str) -> Result<(), String> {
    let rules = Rules::new();
    let below = names.iter().filter(|name| is_below(name, path.trim_end_matches('/')));
    let files = below.filter_map(|name| Some((name, read(root, name)?)));
    let hits: Vec<Hit> = files
        .flat_map(|(name, text)| rules.hits(name, &text))
        .filter(|hit| excepted(hit, EXCEPTIONS).is_none())
        .collect();
    hits.iter().for_each(|hit| println!("{hit}"));
    if hits.is_empty() { Ok(()) } else { Err(format!("{} phrases to rewrite", hits.len())) }
}

/// The text of a file that is checked.
fn read(root: &Path, name: &str) -> Option<String> {
    let is_checked = [".md", ".rs"].iter().any(|end| name.ends_with(end));
    let is_list = LISTS.contains(&name);
    if is_checked && !is_list { std::fs::read_to_string(root.join(name)).ok() } else { None }
}

fn is_below(name: &str, path: &str) -> bool {
    name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The exception for a phrase that was found, by its place in the list.
fn excepted(hit: &Hit, exceptions: &[Exception]) -> Option<usize> {
    exceptions.iter().position(|one| one.file == hit.file && one.phrase == hit.phrase)
}

/// The rules by the first word of their phrases.
struct Rules(BTreeMap<&'static str, Vec<&'static Rule>>);

impl Rules {
    fn new() -> Self {
        let mut rules: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for rule in RULES {
            rules.entry(rule.phrase.split(' ').next().unwrap_or_default()).or_default().push(rule);
        }
        Self(rules)
    }

    /// The phrases in a file, in order of their lines.
    fn hits(&self, name: &str, text: &str) -> Vec<Hit> {
        let words = if name.ends_with(".md") { lexer::markdown(text) } else { lexer::rust(text) };
        let mut hits = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let rules = self.0.get(word.stem().to_ascii_lowercase().as_str()).into_iter().flatten();
            hits.extend(rules.filter(|rule| rule.is_at(&words, at)).map(|rule| Hit {
                file: name.to_owned(),
                line: word.line,
                phrase: rule.phrase,
                instead: rule.instead,
                in_string: word.in_string,
            }));
        }
        hits
    }
}

impl Rule {
    /// Whether the phrase begins at this word.
    fn is_at(&self, words: &[Word<'_>], at: usize) -> bool {
        let mut end = at;
        for (i, text) in self.phrase.split(' ').enumerate() {
            match words.get(at + i) {
                Some(word) if word.is(text) && (i == 0 || word.joined) => end = at + i + 1,
                _ => return false,
            }
        }
        let has = |list: &[&str], word: &Word<'_>| list.iter().any(|text| word.is(text));
        let is_after = at > 0 && words[at].joined && has(self.after, &words[at - 1]);
        let next = words.get(end).filter(|next| next.joined);
        let is_before = next.is_some_and(|next| has(self.before, next));
        !is_after && !is_before
    }
}

/// Lines of Markdown that are not wrapped.
fn wide(name: &str, text: &str) -> Vec<String> {
    if !name.ends_with(".md") {
        return Vec::new();
    }
    let lines = lexer::outside_code(text).filter(|(_, line)| !line.starts_with('|'));
    let wide = lines.filter(|(_, line)| line.chars().count() > COLUMNS);
    wide.map(|(at, _)| format!("{name}:{at}: a line has more than {COLUMNS} columns")).collect()
}

#[cfg(test)]
mod tests;
