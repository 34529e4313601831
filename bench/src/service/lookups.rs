//! What a lookup costs the service, and how much memory it has at the end.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keygate_tests::client::{self, Connection};
use keygate_tests::service::{EDGE_TOKEN, Service};
use rusqlite::{Connection as Database, params};
use serde_json::json;

use super::{Bound, Row};
use crate::cpu;

/// Requests of one side in one round.
pub(super) const REQUESTS: usize = 4000;

/// Connections that are asked in turn.
const CONNECTIONS: usize = 16;

/// Measures both.
pub(super) fn measure(service: &Service, rounds: usize) -> rusqlite::Result<[Row; 2]> {
    let lookups = requests(service, REQUESTS)?;
    let health = vec![client::get(service.port(), "/healthz").bytes(); REQUESTS];
    let ratios = (0..rounds).map(|_| {
        let (health, lookup) = (cost(service, &health), cost(service, &lookups));
        eprintln!("bench: CPU of /healthz {health:.1} us, of a lookup {lookup:.1} us");
        lookup / health
    });
    let ratios = ratios.collect();
    let memory = cpu::memory(service.id()) as f64 / 1e6;
    Ok([
        Row {
            name: "lookup CPU",
            what: "CPU of the service for a lookup, relative to that for /healthz",
            values: ratios,
            bound: Bound::AtMost(3.0),
        },
        Row {
            name: "memory",
            what: "memory of the service in MB (RssAnon), after all of this",
            values: vec![memory],
            bound: Bound::AtMost(100.0),
        },
    ])
}

/// CPU of the service in µs for each of these requests.
pub(super) fn cost(service: &Service, requests: &[Vec<u8>]) -> f64 {
    let mut connections: Vec<_> = (0..CONNECTIONS)
        .map(|_| Connection::open(service.port()))
        .collect();
    let before = cpu::time(service.id());
    for requests in requests.chunks(CONNECTIONS) {
        for (connection, request) in connections.iter_mut().zip(requests) {
            connection.send(request);
        }
        for connection in connections.iter_mut().take(requests.len()) {
            assert_eq!(connection.receive().status, 200);
        }
    }
    cpu::time(service.id()).saturating_sub(before) as f64 / 1000.0 / requests.len() as f64
}

/// Lookups of one key each, out of all that are stored.
pub(super) fn requests(service: &Service, count: usize) -> rusqlite::Result<Vec<Vec<u8>>> {
    let database = Database::open(service.database())?;
    let newest: i64 = database.query_row("SELECT max(number) FROM keys", [], |row| row.get(0))?;
    let mut statement =
        database.prepare("SELECT hash FROM keys WHERE number >= ?1 ORDER BY number LIMIT 1")?;
    let request = |_| {
        let number = fastrand::i64(1..=newest);
        let hash: Vec<u8> = statement.query_row(params![number], |row| row.get(0))?;
        let hashes = json!({ "hashes": [URL_SAFE_NO_PAD.encode(hash)] }).to_string();
        let lookup = client::post(service.port(), "/v1/lookups")
            .header("authorization", format!("Bearer {EDGE_TOKEN}"))
            .header("content-type", "application/json")
            .body(hashes);
        Ok(lookup.bytes())
    };
    (0..count).map(request).collect()
}
