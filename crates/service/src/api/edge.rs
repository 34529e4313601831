//! What an edge calls: lookups and the change feed.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use keygate_core::Millis;
use keygate_core::keys::wire::{
    Incarnation, LinkUseRequest, LinkUseResponse, LookupRequest, MAX_LOOKUP, MAX_WAIT,
};

use super::Service;
use super::edges::report;
use super::read::{JsonBody, Query};
use crate::problem::Problem;
use crate::rights::Caller;
use crate::roles::Action;
use crate::space::Spaces;

/// `POST /v1/lookups`: which keys are these? A hash that is given more than once is answered once.
pub(super) async fn lookups(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    JsonBody(LookupRequest { mut hashes, want }): JsonBody<LookupRequest>,
) -> Result<impl IntoResponse, Problem> {
    if !(1..=MAX_LOOKUP).contains(&hashes.len()) {
        return Err(Problem::field("hashes", "must be 1 to 100"));
    }
    hashes.sort_unstable();
    hashes.dedup();
    let asked = hashes.len();
    let rights = service
        .rights(&caller, Action::Follow, service.now())
        .await?;
    let answer = service.store.lookup(rights.spaces(), hashes, want).await?;
    service.metrics.looked_up(answer.records.len(), asked);
    Ok(Json(answer))
}

/// A link that was used is remembered for so long after its end: the clocks of edges may be an
/// hour behind, and that of the service a day ahead for a while.
const LINGER: Millis = Millis::from_secs(25 * 3600);

/// `POST /v1/links/uses`: uses up a link that works once, and says whether it was unused.
pub(super) async fn use_link(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
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
        false => {
            let used = service.store.use_link(id, until, caller, service.now());
            used.await?
        }
    };
    Ok(Json(LinkUseResponse { first }))
}

/// `GET /v1/changes?after=N&incarnation=I&wait=1250ms`; without `after` only the current
/// epoch, for an edge that starts. With `wait` the answer comes when there is something to
/// say, or after that time; at once where too many wait already.
pub(super) async fn changes(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let mut query = Query::parse(query.as_deref(), &["after", "incarnation", "wait"]);
    let incarnation = query.read("incarnation", |text| {
        Incarnation::parse(text).ok_or_else(|| "must be an epoch from an earlier answer".to_owned())
    });
    let wait = query.read("wait", wait);
    let after = query.number("after");
    query.end(Ok(()))?;
    let rights = service
        .rights(&caller, Action::Follow, service.now())
        .await?;
    let spaces = rights.spaces();
    let Some(after) = after else {
        let start = service.store.end_of_feed().await?;
        service.note_edge(&headers, spaces, start.epoch, start.epoch);
        return Ok(Json(start));
    };
    let changes = || service.store.changes(spaces, after, incarnation);
    let answer = changes().await?;
    // Of another history the edge has applied nothing.
    let most = if answer.reset { 0 } else { answer.epoch };
    service.note_edge(&headers, spaces, after, most);
    let is_other = incarnation.is_some_and(|it| it != answer.incarnation);
    let is_news = answer.reset || answer.epoch > after || is_other;
    let wait = wait.filter(|_| !is_news);
    let is_held = match wait {
        Some(wait) => {
            service
                .waiting
                .hold(service.store.changed(after, answer.incarnation), wait)
                .await
        }
        None => false,
    };
    // Read again even without a notification: another process may have written.
    match is_held {
        true => Ok(Json(changes().await?)),
        false => Ok(Json(answer)),
    }
}

fn wait(text: &str) -> Result<Millis, String> {
    let wait = Millis::parse(text).map_err(|error| error.to_string())?;
    match wait <= MAX_WAIT {
        true => Ok(wait),
        false => Err(format!("must be at most {} s", MAX_WAIT.0 / 1000)),
    }
}

impl Service {
    /// Notes the poll of an edge. What its workers begin with, when none of them has cached
    /// keys, contains every change up to `otherwise`.
    fn note_edge(&self, headers: &HeaderMap, spaces: &Spaces, otherwise: u64, most: u64) {
        let report = report(headers);
        let applied = report.as_ref().and_then(|it| it.applied);
        let epoch = applied.unwrap_or(otherwise).min(most);
        self.edges.polled(report, spaces, epoch);
    }
}
