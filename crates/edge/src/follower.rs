//! Following the change feed: one worker of a proxy polls for all, and each takes over what
//! it publishes.

use std::hash::BuildHasher as _;

use keygate_core::keys::KeyService;
use keygate_core::keys::wire::{CHANGES_PATH, ChangesResponse, EdgeName, EdgeReport};
use keygate_core::{Millis, UnixMillis};

use crate::applied::{Applied, Row};
use crate::cache::{KeyCache, Seed};
use crate::counter::Counter;
use crate::fault::Fault;
use crate::faults::Faults;
use crate::feed::{CatchUp, PollLease, Position, SharedFeed};
use crate::host::Token;
use crate::report::{Notice, Report};
use crate::shared::{Shared, Version};

/// How often a worker tries to write what others write as well.
const TRIES: usize = 16;

/// One worker's part.
pub(crate) struct Follower {
    lease_name: String,
    feed_name: String,
    applied_name: String,
    /// The name of the proxy.
    proxy: Option<EdgeName>,
    /// How long cached keys of this worker count, and whether its policy lets keys pass that
    /// cannot be looked up.
    of_policy: (Millis, bool),
    seed: Seed,
    /// Tells this worker from the others.
    me: u64,
    /// How many feeds it has begun.
    begun: u64,
    /// A poll that is due and not yet taken by the host.
    next: Option<PollDue>,
    call: Option<Poll>,
    /// No poll before this.
    due: Option<UnixMillis>,
    /// Whether the last call failed, so that the log says it once.
    is_failing: bool,
    /// Whether this worker holds the poll lease: it logs for all of them.
    polls: bool,
    lease: Lease,
    /// The generation that the cache has followed, and the version it was read from.
    followed: Option<(u64, Version)>,
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
    token: Token,
    at: UnixMillis,
    /// It asks for what comes after this; without it, the current epoch.
    after: Option<Position>,
}

/// A poll that is due.
pub(crate) struct PollDue {
    /// Ask for what comes after this; without it, the current epoch.
    after: Option<Position>,
    /// What it says of this edge.
    pub(crate) report: EdgeReport,
}

/// A poll that was answered.
pub(crate) struct Answered(Poll);

impl Follower {
    /// A worker that follows the feed of a key service. Workers that ask the same service
    /// share what they know, also when their rules differ.
    pub(crate) fn new(service: &KeyService, seed: Seed) -> Self {
        let (cluster, authority) = (&service.cluster, &service.authority);
        let name = |what: &str| format!("keygate.3.{what} {cluster} {authority}");
        Self {
            lease_name: name("poll_lease"),
            feed_name: name("feed"),
            applied_name: name("applied"),
            proxy: None,
            of_policy: (service.lease, service.allows_outage),
            seed,
            me: seed.hash_one(0_u64),
            begun: 0,
            next: None,
            call: None,
            due: None,
            is_failing: false,
            polls: false,
            lease: Lease::NotBegun,
            followed: None,
        }
    }

    /// The same in a proxy of this name.
    pub(crate) fn of_proxy(self, proxy: Option<EdgeName>) -> Self {
        Self { proxy, ..self }
    }

    /// Looks whether a poll is due and this worker's turn: see [`Self::next_poll`].
    pub(crate) fn poll(
        &mut self,
        service: &KeyService,
        faults: &mut Faults,
        report: &mut Report,
        shared: &dyn Shared,
        now: UnixMillis,
    ) {
        // The clock may be set back: what lies too far ahead is as lost as what is past.
        let Millis(patience) = service.patience();
        let patience = patience.saturating_add(service.wait().0);
        let lost = |poll: &mut Poll| poll.at.0.abs_diff(now.0) > patience;
        if self.call.take_if(lost).is_some() {
            faults.note(Fault::TimedOut, &service.poll_cluster, now, report);
            self.failed(report);
        }
        // Also while a poll is held: a worker that ticks is alive.
        self.polls = self.hold_lease(shared, now);
        let is_due = |due: UnixMillis| due <= now || due > now.plus(service.poll);
        if !self.polls || self.call.is_some() || !self.due.is_none_or(is_due) {
            return;
        }
        self.due = Some(now.plus(service.poll));
        let feed = self.read(shared).map(|(feed, _)| feed);
        let generation = feed.as_ref().map(|feed| feed.generation);
        self.next = Some(PollDue {
            after: feed.map(|feed| feed.position),
            report: self.report(generation, shared, now),
        });
    }

