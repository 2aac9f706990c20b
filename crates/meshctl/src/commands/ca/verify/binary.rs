//! Bare DER in a file, found as OpenSSL finds it before anything is decoded (`crypto/asn1/a_d2i_fp.c:
//! asn1_d2i_read_bio` of 3.0.22).

/// The first element of `bytes`, and how many bytes were read to find it, or to find that no element is there.
pub(super) fn object(bytes: &[u8]) -> (Option<&[u8]>, usize) {
    let (mut off, mut open) = (0, 0u32);
    loop {
        let header = match header(&bytes[off..]) {
            Ok(header) => header,
            Err(read) => return (None, (off + read).min(bytes.len())),
        };
        off += header.size;
        match header.length {
            None => open += 1,
            // OpenSSL looks at the number of the tag and not at its class.
            Some(0) if open > 0 && header.is_zero => open -= 1,
            Some(length) => match off.checked_add(length) {
                Some(end) if end <= bytes.len() => off = end,
                _ => return (None, bytes.len()),
            },
        }
        if open == 0 {
            return (Some(&bytes[..off]), off);
        }
    }
}

/// Identifier and length of an element.
struct Header {
    size: usize,
    /// `None`: indefinite.
    length: Option<usize>,
    /// The number of the tag is 0.
    is_zero: bool,
}

/// An error is how many bytes were read before it was clear.
fn header(bytes: &[u8]) -> Result<Header, usize> {
    let byte = |at: usize| bytes.get(at).copied().ok_or(bytes.len());
    let tag = byte(0)?;
    byte(1)?;
    let mut at = 1;
    let mut number = u64::from(tag & 0x1f);
    if number == 0x1f {
        number = 0;
        loop {
            let next = byte(at)?;
            at += 1;
            number = number << 7 | u64::from(next & 0x7f);
            if next & 0x80 == 0 {
                break;
            }
            // Five bytes at most; OpenSSL reads two more before it says so.
            if at == 6 {
                return Err(8);
            }
        }
    }
    let first = byte(at)?;
    at += 1;
    let count = usize::from(first & 0x7f);
    let length = match first {
        0..0x80 => Some(usize::from(first)),
        // Only a constructed element may be without length.
        0x80 if tag & 0x20 == 0 => return Err(at),
        0x80 => None,
        _ if count > size_of::<u64>() => return Err(at),
        _ => {
            let octets = bytes.get(at..at + count).ok_or(bytes.len())?;
            at += count;
            let length = octets.iter().fold(0u64, |n, octet| n << 8 | u64::from(*octet));
            let length = i32::try_from(length).ok().and_then(|n| usize::try_from(n).ok());
            Some(length.ok_or(at)?)
        }
    };
    if i32::try_from(number).is_err() {
        return Err(at);
    }
    Ok(Header { size: at, length, is_zero: number == 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of the element, if there is one, and the bytes read. Each of these was shown to openssl 3.0.22, with a
    /// certificate after it.
    #[test]
    fn elements() {
        let check = |bytes: &[u8], size: Option<usize>, read: usize| {
            let (object, got) = object(bytes);
            assert_eq!((object.map(<[u8]>::len), got), (size, read), "{bytes:x?}");
        };
        check(&[5, 0, 9, 9], Some(2), 2);
        check(&[4, 0x81, 1, 7, 9], Some(4), 4);
        check(&[4, 0x81, 0, 9], Some(3), 3);
        check(&[0x30, 0x80, 5, 0, 0, 0, 9], Some(6), 6);
        check(&[0x30, 0x80, 0x80, 0, 9], Some(4), 4);
        check(&[0x1f, 0x81, 1, 0, 9], Some(4), 4);
        check(&[0, 0, 9], Some(2), 2);
        // Not an element: reading continues after what was read.
        check(&[0x30, 0x89, 1, 1, 1, 1, 1, 1], None, 2);
        check(&[4, 0x80, 9, 9], None, 2);
        check(&[0x30, 0x80, 4, 0x80, 9, 9], None, 4);
        check(&[0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], None, 8);
        check(&[0x1f, 0x8f, 0xff, 0xff, 0xff, 0x7f, 0, 9], None, 7);
        // Longer than the file: the rest is read.
        check(&[4, 9, 1], None, 3);
        check(&[0x30, 0x80, 5, 0], None, 4);
        check(&[5], None, 1);
        check(&[4, 0x82, 0], None, 3);
        check(&[0x1f, 0xff], None, 2);
        check(&[], None, 0);
    }
}
