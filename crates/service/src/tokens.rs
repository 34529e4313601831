//! Tokens that were created by the API, in addition to those of the environment.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use keygate_core::UnixMillis;
use keygate_core::keys::wire::Incarnation;
use schemars::JsonSchema;
use serde::Serialize;

use crate::roles::Role;
use crate::shapes;
use crate::space::{Space, Spaces};

/// A token as the store knows it. The token itself is no part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The public id: 10 letters or digits.
    pub id: String,
    /// The person or program that the token is for.
    pub name: String,
    /// What the token permits.
    pub role: Role,
    /// Whose keys it sees; never changes.
    pub spaces: Spaces,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When the token expires.
    pub expires_at: Option<UnixMillis>,
    /// Its end, if that has come.
    pub revoked_at: Option<UnixMillis>,
}

/// A token to store.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The public id.
    pub id: String,
    /// The SHA-256 digest of its text.
    pub digest: [u8; 32],
    /// The person or program that the token is for.
    pub name: String,
    /// What the token permits.
    pub role: Role,
    /// Whose keys it sees.
    pub spaces: Spaces,
    /// When the token expires.
    pub expires_at: Option<UnixMillis>,
}

/// The token object of the API.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Token")]
pub struct TokenObject {
    /// The public id.
    #[schemars(with = "shapes::Id")]
    id: String,
    /// The person or program that the token is for.
    name: String,
    /// What the token permits.
    role: Role,
    /// The space that it is bound to: it sees no key of another.
    space: Option<Space>,
    /// `active`, `expired` or `revoked`.
    status: &'static str,
    /// When it was created.
    #[schemars(with = "shapes::Instant")]
    created_at: String,
    /// When it expires.
    #[schemars(with = "Option<shapes::Instant>")]
    expires_at: Option<String>,
    /// When it was revoked.
    #[schemars(with = "Option<shapes::Instant>")]
    revoked_at: Option<String>,
}

impl TokenObject {
    /// Shows a token with its status at `now`.
    pub fn new(token: Token, now: UnixMillis) -> Self {
        let status = match token {
            Token {
                revoked_at: Some(_),
                ..
            } => "revoked",
            Token {
                expires_at: Some(end),
                ..
            } if end <= now => "expired",
            _ => "active",
        };
        let time = |at: Option<UnixMillis>| at.map(|at| at.to_string());
        Self {
            id: token.id,
            name: token.name,
            role: token.role,
            space: token.spaces.only().cloned(),
            status,
            created_at: token.created_at.to_string(),
            expires_at: time(token.expires_at),
            revoked_at: time(token.revoked_at),
        }
    }
}

/// The tokens that count, by their digests. How long it takes to find one in the table tells
/// nothing: a client cannot choose the digest of what it sends.
#[derive(Debug, Default)]
pub(crate) struct CreatedTokens(RwLock<(Option<Edition>, Entitlements)>);

/// Names a state of all tokens: within an incarnation of the database, a later one has a larger number.
pub(crate) type Edition = (Incarnation, i64);

/// What counts, by its digest.
pub(crate) type Entitlements = HashMap<[u8; 32], Entitled>;

/// What a token entitles to.
#[derive(Debug)]
pub(crate) struct Entitled {
    pub(crate) id: String,
    pub(crate) role: Role,
    pub(crate) spaces: Spaces,
    pub(crate) expires_at: Option<UnixMillis>,
}

/// A token by which a caller asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bearer {
    /// Its id; `None` for one of the environment.
    pub(crate) id: Option<String>,
    /// Whose keys it sees.
    pub(crate) spaces: Spaces,
}

impl CreatedTokens {
    /// Replaces all, unless those that there are come from a later edition.
    pub(crate) fn set(&self, edition: Edition, tokens: Entitlements) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_later =
            |(incarnation, number): Edition| incarnation == edition.0 && number > edition.1;
        if !all.0.is_some_and(is_later) {
            *all = (Some(edition), tokens);
        }
    }

    /// Which edition these are, if there is one.
    pub(crate) fn edition(&self) -> Option<Edition> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.0
    }

    /// What the token with this digest entitles to `now`.
    pub(crate) fn find(&self, digest: &[u8; 32], now: UnixMillis) -> Option<(Role, Bearer)> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let token = all.1.get(digest)?;
        let counts = token.expires_at.is_none_or(|end| now < end);
        counts.then(|| {
            let bearer = Bearer {
                id: Some(token.id.clone()),
                spaces: token.spaces.clone(),
            };
            (token.role, bearer)
        })
    }
}
