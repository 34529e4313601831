//! Reading requests: bodies, queries and ids, each rejection a problem that names the field.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use keygate_core::Millis;
use serde::de::DeserializeOwned;

use super::object::{Wrong, object};
use crate::key::IfMatch;
use crate::problem::Problem;

/// A JSON object.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonText(text) = JsonText::from_request(request, state).await?;
        object(&text).map(Self).map_err(body_problem)
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
            let error = error.utf8_error();
            Problem::Body(format!("is not JSON: {error}"))
        })
    }
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.as_bytes().split(|&byte| byte == b';').next());
    essence.is_some_and(|text| text.trim_ascii().eq_ignore_ascii_case(b"application/json"))
}

/// Says what is wrong with a body, and quotes the name and the value of the field.
pub(super) fn body_problem(wrong: Wrong) -> Problem {
    match wrong {
        Wrong::NoObject => Problem::Body("must be a JSON object".to_owned()),
        Wrong::Syntax(error) => Problem::Body(format!("is not JSON: {error}")),
        Wrong::Missing(field) => Problem::field(field, "is required"),
        Wrong::Duplicate(field) => Problem::field(field, "is given more than once"),
        Wrong::Unknown(field, known) => {
            let known = known.join(", ");
            Problem::field(field, format!("is unknown here; known are {known}"))
        }
        Wrong::Value(path, detail) => Problem::field(path, detail),
    }
}

/// The parameters of a query, each known and none twice.
pub(super) struct Query(HashMap<String, String>);

impl Query {
    /// Reads a query that may have the parameters `known`.
    pub(super) fn parse(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut found = HashMap::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let detail = format!("is unknown here; known are {}", known.join(", "));
                return Err(Problem::field(name, detail));
            }
            if found.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Problem::field(name, "is given more than once"));
            }
        }
        Ok(Self(found))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter of digits, nothing else: no sign, no space.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits)
        };
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match number(text) {
            Some(number) => Ok(Some(number)),
            None => Err(Problem::field(name, "must be a whole number")),
        }
    }

    /// A parameter such as `1250ms`.
    pub(super) fn span(&self, name: &str) -> Result<Option<Millis>, Problem> {
        let span = self.text(name).map(Millis::parse).transpose();
        span.map_err(|error| Problem::field(name, error.to_string()))
    }
}

/// The versions of a key that `if-match` names.
pub(super) fn if_match(headers: &HeaderMap) -> Result<IfMatch, Problem> {
    let wrong = || Problem::field("if-match", "must be the etag of an answer, or *");
    let mut versions = Vec::new();
    for value in headers.get_all(IF_MATCH) {
        for tag in value.to_str().map_err(|_| wrong())?.split(',') {
            let tag = tag.trim_ascii();
            if tag == "*" {
                return Ok(IfMatch::Any);
            }
            let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let version = version.and_then(|digits| digits.parse().ok());
            versions.push(version.ok_or_else(wrong)?);
        }
    }
    match versions.is_empty() {
        true => Ok(IfMatch::Any),
        false => Ok(IfMatch::Versions(versions)),
    }
}

/// The id in a path. What cannot be an id is an id that no key has.
pub(super) struct KeyId(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for KeyId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|_| Problem::NoSuchKey)
    }
}
