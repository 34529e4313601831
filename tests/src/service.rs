//! The real key service: the binary that users run, on a SQLite file of its own.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{self, Response};
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
    port: u16,
    options: Options,
}

/// What `keygate serve` is started with besides the usual.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Arguments.
    pub arguments: Vec<String>,
    /// Variables of its environment.
    pub variables: Vec<(String, String)>,
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
        let port = free_port();
        let process = launch(port, &directory, &options);
        Self {
            options,
            process: Mutex::new(process),
            directory,
            port,
        }
    }

    /// Where it listens on 127.0.0.1; stays the same over a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
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
        *process = launch(self.port, &self.directory, &self.options);
    }

    /// Creates a key as an administrator.
    ///
    /// # Panics
    /// When the answer is not 201 with a key.
    #[must_use]
    pub fn create_key(&self, body: &Value) -> CreatedKey {
        let response = self.request("POST", "/v1/keys", ADMIN_TOKEN, Some(body));
        assert_eq!(response.status, 201, "{}", response.text());
        let json = response.json();
        let text = |field: &str| {
            let text = json[field].as_str().map(str::to_owned);
            text.unwrap_or_else(|| panic!("no {field} in {json}"))
        };
        CreatedKey {
            id: text("id"),
            key: text("key"),
            json,
        }
    }

    /// Revokes a key as an administrator.
    ///
    /// # Panics
    /// When the service refuses.
    pub fn revoke(&self, id: &str) {
        let path = format!("/v1/keys/{id}/revoke");
        let response = self.request("POST", &path, ADMIN_TOKEN, Some(&serde_json::json!({})));
        assert!(
            (200..300).contains(&response.status),
            "{} {}",
            response.status,
            response.text()
        );
    }

    /// Any call, with any token.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> Response {
        let mut request = client::request(method, self.port, path)
            .header("authorization", format!("Bearer {token}"));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        request.send()
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

/// The binary that users run: from `KEYGATE_BIN`, else the one beside this test.
///
/// # Panics
/// When it is missing.
#[must_use]
pub fn keygate() -> PathBuf {
    if let Some(path) = std::env::var_os("KEYGATE_BIN") {
        return repository().join(path);
    }
    let test = std::env::current_exe().expect("a process knows its executable");
    // target/debug/deps/e2e-… and target/debug/keygate
    let path = test
        .ancestors()
        .nth(2)
        .expect("deps/ is in target/debug/")
        .join("keygate");
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build -p keygate-cli` first",
        path.display()
    );
    path
}

fn launch(port: u16, directory: &TempDir, options: &Options) -> Process {
    let mut command = Command::new(keygate());
    command
        .arg("serve")
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .arg("--database")
        .arg(directory.path().join("keygate.db"))
        .env("KEYGATE_APP_KEYS", APP_KEYS)
        .env("KEYGATE_ADMIN_TOKEN", ADMIN_TOKEN)
        .env("KEYGATE_EDGE_TOKEN", EDGE_TOKEN)
        .args(&options.arguments)
        .envs(options.variables.iter().cloned());
    let mut process = Process::start(
        "keygate serve",
        command,
        directory.path().join("service.log"),
    );
    wait::until("the key service to be ready", wait::STARTUP, || {
        process.assert_running();
        let answer = client::get(port, "/healthz").try_send().ok()?;
        (answer.status == 200).then_some(())
    });
    process
}

/// A port that was free a moment ago.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface has free ports");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}
