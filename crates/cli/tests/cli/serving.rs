//! `keygate serve`: the start, the end, and what survives.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{ADMIN, EDGE, MASTER, Server, database, id, serve};

const FREE: &str = "127.0.0.1:0";

#[test]
fn a_key_survives_a_kill_right_after_its_201() {
    let (_dir, path) = database();
    let mut ids = Vec::new();
    for _ in 0..5 {
        let server = Server::start(&path);
        let answer = ureq::post(format!("{}/v1/keys", server.url))
            .header("authorization", format!("Bearer {ADMIN}"))
            .content_type("application/json")
            .send(r#"{"account":"alice"}"#)
            .unwrap();
        assert_eq!(answer.status(), 201);
        server.kill();
        let created: Value = serde_json::from_reader(answer.into_body().into_reader()).unwrap();
        ids.push(created["id"].as_str().unwrap().to_owned());
    }
    let server = Server::start(&path);
    for id in &ids {
        server.keygate(&["keys", "show", id]).success();
    }
    let feed = ureq::get(format!("{}/v1/changes?after=0", server.url))
        .header("authorization", format!("Bearer {EDGE}"))
        .call();
    let feed: Value = serde_json::from_reader(feed.unwrap().into_body().into_reader()).unwrap();
    assert_eq!(feed["changed"].as_array().unwrap().len(), ids.len());
}

#[test]
fn a_signal_ends_it_well_and_leaves_one_whole_file() {
    for signal in [Signal::TERM, Signal::INT] {
        let (dir, path) = database();
        let server = Server::start(&path);
        let key = server.output(&["keys", "create", "--account", "alice"]);
        server.signal(signal);
        let (status, log) = server.end();
        assert!(status.success(), "{status}: {log}");
        // The log of the database was merged and removed: a copy of the one file is a backup.
        let files = std::fs::read_dir(dir.path()).unwrap();
        let mut files: Vec<_> = files.map(|it| it.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, ["keygate.db", "keygate.db.lock"]);
        let copy = dir.path().join("copy.db");
        std::fs::copy(&path, &copy).unwrap();
        Server::start(&copy)
            .keygate(&["keys", "show", &id(&key)])
            .success();
    }
}

#[test]
fn a_request_in_flight_is_answered_before_the_end() {
    let (_dir, path) = database();
    let mut server = Server::start(&path);
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let body = r#"{"account":"alice"}"#;
    let head = format!(
        "POST /v1/keys HTTP/1.1\r\nhost: keys\r\nauthorization: Bearer {ADMIN}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The service asks for the body: the request is in flight.
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    server.signal(Signal::TERM);
    server.wait_for("stopping");
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    reader.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("HTTP/1.1 201 Created"), "{answer}");
    let (status, log) = server.end();
    assert!(status.success(), "{status}: {log}");
}

#[test]
fn a_busy_port_is_a_configuration_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (_dir, path) = database();
    let message = rejection(&mut serve(&path, &address));
    assert!(message.contains(&address), "{message}");
    assert!(message.contains("in use"), "{message}");
    let advice = ": choose another address with --listen\n";
    assert!(message.ends_with(advice), "{message}");
    assert!(
        !path.exists(),
        "a start that fails must not touch the database"
    );
}

#[test]
fn a_database_in_use_is_reported_with_the_option_for_another() {
    let (_dir, path) = database();
    let _first = Server::start(&path);
    let message = rejection(&mut serve(&path, FREE));
    let advice = ": stop that process, or choose another file with --database\n";
    assert!(message.ends_with(advice), "{message}");
}

#[test]
fn a_database_that_cannot_be_opened_is_named() {
    let (dir, _) = database();
    let path = dir.path().join("missing/keygate.db");
    let message = rejection(&mut serve(&path, FREE));
    assert!(message.contains(path.to_str().unwrap()), "{message}");
}

