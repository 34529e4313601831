//! Text that people read: what it may contain, and how the rest is printed.
//!
//! The categories are those of the Unicode standard, chapter 4.5. Format characters (Cf) are left
//! out, since some reverse the direction of what follows: `moc.elpmaxe` would read `example.com`.

use std::borrow::Cow;

use unicode_general_category::{GeneralCategory, get_general_category};

/// Join letters of some scripts, and the parts of an emoji: the two format characters that names need.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// Whether a character is shown as what it is: a letter, a mark, a number, punctuation, a symbol,
/// a space or a joiner. No line break, no control, no change of direction, nothing unassigned.
pub fn is_shown(character: char) -> bool {
    use GeneralCategory as Is;
    if JOINERS.contains(&character) {
        return true;
    }
    match get_general_category(character) {
        Is::UppercaseLetter
        | Is::LowercaseLetter
        | Is::TitlecaseLetter
        | Is::ModifierLetter
        | Is::OtherLetter
        | Is::NonspacingMark
        | Is::SpacingMark
        | Is::EnclosingMark
        | Is::DecimalNumber
        | Is::LetterNumber
        | Is::OtherNumber
        | Is::ConnectorPunctuation
        | Is::DashPunctuation
        | Is::OpenPunctuation
        | Is::ClosePunctuation
        | Is::InitialPunctuation
        | Is::FinalPunctuation
        | Is::OtherPunctuation
        | Is::MathSymbol
        | Is::CurrencySymbol
        | Is::ModifierSymbol
        | Is::OtherSymbol
        | Is::SpaceSeparator => true,
        // Control, format, line and paragraph separators, private use, unassigned.
        _ => false,
    }
}

/// The text for a terminal: what is not shown is written as `\u{202e}`.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_shown) {
        return Cow::Borrowed(text);
    }
    let escape = |it: char| match is_shown(it) {
        true => it.to_string(),
        false => it.escape_unicode().to_string(),
    };
    Cow::Owned(text.chars().map(escape).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_script_are_shown_and_nothing_that_hides_or_turns_text() {
        for text in [
            "CI (Zürich) – 2026/11 §5",
            "日本語 キー",
            "العربية",
            "हिन्दी",
            "👩\u{200d}🚀",
        ] {
            assert_eq!(escaped(text), text);
        }
        for (text, safe) in [
            ("a\nb\u{1b}[31m", r"a\u{a}b\u{1b}[31m"),
            ("a\u{202e}b\u{2066}", r"a\u{202e}b\u{2066}"),
            ("\u{200e}\u{61c}\u{feff}", r"\u{200e}\u{61c}\u{feff}"),
            ("\u{2028}\u{e000}\u{378}", r"\u{2028}\u{e000}\u{378}"),
        ] {
            assert_eq!(escaped(text), safe);
        }
    }
}
