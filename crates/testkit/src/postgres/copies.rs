//! Copies of a server: snapshots, standbys and dumps.

use std::fs;

use super::system::{copy_files, done, give_away, open_directory};
use super::{Server, Snapshot};

impl Server {
    /// What is on its disk now. It crashes for that, and does not run afterwards.
    ///
    /// # Panics
    /// When its files cannot be copied.
    #[must_use]
    pub fn snapshot(&mut self) -> Snapshot {
        self.crash();
        let copy = open_directory();
        copy_files(&self.data(), &copy.path().join("data"));
        Snapshot(copy)
    }

    /// Puts a snapshot in the place of its files. It must not run, and does not afterwards.
    ///
    /// # Panics
    /// When it runs, or the files cannot be copied.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        assert!(self.running.is_none(), "it runs");
        fs::remove_dir_all(self.data()).expect("its files can be removed");
        copy_files(&snapshot.0.path().join("data"), &self.data());
    }

    /// A second server that follows this one, on a port of its own.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn standby(&self) -> Self {
        let mut standby = Self::empty();
        let mut copy = self.program("pg_basebackup");
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
            .arg(format!("--pgdata={}", standby.data().display()));
        self.reach(&mut copy);
        done(copy);
        standby.go_on();
        standby
    }

    /// Makes a standby the server at the port of another, which must not run any more.
    ///
    /// # Panics
    /// When it does not come up there.
    pub fn take_over(&mut self, other: &Self) {
        assert!(other.running.is_none(), "the other one runs");
        self.query("postgres", "SELECT pg_promote()");
        self.take_port(other);
    }

    /// Starts again at the port of another, which must not run any more.
    ///
    /// # Panics
    /// When it does not come up there.
    pub fn take_port(&mut self, other: &Self) {
        assert!(other.running.is_none(), "the other one runs");
        self.stop();
        self.port = other.port;
        self.go_on();
    }

    /// All of a database, as statements.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn dump(&self, database: &str) -> Vec<u8> {
        let mut dump = self.program("pg_dump");
        self.reach(&mut dump).args(["--dbname", database]);
        done(dump).stdout
    }

    /// Does what [`Self::dump`] of another server returned.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn load(&self, database: &str, dump: &[u8]) {
        let file = self.directory.path().join("dump");
        fs::write(&file, dump).expect("a file can be written");
        give_away(&file);
        let mut psql = self.program("psql");
        self.reach(&mut psql)
            .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"])
            .args(["--dbname", database, "--file"])
            .arg(&file);
        done(psql);
    }
}
