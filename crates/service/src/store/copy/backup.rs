//! A copy in a file of SQLite, made while services go on.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::backup::{Backup, StepResult};

use super::error::CopyError;
use super::side::Side;
use super::tables::Table;
use super::{Copied, compare, fill};
use crate::store::open::Place;
use crate::store::postgres::Purpose;
use crate::store::sqlite;

/// Writes one state of a database to a file that does not exist yet, with mode 0600. The file has its
/// name only once it is whole. Blocks, and must not be called by a thread that runs async code.
///
/// # Errors
/// [`CopyError`]; then there is no such file.
pub fn backup(from: &Place, path: &Path) -> Result<Copied, CopyError> {
    let start = Instant::now();
    if fs::symlink_metadata(path).is_ok() {
        return Err(CopyError::Exists(path.to_owned()));
    }
    let part = Part::begin(path)?;
    let source = Side::source(from, Purpose::Backup)?;
    let tables = Table::all()?;
    let copied = match source.connection() {
        Some(connection) => {
            // The transaction of the source keeps its state, so both can be compared afterwards.
            all_pages(connection, &part.path)?;
            let target = Side::target(&Place::File(part.path.clone()))?;
            let numbers = source.counters()?;
            let tables = compare(&tables, &source, &target, &numbers)?;
            Copied {
                written: tables.iter().map(|it| it.rows).sum(),
                tables,
                present: 0,
                took: start.elapsed(),
            }
        }
        None => {
            let target = Side::target(&Place::File(part.path.clone()))?;
            fill(&tables, &source, &target, start)?
        }
    };
    part.finish(path)?;
    Ok(copied)
}

/// Copies all pages in one step: in several, each change of a service would begin it again. A service
/// can write meanwhile, to its write-ahead log.
fn all_pages(from: &rusqlite::Connection, path: &Path) -> Result<(), CopyError> {
    // Begins the state that is read.
    from.query_row("SELECT 1 FROM sqlite_master", [], |_| Ok(()))?;
    let mut to = rusqlite::Connection::open(path)?;
    let backup = Backup::new(from, &mut to)?;
    match backup.step(-1)? {
        StepResult::Done => Ok(()),
        other => Err(CopyError::Failed(format!("SQLite's backup is {other:?}"))),
    }
}

/// A file that is not whole yet, removed when it is dropped.
struct Part {
    path: PathBuf,
}

impl Part {
    /// Makes the file beside the one that it becomes, in place of the rest of an earlier backup.
    fn begin(path: &Path) -> Result<Self, CopyError> {
        let part = Self {
            path: with(path, ".part"),
        };
        part.remove();
        let made = sqlite::open_private(&part.path);
        made.map_err(|error| unwritable(path, &error))?;
        Ok(part)
    }

    /// Gives the file its name, unless there is another one of this name by now.
    fn finish(self, path: &Path) -> Result<(), CopyError> {
        let named = |error: io::Error| unwritable(path, &error);
        sqlite::checkpoint(&self.path).map_err(|error| unwritable(path, &error))?;
        fs::File::open(&self.path)
            .and_then(|file| file.sync_all())
            .map_err(named)?;
        fs::hard_link(&self.path, path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => CopyError::Exists(path.to_owned()),
            _ => named(error),
        })?;
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(named)
    }

    fn remove(&self) {
        for end in ["", "-wal", "-shm", ".lock"] {
            // It need not be there.
            let _ = fs::remove_file(with(&self.path, end));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.remove();
    }
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> CopyError {
    CopyError::Unwritable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
