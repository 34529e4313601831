//! Text cut at an ASCII byte.
//!
//! `str` does the same at a `char`, but its searcher costs more than the search itself where a
//! text is as short as those in a request.

use memchr::memchr;

/// The text before the first `at`, and after it.
#[inline]
pub(crate) fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = memchr(at, text.as_bytes())?;
    let (before, rest) = text.split_at_checked(place)?;
    Some((before, rest.get(1..)?))
}

/// The parts of a text between the bytes `at`; an empty text has one.
#[inline]
pub(crate) fn parts(text: &str, at: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (part, after) = cut(text, at).map_or((text, None), |(part, it)| (part, Some(it)));
        rest = after;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn it_cuts_where_the_standard_library_does(text in "[a&é]{0,12}") {
            proptest::prop_assert_eq!(cut(&text, b'&'), text.split_once('&'));
            let parts: Vec<&str> = parts(&text, b'&').collect();
            proptest::prop_assert_eq!(parts, text.split('&').collect::<Vec<_>>());
        }
    }
}
