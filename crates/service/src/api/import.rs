//! Keys that were made elsewhere, each with all that is known of it. A key is read, hashed
//! and forgotten: no answer repeats one, nor what may be one that stands in a wrong place.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use keygate_core::app_key::OpaqueKey;
use keygate_core::base62;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::Service;
use super::read::JsonBody;
use crate::caller::Caller;
use crate::draft::{CreateBody, Draft};
use crate::key::Key;
use crate::problem::Problem;
use crate::store::{Import, Imported, NewKey};

const MAX_KEYS: usize = 100;

/// The fields of a key to import. The end is an instant, so that the same again is the same.
const FIELDS: [&str; 8] = [
    "key",
    "account",
    "name",
    "scopes",
    "metadata",
    "expires_at",
    "allowed_ips",
    "allowed_referrers",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    key: Zeroizing<String>,
    account: Option<String>,
    name: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    metadata: Option<Box<RawValue>>,
    expires_at: Option<String>,
    #[serde(default)]
    allowed_ips: Vec<String>,
    #[serde(default)]
    allowed_referrers: Vec<String>,
}

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
    let (items, dry_run) = read(&body)?;
    let now = service.now();
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for item in items {
        match service.read_item(item) {
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
    let drafts: Vec<Draft> = accepted.iter().map(|it| it.new.draft.clone()).collect();
    let found = service.store.import(accepted, dry_run, now).await?;
    let mut stored = found.into_iter().zip(drafts);
    let outcome = |refused: Option<Outcome>| {
        refused.or_else(|| stored.next().map(|(found, draft)| outcome(found, &draft)))
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

/// The keys, still unread, and whether this is a rehearsal.
fn read(body: &HashMap<String, Box<RawValue>>) -> Result<(Vec<&RawValue>, bool), Problem> {
    if body.keys().any(|it| !["keys", "dry_run"].contains(&&**it)) {
        let message = "has a field that is not known here; known are keys and dry_run";
        return Err(Problem::Body(message.to_owned()));
    }
    let dry_run = body.get("dry_run").map(|it| serde_json::from_str(it.get()));
    let dry_run = dry_run.transpose();
    let dry_run = dry_run.map_err(|_| Problem::field("dry_run", "must be true or false"))?;
    let keys = body.get("keys");
    let keys = keys.ok_or_else(|| Problem::field("keys", "is required"))?;
    let keys: Vec<&RawValue> = serde_json::from_str(keys.get())
        .map_err(|_| Problem::field("keys", "must be a list of objects"))?;
    if !(1..=MAX_KEYS).contains(&keys.len()) {
        return Err(Problem::field("keys", "must be 1 to 100"));
    }
    Ok((keys, dry_run.unwrap_or(false)))
}

impl Service {
    fn read_item(&self, text: &RawValue) -> Result<Import, Problem> {
        // serde would also take a list, field by field.
        if !text.get().starts_with('{') {
            return Err(Problem::field("", "must be a JSON object"));
        }
        let mut json = serde_json::Deserializer::from_str(text.get());
        let item: Item = serde_path_to_error::deserialize(&mut json).map_err(wrong_field)?;
        let key = OpaqueKey::parse(item.key.as_bytes())
            .map_err(|error| Problem::field("key", error.to_string()))?;
        if self.prefix.is_of(item.key.as_bytes()) {
            let detail = "begins with the prefix of the keys that this service makes: an edge \
                          would take it for one of them, and for forged";
            return Err(Problem::field("key", detail));
        }
        let candidates: Vec<_> = self.masters().map(|it| it.hash_opaque(&key)).collect();
        let hash = *candidates.first().ok_or(Problem::Internal)?;
        let body = CreateBody {
            account: item.account,
            name: item.name,
            scopes: item.scopes,
            metadata: item.metadata,
            expires_at: item.expires_at,
            expires_in: None,
            allowed_ips: item.allowed_ips,
            allowed_referrers: item.allowed_referrers,
        };
        let new = NewKey {
            id: self.new_id()?,
            hash,
            // Nothing in it is known to be public.
            start: String::new(),
            draft: body.check(self.now())?,
        };
        Ok(Import { candidates, new })
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
        ("duplicate field `", "stands twice"),
    ] {
        let named = message.strip_prefix(start);
        if let Some(field) = named.and_then(|it| it.split('`').next()) {
            return Problem::field(field, detail);
        }
    }
    let first = path.split(['.', '[']).next().unwrap_or_default();
    if !FIELDS.contains(&first) {
        let known = FIELDS.join(", ");
        return Problem::field(
            "",
            format!("has a field that is not known; known are {known}"),
        );
    }
    match message.split_once(", expected ") {
        Some((_, expected)) => {
            let expected = expected.split(" at line ").next().unwrap_or_default();
            Problem::field(path, format!("must be {expected}"))
        }
        None => Problem::field(path, "is not of the right form"),
    }
}

fn outcome(found: Imported, draft: &Draft) -> Outcome {
    match found {
        Imported::New(id) => Outcome::Imported { id },
        Imported::Absent => Outcome::WouldImport,
        Imported::Exists(key) => match differences(&key, draft) {
            None => Outcome::Unchanged { id: key.id },
            Some(detail) => Outcome::Conflict { id: key.id, detail },
        },
    }
}

/// In what a key differs from what is asked for; `None` when in nothing.
fn differences(key: &Key, draft: &Draft) -> Option<String> {
    if key.revoked.is_some() {
        return Some("this key was revoked, and stays so".to_owned());
    }
    let fields = [
        ("account", key.account == draft.account),
        ("name", key.name == draft.name),
        ("scopes", key.scopes == draft.scopes),
        ("metadata", key.metadata.get() == draft.metadata()),
        ("expires_at", key.expires_at == draft.expires_at),
        ("allowed_ips", key.allowed_ips == draft.allowed_ips),
        (
            "allowed_referrers",
            key.allowed_referrers == draft.allowed_referrers,
        ),
    ];
    let differ: Vec<_> = fields
        .iter()
        .filter_map(|(name, is_same)| (!is_same).then_some(*name))
        .collect();
    (!differ.is_empty()).then(|| {
        let differ = differ.join(", ");
        format!("this key exists already, with another {differ}")
    })
}
