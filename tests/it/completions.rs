//! Completion scripts and manual pages, in the shells and the `man` that they are for.

use std::fmt::Write as _;
use std::process::Command;

use tests::cli::{Shell, ended};
use tests::judges::{missing, run};
use tests::manual;

/// Beginnings of command lines, and what completes them.
const CASES: &[(&str, &str)] = &[
    ("sta", "status"),
    ("ca cro", "cross-sign"),
    ("ca init --root-k", "--root-key-type"),
    ("push --restart nev", "never"),
    // The options of openssl have one dash, and ours have two.
    ("ca verify -CAf", "-CAfile"),
    ("ca verify -show_", "-show_chain"),
    ("ca verify -partial", "-partial_chain"),
    ("ca verify --expl", "--explain"),
    ("ca verify --as ztu", "ztunnel"),
    ("mesh remote-secret rot", "rotate"),
];

/// Whether what is completed is the value of an option.
fn is_value((typed, _): &(&str, &str)) -> bool {
    typed.split(' ').rev().nth(1).is_some_and(|word| word.starts_with('-'))
}

/// Runs a program of a shell on a script of ours, which it must complete by.
fn check(shell: &str, program: &str, script: impl Fn(&Shell, &str) -> String) {
    if Command::new(program).arg("--version").output().is_err() {
        return missing(program, "it is not installed");
    }
    let ours = Shell::new();
    let text = ours.good(&format!("completions {shell}"));
    ours.scratch.write("completions", &text);
    ours.scratch.write("test", script(&ours, &text));
    let test = ours.scratch.join("test");
    let answer = run(Command::new(program).arg(test).env("HOME", ours.scratch.path()));
    let knows_values = shell != "elvish";
    for (typed, expected) in CASES.iter().filter(|case| knows_values || !is_value(case)) {
        let prefix = format!("{typed}: ");
        let line = answer.out.lines().map(str::trim).find_map(|line| line.strip_prefix(&prefix));
        let found = line.unwrap_or_else(|| panic!("{shell}: {typed}: {answer:?}"));
        let is_there = found.split_whitespace().any(|word| word.trim_end_matches('=') == *expected);
        assert!(is_there, "{shell}: `{typed}` completes to `{found}`");
    }
}

#[test]
fn bash_completes() {
    check("bash", "bash", |shell, _| {
        let file = shell.scratch.join("completions");
        let mut script = format!("source {}\n", file.display());
        for (typed, _) in CASES {
            let _ = writeln!(
                script,
                "COMP_WORDS=(meshctl {typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()\n\
                 _meshctl meshctl \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
                 echo \"{typed}: ${{COMPREPLY[*]}}\""
            );
        }
        script
    });
}

#[test]
fn zsh_completes() {
    check("zsh", "zsh", |shell, script| {
        shell.scratch.write("zfunc/_meshctl", script);
        let folder = shell.scratch.join("zfunc");
        // On a terminal of its own, with the tabulator: each line that it completes is then run.
        let mut script = format!(
            "zmodload zsh/zpty\nzpty z zsh -f -i\n\
             zpty -w z 'PS1=; fpath=({} $fpath); autoload -Uz compinit; compinit -u -D; \
             meshctl(){{ print -r -- \"got:${{@[-1]}}\" }}; print -r -- rea\"dy\"'\n\
             while zpty -r z line; do [[ $line == *ready* ]] && break; done\n",
            folder.display()
        );
        for (typed, _) in CASES {
            let _ = writeln!(
                script,
                "zpty -w -n z \"meshctl {typed}\"$'\\t\\n'\n\
                 while zpty -r z line; do [[ $line == *got:* ]] && {{ print -r -- \"{typed}: ${{line##*got:}}\"; break }}; done"
            );
        }
        script
    });
}

#[test]
fn fish_completes() {
    check("fish", "fish", |shell, _| {
        let file = shell.scratch.join("completions");
        let mut script = format!("source {}\n", file.display());
        for (typed, _) in CASES {
            let _ = writeln!(script, "echo '{typed}: '(complete -C 'meshctl {typed}')");
        }
        script
    });
}

/// The script is made for the editor, which elvish does not have without a terminal: its part is played.
#[test]
fn elvish_completes() {
    check("elvish", "elvish", |_, script| {
        let script = script.replace("edit:completion:arg-completer[", "completers[");
        let script = script.replace("edit:complex-candidate", "candidate");
        let mut script = format!(
            "var completers = [&]\nfn candidate {{|word &display='' &code-suffix=''| put $word}}\n{script}"
        );
        for (typed, _) in CASES {
            let _ = writeln!(script, "echo '{typed}:' ($completers[meshctl] meshctl {typed})");
        }
        script
    });
}

/// Without PowerShell to ask, its script has what the others complete, except for values and file names.
#[test]
fn powershell_has_every_word() {
    let script = Shell::new().good("completions powershell");
    for (_, expected) in CASES.iter().filter(|case| !is_value(case)) {
        let word = format!("[CompletionResult]::new('{expected}', ");
        assert!(script.contains(&word), "{expected}");
    }
    assert!(!script.contains("OPENSSL-"));
}

#[test]
fn the_name_can_be_another_one() {
    let shell = Shell::new();
    let script = shell.good("completions bash --name mesh-ca");
    assert!(script.contains(" -o bashdefault -o default mesh-ca\n"), "{script}");
    for name in ["1", "_x", "a b", "a;b", "$(x)", "é"] {
        let ran = shell.run(&format!("completions bash --name '{name}'"));
        ended(&ran, 64, &["expected a letter, followed by letters, digits, `-` and `_`"]);
    }
}

/// `man` shows every page without a warning, and each is about its own command.
#[test]
fn manual_pages() {
    let pages = manual::pages();
    assert!(pages.len() > 40, "{}", pages.len());
    let shell = Shell::new();
    if Command::new("man").arg("--version").output().is_err() {
        return missing("man", "it is not installed");
    }
    for (name, text) in &pages {
        shell.scratch.write(name, text);
        let mut man = Command::new("man");
        man.args(["--warnings=w", "-E", "UTF-8", "-l", "-P", "cat"]).arg(shell.scratch.join(name));
        let shown = run(man.env("MANWIDTH", "100").env("MANROFFOPT", "-rHY=0"));
        assert!(shown.good && shown.err.is_empty(), "{name}: {}", shown.err);
        let name = name.trim_end_matches(".1");
        for part in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
            assert!(shown.out.lines().any(|line| line == part), "{name}: {part}: {}", shown.out);
        }
        let words: Vec<&str> = shown.out.split_whitespace().take(7).collect();
        assert!(words.contains(&"NAME") && words.contains(&name), "{words:?}");
        assert!(!shown.out.contains("OPENSSL-"), "{name}");
    }
    let page = |name: &str| &pages.iter().find(|page| page.0 == name).expect("a page").1;
    assert!(page("meshctl-ca-verify.1").contains(r"\fB\-CAfile\fR"));
    // What follows `ca verify` is openssl's, so the options of every command are not among its own.
    for (name, has) in [("meshctl-ca-verify.1", false), ("meshctl-ca-init.1", true)] {
        for option in [r"\-\-color", r"\-\-quiet"] {
            assert_eq!(page(name).contains(option), has, "{name}: {option}");
        }
    }
    assert!(page("meshctl-ca-verify.1").contains(".SH \"EXIT STATUS\""));
    assert!(page("meshctl-ca-init.1").contains(".SH EXAMPLES"));
}
