//! What is found, as data.

use super::*;

/// The phrases of a text, with their lines.
#[track_caller]
fn check(name: &str, text: &str, expected: &[(usize, &str)]) {
    let hits = Rules::new().hits(name, text);
    let found: Vec<_> = hits.iter().map(|hit| (hit.line, hit.phrase)).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn phrases_of_markdown() {
    let check = |text: &str, expected: &[(usize, &str)]| check("a.md", text, expected);
    check("It is no certificate.", &[(1, "is no")]);
    check("The file is no\nlonger there; there is no other.", &[]);
    check("A version\nis wanted, and it goes\non.", &[(2, "is wanted"), (2, "goes on")]);
    check("It is. No other is. The answer is no.", &[]);
    check("`x` is no `y`.", &[(1, "is no")]);
    check("`is no x`", &[]);
    check("```\nis no x\n```\nNobody is told.", &[(4, "nobody"), (4, "told")]);
    check("    is no x\n", &[]);
    check("| it is | no |", &[]);
    check("It stands for itself and stands there.", &[(1, "stands")]);
    check("The Postman; untold; a seedling", &[]);
    check("See failure mode 7 of the post.", &[(1, "failure mode"), (1, "the post")]);
    check("Seed 2's design; nobody's", &[(1, "seed 2"), (1, "nobody")]);
    check("- it is\n\nno", &[]);
}

#[test]
fn phrases_of_rust() {
    let check = |text: &str, expected: &[(usize, &str)]| check("a.rs", text, expected);
    check("/// A name that\n/// is no name.\nfn told() {}", &[(2, "is no")]);
    check("/// It is\n/// no name.", &[(1, "is no")]);
    check("let nobody = 'a'; // told", &[(1, "told")]);
    check("x(\"`{a}` is no {b}\", \"it is\", \"no\")", &[(1, "is no")]);
    check("x(\"it is \\\n   no name\")", &[(1, "is no")]);
    check("x(\"it\\nis no \\\"name\\\"\"); nobody()", &[(1, "is no")]);
    check("r#\"told \"quoted\" anew\"#; anew", &[(1, "told"), (1, "anew")]);
    check("fn f<'a>(x: &'a str) { '\"'; \"told\" }", &[(1, "told")]);
    check("'\\''; '\\\\'; \"told\"", &[(1, "told")]);
    check("b\"told\"; br\"anew\"", &[(1, "told"), (1, "anew")]);
    check("for_nobody(r); other\n/* told\nanew */", &[(2, "told"), (2, "anew")]);
    check("// it is\nlet no = 1;\n// no", &[]);
}

#[test]
fn strings_and_comments() {
    let hits = Rules::new().hits("a.rs", "x(\"told\"); // anew");
    let found: Vec<_> = hits.iter().map(|hit| (hit.phrase, hit.in_string)).collect();
    assert_eq!(found, [("told", true), ("anew", false)]);
}

#[test]
fn exceptions() {
    let list = [Exception { file: "a.md", phrase: "told", reason: "a quotation" }];
    let check = |name: &str, text: &str, expected: Option<usize>| {
        let hits = Rules::new().hits(name, text);
        assert_eq!(excepted(&hits[0], &list), expected, "{name}: {text}");
    };
    check("a.md", "It is told.", Some(0));
    check("a.md", "Anew.", None);
    check("b.md", "It is told.", None);
    for Exception { file, phrase, .. } in EXCEPTIONS {
        assert!(RULES.iter().any(|rule| rule.phrase == *phrase), "{file}: {phrase}");
    }
}

#[test]
fn files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let check = |name: &str, expected: bool| {
        assert_eq!(read(&root, name).is_some(), expected, "{name}");
    };
    check("README.md", true);
    check("xtask/src/tidy.rs", true);
    check("Cargo.toml", false);
    // It names the phrases in order to forbid them.
    check("docs/STYLE.md", false);
}

#[test]
fn lines_of_markdown() {
    let long = "x".repeat(COLUMNS + 1);
    let check = |text: &str, expected: usize| {
        assert_eq!(wide("a.md", text).len(), expected, "{text}");
        assert_eq!(wide("a.rs", text).len(), 0);
    };
    check(&long[1..], 0);
    check(&long, 1);
    check(&format!("| {long} |"), 0);
    check(&format!("```\n{long}\n```\n{long}"), 1);
}

#[test]
fn roots() {
    let check = |name: &str, path: &str, expected: bool| {
        assert_eq!(is_below(name, path), expected, "{name} {path}");
    };
    check("docs/a.md", "docs", true);
    check("docs.md", "docs", false);
    check("README.md", "README.md", true);
}

/// No rule hides behind another one, and every word is as the lexer writes it.
#[test]
fn rules_can_match() {
    for rule in RULES {
        check("a.md", &format!("x {} y", rule.phrase), &[(1, rule.phrase)]);
    }
}
