//! How facts are written: safe on a terminal, the same everywhere.

mod html;
mod paint;
mod unified;

use std::cmp::Ordering;
use std::path::Path;

use meshpki::Time;
use meshpki::internals::{digest, is_invisible, words};
use meshpki::x509::RawTime;
use serde_json::{Value, json};

pub(crate) use html::Html;
pub(crate) use paint::painted;
pub(crate) use unified::unified;

/// Text from outside with every character that could steer a terminal written as `\u{1b}`.
pub(crate) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// A label's value in Prometheus' text format: backslash, double quote and line feed are escaped.
pub(crate) fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A path as one word of a shell command (on Windows, of PowerShell): quoted if needed, and safe.
pub(crate) fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = if cfg!(windows) { "-_./\\:=" } else { "-_./+,:=@%" };
    if !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || plain.contains(c)) {
        return safe(&text);
    }
    if cfg!(windows) {
        // PowerShell takes five characters for a single quote.
        let is_quote = |c: char| c == '\'' || ('\u{2018}'..='\u{201b}').contains(&c);
        let twice = |c: char| std::iter::repeat_n(c, 1 + usize::from(is_quote(c)));
        return safe(&format!("'{}'", text.chars().flat_map(twice).collect::<String>()));
    }
    safe(&format!("'{}'", text.replace('\'', r"'\''")))
}

/// Text for XML and HTML, in elements and in attributes; a control character, which XML cannot have, is replaced.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// A JSON document, indented, in ASCII: everything else is escaped as `\u`, so that it is safe on a terminal too.
pub(crate) fn json(value: &Value) -> String {
    ascii(&format!("{value:#}\n"))
}

/// The same in one line.
pub(crate) fn json_line(value: &Value) -> String {
    ascii(&format!("{value}\n"))
}

fn ascii(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii() && c != '\x7f' {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out += &format!("\\u{unit:04x}");
            }
        }
    }
    out
}

/// A serial number from its content octets, as `openssl x509 -text` prints a long one: `4a:00:ff`, `-01`.
pub(crate) fn serial(content: &[u8]) -> String {
    match content {
        [0, rest @ ..] if !rest.is_empty() => digest::hex_colons(rest),
        [first, ..] if first & 0x80 != 0 => format!("-{}", digest::hex_colons(&negated(content))),
        _ => digest::hex_colons(content),
    }
}

/// Magnitude of a negative two's complement number.
fn negated(content: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = content.iter().map(|b| !b).collect();
    for byte in bytes.iter_mut().rev() {
        let (sum, carry) = byte.overflowing_add(1);
        *byte = sum;
        if !carry {
            break;
        }
    }
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    bytes.drain(..zeros.min(bytes.len() - 1));
    bytes
}

/// A key identifier as openssl prints it: upper-case hex pairs joined by colons.
pub(crate) fn key_id(bytes: &[u8]) -> String {
    digest::hex_colons(bytes).to_ascii_uppercase()
}

/// `in 364 days`, `3 days ago`, `now`.
pub(crate) fn relative(time: Time, at: Time) -> String {
    match time.cmp(&at) {
        Ordering::Equal => "now".to_owned(),
        Ordering::Greater => format!("in {}", words(time.since(at))),
        Ordering::Less => format!("{} ago", words(at.since(time))),
    }
}

/// `since 2026-11-21, 7 days ago`.
pub(crate) fn since(time: Time, at: Time) -> String {
    format!("since {}, {}", time.date(), relative(time, at))
}

/// What ends at a time, with the keys that `docs/schemas/expiry.json` and `report.json` have in common.
pub(crate) fn ending(
    subject: &str,
    serial: Option<&[u8]>,
    fingerprint: &str,
    end: Option<Time>,
    at: Time,
) -> Value {
    json!({
        "subject": subject,
        "serial": serial.map(self::serial),
        "fingerprint": fingerprint,
        "notAfter": end.map(|end| end.to_string()),
        "secondsLeft": end.map(|end| end.0.saturating_sub(at.0)),
    })
}

/// A time as the certificate has it: RFC 3339, or the raw content if it is not a time.
pub(crate) fn raw_time(raw: &RawTime) -> String {
    raw.time().map_or_else(
        || format!("unreadable: `{}`", raw.content.escape_ascii()),
        |time| time.to_string(),
    )
}

/// A number of things, in the plural unless it is one.
pub(crate) fn counted(count: usize, word: &str) -> String {
    match (count, word.ends_with('s')) {
        (1, _) => format!("1 {word}"),
        (_, true) => format!("{count} {word}es"),
        (_, false) => format!("{count} {word}s"),
    }
}

#[cfg(test)]
mod tests {
    use meshpki::internals::DAY;

    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(safe("a\u{1b}[31m\r\n\u{9b}b"), "a\\u{1b}[31m\\u{d}\\u{a}\\u{9b}b");
        assert_eq!(safe("gpj.\u{202e}exe Zoë"), "gpj.\\u{202e}exe Zoë");
        let text = json(&serde_json::json!("\u{1b}\u{7f}\u{9b}\u{1f600}é\""));
        assert_eq!(text, "\"\\u001b\\u007f\\u009b\\ud83d\\ude00\\u00e9\\\"\"\n");
    }

    #[test]
    fn words_of_a_command() {
        let words = ["ca/east", "my ca", "it's", "a;b", "", "é"].map(|p| word(Path::new(p)));
        let its = if cfg!(windows) { "'it''s'" } else { r"'it'\''s'" };
        assert_eq!(words, ["ca/east", "'my ca'", its, "'a;b'", "''", "é"]);
    }

    #[test]
    fn serial_numbers() {
        let cases: [(&[u8], &str); 7] = [
            (&[0], "00"),
            (&[1], "01"),
            (&[0, 0x80], "80"),
            (&[0x4a, 0, 0xff], "4a:00:ff"),
            (&[0xff], "-01"),
            (&[0x80, 0], "-80:00"),
            (&[0xff, 0], "-01:00"),
        ];
        for (content, text) in cases {
            assert_eq!(serial(content), text);
        }
    }

    #[test]
    fn times_relative_to_another() {
        let at = Time(1_000_000);
        let words: Vec<String> =
            [at, at + DAY * 364, at - DAY * 3, Time(at.0 + 1)].map(|t| relative(t, at)).to_vec();
        assert_eq!(words, ["now", "in 364 days", "3 days ago", "in 1 second"]);
    }
}
