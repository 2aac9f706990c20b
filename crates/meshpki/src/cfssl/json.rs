//! JSON as Go's `encoding/json` puts it into structs: field names in any letter case, the last of two
//! equal names, unknown names skipped. Each of those is a trap here.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions};

use super::{Severity, Trap, code, usage};

/// The type Go's struct has for a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    Object,
    List,
    Any,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "a whole number",
            Self::Flag => "true or false",
            Self::Object => "an object",
            Self::List => "a list",
            Self::Any => "anything",
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::Text => "put it in quotes",
            Self::Number => "write digits without quotes",
            Self::Flag => "write true or false without quotes",
            Self::Object => "put it in braces: {...}",
            Self::List => "put it in brackets: [...]",
            Self::Any => "",
        }
    }
}

/// A field cfssl knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    name: &'static str,
    kind: Kind,
    /// How bad it is that we do not carry it out; `None` when we do.
    left_out: Option<Severity>,
}

/// A field that is carried out.
pub(super) const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, left_out: None }
}

/// A field that is not carried out, and nothing in a mesh would notice.
pub(super) const fn unheeded(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, left_out: Some(Severity::Warning) }
}

/// A field that is not carried out, though the certificate would be another with it.
pub(super) const fn missing(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, left_out: Some(Severity::Error) }
}

/// The fields of one kind of object, and where fields belong that are often put into it by mistake.
pub(super) struct Shape {
    pub(super) fields: &'static [Field],
    pub(super) elsewhere: &'static [(&'static str, &'static str)],
}

/// The traps met while reading, and where the lines of the text begin.
pub(super) struct Notes<'t> {
    text: &'t str,
    line_ends: Vec<usize>,
    /// For which cfssl refuses the whole file.
    pub(super) refused: Vec<Trap>,
    /// All others.
    pub(super) traps: Vec<Trap>,
}

/// A value and its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) line: usize,
}

/// The fields of an object, of the right types.
pub(super) struct Fields<'v> {
    /// What the object is called in messages.
    pub(super) what: String,
    /// The line it begins in.
    pub(super) line: usize,
    found: Vec<(&'static str, &'v Value<'v>, usize)>,
}

/// Parses strict JSON.
///
/// # Errors
/// `cfssl/json`.
pub(super) fn parse(text: &str) -> Result<Value<'_>, Trap> {
    let bad = |line: usize, what: String| {
        Trap::error(code::JSON, line, format!("not JSON: {what}"), "cfssl accepts only strict JSON")
    };
    if let Some((line, what)) = too_lax(text) {
        return Err(bad(line, what.to_string()));
    }
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &strict)
        .map_err(|error| {
            // The parser counts a lone carriage return as a line; editors, and every other trap, count newlines.
            let before = text.as_bytes().iter().take(error.range().start);
            let line = before.filter(|byte| **byte == b'\n').count() + 1;
            bad(line, error.kind().to_string().to_lowercase())
        })?
        .value
        .ok_or_else(|| bad(1, "the file is empty".to_string()))
}

/// The line and the name of what `jsonc_parser` lets pass and JSON does not: control characters inside strings
/// and characters outside ASCII between them (RFC 8259 sections 2 and 7).
fn too_lax(text: &str) -> Option<(usize, &'static str)> {
    let (mut line, mut inside, mut escaped) = (1, false, false);
    for c in text.chars() {
        match c {
            '\u{feff}' if !inside => return Some((line, "it begins with a byte order mark")),
            '\0'..' ' if inside => return Some((line, "a control character inside a string")),
            '\u{80}'.. if !inside => return Some((line, "a letter outside a string")),
            '\n' => line += 1,
            '"' if !escaped => inside = !inside,
            _ => {}
        }
        escaped = inside && c == '\\' && !escaped;
    }
    None
}

