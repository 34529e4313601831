//! The life of a key after its creation: it is changed, replaced, and revoked.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use keygate_core::Millis;
use keygate_core::keys::wire::Incarnation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Service;
use super::keys::{TRIES, shown, start, with_key};
use super::read::{Id, JsonBody, JsonDraft, if_match};
use crate::attributes::line;
use crate::expiry::{end, instant};
use crate::key::{KeyObject, Reason};
use crate::patch::PatchBody;
use crate::problem::Problem;
use crate::rights::Caller;
use crate::sealed::ToSeal;
use crate::shapes;
use crate::store::{Revoke, Successor, SuccessorSealed};
use crate::wrong::{Errors, Fault, Wrong};

pub(super) const MAX_NOTE: usize = 256;

/// How long a key that was replaced goes on, if nothing else is asked for.
const GRACE: Millis = Millis::from_secs(24 * 3600);

/// Longest such time.
const MAX_GRACE: Millis = Millis::from_secs(90 * 24 * 3600);

/// `PATCH /v1/keys/{id}`: what the body names is as it says; all else stays as it is.
pub(super) async fn patch(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    headers: HeaderMap,
    JsonDraft(draft): JsonDraft<PatchBody>,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let (patch, if_match) = (PatchBody::check(draft, now)?, if_match(&headers)?);
    let approved = service.approved_change(&id, if_match, patch, &caller, now);
    let (if_match, patch) = approved.await?;
    let key = service
        .store
        .patch(id, if_match, patch, caller, now)
        .await?;
    service.metrics.keys_changed.inc();
    tracing::info!(
        id = key.id,
        account = key.attributes.account,
        version = key.version,
        status = key.standing(now).word(),
        "key changed"
    );
    Ok(shown(key, now))
}

/// How a key is replaced.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RotateKey", transform = shapes::one_end_and_one_seal)]
pub(super) struct RotateBody {
    /// What is sealed with the new key.
    sealed: Option<ToSeal>,
    /// Whether the new key has nothing sealed, though the old one has.
    #[serde(default)]
    drop_sealed: bool,
    /// How long the old key is still accepted: 24 h by default, up to 90 days.
    #[schemars(with = "Option<shapes::Span>")]
    grace: Option<String>,
    /// When the new key expires.
    #[schemars(with = "Option<shapes::Instant>")]
    expires_at: Option<String>,
    /// When it expires, as a duration from now, in place of `expires_at`.
    #[schemars(with = "Option<shapes::Span>")]
    expires_in: Option<String>,
}

/// `POST /v1/keys/{id}/rotate`: a new key with the attributes of this one, which goes on for a
/// while.
pub(super) async fn rotate(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RotateBody>,
) -> Result<Response, Problem> {
    let now = service.now();
    let mut errors = Errors::default();
    let grace = errors.keep(grace(body.grace.as_deref()));
    if body.drop_sealed && body.sealed.is_some() {
        let detail = "cannot be combined with sealed";
        errors.push(Wrong::new("drop_sealed", Fault::Conflict, detail));
    }
    let plain = errors.of(body.sealed.map(ToSeal::check).transpose());
    let mut expires_at = errors.of(instant("expires_at", body.expires_at)).map(Some);
    end(&mut errors, &mut expires_at, body.expires_in, now);
    errors.none()?;
    let grace = grace.unwrap_or(GRACE);
    let if_match = if_match(&headers)?;
    let approved = service.approved_successor(&id, if_match, expires_at, &caller, now);
    let (if_match, expires_at) = approved.await?;
    for _ in 0..TRIES {
        let fresh = service.generate()?;
        let new = Successor {
            id: fresh.id.clone(),
            hash: fresh.hash,
            start: start(&fresh),
            secret_id: service.kid,
            expires_at,
            sealed: match service.seal(&fresh, plain.as_ref())? {
                Some(sealed) => SuccessorSealed::With(sealed),
                None if body.drop_sealed => SuccessorSealed::Nothing,
                None => SuccessorSealed::AsBefore,
            },
        };
        let (id, if_match, caller) = (id.clone(), if_match.clone(), caller.clone());
        let rotated = service.store.rotate(id, if_match, new, grace, caller, now);
        if let Some(rotated) = rotated.await? {
            service.metrics.keys_rotated.inc();
            tracing::info!(
                id = rotated.new.id,
                account = rotated.new.attributes.account,
                replaces = rotated.old.id,
                "key rotated"
            );
            return Ok(with_key(&fresh, rotated.new, now));
        }
    }
    Err(Problem::Internal)
}

