//! Reading requests: bodies, queries and ids, each refusal a problem that names the field.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use keygate_core::Millis;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// A JSON object. No body at all reads as `{}`.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| Problem::Internal)?;
        if body.is_empty() {
            return parse(b"{}").map(Self);
        }
        if !is_json {
            return Err(Problem::MediaType);
        }
        parse(&body).map(Self)
    }
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.as_bytes().split(|&byte| byte == b';').next());
    essence.is_some_and(|text| text.trim_ascii().eq_ignore_ascii_case(b"application/json"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // serde would also take `["alice"]` for a struct, field by field.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::Body("must be a JSON object".to_owned()));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(wrong_field)?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn wrong_field(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let error = error.into_inner();
    if !error.is_data() {
        return not_json(&error);
    }
    let detail = error.to_string();
    // These two have no path: the name stands in the message alone.
    if let Some(field) = quoted(&detail, "missing field `") {
        return Problem::field(field, "is required");
    }
    if let Some(field) = quoted(&detail, "duplicate field `") {
        return Problem::field(field, "stands twice");
    }
    Problem::field(path, detail)
}

fn quoted<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    message.strip_prefix(before)?.split('`').next()
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::Body(format!("is not JSON: {error}"))
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
                return Err(Problem::field(name, "stands twice"));
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

/// The id in a path. What cannot be an id is an id that no key has.
pub(super) struct KeyId(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for KeyId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|_| Problem::NoSuchKey)
    }
}
