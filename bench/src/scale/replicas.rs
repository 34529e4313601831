//! Two services that share a PostgreSQL: what each call costs one of them and the database, and how
//! many keys clients create at both.

use std::error::Error;

use keygate_core::keys::KeyHash;
use serde_json::{Value, json};

use super::service::{calls, newest};
use crate::cpu;
use crate::report::figure;
use crate::service::CREATORS;
use crate::service::replicas::{Pair, key};

/// Changes that the feed has before the first poll reads them.
const CHANGES: u32 = 2000;

/// Measures all of it with so many keys.
pub fn run(keys: u32, rounds: usize) -> Result<Value, Box<dyn Error>> {
    let pair = Pair::start(None);
    while newest(&pair.services[0]) < u64::from(CHANGES) {
        pair.creations(CREATORS);
    }
    let rates = (0..rounds.div_ceil(3)).map(|_| [pair.creations(1), pair.creations(CREATORS)]);
    let (one, many): (Vec<_>, Vec<_>) = rates.map(|[one, many]| (one, many)).unzip();
    pair.fill(keys);
    let pick = |count| {
        let keys = (0..count).map(|_| key(fastrand::u32(1..=keys)));
        Ok(keys.map(|(id, hash)| (id, KeyHash(hash))).collect())
    };
    let server = pair.server.id();
    let database = || {
        cpu::children(server)
            .into_iter()
            .map(cpu::time_if_there)
            .sum()
    };
    let calls = calls(&pair.services[0], pick, database, rounds)?;
    Ok(json!({
        "keys": keys,
        "calls": calls,
        "creations_of_1_per_second": figure(&one),
        "creations_of_64_per_second": figure(&many),
    }))
}