fn grace(text: Option<&str>) -> Result<Millis, Wrong> {
    let grace = match text {
        None => Ok(GRACE),
        Some("0" | "0s") => Ok(Millis(0)),
        Some(text) => Millis::parse(text),
    };
    let grace = grace.map_err(|error| Wrong::invalid("grace", error.to_string()))?;
    if grace > MAX_GRACE {
        return Err(Wrong::invalid("grace", "must be at most 90d"));
    }
    Ok(grace)
}

/// How a key is revoked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RevokeKey")]
pub(super) struct RevokeBody {
    /// Why.
    #[schemars(with = "Option<Reason>")]
    pub(super) reason: Option<String>,
    /// A note of the caller.
    #[schemars(with = "Option<shapes::Line<MAX_NOTE>>")]
    pub(super) note: Option<String>,
    /// Whether the keys that it created stay.
    #[serde(default)]
    pub(super) keep_descendants: bool,
}

impl RevokeBody {
    pub(super) fn check(self) -> Result<Revoke, Errors> {
        let reason = |text: String| {
            Reason::parse(&text).ok_or_else(|| {
                let words = Reason::WORDS.join(", ");
                let detail = format!("must be one of {words}; for a text of your own use note");
                Wrong::invalid("reason", detail)
            })
        };
        let note = |text| line("note", text, MAX_NOTE);
        let mut errors = Errors::default();
        let revoke = Revoke {
            reason: errors.of(self.reason.map(reason).transpose()),
            note: errors.of(self.note.map(note).transpose()),
            keeps_descendants: self.keep_descendants,
        };
        errors.none().map(|()| revoke)
    }
}

/// A key that is revoked.
#[derive(Serialize, JsonSchema)]
pub(super) struct RevokedKey {
    #[serde(flatten)]
    object: KeyObject,
    /// How many others this call revoked: keys that this key or its descendants had created, and
    /// keys that it replaces.
    #[schemars(with = "u64")]
    descendants_revoked: usize,
    /// An edge that has applied the feed up to here rejects all of them.
    epoch: u64,
    /// The incarnation of the database to which that epoch belongs.
    incarnation: Incarnation,
}

/// `POST /v1/keys/{id}/revoke`: final; again is as good as once. Descendants are revoked with it.
pub(super) async fn revoke(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    JsonBody(body): JsonBody<RevokeBody>,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let revoked = service.store.revoke(id, body.check()?, caller, now).await?;
    let count = revoked
        .descendants
        .saturating_add(usize::from(revoked.newly));
    if count > 0 {
        service.count_revoked(count);
        tracing::info!(
            id = revoked.key.id,
            account = revoked.key.attributes.account,
            reason = revoked
                .key
                .revoked
                .as_ref()
                .and_then(|it| it.reason)
                .map(Reason::word),
            descendants = revoked.descendants,
            "key revoked"
        );
    }
    let feed = service.store.end_of_feed().await?;
    Ok(Json(RevokedKey {
        object: KeyObject::new(revoked.key, now),
        descendants_revoked: revoked.descendants,
        epoch: feed.epoch,
        incarnation: feed.incarnation,
    }))
}

impl Service {
    pub(super) fn count_revoked(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.metrics.keys_revoked.inc_by(count);
    }
}
