//! What Envoy does with a download that takes long.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use keygate_tests::Stack;
use serde_json::{Value, json};

use crate::support::sign;

/// A store that sends one byte a second, for longer than Envoy waits by default.
const SECONDS: usize = 17;

/// Answers one request so.
fn slow_store() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = connection.read(&mut request);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {SECONDS}\r\n\r\n");
        let mut sent = connection.write_all(head.as_bytes());
        for _ in 0..SECONDS {
            thread::sleep(Duration::from_secs(1));
            sent = sent.and_then(|()| connection.write_all(b"x"));
        }
        // The proxy may have gone: the test sees that.
        drop(sent);
    });
    port
}

#[test]
fn a_download_that_takes_longer_than_15_s_arrives_whole() {
    let port = slow_store();
    let change = |bootstrap: &mut Value| {
        let routes = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config\
                      /route_config/virtual_hosts/0/routes";
        let routes = bootstrap.pointer_mut(routes).unwrap().as_array_mut();
        for route in routes.unwrap() {
            route["route"]["cluster"] = json!("slow");
        }
        let socket = json!({ "address": "127.0.0.1", "port_value": port });
        let endpoint = json!({ "endpoint": { "address": { "socket_address": socket } } });
        let endpoints = json!([{ "lb_endpoints": [endpoint] }]);
        let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
        clusters
            .unwrap()
            .push(json!({ "name": "slow", "type": "STATIC", "load_assignment":
            { "cluster_name": "slow", "endpoints": endpoints } }));
    };
    let stack = Stack::builder().envoy(|envoy| envoy.change(change)).start();
    let request = stack.get(sign("/media/film.mp4", &[]));
    let answer = request.patience(Duration::from_secs(60)).send();
    assert_eq!((answer.status, answer.body.len()), (200, SECONDS));
}
