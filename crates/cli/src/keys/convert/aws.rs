//! Amazon API Gateway: `aws apigateway get-api-keys --include-values`, or the answer of the API.

use serde_json::Value;

use super::dump::Object;
use super::{Converted, Credential, Line};

pub(super) fn convert(document: &Value, converted: &mut Converted) -> Result<(), &'static str> {
    let root = Object::root(document).ok_or("it is not an object")?;
    let keys = root.list("items").into_iter().chain(root.list("item"));
    let keys: Vec<_> = keys.collect();
    if keys.is_empty() {
        return Err("it has no items");
    }
    if keys.iter().all(|it| it.value("value").is_none()) {
        return Err("no key has a value: run get-api-keys with --include-values");
    }
    for key in keys {
        let account = key.account(&["customerId", "name", "id"]);
        match (key.text("value"), account) {
            (None, _) => converted.leave_out(&key, "it has no value"),
            (_, None) => converted.leave_out(&key, "it has no customerId, name or id that fits"),
            _ if key.get("enabled") == Some(false) => converted.leave_out(&key, "it is disabled"),
            (Some(text), Some(account)) => {
                let mut line = Line::new(Credential::Key(text), account);
                line.name = key.text("name").filter(|it| *it != line.account);
                line.scopes = key.get("stageKeys").unwrap_or_default();
                converted.lines.push(line);
            }
        }
        let known = ["id", "value", "name", "customerId", "enabled", "stageKeys"];
        let times = ["createdDate", "lastUpdatedDate"];
        converted.lose_others(&key, &[&known[..], &times[..]].concat());
    }
    Ok(())
}
