//! No credential passes on: every carrier, spelling, kind of rule and mode.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keygate_core::secret::{RingEntry, mac};
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};

use super::*;

const SESSION: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

/// The policy of [`demo`] with every kind of provider, and rules that let requests pass.
fn everything() -> Value {
    let mut json = demo();
    json["unmatched"] = json!("allow");
    let providers = &mut json["providers"];
    providers["key"]["from"] = json!([
        "bearer", "basic", { "header": "x-api-key" }, { "cookie": "app_key" }, { "query": "key" }
    ]);
    providers["key"]["query_referrers"] = json!(["example.com"]);
    providers["native"] = json!({
        "type": "signed_url", "format": "keygate", "secrets": "media", "max_lifetime": "7d",
        "from": [{ "query": "kg" }, { "header": "x-link" }, { "cookie": "link" }]
    });
    providers["front"] = json!({
        "type": "signed_url", "format": "fastly", "secrets": "media", "max_lifetime": "7d",
        "from": [{ "query": "token" }]
    });
    providers["session"] = json!({
        "type": "jwt", "strip": ["authorization", { "header": "x-session" }, { "cookie": "session" }]
    });
    json["rules"].as_array_mut().unwrap().extend([
        json!({ "name": "link-beta", "match": { "path": "/link-beta/**" }, "require": "native",
                "mode": "simulate" }),
        json!({ "name": "link-off", "match": { "path": "/link-off/**" }, "require": "front",
                "mode": "off" }),
        json!({ "name": "preflight", "match": { "path": "/preflight/**" }, "require": "key",
                "preflight": "allow" }),
        json!({ "name": "login", "match": { "path": "/login/**" },
                "require": { "any": ["key", "session"] } }),
        json!({ "name": "login-beta", "match": { "path": "/login-beta/**" }, "require": "session",
                "mode": "simulate" }),
        json!({ "name": "front", "match": { "path": "/front/**" },
                "require": { "any": ["front", "key"] } }),
    ]);
    json
}

/// The token of a native link to another path, which nothing here accepts.
fn token() -> String {
    let terms = Terms {
        expires_secs: NOW.0 / 1000 + 60,
        ..Terms::default()
    };
    let place = Place {
        host: "example.com",
        path: "/elsewhere/film",
        query: None,
    };
    let entry = RingEntry {
        id: "demo".to_owned(),
        key: mac(SECRET.as_bytes()),
        not_before: None,
        not_after: None,
    };
    hs256(&terms, &place, &entry).unwrap()
}

/// Everything that the upstream gets, as one text; `None` for a request that does not pass.
fn passed_on(policy: &Policy, headers: &[Header]) -> Option<String> {
    let answer = Answer {
        hashes: &[new_key().hash],
        knowledge: known(json!({})),
        others: &NothingKnown,
    };
    let grant = match policy.decide(headers, &facts(&answer, None, NOW)) {
        Verdict::Allow(grant) => grant,
        Verdict::Deny(_) => return None,
        other => panic!("{other:?}"),
    };
    let names = headers.iter().map(|it| String::from_utf8_lossy(&it.0));
    let left = names.filter_map(|name| {
        let value = after(headers, &grant.edits, &name)?;
        Some(format!("{name}: {value}\n"))
    });
    Some(left.collect())
}

/// A request's headers and the query behind its target.
type Presented<'a> = (Vec<(&'static str, String)>, String);

/// A genuine key, a link's token and a session, in every carrier and spelling.
fn presented() -> Vec<Presented<'static>> {
    let (key, token) = (new_key().text.to_string(), token());
    let basic = STANDARD.encode(format!("alice:{key}"));
    let padless = STANDARD.encode(format!("a:{key}")).replace('=', "");
    let encoded = key.replacen('k', "%6B", 1);
    let in_headers = [
        vec![("authorization", format!("Bearer {key}"))],
        vec![("authorization", format!("bearer\t{key}"))],
        vec![("authorization", format!("Bearer {key}, Bearer {key}"))],
        vec![("authorization", format!("Digest x,{key}"))],
        vec![("authorization", key.clone())],
        vec![("authorization", format!("Basic {basic}"))],
        vec![("authorization", format!("Basic\t{padless}"))],
        vec![("authorization", format!("Digest x, Basic {basic}"))],
        vec![
            ("authorization", "Digest x".to_owned()),
            ("authorization", format!("Bearer {key}")),
        ],
        vec![("x-api-key", key.clone())],
        vec![("x_api_key", key.clone())],
        vec![("x-api-key", format!("\"{key}\""))],
        vec![("x-api-key", format!("other,{key}"))],
        vec![("x-api-key", key.clone()), ("x-api-key", key.clone())],
        vec![
            ("x-api-key", key.clone()),
            ("authorization", format!("Bearer {key}")),
        ],
        vec![("cookie", format!("a=1; app_key={key}; b=2"))],
        vec![("cookie", format!("app_key=\"{key}\""))],
        vec![("cookie", format!("app_key={encoded}"))],
        vec![("cookie", format!("app_key={key}; app_key={key}"))],
        vec![
            ("cookie", "app_key=x".to_owned()),
            ("cookie", format!("app_key={key}")),
        ],
        vec![("cookie", format!("a=1,app_key={key}"))],
        vec![("cookie", format!("a=1 app_key=\"{key}\"; b=2"))],
        vec![("cookie", format!("a=1;\tb=2,\tlink={token}"))],
        vec![("cookie", format!("a=1, session={SESSION}"))],
        vec![("x-link", token.clone())],
        vec![("x-link", format!("x, {token}"))],
        vec![("cookie", format!("link={token}"))],
        vec![("cookie", format!("link=\"{token}\"; link=1"))],
        vec![("x-session", SESSION.to_owned())],
        vec![("cookie", format!("session={SESSION}"))],
    ];
    let in_query = [
        format!("key={key}"),
        format!("a=1&%6bey={key}&b=2"),
        format!("key={encoded}"),
        format!("key={key}&key={key}"),
        format!("key=other&key={key}"),
        format!("a=1;key={key}"),
        format!("kg={token}"),
        format!("kg=x&%6bg={token}"),
        format!("a=1;kg={token}"),
    ];
    let in_headers = in_headers.into_iter().map(|it| (it, String::new()));
    let in_query = in_query
        .into_iter()
        .map(|it| (Vec::new(), format!("?{it}")));
    in_headers.chain(in_query).collect()
}

