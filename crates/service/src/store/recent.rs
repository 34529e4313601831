//! Answers of the change feed that need no statement, where a server is asked: a thousand held polls
//! cost it no more than one.

use std::sync::{Mutex, PoisonError};

use keygate_core::keys::wire::{ChangesResponse, Incarnation};

use super::head::Head;
use crate::space::Spaces;

/// A place in the feed, as an edge names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) spaces: Spaces,
    pub(super) after: u64,
    pub(super) incarnation: Option<Incarnation>,
}

impl Asked {
    /// The answer to an edge that has applied everything up to `head`.
    pub(super) fn at_the_end(&self, head: Head) -> Option<ChangesResponse> {
        let is_there = self.incarnation == Some(head.incarnation) && self.after == head.epoch;
        is_there.then(|| ChangesResponse {
            incarnation: head.incarnation,
            epoch: head.epoch,
            reset: false,
            more: false,
            changed: Vec::new(),
        })
    }
}

/// The answer that was read last. A change wakes all held polls at once, most of which are at one
/// place of the feed.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Option<(Head, Asked, ChangesResponse)>>);

impl Recent {
    /// The answer, if it was read when the feed had come as far as now.
    pub(super) fn find(&self, head: Head, asked: &Asked) -> Option<ChangesResponse> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, of, answer) = last.as_ref()?;
        (*read_at == head && of == asked).then(|| answer.clone())
    }

    /// Keeps an answer. `head` is how far the feed was known to have come before it was read.
    pub(super) fn keep(&self, head: Head, asked: &Asked, answer: &ChangesResponse) {
        let kept = (head, asked.clone(), answer.clone());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(incarnation: u8, epoch: u64) -> Head {
        Head {
            incarnation: Incarnation([incarnation; 16]),
            epoch,
        }
    }

    fn asked(after: u64) -> Asked {
        Asked {
            spaces: Spaces::All,
            after,
            incarnation: Some(Incarnation([1; 16])),
        }
    }

    #[test]
    fn an_answer_counts_until_the_feed_goes_on() {
        let recent = Recent::default();
        let answer = asked(7).at_the_end(head(1, 7)).unwrap();
        recent.keep(head(1, 7), &asked(6), &answer);
        assert_eq!(recent.find(head(1, 7), &asked(6)), Some(answer));
        assert_eq!(recent.find(head(1, 7), &asked(5)), None);
        assert_eq!(recent.find(head(1, 8), &asked(6)), None);
        assert_eq!(recent.find(head(2, 7), &asked(6)), None);
    }

    #[test]
    fn only_an_edge_at_the_end_of_its_own_history_needs_no_statement() {
        assert!(asked(7).at_the_end(head(1, 7)).is_some());
        assert!(asked(6).at_the_end(head(1, 7)).is_none());
        assert!(asked(8).at_the_end(head(1, 7)).is_none());
        assert!(asked(7).at_the_end(head(2, 7)).is_none());
    }
}
