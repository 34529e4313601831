//! Leaked keys that a scanner reports: each that is known is revoked, with its descendants.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use keygate_core::UnixMillis;
use keygate_core::keys::OpaqueKey;
use zeroize::Zeroizing;

use super::Service;
use crate::key::Reason;
use crate::leaks::{Label, Report, Verdict};
use crate::problem::Problem;
use crate::shown::is_shown;
use crate::store::Revoke;

/// Most characters of a note.
const MAX_NOTE: usize = 256;

/// `POST /v1/leaks`: the answer says of each text whether it is a key of this service.
pub(super) async fn report(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Vec<Verdict>>, Problem> {
    let leaks = service.leaks.as_ref().ok_or(Problem::NoSuchPath)?;
    let now = service.now();
    let body = Zeroizing::new(Vec::from(body));
    if let Err(problem) = leaks.verify(&headers, &body, now).await {
        service.rejections.note_report(&problem, now);
        return Err(problem);
    }
    let reports = Report::parse(&body)?;
    let mut verdicts = Vec::new();
    let mut revoked = 0_usize;
    for report in &reports {
        let (label, count) = service.leaked(report, now).await?;
        revoked = revoked.saturating_add(count);
        service.metrics.reported(label);
        verdicts.push(report.verdict(label));
    }
    tracing::info!(
        reported = reports.len(),
        revoked,
        "leaked keys were reported"
    );
    Ok(Json(verdicts))
}

impl Service {
    /// Revokes a key that was reported, if it is one; what it is, and how many keys were revoked.
    async fn leaked(&self, report: &Report, now: UnixMillis) -> Result<(Label, usize), Problem> {
        let candidates = match OpaqueKey::parse(report.token.as_bytes()) {
            Ok(key) => self.hashes_of(&key),
            Err(_) => return Ok((Label::FalsePositive, 0)),
        };
        let Some(key) = self.store.key_of(candidates).await? else {
            return Ok((Label::FalsePositive, 0));
        };
        if key.revoked.is_some() {
            return Ok((Label::TruePositive, 0));
        }
        let leak = report.leak();
        let place = [&leak.url, &leak.source];
        let place = place.into_iter().find(|it| !it.is_empty());
        let note = format!("leaked: {}", place.map_or("no place given", |it| it));
        let note = note.chars().filter(|it| is_shown(*it)).take(MAX_NOTE);
        let revoke = Revoke {
            reason: Some(Reason::KeyCompromise),
            note: Some(note.collect()),
            keeps_descendants: false,
        };
        let revoked = self.store.revoke_leaked(key.id, revoke, leak, now).await?;
        self.count_revoked(revoked);
        Ok((Label::TruePositive, revoked))
    }
}
