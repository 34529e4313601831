//! The polls of edges, for the other replicas: an edge asks any of them, and `revoke --wait` another.
//!
//! What a replica hears is written at most once a second, in one statement and outside of the
//! transactions that change keys.

use std::time::Duration;

use keygate_core::keys::wire::EdgeReport;
use serde::Serialize;

use super::sql::{self, Class, Row, Sql, SqlError, params};
use super::{Database, Store, StoreError};
use crate::edges::{KEPT, Poll};
use crate::space::Space;

/// The newest polls win. In the order of the keys, so that two replicas never wait for each other.
const WRITE: &str = "\
    INSERT INTO edges (space, start, polled, kept, epoch, report) \
    SELECT space, start, clock_timestamp() - ago * interval '1 millisecond', \
    clock_timestamp() + (kept - ago) * interval '1 millisecond', epoch, report \
    FROM jsonb_to_recordset(?1::jsonb) \
    AS polls (space text, start text, ago bigint, kept bigint, epoch bigint, report text) \
    ORDER BY space, start \
    ON CONFLICT (space, start) DO UPDATE \
    SET polled = excluded.polled, kept = excluded.kept, epoch = excluded.epoch, \
    report = excluded.report \
    WHERE edges.polled < excluded.polled";

const READ: &str = "\
    SELECT space, epoch, report, \
    greatest(0, extract(epoch FROM clock_timestamp() - polled) * 1000)::bigint FROM edges";

const FORGET: &str = "DELETE FROM edges WHERE kept < clock_timestamp()";

#[derive(Serialize)]
struct Written<'a> {
    space: &'a str,
    start: String,
    ago: u64,
    /// How long after the poll a list shows the edge.
    kept: u64,
    epoch: u64,
    report: String,
}

impl Store {
    /// Whether other replicas may use the same database.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.database, Database::Postgres(_))
    }

    /// Tells the other replicas of polls.
    pub(crate) async fn write_polls(&self, polls: &[Poll]) -> Result<(), StoreError> {
        let written = polls.iter().map(|poll| Written {
            space: poll.space.as_ref().map_or("", Space::as_str),
            start: poll
                .report
                .as_ref()
                .map_or_else(String::new, |it| format!("{:016x}", it.start)),
            ago: millis(poll.ago),
            kept: poll
                .report
                .as_ref()
                .map_or(0, |it| it.lease.0)
                .saturating_add(millis(KEPT)),
            epoch: poll.epoch,
            report: poll
                .report
                .as_ref()
                .map_or_else(String::new, EdgeReport::to_string),
        });
        let written: Vec<Written<'_>> = written.collect();
        // No list of texts and numbers fails.
        let written = serde_json::to_string(&written).unwrap_or_default();
        let write = move |sql: &Sql<'_>| sql.execute(WRITE, params![written]).map(drop);
        self.list_readers.read_each(write).await
    }

    /// Forgets edges that have not polled for long.
    pub(crate) async fn forget_polls(&self) -> Result<(), StoreError> {
        let forget = |sql: &Sql<'_>| sql.execute(FORGET, params![]).map(drop);
        self.list_readers.read_each(forget).await
    }

    /// The last polls of all edges, of whichever replica; none where there are no others.
    pub(crate) async fn polls(&self) -> Result<Vec<Poll>, StoreError> {
        if !self.is_shared() {
            return Ok(Vec::new());
        }
        let read = |sql: &Sql<'_>| sql.all(READ, params![], poll);
        self.list_readers.read_each(read).await
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn poll(row: &Row<'_>) -> sql::Result<Poll> {
    let space: String = row.get(0)?;
    let space = match space.as_str() {
        "" => None,
        name => Some(
            Space::parse(name)
                .map_err(|reason| SqlError::new(Class::Corrupt, format!("edges: {reason}")))?,
        ),
    };
    let report: String = row.get(2)?;
    Ok(Poll {
        space,
        epoch: row.get::<i64>(1)?.unsigned_abs(),
        // One of a later release that cannot be read counts as an edge that does not report.
        report: EdgeReport::parse(&report),
        ago: Duration::from_millis(row.get::<i64>(3)?.unsigned_abs()),
    })
}
