//! The little of DER (X.690) that keys and signatures are written in, strictly: one way to
//! write a length and a number, and nothing left over.

/// What is left to read.
#[derive(Clone, Copy)]
pub(crate) struct Der<'a>(&'a [u8]);

/// `INTEGER`.
pub(crate) const INTEGER: u8 = 0x02;
/// `BIT STRING`.
pub(crate) const BIT_STRING: u8 = 0x03;
/// `OCTET STRING`.
#[cfg(feature = "tools")]
pub(crate) const OCTET_STRING: u8 = 0x04;
/// `SEQUENCE`.
pub(crate) const SEQUENCE: u8 = 0x30;

impl<'a> Der<'a> {
    /// Reads what these bytes hold.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What the next element holds, if it has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let rest = self.0.strip_prefix(&[tag])?;
        let (length, rest) = match rest {
            [length @ 0..=0x7f, rest @ ..] => (usize::from(*length), rest),
            [0x81, length @ 0x80..=0xff, rest @ ..] => (usize::from(*length), rest),
            [0x82, high @ 1..=0xff, low, rest @ ..] => {
                (usize::from(u16::from_be_bytes([*high, *low])), rest)
            }
            _ => return None,
        };
        let (element, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(element)
    }

    /// A sequence, to be read in its turn.
    pub(crate) fn sequence(&mut self) -> Option<Self> {
        self.take(SEQUENCE).map(Self)
    }

    /// A number that is not negative, big-endian without leading zeros: empty for 0.
    pub(crate) fn unsigned(&mut self) -> Option<&'a [u8]> {
        match self.take(INTEGER)? {
            [] | [0x80..=0xff, ..] | [0, 0..=0x7f, ..] => None,
            [0, rest @ ..] => Some(rest),
            number => Some(number),
        }
    }

    /// Whole bytes of a bit string.
    pub(crate) fn bits(&mut self) -> Option<&'a [u8]> {
        self.take(BIT_STRING)?.strip_prefix(&[0])
    }

    /// Nothing is left.
    pub(crate) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// An element with this tag around these parts, as it is read here.
#[cfg(feature = "tools")]
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let inner = parts.concat();
    let length = u16::try_from(inner.len()).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(low),
        0x80..=0xff => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend(inner);
    out
}

/// A number that is not negative, given big-endian.
#[cfg(feature = "tools")]
pub(crate) fn unsigned(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    match number.first() {
        Some(0..=0x7f) => element(INTEGER, &[number]),
        Some(_) | None => element(INTEGER, &[&[0], number]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_length_are_written_in_one_way() {
        let number = |bytes: &[u8]| Der::new(bytes).unsigned().map(<[u8]>::to_vec);
        assert_eq!(number(&[2, 1, 0]), Some(vec![]));
        assert_eq!(number(&[2, 1, 0x7f]), Some(vec![0x7f]));
        assert_eq!(number(&[2, 2, 0, 0x80]), Some(vec![0x80]));
        for wrong in [
            &[2, 0][..],
            &[2, 1, 0x80],
            &[2, 2, 0, 0x7f],
            &[2, 0x81, 1, 1],
            &[2, 0x82, 0, 1, 1],
            &[2, 0x80, 1],
            &[2, 2, 1],
            &[3, 1, 1],
            &[2],
            &[],
        ] {
            assert_eq!(number(wrong), None, "{wrong:x?}");
        }
    }

    #[cfg(feature = "tools")]
    #[test]
    fn what_is_written_is_read_again() {
        for length in [0_usize, 1, 0x7f, 0x80, 0xff, 0x100, 0x1234] {
            let inner = vec![0x81; length];
            let written = element(SEQUENCE, &[&inner]);
            let mut der = Der::new(&written);
            assert_eq!(der.take(SEQUENCE), Some(&inner[..]));
            assert!(der.end().is_some());
            let written = unsigned(&inner);
            assert_eq!(Der::new(&written).unsigned(), Some(&inner[..]));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_of_a_stranger_can_panic(bytes: Vec<u8>, tag: u8) {
            let mut der = Der::new(&bytes);
            let _ = (der.take(tag), der.unsigned(), der.bits(), der.end());
        }
    }
}
