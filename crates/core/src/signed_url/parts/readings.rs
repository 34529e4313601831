//! The texts that a token may be, between percent encodings of its own and those of its
//! way.

use std::borrow::Cow;

use crate::http::parameter::decode_token;

/// What arrived, and that without one layer of percent encoding.
///
/// A token may contain percent encodings that are signed, so the text as it arrived comes
/// first. Whichever is read is also what must have been signed.
pub(crate) fn readings(text: &str) -> Vec<Cow<'_, str>> {
    let mut readings = vec![Cow::Borrowed(text)];
    if text.contains('%')
        && let Ok(decoded) = decode_token(text)
        && let Ok(decoded) = String::from_utf8(decoded.into_owned())
    {
        readings.push(Cow::Owned(decoded));
    }
    readings
}
