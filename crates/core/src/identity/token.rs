//! Texts that are allowed in a header.

use crate::identity::limits::MAX_NAME;

/// Visible ASCII, bounded: text that is safe in a header.
pub(crate) fn is_token(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
