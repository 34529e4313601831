//! Reading requests: bodies, queries and ids, each rejection a problem that names every field.

use std::collections::HashMap;
use std::convert::Infallible;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;

use crate::json::{Draft, Names, NoObject, object};
use crate::key::IfMatch;
use crate::problem::Problem;
use crate::wrong::{Errors, Wrong};

/// A JSON object of which every member fits.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonDraft(draft) = JsonDraft::from_request(request, state).await?;
        Ok(Self(draft.complete()?))
    }
}

/// A JSON object, and what is wrong with its members. The check of the others adds to that.
pub(super) struct JsonDraft<T>(pub(super) Draft<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonDraft<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonText(text) = JsonText::from_request(request, state).await?;
        Ok(Self(object(&text, Names::Shown)?))
    }
}

/// A JSON object that has a key. No error repeats a name that is not ours, which may be the key.
pub(super) struct SecretBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for SecretBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonText(text) = JsonText::from_request(request, state).await?;
        let draft: Draft<T> = object(&text, Names::Hidden)?;
        Ok(Self(draft.complete()?))
    }
}

/// The text of a body that is JSON by its content type. No body at all reads as `{}`.
pub(super) struct JsonText(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| Problem::Internal)?;
        if body.is_empty() {
            return Ok(Self("{}".to_owned()));
        }
        if !is_json {
            return Err(Problem::MediaType);
        }
        let text = String::from_utf8(body.into());
        text.map(Self).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            Problem::Body(format!("is not UTF-8 after {at} bytes"))
        })
    }
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.as_bytes().split(|&byte| byte == b';').next());
    essence.is_some_and(|text| text.trim_ascii().eq_ignore_ascii_case(b"application/json"))
}

impl From<NoObject> for Problem {
    fn from(found: NoObject) -> Self {
        Self::Body(match found {
            NoObject::Other => "must be a JSON object".to_owned(),
            NoObject::Syntax { line, column } => {
                format!("is not JSON: see line {line}, column {column}")
            }
        })
    }
}

/// The parameters of a query, each known and none twice; and what is wrong with them.
pub(super) struct Query {
    found: HashMap<String, String>,
    errors: Errors,
}

impl Query {
    /// Reads a query that may have the parameters `known`.
    pub(super) fn parse(query: Option<&str>, known: &[&str]) -> Self {
        let mut found = HashMap::new();
        let mut errors = Errors::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&name.as_ref()) {
                errors.push(Wrong::unknown(name.as_ref(), known));
            } else if found.insert(name.to_string(), value.into_owned()).is_some() {
                errors.push(Wrong::duplicate(name.as_ref()));
            }
        }
        Self { found, errors }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.found.get(name).map(String::as_str)
    }

    /// A parameter that `read` makes something of, or says what it must be.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Self { found, errors } = self;
        let read = read(found.get(name)?);
        errors.check(name, |name| {
            read.map_err(|detail| Wrong::invalid(name, detail))
        })
    }

    /// A parameter of digits, nothing else.
    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        self.read(name, |text| {
            digits(text).ok_or_else(|| "must be a whole number".to_owned())
        })
    }

    /// How many a page has at most: 1 to `most`.
    pub(super) fn limit(&mut self, most: u32) -> Option<u32> {
        self.up_to("limit", most)
    }

    /// A parameter of 1 to `most`.
    pub(super) fn up_to(&mut self, name: &str, most: u32) -> Option<u32> {
        self.read(name, |text| {
            let number = digits(text).filter(|number| (1..=most).contains(number));
            number.ok_or_else(|| format!("must be 1 to {most}"))
        })
    }

    /// Where a page starts: a [`cursor`] of the one before.
    pub(super) fn cursor(&mut self) -> Option<i64> {
        let place = |text: &str| place(text).ok_or("must be a next_cursor of this list");
        self.read("cursor", |text| place(text).map_err(str::to_owned))
    }

    /// What was made of some of them, if nothing is wrong with any.
    ///
    /// # Errors
    /// All that is wrong.
    pub(super) fn end<T>(mut self, made: Result<T, Errors>) -> Result<T, Problem> {
        let made = self.errors.keep(made);
        self.errors.none().map_err(Errors::of_query)?;
        made.ok_or(Problem::Internal)
    }
}

/// A number without sign or space.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Where the page after this row starts. Opaque, so that clients do not rely on its being a row
/// number.
pub(super) fn cursor(number: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("before {number}"))
}

fn place(cursor: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("before ")?.parse().ok()
}

/// The versions of a key that `if-match` names.
pub(super) fn if_match(headers: &HeaderMap) -> Result<IfMatch, Errors> {
    let wrong = || Errors::of_header("if-match", "must be the etag of an answer, or *");
    let mut versions = Vec::new();
    let mut has_any = false;
    for value in headers.get_all(IF_MATCH) {
        for tag in value.to_str().map_err(|_| wrong())?.split(',') {
            let tag = tag.trim_ascii();
            if tag == "*" {
                has_any = true;
                continue;
            }
            let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let version = version.filter(|it| (1..=19).contains(&it.len()));
            versions.push(version.and_then(digits).ok_or_else(wrong)?);
        }
    }
    match has_any || versions.is_empty() {
        true => Ok(IfMatch::Any),
        false => Ok(IfMatch::Versions(versions)),
    }
}

/// The id of a key or a token in a path. What cannot be read is an id that none of them has.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        Ok(id.map_or_else(|_| Self(String::new()), |Path(id)| Self(id)))
    }
}
