//! What values of the API look like, as JSON schemas. None is stricter than the parser of the value,
//! which the harness of the tests checks, and none is laxer where a schema can be as strict, which
//! schemathesis checks (`tests/openapi`).
//!
//! A `format` that is not of JSON Schema names a rule that no pattern can express.

use std::borrow::Cow;

use keygate_core::identity::limits::{
    MAX_ALLOWED_IPS, MAX_ALLOWED_REFERRERS, MAX_NAME, MAX_SCOPES,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::attributes::{MAX_LABEL_NAME, MAX_LABELS};
use crate::space::{MAX_SPACE, Space};

/// Characters that no text for people has: control characters, line separators, changes of
/// direction. [`is_shown`](crate::shown::is_shown) rejects more; a pattern of all of them would need
/// `\p{C}`, which Python and others do not read. The format `line` stands for the rest.
const HIDDEN: &str = r"\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069";

/// Declares functions that make schemas.
macro_rules! shapes {
    ($($(#[$about:meta])* $shape:ident = $json:tt;)*) => {
        $(
            $(#[$about])*
            pub(crate) fn $shape() -> Schema {
                json_schema!($json)
            }
        )*
    };
}

// The shapes of attributes have the names of their checks (`attributes.rs`).
shapes! {
    /// Becomes the value of a header, where a comma would separate two values.
    account = {
        "type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": r"^[!-+\--~]+$",
    };
    /// The name of a space.
    space = {
        "type": "string", "minLength": 1, "maxLength": MAX_SPACE, "pattern": "^[0-9A-Za-z._-]+$",
    };
    /// The name of a template. Which there are, the operator decides.
    template = { "type": "string", "format": "template" };
    /// The name of a key.
    title = {
        "type": "string", "format": "line", "minLength": 1, "maxLength": MAX_NAME,
        "pattern": format!("^[^{HIDDEN}]+$"),
    };
    /// RFC 6749 section 3.3.
    scopes = {
        "type": "array", "maxItems": MAX_SCOPES, "uniqueItems": true,
        "items": {
            "type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": r"^[!#-\[\]-~]+$",
        },
    };
    /// JSON of the caller.
    metadata = { "type": "object", "additionalProperties": true };
    /// Addresses and ranges.
    ranges = {
        "type": "array", "maxItems": MAX_ALLOWED_IPS,
        "items": { "type": "string", "format": "ip-range" },
    };
    /// Patterns of pages.
    referrers = {
        "type": "array", "maxItems": MAX_ALLOWED_REFERRERS,
        "items": { "type": "string", "format": "referrer-pattern" },
    };
    /// A label.
    label = {
        "type": "string", "format": "label",
        "pattern": format!(
            r#"^[A-Za-z0-9._/-]{{1,{MAX_LABEL_NAME}}}=[^"\\{HIDDEN}]{{0,{MAX_NAME}}}$"#
        ),
    };
    /// Labels.
    labels = { "type": "array", "maxItems": MAX_LABELS, "uniqueItems": true, "items": label() };
    /// Requests in a span of time.
    rate_limit = {
        "type": "string", "format": "rate-limit", "pattern": r"^[0-9]+/\s*[0-9]", "examples": ["100/1m"],
    };
    /// A day, as RFC 3339 writes it.
    date = { "type": "string", "format": "date" };
    /// RFC 3339.
    instant = { "type": "string", "format": "date-time" };
    /// A duration with its unit. Not `duration`, which is that of ISO 8601.
    span = { "type": "string", "format": "span", "pattern": r"^\s*[0-9]", "examples": ["30d"] };
    /// How long a poll may wait.
    wait = { "type": "string", "format": "wait", "examples": ["1250ms"] };
    /// The id of a key or a token.
    id = { "type": "string", "pattern": "^[0-9A-Za-z]{10}$" };
    /// The id of a master secret.
    secret_id = { "type": "string", "pattern": "^[0-9A-Za-z]{2}$" };
    /// The same in a filter, where it can also be unknown.
    secret_filter = { "type": "string", "pattern": "^([0-9A-Za-z]{2}|unknown)$" };
    /// A key that was made elsewhere.
    imported = {
        "type": "string", "format": "imported-key", "minLength": 16, "maxLength": 512,
        "pattern": "^[!-~]+$",
    };
    /// SHA-256 in hexadecimal digits or base64.
    sha256 = { "type": "string", "format": "sha-256" };
    /// Where a page starts.
    cursor = { "type": "string", "format": "cursor" };
    /// A string of RFC 9651, or the same without its quotes.
    idempotency_key = {
        "type": "string", "pattern": r#"^("[!#-~]{1,255}"|[!#-~]{1,255})$"#,
    };
    /// Sealed data: 16, 24, 256 to 2048 and 16 bytes in base64url.
    sealed = {
        "type": "string", "format": "sealed", "minLength": 420, "maxLength": 2810,
        "pattern": r"^ks1\.[A-Za-z0-9_-]+$",
    };
    /// Headers to seal, at most 2048 bytes as JSON.
    to_seal = {
        "type": "object", "format": "sealable", "minProperties": 1,
        "propertyNames": { "pattern": "^[a-z][a-z0-9-]{0,63}$" },
        "additionalProperties": { "type": "string", "pattern": "^[!-~]([ -~]*[!-~])?$" },
    };
    /// Entity tags of a key.
    if_match = {
        "type": "string", "format": "entity-tags", "examples": ["\"1\""],
        "pattern": r#"^[ \t]*(\*|"[0-9]{1,19}")([ \t]*,[ \t]*(\*|"[0-9]{1,19}"))*[ \t]*$"#,
    };
}

/// An end is an instant or a duration, not both.
pub(crate) fn one_end(schema: &mut Schema) {
    schema.insert("not".to_owned(), two_ends());
}

/// The same, and what is sealed is new or nothing.
pub(crate) fn one_end_and_one_seal(schema: &mut Schema) {
    let two_seals = json!({
        "required": ["sealed", "drop_sealed"],
        "properties": { "sealed": { "type": "object" }, "drop_sealed": { "const": true } },
    });
    let either = json!({ "anyOf": [two_ends(), two_seals] });
    schema.insert("not".to_owned(), either);
}

fn two_ends() -> Value {
    json!({
        "required": ["expires_at", "expires_in"],
        "properties": { "expires_at": { "type": "string" }, "expires_in": { "type": "string" } },
    })
}

/// Declares types that stand for such a value in a struct.
macro_rules! types {
    ($($Type:ident = $shape:ident;)*) => {
        $(
            #[doc = concat!("See [`", stringify!($shape), "`].")]
            pub(crate) struct $Type;

            impl JsonSchema for $Type {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($Type).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    $shape()
                }
            }
        )*
    };
}

types! {
    Cursor = cursor;
    Date = date;
    Id = id;
    IdempotencyKey = idempotency_key;
    IfMatch = if_match;
    Instant = instant;
    Label = label;
    Metadata = metadata;
    Sealed = sealed;
    SecretFilter = secret_filter;
    SecretId = secret_id;
    Span = span;
    Wait = wait;
}

impl JsonSchema for Space {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Space".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        space()
    }
}

/// A line for people, such as a note: 1 to so many characters.
pub(crate) struct Line<const MAX: usize>;

impl<const MAX: usize> JsonSchema for Line<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Line{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "format": "line", "minLength": 1, "maxLength": MAX,
            "pattern": format!("^[^{HIDDEN}]+$"),
        })
    }
}

/// How many a page has at most.
pub(crate) struct PageOf<const MAX: u32>;

impl<const MAX: u32> JsonSchema for PageOf<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("PageOf{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": MAX })
    }
}
