//! The harness itself: a test is worth what its tools are.

use std::io::ErrorKind;
use std::time::Duration;

use keygate_tests::Stack;
use keygate_tests::client::{self, Connection};
use keygate_tests::echo::Echo;
use keygate_tests::envoy::{Envoy, EnvoyConfig};
use keygate_tests::fake_service::{Answer, FakeService, http};
use keygate_tests::service::{ADMIN_TOKEN, Service};
use keygate_tests::wait;
use serde_json::json;

#[test]
fn the_upstream_answers_with_what_it_received() {
    let echo = Echo::start();
    let answer = client::post(echo.port(), "/a?b=c")
        .header("x-k", "1")
        .header("x-k", b"caf\xe9")
        .body("hello")
        .send();
    assert_eq!(answer.status, 200);
    let json = answer.json();
    assert_eq!(json["method"], "POST");
    assert_eq!(json["path"], "/a?b=c");
    assert_eq!(json["body_bytes"], 5);
    let headers = json["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["x-k", "1"])), "{headers:?}");
    let last = echo.last();
    assert!(last.complete);
    assert_eq!(last.body, b"hello");
    assert!(
        last.headers
            .contains(&("x-k".to_owned(), b"caf\xe9".to_vec()))
    );
}

#[test]
fn the_upstream_records_a_request_before_its_body_has_ended() {
    let echo = Echo::start();
    let mut connection = Connection::open(echo.port());
    connection.send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nabc");
    wait::until("half of the body", Duration::from_secs(5), || {
        echo.received()
            .first()
            .is_some_and(|r| r.body == b"abc" && !r.complete)
            .then_some(())
    });
    assert!(connection.is_silent_for(Duration::from_millis(50)));
    connection.send("def");
    assert_eq!(connection.receive().json()["body_bytes"], 6);
}

#[test]
fn a_connection_carries_several_requests() {
    let echo = Echo::start();
    let mut connection = Connection::open(echo.port());
    for path in ["/1", "/2", "/3"] {
        assert_eq!(
            connection.exchange(&client::get(echo.port(), path)).json()["path"],
            path
        );
    }
    let head = client::request("HEAD", echo.port(), "/4");
    assert_eq!(connection.exchange(&head).body, b"");
    assert_eq!(echo.count(), 4);
}

#[test]
fn a_hang_is_an_error_that_says_so() {
    let fake = FakeService::start();
    fake.set("/hang", Answer::Never);
    let hang = client::get(fake.port(), "/hang").patience(Duration::from_millis(100));
    let error = hang.try_send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().starts_with("hangs"), "{error}");
}

#[test]
fn the_stand_in_has_faults() {
    let fake = FakeService::start();
    let get = |path| client::get(fake.port(), path).try_send();

    fake.set("/long", http(200, vec![b'x'; 20 << 20]));
    assert_eq!(get("/long").unwrap().body.len(), 20 << 20);
    fake.set("/latin-1", http(503, "").header("x-k", b"caf\xe9"));
    assert_eq!(get("/latin-1").unwrap().headers[0].1, b"caf\xe9");
    fake.set("/late", http(200, "late").delay(Duration::from_millis(100)));
    assert!(get("/late").unwrap().took >= Duration::from_millis(100));
    fake.set("/close", Answer::Close);
    assert_eq!(get("/close").unwrap_err().kind(), ErrorKind::UnexpectedEof);
    fake.set("/garbage", Answer::Raw(b"\x00\x01garbage\r\n\r\n".to_vec()));
    assert_eq!(get("/garbage").unwrap_err().kind(), ErrorKind::InvalidData);
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    fake.set("/chunked", Answer::Raw(chunked.into()));
    assert_eq!(get("/chunked").unwrap().text(), "abcde");
    assert_eq!(get("/unknown").unwrap().status, 404);
    assert_eq!(fake.asked("/late").len(), 1);
}

#[test]
fn envoy_without_the_filter_serves_the_file_that_a_user_copies() {
    let echo = Echo::start();
    let envoy = Envoy::start(EnvoyConfig::new().without_filter().upstream(echo.port()));
    let get = |path: &str| client::get(envoy.port(), path).send();

    assert_eq!(
        get("/a/../b//c?verify=a-token").json()["path"],
        "/b/c?verify=a-token"
    );
    assert_eq!(get("/a%2fb").status, 400, "escaped slashes are rejected");
    let underscore = client::get(envoy.port(), "/").header("x_k", "1").send();
    assert_eq!(underscore.status, 400, "underscores in names are rejected");
    assert_eq!(echo.count(), 1);
    assert!(echo.last().header("x-request-id").is_some());

    assert_eq!(envoy.stat("cluster.upstream.upstream_rq_total"), Some(1));
    envoy.wait_for_log("GET /b/c 200 via_upstream");
    assert!(
        !envoy.log().contains("a-token"),
        "a token is in the access log"
    );
    assert!(envoy.is_running());
}

#[test]
fn envoy_rejects_a_configuration_and_says_why() {
    let config = EnvoyConfig::new().without_filter();
    Envoy::validate(config).unwrap();
    let config = EnvoyConfig::new()
        .without_filter()
        .change(|bootstrap| bootstrap["static_resources"]["nonsense"] = json!(1));
    let rejection = Envoy::validate(config).unwrap_err();
    assert!(rejection.contains("nonsense"), "{rejection}");
}

#[test]
fn the_real_service_survives_kill_9_on_its_port() {
    let service = Service::start();
    let key = service.create_key(&json!({ "account": "alice" }));
    service.kill9();
    assert!(client::get(service.port(), "/healthz").try_send().is_err());
    service.restart();
    let path = format!("/v1/keys/{}", key.id);
    let answer = service.request("GET", &path, ADMIN_TOKEN, None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    service.revoke(&key.id);
    service.stop();
}

#[test]
fn a_stack_comes_up_and_guards() {
    let stack = Stack::start();
    assert_eq!(stack.get("/healthz").send().status, 200);
    let rejected = stack.get("/api/x").send();
    assert_eq!(rejected.status, 401, "{}", rejected.text());
    assert_eq!(stack.echo.count(), 1);
}

#[test]
fn envoy_rejects_a_policy_and_names_the_field() {
    let config = EnvoyConfig::new().edit_policy(|policy| policy["unmatched"] = json!("maybe"));
    let rejection = Envoy::validate(config).unwrap_err();
    assert!(
        rejection.contains("unmatched: unknown variant"),
        "{rejection}"
    );
}
