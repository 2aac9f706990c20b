//! The values both files have: from when, for how long, how deep.

use alloc::format;
use alloc::string::String;

use super::json::{At, Fields, Notes};
use super::{Severity, Span, Trap, code, duration};
use crate::time::Time;

/// From when and for how long the certificates of a profile are valid.
pub(super) fn span(fields: &Fields<'_>, notes: &mut Notes<'_>) -> Span {
    let what = &fields.what;
    let (not_before, not_after) =
        (time("not_before", fields, notes), time("not_after", fields, notes));
    if let (Some(first), Some(last)) = (not_before, not_after)
        && last <= first
    {
        let line = fields.value("not_after").map_or(fields.line, |at| at.line);
        notes.traps.push(Trap::error(
            code::TIME,
            line,
            format!("`not_after` of {what} is not after `not_before`: cfssl rejects the file"),
            "write a later date",
        ));
    }
    let given = fields.text("expiry");
    let remote = fields.value("remote").is_some() || fields.value("auth_remote").is_some();
    if given.is_none() && !remote {
        notes.traps.push(Trap::error(
            code::EXPIRY,
            fields.line,
            format!("{what} has no `expiry`: cfssl says \"empty expiry string\" and rejects the file, regardless of `default`"),
            "write \"expiry\": \"8760h\"",
        ));
    }
    let length = expiry(&format!("`expiry` of {what}"), given, notes);
    let back = fields.text("backdate");
    Span {
        expiry: length.map_or(0, |at| at.value),
        backdate: backdate(&format!("`backdate` of {what}"), back, notes),
        not_before,
        not_after,
    }
}

/// A date in the only form Go's JSON takes (RFC 3339 with `T` and a zone); the year 1 is Go's "not given".
fn time(name: &str, fields: &Fields<'_>, notes: &mut Notes<'_>) -> Option<Time> {
    let text = fields.text(name)?;
    let shaped = text.value.get(10..11) == Some("T") && !text.value.ends_with('z');
    let Some(time) = text.value.parse::<Time>().ok().filter(|_| shaped) else {
        notes.refused.push(Trap::error(
            code::TIME,
            text.line,
            format!(
                "`{name}` of {} is not a date that cfssl can read: it rejects the file",
                fields.what
            ),
            "write it as \"2030-12-31T23:59:59Z\"",
        ));
        return None;
    };
    (text.value != "0001-01-01T00:00:00Z").then_some(time)
}

/// The path length of `pathlen` and `pathlenzero` or their long names: a zero counts only with the flag
/// (Go `crypto/x509/x509.go: Certificate.MaxPathLenZero`).
pub(super) fn path_len(
    given: Option<At<i64>>,
    zero: bool,
    [name, flag]: [&str; 2],
    notes: &mut Notes<'_>,
) -> Option<u32> {
    let Some(At { value, line }) = given else { return zero.then_some(0) };
    let mut trap = |severity, code, message: String, hint: String| {
        notes.traps.push(Trap { code, severity, line, message, hint });
    };
    match u32::try_from(value) {
        Ok(0) if zero => Some(0),
        Ok(0) => {
            let message = format!("cfssl treats \"{name}\": 0 as no limit at all");
            let hint = format!("add \"{flag}\": true, or remove \"{name}\" if no limit is meant");
            trap(Severity::Error, code::PATH_LEN_LOST, message, hint);
            None
        }
        Ok(length) => {
            if zero {
                let message = format!("\"{flag}\" has no effect with \"{name}\": {value}");
                trap(Severity::Warning, code::PATH_LEN, message, format!("remove \"{flag}\""));
            }
            Some(length)
        }
        Err(_) => {
            let severity = if value == -1 { Severity::Warning } else { Severity::Error };
            let message = match value {
                -1 => format!("\"{name}\": -1 is not a path length; cfssl sets no limit"),
                _ => format!("\"{name}\": {value} is not a path length"),
            };
            trap(severity, code::PATH_LEN, message, format!("remove \"{name}\" for no limit"));
            None
        }
    }
}

/// The length of validity, in nanoseconds.
pub(super) fn expiry(what: &str, text: Option<At<&str>>, notes: &mut Notes<'_>) -> Option<At<i64>> {
    let At { value: text, line } = text?;
    let value = notes.keep(duration::read(what, text, line))?;
    if value < 1_000_000_000 {
        notes.traps.push(Trap::error(
            code::EXPIRY,
            line,
            format!("{what} is {text}: no certificate is valid for less than a second"),
            "write \"8760h\" for a year",
        ));
    }
    Some(At { value, line })
}

/// How far notBefore lies back, in nanoseconds; 0 stands for cfssl's five minutes.
pub(super) fn backdate(what: &str, text: Option<At<&str>>, notes: &mut Notes<'_>) -> i64 {
    let Some(At { value: text, line }) = text else { return 0 };
    let Some(value) = notes.keep(duration::read(what, text, line)) else { return 0 };
    match value {
        1.. => {}
        0 => notes.traps.push(Trap::warning(
            code::BACKDATE,
            line,
            format!("{what} is {text}, which cfssl replaces with five minutes"),
            "write \"1s\" if the certificate must be valid from now, or remove it",
        )),
        _ => notes.traps.push(Trap::error(
            code::BACKDATE,
            line,
            format!("{what} is {text}: the certificate would begin in the future"),
            "write it without the minus sign",
        )),
    }
    value
}
