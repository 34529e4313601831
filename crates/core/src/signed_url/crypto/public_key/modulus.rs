//! Powers of public numbers modulo an odd one (Montgomery's method), in a few hundred
//! bytes of code: a library for big numbers would be a tenth of the filter.
//!
//! It is not constant in time. Whatever is secret has no place here.

use std::cmp::Ordering;

/// An odd modulus, and what multiplication by Montgomery's method needs.
#[derive(Clone)]
pub(super) struct Modulus {
    /// The lowest first, and the highest is not zero.
    limbs: Vec<u32>,
    /// What multiplies the modulus to -1 in the lowest limb.
    inverse: u32,
    /// The square of 2 to the number of bits of all limbs.
    square: Vec<u32>,
}

impl Modulus {
    /// From big-endian bytes. `None` for an even one, and for 1.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let mut limbs = from_bytes(bytes);
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        let lowest = limbs.first().copied().filter(|it| it % 2 == 1)?;
        if limbs == [1] {
            return None;
        }
        // Newton's method: each step doubles the bits that are right, and 1 is right in one.
        let inverse = (0..5).fold(1_u32, |found, _| {
            found.wrapping_mul(2_u32.wrapping_sub(lowest.wrapping_mul(found)))
        });
        let mut modulus = Self {
            square: Vec::new(),
            inverse: inverse.wrapping_neg(),
            limbs,
        };
        let mut square = vec![0; modulus.limbs.len()];
        if let Some(first) = square.first_mut() {
            *first = 1;
        }
        for _ in 0..modulus.limbs.len().saturating_mul(64) {
            modulus.double(&mut square);
        }
        modulus.square = square;
        Some(modulus)
    }

    /// The number to the power of the exponent, as long as the modulus. Both are
    /// big-endian; `None` unless the number is less than the modulus.
    pub(super) fn power(&self, number: &[u8], exponent: u32) -> Option<Vec<u8>> {
        let mut base = from_bytes(number);
        while base.len() > self.limbs.len() && base.last() == Some(&0) {
            base.pop();
        }
        base.resize(base.len().max(self.limbs.len()), 0);
        if base.len() > self.limbs.len() || compare(&base, &self.limbs) != Ordering::Less {
            return None;
        }
        let mut one = vec![0; self.limbs.len()];
        *one.first_mut()? = 1;
        let base = self.multiply(&base, &self.square);
        let mut power = self.multiply(&one, &self.square);
        for bit in (0..u32::BITS).rev() {
            power = self.multiply(&power, &power);
            if (exponent >> bit) & 1 == 1 {
                power = self.multiply(&power, &base);
            }
        }
        let power = self.multiply(&power, &one);
        Some(power.iter().rev().flat_map(|it| it.to_be_bytes()).collect())
    }

    /// a · b / R, where R is 2 to the number of bits of all limbs.
    fn multiply(&self, a: &[u32], b: &[u32]) -> Vec<u32> {
        let mut sum = vec![0; self.limbs.len().saturating_add(2)];
        for limb in a {
            add_multiple(&mut sum, b, *limb);
            let lowest = sum.first().copied().unwrap_or_default();
            add_multiple(&mut sum, &self.limbs, lowest.wrapping_mul(self.inverse));
            // The lowest limb is zero now, and goes.
            sum.rotate_left(1);
        }
        self.reduce(&mut sum);
        sum.truncate(self.limbs.len());
        sum
    }

    fn double(&self, number: &mut Vec<u32>) {
        let mut carry = 0;
        for limb in number.iter_mut() {
            let next = *limb >> 31;
            *limb = (*limb << 1) | carry;
            carry = next;
        }
        number.push(carry);
        self.reduce(number);
        number.truncate(self.limbs.len());
    }

    /// Takes the modulus off, once, if the number is not less.
    fn reduce(&self, number: &mut [u32]) {
        let (low, high) = number.split_at_mut(self.limbs.len().min(number.len()));
        let is_over = high.iter().any(|it| *it != 0);
        if !is_over && compare(low, &self.limbs) == Ordering::Less {
            return;
        }
        let mut borrow = 0_u64;
        for (limb, less) in low.iter_mut().zip(&self.limbs) {
            let wide = u64::from(*limb)
                .wrapping_sub(u64::from(*less))
                .wrapping_sub(borrow);
            *limb = low_half(wide);
            borrow = (wide >> 32) & 1;
        }
    }
}

