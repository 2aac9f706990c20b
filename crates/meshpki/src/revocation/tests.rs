use alloc::string::{String, ToString};

use super::*;

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn line(serial: &str, rest: &str) -> String {
    alloc::format!("{serial} {KEY} {rest}\n")
}

/// What is read of a text, written again without its header.
fn again(text: &str) -> Result<String, String> {
    let list = text.parse::<RevocationList>().map_err(|error| error.to_string())?;
    let written = list.to_string();
    assert_eq!(written.parse::<RevocationList>().as_ref(), Ok(&list), "{written}");
    Ok(written.strip_prefix(HEADER).unwrap().to_string())
}

#[test]
fn lines_are_sorted_and_the_first_time_counts() {
    let early = line("4a", "2026-11-20T07:00:00Z CACompromise CN=Mesh CA east");
    let late = line("4a", "2026-11-21T07:00:00Z superseded CN=Mesh CA east");
    let other = line("00ff", "2026-11-21T07:00:00Z unspecified");
    for text in [
        alloc::format!("{late}{early}{other}"),
        alloc::format!("# x\n{other}\r\n\n{early}{late}{late}"),
    ] {
        assert_eq!(again(&text), Ok(alloc::format!("{other}{early}")));
    }
    assert_eq!(again(""), Ok(String::new()));
}

/// OpenSSL and Go read certificates with longer serial numbers than the 20 octets of RFC 5280.
#[test]
fn what_is_added_can_be_read() {
    let text = line(&"4a".repeat(65), "2026-11-21T07:00:00Z superseded CN=web");
    assert_eq!(again(&text), Ok(text));
}

#[test]
fn what_is_not_a_line_is_named() {
    let time = "2026-11-21T07:00:00Z";
    for (text, why) in [
        ("<<<<<<< HEAD".into(), "it is a conflict marker of Git"),
        ("4a".into(), "expected SERIAL KEY TIME REASON SUBJECT"),
        (line("4A", time), "expected SERIAL KEY TIME REASON SUBJECT"),
        (
            line("4A", "2026-11-21T07:00:00Z superseded"),
            "the first word is not a serial number in lower-case hex",
        ),
        (
            line("4", "2026-11-21T07:00:00Z superseded"),
            "the first word is not a serial number in lower-case hex",
        ),
        (
            "4a 00 2026-11-21T07:00:00Z superseded".into(),
            "the second word is not the SHA-256 of a key, which has 64 lower-case hex digits",
        ),
        (
            line("4a", "soon superseded"),
            "the third word is not a time such as 2026-11-21T07:00:00Z",
        ),
        (
            line("4a", "1200-11-21T07:00:00Z superseded"),
            "the third word is not a time such as 2026-11-21T07:00:00Z",
        ),
        (
            line("4a", "2026-11-21T07:00:00Z superseded CN=\u{1b}[31m"),
            "expected SERIAL KEY TIME REASON SUBJECT",
        ),
    ] {
        let wanted = alloc::format!("line 2 is not a revoked certificate: {why}");
        assert_eq!(again(&alloc::format!("# x\n{text}")), Err(wanted), "{text}");
    }
    let unknown = again(&line("4a", "2026-11-21T07:00:00Z certificateHold")).unwrap_err();
    assert!(unknown.contains("`certificateHold` is not a valid reason: expected one of unspec"));
}
