//! Server blocks of a Corefile: their names, their lines, and whether two say the same.

use alloc::string::String;
use alloc::vec::Vec;

/// A line without its comment.
pub(super) fn code(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

/// A server block: the names it is for, and its lines without comments.
struct Block<'a> {
    names: Vec<&'a str>,
    body: Vec<&'a str>,
}

/// The server blocks of a Corefile, as far as they have braces.
fn blocks(corefile: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let (mut depth, mut names) = (0_i32, Vec::new());
    for code in corefile.lines().map(code).filter(|code| !code.is_empty()) {
        let before = depth;
        for c in code.chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
        }
        if before > 0 {
            if depth > 0
                && let Some(block) = blocks.last_mut()
            {
                block.body.push(code);
            }
            continue;
        }
        if !code.starts_with("import ") {
            let words = code.split_whitespace().map(|word| word.trim_end_matches(['{', ',']));
            names.extend(words.filter(|word| !word.is_empty()));
        }
        if depth > 0 {
            blocks.push(Block { names: core::mem::take(&mut names), body: Vec::new() });
        }
    }
    blocks
}

/// The zone and the port of a name of a server block; the port is 53 if it has none.
fn zone_and_port(name: &str) -> (&str, u16) {
    let name = name.trim_start_matches("dns://");
    let (zone, port) = name.rsplit_once(':').unwrap_or((name, "53"));
    let port = port.parse().unwrap_or(53);
    (if zone.len() > 1 { zone.trim_end_matches('.') } else { zone }, port)
}

impl<'a> Block<'a> {
    /// Whether it is for all names.
    fn is_root(&self) -> bool {
        self.names.iter().any(|name| zone_and_port(name).0 == ".")
    }

    /// Its lines of the plugin `bind`, with what is in their braces.
    fn binds(&self) -> Vec<&'a str> {
        let mut lines = Vec::new();
        let (mut depth, mut inside) = (0_i32, false);
        for line in &self.body {
            if depth == 0 {
                inside = line.split_whitespace().next() == Some("bind");
            }
            for c in line.chars() {
                depth += i32::from(c == '{') - i32::from(c == '}');
            }
            if inside {
                lines.push(*line);
            }
        }
        lines
    }

    /// What it says: its zones and ports, and its lines, sorted, since CoreDNS has its own order of plugins. The port
    /// 53 of a server is the default.
    fn says(&self) -> (Vec<(&'a str, u16)>, Vec<String>) {
        let words = |line: &&str| {
            let words =
                line.split_whitespace().map(|word| word.strip_suffix(":53").unwrap_or(word));
            words.collect::<Vec<_>>().join(" ")
        };
        let mut body: Vec<String> = self.body.iter().map(words).collect();
        body.sort();
        (self.names.iter().map(|name| zone_and_port(name)).collect(), body)
    }
}

/// The lines of `bind` of the block for all names; if there is none, those that every block has.
pub(super) fn bind_lines(corefile: &str) -> Vec<&str> {
    let blocks = blocks(corefile);
    if let Some(root) = blocks.iter().find(|block| block.is_root()) {
        return root.binds();
    }
    let first = blocks.first().map(Block::binds).unwrap_or_default();
    if blocks.iter().all(|block| block.binds() == first) { first } else { Vec::new() }
}

/// Whether a file has exactly one server block for the suffix, which says what `block` does.
pub(super) fn has_same(corefile: &str, suffix: &str, block: &str) -> bool {
    let blocks_of = blocks(corefile);
    let is_for =
        |found: &&Block<'_>| found.names.iter().any(|name| zone_and_port(name).0 == suffix);
    let mut found = blocks_of.iter().filter(is_for);
    let wanted = blocks(block);
    let (Some(found), None, Some(wanted)) = (found.next(), found.next(), wanted.first()) else {
        return false;
    };
    found.says() == wanted.says()
}
