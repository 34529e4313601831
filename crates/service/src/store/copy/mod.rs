//! From one database to another: between SQLite and PostgreSQL in any direction, and backups.
//!
//! The tables are read in the order of their primary keys, a page at a time. Each page is compared with
//! what the target has, and the difference is one transaction. So a copy that was interrupted goes on
//! where it was. At the end both are read again and compared.

mod backup;
mod error;
mod rows;
mod side;
mod tables;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

pub use self::backup::backup;
pub use self::error::CopyError;
pub use self::rows::TableDigest;
use self::rows::{Line, PAGE, between, digest, each_page};
use self::side::Side;
use self::tables::{COUNTERS, Table};
use super::open::Place;
use super::postgres::Purpose;
use super::unfinished;

/// What was copied.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The tables, which are equal in both databases.
    pub tables: Vec<TableDigest>,
    /// How many rows were written.
    pub written: u64,
    /// How many were there already.
    pub present: u64,
    /// How long it took, with the comparison.
    pub took: Duration,
}

impl Copied {
    /// How many rows a table has.
    #[must_use]
    pub fn rows(&self, table: &str) -> u64 {
        let found = self.tables.iter().find(|it| it.table == table);
        found.map_or(0, |it| it.rows)
    }

    /// The SHA-256 of all tables: of the name, the number of rows and the digest of each.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for table in &self.tables {
            hash.update(table.table);
            hash.update([0]);
            hash.update(table.rows.to_be_bytes());
            hash.update(table.digest);
        }
        hash.finalize().into()
    }
}

/// Copies a database to another one, which is made if it does not exist. Keys, hashes and numbers
/// remain, and a new history begins at the target. Blocks, and must not be called by a thread that
/// runs async code.
///
/// # Errors
/// [`CopyError`]. [`CopyError::Failed`] and [`CopyError::Differs`] leave a target that no service opens
/// until the same copy has finished; all others change nothing.
pub fn copy(from: &Place, to: &Place) -> Result<Copied, CopyError> {
    let start = Instant::now();
    if is_same(from, to) {
        return Err(CopyError::Same(shown(from)));
    }
    let source = Side::source(from, Purpose::Copy)?;
    let target = Side::target(to)?;
    let tables = Table::all()?;
    let is_begun = unfinished::is_marked(&target.sql())?;
    for table in &tables {
        check(table, &source, &target, is_begun)?;
    }
    fill(&tables, &source, &target, start)
}

/// Makes the target equal to the source.
fn fill(
    tables: &[Table],
    source: &Side,
    target: &Side,
    start: Instant,
) -> Result<Copied, CopyError> {
    target.batch(unfinished::MARK)?;
    let (mut written, mut present) = (0, 0);
    for table in tables {
        let mut work = Work {
            table,
            source,
            target,
            written: &mut written,
            present: &mut present,
        };
        work.run()?;
    }
    let numbers = source.counters()?;
    target.transact(|| target.count_from(&numbers))?;
    let digests = compare(tables, source, target, &numbers)?;
    target.transact(|| {
        target.begin_history()?;
        target.batch(unfinished::UNMARK)
    })?;
    Ok(Copied {
        tables: digests,
        written,
        present,
        took: start.elapsed(),
    })
}

/// Whether both are one. If a server has two names, the source is found to be in use by a copy.
fn is_same(from: &Place, to: &Place) -> bool {
    match (from, to) {
        (Place::File(from), Place::File(to)) => {
            let resolved = |path: &std::path::Path| std::fs::canonicalize(path).ok();
            from == to || resolved(from).is_some_and(|it| resolved(to) == Some(it))
        }
        (Place::Postgres(_), Place::Postgres(_)) => shown(from) == shown(to),
        _ => false,
    }
}

fn shown(place: &Place) -> String {
    match place {
        Place::File(path) => path.display().to_string(),
        Place::Postgres(url) => url.to_string(),
    }
}

