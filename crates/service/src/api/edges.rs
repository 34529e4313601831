//! `GET /v1/edges`: which edges have heard of which change.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use keygate_core::keys::wire::{EDGE_HEADER, EdgeReport, Incarnation};
use schemars::JsonSchema;
use serde::Serialize;

use super::Service;
use super::read::Query;
use crate::edges::EdgeObject;
use crate::problem::Problem;
use crate::rights::Caller;
use crate::roles::Action;

/// The edges.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EdgeList")]
pub(super) struct Listed {
    /// The incarnation of the database to which the epochs belong.
    incarnation: Incarnation,
    /// The newest change.
    epoch: u64,
    /// How long the service has listened: an edge that has not polled since is not listed.
    seconds_listening: u64,
    /// By name.
    edges: Vec<EdgeObject>,
}

/// Lists every edge that polls, or has polled within the last hour.
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    Query::parse(query.as_deref(), &[]).end(Ok(()))?;
    let now = service.now();
    let rights = service.rights(&caller, Action::ReadEdges, now).await?;
    let feed = service.store.end_of_feed().await?;
    service.edges.heard(service.store.polls().await?);
    Ok(Json(Listed {
        incarnation: feed.incarnation,
        epoch: feed.epoch,
        seconds_listening: service.edges.uptime().as_secs(),
        edges: service.edges.list(rights.spaces(), feed.epoch, now),
    }))
}

/// What a poll says of its edge. A report that cannot be read is none: the poll matters more.
pub(super) fn report(headers: &HeaderMap) -> Option<EdgeReport> {
    let mut sent = headers.get_all(EDGE_HEADER).iter();
    let report = sent.next().filter(|_| sent.next().is_none())?;
    EdgeReport::parse(report.to_str().ok()?)
}
