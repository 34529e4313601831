//! What an admin calls, and an account for its own keys: create, list and show.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{RawQuery, State};
use axum::http::header::{ETAG, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use keygate_core::UnixMillis;
use keygate_core::keys::{KeyRingId, MasterSecret, NewAppKey};
use schemars::JsonSchema;
use serde::Serialize;
use zeroize::Zeroizing;

use super::Service;
use super::filter::{filter, narrowed};
use super::read::{Id, JsonText, cursor};
use crate::attributes::CreateBody;
use crate::idempotency::Once;
use crate::json::{Draft, Names, object};
use crate::key::{Key, KeyObject};
use crate::problem::Problem;
use crate::rights::{Caller, Rights};
use crate::roles::Action;
use crate::space::given;
use crate::store::{Rejection, StoreError};
use crate::templates::completed;

/// Two fresh keys are never the same: a second try is for a database of keys from elsewhere.
pub(super) const TRIES: usize = 4;

/// A new key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedKey")]
pub(super) struct Created<'a> {
    /// The key itself. The service does not keep it.
    pub(super) key: &'a str,
    #[serde(flatten)]
    pub(super) object: KeyObject,
}

/// The answer to a creation that was sent again.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RepeatedKey")]
pub(super) struct Replayed<'a> {
    /// The key itself, for 10 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    key: Option<&'a str>,
    /// Always true.
    replayed: bool,
    #[serde(flatten)]
    object: KeyObject,
}

/// `POST /v1/keys`: an answer that contains a key.
pub(super) async fn create(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    JsonText(body): JsonText,
) -> Result<Response, Problem> {
    // It may have headers to seal.
    let body = Zeroizing::new(body);
    let now = service.now();
    let once = Once::of(&headers, &caller, &body)?;
    let rights = service.rights(&caller, Action::CreateKeys, now).await?;
    if let Some(once) = once
        && let Some(key) = service.store.earlier(once, now).await?
    {
        return Ok(service.replayed(key, now));
    }
    let completed = completed(&service.templates, &body, rights.spaces())?;
    let body = completed.as_ref().unwrap_or(&body);
    let mut draft: Draft<CreateBody> = object(body, Names::Shown)?;
    take_place(&mut draft, &caller, &rights)?;
    let asked = CreateBody::check(draft, now)?;
    if once.is_some() && asked.sealed.is_some() {
        return Err(Once::not_with_secrets().into());
    }
    let asked = service.approved(&caller, asked, now).await?;
    for _ in 0..TRIES {
        let fresh = service.generate()?;
        let new = service.new_key(&fresh, &caller, &asked)?;
        let key = match once {
            None => {
                let created = service
                    .store
                    .create(vec![new], false, caller.clone(), now)
                    .await?;
                created.and_then(|mut keys| keys.pop())
            }
            Some(once) => {
                // Before it is stored: a request that finds it stored also finds its text.
                service.keep_for_a_while(&fresh, now);
                let created = service.store.create_once(new, once, caller.clone(), now);
                match created.await {
                    Ok(Some(created)) if created.newly => Some(created.key),
                    // It may be stored: then a retry finds its text.
                    Err(error @ (StoreError::Failed(_) | StoreError::Unreachable(_))) => {
                        return Err(error.into());
                    }
                    other => {
                        service.new_keys.forget(&fresh.id);
                        if let Some(created) = other? {
                            return Ok(service.replayed(created.key, now));
                        }
                        None
                    }
                }
            }
        };
        if let Some(key) = key {
            service.metrics.keys_created.inc();
            tracing::info!(
                id = key.id,
                account = key.attributes.account,
                created_by = key.created_by,
                template = asked.template,
                "key created"
            );
            return Ok(with_key(&fresh, key, now));
        }
    }
    Err(Problem::Internal)
}

/// The answer that shows a new key.
pub(super) fn with_key(fresh: &NewAppKey, key: Key, now: UnixMillis) -> Response {
    let tag = tag(&key);
    let object = KeyObject::new(key, now);
    let key = &fresh.text;
    (StatusCode::CREATED, tag, Json(Created { key, object })).into_response()
}

/// The answer that shows a key as it is.
pub(super) fn shown(key: Key, now: UnixMillis) -> impl IntoResponse {
    (tag(&key), Json(KeyObject::new(key, now)))
}

/// The entity tag of a key: its version. It does not tell whether the time of the key is over.
fn tag(key: &Key) -> [(HeaderName, String); 1] {
    [(ETAG, format!("\"{}\"", key.version))]
}

