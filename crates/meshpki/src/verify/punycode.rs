//! Host names with `xn--` labels in UTF-8 (RFC 3492; `crypto/punycode.c: ossl_a2ulabel`).

use alloc::string::String;
use alloc::vec::Vec;

/// Every label of `host` that starts with `xn--` decoded; `None` when one cannot be.
pub(super) fn to_unicode(host: &[u8]) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    for label in host.split(|b| *b == b'.') {
        labels.push(match label.strip_prefix(b"xn--") {
            Some(encoded) => decode(encoded)?.into_bytes(),
            None => label.to_vec(),
        });
    }
    Some(labels.join(&b'.'))
}

/// RFC 3492 section 6.2, with the parameters of section 5.
fn decode(encoded: &[u8]) -> Option<String> {
    let (plain, coded) = match encoded.iter().rposition(|b| *b == b'-') {
        Some(dash) => (&encoded[..dash], &encoded[dash + 1..]),
        None => (&encoded[..0], encoded),
    };
    let mut out: Vec<char> = plain.iter().map(|b| char::from(*b)).collect();
    let (mut code, mut index, mut bias) = (128u32, 0u32, 72u32);
    let mut digits = coded.iter();
    while digits.len() > 0 {
        let before = index;
        let (mut weight, mut k) = (1u32, 36u32);
        loop {
            let digit = match digits.next()? {
                b @ b'a'..=b'z' => b - b'a',
                b @ b'A'..=b'Z' => b - b'A',
                b @ b'0'..=b'9' => b - b'0' + 26,
                _ => return None,
            };
            let digit = u32::from(digit);
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
        out.insert(usize::try_from(index).ok()?, char::from_u32(code)?);
        index += 1;
    }
    Some(out.into_iter().collect())
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
