//! Edits of a cluster's DNS: a block of our own in a Corefile, an entry of kube-dns; everything else stays as it is.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use serde_json::{Map, Value};

use crate::address::Addresses;
use crate::error::{Error, Fault};

/// How CoreDNS answers for remote names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// It asks another server: istio-coredns.
    Forward(IpAddr),
    /// It asks another server, in the words of CoreDNS before 1.4.0.
    Proxy(IpAddr),
    /// It knows the addresses itself, by host.
    Hosts(Vec<(String, IpAddr)>),
}

impl Zone {
    /// The addresses of a mesh as answers.
    #[must_use]
    pub fn hosts(addresses: &Addresses) -> Self {
        Self::Hosts(addresses.iter().map(|(host, address)| (host.to_string(), address)).collect())
    }

    /// The server block (CoreDNS plugins `forward`, `proxy`, `hosts`).
    fn block(&self, suffix: &str) -> String {
        let lines = match self {
            Self::Forward(to) => format!("    cache 30\n    forward . {}\n", socket(*to)),
            Self::Proxy(to) => format!("    cache 30\n    proxy . {}\n", socket(*to)),
            Self::Hosts(hosts) => {
                let lines: String = hosts
                    .iter()
                    .map(|(host, address)| format!("        {address} {host}\n"))
                    .collect();
                format!("    hosts {{\n{lines}    }}\n")
            }
        };
        format!("{}\n{suffix}:53 {{\n    errors\n{lines}}}\n{}\n", begin(suffix), end(suffix))
    }
}

fn socket(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}:53"),
        IpAddr::V6(address) => format!("[{address}]:53"),
    }
}

fn begin(suffix: &str) -> String {
    format!("# meshctl: begin {suffix}")
}

fn end(suffix: &str) -> String {
    format!("# meshctl: end {suffix}")
}

/// The Corefile with our block for the suffix, in its place where it was there before; every other line is kept.
///
/// # Errors
/// `config/duplicate` when the file has a server block of somebody else's for the suffix.
pub fn add(corefile: &str, suffix: &str, zone: &Zone) -> Result<String, Error> {
    let (before, after) = cut(corefile, suffix);
    if let Some(line) = foreign_zone(&before, &after, suffix) {
        let fault =
            Fault::Duplicate { what: "zone", name: suffix.into(), first: format!("`{line}`") };
        return Err(Error::new("", fault));
    }
    let glue = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{before}{glue}{}{after}", zone.block(suffix)))
}

/// The Corefile without our block for the suffix.
#[must_use]
pub fn remove(corefile: &str, suffix: &str) -> String {
    let (before, after) = cut(corefile, suffix);
    before + &after
}

/// What stands before and behind our block; all of it before where there is none.
fn cut(corefile: &str, suffix: &str) -> (String, String) {
    let (mut before, mut after) = (String::new(), String::new());
    let (begin, end) = (begin(suffix), end(suffix));
    let has_end = corefile.lines().any(|line| line.trim() == end);
    let mut part = 0;
    for line in corefile.split_inclusive('\n') {
        match (part, line.trim()) {
            (0, text) if text == begin && has_end => part = 1,
            (1, text) if text == end => part = 2,
            (0, _) => before.push_str(line),
            (1, _) => {}
            _ => after.push_str(line),
        }
    }
    (before, after)
}

/// A line that begins a server block for the suffix.
fn foreign_zone(before: &str, after: &str, suffix: &str) -> Option<String> {
    let zone = |word: &str| {
        let word = word.trim_end_matches('{').trim_end_matches(',').trim_start_matches("dns://");
        word.split(':').next().unwrap_or_default().trim_end_matches('.') == suffix
    };
    let mut depth = 0_i32;
    for line in before.lines().chain(after.lines()) {
        let code = line.split('#').next().unwrap_or_default().trim();
        if depth == 0 && code.split_whitespace().any(zone) {
            return Some(code.to_string());
        }
        for c in code.chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
        }
    }
    None
}

/// `stubDomains` of kube-dns's ConfigMap with ours; empty text is none.
///
/// # Errors
/// `config/syntax` when it is no JSON object, `config/duplicate` when another server answers for the suffix.
pub fn add_stub(stub_domains: &str, suffix: &str, server: IpAddr) -> Result<String, Error> {
    let mut map = stubs(stub_domains)?;
    let ours = Value::from([server.to_string()].to_vec());
    if let Some(other) = map.get(suffix).filter(|other| **other != ours) {
        let fault =
            Fault::Duplicate { what: "zone", name: suffix.into(), first: format!("`{other}`") };
        return Err(Error::new("stubDomains", fault));
    }
    map.insert(suffix.into(), ours);
    Ok(Value::Object(map).to_string())
}

/// `stubDomains` without ours; an entry that leads to another server is somebody else's and stays.
///
/// # Errors
/// `config/syntax` when it is no JSON object.
pub fn remove_stub(stub_domains: &str, suffix: &str, server: IpAddr) -> Result<String, Error> {
    let mut map = stubs(stub_domains)?;
    if map.get(suffix) == Some(&Value::from([server.to_string()].to_vec())) {
        map.remove(suffix);
    }
    Ok(Value::Object(map).to_string())
}

fn stubs(text: &str) -> Result<Map<String, Value>, Error> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(text).map_err(|error| {
        let message = format!("stubDomains is no JSON object: {error}");
        Error::new("stubDomains", Fault::Syntax { message })
    })
}

#[cfg(test)]
mod tests;
