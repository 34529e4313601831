//! The page about errors, to which the `type` of every problem refers.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

const PAGE: &str = include_str!("../../../../docs/errors.md");

/// `GET /docs/errors.md`, without a token: it says nothing of this service.
pub(super) async fn errors() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/markdown; charset=utf-8")], PAGE)
}