    /// What a poll says of this edge. The first poll of a proxy makes the table: no worker
    /// caches keys before it has an answer, so none is in a table that another one replaces.
    fn report(&self, generation: Option<u64>, shared: &dyn Shared, now: UnixMillis) -> EdgeReport {
        let applied = self.read_applied(shared).map(|(applied, _)| applied);
        let applied = applied.unwrap_or_else(|| {
            let applied = Applied::begin(self.seed.hash_one(u64::MAX));
            // Without a table, workers cache nothing.
            let _ = shared.write(&self.applied_name, &applied.to_bytes(), 0);
            applied
        });
        let together = applied.together(generation, now);
        let (lease, allows_outage) = self.of_policy;
        EdgeReport {
            start: applied.start,
            name: self.proxy.clone(),
            lease: lease.max(together.lease),
            applied: together.epoch,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            allows_outage: allows_outage || together.allows_outage,
        }
    }

    /// Takes the poll that is due.
    pub(crate) fn next_poll(&mut self) -> Option<PollDue> {
        self.next.take()
    }

    /// Remembers the call of a poll.
    pub(crate) fn sent(&mut self, due: &PollDue, token: Token, now: UnixMillis) {
        self.call = Some(Poll {
            token,
            at: now,
            after: due.after,
        });
    }

    /// Whether a call is the poll; then it is over.
    pub(crate) fn answered(&mut self, token: Token) -> Option<Answered> {
        let poll = self.call.take_if(|poll| poll.token == token)?;
        Some(Answered(poll))
    }

    /// Publishes the answer of the key service, if the epoch is still that of the poll.
    pub(crate) fn publish(
        &mut self,
        Answered(poll): &Answered,
        answer: &ChangesResponse,
        report: &mut Report,
        shared: &dyn Shared,
    ) {
        report.count(Counter::PollAnswered);
        if std::mem::take(&mut self.is_failing) {
            report.log(Notice::AnswersAgain);
        }
        let Poll { at, after, .. } = poll;
        let (feed, version) = match (self.read(shared), after) {
            (Some((mut feed, version)), Some(after)) if feed.position == *after => {
                feed.take(answer, *at);
                (feed, version)
            }
            (None, None) => {
                self.begun = self.begun.wrapping_add(1);
                let generation = self.seed.hash_one(self.begun);
                (SharedFeed::begin(generation, answer, *at), 0)
            }
            // Another worker was faster.
            (Some(_) | None, Some(_)) | (Some(_), None) => return,
        };
        if shared.write(&self.feed_name, &feed.to_bytes(), version) && answer.more {
            self.due = None;
        }
    }

    /// A poll failed. [`Faults`] logs why.
    pub(crate) fn failed(&mut self, report: &mut Report) {
        report.count(Counter::PollUnavailable);
        self.is_failing = true;
    }

    /// Takes over what the polling worker has published.
    pub(crate) fn follow(
        &mut self,
        cache: &KeyCache,
        report: &mut Report,
        shared: &dyn Shared,
        now: UnixMillis,
    ) {
        self.take_over(cache, report, shared, now);
        self.watch_lease(cache, report, now);
    }

    /// Logs the end of the lease once for all workers, and its renewal. Where another worker
    /// begins to poll after the end, it says so again.
    fn watch_lease(&mut self, cache: &KeyCache, report: &mut Report, now: UnixMillis) {
        match (cache.is_fresh(now), self.lease) {
            (true, Lease::Ended) => {
                report.count(Counter::LeaseRenewed);
                report.log(Notice::LeaseRenewed);
                self.lease = Lease::Runs;
            }
            (true, Lease::NotBegun | Lease::Runs) => self.lease = Lease::Runs,
            (false, Lease::Runs) if self.polls => {
                report.count(Counter::LeaseEnded);
                report.log(Notice::LeaseEnded);
                self.lease = Lease::Ended;
            }
            (false, _) => {}
        }
    }

