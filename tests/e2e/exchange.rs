//! A link is exchanged for a cookie through Envoy, and what of both the upstream sees.

use keygate_core::signed_url::keygate::sign::Terms;
use keygate_tests::client::Response;
use keygate_tests::{Stack, StackBuilder};
use serde_json::{Value, json};

use crate::support::{assert_never_trapped, call, counted, key_of, native, now};

/// Links of the native format in place of the demo's, as a rule's `media-link`.
fn native_links(builder: StackBuilder) -> StackBuilder {
    builder.edit_policy(|policy| {
        policy["secrets"]["cookies"] = json!([{ "id": "c1", "env": "KEYGATE_EDGE_TOKEN" }]);
        policy["providers"]["media-link"] = json!({ "type": "signed_url", "format": "keygate",
            "secrets": "media", "max_lifetime": "1h", "from": [{ "query": "kg" }, { "path": "~kg" }],
            "exchange": { "secrets": "cookies", "max_session": "5m" } });
    })
}

fn with_rule(builder: StackBuilder, rule: Value) -> StackBuilder {
    builder.edit_policy(|policy| {
        let rules = policy["rules"].as_array_mut().unwrap();
        rules.insert(0, rule);
    })
}

/// A token for all below a prefix.
fn token(stack: &Stack, prefix: &str, account: Option<&str>) -> String {
    let terms = Terms {
        expires_secs: now() + 600,
        prefix: Some(prefix),
        any_query: true,
        account,
        ..Terms::default()
    };
    native(&terms, &format!("127.0.0.1:{}", stack.envoy.port()), prefix)
}

fn set_cookies(answer: &Response) -> Vec<String> {
    let set = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    set.map(|(_, value)| String::from_utf8(value.clone()).unwrap())
        .collect()
}

/// What a browser sends back of the one cookie that is ours.
fn ours(answer: &Response) -> String {
    let mut cookies = set_cookies(answer);
    cookies.retain(|it| it.starts_with("keygate_link="));
    assert_eq!(cookies.len(), 1, "{answer:?}");
    cookies[0].split(';').next().unwrap().to_owned()
}

#[test]
fn the_cookie_joins_those_of_the_upstream_and_covers_the_children() {
    let stack = native_links(Stack::builder()).start();
    stack.echo.answer_with(&[
        ("set-cookie", "session=1; Path=/"),
        ("set-cookie", "theme=dark"),
        ("cache-control", "public, max-age=600"),
    ]);
    let token = token(&stack, "/media/a/", None);
    let answer = stack.get(format!("/media/a/list?kg={token}")).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let all = set_cookies(&answer);
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all.contains(&"session=1; Path=/".to_owned()));
    assert!(all.contains(&"theme=dark".to_owned()));
    assert_eq!(
        answer.header("cache-control").as_deref(),
        Some("private, no-cache")
    );
    let cookie = format!("session=1; {}; theme=dark", ours(&answer));
    let child = |path: &str| stack.get(path).header("cookie", &cookie).send();
    let answer = child("/media/a/b/piece?x=1");
    assert_eq!(answer.status, 200);
    assert_eq!(
        set_cookies(&answer).len(),
        2,
        "a cookie does not renew itself"
    );
    assert_eq!(
        answer.header("cache-control").as_deref(),
        Some("public, max-age=600")
    );
    let seen = stack.echo.last();
    assert_eq!(seen.path, "/media/a/b/piece?x=1");
    assert_eq!(
        seen.header("cookie").as_deref(),
        Some("session=1; theme=dark")
    );
    assert_eq!(child("/media/b/piece").status, 403);
    assert_eq!(stack.get("/media/a/piece").send().status, 403);
    assert_never_trapped(&stack);
}

#[test]
fn the_cookie_is_set_also_when_the_key_service_had_to_be_asked() {
    let rule = json!({ "name": "both", "match": { "path": "/both/**" },
        "require": { "all": ["media-link", "app-key"] } });
    let stack = with_rule(native_links(Stack::builder()), rule).start();
    let key = key_of(&stack, "alice").key;
    let target = format!("/both/list?kg={}", token(&stack, "/both/", None));
    let answer = call(&stack, &target, &key);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let cookie = ours(&answer);
    assert!(
        counted(&stack, "keygate_lookup.answered") > 0,
        "it was asked"
    );
    let child = stack.get("/both/piece").header("cookie", &cookie);
    assert_eq!(child.send().status, 401, "the key is needed as before");
    let child = child.header("authorization", format!("Bearer {key}"));
    assert_eq!(child.send().status, 200);
    let unknown = call(&stack, &target, &crate::support::genuine_key(9));
    assert_eq!(unknown.status, 401);
    assert_eq!(set_cookies(&unknown), [""; 0]);
}

