//! What an orchestrator and Prometheus call, without a token.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use keygate_core::{Millis, UnixMillis};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Mutex;

use super::Service;
use crate::metrics::METRICS_TYPE;
use crate::problem::Problem;

/// Nothing is wrong.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Health")]
pub(super) struct Fine {
    /// Always `ok`.
    status: &'static str,
}

/// `GET /healthz`: the process lives. A database that fails is no reason to restart it.
pub(super) async fn healthz() -> impl IntoResponse {
    Json(Fine { status: "ok" })
}

/// How long the answer about the database holds.
const BEAT: Millis = Millis::from_secs(1);

/// What is known of the database, and since when.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Option<(UnixMillis, bool)>>);

/// `GET /readyz`: the database can be read and written.
pub(super) async fn readyz(
    State(service): State<Arc<Service>>,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    // Held while it writes: however many ask, it writes once.
    let mut known = service.health.0.lock().await;
    let is_fresh = |(since, _): &(UnixMillis, bool)| *since <= now && now < since.plus(BEAT);
    match known.filter(is_fresh) {
        Some((_, true)) => {}
        Some((_, false)) => return Err(Problem::NotReady),
        None => {
            let beaten = service.store.beat(now).await;
            *known = Some((now, beaten.is_ok()));
            beaten?;
        }
    }
    Ok(Json(Fine { status: "ok" }))
}

/// `GET /metrics`.
pub(super) async fn metrics(
    State(service): State<Arc<Service>>,
) -> Result<impl IntoResponse, Problem> {
    let epoch = service.store.epoch().await?;
    service.edges.heard(service.store.polls().await?);
    let waiting_deliveries = service.store.waiting_deliveries().await?;
    let text = service
        .metrics
        .text(
            epoch,
            service.waiting.held(),
            service.store.waiting(),
            waiting_deliveries,
            &service.edges.standing(epoch),
        )
        .map_err(|_| Problem::Internal)?;
    Ok(([(CONTENT_TYPE, METRICS_TYPE)], text))
}
