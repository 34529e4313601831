//! Kong: the file that `deck gateway dump` writes.

use serde_json::Value;

use super::dump::Object;
use super::{Converted, Credential, Line};

pub(super) fn convert(document: &Value, converted: &mut Converted) -> Result<(), &'static str> {
    let root = Object::root(document);
    let root = root.filter(|it| it.value("consumers").is_some());
    let root = root.ok_or("it has no consumers")?;
    for consumer in root.list("consumers") {
        let keys = consumer.list("keyauth_credentials");
        if keys.is_empty() {
            converted.lose(
                &consumer,
                "a consumer without keys is not carried over".to_owned(),
            );
            continue;
        }
        let account = consumer.account(&["username", "custom_id", "id"]);
        let name = consumer
            .text("username")
            .filter(|it| Some(it) != account.as_ref());
        let groups = consumer.list("acls").into_iter();
        let scopes: Vec<String> = groups.filter_map(|it| it.text("group")).collect();
        for key in keys {
            match (key.text("key"), &account) {
                (None, _) => converted.leave_out(&key, "it has no key"),
                (_, None) => {
                    converted.leave_out(&key, "its consumer has no name that can be an account")
                }
                // A dump has what is left of it, and does not say when it was taken.
                _ if key.get::<u64>("ttl").is_some() => {
                    converted.leave_out(&key, "it expires, and the dump does not say when");
                }
                (Some(text), Some(account)) => {
                    let mut line = Line::new(Credential::Key(text), account.clone());
                    line.name.clone_from(&name);
                    line.scopes.clone_from(&scopes);
                    converted.lines.push(line);
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
