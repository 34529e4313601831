//! Higress: the configuration of its plugin key-auth, by itself or in a `WasmPlugin`.

use serde_json::Value;

use super::dump::Object;
use super::{Converted, Credential, Line, NO_ACCOUNT};

pub(super) fn convert(document: &Value, converted: &mut Converted) -> Result<(), &'static str> {
    let root = Object::root(document).ok_or("it is not an object")?;
    let inner = root
        .object("spec")
        .and_then(|it| it.object("defaultConfig"));
    let config = inner.unwrap_or(root);
    if config.value("consumers").is_none() {
        return Err("it has no consumers");
    }
    for consumer in config.list("consumers", converted) {
        let one = consumer.text("credential");
        let many: Vec<String> = consumer.get("credentials").unwrap_or_default();
        let account = consumer.account("name");
        if one.is_none() && many.is_empty() {
            converted.leave_out(&consumer, "it has no credential");
        }
        for key in one.into_iter().chain(many) {
            match &account {
                None => converted.leave_out(&consumer, NO_ACCOUNT),
                Some(account) => {
                    let credential = Credential::Key(key);
                    converted.push(&consumer, Line::new(credential, account.clone()));
                }
            }
        }
        converted.lose_others(&consumer, &["name", "credential", "credentials"]);
    }
    // The filter's own settings: a policy of Keygate says the same.
    converted.lose_others(&config, &["consumers"]);
    Ok(())
}
