//! A Corefile: the managed server block between its two marker lines, and facts about the rest.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Range;

use super::Zone;
use super::block::{bind_lines, code, has_same};
use crate::error::{Error, Fault};

impl Zone {
    /// The server block (CoreDNS plugins `bind`, `forward`, `proxy`, `hosts`).
    fn block(&self, suffix: &str, port: u16, binds: &[&str]) -> String {
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
        let binds: String = binds.iter().map(|line| format!("    {line}\n")).collect();
        let body = format!("    errors\n{binds}{lines}");
        format!("{}\n{suffix}:{port} {{\n{body}}}\n{}\n", begin(suffix), end(suffix))
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

/// The Corefile with the managed block for the suffix. An existing block is replaced in its place; every other byte is
/// kept. A block of others that says the same stays, and the file is not changed.
///
/// A new block comes last, or first if the last line has no newline, so that [`remove`] restores the exact text. It
/// listens where the block for all names does: NodeLocal DNSCache, which has `bind` in each block, otherwise would
/// never see a query for it.
///
/// # Errors
/// `config/duplicate` with its line if the file has another server block for the suffix; `config/needs` if its only
/// server block has no braces, so that no other block can be added.
pub fn add(corefile: &str, suffix: &str, zone: &Zone) -> Result<String, Error> {
    let ours = ours(corefile, suffix);
    let theirs = remove(corefile, suffix);
    let block = zone.block(suffix, port(&theirs), &bind_lines(&theirs));
    if let Some((line, first)) = foreign_zone(corefile, ours.as_ref(), suffix) {
        if ours.is_none() && has_same(&theirs, suffix, &block) {
            return Ok(theirs);
        }
        let fault =
            Fault::Duplicate { what: "zone", name: suffix.into(), first: format!("`{first}`") };
        return Err(Error::at_line(Some(line), fault));
    }
    if let Some(ours) = ours {
        return Ok(format!("{}{block}{}", &corefile[..ours.start], &corefile[ours.end..]));
    }
    if has_no_braces(corefile) {
        let what = "the server block of the Corefile".to_string();
        let needs = "braces: without them CoreDNS reads every following line as part of it";
        return Err(Error::new("", Fault::Needs { what, needs }));
    }
    if corefile.is_empty() || corefile.ends_with('\n') {
        return Ok(format!("{corefile}{block}"));
    }
    Ok(format!("{block}{corefile}"))
}

/// The server block of others that says what the managed one would, with its line: [`add`] leaves it as it is.
#[must_use]
pub fn same_zone(corefile: &str, suffix: &str, zone: &Zone) -> Option<(u64, String)> {
    let block = zone.block(suffix, port(corefile), &bind_lines(corefile));
    let is_same = ours(corefile, suffix).is_none() && has_same(corefile, suffix, &block);
    is_same.then(|| foreign_zone(corefile, None, suffix)).flatten()
}

/// The lines that say at which addresses CoreDNS answers (plugin `bind`), which the managed block repeats.
#[must_use]
pub fn binds(corefile: &str, suffix: &str) -> Vec<String> {
    let theirs = remove(corefile, suffix);
    bind_lines(&theirs).into_iter().map(ToString::to_string).collect()
}

/// The Corefile without the managed block for the suffix.
#[must_use]
pub fn remove(corefile: &str, suffix: &str) -> String {
    match ours(corefile, suffix) {
        Some(ours) => format!("{}{}", &corefile[..ours.start], &corefile[ours.end..]),
        None => corefile.to_string(),
    }
}

/// The range of the managed block with its markers: from the last line that begins one to the first line after it that
/// ends it.
fn ours(corefile: &str, suffix: &str) -> Option<Range<usize>> {
    let (begin, end) = (begin(suffix), end(suffix));
    let (mut at, mut start) = (0, None);
    for line in corefile.split_inclusive('\n') {
        let text = line.trim();
        if text == begin {
            start = Some(at);
        }
        at += line.len();
        if let Some(start) = start.filter(|_| text == end) {
            return Some(start..at);
        }
    }
    None
}

/// A line outside the managed block that begins a server block for the suffix, with its number.
pub(super) fn foreign_zone(
    corefile: &str,
    ours: Option<&Range<usize>>,
    suffix: &str,
) -> Option<(u64, String)> {
    let zone = |word: &str| {
        let word = word.trim_end_matches('{').trim_end_matches(',').trim_start_matches("dns://");
        word.split(':').next().unwrap_or_default().trim_end_matches('.') == suffix
    };
    let (mut depth, mut at) = (0_i32, 0);
    for (number, line) in (1..).zip(corefile.split_inclusive('\n')) {
        let is_ours = ours.is_some_and(|ours| ours.contains(&at));
        at += line.len();
        let code = if is_ours { "" } else { code(line) };
        if depth == 0 && code.split_whitespace().any(zone) {
            return Some((number, code.to_string()));
        }
        for c in code.chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
        }
    }
    None
}

/// The port CoreDNS listens on: that of the block of others for all names, `.:1053`; 53 if there is none.
fn port(corefile: &str) -> u16 {
    let words = corefile.lines().flat_map(|line| code(line).split_whitespace());
    let ports = words.filter_map(|word| {
        let word = word.trim_end_matches(',').trim_start_matches("dns://");
        word.strip_prefix(".:")?.parse().ok()
    });
    ports.into_iter().next().unwrap_or(53)
}

/// Whether the whole file is one server block without braces, which ends with the file (`caddyfile/parse.go:
/// blockContents`).
fn has_no_braces(corefile: &str) -> bool {
    let lines = corefile.lines().map(code).filter(|code| !code.is_empty());
    let mut lines = lines.skip_while(|code| code.starts_with("import "));
    // Names of a block are on one line, or on several with commas.
    let last = lines.find(|code| code.contains('{') || !code.ends_with(','));
    let opens_below = lines.next().is_some_and(|code| code.starts_with('{'));
    last.is_some_and(|code| !code.contains('{')) && !opens_below
}

/// Whether CoreDNS reloads the file when it changes (plugin `reload`), as far as the file shows.
#[must_use]
pub fn reloads(corefile: &str) -> bool {
    corefile.lines().any(|line| code(line).split_whitespace().next() == Some("reload"))
}

/// Whether the file is for CoreDNS before 1.4.0: outside the managed block it has the plugin `proxy`, which later
/// releases lack, and not `forward`.
#[must_use]
pub fn has_old_words(corefile: &str, suffix: &str) -> bool {
    let theirs = remove(corefile, suffix);
    let says = |word| theirs.lines().any(|line| code(line).split_whitespace().next() == Some(word));
    says("proxy") && !says("forward")
}
