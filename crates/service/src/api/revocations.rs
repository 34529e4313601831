//! Keys that are revoked otherwise than one by one: all that fit, or one by its holder.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use keygate_core::UnixMillis;
use keygate_core::keys::OpaqueKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Service;
use super::filter::{FilterBody, narrowed};
use super::life::{MAX_NOTE, RevokeBody};
use super::read::{JsonBody, SecretBody};
use crate::key::Reason;
use crate::problem::Problem;
use crate::rights::Caller;
use crate::roles::Action;
use crate::shapes;
use crate::store::{Filter, KeyState, Revoke};
use crate::wrong::{Errors, Wrong};

/// Most keys that one call revokes, apart from their descendants.
const MAX_REVOKED: usize = 1000;

/// Which keys are revoked, and how.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RevokeKeys")]
pub(super) struct ManyBody {
    /// Must have `account`, `space`, `created_by`, `name_prefix`, `label` or `secret_id`.
    filter: FilterBody,
    /// How many keys match. If others do, nothing is revoked.
    #[schemars(range(min = 1, max = MAX_REVOKED))]
    expect: u64,
    /// Why.
    #[schemars(with = "Option<Reason>")]
    reason: Option<String>,
    /// A note of the caller.
    #[schemars(with = "Option<shapes::Line<MAX_NOTE>>")]
    note: Option<String>,
    /// Whether the keys that they created stay.
    #[serde(default)]
    keep_descendants: bool,
}

/// The result of a revocation of many keys.
#[derive(Serialize, JsonSchema)]
pub(super) struct RevokedKeys {
    /// How many keys matched the filter.
    #[schemars(with = "u64")]
    matched: usize,
    /// How many this call revoked, descendants included.
    #[schemars(with = "u64")]
    revoked: usize,
}

/// `POST /v1/keys/revoke`: all keys that fit, if they are as many as the caller expects, and if none
/// of them is changed before it is revoked. Keys that are revoked already do not count.
pub(super) async fn many(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<ManyBody>,
) -> Result<Json<RevokedKeys>, Problem> {
    let now = service.now();
    let expected = usize::try_from(body.expect).ok();
    let expected = expected.filter(|it| (1..=MAX_REVOKED).contains(it));
    let expected = expected.ok_or_else(|| Wrong::invalid("expect", "must be 1 to 1000"));
    let filter = body.filter.check();
    let filter = filter.map_err(|wrong| wrong.inside("filter"));
    let revoke = RevokeBody {
        reason: body.reason,
        note: body.note,
        keep_descendants: body.keep_descendants,
    };
    let mut errors = Errors::default();
    let expected = errors.of(expected);
    let filter = errors.keep(filter);
    let revoke = errors.keep(revoke.check());
    if filter.as_ref().is_some_and(Filter::is_open) {
        let detail = "must name account, space, created_by, name_prefix, label or secret_id";
        errors.push(Wrong::invalid("filter", detail));
    }
    errors.none()?;
    let (Some(filter), Some(revoke)) = (filter, revoke) else {
        return Err(Problem::Internal);
    };
    // The number of keys is for callers that may still list them.
    let rights = service
        .rights(&caller, Action::FindAndRevokeKeys, now)
        .await?;
    let filter = narrowed(filter, &caller, &rights)?;
    let keys = service.fitting(filter, now).await?;
    let matched = keys.len();
    // The count stops there.
    if matched > MAX_REVOKED {
        return Err(Problem::TooManyMatch(MAX_REVOKED));
    }
    if matched != expected {
        return Err(Problem::Unexpected {
            found: matched,
            expected,
        });
    }
    let revoked = service.store.revoke_many(keys, revoke, caller, now);
    let revoked = revoked.await?;
    service.count_revoked(revoked);
    tracing::info!(matched, revoked, "keys revoked");
    Ok(Json(RevokedKeys { matched, revoked }))
}

impl Service {
    /// The keys that fit and are not revoked: one more than [`MAX_REVOKED`] at most.
    async fn fitting(&self, mut filter: Filter, now: UnixMillis) -> Result<Vec<KeyState>, Problem> {
        let mut keys = Vec::new();
        loop {
            let page = self.store.page(filter.clone(), now).await?;
            let alive = page.keys.into_iter().filter(|it| it.revoked.is_none());
            keys.extend(alive.map(|it| KeyState {
                id: it.id,
                version: it.version,
            }));
            keys.truncate(MAX_REVOKED.saturating_add(1));
            match page.next {
                Some(next) if keys.len() <= MAX_REVOKED => filter.before = Some(next),
                _ => return Ok(keys),
            }
        }
    }
}

/// A key that its holder revokes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RevokeSelf")]
pub(super) struct SelfBody {
    /// The key itself.
    #[schemars(with = "String")]
    key: Zeroizing<String>,
    /// A note of the caller.
    #[schemars(with = "Option<shapes::Line<MAX_NOTE>>")]
    note: Option<String>,
}

/// The request was handled.
#[derive(Serialize, JsonSchema)]
pub(super) struct Heard {
    /// Always `heard`.
    status: &'static str,
}

/// `POST /v1/keys/revoke-self`: the holder of a key may end it, by nothing but the key. The answer
/// is the same whether it was one. A key that is none costs no write.
pub(super) async fn own(
    State(service): State<Arc<Service>>,
    SecretBody(body): SecretBody<SelfBody>,
) -> Result<Json<Heard>, Problem> {
    let now = service.now();
    let revoke = RevokeBody {
        reason: Some(Reason::KeyCompromise.word().to_owned()),
        note: body.note,
        keep_descendants: false,
    };
    let revoke: Revoke = revoke.check()?;
    let candidates = match OpaqueKey::parse(body.key.as_bytes()) {
        Ok(key) => service.hashes_of(&key),
        Err(_) => Vec::new(),
    };
    let key = service.store.key_of(candidates.clone()).await?;
    if key.is_some_and(|it| it.revoked.is_none()) {
        let revoked = service.store.revoke_hash(candidates, revoke, now).await?;
        service.count_revoked(revoked);
        tracing::info!(revoked, "a key was revoked by its holder");
    }
    Ok(Json(Heard { status: "heard" }))
}
