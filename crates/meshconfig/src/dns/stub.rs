//! `stubDomains` of kube-dns: a JSON object in which one entry is added or removed; every other byte stays unchanged.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Range;

use serde_json::{Map, Value};

use crate::error::{Error, Fault};

/// `stubDomains` of kube-dns's ConfigMap with the managed entry; empty text is an empty object.
///
/// `was` is the server of the managed entry until now.
///
/// # Errors
/// `config/syntax` if it is not a JSON object, `config/duplicate` if another server answers for the suffix.
pub fn add_stub(
    stub_domains: &str,
    suffix: &str,
    server: IpAddr,
    was: Option<IpAddr>,
) -> Result<String, Error> {
    if stub_domains.trim().is_empty() {
        return Ok(alone(suffix, server));
    }
    let map = stubs(stub_domains)?;
    let entry = map.get(suffix);
    if entry == Some(&entry_of(server)) {
        return Ok(stub_domains.into());
    }
    if let Some(other) = entry.filter(|other| was.is_none_or(|was| **other != entry_of(was))) {
        let fault =
            Fault::Duplicate { what: "zone", name: suffix.into(), first: format!("`{other}`") };
        return Err(Error::new("stubDomains", fault));
    }
    let (value, name) = (entry_of(server), Value::from(suffix));
    if let Some(member) = member(stub_domains, suffix) {
        let (before, after) = (&stub_domains[..member.value.start], &stub_domains[member.end()..]);
        return Ok(format!("{before}{value}{after}"));
    }
    let comma = if map.is_empty() { "" } else { "," };
    Ok(stub_domains.replacen('{', &format!("{{{name}:{value}{comma}"), 1))
}

/// `stubDomains` without the managed entry; an entry with another server belongs to others and stays. The text that
/// [`add_stub`] created becomes the empty text.
///
/// # Errors
/// `config/syntax` if it is not a JSON object.
pub fn remove_stub(stub_domains: &str, suffix: &str, server: IpAddr) -> Result<String, Error> {
    if stub_domains == alone(suffix, server) {
        return Ok(String::new());
    }
    let map = stubs(stub_domains)?;
    let ours = map.get(suffix) == Some(&entry_of(server));
    let Some(member) = member(stub_domains, suffix).filter(|_| ours) else {
        return Ok(stub_domains.into());
    };
    let range = if stub_domains[member.all.end..].starts_with(',') {
        member.all.start..member.all.end + 1
    } else {
        // The last one: the comma before it is removed, the space after it stays.
        let comma = stub_domains[..member.all.start].ends_with(',');
        member.all.start - usize::from(comma)..member.end()
    };
    Ok(format!("{}{}", &stub_domains[..range.start], &stub_domains[range.end..]))
}

/// The whole text if there was none before: with a space, to distinguish it from an entry added to an empty object.
fn alone(suffix: &str, server: IpAddr) -> String {
    format!("{{{}: {}}}", Value::from(suffix), entry_of(server))
}

fn entry_of(server: IpAddr) -> Value {
    Value::from([server.to_string()].to_vec())
}

fn stubs(text: &str) -> Result<Map<String, Value>, Error> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(text).map_err(|error| {
        let message = format!("stubDomains is not a JSON object: {error}");
        Error::new("stubDomains", Fault::Syntax { message })
    })
}

/// The position of a member of a JSON object.
struct Member {
    /// From the brace or comma before it to the one after it.
    all: Range<usize>,
    /// Its value.
    value: Range<usize>,
}

impl Member {
    /// The end of its value.
    const fn end(&self) -> usize {
        self.value.end
    }
}

/// The member of that name in the text of a JSON object.
fn member(text: &str, name: &str) -> Option<Member> {
    members(text).into_iter().find(|member| {
        let key = text[member.all.start..member.value.start].trim().trim_end_matches(':');
        serde_json::from_str::<String>(key).is_ok_and(|key| key == name)
    })
}

fn members(text: &str) -> Vec<Member> {
    let mut members = Vec::new();
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    let (mut start, mut colon) = (0, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            b':' if depth == 1 => colon = Some(at),
            b',' | b'}' if depth == 1 => {
                if let Some(colon) = colon.take() {
                    members.push(Member { all: start..at, value: trimmed(text, colon + 1, at) });
                }
                start = at + 1;
                depth -= u32::from(byte == b'}');
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    members
}

/// A range without leading and trailing space.
fn trimmed(text: &str, start: usize, end: usize) -> Range<usize> {
    let start = end - text[start..end].trim_start().len();
    start..start + text[start..end].trim_end().len()
}
