//! Every way in which the service refuses, as problem details (RFC 9457).

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::ambient::NoRandomness;
use crate::request_id;
use crate::store::{Rejection, StoreError};
use crate::wrong::{Errors, Pointer, Shown, Wrong};

/// Most bytes of a request body.
pub const MAX_BODY: usize = 64 * 1024;

/// Where the service serves the page about its errors.
pub const PAGE_PATH: &str = "/docs/errors.md";

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
    /// A key would make one that can do more than itself: the fields that go too far.
    #[error("{0}")]
    Beyond(Errors),
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
    /// An earlier request with the same idempotency key had another body.
    #[error("another request had this idempotency-key and another body: use a new one")]
    OtherBody,
    /// The key is not in the state that the caller takes it for.
    #[error("the key was changed in the meantime: its etag is \"{0}\" now")]
    Stale(u64),
    /// One of several keys is not in the state in which it fitted.
    #[error("the key {0} was changed in the meantime, and nothing was revoked: try again")]
    OneStale(String),
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
    /// Fields of the body, parameters of the query or a header are wrong.
    #[error("{0}")]
    Invalid(Errors),
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
    /// Too many requests wait for the database, and this one was not done.
    #[error("too many requests wait: this one was not done, try again")]
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

impl From<Errors> for Problem {
    fn from(errors: Errors) -> Self {
        Self::Invalid(errors)
    }
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        Self::Invalid(wrong.into())
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::InactiveToken => Self::InvalidToken,
            Rejection::InactiveCaller => Self::InvalidAssertion,
            Rejection::Clock => Self::Clock,
            Rejection::NoSuchKey => Self::NoSuchKey,
            Rejection::Beyond(errors) => Self::Beyond(errors),
            Rejection::Stale(version) => Self::Stale(version),
            Rejection::OneStale(id) => Self::OneStale(id),
            Rejection::Revoked => Self::Revoked,
            Rejection::Inactive => Self::Inactive,
            Rejection::Replaced(by) => Self::Replaced(by),
            Rejection::DisabledByAdmin => Self::DisabledByAdmin,
            Rejection::NoSuchToken => Self::NoSuchToken,
            Rejection::TooManyTokens => Self::TooManyTokens,
            Rejection::OtherBody => Self::OtherBody,
        }
    }
}

/// Declares the codes of problems, one row each: its variant, status, code and title.
macro_rules! codes {
    ($($Variant:ident = $STATUS:ident $code:literal $title:literal,)*) => {
        /// The kind of a problem. `docs/errors.md` has a section for each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $title]
            $Variant,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$Variant),*];

            /// The status of the answer.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$Variant => StatusCode::$STATUS,)*
                }
            }

            /// The stable word for programs.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$Variant => $code,)*
                }
            }

            /// What all problems of this kind have in common, for people.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$Variant => $title,)*
                }
            }

            /// Its section of the page. The service serves the page, so that the reference leads
            /// there from the address of the answer.
            fn uri(self) -> String {
                format!("{PAGE_PATH}#{}", self.code())
            }
        }
    };
}