    fn take_over(
        &mut self,
        cache: &KeyCache,
        report: &mut Report,
        shared: &dyn Shared,
        now: UnixMillis,
    ) {
        cache.observe(now);
        let Some((feed, version)) = self.read(shared) else {
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
                report.count(Counter::FeedBegun);
                CatchUp::Forget(Vec::new())
            }
        };
        // Before it counts: between the two, this worker decides no request.
        let is_noted = self.note(&feed, renewed, shared, now);
        match caught_up {
            CatchUp::Forget(hashes) => cache.follow(&hashes, feed.position, is_noted, renewed),
            CatchUp::Reset => {
                report.count(Counter::FeedReset);
                let renewed = if is_noted { renewed } else { UnixMillis(0) };
                cache.reset(feed.position, renewed);
            }
        }
        // What could not be noted is tried again at the next tick.
        let version = if is_noted { version } else { 0 };
        self.followed = Some((feed.generation, version));
    }

    /// Notes for the poll that this worker has applied the feed. `false` while another worker
    /// always writes first: then its cached keys must not count for longer than is noted.
    fn note(
        &self,
        feed: &SharedFeed,
        renewed: UnixMillis,
        shared: &dyn Shared,
        now: UnixMillis,
    ) -> bool {
        let (lease, allows_outage) = self.of_policy;
        let row = Row {
            worker: self.me,
            generation: feed.generation,
            epoch: feed.position.epoch,
            renewed,
            lease,
            allows_outage,
        };
        self.edit_applied(shared, |applied| applied.put(row, now))
    }

    /// Changes the table; `false` if there is none, or other workers write all the time.
    fn edit_applied(&self, shared: &dyn Shared, edit: impl Fn(&mut Applied)) -> bool {
        (0..TRIES).any(|_| {
            let Some((mut applied, version)) = self.read_applied(shared) else {
                return false;
            };
            edit(&mut applied);
            shared.write(&self.applied_name, &applied.to_bytes(), version)
        })
    }

    fn read_applied(&self, shared: &dyn Shared) -> Option<(Applied, Version)> {
        let (bytes, version) = shared.read(&self.applied_name)?;
        Some((Applied::parse(&bytes)?, version))
    }

    fn read(&self, shared: &dyn Shared) -> Option<(SharedFeed, Version)> {
        let (bytes, version) = shared.read(&self.feed_name)?;
        Some((SharedFeed::parse(&bytes)?, version))
    }

    /// Gives the lease up, so that another worker polls from its next tick on.
    pub(crate) fn hand_over(&self, shared: &dyn Shared) {
        // Where it cannot be removed, it goes with its lease.
        let _ = self.edit_applied(shared, |applied| {
            applied.remove(self.me);
        });
        if let Some((bytes, version)) = shared.read(&self.lease_name)
            && let Some(lease) = PollLease::parse(&bytes).filter(|lease| lease.owner == self.me)
        {
            // Where it cannot be written, another worker has it already.
            let _ = shared.write(&self.lease_name, &lease.ended().to_bytes(), version);
        }
    }

    /// Whether it is this worker that polls: it holds the lease, or has just got it.
    fn hold_lease(&self, shared: &dyn Shared, now: UnixMillis) -> bool {
        let (held, version) = match shared.read(&self.lease_name) {
            Some((bytes, version)) => (PollLease::parse(&bytes), version),
            None => (None, 0),
        };
        let is_free = held.is_none_or(|lease| lease.owner == self.me || lease.is_over(now));
        let lease = PollLease::new(self.me, now);
        is_free && shared.write(&self.lease_name, &lease.to_bytes(), version)
    }
}

impl PollDue {
    /// Path and query of the call, and how long it may take.
    pub(crate) fn target(&self, service: &KeyService) -> (String, Millis) {
        let Some(Position { incarnation, epoch }) = self.after else {
            return (CHANGES_PATH.to_owned(), service.timeout);
        };
        let Millis(wait) = service.wait();
        let query = format!("after={epoch}&incarnation={incarnation}&wait={wait}ms");
        let timeout = Millis(service.timeout.0.saturating_add(wait));
        (format!("{CHANGES_PATH}?{query}"), timeout)
    }
}
