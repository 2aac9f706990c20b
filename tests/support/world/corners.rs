//! Worlds that are sound but for one corner. Where everything may be wrong at once, an early error hides what is decided
//! late: wildcards, nested resources, mapped policies, the words of a user notice.

use meshpki::internals::der::{self, Tag, tlv};
use meshpki::internals::oid;

use super::{Party, World, deltas, faults, names, resources};
use crate::forge::{self, CertPlan, CrlPlan, Extension, algorithm, extension, value};
use crate::fuzz::mutate::der as edits;
use crate::random::Random;

/// What such a world is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topic {
    Policies,
    Identity,
    Resources,
    Constraints,
    Revocation,
    Trust,
    Algorithms,
    Purposes,
}

/// Those with the most corners are chosen twice as often.
const TOPICS: [Topic; 12] = [
    Topic::Policies,
    Topic::Policies,
    Topic::Identity,
    Topic::Identity,
    Topic::Resources,
    Topic::Constraints,
    Topic::Constraints,
    Topic::Revocation,
    Topic::Revocation,
    Topic::Trust,
    Topic::Algorithms,
    Topic::Purposes,
];

/// A corner, with choices of its own.
#[derive(Clone, Debug)]
pub(super) struct Corner {
    topic: Topic,
    random: Random,
    /// Kind of GeneralName its names and constraints are of.
    kind: Tag,
    /// More names and constraints than OpenSSL compares, more policies than its tree holds.
    is_huge: bool,
}

impl Corner {
    /// One world in four has one.
    pub(super) fn new(mut random: Random) -> Option<Self> {
        if !random.one_in(4) {
            return None;
        }
        let topic = random.pick(&TOPICS);
        let kind = random.pick(&[0, 1, 1, 2, 4, 6, 7, 7]);
        let is_huge = random.one_in(10);
        Some(Self { topic, random, kind, is_huge })
    }

    /// Changes a certificate before it is signed.
    pub(super) fn cert(&mut self, plan: &mut CertPlan, is_ca: bool) {
        let random = &mut self.random;
        match self.topic {
            Topic::Policies => policies(random, plan, self.is_huge),
            Topic::Identity if !is_ca => identity(random, plan),
            Topic::Resources if random.one_in(8) => {
                plan.extensions.extend(resources::extensions(random))
            }
            Topic::Resources => plan.extensions.extend(nested(random, is_ca)),
            Topic::Constraints => constraints(random, plan, self.kind, self.is_huge, is_ca),
            Topic::Algorithms if random.one_in(3) => {
                let same = algorithm(plan.signer, plan.rsa);
                (plan.inner, plan.outer) = deltas::algorithms(random, Some(&same));
            }
            Topic::Algorithms if random.one_in(2) => {
                let same = algorithm(plan.signer, plan.rsa);
                let mut other = || Some(deltas::with(&same, random.pick(&PARAMETERS)));
                (plan.inner, plan.outer) = (other(), other());
            }
            Topic::Purposes => purposes(random, plan),
            Topic::Trust if random.one_in(3) => authority(random, plan),
            _ => {}
        }
        // What was just added, with something changed inside.
        if let Some(last) = plan.extensions.last_mut()
            && random.one_in(6)
        {
            last.value = edits::edited(random, &last.value, &[]);
        }
    }

    /// Changes a CRL before it is signed.
    pub(super) fn crl(&mut self, plan: &mut CrlPlan, parties: &[Party]) {
        if self.topic != Topic::Revocation {
            return;
        }
        let random = &mut self.random;
        let times: [(Tag, &[u8]); 4] = [
            (der::UTC_TIME, b"2301010000Z"),
            (der::UTC_TIME, b"x"),
            (der::GENERALIZED_TIME, b"20500101000000.5Z"),
            (der::UTC_TIME, b"230601000000Z"),
        ];
        let (tag, text) = random.pick(&times);
        match random.below(9) {
            0 | 5 => plan.next_update = Some((tag, text.to_vec())),
            1 => plan.this_update = (tag, text.to_vec()),
            2 | 3 => {
                // The key of another authority: of one above perhaps.
                let by = random.pick(parties);
                plan.extensions.retain(|old| old.oid != oid::AUTHORITY_KEY_ID);
                let id = value::authority(Some(&by.key_id()), None, None);
                plan.extensions.push(extension(oid::AUTHORITY_KEY_ID, false, id));
                plan.signer = by.key;
            }
            4 => faults::crl(random, plan),
            _ => {}
        }
    }

