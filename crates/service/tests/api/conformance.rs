//! The OpenAPI document has every answer that a test gets: its status, code, headers, content type and
//! body. It also has every body that the service accepts.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use jsonschema::Validator;
use keygate_service::api;
use serde_json::{Value, json};

use crate::support::Answer;

/// The document as it is served.
pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(api::document()).unwrap());

/// The document, in which an object has no members but those that its schema names.
static STRICT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = DOCUMENT.clone();
    close(&mut document);
    document
});

/// Validators by their place in the document.
static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> =
    LazyLock::new(Mutex::default);

/// Headers that some answers have.
const SOME_HAVE: [&str; 3] = ["etag", "retry-after", "www-authenticate"];

/// Checks an answer to this request, which was sent with a body or without.
#[track_caller]
pub fn check(method: &str, path: &str, sent: &[u8], answer: &Answer) {
    let what = format!("{method} {path}: {} {}", answer.status, answer.text);
    let path = path.split('?').next().unwrap();
    let Some(template) = template(path) else {
        assert_eq!(answer.status, 404, "{what}");
        return;
    };
    let is_head = method == "HEAD";
    let method = if is_head { "GET" } else { method }.to_lowercase();
    let operation = &DOCUMENT["paths"][&template][&method];
    if operation.is_null() {
        assert_eq!(answer.status, 405, "{what}");
        return;
    }
    let response = &operation["responses"][answer.status.to_string()];
    assert!(
        !response.is_null(),
        "the status is not in the document: {what}"
    );
    let place = response["$ref"]
        .as_str()
        .unwrap()
        .strip_prefix('#')
        .unwrap();
    let response = DOCUMENT.pointer(place).unwrap();
    for name in response["headers"].as_object().unwrap().keys() {
        let is_required = DOCUMENT["components"]["headers"][name]["required"] == true;
        assert!(
            !is_required || answer.headers.contains_key(name),
            "no {name}: {what}"
        );
    }
    for name in SOME_HAVE {
        let is_documented = !response["headers"][name].is_null();
        assert!(
            is_documented || !answer.headers.contains_key(name),
            "{name}: {what}"
        );
    }
    let content_type = answer.header("content-type");
    assert!(
        !response["content"][content_type].is_null(),
        "{content_type}: {what}"
    );
    if is_head || !content_type.ends_with("json") {
        return;
    }
    let content_type = content_type.replace('/', "~1");
    let schema = format!("{place}/content/{content_type}/schema");
    assert_valid(schema, answer.text.as_bytes(), &what);
    let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    if let Some(codes) = response["x-codes"].as_array() {
        assert!(
            codes.contains(&body["code"]),
            "the code is not in the document: {what}"
        );
        return;
    }
    let takes_a_body = !operation["requestBody"].is_null() && !sent.is_empty();
    // An import answers for each item on its own.
    if takes_a_body && template != "/v1/keys/import" {
        let path = template.replace('/', "~1");
        let place = "requestBody/content/application~1json/schema";
        assert_valid(format!("/paths/{path}/{method}/{place}"), sent, &what);
    }
}

/// Whether this JSON is as the schema at this place says.
#[track_caller]
fn assert_valid(place: String, json: &[u8], what: &str) {
    let json: Value = match serde_json::from_slice(json) {
        Ok(json) => json,
        // Metadata may have 127 levels; with those around it they are too many for this parser.
        Err(error) if error.to_string().starts_with("recursion limit") => return,
        Err(error) => panic!("{error}: {what}"),
    };
    // This parser takes such an object for something of its own.
    if what.contains("$serde_json") {
        return;
    }
    let errors: Vec<String> = validator(place)
        .iter_errors(&json)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}: {what}");
}

/// The path of the document that a path of a request is of.
fn template(path: &str) -> Option<String> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    if paths.contains_key(path) {
        return Some(path.to_owned());
    }
    let fits = |template: &&String| {
        let (known, asked): (Vec<_>, Vec<_>) =
            (template.split('/').collect(), path.split('/').collect());
        let mut parts = known.iter().zip(&asked);
        known.len() == asked.len()
            && parts.all(|(known, asked)| known == asked || (*known == "{id}" && !asked.is_empty()))
    };
    paths.keys().find(fits).cloned()
}

/// The validator of the schema at this place.
fn validator(place: String) -> &'static Validator {
    let mut validators = VALIDATORS.lock().unwrap();
    validators.entry(place).or_insert_with_key(|place| {
        let schema = json!({
            "allOf": [STRICT.pointer(place).unwrap()],
            "components": STRICT["components"],
        });
        Box::leak(Box::new(jsonschema::draft202012::new(&schema).unwrap()))
    })
}

fn close(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("properties").is_some_and(Value::is_object) {
                members
                    .entry("additionalProperties")
                    .or_insert(json!(false));
            }
            // What must not be there is not closed: that would allow more.
            let others = members.iter_mut().filter(|(name, _)| *name != "not");
            others.for_each(|(_, value)| close(value));
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
