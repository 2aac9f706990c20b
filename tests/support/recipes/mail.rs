//! SmtpUTF8Mailbox against rfc822Name constraints (`crypto/x509/v3_ncons.c: nc_email_eai`, `crypto/punycode.c`).

use meshpki::internals::der::{self, tlv};
use meshpki::internals::oid;

use super::{INTERMEDIATE, ROOT, Topic, ca, leaf, replaced, usual};
use crate::forge::{extension, value};

/// A constraint, an address, and what the pair shows.
type Pair = (&'static str, &'static str, String, Vec<u8>);

pub(super) fn mail(topic: &mut Topic) {
    usual(topic);
    for (name, why, base, address) in pairs() {
        let base = [value::general(1, base.as_bytes())];
        for (what, permitted, excluded) in
            [("permitted", &base[..], &[][..]), ("excluded", &[], &base)]
        {
            let constraints = value::name_constraints(permitted, excluded);
            let constraints = extension(oid::NAME_CONSTRAINTS, true, constraints);
            let authority = ca("Intermediate", "Root", INTERMEDIATE, ROOT).with(constraints);
            topic.cert(&format!("{name}-{what}.pem"), &authority);
            topic.case(
                &format!("{name}-{what}"),
                why,
                &format!("-CAfile root.pem -untrusted {name}-{what}.pem {name}.pem"),
            );
        }
        let mailbox = value::general(
            0,
            &[tlv(der::OID, oid::SMTP_UTF8_MAILBOX), tlv(0xa0, &address)].concat(),
        );
        let names = extension(oid::SUBJECT_ALT_NAME, false, value::list(&[mailbox]));
        topic.cert(&format!("{name}.pem"), &replaced(leaf(), names));
    }
}

fn pairs() -> Vec<Pair> {
    let text = |text: &str| tlv(der::UTF8_STRING, text.as_bytes());
    let at = |host: &str| text(&format!("a@{host}"));
    let plain = |n: usize| "a".repeat(n);
    vec![
        (
            "host",
            "a label in both spellings",
            "xn--bcher-kva.example".into(),
            at("b\u{fc}cher.example"),
        ),
        ("case", "letters of ASCII, whatever their case", "EXAMPLE.com".into(), at("example.COM")),
        (
            "below",
            "a dot in front is doubled: nothing below is met",
            ".example.com".into(),
            at("a.example.com"),
        ),
        ("doubled", "only what ends in two dots is", ".example.com".into(), at("a..example.com")),
        ("dots", "or starts with them", ".example.com".into(), at("..example.com")),
        (
            "local",
            "the local part of a constraint is part of its host",
            "a@example.com".into(),
            at("example.com"),
        ),
        ("empty", "an empty constraint is met by an empty host", String::new(), at("")),
        ("empty-code", "a label without code is empty", "xn--.example".into(), at(".example")),
        ("basic-code", "a label of ASCII alone", "xn--a-.example".into(), at("a.example")),
        ("delimiter", "a leading delimiter does not count: 1", "xn---kva".into(), at("\u{fc}")),
        ("bad-code", "what cannot be decoded: 1", "xn--!".into(), at("x")),
        ("upper-prefix", "XN-- is no prefix", "XN--bcher-kva".into(), at("xn--bcher-kva")),
        (
            "surrogate",
            "a surrogate is encoded",
            "xn--ib9b".into(),
            tlv(der::UTF8_STRING, b"a@\xed\xa0\x80"),
        ),
        ("beyond", "beyond the last code point: 1", "xn--en32g".into(), at("x")),
        ("room", "254 octets fit", plain(254), at(&plain(254))),
        ("no-room", "255 do not: 1", plain(255), at(&plain(255))),
        (
            "dot-room",
            "behind a dot 253 fit",
            format!(".{}", plain(252)),
            at(&format!("..{}", plain(252))),
        ),
        (
            "dot-no-room",
            "and 254 do not: 1",
            format!(".{}", plain(253)),
            at(&format!("..{}", plain(253))),
        ),
        ("label", "513 code points in a label: 1", format!("xn--{}-", plain(513)), at("x")),
        ("nul", "a NUL in a constraint: 53", "example\0.com".into(), at("example")),
        ("no-at", "no address: 53", "example.com".into(), text("example.com")),
        ("ia5", "not in UTF-8: 53", "example.com".into(), tlv(der::IA5_STRING, b"a@example.com")),
        (
            "pieces",
            "a string in pieces is one",
            "example.com".into(),
            tlv(der::UTF8_STRING | der::CONSTRUCTED, &[text("a@exam"), text("ple.com")].concat()),
        ),
    ]
}
