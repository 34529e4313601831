//! What doctor learns from Envoy's counters and from the key service.

use std::process::Command;

use keygate_tests::Stack;
use keygate_tests::client::post;
use keygate_tests::fake_service::{self, FakeService};
use keygate_tests::service::keygate;
use keygate_tests::wait::{STARTUP, until};
use serde_json::{Value, json};

use super::{Done, admin, doctor};
use crate::support::followed;

/// The kinds of findings.
fn ids(done: &Done) -> Vec<String> {
    done.findings().into_iter().map(|(id, _)| id).collect()
}

#[test]
fn a_key_service_that_refuses_or_is_away_is_found() {
    let stack = Stack::builder()
        .concurrency(1)
        .envoy(|it| it.env("KEYGATE_EDGE_TOKEN", "a-token-that-was-never-given-out"))
        .start();
    let port = stack.service().port();
    until("a refused poll", STARTUP, || {
        stack
            .envoy
            .stat("wasmcustom.keygate_key_service.token_refused")
            .filter(|it| *it > 0)
    });
    let json = |arguments: &[&str]| doctor(&[arguments, &["--format", "json"]].concat());
    let service = format!("http://127.0.0.1:{port}");
    let ids =
        |done: &Done| -> Vec<String> { done.findings().into_iter().map(|(id, _)| id).collect() };
    let refused = json(&[&admin(&stack), "--service", &service]);
    assert_eq!(ids(&refused), ["service_unanswered"]);
    let detail = refused.json()["findings"][0]["detail"].to_string();
    assert!(detail.contains("wrong edge token"), "{detail}");

    let mut wrong = Command::new(keygate());
    wrong.args(["doctor", &admin(&stack), "--service", &service]);
    let wrong = wrong.env("KEYGATE_EDGE_TOKEN", "another").output().unwrap();
    let told = String::from_utf8(wrong.stdout).unwrap();
    assert!(told.contains("error token_refused: "), "{told}");
    assert!(!told.contains("another"), "{told}");

    let echo = format!("http://127.0.0.1:{}", stack.echo.port());
    let other = json(&[&admin(&stack), "--service", &echo]);
    assert!(ids(&other).contains(&"service_unknown".to_owned()));
    stack.service().stop();
    let away = json(&[&admin(&stack), "--service", &service]);
    assert!(ids(&away).contains(&"service_unreachable".to_owned()));
}

#[test]
fn a_lease_that_has_ended_and_a_clock_that_differs_are_found() {
    let fake = FakeService::start();
    let late = fake_service::json(200, &json!({ "epoch": 0, "records": [] }));
    let late = late.header("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    fake.set("/v1/lookups", late);
    let stack = Stack::builder()
        .concurrency(1)
        .edit_policy(|policy| policy["key_service"]["lease"] = json!("2s"))
        .fake_service(&fake)
        .start();
    followed(&stack, 1);
    fake.set("/v1/changes", fake_service::http(503, ""));
    let lease = || {
        let count = |name: &str| {
            stack
                .envoy
                .stat(&format!("wasmcustom.keygate_lease.{name}"))
        };
        count("ended") > count("renewed").or(Some(0))
    };
    let has_ended = || lease().then_some(());
    until("the lease to end", STARTUP, has_ended);
    let service = format!("http://127.0.0.1:{}", fake.port());
    let done = doctor(&[&admin(&stack), "--service", &service, "--format", "json"]);
    assert_eq!(ids(&done), ["lease_ended", "clock_differs"]);
}

#[test]
fn a_virtual_machine_that_has_died_is_found() {
    let stack = Stack::builder().concurrency(1).start();
    followed(&stack, 1);
    let dump = stack.envoy.admin("/config_dump?include_eds");
    let stats = stack.envoy.admin("/stats?format=json&filter=wasm");
    let mut stats: Value = serde_json::from_str(&stats).unwrap();
    let mut counters = stats["stats"].as_array_mut().unwrap().iter_mut();
    let died = counters.find(|it| it["name"] == "wasm.keygate.vm_reload");
    died.expect("Envoy counts it from the start")["value"] = json!(2);
    // The admin port of an Envoy that would have to fail first.
    let fake = FakeService::start();
    fake.set("/config_dump", fake_service::http(200, dump));
    let runtime = stack.envoy.admin("/runtime");
    fake.set("/runtime", fake_service::http(200, runtime));
    fake.set("/stats", fake_service::http(200, stats.to_string()));
    let url = format!("http://127.0.0.1:{}/", fake.port());
    let done = doctor(&[&url, "--format", "json"]);
    assert_eq!(ids(&done), ["filter_died"], "{}", done.output);
}

#[test]
fn a_runtime_value_that_the_admin_port_has_set_is_found() {
    let layers = json!({ "layers": [{ "name": "admin", "admin_layer": {} }] });
    let change = |bootstrap: &mut Value| bootstrap["layered_runtime"] = layers;
    let stack = Stack::builder().concurrency(1);
    let stack = stack.envoy(|it| it.change(change)).start();
    followed(&stack, 1);
    let name = "http_connection_manager.path_with_escaped_slashes_action_enabled";
    let path = format!("/runtime_modify?{name}=0&an.own.value=1");
    let before = doctor(&[&admin(&stack), "--format", "json"]);
    assert_eq!(before.findings(), [], "{}", before.output);
    let changed = post(stack.envoy.admin_port(), path).send();
    assert_eq!(changed.status, 200);
    let done = doctor(&[&admin(&stack), "--format", "json"]);
    let found = [("runtime_override".to_owned(), "runtime".to_owned())];
    assert_eq!(done.findings(), found, "{}", done.output);
    assert_eq!(done.json()["findings"][0]["detail"], name);
}
