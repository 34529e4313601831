//! Keys that were made elsewhere, each with all that is known of it. A key or its digest is
//! read, hashed and forgotten: no answer repeats one, nor any other value of an item, which may
//! be a key in the wrong place.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use keygate_core::keys::{KeyDigest, KeyHash, OpaqueKey, looks_like_digest};
use keygate_core::text::base62;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Service;
use super::read::JsonBody;
use crate::attributes::{Attributes, ImportItem};
use crate::caller::Caller;
use crate::key::Key;
use crate::problem::Problem;
use crate::store::{Import, Imported, NewKey};

const MAX_KEYS: usize = 100;

#[derive(Serialize)]
struct Results {
    results: Vec<Outcome>,
}

/// What became of one key.
#[derive(Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
enum Outcome {
    /// It is a key of this service now.
    Imported { id: String },
    /// It would be, but for `dry_run`.
    WouldImport,
    /// It was already, with the same fields.
    Unchanged { id: String },
    /// It was already, with others; those stay.
    Conflict { id: String, detail: String },
    /// It cannot be.
    Refused { field: String, detail: String },
}

/// `POST /v1/keys/import`: 1 to 100 keys, all that are in order in one transaction.
pub(super) async fn import(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<HashMap<String, Box<RawValue>>>,
) -> Result<impl IntoResponse, Problem> {
    let Caller::Admin = caller else {
        return Err(Problem::WrongRole);
    };
    let request = read(&body)?;
    let items: Vec<_> = request.keys.iter().map(|it| item(it)).collect();
    if !request.digests_are_keys {
        refuse_digests(&items)?;
    }
    let dry_run = request.dry_run;
    let now = service.now();
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for item in items {
        match item.and_then(|it| service.check_item(it)) {
            Ok(import) => {
                refused.push(None);
                accepted.push(import);
            }
            Err(Problem::Field { field, detail }) => {
                refused.push(Some(Outcome::Refused { field, detail }));
            }
            Err(problem) => return Err(problem),
        }
    }
    let wanted: Vec<_> = accepted
        .iter()
        .map(|it| it.new.attributes.clone())
        .collect();
    let found = service.store.import(accepted, dry_run, now).await?;
    let mut stored = found.into_iter().zip(wanted);
    let outcome = |refused: Option<Outcome>| {
        refused.or_else(|| stored.next().map(|(found, wanted)| outcome(found, &wanted)))
    };
    let results: Option<Vec<Outcome>> = refused.into_iter().map(outcome).collect();
    let results = results.ok_or(Problem::Internal)?;
    let imported = results.iter();
    let imported = imported.filter(|it| matches!(it, Outcome::Imported { .. }));
    let imported = imported.count();
    service
        .metrics
        .keys_imported
        .inc_by(u64::try_from(imported).unwrap_or(u64::MAX));
    tracing::info!(imported, dry_run, "keys imported");
    Ok(Json(Results { results }))
}

/// The body of a request.
struct Request<'a> {
    /// The items, still unread.
    keys: Vec<&'a RawValue>,
    /// Check everything and store nothing.
    dry_run: bool,
    /// The caller knows that the keys look like digests: they are keys.
    digests_are_keys: bool,
}

fn read(body: &HashMap<String, Box<RawValue>>) -> Result<Request<'_>, Problem> {
    const KNOWN: [&str; 3] = ["keys", "dry_run", "digests_are_keys"];
    if body.keys().any(|it| !KNOWN.contains(&&**it)) {
        let message = "has an unknown field; known are keys, dry_run and digests_are_keys";
        return Err(Problem::Body(message.to_owned()));
    }
    let flag = |name| -> Result<bool, Problem> {
        let flag = body
            .get(name)
            .map(|it| serde_json::from_str::<bool>(it.get()));
        let flag = flag.transpose();
        let flag = flag.map_err(|_| Problem::field(name, "must be true or false"))?;
        Ok(flag.unwrap_or(false))
    };
    let keys = body.get("keys");
    let keys = keys.ok_or_else(|| Problem::field("keys", "is required"))?;
    let keys: Vec<&RawValue> = serde_json::from_str(keys.get())
        .map_err(|_| Problem::field("keys", "must be a list of objects"))?;
    if !(1..=MAX_KEYS).contains(&keys.len()) {
        return Err(Problem::field("keys", "must be 1 to 100"));
    }
    Ok(Request {
        keys,
        dry_run: flag("dry_run")?,
        digests_are_keys: flag("digests_are_keys")?,
    })
}