#[test]
fn no_credential_passes_on_in_any_carrier_spelling_rule_or_mode() {
    let policy = policy(&everything(), SECRET);
    let secrets = {
        let (key, token) = (new_key().text.to_string(), token());
        let basic = STANDARD.encode(format!("alice:{key}"));
        let signature = token.rsplit('.').next().unwrap().to_owned();
        // What stays of each in any spelling.
        [key[4..].to_owned(), signature, SESSION.to_owned(), basic]
    };
    for (headers, query) in presented() {
        let more: Vec<(&str, &str)> = headers.iter().map(|(name, it)| (*name, &**it)).collect();
        for path in [
            "/healthz",
            "/elsewhere/x",
            "/off/x",
            "/beta/x",
            "/link-off/x",
            "/link-beta/x",
            "/preflight/x",
            "/front/x",
            "/login-beta/x",
            "/login/x",
            "/either/x",
            "/api/x",
        ] {
            let target = match path {
                // A good link of another provider beside it.
                "/either/x" => {
                    keygate_testkit::judge::signed(&policy, 1, &format!("{path}{query}"), NOW)
                }
                _ => format!("{path}{query}"),
            };
            let mut request = get(&target, &more);
            if path == "/preflight/x" {
                request[0].1 = "OPTIONS".into();
                request.extend(
                    [("origin", "null"), ("access-control-request-method", "GET")]
                        .map(|(name, value)| (name.into(), value.into())),
                );
            }
            let passed = passed_on(&policy, &request);
            let is_rejected = ["/front/x", "/login/x", "/either/x", "/api/x"].contains(&path);
            assert!(is_rejected || passed.is_some(), "{target} {more:?}");
            for secret in &secrets {
                let passed = passed.as_deref().unwrap_or_default();
                assert!(!passed.contains(&**secret), "{target} {more:?}\n{passed}");
            }
        }
    }
}

#[test]
fn no_trailer_may_hold_a_credential() {
    let policy = policy(&everything(), SECRET);
    for name in [
        "authorization",
        "Cookie",
        "x-api-key",
        "x_api.key",
        "x-link",
        "x-session",
        "x-keygate-account",
        "x-original-url",
    ] {
        assert!(policy.removes_trailer(name.as_bytes()), "{name}");
    }
    for name in ["x-sum", "grpc-status", "x-api-keys", "cookies", ""] {
        assert!(!policy.removes_trailer(name.as_bytes()), "{name}");
    }
}

#[test]
fn foreign_credentials_pass_unchanged() {
    let policy = policy(&everything(), SECRET);
    let mut foreign = new_key().text.to_string();
    let last = foreign.pop().unwrap();
    foreign.push(if last == 'a' { 'b' } else { 'a' });
    let basic = format!("Basic {}", STANDARD.encode("alice:secret"));
    let more = [
        ("authorization", &*basic),
        ("x-api-key", "a key of another system"),
        ("x-link", "kg1.not.a-token"),
        (
            "cookie",
            &format!("app_key={foreign}; link=kg1; theme=dark"),
        ),
    ];
    for target in [
        "/healthz?token=reset-me&verify=1&kg=10&key=A;b=c&a=1;key=x",
        "/elsewhere?token=1767225600_0123456789abcdef0123456789abcdef01234567",
        "/off/x?token=x;kg=y",
        "/beta/x?kg=kg1",
    ] {
        let passed = passed_on(&policy, &get(target, &more)).unwrap();
        let expected = |(name, value): &(&str, &str)| format!("{name}: {value}\n");
        for header in more.iter().map(expected) {
            assert!(passed.contains(&header), "{target}\n{passed}");
        }
        assert!(passed.contains(&format!(":path: {target}\n")), "{passed}");
    }
    for authorization in [
        "Bearer opaque",
        "Digest username=\"a\"",
        &*format!("Bearer {SESSION}"),
    ] {
        let headers = get("/healthz", &[("authorization", authorization)]);
        let passed = passed_on(&policy, &headers).unwrap();
        assert!(passed.contains(authorization), "{passed}");
    }
}

