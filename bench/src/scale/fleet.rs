//! A thousand edges at once, played by a thousand connections: polls that are held, news for
//! all of them, a second of a busy fleet, and what the service does beyond its limits.

use std::time::{Duration, Instant};

use keygate_tests::client::{Connection, Request};
use keygate_tests::service::{ADMIN_TOKEN, Options, Service};
use keygate_tests::wait;
use serde_json::{Value, json};

use super::service::{newest, poll};
use crate::cpu;
use crate::report::figure;

/// Edges.
pub const EDGES: usize = 1000;

/// More than the number of polls that the service holds, and more than its default limit of
/// open files.
const TOO_MANY: usize = 1100;

/// Files that a process may have where nothing else is said.
const USUAL_FILES: u32 = 1024;

/// How long a poll is held at most, in milliseconds: as long as the service allows.
const LONG: u32 = 5000;

/// How often the service is restarted, to measure its memory and its limits.
const STARTS: usize = 3;

/// Measures on a service that is stopped; leaves it so.
pub fn run(service: &Service, rounds: usize) -> Value {
    let (mut held_bytes, mut held_at_most, mut with_few_files) = (vec![], vec![], vec![]);
    let (mut news, mut busy) = (Costs::default(), Costs::default());
    for _ in 0..STARTS {
        service.restart();
        let mut edges = connections(service, 1);
        exchange(&mut edges, &poll(service, newest(service), None));
        let before = cpu::memory(service.id());
        edges.extend(connections(service, EDGES - 1));
        hold(service, &mut edges);
        let grown = cpu::memory(service.id()).saturating_sub(before);
        held_bytes.push(grown as f64 / EDGES as f64);
        create(service);
        receive(&mut edges);
        for _ in 0..rounds.div_ceil(STARTS) {
            hold(service, &mut edges);
            news.add(service, || {
                create(service);
                receive(&mut edges);
            });
            let request = poll(service, newest(service) - 100, None);
            busy.add(service, || exchange(&mut edges, &request));
        }
        edges.extend(connections(service, TOO_MANY - EDGES));
        send(&mut edges, &poll(service, newest(service), Some(LONG)));
        // Those that find no place are answered at once.
        std::thread::sleep(Duration::from_secs(1));
        held_at_most.push(held(service) as f64);
        receive(&mut edges);
        drop(edges);
        with_few_files.push(served_with_few_files() as f64);
        service.stop();
    }
    json!({
        "edges": EDGES,
        "bytes_per_held_poll": figure(&held_bytes),
        "held_at_most": figure(&held_at_most),
        "served_with_1024_files": figure(&with_few_files),
        "news": news.json(),
        "busy_second": busy.json()
    })
}

#[derive(Default)]
struct Costs {
    spent: Vec<f64>,
    took: Vec<f64>,
}

impl Costs {
    fn add(&mut self, service: &Service, work: impl FnOnce()) {
        let before = cpu::time(service.id());
        let start = Instant::now();
        work();
        self.took.push(start.elapsed().as_secs_f64() * 1e3);
        let spent = cpu::time(service.id()) - before;
        self.spent.push(spent as f64 / 1e6);
    }

    fn json(&self) -> Value {
        json!({ "cpu_ms": figure(&self.spent), "took_ms": figure(&self.took) })
    }
}

fn connections(service: &Service, count: usize) -> Vec<Connection> {
    let open = |_| Connection::open(service.port());
    (0..count).map(open).collect()
}

fn send(edges: &mut [Connection], request: &Request) {
    let bytes = request.bytes();
    edges.iter_mut().for_each(|it| it.send(&bytes));
}

fn receive(edges: &mut [Connection]) {
    for edge in edges {
        let answer = edge.receive();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

fn exchange(edges: &mut [Connection], request: &Request) {
    send(edges, request);
    receive(edges);
}

/// Sends a poll for news on every connection, and waits until all are held.
fn hold(service: &Service, edges: &mut [Connection]) {
    send(edges, &poll(service, newest(service), Some(LONG)));
    wait::until("the polls to be held", wait::STARTUP, || {
        (held(service) == edges.len() as u64).then_some(())
    });
}

fn held(service: &Service) -> u64 {
    metric(service, "keygate_service_held_polls ").expect("it says so")
}

/// A number of the service's metrics, by how its line begins.
pub fn metric(service: &Service, start: &str) -> Option<u64> {
    let metrics = service.request("GET", "/metrics", ADMIN_TOKEN, None).text();
    let line = metrics.lines().find(|line| line.starts_with(start))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

fn create(service: &Service) {
    let _ = service.create_key(&json!({ "account": "news" }));
}

/// How many connections a service keeps that may have no more files than usual. Each makes a call
/// before the next one is opened, so that all are equal but for their age.
fn served_with_few_files() -> usize {
    let service = Service::start_with(Options {
        files: Some(USUAL_FILES),
        ..Options::default()
    });
    let request = poll(&service, newest(&service), None);
    let mut edges = Vec::new();
    for _ in 0..TOO_MANY {
        let mut edge = Connection::open(service.port());
        exchange(std::slice::from_mut(&mut edge), &request);
        edges.push(edge);
    }
    let answers = edges.iter_mut().map(|it| it.try_exchange(&request));
    answers.filter(Result::is_ok).count()
}
