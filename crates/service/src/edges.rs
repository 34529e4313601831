//! The edges that poll the change feed, and how far each has followed it.
//!
//! In memory: after a restart, an edge is listed from its next poll on. Replicas of the service tell each
//! other of polls through their database. Times are counted from the start of the service, so that a
//! wall clock that jumps declares no edge gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keygate_core::keys::wire::EdgeReport;
use keygate_core::{Millis, UnixMillis};
use schemars::JsonSchema;
use serde::Serialize;

use crate::space::{Space, Spaces};
use crate::words::words;

/// Most edges without a space that are listed one by one.
const MAX_EDGES: usize = 4096;

/// Most edges of one space that are. An edge token of one space cannot use up the rows of another.
const MAX_EDGES_OF_SPACE: usize = 1024;

/// Most edges of all spaces, which bounds the memory.
const MAX_EDGES_OF_ALL: usize = 16_384;

/// How long an edge stays in the list after it was last able to accept a cached key.
pub(crate) const KEPT: Duration = Duration::from_secs(3600);

words! {
    /// How an edge stands.
    State {
        /// It has applied every change.
        Current = "current",
        /// It has not applied every change yet.
        Behind = "behind",
        /// Its lease has ended since its last poll: it accepts no cached key.
        Gone = "gone",
        /// It does not report how far it is.
        Unknown = "unknown",
    }
}

/// An edge as the API shows it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Edge")]
pub struct EdgeObject {
    /// The name of the proxy, if it has one.
    pub name: Option<String>,
    /// A random number of this start of the proxy.
    pub start: Option<String>,
    /// The space that it is bound to: it accepts no key of another.
    pub space: Option<Space>,
    /// Whether the edge follows the change feed.
    pub state: State,
    /// The oldest epoch that all its workers have applied.
    pub epoch: Option<u64>,
    /// How many changes it has yet to apply.
    pub changes_behind: Option<u64>,
    /// When it last polled.
    pub last_poll_at: String,
    /// How long ago that is.
    pub seconds_since_poll: u64,
    /// For how long it accepts cached keys after a poll.
    pub lease_seconds: Option<u64>,
    /// The version of its filter.
    pub version: Option<String>,
    /// Whether it lets keys pass that it cannot look up in an outage.
    pub outage_allow: Option<bool>,
}

/// How far before the start of a service a poll can be that another replica has heard.
const BEFORE: Duration = Duration::from_secs(26 * 3600);

/// The last poll of an edge, or of all edges of a space that do not report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Poll {
    /// That of the edge's token; `None` for one that sees all.
    pub(crate) space: Option<Space>,
    /// What the edge says of itself.
    pub(crate) report: Option<EdgeReport>,
    /// Up to which change it has applied everything.
    pub(crate) epoch: u64,
    /// How long ago it was.
    pub(crate) ago: Duration,
}

/// How the edges stand together.
#[derive(Debug)]
pub struct Standing {
    /// How many edges are in each state.
    pub counts: BTreeMap<&'static str, u64>,
    /// Up to which change every edge that accepts cached keys has applied all.
    pub applied: u64,
}

/// The edges of a service.
#[derive(Debug)]
pub(crate) struct Edges {
    began: Instant,
    is_shared: bool,
    table: Mutex<Table>,
}

impl Edges {
    /// `is_shared` says whether there may be other replicas to tell of polls.
    pub(crate) fn new(is_shared: bool) -> Self {
        Self {
            began: Instant::now(),
            is_shared,
            table: Mutex::default(),
        }
    }

    /// Notes a poll of an edge that has applied everything in these spaces up to `epoch`.
    pub(crate) fn polled(&self, report: Option<EdgeReport>, spaces: &Spaces, epoch: u64) {
        let (now, mut table) = (self.now(), self.table());
        let start = report.as_ref().map(|it| it.start);
        if self.is_shared && table.untold.len() < MAX_EDGES_OF_ALL {
            table.untold.insert((spaces.only().cloned(), start));
        }
        table.polled(report, spaces.only().cloned(), epoch, now);
    }

