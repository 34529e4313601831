//! `keygate keys convert`: the keys of another system's dump, and what is not carried over.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Server, database, keygate};

/// A dump, the keys in it, and what is said of the rest.
struct Case {
    system: &'static str,
    file: &'static str,
    code: i32,
    lines: Vec<Value>,
    told: &'static str,
}

fn cases() -> [Case; 7] {
    let digest = "fdfd50d146914da2931c6053c7569b8211ff2883740786de35d9fd3ca9269d48";
    [
        Case {
            system: "kong",
            file: "kong.yaml",
            code: 1,
            lines: vec![
                json!({"key": "kongkongkongkong-alice-1", "account": "alice", "scopes": ["readers", "writers"]}),
                json!({"key": "kongkongkongkong-alice-2", "account": "alice", "scopes": ["readers", "writers"]}),
                json!({"key": "kongkongkongkong-batch-1", "account": "batch-7", "name": "Batch Jobs"}),
            ],
            told: "\
keygate: /consumers/2: a consumer without keys is not carried over
keygate: /consumers/0: plugins is not carried over
keygate: /consumers/0/keyauth_credentials/0: tags is not carried over
keygate: /consumers/1/keyauth_credentials/1: left out: it expires, and the dump does not say when
keygate: 1 of 4 keys are left out
",
        },
        Case {
            system: "apisix",
            file: "apisix.json",
            code: 1,
            lines: vec![
                json!({"key": "apisixapisixapisix-jack", "account": "jack"}),
                json!({"key": "apisixapisixapisix-joe", "account": "joe", "name": "cred-joe-1"}),
            ],
            told: "\
keygate: /0/list/2/value: a consumer without keys is not carried over
keygate: /0/list/0/value: desc is not carried over
keygate: /0/list/0/value/plugins: limit-count is not carried over
keygate: /0/list/1/value/plugins/key-auth: left out: its key is a reference to a secret elsewhere
keygate: 1 of 3 keys are left out
",
        },
        Case {
            system: "higress",
            file: "higress.yaml",
            code: 1,
            lines: vec![
                json!({"key": "higresshigress-consumer-1", "account": "consumer1"}),
                json!({"key": "higresshigress-consumer-2a", "account": "consumer2"}),
                json!({"key": "higresshigress-consumer-2b", "account": "consumer2"}),
            ],
            told: "\
keygate: /spec/defaultConfig: in_header is not carried over
keygate: /spec/defaultConfig: keys is not carried over
keygate: /spec/defaultConfig/consumers/2: left out: its consumer has no name that can be an account
keygate: 1 of 4 keys are left out
",
        },
        Case {
            system: "envoy",
            file: "envoy.yaml",
            code: 1,
            lines: vec![
                json!({"key": "envoyenvoyenvoy-alice", "account": "alice"}),
                json!({"key": "envoyenvoyenvoy-admin", "account": "admin"}),
            ],
            told: "\
keygate: /static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes/0/typed_per_filter_config/api_key_auth: allowed_clients is not carried over
keygate: /static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/credentials/2: left out: its consumer has no name that can be an account
keygate: /static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/credentials/1: left out: the admin port does not show keys: take the file
keygate: 2 of 4 keys are left out
",
        },
        Case {
            system: "aws",
            file: "aws.json",
            code: 1,
            lines: vec![
                json!({"key": "awsawsawsawsawsawsawsaws-partner-a", "account": "partner-a",
                       "name": "Partner A", "scopes": ["a1b2c3d4e5/prod"]}),
                json!({"key": "awsawsawsawsawsawsawsaws-nightly", "account": "9cmll9cm2l",
                       "name": "nightly"}),
            ],
            told: "\
keygate: /items/0: description is not carried over
keygate: /items/0: tags is not carried over
keygate: /items/2: left out: it is disabled
keygate: 1 of 3 keys are left out
",
        },
        Case {
            system: "tyk",
            file: "tyk.json",
            code: 1,
            lines: vec![
                json!({"key": "53ac07777cbb8c2d530000021f6f5a3e0c5b4f5e9a0b7c6d5e4f3a2b",
                       "account": "alice", "scopes": ["files"], "metadata": {"tier": "gold"},
                       "expires_at": "2027-01-01T00:00:00.000Z"}),
                json!({"sha256": digest, "account": "53ac07777cbb8c2d53000002", "name": "Bob's phone"}),
            ],
            told: "\
keygate: object 1 by name: per is not carried over
keygate: object 1 by name: quota_max is not carried over
keygate: object 1 by name: quota_renewal_rate is not carried over
keygate: object 1 by name: rate is not carried over
keygate: object 1 by name: tags is not carried over
keygate: object 3 by name: left out: it is hashed by MurmurHash, which cannot be carried over: issue a new key
keygate: object 2 by name: left out: it is not an API key
keygate: 2 of 4 keys are left out
",
        },
        Case {
            system: "unkey",
            file: "unkey.jsonl",
            code: 1,
            lines: vec![
                json!({"sha256": "K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=", "account": "alice",
                       "name": "alice's laptop", "scopes": ["files.read", "files.list"],
                       "metadata": {"tier": "gold"}, "expires_at": "2027-01-01T00:00:00.000Z"}),
            ],
            told: "\
keygate: /0: ratelimits is not carried over
keygate: /2: left out: it is disabled
keygate: /1: left out: its hash is not SHA-256
keygate: 2 of 3 keys are left out
",
        },
    ]
}

