//! Texts that may stand in a header.

use crate::identity::limits::MAX_NAME;

/// Visible ASCII, bounded: what may stand in a header without a second thought.
pub(crate) fn is_token(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
