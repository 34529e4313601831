//! How often keys are used: what edges report, and what is shown of it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use keygate_core::keys::wire::{MAX_USES, UsesRequest};
use schemars::JsonSchema;
use serde::Serialize;

use super::Service;
use super::read::{Id, JsonBody};
use crate::problem::Problem;
use crate::rights::Caller;
use crate::roles::Action;
use crate::shapes;

/// The result of a report of uses.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CountedUses")]
pub(super) struct Counted {
    /// Keys whose uses were counted.
    counted: u64,
    /// Keys whose uses were not counted: there is no room, or the edge sees no key with such an id.
    dropped: u64,
}

/// `POST /v1/uses`: how often keys were used. It is counted in memory, so that no edge waits for the
/// disk; only of the keys that a bound edge reports, their spaces are read.
pub(super) async fn report(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    JsonBody(UsesRequest { mut uses }): JsonBody<UsesRequest>,
) -> Result<impl IntoResponse, Problem> {
    if !(1..=MAX_USES).contains(&uses.len()) {
        return Err(Problem::field("uses", format!("must be 1 to {MAX_USES}")));
    }
    let now = service.now();
    let rights = service.rights(&caller, Action::Follow, now).await?;
    let mut foreign = 0;
    if let Some(space) = rights.spaces().only() {
        let reported = uses.len();
        let ids = uses.iter().map(|it| it.id.clone()).collect();
        let own = service.store.of_space(space, ids).await?;
        uses.retain(|it| own.contains(&it.id));
        foreign = reported.saturating_sub(uses.len());
    }
    let mut added = service.unwritten.add(uses, now);
    added.dropped = added
        .dropped
        .saturating_add(u64::try_from(foreign).unwrap_or(u64::MAX));
    service.metrics.used(&added);
    service.plan_write();
    Ok(Json(Counted {
        counted: added.counted,
        dropped: added.dropped,
    }))
}

/// How often a key was used.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyUsage")]
pub(super) struct Usage {
    /// Its public id.
    #[schemars(with = "shapes::Id")]
    id: String,
    /// The minute in which a request with it was last allowed.
    #[schemars(with = "Option<shapes::Instant>")]
    last_used_at: Option<String>,
    /// Newest first, without days on which it was not used.
    days: Vec<DayObject>,
}

/// How often a key was used on one day.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DayOfUses")]
struct DayObject {
    /// In UTC.
    #[schemars(with = "shapes::Date")]
    day: String,
    /// Requests that were allowed.
    allowed: u64,
    /// Requests that were rejected although the key exists.
    rejected: u64,
}

/// `GET /v1/keys/{id}/usage`: how often a key was used on each day.
pub(super) async fn usage(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let key = service.own_key(&caller, Action::ReadKeys, id, now).await?;
    let days = service.store.usage(key.id.clone(), now).await?;
    let shown = days.into_iter().map(|(day, counts)| DayObject {
        day: day.to_string(),
        allowed: counts.allowed,
        rejected: counts.rejected,
    });
    Ok(Json(Usage {
        id: key.id,
        last_used_at: key.last_used_at.map(|at| at.to_string()),
        days: shown.collect(),
    }))
}

impl Service {
    /// Writes uses once the last write is a minute ago.
    fn plan_write(self: &Arc<Self>) {
        let Some(at) = self.unwritten.plan(Instant::now()) else {
            return;
        };
        // It keeps no service alive.
        let service = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep_until(at.into()).await;
            if let Some(service) = service.upgrade() {
                service.write_uses().await;
            }
        });
    }

    /// Writes the uses that wait, a part at a time, so that a revocation waits for one of them at
    /// most. What fails is tried again with the next report.
    pub(crate) async fn write_uses(&self) {
        self.unwritten.begin(Instant::now());
        while let Some(part) = self.unwritten.part() {
            let part = Arc::new(part);
            let written = self.store.add_uses(Arc::clone(&part), self.now());
            if let Err(error) = written.await {
                tracing::warn!("uses of keys were not written: {error}");
                self.unwritten.put_back(&part);
                break;
            }
        }
    }
}
