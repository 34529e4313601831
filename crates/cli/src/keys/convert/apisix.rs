//! Apache APISIX: the answer of its Admin API to `GET /apisix/admin/consumers`, and to
//! `GET /apisix/admin/consumers/NAME/credentials`.

use serde_json::Value;

use super::dump::Object;
use super::{Converted, Credential, Line, NO_ACCOUNT};

const PLUGIN: &str = "key-auth";

pub(super) fn convert(document: &Value, converted: &mut Converted) -> Result<(), &'static str> {
    let answers = match document {
        Value::Array(_) => Object::each(document, "", converted),
        _ => Object::root(document).into_iter().collect(),
    };
    let lists = answers.iter().map(|it| it.list("list", converted));
    let entries: Vec<_> = lists.collect::<Vec<_>>().into_iter().flatten().collect();
    if entries.is_empty() {
        return Err("it has no list of consumers");
    }
    for entry in entries {
        let Some(value) = entry.object("value") else {
            converted.leave_out(&entry, "it has no value");
            continue;
        };
        let Some(plugins) = value.object("plugins") else {
            converted.lose(
                &value,
                "a consumer without keys is not carried over".to_owned(),
            );
            continue;
        };
        converted.lose_others(&plugins, &[PLUGIN]);
        let Some(plugin) = plugins.object(PLUGIN) else {
            continue;
        };
        // A credential names its consumer in its own path alone.
        let path = entry.text("key").unwrap_or_default();
        let owner = path.split_once("/credentials/").map(|(of, _)| of);
        let owner = owner
            .and_then(|it| it.rsplit('/').next())
            .map(str::to_owned);
        let name = owner
            .as_ref()
            .and_then(|_| value.text("name").or(value.text("id")));
        let account = owner.or_else(|| value.account("username"));
        let meta = plugin.object("_meta");
        let is_disabled =
            meta.is_some_and(|it| !matches!(it.flag("disable"), Ok(None | Some(false))));
        match (plugin.text("key"), account) {
            _ if is_disabled => converted.leave_out(&plugin, "its plugin is disabled"),
            (None, _) => converted.leave_out(&plugin, "it has no key"),
            (_, None) => converted.leave_out(&plugin, NO_ACCOUNT),
            (Some(text), _) if text.starts_with('$') => {
                converted.leave_out(&plugin, "its key is a reference to a secret elsewhere");
            }
            (Some(text), Some(account)) => {
                let mut line = Line::new(Credential::Key(text), account);
                line.name = name;
                converted.push(&plugin, line);
            }
        }
        converted.lose_others(&plugin, &["key", "_meta"]);
        let known = [
            "username",
            "id",
            "name",
            "plugins",
            "create_time",
            "update_time",
        ];
        converted.lose_others(&value, &known);
    }
    Ok(())
}