fn dump(file: &str) -> PathBuf {
    let dumps = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cli/dumps");
    dumps.join(file)
}

#[test]
fn the_keys_of_each_dump_are_converted_and_the_rest_is_named() {
    for case in cases() {
        let mut command = keygate(&["keys", "convert", "--from", case.system]);
        let done = command.arg(dump(case.file)).output().unwrap();
        let lines = String::from_utf8(done.stdout).unwrap();
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines, case.lines, "{}", case.system);
        let told = String::from_utf8(done.stderr).unwrap();
        assert_eq!(told, case.told, "{}", case.system);
        assert_eq!(done.status.code(), Some(case.code), "{}", case.system);
    }
}

#[test]
fn a_key_whose_state_or_owner_is_unclear_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("dump");
    let hash = "K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=";
    let unkey = |more: &str| format!(r#"[{{"id":"key_1","hash":"{hash}",{more}}}]"#);
    let tyk = |more: &str| format!(r#"{{"apikey-0123456789-abcdef":{{"org_id":"a",{more}}}}}"#);
    let aws =
        |more: &str| format!(r#"{{"items":[{{"id":"a","value":"0123456789abcdef",{more}}}]}}"#);
    let unclear = "it is unclear whether it is valid, or until when";
    for (system, dump, why) in [
        ("unkey", unkey(r#""enabled":"0""#), "it is disabled"),
        ("unkey", unkey(r#""enabled":"no""#), unclear),
        ("unkey", unkey(r#""expires":"soon""#), unclear),
        (
            "unkey",
            unkey(r#""deleted_at":"2023-05-01 00:00:00""#),
            "it is deleted",
        ),
        (
            "unkey",
            unkey(r#""remaining_requests":0"#),
            "it has no uses left",
        ),
        (
            "unkey",
            unkey(r#""credits":{"remaining":0}"#),
            "it has no uses left",
        ),
        (
            "unkey",
            unkey(r#""externalId":"Jane Doe""#),
            "its external id cannot be an account",
        ),
        (
            "unkey",
            r#"[{"id":"a"},"x"]"#.to_owned(),
            "it is not an object",
        ),
        ("tyk", tyk(r#""is_inactive":"true""#), "it is inactive"),
        ("tyk", tyk(r#""is_inactive":2"#), unclear),
        ("tyk", tyk(r#""expires":"soon""#), unclear),
        (
            "tyk",
            r#"{"apikey-0123456789":"{}","a":{"org_id":"a"}}"#.to_owned(),
            "it is not an object",
        ),
        ("aws", aws(r#""enabled":"false""#), "it is disabled"),
        (
            "aws",
            aws(r#""customerId":"Jane Doe""#),
            "its customerId cannot be an account",
        ),
        (
            "unkey",
            unkey(r#""remaining_requests":"0""#),
            "it has no uses left",
        ),
        (
            "apisix",
            r#"{"list":[{"value":{"username":"a","plugins":{"key-auth":{"key":"0123456789abcdef",
                "_meta":{"disable":true}}}}}]}"#
                .to_owned(),
            "its plugin is disabled",
        ),
        (
            "kong",
            r#"{"consumers":[{"username":"bob"},{"username":"Jane Doe","custom_id":"bob",
                "keyauth_credentials":[{"key":"0123456789abcdef"}]}]}"#
                .to_owned(),
            "neither username nor custom_id of its consumer can be its account",
        ),
        (
            "kong",
            r#"{"consumers":[{"username":"a","keyauth_credentials":[{"key":"k","ttl":"86400"}]}]}"#
                .to_owned(),
            "it expires, and the dump does not say when",
        ),
    ] {
        std::fs::write(&file, &dump).unwrap();
        let mut command = keygate(&["keys", "convert", "--from", system]);
        let done = command.arg(&file).output().unwrap();
        let told = String::from_utf8(done.stderr).unwrap();
        assert!(
            told.contains(&format!("left out: {why}\n")),
            "{dump}: {told}"
        );
        assert_eq!(done.status.code(), Some(1), "{dump}: {told}");
    }
    // One row by itself.
    let row = format!(r#"{{"id":"key_1","hash":"{hash}"}}"#);
    std::fs::write(&file, row).unwrap();
    let mut command = keygate(&["keys", "convert", "--from", "unkey"]);
    let done = command.arg(&file).assert().success();
    let line: Value = serde_json::from_slice(&done.get_output().stdout).unwrap();
    assert_eq!(line["account"], "key_1");
    // The end in the ways that exporters write it.
    for (system, dump) in [
        ("unkey", unkey(r#""expires":1798761600000.0"#)),
        ("unkey", unkey(r#""expires":"2027-01-01 00:00:00.000""#)),
        ("tyk", tyk(r#""expires":"1798761600""#)),
    ] {
        std::fs::write(&file, &dump).unwrap();
        let mut command = keygate(&["keys", "convert", "--from", system]);
        let done = command.arg(&file).output().unwrap();
        let line: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(line["expires_at"], "2027-01-01T00:00:00.000Z", "{dump}");
    }
}

#[test]
fn no_name_of_a_field_is_repeated_that_may_be_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("dump");
    std::fs::write(&file, r#"[{"id":"a","apikey-7001":{"org_id":"x"}}]"#).unwrap();
    let mut command = keygate(&["keys", "convert", "--from", "unkey"]);
    let done = command.arg(&file).output().unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(
        told.contains("an unknown field is not carried over"),
        "{told}"
    );
    assert!(!told.contains("7001"), "{told}");
}

#[test]
fn what_is_converted_can_be_imported() {
    let (directory, path) = database();
    let server = Server::start(&path);
    for case in cases() {
        let lines: Vec<String> = case.lines.iter().map(Value::to_string).collect();
        let file = directory.path().join("keys.jsonl");
        std::fs::write(&file, lines.join("\n")).unwrap();
        // All keys of Tyk's own making look like digests.
        let arguments = [
            "keys",
            "import",
            file.to_str().unwrap(),
            "--digests-are-keys",
        ];
        let told = server.output(&arguments);
        let wanted = format!("{} imported, 0 unchanged", lines.len());
        assert_eq!(told.trim_end(), wanted, "{}", case.system);
    }
}

#[test]
fn what_is_no_dump_of_the_system_is_rejected_and_no_part_of_it_is_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("dump");
    for (system, text, wanted) in [
        ("kong", "", "the dump is empty"),
        (
            "kong",
            "{\"7001\":",
            "the dump is neither JSON (see line 1, column 8) nor YAML",
        ),
        (
            "kong",
            "\u{7}: [7001",
            "the dump is neither JSON (see line 1, column 1) nor YAML",
        ),
        (
            "kong",
            "7001: 1",
            "this is not a dump of kong: it has no consumers",
        ),
        (
            "kong",
            "{\"consumers\":[]}",
            "this is not a dump of kong: it has no consumers",
        ),
        (
            "apisix",
            "{\"7001\":1}",
            "this is not a dump of apisix: it has no list of consumers",
        ),
        (
            "higress",
            "[7001]",
            "this is not a dump of higress: it is not an object",
        ),
        (
            "aws",
            "{\"items\":[{\"id\":\"7001\"}]}",
            "this is not a dump of aws: no key has a value: run get-api-keys with --include-values",
        ),
        (
            "tyk",
            "{\"7001\":{}}",
            "this is not a dump of tyk: a value is not the session of a key",
        ),
        (
            "unkey",
            "{\"7001\":1}",
            "this is not a dump of unkey: it has neither rows nor data",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let mut command = keygate(&["keys", "convert", "--from", system]);
        let done = command.arg(&file).output().unwrap();
        let told = String::from_utf8(done.stderr).unwrap();
        assert_eq!(told, format!("keygate: {wanted}\n"), "{text}");
        assert_eq!(done.status.code(), Some(2), "{text}");
        assert!(!told.contains("7001") && done.stdout.is_empty(), "{told}");
    }
}
