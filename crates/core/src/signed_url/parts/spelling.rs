//! The spellings in which a signer may have signed what arrives.

use std::borrow::Cow;

use crate::http::path::{canonical, canonical_before_envoy};

/// A text as it arrived, then its canonical spelling (RFC 3986 section 6.2.2), then its
/// spelling before Envoy percent-encoded it. Each is returned once, and made when asked for.
pub(crate) fn each(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut seen: Vec<Cow<'_, str>> = Vec::new();
    (0_u8..3).filter_map(move |way| {
        let spelling = match way {
            0 => Cow::Borrowed(text),
            1 => canonical(text),
            _ => canonical_before_envoy(text),
        };
        let is_new = !seen.contains(&spelling);
        is_new.then(|| seen.push(spelling.clone()))?;
        Some(spelling)
    })
}

/// Whether `signs` returns true for one of the spellings of a text.
pub(crate) fn is_signed(text: &str, signs: impl Fn(&str) -> bool) -> bool {
    signs(text) || each(text).skip(1).any(|spelling| signs(&spelling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_of_a_text_is_listed_once() {
        for (text, expected) in [
            ("/a", &["/a"][..]),
            ("/%61", &["/%61", "/a"]),
            ("/a%7Cb", &["/a%7Cb", "/a|b"]),
            ("/a%7cb", &["/a%7cb", "/a%7Cb", "/a|b"]),
            ("/a|b", &["/a|b", "/a%7Cb"]),
        ] {
            assert_eq!(each(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
