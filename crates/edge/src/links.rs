//! Links that work once: who remembers is the key service, for all workers and proxies.

use keygate_core::secret::{DigestKey, Keyed, Memo};
use keygate_core::signed_url::OnceLink;
use keygate_core::{Millis, UnixMillis};

/// How long an unused link is taken for unused without another call.
const UNUSED_FOR: Millis = Millis::from_secs(1);

/// Links that a worker has seen used up: a second use costs no question. The one that was
/// not asked for the longest goes first, and is asked about again.
#[derive(Default)]
pub struct UsedLinks(Memo<()>);

impl UsedLinks {
    /// Remembers a link that is used up.
    pub fn remember(&self, link: &OnceLink) {
        self.0.put(digest(link), ());
    }

    /// Whether a link is known to be used up. `false` says nothing.
    pub fn contains(&self, link: &OnceLink) -> bool {
        self.0.get(digest(link)).is_some()
    }
}

/// Links that the key service has just called unused. Requests that use nothing up need no
/// other call for a second; another worker may use the link up meanwhile.
#[derive(Default)]
pub struct UnusedLinks(Memo<UnixMillis>);

impl UnusedLinks {
    /// Remembers a link that was unused at `asked_at`, when the key service was asked.
    pub fn remember(&self, link: &OnceLink, asked_at: UnixMillis) {
        self.0.put(digest(link), asked_at);
    }

    /// Whether a link was unused within the last second. `false` says nothing.
    pub fn contains(&self, link: &OnceLink, now: UnixMillis) -> bool {
        // An instant ahead is from before the clock was set back.
        let is_recent = |at: UnixMillis| at <= now && now < at.plus(UNUSED_FOR);
        self.0.get(digest(link)).is_some_and(is_recent)
    }
}

/// Under no secret: the signer of a link chooses its id, and clients choose none.
fn digest(link: &OnceLink) -> Keyed {
    DigestKey::new([0; 16]).digest([link.id.as_bytes()])
}
