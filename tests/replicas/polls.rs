//! Held polls: a change at one service ends those of the other.

use std::thread;
use std::time::{Duration, Instant};

use keygate_tests::client::{self, Connection};
use keygate_tests::service::EDGE_TOKEN;
use keygate_tests::wait;

use crate::edge;
use crate::fleet::{Fleet, call, new_key};
use crate::is_long;

/// The longest that a poll may be held.
const HELD: Duration = Duration::from_secs(5);

/// How long a poll at the second service took to hear of a change at the first.
fn heard_after(fleet: &Fleet, before: impl FnOnce()) -> Duration {
    let place = edge::place(&fleet.services[1]);
    thread::scope(|scope| {
        let poll = scope.spawn(|| {
            let begin = Instant::now();
            loop {
                // One that ends by itself is followed by the next, as at an edge.
                let news = edge::poll(&fleet.services[1], Some(&place), HELD).unwrap();
                if news.place.epoch > place.epoch {
                    return (news, Instant::now());
                }
                assert!(begin.elapsed() < 6 * HELD, "no change is heard");
            }
        });
        is_held(fleet);
        before();
        let answer = call(&fleet.services[0], "POST", "/v1/keys", &new_key("alice")).unwrap();
        let acknowledged = Instant::now();
        assert_eq!(answer.status, 201, "{}", answer.text());
        let (news, heard) = poll.join().unwrap();
        assert_eq!(news.hashes.len(), 1);
        heard.saturating_duration_since(acknowledged)
    })
}

/// Waits until the second service holds a poll.
fn is_held(fleet: &Fleet) {
    wait::until("a held poll", 2 * HELD, || {
        let metrics = client::get(fleet.services[1].port(), "/metrics");
        let text = metrics.send().text();
        let line = text
            .lines()
            .find(|it| it.starts_with("keygate_service_held_polls "));
        line.is_some_and(|it| it.ends_with(" 1")).then_some(())
    });
}

#[test]
fn a_change_ends_the_held_polls_of_the_other_service() {
    let fleet = Fleet::start();
    let rounds = if is_long() { 200 } else { 5 };
    let mut took: Vec<_> = (0..rounds).map(|_| heard_after(&fleet, || {})).collect();
    took.sort_unstable();
    eprintln!(
        "a change is heard after {:?}, at most {:?}",
        took[rounds / 2],
        took[rounds - 1]
    );
    assert!(took[rounds - 1] < HELD / 2, "the polls ended by themselves");
    let slowest_of_100 = took[rounds * 99 / 100];
    assert!(
        !is_long() || slowest_of_100 <= Duration::from_millis(100),
        "{slowest_of_100:?}"
    );
}

#[test]
fn a_change_ends_them_without_the_connection_that_listens() {
    let fleet = Fleet::start();
    for _ in 0..if is_long() { 20 } else { 3 } {
        let took = heard_after(&fleet, || {
            let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE query LIKE '%, tokens FROM head'";
            let cut = fleet.server().query(&fleet.database, cut);
            assert_ne!(cut, "0", "no connection listens");
        });
        eprintln!("without a listener a change is heard after {took:?}");
        assert!(took < HELD / 2, "the poll ended by itself");
        assert!(
            !is_long() || took <= Duration::from_millis(1200),
            "{took:?}"
        );
    }
}

/// 1000 edges of each service cost an idle database at most five statements a second and service.
#[test]
fn held_polls_cost_an_idle_database_next_to_nothing() {
    let fleet = Fleet::start();
    let count = if is_long() { 1000 } else { 100 };
    let place = edge::place(fleet.any());
    let path = format!(
        "/v1/changes?after={}&incarnation={}&wait=5s",
        place.epoch, place.incarnation
    );
    let all: Vec<_> = fleet
        .services
        .iter()
        .map(|service| {
            let open = |_| {
                let mut connection = Connection::open(service.port());
                let request = client::get(service.port(), &path);
                connection.send(
                    request
                        .header("authorization", format!("Bearer {EDGE_TOKEN}"))
                        .bytes(),
                );
                connection
            };
            (0..count).map(open).collect::<Vec<_>>()
        })
        .collect();
    let logs = |on: &str| {
        let statement = format!("ALTER SYSTEM SET log_statement = '{on}'");
        fleet.server().query("postgres", &statement);
        fleet.server().query("postgres", "SELECT pg_reload_conf()");
    };
    thread::sleep(Duration::from_millis(500));
    logs("all");
    let before = fleet.server().log().len();
    let begin = Instant::now();
    thread::sleep(Duration::from_millis(3500));
    let span = begin.elapsed().as_secs_f64();
    let log = fleet.server().log();
    logs("none");
    let is_statement = |line: &&str| {
        (line.contains("statement: ") || line.contains("execute "))
            && !line.contains("pg_reload_conf")
    };
    let statements = log[before..].lines().filter(is_statement).count();
    drop(all);
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let rate = statements as f64 / span / 2.0;
    eprintln!("{rate:.1} statements a second and service, while each holds {count} polls");
    assert!(
        statements > 0,
        "the log has no statements:\n{}",
        &log[before..]
    );
    assert!(rate <= 5.0, "{}", &log[before..]);
}
