//! App keys through Envoy and the real key service: the cache and its promises.

use std::time::Duration;

use keygate_tests::{Stack, StackBuilder, client, wait};
use serde_json::json;

use crate::support::{call, counted, followed, key_of};

/// Requests that reached the key service, as it counts them itself.
fn lookups(stack: &Stack) -> u64 {
    counted(stack, "keygate_lookup.answered")
}

/// A stack in which nothing is late only because a worker is busy: of 250 requests at once it
/// writes 15 MB at log level trace, and meanwhile looks at no answer and at no connection.
/// What is late is for `outages`.
fn patient() -> StackBuilder {
    let builder =
        Stack::builder().edit_policy(|policy| policy["key_service"]["timeout"] = json!("10s"));
    builder.envoy(|envoy| {
        envoy.change(|bootstrap| {
            let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
            for cluster in clusters.into_iter().flatten() {
                cluster["connect_timeout"] = json!("10s");
            }
        })
    })
}

#[test]
fn a_warm_key_costs_no_callout() {
    let stack = Stack::builder().concurrency(1).start();
    followed(&stack, 1);
    let key = key_of(&stack, "alice").key;
    for _ in 0..20 {
        assert_eq!(call(&stack, "/api/x", &key).status, 200);
    }
    assert_eq!(lookups(&stack), 1);
}

#[test]
fn a_revoked_key_is_rejected_on_every_worker_within_two_seconds() {
    let stack = Stack::builder().concurrency(2).start();
    followed(&stack, 2);
    let key = key_of(&stack, "alice");
    // New connections spread over the workers; each connection stays with its worker.
    let mut connections: Vec<_> = (0..16)
        .map(|_| client::Connection::open(stack.envoy.port()))
        .collect();
    let request = stack
        .get("/api/x")
        .header("authorization", format!("Bearer {}", key.key));
    for connection in &mut connections {
        assert_eq!(connection.exchange(&request).status, 200);
    }
    assert_eq!(
        lookups(&stack),
        2,
        "both workers have the key in their cache"
    );
    let other = key_of(&stack, "bob");
    stack.service().revoke(&key.id);
    let revoked_at = std::time::Instant::now();
    wait::until(
        "the key to be dead everywhere",
        Duration::from_secs(2),
        || {
            let alive = connections.iter_mut().filter_map(|it| {
                let status = it.exchange(&request).status;
                assert!([200, 401].contains(&status), "{status}");
                (status == 200).then_some(())
            });
            (alive.count() == 0).then_some(())
        },
    );
    println!("dead after {:?}", revoked_at.elapsed());
    assert_eq!(
        call(&stack, "/api/x", &other.key).status,
        200,
        "no other client is hurt"
    );
}

#[test]
fn a_key_that_was_rejected_as_unknown_works_once_it_exists() {
    // The service on a fresh database does not know the key of the old one.
    let stack = Stack::start();
    let key = key_of(&stack, "alice");
    stack.service().revoke(&key.id);
    assert_eq!(call(&stack, "/api/x", &key.key).status, 401);
    let next = key_of(&stack, "alice");
    assert_eq!(call(&stack, "/api/x", &next.key).status, 200);
}

