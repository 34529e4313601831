//! How far the change feed has come, as the threads of a process know it.

use keygate_core::keys::wire::Incarnation;
use tokio::sync::watch;

/// How far the feed has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The life that the database is in.
    pub(super) incarnation: Incarnation,
    /// The number of the newest change; 0 before the first.
    pub(super) epoch: u64,
}

impl Head {
    /// Notes how far the feed has come. A thread may read that before another one and note it later:
    /// within an incarnation, the feed never goes back.
    pub(super) fn note(self, heads: &watch::Sender<Self>) {
        heads.send_if_modified(|known| {
            let is_news = known.incarnation != self.incarnation || known.epoch < self.epoch;
            if is_news {
                *known = self;
            }
            is_news
        });
    }
}
