//! Fixed-width base62 numbers: digits, then upper case, then lower case.
//!
//! The crate `base62` was considered: its numbers have no fixed width, and it adds 11 kB to a module.

/// The alphabet, in the order of its values.
pub const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The last `WIDTH` base62 digits of `value`, most significant first, padded with `0`.
pub fn encode<const WIDTH: usize>(mut value: u64) -> [u8; WIDTH] {
    let mut digits = [b'0'; WIDTH];
    for digit in digits.iter_mut().rev() {
        let index = usize::try_from(value % 62).unwrap_or(0);
        *digit = ALPHABET.get(index).copied().unwrap_or(b'0');
        value /= 62;
    }
    digits
}

/// `WIDTH` base62 characters, each equally likely, from a source of random bytes.
///
/// `fill` overwrites its argument with random bytes. Bytes from 248 on are
/// drawn again, so that no character is favoured.
pub fn random<const WIDTH: usize>(fill: &mut dyn FnMut(&mut [u8])) -> [u8; WIDTH] {
    let mut drawn = [0_u8; WIDTH];
    for character in &mut drawn {
        let mut byte = [u8::MAX];
        while byte[0] >= 248 {
            fill(&mut byte);
        }
        let index = usize::from(byte[0] % 62);
        *character = ALPHABET.get(index).copied().unwrap_or(b'0');
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_padded_and_ordered() {
        assert_eq!(&encode::<6>(0), b"000000");
        assert_eq!(&encode::<6>(61), b"00000z");
        assert_eq!(&encode::<6>(62), b"000010");
        // The largest CRC-32 fits into six digits.
        assert_eq!(&encode::<6>(u64::from(u32::MAX)), b"4gfFC3");
    }

    #[test]
    fn biased_bytes_are_drawn_again() {
        let mut source = [255_u8, 248, 247, 0].into_iter();
        let drawn = random::<2>(&mut |bytes| bytes[0] = source.next().unwrap());
        assert_eq!(drawn, [ALPHABET[247 % 62], b'0']);
    }
}