    /// The edges that may accept keys of these spaces, by name; `newest` is the epoch of the feed.
    pub(crate) fn list(&self, spaces: &Spaces, newest: u64, clock: UnixMillis) -> Vec<EdgeObject> {
        let now = self.now();
        let all = self.table().list(newest, now, clock).into_iter();
        let is_seen = |edge: &EdgeObject| edge.space.as_ref().is_none_or(|it| spaces.has(it));
        all.filter(is_seen).collect()
    }

    /// How they stand together.
    pub(crate) fn standing(&self, newest: u64) -> Standing {
        let now = self.now();
        self.table().standing(newest, now)
    }

    /// The polls since the last call.
    pub(crate) fn untold(&self) -> Vec<Poll> {
        let now = self.now();
        self.table().untold(now)
    }

    /// These are to be told again.
    pub(crate) fn tell_again(&self, polls: &[Poll]) {
        let places = polls.iter().map(|poll| {
            let start = poll.report.as_ref().map(|it| it.start);
            (poll.space.clone(), start)
        });
        self.table().untold.extend(places);
    }

    /// Adds polls that other replicas have heard.
    pub(crate) fn heard(&self, polls: Vec<Poll>) {
        let now = self.now();
        let mut table = self.table();
        for poll in polls {
            table.heard(poll, now);
        }
    }

    /// The time since [`BEFORE`] the start.
    fn now(&self) -> Duration {
        self.uptime().saturating_add(BEFORE)
    }

    /// How long the service has been noting polls.
    pub(crate) fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last poll of an edge.
#[derive(Debug)]
struct Seen {
    report: EdgeReport,
    epoch: u64,
    at: Duration,
}

#[derive(Debug, Default)]
struct Table {
    /// By the space of the token and the number of the start: an edge says its number itself, so
    /// it must not reach the row of an edge of another space.
    edges: BTreeMap<(Option<Space>, u64), Seen>,
    /// For each space, the last poll of all edges that do not report, or for which there is no room.
    others: BTreeMap<Option<Space>, Duration>,
    /// The edges that have polled here since other replicas were told of polls.
    untold: BTreeSet<(Option<Space>, Option<u64>)>,
}

impl Table {
    fn polled(
        &mut self,
        report: Option<EdgeReport>,
        space: Option<Space>,
        epoch: u64,
        now: Duration,
    ) {
        let Some(report) = report else {
            self.others.insert(space, now);
            return;
        };
        let place = (space, report.start);
        if !self.edges.contains_key(&place) && !self.has_room(&place.0) {
            let is_other = |space: &Option<Space>| *space != place.0;
            self.edges
                .retain(|(space, _), edge| is_other(space) || !edge.is_gone(now));
            if !self.has_room(&place.0) {
                self.others.insert(place.0, now);
                return;
            }
        }
        let seen = Seen {
            report,
            epoch,
            at: now,
        };
        self.edges.insert(place, seen);
    }

    fn untold(&mut self, now: Duration) -> Vec<Poll> {
        let untold = std::mem::take(&mut self.untold).into_iter();
        let poll = |(space, start): (Option<Space>, Option<u64>)| {
            let edge = start.and_then(|start| self.edges.get(&(space.clone(), start)));
            let at = match edge {
                Some(edge) => edge.at,
                // There was no room for it.
                None => *self.others.get(&space)?,
            };
            Some(Poll {
                report: edge.map(|edge| edge.report.clone()),
                epoch: edge.map_or(0, |edge| edge.epoch),
                ago: now.saturating_sub(at),
                space,
            })
        };
        untold.filter_map(poll).collect()
    }

    /// Adds a poll that another replica has heard, unless a later one is known.
    fn heard(&mut self, poll: Poll, now: Duration) {
        let at = now.saturating_sub(poll.ago);
        let known = match &poll.report {
            Some(report) => self.edges.get(&(poll.space.clone(), report.start)),
            None => None,
        };
        let known = match (&poll.report, known) {
            (None, _) => self.others.get(&poll.space).copied(),
            (Some(_), known) => known.map(|edge| edge.at),
        };
        if known.is_none_or(|known| known < at) {
            self.polled(poll.report, poll.space, poll.epoch, at);
        }
    }

