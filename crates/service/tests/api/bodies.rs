//! What is wrong with a body or a query is said, and the field is named.

use serde_json::json;

use crate::support::{ADMIN, EDGE, Running};

#[test]
fn every_wrong_field_of_a_new_key_is_named() {
    let service = Running::start();
    let long = "x".repeat(129);
    let many = vec!["10.0.0.1"; 65];
    let scopes: Vec<String> = (0..65).map(|n| format!("s{n}")).collect();
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let rows = [
        ("account", json!(null)),
        ("account", json!("")),
        ("account", json!(5)),
        ("account", json!("with space")),
        ("account", json!("a,b")),
        ("account", json!("caf\u{e9}")),
        ("account", json!("line\nbreak")),
        ("account", json!(long)),
        ("name", json!("")),
        ("name", json!(long)),
        ("name", json!("bell\u{7}")),
        ("name", json!("direction\u{202e}")),
        ("name", json!("line\u{2028}")),
        ("name", json!("unassigned\u{378}")),
        ("name", json!(["x"])),
        ("scopes", json!("read")),
        ("scopes", json!(scopes)),
        ("scopes/0", json!([""])),
        ("scopes/0", json!(["a b"])),
        ("scopes/1", json!(["a", "quote\""])),
        ("scopes/1", json!(["a", "back\\slash"])),
        ("scopes/1", json!(["a", "a"])),
        ("scopes/0", json!([long])),
        ("scopes/0", json!([7])),
        ("metadata", json!([1])),
        ("metadata", json!("text")),
        ("metadata", json!({ "long": "x".repeat(4096) })),
        ("expires_at", json!("tomorrow")),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
        ("expires_at", json!(1_900_000_000)),
        ("expires_in", json!("30")),
        ("expires_in", json!("0s")),
        ("expires_in", json!("-1d")),
        ("expires_in", json!("99999y")),
        ("allowed_ips", json!("10.0.0.1")),
        ("allowed_ips", json!(many)),
        ("allowed_ips/0", json!(["10.0.0.0/33"])),
        ("allowed_ips/1", json!(["::1", "localhost"])),
        ("allowed_ips/0", json!(["10.0.0.7/8"])),
        ("allowed_ips/0", json!(["::ffff:10.0.0.0/95"])),
        ("allowed_ips/0", json!(["::ffff:10.0.0.7/104"])),
        ("allowed_referrers", json!("https://a.example")),
        ("allowed_referrers", json!(vec!["https://a.example"; 17])),
        ("allowed_referrers/0", json!(["https://*"])),
        ("allowed_referrers/0", json!(["x"])),
        ("allowed_referrers/0", json!(["localhost:3000"])),
        (
            "allowed_referrers/1",
            json!(["https://a.example", "ftp://a.example"]),
        ),
    ];
    for (field, value) in rows {
        let name = field.split('/').next().unwrap();
        let mut body = json!({ "account": "alice" });
        body[name] = value;
        let answer = service.post("/v1/keys", &body.to_string());
        assert_eq!(answer.wrong(400), [format!("/{field}")], "{body}");
        assert_eq!(answer.problem().1, "invalid_field");
    }
    for (field, body) in [
        ("account", "{}".to_owned()),
        ("account", String::new()),
        ("role", r#"{"account":"a","role":"root"}"#.to_owned()),
        ("account", r#"{"account":"a","account":"b"}"#.to_owned()),
        (
            "metadata",
            format!(r#"{{"account":"a","metadata":{{"x":{deep}}}}}"#),
        ),
        (
            "expires_in",
            r#"{"account":"a","expires_in":"1d","expires_at":"2030-01-01T00:00:00Z"}"#.to_owned(),
        ),
    ] {
        let wrong = service.post("/v1/keys", &body).wrong(400);
        assert_eq!(wrong, [format!("/{field}")], "{body}");
    }
    assert_eq!(service.get("/v1/keys").expect(200)["keys"], json!([]));
}

#[test]
fn values_at_the_limit_are_accepted() {
    let service = Running::start();
    let scopes: Vec<String> = (0..64).map(|n| format!("{n:0>128}")).collect();
    let body = json!({
        "account": "!".repeat(128), "name": "\u{1f511}\u{200d}".repeat(64), "scopes": scopes,
        "metadata": { "x": "y".repeat(4096 - r#"{"x":""}"#.len()) },
        "allowed_ips": vec!["2001:db8::/32"; 64],
        "allowed_referrers": vec![format!("{:a<256}", "https://a.example/"); 16],
        "expires_at": "9999-12-31T23:59:59.999Z",
    });
    let created = service.create(&body.to_string());
    assert_eq!(created["scopes"], body["scopes"]);
    assert_eq!(created["metadata"], body["metadata"]);
    assert_eq!(created["expires_at"], body["expires_at"]);
}

#[test]
fn a_body_other_than_a_json_object_is_rejected() {
    let service = Running::start();
    for body in [
        "[\"alice\"]",
        "null",
        "{",
        "{}{}",
        "{\"account\":\"a\"",
        "\u{feff}{}",
        "x",
    ] {
        let answer = service.post("/v1/keys", body);
        assert_eq!(answer.problem(), (400, "invalid_body".to_owned()), "{body}");
    }
}

#[test]
fn another_content_type_is_rejected() {
    let service = Running::start();
    let send = |content_type| {
        let body = r#"{"account":"a"}"#;
        service.send_as("POST", "/v1/keys", Some(ADMIN), body, content_type)
    };
    for other in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
    ] {
        let problem = send(other).problem();
        assert_eq!(
            problem,
            (415, "unsupported_media_type".to_owned()),
            "{other}"
        );
    }
    send("Application/JSON; charset=utf-8").expect(201);
}

#[test]
fn a_body_over_64_kib_is_rejected() {
    let service = Running::start();
    let body = format!(r#"{{"account":"a"{}}}"#, " ".repeat(64 * 1024));
    let answer = service.post("/v1/keys", &body);
    assert_eq!(answer.problem(), (413, "body_too_large".to_owned()));
}

#[test]
fn a_wrong_reason_is_named() {
    let service = Running::start();
    for body in [
        json!({ "note": "x".repeat(257) }),
        json!({ "note": "a\u{0}b" }),
        json!({ "note": 1 }),
    ] {
        let answer = service.post("/v1/keys/0123456789/revoke", &body.to_string());
        assert_eq!(answer.wrong(400), ["/note"], "{body}");
    }
    let answer = service.post("/v1/keys/0123456789/revoke", r#"{"why":"x"}"#);
    assert_eq!(answer.wrong(400), ["/why"]);
}

#[test]
fn a_wrong_lookup_is_named() {
    let service = Running::start();
    let hash = "A".repeat(43);
    for (field, body) in [
        ("hashes", json!({})),
        ("hashes", json!({ "hashes": [] })),
        ("hashes", json!({ "hashes": vec![hash.as_str(); 101] })),
        ("hashes/1", json!({ "hashes": [hash, "short"] })),
        ("hashes/0", json!({ "hashes": [7] })),
        ("key", json!({ "hashes": [hash], "key": "kg_" })),
    ] {
        let answer = service.send("POST", "/v1/lookups", Some(EDGE), &body.to_string());
        assert_eq!(answer.wrong(400), [format!("/{field}")], "{body}");
    }
}

#[test]
fn metadata_that_two_parsers_read_differently_is_rejected() {
    let service = Running::start();
    let wide = "9".repeat(400);
    let nested = |levels: usize| {
        let lists = levels - 1;
        format!(r#"{{"a":{}{}}}"#, "[".repeat(lists), "]".repeat(lists))
    };
    for (metadata, detail) in [
        (r#"{"plan":"free","plan":"pro"}"#, "a member more than once"),
        (r#"{"a":[{"b":{"c":1,"c":1}}]}"#, "a member more than once"),
        (r#"{"a":1,"\u0061":2}"#, "a member more than once"),
        (r#"{"a":"x\u0000y"}"#, "U+0000"),
        (r#"{"a":[{"x\u0000":1}]}"#, "U+0000"),
        (r#"{"a":1e999}"#, "outside the range of f64"),
        (r#"{"a":[-1e400]}"#, "outside the range of f64"),
        (&format!(r#"{{"a":{wide}}}"#), "outside the range of f64"),
        (r#"{"a":"\ud800"}"#, "half of a surrogate pair"),
        (r#"{"\ud800x":1}"#, "half of a surrogate pair"),
        (&nested(128), "must be at most 127 levels deep"),
        ("[1]", "must be a JSON object"),
    ] {
        let body = format!(r#"{{"account":"a","metadata":{metadata}}}"#);
        let answer = service.post("/v1/keys", &body);
        assert_eq!(
            answer.problem(),
            (400, "invalid_field".to_owned()),
            "{metadata}"
        );
        assert!(answer.text.contains(detail), "{}", answer.text);
    }
    for metadata in [
        "{}",
        r#"{"a":{"a":1},"b":[{"a":1},{"a":2}],"n":1e308,"i":18446744073709551615}"#,
        r#"{"a":"\ud83d\ude00","b":[-0.5,null,true," \u000b"]}"#,
        // In the answer it is one level deeper.
        &nested(126),
    ] {
        let body = format!(r#"{{"account":"a","metadata":{metadata}}}"#);
        service.post("/v1/keys", &body).expect(201);
    }
    let body = format!(r#"{{"account":"a","metadata":{}}}"#, nested(127));
    assert_eq!(service.post("/v1/keys", &body).status, 201);
}

#[test]
fn a_parameter_that_is_given_twice_is_rejected() {
    let service = Running::start();
    let list = ["account", "status", "cursor", "limit"];
    let feed = ["after", "incarnation", "wait"];
    for (path, token, names) in [("/v1/keys", ADMIN, &list[..]), ("/v1/changes", EDGE, &feed)] {
        for name in names {
            let twice = format!("{path}?{name}=1&{name}=2");
            let answer = service.send("GET", &twice, Some(token), "");
            assert!(answer.wrong(400).contains(&(*name).to_owned()), "{twice}");
            let problem = answer.expect(400);
            let detail = problem["errors"][0]["detail"].as_str().unwrap();
            assert!(
                detail.ends_with("is given more than once"),
                "{twice}: {detail}"
            );
        }
    }
}