#[test]
fn a_wrong_secret_or_token_is_a_configuration_error_that_names_the_variable() {
    let (_dir, path) = database();
    for (variable, value) in [
        ("KEYGATE_APP_KEYS", ""),
        ("KEYGATE_APP_KEYS", "short-secret-31-bytes-long-0123"),
        ("KEYGATE_ADMIN_TOKEN", ""),
        ("KEYGATE_ADMIN_TOKEN", "short-token-15b"),
        ("KEYGATE_EDGE_TOKEN", ""),
        ("KEYGATE_EDGE_TOKEN", "edge-token-0123456789,short"),
    ] {
        let message = rejection(serve(&path, FREE).env(variable, value));
        assert!(message.contains(variable), "{message}");
        assert!(value.is_empty() || !message.contains(value), "{message}");
    }
    let message = rejection(serve(&path, FREE).args(["--secret", "02=OTHER:hex"]));
    assert!(message.contains("OTHER is not set"), "{message}");
}

#[test]
fn a_wrong_key_of_assertions_is_a_configuration_error_that_says_what_is_wrong() {
    let (_dir, path) = database();
    let (key, eddsa) = ("--assertion-secret a=VOUCH", "--assertion-algorithm EdDSA");
    let public = "--assertion-public-key a=VOUCH";
    let audience = "--assertion-audience keys";
    for (arguments, value, said) in [
        (key.to_owned(), MASTER, "--assertion-audience"),
        (audience.to_owned(), MASTER, "--assertion-secret"),
        (format!("{audience} {key}"), "short", "VOUCH has fewer"),
        (format!("{audience} {key}2"), MASTER, "VOUCH2 is not set"),
        (format!("{audience} {key} {key}"), MASTER, "more than once"),
        (
            format!("{audience} {public}"),
            MASTER,
            "requires --assertion-algorithm EdDSA",
        ),
        (format!("{audience} {eddsa} {key}"), "short", "Ed25519 seed"),
        (format!("{audience} {eddsa} {public}"), "AAAA", "public key"),
        (
            "--assertion-algorithm none".to_owned(),
            MASTER,
            "HS256 or EdDSA",
        ),
    ] {
        let mut command = serve(&path, FREE);
        let message = rejection(command.args(arguments.split(' ')).env("VOUCH", value));
        assert!(message.contains(said), "{arguments}: {message}");
        assert!(!message.contains(MASTER), "{message}");
    }
}

#[test]
fn a_secret_with_white_space_or_quotes_around_it_is_warned_of() {
    let (_dir, path) = database();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = |variable: &str, value: &str| {
        let message = rejection(serve(&path, &address).env(variable, value));
        assert!(!message.contains(value.trim()), "{message}");
        message.contains(&format!("warning: the value of {variable} begins or ends"))
    };
    assert!(told("KEYGATE_APP_KEYS", &format!("{MASTER}\n")));
    assert!(told("KEYGATE_APP_KEYS", &format!("'{MASTER}'")));
    assert!(told("KEYGATE_EDGE_TOKEN", &format!("\"{EDGE}\"")));
    assert!(!told("KEYGATE_EDGE_TOKEN", &format!("{EDGE}, {ADMIN}-2")));
}

#[test]
fn the_log_contains_no_secret() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let key = server.output(&["keys", "create", "--account", "alice"]);
    server.keygate(&["keys", "revoke", &id(&key)]).success();
    let wrong = "wrong-token-0123456789";
    let list = ["keys", "list", "--service", &server.url];
    crate::support::keygate(&list)
        .env("KEYGATE_ADMIN_TOKEN", wrong)
        .assert()
        .code(2);
    server.signal(Signal::TERM);
    let (_, log) = server.end();
    assert!(log.contains("key created"), "{log}");
    let (_, secret) = key.trim().rsplit_once('_').unwrap();
    for secret in [secret, ADMIN, EDGE, MASTER, wrong, "Bearer"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// What it says when it does not start.
#[track_caller]
fn rejection(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let message = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{message}");
    message
}
