//! Unkey: rows of its table `keys` as JSON, or the answer to `apis.listKeys` with `decrypt`.

use keygate_core::keys::KeyDigest;
use serde_json::Value;

use super::dump::Object;
use super::{Converted, Credential, Line};

pub(super) fn convert(document: &Value, converted: &mut Converted) -> Result<(), &'static str> {
    let root = Object::root(document);
    let keys = match document {
        Value::Array(_) => Object::each(document, ""),
        _ => ["data", "keys"]
            .iter()
            .flat_map(|name| root.iter().flat_map(|it| it.list(name)))
            .collect(),
    };
    if keys.is_empty() {
        return Err("it has neither rows nor data");
    }
    for key in keys {
        convert_key(&key, converted);
        const KNOWN: &[&str] = &[
            "id",
            "keyId",
            "start",
            "hash",
            "plaintext",
            "name",
            "externalId",
            "external_id",
            "ownerId",
            "owner_id",
            "identity",
            "permissions",
            "meta",
            "expires",
            "enabled",
            "createdAt",
            "updatedAt",
            "created_at_m",
            "updated_at_m",
            "deleted_at_m",
            "apiId",
            "workspace_id",
            "workspaceId",
            "key_auth_id",
            "for_workspace_id",
        ];
        converted.lose_others(&key, KNOWN);
    }
    Ok(())
}

fn convert_key(key: &Object<'_>, converted: &mut Converted) {
    let hash = key
        .text("hash")
        .or_else(|| key.object("hash")?.text("value"));
    let credential = key.text("plaintext").map(Credential::Key);
    let credential = credential.or(hash.map(Credential::Sha256));
    let identity = key.object("identity");
    let account = key.account(&["externalId", "external_id", "ownerId", "owner_id"]);
    let account = account.or_else(|| identity?.account(&["externalId"]));
    let account = account.or_else(|| key.account(&["keyId", "id"]));
    let is_digest = |text: &str| KeyDigest::parse(text.as_bytes()).is_ok();
    let off = key.get("enabled") == Some(false) || key.get("enabled") == Some(0);
    match (credential, account) {
        (None, _) => converted.leave_out(key, "it has neither hash nor plaintext"),
        (Some(Credential::Sha256(hash)), _) if !is_digest(&hash) => {
            converted.leave_out(key, "its hash is not SHA-256");
        }
        (_, None) => converted.leave_out(key, "it has no external id and no id that fits"),
        _ if off => converted.leave_out(key, "it is disabled"),
        _ if key.value("deleted_at_m").is_some() => converted.leave_out(key, "it is deleted"),
        (Some(credential), Some(account)) => {
            let mut line = Line::new(credential, account);
            line.name = key.text("name");
            line.scopes = key.get("permissions").unwrap_or_default();
            line.metadata = metadata(key);
            line.expires_at = key.time("expires", 1).or_else(|| key.text("expires"));
            converted.lines.push(line);
        }
    }
}

/// The column is a text with JSON, the answer an object.
fn metadata(key: &Object<'_>) -> Option<serde_json::Map<String, Value>> {
    let text = key.text("meta");
    text.map_or_else(|| key.get("meta"), |it| serde_json::from_str(&it).ok())
}
