//! The public keys of assertions, for upstreams that check them by themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::Service;

/// RFC 7517 section 8.5.2.
const JWKS_TYPE: &str = "application/jwk-set+json";

/// `GET /v1/jwks.json`: for EdDSA the keys that are valid now; HS256 has nothing to publish.
pub(super) async fn jwks(State(service): State<Arc<Service>>) -> impl IntoResponse {
    let now = service.now();
    let current = service
        .assertions
        .iter()
        .flat_map(|it| it.verifier.ring.current(now));
    let keys: Vec<_> = current.filter_map(|it| it.key.jwk(&it.id)).collect();
    let set = serde_json::json!({ "keys": keys });
    ([(CONTENT_TYPE, JWKS_TYPE)], Json(set))
}
