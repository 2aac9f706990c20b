use super::unwrapped;

/// Both forms of a point are read, whatever its first octets are.
#[test]
fn points_with_and_without_their_octet_string() {
    for size in [32, 65, 97, 133] {
        for second in 0..=u8::MAX {
            let mut raw = vec![0x5a; size];
            (raw[0], raw[1]) = (4, second);
            let length = u8::try_from(size).unwrap();
            let head = if size < 128 { vec![4, length] } else { vec![4, 0x81, length] };
            let wrapped = [head, raw.clone()].concat();
            assert_eq!(unwrapped(&raw), raw, "{size} bytes, the second is {second}");
            assert_eq!(unwrapped(&wrapped), raw, "{size} bytes, the second is {second}");
        }
    }
    assert_eq!(unwrapped(&[]), [0; 0]);
}
