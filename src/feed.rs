//! Following the change feed: one worker of a proxy polls for all, and each takes over what
//! it publishes.

use keygate_core::keys::service::KeyService;
use keygate_core::keys::wire::{CHANGES_PATH, ChangesResponse};
use keygate_core::time::{Millis, UnixMillis};
use keygate_edge::cache::KeyCache;
use keygate_edge::feed::{CatchUp, PollLease, Position, SharedFeed};

use crate::faults::{Fault, Faults};
use crate::host::{self, HostError};
use crate::metrics::count;

/// One worker's part.
pub struct Follower {
    lease_name: String,
    feed_name: String,
    /// Tells this worker from the others.
    me: u64,
    call: Option<Poll>,
    /// No poll before this.
    due: Option<UnixMillis>,
    /// Whether the last call failed, so that the log says it once.
    is_failing: bool,
    /// Whether this worker holds the poll lease: it logs for all of them.
    polls: bool,
    lease: Lease,
    /// The generation that the cache has followed, and the version it was read from.
    followed: Option<(u64, u32)>,
}

/// What was logged of the lease of cached keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lease {
    /// Nothing: it has not begun.
    NotBegun,
    /// Nothing: it runs.
    Runs,
    /// That it has ended.
    Ended,
}

/// A call that is under way.
struct Poll {
    token: u32,
    at: UnixMillis,
    /// It asks for what comes after this; without it, where the feed stands.
    after: Option<Position>,
}

impl Follower {
    /// A worker that follows the feed of a key service. Workers that ask the same service
    /// share what they know, also when their rules differ.
    pub fn new(service: &KeyService) -> Result<Self, HostError> {
        let (cluster, authority) = (&service.cluster, &service.authority);
        let name = |what: &str| format!("keygate.2.{what} {cluster} {authority}");
        Ok(Self {
            lease_name: name("poll_lease"),
            feed_name: name("feed"),
            me: host::random()?,
            call: None,
            due: None,
            is_failing: false,
            polls: false,
            lease: Lease::NotBegun,
            followed: None,
        })
    }

    /// The poll that is due, if it is this worker's turn.
    pub fn poll_due(
        &mut self,
        service: &KeyService,
        faults: &Faults,
        now: UnixMillis,
    ) -> Option<PollDue> {
        // The clock may be set back: what lies too far ahead is as lost as what is past.
        let Millis(patience) = service.patience();
        let patience = patience.saturating_add(service.wait().0);
        let lost = |it: &mut Poll| it.at.0.abs_diff(now.0) > patience;
        if self.call.take_if(lost).is_some() {
            faults.note(Fault::TimedOut, &service.poll_cluster, now);
            self.failed();
        }
        // Also while a poll is held: whoever ticks is alive.
        self.polls = self.hold_lease(now);
        let is_due = |due: UnixMillis| due <= now || due > now.plus(service.poll);
        if !self.polls || self.call.is_some() || !self.due.is_none_or(is_due) {
            return None;
        }
        self.due = Some(now.plus(service.poll));
        let after = self.shared().map(|(feed, _)| feed.position);
        Some(PollDue { after })
    }

    /// Remembers the call of a poll.
    pub fn sent(&mut self, due: &PollDue, token: u32, now: UnixMillis) {
        self.call = Some(Poll {
            token,
            at: now,
            after: due.after,
        });
    }

    /// Whether a call is the poll; then it is over.
    pub fn is_poll(&mut self, token: u32) -> Option<Answered> {
        let poll = self.call.take_if(|it| it.token == token)?;
        Some(Answered(poll))
    }

    /// Publishes what the key service answered, if the feed still stands where it was asked.
    pub fn publish(&mut self, poll: &Answered, answer: &ChangesResponse) {
        count("keygate_poll.answered");
        if std::mem::take(&mut self.is_failing) {
            log::info!("keygate: the key service answers again");
        }
        let Poll { at, after, .. } = &poll.0;
        let (feed, version) = match (self.shared(), after) {
            (Some((mut feed, version)), Some(after)) if feed.position == *after => {
                feed.take(answer, *at);
                (feed, version)
            }
            (None, None) => {
                let Ok(generation) = host::random() else {
                    return;
                };
                (SharedFeed::begin(generation, answer, *at), 0)
            }
            // Another worker was faster.
            (Some(_) | None, Some(_)) | (Some(_), None) => return,
        };
        if host::share(&self.feed_name, &feed.to_bytes(), version).is_ok() && answer.more {
            self.due = None;
        }
    }

