//! What each call costs the key service, by the number of keys in its database: one client
//! that asks, waits for the answer, and asks again.

use std::error::Error;
use std::fs;
use std::time::Instant;

use keygate_core::keys::KeyHash;
use keygate_core::keys::wire::{CHANGES_PATH, LOOKUPS_PATH, LookupRequest};
use keygate_tests::client::{self, Connection, Request};
use keygate_tests::service::{ADMIN_TOKEN, Service};
use rusqlite::OpenFlags;
use serde_json::{Map, Value, json};

use super::edge_authorization;
use crate::cpu;
use crate::report::figure;

/// Calls of one kind in a round.
const CALLS: usize = 100;

/// Keys of one lookup of many, as many as a worker asks for at once.
const MANY: usize = 100;

/// What it takes with so many keys in its file, and what each call costs.
pub fn size(service: &Service, size: u32, rounds: usize) -> Result<Value, Box<dyn Error>> {
    let begun = cpu::memory(service.id());
    let file = fs::metadata(service.database())?.len();
    let mut rows = Rows::open(service, size)?;
    let calls = calls(service, |count| Ok(rows.pick(count)?), || 0, rounds)?;
    Ok(json!({
        "keys": size,
        "file_bytes": file,
        "memory_begun": begun,
        "memory_used": cpu::memory(service.id()),
        "calls": calls
    }))
}

/// Calls of one kind: their name, and the status of their answers.
type Kind = (&'static str, Vec<Request>, u16);

/// The id and the hash of each of some keys.
pub type Picked = Result<Vec<(String, KeyHash)>, Box<dyn Error>>;

/// What each call costs: the service, and what it uses beside its process, whose time on a core
/// `beside` tells in nanoseconds. `pick` chooses keys anywhere in the database.
pub fn calls(
    service: &Service,
    mut pick: impl FnMut(usize) -> Picked,
    beside: impl Fn() -> u64,
    rounds: usize,
) -> Result<Map<String, Value>, Box<dyn Error>> {
    let mut client = Client::new(service);
    let mut costs: Vec<(&str, [Vec<f64>; 3])> = Vec::new();
    // The first round fills the caches, and does not count.
    for round in 0..=rounds {
        let kinds = client.kinds(&mut pick)?;
        for (place, (name, requests, status)) in kinds.into_iter().enumerate() {
            let cost = client.cost(&requests, status, &beside);
            match costs.get_mut(place) {
                _ if round == 0 => costs.push((name, Default::default())),
                Some((_, all)) => all.iter_mut().zip(cost).for_each(|(all, it)| all.push(it)),
                None => {}
            }
        }
    }
    let all = costs.into_iter().map(|(name, all)| {
        let [spent, beside, took] = all.each_ref().map(|it| figure(it));
        let one = json!({ "cpu_us": spent, "database_cpu_us": beside, "took_us": took });
        (name.to_owned(), one)
    });
    Ok(all.collect())
}

/// Ids and hashes of keys anywhere in the database.
pub struct Rows {
    database: rusqlite::Connection,
    random: fastrand::Rng,
    size: u32,
}

impl Rows {
    pub fn open(service: &Service, size: u32) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Ok(Self {
            database: rusqlite::Connection::open_with_flags(service.database(), flags)?,
            random: fastrand::Rng::new(),
            size,
        })
    }

    /// Some keys that no request carries.
    pub fn pick(&mut self, count: usize) -> rusqlite::Result<Vec<(String, KeyHash)>> {
        let mut row = self
            .database
            .prepare_cached("SELECT id, hash FROM keys WHERE number >= ?1 LIMIT 1")?;
        let pick = |_| {
            let number = self.random.u32(super::CACHED + 1..self.size);
            row.query_row([number], |row| Ok((row.get(0)?, KeyHash(row.get(1)?))))
        };
        (0..count).map(pick).collect()
    }
}

