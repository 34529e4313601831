//! Several keys in one call, all or none.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use futures_util::future::try_join_all;
use keygate_core::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Service;
use super::keys::{Created, take_place};
use super::read::JsonBody;
use crate::attributes::{Asked, CreateBody};
use crate::json::{AnyJson, Names, NoObject, object};
use crate::key::KeyObject;
use crate::problem::Problem;
use crate::rights::{Caller, Rights};
use crate::roles::Action;
use crate::templates::completed;
use crate::wrong::{Errors, Fault, Pointer, Wrong};

/// Most keys that one call creates.
const MAX_KEYS: usize = 100;

/// Several keys to create.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateKeys")]
pub(super) struct BatchBody {
    /// Each as in a call that creates one key.
    #[schemars(with = "Vec<CreateBody>", length(min = 1, max = MAX_KEYS))]
    keys: Vec<AnyJson>,
}

/// Several new keys.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedKeys")]
pub(super) struct Batch<'a> {
    /// In the order of the request.
    keys: Vec<Created<'a>>,
}

/// `POST /v1/keys/batch`: 1 to 100 keys, in the order of the request.
pub(super) async fn create(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<BatchBody>,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    if !(1..=MAX_KEYS).contains(&body.keys.len()) {
        return Err(Problem::field("keys", "must be 1 to 100"));
    }
    let rights = service.rights(&caller, Action::CreateKeys, now).await?;
    let mut errors = Errors::default();
    let mut wanted = Vec::new();
    for (place, json) in body.keys.iter().enumerate() {
        let read = service.read_one(json, &caller, &rights, now)?;
        let read = read.map_err(|errors| errors.inside_item("keys", place));
        wanted.extend(errors.keep(read));
    }
    errors.none()?;
    // The hook sees each of them.
    let approved = wanted
        .into_iter()
        .map(|it| service.approved(&caller, it, now));
    let wanted = try_join_all(approved).await?;
    let fresh = wanted.iter().map(|_| service.generate());
    let fresh = fresh.collect::<Result<Vec<_>, _>>()?;
    let new = fresh.iter().zip(wanted);
    let new = new.map(|(fresh, asked)| service.new_key(fresh, &caller, &asked));
    let created = service
        .store
        .create(new.collect::<Result<_, _>>()?, true, caller.clone(), now);
    // Ids and hashes that exist already are no case that a client could do anything about.
    let created = created.await?.ok_or(Problem::Internal)?;
    let count = u64::try_from(created.len()).unwrap_or(u64::MAX);
    service.metrics.keys_created.inc_by(count);
    tracing::info!(count, "keys created");
    let keys = fresh.iter().zip(created).map(|(fresh, key)| Created {
        key: &fresh.text,
        object: KeyObject::new(key, now),
    });
    let keys = keys.collect();
    Ok((StatusCode::CREATED, Json(Batch { keys })).into_response())
}

impl Service {
    /// Reads one of them: its attributes, or what is wrong with it.
    fn read_one(
        &self,
        AnyJson(json): &AnyJson,
        caller: &Caller,
        rights: &Rights<'_>,
        now: UnixMillis,
    ) -> Result<Result<Asked, Errors>, Problem> {
        let completed = match completed(&self.templates, json.get(), rights.spaces()) {
            Ok(completed) => completed,
            Err(wrong) => return Ok(Err(wrong.into())),
        };
        let body = completed.as_ref().map_or(json.get(), |it| it.as_str());
        let mut draft = match object::<CreateBody>(body, Names::Shown) {
            Ok(draft) => draft,
            Err(NoObject::Other | NoObject::Syntax { .. }) => {
                let detail = "must be a JSON object";
                let wrong = Wrong::new(Pointer::default(), Fault::WrongType, detail);
                return Ok(Err(wrong.into()));
            }
        };
        take_place(&mut draft, caller, rights)?;
        Ok(CreateBody::check(draft, now))
    }
}
