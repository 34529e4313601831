//! The edges that poll the change feed, and how far each has followed it.
//!
//! In memory only: after a restart, an edge is listed from its next poll on. Times are counted
//! from the start of the service, so that a wall clock that jumps declares no edge gone.

use std::collections::BTreeMap;
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
const KEPT: Duration = Duration::from_secs(3600);

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

/// How many edges are in each state.
pub type Counts = BTreeMap<&'static str, u64>;

/// The edges of a service.
#[derive(Debug)]
pub(crate) struct Edges {
    began: Instant,
    table: Mutex<Table>,
}

impl Edges {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            table: Mutex::default(),
        }
    }

    /// Notes a poll of an edge that has applied everything in these spaces up to `epoch`.
    pub(crate) fn polled(&self, report: Option<EdgeReport>, spaces: &Spaces, epoch: u64) {
        let now = self.uptime();
        self.table().polled(report, spaces, epoch, now);
    }

    /// The edges that may accept keys of these spaces, by name; `newest` is the epoch of the feed.
    pub(crate) fn list(&self, spaces: &Spaces, newest: u64, clock: UnixMillis) -> Vec<EdgeObject> {
        let now = self.uptime();
        let all = self.table().list(newest, now, clock).into_iter();
        let is_seen = |edge: &EdgeObject| edge.space.as_ref().is_none_or(|it| spaces.has(it));
        all.filter(is_seen).collect()
    }

    /// How many edges are in each state.
    pub(crate) fn counts(&self, newest: u64) -> Counts {
        let now = self.uptime();
        self.table().counts(newest, now)
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
}

impl Table {
    fn polled(&mut self, report: Option<EdgeReport>, spaces: &Spaces, epoch: u64, now: Duration) {
        let space = spaces.only().cloned();
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

    fn counts(&mut self, newest: u64, now: Duration) -> Counts {
        self.forget(now);
        let mut counts: Counts = State::WORDS.iter().map(|word| (*word, 0)).collect();
        let edges = self.edges.values().map(|edge| edge.state(newest, now));
        for state in edges.chain(self.others.values().map(|_| State::Unknown)) {
            let count = counts.entry(state.word()).or_default();
            *count = count.saturating_add(1);
        }
        counts
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
mod tests {
    use super::*;

    const CLOCK: UnixMillis = UnixMillis(1_795_305_600_000);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn report(start: u64) -> Option<EdgeReport> {
        EdgeReport::parse(&format!("start={start:016x} lease=60000 version=0.1.0"))
    }

    /// What each edge is called and how it stands.
    fn states(table: &mut Table, newest: u64, now: Duration) -> Vec<(Option<String>, State)> {
        let list = table.list(newest, now, CLOCK);
        list.into_iter().map(|it| (it.start, it.state)).collect()
    }

    #[test]
    fn an_edge_is_gone_when_its_lease_ends_and_forgotten_an_hour_later() {
        let mut table = Table::default();
        table.polled(report(1), &Spaces::All, 5, at(100));
        let name = Some("0000000000000001".to_owned());
        for (newest, seconds, state) in [
            (5, 100, State::Current),
            (6, 159, State::Behind),
            (6, 160, State::Gone),
            (5, 3759, State::Gone),
        ] {
            let expected = [(name.clone(), state)];
            assert_eq!(states(&mut table, newest, at(seconds)), expected);
        }
        assert!(states(&mut table, 6, at(3760)).is_empty());
    }

    #[test]
    fn edges_that_do_not_report_are_one_row() {
        let mut table = Table::default();
        table.polled(None, &Spaces::All, 5, at(100));
        table.polled(None, &Spaces::All, 5, at(101));
        table.polled(report(1), &Spaces::All, 5, at(101));
        assert_eq!(
            states(&mut table, 5, at(102)),
            [
                (Some("0000000000000001".to_owned()), State::Current),
                (None, State::Unknown)
            ]
        );
        let counts = table.counts(6, at(102));
        assert_eq!((counts["behind"], counts["unknown"]), (1, 1));
        assert_eq!(counts["gone"], 0);
    }

    #[test]
    fn a_full_table_keeps_the_edges_that_count() {
        let mut table = Table::default();
        let full = u64::try_from(MAX_EDGES).unwrap();
        for start in 0..full {
            table.polled(report(start), &Spaces::All, 5, at(start / 2048));
        }
        table.polled(report(full), &Spaces::All, 5, at(2));
        assert!(
            table.others.contains_key(&None),
            "it is counted as one of the others"
        );
        table.polled(report(0), &Spaces::All, 6, at(3));
        assert_eq!(table.edges[&(None, 0)].epoch, 6);
        // The first 2048 are gone, but for the one that has polled again.
        table.polled(report(full + 1), &Spaces::All, 5, at(60));
        assert!(table.edges.contains_key(&(None, full + 1)));
        assert_eq!(table.edges.len(), 2050);
    }

    #[test]
    fn an_edge_of_one_space_reaches_no_row_of_another() {
        let of = |name| Spaces::Only(Space::parse(name).unwrap());
        let (a, b) = (of("a"), of("b"));
        let mut table = Table::default();
        table.polled(report(1), &Spaces::All, 5, at(1));
        table.polled(report(1), &a, 9, at(2));
        let rows = table.list(9, at(3), CLOCK);
        let rows = rows.iter().map(|it| (it.space.is_some(), it.state));
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [(false, State::Behind), (true, State::Current)]
        );

        for start in 0..2000 {
            table.polled(report(start), &a, 9, at(3));
        }
        table.polled(report(2), &b, 9, at(4));
        let place = (b.only().cloned(), 2);
        assert!(
            table.edges.contains_key(&place),
            "a has filled its own rows"
        );
        assert_eq!(table.edges.len(), 1 + MAX_EDGES_OF_SPACE + 1);
        assert!(table.others.contains_key(&a.only().cloned()));
        assert!(!table.others.contains_key(&b.only().cloned()));
    }
}
