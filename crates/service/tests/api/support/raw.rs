//! The database of a service, for tests that look into it or change it. `KEYGATE_TEST_STORE=postgres`
//! runs every test over PostgreSQL.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use keygate_service::{Place, PostgresUrl};
use keygate_testkit::postgres::{Server, USER};
use postgres::types::FromSqlOwned;
use rusqlite::types::FromSql;

/// The databases of the tests, by the paths that the tests give them.
static DATABASES: LazyLock<Mutex<HashMap<PathBuf, String>>> = LazyLock::new(Mutex::default);

/// Databases that no test uses any more. To remove one, a server writes everything to disk.
static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Functions of SQLite that the tests use.
const HELPERS: &str = "\
    CREATE OR REPLACE FUNCTION randomblob(bigint) RETURNS bytea LANGUAGE sql VOLATILE AS \
    'SELECT substr(sha256(random()::text::bytea), 1, $1::int)'; \
    CREATE OR REPLACE FUNCTION zeroblob(bigint) RETURNS bytea LANGUAGE sql AS \
    'SELECT decode(repeat(''00'', $1::int), ''hex'')'; \
    CREATE OR REPLACE FUNCTION printf(text, bigint) RETURNS text LANGUAGE sql AS \
    'SELECT lpad($2::text, 10, ''0'')'; \
    CREATE OR REPLACE FUNCTION iif(boolean, text, text) RETURNS text LANGUAGE sql AS \
    'SELECT CASE WHEN $1 THEN $2 ELSE $3 END'";

/// Whether the tests run over PostgreSQL.
pub fn is_postgres() -> bool {
    match std::env::var("KEYGATE_TEST_STORE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("KEYGATE_TEST_STORE is {other}: set it to postgres or sqlite"),
    }
}

/// Leaves a test out that is about the file of SQLite, where there is none.
macro_rules! about_the_file {
    () => {
        if crate::support::is_postgres() {
            eprintln!("SKIPPED over PostgreSQL, since it is about the file of SQLite");
            return;
        }
    };
}
pub(crate) use about_the_file;

/// Where a service finds the database of this path: in a file, or on a server.
pub fn place(path: &Path) -> Place {
    if !is_postgres() {
        return Place::File(path.to_owned());
    }
    Place::Postgres(Box::new(PostgresUrl::parse(&url(path)).unwrap()))
}

fn url(path: &Path) -> String {
    let mut databases = DATABASES.lock().unwrap();
    let server = Server::shared();
    let database = databases.entry(path.to_owned()).or_insert_with(|| {
        let free = FREE.lock().unwrap().pop();
        free.unwrap_or_else(|| server.create_database())
    });
    let socket = server.socket().display().to_string().replace('/', "%2F");
    format!("postgres://{USER}@{socket}:{}/{database}", server.port())
}

/// Empties the database of this path, if it is there, for another test.
pub fn remove(path: &Path) {
    if !DATABASES.lock().unwrap().contains_key(path) {
        return;
    }
    let mut client = postgres::Client::connect(&url(path), postgres::NoTls).unwrap();
    let emptied = client.batch_execute(
        "SET lock_timeout = '1s'; SET client_min_messages = warning; DROP SCHEMA keygate CASCADE",
    );
    let database = DATABASES.lock().unwrap().remove(path);
    // A test that fails may have left a lock behind.
    if let (Ok(()), Some(database)) = (emptied, database) {
        FREE.lock().unwrap().push(database);
    }
}

/// Everything that is stored in the database of this path: the bytes of the files around it, or of all
/// rows of all tables.
pub fn stored(path: &Path) -> Vec<u8> {
    if !is_postgres() {
        let files = std::fs::read_dir(path.parent().unwrap()).unwrap();
        let files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
        return files.flatten().collect();
    }
    let raw = Raw::open(path);
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'keygate'";
    let mut all = Vec::new();
    for table in raw.column::<String>(tables, &[]) {
        for row in raw.column::<String>(&format!("SELECT it::text FROM {table} AS it"), &[]) {
            // Bytes are shown as `\\x` and digits.
            for bytes in row.split("\\x").skip(1) {
                let digits = bytes.bytes().take_while(u8::is_ascii_hexdigit);
                let digits: Vec<u8> = digits.collect();
                all.extend(digits.chunks_exact(2).map(|pair| {
                    u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()
                }));
            }
            all.extend(row.into_bytes());
            all.push(b'\n');
        }
    }
    all
}

/// Prints what the server has said of late, for a test that fails.
pub fn tell() {
    if is_postgres() {
        let log = Server::shared().log();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.len().saturating_sub(40);
        eprintln!("PostgreSQL:\n{}", lines[last..].join("\n"));
    }
}

/// A connection of a test's own.
pub enum Raw {
    Sqlite(rusqlite::Connection),
    Postgres(RefCell<postgres::Client>),
}

