//! Names of every kind: subjects, alternative names, constraints, policies.

use meshpki::internals::der::{self, Tag, tlv};
use meshpki::internals::oid;

use crate::forge::{self, Extension, extension, value};
use crate::random::Random;

/// A CA's name: the same few over and over, in the spellings OpenSSL takes for equal, and odd ones.
pub(super) fn ca(random: &mut Random, level: usize) -> Vec<u8> {
    let common: &[u8] = match level {
        0 => b"Mesh Root",
        1 => b"Mesh CA 1",
        2 => b"Mesh CA 2",
        _ => b"Mesh CA 3",
    };
    let organization: (&[u8], Tag, &[u8]) =
        (oid::ORGANIZATION, der::PRINTABLE_STRING, b"Acme, Inc.");
    match random.below(9) {
        0 => forge::name(&[organization, (oid::COMMON_NAME, der::UTF8_STRING, common)]),
        1 => forge::name(&[(oid::COMMON_NAME, der::UTF8_STRING, b"Mesh Root")]),
        2 => odd(random),
        3 => forge::name(&[
            (oid::COUNTRY, der::PRINTABLE_STRING, b"GB"),
            organization,
            (oid::COMMON_NAME, der::UTF8_STRING, common),
        ]),
        _ => forge::name(&[(oid::COMMON_NAME, der::UTF8_STRING, common)]),
    }
}

fn odd(random: &mut Random) -> Vec<u8> {
    let cn = oid::COMMON_NAME;
    match random.below(12) {
        0 => forge::name(&[]),
        1 => forge::name(&[(cn, der::PRINTABLE_STRING, b"  mesh   ROOT ")]),
        2 => forge::name(&[(cn, der::BMP_STRING, b"\0M\0e\0s\0h")]),
        3 => forge::name(&[(cn, der::T61_STRING, b"Zo\xeb")]),
        4 => forge::name(&[(cn, der::UTF8_STRING, "Zo\u{eb} \"q\" <x>; #".as_bytes())]),
        5 => forge::name(&[(cn, der::NUMERIC_STRING, b"123")]),
        6 => forge::name(&[(&[0x2a, 3, 4, 5], der::UTF8_STRING, b"unknown type")]),
        7 => forge::name(&[(cn, der::BIT_STRING, &[0, 0xaa])]),
        8 => forge::name(&[(oid::EMAIL_ADDRESS, der::IA5_STRING, b"ca@example.com")]),
        9 => multi_valued(),
        10 => forge::name(&[(cn, der::UTF8_STRING, b"#")]),
        _ => forge::name(&[(cn, der::UNIVERSAL_STRING, b"\0\0\0M\0\0\0s")]),
    }
}

/// One RDN of two attributes.
fn multi_valued() -> Vec<u8> {
    let attribute = |oid: &[u8], text: &[u8]| {
        der::sequence(&[&tlv(der::OID, oid), &tlv(der::UTF8_STRING, text)])
    };
    let set = der::constructed(
        der::SET,
        &[&attribute(oid::COMMON_NAME, b"Both"), &attribute(oid::ORGANIZATION, b"Of one")],
    );
    der::sequence(&[&set])
}

/// A leaf's name: often a host name, as common names of old are.
pub(super) fn leaf(random: &mut Random) -> Vec<u8> {
    let cn = oid::COMMON_NAME;
    match random.below(10) {
        0 => forge::name(&[]),
        1 => odd(random),
        2 => forge::name(&[
            (oid::EMAIL_ADDRESS, der::IA5_STRING, b"a@example.com"),
            (cn, der::UTF8_STRING, b"a.example.com"),
        ]),
        3 => forge::name(&[(cn, der::UTF8_STRING, b"*.example.com")]),
        4 => forge::name(&[(oid::EMAIL_ADDRESS, der::UTF8_STRING, b"a@example.com")]),
        _ => {
            let text = random.pick(&[
                "a.example.com",
                "leaf",
                "b.test",
                "10.0.0.1",
                "sub.a.example.com",
                "A.Example.COM",
                "a_b.example.com",
                "-a.example.com",
            ]);
            forge::name(&[(cn, der::UTF8_STRING, text.as_bytes())])
        }
    }
}

