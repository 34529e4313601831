//! base64url as Google's signers write it: with padding here, without it there.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};

/// Whether `=` is at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// As many as RFC 4648 section 3.2 asks for.
    Always,
    /// None.
    Never,
    /// All or none: the vendor's own signers differ.
    Either,
}

/// Reads base64url strictly: no other alphabet, no junk, no trailing bits.
pub(crate) fn decode(text: &str, padding: Padding) -> Option<Vec<u8>> {
    let always = || URL_SAFE.decode(text).ok();
    let never = || URL_SAFE_NO_PAD.decode(text).ok();
    match padding {
        Padding::Always => always(),
        Padding::Never => never(),
        Padding::Either => always().or_else(never),
    }
}

/// Writes base64url; with padding unless it is [`Padding::Never`].
#[cfg(feature = "tools")]
pub(crate) fn encode(bytes: &[u8], padding: Padding) -> String {
    match padding {
        Padding::Always | Padding::Either => URL_SAFE.encode(bytes),
        Padding::Never => URL_SAFE_NO_PAD.encode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_as_asked_for_and_the_rest_is_strict() {
        for (text, always, never) in [
            ("_-8=", true, false),
            ("_-8", false, true),
            ("_-9=", false, false),
            ("_-8==", false, false),
            ("/+8=", false, false),
            ("_-8= ", false, false),
            ("_ -8=", false, false),
            ("AAAA", true, true),
        ] {
            let is = |padding| decode(text, padding).is_some();
            assert_eq!(is(Padding::Always), always, "{text}");
            assert_eq!(is(Padding::Never), never, "{text}");
            assert_eq!(is(Padding::Either), always || never, "{text}");
        }
    }
}
