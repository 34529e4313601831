//! What an orchestrator and Prometheus call, without a token.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;

use super::Service;
use crate::metrics::METRICS_TYPE;
use crate::problem::Problem;

#[derive(Serialize)]
struct Fine {
    status: &'static str,
}

/// `GET /healthz`: the process lives. A database that fails is no reason to restart it.
pub(super) async fn healthz() -> impl IntoResponse {
    Json(Fine { status: "ok" })
}

/// `GET /readyz`: the database answers a read.
pub(super) async fn readyz(
    State(service): State<Arc<Service>>,
) -> Result<impl IntoResponse, Problem> {
    service.store.epoch().await?;
    Ok(Json(Fine { status: "ok" }))
}

/// `GET /metrics`.
pub(super) async fn metrics(
    State(service): State<Arc<Service>>,
) -> Result<impl IntoResponse, Problem> {
    let epoch = service.store.epoch().await?;
    let text = service
        .metrics
        .text(epoch, service.waiting.held(), service.store.waiting())
        .map_err(|_| Problem::Internal)?;
    Ok(([(CONTENT_TYPE, METRICS_TYPE)], text))
}
