//! What is sealed with a key: sealed here for a new one, set by a client that has sealed it, read by
//! one that is to open it, and removed.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use keygate_core::keys::{NewAppKey, Sealed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Service;
use super::keys::{shown, start};
use super::read::{Id, SecretBody, if_match};
use crate::attributes::Asked;
use crate::key::NewKey;
use crate::problem::Problem;
use crate::rights::Caller;
use crate::roles::Action;
use crate::sealed::Plain;
use crate::shapes;
use crate::store::Rejection;

/// What is sealed with a key.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SealedData")]
pub(super) struct SealedBody {
    /// The data, as docs/app-keys.md describes it.
    #[schemars(with = "shapes::Sealed")]
    sealed: String,
}

/// `GET /v1/keys/{id}/sealed`: for the holder of the key, who alone can open it.
pub(super) async fn read(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let key = service
        .own_key(&caller, Action::ChangeKeys, id, now)
        .await?;
    let sealed = service.store.sealed(key.id).await?;
    let sealed = sealed.ok_or(Rejection::NotSealed)?;
    Ok(Json(SealedBody { sealed }))
}

/// `PUT /v1/keys/{id}/sealed`: whether it opens, only the holder of the key can tell.
pub(super) async fn set(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    headers: HeaderMap,
    SecretBody(body): SecretBody<SealedBody>,
) -> Result<impl IntoResponse, Problem> {
    let sealed = Sealed::parse(&body.sealed);
    let sealed = sealed.map_err(|error| Problem::field("sealed", error.to_string()))?;
    service
        .change_sealed(caller, id, &headers, Some(sealed))
        .await
}

/// `DELETE /v1/keys/{id}/sealed`: again is as good as once.
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    service.change_sealed(caller, id, &headers, None).await
}

impl Service {
    /// A fresh key as it is stored.
    pub(super) fn new_key(
        &self,
        fresh: &NewAppKey,
        caller: &Caller,
        asked: &Asked,
    ) -> Result<NewKey, Problem> {
        Ok(NewKey {
            id: fresh.id.clone(),
            hash: fresh.hash,
            start: start(fresh),
            secret_id: self.kid,
            created_by: caller.key_id().map(str::to_owned),
            replaces: None,
            sealed: self.seal(fresh, asked.sealed.as_ref())?,
            attributes: asked.attributes.clone(),
        })
    }

    /// Seals headers for the holder of a fresh key.
    pub(super) fn seal(
        &self,
        fresh: &NewAppKey,
        plain: Option<&Plain>,
    ) -> Result<Option<Sealed>, Problem> {
        let Some(plain) = plain else {
            return Ok(None);
        };
        let sealed = self.draw(|fill| plain.seal(fresh, fill))?;
        sealed.map(Some).ok_or(Problem::Internal)
    }

    async fn change_sealed(
        &self,
        caller: Caller,
        id: String,
        headers: &HeaderMap,
        sealed: Option<Sealed>,
    ) -> Result<impl IntoResponse + use<>, Problem> {
        let (now, if_match) = (self.now(), if_match(headers)?);
        let key = self.store.seal(id, if_match, sealed, caller, now).await?;
        self.metrics.keys_changed.inc();
        tracing::info!(
            id = key.id,
            account = key.attributes.account,
            version = key.version,
            sealed = key.is_sealed,
            "sealed data changed"
        );
        Ok(shown(key, now))
    }
}
