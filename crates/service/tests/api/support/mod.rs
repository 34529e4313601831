//! The harness: one running service with a clock and a randomness of the test's own.

mod raw;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keygate_core::keys::{AppKey, KeyHash, KeyRingId, MasterSecret, Prefix};
use keygate_core::secret::{KeyRing, RingEntry};
use keygate_core::{Secret, UnixMillis};
use keygate_service::ambient::Randomness;
use keygate_service::api::Service;
use keygate_service::events::UNUSED_AFTER;
use keygate_service::{Ambient, KeyLimits, Limits, ServiceConfig, Store, Tokens, connections};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use self::raw::about_the_file;
pub use self::raw::{Raw, is_postgres, place};
use crate::conformance;

pub const ADMIN: &str = "admin-token-0123456789";
pub const SECOND_ADMIN: &str = "second-admin-token-0123456789";
pub const EDGE: &str = "edge-token-0123456789";

/// 2026-11-22T00:00:00Z
pub const START: UnixMillis = UnixMillis(1_795_305_600_000);

/// How long the service waits for a lock that a test holds.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Running {
    pub address: SocketAddr,
    pub database: PathBuf,
    now: Arc<AtomicU64>,
    agent: ureq::Agent,
    stop: Option<oneshot::Sender<()>>,
    end: Option<JoinHandle<()>>,
    // Dropped after everything that uses them.
    runtime: Option<tokio::runtime::Runtime>,
    /// Of a database that ends with the service.
    dir: Option<TempDir>,
}

pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Running {
    pub fn start() -> Self {
        Self::with(Ambient::real().randomness)
    }

    pub fn with(randomness: Randomness) -> Self {
        Self::configured(randomness, |_| {})
    }

    /// With another configuration than [`config`].
    pub fn configured(randomness: Randomness, change: impl FnOnce(&mut ServiceConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("keygate.db");
        let mut config = config(&database);
        change(&mut config);
        let mut running = Self::over(&database, &config, randomness);
        running.dir = Some(dir);
        running
    }

    /// Serves a file that belongs to the test.
    pub fn on(database: &Path) -> Self {
        Self::on_with(database, |_| {})
    }

    /// The same with another configuration than [`config`].
    pub fn on_with(database: &Path, change: impl FnOnce(&mut ServiceConfig)) -> Self {
        let mut config = config(database);
        change(&mut config);
        Self::over(database, &config, Ambient::real().randomness)
    }

    fn over(database: &Path, config: &ServiceConfig, randomness: Randomness) -> Self {
        let now = Arc::new(AtomicU64::new(START.0));
        let clock = Arc::clone(&now);
        let ambient = Ambient {
            clock: Arc::new(move || UnixMillis(clock.load(Ordering::Relaxed))),
            randomness,
        };
        let store = Store::open_with(&config.database, PATIENCE).unwrap();
        let service = Service::new(config, store, ambient);
        let router = Arc::clone(&service).router();
        let limits = config.limits;
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listening = async { connections::listen(([127, 0, 0, 1], 0).into()) };
        let listener = runtime.block_on(listening).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async move {
            let _ = stopped.await;
        };
        let end = runtime.spawn(connections::serve(listener, router, limits, stopped));
        runtime.spawn(service.background());
        Self {
            address,
            database: database.to_owned(),
            now,
            agent: agent(),
            stop: Some(stop),
            end: Some(end),
            runtime: Some(runtime),
            dir: None,
        }
    }

    /// Lets the service end, as a signal does.
    pub fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime.as_ref().unwrap()
    }

    /// Its database.
    pub fn raw(&self) -> Raw {
        Raw::open(&self.database)
    }

    /// Everything that it has stored.
    pub fn stored(&self) -> Vec<u8> {
        raw::stored(&self.database)
    }

    /// How many tasks of the service have not ended.
    pub fn tasks(&self) -> usize {
        self.runtime().metrics().num_alive_tasks()
    }

    /// Waits until all connections have ended, after [`Self::stop`].
    pub fn await_end(&mut self) {
        let end = self.end.take().unwrap();
        let end = async { tokio::time::timeout(Duration::from_secs(20), end).await };
        self.runtime().block_on(end).unwrap().unwrap();
    }

    pub fn set_now(&self, now: UnixMillis) {
        self.now.store(now.0, Ordering::Relaxed);
    }

    /// `body` is sent as it is, as JSON by its content type.
    pub fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Answer {
        self.send_as(method, path, token, body, "application/json")
    }

    pub fn send_as(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
        content_type: &str,
    ) -> Answer {
        let token = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", content_type)];
        headers.extend(token.as_deref().map(|token| ("authorization", token)));
        self.send_with(method, path, &headers, body)
    }

    /// With exactly these headers.
    pub fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.send_bytes(method, path, headers, body.as_bytes())
    }

    /// The same with a body of any bytes. The OpenAPI document must have the answer, and a body that
    /// is accepted.
    pub fn send_bytes(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = self.agent.run(request.body(body).unwrap()).unwrap();
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.body_mut().read_to_string().unwrap(),
        };
        conformance::check(method, path, body, &answer);
        answer
    }

    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, Some(ADMIN), body)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Some(ADMIN), "")
    }

    /// Creates a key and returns its object, `key` included.
    pub fn create(&self, body: &str) -> Value {
        self.post("/v1/keys", body).expect(201)
    }

    pub fn changes(&self, query: &str) -> Value {
        let path = format!("/v1/changes{query}");
        self.send("GET", &path, Some(EDGE), "").expect(200)
    }

    pub fn lookup(&self, hashes: &[String]) -> Value {
        let body = serde_json::json!({ "hashes": hashes }).to_string();
        self.send("POST", "/v1/lookups", Some(EDGE), &body)
            .expect(200)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The service ends before its database.
        drop(self.runtime.take());
        if self.dir.is_some() {
            raw::remove(&self.database);
        }
        if std::thread::panicking() {
            raw::tell();
        }
    }
}

