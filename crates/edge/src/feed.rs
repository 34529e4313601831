//! What the workers of one proxy share of the change feed: one polls, the others read.
//!
//! Bytes of a fixed form, since the proxy keeps them between virtual machines. Whatever does
//! not parse counts as nothing: a worker then starts over.

use std::collections::VecDeque;

use keygate_core::keys::KeyHash;
use keygate_core::keys::wire::{ChangesResponse, Incarnation};
use keygate_core::{Millis, UnixMillis};

/// How many changes are kept for workers that have not read them yet. A worker that fell
/// further behind starts with an empty cache.
const KEPT: usize = 1024;

/// A place in the change feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// In which life of the database.
    pub incarnation: Incarnation,
    /// The number of the newest change before it.
    pub epoch: u64,
}

/// The worker that polls, and until when no other does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollLease {
    /// A random number of the worker.
    pub(crate) owner: u64,
    /// First instant at which another may take it.
    pub(crate) until: UnixMillis,
}

/// The newest part of the feed, and when it was last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedFeed {
    /// Another number: forget everything.
    pub generation: u64,
    /// Behind the newest change that is in.
    pub position: Position,
    /// When the last successful poll was made; nothing until one brought all changes.
    pub renewed: Option<UnixMillis>,
    /// Changes up to this epoch are not in `changes` any more.
    from: u64,
    /// Oldest first: the epoch after a change, and which key it concerns.
    changes: VecDeque<(u64, KeyHash)>,
}

/// What a worker has to do to catch up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// Forget these.
    Forget(Vec<KeyHash>),
    /// Forget everything.
    Reset,
}

impl Position {
    /// Up to where an answer of the key service contains every change.
    pub(crate) fn new(incarnation: Incarnation, epoch: u64) -> Self {
        Self { incarnation, epoch }
    }
}

impl PollLease {
    /// How long a worker that died may keep others from polling.
    const SPAN: Millis = Millis(2000);

    /// A lease from now on.
    pub fn new(owner: u64, now: UnixMillis) -> Self {
        let until = now.plus(Self::SPAN);
        Self { owner, until }
    }

    /// Whether any worker may take the lease. One that ends later than a lease can was made
    /// before the clock was set back.
    pub(crate) fn is_over(self, now: UnixMillis) -> bool {
        self.until <= now || self.until > now.plus(Self::SPAN)
    }

    /// This lease, free for any worker.
    pub(crate) fn ended(self) -> Self {
        let until = UnixMillis(0);
        Self { until, ..self }
    }

    /// Its form between workers.
    pub fn to_bytes(self) -> Vec<u8> {
        [self.owner.to_le_bytes(), self.until.0.to_le_bytes()].concat()
    }

    /// Reads that form.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let lease = Self {
            owner: reader.number()?,
            until: UnixMillis(reader.number()?),
        };
        reader.0.is_empty().then_some(lease)
    }
}

impl SharedFeed {
    /// The feed from its first answer on, which contains only the current epoch.
    pub fn begin(generation: u64, answer: &ChangesResponse, asked_at: UnixMillis) -> Self {
        Self {
            generation,
            position: Position::new(answer.incarnation, answer.epoch),
            renewed: (!answer.more).then_some(asked_at),
            from: answer.epoch,
            changes: VecDeque::new(),
        }
    }

    /// Takes an answer of the key service, that was asked for at `asked_at`. A partial
    /// answer renews nothing. Another incarnation is no reason to forget: the service says
    /// `reset` when the place that it was asked from is not in the history of the new one.
    pub fn take(&mut self, answer: &ChangesResponse, asked_at: UnixMillis) {
        if answer.reset {
            *self = Self::begin(self.generation.wrapping_add(1), answer, asked_at);
            return;
        }
        self.position = Position::new(answer.incarnation, answer.epoch);
        let new = answer.changed.iter().map(|hash| (answer.epoch, *hash));
        self.changes.extend(new);
        while self.changes.len() > KEPT {
            if let Some((epoch, _)) = self.changes.pop_front() {
                self.from = epoch;
            }
        }
        if !answer.more {
            self.renewed = Some(asked_at);
        }
    }

    /// What a worker that has followed up to `epoch` of `generation` has missed.
    pub fn since(&self, generation: u64, epoch: u64) -> CatchUp {
        if generation != self.generation || epoch < self.from || epoch > self.position.epoch {
            return CatchUp::Reset;
        }
        let missed = self.changes.iter().filter(|(at, _)| *at > epoch);
        CatchUp::Forget(missed.map(|(_, hash)| *hash).collect())
    }

    /// Its form between workers.
    pub fn to_bytes(&self) -> Vec<u8> {
        let renewed = self.renewed.map_or(u64::MAX, |at| at.0);
        let mut bytes = Vec::from(self.position.incarnation.0);
        for number in [self.generation, self.position.epoch, renewed, self.from] {
            bytes.extend(number.to_le_bytes());
        }
        for (epoch, hash) in &self.changes {
            bytes.extend(epoch.to_le_bytes());
            bytes.extend(hash.0);
        }
        bytes
    }

    /// Reads that form.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let incarnation = Incarnation(reader.bytes()?);
        let (generation, epoch) = (reader.number()?, reader.number()?);
        let (renewed, from) = (reader.number()?, reader.number()?);
        let mut changes = VecDeque::new();
        while !reader.0.is_empty() {
            changes.push_back((reader.number()?, KeyHash(reader.bytes()?)));
        }
        Some(Self {
            generation,
            position: Position { incarnation, epoch },
            renewed: (renewed != u64::MAX).then_some(UnixMillis(renewed)),
            from,
            changes,
        })
    }
}