    /// A poll failed. [`Faults`] logs why.
    pub fn failed(&mut self) {
        count("keygate_poll.unavailable");
        self.is_failing = true;
    }

    /// Takes over what the polling worker has published.
    pub fn follow(&mut self, cache: &KeyCache, now: UnixMillis) {
        self.take_over(cache, now);
        self.watch_lease(cache, now);
    }

    /// Logs the end of the lease once for all workers, and its renewal. Where another worker
    /// begins to poll after the end, it says so again.
    fn watch_lease(&mut self, cache: &KeyCache, now: UnixMillis) {
        match (cache.is_fresh(now), self.lease) {
            (true, Lease::Ended) => {
                count("keygate_lease.renewed");
                log::info!("keygate: the lease is renewed: cached keys count again");
                self.lease = Lease::Runs;
            }
            (true, Lease::NotBegun | Lease::Runs) => self.lease = Lease::Runs,
            (false, Lease::Runs) if self.polls => {
                count("keygate_lease.ended");
                log::warn!(
                    "keygate: the lease has ended: cached keys do not count until the key \
                     service answers a poll of the change feed"
                );
                self.lease = Lease::Ended;
            }
            (false, _) => {}
        }
    }

    fn take_over(&mut self, cache: &KeyCache, now: UnixMillis) {
        cache.observe(now);
        let Some((feed, version)) = self.shared() else {
            return;
        };
        if self.followed == Some((feed.generation, version)) {
            return;
        }
        let Some(renewed) = feed.renewed else {
            return;
        };
        let caught_up = match (self.followed, cache.position()) {
            (Some((generation, _)), Some(at)) => feed.since(generation, at.epoch),
            _ => {
                count("keygate_feed.begun");
                CatchUp::Forget(Vec::new())
            }
        };
        match caught_up {
            CatchUp::Forget(hashes) => cache.follow(&hashes, feed.position, true, renewed),
            CatchUp::Reset => {
                count("keygate_feed.reset");
                cache.reset(feed.position, renewed);
            }
        }
        self.followed = Some((feed.generation, version));
    }

    fn shared(&self) -> Option<(SharedFeed, u32)> {
        let (bytes, version) = host::shared(&self.feed_name).ok()?;
        Some((SharedFeed::parse(&bytes)?, version))
    }

    /// Gives the lease up, so that another polls from its next tick on.
    pub fn hand_over(&self) {
        if let Ok((bytes, version)) = host::shared(&self.lease_name)
            && let Some(lease) = PollLease::parse(&bytes).filter(|it| it.owner == self.me)
        {
            // An error says that another has it already.
            let _ = host::share(&self.lease_name, &lease.ended().to_bytes(), version);
        }
    }

    /// Whether it is this worker that polls: it holds the lease, or has just got it.
    fn hold_lease(&self, now: UnixMillis) -> bool {
        let (held, version) = match host::shared(&self.lease_name) {
            Ok((bytes, version)) => (PollLease::parse(&bytes), version),
            Err(_) => (None, 0),
        };
        let is_free = held.is_none_or(|it| it.owner == self.me || it.is_over(now));
        let lease = PollLease::new(self.me, now);
        is_free && host::share(&self.lease_name, &lease.to_bytes(), version).is_ok()
    }
}

/// A poll that is due.
pub struct PollDue {
    /// Ask for what comes after this; without it, where the feed stands.
    after: Option<Position>,
}

impl PollDue {
    /// Path and query of the call, and how long it may take.
    pub fn call(&self, service: &KeyService) -> (String, Millis) {
        let Some(Position { incarnation, epoch }) = self.after else {
            return (CHANGES_PATH.to_owned(), service.timeout);
        };
        let Millis(wait) = service.wait();
        let query = format!("after={epoch}&incarnation={incarnation}&wait={wait}ms");
        let timeout = Millis(service.timeout.0.saturating_add(wait));
        (format!("{CHANGES_PATH}?{query}"), timeout)
    }
}

/// A poll that was answered.
pub struct Answered(Poll);