impl Answer {
    /// The body, if the status is this.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// The status and the `code` of a problem.
    #[track_caller]
    pub fn problem(&self) -> (u16, String) {
        let body: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(body["status"], self.status);
        let code = text(&body, "code");
        assert_eq!(body["type"], format!("/docs/errors.md#{code}"));
        let id = self.headers.get("x-request-id");
        let id = id.map(|it| it.to_str().unwrap());
        assert_eq!(body["request_id"].as_str(), id);
        (self.status, code)
    }

    /// Where it says that something is wrong: pointers into the body, parameters, or headers.
    #[track_caller]
    pub fn wrong(&self, status: u16) -> Vec<String> {
        let problem = self.expect(status);
        let errors = problem["errors"].as_array().unwrap().iter();
        let place = |error: &Value| {
            let mut places = ["pointer", "parameter", "header"].iter();
            let place = places.find_map(|name| error.get(*name)).unwrap();
            place.as_str().unwrap().to_owned()
        };
        errors.map(place).collect()
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        let value = value.unwrap_or_else(|| panic!("no {name}: {}", self.text));
        value.to_str().unwrap()
    }
}

/// A text in an object.
#[track_caller]
pub fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap().to_owned()
}

/// The hash of an issued key, computed as an edge does.
pub fn hash(created: &Value) -> String {
    let ring = KeyRing(vec![RingEntry {
        id: "01".to_owned(),
        key: master(),
        not_before: None,
        not_after: None,
    }]);
    let key = text(created, "key");
    let key = AppKey::parse(key.as_bytes(), &Prefix::parse("kg").unwrap()).unwrap();
    let hash: KeyHash = ring.authenticate(&key, START).unwrap();
    hash.to_string()
}

pub fn config(database: &Path) -> ServiceConfig {
    ServiceConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        database: place(database),
        prefix: Prefix::parse("kg").unwrap(),
        kid: KeyRingId::parse("01").unwrap(),
        master: master(),
        retired: Vec::new(),
        admin_tokens: Tokens::parse(&format!("{ADMIN}, {SECOND_ADMIN}")).unwrap(),
        edge_tokens: Tokens::parse(EDGE).unwrap(),
        assertions: None,
        limits: Limits::default(),
        key_limits: KeyLimits::default(),
        space_limits: BTreeMap::new(),
        templates: BTreeMap::new(),
        retention: None,
        events: Vec::new(),
        unused_after: UNUSED_AFTER,
        leaks: None,
        hook: None,
    }
}

fn master() -> MasterSecret {
    MasterSecret::derive(&Secret::new(vec![7; 32])).unwrap()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .max_redirects(0)
        .proxy(None)
        .build()
        .into()
}