    /// Changes what has been signed: bits of the signature that do not count.
    pub(super) fn bytes(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let is_about = matches!(self.topic, Topic::Algorithms | Topic::Revocation);
        if is_about && self.random.one_in(12) {
            with_unused_bits(&mut self.random, &bytes)
        } else {
            bytes
        }
    }

    /// The options that reach it; the rest of the line is chosen as in every world.
    pub(super) fn options(&mut self, args: &mut Vec<Vec<String>>) {
        let random = &mut self.random;
        let mut push =
            |words: &[&str]| args.push(words.iter().map(|word| (*word).to_owned()).collect());
        match self.topic {
            Topic::Policies => {
                push(random.pick(&[&["-policy_print"][..], &["-policy_check", "-policy_print"]]));
                for policy in ["1.2.3.1", "1.2.3.2", "anyPolicy"] {
                    if random.one_in(3) {
                        push(&["-policy", policy]);
                    }
                }
                for option in ["-explicit_policy", "-inhibit_any", "-inhibit_map"] {
                    if random.one_in(5) {
                        push(&[option]);
                    }
                }
            }
            Topic::Identity if random.one_in(4) => push(&["-verify_email", random.pick(&EMAILS)]),
            Topic::Identity => push(&["-verify_hostname", random.pick(&HOSTS)]),
            Topic::Revocation => {
                push(&[random.pick(&["-crl_check", "-crl_check_all"])]);
                if random.one_in(6) {
                    push(&["-no_check_time"]);
                }
            }
            Topic::Trust => {
                push(&["-verify_depth", random.pick(&["0", "1", "2", "5", "100", "1023", "1500"])]);
            }
            Topic::Algorithms if random.one_in(2) => push(&["-x509_strict"]),
            Topic::Purposes => {
                let purposes = [
                    "smimesign",
                    "smimeencrypt",
                    "sslclient",
                    "nssslserver",
                    "timestampsign",
                    "codesign",
                    "codesign",
                ];
                push(&["-purpose", random.pick(&purposes)]);
                if random.one_in(4) {
                    push(&["-x509_strict"]);
                }
            }
            _ => {}
        }
    }

    /// Whether trust settings get all their parts, and folders files that end in something unreadable.
    pub(super) fn is_about_trust(&self) -> bool {
        self.topic == Topic::Trust
    }

    /// Whether CRLs are needed.
    pub(super) fn is_about_revocation(&self) -> bool {
        self.topic == Topic::Revocation
    }

    /// The aliases, key identifiers and further settings of a trusted certificate, sound or not.
    pub(super) fn settings(&mut self) -> Vec<u8> {
        let parts: [&[u8]; 9] = [
            &[0x30, 3, 6, 1, 0x2a],
            &[0x30, 2, 5, 0],
            &[0xa0, 3, 6, 1, 0x2a],
            &[0xa0, 2, 5, 0],
            &[0x0c, 1, b'a'],
            &[0x2c, 3, 0x0c, 1, b'a'],
            &[0x04, 1, 7],
            &[0xa1, 0],
            &[0xa1, 2, 0x30, 0],
        ];
        let mut chosen: Vec<&[u8]> =
            (0..self.random.below(4)).map(|_| self.random.pick(&parts)).collect();
        if !self.random.one_in(6) {
            chosen.sort_by_key(|part| parts.iter().position(|other| other == part));
            chosen.dedup_by_key(|part| part[0]);
        }
        der::sequence(&chosen)
    }
}

/// Whether an option is kept in a world with a corner: those about names, purposes and strictness end a run early.
pub(super) fn leaves_room(words: &[String]) -> bool {
    let early = [
        "-verify_hostname",
        "-verify_email",
        "-verify_ip",
        "-purpose",
        "-auth_level",
        "-verify_depth",
        "-x509_strict",
    ];
    words.first().is_none_or(|word| !early.contains(&word.as_str()))
}