/// Rejects a target that has what the source does not have. Where a copy has begun, rows may have
/// changed at the source since, but they are rows of the same keys, tokens and entries. Otherwise
/// something would be undone, such as a revocation.
fn check(table: &Table, source: &Side, target: &Side, is_begun: bool) -> Result<(), CopyError> {
    let is_skipped = match is_begun {
        true => !table.is_telling(),
        false => table.is_kept_by_rounds(),
    };
    if is_skipped {
        return Ok(());
    }
    each_page(&target.sql(), table, |start, page| {
        if page.is_empty() {
            return Ok(());
        }
        let known = between(&source.sql(), table, start, page.last(), None)?;
        let known: HashMap<&[u8], &Line> = known.iter().map(|line| (line.key(), line)).collect();
        let is_known = |line: &Line| {
            known.get(line.key()).is_some_and(|known| match is_begun {
                true => line.is_same(known, table),
                false => line == *known,
            })
        };
        match page.iter().all(is_known) {
            true => Ok(()),
            false => Err(CopyError::Occupied {
                place: target.place().to_owned(),
                table: table.name,
            }),
        }
    })
}

/// The copy of one table.
struct Work<'a> {
    table: &'a Table,
    source: &'a Side,
    target: &'a Side,
    written: &'a mut u64,
    present: &'a mut u64,
}

impl Work<'_> {
    fn run(&mut self) -> Result<(), CopyError> {
        let mut last: Option<Line> = None;
        let mut is_empty = between(&self.target.sql(), self.table, None, None, Some(1))?.is_empty();
        loop {
            let page = between(
                &self.source.sql(),
                self.table,
                last.as_ref(),
                None,
                Some(PAGE),
            )?;
            let is_end = page.len() < PAGE;
            // After the last row of the source, the target must not have any.
            let end = page.last().filter(|_| !is_end);
            let found = match is_empty {
                true => Vec::new(),
                false => between(&self.target.sql(), self.table, last.as_ref(), end, None)?,
            };
            self.write(&page, &found)?;
            if is_end {
                return Ok(());
            }
            if !is_empty && found.is_empty() {
                // A copy that was interrupted ends here.
                is_empty = self.is_end_of_target(page.last())?;
            }
            last = page.into_iter().next_back();
        }
    }

    fn is_end_of_target(&self, last: Option<&Line>) -> Result<bool, CopyError> {
        let next = between(&self.target.sql(), self.table, last, None, Some(1))?;
        Ok(next.is_empty())
    }

    /// Lets the target have the rows of `page` in place of those that it has.
    fn write(&mut self, page: &[Line], found: &[Line]) -> Result<(), CopyError> {
        let mut old: HashMap<&[u8], &Line> = found.iter().map(|line| (line.key(), line)).collect();
        let mut stale = Vec::new();
        let mut new = Vec::new();
        for line in page {
            match old.remove(line.key()) {
                Some(known) if known == line => {
                    *self.present = self.present.saturating_add(1);
                    continue;
                }
                Some(known) => stale.push(known),
                None => {}
            }
            new.push(line);
        }
        stale.extend(old.into_values());
        if stale.is_empty() && new.is_empty() {
            return Ok(());
        }
        let text = self.table.delete();
        self.target.transact(|| {
            for line in stale {
                self.target.sql().execute(&text, &line.key_values())?;
            }
            self.target.insert(self.table, &new)
        })?;
        let count = u64::try_from(new.len()).unwrap_or(u64::MAX);
        *self.written = self.written.saturating_add(count);
        Ok(())
    }
}

/// Reads both again, and returns the digests if they are equal. The numbers are those of the source
/// when they were copied: a sequence of PostgreSQL goes on while a backup reads an earlier state.
fn compare(
    tables: &[Table],
    source: &Side,
    target: &Side,
    numbers: &[i64],
) -> Result<Vec<TableDigest>, CopyError> {
    let mut digests = Vec::new();
    for table in tables {
        let read = digest(&source.sql(), table)?;
        if digest(&target.sql(), table)? != read {
            return Err(CopyError::Differs(table.name));
        }
        digests.push(read);
    }
    let read = target.counters()?;
    let mut pairs = COUNTERS.iter().zip(read.iter().zip(numbers));
    match pairs.find(|(_, (read, number))| read != number) {
        None => Ok(digests),
        Some(((table, _), _)) => Err(CopyError::Differs(table)),
    }
}
