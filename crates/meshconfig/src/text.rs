//! Rules of names, durations, and the known word that a mistyped one resembles.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use meshpki::internals::go_duration;

/// The known word most similar to `found`, if at most a third of its letters differ.
pub(crate) fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let limit = (found.chars().count() / 3).max(1);
    known
        .map(|word| (distance(&found.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, word)| word.to_string())
}

/// Edits between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(before + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Why `text` is not a DNS-1123 label; `None` if it is
/// (`pkg/config/labels/collection.go: IsDNS1123Label`).
pub(crate) fn label_problem(text: &str) -> Option<&'static str> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.is_empty() || text.len() > 63 {
        return Some("a DNS label has 1 to 63 characters");
    }
    if !text.bytes().all(inner) {
        return Some("a DNS label has only a-z, 0-9 and `-`");
    }
    (text.starts_with('-') || text.ends_with('-'))
        .then_some("a DNS label neither starts nor ends with `-`")
}

/// Why `text` is not a DNS name; `None` if it is.
pub(crate) fn domain_problem(text: &str) -> Option<&'static str> {
    if text.len() > 253 {
        return Some("a DNS name has at most 253 characters");
    }
    text.split('.').find_map(label_problem)
}

/// Milliseconds of a duration in Go's format, in whole numbers: `5s`, `500ms`, `1m30s` (`time.ParseDuration`).
pub(crate) fn milliseconds(text: &str) -> Option<u64> {
    const MILLISECOND: u64 = 1_000_000;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let nanoseconds = go_duration(text).ok().filter(|_| is_plain)?;
    let nanoseconds = u64::try_from(nanoseconds).ok().filter(|all| all % MILLISECOND == 0)?;
    Some(nanoseconds / MILLISECOND).filter(|all| *all > 0)
}

/// A duration in the format that every release of Istio reads: `5s`, `0.5s`.
pub(crate) fn seconds(milliseconds: u64) -> String {
    let (whole, part) = (milliseconds / 1000, milliseconds % 1000);
    if part == 0 {
        return format!("{whole}s");
    }
    format!("{whole}.{part:03}").trim_end_matches('0').to_string() + "s"
}

/// FNV-1a, 64 bits: determines where the search for an address begins.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, b: &u8| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// A text as part of a resource's name: characters that a DNS label cannot have become `-`, long texts end in a hash.
pub(crate) fn name(text: &str, max: usize) -> String {
    let clean: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    shortened(clean.trim_matches('-'), max)
}

/// A valid name of at most `max` characters: a longer one ends in a hash of the whole.
pub(crate) fn shortened(name: &str, max: usize) -> String {
    if name.len() <= max {
        return name.to_string();
    }
    let hash = format!("{:016x}", fnv(name.as_bytes()));
    format!("{}-{}", name[..max - 9].trim_end_matches(['-', '.']), &hash[..8])
}

/// The first words, and how many more there are: `a, b and 2 more`.
pub(crate) fn some(words: &[impl AsRef<str>], max: usize) -> String {
    let first: Vec<&str> = words.iter().take(max).map(AsRef::as_ref).collect();
    let rest = match words.len().saturating_sub(max) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    first.join(", ") + &rest
}

#[cfg(test)]
mod tests;