#[test]
fn behind_a_cache_every_client_gets_its_own_cookie() {
    let stack = native_links(Stack::of_file("envoy/cache.yaml"))
        .envoy(|envoy| {
            envoy.env("KEYGATE_EDGE_TOKEN", keygate_tests::service::EDGE_TOKEN).change(|it| {
                let filter = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0";
                let variables = "typed_config/config/vm_config/environment_variables/host_env_keys";
                let names = it.pointer_mut(&format!("{filter}/{variables}")).unwrap();
                names.as_array_mut().unwrap().push(json!("KEYGATE_EDGE_TOKEN"));
            })
        })
        .start();
    stack
        .echo
        .answer_with(&[("cache-control", "public, max-age=600")]);
    let get = |account| {
        let token = token(&stack, "/media/", Some(account));
        stack.get(format!("/media/list?kg={token}")).send()
    };
    let (alice, bob) = (get("alice"), get("bob"));
    assert_eq!((alice.status, bob.status), (200, 200));
    assert!(
        bob.header("age").is_some(),
        "it came from the cache: {bob:?}"
    );
    assert_eq!(stack.echo.count(), 1);
    assert_ne!(ours(&alice), ours(&bob));
    for answer in [&alice, &bob] {
        assert_eq!(
            answer.header("cache-control").as_deref(),
            Some("private, no-cache")
        );
    }
    // The cached answer contains no client's cookie.
    let by_cookie = stack.get("/media/list").header("cookie", ours(&bob)).send();
    assert!(by_cookie.header("age").is_some());
    assert_eq!(set_cookies(&by_cookie), [""; 0]);
    assert_eq!(by_cookie.body, alice.body);
    let forged = ours(&bob).replace("=kg1.", "=kg1.A");
    for cookie in ["", "keygate_link=", &forged] {
        let answer = stack.get("/media/list").header("cookie", cookie).send();
        assert!([400, 403].contains(&answer.status), "{answer:?}");
        assert_ne!(answer.body, alice.body);
    }
    assert_eq!(stack.echo.count(), 1);
}

#[test]
fn no_upstream_receives_a_path_token_or_our_cookie() {
    let rules = [
        json!({ "name": "off", "match": { "path": "/off/**" }, "require": "media-link", "mode": "off" }),
        json!({ "name": "try", "match": { "path": "/try/**" }, "require": "media-link", "mode": "simulate" }),
        json!({ "name": "open", "match": { "path": "/open/**" }, "require": "nothing" }),
    ];
    let builder =
        native_links(Stack::builder()).edit_policy(|policy| policy["unmatched"] = json!("allow"));
    let stack = rules.into_iter().fold(builder, with_rule).start();
    let good = token(&stack, "/", None);
    let elsewhere = token(&stack, "/elsewhere/", None);
    let target = format!("/~kg={elsewhere}/media/x");
    assert_eq!(stack.get(&target).send().status, 403);
    for path in ["/off/x?a=1", "/try/x", "/open/x", "/nobody/x", "/media/x"] {
        for (token, holds) in [(good.as_str(), true), ("nonsense", false)] {
            let cookie = format!("a=1; keygate_link={token}");
            let target = format!("/~kg={token}{path}");
            let before = stack.echo.count();
            let answer = stack.get(&target).header("cookie", &cookie).send();
            if path == "/media/x" && !holds {
                assert_eq!(answer.status, 403, "{}", answer.text());
                assert_eq!(stack.echo.count(), before);
                continue;
            }
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
            let seen = stack.echo.last();
            assert_eq!(seen.path, path);
            assert_eq!(seen.header("cookie").as_deref(), Some("a=1"), "{target}");
            let whole = format!("{:?}", seen.headers);
            assert!(!whole.contains(token), "{whole}");
        }
    }
    // It is a link that works, and stands in no log, also when it was rejected here.
    stack.envoy.wait_for_log("reason=wrong_signature");
    stack.envoy.wait_for_log("reason=malformed_credential");
    let log = stack.envoy.log();
    for secret in [&good, &elsewhere, "nonsense"] {
        assert!(!log.contains(secret), "{log}");
    }
    assert_never_trapped(&stack);
}

#[test]
fn a_token_in_an_unreadable_path_is_in_no_log() {
    let hcm = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    let builder = native_links(Stack::builder()).envoy(|envoy| {
        envoy.change(|it| {
            let manager = it.pointer_mut(hcm).unwrap();
            manager["normalize_path"] = json!(false);
            manager["merge_slashes"] = json!(false);
            manager["path_with_escaped_slashes_action"] = json!("KEEP_UNCHANGED");
        })
    });
    let stack = builder.start();
    let token = token(&stack, "/media/", None);
    let paths = ["a//b", "a/../b", "a%2Fb", "a%00", "a/%2e%2e/b"];
    for path in paths {
        let rejected = stack.get(format!("/~kg={token}/media/{path}")).send();
        assert_eq!(rejected.status, 400, "{path}: {}", rejected.text());
        assert!(!rejected.text().contains(&token));
    }
    // Also a name that only a second decoder would read.
    let rejected = stack.get(format!("/~kg%253D{token}/media/a")).send();
    assert_eq!(rejected.status, 400);
    stack.envoy.wait_for_log("reason=encoded_slash");
    keygate_tests::wait::until("a line for each", keygate_tests::wait::STARTUP, || {
        let lines = stack.envoy.log().matches("keygate_denied").count();
        (lines == paths.len() + 1).then_some(())
    });
    let log = stack.envoy.log();
    assert!(!log.contains(&token), "{log}");
    assert_eq!(stack.echo.count(), 0);
}