/// Reads numbers and fields of a fixed size.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: usize) -> KeyHash {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        KeyHash(hash)
    }

    fn answer(epoch: u64, changed: &[usize]) -> ChangesResponse {
        ChangesResponse {
            incarnation: Incarnation([1; 16]),
            epoch,
            reset: false,
            more: false,
            changed: changed.iter().map(|it| hash(*it)).collect(),
        }
    }

    fn begun() -> SharedFeed {
        SharedFeed::begin(7, &answer(10, &[]), UnixMillis(1))
    }

    #[test]
    fn a_worker_learns_what_it_has_missed_and_no_more() {
        let mut feed = begun();
        feed.take(&answer(11, &[1]), UnixMillis(2));
        feed.take(&answer(13, &[2, 3]), UnixMillis(3));
        for (epoch, missed) in [(10, vec![1, 2, 3]), (11, vec![2, 3]), (13, vec![])] {
            let missed = missed.into_iter().map(hash).collect();
            assert_eq!(feed.since(7, epoch), CatchUp::Forget(missed), "{epoch}");
        }
        assert_eq!(feed.renewed, Some(UnixMillis(3)));
    }

    #[test]
    fn a_follower_that_fell_behind_or_knows_another_feed_starts_over() {
        let mut feed = begun();
        for (generation, epoch) in [(6, 10), (7, 9), (7, 14)] {
            assert_eq!(feed.since(generation, epoch), CatchUp::Reset);
        }
        let many: Vec<usize> = (0..=KEPT).collect();
        feed.take(&answer(12, &[1]), UnixMillis(2));
        feed.take(&answer(2000, &many), UnixMillis(2));
        assert_eq!(feed.since(7, 11), CatchUp::Reset);
        assert_eq!(
            feed.since(7, 12),
            CatchUp::Reset,
            "one of its changes is gone"
        );
        assert_eq!(feed.since(7, 2000), CatchUp::Forget(Vec::new()));
        let reset = ChangesResponse {
            reset: true,
            ..answer(3, &[])
        };
        feed.take(&reset, UnixMillis(4));
        assert_eq!(feed.since(7, 2000), CatchUp::Reset);
        assert_eq!(feed.since(8, 3), CatchUp::Forget(Vec::new()));
        assert_eq!(feed.since(8, 2), CatchUp::Reset);
    }

    #[test]
    fn as_many_changes_are_kept_as_there_is_room_for() {
        let mut feed = begun();
        let all: Vec<usize> = (0..KEPT).collect();
        feed.take(&answer(11, &all), UnixMillis(2));
        let missed = all.iter().map(|it| hash(*it)).collect();
        assert_eq!(feed.since(7, 10), CatchUp::Forget(missed));
        feed.take(&answer(12, &[1]), UnixMillis(3));
        assert_eq!(feed.since(7, 10), CatchUp::Reset);
        assert_eq!(feed.since(7, 11), CatchUp::Forget(vec![hash(1)]));
    }

    #[test]
    fn another_incarnation_goes_on_where_the_service_says_no_reset() {
        let mut feed = begun();
        feed.take(&answer(11, &[1]), UnixMillis(2));
        let later = ChangesResponse {
            incarnation: Incarnation([2; 16]),
            ..answer(12, &[2])
        };
        feed.take(&later, UnixMillis(3));
        assert_eq!(feed.position.incarnation, later.incarnation);
        assert_eq!(
            feed.since(7, 10),
            CatchUp::Forget(vec![hash(1), hash(2)]),
            "no worker starts over, and nothing is missed"
        );
    }

    #[test]
    fn a_partial_answer_renews_nothing() {
        let mut feed = begun();
        let part = ChangesResponse {
            more: true,
            ..answer(11, &[1])
        };
        feed.take(&part, UnixMillis(9));
        assert_eq!(feed.renewed, Some(UnixMillis(1)));
    }

    #[test]
    fn the_lease_of_a_worker_that_died_ends_and_a_clock_set_back_frees_it() {
        let lease = PollLease::new(1, UnixMillis(10_000));
        assert!(!lease.is_over(UnixMillis(10_000)));
        assert!(!lease.is_over(UnixMillis(11_999)));
        assert!(lease.is_over(UnixMillis(12_000)));
        assert!(lease.is_over(UnixMillis(9_999)), "before it was made");
        assert_eq!(PollLease::parse(&lease.to_bytes()), Some(lease));
        assert!(lease.ended().is_over(UnixMillis(10_000)));
    }

    proptest::proptest! {
        #[test]
        fn the_bytes_of_a_feed_read_as_that_feed(
            batches in proptest::collection::vec(proptest::collection::vec(0..50_usize, 0..5), 0..9)
        ) {
            let mut feed = begun();
            for (index, batch) in batches.iter().enumerate() {
                let epoch = 11_u64.saturating_add(u64::try_from(index).unwrap());
                feed.take(&answer(epoch, batch), UnixMillis(epoch));
            }
            proptest::prop_assert_eq!(SharedFeed::parse(&feed.to_bytes()), Some(feed));
        }

        #[test]
        fn no_bytes_of_a_neighbour_can_panic(bytes: Vec<u8>) {
            let _ = SharedFeed::parse(&bytes);
            let _ = PollLease::parse(&bytes);
        }
    }
}
