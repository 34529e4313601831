//! Envoy: each configuration of its filter `api_key_auth` in a file, also one of a route.

use serde_json::Value;

use super::dump::Object;
use super::{Converted, Credential, Line, NO_ACCOUNT};

/// The ends of the types of the filter's configuration and of that of a route.
const TYPES: [&str; 2] = [".ApiKeyAuth", ".ApiKeyAuthPerRoute"];

/// What the admin port shows in place of a key.
const REDACTED: &str = "[redacted]";

pub(super) fn convert(document: &Value, converted: &mut Converted) -> Result<(), &'static str> {
    match find(document, "", converted) {
        0 => Err("it has no ApiKeyAuth with credentials"),
        _ => Ok(()),
    }
}

/// Converts the configurations below a value, and counts them.
fn find(value: &Value, place: &str, converted: &mut Converted) -> usize {
    let members: Vec<(String, &Value)> = match value {
        Value::Array(items) => (0..).map(|at: usize| at.to_string()).zip(items).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, it)| (name.clone(), it))
            .collect(),
        _ => return 0,
    };
    let type_url = value["@type"].as_str().unwrap_or_default();
    let mut count = 0;
    let is_of_filter = TYPES.iter().any(|end| type_url.ends_with(end));
    let config = Object::at(value, place.to_owned()).filter(|_| is_of_filter);
    if let Some(config) = config.filter(|it| it.value("credentials").is_some()) {
        for credential in config.list("credentials", converted) {
            convert_one(&credential, converted);
        }
        // A policy of Keygate says where keys are, and what the upstream learns.
        let known = ["@type", "credentials", "key_sources", "forwarding"];
        converted.lose_others(&config, &known);
        count += 1;
    }
    for (name, member) in members {
        count += find(member, &format!("{place}/{name}"), converted);
    }
    count
}

fn convert_one(credential: &Object<'_>, converted: &mut Converted) {
    match (credential.text("key"), credential.account("client")) {
        (None, _) => converted.leave_out(credential, "it has no key"),
        (Some(key), _) if key == REDACTED => {
            converted.leave_out(
                credential,
                "the admin port does not show keys: take the file",
            );
        }
        (Some(_), None) => converted.leave_out(credential, NO_ACCOUNT),
        (Some(key), Some(account)) => {
            converted.push(credential, Line::new(Credential::Key(key), account));
        }
    }
    converted.lose_others(credential, &["key", "client"]);
}
