//! Every way in which the service refuses, as problem details (RFC 9457).

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::ambient::NoRandomness;
use crate::request_id;
use crate::rights::Beyond;
use crate::store::{Rejection, StoreError};

/// Most bytes of a request body.
pub const MAX_BODY: usize = 64 * 1024;

/// A refusal. Its `Display` is the `detail` that the client reads.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// No bearer token was sent.
    #[error("send `Authorization: Bearer <token>`")]
    MissingToken,
    /// The token is unknown, or the header is given more than once.
    #[error("the token is invalid")]
    InvalidToken,
    /// The token is valid, but for the other role.
    #[error("this token is not allowed to do that")]
    WrongRole,
    /// An assertion and a token.
    #[error("send either a token or an assertion, not both")]
    TwoCredentials,
    /// The assertion is not one for us now, or is given more than once, or its key does not count.
    #[error("the assertion is invalid")]
    InvalidAssertion,
    /// The credential behind the assertion has not got the scope for this.
    #[error("this requires the scope {0}")]
    MissingScope(&'static str),
    /// An account asked for another's keys.
    #[error("an account can access only its own keys")]
    WrongAccount,
    /// A key would make one that can do more than itself.
    #[error("{field}: {detail}")]
    Beyond {
        /// The field that goes too far.
        field: String,
        /// How far it may go.
        detail: String,
    },
    /// No route has this path.
    #[error("there is no resource at this path")]
    NoSuchPath,
    /// No key has this id.
    #[error("there is no key with this id")]
    NoSuchKey,
    /// No token has this id.
    #[error("there is no token with this id")]
    NoSuchToken,
    /// As many tokens count as can.
    #[error("there are 1000 tokens: revoke those that are not in use")]
    TooManyTokens,
    /// The key is not in the state that the caller takes it for.
    #[error("the key was changed in the meantime: its etag is \"{0}\" now")]
    Stale(u64),
    /// The key is revoked.
    #[error("the key is revoked, which is final")]
    Revoked,
    /// The key is not active.
    #[error("only a key that is active can be replaced")]
    Inactive,
    /// The key was replaced before.
    #[error("the key {0} replaces this one already: change that one instead")]
    Replaced(String),
    /// Another number of keys fits than the caller expects.
    #[error("{0} keys fit, and nothing was revoked: set expect to that number if it is right")]
    Unexpected(usize),
    /// An admin disabled it.
    #[error("an admin disabled this key, and only an admin can enable it")]
    DisabledByAdmin,
    /// The route has other methods, which the header `allow` names.
    #[error("this path does not support this method")]
    MethodNotAllowed,
    /// A field of the body or a parameter of the query is wrong.
    #[error("{field}: {detail}")]
    Field {
        /// Its name, such as `scopes[1]`.
        field: String,
        /// What it must be.
        detail: String,
    },
    /// The body is not a JSON object, or could not be read.
    #[error("the body {0}")]
    Body(String),
    /// The body is of another type.
    #[error("send the body with `content-type: application/json`")]
    MediaType,
    /// The body is longer than [`MAX_BODY`].
    #[error("the body must not be longer than 64 KiB")]
    TooLarge,
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    BodyTimeout,
    /// The answer was not made in time, such as for a busy database.
    #[error("the request took too long")]
    Timeout,
    /// Too many changes wait, and this one was not made.
    #[error("too many changes wait: this one was not made, try again")]
    Overloaded,
    /// The clock went back, or was never set.
    #[error(
        "the clock of the key service is wrong, so it makes no keys: it is before 2024, or an hour before the newest change"
    )]
    Clock,
    /// The database does not answer.
    #[error("the database is unavailable")]
    Store(StoreError),
    /// The database failed less than a second ago.
    #[error("the database is unavailable")]
    NotReady,
    /// No secret can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A bug: several fresh keys in a row existed already, or a handler panicked.
    #[error("the service had an internal error")]
    Internal,
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Rejected(rejection) => rejection.into(),
            StoreError::Overloaded => Self::Overloaded,
            error => Self::Store(error),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::InactiveCaller => Self::InvalidAssertion,
            Rejection::Clock => Self::Clock,
            Rejection::NoSuchKey => Self::NoSuchKey,
            Rejection::Beyond(Beyond { field, detail }) => Self::Beyond { field, detail },
            Rejection::Stale(version) => Self::Stale(version),
            Rejection::Revoked => Self::Revoked,
            Rejection::Inactive => Self::Inactive,
            Rejection::Replaced(by) => Self::Replaced(by),
            Rejection::DisabledByAdmin => Self::DisabledByAdmin,
            Rejection::NoSuchToken => Self::NoSuchToken,
            Rejection::TooManyTokens => Self::TooManyTokens,
        }
    }
}

/// The body of a refusal.
#[derive(Serialize)]
struct Details<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Problem {
    /// A wrong field and what it must be.
    pub fn field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Field {
            field: field.into(),
            detail: detail.into(),
        }
    }

    /// The HTTP status and the stable code for programs.
    fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::MissingToken => (StatusCode::UNAUTHORIZED, "missing_token"),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::WrongRole => (StatusCode::FORBIDDEN, "wrong_role"),
            Self::TwoCredentials => (StatusCode::BAD_REQUEST, "two_credentials"),
            Self::InvalidAssertion => (StatusCode::UNAUTHORIZED, "invalid_assertion"),
            Self::MissingScope(_) => (StatusCode::FORBIDDEN, "insufficient_scope"),
            Self::WrongAccount => (StatusCode::FORBIDDEN, "wrong_account"),
            Self::Beyond { .. } => (StatusCode::FORBIDDEN, "beyond_own_rights"),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, "no_such_path"),
            Self::NoSuchKey => (StatusCode::NOT_FOUND, "no_such_key"),
            Self::NoSuchToken => (StatusCode::NOT_FOUND, "no_such_token"),
            Self::TooManyTokens => (StatusCode::CONFLICT, "too_many_tokens"),
            Self::Stale(_) => (StatusCode::PRECONDITION_FAILED, "stale"),
            Self::Revoked => (StatusCode::CONFLICT, "key_revoked"),
            Self::Inactive => (StatusCode::CONFLICT, "key_inactive"),
            Self::Replaced(_) => (StatusCode::CONFLICT, "key_replaced"),
            Self::Unexpected(_) => (StatusCode::CONFLICT, "unexpected_count"),
            Self::DisabledByAdmin => (StatusCode::FORBIDDEN, "disabled_by_admin"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Field { .. } => (StatusCode::BAD_REQUEST, "invalid_field"),
            Self::Body(_) => (StatusCode::BAD_REQUEST, "invalid_body"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            Self::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Self::Clock => (StatusCode::SERVICE_UNAVAILABLE, "clock"),
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"),
            Self::NoRandomness(_) => (StatusCode::SERVICE_UNAVAILABLE, "no_randomness"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // The client learns that the database failed; the operator learns how.
        if let Self::Store(error) = &self {
            tracing::error!("{error}");
        }
        let (status, code) = self.status();
        let details = Details {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.to_string(),
            code,
            field: match &self {
                Self::Field { field, .. } | Self::Beyond { field, .. } => Some(field),
                _ => None,
            },
            request_id: request_id::current(),
        };
        let mut response = (status, Json(details)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge(code)));
        }
        response
    }
}

/// RFC 6750 section 3: the challenge names an error only if a token was sent.
fn challenge(code: &str) -> &'static str {
    if code == "missing_token" {
        r#"Bearer realm="keygate-service""#
    } else {
        r#"Bearer realm="keygate-service", error="invalid_token""#
    }
}
