//! Every code of a problem and of a wrong value: made by a request, and described on the page.

mod bad_input;

use std::collections::BTreeSet;
use std::sync::Arc;

use keygate_core::UnixMillis;
use keygate_core::identity::assertion::ASSERTION_HEADER;
use keygate_service::KeyLimits;
use keygate_service::ambient::NoRandomness;
use keygate_service::problem::Code;
use keygate_service::wrong::Fault;
use serde_json::Value;

use crate::accounts::{by_key, send, session, start as with_accounts};
use crate::limits::limited;
use crate::support::{ADMIN, Answer, EDGE, Running, text};
use crate::{connections, hook, leaks, load, sealed};

const KEY: &str = r#"{"account":"a"}"#;

/// An answer with this code. A code without a request of its own does not compile.
fn answer(code: Code) -> Answer {
    let service = Running::start();
    let create = |token| service.send("POST", "/v1/keys", token, KEY);
    match code {
        Code::MissingToken => create(None),
        Code::InvalidToken => create(Some("another-token-0123456789")),
        Code::HookRefused => hook::answer_to(r#"{"allow":false}"#),
        Code::HookFailed => hook::answer_to("{}"),
        Code::InvalidSignature => leaks::answer_without_a_signature(),
        Code::ReportKeysUnavailable => leaks::answer_without_keys(),
        Code::WrongRole => create(Some(EDGE)),
        Code::InvalidAssertion => send(&with_accounts(), "GET", "/v1/keys", "a.b.c", ""),
        Code::TwoCredentials => {
            let service = with_accounts();
            let (token, assertion) = (format!("Bearer {ADMIN}"), session("alice"));
            let both = [
                ("authorization", token.as_str()),
                (ASSERTION_HEADER, assertion.as_str()),
            ];
            service.send_with("GET", "/v1/keys", &both, "")
        }
        Code::InsufficientScope | Code::BeyondOwnRights => {
            let service = with_accounts();
            let key = service.create(r#"{"account":"alice","scopes":["keys:write"]}"#);
            let (scopes, body) = match code {
                Code::InsufficientScope => ("keys:read", "{}"),
                _ => ("keys:write", r#"{"scopes":["admin"]}"#),
            };
            send(&service, "POST", "/v1/keys", &by_key(&key, scopes), body)
        }
        Code::WrongSpace => {
            let service = with_accounts();
            let path = "/v1/keys?space=staging";
            send(&service, "GET", path, &session("alice"), "")
        }
        Code::WrongAccount => {
            let service = with_accounts();
            send(
                &service,
                "GET",
                "/v1/keys?account=bob",
                &session("alice"),
                "",
            )
        }
        Code::BeyondLimits | Code::TooManyKeys | Code::TooManyCreations => {
            let service = limited(KeyLimits {
                allowed_scopes: (code == Code::BeyondLimits).then(Vec::new),
                active_keys_per_account: (code == Code::TooManyKeys).then_some(1),
                creations_per_account: (code == Code::TooManyCreations).then_some(1),
                ..KeyLimits::default()
            });
            service.create(KEY);
            let body = match code {
                Code::BeyondLimits => r#"{"account":"a","scopes":["admin"]}"#,
                _ => KEY,
            };
            service.post("/v1/keys", body)
        }
        Code::NoSuchPath => service.get("/v2/keys"),
        Code::NoSuchKey => service.get("/v1/keys/0123456789"),
        Code::Stale | Code::KeyRevoked | Code::KeyInactive | Code::KeyReplaced => {
            let key = text(&service.create(KEY), "id");
            let path = |of: &str| format!("/v1/keys/{key}{of}");
            let rotate = || service.post(&path("/rotate"), "");
            match code {
                Code::KeyRevoked => drop(service.post(&path("/revoke"), "").expect(200)),
                Code::KeyInactive => {
                    let disabled = r#"{"disabled":true}"#;
                    drop(service.send("PATCH", &path(""), Some(ADMIN), disabled));
                }
                Code::KeyReplaced => drop(rotate().expect(201)),
                _ => {
                    let authorization = format!("Bearer {ADMIN}");
                    let headers = [("authorization", &*authorization), ("if-match", "\"2\"")];
                    return service.send_with("POST", &path("/rotate"), &headers, "");
                }
            }
            rotate()
        }
        Code::NotSealed | Code::KeyImported | Code::Sealed => sealed::answer(code),
        Code::UnexpectedCount => {
            let none = r#"{"filter":{"account":"a"},"expect":1}"#;
            service.post("/v1/keys/revoke", none)
        }
        Code::DisabledByAdmin => {
            let service = with_accounts();
            let key = text(&service.create(r#"{"account":"alice"}"#), "id");
            let path = format!("/v1/keys/{key}");
            let (off, on) = (r#"{"disabled":true}"#, r#"{"disabled":false}"#);
            service.send("PATCH", &path, Some(ADMIN), off).expect(200);
            send(&service, "PATCH", &path, &session("alice"), on)
        }
        Code::NoSuchToken => service.post("/v1/tokens/0123456789/revoke", ""),
        Code::TooManyTokens => {
            let raw = service.raw();
            raw.batch(
                "INSERT INTO tokens (id, digest, name, role, created_at) \
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
                 SELECT printf('%010d', i), randomblob(32), 'x', 'edge', 0 FROM n",
            );
            service.post("/v1/tokens", r#"{"name":"x","role":"edge"}"#)
        }
        Code::IdempotencyMismatch => {
            let authorization = format!("Bearer {ADMIN}");
            let headers = [
                ("authorization", &*authorization),
                ("content-type", "application/json"),
                ("idempotency-key", "a"),
            ];
            let create = |body| service.send_with("POST", "/v1/keys", &headers, body);
            create(KEY).expect(201);
            create("{}")
        }
        Code::MethodNotAllowed => service.send("DELETE", "/v1/keys", Some(ADMIN), ""),
        Code::InvalidField => service.post("/v1/keys", "{}"),
        Code::InvalidBody => service.post("/v1/keys", "["),
        Code::UnsupportedMediaType => {
            service.send_as("POST", "/v1/keys", Some(ADMIN), KEY, "text/plain")
        }
        Code::BodyTooLarge => service.post("/v1/keys", &" ".repeat(64 * 1024 + 1)),
        Code::BodyTimeout => connections::answer_to_a_slow_body(),
        Code::Timeout => load::answer_of_a_stuck_disk(),
        Code::Overloaded => load::answer_beyond_the_queue(),
        Code::Clock => {
            service.set_now(UnixMillis(0));
            create(Some(ADMIN))
        }
        Code::DatabaseUnavailable => {
            let raw = service.raw();
            raw.batch_of("DROP TABLE keys", "DROP TABLE keys CASCADE");
            create(Some(ADMIN))
        }
        Code::NoRandomness => Running::with(Arc::new(|_| Err(NoRandomness))).send(
            "POST",
            "/v1/keys",
            Some(ADMIN),
            KEY,
        ),
        // Every key is drawn from the same bytes, so that the second exists already.
        Code::Internal => {
            let service = Running::with(Arc::new(|bytes| {
                bytes.fill(1);
                Ok(())
            }));
            service.create(KEY);
            service.post("/v1/keys", KEY)
        }
    }
}

#[test]
fn every_code_is_the_answer_to_a_request() {
    for code in Code::ALL {
        let answer = answer(*code);
        let status = code.status().as_u16();
        assert_eq!(answer.problem(), (status, code.code().to_owned()));
        assert_eq!(answer.expect(status)["title"], code.title());
        if status == 503 {
            assert_eq!(answer.header("retry-after"), "1", "{}", code.code());
        }
    }
}

/// The only wrong value of a request. A code without a request of its own does not compile.
fn wrong(fault: Fault) -> Value {
    let body = match fault {
        Fault::Required => "{}",
        Fault::Unknown => r#"{"account":"a","role":"root"}"#,
        Fault::Duplicate => r#"{"account":"a","account":"b"}"#,
        Fault::WrongType => r#"{"account":7}"#,
        Fault::Invalid => r#"{"account":"a b"}"#,
        Fault::Conflict => {
            r#"{"account":"a","expires_in":"1d","expires_at":"2999-01-01T00:00:00Z"}"#
        }
        Fault::Limit => return answer(Code::BeyondLimits).expect(403)["errors"].clone(),
        Fault::Beyond => return answer(Code::BeyondOwnRights).expect(403)["errors"].clone(),
    };
    Running::start().post("/v1/keys", body).expect(400)["errors"].clone()
}

#[test]
fn every_code_of_a_wrong_value_is_the_answer_to_a_request() {
    for fault in Fault::ALL {
        let errors = wrong(*fault);
        assert_eq!(errors.as_array().unwrap().len(), 1, "{errors}");
        assert_eq!(errors[0]["code"], fault.word());
    }
}

#[test]
fn the_page_describes_every_code_and_no_other() {
    let page = Running::start().send("GET", "/docs/errors.md", None, "");
    assert_eq!(page.status, 200);
    let described: BTreeSet<String> = page
        .text
        .split("\n### ")
        .skip(1)
        .map(|section| section.lines().take(3).collect::<Vec<_>>().join("|"))
        .collect();
    let section = |code: &Code| {
        let status = code.status().as_u16();
        format!("{}||{status} \u{b7} {}", code.code(), code.title())
    };
    assert_eq!(described, Code::ALL.iter().map(section).collect());

    let (_, values) = page.text.split_once("\n## Wrong values\n").unwrap();
    let (values, _) = values.split_once("\n## ").unwrap();
    let described: BTreeSet<&str> = values
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(described, Fault::ALL.iter().map(|it| it.word()).collect());
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let service = Running::start();
    let body = r#"{
        "account": "a b", "name": 7, "scopes": ["r", 1, "r", null], "allowed_ips": ["x", "::1", "y"],
        "allowed_referrers": "https://a.example", "metadata": [], "expires_in": "soon",
        "role": "root", "a/b~": 1, "role": 2, "metadata": {}
    }"#;
    let answer = service.post("/v1/keys", body);
    let mut wrong = answer.wrong(400);
    wrong.sort();
    let expected = [
        "/account",
        "/allowed_ips/0",
        "/allowed_ips/2",
        "/allowed_referrers",
        "/a~1b~0",
        "/expires_in",
        "/metadata",
        "/name",
        "/role",
        "/scopes/1",
        "/scopes/3",
    ];
    assert_eq!(wrong, expected);
    let detail = answer.expect(400)["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("11 values are wrong: "), "{detail}");
    assert!(detail.ends_with("; and 8 more"), "{detail}");

    let parameters = "/v1/keys?limit=0&status=dead&cursor=x&role=root&account=a&account=b";
    let mut wrong = service.get(parameters).wrong(400);
    wrong.sort();
    assert_eq!(wrong, ["account", "cursor", "limit", "role", "status"]);
    let link = r#"{"id":7,"expires_at":"x","peek":"y"}"#;
    let answer = service.send("POST", "/v1/links/uses", Some(EDGE), link);
    assert_eq!(answer.wrong(400), ["/id", "/expires_at", "/peek"]);
}
