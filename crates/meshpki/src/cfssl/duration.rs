//! Lengths of time in cfssl's files.

use super::{Trap, code};
use crate::time::{self, go_duration};

/// Reads the duration of a field, or says why cfssl would not.
///
/// # Errors
/// `cfssl/duration`.
pub(super) fn read(what: &str, text: &str, line: usize) -> Result<i64, Trap> {
    go_duration(text).map_err(|why| {
        let hint = match time::parse_duration(text) {
            Some(length) if length.as_secs() % 3600 == 0 => alloc::format!(
                "write \"{}h\": hours are the largest unit that cfssl knows",
                length.as_secs() / 3600
            ),
            _ => "write hours, minutes and seconds: \"8760h\", \"1h30m\", \"90s\"".into(),
        };
        Trap::error(code::DURATION, line, alloc::format!("{what}: {why}; cfssl rejects it"), hint)
    })
}
