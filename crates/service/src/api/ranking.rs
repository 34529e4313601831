//! Which keys and accounts are used most. They are no metric, since each would be a series.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use super::Service;
use super::read::Query;
use crate::problem::Problem;
use crate::rights::Caller;
use crate::roles::Action;
use crate::shapes;
use crate::store::Ranked;
use crate::uses::KEPT_DAYS;
use crate::wrong::Errors;

/// Most keys, and most accounts.
const MAX_LIMIT: u32 = 100;

/// The keys and accounts with the most requests.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MostUsed")]
pub(super) struct MostUsed {
    /// The first day that is counted, in UTC.
    #[schemars(with = "shapes::Date")]
    since: String,
    /// The key with the most requests first.
    keys: Vec<UsedKey>,
    /// The account with the most requests first.
    accounts: Vec<UsedAccount>,
}

/// How often a key was used.
#[derive(Serialize, JsonSchema)]
struct UsedKey {
    /// Its public id.
    #[schemars(with = "shapes::Id")]
    id: String,
    /// Its account.
    account: String,
    /// Requests that were allowed.
    allowed: u64,
    /// Requests that were rejected although the key exists.
    rejected: u64,
}

/// How often the keys of an account were used.
#[derive(Serialize, JsonSchema)]
struct UsedAccount {
    /// Its name.
    account: String,
    /// Requests that were allowed.
    allowed: u64,
    /// Requests that were rejected although the key exists.
    rejected: u64,
}

/// `GET /v1/usage`: the keys and accounts that were used most.
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let mut query = Query::parse(query.as_deref(), &["days", "limit"]);
    let days = query.up_to("days", KEPT_DAYS).unwrap_or(1);
    let limit = query.up_to("limit", MAX_LIMIT).unwrap_or(10);
    query.end(Ok::<_, Errors>(()))?;
    let rights = service.rights(&caller, Action::RankKeys, now).await?;
    let ranked = Ranked {
        space: rights.spaces().only().cloned(),
        days,
        limit,
    };
    let ranking = service.store.ranking(ranked, now).await?;
    let keys = ranking.keys.into_iter();
    let accounts = ranking.accounts.into_iter();
    Ok(Json(MostUsed {
        since: ranking.since.to_string(),
        keys: keys
            .map(|(id, account, counts)| UsedKey {
                id,
                account,
                allowed: counts.allowed,
                rejected: counts.rejected,
            })
            .collect(),
        accounts: accounts
            .map(|(account, counts)| UsedAccount {
                account,
                allowed: counts.allowed,
                rejected: counts.rejected,
            })
            .collect(),
    }))
}
