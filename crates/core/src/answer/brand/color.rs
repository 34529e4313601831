//! A colour, and what of it can be read: contrast by WCAG 2.2.

use std::fmt;

/// The least contrast between text and background: WCAG 2.2, success criterion 1.4.3 (AA).
const LEGIBLE: f64 = 4.5;

/// How many steps lie between a colour and black or white.
const STEPS: u32 = 32;

const BLACK: Color = Color([0; 3]);
const WHITE: Color = Color([255; 3]);

/// Red, green and blue in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub [u8; 3]);

/// The text is not `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be \"#\" and six hexadecimal digits, such as \"#2563eb\"")]
pub struct ColorError;

impl Default for Color {
    fn default() -> Self {
        Self([0x25, 0x63, 0xeb])
    }
}

impl Color {
    /// Parses `#rrggbb`, in either letter case.
    ///
    /// # Errors
    /// [`ColorError`] for every other text.
    pub fn parse(text: &str) -> Result<Self, ColorError> {
        let digits = text.strip_prefix('#').filter(|digits| {
            digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] = value.ok_or(ColorError)?.to_be_bytes();
        Ok(Self([red, green, blue]))
    }

    /// Black or white, whichever reads better on this colour. Every colour reaches 4.58 with
    /// one of the two.
    pub(super) fn text_on(self) -> Self {
        if self.contrast(WHITE) >= LEGIBLE || self.contrast(WHITE) >= self.contrast(BLACK) {
            WHITE
        } else {
            BLACK
        }
    }

    /// The nearest tone of this colour that can be read on `ground`, which must be one that
    /// black or white can be read on.
    pub(super) fn legible_on(self, ground: Self) -> Self {
        let end = ground.text_on();
        let tones = (0..=STEPS).map(|step| self.mixed(end, step));
        let mut legible = tones.filter(|tone| tone.contrast(ground) >= LEGIBLE);
        legible.next().unwrap_or(end)
    }

    /// This colour with `step` of 32 parts replaced by another.
    fn mixed(self, other: Self, step: u32) -> Self {
        let [red, green, blue] = [0, 1, 2].map(|at| {
            let part = |color: Self| u32::from(color.0.get(at).copied().unwrap_or_default());
            let own = part(self).saturating_mul(STEPS.saturating_sub(step));
            let sum = own.saturating_add(part(other).saturating_mul(step));
            u8::try_from(sum / STEPS).unwrap_or(u8::MAX)
        });
        Self([red, green, blue])
    }

    /// The contrast ratio, 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// The relative luminance, 0 to 1.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

/// `#rrggbb`, as CSS reads it.
impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::SHEETS;
    use super::*;

    #[test]
    fn a_color_is_six_hexadecimal_digits() {
        assert_eq!(Color::parse("#2563EB"), Ok(Color::default()));
        assert_eq!(Color::default().to_string(), "#2563eb");
        for wrong in [
            "",
            "red",
            "#fff",
            "2563eb",
            "#2563eb ",
            "#25 3eb",
            "#+563eb",
            "#é63eb",
            "#2563eb;}",
        ] {
            assert_eq!(Color::parse(wrong), Err(ColorError), "{wrong}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 1e-9);
        // The grey that is known as the lightest one legible on white.
        let grey = Color([0x76; 3]);
        assert!((grey.contrast(WHITE) - 4.54).abs() < 0.005);
        assert_eq!(grey.legible_on(WHITE), grey);
    }

    proptest::proptest! {
        #[test]
        fn text_is_legible_in_both_schemes_with_every_color(rgb: [u8; 3]) {
            let color = Color(rgb);
            proptest::prop_assert!(color.contrast(color.text_on()) >= LEGIBLE);
            for (sheet, _) in SHEETS {
                proptest::prop_assert!(color.legible_on(sheet).contrast(sheet) >= LEGIBLE);
            }
        }
    }
}
