//! Amazon API Gateway: `aws apigateway get-api-keys --include-values`, or the answer of the API.

use serde_json::Value;

use super::dump::{Object, Unreadable};
use super::{Converted, Credential, Line, UNREADABLE};

pub(super) fn convert(document: &Value, converted: &mut Converted) -> Result<(), &'static str> {
    let root = Object::root(document).ok_or("it is not an object")?;
    let mut keys = root.list("items", converted);
    keys.extend(root.list("item", converted));
    if keys.is_empty() {
        return Err("it has no items");
    }
    if keys.iter().all(|it| it.value("value").is_none()) {
        return Err("no key has a value: run get-api-keys with --include-values");
    }
    for key in keys {
        // Names need not be unique, so the id is the account of a key without a customer.
        let has_customer = key.value("customerId").is_some();
        let account = key.account(if has_customer { "customerId" } else { "id" });
        match (key.text("value"), account, key.flag("enabled")) {
            (None, ..) => converted.leave_out(&key, "it has no value"),
            (_, None, _) => converted.leave_out(&key, "its customerId cannot be an account"),
            (.., Ok(Some(false))) => converted.leave_out(&key, "it is disabled"),
            (.., Err(Unreadable)) => converted.leave_out(&key, UNREADABLE),
            (Some(text), Some(account), Ok(_)) => {
                let mut line = Line::new(Credential::Key(text), account);
                line.name = key.text("name");
                line.scopes = key.get("stageKeys").unwrap_or_default();
                converted.push(&key, line);
            }
        }
        let known = ["id", "value", "name", "customerId", "enabled", "stageKeys"];
        let times = ["createdDate", "lastUpdatedDate"];
        converted.lose_others(&key, &[&known[..], &times[..]].concat());
    }
    Ok(())
}
