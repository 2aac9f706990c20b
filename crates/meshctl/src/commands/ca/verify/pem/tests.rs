use super::*;

fn read(text: &str) -> Next {
    Reader::once(text.as_bytes()).next()
}

fn der(text: &str) -> Option<Vec<u8>> {
    match read(text) {
        Next::Block(block) => Some(block.der.to_vec()),
        _ => None,
    }
}

/// Each of these was shown to `openssl verify` 3.0.22.
#[test]
fn blocks_as_openssl_takes_them() {
    let block = |body: &str| format!("-----BEGIN X-----\n{body}\n-----END X-----\n");
    let good = Some(vec![0, 16, 131]);
    for body in ["ABCD", " AB\tCD", "AB\nCD", "ABCD-", "ABCD\u{80}\u{fe}", "\nABCD"] {
        assert_eq!(der(&block(body)), good, "{body:?}");
    }
    for body in ["ABC", "ABCD\n", "AB\n\nCD", "AB*D", "A===", "", "AA==ABCD", "AB-CD", "\nAB\nCD"] {
        assert_eq!(read(&block(body)), Next::Bad, "{body:?}");
    }
    assert_eq!(der(&("\u{feff}".to_owned() + &block("ABCD"))), good);
    assert_eq!(der(&block("ABCD").replace("BEGIN X-----", "BEGIN X----- \t")), good);
    assert_eq!(read(&block("ABCD").replace("END X-----", "END X-----garbage")), Next::Bad);
    assert_eq!(read(&(" ".to_owned() + &block("ABCD"))), Next::End);
    assert_eq!(read(&("x".repeat(253) + &block("ABCD"))), Next::End);
    assert_eq!(der(&("x".repeat(254) + &block("ABCD"))), good);
    assert_eq!(der(&block(&"ABCD".repeat(20))).map(|d| d.len()), Some(60));
    assert_eq!(read(&block(&("\n".to_owned() + &"ABCD".repeat(20)))), Next::Bad);
}

#[test]
fn headers_end_at_a_blank_line() {
    let Next::Block(block) = read("-----BEGIN X-----\nFoo: bar\n\nABCD\n-----END X-----") else {
        panic!("a block");
    };
    assert_eq!((block.header.as_slice(), block.der.len()), (&b"Foo: bar\n"[..], 3));
    assert_eq!(read("-----BEGIN X-----\nFoo: bar\nABCD\n-----END X-----"), Next::Bad);
}

/// A way to fill a file: what it shows, and the text of a size.
type Flood = (&'static str, fn(usize) -> String);

/// Every way to fill a file with markers: what is read does not grow faster than the file.
#[test]
fn floods_of_markers_are_read_once() {
    let floods: [Flood; 10] = [
        ("BEGIN lines", |n| "-----BEGIN X-----\n".repeat(n)),
        ("BEGIN lines and an END line", |n| "-----BEGIN X-----\n".repeat(n) + "-----END Y-----\n"),
        ("their END line", |n| "-----BEGIN X-----\n".repeat(n) + "-----END X-----\n"),
        ("END lines", |n| "-----END X-----\n".repeat(n) + "-----BEGIN X-----\n"),
        ("pairs", |n| "-----BEGIN X-----\n-----END X-----\n".repeat(n)),
        ("blocks of no kind", |n| "-----BEGIN X-----\nABCD\n-----END X-----\n".repeat(n)),
        ("headers", |n| "-----BEGIN X-----\na: b\n".repeat(n) + "\nABCD\n-----END X-----\n"),
        ("one line", |n| "x".repeat(100 * n)),
        ("text before a block", |n| {
            "text\n".repeat(n) + "-----BEGIN X-----\nABCD\n-----END X-----\n"
        }),
        ("text in a block", |n| {
            format!("-----BEGIN X-----\n{}-----END X-----\n", "ABCD\n".repeat(n))
        }),
    ];
    for (what, flood) in floods {
        let lines = |n| {
            let text = flood(n);
            let mut reader = Reader::new(text.as_bytes());
            // As the loader reads, from every place a block may have been swallowed to.
            for at in (0..text.len()).step_by(47) {
                reader.at = at;
                match reader.next() {
                    Next::Block(block) => reader.refuse(&block),
                    Next::Bad | Next::End => {}
                }
            }
            reader.lines
        };
        let (small, large) = (lines(300), lines(3000));
        assert!(large <= small * 11 + 100, "{what}: {small} lines, then {large}");
    }
}
