//! The real key service: the binary that users run, on a SQLite file of its own.

mod limits;

use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use self::limits::limited;
use crate::client::{self, PATIENCE, Response};
use crate::leaks::{self, Source};
use crate::namespace::Namespace;
use crate::port::Port;
use crate::process::Process;
use crate::{repository, wait};

/// The secret that signs media links.
pub const MEDIA: &str = "media-secret-for-the-tests-0123456789abcdef";
/// The master secret of app keys.
pub const APP_KEYS: &str = "app-keys-secret-for-the-tests-0123456789abcdef";
/// The token that may create and revoke keys.
pub const ADMIN_TOKEN: &str = "admin-token-for-the-tests-0123456789abcdef";
/// The token that Envoy asks with.
pub const EDGE_TOKEN: &str = "edge-token-for-the-tests-0123456789abcdef";

/// A running key service; it ends when dropped, and its log is printed if the test failed.
pub struct Service {
    process: Mutex<Process>,
    directory: TempDir,
    port: Port,
    options: Options,
}

/// What `keygate serve` is started with besides the usual.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Arguments.
    pub arguments: Vec<String>,
    /// Variables of its environment.
    pub variables: Vec<(String, String)>,
    /// Where it lives; without it beside us. We talk to it on its own loopback interface,
    /// which no cut of its network concerns.
    pub namespace: Option<Arc<Namespace>>,
    /// The size in MiB of a disk of its own; without it the disk of the tests. No other process
    /// sees what is on it, and it is gone after a restart.
    pub disk: Option<u32>,
    /// How many files it may have open; without it as many as we may.
    pub files: Option<u32>,
    /// The URL of a PostgreSQL database, with its password; without it a SQLite file.
    pub store: Option<String>,
}

/// A new key: its public id, and the key itself, shown this once.
#[derive(Clone, Debug)]
pub struct CreatedKey {
    /// Public.
    pub id: String,
    /// Secret.
    pub key: String,
    /// All of the answer.
    pub json: Value,
}

impl Service {
    /// Starts it on an empty database and waits until it answers.
    ///
    /// # Panics
    /// When it does not come up; its log says why.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// The same with more arguments and variables.
    ///
    /// # Panics
    /// When it does not come up; its log says why.
    #[must_use]
    pub fn start_with(options: Options) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = Port::claim();
        let process = launch(port.number(), &directory, &options);
        Self {
            options,
            process: Mutex::new(process),
            directory,
            port,
        }
    }

    /// Starts one that must refuse to serve, and returns what it said.
    ///
    /// # Panics
    /// When it serves.
    #[must_use]
    pub fn refused(options: &Options) -> Output {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = Port::claim();
        let command = command(port.number(), &directory, options);
        // It would serve until it is stopped.
        let mut bounded = Command::new("timeout");
        bounded
            .arg("20")
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            bounded.env(name, value.unwrap_or_default());
        }
        let output = bounded.output().expect("timeout can be run");
        assert_ne!(output.status.code(), Some(124), "it serves");
        output
    }

    /// Where it listens on 127.0.0.1; stays the same over a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process().id()
    }

    /// Stops it in the middle of whatever it does, by SIGSTOP.
    ///
    /// # Panics
    /// When it does not run.
    pub fn freeze(&self) {
        self.process().freeze();
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// When it does not run.
    pub fn thaw(&self) {
        self.process().signal(Signal::CONT);
    }

    /// Ends it without a chance to save anything.
    pub fn kill9(&self) {
        self.process().kill9();
    }

    /// Ends it by SIGTERM, as an operator would.
    ///
    /// # Panics
    /// When it does not end in order.
    pub fn stop(&self) {
        let status = self.process().stop();
        assert!(status.success(), "the key service ended with {status}");
    }

    /// Starts it again on the same port and database, after [`Self::kill9`] or [`Self::stop`].
    pub fn restart(&self) {
        let mut process = self.process();
        process.stop();
        *process = launch(self.port(), &self.directory, &self.options);
    }

    /// Creates a key as an administrator.
    ///
    /// # Panics
    /// When the answer is not 201 with a key.
    #[must_use]
    pub fn create_key(&self, body: &Value) -> CreatedKey {
        let created = self.try_create_key(body, PATIENCE);
        created.unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// The same, where the service may be away.
    ///
    /// # Errors
    /// No answer in time, or another one than 201 with a key.
    pub fn try_create_key(&self, body: &Value, patience: Duration) -> io::Result<CreatedKey> {
        let response = self.try_request("POST", "/v1/keys", ADMIN_TOKEN, Some(body), patience)?;
        if response.status != 201 {
            return Err(unexpected(&response));
        }
        let json = response.json();
        let text = |field: &str| json[field].as_str().map(str::to_owned);
        let (Some(id), Some(key)) = (text("id"), text("key")) else {
            return Err(unexpected(&response));
        };
        leaks::credential("key", key.as_bytes());
        Ok(CreatedKey { id, key, json })
    }

    /// Imports keys as an administrator, as many as one request takes at a time.
    ///
    /// # Panics
    /// When one of them is not new.
    pub fn import(&self, keys: &[Value]) {
        let mut rest = keys;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fitting = rest.iter().take(100).take_while(|key| {
                bytes += key.to_string().len() + 1;
                bytes < 60_000
            });
            let (batch, after) = rest.split_at(fitting.count().max(1));
            rest = after;
            let body = serde_json::json!({ "keys": batch });
            let path = "/v1/keys/import";
            let response = self.request("POST", path, ADMIN_TOKEN, Some(&body));
            assert_eq!(response.status, 200, "{}", response.text());
            let json = response.json();
            let results = json["results"].as_array();
            let all = |it: &Vec<Value>| it.iter().all(|it| it["result"] == "imported");
            assert!(results.is_some_and(all), "{json}");
        }
    }

    /// Revokes a key as an administrator.
    ///
    /// # Panics
    /// When the service rejects the request.
    pub fn revoke(&self, id: &str) {
        let revoked = self.try_revoke(id, PATIENCE);
        revoked.unwrap_or_else(|error| panic!("{id}: {error}"));
    }

    /// The same, where the service may be away.
    ///
    /// # Errors
    /// No answer in time, or a rejection.
    pub fn try_revoke(&self, id: &str, patience: Duration) -> io::Result<()> {
        let path = format!("/v1/keys/{id}/revoke");
        let body = serde_json::json!({});
        let response = self.try_request("POST", &path, ADMIN_TOKEN, Some(&body), patience)?;
        match (200..300).contains(&response.status) {
            true => Ok(()),
            false => Err(unexpected(&response)),
        }
    }

    /// Any call, with any token.
    ///
    /// # Panics
    /// When no answer comes.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> Response {
        let answer = self.try_request(method, path, token, body, PATIENCE);
        answer.unwrap_or_else(|error| panic!("no answer of the key service to {path}: {error}"))
    }

    /// The same, where no answer is a possible outcome.
    ///
    /// # Errors
    /// None in time.
    pub fn try_request(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> io::Result<Response> {
        let mut request = client::request(method, self.port(), path)
            .header("authorization", format!("Bearer {token}"))
            .patience(patience);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        within(&self.options, || request.try_send())
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.directory.path().join("keygate.db")
    }

    /// What it has written so far, over all restarts.
    #[must_use]
    pub fn log(&self) -> String {
        self.process().log()
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let keep_database = || {
            for suffix in ["", "-wal", "-shm"] {
                let name = format!("{}{suffix}", self.database().display());
                leaks::keep_file(Source::Database, name.as_ref());
            }
        };
        // As it lies there while it runs, and when it has ended.
        keep_database();
        self.process().stop();
        keep_database();
        for file in self.process().files() {
            leaks::keep_file(Source::ServiceLog, &file);
        }
    }
}

