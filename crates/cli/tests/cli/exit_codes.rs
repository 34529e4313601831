//! The exit codes that `keygate --help` promises.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use assert_cmd::assert::Assert;

use crate::support::{EDGE, Server, database, keygate};

#[test]
fn a_missing_key_exits_with_1() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    says(
        server.keygate(&["keys", "show", "0123456789"]).code(1),
        "no key",
    );
    says(
        server.keygate(&["keys", "revoke", "0123456789"]).code(1),
        "no key",
    );
}

#[test]
fn wrong_usage_is_two() {
    for args in [
        &[][..],
        &["keys"],
        &["keys", "create"],
        &[
            "keys",
            "create",
            "--account",
            "a",
            "--expires-in",
            "1d",
            "--expires-at",
            "x",
        ],
        &["keys", "create", "--account", "a", "--metadata", "{"],
        &["keys", "list", "--status", "dead"],
        &["keys", "list", "--service", "keys.internal"],
        &["serve", "--secret", "KEYGATE_APP_KEYS"],
        &["serve", "--prefix", "K_"],
        &["serve", "--listen", "localhost"],
    ] {
        let done = keygate(args).assert();
        assert_eq!(done.get_output().status.code(), Some(2), "{args:?}");
    }
    let mut command = keygate(&["keys", "list"]);
    says(
        command.env_remove("KEYGATE_ADMIN_TOKEN").assert().code(2),
        "KEYGATE_ADMIN_TOKEN",
    );
    let mut command = keygate(&["keys", "list", "--token-env", "MINE"]);
    says(command.assert().code(2), "MINE");
}

#[test]
fn a_rejection_by_the_service_exits_with_2_and_says_why() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let create = ["keys", "create", "--account", "a b"];
    says(
        server.keygate(&create).code(2),
        "the key service rejected --account: must be 1 to 128",
    );
    let list = ["keys", "list", "--service", &server.url];
    says(
        keygate(&list)
            .env("KEYGATE_ADMIN_TOKEN", EDGE)
            .assert()
            .code(2),
        "KEYGATE_ADMIN_TOKEN",
    );
    let mut several = keygate(&list);
    several.env(
        "KEYGATE_ADMIN_TOKEN",
        format!("{},other", crate::support::ADMIN),
    );
    several.assert().success();
}

/// A whole key given instead of an id must appear neither in a log of the service nor in the
/// output.
#[test]
fn a_whole_key_in_place_of_an_id_is_neither_sent_nor_repeated() {
    let key = "kg_010123456789_abcdefghijklmnopqrstuvwxyz012345TTTTTTTTCCCCCC";
    for command in ["show", "revoke"] {
        let done = keygate(&["keys", command, key]).assert().code(2);
        let message = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        assert!(!message.contains("abcdefghij"), "{message}");
    }
}

#[test]
fn a_service_that_is_not_there_is_three() {
    // A port that was free a moment ago may be that of another test now.
    let url = "http://127.0.0.1:1";
    says(
        keygate(&["keys", "list", "--service", url])
            .assert()
            .code(3),
        url,
    );
}

#[test]
fn ready_asks_without_a_token_whether_the_service_works() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let mut command = keygate(&["ready", "--service", &server.url]);
    let done = command.env_remove("KEYGATE_ADMIN_TOKEN").assert().code(0);
    assert!(done.get_output().stdout.is_empty());
    let answer = "HTTP/1.1 503 Service Unavailable\r\nx-keygate-service: 1\r\n\
                  content-length: 22\r\n\r\n{\"detail\":\"disk full\"}";
    let (url, failing) = canned(answer.to_owned());
    let done = keygate(&["ready", "--service", &url]).assert().code(3);
    says(done, "disk full");
    failing.join().unwrap();
}

#[test]
fn a_service_that_fails_is_three() {
    let answer = "HTTP/1.1 503 Service Unavailable\r\nx-keygate-service: 1\r\n\
                  content-length: 22\r\n\r\n{\"detail\":\"tired now\"}";
    let (url, server) = canned(answer.to_owned());
    says(
        keygate(&["keys", "list", "--service", &url])
            .assert()
            .code(3),
        "tired now",
    );
    server.join().unwrap();
}

#[test]
fn another_service_exits_with_3_and_redirects_are_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let to = elsewhere.local_addr().unwrap();
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{\"keys\":[],\"next_cursor\":null}"
            .to_owned(),
        format!("HTTP/1.1 302 Found\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n"),
        "HTTP/1.1 404 Not Found\r\nx-keygate-service: 2\r\ncontent-length: 0\r\n\r\n".to_owned(),
    ] {
        let (url, server) = canned(answer);
        let done = keygate(&["keys", "list", "--service", &url])
            .assert()
            .code(3);
        says(done, "is not a Keygate key service");
        server.join().unwrap();
    }
    assert!(elsewhere.accept().is_err(), "the redirect was followed");
}

#[test]
fn a_proxy_in_the_environment_never_sees_the_token() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let through = format!("http://{}", proxy.local_addr().unwrap());
    let (_dir, path) = database();
    let server = Server::start(&path);
    let mut command = keygate(&["keys", "list", "--service", &server.url]);
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        command.env(name, &through);
    }
    command.assert().success();
    assert!(proxy.accept().is_err(), "the proxy was asked");
}

#[test]
fn help_exits_with_0_and_lists_the_codes() {
    let done = keygate(&["--help"]).assert().code(0);
    let help = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
    assert!(help.contains("Exit codes:"), "{help}");
    for command in [
        &["serve"][..],
        &["keys", "create"],
        &["keys", "list"],
        &["keys", "show"],
        &["keys", "revoke"],
    ] {
        let done = keygate(command).arg("--help").assert().code(0);
        let help = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
        assert!(help.contains("Examples:"), "{command:?}");
    }
}

#[track_caller]
fn says(done: Assert, text: &str) {
    let message = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(message.contains(text), "{message}");
}

/// Answers one request with these bytes.
fn canned(answer: String) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0_u8; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(answer.as_bytes()).unwrap();
    });
    (url, server)
}
