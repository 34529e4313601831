//! `keygate check`: every problem at once with its place, and warnings.

use crate::support::{MASTER, cloudflare_policy, demo_policy, keygate};

/// What is printed about a policy, and on standard error, line by line.
#[track_caller]
fn check(policy: &str, more: &[&str], code: i32) -> (Vec<String>, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), policy).unwrap();
    let path = file.path().to_str().unwrap();
    let done = keygate(&[&["check", path], more].concat())
        .env("MEDIA", MASTER)
        .env("SHORT", "hunter2")
        .assert()
        .code(code);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let output = done.get_output();
    let lines = text(&output.stdout);
    let lines = lines.lines().map(|line| {
        let rest = line.strip_prefix(path).and_then(|it| it.strip_prefix(':'));
        rest.unwrap_or_else(|| panic!("{line}")).to_owned()
    });
    (lines.collect(), text(&output.stderr))
}

#[test]
fn the_demo_policy_is_valid_with_one_note() {
    let (lines, notes) = check(&demo_policy(), &["--deny-warnings"], 0);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("note: rules[3].mode: mode simulate is still set"));
    assert_eq!(lines[1], " valid (4 rules)");
    assert!(notes.contains("KEYGATE_MEDIA is not set here"), "{notes}");
}

const WRONG: &str = r#"{
  "version": "1",
  "secrets": { "media": [ { "id": "a", "env": "NOPE", "value": "x" } ], "keys": {} },
  "providers": {
    "link": { "type": "signed_url", "format": "cloudflare", "secrets": "media", "ttl": 5, "tll": "3h", "base64": "hex" },
    "link2": { "type": "signed_urls" },
    "link": { "type": "signed_url", "format": "cloudflare", "secrets": "other", "ttl": "x" },
    "key": { "type": "app_key", "from": "bearer" }
  },
  "rules": [
    { "name": "media", "match": { "path": "media", "host": "x", "methods": "GET" }, "require": "link", "mode": "blok" },
    { "name": "media", "match": { "hosts": [] }, "require": { "any": ["link", 7, "lnk"] }, "deny": "pag" },
    { "nam": "x", "require": { "one": [] } },
    7
  ],
  "unmatched": "pass",
  "responses": { "page": { "pdf": "x" }, "caf\u00e9é": {}, "b": 1 },
  "extra": 1
}"#;

#[test]
fn all_problems_are_reported_once_with_line_column_and_field() {
    let (found, _) = check(WRONG, &[], 1);
    let expected = [
        "1:1: key_service: is required",
        "2:14: version: expected a whole number",
        "3:55: secrets.media[0].value: unknown field `value`",
        "3:81: secrets.keys: expected a list",
        "5:88: providers.link.ttl: expected a string",
        "5:91: providers.link.tll: unknown field `tll`",
        "5:114: providers.link.base64: expected `standard` or `url`",
        "6:24: providers.link2.type: must be \"signed_url\"",
        "7:5: providers: \"link\" is given more than once",
        "8:12: providers.key: missing field `secrets`",
        "8:41: providers.key.from: expected a list",
        "11:43: rules[0].match.path: must start with \"/\"",
        "11:52: rules[0].match.host: unknown field `host`",
        "11:76: rules[0].match.methods: expected a list",
        "11:112: rules[0].mode: expected one of `block`",
        "12:15: rules[1].name: another rule has this name",
        "12:33: rules[1].match: missing field `path`",
        "12:44: rules[1].match.hosts: must not be empty",
        "12:79: rules[1].require.any[1]: expected one of a string",
        "12:82: rules[1].require.any[2]: there is no provider \"lnk\"",
        "12:100: rules[1].deny: there is no response \"pag\"",
        "13:5: rules[2]: missing field `name`",
        "13:5: rules[2]: missing field `match`",
        "13:7: rules[2].nam: unknown field `nam`",
        "13:32: rules[2].require.one: unknown value `one`",
        "14:5: rules[3]: expected an object",
        "16:16: unmatched: expected `deny` or `allow`",
        "17:26: responses.page: must contain \"json\"",
        "17:28: responses.page.pdf: unknown field `pdf`",
        "17:56: responses.caf\u{e9}\u{e9}",
        "17:65: responses.b: ",
        "18:3: extra: unknown field `extra`",
    ];
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn invalid_json_is_reported_where_it_breaks() {
    let (found, _) = check("{\n  \"version\": 1,\n}", &[], 1);
    assert_eq!(found, ["3:1: is not valid JSON: trailing comma"]);
    let (found, _) = check("{}\nx", &[], 1);
    assert!(found.iter().all(|it| !it.starts_with("0")), "{found:?}");
}

#[test]
fn text_around_a_policy_is_recognised() {
    for (text, hint) in [
        (include_str!("../../../../envoy/envoy.yaml"), "\"value:\""),
        (
            r#"{"static_resources": {"@type": "type.googleapis.com/google.protobuf.StringValue"}}"#,
            "\"value:\"",
        ),
        ("spec:\n  pluginConfig: {}\n", "spec.pluginConfig"),
    ] {
        let (found, _) = check(text, &[], 1);
        assert!(found.len() == 1 && found[0].contains(hint), "{found:?}");
    }
}

#[test]
fn warnings_leave_the_exit_code_alone_unless_they_are_denied() {
    let policy = cloudflare_policy()
        .replace("\"KEYGATE_MEDIA\"", "\"SHORT\"")
        .replace("\"unmatched\": \"deny\"", "\"unmatched\": \"allow\"");
    let (lines, _) = check(&policy, &[], 0);
    for expected in [
        ": warning: unmatched: ",
        ": warning: secrets.media[0].env: the value of SHORT is shorter than 32 bytes",
    ] {
        assert!(lines.iter().any(|it| it.contains(expected)), "{lines:?}");
    }
    assert!(!lines.iter().any(|it| it.contains("hunter2")));
    check(&policy, &["--deny-warnings"], 1);
}

#[test]
fn a_file_that_cannot_be_read_is_two() {
    keygate(&["check", "/no/such/file"]).assert().code(2);
}