#[test]
fn a_rule_takes_every_token_of_the_formats_that_it_names() {
    let policy = policy(&everything(), SECRET);
    let key = bearer();
    let with_key = [("authorization", key.as_str())];
    // A wrong link beside a good key, and a link that is rejected in `simulate` or `off`.
    for (target, expected) in [
        ("/front/x?a=1&token=1_0f", "/front/x?a=1"),
        ("/link-off/x?token=wrong&kg=10", "/link-off/x?kg=10"),
        (
            "/link-beta/x?kg=wrong&kg=again&token=mine",
            "/link-beta/x?token=mine",
        ),
        ("/link-beta/x?%6bg=wrong&a;kg=x", "/link-beta/x?a"),
    ] {
        let passed = passed_on(&policy, &get(target, &with_key)).unwrap();
        assert!(passed.contains(&format!(":path: {expected}\n")), "{passed}");
    }
    let more = [("x-link", "wrong"), ("cookie", "link=wrong; a=1")];
    let passed = passed_on(&policy, &get("/link-beta/x", &more)).unwrap();
    assert!(
        !passed.contains("wrong") && passed.contains("cookie: a=1\n"),
        "{passed}"
    );
}

#[test]
fn a_session_token_in_authorization_stays_at_the_edge_and_others_do_not() {
    struct Session;
    impl Claims for Session {
        fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
            path.ends_with(&["sub"]).then(|| b"alice".to_vec())
        }
    }
    let policy = policy(&everything(), SECRET);
    let key = new_key().text.to_string();
    let answer = Answer {
        hashes: &[new_key().hash],
        knowledge: known(json!({})),
        others: &NothingKnown,
    };
    let left = |target: &str, authorization: &str, claims: &dyn Claims| {
        let more = [("authorization", authorization), ("x-api-key", &*key)];
        let headers = get(target, &more);
        let facts = Facts {
            checks: keygate_core::signed_url::Checks::default(),
            claims,
            ..facts(&answer, None, NOW)
        };
        let Verdict::Allow(grant) = policy.decide(&headers, &facts) else {
            panic!("{target} {authorization} must pass");
        };
        after(&headers, &grant.edits, "authorization")
    };
    let jwt = format!("Bearer {SESSION}");
    let none = &keygate_core::NoClaims;
    // Another filter has verified it.
    assert_eq!(left("/healthz", &jwt, &Session), None);
    assert_eq!(left("/beta/x", &jwt, &Session), None);
    // Not verified here: it is removed where the rule names the session.
    assert_eq!(left("/healthz", &jwt, none), Some(jwt.clone()));
    assert_eq!(left("/login-beta/x", &jwt, none), None);
    let opaque = "bearer opaque";
    assert_eq!(left("/login-beta/x", opaque, none).as_deref(), Some(opaque));
}

#[test]
fn beyond_a_bound_key_like_values_are_removed_unchecked() {
    let policy = policy(&everything(), SECRET);
    let another = Secret::new(b"another-secret-0123456789abcdef0".to_vec());
    let master = MasterSecret::derive(&another).unwrap();
    let (kid, prefix) = (
        KeyRingId::parse("01").unwrap(),
        Prefix::parse("kg").unwrap(),
    );
    let forged = |number: u8| {
        let key = master.generate(&prefix, kid, &mut |bytes| bytes.fill(number));
        key.text.to_string()
    };
    let left = |count: u8| {
        let all: Vec<String> = (0..count).map(forged).collect();
        let headers = get("/healthz", &[("x-api-key", &all.join(","))]);
        passed_on(&policy, &headers).unwrap().contains("x-api-key")
    };
    assert!(left(1) && left(8));
    assert!(!left(9) && !left(200));
}

#[test]
fn a_redirect_repeats_no_parameter_that_may_contain_a_credential() {
    let mut json = everything();
    json["responses"]["page"] = json!({ "redirect": "https://login.example/?to={url}" });
    let policy = policy(&json, SECRET);
    let location = |target: &str| {
        let Verdict::Deny(denial) =
            policy.decide(&get(target, &[]), &facts(&NothingKnown, None, NOW))
        else {
            panic!("{target} must be rejected");
        };
        let mut headers = denial.headers.into_iter();
        let (_, to) = headers.find(|(name, _)| name == "location").unwrap();
        to.into_owned()
    };
    let to = "https://login.example/?to=%2Fmedia%2Fx";
    for target in [
        "/media/x?verify=V",
        "/media/x?kg=K",
        "/media/x?key=K&token=T",
        "/media/x?%6bey=K;verify=V",
        "/media/x;kg=K",
        "/media/x%3Bkey=K?kg=K;token=T",
    ] {
        assert_eq!(location(target), to, "{target}");
    }
    assert_eq!(
        location("/media/x?a=1;key=K&b=2;c=3"),
        format!("{to}%3Fa%3D1%26b%3D2%3Bc%3D3")
    );
}
