//! Malformed and hostile values in every field.

use serde_json::json;

use crate::support::{ADMIN, EDGE, Running};

/// Every string of every body, and every body, as a careless or hostile client sends them.
#[test]
fn bad_input_is_a_problem_that_says_where() {
    let service = Running::start();
    let post = |path: &str, token: &str, body: &[u8]| {
        let token = format!("Bearer {token}");
        let headers = [
            ("authorization", token.as_str()),
            ("content-type", "application/json"),
        ];
        service.send_bytes("POST", path, &headers, body)
    };
    let strings = [
        r#""\u0000""#,
        r#""\ud800""#,
        r#""\udc00x""#,
        r#""'; DROP TABLE keys; --""#,
        r#"" OR 1=1""#,
        r#""\u202e""#,
        "7",
        "-1e999",
        "true",
        "[]",
        "[[]]",
        "{}",
        r#"{"$serde_json::private::RawValue":"1"}"#,
    ];
    let create = [
        "account",
        "name",
        "scopes",
        "metadata",
        "allowed_ips",
        "allowed_referrers",
        "labels",
        "expires_at",
        "expires_in",
    ];
    let link = ["id", "expires_at", "peek"];
    let mut asked = 0;
    let import = [
        r#""keys":[{"key":"legacy-key-0123456789","account":"a"}]"#,
        r#""dry_run":true"#,
    ];
    let used = [r#""id":"k.a""#, r#""expires_at":1"#];
    for (path, token, rest, fields) in [
        ("/v1/keys", ADMIN, &[r#""account":"a""#][..], &create[..]),
        ("/v1/keys/import", ADMIN, &import, &["keys", "dry_run"]),
        (
            "/v1/keys/0123456789/revoke",
            ADMIN,
            &[],
            &["reason", "note", "keep_descendants"],
        ),
        (
            "/v1/keys/revoke",
            ADMIN,
            &[r#""filter":{"account":"absent"}"#, r#""expect":1"#],
            &["filter", "expect", "note"],
        ),
        ("/v1/keys/revoke-self", "", &[], &["key"]),
        (
            "/v1/tokens",
            ADMIN,
            &[r#""name":"x""#, r#""role":"edge""#],
            &["name", "role", "expires_at", "expires_in"],
        ),
        ("/v1/lookups", EDGE, &[], &["hashes"]),
        ("/v1/links/uses", EDGE, &used, &link),
    ] {
        for field in fields {
            for value in strings {
                let name = format!("\"{field}\":");
                let own = format!("{name}{value}");
                let rest = rest.iter().copied().filter(|it| !it.starts_with(&name));
                let body: Vec<&str> = rest.chain([own.as_str()]).collect();
                let body = format!("{{{}}}", body.join(","));
                let answer = post(path, token, body.as_bytes());
                asked += 1;
                assert!(answer.status < 500, "{path} {body}: {}", answer.text);
                if answer.status == 400 {
                    let wrong = answer.wrong(400);
                    let own = format!("/{field}");
                    let named = wrong.iter().any(|it| it.starts_with(&own));
                    assert!(named, "{path} {body}: {}", answer.text);
                }
                if answer.status >= 400 {
                    assert_no_foreign_words(&answer.text);
                }
            }
        }
        for (body, detail) in [
            (&b"{\"a\":\n\"\x01\"}"[..], "line 2, column "),
            (b"{\"\xff\":1}", "is not UTF-8 after 2 bytes"),
            (b"{\"a\":1,}", "line 1, column 8"),
            (b"[]", "must be a JSON object"),
            (b"\0", "line 1, column 1"),
        ] {
            let answer = post(path, token, body);
            assert_eq!(answer.problem(), (400, "invalid_body".to_owned()));
            let told = answer.expect(400)["detail"].as_str().unwrap().to_owned();
            assert!(told.contains(detail), "{told}");
            assert_no_foreign_words(&told);
        }
        let large = vec![b' '; 64 * 1024 + 1];
        assert_eq!(post(path, token, &large).problem().0, 413);
        for name in [r"\ud800", r"\u0000", &"x".repeat(60_000)] {
            let answer = post(path, token, format!(r#"{{"{name}":1}}"#).as_bytes());
            assert_eq!(answer.problem(), (400, "invalid_field".to_owned()));
            assert!(answer.text.len() < 4096, "{}", answer.text.len());
        }
    }
    assert!(asked > 200, "{asked}");
    let stored = json!([service.get("/v1/keys?limit=100").expect(200)["keys"]]).to_string();
    assert!(!stored.contains(r"\u0000"), "{stored}");
}

/// What a parser says is neither ours to promise nor for a caller to read.
#[track_caller]
fn assert_no_foreign_words(text: &str) {
    for words in [
        "invalid type",
        ", expected ",
        "trailing",
        "at line",
        "EOF",
        "u64",
        "serde",
    ] {
        assert!(!text.contains(words), "{text}");
    }
}
