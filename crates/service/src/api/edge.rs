//! What an edge calls: lookups and the change feed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use keygate_core::time::Millis;
use keygate_core::wire::{
    ChangesResponse, LinkUseRequest, LinkUseResponse, LookupRequest, MAX_LOOKUP,
};

use super::Service;
use super::read::{JsonBody, Query};
use crate::problem::Problem;

/// `POST /v1/lookups`: which keys are these? A hash that stands twice is answered once.
pub(super) async fn lookups(
    State(service): State<Arc<Service>>,
    JsonBody(LookupRequest { mut hashes }): JsonBody<LookupRequest>,
) -> Result<impl IntoResponse, Problem> {
    if !(1..=MAX_LOOKUP).contains(&hashes.len()) {
        return Err(Problem::field("hashes", "must be 1 to 100"));
    }
    hashes.sort_unstable();
    hashes.dedup();
    let asked = hashes.len();
    let answer = service.store.lookup(hashes).await?;
    service.metrics.looked_up(answer.records.len(), asked);
    Ok(Json(answer))
}

/// A link that was used is remembered for so long after its end: the clocks of edges differ.
const LINGER: Millis = Millis::from_secs(3600);

/// `POST /v1/links/uses`: uses up a link that works once, and says whether it was unused.
pub(super) async fn use_link(
    State(service): State<Arc<Service>>,
    JsonBody(request): JsonBody<LinkUseRequest>,
) -> Result<impl IntoResponse, Problem> {
    let LinkUseRequest {
        id,
        expires_at,
        peek,
    } = request;
    if !(1..=160).contains(&id.len()) || !id.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(Problem::field(
            "id",
            "must be 1 to 160 visible ASCII characters",
        ));
    }
    let until = expires_at.plus(LINGER);
    let first = match peek {
        true => service.store.is_unused(id).await?,
        false => service.store.use_link(id, until, service.now()).await?,
    };
    Ok(Json(LinkUseResponse { first }))
}

/// `GET /v1/changes?after=N`; without `after` only the epoch, where an edge begins.
pub(super) async fn changes(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let query = Query::parse(query.as_deref(), &["after"])?;
    let answer = match query.number("after")? {
        Some(after) => service.store.changes(after).await?,
        None => ChangesResponse {
            epoch: service.store.epoch().await?,
            reset: false,
            more: false,
            changed: Vec::new(),
        },
    };
    Ok(Json(answer))
}
