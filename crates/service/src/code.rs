//! The kinds of problems: what each is called, and the status of its answer.

use axum::http::StatusCode;

/// Where the service serves the page about its errors.
pub const PAGE_PATH: &str = "/docs/errors.md";

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
            pub(crate) fn uri(self) -> String {
                format!("{PAGE_PATH}#{}", self.code())
            }
        }

        impl schemars::JsonSchema for Code {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                "Code".into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($code),*] })
            }
        }
    };
}

codes! {
    MissingToken = UNAUTHORIZED "missing_token" "The request has no token",
    InvalidToken = UNAUTHORIZED "invalid_token" "The token is invalid",
    InvalidAssertion = UNAUTHORIZED "invalid_assertion" "The assertion is invalid",
    TwoCredentials = BAD_REQUEST "two_credentials" "The request has two credentials",
    InvalidSignature = UNAUTHORIZED "invalid_signature" "The signature of the report is invalid",
    WrongRole = FORBIDDEN "wrong_role" "The role of the token does not permit this",
    InsufficientScope = FORBIDDEN "insufficient_scope" "The caller lacks a scope",
    WrongAccount = FORBIDDEN "wrong_account" "The keys belong to another account",
    WrongSpace = FORBIDDEN "wrong_space" "The keys belong to another space",
    BeyondOwnRights = FORBIDDEN "beyond_own_rights" "The key would have more rights than the caller",
    BeyondLimits = FORBIDDEN "beyond_limits" "The key would exceed a limit of the service",
    HookRefused = FORBIDDEN "hook_refused" "The hook of the operator refused the key",
    TooManyKeys = CONFLICT "too_many_keys" "The account has too many keys",
    TooManyCreations = TOO_MANY_REQUESTS "too_many_creations" "Too many keys are created",
    NoSuchPath = NOT_FOUND "no_such_path" "There is no such resource",
    NoSuchKey = NOT_FOUND "no_such_key" "There is no such key",
    NotSealed = NOT_FOUND "not_sealed" "The key has no sealed data",
    NoSuchToken = NOT_FOUND "no_such_token" "There is no such token",
    TooManyTokens = CONFLICT "too_many_tokens" "There are too many tokens",
    KeyRevoked = CONFLICT "key_revoked" "The key is revoked",
    KeyInactive = CONFLICT "key_inactive" "The key is not active",
    KeyImported = CONFLICT "key_imported" "The key was imported",
    Sealed = CONFLICT "sealed" "The key has sealed data",
    KeyReplaced = CONFLICT "key_replaced" "The key was already replaced",
    UnexpectedCount = CONFLICT "unexpected_count" "The number of matching keys differs from expect",
    DisabledByAdmin = FORBIDDEN "disabled_by_admin" "An admin disabled the key",
    Stale = PRECONDITION_FAILED "stale" "The key was changed in the meantime",
    IdempotencyMismatch = UNPROCESSABLE_ENTITY "idempotency_mismatch" "The idempotency key was used for another request",
    MethodNotAllowed = METHOD_NOT_ALLOWED "method_not_allowed" "The resource does not support this method",
    InvalidField = BAD_REQUEST "invalid_field" "A value of the request is wrong",
    InvalidBody = BAD_REQUEST "invalid_body" "The body is not a JSON object",
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported_media_type" "The content type of the body is not JSON",
    BodyTooLarge = PAYLOAD_TOO_LARGE "body_too_large" "The body is too large",
    BodyTimeout = REQUEST_TIMEOUT "body_timeout" "The body did not arrive in time",
    Timeout = SERVICE_UNAVAILABLE "timeout" "The request took too long",
    Overloaded = SERVICE_UNAVAILABLE "overloaded" "Too many requests are waiting",
    Clock = SERVICE_UNAVAILABLE "clock" "The clock of the key service is wrong",
    HookFailed = SERVICE_UNAVAILABLE "hook_failed" "The hook of the operator failed",
    ReportKeysUnavailable = SERVICE_UNAVAILABLE "report_keys_unavailable" "The keys of the reporter are unavailable",
    DatabaseUnavailable = SERVICE_UNAVAILABLE "database_unavailable" "The database is unavailable",
    NoRandomness = SERVICE_UNAVAILABLE "no_randomness" "No random bytes are available",
    Internal = INTERNAL_SERVER_ERROR "internal" "The key service has a bug",
}
