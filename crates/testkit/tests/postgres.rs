//! The PostgreSQL of the tests: what the tests of the store rely on.

use std::path::PathBuf;

use keygate_testkit::postgres::Server;

#[test]
fn a_crash_keeps_what_was_committed_and_a_snapshot_forgets_what_came_later() {
    let mut server = Server::start();
    let directory = PathBuf::from(server.socket());
    let database = server.create_database();
    let ask = |server: &Server| server.query(&database, "SELECT count(*) FROM it");
    let insert = |server: &Server| server.query(&database, "INSERT INTO it VALUES (1)");
    server.query(&database, "CREATE TABLE it (number bigint)");
    insert(&server);
    let snapshot = server.snapshot();
    server.go_on();
    assert_eq!(ask(&server), "1");
    insert(&server);
    server.crash();
    server.go_on();
    assert_eq!(ask(&server), "2");
    server.stop();
    server.restore(&snapshot);
    server.go_on();
    assert_eq!(ask(&server), "1");
    assert_eq!(server.query(&database, "SHOW fsync"), "on");
    drop(server);
    assert!(!directory.exists(), "{}", directory.display());
}

#[test]
fn a_standby_follows_and_takes_over() {
    let mut server = Server::start();
    let database = server.create_database();
    let mut standby = server.standby();
    let recovery = |it: &Server| it.query("postgres", "SELECT pg_is_in_recovery()");
    assert_eq!([recovery(&server), recovery(&standby)], ["f", "t"]);
    server.crash();
    standby.take_over(&server);
    assert_eq!(standby.port(), server.port());
    assert_eq!(recovery(&standby), "f");
    standby.query(&database, "CREATE TABLE it (number bigint)");
    standby.drop_database(&database);
    let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'test%'";
    assert_eq!(standby.query("postgres", left), "0");
}