impl<'t> Notes<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let line_ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at);
        Self { text, line_ends: line_ends.collect(), refused: Vec::new(), traps: Vec::new() }
    }

    /// The line a value is on, from 1.
    pub(super) fn line(&self, value: &impl Ranged) -> usize {
        self.line_ends.partition_point(|end| *end < value.start()) + 1
    }

    /// Keeps the trap of a result.
    pub(super) fn keep<T>(&mut self, result: Result<T, Trap>) -> Option<T> {
        result.map_err(|trap| self.traps.push(trap)).ok()
    }

    /// The fields of an object; `None` for null and for a value that is not an object.
    pub(super) fn object<'v>(
        &mut self,
        value: &'v Value<'v>,
        what: &str,
        shape: &Shape,
    ) -> Option<Fields<'v>> {
        if !self.is(value, Kind::Object, what) {
            return None;
        }
        let object = value.as_object()?;
        let line = self.line(object);
        let mut fields = Fields { what: what.to_string(), line, found: Vec::new() };
        for property in &object.properties {
            let name = property.name.as_str();
            let Some(known) = self.known(name, self.line(property), what, shape) else { continue };
            if !self.is(&property.value, known.kind, &format!("`{}` of {what}", known.name)) {
                continue;
            }
            let line = self.line(&property.value);
            if let Some(severity) = known.left_out
                && !is_zero(&property.value)
            {
                self.traps.push(not_carried_out(known.name, what, severity, line));
            }
            self.insert(&mut fields, known.name, &property.value, line);
        }
        Some(fields)
    }

    /// The entries of an object whose names are free, the last of equal ones.
    pub(super) fn entries<'v>(&mut self, object: &'v Object<'v>) -> Vec<(&'v str, &'v Value<'v>)> {
        let mut entries: Vec<(&str, &Value<'_>)> = Vec::new();
        for property in &object.properties {
            let (name, value) = (property.name.as_str(), &property.value);
            match entries.iter_mut().find(|(known, _)| *known == name) {
                Some(entry) => {
                    let first = core::mem::replace(&mut entry.1, value);
                    let line = self.line(value);
                    self.duplicate(name, first, value, line);
                }
                None => entries.push((name, value)),
            }
        }
        entries
    }

    /// The strings of a list; null is the empty string.
    pub(super) fn texts<'v>(
        &mut self,
        list: Option<At<&'v Value<'v>>>,
        what: &str,
    ) -> Vec<At<&'v str>> {
        let mut texts = Vec::new();
        let array = list.and_then(|list| list.value.as_array());
        for element in array.map(|array| array.elements.as_slice()).unwrap_or_default() {
            let line = self.line(element);
            match element {
                Value::StringLit(text) => texts.push(At { value: text.value.as_ref(), line }),
                Value::NullKeyword(_) => texts.push(At { value: "", line }),
                other => drop(self.is(other, Kind::Text, &format!("an entry of {what}"))),
            }
        }
        texts
    }

    /// Whether a value is of a kind. Null never is, silently: Go leaves the field as it was.
    fn is(&mut self, value: &Value<'_>, kind: Kind, what: &str) -> bool {
        let found = match value {
            Value::NullKeyword(_) => return false,
            Value::StringLit(_) => Kind::Text,
            Value::NumberLit(number) if number.value.parse::<i64>().is_ok() => Kind::Number,
            Value::NumberLit(_) => Kind::Any,
            Value::BooleanLit(_) => Kind::Flag,
            Value::Object(_) => Kind::Object,
            Value::Array(_) => Kind::List,
        };
        if kind == Kind::Any || kind == found {
            return true;
        }
        let found = if found == Kind::Any { "another number" } else { found.name() };
        let line = self.line(value);
        self.refused.push(Trap::error(
            code::TYPE,
            line,
            format!("{what} is {found}, but cfssl expects {} and rejects the file", kind.name()),
            kind.hint(),
        ));
        false
    }

    /// The field a name stands for: the one of that very name, else the first that differs in letter case alone
    /// (Go `encoding/json/decode.go: object`).
    fn known(&mut self, name: &str, line: usize, what: &str, shape: &Shape) -> Option<Field> {
        let mut fields = shape.fields.iter();
        if let Some(exact) = fields.clone().find(|field| field.name == name) {
            return Some(*exact);
        }
        let Some(folded) = fields.find(|field| field.name.eq_ignore_ascii_case(name)) else {
            self.traps.push(unknown(name, line, what, shape));
            return None;
        };
        if folded.left_out.is_none() {
            self.traps.push(Trap::warning(
                code::FIELD_CASE,
                line,
                format!("cfssl reads `{name}` of {what} as `{}`", folded.name),
                format!("write \"{}\"", folded.name),
            ));
        }
        Some(*folded)
    }

    fn insert<'v>(
        &mut self,
        fields: &mut Fields<'v>,
        name: &'static str,
        value: &'v Value<'v>,
        line: usize,
    ) {
        if let Some(at) = fields.found.iter().position(|(known, ..)| *known == name) {
            let (_, first, _) = fields.found.remove(at);
            self.duplicate(name, first, value, line);
        }
        fields.found.push((name, value, line));
    }

    fn duplicate(&mut self, name: &str, first: &Value<'_>, last: &Value<'_>, line: usize) {
        let same = first.text(self.text) == last.text(self.text);
        let first = self.line(first);
        let message = format!("`{name}` is both here and on line {first}; cfssl uses the last one");
        let hint = "keep one of them";
        self.traps.push(if same {
            Trap::warning(code::DUPLICATE_KEY, line, message, hint)
        } else {
            Trap::error(code::DUPLICATE_KEY, line, message, hint)
        });
    }
}

