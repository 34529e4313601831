//! Two key services, and the database that they share.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keygate_testkit::postgres::{PASSWORD, Server};
use keygate_tests::client::Response;
use keygate_tests::relay::Relay;
use keygate_tests::service::{ADMIN_TOKEN, Options, Service};
use serde_json::{Value, json};

/// How long an answer may take, whatever fails: a service gives up after 10 s, and a busy machine has a
/// second for the way. Beyond this a client hangs.
pub const BOUND: Duration = Duration::from_secs(11);

pub struct Fleet {
    pub services: [Service; 2],
    /// Between each service and the database.
    pub relays: [Relay; 2],
    /// After what uses it: it has to outlive them.
    server: Mutex<Server>,
    pub database: String,
}

impl Fleet {
    pub fn start() -> Self {
        let server = Server::start();
        let database = server.create_database();
        let relays = [Relay::to(server.port()), Relay::to(server.port())];
        let start = |relay: &Relay| {
            Service::start_with(Options {
                store: Some(url(relay.port(), &database)),
                ..Options::default()
            })
        };
        Self {
            services: [start(&relays[0]), start(&relays[1])],
            relays,
            server: Mutex::new(server),
            database,
        }
    }

    /// The database server.
    pub fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another one in its place.
    pub fn replace(&self, server: Server) {
        *self.server() = server;
    }

    /// Any of them.
    pub fn any(&self) -> &Service {
        &self.services[fastrand::usize(0..2)]
    }

    /// The number of the newest change, as the database says.
    pub fn epoch(&self) -> u64 {
        let statement = "SELECT coalesce(max(seq), 0) FROM keygate.changes";
        let answer = self.server().query(&self.database, statement);
        answer.parse().unwrap()
    }
}

/// Of a database behind this port, with the password.
pub fn url(port: u16, database: &str) -> String {
    let password = PASSWORD.replace(' ', "%20");
    format!("postgres://keygate:{password}@127.0.0.1:{port}/{database}")
}

/// A call of an administrator, where no answer is a possible outcome.
pub fn call(service: &Service, method: &str, path: &str, body: &Value) -> io::Result<Response> {
    let asked = Instant::now();
    let answer = service.try_request(method, path, ADMIN_TOKEN, Some(body), BOUND + BOUND);
    assert!(asked.elapsed() < BOUND, "{method} {path} hangs");
    answer
}

/// The body of a new key.
pub fn new_key(account: &str) -> Value {
    json!({ "account": account, "scopes": ["a:read"] })
}