/// A page of keys.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyList")]
pub(super) struct Listed {
    /// Newest first.
    keys: Vec<KeyObject>,
    /// The `cursor` of the next page, if there is one.
    next_cursor: Option<String>,
}

/// `GET /v1/keys`: newest first.
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let rights = service.rights(&caller, Action::ReadKeys, now).await?;
    let filter = narrowed(filter(query.as_deref())?, &caller, &rights)?;
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
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let key = service.own_key(&caller, Action::ReadKeys, id, now).await?;
    Ok(shown(key, now))
}

impl Service {
    /// Keeps the text of a new key in memory, and forgets it even if nothing else happens.
    fn keep_for_a_while(self: &Arc<Self>, fresh: &NewAppKey, now: UnixMillis) {
        if !self.new_keys.keep(&fresh.id, &fresh.text, now) {
            return;
        }
        // One task for all of them. It keeps no service alive.
        let service = Arc::downgrade(self);
        let sweep = move || service.upgrade()?.new_keys.sweep(Instant::now());
        tokio::spawn(async move {
            while let Some(next) = sweep() {
                tokio::time::sleep_until(next.into()).await;
            }
        });
    }

    /// The answer to a request that created this key before.
    fn replayed(&self, key: Key, now: UnixMillis) -> Response {
        tracing::info!(id = key.id, "creation repeated");
        let text = self.new_keys.text(&key.id, now);
        let replayed = Replayed {
            key: text.as_ref().map(|it| it.as_str()),
            replayed: true,
            object: KeyObject::new(key.clone(), now),
        };
        (tag(&key), Json(replayed)).into_response()
    }

    pub(super) fn now(&self) -> UnixMillis {
        (self.ambient.clock)()
    }

    /// What a caller may do. The key that an account asks by must be active.
    pub(super) async fn rights<'a>(
        &self,
        caller: &'a Caller,
        action: Action,
        now: UnixMillis,
    ) -> Result<Rights<'a>, Problem> {
        let asks = match caller.key_id() {
            Some(id) => self.store.key(id.to_owned()).await?,
            None => None,
        };
        caller
            .rights(asks, action, now)
            .ok_or(Problem::InvalidAssertion)
    }

    /// The key with this id, if the caller may do this to it.
    pub(super) async fn own_key(
        &self,
        caller: &Caller,
        action: Action,
        id: String,
        now: UnixMillis,
    ) -> Result<Key, Problem> {
        let rights = self.rights(caller, action, now).await?;
        let key = rights.own(self.store.key(id).await?);
        Ok(key.ok_or(Rejection::NoSuchKey)?)
    }

    /// Makes a key.
    pub(super) fn generate(&self) -> Result<NewAppKey, Problem> {
        self.draw(|fill| self.master.generate(&self.prefix, self.kid, fill))
    }

    /// The secrets under which a key may be stored, by their ids; new ones are under the first.
    pub(super) fn masters(&self) -> impl Iterator<Item = (KeyRingId, &MasterSecret)> {
        let retired = self.retired.iter().map(|(id, secret)| (*id, secret));
        std::iter::once((self.kid, &self.master)).chain(retired)
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

/// Whose keys a caller creates, and where: an account only its own, and a bound caller only in its
/// space.
pub(super) fn take_place(
    draft: &mut Draft<CreateBody>,
    caller: &Caller,
    rights: &Rights<'_>,
) -> Result<(), Problem> {
    if let Some(body) = &mut draft.body {
        let account = body.account();
        let own = caller.account(account.take());
        *account = own.ok_or(Problem::WrongAccount)?;
        take_space(body.space(), rights)?;
    }
    Ok(())
}

/// Fills in the space of a bound caller. One that is malformed is left for the check of the field.
pub(super) fn take_space(space: &mut Option<String>, rights: &Rights<'_>) -> Result<(), Problem> {
    if let Ok(asked) = given("space", space.clone()) {
        let own = rights.spaces().narrow(asked).ok_or(Rejection::WrongSpace)?;
        *space = own.map(|space| space.to_string());
    }
    Ok(())
}

/// `kg_01<id>`: the text before the separator of the secret.
pub(super) fn start(fresh: &NewAppKey) -> String {
    fresh
        .text
        .rsplit_once('_')
        .map_or_else(String::new, |(start, _)| start.to_owned())
}
