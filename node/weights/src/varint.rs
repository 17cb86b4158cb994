//! Unsigned LEB128 integers, as protobuf, CIDs and CAR files write them.

/// The most bytes that a 64-bit integer takes.
pub(crate) const MAX_VARINT_BYTES: usize = 10;

/// What stands at the head of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Varint {
    /// A value, and how many bytes it took.
    Value(u64, usize),
    /// The buffer ends inside the integer.
    Short,
    /// The integer is longer than 64 bits.
    TooLong,
}

/// Reads the integer at the head of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Varint {
    let mut value = 0_u64;
    for (idx, byte) in bytes.iter().take(MAX_VARINT_BYTES).enumerate() {
        let low = u64::from(byte & 0x7f);
        // The tenth byte holds the one bit that is left of 64.
        if idx + 1 == MAX_VARINT_BYTES && *byte > 1 {
            return Varint::TooLong;
        }
        value |= low << (7 * idx);
        if byte & 0x80 == 0 {
            return Varint::Value(value, idx + 1);
        }
    }
    if bytes.len() < MAX_VARINT_BYTES {
        Varint::Short
    } else {
        Varint::TooLong
    }
}

/// Appends `value` in as few bytes as it takes.
pub(crate) fn write(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn odd_integers_are_named() {
        assert_eq!(read(&[]), Varint::Short);
        assert_eq!(read(&[0x80; 9]), Varint::Short);
        assert_eq!(read(&[0xff; 10]), Varint::TooLong);
        assert_eq!(read(&[0x80; 11]), Varint::TooLong);
        assert_eq!(read(&[0x80, 0x00, 7]), Varint::Value(0, 2));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value: u64, shift in 0_u32..64) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            write(value, &mut bytes);
            prop_assert_eq!(read(&bytes), Varint::Value(value, bytes.len()));
        }
    }
}
