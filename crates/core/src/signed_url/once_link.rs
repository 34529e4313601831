//! Links that work once.

use crate::time::UnixMillis;

/// A link that works once, and holds otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnceLink {
    /// The [`Fingerprint`](crate::secret::Fingerprint) of the key that signed it, a dot, and
    /// its own id.
    pub id: String,
    /// The first instant at which it holds no more: until then it must be remembered.
    pub expires: UnixMillis,
    /// It permits HEAD and nothing else.
    pub is_for_head: bool,
}
