//! Keys that were made elsewhere, each with all that is known of it. A key or its digest is
//! read, hashed and forgotten: no answer repeats one, nor any other value of an item, which may
//! be a key in the wrong place.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use keygate_core::keys::{KeyDigest, KeyHash, MasterSecret, OpaqueKey, looks_like_digest};
use keygate_core::text::base62;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Service;
use super::keys::take_space;
use super::read::{JsonText, Query};
use crate::attributes::{Attributes, ImportItem};
use crate::json::{AnyJson, Draft, Names, NoObject, object};
use crate::key::{Key, NewKey};
use crate::limits::KeyLimits;
use crate::problem::Problem;
use crate::rights::{Caller, Rights};
use crate::roles::Action;
use crate::space::Spaces;
use crate::store::{Candidate, Import, Imported};
use crate::wrong::{Errors, Fault, Pointer, Shown, Wrong};

const MAX_KEYS: usize = 100;

/// The result for each key of an import.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ImportResults")]
pub(super) struct Results {
    /// In the order of the request.
    results: Vec<Outcome>,
}

/// The result for one key of an import.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
#[schemars(rename = "ImportResult")]
pub(super) enum Outcome {
    /// The key was imported.
    Imported { id: String },
    /// The key would be imported without `dry_run`.
    WouldImport,
    /// The key had been imported with the same fields.
    Unchanged { id: String },
    /// The key had been imported with other fields, which are unchanged.
    Conflict { id: String, detail: String },
    /// The key cannot be imported. The pointers are those of the item.
    Refused {
        #[schemars(with = "Vec<Shown<'_>>")]
        errors: Value,
    },
}

