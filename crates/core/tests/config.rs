//! Wrong configurations: each is refused, and the field that is wrong is named.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod common;

use keygate_core::policy::Policy;
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn good() -> Value {
    json!({
        "version": 1,
        "secrets": {
            "media": [{ "id": "a", "env": "MEDIA" }, { "id": "b", "env": "MEDIA", "not_after": "2027-01-01T00:00:00Z" }],
            "keys": [{ "id": "01", "env": "KEYS", "encoding": "utf8" }]
        },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN",
            "timeout": "300ms", "poll": "1s", "lease": "60s" },
        "providers": {
            "link": { "type": "signed_url", "format": "cloudflare", "secrets": "media", "ttl": "3h" },
            "key": { "type": "app_key", "secrets": "keys", "from": ["bearer", { "header": "x-api-key" }] }
        },
        "rules": [
            { "name": "one", "match": { "path": "/a/**", "methods": ["GET"], "hosts": ["a.example"] },
              "require": "link", "deny": "page" },
            { "name": "two", "match": { "path": "/**" }, "require": { "any": ["link", { "all": ["key"] }] } }
        ],
        "unmatched": "deny",
        "responses": { "page": { "html": "<p>{message}" }, "api": { "json": { "e": ["{reason}"] } } }
    })
}

fn problems(text: &str) -> Vec<String> {
    let environment = |name: &str| match name {
        "TOKEN" => Some(b"edge-token".to_vec()),
        "SPACED" => Some(b"edge token".to_vec()),
        "EMPTY" => Some(Vec::new()),
        "SHORT" => Some(b"short".to_vec()),
        "MISSING" => None,
        _ => Some(SECRET.as_bytes().to_vec()),
    };
    match Policy::parse(text.as_bytes(), &environment) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_good_configuration_holds() {
    assert_eq!(problems(&good().to_string()), Vec::<String>::new());
}

#[test]
fn each_wrong_field_is_refused_by_its_path() {
    let remove = Value::String("(remove)".into());
    #[rustfmt::skip]
    let table: Vec<(&str, Value, &str)> = vec![
        ("/version", json!(2), "version: must be 1"),
        ("/version", json!("1"), "version: invalid type"),
        ("/version", remove.clone(), "missing field `version`"),
        ("/extra", json!(1), "extra: unknown field `extra`"),
        ("/unmatched", remove.clone(), "missing field `unmatched`"),
        ("/unmatched", json!("pass"), "unmatched: unknown variant `pass`"),
        ("/rules", remove.clone(), "missing field `rules`"),
        ("/secrets/media", json!([]), "secrets.media: must name at least one secret"),
        ("/secrets/media/0/id", json!("a b"), "secrets.media[0].id: must be 1 to 64"),
        ("/secrets/media/1/id", json!("a"), "secrets.media[1].id: stands twice"),
        ("/secrets/media/0/env", json!("MISSING"), "secrets.media[0].env: the environment variable MISSING is not set"),
        ("/secrets/media/0/env", json!("EMPTY"), "secrets.media[0].env: the value of EMPTY is empty"),
        ("/secrets/media/0/value", json!("x"), "secrets.media[0].value: unknown field `value`"),
        ("/secrets/media/0/encoding", json!("base32"), "secrets.media[0].encoding: unknown variant"),
        ("/secrets/media/0/encoding", json!("hex"), ""),
        ("/secrets/media/1/not_after", json!("tomorrow"), "secrets.media[1].not_after: must be an RFC 3339"),
        ("/secrets/media/1/not_before", json!("2027-01-01T00:00:00Z"), "secrets.media[1].not_after: must be later"),
        ("/secrets/keys/0/id", json!("001"), "secrets.keys: the id must be 2 letters or digits"),
        ("/secrets/keys/0/env", json!("SHORT"), "secrets.keys: the secret \"01\" holds fewer than 32 bytes"),
        ("/key_service", remove.clone(), "key_service: must be given"),
        ("/key_service/cluster", json!(""), "key_service.cluster: must be visible"),
        ("/key_service/authority", json!("a b"), "key_service.authority: must be visible"),
        ("/key_service/token_env", json!("MISSING"), "key_service.token_env: the environment variable MISSING"),
        ("/key_service/token_env", json!("SPACED"), "key_service.token_env: the token must be visible ASCII"),
        ("/key_service/timeout", json!("0s"), "key_service.timeout: must be a duration"),
        ("/key_service/timeout", json!(300), "key_service.timeout: invalid type"),
        ("/key_service/poll", json!("often"), "key_service.poll: must be a duration"),
        ("/key_service/lease", json!("1s"), "key_service.lease: must be longer than poll"),
        ("/key_service/url", json!("x"), "key_service.url: unknown field"),
        ("/providers/link/type", json!("jwt"), "providers.link.type: must be \"signed_url\""),
        ("/providers/link/type", remove.clone(), "providers.link: missing field `type`"),
        ("/providers/link/format", json!("akamai"), "providers.link.format: must be \"cloudflare\""),
        ("/providers/link/format", remove.clone(), "providers.link: missing field `format`"),
        ("/providers/link/secrets", json!("none"), "providers.link.secrets: there is no ring \"none\""),
        ("/providers/link/ttl", json!("3 sheep"), "providers.link.ttl: must be a duration"),
        ("/providers/link/ttl", remove.clone(), "providers.link.ttl: must be given"),
        ("/providers/link/max_lifetime", json!("1h"), "providers.link.max_lifetime: does not go with"),
        ("/providers/link/stamp", json!("expires"), "providers.link.max_lifetime: must be given"),
        ("/providers/link/stamp", json!("never"), "providers.link.stamp: unknown variant"),
        ("/providers/link/skew", json!("-1s"), "providers.link.skew: must be a duration"),
        ("/providers/link/base64", json!("urlsafe"), "providers.link.base64: unknown variant"),
        ("/providers/link/parameter", json!("a&b"), "providers.link.parameter: must be letters"),
        ("/providers/link/header", json!("cookie"), "providers.link.header: this header cannot"),
        ("/providers/link/header", json!("x y"), "providers.link.header: must be the name"),
        ("/providers/link/headers", json!({ "timestamp": "a", "mac": "A" }), "providers.link.headers.mac: must not be"),
        ("/providers/link/headers", json!({ "timestamp": "a" }), "providers.link.headers: missing field `mac`"),
        ("/providers/link/directory_length", json!(1), "providers.link.directory_length: must be at least 2"),
        ("/providers/link/directory_length", json!(-1), "providers.link.directory_length: invalid value"),
        ("/providers/link/tll", json!("3h"), "providers.link.tll: unknown field `tll`"),
        ("/providers/key/secrets", json!("media"), "secrets.media: the id must be 2"),
        ("/providers/key/prefix", json!("K_G"), "providers.key.prefix: must be 1 to 16"),
        ("/providers/key/from", json!([]), "providers.key.from: must not be empty"),
        ("/providers/key/from", json!(["bearer", "bearer"]), "providers.key.from[1]: stands twice"),
        ("/providers/key/from", json!(["digest"]), "providers.key.from[0]: unknown variant"),
        ("/providers/key/from", json!([{ "header": "Authorization" }]), "providers.key.from[0].header: use \"bearer\""),
        ("/providers/key/from", json!([{ "header": "x-keygate-key" }]), "providers.key.from[0].header: this header cannot"),
        ("/providers/key/from", json!([{ "cookie": "a=b" }]), "providers.key.from[0].cookie: must be the name"),
        ("/providers/nothing", json!({ "type": "app_key", "secrets": "keys" }), "providers.nothing: its name"),
        ("/rules/0/name", json!(""), "rules[0].name: must be 1 to 64"),
        ("/rules/1/name", json!("one"), "rules[1].name: another rule has this name"),
        ("/rules/0/match/path", json!("a"), "rules[0].match.path: must start with \"/\""),
        ("/rules/0/match/path", json!("/a?b"), "rules[0].match.path: must not contain \"?\""),
        ("/rules/0/match/path", json!("/a/../b"), "rules[0].match.path: must not contain \"//\""),
        ("/rules/0/match/path", json!("/a/b**"), "rules[0].match.path: \"**\" must stand alone"),
        ("/rules/0/match/path", remove.clone(), "rules[0].match: missing field `path`"),
        ("/rules/0/match/methods", json!([]), "rules[0].match.methods: is empty"),
        ("/rules/0/match/methods", json!(["get"]), "rules[0].match.methods[0]: must be a method"),
        ("/rules/0/match/hosts", json!([]), "rules[0].match.hosts: is empty"),
        ("/rules/0/match/hosts", json!(["a", "http://b"]), "rules[0].match.hosts[1]: must be a host name"),
        ("/rules/0/match/host", json!("a"), "rules[0].match.host: unknown field"),
        ("/rules/0/require", json!("none"), "rules[0].require: there is no provider \"none\""),
        ("/rules/0/require", json!({ "any": [] }), "rules[0].require.any: must not be empty"),
        ("/rules/0/require", json!({ "any": ["link", "nothing"] }), "rules[0].require.any[1]: \"nothing\" has no place"),
        ("/rules/0/require", json!({ "all": ["link", { "any": ["x"] }] }), "rules[0].require.all[1].any[0]: there is no provider"),
        ("/rules/0/require", json!({ "one": [] }), "rules[0].require"),
        ("/rules/0/require", json!(7), "rules[0].require: invalid type"),
        ("/rules/0/require", remove.clone(), "rules[0]: missing field `require`"),
        ("/rules/0/mode", json!("challenge"), "rules[0].mode: unknown variant `challenge`"),
        ("/rules/0/deny", json!("none"), "rules[0].deny: there is no response \"none\""),
        ("/rules/0/scopes", json!([]), "rules[0].scopes: unknown field"),
        ("/responses/page", json!({ "pdf": "x" }), "responses.page"),
        ("/responses/page", json!({ "html": 1 }), "responses.page.html: invalid type"),
        ("/responses/api/json/e/0", json!("{resaon}"), "responses.api.json.e[0]: {resaon} is none of"),
    ];
    assert!(table.len() >= 60);
    for (pointer, value, expected) in table {
        let mut spoiled = good();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = spoiled.pointer_mut(parent).unwrap();
        match (parent, value == remove) {
            (Value::Object(members), true) => drop(members.remove(name)),
            (Value::Object(members), false) => drop(members.insert(name.into(), value.clone())),
            (Value::Array(items), _) => items[name.parse::<usize>().unwrap()] = value.clone(),
            _ => panic!("{pointer}"),
        }
        let found = problems(&spoiled.to_string());
        let is_named = found.iter().any(|problem| problem.starts_with(expected));
        assert!(
            if expected.is_empty() {
                found.is_empty()
            } else {
                is_named
            },
            "{pointer} = {value}: expected {expected:?}, got {found:?}"
        );
    }
}

#[test]
fn several_problems_are_told_at_once() {
    let mut spoiled = good();
    spoiled["rules"][0]["match"]["path"] = json!("a");
    spoiled["rules"][1]["require"] = json!("none");
    spoiled["providers"]["link"]["ttl"] = json!("soon");
    let found = problems(&spoiled.to_string());
    for path in [
        "rules[0].match.path",
        "rules[1].require",
        "providers.link.ttl",
    ] {
        assert!(
            found.iter().any(|it| it.starts_with(path)),
            "{path} is not in {found:?}"
        );
    }
}

#[test]
fn a_wrong_provider_is_not_told_again_where_it_is_required() {
    let mut spoiled = good();
    spoiled["providers"]["link"]["ttl"] = json!("soon");
    let found = problems(&spoiled.to_string());
    assert_eq!(found.len(), 1, "{found:?}");
    spoiled["providers"]["link"] = json!({ "type": "signed_url" });
    let found = problems(&spoiled.to_string());
    assert_eq!(found, ["providers.link: missing field `format`"]);
}

#[test]
fn a_name_given_twice_is_refused_instead_of_the_last_one_winning() {
    let text = good().to_string();
    for (from, to) in [
        (r#""key":{"#, r#""link":{"#),
        (r#""keys":[{"#, r#""media":[{"#),
        (r#""api":{"#, r#""page":{"#),
        (r#""version":1"#, r#""version":1,"version":1"#),
        (r#""ttl":"3h""#, r#""ttl":"3h","ttl":"9h""#),
    ] {
        assert!(text.contains(from), "{from}");
        let found = problems(&text.replacen(from, to, 1));
        let told = found
            .iter()
            .any(|it| it.contains("given twice") || it.contains("duplicate field"));
        assert!(told, "{to}: {found:?}");
    }
}

#[test]
fn text_that_is_no_json_object_gets_a_hint() {
    for text in ["", "[]", "\u{12}\u{3}abc", "null"] {
        let found = problems(text);
        assert!(
            found[0].contains("google.protobuf.StringValue"),
            "{found:?}"
        );
    }
    assert!(problems("{").len() == 1);
    assert!(problems(&format!("{}x", good()))[0].contains("trailing characters"));
}

#[test]
fn no_message_holds_a_secret() {
    let mut spoiled = good();
    spoiled["secrets"]["keys"][0]["encoding"] = json!("hex");
    spoiled["secrets"]["media"][0]["encoding"] = json!("base64");
    spoiled["key_service"]["token_env"] = json!("SPACED");
    for problem in problems(&spoiled.to_string()) {
        assert!(
            !problem.contains(SECRET) && !problem.contains("edge token"),
            "{problem}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_text_can_panic(text: Vec<u8>, cut in 0_usize..2000) {
        let _ = Policy::parse(&text, &|_| None);
        let text = good().to_string();
        let cut = cut.min(text.len());
        let _ = Policy::parse(&text.as_bytes()[..cut], &|_| None);
    }
}
