//! What an admin calls, and an account for its own keys: create, list, show and revoke.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keygate_core::UnixMillis;
use keygate_core::keys::{MasterSecret, NewAppKey};
use serde::{Deserialize, Serialize};

use super::Service;
use super::read::{JsonBody, KeyId, Query};
use crate::attributes::{CreateBody, line};
use crate::caller::{Admitted, Caller, READ_KEYS, WRITE_KEYS};
use crate::key::{Key, KeyObject, NewKey, Standing};
use crate::problem::Problem;
use crate::store::Filter;

/// Two fresh keys are never the same: a second try is for a database of keys from elsewhere.
const TRIES: usize = 4;

const DEFAULT_LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 100;
const MAX_REASON: usize = 256;

#[derive(Serialize)]
struct Created<'a> {
    key: &'a str,
    #[serde(flatten)]
    object: KeyObject,
}

/// `POST /v1/keys`: the only answer that ever contains a key.
pub(super) async fn create(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    JsonBody(mut body): JsonBody<CreateBody>,
) -> Result<Response, Problem> {
    let now = service.now();
    let admitted = service.admit(&caller, WRITE_KEYS, now).await?;
    let account = body.account();
    *account = admitted.account(account.take())?;
    let attributes = admitted.limit(body.check(now)?)?;
    for _ in 0..TRIES {
        let fresh = service.generate()?;
        let new = NewKey {
            id: fresh.id.clone(),
            hash: fresh.hash,
            start: start(&fresh),
            created_by: admitted.key_id(),
            attributes: attributes.clone(),
        };
        if let Some(key) = service.store.insert(new, now).await? {
            service.metrics.keys_created.inc();
            tracing::info!(
                id = key.id,
                account = key.attributes.account,
                created_by = key.created_by,
                "key created"
            );
            let object = KeyObject::new(key, now);
            let key = &fresh.text;
            return Ok((StatusCode::CREATED, Json(Created { key, object })).into_response());
        }
    }
    Err(Problem::Internal)
}

#[derive(Serialize)]
struct Listed {
    keys: Vec<KeyObject>,
    next_cursor: Option<String>,
}

/// `GET /v1/keys`: newest first.
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let admitted = service.admit(&caller, READ_KEYS, now).await?;
    let mut filter = filter(query.as_deref())?;
    filter.account = admitted.account(filter.account.take())?;
    let page = service.store.page(filter, now).await?;
    Ok(Json(Listed {
        keys: objects(page.keys, now),
        next_cursor: page.next.map(cursor),
    }))
}

/// `GET /v1/keys/{id}`.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    KeyId(id): KeyId,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let admitted = service.admit(&caller, READ_KEYS, now).await?;
    let key = admitted.own(service.store.key(id).await?)?;
    Ok(Json(KeyObject::new(key, now)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeBody {
    reason: Option<String>,
    #[serde(default)]
    keep_descendants: bool,
}

#[derive(Serialize)]
struct RevokedKey {
    #[serde(flatten)]
    object: KeyObject,
    /// How many keys this call revoked that this key or its descendants had created.
    descendants_revoked: usize,
}

/// `POST /v1/keys/{id}/revoke`: final; again is as good as once. Descendants are revoked with it.
pub(super) async fn revoke(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    KeyId(id): KeyId,
    JsonBody(body): JsonBody<RevokeBody>,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let admitted = service.admit(&caller, WRITE_KEYS, now).await?;
    let reason = body
        .reason
        .map(|text| line("reason", text, MAX_REASON))
        .transpose()?;
    // A key never changes its account, so that this holds for as long as it exists.
    admitted.own(service.store.key(id.clone()).await?)?;
    let caller = admitted.key_id();
    let revoked = service
        .store
        .revoke(id, reason, body.keep_descendants, caller, now);
    let revoked = revoked.await?.ok_or(Problem::NoSuchKey)?;
    let count = revoked
        .descendants
        .saturating_add(usize::from(revoked.newly));
    if count > 0 {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        service.metrics.keys_revoked.inc_by(count);
        tracing::info!(
            id = revoked.key.id,
            account = revoked.key.attributes.account,
            descendants = revoked.descendants,
            "key revoked"
        );
    }
    Ok(Json(RevokedKey {
        object: KeyObject::new(revoked.key, now),
        descendants_revoked: revoked.descendants,
    }))
}

impl Service {
    pub(super) fn now(&self) -> UnixMillis {
        (self.ambient.clock)()
    }

    async fn admit<'a>(
        &self,
        caller: &'a Caller,
        needed: &'static str,
        now: UnixMillis,
    ) -> Result<Admitted<'a>, Problem> {
        let assertions = self.assertions.as_ref();
        caller.admit(needed, assertions, &self.store, now).await
    }

    /// Makes a key.
    fn generate(&self) -> Result<NewAppKey, Problem> {
        self.draw(|fill| self.master.generate(&self.prefix, self.kid, fill))
    }

    /// The secrets under which a key may be stored; new ones are under the first.
    pub(super) fn masters(&self) -> impl Iterator<Item = &MasterSecret> {
        std::iter::once(&self.master).chain(&self.retired)
    }

    /// Makes something of random bytes. If the randomness gives out on the way, what was
    /// made is thrown away.
    pub(super) fn draw<T>(
        &self,
        make: impl FnOnce(&mut dyn FnMut(&mut [u8])) -> T,
    ) -> Result<T, Problem> {
        let mut drawn = Ok(());
        let mut fill = |bytes: &mut [u8]| {
            if let Err(error) = (self.ambient.randomness)(bytes) {
                drawn = Err(error);
                // Zeros end the drawing: `generate` asks again for as long as bytes are biased.
                bytes.fill(0);
            }
        };
        let made = make(&mut fill);
        drawn?;
        Ok(made)
    }
}

fn objects(keys: Vec<Key>, now: UnixMillis) -> Vec<KeyObject> {
    keys.into_iter()
        .map(|key| KeyObject::new(key, now))
        .collect()
}

/// `kg_01<id>`: the text before the separator of the secret.
fn start(fresh: &NewAppKey) -> String {
    fresh
        .text
        .rsplit_once('_')
        .map_or_else(String::new, |(start, _)| start.to_owned())
}

fn filter(query: Option<&str>) -> Result<Filter, Problem> {
    let query = Query::parse(query, &["account", "status", "cursor", "limit"])?;
    let standing = |text: &str| {
        Standing::parse(text)
            .ok_or_else(|| Problem::field("status", "must be active, revoked or expired"))
    };
    let before = |text: &str| {
        number(text).ok_or_else(|| Problem::field("cursor", "must be a next_cursor of this list"))
    };
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT);
    let limit = match u32::try_from(limit) {
        Ok(small) if (1..=MAX_LIMIT).contains(&limit) => small,
        _ => return Err(Problem::field("limit", "must be 1 to 100")),
    };
    Ok(Filter {
        account: query.text("account").map(str::to_owned),
        standing: query.text("status").map(standing).transpose()?,
        before: query.text("cursor").map(before).transpose()?,
        limit,
    })
}

/// Opaque, so that clients do not rely on its being a row number.
fn cursor(number: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("before {number}"))
}

fn number(cursor: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("before ")?.parse().ok()
}
