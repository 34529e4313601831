//! What the service says of itself: the page about errors, to which the `type` of every problem
//! refers, and the OpenAPI document. Neither needs a token: they say nothing of this service.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::document;

const PAGE: &str = include_str!("../../../../docs/errors.md");

/// Of the page.
pub(super) const TYPE: &str = "text/markdown; charset=utf-8";

/// `GET /docs/errors.md`.
pub(super) async fn errors() -> impl IntoResponse {
    ([(CONTENT_TYPE, TYPE)], PAGE)
}

/// `GET /openapi.json`.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document())
}
