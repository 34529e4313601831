//! A database that is not the one it was: an edge that is ahead of it must forget everything before it
//! learns of any later change.

use std::time::Duration;

use keygate_testkit::postgres::Server;
use keygate_tests::service::{Options, Service};
use keygate_tests::wait;

use crate::edge::{self, Place};
use crate::fleet::{Fleet, call, new_key, url};

/// How long a service may take to notice a database that came back.
const PATIENCE: Duration = Duration::from_secs(20);

/// Creates keys one after the other, and waits where the database is not there yet.
fn create(service: &Service, count: usize) {
    for _ in 0..count {
        let made = || {
            let answer = call(service, "POST", "/v1/keys", &new_key("alice"));
            answer.ok().filter(|it| it.status == 201)
        };
        wait::until("a key to be created", PATIENCE, made);
    }
}

/// Whether a service tells an edge at this place to forget everything, once it answers.
fn is_reset(service: &Service, place: &Place) -> bool {
    let poll = || edge::poll(service, Some(place), Duration::ZERO).ok();
    wait::until("an answer to a poll", PATIENCE, poll).is_reset
}

fn must_forget(fleet: &Fleet, ahead: &Place) {
    for service in &fleet.services {
        // Until it has noticed, it says that there is nothing new.
        wait::until("a reset", PATIENCE, || {
            let news = edge::poll(service, Some(ahead), Duration::ZERO).ok()?;
            assert!(news.is_reset || news.hashes.is_empty());
            news.is_reset.then_some(())
        });
    }
    create(&fleet.services[0], 15);
    for service in &fleet.services {
        assert!(is_reset(service, ahead), "after later changes");
        let here = edge::place(service);
        assert_ne!(here.incarnation, ahead.incarnation);
        assert!(!is_reset(service, &here));
    }
}

#[test]
fn an_edge_that_is_ahead_of_a_restored_snapshot_forgets_everything() {
    let fleet = Fleet::start();
    create(&fleet.services[0], 5);
    let old = edge::place(&fleet.services[1]);
    let snapshot = fleet.server().snapshot();
    fleet.server().go_on();
    create(&fleet.services[0], 10);
    let ahead = edge::place(&fleet.services[0]);
    assert!(ahead.epoch > old.epoch);
    fleet.server().crash();
    fleet.server().restore(&snapshot);
    fleet.server().go_on();
    must_forget(&fleet, &ahead);
}

#[test]
fn an_edge_that_is_ahead_of_a_promoted_standby_forgets_everything() {
    let fleet = Fleet::start();
    let mut standby = fleet.server().standby();
    create(&fleet.services[0], 5);
    let has_all = || {
        let statement = "SELECT coalesce(max(seq), 0) FROM keygate.changes";
        let answer = standby.query(&fleet.database, statement);
        (answer.parse() == Ok(fleet.epoch())).then_some(())
    };
    wait::until("the standby to follow", PATIENCE, has_all);
    standby.stop();
    create(&fleet.services[1], 10);
    let ahead = edge::place(&fleet.services[1]);
    fleet.server().crash();
    standby.go_on();
    standby.take_over(&fleet.server());
    fleet.replace(standby);
    must_forget(&fleet, &ahead);
}

#[test]
fn an_edge_that_is_ahead_of_a_dump_forgets_everything() {
    let fleet = Fleet::start();
    create(&fleet.services[0], 5);
    let dump = fleet.server().dump(&fleet.database);
    create(&fleet.services[0], 10);
    let ahead = edge::place(&fleet.services[0]);
    fleet.server().crash();
    let mut other = Server::start();
    assert_eq!(other.create_database(), fleet.database);
    other.load(&fleet.database, &dump);
    other.take_port(&fleet.server());
    fleet.replace(other);
    must_forget(&fleet, &ahead);
}

#[test]
fn services_that_restart_one_after_the_other_reset_no_edge() {
    let fleet = Fleet::start();
    create(fleet.any(), 5);
    let mut place = edge::place(fleet.any());
    let rounds = if crate::is_long() { 10 } else { 2 };
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| create(&fleet.services[0], 100 * rounds));
        for _ in 0..rounds {
            for service in &fleet.services {
                service.stop();
                service.restart();
                for _ in 0..20 {
                    let Ok(news) = edge::poll(fleet.any(), Some(&place), Duration::from_millis(50))
                    else {
                        continue;
                    };
                    assert!(!news.is_reset, "after {}", place.epoch);
                    assert_eq!(news.place.incarnation, place.incarnation);
                    place = news.place;
                }
            }
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_standby_is_refused_as_a_store() {
    let fleet = Fleet::start();
    let standby = fleet.server().standby();
    let store = url(standby.port(), &fleet.database);
    let refused = Service::refused(&Options {
        store: Some(store),
        ..Options::default()
    });
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("standby"), "{said}");
    assert!(!said.contains("password of the tests"), "{said}");
}