impl<'v> Fields<'v> {
    pub(super) fn value(&self, name: &str) -> Option<At<&'v Value<'v>>> {
        let (_, value, line) = self.found.iter().find(|(known, ..)| *known == name)?;
        Some(At { value, line: *line })
    }

    /// A string; the empty one counts as not given, as it does everywhere in cfssl.
    pub(super) fn text(&self, name: &str) -> Option<At<&'v str>> {
        let at = self.value(name)?;
        let text = at.value.as_string_lit()?.value.as_ref();
        (!text.is_empty()).then_some(At { value: text, line: at.line })
    }

    pub(super) fn number(&self, name: &str) -> Option<At<i64>> {
        let at = self.value(name)?;
        let value = at.value.as_number_lit()?.value.parse().ok()?;
        Some(At { value, line: at.line })
    }

    /// Whether a flag is set.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.value(name).and_then(|at| at.value.as_boolean_lit()).is_some_and(|flag| flag.value)
    }
}

/// Whether Go would find the zero value in the field, so that it is as if not given.
fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::NullKeyword(_) => true,
        Value::StringLit(text) => text.value.is_empty(),
        Value::NumberLit(number) => number.value == "0",
        Value::BooleanLit(flag) => !flag.value,
        Value::Object(object) => object.properties.is_empty(),
        Value::Array(array) => array.elements.is_empty(),
    }
}

fn not_carried_out(name: &str, what: &str, severity: Severity, line: usize) -> Trap {
    let (effect, hint) = match severity {
        Severity::Warning => ("nothing in a mesh uses it", "you can remove it"),
        Severity::Error => {
            ("the certificate would differ from cfssl's", "remove it, or continue to use cfssl")
        }
    };
    Trap {
        code: code::NOT_CARRIED_OUT,
        severity,
        line,
        message: format!("`{name}` of {what} is not supported: {effect}"),
        hint: hint.to_string(),
    }
}

fn unknown(name: &str, line: usize, what: &str, shape: &Shape) -> Trap {
    let message = format!("cfssl ignores `{name}`: {what} has no such field");
    let misplaced = shape.elsewhere.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
    if let Some((field, place)) = misplaced {
        return Trap::error(
            code::MISPLACED_FIELD,
            line,
            message,
            format!("\"{field}\" belongs in {place}"),
        );
    }
    let names = shape.fields.iter().map(|field| field.name);
    match usage::nearest(name, names.clone()) {
        Some(near) => Trap::error(code::UNKNOWN_FIELD, line, message, format!("write \"{near}\"")),
        None => Trap::warning(
            code::UNKNOWN_FIELD,
            line,
            message,
            format!("expected one of {}", names.collect::<Vec<_>>().join(", ")),
        ),
    }
}
