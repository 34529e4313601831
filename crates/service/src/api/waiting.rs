//! Polls of the change feed that are held until there is something to say.

use std::future::Future;
use std::time::Duration;

use keygate_core::Millis;
use tokio::sync::{Semaphore, watch};

/// The places of held polls. A client that disconnects frees its place.
#[derive(Debug)]
pub(crate) struct Waiting {
    size: usize,
    places: Semaphore,
    is_over: watch::Sender<bool>,
}

impl Waiting {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size,
            places: Semaphore::new(size),
            is_over: watch::Sender::new(false),
        }
    }

    /// Holds a poll until there is news, for so long at most and not beyond [`Self::end`].
    /// `false` at once when every place is taken.
    pub(crate) async fn hold(&self, news: impl Future<Output = ()>, span: Millis) -> bool {
        let Ok(_place) = self.places.try_acquire() else {
            return false;
        };
        let mut is_over = self.is_over.subscribe();
        tokio::select! {
            () = news => {}
            () = tokio::time::sleep(Duration::from_millis(span.0)) => {}
            _ = is_over.wait_for(|it| *it) => {}
        }
        true
    }

    /// Lets all go, now and from now on: the service stops.
    pub(crate) fn end(&self) {
        self.is_over.send_replace(true);
    }

    /// How many are held.
    pub(crate) fn held(&self) -> usize {
        self.size.saturating_sub(self.places.available_permits())
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const LONG: Millis = Millis::from_secs(3600);

    #[tokio::test]
    async fn a_change_or_the_timeout_ends_a_held_poll() {
        let waiting = Waiting::new(1);
        assert!(waiting.hold(ready(()), LONG).await);
        assert!(waiting.hold(pending(), Millis(1)).await);
        assert_eq!(waiting.held(), 0);
    }

    #[tokio::test]
    async fn a_poll_without_a_place_is_not_held_and_a_finished_poll_frees_one() {
        let waiting = Waiting::new(1);
        let mut first = Box::pin(waiting.hold(pending(), LONG));
        tokio::select! {
            biased;
            _ = &mut first => panic!("nothing has happened"),
            () = ready(()) => {}
        }
        assert_eq!(waiting.held(), 1);
        assert!(!waiting.hold(ready(()), LONG).await);
        drop(first);
        assert_eq!(waiting.held(), 0);
        assert!(waiting.hold(ready(()), LONG).await);
    }

    #[tokio::test]
    async fn a_stopping_service_holds_no_poll() {
        let waiting = Waiting::new(2);
        let held = waiting.hold(pending(), LONG);
        let end = async { waiting.end() };
        assert!(tokio::join!(held, end).0);
        assert!(
            waiting.hold(pending(), LONG).await,
            "nor any poll after that"
        );
    }
}