/// A value of a statement.
pub trait Param: rusqlite::ToSql + postgres::types::ToSql + Sync {}

impl<T: rusqlite::ToSql + postgres::types::ToSql + Sync> Param for T {}

/// What a statement returns.
pub trait Read: FromSql + FromSqlOwned {}

impl<T: FromSql + FromSqlOwned> Read for T {}

impl Raw {
    /// Opens the database of this path.
    pub fn open(path: &Path) -> Self {
        if !is_postgres() {
            return Self::Sqlite(rusqlite::Connection::open(path).unwrap());
        }
        let mut client = postgres::Client::connect(&url(path), postgres::NoTls).unwrap();
        client.batch_execute("SET search_path = keygate").unwrap();
        client.batch_execute(HELPERS).unwrap();
        Self::Postgres(RefCell::new(client))
    }

    /// Runs statements without values.
    #[track_caller]
    pub fn batch(&self, text: &str) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(text).unwrap(),
            Self::Postgres(client) => client.borrow_mut().batch_execute(text).unwrap(),
        }
    }

    /// Runs what the database understands of two forms.
    #[track_caller]
    pub fn batch_of(&self, sqlite: &str, postgres: &str) {
        match self {
            Self::Sqlite(_) => self.batch(sqlite),
            Self::Postgres(_) => self.batch(postgres),
        }
    }

    /// Lets each row that is added to this table fail, if it fits a condition on `NEW`.
    #[track_caller]
    pub fn reject(&self, table: &str, condition: &str) {
        self.batch_of(
            &format!(
                "CREATE TRIGGER reject BEFORE INSERT ON {table} WHEN {condition} \
                 BEGIN SELECT RAISE(ABORT, 'rejected by a test'); END"
            ),
            &format!(
                "CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN RAISE EXCEPTION ''rejected by a test''; END'; \
                 CREATE TRIGGER reject BEFORE INSERT ON {table} FOR EACH ROW WHEN ({condition}) \
                 EXECUTE FUNCTION reject()"
            ),
        );
    }

    /// Ends that.
    pub fn accept(&self, table: &str) {
        self.batch_of(
            "DROP TRIGGER reject",
            &format!("DROP TRIGGER reject ON {table}"),
        );
    }

    /// Adds changes of keys that there are not.
    pub fn add_changes(&self, count: u64) {
        let numbers = format!(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {count})"
        );
        self.batch_of(
            &format!("{numbers} INSERT INTO changes (hash, at) SELECT randomblob(32), 0 FROM n"),
            &format!(
                "{numbers} INSERT INTO changes (seq, hash, at) \
                 SELECT epoch + x, randomblob(32), 0 FROM head, n; \
                 UPDATE head SET epoch = epoch + {count}"
            ),
        );
    }

    /// Begins a transaction that keeps all others from writing.
    pub fn lock(&self) {
        self.batch_of("BEGIN IMMEDIATE", "BEGIN; SELECT 1 FROM head FOR UPDATE");
    }

    /// Runs a statement, and returns how many rows it changed.
    #[track_caller]
    pub fn run(&self, text: &str, values: &[&dyn Param]) -> usize {
        match self {
            Self::Sqlite(connection) => {
                let values: Vec<&dyn rusqlite::ToSql> = values
                    .iter()
                    .map(|it| *it as &dyn rusqlite::ToSql)
                    .collect();
                connection.execute(text, &*values).unwrap()
            }
            Self::Postgres(client) => {
                let changed = client.borrow_mut().execute(&marks(text), &pg(values));
                usize::try_from(changed.unwrap()).unwrap()
            }
        }
    }

    /// The first column of every row.
    #[track_caller]
    pub fn column<T: Read>(&self, text: &str, values: &[&dyn Param]) -> Vec<T> {
        match self {
            Self::Sqlite(connection) => {
                let values: Vec<&dyn rusqlite::ToSql> = values
                    .iter()
                    .map(|it| *it as &dyn rusqlite::ToSql)
                    .collect();
                let mut statement = connection.prepare(text).unwrap();
                let rows = statement.query_map(&*values, |row| row.get(0));
                rows.unwrap().map(Result::unwrap).collect()
            }
            Self::Postgres(client) => {
                let rows = client.borrow_mut().query(&marks(text), &pg(values));
                rows.unwrap().iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// The first column of the only row.
    #[track_caller]
    pub fn read<T: Read>(&self, text: &str, values: &[&dyn Param]) -> T {
        let mut rows = self.column(text, values);
        assert_eq!(rows.len(), 1, "{text}");
        rows.remove(0)
    }
}

fn pg<'a>(values: &'a [&dyn Param]) -> Vec<&'a (dyn postgres::types::ToSql + Sync)> {
    let values = values.iter();
    values
        .map(|it| *it as &(dyn postgres::types::ToSql + Sync))
        .collect()
}

/// No text of a test has a question mark beside these.
fn marks(text: &str) -> String {
    text.replace('?', "$")
}
