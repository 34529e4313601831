//! Only a request with a valid authority and method meets a rule.

use super::*;

/// An admin host that needs a key, and everything else open.
fn admin_host() -> Value {
    let mut json = demo();
    json["rules"] = json!([
        { "name": "admin", "match": { "path": "/**", "hosts": ["admin.example", "[2001:db8::1]"] },
          "require": "key" },
        { "name": "open", "match": { "path": "/**" }, "require": "nothing" }
    ]);
    json
}

fn judge_at(json: &Value, authority: &str) -> Result<String, Reason> {
    let mut headers = get("/x", &[]);
    headers[2].1 = authority.into();
    judge(&policy(json, SECRET), &headers, 0)
}

#[test]
fn no_spelling_of_a_host_slips_past_its_rule() {
    for spelled in [
        "admin.example",
        "ADMIN.example",
        "admin.example.",
        "admin.example:80",
        "admin.example.:65535",
        "[2001:DB8::1]",
        "[2001:db8:0:0:0:0:0:1]:443",
    ] {
        let rejected = Err(Reason::MissingCredential);
        assert_eq!(judge_at(&admin_host(), spelled), rejected, "{spelled}");
    }
}

#[test]
fn a_malformed_authority_is_rejected_before_any_rule() {
    let long = format!("{}.example", "a".repeat(246));
    for wrong in [
        "admin.example:x",
        "admin.example:80:80",
        "admin.example:-1",
        "admin.example:80x",
        "admin.example:80.",
        "admin.example::",
        "admin.example:",
        "admin.example:65536",
        "admin.example:000080",
        "admin.example..",
        "admin.example,other.example",
        "admin.example;x",
        "admin%2eexample",
        "admin%2Eexample:80",
        "user@admin.example",
        "admin.example/x",
        "admin.example\\",
        "admin.example?x",
        "admin.example#x",
        "admin example",
        "admin.example\t",
        "admin.ex\u{e4}mple",
        "admin.example*",
        "admin!example",
        "[admin.example]",
        "[::1",
        "::1",
        "[::1]]",
        "[::1]x",
        "[::1]:",
        "[::1]80",
        "[::1].",
        "[fe80::1%25eth0]",
        "[v1.a]",
        "[]",
        ".",
        ":80",
        "",
        &long,
    ] {
        let rejected = Err(Reason::UnreadableRequest);
        assert_eq!(judge_at(&admin_host(), wrong), rejected, "{wrong}");
    }
}

#[test]
fn a_method_in_another_case_is_rejected_before_any_rule() {
    let mut json = demo();
    json["rules"] = json!([
        { "name": "write", "match": { "path": "/**", "methods": ["POST", "DELETE"] }, "require": "key" },
        { "name": "read", "match": { "path": "/**" }, "require": "nothing" }
    ]);
    let policy = policy(&json, SECRET);
    let long = "A".repeat(25);
    for (method, expected) in [
        ("GET", Ok("/x".to_owned())),
        ("M-SEARCH", Ok("/x".to_owned())),
        (&long[..24], Ok("/x".to_owned())),
        ("POST", Err(Reason::MissingCredential)),
        ("post", Err(Reason::UnreadableRequest)),
        ("dElEtE", Err(Reason::UnreadableRequest)),
        ("PO_ST", Err(Reason::UnreadableRequest)),
        ("P0ST", Err(Reason::UnreadableRequest)),
        ("POST,GET", Err(Reason::UnreadableRequest)),
        ("POST ", Err(Reason::UnreadableRequest)),
        ("", Err(Reason::UnreadableRequest)),
        (&long, Err(Reason::UnreadableRequest)),
    ] {
        let mut headers = get("/x", &[]);
        headers[0].1 = method.into();
        assert_eq!(judge(&policy, &headers, 0), expected, "{method}");
    }
}

/// The names of the override headers that reach the upstream from an open rule.
fn overrides_that_pass(json: &Value) -> Vec<String> {
    let names = [
        "x-http-method-override",
        "X-HTTP-Method",
        "x_method_override",
        "x-http_method_override",
    ];
    passing(json, &names)
}

/// Those of these headers that reach the upstream from an open rule.
fn passing(json: &Value, names: &[&str]) -> Vec<String> {
    let more: Vec<_> = names.iter().map(|name| (*name, "DELETE")).collect();
    let headers = get("/healthz", &more);
    let Verdict::Allow(grant) = decide_on(json, &headers, Knowledge::Unknown) else {
        panic!("the rule is open");
    };
    let is_removed = |name: &str| grant.edits.contains(&Edit::Remove(name.to_owned().into()));
    let passing = names.iter().filter(|name| !is_removed(name));
    passing.map(|name| (*name).to_owned()).collect()
}

#[test]
fn override_headers_are_removed_where_any_rule_reads_the_method() {
    let plain = |require: Value| {
        let mut json = demo();
        json["rules"] = json!([
            { "name": "health", "match": { "path": "/healthz" }, "require": "nothing" },
            { "name": "rest", "match": { "path": "/**" }, "require": require }
        ]);
        json
    };
    assert_eq!(overrides_that_pass(&plain(json!("key"))).len(), 4);
    let mut by_match = plain(json!("key"));
    by_match["rules"][1]["match"]["methods"] = json!(["GET"]);
    let mut by_scope = plain(json!("key"));
    by_scope["rules"][1]["scopes"] = json!([{ "methods": ["GET"], "need": "a" }]);
    let mut by_preflight = plain(json!("key"));
    by_preflight["rules"][1]["preflight"] = json!("allow");
    let mut by_link = plain(json!({ "any": ["key", "native"] }));
    by_link["providers"]["native"] = json!({ "type": "signed_url", "format": "keygate",
        "secrets": "media", "max_lifetime": "1h" });
    for (what, json) in [
        ("match", by_match),
        ("scopes", by_scope),
        ("preflight", by_preflight),
        ("link", by_link),
    ] {
        assert_eq!(overrides_that_pass(&json), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn a_header_that_names_another_path_reaches_no_upstream() {
    let json = demo();
    let names = [
        "x-original-url",
        "X-Rewrite-URL",
        "x_original_url",
        "x.rewrite-url",
    ];
    assert_eq!(passing(&json, &names), Vec::<String>::new());
    let others = ["x-original-urls", "x-original-host", "original-url"];
    assert_eq!(passing(&json, &others), others);
}
