//! The OpenAPI document: current, valid, and true of what the service takes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use keygate_service::{Attributes, api, openapi};
use serde_json::Value;

use crate::conformance::DOCUMENT;
use crate::support::{ADMIN, EDGE, Running};

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let service = Running::start();
    let served = service.send("GET", openapi::PATH, None, "");
    assert_eq!(served.status, 200);
    assert_eq!(served.text, api::document());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("KEYGATE_RENEW").is_some() {
        fs::write(&file, &served.text).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == served.text,
        "docs/openapi.json is out of date. Regenerate it:\n\n    \
         KEYGATE_RENEW=1 cargo test -p keygate-service --test api openapi::"
    );
}

/// Asks with a name that is not known, and gets those that are.
#[test]
fn the_document_has_every_field_and_every_parameter_and_no_other() {
    let service = Running::start();
    let (mut bodies, mut queries) = (0, 0);
    for (method, path, _) in api::routes() {
        let operation = &DOCUMENT["paths"][path][method.as_str().to_lowercase()];
        let url = path.replace("{id}", "0123456789");
        let is_for_edges = operation["security"][0]["token"][0] == "edge";
        let token = if is_for_edges { EDGE } else { ADMIN };
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        // The list of a leak report has the form of the scanner, and may have unknown members.
        if body["$ref"].is_string() {
            let unknown = format!(r#"{{"{}":1}}"#, "x".repeat(65));
            let answer = service.send(method.as_str(), &url, Some(token), &unknown);
            let mut expected = names(body);
            if path == "/v1/keys/{id}" {
                // A body may name them, to be told that they cannot be changed.
                expected.extend(Attributes::FIXED.iter().map(|name| (*name).to_owned()));
            }
            assert_eq!(
                known(&answer.expect(400), "pointer"),
                expected,
                "{method} {path}"
            );
            bodies += 1;
        }
        let parameters = operation["parameters"].as_array().unwrap().iter();
        let parameters = parameters.filter(|it| it["in"] == "query");
        let names: BTreeSet<String> = parameters
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect();
        if !names.is_empty() {
            let url = format!("{url}?unknown=1");
            let answer = service.send(method.as_str(), &url, Some(token), "");
            assert_eq!(
                known(&answer.expect(400), "parameter"),
                names,
                "{method} {path}"
            );
            queries += 1;
        }
    }
    assert!(bodies >= 11 && queries >= 4, "{bodies} {queries}");
}

/// The properties of a schema.
fn names(schema: &Value) -> BTreeSet<String> {
    let at = schema["$ref"].as_str().unwrap();
    let schema = DOCUMENT.pointer(at.strip_prefix('#').unwrap()).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    properties.keys().cloned().collect()
}

/// The names that the error about an unknown one lists.
fn known(problem: &Value, place: &str) -> BTreeSet<String> {
    let mut errors = problem["errors"].as_array().unwrap().iter();
    let error = errors.find(|it| it["code"] == "unknown" && it[place].is_string());
    let detail = error.unwrap()["detail"].as_str().unwrap();
    let (_, names) = detail.split_once("expected ").unwrap();
    let names = names.strip_prefix("one of: ").unwrap_or(names);
    names.split(", ").map(str::to_owned).collect()
}

#[test]
fn an_integer_may_be_written_with_a_fraction_of_zero() {
    let service = Running::start();
    let revoke = |expect: &str| {
        let body = format!(r#"{{"filter":{{"account":"absent"}},"expect":{expect}}}"#);
        service.post("/v1/keys/revoke", &body).problem().1
    };
    for integer in ["1", "1.0", "1e2", "1000.000"] {
        assert_eq!(revoke(integer), "unexpected_count", "{integer}");
    }
    for other in [
        "1.5",
        "-1.0",
        "-0.0",
        "1e400",
        "9007199254740993.0",
        "18446744073709551616",
    ] {
        assert_eq!(revoke(other), "invalid_field", "{other}");
    }
}

#[test]
fn an_integer_is_read_to_its_last_digit_in_every_form() {
    let service = Running::start();
    let status = |number: &str| {
        let body = format!(r#"{{"id":"k","expires_at":{number},"peek":true}}"#);
        let answer = service.send("POST", "/v1/links/uses", Some(EDGE), &body);
        answer.status
    };
    for integer in [
        "9007199254740992.0",
        "9007199254740993.000",
        "18446744073709549001.0",
        "1.8446744073709549001e19",
        "184467440737095490010E-1",
        "0e999",
        "-0.0",
    ] {
        assert_eq!(status(integer), 200, "{integer}");
    }
    for other in [
        "18446744073709551616.0",
        "1e20",
        "1e999999999999999999999",
        "9007199254740993.5",
        "1e-1",
        "-1.0",
        r#""1.0""#,
    ] {
        assert_eq!(status(other), 400, "{other}");
    }
}