#[test]
fn forged_keys_never_reach_the_key_service() {
    let stack = Stack::start();
    let key = key_of(&stack, "alice").key;
    for at in [0, 4, 10, 20, 40, 50, 60] {
        let mut forged = key.clone().into_bytes();
        forged[at] = if forged[at] == b'x' { b'y' } else { b'x' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(call(&stack, "/api/x", &forged).status, 401, "byte {at}");
    }
    assert_eq!(call(&stack, "/api/x", &"k".repeat(20_000)).status, 401);
    assert_eq!(lookups(&stack), 0);
}

#[test]
fn expiry_and_address_apply_to_a_cached_key() {
    let stack = Stack::builder().concurrency(1).start();
    followed(&stack, 1);
    let service = stack.service();
    let short = service
        .create_key(&json!({ "account": "alice", "expires_in": "4s" }))
        .key;
    assert_eq!(call(&stack, "/api/x", &short).status, 200);
    let expired = wait::until("the key to expire", Duration::from_secs(15), || {
        let answer = call(&stack, "/api/x", &short);
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(
        (expired.status, crate::support::code(&expired).as_str()),
        (401, "expired")
    );
    let here = service
        .create_key(&json!({ "account": "a", "allowed_ips": ["127.0.0.0/8"] }))
        .key;
    let there = service
        .create_key(&json!({ "account": "a", "allowed_ips": ["10.0.0.1"] }))
        .key;
    assert_eq!(call(&stack, "/api/x", &here).status, 200);
    for _ in 0..2 {
        assert_eq!(call(&stack, "/api/x", &there).status, 403);
    }
    // What a client claims in a header is not its address.
    let claimed = stack
        .get("/api/x")
        .header("authorization", format!("Bearer {there}"))
        .header("x-forwarded-for", "10.0.0.1")
        .send();
    assert_eq!(claimed.status, 403);
}

#[test]
fn a_key_service_that_is_killed_hurts_no_warm_key_and_loses_no_new_one() {
    let stack = Stack::builder().concurrency(1).start();
    followed(&stack, 1);
    let warm = key_of(&stack, "alice").key;
    assert_eq!(call(&stack, "/api/x", &warm).status, 200);
    let cold = key_of(&stack, "bob").key;
    stack.service().kill9();
    assert_eq!(call(&stack, "/api/x", &warm).status, 200);
    let rejected = call(&stack, "/api/x", &cold);
    assert_eq!(
        (rejected.status, crate::support::code(&rejected).as_str()),
        (503, "unavailable")
    );
    assert_eq!(rejected.header("retry-after").as_deref(), Some("1"));
    assert!(
        rejected.took < Duration::from_secs(2),
        "{:?}",
        rejected.took
    );
    stack.service().restart();
    wait::until("the new key to work", Duration::from_secs(5), || {
        (call(&stack, "/api/x", &cold).status == 200).then_some(())
    });
}

#[test]
fn many_clients_with_one_cold_key_make_one_callout_per_worker() {
    let stack = patient().concurrency(2).start();
    followed(&stack, 2);
    let key = key_of(&stack, "alice").key;
    let request = stack
        .get("/api/x")
        .header("authorization", format!("Bearer {key}"));
    let open = || client::Connection::open(stack.envoy.port());
    let mut connections: Vec<_> = (0..500).map(|_| open()).collect();
    // Who asks first may cause the callout, and goes away.
    let mut first = open();
    first.send(request.bytes());
    // All are sent before any is read.
    for connection in &mut connections {
        connection.send(request.bytes());
    }
    drop(first);
    for connection in &mut connections {
        assert_eq!(connection.receive().status, 200);
    }
    assert!(lookups(&stack) <= 2, "{} callouts", lookups(&stack));
}

/// Each request that is let go on or rejected makes Envoy call the module again, within the
/// call in which the answer came: hundreds of them at once would fill its stack.
#[test]
fn a_worker_survives_hundreds_who_wait_for_one_key() {
    let stack = Stack::builder()
        .edit_policy(|policy| policy["key_service"]["timeout"] = json!("3s"))
        .concurrency(1)
        .envoy(|envoy| {
            envoy.change(|bootstrap| {
                let manager =
                    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
                let manager = bootstrap.pointer_mut(manager).unwrap();
                // No upstream: the answer comes within the same call.
                manager["route_config"]["virtual_hosts"][0]["routes"] = json!([{
                    "match": { "prefix": "/" },
                    "direct_response": { "status": 200, "body": { "inline_string": "ok" } }
                }]);
            })
        })
        .start();
    followed(&stack, 1);
    let at_once = |key: &str, is_frozen: bool| {
        let request = stack
            .get("/api/x")
            .header("authorization", format!("Bearer {key}"));
        let open = |_| client::Connection::open(stack.envoy.port());
        let mut connections: Vec<_> = (0..500).map(open).collect();
        if is_frozen {
            stack.service().freeze();
        }
        for connection in &mut connections {
            connection.send(request.bytes());
        }
        let statuses = connections.iter_mut().map(|it| it.receive().status);
        let statuses: Vec<u16> = statuses.collect();
        stack.service().thaw();
        statuses
    };
    let known = key_of(&stack, "alice");
    assert_eq!(at_once(&known.key, false), [200; 500]);
    stack.service().revoke(&known.id);
    let other = key_of(&stack, "bob");
    assert_eq!(at_once(&other.key, true), [503; 500]);
    let reloads = stack.envoy.stats("vm_reload");
    assert!(reloads.iter().all(|(_, count)| *count == 0), "{reloads:?}");
}

#[test]
fn no_key_is_written_anywhere() {
    let stack = Stack::builder()
        .envoy(|envoy| envoy.log_level("wasm:trace"))
        .start();
    let created = key_of(&stack, "alice");
    call(&stack, "/api/x", &created.key);
    stack.get("/api/x").header("x-api-key", &created.key).send();
    stack.service().revoke(&created.id);
    wait::until("the key to be dead", Duration::from_secs(5), || {
        (call(&stack, "/api/x", &created.key).status == 401).then_some(())
    });
    let secret = &created.key[16..48];
    let database = stack.service().database();
    let mut places = vec![
        ("Envoy's log", stack.envoy.log().into_bytes()),
        ("the service's log", stack.service().log().into_bytes()),
        (
            "config_dump",
            stack.envoy.admin("/config_dump").into_bytes(),
        ),
        (
            "what the upstream got",
            format!("{:?}", stack.echo.received()).into_bytes(),
        ),
    ];
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", database.display());
        places.push(("the database", std::fs::read(path).unwrap_or_default()));
    }
    for (place, bytes) in places {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(secret), "{place} holds a key");
        for secret in [
            keygate_tests::service::APP_KEYS,
            keygate_tests::service::EDGE_TOKEN,
        ] {
            assert!(!text.contains(secret), "{place} holds a secret");
        }
    }
}
