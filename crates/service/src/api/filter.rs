//! Which keys a list shows, and which a bulk revocation ends.

use keygate_core::keys::KeyRingId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::read::Query;
use crate::attributes::label;
use crate::expiry::instant;
use crate::key::Standing;
use crate::problem::Problem;
use crate::rights::{Caller, Rights};
use crate::shapes;
use crate::space::{Space, given};
use crate::store::{Filter, Rejection, SecretOf};
use crate::wrong::{Errors, Wrong};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 100;

/// Which keys, as written.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KeyFilter")]
pub(super) struct FilterBody {
    /// Only keys of this account.
    account: Option<String>,
    /// Only keys of this space.
    #[schemars(with = "Option<Space>")]
    space: Option<String>,
    /// Only keys with this status.
    #[schemars(with = "Option<Standing>")]
    status: Option<String>,
    /// Only keys that the key with this id created.
    created_by: Option<String>,
    /// Only keys whose name begins so.
    #[schemars(length(min = 1))]
    name_prefix: Option<String>,
    /// Only keys with this label, such as `team=core`.
    #[schemars(with = "Option<shapes::Label>")]
    label: Option<String>,
    /// Only keys that expire before this.
    #[schemars(with = "Option<shapes::Instant>")]
    expires_before: Option<String>,
    /// Only keys that were neither created nor used since this.
    #[schemars(with = "Option<shapes::Instant>")]
    unused_since: Option<String>,
    /// Only keys that depend on the master secret with this id; `unknown` for keys of which that was
    /// not noted.
    #[schemars(with = "Option<shapes::SecretFilter>")]
    secret_id: Option<String>,
}

impl FilterBody {
    /// Checks every field.
    pub(super) fn check(self) -> Result<Filter, Errors> {
        let standing = |text: String| {
            Standing::parse(&text).ok_or_else(|| {
                let words = Standing::WORDS.join(", ");
                Wrong::invalid("status", format!("must be one of {words}"))
            })
        };
        let name_prefix = |text: String| match text.is_empty() {
            true => Err(Wrong::invalid(
                "name_prefix",
                "must have at least 1 character",
            )),
            false => Ok(text),
        };
        let mut errors = Errors::default();
        let label = self.label.map(|text| label("label", text)).transpose();
        let filter = Filter {
            account: self.account,
            space: errors.of(given("space", self.space)),
            standing: errors.of(self.status.map(standing).transpose()),
            created_by: self.created_by,
            name_prefix: errors.of(self.name_prefix.map(name_prefix).transpose()),
            label: errors.of(label),
            expires_before: errors.of(instant("expires_before", self.expires_before)),
            unused_since: errors.of(instant("unused_since", self.unused_since)),
            secret: errors.of(self.secret_id.map(secret_of).transpose()),
            before: None,
            limit: MAX_LIMIT,
        };
        errors.none().map(|()| filter)
    }
}

fn secret_of(text: String) -> Result<SecretOf, Wrong> {
    if text == "unknown" {
        return Ok(SecretOf::Unknown);
    }
    let id = KeyRingId::parse(&text).map(SecretOf::Known);
    let detail = "must be the id of a master secret, such as 01, or unknown";
    id.map_err(|_| Wrong::invalid("secret_id", detail))
}

/// Reads the query of a list.
pub(super) fn filter(query: Option<&str>) -> Result<Filter, Problem> {
    let known = [
        "account",
        "space",
        "status",
        "created_by",
        "name_prefix",
        "label",
        "expires_before",
        "unused_since",
        "secret_id",
        "cursor",
        "limit",
    ];
    let mut query = Query::parse(query, &known);
    let text = |name| query.text(name).map(str::to_owned);
    let filter = FilterBody {
        account: text("account"),
        space: text("space"),
        status: text("status"),
        created_by: text("created_by"),
        name_prefix: text("name_prefix"),
        label: text("label"),
        expires_before: text("expires_before"),
        unused_since: text("unused_since"),
        secret_id: text("secret_id"),
    };
    let before = query.cursor();
    let limit = query.limit(MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
    let filter = query.end(filter.check())?;
    Ok(Filter {
        before,
        limit,
        ..filter
    })
}

/// Of the keys that are asked for, those that the caller may see.
pub(super) fn narrowed(
    mut filter: Filter,
    caller: &Caller,
    rights: &Rights<'_>,
) -> Result<Filter, Problem> {
    let account = caller.account(filter.account.take());
    filter.account = account.ok_or(Problem::WrongAccount)?;
    let space = rights.spaces().narrow(filter.space.take());
    filter.space = space.ok_or(Rejection::WrongSpace)?;
    Ok(filter)
}
