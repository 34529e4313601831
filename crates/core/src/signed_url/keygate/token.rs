//! The token of a link, decoded.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::text::cut::cut;

/// What every token begins with.
pub const VERSION: &str = "kg1.";

/// Longest token, in characters.
pub(super) const MAX_TOKEN: usize = 4096;

/// The longest signature, and what the decoder wants to spare.
const SIGNATURE_SPACE: usize = 66;

/// A token, decoded. The fields are the only copy that the check makes.
pub(super) struct Token {
    pub fields: String,
    signature: [u8; SIGNATURE_SPACE],
    length: usize,
}

impl Token {
    pub(super) fn decode(text: &[u8], signature_length: usize) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (fields, encoded) = cut(text.strip_prefix(VERSION)?, b'.')?;
        // The engine rejects other alphabets, junk, padding and trailing bits.
        let mut signature = [0; SIGNATURE_SPACE];
        let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut signature).ok()?;
        if length != signature_length {
            return None;
        }
        let fields = String::from_utf8(URL_SAFE_NO_PAD.decode(fields).ok()?).ok()?;
        Some(Self {
            fields,
            signature,
            length,
        })
    }

    #[inline]
    pub(super) fn signature(&self) -> &[u8] {
        self.signature.get(..self.length).unwrap_or_default()
    }
}