    /// Whether one more edge of this space can be listed.
    fn has_room(&self, space: &Option<Space>) -> bool {
        let most = match space {
            Some(_) => MAX_EDGES_OF_SPACE,
            None => MAX_EDGES,
        };
        let first = (space.clone(), 0);
        let last = (space.clone(), u64::MAX);
        self.edges.len() < MAX_EDGES_OF_ALL && self.edges.range(first..=last).count() < most
    }

    fn forget(&mut self, now: Duration) {
        self.edges
            .retain(|_, edge| now < edge.end().saturating_add(KEPT));
        self.others.retain(|_, at| now < at.saturating_add(KEPT));
    }

    fn list(&mut self, newest: u64, now: Duration, clock: UnixMillis) -> Vec<EdgeObject> {
        self.forget(now);
        let polled = |at: Duration| {
            let ago = now.saturating_sub(at);
            let millis = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
            let at = UnixMillis(clock.0.saturating_sub(millis));
            (at.to_string(), ago.as_secs())
        };
        let object = |((space, _), edge): (&(Option<Space>, u64), &Seen)| {
            let (last_poll_at, seconds_since_poll) = polled(edge.at);
            let report = &edge.report;
            EdgeObject {
                name: report.name.as_ref().map(|name| name.as_str().to_owned()),
                start: Some(format!("{:016x}", report.start)),
                space: space.clone(),
                state: edge.state(newest, now),
                epoch: Some(edge.epoch),
                changes_behind: Some(newest.saturating_sub(edge.epoch)),
                last_poll_at,
                seconds_since_poll,
                lease_seconds: Some(report.lease.0.div_ceil(1000)),
                version: Some(report.version.clone()),
                outage_allow: Some(report.allows_outage),
            }
        };
        let mut all: Vec<EdgeObject> = self.edges.iter().map(object).collect();
        all.sort_by(|a, b| (&a.name, &a.start).cmp(&(&b.name, &b.start)));
        all.extend(self.others.iter().map(|(space, at)| {
            let (last_poll_at, seconds_since_poll) = polled(*at);
            EdgeObject {
                name: None,
                start: None,
                space: space.clone(),
                state: State::Unknown,
                epoch: None,
                changes_behind: None,
                last_poll_at,
                seconds_since_poll,
                lease_seconds: None,
                version: None,
                outage_allow: None,
            }
        }));
        all
    }

    fn standing(&mut self, newest: u64, now: Duration) -> Standing {
        self.forget(now);
        let mut counts: BTreeMap<_, _> = State::WORDS.iter().map(|word| (*word, 0_u64)).collect();
        let edges = self.edges.values().map(|edge| edge.state(newest, now));
        for state in edges.chain(self.others.values().map(|_| State::Unknown)) {
            let count = counts.entry(state.word()).or_default();
            *count = count.saturating_add(1);
        }
        let accepting = self.edges.values().filter(|edge| !edge.is_gone(now));
        let applied = accepting.map(|edge| edge.epoch.min(newest)).min();
        Standing {
            counts,
            applied: applied.unwrap_or(newest),
        }
    }
}

impl Seen {
    fn state(&self, newest: u64, now: Duration) -> State {
        match (self.is_gone(now), self.epoch < newest) {
            (true, _) => State::Gone,
            (false, true) => State::Behind,
            (false, false) => State::Current,
        }
    }

    /// The lease began when the poll was sent, which was before it was noted.
    fn is_gone(&self, now: Duration) -> bool {
        self.end() <= now
    }

    fn end(&self) -> Duration {
        let Millis(lease) = self.report.lease;
        self.at.saturating_add(Duration::from_millis(lease))
    }
}

#[cfg(test)]
mod tests;