/// A GeneralName of the kinds that path validation knows.
fn general(random: &mut Random) -> Vec<u8> {
    let dns: [&[u8]; 18] = [
        b"a.example.com",
        b"*.example.com",
        b"b.test",
        b"a*.example.com",
        b"xn--a*.example.com",
        b"*.com",
        b"",
        b"A.EXAMPLE.com.",
        b".example.com",
        b"a..example.com",
        b"*.*.example.com",
        b"*a.example.com",
        b"a.*.com",
        b"a.example.com\0.evil",
        b"xn--bcher-kva.example.com",
        b"*.xn--bcher-kva.com",
        b"b*r.example.com",
        b"-*.example.com",
    ];
    let uris: [&[u8]; 14] = [
        b"spiffe://cluster.local/ns/a/sa/b",
        b"spiffe://cluster.local/ns:x/y",
        b"http://a.example.com/x",
        b"http://a.example.com:8080/x",
        b"urn:x",
        b"http://user@a.example.com/",
        b"spiffe://east.example.com",
        b"http://a.example.com?x",
        b"http://",
        b"http:///x",
        b"http://[::1]/",
        b"http://a.example.com:/",
        b"://a.example.com",
        b"http://A.Example.Com/\0",
    ];
    let emails: [&[u8]; 9] = [
        b"a@example.com",
        b"A@EXAMPLE.COM",
        b"a@b.test",
        b"none",
        b"\"a@b\"@example.com",
        b"@example.com",
        b"a@",
        b"a@sub.example.com",
        b"a@example.com\0",
    ];
    let addresses: [&[u8]; 6] = [
        &[10, 0, 0, 1],
        &[192, 168, 1, 1],
        &[0x20; 16],
        &[1, 2, 3],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1],
    ];
    match random.below(10) {
        0..=3 => value::general(2, random.pick(&dns)),
        4 | 5 => value::general(6, random.pick(&uris)),
        6 => value::general(1, random.pick(&emails)),
        7 => value::general(7, random.pick(&addresses)),
        8 => value::general(4, &leaf(random)),
        _ => match random.below(6) {
            0 => value::general(8, &[0x2a, 3]),
            1 => mailbox(random),
            2 => value::general(5, &tlv(0xa1, &tlv(der::UTF8_STRING, b"x"))),
            3 => value::general(3, &tlv(der::SEQUENCE, b"")),
            4 => value::general(
                0,
                &[tlv(der::OID, &[0x2a, 3, 4]), tlv(0xa0, &tlv(der::UTF8_STRING, b"x"))].concat(),
            ),
            _ => value::general(2, b"\xff\xfe"),
        },
    }
}

/// SmtpUTF8Mailbox.
fn mailbox(random: &mut Random) -> Vec<u8> {
    let texts: [&[u8]; 5] = [
        b"a@example.com",
        "\u{e9}@example.com".as_bytes(),
        "a@b\u{fc}cher.example".as_bytes(),
        b"a@xn--bcher-kva.example",
        b"x",
    ];
    let tag = random.pick(&[der::UTF8_STRING, der::UTF8_STRING, der::UTF8_STRING, der::IA5_STRING]);
    let text = tlv(0xa0, &tlv(tag, random.pick(&texts)));
    value::general(0, &[tlv(der::OID, oid::SMTP_UTF8_MAILBOX), text].concat())
}

pub(super) fn subject_alt_name(random: &mut Random, critical: bool) -> Extension {
    let names: Vec<Vec<u8>> = (0..random.below(4)).map(|_| general(random)).collect();
    extension(oid::SUBJECT_ALT_NAME, critical, value::list(&names))
}

/// The base of a subtree.
fn base(random: &mut Random) -> Vec<u8> {
    let dns: [&[u8]; 6] = [b"example.com", b".example.com", b"", b"a.example.com", b"test", b"com"];
    let uris: [&[u8]; 5] =
        [b"cluster.local", b".example.com", b"a.example.com", b"", b"east.example.com"];
    let emails: [&[u8]; 5] =
        [b"example.com", b".example.com", b"a@example.com", b"@example.com", b""];
    let addresses: [&[u8]; 4] =
        [&[10, 0, 0, 0, 255, 0, 0, 0], &[0; 8], &[192, 168, 1, 1, 255, 255, 255, 255], &[0; 32]];
    let rare: [(Tag, &[u8]); 16] = [
        (2, b"*.example.com"),
        (2, b"EXAMPLE.com"),
        (2, b"xample.com"),
        (6, b"http://a.example.com"),
        (6, b"A.Example.com"),
        (6, b"a.example.com:8080"),
        (1, b"A@example.com"),
        (1, b"EXAMPLE.com"),
        (1, b"xn--bcher-kva.example"),
        (1, b"a@"),
        (7, &[10, 0, 0, 1, 255, 0, 255, 1]),
        (7, &[10, 0, 0]),
        (7, &[1; 16]),
        (3, &[0x30, 0]),
        (5, &[0xa1, 3, 0x0c, 1, b'x']),
        (4, &[0x30, 0]),
    ];
    if random.one_in(4) {
        let (kind, content) = random.pick(&rare);
        return value::general(kind, content);
    }
    match random.below(10) {
        9 if random.one_in(2) => mailbox(random),
        9 => value::general(
            0,
            &[tlv(der::OID, &[0x2a, 3, 4]), tlv(0xa0, &tlv(der::UTF8_STRING, b"x"))].concat(),
        ),
        0..=2 => value::general(2, random.pick(&dns)),
        3 | 4 => value::general(6, random.pick(&uris)),
        5 => value::general(1, random.pick(&emails)),
        6 => value::general(7, random.pick(&addresses)),
        7 => value::general(4, &leaf(random)),
        _ => value::general(8, &[0x2a, 3]),
    }
}

