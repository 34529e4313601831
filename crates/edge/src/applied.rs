//! How far each worker of a proxy has applied the change feed, so that the one that polls can
//! tell the key service what all of them have.
//!
//! Bytes of a fixed form, as in [`feed`](crate::feed). A worker is in the table before it caches
//! a key, and while its cached keys count: otherwise a revocation that it has not applied would
//! be reported as applied.

use keygate_core::{Millis, UnixMillis};

use crate::feed::Reader;

/// The workers of one proxy that may have cached keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// A random number of this start of the proxy.
    pub(crate) start: u64,
    rows: Vec<Row>,
}

/// One worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// A random number of the worker.
    pub(crate) worker: u64,
    /// The generation of the feed that it has followed.
    pub(crate) generation: u64,
    /// The epoch in it up to which it has applied every change.
    pub(crate) epoch: u64,
    /// When its lease of cached keys began.
    pub(crate) renewed: UnixMillis,
    /// How long that lease is.
    pub(crate) lease: Millis,
    /// Whether its policy lets keys pass that cannot be looked up.
    pub(crate) allows_outage: bool,
}

/// What holds for all workers of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Together {
    /// The oldest epoch that each has applied. `None` while none has keys that count.
    pub(crate) epoch: Option<u64>,
    /// The longest lease.
    pub(crate) lease: Millis,
    /// Whether one of them lets keys pass that cannot be looked up.
    pub(crate) allows_outage: bool,
}

impl Row {
    /// Whether a cached key of the worker may still count. A worker that has died keeps its row
    /// until then.
    fn is_live(&self, now: UnixMillis) -> bool {
        now < self.renewed.plus(self.lease)
    }
}

impl Applied {
    /// The table of a proxy that has just started.
    pub fn begin(start: u64) -> Self {
        let rows = Vec::new();
        Self { start, rows }
    }

    /// Replaces the row of a worker, and drops those of workers whose lease has ended.
    pub(crate) fn put(&mut self, row: Row, now: UnixMillis) {
        self.rows
            .retain(|other| other.worker != row.worker && other.is_live(now));
        self.rows.push(row);
    }

    /// Drops the row of a worker that decides no more requests; whether it had one.
    pub(crate) fn remove(&mut self, worker: u64) -> bool {
        let before = self.rows.len();
        self.rows.retain(|row| row.worker != worker);
        self.rows.len() != before
    }

    /// What holds for all workers. `generation` is that of the feed, if there is one: a worker
    /// that has followed another has applied nothing of it.
    pub(crate) fn together(&self, generation: Option<u64>, now: UnixMillis) -> Together {
        let live = || self.rows.iter().filter(|row| row.is_live(now));
        let epoch = |row: &Row| match generation == Some(row.generation) {
            true => row.epoch,
            false => 0,
        };
        Together {
            epoch: live().map(epoch).min(),
            lease: live().map(|row| row.lease).max().unwrap_or(Millis(0)),
            allows_outage: live().any(|row| row.allows_outage),
        }
    }

    /// The form between workers.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::from(self.start.to_le_bytes());
        for row in &self.rows {
            let numbers = [
                row.worker,
                row.generation,
                row.epoch,
                row.renewed.0,
                row.lease.0,
                u64::from(row.allows_outage),
            ];
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        bytes
    }

    /// Reads that form.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let start = reader.number()?;
        let mut rows = Vec::new();
        while !reader.0.is_empty() {
            rows.push(Row {
                worker: reader.number()?,
                generation: reader.number()?,
                epoch: reader.number()?,
                renewed: UnixMillis(reader.number()?),
                lease: Millis(reader.number()?),
                allows_outage: match reader.number()? {
                    0 => false,
                    1 => true,
                    _ => return None,
                },
            });
        }
        Some(Self { start, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(worker: u64, epoch: u64) -> Row {
        Row {
            worker,
            generation: 7,
            epoch,
            renewed: UnixMillis(1_000),
            lease: Millis(60_000),
            allows_outage: false,
        }
    }

    #[test]
    fn the_slowest_worker_counts_until_its_lease_ends() {
        let (now, end) = (UnixMillis(2_000), UnixMillis(61_000));
        let mut table = Applied::begin(3);
        assert_eq!(table.together(Some(7), now).epoch, None);
        table.put(row(1, 10), now);
        table.put(row(2, 12), now);
        assert_eq!(table.together(Some(7), now).epoch, Some(10));
        assert_eq!(table.together(Some(8), now).epoch, Some(0), "another feed");
        assert_eq!(table.together(None, now).epoch, Some(0), "no feed");
        assert_eq!(table.together(Some(7), end).epoch, None);
        table.put(row(1, 13), now);
        assert_eq!(table.together(Some(7), now).epoch, Some(12));
        assert!(table.remove(2) && !table.remove(2));
        assert_eq!(table.together(Some(7), now).epoch, Some(13));
        let later = Row {
            renewed: end,
            ..row(4, 20)
        };
        table.put(later, end);
        assert_eq!(table, {
            let mut only = Applied::begin(3);
            only.put(later, end);
            only
        });
    }

    #[test]
    fn the_longest_lease_and_any_outage_policy_count() {
        let now = UnixMillis(2_000);
        let mut table = Applied::begin(3);
        table.put(row(1, 10), now);
        let other = Row {
            lease: Millis(90_000),
            allows_outage: true,
            ..row(2, 11)
        };
        table.put(other, now);
        let together = table.together(Some(7), now);
        assert_eq!(together.lease, Millis(90_000));
        assert!(together.allows_outage);
        assert_eq!(Applied::parse(&table.to_bytes()), Some(table));
    }
}