fn item(text: &RawValue) -> Result<ImportItem, Problem> {
    // serde would also take a list, field by field.
    if !text.get().starts_with('{') {
        return Err(Problem::field("", "must be a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_str(text.get());
    serde_path_to_error::deserialize(&mut json).map_err(wrong_field)
}

/// Refuses a request in which every key looks like a digest. Imported as keys, the digests of
/// another system would become working keys, and its database a list of credentials.
fn refuse_digests(items: &[Result<ImportItem, Problem>]) -> Result<(), Problem> {
    let keys = items.iter().flatten().filter_map(|it| it.key.as_ref());
    let mut keys = keys.map(|it| looks_like_digest(it.as_bytes())).peekable();
    if keys.peek().is_none() || !keys.all(|it| it) {
        return Ok(());
    }
    let detail = "every key looks like a digest, and each would become a working key: give \
                  SHA-256 digests as sha256, or set digests_are_keys to true if these are the keys";
    Err(Problem::field("keys", detail))
}

impl Service {
    fn check_item(&self, item: ImportItem) -> Result<Import, Problem> {
        let candidates = match (&item.key, &item.sha256) {
            (Some(key), None) => self.hashes_of_key(key.as_bytes())?,
            (None, Some(digest)) => self.hashes_of_digest(digest.as_bytes())?,
            (Some(_), Some(_)) => {
                return Err(Problem::field("sha256", "cannot be combined with key"));
            }
            (None, None) => return Err(Problem::field("key", "key or sha256 is required")),
        };
        let hash = *candidates.first().ok_or(Problem::Internal)?;
        let new = NewKey {
            id: self.new_id()?,
            hash,
            // Nothing in it is known to be public.
            start: String::new(),
            attributes: item.check(self.now())?,
        };
        Ok(Import { candidates, new })
    }

    /// The hashes under which a key may be stored already, the one for a new key first.
    fn hashes_of_key(&self, text: &[u8]) -> Result<Vec<KeyHash>, Problem> {
        let key = OpaqueKey::parse(text);
        let key = key.map_err(|error| Problem::field("key", error.to_string()))?;
        if self.prefix.is_of(text) {
            let detail = "begins with the prefix of native keys, so an edge would refuse it as \
                          forged";
            return Err(Problem::field("key", detail));
        }
        let digest = KeyDigest::of(&key);
        let by_digest = self.masters().map(|it| it.hash_digest(&digest));
        // Earlier versions stored the hash of the text.
        let by_text = self.masters().map(|it| it.hash_text(&key));
        Ok(by_digest.chain(by_text).collect())
    }

    /// The hashes under which a key with this digest may be stored already, the one for a new
    /// key first.
    fn hashes_of_digest(&self, text: &[u8]) -> Result<Vec<KeyHash>, Problem> {
        let digest = KeyDigest::parse(text);
        let digest = digest.map_err(|error| Problem::field("sha256", error.to_string()))?;
        Ok(self.masters().map(|it| it.hash_digest(&digest)).collect())
    }

    fn new_id(&self) -> Result<String, Problem> {
        let id = self.draw(|fill| base62::random::<10>(fill))?;
        Ok(id.iter().copied().map(char::from).collect())
    }
}

/// Where it is wrong, if that is a name of ours, and what should stand there: what does stand
/// there may be a key.
fn wrong_field(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let message = error.into_inner().to_string();
    for (start, detail) in [
        ("missing field `", "is required"),
        ("duplicate field `", "is given more than once"),
    ] {
        let named = message.strip_prefix(start);
        if let Some(field) = named.and_then(|it| it.split('`').next()) {
            return Problem::field(field, detail);
        }
    }
    let first = path.split(['.', '[']).next().unwrap_or_default();
    if !ImportItem::FIELDS.contains(&first) {
        let known = ImportItem::FIELDS.join(", ");
        return Problem::field("", format!("has an unknown field; known are {known}"));
    }
    match message.split_once(", expected ") {
        Some((_, expected)) => {
            let expected = expected.split(" at line ").next().unwrap_or_default();
            Problem::field(path, format!("must be {expected}"))
        }
        None => Problem::field(path, "has the wrong type"),
    }
}

fn outcome(found: Imported, wanted: &Attributes) -> Outcome {
    match found {
        Imported::New(id) => Outcome::Imported { id },
        Imported::Absent => Outcome::WouldImport,
        Imported::Exists(key) => match differences(&key, wanted) {
            None => Outcome::Unchanged { id: key.id },
            Some(detail) => Outcome::Conflict { id: key.id, detail },
        },
    }
}

/// In what a key differs from what is asked for; `None` when in nothing.
fn differences(key: &Key, wanted: &Attributes) -> Option<String> {
    if key.revoked.is_some() {
        return Some("this key was revoked, and stays so".to_owned());
    }
    let differ = key.attributes.differences(wanted);
    (!differ.is_empty()).then(|| {
        let differ = differ.join(", ");
        format!("this key exists already, with another {differ}")
    })
}
