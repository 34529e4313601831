//! Kong: the file that `deck gateway dump` writes.

use std::collections::HashSet;

use serde_json::Value;

use super::dump::Object;
use super::{Converted, Credential, Line};

pub(super) fn convert(document: &Value, converted: &mut Converted) -> Result<(), &'static str> {
    let root = Object::root(document);
    let root = root.filter(|it| it.value("consumers").is_some());
    let root = root.ok_or("it has no consumers")?;
    let consumers = root.list("consumers", converted);
    let names: HashSet<String> = consumers
        .iter()
        .filter_map(|it| it.text("username"))
        .collect();
    for consumer in consumers {
        let keys = consumer.list("keyauth_credentials", converted);
        if keys.is_empty() {
            converted.lose(
                &consumer,
                "a consumer without keys is not carried over".to_owned(),
            );
            continue;
        }
        // Another consumer may have this custom_id as its username.
        let other = consumer
            .account("custom_id")
            .filter(|it| !names.contains(it));
        let account = consumer.account("username").or(other);
        let name = consumer
            .text("username")
            .filter(|it| Some(it) != account.as_ref());
        let groups = consumer.list("acls", converted).into_iter();
        let scopes: Vec<String> = groups.filter_map(|it| it.text("group")).collect();
        for key in keys {
            match (key.text("key"), &account) {
                (None, _) => converted.leave_out(&key, "it has no key"),
                (_, None) => {
                    let why = "neither username nor custom_id of its consumer can be its account";
                    converted.leave_out(&key, why);
                }
                // A dump has what is left of it, and does not say when it was taken.
                _ if key.value("ttl").is_some() => {
                    converted.leave_out(&key, "it expires, and the dump does not say when");
                }
                (Some(text), Some(account)) => {
                    let mut line = Line::new(Credential::Key(text), account.clone());
                    line.name.clone_from(&name);
                    line.scopes.clone_from(&scopes);
                    converted.push(&key, line);
                }
            }
            converted.lose_others(&key, &["key", "ttl", "id", "created_at", "consumer"]);
        }
        let known = [
            "username",
            "custom_id",
            "id",
            "acls",
            "keyauth_credentials",
            "created_at",
        ];
        converted.lose_others(&consumer, &[&known[..], &["updated_at"]].concat());
    }
    Ok(())
}