struct Client<'a> {
    service: &'a Service,
    connection: Connection,
}

impl<'a> Client<'a> {
    fn new(service: &'a Service) -> Self {
        let connection = Connection::open(service.port());
        Self {
            service,
            connection,
        }
    }

    /// The calls of a round, by name; and the status of their answers.
    fn kinds(
        &mut self,
        pick: &mut impl FnMut(usize) -> Picked,
    ) -> Result<Vec<Kind>, Box<dyn Error>> {
        let newest = newest(self.service);
        let polls = |behind, wait| {
            let request = poll(self.service, newest - behind, wait);
            vec![request; CALLS]
        };
        let mut lookups = |keys| -> Result<Vec<Request>, Box<dyn Error>> {
            let one = |_| Ok(lookup(self.service, pick(keys)?));
            (0..CALLS).map(one).collect()
        };
        let mut all = vec![
            ("poll_0", polls(0, Some(1)), 200),
            ("poll_1", polls(1, None), 200),
            ("poll_100", polls(100, None), 200),
            ("poll_1000", polls(1000, None), 200),
            ("lookup_1", lookups(1)?, 200),
            ("lookup_100", lookups(MANY)?, 200),
        ];
        let create = |_| {
            admin(
                self.service,
                "/v1/keys",
                &json!({ "account": "a", "metadata": { "plan": "pro" } }),
            )
        };
        all.push(("create", (0..CALLS).map(create).collect(), 201));
        let picked = pick(CALLS)?;
        let revoke = |(id, _): &(String, _)| revocation(self.service, id);
        all.push(("revoke", picked.iter().map(revoke).collect(), 200));
        Ok(all)
    }

    /// Microseconds of each: on a core, on a core beside the service, and until the answer was there.
    fn cost(&mut self, requests: &[Request], status: u16, beside: &impl Fn() -> u64) -> [f64; 3] {
        let before = [cpu::time(self.service.id()), beside()];
        let start = Instant::now();
        for request in requests {
            let answer = self.connection.exchange(request);
            assert_eq!(answer.status, status, "{}", answer.text());
        }
        let took = start.elapsed();
        let after = [cpu::time(self.service.id()), beside()];
        let count = requests.len() as f64;
        let spent = |at: usize| after[at].saturating_sub(before[at]) as f64 / 1e3 / count;
        [spent(0), spent(1), took.as_secs_f64() * 1e6 / count]
    }
}

/// The number of the newest change.
pub fn newest(service: &Service) -> u64 {
    let request = client::get(service.port(), CHANGES_PATH);
    let request = request.header("authorization", edge_authorization());
    let json = request.send().json();
    json["epoch"].as_u64().expect("the feed has a number")
}

/// As the filter asks, but for what Envoy adds; `wait` in milliseconds.
pub fn poll(service: &Service, after: u64, wait: Option<u32>) -> Request {
    let wait = wait.map_or(String::new(), |it| format!("&wait={it}ms"));
    let path = format!("{CHANGES_PATH}?after={after}{wait}");
    client::get(service.port(), path).header("authorization", edge_authorization())
}

/// A revocation by an administrator.
pub fn revocation(service: &Service, id: &str) -> Request {
    admin(service, &format!("/v1/keys/{id}/revoke"), &json!({}))
}

fn lookup(service: &Service, keys: Vec<(String, KeyHash)>) -> Request {
    let hashes = keys.into_iter().map(|(_, hash)| hash).collect();
    client::post(service.port(), LOOKUPS_PATH)
        .header("authorization", edge_authorization())
        .header("content-type", "application/json")
        .body(
            LookupRequest {
                hashes,
                want: Vec::new(),
            }
            .write(),
        )
}

fn admin(service: &Service, path: &str, body: &Value) -> Request {
    client::post(service.port(), path)
        .header("authorization", format!("Bearer {ADMIN_TOKEN}"))
        .header("content-type", "application/json")
        .body(body.to_string())
}
