//! The recording of the demo as a page, if `docs/demo.cast` exists: a small player of our own, and the story as text.

use super::stage::Stage;

/// The recording, which `cargo xtask demo --record docs/demo.cast` writes.
const FILE: &str = "demo.cast";

/// Adds the page.
pub(super) fn write(stage: &mut Stage) -> Result<(), String> {
    if !stage.has(FILE) {
        return Ok(());
    }
    let cast = stage.read(FILE)?;
    let lines: Vec<&str> = cast.lines().collect();
    let events: Vec<serde_json::Value> = lines
        .iter()
        .skip(1)
        .map(|line| serde_json::from_str(line))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("docs/{FILE}: {error}"))?;
    let text: String = events.iter().filter_map(|event| event[2].as_str()).collect();
    stage.add(0, "The demo, recorded", "demo.md", &page(&lines, &story(&text)))
}

fn page(lines: &[&str], story: &str) -> String {
    // `</script>` would end the element.
    let events = format!("[{}]", lines.join(",")).replace('<', "\\u003c");
    format!(
        "# The demo, recorded\n\n`cargo xtask demo` on one machine: two clusters with real istiods and proxies become one \
         mesh, and get new CAs and a new root while calls are counted.\n\n<div id=\"cast\"><pre tabindex=\"0\" \
         aria-label=\"The terminal\"></pre><button type=\"button\">Play</button> <input type=\"range\" min=\"0\" \
         step=\"0.1\" value=\"0\" aria-label=\"Time\"></div>\n<script id=\"cast-events\" \
         type=\"application/json\">{events}</script>\n\n## As text\n\n```text\n{story}```\n"
    )
}

/// What a terminal has in the end, with all that scrolled away.
fn story(text: &str) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\r' => {}
            '\n' => lines.push(String::new()),
            '\x1b' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len());
                let (code, after) = rest.split_at(end);
                if after.starts_with('A') {
                    let up: usize = code.trim_start_matches('[').parse().unwrap_or(0);
                    // It is followed by erasing what is below.
                    lines.truncate(lines.len().saturating_sub(up + 1));
                    lines.push(String::new());
                }
                rest = after.get(1..).unwrap_or_default();
            }
            other => lines.last_mut().expect("a line").push(other),
        }
    }
    lines.join("\n")
}
