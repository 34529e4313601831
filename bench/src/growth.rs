//! How the key service and the workers' cache bear many keys: the cost of a lookup by the
//! number of keys in the database, how many requests of a Zipf mix the cache answers, what two
//! workers cost beside one, and a thousand clients at an Envoy that knows no key.

mod cold_start;
mod workers;

use std::error::Error;

use keygate_core::Secret;
use keygate_core::keys::{KeyRingId, MasterSecret, NewAppKey, Prefix};
use keygate_tests::envoy::{Envoy, EnvoyConfig};
use keygate_tests::service::{APP_KEYS, Service};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::cpu::{self, Cores};
use crate::load::{self, Request, Script};
use crate::measure::Plan;
use crate::report::round;
use crate::{credentials, subject};

/// Keys in the database.
const SIZES: [u32; 4] = [1, 1_000, 100_000, 1_000_000];

/// New keys: each is looked up once.
const COLD: u32 = 200_000;

/// Keys that are in use, of those in the largest database.
const IN_USE: u32 = 100_000;

/// Requests of the mix that fill the cache, and as many others that are counted.
const MIX: usize = 400_000;

/// How unequal the use is: the key of rank r is used as 1/r to this power.
const ZIPF: f64 = 1.0;

/// Measures, and gives all of it as JSON.
///
/// # Errors
/// The database cannot be filled.
pub fn run(cores: Cores, plan: &Plan) -> Result<Value, Box<dyn Error>> {
    load::allow_many_files()?;
    // As long in all as a variant of the edge.
    let seconds = plan.seconds * plan.rounds.div_ceil(4) as u64;
    let mut keys = Generator::new();
    let cold: Vec<String> = keys.make(COLD).map(|it| it.text.to_string()).collect();
    let (mut lookups, mut stored, mut mix) = (Vec::new(), Vec::new(), Value::Null);
    let service = Service::start();
    for size in SIZES {
        eprintln!("bench: {size} keys");
        service.stop();
        let more = size - u32::try_from(stored.len())?;
        stored.extend(store(&service, keys.make(more))?);
        service.restart();
        cpu::pin(service.id(), cores.services);
        lookups.push(unknown_keys(&service, size, &cold, cores, seconds));
        if size == SIZES[SIZES.len() - 1] {
            mix = zipf_mix(&service, &stored[..IN_USE as usize], cores, seconds);
        }
    }
    Ok(json!({
        "lookups": lookups,
        "zipf_mix": mix,
        "workers": workers::run(cores, plan.rounds.div_ceil(2), plan.seconds),
        "cold_start": cold_start::run(cores, plan.rounds.div_ceil(3))?
    }))
}

/// Keys of our secret, always the same ones.
pub struct Generator {
    master: MasterSecret,
    random: fastrand::Rng,
}

impl Generator {
    pub fn new() -> Self {
        let secret = Secret::new(APP_KEYS.into());
        Self {
            master: MasterSecret::derive(&secret).expect("long enough"),
            random: fastrand::Rng::with_seed(3),
        }
    }

    pub fn make(&mut self, count: u32) -> impl Iterator<Item = NewAppKey> {
        let kid = KeyRingId::parse("01").expect("an id");
        let prefix = Prefix::parse("kg").expect("a prefix");
        (0..count).map(move |_| {
            let fill = &mut |bytes: &mut [u8]| self.random.fill(bytes);
            self.master.generate(&prefix, kid, fill)
        })
    }
}

/// Puts keys into the database as the service does, but all at once; gives their texts.
pub fn store(
    service: &Service,
    keys: impl Iterator<Item = NewAppKey>,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut database = Connection::open(service.database())?;
    let transaction = database.transaction()?;
    let mut texts = Vec::new();
    {
        let mut insert = transaction.prepare(
            "INSERT INTO keys (id, hash, start, account, scopes, metadata, allowed_ips, created_at) \
             VALUES (?1, ?2, ?3, ?4, '[\"files:read\"]', '{\"plan\":\"pro\"}', '[]', 0)",
        )?;
        for key in keys {
            let account = format!("account-{}", key.id);
            insert.execute(params![key.id, &key.hash.0[..], &key.text[..15], account])?;
            texts.push(key.text.to_string());
        }
    }
    transaction.commit()?;
    Ok(texts)
}

/// An Envoy with so many workers. One alone is bound to a core; several run where there is time.
fn start(config: EnvoyConfig, workers: u32, cores: Cores) -> Envoy {
    let envoy = Envoy::start(config.concurrency(workers));
    if workers == 1 {
        cpu::pin(process(&envoy), cores.proxies);
    }
    envoy
}

fn keygate(service: &Service) -> EnvoyConfig {
    subject::with_secrets(subject::keygate(credentials::edit_policy, service.port()))
}

fn process(envoy: &Envoy) -> u32 {
    envoy.id().expect("an Envoy in a container is not measured")
}

/// A request with an app key.
fn request(key: &String) -> Request {
    Request::with("/api/hello", "authorization", format!("Bearer {key}"))
}