/// The binary that users run: from `KEYGATE_BIN`, else the one beside this program.
///
/// # Panics
/// When it is missing.
#[must_use]
pub fn keygate() -> PathBuf {
    if let Some(path) = std::env::var_os("KEYGATE_BIN") {
        return repository().join(path);
    }
    let test = std::env::current_exe().expect("a process knows its executable");
    // target/debug/deps/e2e-… or target/debug/keygate-faults, and target/debug/keygate
    let mut directories = test.ancestors().skip(1).take(2);
    let path = directories
        .find(|it| it.file_name().is_none_or(|name| name != "deps"))
        .expect("a program lies in a directory")
        .join("keygate");
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build -p keygate-cli` first",
        path.display()
    );
    path
}

fn unexpected(response: &Response) -> io::Error {
    io::Error::other(format!("{} {}", response.status, response.text()))
}

fn within<T: Send>(options: &Options, work: impl FnOnce() -> T + Send) -> T {
    match &options.namespace {
        Some(namespace) => namespace.within(work),
        None => work(),
    }
}

fn command(port: u16, directory: &TempDir, options: &Options) -> Command {
    let (mut command, address) = match &options.namespace {
        Some(namespace) => (namespace.command(&keygate()), "0.0.0.0"),
        None => (limited(directory, options), "127.0.0.1"),
    };
    command
        .arg("serve")
        .args(["--listen", &format!("{address}:{port}")]);
    match &options.store {
        Some(url) => command.env("KEYGATE_STORE", url),
        None => command
            .arg("--database")
            .arg(directory.path().join("keygate.db")),
    };
    command
        .env("KEYGATE_APP_KEYS", APP_KEYS)
        .env("KEYGATE_ADMIN_TOKEN", ADMIN_TOKEN)
        .env("KEYGATE_EDGE_TOKEN", EDGE_TOKEN)
        .args(&options.arguments)
        .envs(options.variables.iter().cloned());
    command
}

fn launch(port: u16, directory: &TempDir, options: &Options) -> Process {
    let command = command(port, directory, options);
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
    variables.for_each(|(name, value)| leaks::secret(name, value));
    let mut process = Process::start(
        "keygate serve",
        command,
        directory.path().join("service.log"),
    );
    wait::until("the key service to be ready", wait::STARTUP, || {
        process.assert_running();
        let healthy = || client::get(port, "/healthz").try_send().ok();
        let answer = within(options, healthy)?;
        (answer.status == 200).then_some(())
    });
    process
}
