//! The figures for the fleet of docs/scale.md: every line with its arithmetic.

use std::fmt::Write as _;

use serde_json::Value;

use super::edge::WORKERS;
use super::page::middle;
use super::{CACHED, KEPT_CHANGES};
use crate::report::round;

/// Envoys of the fleet.
const ENVOYS: f64 = 1_000.0;
/// Keys of the fleet.
const KEYS: f64 = 10_000_000.0;
/// Revocations per second.
const REVOKED: f64 = 100.0;
/// Connections that the circuit breaker of envoy.yaml lets one Envoy open.
const MAX_CONNECTIONS: f64 = 64.0;
/// Changes that the workers of one Envoy share.
const SHARED_CHANGES: f64 = 1024.0;

/// What follows, in Markdown.
pub fn derived(json: &Value) -> String {
    let scale = &json["scale"];
    let mut out = String::from("| for this fleet | |\n| --- | --- |\n");
    let lines = [feed(scale), service(scale), edge(scale), lookups(scale)];
    for (what, how) in lines.into_iter().flatten() {
        let _ = writeln!(out, "| {what} | {how} |");
    }
    out += "\n| for the same fleet, with two services and PostgreSQL | |\n| --- | --- |\n";
    for (what, how) in replicas(scale) {
        let _ = writeln!(out, "| {what} | {how} |");
    }
    out
}

