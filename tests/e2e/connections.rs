//! Clients of the key service that are slow or silent: they take nothing from the others.

use std::io::Read as _;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use keygate_tests::client::{self, Connection};
use keygate_tests::service::{ADMIN_TOKEN, Options, Service};
use serde_json::json;

/// Longer than the timeout for headers and bodies, which is 10 s.
const PATIENCE: Duration = Duration::from_secs(60);

fn create(service: &Service, token: &str) -> client::Request {
    client::request("POST", service.port(), "/v1/keys")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("content-length", "15")
        .patience(PATIENCE)
}

#[test]
fn more_silent_sockets_than_files_shut_no_client_out() {
    let service = Service::start_with(Options {
        files: Some(256),
        ..Options::default()
    });
    let mut admin = Connection::open(service.port());
    let list = client::get(service.port(), "/v1/keys")
        .header("authorization", format!("Bearer {ADMIN_TOKEN}"))
        .bytes();
    let mut lists = || {
        admin.send(&list);
        admin.receive().status
    };
    assert_eq!(lists(), 200);
    let open = |_| TcpStream::connect(("127.0.0.1", service.port())).expect("a connection");
    let silent: Vec<TcpStream> = (0..300).map(open).collect();
    assert_eq!(client::get(service.port(), "/healthz").send().status, 200);
    let key = service.create_key(&json!({ "account": "a" }));
    service.revoke(&key.id);
    assert_eq!(lists(), 200, "its connection was kept");
    for mut socket in silent {
        let patience = socket.set_read_timeout(Some(PATIENCE));
        patience.expect("a socket can be set");
        let end = socket.read(&mut [0]);
        assert!(
            end.as_ref().map_or_else(
                |error| error.kind() == std::io::ErrorKind::ConnectionReset,
                |&it| it == 0
            ),
            "{end:?}"
        );
    }
    assert_eq!(lists(), 200, "an idle connection is kept for longer");
}

#[test]
fn a_slow_body_is_rejected_at_once_without_a_token_and_in_time_with_one() {
    let service = Service::start();
    thread::scope(|scope| {
        let rejected = |token| create(&service, token).send();
        let admin = scope.spawn(move || rejected(ADMIN_TOKEN));
        let anonymous = rejected("no-token-of-this-service");
        assert_eq!(anonymous.status, 401);
        assert!(!admin.is_finished(), "the admin's body is waited for");
        let slow = admin.join().expect("an answer");
        assert_eq!(slow.status, 408);
        assert_eq!(slow.json()["code"], "body_timeout");
    });
}
