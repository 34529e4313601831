//! Tokens of operators and edges: create, list, revoke.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use keygate_core::text::base62;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Service;
use super::read::{Id, JsonBody, Query, cursor};
use crate::attributes::line;
use crate::bearer::digest;
use crate::expiry::{end, instant};
use crate::problem::Problem;
use crate::rights::Caller;
use crate::roles::{Action, Role};
use crate::shapes;
use crate::space::{Space, Spaces, given};
use crate::store::Rejection;
use crate::tokens::{NewToken, TokenObject};
use crate::wrong::{Errors, Wrong};

const MAX_NAME: usize = 128;

/// Most tokens on a page, and how many it has unless asked for fewer.
const MAX_LIMIT: u32 = 100;

/// Characters of the secret part: 256 bits.
const SECRET: usize = 43;

/// A token to create.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CreateToken", transform = shapes::one_end)]
pub(super) struct CreateBody {
    /// The person or program that the token is for.
    #[schemars(with = "shapes::Line<MAX_NAME>")]
    name: String,
    /// What the token permits.
    #[schemars(with = "Role")]
    role: String,
    /// The space that it is bound to: it sees no key, token or entry of another.
    #[schemars(with = "Option<Space>")]
    space: Option<String>,
    /// When it expires.
    #[schemars(with = "Option<shapes::Instant>")]
    expires_at: Option<String>,
    /// When it expires, as a duration from now, in place of `expires_at`.
    #[schemars(with = "Option<shapes::Span>")]
    expires_in: Option<String>,
}

/// A new token.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedToken")]
pub(super) struct Created<'a> {
    /// The token itself. The service does not keep it.
    token: &'a str,
    #[serde(flatten)]
    object: TokenObject,
}

/// `POST /v1/tokens`: the only answer that contains the token.
pub(super) async fn create(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let role = Role::parse(&body.role).ok_or_else(|| {
        let words = Role::WORDS.join(", ");
        Wrong::invalid("role", format!("must be one of {words}"))
    });
    let mut errors = Errors::default();
    let name = errors.of(line("name", body.name, MAX_NAME));
    let role = errors.keep(role);
    let space = errors.of(given("space", body.space));
    let mut expires_at = errors.of(instant("expires_at", body.expires_at)).map(Some);
    end(&mut errors, &mut expires_at, body.expires_in, now);
    errors.none()?;
    let role = role.ok_or(Problem::Internal)?;
    let rights = service.rights(&caller, Action::ChangeTokens, now).await?;
    let space = rights.spaces().narrow(space).ok_or(Rejection::WrongSpace)?;
    let id = service.new_id()?;
    let secret = service.draw(|fill| Zeroizing::new(base62::random::<SECRET>(fill)))?;
    let mut text = Zeroizing::new(format!("kgt_{id}_"));
    secret.iter().for_each(|byte| text.push(char::from(*byte)));
    let new = NewToken {
        id,
        digest: digest(text.as_bytes()),
        name,
        role,
        spaces: Spaces::of(space),
        expires_at: expires_at.flatten(),
    };
    let token = service.store.create_token(new, caller, now).await?;
    tracing::info!(id = token.id, role = token.role.word(), "token created");
    let created = Created {
        token: &text,
        object: TokenObject::new(token, now),
    };
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// A page of tokens.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenList")]
pub(super) struct Listed {
    /// Newest first.
    tokens: Vec<TokenObject>,
    /// The `cursor` of the next page, if there is one.
    next_cursor: Option<String>,
}

/// `GET /v1/tokens`: newest first, those that ended within 90 days included.
pub(super) async fn list(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let mut query = Query::parse(query.as_deref(), &["limit", "cursor"]);
    let limit = query.limit(MAX_LIMIT).unwrap_or(MAX_LIMIT);
    let before = query.cursor();
    query.end(Ok(()))?;
    let rights = service.rights(&caller, Action::ReadTokens, now).await?;
    let page = service.store.page_of_tokens(rights.spaces(), before, limit);
    let page = page.await?;
    let tokens = page.tokens.into_iter();
    Ok(Json(Listed {
        tokens: tokens.map(|token| TokenObject::new(token, now)).collect(),
        next_cursor: page.next.map(cursor),
    }))
}

/// `POST /v1/tokens/{id}/revoke`: final; again is as good as once.
pub(super) async fn revoke(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let now = service.now();
    let token = service.store.revoke_token(id, caller, now).await?;
    tracing::info!(id = token.id, role = token.role.word(), "token revoked");
    Ok(Json(TokenObject::new(token, now)))
}