codes! {
    MissingToken = UNAUTHORIZED "missing_token" "The request has no token",
    InvalidToken = UNAUTHORIZED "invalid_token" "The token is invalid",
    InvalidAssertion = UNAUTHORIZED "invalid_assertion" "The assertion is invalid",
    TwoCredentials = BAD_REQUEST "two_credentials" "The request has two credentials",
    WrongRole = FORBIDDEN "wrong_role" "The token has another role",
    InsufficientScope = FORBIDDEN "insufficient_scope" "The caller lacks a scope",
    WrongAccount = FORBIDDEN "wrong_account" "The keys belong to another account",
    BeyondOwnRights = FORBIDDEN "beyond_own_rights" "The key would have more rights than the caller",
    NoSuchPath = NOT_FOUND "no_such_path" "There is no such resource",
    NoSuchKey = NOT_FOUND "no_such_key" "There is no such key",
    NoSuchToken = NOT_FOUND "no_such_token" "There is no such token",
    TooManyTokens = CONFLICT "too_many_tokens" "There are too many tokens",
    KeyRevoked = CONFLICT "key_revoked" "The key is revoked",
    KeyInactive = CONFLICT "key_inactive" "The key is not active",
    KeyReplaced = CONFLICT "key_replaced" "Another key replaces the key",
    UnexpectedCount = CONFLICT "unexpected_count" "Another number of keys fits",
    DisabledByAdmin = FORBIDDEN "disabled_by_admin" "An admin disabled the key",
    Stale = PRECONDITION_FAILED "stale" "The key was changed in the meantime",
    IdempotencyMismatch = UNPROCESSABLE_ENTITY "idempotency_mismatch" "The idempotency key is of another request",
    MethodNotAllowed = METHOD_NOT_ALLOWED "method_not_allowed" "The resource has other methods",
    InvalidField = BAD_REQUEST "invalid_field" "A value of the request is wrong",
    InvalidBody = BAD_REQUEST "invalid_body" "The body is not a JSON object",
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported_media_type" "The body has another content type than JSON",
    BodyTooLarge = PAYLOAD_TOO_LARGE "body_too_large" "The body is too large",
    BodyTimeout = REQUEST_TIMEOUT "body_timeout" "The body did not arrive in time",
    Timeout = SERVICE_UNAVAILABLE "timeout" "The request took too long",
    Overloaded = SERVICE_UNAVAILABLE "overloaded" "Too many requests wait",
    Clock = SERVICE_UNAVAILABLE "clock" "The clock of the key service is wrong",
    DatabaseUnavailable = SERVICE_UNAVAILABLE "database_unavailable" "The database is unavailable",
    NoRandomness = SERVICE_UNAVAILABLE "no_randomness" "There is no randomness for a key",
    Internal = INTERNAL_SERVER_ERROR "internal" "The key service has a bug",
}

/// The body of a refusal.
#[derive(Serialize)]
struct Details<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Shown<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Problem {
    /// A field with another value than it must have.
    pub fn field(field: impl Into<Pointer>, detail: impl Into<String>) -> Self {
        Wrong::invalid(field, detail).into()
    }

    /// Its kind.
    pub fn code(&self) -> Code {
        match self {
            Self::MissingToken => Code::MissingToken,
            Self::InvalidToken => Code::InvalidToken,
            Self::WrongRole => Code::WrongRole,
            Self::TwoCredentials => Code::TwoCredentials,
            Self::InvalidAssertion => Code::InvalidAssertion,
            Self::MissingScope(_) => Code::InsufficientScope,
            Self::WrongAccount => Code::WrongAccount,
            Self::Beyond(_) => Code::BeyondOwnRights,
            Self::NoSuchPath => Code::NoSuchPath,
            Self::NoSuchKey => Code::NoSuchKey,
            Self::NoSuchToken => Code::NoSuchToken,
            Self::TooManyTokens => Code::TooManyTokens,
            Self::OtherBody => Code::IdempotencyMismatch,
            Self::Stale(_) | Self::OneStale(_) => Code::Stale,
            Self::Revoked => Code::KeyRevoked,
            Self::Inactive => Code::KeyInactive,
            Self::Replaced(_) => Code::KeyReplaced,
            Self::Unexpected(_) => Code::UnexpectedCount,
            Self::DisabledByAdmin => Code::DisabledByAdmin,
            Self::MethodNotAllowed => Code::MethodNotAllowed,
            Self::Invalid(_) => Code::InvalidField,
            Self::Body(_) => Code::InvalidBody,
            Self::MediaType => Code::UnsupportedMediaType,
            Self::TooLarge => Code::BodyTooLarge,
            Self::BodyTimeout => Code::BodyTimeout,
            Self::Timeout => Code::Timeout,
            Self::Overloaded => Code::Overloaded,
            Self::Clock => Code::Clock,
            Self::NotReady | Self::Store(_) => Code::DatabaseUnavailable,
            Self::NoRandomness(_) => Code::NoRandomness,
            Self::Internal => Code::Internal,
        }
    }

    /// What is wrong, field by field.
    fn errors(&self) -> Option<&Errors> {
        match self {
            Self::Invalid(errors) | Self::Beyond(errors) => Some(errors),
            _ => None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // The client learns that the database failed; the operator learns how.
        if let Self::Store(error) = &self {
            tracing::error!("{error}");
        }
        let code = self.code();
        let status = code.status();
        let details = Details {
            r#type: code.uri(),
            title: code.title(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: code.code(),
            errors: self.errors().map(Errors::shown),
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
fn challenge(code: Code) -> &'static str {
    match code {
        Code::MissingToken => r#"Bearer realm="keygate-service""#,
        _ => r#"Bearer realm="keygate-service", error="invalid_token""#,
    }
}
