//! What differs in every run, by rule: times, serial numbers, fingerprints, PEM text, ports, and how long something took.

/// Units after a number that depends on when the page was run, or how fast.
const UNITS: [&str; 5] = ["day", "hour", "minute", "second", "s"];

/// A text without what differs in every run, and with one space for several, because columns move with it.
pub(super) fn masked(text: &str) -> String {
    let mut lines = Vec::new();
    let mut is_pem = false;
    for text in text.lines() {
        is_pem &= !text.contains("-----END ");
        // How far a cluster is when it is looked at depends on its speed.
        if !is_pem && !text.contains("  waiting for ") {
            lines.push(line(text));
        }
        is_pem |= text.contains("-----BEGIN ");
    }
    lines.join("\n").trim_end().to_owned()
}

fn line(text: &str) -> String {
    let indent = text.len() - text.trim_start_matches(' ').len();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut masked: Vec<String> = Vec::new();
    let mut is_unit = false;
    for (i, word) in words.iter().enumerate() {
        let number = word.trim_start_matches('(');
        if is_unit {
            // One second, two seconds.
            masked.push(singular(word));
            is_unit = false;
        } else if number.parse::<f64>().is_ok() && words.get(i + 1).is_some_and(|word| unit(word)) {
            masked.push(word.replace(number, "[n]"));
            is_unit = true;
        } else {
            masked.push(parts(word));
        }
    }
    // What happened within the second is now.
    let text = masked.join(" ").replace("[date], now", "[date], [n] second ago");
    // A tree or a table says with its indentation what belongs to what.
    format!("{}{text}", " ".repeat(indent))
}

/// Whether a word is a unit of time.
fn unit(word: &str) -> bool {
    let word = singular(word);
    UNITS.contains(&word.trim_end_matches([',', '.', ')', ':', ';']))
}

fn singular(word: &str) -> String {
    let core = word.trim_end_matches([',', '.', ')', ':', ';']);
    let one = if core.len() > 1 { core.trim_end_matches('s') } else { core };
    format!("{one}{}", &word[core.len()..])
}

/// A word whose parts are masked: letters and digits with `:`, `-` and `.` between them.
fn parts(word: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ":-.".contains(c);
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find(is_part) {
        out += &rest[..at];
        let end = rest[at..].find(|c| !is_part(c)).map_or(rest.len(), |n| at + n);
        out += &part(&rest[at..end]);
        rest = &rest[end..];
    }
    out + rest
}

fn part(text: &str) -> String {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let core = text.trim_end_matches([':', '.']);
    let tail = &text[core.len()..];
    if is_shape(core, "dddd-dd-ddTdd:dd:ddZ") {
        return format!("[time]{tail}");
    }
    if is_shape(core, "dddd-dd-dd") {
        return format!("[date]{tail}");
    }
    // A time as metrics have it, and the number of a CRL.
    if is_shape(core, "dddddddddd") {
        return format!("[seconds]{tail}");
    }
    let pairs: Vec<&str> = core.split(':').collect();
    if pairs.len() >= 8 && pairs.iter().all(|pair| pair.len() == 2 && is_hex(pair)) {
        return format!("[{} bytes]{tail}", pairs.len());
    }
    if let Some((host, port)) = core.split_once(':')
        && host.starts_with("127.")
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return format!("{host}:[port]{tail}");
    }
    // The line of a certificate in a file: signatures differ in length.
    if let Some((file, line)) = core.rsplit_once(".pem:")
        && line.bytes().all(|byte| byte.is_ascii_digit())
    {
        return format!("{file}.pem:[line]{tail}");
    }
    if let Some(workload) = workload_of_pod(core) {
        return format!("{workload}-[pod]{tail}");
    }
    // A serial number or a fingerprint, alone or at the end of a name such as `east-1a2b3c4d`.
    let words = core.split('-').map(|word| match word.len() {
        8 | 16 | 32 | 40 | 64 if is_hex(word) => format!("[hex{}]", word.len()),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join("-") + tail
}

/// The Deployment of a pod: Kubernetes adds a hash of the template and five letters to its name.
fn workload_of_pod(name: &str) -> Option<&str> {
    let is_made =
        |text: &str| text.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte));
    let (rest, letters) = name.rsplit_once('-')?;
    let (workload, hash) = rest.rsplit_once('-')?;
    let is_pod = letters.len() == 5 && (6..=10).contains(&hash.len());
    (is_pod && is_made(letters) && is_made(hash)).then_some(workload)
}

/// Whether a text has digits where a shape has `d`, and its other characters elsewhere.
fn is_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        })
}

#[test]
fn what_differs_is_masked() {
    let check = |text: &str, expect: &str| assert_eq!(masked(text), expect);
    check("until 2027-11-29, in 364 days", "until [date], in [n] day");
    check("since 2026-11-30, now", "since [date], [n] second ago");
    check("2 seconds ago, 1 second, 5 pods", "[n] second ago, [n] second, 5 pods");
    check("east  waiting for istiod\neast  done", "east done");
    check("2 contexts at 2026-11-29T10:38:39Z", "2 contexts at [time]");
    check("`Mesh Root CA ebe5ee10` (sha256 c04acace),", "`Mesh Root CA [hex8]` (sha256 [hex8]),");
    check("previous/east-1a2b3c4d   kept", "previous/east-[hex8] kept");
    check("sha256 09:AA:CF:6A:09:AA:CF:6A:09:AA", "sha256 [10 bytes]");
    check("  east: verified in 2.1 s (after 3 s)", "  east: verified in [n] s (after [n] s)");
    check("ca/cert-chain.pem:13", "ca/cert-chain.pem:[line]");
    check("https://127.0.0.1:34567/x", "https://127.0.0.1:[port]/x");
    check("10.0.0.1:15012 decade facade 12345678", "10.0.0.1:15012 decade facade [hex8]");
    check("number 1795990038: 0, 179599003", "number [seconds]: 0, 179599003");
    check("istiod-745958c94b-vmz6w: synced", "istiod-[pod]: synced");
    check("remote-secret-west no-such-names", "remote-secret-west no-such-names");
    check("two 2\n\n", "two 2");
    check(
        "  -----BEGIN A-----\n  MIIB\n  -----END A-----\nx",
        "  -----BEGIN A-----\n  -----END A-----\nx",
    );
}
