//! The spellings in which a signer may have signed what arrives.

use crate::path::canonical;

/// Whether `signs` holds for a text as it arrived, or in its canonical spelling, to which
/// every equivalent one comes down (RFC 3986 section 6.2.2).
pub fn is_signed(text: &str, signs: impl Fn(&str) -> bool) -> bool {
    if signs(text) {
        return true;
    }
    let normal = canonical(text);
    normal != text && signs(&normal)
}
