//! UTF-8 e-mail addresses and the constraints they meet (RFC 8398): hosts in both spellings, and every length and fault
//! that OpenSSL checks.

use meshpki::internals::der::{self, tlv};
use meshpki::internals::oid;

use crate::forge::value;
use crate::random::Random;

/// The host names of a world, as constraints and as addresses spell them.
#[derive(Clone)]
pub(super) struct Hosts(Vec<(Vec<u8>, Vec<u8>)>);

impl Hosts {
    pub(super) fn new(random: &mut Random) -> Self {
        Self((0..=random.below(3)).map(|_| host(random)).collect())
    }

    /// The base of a subtree.
    pub(super) fn base(&self, random: &mut Random) -> Vec<u8> {
        let (plain, _) = random.pick(&self.0);
        let before: [&[u8]; 8] = [b"", b"", b"", b".", b".", b"..", b"a@", b"@"];
        let mut text = [random.pick(&before), &plain].concat();
        if random.one_in(20) {
            text.insert(random.below(text.len() + 1), random.pick(&[0, b'@', b'.', 0xc3]));
        }
        value::general(1, &text)
    }

    /// An address, mostly as SmtpUTF8Mailbox.
    pub(super) fn address(&self, random: &mut Random) -> Vec<u8> {
        let (plain, wide) = random.pick(&self.0);
        let mut host = if random.one_in(4) { plain } else { wide };
        if random.one_in(3) {
            host = host.iter().map(|byte| recased(random, *byte)).collect();
        }
        let local: [&[u8]; 7] = [b"a@", b"a@", "\u{e9}@".as_bytes(), b"a@.", b"a@b.", b"a@..", b""];
        let mut text = [random.pick(&local), &host].concat();
        if random.one_in(20) {
            text.insert(random.below(text.len() + 1), random.pick(&[0, b'@', b'.', 0xc3]));
        }
        if random.one_in(6) {
            return value::general(1, &text);
        }
        let text = match random.below(12) {
            0 => tlv(der::IA5_STRING, &text),
            1 => tlv(der::UTF8_STRING | der::CONSTRUCTED, &tlv(der::UTF8_STRING, &text)),
            _ => tlv(der::UTF8_STRING, &text),
        };
        value::general(0, &[tlv(der::OID, oid::SMTP_UTF8_MAILBOX), tlv(0xa0, &text)].concat())
    }

    /// nameConstraints of such bases.
    pub(super) fn constraints(&self, random: &mut Random) -> Vec<u8> {
        let permitted: Vec<Vec<u8>> = (0..random.below(3)).map(|_| self.base(random)).collect();
        let excluded: Vec<Vec<u8>> = (0..random.below(3)).map(|_| self.base(random)).collect();
        value::name_constraints(&permitted, &excluded)
    }
}

fn recased(random: &mut Random, byte: u8) -> u8 {
    if random.one_in(3) { byte.to_ascii_uppercase() } else { byte }
}

fn host(random: &mut Random) -> (Vec<u8>, Vec<u8>) {
    let labels = (0..=random.pick(&[0, 1, 1, 2, 3])).map(|_| label(random));
    let (written, spoken): (Vec<_>, Vec<_>) = labels.unzip();
    (written.join(&b'.'), spoken.join(&b'.'))
}

/// One label as written in a constraint, and in UTF-8.
fn label(random: &mut Random) -> (Vec<u8>, Vec<u8>) {
    let same = |text: Vec<u8>| (text.clone(), text);
    match random.below(12) {
        0..=3 => same(random.pick(&["example", "com", "b", "Example", "xn-", "XN--kva"]).into()),
        4 => same(Vec::new()),
        // Lengths round the room for a host.
        5 => same(vec![
            b'a';
            random.pick(&[63, 120, 127, 128, 240, 246, 247, 248, 252, 253, 254, 255])
        ]),
        // Code points round the room for a label.
        6 => {
            let plain = vec![b'a'; random.pick(&[100, 200, 250, 253, 254, 509, 511, 512, 513])];
            let points = plain.iter().map(|byte| u32::from(*byte));
            let last = random.pick(&[None, Some(0xfc)]);
            spelled(&points.chain(last).collect::<Vec<_>>())
        }
        7 => {
            let odd: [&[u8]; 9] = [
                b"xn--",
                b"xn---",
                b"xn----",
                b"xn---kva",
                b"xn--a-",
                b"xn--!",
                b"xn--a--kva",
                b"xn--\xe9",
                b"xn--\xe9-kva",
            ];
            let odd = random.pick(&odd).to_vec();
            (odd.clone(), odd.get(4..).unwrap_or_default().to_vec())
        }
        8 => {
            let digits = b"abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-";
            let text = (0..random.below(9)).map(|_| random.pick(digits));
            same([b"xn--".to_vec(), text.collect()].concat())
        }
        _ => {
            let kinds = [
                0xfc, 0xe9, 0x61, 0x7a, 0x2d, 0x3b1, 0x4e2d, 0xd7ff, 0xd800, 0xffff, 0x1_f600,
                0x10_ffff, 0x11_0000,
            ];
            let points: Vec<u32> = (0..=random.below(5)).map(|_| random.pick(&kinds)).collect();
            spelled(&points)
        }
    }
}

/// Code points as an A-label and in UTF-8, surrogates and those beyond the last too.
fn spelled(points: &[u32]) -> (Vec<u8>, Vec<u8>) {
    let mut wide = Vec::new();
    for point in points {
        match char::from_u32(*point) {
            Some(c) => wide.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => wide.extend([0xed, 0xa0, 0x80]),
        }
    }
    ([b"xn--".to_vec(), punycode(points)].concat(), wide)
}

/// RFC 3492 section 6.3.
fn punycode(points: &[u32]) -> Vec<u8> {
    let mut out: Vec<u8> =
        points.iter().filter_map(|p| u8::try_from(*p).ok()).filter(u8::is_ascii).collect();
    let basic = u32::try_from(out.len()).unwrap_or(0);
    if basic > 0 {
        out.push(b'-');
    }
    let (mut next, mut delta, mut bias, mut handled) = (128u32, 0u32, 72u32, basic);
    while let Some(least) = points.iter().copied().filter(|point| *point >= next).min() {
        delta += (least - next) * (handled + 1);
        next = least;
        for point in points {
            delta += u32::from(*point < next);
            if *point != next {
                continue;
            }
            let (mut rest, mut k) = (delta, 36);
            loop {
                let threshold = k.max(bias + 1).min(bias + 26) - bias;
                let threshold = if k <= bias { 1 } else { threshold };
                if rest < threshold {
                    break;
                }
                out.push(digit(threshold + (rest - threshold) % (36 - threshold)));
                rest = (rest - threshold) / (36 - threshold);
                k += 36;
            }
            out.push(digit(rest));
            handled += 1;
            let half = if handled == basic + 1 { delta / 700 } else { delta / 2 };
            let (mut scaled, mut steps) = (half + half / handled, 0);
            while scaled > 455 {
                scaled /= 35;
                steps += 36;
            }
            bias = steps + 36 * scaled / (scaled + 38);
            delta = 0;
        }
        delta += 1;
        next += 1;
    }
    out
}

fn digit(value: u32) -> u8 {
    let value = u8::try_from(value).unwrap_or(0);
    if value < 26 { b'a' + value } else { b'0' + value - 26 }
}