type Lines = Vec<(&'static str, String)>;

/// What a call costs with the most keys, in microseconds.
fn cpu(scale: &Value, name: &str) -> f64 {
    call(scale, name, "cpu_us")
}

fn call(scale: &Value, name: &str, what: &str) -> f64 {
    let last = scale["sizes"].as_array().map_or(0, |it| it.len() - 1);
    middle(scale, &format!("/sizes/{last}/calls/{name}/{what}"), 1.0)
}

fn memory(scale: &Value, name: &str) -> f64 {
    middle(scale, &format!("/edge/memory/{name}"), 1.0)
}

fn feed(scale: &Value) -> Lines {
    let r = round;
    let poll = |at: usize, name: &str| middle(scale, &format!("/edge/polls/{at}/{name}"), 1.0);
    let (idle, busy) = (poll(0, "polls_per_second"), poll(3, "polls_per_second"));
    let asked = poll(3, "bytes_asked_per_poll");
    let answered = poll(3, "bytes_answered_per_poll");
    let (quiet, changed) = (cpu(scale, "poll_0"), cpu(scale, "poll_100"));
    let polls = ENVOYS * busy;
    let bytes = busy * (asked + answered);
    vec![
        (
            "polls, nothing revoked",
            format!("1,000 × {} = **{}/s**", r(idle), r(ENVOYS * idle)),
        ),
        (
            "polls, 100 revocations/s",
            format!(
                "1,000 × {} = **{}/s**, with 100 / {} = {} changes each",
                r(busy),
                r(polls),
                r(busy),
                r(REVOKED / busy)
            ),
        ),
        (
            "bytes of the feed, one Envoy",
            format!(
                "{} × ({} + {}) bytes = **{} KB/s**",
                r(busy),
                r(asked),
                r(answered),
                r(bytes / 1e3)
            ),
        ),
        (
            "bytes of the feed, all",
            format!(
                "1,000 × {} KB/s = {} MB/s = **{} Mbit/s**",
                r(bytes / 1e3),
                r(ENVOYS * bytes / 1e6),
                r(ENVOYS * bytes * 8.0 / 1e6)
            ),
        ),
        (
            "CPU of the service for polls, 100 revocations/s",
            format!(
                "{} × {} µs = **{} of a core**",
                r(polls),
                r(changed),
                r(polls * changed / 1e6)
            ),
        ),
        (
            "… nothing revoked",
            format!(
                "{} × {} µs = **{} of a core**: a poll that is held costs more than one that returns a change",
                r(ENVOYS * idle),
                r(quiet),
                r(ENVOYS * idle * quiet / 1e6)
            ),
        ),
        (
            "reads of the database for polls",
            format!(
                "one transaction for a poll that finds a change: **{}/s**; two for one that is held: \
                 2 × {} = {}/s when nothing is revoked",
                r(polls),
                r(ENVOYS * idle),
                r(2.0 * ENVOYS * idle)
            ),
        ),
        (
            "how long an Envoy may be away before it forgets everything",
            format!(
                "100,000 changes / 100 per second = **{} s**; half of that with as many creations",
                r(f64::from(KEPT_CHANGES) / REVOKED)
            ),
        ),
        (
            "how long a worker may hang before it does",
            format!(
                "1,024 shared changes / 100 per second = **{} s**; half of that with as many creations",
                r(SHARED_CHANGES / REVOKED)
            ),
        ),
    ]
}

fn service(scale: &Value) -> Lines {
    let r = round;
    let connections = memory(scale, "connections");
    let held = middle(scale, "/fleet/bytes_per_held_poll", 1.0);
    let served = middle(scale, "/fleet/served_with_1024_files", 1.0);
    let (create, revoke) = (cpu(scale, "create"), cpu(scale, "revoke"));
    let largest = scale["sizes"].as_array().and_then(|it| it.last());
    let of_largest = |name| largest.and_then(|it| it[name].as_f64()).unwrap_or(f64::NAN);
    let bytes = of_largest("file_bytes") / of_largest("keys");
    let took = call(scale, "revoke", "took_us");
    vec![
        (
            "writes",
            "**100/s**, each on disk before its answer; those that wait for each other share a \
             transaction; 200/s with as many creations"
                .to_owned(),
        ),
        (
            "CPU of the service for them",
            format!(
                "100 × {} µs + 100 × {} µs = **{} of a core**",
                r(revoke),
                r(create),
                r(REVOKED * (revoke + create) / 1e6)
            ),
        ),
        (
            "revocations that one after another has time for",
            format!(
                "1,000,000 / {} µs = **{}/s**, on this disk",
                r(took),
                r(1e6 / took)
            ),
        ),
        (
            "connections",
            format!(
                "1,000 × {} = **{}**; at most 1,000 × {MAX_CONNECTIONS} = {}, by the circuit \
                 breaker of envoy.yaml",
                r(connections),
                r(ENVOYS * connections),
                r(ENVOYS * MAX_CONNECTIONS)
            ),
        ),
        (
            "Envoys that have all their connections where the service may open 1,024 files",
            format!(
                "{} / {} = **{}**",
                r(served),
                r(connections),
                r((served / connections).floor())
            ),
        ),
        (
            "memory of the service for connections",
            format!(
                "{} × {} KB = **{} MB**, if each takes what one with a held poll takes",
                r(ENVOYS * connections),
                r(held / 1e3),
                r(ENVOYS * connections * held / 1e6)
            ),
        ),
        (
            "the file",
            format!(
                "10,000,000 × {} bytes = **{} GB**",
                r(bytes),
                r(KEYS * bytes / 1e9)
            ),
        ),
        (
            "… and each day more, where a new key takes the place of each that is revoked",
            format!(
                "100 × 86,400 × {} bytes = **{} GB**: a revoked key stays in the file",
                r(bytes),
                r(REVOKED * 86_400.0 * bytes / 1e9)
            ),
        ),
    ]
}

fn edge(scale: &Value) -> Lines {
    let r = round;
    let places = f64::from(CACHED);
    let of_key = memory(scale, "rss_bytes_per_key");
    let (worker, envoy) = (
        memory(scale, "bytes_per_further_worker"),
        memory(scale, "rss_of_16_workers"),
    );
    let caches = f64::from(WORKERS) * places * of_key;
    vec![
        (
            "memory of one worker, its cache full",
            format!(
                "{} MB + 50,000 × {} bytes = **{} MB**",
                r(worker / 1e6),
                r(of_key),
                r((worker + places * of_key) / 1e6)
            ),
        ),
        (
            "memory of one Envoy, all caches full",
            format!(
                "{} MB + 16 × 50,000 × {} bytes = **{} MB**",
                r(envoy / 1e6),
                r(of_key),
                r((envoy + caches) / 1e6)
            ),
        ),
        (
            "share of the keys that one worker has",
            format!("50,000 / 10,000,000 = **{} %**", r(places / KEYS * 100.0)),
        ),
    ]
}

fn lookups(scale: &Value) -> Lines {
    let r = round;
    let (one, many) = (cpu(scale, "lookup_1"), cpu(scale, "lookup_100") / 100.0);
    let workers = ENVOYS * f64::from(WORKERS);
    let places = workers * f64::from(CACHED);
    let hours = |each: f64| places * each / 1e6 / 3600.0;
    vec![
        (
            "keys that one core of the service looks up",
            format!(
                "1,000,000 / {} µs = **{}/s** one by one; 1,000,000 / {} µs = {}/s where a worker \
                 asks for a hundred at once",
                r(one),
                r(1e6 / one),
                r(many),
                r(1e6 / many)
            ),
        ),
        (
            "filling all caches once",
            format!(
                "1,000 × 16 × 50,000 = {} keys: **{} hours** of a core one by one, {} by the hundred",
                r(places),
                r(hours(one)),
                r(hours(many))
            ),
        ),
        (
            "requests with API keys that one core serves, if 99 of 100 are cached",
            format!(
                "{} / (1,000 × 0.01) = **{}/s for each Envoy**, and if 9 of 10 are, {}/s",
                r(1e6 / one),
                r(1e6 / one / ENVOYS / 0.01),
                r(1e6 / one / ENVOYS / 0.1)
            ),
        ),
        (
            "after one revocation, at worst",
            format!(
                "each worker forgets the key, and asks again if it is still presented there: \
                 1,000 × 16 = **16,000 lookups**, {} s of a core",
                r(workers * one / 1e6)
            ),
        ),
    ]
}

fn replicas(scale: &Value) -> Lines {
    let r = round;
    let of = |name: &str| middle(scale, &format!("/replicas/{name}"), 1.0);
    let cost = |name: &str, what: &str| of(&format!("calls/{name}/{what}"));
    let both = |name: &str| (cost(name, "cpu_us"), cost(name, "database_cpu_us"));
    let polls = ENVOYS * middle(scale, "/edge/polls/3/polls_per_second", 1.0);
    let (poll, poll_of_database) = both("poll_100");
    let (lookup, lookup_of_database) = both("lookup_1");
    let (create, create_of_database) = both("create");
    let (revoke, revoke_of_database) = both("revoke");
    let many = of("creations_of_64_per_second");
    let connections = ENVOYS * memory(scale, "connections");
    vec![
        (
            "connections of each service",
            format!("{} / 2 = **{}**", r(connections), r(connections / 2.0)),
        ),
        (
            "CPU of each service for polls, 100 revocations/s",
            format!(
                "{} / 2 × {} µs = **{} of a core**",
                r(polls),
                r(poll),
                r(polls / 2.0 * poll / 1e6)
            ),
        ),
        (
            "CPU of PostgreSQL for them",
            format!(
                "{} × {} µs = **{} ms of a core each second**",
                r(polls),
                r(poll_of_database),
                r(polls * poll_of_database / 1e3)
            ),
        ),
        (
            "CPU of PostgreSQL for 100 revocations/s and as many creations",
            format!(
                "100 × {} µs + 100 × {} µs = **{} of a core**; of both services together {}",
                r(revoke_of_database),
                r(create_of_database),
                r(REVOKED * (revoke_of_database + create_of_database) / 1e6),
                r(REVOKED * (revoke + create) / 1e6)
            ),
        ),
        (
            "changes that both services can write",
            format!(
                "**{}/s**, since all transactions lock one row: {} times what the fleet writes",
                r(many),
                r(many / (2.0 * REVOKED))
            ),
        ),
        (
            "keys that one core of a service looks up",
            format!(
                "1,000,000 / {} µs = **{}/s**, one by one",
                r(lookup),
                r(1e6 / lookup)
            ),
        ),
        (
            "keys that one core of PostgreSQL looks up",
            format!(
                "1,000,000 / {} µs = **{}/s**, one by one",
                r(lookup_of_database),
                r(1e6 / lookup_of_database)
            ),
        ),
        (
            "where one of the two services has failed",
            format!(
                "the other has {} connections, and {} of a core for polls",
                r(connections),
                r(polls * poll / 1e6)
            ),
        ),
    ]
}
