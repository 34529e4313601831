//! Tyk: the sessions of its keys as a JSON object, by the name that each has in Redis.
//!
//! Tyk has no command that writes this. With `hash_keys` the names are hashes: only SHA-256 can be
//! carried over, since a MurmurHash tells too little of a key.

use serde_json::Value;

use super::dump::Object;
use super::{Converted, Credential, Line, UNREADABLE};

/// In front of the name of a key.
const PREFIX: &str = "apikey-";

/// Hexadecimal digits of a digest by SHA-256.
const SHA256: usize = 64;

/// Hexadecimal digits of `murmur32`, `murmur64` and `murmur128`.
const MURMUR: [usize; 3] = [8, 16, 32];

pub(super) fn convert(document: &Value, converted: &mut Converted) -> Result<(), &'static str> {
    let root = Object::root(document).ok_or("it is not an object of sessions")?;
    let mut found = false;
    for (name, session) in root.objects(converted) {
        if session.value("access_rights").is_none() && session.value("org_id").is_none() {
            return Err("a value is not the session of a key");
        }
        found = true;
        convert_session(
            name.strip_prefix(PREFIX).unwrap_or(name),
            &session,
            converted,
        );
    }
    match found {
        true => Ok(()),
        false => Err("it has no sessions"),
    }
}

fn convert_session(name: &str, session: &Object<'_>, converted: &mut Converted) {
    let is_hex = name.bytes().all(|it| it.is_ascii_hexdigit());
    let credential = match name.len() {
        SHA256 if is_hex => Credential::Sha256(name.to_owned()),
        _ => Credential::Key(name.to_owned()),
    };
    let password = session
        .object("basic_auth_data")
        .and_then(|it| it.text("password"));
    let secret = session.object("jwt_data").and_then(|it| it.text("secret"));
    let is_other = password.or(secret).is_some()
        || !matches!(session.flag("hmac_enabled"), Ok(None | Some(false)));
    let is_inactive = session.flag("is_inactive");
    let expires_at = session.end("expires", 1000);
    let account = session
        .account("alias")
        .or_else(|| session.account("org_id"));
    match account {
        _ if is_hex && MURMUR.contains(&name.len()) => {
            let why = "it is hashed by MurmurHash, which cannot be carried over: issue a new key";
            converted.leave_out(session, why);
        }
        _ if is_other => converted.leave_out(session, "it is not an API key"),
        _ if is_inactive.as_ref().is_ok_and(|it| *it == Some(true)) => {
            converted.leave_out(session, "it is inactive");
        }
        _ if is_inactive.is_err() || expires_at.is_err() => {
            converted.leave_out(session, UNREADABLE);
        }
        None => converted.leave_out(session, "neither alias nor org_id can be its account"),
        Some(account) => {
            let mut line = Line::new(credential, account);
            line.name = session.text("alias").filter(|it| *it != line.account);
            let apis = session.object("access_rights");
            line.scopes = apis
                .iter()
                .flat_map(Object::names)
                .map(str::to_owned)
                .collect();
            line.metadata = session.get("meta_data");
            line.expires_at = expires_at.unwrap_or_default();
            converted.push(session, line);
        }
    }
    const KNOWN: &[&str] = &[
        "alias",
        "org_id",
        "access_rights",
        "meta_data",
        "expires",
        "is_inactive",
        "hmac_enabled",
        "basic_auth_data",
        "jwt_data",
        "last_check",
        "allowance",
        "quota_renews",
        "quota_remaining",
        "date_created",
        "last_updated",
        "id_extractor_deadline",
        "session_lifetime",
        "key_id",
    ];
    converted.lose_others(session, KNOWN);
}
