//! Host names with `xn--` labels in UTF-8 (RFC 3492; `crypto/punycode.c: ossl_a2ulabel`), with its limits.

use alloc::vec::Vec;

/// Code points a label may have (`LABEL_BUF_SIZE`).
const CODE_POINTS: usize = 512;

/// Every label of `host` that starts with `xn--` decoded, the others as they are.
///
/// `None` when a label cannot be decoded, or the answer and the NUL after it take more than `room` octets. Labels are
/// not decoded once it is known that there is no room.
pub(super) fn to_unicode(host: &[u8], room: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(room);
    for (i, label) in host.split(|b| *b == b'.').enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        match label.strip_prefix(b"xn--") {
            Some(encoded) => {
                for point in decode(encoded)? {
                    push_utf8(&mut out, point)?;
                }
            }
            None if label.len() < room => out.extend_from_slice(label),
            None => return None,
        }
        if out.len() >= room {
            return None;
        }
    }
    Some(out)
}

/// `ossl_punycode_decode`: RFC 3492 section 6.2, with the parameters of section 5. A delimiter in front is not one.
fn decode(encoded: &[u8]) -> Option<Vec<u32>> {
    let plain = encoded.iter().rposition(|b| *b == b'-').unwrap_or(0);
    if plain > CODE_POINTS {
        return None;
    }
    let (plain, coded) = encoded.split_at(plain);
    let coded = if plain.is_empty() { coded } else { &coded[1..] };
    if !plain.is_ascii() {
        return None;
    }
    let mut out: Vec<u32> = plain.iter().map(|b| u32::from(*b)).collect();
    let (mut code, mut index, mut bias) = (128u32, 0u32, 72u32);
    let mut digits = coded.iter();
    while digits.len() > 0 {
        let before = index;
        let (mut weight, mut k) = (1u32, 36u32);
        loop {
            let digit = digit(*digits.next()?)?;
            index = index.checked_add(digit.checked_mul(weight)?)?;
            let threshold = k.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(36 - threshold)?;
            k += 36;
        }
        let count = u32::try_from(out.len()).ok()? + 1;
        bias = adapt(index - before, count, before == 0);
        code = code.checked_add(index / count)?;
        index %= count;
        if out.len() >= CODE_POINTS {
            return None;
        }
        out.insert(usize::try_from(index).ok()?, code);
        index += 1;
    }
    Some(out)
}

/// `digit_decoded`.
const fn digit(byte: u8) -> Option<u32> {
    Some(match byte {
        b'a'..=b'z' => byte - b'a',
        b'A'..=b'Z' => byte - b'A',
        b'0'..=b'9' => byte - b'0' + 26,
        _ => return None,
    } as u32)
}

/// `codepoint2utf8`: surrogates are encoded as any other code point; above U+10FFFF there is none.
fn push_utf8(out: &mut Vec<u8>, point: u32) -> Option<()> {
    let (lead, tails) = match point {
        0..=0x7f => (0, 0),
        0x80..=0x7ff => (0xc0, 1),
        0x800..=0xffff => (0xe0, 2),
        0x1_0000..=0x10_ffff => (0xf0, 3),
        _ => return None,
    };
    let bits = |shift: u32| (point >> (6 * shift)).to_le_bytes()[0];
    out.push(lead | bits(tails));
    out.extend((0..tails).rev().map(|shift| 0x80 | (bits(shift) & 0x3f)));
    Some(())
}

/// RFC 3492 section 6.1.
const fn adapt(delta: u32, count: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests;
