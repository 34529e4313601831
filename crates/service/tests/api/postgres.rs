//! A database of PostgreSQL that cannot be used: one line says why and what to do, and nothing is
//! changed.

use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use keygate_service::{Place, PostgresUrl, Store};
use keygate_testkit::postgres::{PASSWORD, Server};

use crate::support::{Raw, Running, is_postgres, place};

/// Leaves a test out where there is no server.
macro_rules! about_a_server {
    () => {
        if !is_postgres() {
            eprintln!("SKIPPED over SQLite, since it is about a server");
            return;
        }
    };
}

#[track_caller]
fn said(url: &str) -> String {
    let url = PostgresUrl::parse(url).unwrap();
    let error = Store::open(&Place::Postgres(Box::new(url))).unwrap_err();
    let told = error.to_string();
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(!told.contains(PASSWORD), "{told}");
    told
}

/// The URL of a database over TCP, with this user and password.
fn tcp(user: &str, password: &str, database: &str) -> String {
    let port = Server::shared().port();
    let password = password.replace(' ', "%20");
    format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
}

/// As behind a load balancer that has lost its server. Needs no server, so it runs over SQLite too.
#[test]
fn a_server_that_accepts_and_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (send, received) = mpsc::channel();
    thread::spawn(move || {
        send.send(said(&format!(
            "postgres://keygate@127.0.0.1:{port}/keygate"
        )))
    });
    let told = received.recv_timeout(Duration::from_secs(10));
    let told = told.expect("a service that does not wait without end");
    assert!(told.contains("gave no answer within 5 s"), "{told}");
}

#[test]
fn a_wrong_user_password_or_database_is_named() {
    about_a_server!();
    let database = Server::shared().create_database();
    for (url, expected) in [
        (
            tcp("keygate", "wrong", &database),
            "password authentication failed",
        ),
        (
            tcp("stranger", PASSWORD, &database),
            "password authentication failed",
        ),
        (
            tcp("keygate", PASSWORD, "nowhere"),
            "create it with createdb",
        ),
        (
            tcp("keygate", PASSWORD, &database).replace(":password%20of%20the%20tests", ""),
            "the server asks for a password",
        ),
    ] {
        let told = said(&url);
        assert!(told.contains(expected), "{told}");
    }
    // The right one works, over TCP as well.
    let url = PostgresUrl::parse(&tcp("keygate", PASSWORD, &database)).unwrap();
    Store::open(&Place::Postgres(Box::new(url))).unwrap();
    Server::shared().drop_database(&database);
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    about_a_server!();
    let server = Server::shared();
    let database = server.create_database();
    server.query(
        &database,
        "CREATE SCHEMA keygate; CREATE TABLE keygate.keys (id text)",
    );
    let told = said(&tcp("keygate", PASSWORD, &database));
    assert!(told.contains("belongs to another program"), "{told}");
    let tables = "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'keygate'";
    assert_eq!(server.query(&database, tables), "keys");
    server.drop_database(&database);
}

#[test]
fn tables_outside_of_the_schema_are_no_business_of_the_service() {
    about_a_server!();
    let server = Server::shared();
    let database = server.create_database();
    server.query(
        &database,
        "CREATE TABLE keys (id text); CREATE SCHEMA keygate",
    );
    let url = PostgresUrl::parse(&tcp("keygate", PASSWORD, &database)).unwrap();
    Store::open(&Place::Postgres(Box::new(url))).unwrap();
    assert_eq!(
        server.query(&database, "SELECT count(*) FROM public.keys"),
        "0"
    );
    server.drop_database(&database);
}

#[test]
fn a_user_without_rights_learns_what_to_ask_for() {
    about_a_server!();
    let server = Server::shared();
    let database = server.create_database();
    server.query(&database, "CREATE ROLE reader LOGIN PASSWORD 'reader'");
    let told = said(&tcp("reader", "reader", &database));
    assert!(told.contains("permission denied"), "{told}");
    assert!(
        told.contains("CREATE SCHEMA keygate AUTHORIZATION"),
        "{told}"
    );
    server.query(&database, "CREATE SCHEMA keygate AUTHORIZATION reader");
    let url = PostgresUrl::parse(&tcp("reader", "reader", &database)).unwrap();
    Store::open(&Place::Postgres(Box::new(url))).unwrap();
    server.drop_database(&database);
    server.query("postgres", "DROP ROLE reader");
}

#[test]
fn a_newer_schema_is_rejected_unless_it_runs_this_release() {
    about_a_server!();
    let path = Path::new("a newer schema");
    let open = || Store::open(&place(path));
    drop(open().unwrap());
    let raw = Raw::open(path);
    raw.batch("UPDATE schema_version SET version = 99, oldest = 1");
    drop(open().unwrap());
    raw.batch("UPDATE schema_version SET oldest = 98");
    let told = open().unwrap_err().to_string();
    assert!(
        told.contains("it has schema version 99, but this release"),
        "{told}"
    );
    let version: i64 = raw.read("SELECT version FROM schema_version", &[]);
    assert_eq!(version, 99);
}

#[test]
fn an_encoding_other_than_utf8_is_rejected() {
    about_a_server!();
    let server = Server::shared();
    let make = "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0";
    server.query("postgres", make);
    let told = said(&tcp("keygate", PASSWORD, "latin"));
    assert!(told.contains("its encoding is LATIN1"), "{told}");
    server.drop_database("latin");
}

#[test]
fn a_standby_is_rejected() {
    about_a_server!();
    let primary = Server::start();
    let database = primary.create_database();
    let standby = primary.standby();
    let url = |server: &Server| {
        let socket = server.socket().display().to_string().replace('/', "%2F");
        format!("postgres://keygate@{socket}:{}/{database}", server.port())
    };
    let told = said(&url(&standby));
    assert!(told.contains("it is a standby"), "{told}");
}

#[test]
fn a_service_goes_on_when_its_connections_were_ended() {
    about_a_server!();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keygate.db");
    let service = Running::on(&path);
    let raw = Raw::open(&path);
    for _ in 0..3 {
        service.create(r#"{"account":"a"}"#);
        raw.batch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        // Neither a change nor a list is lost for it.
        service.create(r#"{"account":"a"}"#);
        service.get("/v1/keys").expect(200);
    }
    assert_eq!(service.changes("")["epoch"], 6);
    let seen = service.changes("?after=0")["changed"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(seen, 6, "no gap and nothing twice");
}
