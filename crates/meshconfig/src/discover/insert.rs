//! Inserts items into a list of a YAML text without changing any other byte of it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_saphyr::granit_parser::{Event, Parser, StructureStyle};

use crate::error::{Error, Fault};

/// Where a list of the document's top level is.
enum Place {
    /// The key is missing.
    Missing,
    /// Its items begin with a dash in this column; it ends before this line (both from 0).
    Block { column: usize, end: usize },
    /// `key: []`, alone on this line (from 0).
    Empty { line: usize },
    /// `key: [a, b]`.
    Flow,
}

/// The text with `items` (lines of a block list without indentation) at the end of the list `key`.
///
/// # Errors
/// `config/syntax` if the list is written in brackets.
pub(super) fn append(text: &str, key: &str, items: &str) -> Result<String, Error> {
    if items.is_empty() {
        return Ok(text.to_string());
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let join = |lines: &[&str]| lines.concat();
    let closed = |mut text: String| {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text
    };
    match place(text, key) {
        Place::Missing => Ok(format!("{}{key}:\n{items}", closed(text.to_string()))),
        Place::Block { column, end } => {
            let end = last_line(&lines, end);
            let indent = " ".repeat(column);
            let indented: String = items.lines().map(|line| format!("{indent}{line}\n")).collect();
            Ok(format!("{}{indented}{}", closed(join(&lines[..end])), join(&lines[end..])))
        }
        Place::Empty { line } => {
            let replaced = lines[line].replacen("[]", "", 1);
            let kept = replaced.trim_end();
            Ok(format!("{}{kept}\n{items}{}", join(&lines[..line]), join(&lines[line + 1..])))
        }
        Place::Flow => {
            let message = format!(
                "cannot insert into `{key}`, which is written in brackets: write its items on lines that begin with `- `"
            );
            Err(Error::new(key, Fault::Syntax { message }))
        }
    }
}

/// The line after the last one of the list; comments before the next key belong to that key.
fn last_line(lines: &[&str], end: usize) -> usize {
    let mut end = end.min(lines.len());
    while end > 0 && (lines[end - 1].trim().is_empty() || lines[end - 1].starts_with('#')) {
        end -= 1;
    }
    end
}

fn place(text: &str, key: &str) -> Place {
    let mut depth = 0_usize;
    let mut is_key = true;
    let mut wanted = false;
    let mut found: Option<(usize, bool)> = None;
    let mut column = None;
    let total = text.split_inclusive('\n').count();
    for item in Parser::new_from_str(text) {
        let Ok((event, span)) = item else { break };
        let line = span.start.line().saturating_sub(1);
        match &event {
            Event::DocumentEnd => break,
            Event::Scalar(value, ..) if depth == 1 && is_key => {
                if found.is_some() {
                    // The next key ends the list.
                    return block_or_empty(found, column, line);
                }
                wanted = value == key;
                is_key = false;
                continue;
            }
            Event::SequenceStart(style, ..) if depth == 1 && wanted => {
                if *style == StructureStyle::Flow {
                    let rest = text.split_inclusive('\n').nth(line).unwrap_or_default();
                    return if is_empty(rest, key) { Place::Empty { line } } else { Place::Flow };
                }
                found = Some((line, true));
                column = dash(text, line);
            }
            Event::Scalar(..)
            | Event::MappingStart(..)
            | Event::SequenceStart(..)
            | Event::Alias(..)
                if depth == 2 && found.is_some() && column.is_none() =>
            {
                column = dash(text, line);
            }
            Event::Scalar(value, ..) if depth == 1 && wanted && !is_key && value.is_empty() => {
                return Place::Missing;
            }
            _ => {}
        }
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => {
                depth -= 1;
                if depth == 1 {
                    is_key = true;
                }
            }
            Event::Scalar(..) | Event::Alias(..) if depth == 1 => is_key = true,
            _ => {}
        }
    }
    block_or_empty(found, column, total)
}

/// Whether a line is `key: []` and nothing else, a comment apart.
fn is_empty(line: &str, key: &str) -> bool {
    let Some((before, after)) = line.split_once("[]") else { return false };
    let found =
        before.trim_end().strip_suffix(':').map(|found| found.trim_end().trim_matches(['"', '\'']));
    let after = after.trim_start();
    found == Some(key) && (after.is_empty() || after.starts_with('#'))
}

fn block_or_empty(found: Option<(usize, bool)>, column: Option<usize>, end: usize) -> Place {
    match (found, column) {
        (Some(_), Some(column)) => Place::Block { column, end },
        _ => Place::Missing,
    }
}

/// The column of the dash a line begins with: that of a list which is the value of a key.
fn dash(text: &str, line: usize) -> Option<usize> {
    let line = text.split('\n').nth(line)?;
    let rest = line.trim_start_matches(' ');
    rest.starts_with('-').then(|| line.len() - rest.len())
}