impl World {
    /// Authorities that issued each other, trusted and without a root of their own.
    pub(super) fn circle(&mut self) {
        let parties = self.parties.clone();
        let Some(corner) = self.corner.as_mut().filter(|corner| corner.is_about_trust()) else {
            return;
        };
        if !corner.random.one_in(2) {
            return;
        }
        let (first, last) = (&parties[0], &parties[parties.len() - 1]);
        let mut pairs = vec![(first, last), (last, first)];
        if corner.random.one_in(4) {
            pairs.pop();
        }
        let keeps_root = corner.random.one_in(4);
        let between: Vec<&Party> = parties.iter().skip(1).collect();
        pairs.extend(parties.iter().zip(between).map(|(above, below)| (below, above)));
        let certs: Vec<Vec<u8>> =
            pairs.into_iter().map(|(subject, issuer)| self.ca(subject, issuer, 9)).collect();
        if !keeps_root {
            self.roots.clear();
        }
        self.roots.extend(certs);
    }
}

fn replace(plan: &mut CertPlan, new: Extension) {
    plan.extensions.retain(|old| old.oid != new.oid);
    plan.extensions.push(new);
}

/// Numbers in counters and notices: small, negative, empty, larger than any machine's.
const NUMBERS: [&[u8]; 8] = [
    &[0],
    &[1],
    &[2],
    &[0xff],
    &[],
    &[0x7f, 1, 2, 3, 4, 5, 6, 7, 8],
    &[0, 0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    &[0x85, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
];

fn number(random: &mut Random, tag: Tag) -> Vec<u8> {
    let usual = if random.one_in(5) { NUMBERS.len() } else { 3 };
    tlv(tag, random.pick(&NUMBERS[..usual]))
}

fn policies(random: &mut Random, plan: &mut CertPlan, is_huge: bool) {
    let policy = |n: u8| tlv(der::OID, &[0x2a, 3, n]);
    let any = tlv(der::OID, oid::ANY_POLICY);
    let count = if is_huge { 36 } else { 1 + u8::try_from(random.below(3)).unwrap_or(0) };
    let mut listed: Vec<Vec<u8>> = (1..=count).map(policy).collect();
    if random.one_in(3) {
        listed.push(any.clone());
    }
    if random.one_in(12) {
        listed.push(random.pick(&[policy(1), any.clone(), tlv(der::OID, &[])]));
    }
    let listed: Vec<Vec<u8>> = listed
        .iter()
        .map(|policy| {
            let qualifiers = if is_huge { Vec::new() } else { qualifiers(random) };
            der::sequence(&[policy, &qualifiers])
        })
        .collect();
    let listed = if random.one_in(15) { Vec::new() } else { listed };
    replace(plan, extension(oid::CERTIFICATE_POLICIES, random.one_in(3), value::list(&listed)));
    let pair = |from: &[u8], to: &[u8]| der::sequence(&[from, to]);
    let mut pairs: Vec<Vec<u8>> = Vec::new();
    if is_huge {
        pairs = (1..=count)
            .flat_map(|i| (1..=count).map(move |j| pair(&policy(i), &policy(j))))
            .collect();
    } else if random.one_in(2) {
        let some = |random: &mut Random| match random.below(20) {
            0 => any.clone(),
            n => policy(u8::try_from(n % 5).unwrap_or(0)),
        };
        pairs = (0..random.below(4)).map(|_| pair(&some(random), &some(random))).collect();
    }
    if !pairs.is_empty() || random.one_in(9) {
        replace(plan, extension(oid::POLICY_MAPPINGS, random.one_in(2), value::list(&pairs)));
    }
    if random.one_in(4) {
        let mut part = |tag| if random.one_in(2) { number(random, tag) } else { Vec::new() };
        let parts = [part(0x80), part(0x81)];
        let end = if random.one_in(9) { vec![5, 0] } else { Vec::new() };
        let value = der::sequence(&[&parts[0], &parts[1], &end]);
        replace(plan, extension(oid::POLICY_CONSTRAINTS, random.one_in(2), value));
    }
    if random.one_in(4) {
        let value = number(random, der::INTEGER);
        replace(plan, extension(oid::INHIBIT_ANY_POLICY, random.one_in(2), value));
    }
}

/// policyQualifiers of every kind, with every kind of text and number.
fn qualifiers(random: &mut Random) -> Vec<u8> {
    if random.one_in(3) {
        return Vec::new();
    }
    let text = |random: &mut Random| {
        let tags = [
            der::UTF8_STRING,
            der::IA5_STRING,
            der::VISIBLE_STRING,
            der::BMP_STRING,
            der::T61_STRING,
            der::UTF8_STRING | der::CONSTRUCTED,
        ];
        let usual = if random.one_in(9) { tags.len() } else { 4 };
        let tag = random.pick(&tags[..usual]);
        let content: [&[u8]; 4] = [b"text", b"", b"\0t", "\u{e9}\u{1f600}".as_bytes()];
        let content = random.pick(&content);
        if tag & der::CONSTRUCTED == 0 {
            tlv(tag, content)
        } else {
            tlv(tag, &tlv(der::UTF8_STRING, content))
        }
    };
    let one = |random: &mut Random| match random.below(8) {
        0 => {
            der::sequence(&[&tlv(der::OID, oid::POLICY_CPS), &tlv(der::IA5_STRING, b"http://cps/")])
        }
        1 => der::sequence(&[&tlv(der::OID, &[0x2a, 3, 9]), &text(random)]),
        2 => {
            let parts: [&[u8]; 4] = [&[5, 0], &[], &[0x0c, 1, b'x'], &[0x30, 0, 5, 0]];
            let kind = random.pick(&[oid::POLICY_CPS, oid::POLICY_USER_NOTICE, &[0x80, 1]]);
            der::sequence(&[&tlv(der::OID, kind), random.pick(&parts)])
        }
        _ => {
            let numbers: Vec<Vec<u8>> =
                (0..random.below(4)).map(|_| number(random, der::INTEGER)).collect();
            let wrong = if random.one_in(20) { text(random) } else { Vec::new() };
            let numbers = der::sequence(&[&numbers.concat(), &wrong]);
            let end = if random.one_in(20) { vec![5, 0] } else { Vec::new() };
            let reference = der::sequence(&[&text(random), &numbers, &end]);
            let parts = match random.below(4) {
                0 => [Vec::new(), Vec::new()],
                1 => [reference, Vec::new()],
                2 => [Vec::new(), text(random)],
                _ => [reference, text(random)],
            };
            let notice = der::sequence(&[&parts[0], &parts[1]]);
            der::sequence(&[&tlv(der::OID, oid::POLICY_USER_NOTICE), &notice])
        }
    };
    let all: Vec<Vec<u8>> = (0..=random.below(2)).map(|_| one(random)).collect();
    value::list(&all)
}

const HOSTS: [&str; 12] = [
    "a.example.com",
    "ab.example.com",
    "aXb.Example.com",
    ".example.com",
    ".com",
    "*.example.com",
    "xn--ab.example.com",
    "a_b.example.com",
    "a.b.example.com",
    "example.com",
    "b",
    "a.xn--b.com",
];

const EMAILS: [&str; 7] = [
    "a@example.com",
    "A@example.com",
    "a@EXAMPLE.com",
    "@example.com",
    "example",
    "a@b@c",
    "\u{e9}@x",
];

/// Names a host or an address is looked for in, few enough that the one that matters counts.
fn identity(random: &mut Random, plan: &mut CertPlan) {
    let patterns: [&[u8]; 20] = [
        b"*.example.com",
        b"a*.example.com",
        b"*b.example.com",
        b"a*b.example.com",
        b"ab*.example.com",
        b"aab*.example.com",
        b"xn--a*.example.com",
        b"x*.example.com",
        b"*.xn--b.com",
        b"*",
        b"*.com",
        b"**.example.com",
        b"*.example.com.",
        b"*.-example.com",
        b".example.com",
        b"a.example.com",
        b"A.EXAMPLE.COM\0",
        b"\0.example.com",
        b"*.b.example.com",
        b"",
    ];
    let emails: [&[u8]; 8] = [
        b"a@example.com",
        b"A@example.com",
        b"a@Example.Com",
        b"@example.com",
        b"example",
        b"EXAMPLE",
        b"a@b@c",
        "\u{e9}@x".as_bytes(),
    ];
    let mailbox = |random: &mut Random| {
        let tag = random.pick(&[der::UTF8_STRING, der::UTF8_STRING, der::IA5_STRING]);
        let text = tlv(0xa0, &tlv(tag, random.pick(&emails)));
        value::general(0, &[tlv(der::OID, oid::SMTP_UTF8_MAILBOX), text].concat())
    };
    if random.one_in(2) {
        let names: Vec<Vec<u8>> = (0..=random.below(2))
            .map(|_| match random.below(6) {
                0 => value::general(1, random.pick(&emails)),
                1 => mailbox(random),
                _ => value::general(2, random.pick(&patterns)),
            })
            .collect();
        replace(plan, extension(oid::SUBJECT_ALT_NAME, false, value::list(&names)));
    } else {
        plan.extensions.retain(|old| old.oid != oid::SUBJECT_ALT_NAME);
    }
    let tag =
        random.pick(&[der::UTF8_STRING, der::PRINTABLE_STRING, der::T61_STRING, der::BIT_STRING]);
    let common = (oid::COMMON_NAME, tag, random.pick(&patterns));
    let email = (oid::EMAIL_ADDRESS, der::IA5_STRING, random.pick(&emails));
    plan.subject = match random.below(4) {
        0 => forge::name(&[email, common]),
        1 => forge::name(&[common, (oid::COMMON_NAME, der::UTF8_STRING, b"a.example.com")]),
        _ => forge::name(&[common]),
    };
}

/// nsCertType, keyUsage and extKeyUsage in every combination.
fn purposes(random: &mut Random, plan: &mut CertPlan) {
    if random.one_in(2) {
        let kinds = value::bits(random.pick(&[0x80, 0x40, 0x20, 0x04, 0x02, 0xa0, 0x07]));
        replace(plan, extension(oid::NS_CERT_TYPE, random.one_in(4), kinds));
    }
    if random.one_in(3) {
        plan.extensions.retain(|old| old.oid != oid::BASIC_CONSTRAINTS);
    }
    if random.one_in(3) {
        let usage = value::bits(random.pick(&[0x80, 0xc0, 0x40, 0x20, 0x04, 0x06, 0xa0, 0x01]));
        replace(plan, extension(oid::KEY_USAGE, random.one_in(2), usage));
    }
    if random.one_in(3) {
        let sets: [&[&[u8]]; 8] = [
            &[oid::EKU_CODE_SIGNING],
            &[oid::EKU_CODE_SIGNING, oid::EKU_TIME_STAMPING],
            &[oid::EKU_CODE_SIGNING, oid::EKU_SERVER_AUTH],
            &[oid::EKU_CODE_SIGNING, oid::EKU_ANY],
            &[oid::EKU_TIME_STAMPING],
            &[oid::EKU_EMAIL_PROTECTION],
            &[oid::EKU_TIME_STAMPING, oid::EKU_SERVER_AUTH],
            &[],
        ];
        let usages = value::oids(random.pick(&sets));
        replace(plan, extension(oid::EXT_KEY_USAGE, random.one_in(2), usages));
    }
}

/// Parameters of an algorithm: the same values in several encodings, and structures.
const PARAMETERS: [&[u8]; 13] = [
    &[0x17, 1, b'2'],
    b"\x17\x0d200101000000Z",
    &[],
    &[5, 0],
    &[5, 0x81, 0],
    &[2, 1, 1],
    &[2, 0x81, 1, 1],
    &[0x0c, 1, b'a'],
    &[0x2c, 3, 0x0c, 1, b'a'],
    &[0x30, 0],
    &[0x30, 0x81, 0],
    &[1, 1, 0xff],
    &[1, 1, 1],
];

/// Resources that mostly hold those of the certificate below.
fn nested(random: &mut Random, is_ca: bool) -> Vec<Extension> {
    let bits = |bytes: &[u8]| tlv(der::BIT_STRING, bytes);
    let range = |min: &[u8], max: &[u8]| der::sequence(&[&bits(min), &bits(max)]);
    let wide: [Vec<Vec<u8>>; 5] = [
        vec![bits(&[0])],
        vec![bits(&[0, 10])],
        vec![range(&[0, 9], &[0, 12])],
        vec![bits(&[0, 5]), range(&[0, 10], &[0, 10, 3]), bits(&[0, 12])],
        vec![bits(&[0, 10, 1]), bits(&[0, 10, 3])],
    ];
    let narrow: [Vec<Vec<u8>>; 5] = [
        vec![bits(&[0, 10, 1])],
        vec![bits(&[4, 10, 0x10])],
        vec![range(&[0, 10, 0, 0, 1], &[0, 10, 0, 0, 9])],
        vec![bits(&[0, 5, 1]), bits(&[0, 10, 1, 2, 3])],
        vec![bits(&[0, 10, 1, 2, 3, 4])],
    ];
    let inherit = tlv(der::NULL, &[]);
    let ids: [&[u8]; 6] = [&[0, 1], &[0, 1], &[0, 1], &[0, 2], &[0, 1, 1], &[0, 3]];
    let family = |random: &mut Random, id: &[u8]| {
        let list = random.pick(if is_ca { &wide } else { &narrow });
        let addresses = if random.one_in(4) { inherit.clone() } else { value::list(&list) };
        der::sequence(&[&tlv(der::OCTET_STRING, id), &addresses])
    };
    let odd: [&[u8]; 3] = [&[1], &[0, 1, 0, 0], &[0, 3]];
    let first = if random.one_in(4) { random.pick(&odd) } else { &[0, 1] };
    let mut families = vec![family(random, first)];
    if random.one_in(3) {
        let list = random.pick(if is_ca { &wide } else { &narrow });
        let id = random.pick(&ids);
        families.push(der::sequence(&[&tlv(der::OCTET_STRING, id), &value::list(&list)]));
    }
    let integer = |n: u8| tlv(der::INTEGER, &[n]);
    let numbers = |random: &mut Random| match (is_ca, random.below(4)) {
        (_, 0) => inherit.clone(),
        (true, 1) => value::list(&[der::sequence(&[&integer(1), &integer(9)]), integer(20)]),
        (true, _) => value::list(&[der::sequence(&[&integer(1), &integer(100)])]),
        (false, 1) => value::list(&[integer(2), der::sequence(&[&integer(4), &integer(6)])]),
        (false, _) => value::list(&[integer(20)]),
    };
    let (plain, routing) = (numbers(random), numbers(random));
    let systems = match random.below(3) {
        0 => der::sequence(&[&tlv(0xa0, &plain)]),
        1 => der::sequence(&[&tlv(0xa1, &routing)]),
        _ => der::sequence(&[&tlv(0xa0, &plain), &tlv(0xa1, &routing)]),
    };
    let mut all = Vec::new();
    if !random.one_in(5) {
        all.push(extension(oid::IP_ADDR_BLOCKS, true, value::list(&families)));
    }
    if !random.one_in(5) {
        all.push(extension(oid::AUTONOMOUS_SYS_IDS, true, systems));
    }
    all
}

/// One constraint and one name of a kind, or far too many.
fn constraints(random: &mut Random, plan: &mut CertPlan, kind: Tag, is_huge: bool, is_ca: bool) {
    let name = |random: &mut Random| match kind {
        0 => {
            let oids: [&[u8]; 3] = [oid::SMTP_UTF8_MAILBOX, &[0x2a, 3, 4], &[0x2a, 3, 5]];
            let texts: [&[u8]; 4] = [b"a@example.com", b"a", "a@\u{fc}.com".as_bytes(), b"\xff@"];
            let text = tlv(random.pick(&[0x0c, 0x0c, 0x0c, 0x16]), random.pick(&texts));
            value::general(0, &[tlv(der::OID, random.pick(&oids)), tlv(0xa0, &text)].concat())
        }
        1 => {
            let texts: [&[u8]; 11] = [
                b"a@example.com",
                b"A@example.com",
                b"a\0@example.com",
                b"a\0b@example.com",
                b"b\0a@example.com",
                b"@example.com",
                b"example.com",
                b".example.com",
                b"a@sub.example.com",
                b"a@EXAMPLE.com",
                b"aa@example.com",
            ];
            value::general(1, random.pick(&texts))
        }
        2 => {
            let texts: [&[u8]; 6] = [
                b"a.example.com",
                b"example.com",
                b".example.com",
                b"",
                b"aexample.com",
                b"A.EXAMPLE.com",
            ];
            value::general(2, random.pick(&texts))
        }
        4 => value::general(4, &names::leaf(random)),
        6 => {
            let texts: [&[u8]; 20] = [
                b"x/y://a.example.com",
                b"a.example.com:80/x://y",
                b"1x://a.example.com",
                b"http://a.example.com/",
                b"http://example.com:1/",
                b"http://a.example.com:65536/",
                b"http://a.example.com:4294967377?",
                b"http://u:p@a.example.com:1#x",
                b"http://u@v@a.example.com",
                b"http://[a.example.com]:0/",
                b"http://[a.example.com",
                b"http:// a.example.com: 1/",
                b"a:b://a.example.com",
                b"x://a.example.com?:",
                b"://a.example.com",
                b"a.example.com",
                b".example.com",
                b"http://",
                b"x:",
                b"http://EXAMPLE.com",
            ];
            value::general(6, random.pick(&texts))
        }
        _ => {
            let addresses: [&[u8]; 9] = [
                &[10, 0, 0, 1],
                &[0x20; 16],
                &[10, 0, 0],
                &[10, 0, 0, 0, 255, 0, 0, 0],
                &[11, 0, 0, 0, 255, 0, 0, 0],
                &[0x20; 32],
                &[0; 32],
                &[0; 8],
                &[1; 16],
            ];
            value::general(7, random.pick(&addresses))
        }
    };
    if !is_ca {
        let names: Vec<Vec<u8>> = if is_huge {
            vec![name(random); 1100]
        } else {
            (0..=random.below(1)).map(|_| name(random)).collect()
        };
        if random.one_in(3) {
            plan.extensions.retain(|old| old.oid != oid::SUBJECT_ALT_NAME);
        } else {
            replace(plan, extension(oid::SUBJECT_ALT_NAME, false, value::list(&names)));
        }
        let texts: [&[u8]; 8] = [
            b"a.example.com",
            b"a.example.com\0\0",
            b"a\0.example.com",
            b"a.-example.com",
            b"a-.example.com",
            b"a..example.com",
            b"a_b.example.com",
            b"\xff.example.com",
        ];
        let tags = [der::UTF8_STRING, der::T61_STRING, der::BMP_STRING, der::BIT_STRING];
        let mut common = (oid::COMMON_NAME, random.pick(&tags), random.pick(&texts));
        if random.one_in(2) {
            common = (oid::COMMON_NAME, der::UTF8_STRING, b"leaf");
        }
        let email =
            (oid::EMAIL_ADDRESS, random.pick(&[der::IA5_STRING, der::UTF8_STRING]), texts[0]);
        plan.subject =
            if random.one_in(6) { forge::name(&[email, common]) } else { forge::name(&[common]) };
        return;
    }
    if random.one_in(2) {
        return;
    }
    let trees: Vec<Vec<u8>> = if is_huge {
        vec![name(random); 1000]
    } else {
        (0..=random.below(2)).map(|_| name(random)).collect()
    };
    let value = if random.one_in(2) {
        value::name_constraints(&trees, &[])
    } else {
        value::name_constraints(&[], &trees)
    };
    replace(plan, extension(oid::NAME_CONSTRAINTS, true, value));
}

/// authorityKeyIdentifier with issuers that are not directory names, or several.
fn authority(random: &mut Random, plan: &mut CertPlan) {
    let uri = value::general(6, b"http://ca/");
    let own = value::general(4, &plan.issuer);
    let other = value::general(4, &super::common_name("Other"));
    let names = match random.below(5) {
        0 => uri,
        1 => [uri, own].concat(),
        2 => [own, other].concat(),
        3 => [other, own].concat(),
        _ => Vec::new(),
    };
    let value = der::sequence(&[&tlv(0xa1, &names), &tlv(0x82, &plan.serial)]);
    let value = if random.one_in(2) { der::sequence(&[&tlv(0xa1, &names)]) } else { value };
    replace(plan, extension(oid::AUTHORITY_KEY_ID, false, value));
}

/// What is signed with a signature that says some of its last bits do not count.
fn with_unused_bits(random: &mut Random, signed: &[u8]) -> Vec<u8> {
    let Ok(outer) = der::Reader::new(signed).any() else { return signed.to_vec() };
    let mut parts = outer.reader();
    let (Ok(tbs), Ok(algorithm), Ok(signature)) = (parts.any(), parts.any(), parts.any()) else {
        return signed.to_vec();
    };
    let mut content = signature.content.to_vec();
    if let Some(first) = content.first_mut() {
        *first = random.pick(&[1, 7, 8]);
    }
    der::sequence(&[tbs.raw, algorithm.raw, &tlv(der::BIT_STRING, &content)])
}