pub(super) fn constraints(random: &mut Random) -> Extension {
    let permitted: Vec<Vec<u8>> = (0..random.below(4)).map(|_| base(random)).collect();
    let excluded: Vec<Vec<u8>> = (0..random.below(3)).map(|_| base(random)).collect();
    let mut value = value::name_constraints(&permitted, &excluded);
    if random.one_in(8) {
        let bounds: [&[u8]; 6] = [
            &[0x80, 1, 0],
            &[0x80, 1, 1],
            &[0x81, 1, 0],
            &[0x80, 1, 0xff],
            &[0x80, 2, 0, 0],
            &[5, 0],
        ];
        let name = base(random);
        let tree = der::sequence(&[&name, random.pick(&bounds)]);
        value = der::sequence(&[&tlv(random.pick(&[0xa0, 0xa1]), &tree)]);
    }
    extension(oid::NAME_CONSTRAINTS, random.one_in(2), value)
}

/// policyQualifiers: none mostly, else CPS, user notices and others.
fn qualifiers(random: &mut Random) -> Vec<u8> {
    if !random.one_in(5) {
        return Vec::new();
    }
    let cps = |random: &mut Random| {
        let uri = random.pick(&["http://cps/", "\n\u{1}x", ""]);
        der::sequence(&[&tlv(der::OID, oid::POLICY_CPS), &tlv(der::IA5_STRING, uri.as_bytes())])
    };
    let notice = |random: &mut Random| {
        let organization =
            tlv(random.pick(&[der::UTF8_STRING, der::VISIBLE_STRING, der::BMP_STRING]), b"Org ");
        let numbers = der::sequence(&[&tlv(der::INTEGER, &[1]), &tlv(der::INTEGER, &[0xfe])]);
        let reference = der::sequence(&[&organization, &random.pick(&[numbers, vec![0x30, 0]])]);
        let text = tlv(
            random.pick(&[der::UTF8_STRING, der::IA5_STRING, der::VISIBLE_STRING]),
            "t\u{e9}xt\n".as_bytes(),
        );
        let parts = [random.pick(&[reference, Vec::new()]), random.pick(&[text, Vec::new()])];
        der::sequence(&[
            &tlv(der::OID, oid::POLICY_USER_NOTICE),
            &der::sequence(&[&parts[0], &parts[1]]),
        ])
    };
    let all: Vec<Vec<u8>> = (0..=random.below(2))
        .map(|_| match random.below(4) {
            0 => der::sequence(&[&tlv(der::OID, &[0x2a, 3]), &tlv(der::NULL, &[])]),
            1 if random.one_in(3) => der::sequence(&[&tlv(der::OID, &[0x2a, 3])]),
            1 | 2 => cps(random),
            _ => notice(random),
        })
        .collect();
    value::list(&all)
}

const POLICIES: [&[u8]; 4] = [&[0x2a, 3, 1], &[0x2a, 3, 2], &[0x2a, 3, 3], &[0x55, 0x1d, 32, 0]];

/// certificatePolicies and, now and then, mappings and constraints.
pub(super) fn policies(random: &mut Random) -> Vec<Extension> {
    let mut extensions = Vec::new();
    if !random.one_in(5) {
        let mut listed: Vec<Vec<u8>> = (0..=random.below(3))
            .map(|_| {
                let policy = tlv(der::OID, random.pick(&POLICIES));
                let qualifiers = qualifiers(random);
                der::sequence(&[&policy, &qualifiers])
            })
            .collect();
        if !random.one_in(12) {
            listed.sort();
            listed.dedup();
        }
        let critical = random.one_in(4);
        extensions.push(extension(oid::CERTIFICATE_POLICIES, critical, value::list(&listed)));
    }
    if random.one_in(5) {
        let pair = |random: &mut Random| {
            let (from, to) = (random.below(4), random.below(4));
            let any = if random.one_in(10) { 4 } else { 3 };
            der::sequence(&[
                &tlv(der::OID, POLICIES[from % any]),
                &tlv(der::OID, POLICIES[to % any]),
            ])
        };
        let pairs: Vec<Vec<u8>> = (0..=random.below(2)).map(|_| pair(random)).collect();
        extensions.push(extension(oid::POLICY_MAPPINGS, random.one_in(2), value::list(&pairs)));
    }
    if random.one_in(5) {
        let skip = |random: &mut Random, tag| {
            if random.one_in(2) {
                tlv(tag, &[u8::try_from(random.below(3)).unwrap_or(0)])
            } else {
                Vec::new()
            }
        };
        let value = der::sequence(&[&skip(random, 0x80), &skip(random, 0x81)]);
        extensions.push(extension(oid::POLICY_CONSTRAINTS, random.one_in(2), value));
    }
    if random.one_in(7) {
        let skip = tlv(der::INTEGER, &[u8::try_from(random.below(3)).unwrap_or(0)]);
        extensions.push(extension(oid::INHIBIT_ANY_POLICY, random.one_in(2), skip));
    }
    extensions
}
