//! What an edge calls: lookups and the change feed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use keygate_core::wire::{ChangesResponse, LookupRequest, MAX_LOOKUP};

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
