//! A real PostgreSQL for a test: a server of its own, on disk as in production (`fsync=on`), run by
//! an ordinary user, which ends with the test.
//!
//! The database user is [`USER`], a superuser on the socket and with [`PASSWORD`] over TCP.

mod copies;
mod launch;
mod system;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use self::launch::{as_ordinary_user, spawn};
use self::system::{done, free_port, give_away, open_directory};

/// Who owns the databases, and may do everything on the server.
pub const USER: &str = "keygate";

/// What it must say over TCP.
pub const PASSWORD: &str = "password of the tests";

/// How long a server may take to start or to end. Generous: a busy machine is no failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server that tests share which only want a database.
static SHARED: LazyLock<Server> = LazyLock::new(Server::start);

/// From `KEYGATE_POSTGRES`, else from `scripts/postgres`.
static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    if let Some(path) = std::env::var_os("KEYGATE_POSTGRES") {
        return repository.join(path);
    }
    let mut command = Command::new(repository.join("scripts/postgres"));
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.expect("scripts/postgres can be run");
    assert!(
        output.status.success(),
        "no PostgreSQL was found, and the tests of that store need one: see scripts/postgres above"
    );
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
});

/// A server, running or not; it ends when dropped, and nothing of it is left.
#[derive(Debug)]
pub struct Server {
    directory: TempDir,
    port: u16,
    running: Option<Child>,
    databases: AtomicU32,
    /// A library that its processes load first.
    preload: Option<PathBuf>,
}

/// What was on the disk of a server when it crashed.
#[derive(Debug)]
pub struct Snapshot(TempDir);

impl Server {
    /// The one that many tests of this process share: never stop it.
    #[must_use]
    pub fn shared() -> &'static Self {
        &SHARED
    }

    /// A new one, which runs.
    ///
    /// # Panics
    /// When it does not come up; what it wrote says why.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// A new one, whose processes load this library first.
    ///
    /// # Panics
    /// When it does not come up; what it wrote says why.
    #[must_use]
    pub fn start_with(preload: Option<PathBuf>) -> Self {
        let mut server = Self::empty();
        server.preload = preload;
        let data = server.data();
        let password = server.directory.path().join("password");
        fs::write(&password, PASSWORD).expect("a file can be written");
        give_away(&password);
        let mut initdb = server.program("initdb");
        initdb
            .args(["--no-sync", "--no-instructions", "--encoding=UTF8"])
            .args([
                "--locale=C",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
            ])
            .arg(format!("--username={USER}"))
            .arg(format!("--pwfile={}", password.display()))
            .arg(format!("--pgdata={}", data.display()));
        done(initdb);
        server.go_on();
        server
    }

    /// A directory and a port.
    fn empty() -> Self {
        Self {
            directory: open_directory(),
            port: free_port(),
            running: None,
            databases: AtomicU32::new(0),
            preload: None,
        }
    }

    /// Where it listens on 127.0.0.1; stays the same over a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process, which has one of its own for each connection.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn id(&self) -> u32 {
        let text = fs::read_to_string(self.data().join("postmaster.pid"));
        let text = text.expect("a server that runs has a file with its id");
        let id = text.lines().next().and_then(|it| it.parse().ok());
        id.expect("the first line is the id")
    }

    /// The directory of its socket, which asks for no password.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.directory.path()
    }

    /// A new database that is empty.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn create_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.query("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Removes a database and what still uses it: each takes 7 MB.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn drop_database(&self, name: &str) {
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        self.query("postgres", &statement);
    }

    /// A database's URL over TCP, without the password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Statements, done by [`USER`]. Returns the rows of the last: fields separated by `|`.
    ///
    /// # Panics
    /// When one fails.
    pub fn query(&self, database: &str, statements: &str) -> String {
        let mut psql = self.program("psql");
        self.reach(&mut psql)
            .args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet"])
            .args(["--set=ON_ERROR_STOP=1"])
            .args(["--dbname", database, "--command", statements]);
        let printed = done(psql).stdout;
        String::from_utf8_lossy(&printed).trim_end().to_owned()
    }

    /// Begins statements that may take seconds. The caller waits for their end.
    ///
    /// # Panics
    /// When they cannot be begun.
    #[must_use]
    pub fn in_the_background(&self, database: &str, statements: &str) -> Child {
        let mut psql = self.program("psql");
        self.reach(&mut psql)
            .args(["--no-psqlrc", "--quiet", "--dbname", database])
            .args(["--command", statements])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        psql.spawn().expect("psql can be run")
    }

    /// Ends all connections to a database, as a failing network does.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn cut(&self, database: &str) {
        let statement = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        );
        self.query("postgres", &statement);
    }

    /// Stops it in order: a commit that was acknowledged is on disk, and no connection is left.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Ends it as a crash does, without a checkpoint.
    ///
    /// # Panics
    /// When it does not end.
    pub fn crash(&mut self) {
        self.end("QUIT");
    }

    /// Starts it again on the same port, after [`Self::stop`] or [`Self::crash`].
    ///
    /// # Panics
    /// When it does not come up; what it wrote says why.
    pub fn go_on(&mut self) {
        assert!(self.running.is_none(), "it runs");
        self.running = Some(spawn(
            &PROGRAMS,
            &self.data(),
            self.directory.path(),
            self.port,
            self.preload.as_deref(),
        ));
        let start = Instant::now();
        loop {
            let mut ready = self.program("pg_isready");
            self.reach(&mut ready).arg("--quiet");
            if ready.status().expect("pg_isready can be run").success() {
                return;
            }
            let running = self.running.as_mut().expect("it was started");
            let ended = running.try_wait().expect("our own child can be asked");
            assert!(
                ended.is_none() && start.elapsed() < PATIENCE,
                "PostgreSQL does not come up ({ended:?}): {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How a program reaches it without a password.
    fn reach<'a>(&self, program: &'a mut Command) -> &'a mut Command {
        program
            .arg(format!("--host={}", self.socket().display()))
            .arg(format!("--port={}", self.port))
            .args(["--username", USER])
    }

    /// Everything that it has written to its log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// One of PostgreSQL's own, run by the same user as the server.
    fn program(&self, name: &str) -> Command {
        let mut command = as_ordinary_user(&PROGRAMS.join(name));
        command.current_dir(self.directory.path());
        command
    }

    fn end(&mut self, signal: &str) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let process = file.lines().next().unwrap_or_default();
        let mut kill = Command::new("kill");
        let sent = kill.args([&format!("-{signal}"), process]).status();
        assert!(
            sent.is_ok_and(|it| it.success()),
            "no signal reached it: {}",
            self.log()
        );
        let start = Instant::now();
        while running
            .try_wait()
            .expect("our own child can be asked")
            .is_none()
        {
            assert!(
                start.elapsed() < PATIENCE,
                "it does not end: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- PostgreSQL: its log\n{}---- end of it", self.log());
        } else {
            self.crash();
        }
        if let Some(mut running) = self.running.take() {
            // Its child ends with it.
            let _ = Command::new("kill").arg(running.id().to_string()).status();
            let _ = running.wait();
        }
    }
}
