//! The file of the database: whose it is, and whether it is still there.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// The file, held by this process until it is dropped.
#[derive(Debug)]
pub(in crate::store) struct DatabaseFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
    /// A file beside it. A lock of the file itself is SQLite's, which every other close of it in
    /// this process would release.
    _lock: File,
}

impl DatabaseFile {
    /// Makes the file if it is missing, and locks it for this process.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it, and [`StoreError::Open`].
    pub(in crate::store) fn take(path: &Path) -> Result<Self, StoreError> {
        let named = |error: io::Error| StoreError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let file = open_private(path).map_err(named)?;
        let identity = identity(&file.metadata().map_err(named)?);
        let mut lock_path = path.to_owned().into_os_string();
        lock_path.push(".lock");
        let mut lock = open_private(Path::new(&lock_path)).map_err(named)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let _ = lock.read_to_string(&mut process);
                return Err(StoreError::InUse {
                    path: path.to_owned(),
                    process: process.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(named(error)),
        }
        lock.set_len(0).map_err(named)?;
        writeln!(lock, "{}", std::process::id()).map_err(named)?;
        Ok(Self {
            path: path.to_owned(),
            identity,
            _lock: lock,
        })
    }

    /// Whether the path still leads to the file that was opened. What is written to a file that
    /// was removed or replaced is lost.
    pub(super) fn is_there(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|it| identity(&it) == self.identity)
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// SQLite would make the file readable for everyone; its companions (`-wal`, `-shm`) copy its mode.
pub(in crate::store) fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
}
