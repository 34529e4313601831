//! What a large fleet asks of one key service, and takes at each Envoy: the real service with
//! up to a million keys, a real Envoy with sixteen workers, and two services that share a PostgreSQL.
//! docs/scale.md has the figures, and what they come to for the fleet it asks about.

mod derived;
mod edge;
mod fleet;
mod page;
mod replicas;
mod service;

use std::error::Error;

use keygate_tests::service::{EDGE_TOKEN, Service};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::growth;
use crate::load;

pub use derived::derived;
pub use fleet::metric;
pub use page::measured;

/// Keys in the database.
const SIZES: [u32; 2] = [100_000, 1_000_000];

/// Changes that the service keeps: the feed is full throughout.
const KEPT_CHANGES: u32 = 100_000;

/// Keys with which requests come to an Envoy: as many as the cache of a worker has places.
const CACHED: u32 = 50_000;

/// Measures, and gives all of it as JSON. A short run leaves the largest database out.
///
/// # Errors
/// The database cannot be filled.
pub fn run(rounds: usize, is_whole: bool) -> Result<Value, Box<dyn Error>> {
    load::allow_many_files()?;
    let service = Service::start();
    service.stop();
    let texts = growth::store(&service, growth::Generator::new().make(CACHED))?;
    fill_feed(&service)?;
    let (mut of_sizes, mut stored) = (Vec::new(), CACHED);
    for size in &SIZES[..if is_whole { SIZES.len() } else { 1 }] {
        eprintln!("bench: {size} keys");
        fill(&service, size - stored)?;
        stored = *size;
        service.restart();
        of_sizes.push(service::size(&service, *size, rounds)?);
        service.stop();
    }
    eprintln!("bench: a fleet at once");
    let fleet = fleet::run(&service, rounds);
    service.restart();
    eprintln!("bench: an Envoy");
    let edge = edge::run(&service, stored, &texts, rounds.div_ceil(3))?;
    drop(service);
    eprintln!("bench: two services on one PostgreSQL");
    let replicas = replicas::run(stored, rounds)?;
    Ok(json!({ "sizes": of_sizes, "fleet": fleet, "edge": edge, "replicas": replicas }))
}

/// Puts more keys into the database of a service that is stopped: rows as the service makes
/// them, with ids and hashes that belong to no key.
pub fn fill(service: &Service, count: u32) -> rusqlite::Result<()> {
    let database = Connection::open(service.database())?;
    // Quick rather than safe: what fills it now is lost with the run anyway.
    database.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;",
    )?;
    database.execute(
        "WITH RECURSIVE row (number, id) AS ( \
             SELECT 1, lower(hex(randomblob(5))) UNION ALL \
             SELECT number + 1, lower(hex(randomblob(5))) FROM row WHERE number < ?1) \
         INSERT OR IGNORE INTO keys \
             (id, hash, start, account, scopes, metadata, allowed_ips, created_at) \
         SELECT id, randomblob(32), 'kg_01' || id, 'account-' || id, '[\"files:read\"]', \
             '{\"plan\":\"pro\"}', '[]', 0 FROM row",
        params![count],
    )?;
    Ok(())
}

fn fill_feed(service: &Service) -> rusqlite::Result<()> {
    let database = Connection::open(service.database())?;
    database.execute(
        "WITH RECURSIVE row (number) AS ( \
             SELECT 1 UNION ALL SELECT number + 1 FROM row WHERE number < ?1) \
         INSERT INTO changes (hash, at) SELECT randomblob(32), 0 FROM row",
        params![KEPT_CHANGES],
    )?;
    Ok(())
}

fn edge_authorization() -> String {
    format!("Bearer {EDGE_TOKEN}")
}