fn script<'a>(keys: impl IntoIterator<Item = &'a String>) -> Script {
    Script::new(&keys.into_iter().map(request).collect::<Vec<_>>())
}

/// Keys that the service does not know, each of them once: the cache never helps.
fn unknown_keys(
    service: &Service,
    size: u32,
    keys: &[String],
    cores: Cores,
    seconds: u64,
) -> Value {
    let envoy = start(keygate(service), 1, cores);
    let script = script(keys);
    let before = cpu::time(service.id());
    let counted = script.run(envoy.port(), seconds, cores.load);
    let spent = cpu::time(service.id()) - before;
    assert_eq!(
        counted.rejected, counted.requests,
        "an unknown key has passed"
    );
    assert!(
        counted.requests < keys.len() as u64,
        "there are too few keys for {seconds} s: {} requests",
        counted.requests
    );
    let callouts = callouts(&envoy) as f64;
    let per_second = counted.requests as f64 / counted.duration.as_secs_f64();
    json!({
        "keys": size,
        "requests_per_second": per_second.round(),
        "service_cpu_us_per_lookup": (spent as f64 / 1e3 / callouts * 10.0).round() / 10.0
    })
}

/// Known keys, some of them far more often than others.
fn zipf_mix(service: &Service, keys: &[String], cores: Cores, seconds: u64) -> Value {
    let envoy = start(keygate(service), 1, cores);
    let mut random = fastrand::Rng::with_seed(4);
    let ranks = Zipf::new(keys.len());
    let mut mix = || script((0..MIX).map(|_| &keys[ranks.pick(random.f64())]));
    let (to_fill, to_count) = (mix(), mix());
    let warm = to_fill.run(envoy.port(), 3 * seconds, cores.load);
    let before = callouts(&envoy);
    let counted = to_count.run(envoy.port(), 3 * seconds, cores.load);
    let asked = callouts(&envoy) - before;
    for it in [warm, counted] {
        assert_eq!(it.rejected, 0, "a known key was rejected");
        assert!(it.requests < MIX as u64, "the mix has begun again");
    }
    let (requests, took) = (counted.requests as f64, counted.duration.as_secs_f64());
    json!({
        "keys": SIZES[SIZES.len() - 1], "keys_in_use": keys.len(), "exponent": ZIPF,
        "requests_per_second": (requests / took).round(),
        "hit_rate": ((1.0 - asked as f64 / requests) * 1e4).round() / 1e4,
        "callouts_per_second": (asked as f64 / took).round()
    })
}

/// Lookups at the key service so far, of up to a hundred keys each; no polls of the change feed.
fn callouts(envoy: &Envoy) -> u64 {
    let names = ["answered", "unavailable"];
    let counted = names.map(|it| envoy.stat(&format!("wasmcustom.keygate_lookup.{it}")));
    counted.into_iter().flatten().sum()
}

struct Zipf(Vec<f64>);

impl Zipf {
    fn new(count: usize) -> Self {
        let mut sum = 0.0;
        let weights = (1..=count).map(|rank| {
            sum += (rank as f64).powf(-ZIPF);
            sum
        });
        Self(weights.collect())
    }

    /// The place for a number from 0 to 1.
    fn pick(&self, share: f64) -> usize {
        let all = self.0[self.0.len() - 1];
        let place = self.0.partition_point(|it| *it < share * all);
        place.min(self.0.len() - 1)
    }
}

/// For a reader, in Markdown.
pub fn table(json: &Value) -> String {
    let number = |it: &Value| it.as_f64().unwrap_or(0.0);
    let mut out = String::from(
        "| keys in the database | lookups/s, all cold | CPU of the key service for each |\n| ---: | ---: | ---: |\n",
    );
    for it in json["lookups"].as_array().into_iter().flatten() {
        out += &format!(
            "| {} | {:.0} | {} µs |\n",
            it["keys"],
            number(&it["requests_per_second"]),
            it["service_cpu_us_per_lookup"]
        );
    }
    let mix = &json["zipf_mix"];
    out += &format!(
        "\n{} of {} keys are in use, with a Zipf distribution (exponent {}). One worker with a cache \
         of 50,000 entries serves {:.2} % of {} requests per second from its cache, and makes {} \
         callouts per second.\n",
        round(number(&mix["keys_in_use"])),
        round(number(&mix["keys"])),
        mix["exponent"],
        number(&mix["hit_rate"]) * 100.0,
        round(number(&mix["requests_per_second"])),
        round(number(&mix["callouts_per_second"])),
    );
    out += "\n";
    out += &workers::table(&json["workers"]);
    out += "\n";
    out += &cold_start::table(&json["cold_start"]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rank_is_used_twice_as_often_as_the_second() {
        let ranks = Zipf::new(2);
        assert_eq!(ranks.pick(0.0), 0);
        assert_eq!(ranks.pick(0.66), 0);
        assert_eq!(ranks.pick(0.67), 1);
        assert_eq!(ranks.pick(1.0), 1);
    }
}