/// Adds `factor` times these limbs.
fn add_multiple(sum: &mut [u32], limbs: &[u32], factor: u32) {
    let mut carry = 0_u64;
    let more = std::iter::repeat(&0);
    for (place, limb) in sum.iter_mut().zip(limbs.iter().chain(more)) {
        // At most (2³² - 1)² + 2 (2³² - 1), which 64 bits hold.
        let wide = u64::from(*limb)
            .wrapping_mul(u64::from(factor))
            .wrapping_add(u64::from(*place))
            .wrapping_add(carry);
        *place = low_half(wide);
        carry = wide >> 32;
    }
}

fn low_half(wide: u64) -> u32 {
    u32::try_from(wide & u64::from(u32::MAX)).unwrap_or_default()
}

/// Two numbers of as many limbs.
fn compare(a: &[u32], b: &[u32]) -> Ordering {
    a.iter().rev().cmp(b.iter().rev())
}

fn from_bytes(bytes: &[u8]) -> Vec<u32> {
    let groups = bytes.rchunks(4).map(|group| {
        let add = |all: u32, byte: &u8| (all << 8) | u32::from(*byte);
        group.iter().fold(0, add)
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::arithmetic_side_effects,
        reason = "the definition is written out"
    )]

    use super::*;

    fn power(modulus: u128, number: u128, exponent: u32) -> Option<u128> {
        let modulus = Modulus::new(&modulus.to_be_bytes())?;
        let bytes = modulus.power(&number.to_be_bytes(), exponent)?;
        Some(
            bytes
                .iter()
                .fold(0, |all, byte| (all << 8) | u128::from(*byte)),
        )
    }

    #[test]
    fn small_powers_are_right() {
        for (modulus, number, exponent, expected) in [
            (3, 2, 3, Some(2)),
            (5, 2, 0, Some(1)),
            (7, 0, 5, Some(0)),
            (1_000_003, 999_999, 65_537, None),
            (u128::MAX, u128::MAX - 1, 3, Some(u128::MAX - 1)),
            (7, 7, 1, None),
            (8, 3, 1, None),
            (1, 0, 1, None),
            (0, 0, 1, None),
        ] {
            let expected = match (modulus, expected) {
                // By the definition.
                (1_000_003, _) => {
                    let times = |all: u128, _| all * number % modulus;
                    Some((0..exponent).fold(1, times))
                }
                (_, expected) => expected,
            };
            assert_eq!(power(modulus, number, exponent), expected, "{modulus}");
        }
    }

    proptest::proptest! {
        #[test]
        fn powers_are_those_of_the_definition(modulus in 1_u64.., number: u64, exponent in 0_u32..200) {
            let (modulus, number) = (u128::from(modulus | 1), u128::from(number));
            if modulus > 1 {
                let times = |all: u128, _| all * (number % modulus) % modulus;
                let expected = (0..exponent).fold(1, times);
                proptest::prop_assert_eq!(power(modulus, number % modulus, exponent), Some(expected));
            }
        }

        #[test]
        fn no_bytes_of_a_stranger_can_panic(modulus: Vec<u8>, number: Vec<u8>, exponent: u32) {
            let power = Modulus::new(&modulus).map(|it| it.power(&number, exponent));
            let _ = power;
        }
    }

    #[cfg(feature = "tools")]
    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(24))]
        #[test]
        fn long_powers_are_those_of_a_library(
            mut modulus in proptest::collection::vec(proptest::num::u8::ANY, 250..300),
            number in proptest::collection::vec(proptest::num::u8::ANY, 0..250),
            exponent: u32,
            edge in 0_u8..4,
        ) {
            use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
            use crypto_bigint::{BoxedUint, Odd};
            // Where carries run through.
            if edge == 0 {
                modulus.fill(0xff);
            }
            modulus[0] |= 0x80;
            *modulus.last_mut().unwrap() |= 1;
            let params = BoxedMontyParams::new_vartime(
                Option::from(Odd::new(BoxedUint::from_be_slice_vartime(&modulus))).unwrap(),
            );
            let base = BoxedUint::from_be_slice(&number, params.bits_precision()).unwrap();
            let expected = BoxedMontyForm::new(base, &params)
                .pow(&BoxedUint::from(exponent))
                .retrieve()
                .to_be_bytes_trimmed_vartime();
            let found = Modulus::new(&modulus).unwrap().power(&number, exponent).unwrap();
            let zeros = found.iter().take_while(|it| **it == 0).count();
            let trimmed: &[u8] = &expected;
            let lead = trimmed.iter().take_while(|it| **it == 0).count();
            proptest::prop_assert_eq!(&found[zeros..], &trimmed[lead..]);
        }
    }
}