/// `POST /v1/keys/import`: 1 to 100 keys, all that are in order in one transaction.
pub(super) async fn import(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    JsonText(body): JsonText,
) -> Result<impl IntoResponse, Problem> {
    // Passed over, `?dry_run=true` would store every key.
    Query::parse(query.as_deref(), &[]).end(Ok(()))?;
    let request = read(&body)?;
    let items: Vec<_> = request.keys.iter().map(item).collect();
    if !request.digests_are_keys {
        refuse_digests(&items)?;
    }
    let dry_run = request.dry_run;
    let now = service.now();
    let rights = service.rights(&caller, Action::ImportKeys, now).await?;
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for item in items {
        match service.check_item(item, &rights) {
            Ok(import) => {
                refused.push(None);
                accepted.push(import);
            }
            Err(Problem::Invalid(errors)) => refused.push(Some(Outcome::refused(&errors)?)),
            Err(problem) => return Err(problem),
        }
    }
    let wanted: Vec<_> = accepted
        .iter()
        .map(|it| it.new.attributes.clone())
        .collect();
    let found = match dry_run {
        true => service.store.find(accepted).await?,
        false => service.store.import(accepted, caller.clone(), now).await?,
    };
    let mut stored = found.into_iter().zip(wanted);
    let outcome = |refused: Option<Outcome>| match refused {
        Some(refused) => Ok(refused),
        None => {
            let (found, wanted) = stored.next().ok_or(Problem::Internal)?;
            Outcome::of(
                found,
                &wanted,
                service.key_limits.of(&wanted.space),
                rights.spaces(),
            )
        }
    };
    let results: Vec<Outcome> = refused.into_iter().map(outcome).collect::<Result<_, _>>()?;
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

/// Keys to import.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ImportKeys")]
pub(super) struct Request {
    /// Each is imported or refused on its own.
    #[schemars(with = "Vec<ImportItem>", length(min = 1, max = MAX_KEYS))]
    keys: Vec<AnyJson>,
    /// Check everything and store nothing.
    #[serde(default)]
    dry_run: bool,
    /// The caller knows that the keys look like digests: they are keys.
    #[serde(default)]
    digests_are_keys: bool,
}

fn read(text: &str) -> Result<Request, Problem> {
    let draft: Draft<Request> = object(text, Names::Hidden)?;
    let request = draft.complete()?;
    match (1..=MAX_KEYS).contains(&request.keys.len()) {
        true => Ok(request),
        false => Err(Problem::field("keys", "must be 1 to 100")),
    }
}

/// What is wrong with an item repeats no name and no value that is not ours: either may be a key.
fn item(AnyJson(json): &AnyJson) -> Draft<ImportItem> {
    object(json.get(), Names::Hidden).unwrap_or_else(|found| {
        let detail = match found {
            NoObject::Other => "must be a JSON object",
            NoObject::Syntax { .. } => "is not JSON",
        };
        Draft {
            body: None,
            errors: Wrong::new(Pointer::default(), Fault::WrongType, detail).into(),
        }
    })
}

/// Rejects a request in which every key looks like a digest. Imported as keys, the digests of
/// another system would become working keys, and its database a list of credentials.
fn refuse_digests(items: &[Draft<ImportItem>]) -> Result<(), Problem> {
    let items = items.iter().filter_map(|it| it.body.as_ref());
    let keys = items.filter_map(|it| it.key.as_ref());
    let mut keys = keys.map(|it| looks_like_digest(it.as_bytes())).peekable();
    if keys.peek().is_none() || !keys.all(|it| it) {
        return Ok(());
    }
    let detail = "every key looks like a digest, and each would become a working key: give \
                  SHA-256 digests as sha256, or set digests_are_keys to true if these are the keys";
    Err(Problem::field("keys", detail))
}

impl Service {
    fn check_item(&self, draft: Draft<ImportItem>, rights: &Rights<'_>) -> Result<Import, Problem> {
        let (body, mut errors) = (draft.body, draft.errors);
        let Some(mut item) = body else {
            return Err(errors.into());
        };
        if take_space(item.space(), rights).is_err() {
            let detail = "must be that of the token";
            errors.push(Wrong::new("space", Fault::Beyond, detail));
        }
        let candidates = match (errors.name("key") || errors.name("sha256"), &item) {
            (true, _) => None,
            (false, item) => errors.keep(self.candidates(item)),
        };
        let attributes = item.check(&mut errors, self.now());
        if !errors.name("scopes") && !errors.name("expires_at") {
            errors.keep(
                self.key_limits
                    .of(&attributes.space)
                    .check(&attributes, self.now()),
            );
        }
        errors.none()?;
        let candidates: Vec<Candidate> = candidates.unwrap_or_default();
        let first = *candidates.first().ok_or(Problem::Internal)?;
        let new = NewKey {
            id: self.new_id()?,
            hash: first.hash,
            // Nothing in it is known to be public.
            start: String::new(),
            secret_id: first.secret_id,
            created_by: None,
            replaces: None,
            sealed: None,
            attributes,
        };
        Ok(Import { candidates, new })
    }

    /// The hashes under which the key of an item may be stored already, the one for a new key
    /// first.
    fn candidates(&self, item: &ImportItem) -> Result<Vec<Candidate>, Wrong> {
        match (&item.key, &item.sha256) {
            (Some(key), None) => self.hashes_of_key(key.as_bytes()),
            (None, Some(digest)) => self.hashes_of_digest(digest.as_bytes()),
            (Some(_), Some(_)) => {
                let detail = "cannot be combined with key";
                Err(Wrong::new("sha256", Fault::Conflict, detail))
            }
            (None, None) => {
                let detail = "key or sha256 is required";
                Err(Wrong::new("key", Fault::Required, detail))
            }
        }
    }

    fn hashes_of_key(&self, text: &[u8]) -> Result<Vec<Candidate>, Wrong> {
        let key = OpaqueKey::parse(text);
        let key = key.map_err(|error| Wrong::invalid("key", error.to_string()))?;
        if self.prefix.is_of(text) {
            let detail =
                "starts with the prefix of native keys, so an edge would reject it as forged";
            return Err(Wrong::invalid("key", detail));
        }
        Ok(self.candidates_of(&key))
    }

    /// The hashes of any key under each secret, those by which imported keys are stored first. The
    /// hash of a native key is among them.
    pub(super) fn hashes_of(&self, key: &OpaqueKey<'_>) -> Vec<KeyHash> {
        let candidates = self.candidates_of(key).into_iter();
        candidates.map(|it| it.hash).collect()
    }

    fn candidates_of(&self, key: &OpaqueKey<'_>) -> Vec<Candidate> {
        let digest = KeyDigest::of(key);
        let mut candidates = self.hashed(|master| master.hash_digest(&digest));
        // Earlier versions stored the hash of the text.
        candidates.extend(self.hashed(|master| master.hash_text(key)));
        candidates
    }

    fn hashed(&self, hash: impl Fn(&MasterSecret) -> KeyHash) -> Vec<Candidate> {
        let candidate = |(secret_id, master)| Candidate {
            hash: hash(master),
            secret_id,
        };
        self.masters().map(candidate).collect()
    }

    fn hashes_of_digest(&self, text: &[u8]) -> Result<Vec<Candidate>, Wrong> {
        let digest = KeyDigest::parse(text);
        let digest = digest.map_err(|error| Wrong::invalid("sha256", error.to_string()))?;
        Ok(self.hashed(|master| master.hash_digest(&digest)))
    }

    pub(super) fn new_id(&self) -> Result<String, Problem> {
        let id = self.draw(|fill| base62::random::<10>(fill))?;
        Ok(id.iter().copied().map(char::from).collect())
    }
}

impl Outcome {
    fn refused(errors: &Errors) -> Result<Self, Problem> {
        let errors = serde_json::to_value(errors.shown());
        let errors = errors.map_err(|_| Problem::Internal)?;
        Ok(Self::Refused { errors })
    }

    fn of(
        found: Imported,
        wanted: &Attributes,
        limits: &KeyLimits,
        spaces: &Spaces,
    ) -> Result<Self, Problem> {
        Ok(match found {
            Imported::New(id) => Self::Imported { id },
            Imported::Absent => Self::WouldImport,
            Imported::Full => return Self::refused(&limits.full()),
            // Only its holder knows the key, and learns no more than that it is one.
            Imported::Exists(key) if !spaces.has(&key.attributes.space) => {
                let detail = "is a key of another space";
                return Self::refused(&Wrong::new("key", Fault::Beyond, detail).into());
            }
            Imported::Exists(key) => match differences(&key, wanted) {
                None => Self::Unchanged { id: key.id },
                Some(detail) => Self::Conflict { id: key.id, detail },
            },
        })
    }
}

/// In what a key differs from what is asked for; `None` when in nothing.
fn differences(key: &Key, wanted: &Attributes) -> Option<String> {
    if key.revoked.is_some() {
        return Some("this key was revoked, which is final".to_owned());
    }
    let differ = key.attributes.differences(wanted);
    (!differ.is_empty()).then(|| {
        let differ = differ.join(", ");
        format!("this key already exists with another {differ}")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wrong_field_is_named_and_its_value_is_not_repeated() {
        for (text, pointer, detail) in [
            (r#"{"key":7001}"#, "/key", "must be a string"),
            (r#"{"scopes":"7001"}"#, "/scopes", "must be a list"),
            (
                r#"{"allowed_ips":[7001]}"#,
                "/allowed_ips/0",
                "must be a string",
            ),
            (
                r#"{"key":"7001","key":"7001"}"#,
                "/key",
                "is given more than once",
            ),
            (
                r#"{"7001":1}"#,
                "",
                "has an unknown field; expected one of: ",
            ),
            (r#"["7001"]"#, "", "must be a JSON object"),
        ] {
            let errors = super::item(&AnyJson(serde_json::from_str(text).unwrap())).errors;
            let shown = json!(errors.shown());
            assert_eq!(shown[0]["pointer"], pointer, "{text}");
            let told = shown[0]["detail"].as_str().unwrap();
            assert!(told.starts_with(detail), "{told}");
            assert!(!shown.to_string().contains("7001"), "{shown}");
        }
    }
}
