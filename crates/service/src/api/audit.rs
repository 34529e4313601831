//! The audit log, for auditors.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use keygate_core::text::hex;
use schemars::JsonSchema;
use serde::Serialize;

use super::Service;
use super::read::Query;
use crate::audit::Line;
use crate::problem::Problem;
use crate::rights::Caller;
use crate::roles::Action;
use crate::space::Space;
use crate::store::AuditFilter;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// A page of the audit log.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditLog")]
pub(super) struct Entries {
    /// The space that the caller is bound to: there are other entries, and the chain cannot be verified.
    space: Option<Space>,
    /// The digest before the oldest entry that is kept.
    start: String,
    /// Oldest first.
    entries: Vec<Line>,
    /// The `after` of the next page, if there is one.
    next: Option<u64>,
}

/// `GET /v1/audit`: oldest first.
pub(super) async fn audit(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let rights = service.rights(&caller, Action::ReadAudit, service.now());
    let rights = rights.await?;
    let known = ["after", "limit", "target", "actor", "action"];
    let mut query = Query::parse(query.as_deref(), &known);
    let limit = query.limit(MAX_LIMIT);
    let after = query.number("after");
    let text = |name| query.text(name).map(str::to_owned);
    let filter = AuditFilter {
        after: after.unwrap_or(0),
        limit: limit.unwrap_or(DEFAULT_LIMIT),
        target: text("target"),
        actor: text("actor"),
        action: text("action"),
        spaces: rights.spaces().clone(),
    };
    let filter = query.end(Ok(filter))?;
    let page = service.store.audit(filter).await?;
    Ok(Json(Entries {
        space: rights.spaces().only().cloned(),
        start: hex::encode(&page.start),
        entries: page.lines,
        next: page.next,
    }))
}
