//! Configurations: a wrong one is rejected by Envoy, and the field is named.

use keygate_tests::Stack;
use keygate_tests::envoy::{Envoy, EnvoyConfig};
use keygate_tests::service::{APP_KEYS, EDGE_TOKEN, MEDIA};
use serde_json::{Value, json};

/// Makes one field of the demo policy wrong.
type Spoil = fn(&mut Value);

fn config() -> EnvoyConfig {
    EnvoyConfig::new()
        .env("KEYGATE_MEDIA", MEDIA)
        .env("KEYGATE_APP_KEYS", APP_KEYS)
        .env("KEYGATE_EDGE_TOKEN", EDGE_TOKEN)
}

#[test]
fn the_file_that_a_user_copies_is_valid() {
    Envoy::validate(config()).unwrap();
}

#[test]
fn a_wrong_configuration_is_rejected_and_its_field_is_named() {
    let rows: [(Spoil, &str); 5] = [
        (
            |it| it["rules"][1]["match"]["path"] = json!("media/**"),
            "rules[1].match.path: must start with",
        ),
        (
            |it| it["rules"][2]["require"] = json!("app-keys"),
            "rules[2].require: there is no provider",
        ),
        (
            |it| it["providers"]["media-link"]["tll"] = json!("3h"),
            "providers.media-link.tll: unknown field",
        ),
        (
            |it| it["secrets"]["media"][0]["env"] = json!("NOT_HANDED_ON"),
            "secrets.media[0].env: the environment variable NOT_HANDED_ON",
        ),
        (
            |it| it["unmatched"] = json!("maybe"),
            "unmatched: unknown variant",
        ),
    ];
    for (spoil, expected) in rows {
        let said = Envoy::validate(config().edit_policy(spoil)).unwrap_err();
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    for text in ["", "[]", "{\"version\": 1"] {
        assert!(
            Envoy::validate(config().policy_text(text)).is_err(),
            "{text:?}"
        );
    }
}

#[test]
fn a_struct_in_place_of_a_string_gets_a_hint() {
    let said = Envoy::validate(config().plugin_field(
        "configuration",
        json!({ "@type": "type.googleapis.com/google.protobuf.Struct", "value": { "version": 1 } }),
    ));
    let said = said.unwrap_err();
    assert!(said.contains("google.protobuf.StringValue"), "{said}");
}

#[test]
fn a_missing_secret_is_named_and_no_value_is_shown() {
    let said = Envoy::validate(
        EnvoyConfig::new()
            .env("KEYGATE_MEDIA", MEDIA)
            .env("KEYGATE_EDGE_TOKEN", EDGE_TOKEN),
    )
    .unwrap_err();
    assert!(said.contains("KEYGATE_APP_KEYS is not set"), "{said}");
    let short = Envoy::validate(config().env("KEYGATE_APP_KEYS", "too-short")).unwrap_err();
    assert!(
        short.contains("fewer than 32 bytes") && !short.contains("too-short"),
        "{short}"
    );
}

#[test]
fn the_log_of_a_start_says_nothing_of_secrets() {
    let stack = Stack::start();
    let log = stack.envoy.log();
    for secret in [MEDIA, APP_KEYS, EDGE_TOKEN] {
        assert!(!log.contains(secret));
    }
}
