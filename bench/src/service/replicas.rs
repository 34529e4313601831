//! Two key services that share a PostgreSQL, beside what one client or `/healthz` costs there.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keygate_testkit::postgres::{PASSWORD, Server};
use keygate_tests::client;
use keygate_tests::service::{EDGE_TOKEN, Options, Service};
use serde_json::json;

use super::lookups::{REQUESTS, cost};
use super::{Bound, CREATORS, Row, SLICE, create_until};

/// Two services, and the database that they share.
pub(crate) struct Pair {
    pub(crate) services: [Service; 2],
    /// After what uses it: it has to outlive them.
    pub(crate) server: Server,
    database: String,
}

impl Pair {
    /// On the disk of this machine, or on the one that a library makes of it.
    pub(crate) fn start(disk: Option<&Path>) -> Self {
        let server = Server::start_with(disk.map(Path::to_owned));
        let database = server.create_database();
        let password = PASSWORD.replace(' ', "%20");
        let store = server.url(&database).replace('@', &format!(":{password}@"));
        let start = || {
            Service::start_with(Options {
                store: Some(store.clone()),
                ..Options::default()
            })
        };
        Self {
            services: [start(), start()],
            server,
            database,
        }
    }

    /// Keys a second that so many clients create, each at one of the services.
    pub(crate) fn creations(&self, creators: usize) -> f64 {
        let stop = AtomicBool::new(false);
        let created = thread::scope(|scope| {
            let threads: Vec<_> = (0..creators)
                .map(|at| {
                    let (port, stop) = (self.services[at % 2].port(), &stop);
                    scope.spawn(move || create_until(port, stop, |_, _| {}))
                })
                .collect();
            thread::sleep(SLICE);
            stop.store(true, Ordering::Relaxed);
            let counts = threads.into_iter().map(|it| it.join().expect("no panic"));
            counts.sum::<usize>() as f64
        });
        created / SLICE.as_secs_f64()
    }

    /// Adds keys, each with the id and the hash of its number.
    pub(crate) fn fill(&self, keys: u32) {
        eprintln!("bench: {keys} keys for PostgreSQL");
        let statement = format!(
            "INSERT INTO keygate.keys (id, hash, start, account, scopes, metadata, allowed_ips, created_at) \
             SELECT lpad(n::text, 10, '0'), sha256(n::text::bytea), 'kg_00', 'account-' || n % 1000, \
             '[\"files:read\"]', '{{\"plan\":\"pro\"}}', '[]', 1795305600000 \
             FROM generate_series(1, {keys}) AS n"
        );
        self.server.query(&self.database, &statement);
        self.server
            .query(&self.database, "VACUUM ANALYZE keygate.keys");
    }
}

/// The id and the hash of the key with this number.
pub(crate) fn key(number: u32) -> (String, [u8; 32]) {
    let hash = <sha2::Sha256 as sha2::Digest>::digest(number.to_string());
    (format!("{number:010}"), hash.into())
}

/// Measures both.
pub(super) fn measure(slow: &Path, keys: u32, rounds: usize) -> [Row; 2] {
    let pair = Pair::start(Some(slow));
    let creators = (0..rounds).map(|round| {
        eprintln!("bench: writers of two services, round {round} of {rounds}");
        let one = pair.creations(1);
        pair.creations(CREATORS) / one
    });
    let creators = creators.collect();
    pair.fill(keys);
    let service = &pair.services[0];
    let lookups: Vec<_> = (0..REQUESTS).map(|_| lookup(service, keys)).collect();
    let health = vec![client::get(service.port(), "/healthz").bytes(); REQUESTS];
    let costs = (0..rounds).map(|_| {
        let (health, lookup) = (cost(service, &health), cost(service, &lookups));
        eprintln!(
            "bench: CPU of /healthz {health:.1} us, of a lookup in PostgreSQL {lookup:.1} us"
        );
        lookup / health
    });
    let costs = costs.collect();
    [
        Row {
            name: "replicas' creators",
            what: "keys a second of 64 creators at two services with PostgreSQL, relative to one creator",
            values: creators,
            bound: Bound::AtLeast(5.0),
        },
        Row {
            name: "replicas' lookup CPU",
            what: "CPU of a service with PostgreSQL for a lookup, relative to that for /healthz",
            values: costs,
            bound: Bound::AtMost(4.0),
        },
    ]
}

/// Of any of those keys.
fn lookup(service: &Service, keys: u32) -> Vec<u8> {
    let (_, hash) = key(fastrand::u32(1..=keys));
    let hash = URL_SAFE_NO_PAD.encode(hash);
    client::post(service.port(), "/v1/lookups")
        .header("authorization", format!("Bearer {EDGE_TOKEN}"))
        .header("content-type", "application/json")
        .body(json!({ "hashes": [hash] }).to_string())
        .bytes()
}
