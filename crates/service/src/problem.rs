//! Every way in which the service rejects a request, as problem details (RFC 9457).

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::ambient::NoRandomness;
pub use crate::code::{Code, PAGE_PATH};
use crate::request_id;
use crate::store::{Rejection, StoreError};
use crate::wrong::{Errors, Pointer, Shown, Wrong};

/// Most bytes of a request body.
pub const MAX_BODY: usize = 64 * 1024;

/// A rejection of a request. Its `Display` is the `detail` that the client reads.
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
    /// The hook of the operator refused a key, in these words.
    #[error("{0}")]
    HookRefused(String),
    /// The hook of the operator did not say whether a key may be saved.
    #[error(
        "the hook of the operator did not answer as it must, and nothing was changed: try again in a moment"
    )]
    HookFailed,
    /// A report is not signed by a key of the reporter.
    #[error("sign the report with a key that the reporter publishes")]
    Unsigned,
    /// The keys of the reporter could not be read.
    #[error(
        "the report cannot be verified, because the keys of the reporter are unavailable: send it again later"
    )]
    NoReportKeys,
    /// No route has this path.
    #[error("there is no resource at this path")]
    NoSuchPath,
    /// The database could be written, and still the change was not made.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The number of matching keys differs from the number that the caller expects.
    #[error(
        "{found} {}, but expect is {expected}: nothing was revoked. Check the list, then correct expect",
        if *found == 1 { "key matches" } else { "keys match" }
    )]
    Unexpected {
        /// The number of keys that match.
        found: usize,
        /// The number that the request names.
        expected: usize,
    },
    /// More keys match than one call revokes, which is this many.
    #[error("more than {0} keys match, and nothing was revoked: narrow the filter")]
    TooManyMatch(usize),
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
    #[error("too many requests are waiting, and nothing was changed: try again in a moment")]
    Overloaded,
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
            StoreError::Rejected(rejection) => Self::Rejected(rejection),
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

/// Why a request was rejected (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Details<'a> {
    /// Where the service describes this kind of problem.
    r#type: String,
    /// What all problems of this kind have in common.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What is wrong with this request, for people.
    detail: String,
    /// The kind of problem, for programs.
    #[schemars(with = "Code")]
    code: &'static str,
    /// Every value that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Shown<'_>>")]
    errors: Option<Vec<Shown<'a>>>,
    /// The id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
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
            Self::HookRefused(_) => Code::HookRefused,
            Self::HookFailed => Code::HookFailed,
            Self::Unsigned => Code::InvalidSignature,
            Self::NoReportKeys => Code::ReportKeysUnavailable,
            Self::NoSuchPath => Code::NoSuchPath,
            Self::Rejected(rejection) => rejection.code(),
            Self::Unexpected { .. } | Self::TooManyMatch(_) => Code::UnexpectedCount,
            Self::MethodNotAllowed => Code::MethodNotAllowed,
            Self::Invalid(_) => Code::InvalidField,
            Self::Body(_) => Code::InvalidBody,
            Self::MediaType => Code::UnsupportedMediaType,
            Self::TooLarge => Code::BodyTooLarge,
            Self::BodyTimeout => Code::BodyTimeout,
            Self::Timeout => Code::Timeout,
            Self::Overloaded => Code::Overloaded,
            Self::NotReady | Self::Store(_) => Code::DatabaseUnavailable,
            Self::NoRandomness(_) => Code::NoRandomness,
            Self::Internal => Code::Internal,
        }
    }

    /// What is wrong, field by field.
    fn errors(&self) -> Option<&Errors> {
        match self {
            Self::Invalid(errors)
            | Self::Rejected(Rejection::Beyond(errors) | Rejection::BeyondLimits(errors)) => {
                Some(errors)
            }
            _ => None,
        }
    }

    /// After how many seconds the request may be sent again.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Rejected(Rejection::TooManyCreations { seconds, .. }) => Some(*seconds),
            _ => (self.code().status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
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
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
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
        Code::InvalidSignature => r#"Signature realm="keygate-service""#,
        _ => r#"Bearer realm="keygate-service", error="invalid_token""#,
    }
}
