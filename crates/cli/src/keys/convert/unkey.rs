//! Unkey: rows of its table `keys` as JSON, or the answer to `apis.listKeys` with `decrypt`.

use keygate_core::keys::KeyDigest;
use serde_json::{Map, Value};

use super::dump::{Object, Unreadable};
use super::{Converted, Credential, Line, UNREADABLE};

/// What tells a key of Unkey from any other object.
const IDS: [&str; 4] = ["id", "keyId", "hash", "plaintext"];

/// The column, by its names over time.
const DELETED: [&str; 3] = ["deleted_at_m", "deleted_at", "deletedAt"];

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
    "created_at",
    "updated_at",
    "created_at_m",
    "updated_at_m",
    "apiId",
    "workspace_id",
    "workspaceId",
    "key_auth_id",
    "for_workspace_id",
];

pub(super) fn convert(document: &Value, converted: &mut Converted) -> Result<(), &'static str> {
    let is_key = |it: &Object<'_>| IDS.iter().any(|id| it.value(id).is_some());
    let keys = match (document, Object::root(document)) {
        // One row, as a line of JSON.
        (_, Some(root)) if is_key(&root) => vec![root],
        (_, Some(root)) => {
            let mut keys = root.list("data", converted);
            keys.extend(root.list("keys", converted));
            keys
        }
        _ => Object::each(document, "", converted),
    };
    if !keys.iter().any(is_key) {
        return Err("it has neither rows nor data");
    }
    for key in keys {
        convert_key(&key, converted);
        converted.lose_others(&key, &[KNOWN, &DELETED[..]].concat());
    }
    Ok(())
}

fn convert_key(key: &Object<'_>, converted: &mut Converted) {
    let hash = key
        .text("hash")
        .or_else(|| key.object("hash")?.text("value"));
    let credential = key.text("plaintext").map(Credential::Key);
    let credential = credential.or(hash.map(Credential::Sha256));
    let is_digest = |text: &str| KeyDigest::parse(text.as_bytes()).is_ok();
    let is_deleted = DELETED.iter().any(|name| key.value(name).is_some());
    match (
        credential,
        account(key),
        key.flag("enabled"),
        key.end("expires", 1),
    ) {
        (None, ..) => converted.leave_out(key, "it has neither hash nor plaintext"),
        (Some(Credential::Sha256(hash)), ..) if !is_digest(&hash) => {
            converted.leave_out(key, "its hash is not SHA-256");
        }
        (_, None, ..) => converted.leave_out(key, "its external id cannot be an account"),
        _ if is_deleted => converted.leave_out(key, "it is deleted"),
        _ if is_used_up(key) => converted.leave_out(key, "it has no uses left"),
        (.., Ok(Some(false)), _) => converted.leave_out(key, "it is disabled"),
        (.., Err(Unreadable), _) | (.., Err(Unreadable)) => converted.leave_out(key, UNREADABLE),
        (Some(credential), Some(account), Ok(_), Ok(expires_at)) => {
            let mut line = Line::new(credential, account);
            line.name = key.text("name");
            line.scopes = key.get("permissions").unwrap_or_default();
            line.metadata = metadata(key);
            line.expires_at = expires_at;
            if line.metadata.is_none() && key.value("meta").is_some() {
                converted.lose(key, "meta is not carried over".to_owned());
            }
            converted.push(key, line);
        }
    }
}

/// The external id of the owner; the id of a key without one.
fn account(key: &Object<'_>) -> Option<String> {
    const OWNER: [&str; 4] = ["externalId", "external_id", "ownerId", "owner_id"];
    let identity = key.object("identity");
    let of_identity = identity.filter(|it| it.value("externalId").is_some());
    match (
        OWNER.iter().find(|name| key.value(name).is_some()),
        of_identity,
    ) {
        (Some(name), _) => key.account(name),
        (None, Some(identity)) => identity.account("externalId"),
        (None, None) => key.account("keyId").or_else(|| key.account("id")),
    }
}

/// Whether it could be used a number of times, and was, or may have been.
fn is_used_up(key: &Object<'_>) -> bool {
    let credits = key.object("credits");
    let left = |it: &Object<'_>, name| {
        let left = it.number(name);
        left.map_or(true, |left| left.is_some_and(|left| left <= 0.0))
    };
    left(key, "remaining")
        || left(key, "remaining_requests")
        || credits.is_some_and(|it| left(&it, "remaining"))
}

/// The column is a text with JSON, the answer an object.
fn metadata(key: &Object<'_>) -> Option<Map<String, Value>> {
    let text = key.text("meta");
    text.map_or_else(|| key.get("meta"), |it| serde_json::from_str(&it).ok())
}
