//! Errors of the YAML reader in the words of a spec: the path of the field, what it has and what is expected.

use alloc::format;
use alloc::string::{String, ToString};

use serde_saphyr::Error as Yaml;

use super::{Error, Fault};
use crate::locate::{self, Content};
use crate::text::nearest;

/// The error in the words of a spec. `text` is what was read; without it, the error has no path.
pub(crate) fn from_yaml(text: &str, error: &Yaml) -> Error {
    let error = error.without_snippet();
    let place = error.location().map(|at| (at.line(), at.column())).filter(|(line, _)| *line > 0);
    let place = place.unwrap_or_default();
    let line = Some(place.0).filter(|line| *line > 0);
    let key = || locate::key_at(text, place).path;
    let (path, fault) = match error {
        Yaml::AliasError { error, .. } => return from_yaml(text, error),
        Yaml::SerdeMissingField { field, .. } => {
            let node = locate::key_at(text, place);
            // The place is that of the last key, or of fields without any.
            let is_empty = node.content == Content::Fields;
            return missing(if is_empty { &node.path } else { parent(&node.path) }, field);
        }
        Yaml::SerdeUnknownField { field, expected, .. } => {
            let meant = nearest(field, expected.iter().copied());
            (beside(&key(), field), Fault::UnknownField { found: field.clone(), meant })
        }
        Yaml::DuplicateMappingKey { key: Some(name), .. } => {
            let path = beside(&key(), name);
            let before =
                locate::Lines::new(text).of(&path).map(|line| format!("{path}, line {line}"));
            let first = before.unwrap_or_else(|| "the same field before it".to_string());
            (path, Fault::Duplicate { what: "field", name: name.clone(), first })
        }
        Yaml::SerdeUnknownVariant { variant, expected, .. } => {
            let meant = nearest(variant, expected.iter().copied())
                .or_else(|| (expected.len() < 9).then(|| expected.join("`, `")));
            let (what, also) = ("value", Default::default());
            let fault = Fault::UnknownName { what, found: variant.clone(), meant, also };
            (locate::value_at(text, place).path, fault)
        }
        Yaml::MultipleDocuments { .. } => {
            let message = "a second YAML document begins here: remove `---` and what follows";
            (String::new(), Fault::Syntax { message: message.into() })
        }
        Yaml::ExternalMessage { msg, .. } => (key(), Fault::Syntax { message: scanned(msg) }),
        other => {
            let node = locate::value_at(text, place);
            (node.path, value(other, &node.content))
        }
    };
    Error { path, ..Error::at_line(line, fault) }
}

/// A field is missing in the fields of a path.
fn missing(path: &str, field: &'static str) -> Error {
    let what = if path.is_empty() { "the file".to_string() } else { format!("`{path}`") };
    Error::new(path, Fault::Needs { what, needs: field })
}

/// The path of what a field belongs to.
fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

/// The path of a field that is next to that of another path, or is that one.
fn beside(path: &str, field: &str) -> String {
    match parent(path) {
        "" => field.to_string(),
        parent => format!("{parent}.{field}"),
    }
}

/// A value of the wrong type or form.
fn value(error: &Yaml, content: &Content) -> Fault {
    let found = match content {
        Content::Nothing => "nothing".to_string(),
        Content::Text(text) if text.is_empty() => "nothing".to_string(),
        Content::Text(text) => format!("`{text}`"),
        Content::List => "a list".to_string(),
        Content::Fields => "fields".to_string(),
    };
    let expected = match error {
        Yaml::InvalidScalar { ty, .. } => {
            let expected = number(ty);
            let Content::Text(found) = content else { return wrong_type(expected, &found) };
            return Fault::Value { what: "value", found: found.clone(), expected };
        }
        Yaml::InvalidBooleanStrict { .. } => "`true` or `false`",
        Yaml::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
        | Yaml::ExpectedStringKeyForExternallyTaggedEnum { .. } => "a word",
        Yaml::NullIntoString { .. } => "text; quote a word that YAML reads as no value",
        Yaml::Unexpected { expected, .. } => kind(expected),
        Yaml::SerdeInvalidType { expected, .. } => kind(expected),
        Yaml::Eof { .. } => "the fields of a mesh",
        Yaml::UnknownAnchor { .. } => {
            "a reference to an anchor of this file; quote a `*` that is meant as text"
        }
        other => return Fault::Syntax { message: first_line(&other.to_string()) },
    };
    wrong_type(expected, &found)
}

fn wrong_type(expected: &str, found: &str) -> Fault {
    Fault::Syntax { message: format!("expected {expected}, found {found}") }
}

/// What a number of this type can be. All numbers of 16 bits are ports.
fn number(of: &str) -> &'static str {
    match of {
        "u16" => "a port, 1 to 65535",
        "boolean" => "`true` or `false`",
        _ => "a whole number",
    }
}

/// The kind of value that the reader expected, in its words.
fn kind(expected: &str) -> &'static str {
    match expected {
        "sequence start" | "a sequence" => "a list, such as [a, b]",
        "mapping start" => "fields, such as {name: a}",
        words if words.starts_with("struct") || words.starts_with("a map") => {
            "fields, such as {name: a}"
        }
        "string scalar" | "scalar" | "a string" | "string" => "text",
        _ => "another kind of value",
    }
}

/// A message of the YAML scanner: a cause that can be seen in the file, if its words are those of a grammar.
fn scanned(message: &str) -> String {
    const CAUSES: [(&str, &str); 5] = [
        (
            "illegal placement of ':'",
            "this `:` is not expected: close the brackets and quotes before it",
        ),
        ("tabs disallowed", "a tab indents this line: YAML allows only spaces"),
        (
            "mapping values are not allowed",
            "this `:` is not expected: check the indentation of this line and the one before",
        ),
        (
            "anchor or alias",
            "`*` and `&` begin references in YAML: quote a value that begins with one, as in \"*\"",
        ),
        (
            "block mapping",
            "expected a field: check the indentation of this line and the one before",
        ),
    ];
    let cause = CAUSES.iter().find(|(words, _)| message.contains(words));
    cause.map_or_else(|| first_line(message), |(_, cause)| (*cause).to_string())
}

/// The first line of a message, without the place, which an error has anyway.
fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    line.rsplit_once(" at line ").map_or(line, |(line, _)| line).to_string()
}
